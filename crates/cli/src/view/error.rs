//! Errors as people see them, whatever programs get: what was tried, where, why, what to do.

use std::io::IsTerminal as _;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use provision_core::Error;
use provision_core::printable::on_one_line;
use terminal_size::{Height, Width};

use crate::exit::Failure;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Why a command ended early.
pub(crate) fn failure(failure: &Failure) -> String {
    match failure {
        Failure::PlanFiles(errors) => {
            let colored = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            errors.iter().map(|error| error.render(colored)).collect()
        }
        Failure::Errors(errors) | Failure::Shown(_, errors) => texts(errors),
        Failure::Usage(message) => format!("error: {message}\n"),
        Failure::Stopped(_, error) => text(error),
    }
}

/// One error.
fn text(error: &Error) -> String {
    described(error) + &hint(error)
}

/// Several errors, with a blank line between. What to do about all of them alike is said after the last.
pub(crate) fn texts(errors: &[Error]) -> String {
    let again = |index: usize, error: &Error| errors[index + 1..].iter().any(|later| later.hint() == error.hint());
    let text = |(index, error): (usize, &Error)| match again(index, error) {
        true => described(error),
        false => text(error),
    };
    errors.iter().enumerate().map(text).collect::<Vec<_>>().join("\n")
}

fn described(error: &Error) -> String {
    let mut text = format!("{RED}error{RED:#}: {error}\n");
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let file = error.plan_file().map(|file| format!("{}{line}", on_one_line(file)));
    let place: Vec<_> = file.into_iter().chain(error.address().map(|address| format!("({address})"))).collect();
    if !place.is_empty() {
        text += &format!("  --> {}\n", place.join(" "));
    }
    wrapped(&(text + &error.call().map(|call| format!("  {call}\n")).unwrap_or_default()))
}

fn hint(error: &Error) -> String {
    error.hint().map(|hint| wrapped(&format!("\n{CYAN}hint{CYAN:#}: {hint}\n"))).unwrap_or_default()
}

/// A warning.
pub(crate) fn warning(warning: &str) -> String {
    format!("{YELLOW}warning{YELLOW:#}: {}\n", on_one_line(warning))
}

/// A text for stderr, where that is a terminal in lines of its width: broken between words, and never inside of a command or a name,
/// which is copied as a whole.
pub(crate) fn wrapped(text: &str) -> String {
    let stderr = std::io::stderr();
    let width = columns(terminal_size::terminal_size_of(&stderr), stderr.is_terminal());
    width.map_or_else(|| text.to_owned(), |width| wrapped_to(text, width))
}

/// How wide a stream is that is a terminal, as it says. One that does not say so, as in some CI and over some serial lines, has the
/// usual width.
pub(crate) fn columns(said: Option<(Width, Height)>, is_terminal: bool) -> Option<usize> {
    const USUAL: usize = 80;
    said.map(|(width, _)| usize::from(width.0)).or_else(|| is_terminal.then_some(USUAL))
}

fn wrapped_to(text: &str, width: usize) -> String {
    let line = |line: &str| {
        let lead = line.len() - line.trim_start().len();
        let options = textwrap::Options::new(width)
            .initial_indent(&line[..lead])
            .subsequent_indent("    ")
            .word_separator(textwrap::WordSeparator::Custom(phrases))
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        textwrap::wrap(&line[lead..], options).join("\n")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Words, of which what stands between backticks is one.
fn phrases(line: &str) -> Box<dyn Iterator<Item = textwrap::core::Word<'_>> + '_> {
    let (mut words, mut begin, mut quoted) = (Vec::new(), 0, false);
    let mut letters = line.char_indices().peekable();
    while let Some((_, letter)) = letters.next() {
        quoted ^= letter == '`';
        if let Some((next, _)) = letters.peek().filter(|(_, next)| letter == ' ' && *next != ' ' && !quoted) {
            words.push(&line[begin..*next]);
            begin = *next;
        }
    }
    words.push(&line[begin..]);
    Box::new(words.into_iter().map(textwrap::core::Word::from))
}

#[cfg(test)]
mod tests {
    use super::wrapped_to;

    #[test]
    fn commands_stay_whole_where_a_text_is_broken() {
        let text = "hint: look at it with `provision aws plan x.toml`, and again\n  --> x.toml\n";
        let expected = "hint: look at it\n    with\n    `provision aws plan x.toml`,\n    and again\n  --> x.toml\n";
        assert_eq!(wrapped_to(text, 18), expected);
        assert_eq!(wrapped_to(text, 80), text);
    }
}

//! Lines that fit the terminal: columns, and what is too long goes on below its own column.

use std::io::IsTerminal as _;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::view::error::columns;

/// The longest name that has its values beside it, where the terminal does not say less: half of it.
const WIDEST_LABEL: usize = 54;

/// A line, how far what does not fit on it is indented, and what stands at its right end.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) hang: usize,
    pub(crate) end: String,
}

impl Line {
    /// A line with nothing at its end.
    pub(crate) fn new(text: String, hang: usize) -> Self {
        Self { text, hang, end: String::new() }
    }

    /// One that is never broken, to be copied.
    pub(crate) fn whole(text: String) -> Self {
        Self::new(text, usize::MAX)
    }
}

/// What is said of a name in a block.
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) text: String,
    pub(crate) end: String,
}

impl Entry {
    /// An entry with nothing at its end.
    pub(crate) fn new(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self { label: label.into(), text: text.into(), end: String::new() }
    }
}

/// Two columns under a resource: names as wide as the longest of the block, and what there is to say of each. A name that is
/// too long for its column has a line of its own.
pub(crate) fn block(indent: usize, entries: &[Entry]) -> Vec<Line> {
    let widths = entries.iter().map(|entry| entry.label.chars().count());
    let widest = terminal_width().map_or(WIDEST_LABEL, |width| width / 2);
    let width = widths.filter(|width| *width <= widest).max().unwrap_or_default();
    let (beside, below) = (indent + width + 2, indent + 4);
    let (mut lines, mut hang) = (Vec::new(), beside);
    for Entry { label, text, end } in entries {
        let is_long = label.chars().count() > width;
        if is_long {
            lines.push(Line::new(format!("{:indent$}{label}", ""), below));
        }
        // What has no name goes on with what is above it.
        if !label.is_empty() {
            hang = if is_long { below } else { beside };
        }
        let label = if is_long || label.is_empty() { String::new() } else { format!("{:indent$}{label}", "") };
        lines.push(Line { text: format!("{label:<hang$}{text}").trim_end().to_owned(), hang, end: end.clone() });
    }
    lines
}

/// The lines as text. What is no terminal has no width.
pub(crate) fn fitted(lines: &[Line]) -> String {
    let width = terminal_width();
    lines.iter().map(|line| fitted_to(line, width) + "\n").collect()
}

/// Whether a text is on one line.
pub(crate) fn fits(text: &str) -> bool {
    terminal_width().is_none_or(|width| display_width(text) <= width)
}

fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    columns(terminal_size::terminal_size_of(&stdout), stdout.is_terminal())
}

fn fitted_to(line: &Line, width: Option<usize>) -> String {
    let gap = if line.end.is_empty() { "" } else { "  " };
    let Some(width) = width.filter(|width| *width > line.hang) else {
        return format!("{}{gap}{}", line.text, line.end);
    };
    let text = wrapped(&line.text, line.hang, width);
    if line.end.is_empty() {
        return text;
    }
    // At the right of the last line, or of one more.
    let (last, end) = (display_width(text.lines().last().unwrap_or_default()), display_width(&line.end));
    match last + gap.len() + end <= width {
        true => format!("{text}{}{}", " ".repeat(width - last - end), line.end),
        false => format!("{text}\n{}{}", " ".repeat(width.saturating_sub(end)), line.end),
    }
}

/// A text in lines of that width; what goes on below is indented so far.
pub(super) fn wrapped(text: &str, hang: usize, width: usize) -> String {
    let indent = " ".repeat(hang);
    let lead = text.len() - text.trim_start().len();
    let options = Options::new(width)
        .initial_indent(&text[..lead])
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        // A name that is longer than the line stays whole, to be copied.
        .break_words(false);
    textwrap::wrap(&text[lead..], options).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_on_below_its_column() {
        let entries = [Entry::new("actions", "read, write, list"), Entry::new("on", "all")];
        let lines = block(4, &entries);
        assert_eq!(lines[1].text, "    on       all");
        assert_eq!(fitted_to(&lines[0], Some(24)), "    actions  read,\n             write, list");
        assert_eq!(fitted_to(&lines[0], None), "    actions  read, write, list");
        let long = [Entry::new("x".repeat(60), "+ a"), Entry::new("", "- b")];
        let below: Vec<_> = block(4, &long).into_iter().map(|line| line.text).collect();
        assert_eq!(below[1..], ["        + a", "        - b"]);
        let styled = Line::new("  \u{1b}[31mred\u{1b}[0m and more".to_owned(), 4);
        assert_eq!(fitted_to(&styled, Some(9)), "  \u{1b}[31mred\u{1b}[0m and\n    more");
    }

    #[test]
    fn what_stands_at_the_end_of_a_line_is_at_the_right() {
        let line = Line { text: "  \u{1b}[31mred\u{1b}[0m".to_owned(), hang: 4, end: ":13".to_owned() };
        assert_eq!(fitted_to(&line, Some(12)), "  \u{1b}[31mred\u{1b}[0m    :13");
        assert_eq!(fitted_to(&line, Some(7)), "  \u{1b}[31mred\u{1b}[0m\n    :13");
        let long = Line { text: "one two".to_owned(), hang: 2, end: "why so".to_owned() };
        assert_eq!(fitted_to(&long, Some(6)), "one\n  two\nwhy so");
        assert_eq!(fitted_to(&long, Some(14)), "one two\n        why so");
        assert_eq!(fitted_to(&line, None), "  \u{1b}[31mred\u{1b}[0m  :13");
    }
}

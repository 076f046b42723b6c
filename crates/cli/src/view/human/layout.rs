//! Lines that fit the terminal: columns, and what is too long goes on below its own column.

use textwrap::{Options, WordSeparator, WordSplitter};

/// The longest name that has its values beside it, where the terminal does not say less: half of it.
const WIDEST_LABEL: usize = 54;

/// A line, and how far what does not fit on it is indented.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) hang: usize,
}

/// Two columns under a resource: names as wide as the longest of the block, and what there is to say of each. A name that is
/// too long for its column has a line of its own.
pub(crate) fn block(indent: usize, entries: &[(String, String)]) -> Vec<Line> {
    let widths = entries.iter().map(|(label, _)| label.chars().count());
    let widest = terminal_width().map_or(WIDEST_LABEL, |width| width / 2);
    let width = widths.filter(|width| *width <= widest).max().unwrap_or_default();
    let (beside, below) = (indent + width + 2, indent + 4);
    let (mut lines, mut hang) = (Vec::new(), beside);
    for (label, text) in entries {
        let is_long = label.chars().count() > width;
        if is_long {
            lines.push(Line { text: format!("{:indent$}{label}", ""), hang: below });
        }
        // What has no name goes on with what is above it.
        if !label.is_empty() {
            hang = if is_long { below } else { beside };
        }
        let label = if is_long || label.is_empty() { String::new() } else { format!("{:indent$}{label}", "") };
        lines.push(Line { text: format!("{label:<hang$}{text}").trim_end().to_owned(), hang });
    }
    lines
}

/// The lines as text. What is no terminal has no width.
pub(crate) fn fitted(lines: &[Line]) -> String {
    let width = terminal_width();
    lines.iter().map(|line| fitted_to(line, width) + "\n").collect()
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

fn fitted_to(line: &Line, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width > line.hang) else { return line.text.clone() };
    let indent = " ".repeat(line.hang);
    let lead = line.text.len() - line.text.trim_start().len();
    let options = Options::new(width)
        .initial_indent(&line.text[..lead])
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        // A name that is longer than the line stays whole, to be copied.
        .break_words(false);
    textwrap::wrap(&line.text[lead..], options).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_on_below_its_column() {
        let entries = [("actions".to_owned(), "read, write, list".to_owned()), ("on".to_owned(), "all".to_owned())];
        let lines = block(4, &entries);
        assert_eq!(lines[1].text, "    on       all");
        assert_eq!(fitted_to(&lines[0], Some(24)), "    actions  read,\n             write, list");
        assert_eq!(fitted_to(&lines[0], None), "    actions  read, write, list");
        let long = [("x".repeat(60), "+ a".to_owned()), (String::new(), "- b".to_owned())];
        let below: Vec<_> = block(4, &long).into_iter().map(|line| line.text).collect();
        assert_eq!(below[1..], ["        + a", "        - b"]);
        let styled = Line { text: "  \u{1b}[31mred\u{1b}[0m and more".to_owned(), hang: 4 };
        assert_eq!(fitted_to(&styled, Some(9)), "  \u{1b}[31mred\u{1b}[0m and\n    more");
    }
}

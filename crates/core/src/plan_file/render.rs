//! What is wrong with a plan file, for a terminal: each problem with its line and a caret.

use std::ops::Range;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};

use super::diagnostic::Diagnostic;
use super::document::Document;
use super::problems::{InvalidPlanFile, PlanFileError};
use crate::printable::{harmless, is_obeyed, on_one_line};

impl PlanFileError {
    /// Everything that is wrong, for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Unreadable { cloud, .. } => {
                let cloud = cloud.as_deref().unwrap_or("CLOUD");
                format!(
                    "error: {self}\n\nhint: check the path; `provision init {cloud}` prints a plan file to begin with\n"
                )
            }
            Self::Invalid(invalid) => invalid.render(color),
            Self::NoPlanFile { .. } | Self::Twice { .. } => {
                let hint = self.hint().map(|hint| format!("\nhint: {hint}\n")).unwrap_or_default();
                format!("error: {self}\n{hint}")
            }
        }
    }
}

impl InvalidPlanFile {
    fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(120);
        let source = Text { document: &self.document, printed: self.printed() };
        let shown = self.diagnostics.iter().map(|diagnostic| source.show(diagnostic, &handler) + "\n");
        shown.collect::<String>() + &format!("error: {self}; no request was sent\n")
    }

    /// The file as it is printed, with a line's end to point at where a problem stands behind its last byte, as an unclosed
    /// string's does: miette shows no label there.
    fn printed(&self) -> Printed {
        let length = self.document.source.len();
        let behind =
            self.diagnostics.iter().any(|diagnostic| diagnostic.span.end >= length && diagnostic.span.start >= length);
        let mut printed = Printed::of(&self.document.source, &self.hidden);
        printed.text += if behind { "\n" } else { "" };
        printed
    }
}

/// What stands in the place of a secret, however long that is.
const MASK: &str = "********";

/// The file as it is printed. What a terminal would obey becomes a character of equal length; TOML takes a carriage return only before
/// a newline, and elsewhere miette would count a line that TOML does not. Each line of a secret is a mask.
#[derive(Debug, Default)]
struct Printed {
    text: String,
    /// Where each byte of the file is in the text, and its end.
    places: Vec<usize>,
}

impl Printed {
    fn of(source: &str, hidden: &[Range<usize>]) -> Self {
        // The quotes of a secret are none of it.
        let is_hidden = |at: usize| hidden.iter().any(|span| span.start < at && at + 1 < span.end);
        let (mut printed, mut was_hidden) = (Self::default(), false);
        for (at, letter) in source.char_indices() {
            let is_secret = is_hidden(at) && !matches!(letter, '\n' | '\r');
            printed.places.resize(at + letter.len_utf8(), printed.text.len());
            match (is_secret, was_hidden) {
                (true, false) => printed.text.push_str(MASK),
                (true, true) => {}
                (false, _) => printed.text.push(harmless_letter(source, at, letter)),
            }
            was_hidden = is_secret;
        }
        printed.places.push(printed.text.len());
        printed
    }

    /// Where a place of the file is in the text.
    fn place(&self, at: usize) -> usize {
        self.places.get(at).copied().unwrap_or(self.text.len())
    }

    /// Which place of the file is there in the text.
    fn source(&self, place: usize) -> usize {
        self.places.partition_point(|before| *before < place)
    }
}

fn harmless_letter(source: &str, at: usize, letter: char) -> char {
    match letter {
        '\n' | '\t' => letter,
        '\r' if source[at..].starts_with("\r\n") => letter,
        _ if !is_obeyed(letter) => letter,
        _ if letter.len_utf8() == 1 => '?',
        _ if letter.len_utf8() == 2 => '\u{b7}',
        _ => '\u{fffd}',
    }
}

/// One problem, as miette shows it.
#[derive(Debug, thiserror::Error)]
#[error("{}", harmless(&diagnostic.message))]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    text: &'a Text<'a>,
}

impl miette::Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.diagnostic.help.as_deref().map(|help| Box::new(harmless(help)) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Range { start, end } = self.diagnostic.span;
        let place = self.text.printed.place(start)..self.text.printed.place(end);
        let label = LabeledSpan::new_with_span(Some(harmless(&self.diagnostic.label)), place);
        Some(Box::new(std::iter::once(label)))
    }
}

/// A file for miette, which counts columns in bytes: here they are characters, as in [`Position`] and in editors.
#[derive(Debug)]
struct Text<'d> {
    document: &'d Document,
    printed: Printed,
}

/// The most bytes of a line that is shown: a person reads no longer one.
const LONGEST_LINE: usize = 1000;

impl Text<'_> {
    /// One problem with its line and a caret.
    fn show(&self, diagnostic: &Diagnostic, handler: &GraphicalReportHandler) -> String {
        let (report, mut shown) = (Report { diagnostic, text: self }, String::new());
        let (printed, place) = (&self.printed.text, self.printed.place(diagnostic.span.start));
        let line = printed[printed[..place].rfind('\n').map_or(0, |end| end + 1)..].lines().next().unwrap_or_default();
        // miette fails on a place that is not in the text; the problem itself must not be lost with it.
        if line.len() <= LONGEST_LINE && handler.render_report(&mut shown, &report).is_ok() {
            return shown;
        }
        let (position, label) = (self.document.position(diagnostic.span.start), harmless(&diagnostic.label));
        let name = on_one_line(&self.document.name);
        format!("  {report}: {label}\n  --> {name}:{}:{}\n", position.line, position.column)
    }
}

impl SourceCode for Text<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.printed.text.read_span(span, lines_before, lines_after)?;
        // With lines around it, what is read begins at the beginning of a line.
        let at = self.printed.source(span.offset());
        let column = if read.column() == 0 { 0 } else { self.document.position(at).column - 1 };
        let name = on_one_line(&self.document.name);
        let (data, place, line, lines) = (read.data(), *read.span(), read.line(), read.line_count());
        Ok(Box::new(MietteSpanContents::new_named(name, data, place, line, column, lines)))
    }
}

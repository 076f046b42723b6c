//! What is wrong with a plan file: collected, placed, and shown with the line and a caret.

use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use serde::Serialize;
use serde_json::Value;

use super::document::{Document, Filled};

/// A place in the file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A problem and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

/// One problem, for the JSON view.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// The dotted path.
    pub path: String,
    /// Where it stands.
    #[serde(flatten)]
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Problems {
    document: Arc<Document>,
    found: Vec<Found>,
    /// How many were there from the start: what keeps a string from being known at all.
    first: usize,
}

impl Problems {
    pub(crate) fn new(document: Arc<Document>, found: Vec<Found>) -> Self {
        let first = found.len();
        Self { document, found, first }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Report a problem at a dotted path: what is wrong in a few words, what would be right, what to do.
    ///
    /// The caret shows the value as the file has it, so texts need not repeat it. Where a value came from a variable, the
    /// variable's value is struck from the texts and `help` gives way to a note on where it came from.
    pub fn report(&mut self, path: &str, message: &str, label: &str, help: Option<String>) {
        let span = self.document.root.nearest(path);
        self.report_at(path, span, message, label, help);
    }

    pub(crate) fn report_at(
        &mut self,
        path: &str,
        span: Range<usize>,
        message: &str,
        label: &str,
        help: Option<String>,
    ) {
        let (path, message, label) = (path.to_owned(), message.to_owned(), label.to_owned());
        self.found.push(Found { path, span, message, label, help });
    }

    /// A section's value without the paths that problems from `first` on are about.
    pub(crate) fn without_misfits(&self, mut value: Value, section: &str, first: usize) -> Value {
        for found in &self.found[first..] {
            let Some(path) = found.path.strip_prefix(section).map(|path| path.trim_start_matches('.')) else {
                continue;
            };
            remove(&mut value, path);
        }
        value
    }

    /// The end of checking.
    ///
    /// # Errors
    ///
    /// All problems, if there are any.
    pub fn finish(mut self) -> Result<(), PlanFileError> {
        if self.found.is_empty() {
            return Ok(());
        }
        // About a string whose variables are not set nothing else can be said.
        let unknown: Vec<_> =
            self.document.filled.iter().filter(|filled| !filled.whole).map(|filled| &filled.span).collect();
        let later = self.found.split_off(self.first);
        self.found.extend(later.into_iter().filter(|found| !unknown.contains(&&found.span)));
        self.found.iter_mut().for_each(|found| disclose_nothing(found, &self.document.filled));
        self.found.sort_by_key(|found| (found.span.start, found.message.clone()));
        self.found.dedup();
        Err(PlanFileError::Invalid(Box::new(InvalidPlanFile { document: self.document, found: self.found })))
    }
}

/// Strike the values of variables from a problem's texts: they may be secrets. Values that are short words are struck
/// only where they are quoted alone, since they would be found inside other words.
fn disclose_nothing(found: &mut Found, filled: &[Filled]) {
    for (name, value) in filled.iter().flat_map(|filled| &filled.variables).filter(|(_, value)| !value.is_empty()) {
        let shown = format!("${{env:{name}}}");
        for text in [&mut found.message, &mut found.label].into_iter().chain(&mut found.help) {
            *text = if value.len() < SHORT {
                text.replace(&format!("`{value}`"), &format!("`{shown}`"))
            } else {
                text.replace(value.as_str(), &shown)
            };
        }
    }
    let here = filled.iter().find(|filled| filled.whole && filled.span == found.span);
    if let Some(Filled { variables, .. }) = here.filter(|here| !here.variables.is_empty()) {
        let names: Vec<_> = variables.iter().map(|(name, _)| format!("`{name}`")).collect();
        found.help = Some(format!("the text is filled in from {}", names.join(" and ")));
    }
}

/// Characters below which a variable's value is too common a word to be struck everywhere, and too short a secret.
const SHORT: usize = 6;

/// Remove a dotted path; the longest key first, as a quoted key may hold dots itself.
fn remove(value: &mut Value, path: &str) {
    let Value::Object(members) = value else { return };
    if members.remove(path).is_some() {
        return;
    }
    let mut dots = path.rmatch_indices('.').map(|(dot, _)| dot);
    if let Some(dot) = dots.find(|dot| members.contains_key(&path[..*dot]))
        && let Some(member) = members.get_mut(&path[..dot])
    {
        remove(member, &path[dot + 1..]);
    }
}

/// A text with control characters escaped: keys may hold what a terminal would obey.
fn harmless(text: &str) -> String {
    let escape = |letter: char| if obeyed(letter) { letter.escape_unicode().to_string() } else { letter.to_string() };
    text.chars().map(escape).collect()
}

/// Whether a terminal obeys a character, or lets it reorder its neighbours, instead of printing it.
fn obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The file as it is printed: what a terminal would obey becomes a character of equal length, so that places stay true.
/// TOML takes a carriage return only before a newline; elsewhere miette would count a line that TOML does not.
fn printed(source: &str) -> String {
    let replace = |(at, letter): (usize, char)| match letter {
        '\n' | '\t' => letter,
        '\r' if source[at..].starts_with("\r\n") => letter,
        _ if !obeyed(letter) => letter,
        _ if letter.len_utf8() == 1 => '?',
        _ if letter.len_utf8() == 2 => '\u{b7}',
        _ => '\u{fffd}',
    };
    source.char_indices().map(replace).collect()
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read at all.
    #[error("cannot read plan file `{path}`: {reason}")]
    Unreadable {
        /// Its path, as typed.
        path: String,
        /// The system's reason.
        reason: String,
        /// The cloud that it was to describe, if it is known.
        cloud: Option<String>,
    },
    /// It has problems.
    #[error("{0}")]
    Invalid(Box<InvalidPlanFile>),
}

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
        }
    }

    /// Say which cloud the file was to describe.
    #[must_use]
    pub fn for_cloud(mut self, name: &str) -> Self {
        if let Self::Unreadable { cloud, .. } = &mut self {
            *cloud = Some(name.to_owned());
        }
        self
    }

    /// The problems as data; none if the file could not be read.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Unreadable { .. } => Vec::new(),
            Self::Invalid(invalid) => invalid.problems(),
        }
    }
}

/// A plan file with problems, in the order of the file.
#[derive(Debug, thiserror::Error)]
#[error("{} in {}", count(found.len()), document.name)]
pub struct InvalidPlanFile {
    document: Arc<Document>,
    found: Vec<Found>,
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

impl InvalidPlanFile {
    fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(120);
        let source = Text { document: &self.document, printed: self.printed() };
        let mut text = String::new();
        for found in &self.found {
            let report = Report { found, text: &source };
            let mut shown = String::new();
            // miette fails on a place that is not in the text; the problem itself must not be lost with it.
            if handler.render_report(&mut shown, &report).is_err() {
                shown = format!("  {report}: {}\n", harmless(&found.label));
            }
            text.push_str(&shown);
            text.push('\n');
        }
        text + &format!("error: {self}; no request was sent\n")
    }

    /// The file as it is printed, with a line's end to point at where a problem stands behind its last byte, as an unclosed
    /// string's does: miette shows no label there.
    fn printed(&self) -> String {
        let length = self.document.source.len();
        let behind = self.found.iter().any(|found| found.span.end >= length && found.span.start >= length);
        printed(&self.document.source) + if behind { "\n" } else { "" }
    }

    fn problems(&self) -> Vec<Problem> {
        let problem = |found: &Found| Problem {
            path: harmless(&found.path),
            position: self.document.position(found.span.start),
            message: harmless(&found.message),
            label: harmless(&found.label),
            help: found.help.as_deref().map(harmless),
        };
        self.found.iter().map(problem).collect()
    }
}

/// One problem, as miette shows it.
#[derive(Debug, thiserror::Error)]
#[error("{}", harmless(&found.message))]
struct Report<'a> {
    found: &'a Found,
    text: &'a Text<'a>,
}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.found.help.as_deref().map(|help| Box::new(harmless(help)) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some(harmless(&self.found.label)), self.found.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// A file for miette, which counts columns in bytes: here they are characters, as in [`Position`] and in editors.
#[derive(Debug)]
struct Text<'d> {
    document: &'d Document,
    printed: String,
}

impl SourceCode for Text<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.printed.read_span(span, lines_before, lines_after)?;
        // With lines around it, what is read begins at the beginning of a line.
        let column = if read.column() == 0 { 0 } else { self.document.position(span.offset()).column - 1 };
        let name = harmless(&self.document.name);
        let (data, place, line, lines) = (read.data(), *read.span(), read.line(), read.line_count());
        Ok(Box::new(MietteSpanContents::new_named(name, data, place, line, column, lines)))
    }
}

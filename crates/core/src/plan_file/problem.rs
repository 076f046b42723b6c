//! What is wrong with a plan file: collected, placed, and shown with the line and a caret.

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use serde_json::Value;

use super::document::Document;

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
}

impl Problems {
    pub(crate) fn new(document: Arc<Document>, found: Vec<Found>) -> Self {
        Self { document, found }
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
            let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
            let pointer = if table.is_empty() { String::new() } else { format!("/{}", table.replace('.', "/")) };
            if let Some(Value::Object(members)) = value.pointer_mut(&pointer) {
                members.remove(key);
            }
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
        self.found.sort_by_key(|found| (found.span.start, found.message.clone()));
        self.found.dedup();
        Err(PlanFileError::Invalid(Box::new(InvalidPlanFile { document: self.document, found: self.found })))
    }
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
            Self::Unreadable { .. } => {
                format!("error: {self}\n\nhint: `provision init aws > plans/aws.toml` writes one to begin with\n")
            }
            Self::Invalid(invalid) => invalid.render(color),
        }
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
        let source = NamedSource::new(&self.document.name, self.document.source.clone());
        let mut text = String::new();
        for found in &self.found {
            let report = Report { found, text: &source };
            // Writing into a string cannot fail; if it did, the closing line still says that there are problems.
            let _ = handler.render_report(&mut text, &report);
            text.push('\n');
        }
        text + &format!("error: {self}; no request was sent\n")
    }

    fn problems(&self) -> Vec<Problem> {
        let problem = |found: &Found| Problem {
            path: found.path.clone(),
            position: self.document.position(found.span.start),
            message: found.message.clone(),
            label: found.label.clone(),
            help: found.help.clone(),
        };
        self.found.iter().map(problem).collect()
    }
}

/// One problem, as miette shows it.
#[derive(Debug, thiserror::Error)]
#[error("{}", found.message)]
struct Report<'a> {
    found: &'a Found,
    text: &'a NamedSource<String>,
}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.found.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some(self.found.label.clone()), self.found.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

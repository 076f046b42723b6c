//! What is wrong with a plan file, as data.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;

/// A place in the file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A problem and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

/// One problem, for the JSON view.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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

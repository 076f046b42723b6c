//! What is written, and what cannot be.

use crate::output::Output;

/// The settings of a deployment, for a format.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The deployment's name.
    pub deployment: &'a str,
    /// The server's version, where the plan file says it.
    pub version: Option<&'a str>,
    /// The settings. Where a format refers to secrets, they are here and written in full only where nothing else is possible and
    /// `in_full` says so.
    pub outputs: &'a [Output],
    /// Somebody asked for secrets.
    pub in_full: bool,
}

/// What a format comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// What to say beside it.
    pub notes: Vec<String>,
    /// What a CI service is told, so that it hides secrets in its logs.
    pub masks: String,
}

impl Written {
    /// A text and nothing else.
    pub(super) fn of(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Why a format cannot hold the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(String);

impl Unwritable {
    /// A setting that the format cannot hold, by name: its value may be a secret.
    pub(super) fn setting(output: &Output, reason: &str) -> Self {
        Self(format!("{} cannot be written in this format: {reason}", output.name))
    }

    /// Something else.
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// What is not in a format that holds values alone, and why.
pub(super) fn left_out(outputs: &[Output]) -> Vec<String> {
    let reason = |output: &Output| Some(format!("{} is left out: {}", output.name, output.unavailable()?));
    outputs.iter().filter_map(reason).collect()
}

/// Names and values of those that have one.
pub(super) fn known(outputs: &[Output]) -> impl Iterator<Item = (&Output, &str)> {
    outputs.iter().filter_map(|output| Some((output, output.known()?)))
}

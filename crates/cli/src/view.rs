//! What people and programs see. Results go to stdout, progress and diagnostics to stderr.

pub(crate) mod change_set;
pub(crate) mod drift;
pub(crate) mod error;
pub(crate) mod progress;

use std::io::Write as _;

/// Print a result. A reader that has gone away is no failure of ours.
pub(crate) fn result(text: &str) {
    let _ = write!(anstream::stdout(), "{text}");
}

/// Print progress or a diagnostic.
pub(crate) fn diagnostic(text: &str) {
    let _ = write!(anstream::stderr(), "{text}");
}

//! What people and programs see. Results go to stdout, progress and diagnostics to stderr.

pub(crate) mod words;
pub(crate) mod error;
pub(crate) mod report;
pub(crate) mod human;
pub(crate) mod json;

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::event::EventSink;
use provision_core::output::Output;

use crate::arguments::ReportFormat;
use crate::exit::Failure;

/// How everything that a command has to say is shown. It is chosen once, from the flags.
pub(crate) trait View: EventSink {
    /// What `plan` found, and what stands in its way.
    fn plan(&self, set: &ChangeSet, blockers: &[Error]);

    /// What apply or destroy is about to do.
    fn change_set(&self, set: &ChangeSet);

    /// A change set that was saved.
    fn saved(&self, set: &ChangeSet);

    /// What `drift` found of each deployment, and why others could not be looked at.
    fn drift(&self, sets: &[ChangeSet], errors: &[Error], format: ReportFormat);

    /// A plan file without problems.
    fn valid(&self, plan_file: &Path);

    /// The end of an apply: the settings for the server, and what is left to the user.
    fn applied(&self, cloud: &str, outputs: &[Output], next_steps: Option<String>);

    /// The end of a destroy.
    fn destroyed(&self, deployment: &str);

    /// Why the command ended early.
    fn failure(&self, failure: &Failure);

    /// What a reader may want to know, unless told to be quiet.
    fn note(&self, text: &str);
}

/// Whether a result could not be printed.
static WRITE_FAILED: AtomicBool = AtomicBool::new(false);

/// Print a result. A reader that has gone away is no failure of ours; a full disk is.
pub(crate) fn result(text: &str) {
    let mut stdout = anstream::stdout();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            WRITE_FAILED.store(true, Ordering::Relaxed);
            diagnostic(&format!("error: cannot print the result: {error}\n"));
        }
        _ => {}
    }
}

/// Whether some result was lost, so that the command must not seem to have succeeded.
pub(crate) fn write_failed() -> bool {
    WRITE_FAILED.load(Ordering::Relaxed)
}

/// Print progress or a diagnostic.
pub(crate) fn diagnostic(text: &str) {
    let _ = write!(anstream::stderr(), "{text}");
}

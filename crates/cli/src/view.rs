//! What people and programs see. Results go to stdout, progress and diagnostics to stderr.

pub(crate) mod change_set;
pub(crate) mod drift;
pub(crate) mod error;
pub(crate) mod progress;

use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a result could not be printed.
static LOST: AtomicBool = AtomicBool::new(false);

/// Print a result. A reader that has gone away is no failure of ours; a full disk is.
pub(crate) fn result(text: &str) {
    let mut stdout = anstream::stdout();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            LOST.store(true, Ordering::Relaxed);
            diagnostic(&format!("error: cannot print the result: {error}\n"));
        }
        _ => {}
    }
}

/// Whether some result was lost, so that the command must not seem to have succeeded.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Print progress or a diagnostic.
pub(crate) fn diagnostic(text: &str) {
    let _ = write!(anstream::stderr(), "{text}");
}

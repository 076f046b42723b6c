//! A run as it happens: one line an event for people, one JSON document a line for programs.

use provision_core::event::{Event, EventSink};

/// Lines on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    /// Print nothing but failures.
    pub(crate) quiet: bool,
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        if let Some(line) = line(&event).filter(|_| !self.quiet) {
            super::diagnostic(&format!("{line}\n"));
        }
    }
}

fn line(event: &Event) -> Option<String> {
    let line = match event {
        Event::OperationStarted { .. } => return None,
        Event::OperationWaiting { text, reason, wait_ms, .. } => {
            format!("  wait {text}: {reason}; again in {:.1} s", seconds(*wait_ms))
        }
        Event::OperationProgress { text, .. } => format!("       {text}"),
        Event::OperationDone { text, elapsed_ms, .. } => format!("  done {text} ({:.1} s)", seconds(*elapsed_ms)),
        Event::OperationFailed { text, .. } => format!("  FAIL {text}"),
        Event::Heartbeat { waiting_for, elapsed_ms } => {
            format!("  {:.0} s, waiting for: {}", seconds(*elapsed_ms), waiting_for.join(", "))
        }
        Event::Stopping { reason } => {
            format!("  {reason}: no new writes; waiting for those in flight (again to stop waiting)")
        }
        Event::Confirming { unseen } if unseen.is_empty() => return None,
        Event::Confirming { unseen } => format!("  waiting until the cloud shows: {}", unseen.join(", ")),
    };
    Some(line)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Newline-delimited JSON on stdout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json;

impl EventSink for Json {
    fn emit(&self, event: Event) {
        if let Ok(text) = serde_json::to_string(&event) {
            super::result(&format!("{text}\n"));
        }
    }
}

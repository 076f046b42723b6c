//! A run as it happens: live rows on a terminal, one line an event elsewhere.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use provision_core::ErrorKind;
use provision_core::address::Address;
use provision_core::event::{Event, EventSink};
use provision_core::printable::harmless;

use super::layout::wrapped;
use crate::view;
use crate::view::error::columns;
use crate::view::words::{looking, past, settling};

/// How often a row's spinner and time move on.
const TICK: Duration = Duration::from_millis(100);

/// A row for each operation in flight, with what it waits for and for how long; what ended scrolls away above them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    all: MultiProgress,
    of_operations: Mutex<BTreeMap<String, ProgressBar>>,
    interrupted: AtomicBool,
}

/// How a run is shown.
pub(crate) enum Progress {
    Rows(Rows),
    Lines(Lines),
}

impl Progress {
    /// Nothing goes on any more: what a run that was cut off left on the screen goes too.
    pub(crate) fn end(&self) {
        if let Self::Rows(rows) = self {
            rows.clear();
        }
    }
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        match self {
            Self::Rows(rows) => rows.emit(event),
            Self::Lines(lines) => lines.emit(event),
        }
    }
}

/// Takes the cursor back up from the `^C` that the terminal itself has put below the rows: they end at its right edge. A signal
/// that was not typed costs the line above them.
const BEFORE_THE_ECHO: &str = "\r\u{1b}[K\u{1b}[1A";

impl Rows {
    /// Take away the rows that are left.
    fn clear(&self) {
        let rows = std::mem::take(&mut *self.of_operations.lock().unwrap_or_else(PoisonError::into_inner));
        if !rows.is_empty() && self.interrupted.load(Ordering::Relaxed) {
            self.step_over_echo(&rows);
        }
        rows.values().for_each(ProgressBar::finish_and_clear);
        let _ = self.all.clear();
    }

    /// The rows stand still meanwhile.
    fn step_over_echo(&self, rows: &BTreeMap<String, ProgressBar>) {
        self.interrupted.store(true, Ordering::Relaxed);
        if !rows.is_empty() {
            // A terminal that has gone away is no failure of the run.
            let _ = std::io::stderr().write_all(BEFORE_THE_ECHO.as_bytes());
        }
    }

    fn begin(&self, key: String, text: String) {
        // A template that is a constant of ours is valid.
        let style = ProgressStyle::with_template("  {spinner} {prefix} ({elapsed}){msg}");
        let row = ProgressBar::new_spinner().with_prefix(text);
        let row = self.all.add(style.map_or(row.clone(), |style| row.with_style(style)));
        row.enable_steady_tick(TICK);
        self.of_operations.lock().unwrap_or_else(PoisonError::into_inner).insert(key, row);
    }

    fn say(&self, key: &str, message: String) {
        if let Some(row) = self.of_operations.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            row.set_message(below(&message));
        }
    }

    fn end(&self, key: &str) {
        if let Some(row) = self.of_operations.lock().unwrap_or_else(PoisonError::into_inner).remove(key) {
            row.finish_and_clear();
            self.all.remove(&row);
        }
    }
}

impl EventSink for Rows {
    fn emit(&self, event: Event) {
        match &event {
            Event::OperationStarted { id, address, text } => self.begin(key(*id, address), harmless(text)),
            Event::OperationWaiting { id, address, reason, .. } => {
                return self.say(&key(*id, address), harmless(&format!("waits: {reason}")));
            }
            Event::OperationProgress { id, address, text } => return self.say(&key(*id, address), harmless(text)),
            Event::OperationDone { id, address, .. } | Event::OperationFailed { id, address, .. } => {
                self.end(&key(*id, address));
            }
            // The rows themselves show what is waited for.
            Event::Heartbeat { .. } => return,
            Event::HopStarted { hop, text } => self.begin(hop.name().to_owned(), harmless(text)),
            Event::HopDone { hop } => return self.end(hop.id.name()),
            Event::HopWaiting { .. } => return,
            Event::Looking { .. } | Event::Settling { .. } => return Lines { quiet: false }.emit(event),
            Event::Stopping { reason } if reason == "SIGINT" => {
                self.step_over_echo(&self.of_operations.lock().unwrap_or_else(PoisonError::into_inner));
            }
            Event::Stopping { .. } | Event::Confirming { .. } => {}
        }
        if let Some(line) = line(&event) {
            // A terminal that has gone away is no failure of the run.
            let _ = self.all.println(view::for_people(&line));
        }
    }
}

/// What tells an operation's row: numbers are counted in each section.
fn key(id: usize, address: &Address) -> String {
    format!("{id} {address}")
}

/// What a row says more, whole, in lines of its own.
fn below(message: &str) -> String {
    let width = columns(terminal_size::terminal_size_of(std::io::stderr()), true).unwrap_or_default();
    format!("\n{}", wrapped(&format!("      {message}"), 6, width.saturating_sub(1)))
}

/// Lines on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines {
    /// Print nothing but failures.
    pub(crate) quiet: bool,
}

impl EventSink for Lines {
    fn emit(&self, event: Event) {
        if let Some(line) = line(&event).filter(|_| !self.quiet || is_look(&event)) {
            view::diagnostic(&format!("{line}\n"));
        }
    }
}

/// Whether it is about a look at the cloud: it comes before anything is shown, and is printed whatever the flags say.
const fn is_look(event: &Event) -> bool {
    matches!(event, Event::Looking { .. } | Event::Settling { .. })
}

fn line(event: &Event) -> Option<String> {
    let line = match event {
        Event::OperationStarted { .. } => return None,
        Event::OperationWaiting { text, reason, wait_ms, .. } => {
            format!("  wait {text}: {reason}; again in {:.1} s", seconds(*wait_ms))
        }
        Event::OperationProgress { text, .. } => format!("       {text}"),
        Event::OperationDone { text, elapsed_ms, .. } => format!("  {} ({:.1} s)", past(text), seconds(*elapsed_ms)),
        Event::OperationFailed { text, error, .. } if error.kind() == ErrorKind::Interrupted => {
            format!("  stop {text}")
        }
        Event::OperationFailed { text, .. } => format!("  FAIL {text}"),
        Event::Heartbeat { waiting_for, elapsed_ms } => {
            format!("  {:.0} s, waiting for: {}", seconds(*elapsed_ms), waiting_for.join(", "))
        }
        Event::Looking { elapsed_ms } => format!("  {}", looking(*elapsed_ms)),
        Event::Settling { reason } => settling(reason),
        Event::Stopping { reason } if reason.starts_with("SIG") => {
            format!("  {reason}: no new writes; finishing those under way (Ctrl-C again quits at once)")
        }
        Event::Stopping { reason } => format!("  {reason}: no new writes; finishing those under way"),
        Event::Confirming { not_yet_visible } if not_yet_visible.is_empty() => return None,
        Event::Confirming { not_yet_visible } => {
            format!("  waiting until the cloud shows: {}", not_yet_visible.join(", "))
        }
        // What came of a hop stands in the result.
        Event::HopStarted { .. } | Event::HopDone { .. } => return None,
        Event::HopWaiting { text, elapsed_ms, .. } => format!("  {:.0} s, waiting for {text}", seconds(*elapsed_ms)),
    };
    Some(line)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

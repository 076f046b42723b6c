//! What programs see: every JSON document that is promised.
//!
//! One document for plan, drift, show and validate. For apply and destroy one a line, each with its `type` and `time`: `version`,
//! `change_set`, the events, and at the end `summary`, however the run ended; `errors` where it ended before the first write. What
//! people may want to know beside them goes to stderr.

use std::path::Path;
use std::time::Duration;

use provision_core::Error;
use provision_core::change_set::{Action, ChangeSet};
use provision_core::event::{Event, EventSink};
use provision_core::output::object;
use provision_core::plan_file::PlanFileError;
use provision_core::printable::in_json;
use provision_core::verify::Proof;
use serde_json::{Value, json};

use super::words::{looking, settling, verdict};
use super::{End, View, diagnostic, error, proof, result};
use crate::arguments::{ProofFormat, ReportFormat};
use crate::exit::Failure;
use crate::trace::timestamp;

/// Documents on stdout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json {
    pub(crate) quiet: bool,
}

fn document(document: &Value) {
    result(&in_json(&format!("{document:#}\n")));
}

/// Version of the stream's format.
const FORMAT: u32 = 1;

fn line(mut document: Value) {
    document["time"] = json!(timestamp());
    result(&in_json(&format!("{document}\n")));
}

/// The set with what stands in its way.
fn with_errors(set: &ChangeSet, blockers: &[Error]) -> Value {
    let mut document = json!(set);
    document["errors"] = json!(blockers);
    document
}

impl EventSink for Json {
    fn emit(&self, event: Event) {
        match &event {
            // A look comes before any document.
            Event::Looking { elapsed_ms } => diagnostic(&format!("  {}\n", looking(*elapsed_ms))),
            Event::Settling { reason } => diagnostic(&format!("{}\n", settling(reason))),
            event => {
                if let Ok(event) = serde_json::to_value(event) {
                    line(event);
                }
            }
        }
    }
}

impl View for Json {
    fn plan(&self, set: &ChangeSet, blockers: &[Error]) {
        document(&with_errors(set, blockers));
    }

    fn change_set(&self, set: &ChangeSet) {
        line(json!({"type": "version", "format": FORMAT, "provision": env!("CARGO_PKG_VERSION")}));
        line(json!({"type": "change_set", "change_set": set}));
    }

    fn saved(&self, set: &ChangeSet) {
        document(&json!(set));
    }

    fn drift(&self, sets: &[ChangeSet], errors: &[Error], _: ReportFormat) {
        let change_set = |set: &ChangeSet| with_errors(set, &set.blockers());
        let found = sets.iter().map(|set| json!({"verdict": verdict(set), "change_set": change_set(set)}));
        let unreachable = errors.iter().map(|error| json!({"verdict": "unknown", "error": error}));
        document(&json!(found.chain(unreachable).collect::<Vec<_>>()));
    }

    fn proof_begins(&self) {
        line(json!({"type": "version", "format": FORMAT, "provision": env!("CARGO_PKG_VERSION")}));
    }

    fn proven(&self, proof: &Proof, _: ProofFormat, elapsed: Duration) {
        line(proof::summary(proof, elapsed));
    }

    fn valid(&self, plan_file: &Path) {
        document(&json!({"plan_file": plan_file.display().to_string(), "problems": []}));
    }

    fn ended(&self, end: &End<'_>) {
        let sensitive = end.outputs.iter().filter(|output| output.is_sensitive()).map(|output| &output.name);
        line(json!({
            "type": "summary",
            "deployment": end.set.deployment,
            "complete": end.complete,
            "stopped": end.stopped,
            "elapsed_ms": u64::try_from(end.elapsed.as_millis()).unwrap_or(u64::MAX),
            "changes": counts(end.set),
            "done": end.done,
            "not_done": end.not_done,
            "outputs": object(&end.outputs),
            "sensitive": sensitive.collect::<Vec<_>>(),
            "errors": end.errors,
        }));
        if !end.errors.is_empty() || !end.not_done.is_empty() {
            diagnostic(&format!(
                "{}\nrun `{}` again: it goes on where this run ended\n",
                error::texts(&end.errors),
                end.again
            ));
        }
    }

    /// One line: after the events of an apply it is one more of them. People read the same on stderr.
    fn failure(&self, failure: &Failure) {
        match failure {
            Failure::PlanFiles(errors) => {
                let error = |error: &PlanFileError| json!({"kind": "plan_file", "text": error.to_string(), "problems": error.problems()});
                errors_line(&json!(errors.iter().map(error).collect::<Vec<_>>()));
            }
            Failure::Errors(errors) => errors_line(&json!(errors)),
            Failure::Stopped(_, error) => errors_line(&json!([error])),
            Failure::Shown(..) => {}
            Failure::Usage(message) => errors_line(&json!([{"kind": "usage", "text": message}])),
        }
        diagnostic(&error::failure(failure));
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            diagnostic(text);
        }
    }
}

/// Why a command ended before it wrote anything, in one form for all.
fn errors_line(errors: &Value) {
    line(json!({"type": "errors", "errors": errors}));
}

/// How many resources meet each action.
fn counts(set: &ChangeSet) -> Value {
    let mut counts = serde_json::Map::new();
    for change in set.changes.iter().filter(|change| change.action != Action::NoOp) {
        let count = counts.entry(change.action.verb()).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or_default() + 1);
    }
    Value::Object(counts)
}

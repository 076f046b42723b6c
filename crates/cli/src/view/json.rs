//! What programs see: every JSON document that is promised.
//!
//! One document for plan, drift, show and validate; for apply and destroy one a line: the change set, the events, the settings. What
//! people may want to know beside them goes to stderr.

use std::path::Path;

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::event::{Event, EventSink};
use provision_core::output::{Output, object};
use provision_core::plan_file::PlanFileError;
use provision_core::printable::in_json;
use serde_json::{Value, json};

use super::words::{looking, settling, verdict};
use super::{View, diagnostic, error, result};
use crate::arguments::ReportFormat;
use crate::exit::Failure;

/// Documents on stdout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json {
    pub(crate) quiet: bool,
}

fn document(document: &Value) {
    result(&in_json(&format!("{document:#}\n")));
}

fn line(document: &Value) {
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
                if let Ok(text) = serde_json::to_string(event) {
                    result(&in_json(&format!("{text}\n")));
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
        line(&json!({"type": "change_set", "change_set": set}));
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

    fn valid(&self, plan_file: &Path) {
        document(&json!({"plan_file": plan_file.display().to_string(), "problems": []}));
    }

    fn applied(&self, _: &str, outputs: &[Output], _: Option<String>) {
        line(&json!({"type": "outputs", "outputs": object(outputs)}));
    }

    fn destroyed(&self, _: &str) {}

    /// One line: after the events of an apply it is one more of them. People read the same on stderr.
    fn failure(&self, failure: &Failure) {
        match failure {
            Failure::PlanFiles(errors) => {
                let problems: Vec<_> = errors.iter().flat_map(PlanFileError::problems).collect();
                line(&json!({"error": errors.first().map(ToString::to_string), "problems": problems}));
            }
            Failure::Errors(errors) => line(&json!({"type": "errors", "errors": errors})),
            Failure::Stopped(_, error) => line(&json!({"type": "errors", "errors": [error]})),
            Failure::Shown(..) => {}
            Failure::Usage(message) => line(&json!({"error": message})),
        }
        diagnostic(&error::failure(failure));
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            diagnostic(text);
        }
    }
}

//! What programs see: every JSON document that is promised.
//!
//! One document for plan, drift, show, validate, output and permissions, which begins with `format` and `tool`. For apply, destroy
//! and verify one a line, each with its `type` and `time`: `version`, `change_set` of what is executed, the events, and at the end
//! `summary`, however the run ended; that of verify has its hops.
//! What people may want to know beside them goes to stderr.

pub(crate) mod documents;
pub(crate) mod former;
pub(crate) mod schemas;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use provision_core::Error;
use provision_core::change_set::{Action, ChangeSet};
use provision_core::event::{Event, EventSink};
use provision_core::output::Output;
use provision_core::permissions::Document;
use provision_core::printable::in_json;
use provision_core::verify::Proof;
use serde::Serialize;
use serde_json::{Value, json};

use super::compared::Compared;
use super::words::{looking, settling, verdict};
use super::{Applied, Consent, End, Examination, Looked, Outcome, Proofs, View, diagnostic, error, result};
use crate::exit::Failure;
use crate::telemetry;
use crate::trace::timestamp;
use documents::{
    AllSections, Content, DeploymentSettings, Diff, Doctor, Drift, FORMAT, Failed, Line, Looked as Row, ManySettings,
    Plan, Proven, Reason, ServerSettings, Settings, Summary, TOOL, reasons, settings,
};

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prints {
    /// One document.
    Document,
    /// A line for all that a run does.
    Run,
    /// A line for all that a proof does.
    Proof,
}

/// Documents on stdout.
#[derive(Debug)]
pub(crate) struct Json {
    quiet: bool,
    prints: Prints,
    begun: Instant,
    /// Whether the first line is printed.
    version: OnceLock<()>,
    /// What is executed in each section, once that is known.
    shown: Mutex<Vec<(String, BTreeMap<&'static str, usize>)>>,
}

impl Json {
    /// Of a command that prints this.
    pub(crate) fn new(quiet: bool, prints: Prints) -> Self {
        Self { quiet, prints, begun: Instant::now(), version: OnceLock::new(), shown: Mutex::default() }
    }

    fn line(&self, line: Line<'_>) {
        self.content(&Content::Line(line));
    }

    fn content(&self, content: &Content<'_>) {
        self.version.get_or_init(|| print_line(&Content::Line(Line::Version { format: FORMAT, tool: TOOL })));
        print_line(content);
    }

    /// The last line of a run that ended before its first write.
    fn ended_early(&self, failure: &Failure) {
        if self.prints == Prints::Proof {
            let stopped = matches!(failure, Failure::Stopped(..));
            return self.line(Line::Proof(Proven::failed(
                stopped,
                milliseconds(self.begun.elapsed()),
                reasons(failure),
            )));
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = BTreeMap::new();
        for (action, count) in shown.iter().flat_map(|(_, changes)| changes) {
            *changes.entry(*action).or_default() += count;
        }
        self.line(Line::Summary(Box::new(Summary {
            deployment: shown.first().map(|(deployment, _)| deployment.as_str()),
            complete: false,
            stopped: matches!(failure, Failure::Stopped(..)),
            elapsed_ms: milliseconds(self.begun.elapsed()),
            changes,
            done: Vec::new(),
            failed: Vec::new(),
            not_done: Vec::new(),
            outputs: BTreeMap::new(),
            errors: reasons(failure),
        })));
    }
}

/// A document as text.
fn text(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).map(|document| in_json(&document) + "\n").unwrap_or_default()
}

/// What plan and show print of a set; `errors` stand in its way.
pub(crate) fn plan(set: &ChangeSet, errors: Vec<Error>) -> String {
    text(&Plan::new(set, errors))
}

/// What plan prints of all sections of a plan file, and of those that could not be looked at.
pub(crate) fn plans(sets: &[ChangeSet], errors: &[Error]) -> String {
    let plans = sets.iter().map(|set| Plan::new(set, set.blockers())).collect();
    text(&AllSections { format: FORMAT, tool: TOOL, plans, errors })
}

/// What drift prints of these deployments, and of those that could not be looked at.
pub(crate) fn drift(Looked { sets, errors, shard, began }: &Looked) -> String {
    let found = sets
        .iter()
        .map(|set| Row::Found { verdict: verdict(set), change_set: Box::new(Plan::new(set, set.blockers())) });
    let unreachable = errors.iter().map(|error| Row::Unreachable { verdict: "unknown", error });
    let deployments = found.chain(unreachable).collect();
    text(&Drift { format: FORMAT, tool: TOOL, looked_at: began.as_deref(), shard: *shard, deployments })
}

/// What output prints of these settings.
pub(crate) fn output(outputs: &[Output]) -> String {
    text(&ServerSettings { format: FORMAT, tool: TOOL, outputs: settings(outputs) })
}

/// The settings of one of many plan files, with its deployment and its name.
pub(crate) type OfFile = ((String, String), Vec<Output>);

/// What it prints of many plan files, and why others have no settings there.
pub(crate) fn outputs(all: &[OfFile], errors: &[Error]) -> String {
    let deployments = all.iter().map(of_file).collect();
    text(&ManySettings { format: FORMAT, tool: TOOL, deployments, errors })
}

fn of_file(((deployment, plan_file), outputs): &OfFile) -> DeploymentSettings<'_> {
    DeploymentSettings { deployment, plan_file, outputs: settings(outputs) }
}

/// What a command prints that has no result.
pub(crate) fn failed(failure: &Failure) -> String {
    text(&Failed::new(failure))
}

fn print_line(content: &Content<'_>) {
    if let Ok(mut line) = serde_json::to_value(content) {
        line["time"] = json!(timestamp());
        result(&in_json(&format!("{line}\n")));
    }
}

impl EventSink for Json {
    fn emit(&self, event: Event) {
        telemetry::note(&event);
        match &event {
            // A look comes before any document.
            Event::Looking { elapsed_ms } => diagnostic(&format!("  {}\n", looking(*elapsed_ms))),
            Event::Settling { reason } => diagnostic(&format!("{}\n", settling(reason))),
            event => self.content(&Content::Event(event)),
        }
    }
}

impl View for Json {
    fn plan(&self, set: &ChangeSet, blockers: &[Error], _: Option<&str>) {
        result(&plan(set, blockers.to_vec()));
    }

    fn plans(&self, sets: &[ChangeSet], errors: &[Error]) {
        result(&plans(sets, errors));
    }

    fn change_set(&self, set: &ChangeSet, _: Consent) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push((set.deployment.clone(), counts([set])));
        self.line(Line::ChangeSet { change_set: set });
    }

    fn saved(&self, set: &ChangeSet) {
        result(&plan(set, set.blockers()));
    }

    fn drift(&self, looked: &Looked) {
        result(&drift(looked));
    }

    fn permissions(&self, documents: &[Document]) {
        let rights =
            |rights: &Document| json!({"text": rights.text, "commands": rights.commands, "notes": rights.notes});
        let documents: Vec<_> = documents.iter().map(rights).collect();
        result(&text(&json!({"format": FORMAT, "tool": TOOL, "documents": documents})));
    }

    fn proven(&self, proof: &Proof, elapsed: Duration) {
        self.line(Line::Proof(Proven::new(proof, milliseconds(elapsed))));
    }

    fn all_proven(&self, all: &Proofs) {
        for (proof, elapsed) in &all.proven {
            self.line(Line::Deployment(Proven::one_of_many(proof, milliseconds(*elapsed))));
        }
        self.line(Line::Proof(Proven::all(all, milliseconds(all.elapsed))));
    }

    fn examined(&self, examination: &Examination) {
        result(&text(&Doctor::new(examination)));
    }

    fn compared(&self, compared: &[Compared]) {
        let same = compared.iter().all(Compared::is_same);
        result(&text(&Diff { format: FORMAT, tool: TOOL, same, deployments: compared }));
    }

    fn valid(&self, plan_file: &Path) {
        let document: Value =
            json!({"format": FORMAT, "tool": TOOL, "plan_file": plan_file.display().to_string(), "problems": []});
        result(&text(&document));
    }

    fn ended(&self, ends: &[End<'_>]) {
        self.line(Line::Summary(Box::new(Summary {
            deployment: ends.first().map(|end| end.set.deployment.as_str()),
            complete: ends.iter().all(|end| end.complete),
            stopped: ends.iter().any(|end| end.stopped),
            elapsed_ms: ends.iter().map(|end| milliseconds(end.elapsed)).max().unwrap_or_default(),
            changes: counts(ends.iter().map(|end| end.set)),
            done: ends.iter().flat_map(|end| &end.done).map(String::as_str).collect(),
            failed: ends.iter().flat_map(|end| &end.failed).map(String::as_str).collect(),
            not_done: ends.iter().flat_map(|end| &end.not_done).map(String::as_str).collect(),
            outputs: of_one_server(ends),
            errors: ends.iter().flat_map(|end| &end.errors).map(Reason::Error).collect(),
        })));
        for end in ends.iter().filter(|end| !end.errors.is_empty() || !end.not_done.is_empty()) {
            diagnostic(&(error::texts(&end.errors) + &end.go_on()));
        }
    }

    fn applied(&self, one: &Applied) {
        self.line(Line::PlanFile {
            deployment: &one.deployment,
            plan_file: &one.plan_file,
            outcome: one.outcome,
            done: one.done,
            elapsed_ms: milliseconds(one.elapsed),
            errors: &one.errors,
        });
        if !one.errors.is_empty() {
            diagnostic(&error::texts(&one.errors));
        }
    }

    fn all_applied(&self, all: &[Applied], stopped: bool, elapsed: Duration) {
        let of = |outcomes: &[Outcome]| {
            let some = all.iter().filter(|one| outcomes.contains(&one.outcome));
            some.map(|one| one.deployment.as_str()).collect::<Vec<_>>()
        };
        let (failed, not_done) = (of(&[Outcome::Failed]), of(&[Outcome::NotBegun]));
        self.line(Line::Summary(Box::new(Summary {
            deployment: None,
            complete: failed.is_empty() && not_done.is_empty(),
            stopped,
            elapsed_ms: milliseconds(elapsed),
            changes: BTreeMap::new(),
            done: of(&[Outcome::Applied]),
            failed,
            not_done,
            outputs: BTreeMap::new(),
            errors: all.iter().flat_map(|one| &one.errors).map(Reason::Error).collect(),
        })));
    }

    /// People read the same on stderr.
    fn failure(&self, failure: &Failure) {
        match failure {
            Failure::Shown(..) => {}
            failure if self.prints != Prints::Document => self.ended_early(failure),
            failure => result(&failed(failure)),
        }
        diagnostic(&error::failure(failure));
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            diagnostic(text);
        }
    }
}

/// Settings by name, but for those of which each section has its own, as of several clouds: nobody could tell which it is.
fn of_one_server<'a>(ends: &'a [End<'_>]) -> Settings<'a> {
    let all = || ends.iter().flat_map(|end| &end.outputs);
    let is_one = |name: &str| {
        let mut values = all().filter(|output| output.name == name).map(|output| &output.value);
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    ends.iter().flat_map(|end| settings(&end.outputs)).filter(|(name, _)| is_one(name)).collect()
}

/// How many resources meet each action.
fn counts<'a>(sets: impl IntoIterator<Item = &'a ChangeSet>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for change in sets.into_iter().flat_map(|set| &set.changes).filter(|change| change.action != Action::NoOp) {
        *counts.entry(change.action.verb()).or_default() += 1;
    }
    counts
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! The documents that programs read, as types: what is printed and its schema are made of the same ones.

use std::collections::BTreeMap;

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::doctor::Check;
use provision_core::event::Event;
use provision_core::hop::{Hop, HopId};
use provision_core::output::Output;
use provision_core::plan_file::{PlanFileError, Problem};
use provision_core::verify::Proof;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::Shard;
use crate::exit::Failure;
use crate::view::compared::Compared;
use crate::view::{Examination, Outcome, Proofs};

/// Version of the documents' form: it changes where something is taken away or means something else.
pub(crate) const FORMAT: u32 = 1;
/// The program's version.
pub(crate) const TOOL: &str = env!("CARGO_PKG_VERSION");

/// What plan and show print: a change set, and what stands in the way of executing it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Plan<'a> {
    #[serde(flatten)]
    set: &'a ChangeSet,
    /// What stands in its way.
    errors: Vec<Error>,
}

impl<'a> Plan<'a> {
    /// Of that set; `errors` stand in its way.
    pub(crate) fn new(set: &'a ChangeSet, errors: Vec<Error>) -> Self {
        Self { set, errors }
    }
}

/// What plan prints of all sections of a plan file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AllSections<'a> {
    /// Version of the form.
    pub(crate) format: u32,
    /// The program's version.
    pub(crate) tool: &'static str,
    /// Each section's change set, in the order of the documentation.
    pub(crate) plans: Vec<Plan<'a>>,
    /// Why others could not be looked at.
    pub(crate) errors: &'a [Error],
}

/// What any of them prints where it ended before there was a result.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Failed<'a> {
    /// Version of the form.
    format: u32,
    /// The program's version.
    tool: &'static str,
    /// Why.
    errors: Vec<Reason<'a>>,
}

impl<'a> Failed<'a> {
    /// For that reason.
    pub(crate) fn new(failure: &'a Failure) -> Self {
        Self { format: FORMAT, tool: TOOL, errors: reasons(failure) }
    }
}

/// Why something failed.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Reason<'a> {
    /// Of what was typed or written.
    Input(Input<'a>),
    /// Of the rest.
    Error(&'a Error),
}

/// What is wrong with what was typed or written.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Input<'a> {
    /// A plan file.
    PlanFile {
        /// The error as people read it, in one line.
        text: String,
        /// Each problem; none if the file cannot be read.
        problems: Vec<Problem>,
    },
    /// The command line.
    Usage {
        /// The error as people read it.
        text: &'a str,
    },
}

/// Why a command failed.
pub(crate) fn reasons(failure: &Failure) -> Vec<Reason<'_>> {
    let of_file =
        |error: &PlanFileError| Reason::Input(Input::PlanFile { text: error.to_string(), problems: error.problems() });
    match failure {
        Failure::PlanFiles(errors) => errors.iter().map(of_file).collect(),
        Failure::Errors(errors) | Failure::Shown(_, errors) => errors.iter().map(Reason::Error).collect(),
        Failure::Stopped(_, error) => vec![Reason::Error(error)],
        Failure::Usage(text) => vec![Reason::Input(Input::Usage { text })],
    }
}

/// What drift prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Drift<'a> {
    /// Version of the form.
    pub(crate) format: u32,
    /// The program's version.
    pub(crate) tool: &'static str,
    /// When the look began, of several shards the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) looked_at: Option<&'a str>,
    /// The share of the deployments that was looked at, where it was not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
    /// Each deployment, in the order of the plan files; those that could not be looked at come last.
    pub(crate) deployments: Vec<Looked<'a>>,
}

/// What came of looking at one deployment.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Looked<'a> {
    /// It was looked at.
    Found {
        /// What it comes to, in the words of the report for people.
        verdict: &'static str,
        /// How it is, compared with the plan file.
        change_set: Box<Plan<'a>>,
    },
    /// It could not be.
    Unreachable {
        /// `unknown`.
        verdict: &'static str,
        /// Why.
        error: &'a Error,
    },
}

/// What `output --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ServerSettings<'a> {
    /// Version of the form.
    pub(crate) format: u32,
    /// The program's version.
    pub(crate) tool: &'static str,
    /// By name.
    pub(crate) outputs: Settings<'a>,
}

/// The same of many plan files.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ManySettings<'a> {
    /// Version of the form.
    pub(crate) format: u32,
    /// The program's version.
    pub(crate) tool: &'static str,
    /// Each deployment, in the order of the plan files.
    pub(crate) deployments: Vec<DeploymentSettings<'a>>,
    /// Why others have none here.
    pub(crate) errors: &'a [Error],
}

/// The settings of one of many deployments.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DeploymentSettings<'a> {
    /// Whose they are.
    pub(crate) deployment: &'a str,
    /// The plan file.
    pub(crate) plan_file: &'a str,
    /// By name.
    pub(crate) outputs: Settings<'a>,
}

/// Settings for the server, by name.
pub(crate) type Settings<'a> = BTreeMap<&'a str, Setting<'a>>;

/// A setting for the server.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Setting<'a> {
    /// Its value; `null` where it is a secret that was not asked for, or that does not exist.
    value: Option<&'a str>,
    /// Whether it is a secret.
    sensitive: bool,
}

/// The settings as documents have them.
pub(crate) fn settings(outputs: &[Output]) -> Settings<'_> {
    outputs.iter().map(|output| (output.name.as_str(), setting(output))).collect()
}

fn setting(output: &Output) -> Setting<'_> {
    Setting { value: output.known(), sensitive: output.is_sensitive() }
}

/// What doctor prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Doctor<'a> {
    /// Version of the form.
    format: u32,
    /// The program's version.
    tool: &'static str,
    /// The cloud.
    cloud: &'static str,
    /// The plan file; `null` where it cannot be used.
    plan_file: Option<&'a str>,
    /// Whether no check failed.
    healthy: bool,
    /// In the order in which they depend on each other.
    checks: &'a [Check],
}

impl<'a> Doctor<'a> {
    /// What was looked at.
    pub(crate) fn new(examination: &'a Examination) -> Self {
        Self {
            format: FORMAT,
            tool: TOOL,
            cloud: examination.cloud.name(),
            plan_file: examination.plan_file.as_deref(),
            healthy: !examination.checks.iter().any(Check::has_failed),
            checks: &examination.checks,
        }
    }
}

/// What diff prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Diff<'a> {
    /// Version of the form.
    pub(crate) format: u32,
    /// The program's version.
    pub(crate) tool: &'static str,
    /// Whether both reports say the same.
    pub(crate) same: bool,
    /// Each deployment, those of the later report first.
    pub(crate) deployments: &'a [Compared],
}

/// A line that apply, destroy and verify print beside the events.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// The first one.
    Version {
        /// Version of the form.
        format: u32,
        /// The program's version.
        tool: &'static str,
    },
    /// What is about to be done.
    ChangeSet {
        /// The whole of it.
        change_set: &'a ChangeSet,
    },
    /// How one of many plan files was applied.
    PlanFile {
        /// Whose it is; the plan file where that cannot be known.
        deployment: &'a str,
        /// The plan file.
        plan_file: &'a str,
        /// What it came to.
        outcome: Outcome,
        /// How many things were written.
        done: usize,
        /// How long it took.
        elapsed_ms: u64,
        /// Why it is not as the plan file says.
        errors: &'a [Error],
    },
    /// The last one of apply and destroy, however the command ended.
    Summary(Box<Summary<'a>>),
    /// How one of many deployments was proven.
    Deployment(Proven<'a>),
    /// The last one of verify, however it ended.
    #[serde(rename = "summary")]
    Proof(Proven<'a>),
}

/// How an apply or a destroy ended.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Summary<'a> {
    /// Whose, in all sections that it was about; `null` where it ended before that was known, and where many were applied: then
    /// `done`, `failed` and `not_done` are deployments.
    pub(crate) deployment: Option<&'a str>,
    /// Whether all of it was done, and the cloud shows it.
    pub(crate) complete: bool,
    /// Whether it was told to stop, by a signal or the time limit.
    pub(crate) stopped: bool,
    /// How long it took.
    pub(crate) elapsed_ms: u64,
    /// How many resources met each action of the change set.
    pub(crate) changes: BTreeMap<&'static str, usize>,
    /// What was written.
    pub(crate) done: Vec<&'a str>,
    /// What failed; `errors` says why.
    pub(crate) failed: Vec<&'a str>,
    /// What was not begun.
    pub(crate) not_done: Vec<&'a str>,
    /// The settings for the server, where there are any now.
    pub(crate) outputs: Settings<'a>,
    /// Why it is not complete.
    pub(crate) errors: Vec<Reason<'a>>,
}

/// How a proof ended.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Proven<'a> {
    /// Whose; `null` where it ended before that was known, and where many were proven.
    deployment: Option<&'a str>,
    /// The section, of one of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    /// The plan file, of one of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_file: Option<&'a str>,
    /// `passed`, `failed`, `not_proven` where no hop failed and not all was proven, `unknown` where no hop was gone.
    verdict: &'static str,
    /// Whether it was told to stop, by a signal or the time limit.
    stopped: bool,
    /// How long it took.
    elapsed_ms: u64,
    /// The hops that failed.
    failed: Vec<HopId>,
    /// The hops that were gone, in order.
    hops: &'a [Hop],
    /// Why it ended before there was a result; of many, why some did.
    errors: Vec<Reason<'a>>,
}

impl<'a> Proven<'a> {
    /// Of that proof.
    pub(crate) fn new(proof: &'a Proof, elapsed_ms: u64) -> Self {
        let verdict = match (proof.holds(), proof.is_complete()) {
            (false, _) => "failed",
            (true, true) => "passed",
            (true, false) => "not_proven",
        };
        let failed = proof.hops.iter().filter(|hop| hop.has_failed()).map(|hop| hop.id).collect();
        let (deployment, stopped) = (Some(proof.set.deployment.as_str()), proof.stopped);
        let (section, plan_file) = (None, None);
        let (hops, errors) = (proof.hops.as_slice(), Vec::new());
        Self { deployment, section, plan_file, verdict, stopped, elapsed_ms, failed, hops, errors }
    }

    /// The same of one of many.
    pub(crate) fn one_of_many(proof: &'a Proof, elapsed_ms: u64) -> Self {
        let (section, plan_file) = (Some(proof.set.cloud.as_str()), Some(proof.set.plan_file.name.as_str()));
        Self { section, plan_file, ..Self::new(proof, elapsed_ms) }
    }

    /// Of all of them: the verdict that asks most of the reader, and why some could not be proven.
    pub(crate) fn all(all: &'a Proofs, elapsed_ms: u64) -> Self {
        let verdicts: Vec<_> = all.proven.iter().map(|(proof, _)| Self::new(proof, 0).verdict).collect();
        let worst = ["failed", "not_proven"].into_iter().find(|verdict| verdicts.contains(verdict));
        let verdict = if all.errors.is_empty() { worst.unwrap_or("passed") } else { "unknown" };
        Self { verdict, ..Self::failed(all.stopped, elapsed_ms, all.errors.iter().map(Reason::Error).collect()) }
    }

    /// Of one that ended before there was a result.
    pub(crate) fn failed(stopped: bool, elapsed_ms: u64, errors: Vec<Reason<'a>>) -> Self {
        let (deployment, section, plan_file) = (None, None, None);
        let (verdict, failed, hops) = ("unknown", Vec::new(), &[][..]);
        Self { deployment, section, plan_file, verdict, stopped, elapsed_ms, failed, hops, errors }
    }
}

/// A line of the stream: one of ours, or an event.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    /// One of ours.
    Line(Line<'a>),
    /// What happened.
    Event(&'a Event),
}

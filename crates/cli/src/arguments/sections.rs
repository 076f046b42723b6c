//! What commands take that are for every section of a plan file at once.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::commands::{DriftArguments, Keeping, OutputArguments, PlanFiles, PlanReporting, Verify};
use crate::providers::ProviderId;

/// What to do in all sections of a plan file at once.
#[derive(Debug, Subcommand)]
pub(crate) enum InAll {
    /// Show what apply would do in every section of the plan file. Never writes.
    Plan(PlanAll),
    /// Make every section's part what the plan file says, side by side.
    ///
    /// Nothing is written before all of them have been looked at, and nothing if one of them refuses.
    Apply(ApplyAll),
    /// Find out whether somebody changed any of it. Never writes; exits with 2 on drift.
    Drift(DriftArguments),
    /// Prove of every section with a bucket that files and events get through, before any server runs.
    ///
    /// It is what `provision CLOUD verify` does. Of many plan files each is a row of its own.
    Verify(Verify),
    /// Print the settings of all sections for the server. Nothing is sent but for secrets, and for Auth0's client id.
    Output(OutputArguments),
    /// Delete what provision created in every section; leave what it adopted.
    Destroy(DestroyAll),
}

impl InAll {
    /// The provider that was typed where a plan file stands, and after which word: it comes first.
    pub(crate) fn named_provider(&self) -> Option<(ProviderId, &'static str)> {
        let (word, files) = match self {
            Self::Plan(asked) => ("plan", asked.of.plan_files.as_slice()),
            Self::Apply(asked) => ("apply", asked.of.plan_files.as_slice()),
            Self::Drift(asked) => ("drift", asked.of.plan_files.as_slice()),
            Self::Verify(asked) => ("verify", asked.of.plan_files.as_slice()),
            Self::Output(asked) => ("output", asked.words.as_slice()),
            Self::Destroy(asked) => ("destroy", asked.plan_file.as_slice()),
        };
        let mut names = files.iter().filter(|file| !file.exists()).filter_map(|file| file.to_str());
        names.find_map(ProviderId::named).map(|id| (id, word))
    }
}

/// What to plan of all sections.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanAll {
    #[command(flatten)]
    pub(crate) of: PlanFiles,
    /// Exit with 2 if there are changes.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Also delete left-over queues and topics that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
    #[command(flatten)]
    pub(crate) reporting: PlanReporting,
}

/// What to apply of all sections.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyAll {
    #[command(flatten)]
    pub(crate) of: PlanFiles,
    /// Of many plan files, begin no other one after so many could not be applied [default: all are tried].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_failures: Option<u64>,
    /// Apply without asking for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also delete left-over queues and topics that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
}

/// What to destroy of all sections.
#[derive(Clone, Debug, Args)]
pub(crate) struct DestroyAll {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
    /// Say that every section is meant; one of them: `provision CLOUD destroy`.
    #[arg(long)]
    pub(crate) all: bool,
    /// The deployment's name, to confirm without being asked for it.
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<String>,
    /// Also delete every object in the bucket; give its name to confirm.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) delete_data: Option<String>,
    /// Also delete everything left over that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
}

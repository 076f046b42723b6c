//! What the commands of the cycle take: plan, apply, drift, destroy, and those that print or prove.

use std::path::PathBuf;

use clap::Args;
use provision_core::permissions::Repository;

use super::values::{
    DRIFT_FORMATS, Format, PLAN_FORMATS, PROOF_FORMATS, Report, ReportFormat, RightsFor, RightsFormat, Shard,
    format_of, report_of, shard,
};

/// Where secrets go that a service gives once, with the creation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Keeping {
    /// Write the secret that Slack gives once into a file that only you can read.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print the secret that Slack gives once.
    #[arg(long, conflicts_with = "out")]
    pub(crate) reveal: bool,
}

/// What to plan, and what to do with it.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArguments {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
    /// Save the change set for `apply`, or for `destroy`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 2 if there are changes.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Also delete left-over queues and topics that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
    /// Show what destroy would do.
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Also delete every object in the bucket; give its name to confirm.
    #[arg(long, value_name = "BUCKET", requires = "destroy")]
    pub(crate) delete_data: Option<String>,
    #[command(flatten)]
    pub(crate) reporting: PlanReporting,
}

/// How a plan is printed.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanReporting {
    /// How to print it.
    #[arg(long, default_value = "text", value_parser = format_of(PLAN_FORMATS))]
    pub(crate) format: ReportFormat,
    /// Also write it into a file, which is replaced: FORMAT is markdown, gitlab or json. May be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(PLAN_FORMATS))]
    pub(crate) report: Vec<Report>,
}

/// What to apply.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyArguments {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml], or a change set that `plan --out` saved.
    pub(crate) plan_file: Option<PathBuf>,
    /// Apply without asking for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also delete left-over queues and topics that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
}

/// Many plan files.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanFiles {
    /// The plan files, or folders of them: all `*.toml` in one and below [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_files: Vec<PathBuf>,
    /// Take one of N shares of the deployments, by their names: I is 1 to N, or 0 to N-1.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
}

/// What to compare.
#[derive(Clone, Debug, Args)]
pub(crate) struct DriftArguments {
    #[command(flatten)]
    pub(crate) of: PlanFiles,
    /// How to print it.
    #[arg(long, default_value = "text", value_parser = format_of(DRIFT_FORMATS))]
    pub(crate) format: ReportFormat,
    /// Also write it into a file, which is replaced: FORMAT is markdown, junit, sarif, json or html. May be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(DRIFT_FORMATS))]
    pub(crate) report: Vec<Report>,
}

/// What to destroy.
#[derive(Clone, Debug, Args)]
pub(crate) struct DestroyArguments {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml], or a change set that `plan --destroy --out` saved.
    pub(crate) plan_file: Option<PathBuf>,
    /// Destroy without asking for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also delete every object in the bucket; give its name to confirm.
    ///
    /// Where a saved change set says it, all that is in the bucket by then is deleted.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) delete_data: Option<String>,
    /// Also delete everything left over that the plan file no longer names.
    #[arg(long)]
    pub(crate) orphans: bool,
}

/// What rights to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct PermissionsArguments {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
    /// What the rights are for.
    #[arg(long = "for", value_name = "WHAT", required_unless_present = "trust")]
    pub(crate) task: Option<RightsFor>,
    /// How to write them.
    #[arg(long, default_value = "cloud")]
    pub(crate) format: RightsFormat,
    /// Print what lets CI jobs of a repository in without a secret: `github:ORG/REPO` (`github:ORG@ID/REPO@ID`
    /// where its tokens name the numbers), or `gitlab:GROUP/PROJECT`. Some jobs alone are named behind it, as in the subject of their
    /// tokens: `:environment:NAME`, `:ref:refs/heads/BRANCH`, `:pull_request`, `:ref_type:branch:ref:BRANCH`.
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "task")]
    pub(crate) trust: Option<Repository>,
}

/// Which settings to print, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArguments {
    /// The plan files, or folders of them: all `*.toml` in one and below [default: provision.toml, or plans/CLOUD.toml].
    ///
    /// Of one plan file, the NAME of a setting after it prints its value alone.
    #[arg(value_name = "PLAN_FILE|NAME")]
    pub(crate) words: Vec<PathBuf>,
    /// Take one of N shares of the deployments, by their names: I is 1 to N, or 0 to N-1.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    /// How to write them, for programs. Default: `env`, with secrets redacted.
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Fetch secrets and print them.
    #[arg(long, conflicts_with = "no_secrets")]
    pub(crate) reveal: bool,
    /// Leave secrets out.
    #[arg(long)]
    pub(crate) no_secrets: bool,
    /// Write them into a file that only you can read, secrets too unless `--no-secrets`. GitHub's is added to.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What to prove, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) of: PlanFiles,
    /// How long the event may take [default: 120, or as the cloud says].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) wait: Option<u64>,
    /// Write nothing: only look, and ask as a browser asks.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Ask as a page of this origin [default: the deployment's host].
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// What the probe's key begins with.
    #[arg(long, value_name = "KEY", default_value = provision_core::probe::PREFIX)]
    pub(crate) prefix: String,
    /// Exit with 2 too if a hop is not proven.
    #[arg(long)]
    pub(crate) strict: bool,
    /// How to print it.
    #[arg(long, default_value = "text", value_parser = format_of(PROOF_FORMATS))]
    pub(crate) format: ReportFormat,
    /// Also write it into a file, which is replaced: FORMAT is junit. May be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(PROOF_FORMATS))]
    pub(crate) report: Vec<Report>,
}

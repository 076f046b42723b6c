//! The command line.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use provision_core::permissions::Repository;

use crate::clouds::{CloudId, InCloud};

/// Buckets, queues and events for self-hosted Weights & Biases servers.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, propagate_version = false)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print JSON: one document; for apply, destroy and verify one a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colour the output: auto, always or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Same as `--color never`.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Print results and errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Also list what needs no change.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Rehearse in a copy of the cloud inside this command, with its state in a folder: no account, no network.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = SANDBOX_FOLDER
    )]
    pub(crate) sandbox: Option<PathBuf>,
    /// Append each request and its answer to a file, one JSON line each; secrets and headers are left out.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Start no new changes after this many seconds (exit 5).
    ///
    /// What only looks ends then too (exit 1).
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// Where a sandbox keeps its state unless told otherwise.
const SANDBOX_FOLDER: &str = ".provision/sandbox";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Something in a cloud.
    #[command(flatten)]
    InCloud(InCloud<Action>),
    /// Print a commented plan file to begin with.
    Init {
        /// The cloud.
        cloud: CloudId,
    },
    /// Check a plan file; nothing is sent.
    Validate {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml].
        plan_file: Option<PathBuf>,
    },
    /// Print the JSON Schema of plan files, or of what `--json` prints.
    Schema {
        /// What it is of.
        #[arg(long = "for", value_name = "DOCUMENT", default_value = "plan-file")]
        of: Document,
    },
    /// Print a saved change set; nothing is sent.
    Show {
        /// A file that `plan --out` wrote.
        change_set: PathBuf,
        /// How to print it.
        #[arg(long, default_value = "text", value_parser = format_of(PLAN_FORMATS))]
        format: ReportFormat,
        /// Also write it into a file, which is replaced: FORMAT is markdown, gitlab or json. May be repeated.
        #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(PLAN_FORMATS))]
        report: Vec<Report>,
    },
    /// The sandbox by itself: copies of the clouds on this machine, for any client.
    #[command(subcommand)]
    Sandbox(SandboxAction),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command.
    Man {
        /// A folder for the pages of all commands.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the version.
    Version,
}

/// What to do with the sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxAction {
    /// Print the variables that clients need, then `ready`, and serve until told to stop.
    Serve {
        /// Where its state is kept.
        #[arg(long, value_name = "DIR", default_value = SANDBOX_FOLDER)]
        dir: PathBuf,
        /// The port of the first cloud, the others following; 0 for free ones.
        #[arg(long, default_value = "0")]
        port: u16,
        /// Misbehave as this file says: latency, errors, dropped connections, delays.
        #[arg(long, value_name = "FILE")]
        faults: Option<PathBuf>,
        /// Let the services' own waits take as long as they do, as a queue's name of a minute: a rehearsal waits a second.
        #[arg(long)]
        real_time: bool,
        /// Let the credentials that are printed do what a document of `permissions --for` says, and nothing else.
        #[arg(long, value_name = "FILE")]
        identity: Vec<PathBuf>,
        /// Make what these plan files take for granted: roles, projects, service accounts, subscriptions, principals.
        plan_files: Vec<PathBuf>,
    },
    /// Forget everything in it.
    Reset {
        /// Where its state is kept.
        #[arg(long, value_name = "DIR", default_value = SANDBOX_FOLDER)]
        dir: PathBuf,
    },
}

/// What to do in a cloud.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show what apply would do. Never writes.
    Plan {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml].
        plan_file: Option<PathBuf>,
        /// Save the change set for `apply`, or for `destroy`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Exit with 2 if there are changes.
        #[arg(long)]
        detailed_exitcode: bool,
        /// Also delete left-over queues and topics that the plan file no longer names.
        #[arg(long)]
        orphans: bool,
        /// Show what destroy would do.
        #[arg(long)]
        destroy: bool,
        /// Also delete every object in the bucket; give its name to confirm.
        #[arg(long, value_name = "BUCKET", requires = "destroy")]
        delete_data: Option<String>,
        /// How to print it.
        #[arg(long, default_value = "text", value_parser = format_of(PLAN_FORMATS))]
        format: ReportFormat,
        /// Also write it into a file, which is replaced: FORMAT is markdown, gitlab or json. May be repeated.
        #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(PLAN_FORMATS))]
        report: Vec<Report>,
    },
    /// Make the cloud what the plan file says, or execute a saved change set.
    ///
    /// A saved change set is applied without asking: exactly those changes, or none if the cloud has changed since (exit 3).
    Apply {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml], or a change set that `plan --out` saved.
        plan_file: Option<PathBuf>,
        /// Apply without asking for confirmation.
        #[arg(long)]
        yes: bool,
        /// Also delete left-over queues and topics that the plan file no longer names.
        #[arg(long)]
        orphans: bool,
    },
    /// Find out whether somebody changed the cloud. Never writes; exits with 2 on drift.
    Drift {
        /// The plan files [default: provision.toml, or plans/CLOUD.toml].
        plan_files: Vec<PathBuf>,
        /// How to print it.
        #[arg(long, default_value = "text", value_parser = format_of(DRIFT_FORMATS))]
        format: ReportFormat,
        /// Also write it into a file, which is replaced: FORMAT is markdown, junit, sarif or json. May be repeated.
        #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(DRIFT_FORMATS))]
        report: Vec<Report>,
    },
    /// Delete what provision created; leave what it adopted.
    ///
    /// A change set that `plan --destroy --out` saved is executed without asking: exactly those changes, or none if the cloud has
    /// changed since (exit 3). Where it says `--delete-data`, all that is in the bucket by then is deleted.
    Destroy {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml], or a change set that `plan --destroy --out` saved.
        plan_file: Option<PathBuf>,
        /// Destroy without asking for confirmation.
        #[arg(long)]
        yes: bool,
        /// Also delete every object in the bucket; give its name to confirm.
        #[arg(long, value_name = "BUCKET")]
        delete_data: Option<String>,
        /// Also delete everything left over that the plan file no longer names.
        #[arg(long)]
        orphans: bool,
    },
    /// Print the rights that a command or the server needs, as the cloud takes them. Sends nothing.
    ///
    /// They are on what the plan file names, and no more than this command needs with it. What to do with the document is told
    /// beside it, on the other stream.
    Permissions {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml].
        plan_file: Option<PathBuf>,
        /// What the rights are for.
        #[arg(long = "for", value_name = "WHAT", required_unless_present = "trust")]
        task: Option<RightsFor>,
        /// How to write them.
        #[arg(long, default_value = "cloud")]
        format: RightsFormat,
        /// Print what lets CI jobs of a repository in without a secret: `github:ORG/REPO` (`github:ORG@ID/REPO@ID`
        /// where its tokens name the numbers), or `gitlab:GROUP/PROJECT`. Some jobs alone are named behind it, as in the subject of their
        /// tokens: `:environment:NAME`, `:ref:refs/heads/BRANCH`, `:pull_request`, `:ref_type:branch:ref:BRANCH`.
        #[arg(long, value_name = "REPOSITORY", conflicts_with = "task")]
        trust: Option<Repository>,
    },
    /// Print the settings for the server. Sends nothing unless secrets are asked for.
    Output {
        /// The plan file [default: provision.toml, or plans/CLOUD.toml].
        plan_file: Option<PathBuf>,
        /// Print the value of this one only.
        name: Option<String>,
        /// How to write them, for programs. Default: `env`, with secrets redacted.
        #[arg(long)]
        format: Option<Format>,
        /// Fetch secrets and print them.
        #[arg(long, conflicts_with = "no_secrets")]
        reveal: bool,
        /// Leave secrets out.
        #[arg(long)]
        no_secrets: bool,
        /// Write them into a file that only you can read, secrets too unless `--no-secrets`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Prove that files and events get through, hop by hop, before any server runs.
    ///
    /// Compares the resources, asks what a browser of the server asks, uploads a small probe by a signed address, waits for its
    /// event in the queue, and removes both. What the server is to get stays in the queue: messages of others are hidden for half
    /// a minute at most. Exits with 2 if a hop fails.
    Verify(Verify),
}

/// What to prove, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Verify {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
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

/// How what was found is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// A table, for a pull request or the summary of a CI job.
    Markdown,
    /// A test case for each resource, or for each hop, for CI.
    Junit,
    /// A result for each facet at its line of the plan file, for code scanning.
    Sarif,
    /// How many resources change, for GitLab's merge requests.
    Gitlab,
    /// What `--json` prints.
    Json,
}

/// What a plan can be written as; as JSON it is printed with `--json`.
const PLAN_FORMATS: &[ReportFormat] =
    &[ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Gitlab, ReportFormat::Json];
/// What a look for drift can be written as.
const DRIFT_FORMATS: &[ReportFormat] =
    &[ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Junit, ReportFormat::Sarif, ReportFormat::Json];

/// What a proof can be written as.
const PROOF_FORMATS: &[ReportFormat] = &[ReportFormat::Text, ReportFormat::Junit];

/// Read one of these formats.
fn format_of(formats: &'static [ReportFormat]) -> impl TypedValueParser<Value = ReportFormat> {
    let names = formats.iter().filter_map(ReportFormat::to_possible_value);
    PossibleValuesParser::new(names).try_map(|name| ReportFormat::from_str(&name, false))
}

/// A report into a file.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) format: ReportFormat,
    pub(crate) file: PathBuf,
}

/// Read `FORMAT=FILE` of one of these formats; a text is printed, and colours are of a terminal.
fn report_of(
    formats: &'static [ReportFormat],
) -> impl Fn(&str) -> Result<Report, String> + Clone + Send + Sync + 'static {
    let offered = || formats.iter().filter(|format| **format != ReportFormat::Text);
    move |text: &str| {
        let (name, file) = text.split_once('=').unwrap_or((text, ""));
        let names = offered().filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()));
        let names = names.collect::<Vec<_>>().join(", ");
        let format = ReportFormat::from_str(name, false).ok().filter(|format| offered().any(|one| one == format));
        match format {
            Some(format) if !file.is_empty() => Ok(Report { format, file: file.into() }),
            Some(_) => Err(format!("no file: write `{name}=FILE`")),
            None => Err(format!("`{name}` is none of {names}")),
        }
    }
}

/// What a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// Plan files.
    PlanFile,
    /// What `plan --json` and `show --json` print.
    Plan,
    /// A line of what `apply --json`, `destroy --json` and `verify --json` print.
    Events,
    /// What `drift --json` prints.
    Drift,
    /// What `output --json` prints.
    Output,
}

/// What rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RightsFor {
    /// Looking at what apply or destroy would do: no right to write anything.
    Plan,
    /// Making the cloud what the plan file says.
    Apply,
    /// Finding out whether somebody changed the cloud: no right to write anything.
    Drift,
    /// Deleting it, with data and left-over queues and topics.
    Destroy,
    /// What the server does.
    Server,
    /// Proving that files and events get through, with a probe.
    Verify,
}

/// How rights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RightsFormat {
    /// As the cloud takes them.
    Cloud,
    /// For Terraform.
    Terraform,
}

/// How settings are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// `NAME=value`.
    Env,
    /// `NAME=value`, quoted for shells.
    Dotenv,
    /// One object.
    Json,
}

impl Global {
    /// ` --sandbox` where the run is one: without it the same command is meant for the real cloud.
    pub(crate) fn sandbox_flag(&self) -> String {
        self.sandbox.as_ref().map(|folder| format!(" --sandbox={}", quoted(folder))).unwrap_or_default()
    }
}

/// A path as a shell takes it, for a command to copy.
pub(crate) fn quoted(path: impl AsRef<Path>) -> String {
    let path = path.as_ref().display().to_string();
    // A name that begins like a flag is a path too.
    let path = if path.starts_with('-') { format!("./{path}") } else { path };
    shell_words::quote(&path).into_owned()
}

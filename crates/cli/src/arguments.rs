//! The command line.

mod values;
mod commands;
mod day_two;
mod sections;

use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, Parser, Subcommand};
use provision_core::printable::is_obeyed;

use crate::providers::{InCloud, ProviderId};
pub(crate) use commands::{
    ApplyArguments, DestroyArguments, DriftArguments, Keeping, OutputArguments, PermissionsArguments, PlanArguments,
    PlanFiles, PlanReporting, Verify,
};
pub(crate) use day_two::{Diff, Doctor, Key, RotateKey};
pub(crate) use sections::{ApplyAll, DestroyAll, InAll, PlanAll};
use values::{DRIFT_FORMATS, format_of, report_of};
pub(crate) use values::{Document, Format, Report, ReportFormat, RightsFor, RightsFormat, Shard};

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
    /// Rehearse in a sandbox inside this command, with its state in a folder: no account, no network.
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
    InCloud(InCloud<Action, AzureAction, Anywhere>),
    /// Slack, for alerts.
    #[command(subcommand)]
    Slack(SlackAction),
    /// Something in all sections of a plan file.
    #[command(flatten)]
    InAll(InAll),
    /// Print a commented plan file to begin with, or a section to add to one.
    Init {
        /// The cloud.
        cloud: ProviderId,
        /// For a server that is somebody else's, as W&B's hosted ones are: "bring your own bucket".
        #[arg(long)]
        byob: bool,
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
        #[command(flatten)]
        reporting: PlanReporting,
    },
    /// Find out why a command does not get through: network, clock, credentials, rights. Never writes.
    Doctor(Doctor),
    /// Compare two reports that `drift --json` printed: what is new, gone and still there. Sends nothing; exits with 2 if they differ.
    Diff(Diff),
    /// What was reported before.
    #[command(subcommand)]
    Report(ReportAction),
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

/// What to do with reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportAction {
    /// Make one report of those that the shards of a drift wrote, and end as a drift of all would.
    ///
    /// A shard that is missing, or whose report cannot be read, is unknown.
    Merge {
        /// What `drift --shard I/N --report json=FILE` wrote.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// How to print it.
        #[arg(long, default_value = "text", value_parser = format_of(DRIFT_FORMATS))]
        format: ReportFormat,
        /// Also write it into a file, which is replaced: FORMAT is markdown, junit, sarif, json or html. May be repeated.
        #[arg(long, value_name = "FORMAT=FILE", value_parser = report_of(DRIFT_FORMATS))]
        report: Vec<Report>,
    },
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

/// What to do in every section of a plan file.
#[derive(Debug, Subcommand)]
pub(crate) enum Anywhere {
    /// Show what apply would do. Never writes.
    Plan(PlanArguments),
    /// Make the cloud what the plan file says, or execute a saved change set.
    ///
    /// A saved change set is applied without asking: exactly those changes, or none if the cloud has changed since (exit 3).
    Apply(ApplyArguments),
    /// Find out whether somebody changed the cloud. Never writes; exits with 2 on drift.
    Drift(DriftArguments),
    /// Delete what provision created; leave what it adopted.
    ///
    /// A change set that `plan --destroy --out` saved is executed without asking: exactly those changes, or none if the cloud has
    /// changed since (exit 3).
    Destroy(DestroyArguments),
    /// Print the settings for the server. Nothing is sent but for secrets.
    Output(OutputArguments),
}

/// What to do in a cloud.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// What can be done in every section.
    #[command(flatten)]
    Anywhere(Anywhere),
    /// Print the rights that a command or the server needs, as the cloud takes them. Sends nothing.
    ///
    /// They are on what the plan file names, and no more than this command needs with it. What to do with the document is told
    /// beside it, on the other stream.
    Permissions(PermissionsArguments),
    /// Prove that files and events get through, hop by hop, before any server runs.
    ///
    /// Compares the resources, asks what a browser of the server asks, uploads a small probe by a signed address, waits for its
    /// event in the queue, and removes both. What the server is to get stays in the queue: messages of others are hidden for half
    /// a minute at most. Exits with 2 if a hop fails.
    Verify(Verify),
}

/// What to do in Azure.
#[derive(Debug, Subcommand)]
pub(crate) enum AzureAction {
    /// What can be done in every cloud.
    #[command(flatten)]
    InAnyCloud(Action),
    /// Give the server a new key of the account, and make the former one useless once it has that.
    ///
    /// Makes the account's other key anew, checks both, writes its name into the plan file and prints the settings with it. Run again
    /// with `--finish` when the server has it: the former key is made anew then. No key is made anew that the server may have.
    RotateKey(RotateKey),
}

impl From<Action> for AzureAction {
    fn from(action: Action) -> Self {
        Self::InAnyCloud(action)
    }
}

impl From<Anywhere> for Action {
    fn from(action: Anywhere) -> Self {
        Self::Anywhere(action)
    }
}

/// What to do in Slack.
#[derive(Debug, Subcommand)]
pub(crate) enum SlackAction {
    /// Show what apply would do. Never writes.
    Plan(PlanArguments),
    /// Make the app what the plan file says, or execute a saved change set.
    ///
    /// The apply that makes the app writes `app_id` and `client_id` into the plan file, and is the only one that gets its secret.
    Apply(SlackApply),
    /// Find out whether somebody changed the app. Never writes; exits with 2 on drift.
    Drift(DriftArguments),
    /// Delete the app if provision created it; if it was adopted, take out what is provision's.
    Destroy(DestroyArguments),
    /// Print the settings for the server. Sends nothing.
    Output(OutputArguments),
    /// Make a new configuration token of a refresh token, and save both.
    ///
    /// The refresh token is that of the file, or `SLACK_REFRESH_TOKEN`. It is good for one call: the new pair is in the file before
    /// anything else is done with it.
    Token {
        /// The file, which only you can read: `SLACK_CONFIG_TOKEN` and `SLACK_REFRESH_TOKEN`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What to apply in Slack.
#[derive(Clone, Debug, Args)]
pub(crate) struct SlackApply {
    #[command(flatten)]
    pub(crate) apply: ApplyArguments,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
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
    if path.chars().any(is_obeyed) { escaped(&path) } else { shell_words::quote(&path).into_owned() }
}

/// On one line, as POSIX has it (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_04>).
fn escaped(path: &str) -> String {
    let letter = |letter: char| match letter {
        '\\' | '\'' => format!("\\{letter}"),
        letter if is_obeyed(letter) => {
            letter.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")).collect()
        }
        letter => letter.to_string(),
    };
    format!("$'{}'", path.chars().map(letter).collect::<String>())
}

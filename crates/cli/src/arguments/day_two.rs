//! What commands take that are for the time after the first apply.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{DIFF_FORMATS, ReportFormat, format_of};
use crate::providers::ProviderId;

/// Which key to make anew, and what becomes of it.
#[derive(Clone, Debug, Args)]
pub(crate) struct RotateKey {
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
    /// The server has the key that the plan file names: make the former one anew.
    #[arg(long, conflicts_with_all = ["server_has", "reveal", "out"])]
    pub(crate) finish: bool,
    /// The key that the server has, where the account does not tell.
    #[arg(long, value_name = "KEY")]
    pub(crate) server_has: Option<Key>,
    /// Make the key anew without asking for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the new key with the settings.
    #[arg(long, conflicts_with = "out")]
    pub(crate) reveal: bool,
    /// Write the settings with the new key into a file that only you can read.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A key of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Key {
    /// The first one.
    Key1,
    /// The second one.
    Key2,
}

/// What to look at.
#[derive(Clone, Debug, Args)]
pub(crate) struct Doctor {
    /// The cloud.
    pub(crate) cloud: ProviderId,
    /// The plan file [default: provision.toml, or plans/CLOUD.toml].
    pub(crate) plan_file: Option<PathBuf>,
}

/// What to compare.
#[derive(Clone, Debug, Args)]
pub(crate) struct Diff {
    /// The former report, of `drift --json`.
    pub(crate) old: PathBuf,
    /// The later one.
    pub(crate) new: PathBuf,
    /// How to print it.
    #[arg(long, default_value = "text", value_parser = format_of(DIFF_FORMATS))]
    pub(crate) format: ReportFormat,
}

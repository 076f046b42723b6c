//! The values that flags take.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use provision_core::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// A page of its own, for people who have no terminal; in the place of an earlier one it says since when.
    Html,
}

/// What a plan can be written as; as JSON it is printed with `--json`.
pub(crate) const PLAN_FORMATS: &[ReportFormat] =
    &[ReportFormat::Text, ReportFormat::Markdown, ReportFormat::Gitlab, ReportFormat::Json];
/// What a look for drift can be written as.
pub(crate) const DRIFT_FORMATS: &[ReportFormat] = &[
    ReportFormat::Text,
    ReportFormat::Markdown,
    ReportFormat::Junit,
    ReportFormat::Sarif,
    ReportFormat::Json,
    ReportFormat::Html,
];

/// What two looks for drift can be compared as.
pub(crate) const DIFF_FORMATS: &[ReportFormat] = &[ReportFormat::Text, ReportFormat::Markdown];
/// What a proof can be written as.
pub(crate) const PROOF_FORMATS: &[ReportFormat] = &[ReportFormat::Text, ReportFormat::Junit];

/// Read one of these formats.
pub(crate) fn format_of(formats: &'static [ReportFormat]) -> impl TypedValueParser<Value = ReportFormat> {
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
pub(crate) fn report_of(
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
    /// What `doctor --json` prints.
    Doctor,
    /// What `diff --json` prints.
    Diff,
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
    /// Giving the server a new key, in Azure.
    RotateKey,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `NAME=value`, quoted where a shell asks for it.
    Env,
    /// The same for Docker Compose and dotenv libraries.
    Dotenv,
    /// One object.
    Json,
    /// `NAME=value` as it is, for `docker run --env-file`.
    Docker,
    /// A dotenv report of GitLab's, without secrets.
    Gitlab,
    /// Added to the file that `$GITHUB_OUTPUT` names, or `--out`; secrets are masked.
    Github,
    /// Values of W&B's chart `operator-wandb`.
    Helm,
    /// W&B's resource `apps.wandb.com/v2`.
    Cr,
    /// The same of `apps.wandb.com/v1`.
    CrV1,
    /// A Secret of Kubernetes with all of them.
    K8sSecret,
    /// Values of Terraform's variables.
    Tfvars,
    /// What was made, as import and resource blocks of Terraform; looks at what is there.
    TfImport,
}

/// One of so many shares of the deployments, which are the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shard {
    /// Which one, from 1.
    pub(crate) index: u64,
    /// How many there are.
    pub(crate) count: u64,
}

impl Shard {
    /// Whether what has that name is in it.
    pub(crate) fn has(self, name: &str) -> bool {
        digest::number(name) % self.count == self.index % self.count
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

/// Read `I/N`: what counts from 1 ends at N, and what counts from 0 begins with the same share.
pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match numbers {
        Some((index, count)) if count > 0 && index <= count => {
            Ok(Shard { index: if index == 0 { count } else { index }, count })
        }
        _ => Err("write it as I/N: 1/4 to 4/4, or 0/4 to 3/4".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_in_one_share_however_the_shares_are_counted() {
        let names: Vec<_> = (0..1000).map(|number| format!("wandb-{number}")).collect();
        for counted in [["0/4", "1/4", "2/4", "3/4"], ["1/4", "2/4", "3/4", "4/4"]] {
            let shards = counted.map(|text| shard(text).unwrap());
            assert!(names.iter().all(|name| shards.iter().filter(|shard| shard.has(name)).count() == 1));
            assert!(shards.iter().all(|shard| names.iter().filter(|name| shard.has(name)).count() > 200));
        }
        assert_eq!(shard("0/4"), shard("4/4"));
        // The share of a name is a promise: shards of two versions fit.
        let share = (1..=4).find(|index| Shard { index: *index, count: 4 }.has("wandb-prod"));
        assert_eq!(share, Some(SHARE_OF_WANDB_PROD));
        for wrong in ["5/4", "1/0", "0/0", "1", "a/4", "-1/4", ""] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }

    /// By the first eight bytes of its SHA-256.
    const SHARE_OF_WANDB_PROD: u64 = 3;
}

//! The values that flags take.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

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
    /// What was made, as import and resource blocks of Terraform; looks at the cloud.
    TfImport,
}

//! The settings as programs read them: each format gives its reader exactly the bytes that are meant, or says that it cannot.

mod written;
mod shell;
mod dotenv;
mod docker;
mod gitlab;
mod github;
mod tfvars;
mod yaml;
mod kubernetes;
mod helm;
mod custom_resource;
mod together;

use serde_json::{Map, Value};

use crate::output::Output;
pub use together::{OfDeployment, Together};
use written::left_out;
pub use written::{Settings, Unwritable, Written};

/// How settings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Assignments of a shell.
    Env,
    /// For Docker Compose and dotenv libraries.
    Dotenv,
    /// One JSON object.
    Json,
    /// For `docker run --env-file`.
    Docker,
    /// GitLab's `artifacts:reports:dotenv`.
    Gitlab,
    /// GitHub's `$GITHUB_OUTPUT` and `$GITHUB_ENV`.
    Github,
    /// Values of W&B's chart `operator-wandb`.
    Helm,
    /// W&B's resource `apps.wandb.com/v2`.
    Cr,
    /// The same of `apps.wandb.com/v1`.
    CrV1,
    /// A Secret of Kubernetes.
    K8sSecret,
    /// Values of Terraform's variables.
    Tfvars,
}

impl OutputFormat {
    /// Whether secrets are named in it where they can be, and stand nowhere else.
    #[must_use]
    pub const fn refers_to_secrets(self) -> bool {
        matches!(self, Self::Helm | Self::Cr | Self::CrV1)
    }

    /// The secrets whose values it uses, where not all of them: those that it takes apart, and `in_full` those that it refers to
    /// nowhere.
    #[must_use]
    pub const fn uses(self, in_full: bool) -> Option<&'static [&'static str]> {
        match (self, in_full) {
            (Self::Gitlab, _) | (Self::Cr, false) => Some(&[]),
            (Self::Cr, true) => Some(&["LICENSE"]),
            (Self::Helm | Self::CrV1, false) => Some(&["MYSQL"]),
            (Self::Helm | Self::CrV1, true) => Some(&["MYSQL", "SLACK_SECRET"]),
            _ => None,
        }
    }

    /// How the settings of several deployments stand in one text of it; `None` where its reader takes those of one.
    #[must_use]
    pub const fn together(self) -> Option<Together> {
        match self {
            Self::Env | Self::Dotenv => Some(Together::Headed),
            Self::Json => Some(Together::Keyed),
            Self::Cr | Self::CrV1 | Self::K8sSecret => Some(Together::Documents),
            Self::Docker | Self::Gitlab | Self::Github | Self::Helm | Self::Tfvars => None,
        }
    }

    /// Whether somebody has to say if this setting is to be written: it is a secret, and would stand there in full.
    #[must_use]
    pub fn discloses(self, output: &Output) -> bool {
        let in_full = match self {
            Self::Gitlab => false,
            Self::Helm | Self::CrV1 => helm::only_in_full(&output.name),
            Self::Cr => custom_resource::only_in_full(&output.name),
            _ => true,
        };
        in_full && output.is_to_be_asked_for()
    }
}

/// Write the settings, with a final newline; those without a known value are left out, or referred to.
///
/// # Errors
///
/// The format cannot hold a value.
pub fn render(settings: &Settings<'_>, format: OutputFormat) -> Result<Written, Unwritable> {
    let text = match format {
        OutputFormat::Env => assignments(settings.outputs),
        OutputFormat::Dotenv => dotenv::write(settings.outputs),
        OutputFormat::Json => format!("{:#}\n", Value::Object(object(settings.outputs))),
        OutputFormat::Docker => docker::write(settings.outputs)?,
        OutputFormat::Gitlab => return gitlab::write(settings.outputs),
        OutputFormat::Github => return github::write(settings.outputs),
        OutputFormat::Helm => return helm::write(settings),
        OutputFormat::Cr => return custom_resource::write(settings),
        OutputFormat::CrV1 => return custom_resource::write_v1(settings),
        OutputFormat::K8sSecret => kubernetes::write(settings)?,
        OutputFormat::Tfvars => tfvars::write(settings.outputs)?,
    };
    Ok(Written { notes: left_out(settings.outputs), ..Written::of(text) })
}

/// Assignments of a shell, which can hold any value.
#[must_use]
pub fn assignments(outputs: &[Output]) -> String {
    shell::write(outputs)
}

/// The settings with a known value as one JSON object.
fn object(outputs: &[Output]) -> Map<String, Value> {
    let known = |output: &Output| Some((output.name.clone(), Value::from(output.known()?)));
    outputs.iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests;

//! The `[slack]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use provision_core::deployment::Deployment;
use provision_core::output::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) mod checks;

/// What people see in Slack, where the plan file does not say.
const NAME: &str = "Weights & Biases";

/// The one right that the server's alerts need
/// (<https://docs.slack.dev/reference/scopes/incoming-webhook>).
pub(crate) const SCOPE: &str = "incoming-webhook";

/// Stands for the app's id from before its creation until the id is known.
pub(crate) const PENDING: &str = "pending";

/// Where people look at their apps.
pub(crate) const APPS_PAGE: &str = "https://api.slack.com/apps";

/// Slack: the app that sends the server's alerts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSection {
    /// The app's id. The apply that makes the app writes it here; there is no other way to find the app again.
    pub app_id: Option<String>,
    /// The app's client id (`SLACK_CLIENT_ID`), which is no secret. It is written here together with the id.
    pub client_id: Option<String>,
    /// The workspace that the app was made in. It is written here by the apply that makes the app, and says that it was: whatever becomes
    /// of the app's description, it is the deployment's.
    pub team_id: Option<String>,
    /// A file with the app's secret, named from the plan file's folder: a line `SLACK_SECRET=...`, or the secret alone. `apply --out` writes it, and its name here;
    /// only `output --reveal` shows it.
    pub secret_file: Option<String>,
    /// What people see in Slack, in at most 35 characters. Default: `Weights & Biases`.
    pub name: Option<String>,
    /// Take over the app of that id, which exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// Where Slack sends people back to after they let the app in. Default: the server's host.
    pub redirect_urls: Option<Vec<String>>,
    /// From where the app's tokens may be used: IPv4 addresses or ranges, which others may add to; Slack takes ten in all. They do not cover
    /// incoming webhooks.
    pub ip_ranges: Option<Vec<String>>,
}

/// The plan file as meant: the deployment and its `[slack]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub slack: SlackSection,
    /// The plan file's folder, from which it names files.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Which app it is, and where its secret is.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    pub(crate) id: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) secret_file: Option<String>,
    /// The secret, where this very run made the app and printed it.
    pub(crate) printed: Option<Secret>,
}

impl Settings {
    /// What people see in Slack.
    #[must_use]
    pub fn name(&self) -> &str {
        self.slack.name.as_deref().unwrap_or(NAME)
    }

    /// Where Slack sends people back to.
    #[must_use]
    pub fn redirect_urls(&self) -> BTreeSet<&str> {
        match &self.slack.redirect_urls {
            Some(urls) => urls.iter().map(String::as_str).collect(),
            None => BTreeSet::from([self.deployment.host.as_str()]),
        }
    }

    /// From where the app's tokens may be used.
    #[must_use]
    pub fn ip_ranges(&self) -> BTreeSet<&str> {
        self.slack.ip_ranges.iter().flatten().map(String::as_str).collect()
    }
}

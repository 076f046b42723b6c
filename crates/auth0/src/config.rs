//! The `[auth0]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeMap;

use provision_core::deployment::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod checks;

/// The path of the server's callback for OIDC
/// (<https://docs.wandb.ai/platform/hosting/iam/sso>).
const OIDC_CALLBACK: &str = "/oidc/callback";

/// Auth0: the application that people sign in to the server with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth0Section {
    /// The tenant's own domain, as in `acme.eu.auth0.com`.
    pub domain: String,
    /// The custom domain that people sign in at. Default: the tenant's own.
    pub login_domain: Option<String>,
    /// The application's name. Default: the deployment's.
    pub name: Option<String>,
    /// Take over an application that exists without our mark: `true` for the only one of this name, or a client id.
    #[serde(default)]
    pub adopt: Adopt,
    /// Also for servers that sign people in by OIDC: adds the callback HOST/oidc/callback, and prints OIDC_*.
    #[serde(default)]
    pub oidc: bool,
}

/// Which application to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Adopt {
    /// The only one of the name, or none.
    ByName(bool),
    /// The one with this client id.
    ById(String),
}

impl Default for Adopt {
    fn default() -> Self {
        Self::ByName(false)
    }
}

/// The plan file as meant: the deployment and its `[auth0]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub auth0: Auth0Section,
}

impl Settings {
    /// The application's name.
    #[must_use]
    pub fn application_name(&self) -> &str {
        self.auth0.name.as_deref().unwrap_or(&self.deployment.name)
    }

    /// Where people sign in.
    #[must_use]
    pub fn login_domain(&self) -> &str {
        self.auth0.login_domain.as_deref().unwrap_or(&self.auth0.domain)
    }

    /// Where people may be sent back to after they signed in, by what asks for it.
    pub(crate) fn callbacks(&self) -> BTreeMap<&'static str, String> {
        let host = &self.deployment.host;
        let oidc = self.auth0.oidc.then(|| ("oidc", format!("{host}{OIDC_CALLBACK}")));
        std::iter::once(("server", host.clone())).chain(oidc).collect()
    }

    /// Where they may be sent after they signed out.
    pub(crate) fn logout_url(&self) -> String {
        format!("{}/logout", self.deployment.host)
    }

    /// The deployment's tags, which go into the application's metadata.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.deployment.tags
    }
}

/// What asks for a callback, by its URL.
pub(crate) fn callback_of(url: &str) -> &'static str {
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    if path == Some(OIDC_CALLBACK) { "oidc" } else { "server" }
}

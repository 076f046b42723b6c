//! The settings for the server, and what deserves a warning each time.

use provision_core::output::{Output, OutputSource};

use crate::config::Settings;
use crate::names::Part;

/// How the server is to sign in where it reads OIDC_*: without a secret
/// (<https://docs.wandb.ai/platform/hosting/iam/sso>).
const AUTH_METHOD: &str = "pkce";

/// The names of all that there may be.
pub(crate) const NAMES: [&str; 5] =
    ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_AUTH_METHOD"];

/// The settings for the server; those with the client id once there is one.
pub(crate) fn outputs(settings: &Settings, client_id: Option<&str>) -> Vec<Output> {
    let domain = settings.login_domain();
    let id = |name: &str| client_id.map(|id| Output::new(name, id));
    let mut outputs = vec![Some(Output::new("AUTH0_DOMAIN", domain)), id("AUTH0_CLIENT_ID")];
    if settings.auth0.oidc {
        // The issuer has a slash at its end (<https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery>).
        outputs.push(Some(Output::new("OIDC_ISSUER", format!("https://{domain}/"))));
        outputs.push(id("OIDC_CLIENT_ID"));
        outputs.push(Some(Output::new("OIDC_AUTH_METHOD", AUTH_METHOD)));
    }
    outputs.into_iter().flatten().collect()
}

/// What decides each. Domains are nowhere on record.
pub(crate) fn sources(settings: &Settings) -> Vec<(&'static str, OutputSource)> {
    let ids = ["AUTH0_CLIENT_ID", "OIDC_CLIENT_ID"].into_iter().take(if settings.auth0.oidc { 2 } else { 1 });
    ids.map(|name| (name, OutputSource::Given(Part::Application.address()))).collect()
}

/// A token with which an apply would stop half way.
pub(crate) fn lacking(scopes: &[&str]) -> Option<String> {
    let scopes: Vec<_> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
    (!scopes.is_empty())
        .then(|| format!("the token has not the scope {}, which apply and destroy need", scopes.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings_with;

    fn text(section: &str, id: Option<&str>) -> Vec<String> {
        let outputs = outputs(&settings_with(section), id).into_iter();
        outputs.map(|output| format!("{}={}", output.name, output.known().unwrap_or_default())).collect()
    }

    #[test]
    fn outputs_are_what_the_server_reads() {
        assert_eq!(text("", Some("aB3")), ["AUTH0_DOMAIN=acme.eu.auth0.com", "AUTH0_CLIENT_ID=aB3"]);
        let expected = [
            "AUTH0_DOMAIN=login.example.com",
            "AUTH0_CLIENT_ID=aB3",
            "OIDC_ISSUER=https://login.example.com/",
            "OIDC_CLIENT_ID=aB3",
            "OIDC_AUTH_METHOD=pkce",
        ];
        assert_eq!(text("oidc = true\nlogin_domain = \"login.example.com\"", Some("aB3")), expected);
        assert_eq!(text("", None), ["AUTH0_DOMAIN=acme.eu.auth0.com"]);
        assert_eq!(NAMES, expected.map(|line| line.split('=').next().unwrap()));
    }

    #[test]
    fn missing_scopes_are_named_together() {
        assert_eq!(lacking(&[]), None);
        assert!(lacking(&["create:clients", "delete:clients"]).unwrap().contains("`create:clients`, `delete:clients`"));
    }
}

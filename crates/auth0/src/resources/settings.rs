//! What an application is made with: a public single page application, which signs people in with PKCE.

use serde_json::{Map, Value, json};

use provision_core::Error;

use crate::client::clients::Application;
use crate::config::Settings;

/// The server's pages sign in by themselves: a public client has no secret
/// (<https://auth0.com/docs/get-started/applications/confidential-and-public-applications>).
const SPA: &str = "spa";

/// Those of a single page application; W&B's servers sign in by PKCE, and older ones by the implicit grant
/// (<https://auth0.com/docs/get-started/applications/application-grant-types>, <https://docs.wandb.ai/platform/hosting/iam/sso>).
const GRANTS: [&str; 3] = ["authorization_code", "implicit", "refresh_token"];

/// The settings of one that is made; of an adopted one the name alone, where the plan file has it.
pub(crate) fn desired(settings: &Settings, created: bool) -> Map<String, Value> {
    let name = ("name", json!(settings.application_name()));
    let all = [
        ("app_type", json!(SPA)),
        ("token_endpoint_auth_method", json!("none")),
        ("oidc_conformant", json!(true)),
        ("grant_types", json!(GRANTS)),
        ("jwt_alg", json!("RS256")),
    ];
    let named = (created || settings.auth0.name.is_some()).then_some(name);
    let rest = all.into_iter().filter(|_| created);
    named.into_iter().chain(rest).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The same as they are; grants in an order of their own.
pub(crate) fn observed(found: &Application) -> Map<String, Value> {
    let mut grants = found.grant_types.clone().unwrap_or_default();
    grants.sort();
    let alg = found.jwt_configuration.as_ref().and_then(|jwt| jwt.get("alg")).cloned();
    let all = [
        ("name", json!(found.name)),
        ("app_type", json!(found.app_type)),
        ("token_endpoint_auth_method", json!(found.token_endpoint_auth_method)),
        ("oidc_conformant", json!(found.oidc_conformant)),
        ("grant_types", json!(grants)),
        ("jwt_alg", alg.unwrap_or_default()),
    ];
    all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What is sent to have these values where there is this application, or none.
pub(crate) fn changes(value: &Value, found: Option<&Application>) -> Result<Map<String, Value>, Error> {
    let Value::Object(wanted) = value else { return Err(Error::bug("settings are no map")) };
    let now = found.map(observed).unwrap_or_default();
    let differing = wanted.iter().filter(|(key, value)| now.get(*key) != Some(value));
    let sent = |(key, value): (&String, &Value)| match key.as_str() {
        "jwt_alg" => ("jwt_configuration".to_owned(), with_alg(found, value)),
        _ => (key.clone(), value.clone()),
    };
    Ok(differing.map(sent).collect())
}

/// The whole of what there is of tokens, as an object may be replaced whole; what only the service sets is left out.
fn with_alg(found: Option<&Application>, alg: &Value) -> Value {
    let mut jwt = found.and_then(|found| found.jwt_configuration.clone()).unwrap_or_default();
    jwt.remove("secret_encoded");
    jwt.insert("alg".to_owned(), alg.clone());
    Value::Object(jwt)
}

/// Why an application that somebody else made is none that the server can use, as far as its settings tell.
pub(crate) fn unfit(found: &Application) -> Option<String> {
    let kind = found.app_type.as_deref();
    let code = found.grant_types.iter().flatten().any(|grant| grant == "authorization_code");
    let why = match (kind, code) {
        (Some(SPA), true) => return None,
        (Some(SPA), false) => "does not allow the grant `authorization_code`".to_owned(),
        (other, _) => {
            let kind = other.map_or_else(|| "has no type".to_owned(), |other| format!("is {other}"));
            format!("{kind}, and the server's pages sign in as a single page application (`{SPA}`)")
        }
    };
    Some(format!("application `{}` {why}; provision did not make it, and leaves this as it is", found.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings_with;

    fn application(value: Value) -> Application {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_made_is_seen_as_desired() {
        let desired = Value::Object(desired(&settings_with(""), true));
        let sent = Value::Object(changes(&desired, None).unwrap());
        assert_eq!(sent["jwt_configuration"], json!({"alg": "RS256"}));
        let found = application(sent);
        assert_eq!(Value::Object(observed(&found)), desired);
        assert!(changes(&desired, Some(&found)).unwrap().is_empty());
    }

    #[test]
    fn only_what_differs_is_written_and_what_the_service_sets_is_not_sent_back() {
        let found = application(json!({"name": "x", "app_type": "spa", "grant_types": ["refresh_token", "implicit"],
            "jwt_configuration": {"alg": "HS256", "lifetime_in_seconds": 60, "secret_encoded": true}}));
        let desired = json!({"app_type": "spa", "grant_types": ["implicit", "refresh_token"], "jwt_alg": "RS256"});
        let sent = Value::Object(changes(&desired, Some(&found)).unwrap());
        assert_eq!(sent, json!({"jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 60}}));
    }

    #[test]
    fn an_adopted_application_keeps_its_settings_but_a_name_that_the_file_has() {
        assert!(desired(&settings_with(""), false).is_empty());
        assert_eq!(Value::Object(desired(&settings_with("name = \"x\""), false)), json!({"name": "x"}));
    }

    #[test]
    fn what_the_server_cannot_use_is_said() {
        let of = |value: Value| unfit(&application(value));
        assert_eq!(of(json!({"app_type": "spa", "grant_types": ["authorization_code"]})), None);
        assert!(of(json!({"name": "x", "app_type": "regular_web"})).unwrap().contains("regular_web"));
        assert!(of(json!({"app_type": "spa", "grant_types": []})).unwrap().contains("authorization_code"));
        assert!(of(json!({})).unwrap().contains("has no type, and"));
    }
}

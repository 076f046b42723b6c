//! Where the token comes from, and the client with it.
//!
//! `AUTH0_API_TOKEN` is a token that is ready; otherwise one is asked for as the application `AUTH0_CLIENT_ID`, which proves that it
//! is itself with `AUTH0_CLIENT_SECRET` or `AUTH0_CLIENT_ASSERTION_PRIVATE_KEY`: the same variables as Auth0's Terraform provider
//! reads (<https://registry.terraform.io/providers/auth0/auth0/latest/docs#environment-variables>).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provision_core::identity::SANDBOX;
use provision_core::output::Secret;
use provision_core::provider::Connection;
use provision_core::reach::{self, CredentialSource};
use provision_core::retry::{CONNECT_TIMEOUT, request_timeout};
use provision_core::{Error, tls};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::client::token::{Proof, audience, claims};
use crate::client::{Api, Clients};
use crate::error::{SCOPES, unauthenticated};
use crate::trace::Tracer;

/// A ready token.
const TOKEN: &str = "AUTH0_API_TOKEN";
/// The machine-to-machine application.
const CLIENT_ID: &str = "AUTH0_CLIENT_ID";
/// Its secret.
const CLIENT_SECRET: &str = "AUTH0_CLIENT_SECRET";
/// Its private key.
const PRIVATE_KEY: &str = "AUTH0_CLIENT_ASSERTION_PRIVATE_KEY";
/// The address of an emulator.
const ENDPOINT: &str = "PROVISION_AUTH0_ENDPOINT";

const TRIED: &str = "find Auth0 credentials";

/// The tokens of a process, by tenant: plan files of one tenant share one, of which a month has a limited number.
static SHARED: Mutex<BTreeMap<String, (Clients, Session)>> = Mutex::const_new(BTreeMap::new());

/// Where calls go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The application or user of the token, as far as it says so.
    pub(crate) principal: String,
    /// Endpoints that are not Auth0's own, `NAME=value`.
    pub(crate) endpoints: Vec<String>,
    /// The scopes that the token does not have, as far as it says which it has.
    pub(crate) lacks: Vec<&'static str>,
}

/// The client of a tenant, with a token.
///
/// # Errors
///
/// There are no credentials, or they are not accepted; the token is another tenant's; the endpoint is no emulator's.
pub(crate) async fn connect(connection: &Connection, domain: &str) -> Result<(Clients, Session), Error> {
    let tracer = Tracer::new(connection.trace.clone());
    if let Some(variables) = &connection.sandbox {
        // A sandbox is on this machine: no proxy is asked for it, and no certificate.
        let http = http().no_proxy().tls_certs_only([]);
        let (clients, session) = make(http, domain, tracer, &|name| variables.get(name).cloned()).await?;
        return Ok((clients, Session { endpoints: vec![SANDBOX.to_owned()], ..session }));
    }
    let mut shared = SHARED.lock().await;
    if let Some((clients, session)) = shared.get(domain) {
        let api = Api { trace: tracer, ..clients.api.clone() };
        return Ok((Clients { api, token: clients.token.clone() }, session.clone()));
    }
    let made = make(http(), domain, tracer, &|name| std::env::var(name).ok()).await?;
    shared.insert(domain.to_owned(), made.clone());
    Ok(made)
}

/// A variable of the environment, or of the sandbox in its place; one that is set to nothing is not set.
fn variable(connection: &Connection, name: &str) -> Option<String> {
    let value = match &connection.sandbox {
        Some(variables) => variables.get(name).cloned(),
        None => std::env::var(name).ok(),
    };
    value.filter(|value| !value.is_empty())
}

/// Where calls go, and the variable that says so, where it is not Auth0's own.
///
/// # Errors
///
/// The endpoint is no emulator's.
pub(crate) fn destination(connection: &Connection, domain: &str) -> Result<(String, Option<&'static str>), Error> {
    match variable(connection, ENDPOINT) {
        Some(given) => Ok((endpoint(&given)?, connection.sandbox.is_none().then_some(ENDPOINT))),
        None => Ok((format!("https://{domain}"), None)),
    }
}

/// Where the token comes from, which is asked for as for any call.
pub(crate) async fn source(connection: &Connection, domain: &str) -> Result<CredentialSource, Error> {
    let (clients, session) = connect(connection, domain).await?;
    if connection.sandbox.is_some() {
        return Ok(CredentialSource::sandbox());
    }
    let set = |name: &&str| variable(connection, name).is_some();
    let named = [TOKEN, CLIENT_SECRET, PRIVATE_KEY].into_iter().find(|name| set(name));
    // An emulator has a time of its own.
    let expires = claims(clients.token.reveal())["exp"].as_u64().filter(|_| session.endpoints.is_empty());
    let expires = expires.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    Ok(CredentialSource { from: format!("the environment ({})", named.unwrap_or(TOKEN)), expires })
}

/// Where variables are looked up.
type Variables<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

async fn make(
    http: reqwest::ClientBuilder,
    domain: &str,
    trace: Tracer,
    variable: Variables<'_>,
) -> Result<(Clients, Session), Error> {
    // A variable that is set to nothing is not set.
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let http = http.build().map_err(|error| tls::unusable(&error))?;
    let overridden = variable(ENDPOINT).map(|given| endpoint(&given)).transpose()?;
    let endpoints = overridden.iter().map(|url| format!("{ENDPOINT}={url}")).collect();
    let endpoint = overridden.unwrap_or_else(|| format!("https://{domain}"));
    let api = Api { http, endpoint, turn: Arc::default(), trace };
    let token = match variable(TOKEN) {
        Some(token) => ready(token)?,
        None => {
            let (id, proof) = application(&variable)?;
            api.get_token(domain, &id, &proof).await?
        }
    };
    let session = session(token.reveal(), domain, variable(CLIENT_ID), endpoints)?;
    Ok((Clients { api, token }, session))
}

/// Secrets are sent there.
fn endpoint(given: &str) -> Result<String, Error> {
    let url = reach::address_for_secrets(ENDPOINT, given)?;
    match url.path() {
        "/" => Ok(url.as_str().trim_end_matches('/').to_owned()),
        _ => Err(reach::unusable(ENDPOINT, given, "write scheme, host and port alone")),
    }
}

/// A token can stand in a header, or it is none.
fn ready(token: String) -> Result<Secret, Error> {
    let token = token.trim();
    match http::HeaderValue::from_str(token) {
        Ok(_) if !token.contains(char::is_whitespace) => Ok(Secret::new(token)),
        _ => Err(unauthenticated(TRIED, &format!("{TOKEN} holds no token"))),
    }
}

/// The application that asks for a token, and its proof.
fn application(variable: &impl Fn(&str) -> Option<String>) -> Result<(String, Proof), Error> {
    let proof = match (variable(CLIENT_SECRET), variable(PRIVATE_KEY)) {
        (Some(_), Some(_)) => {
            return Err(unauthenticated(
                TRIED,
                &format!("{CLIENT_SECRET} and {PRIVATE_KEY} are both set: one is enough"),
            ));
        }
        (Some(secret), None) => Proof::Secret(Secret::new(secret)),
        (None, Some(key)) => Proof::Key(Secret::new(key)),
        (None, None) => {
            return Err(unauthenticated(
                TRIED,
                &format!("neither {TOKEN} nor {CLIENT_SECRET} nor {PRIVATE_KEY} is set"),
            ));
        }
    };
    match variable(CLIENT_ID) {
        Some(id) => Ok((id, proof)),
        None => Err(unauthenticated(TRIED, &format!("{CLIENT_ID} is not set"))),
    }
}

/// What a token says of itself, checked against the tenant before anything is asked.
fn session(token: &str, domain: &str, id: Option<String>, endpoints: Vec<String>) -> Result<Session, Error> {
    let said = claims(token);
    let texts = |value: &Value| -> Vec<String> {
        let one = value.as_str().map(str::to_owned);
        one.into_iter()
            .chain(value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())))
            .collect()
    };
    let audiences = texts(&said["aud"]);
    if !audiences.is_empty() && !audiences.contains(&audience(domain)) {
        let reason = format!("the token is for {}, and the plan file's tenant is `{domain}`", audiences.join(", "));
        return Err(unauthenticated("use the Auth0 token", &reason)
            .with_hint("write the tenant's own domain as `domain` under [auth0], or use a token of that tenant"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs()).unwrap_or_default();
    if endpoints.is_empty() && said["exp"].as_u64().is_some_and(|expires| expires <= now) {
        return Err(unauthenticated("use the Auth0 token", "it has expired"));
    }
    let granted: Option<BTreeSet<&str>> = said["scope"].as_str().map(|scope| scope.split(' ').collect());
    let lacks = granted.map(|granted| SCOPES.into_iter().filter(|scope| !granted.contains(scope)).collect());
    let named = ["azp", "sub"].iter().find_map(|claim| said[*claim].as_str()).map(str::to_owned);
    let principal = named.or(id).unwrap_or_else(|| format!("the token of {TOKEN}"));
    Ok(Session { principal, endpoints, lacks: lacks.unwrap_or_default() })
}

/// The one pool of connections. Requests go through the environment's proxy, and no redirect is followed.
fn http() -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(request_timeout());
    http.redirect(reqwest::redirect::Policy::none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64URL_NOPAD;
    use provision_core::ErrorKind;
    use serde_json::json;

    fn of(variables: &[(&str, &str)]) -> Result<(String, Proof), String> {
        let found = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        application(&found).map_err(|error| error.to_string())
    }

    fn token(claims: &Value) -> String {
        format!("e30.{}.sig", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()))
    }

    #[test]
    fn credentials_are_a_secret_or_a_key_and_what_is_missing_is_named() {
        assert!(matches!(of(&[(CLIENT_ID, "a"), (CLIENT_SECRET, "b")]), Ok((_, Proof::Secret(_)))));
        assert!(matches!(of(&[(CLIENT_ID, "a"), (PRIVATE_KEY, "b")]), Ok((_, Proof::Key(_)))));
        assert!(of(&[]).unwrap_err().contains(TOKEN));
        assert!(of(&[(CLIENT_SECRET, "hunter2")]).unwrap_err().contains("AUTH0_CLIENT_ID is not set"));
        let both = of(&[(CLIENT_ID, "a"), (CLIENT_SECRET, "hunter2"), (PRIVATE_KEY, "hunter3")]).unwrap_err();
        assert!(both.contains("one is enough") && !both.contains("hunter"), "{both}");
    }

    #[test]
    fn endpoint_is_an_address_alone() {
        assert_eq!(endpoint("http://127.0.0.1:42/").unwrap(), "http://127.0.0.1:42");
        assert!(endpoint("https://auth0.example").is_ok());
        for bad in ["http://10.0.0.1", "https://a/b", "https://u:p@a", "x"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_says_whose_it_is_and_for_which_tenant() {
        let good =
            json!({"aud": "https://acme.auth0.com/api/v2/", "azp": "m2m", "scope": "read:clients update:clients"});
        let found = session(&token(&good), "acme.auth0.com", None, Vec::new()).unwrap();
        assert_eq!((found.principal.as_str(), found.lacks), ("m2m", vec!["create:clients", "delete:clients"]));
        let error = session(&token(&good), "other.auth0.com", None, Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        let listed =
            json!({"aud": ["https://acme.auth0.com/api/v2/", "https://acme.auth0.com/userinfo"], "sub": "auth0|1"});
        assert_eq!(session(&token(&listed), "acme.auth0.com", None, Vec::new()).unwrap().principal, "auth0|1");
        let old = json!({"aud": "https://acme.auth0.com/api/v2/", "exp": 1_000_000});
        assert!(session(&token(&old), "acme.auth0.com", None, Vec::new()).unwrap_err().to_string().contains("expired"));
        assert!(session("opaque", "acme.auth0.com", None, Vec::new()).unwrap().lacks.is_empty());
    }

    #[test]
    fn what_is_no_token_is_said_without_it() {
        assert_eq!(ready(" abc.def \n".to_owned()).unwrap().reveal(), "abc.def");
        for bad in ["hunter2 x", "hunter2\u{7f}", "hunter2\nx"] {
            assert!(!ready(bad.to_owned()).unwrap_err().to_string().contains("hunter2"), "{bad}");
        }
    }
}

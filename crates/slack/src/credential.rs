//! Where the token comes from, and the client on it.

use http::HeaderValue;
use provision_core::identity::SANDBOX;
use provision_core::provider::Connection;
use provision_core::reach;
use provision_core::retry::{CONNECT_TIMEOUT, request_timeout};
use provision_core::{Error, ErrorKind, tls};

use crate::client::Clients;
use crate::error::login;
use crate::trace::Tracer;

/// Slack's own (<https://docs.slack.dev/apis/web-api/>).
const ENDPOINT: &str = "https://slack.com/api";
/// An emulator's.
const ENDPOINT_VARIABLE: &str = "PROVISION_SLACK_ENDPOINT";
/// An app configuration token.
pub(crate) const TOKEN: &str = "SLACK_CONFIG_TOKEN";

/// Where calls go.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Endpoints that are not Slack's own, `NAME=value`.
    pub(crate) endpoints: Vec<String>,
}

impl Session {
    /// Whether it is a sandbox inside of this command.
    pub(crate) fn is_sandbox(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint == SANDBOX)
    }
}

/// A client with a token.
///
/// # Errors
///
/// There is no token, or no endpoint that one may be sent to.
pub(crate) fn connect(connection: &Connection) -> Result<(Clients, Session), Error> {
    let token = variable(connection, TOKEN).ok_or_else(no_token)?;
    let (clients, session) = without_token(connection)?;
    Ok((Clients { token: Some(header(&token)?), ..clients }, session))
}

/// The same for what needs none.
///
/// # Errors
///
/// There is no endpoint that a secret may be sent to.
pub(crate) fn without_token(connection: &Connection) -> Result<(Clients, Session), Error> {
    let other = variable(connection, ENDPOINT_VARIABLE);
    let endpoint = other.as_deref().map_or_else(|| Ok(ENDPOINT.to_owned()), endpoint)?;
    let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(request_timeout());
    let http = http.redirect(reqwest::redirect::Policy::none());
    // A sandbox is on this machine: no proxy is asked for it, and no certificate.
    let http = if connection.sandbox.is_some() { http.no_proxy().tls_certs_only([]) } else { http };
    let http = http.build().map_err(|error| tls::unusable(&error))?;
    let endpoints = match (&connection.sandbox, other) {
        (Some(_), _) => vec![SANDBOX.to_owned()],
        (None, Some(_)) => vec![format!("{ENDPOINT_VARIABLE}={endpoint}")],
        (None, None) => Vec::new(),
    };
    Ok((Clients { http, endpoint, token: None, trace: Tracer::new(connection.trace.clone()) }, Session { endpoints }))
}

/// Where calls go, and the variable that says so, where it is not Slack's own.
///
/// # Errors
///
/// There is no endpoint that a secret may be sent to.
pub(crate) fn destination(connection: &Connection) -> Result<(String, Option<&'static str>), Error> {
    match variable(connection, ENDPOINT_VARIABLE) {
        Some(given) => Ok((endpoint(&given)?, connection.sandbox.is_none().then_some(ENDPOINT_VARIABLE))),
        None => Ok((ENDPOINT.to_owned(), None)),
    }
}

/// A variable of the environment, or of the sandbox in its place; one that is set to nothing is not set.
pub(crate) fn variable(connection: &Connection, name: &str) -> Option<String> {
    let value = match &connection.sandbox {
        Some(variables) => variables.get(name).cloned(),
        None => std::env::var(name).ok(),
    };
    value.filter(|value| !value.is_empty())
}

/// Tokens are sent there.
fn endpoint(given: &str) -> Result<String, Error> {
    let url = reach::address_for_secrets(ENDPOINT_VARIABLE, given)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn header(token: &str) -> Result<HeaderValue, Error> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| {
        let error = Error::new(ErrorKind::Unauthenticated, format!("use {TOKEN}"));
        error.with_message("it holds more than one line, or letters that no token has").with_hint(login())
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn no_token() -> Error {
    let error = Error::new(ErrorKind::Unauthenticated, "find a configuration token of Slack");
    error.with_message(format!("{TOKEN} is not set")).with_hint(login())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_one_that_tokens_are_sent_to() {
        assert_eq!(endpoint("https://slack.example.com/api/").unwrap(), "https://slack.example.com/api");
        assert!(endpoint("http://slack.com/api").is_err() && endpoint("slack.com").is_err());
    }

    #[test]
    fn token_is_in_no_error() {
        let error = header("xoxe.xoxp-1-a\nb").unwrap_err();
        assert!(!format!("{error:?}").contains("xoxp"), "{error:?}");
    }
}

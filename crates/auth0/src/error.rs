//! Auth0's error codes, in one table, as the kinds and retry classes that the core knows.
//!
//! Two spellings meet here: the Management API has an `errorCode`, which may be missing; the token endpoint is OAuth's.

use std::fmt::Display;
use std::time::Duration;

use provision_core::error::{absent_if, by_status};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

pub(crate) mod answer;

/// What one call is called, where it goes with what, and what it is for.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) operation: &'static str,
    /// With its parameters, after the endpoint.
    pub(crate) path: String,
    pub(crate) body: Body,
    /// Reads after "cannot".
    pub(crate) tried: String,
}

/// What is sent.
pub(crate) enum Body {
    None,
    Json(Value),
    /// `name=value&...`, as OAuth has it.
    Form(String),
}

impl Body {
    /// As it is sent; nothing where there is none.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Json(value) => value.to_string(),
            Self::Form(form) => form.clone(),
        }
    }

    /// What it says that it is.
    pub(crate) const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
        }
    }
}

impl Call {
    pub(crate) fn new(method: &'static str, operation: &'static str, path: impl Into<String>, tried: String) -> Self {
        Self { method, operation, path: path.into(), body: Body::None, tried }
    }

    pub(crate) fn with_body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// An answer that says "done" and is not what this call gives. Of a write it is the same as an answer that was lost: whether it
    /// had its effect another attempt finds out. Of a read it is the end: what is not known is not guessed.
    pub(crate) fn unreadable(&self, reason: &dyn Display) -> Error {
        let class = if self.method == "GET" { RetryClass::Final } else { RetryClass::Transient };
        let error = Error::new(ErrorKind::Unavailable, &self.tried).with_operation(self.operation).with_retry(class);
        error.with_message(format!("the answer cannot be read: {reason}")).with_hint(
            "a proxy or a sign-in page in between may have answered: check the network, then run the same command again",
        )
    }
}

/// The scope that a call needs (<https://auth0.com/docs/api/management/v2/clients>).
pub(crate) fn scope_of(operation: &str) -> &'static str {
    match operation {
        "clients.create" => "create:clients",
        "clients.update" => "update:clients",
        "clients.delete" => "delete:clients",
        _ => "read:clients",
    }
}

/// Every scope that is needed, by the command that does.
pub(crate) const SCOPES: [&str; 4] = ["read:clients", "create:clients", "update:clients", "delete:clients"];

/// What the service answered.
#[derive(Debug, Default)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<String>,
    /// It is the token endpoint's.
    pub(crate) of_token: bool,
}

/// Nothing came back.
pub(crate) fn unavailable(operation: &str, tried: &str, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).with_operation(operation).with_message(reason);
    error
        .with_retry(RetryClass::Transient)
        .with_hint("check the network, a proxy and `domain` under [auth0], then run the same command again")
}

/// No token.
pub(crate) fn unauthenticated(tried: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, tried).with_message(reason).with_hint(LOGIN)
}

/// How to get credentials.
pub(crate) const LOGIN: &str = "set AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET of a machine-to-machine application that is authorized \
                                for the Auth0 Management API, or AUTH0_API_TOKEN";

/// "You reached the limit of entities of this type for this tenant."
/// <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy>
fn is_entity_limit(answer: &ServiceError) -> bool {
    answer.status == 403 && answer.message.contains("limit of entities")
}

/// The token endpoint has answered 500 and `access_denied` with this for too many requests
/// (<https://community.auth0.com/t/77440>).
fn is_rate_limit(answer: &ServiceError) -> bool {
    answer.status == 429 || answer.message.contains("Global limit has been reached")
}

/// The table <https://auth0.com/docs/api/management/v2/clients>.
fn classify(answer: &ServiceError) -> (ErrorKind, RetryClass) {
    use ErrorKind as Kind;
    if is_rate_limit(answer) {
        return (Kind::RateLimited, RetryClass::Throttled(None));
    }
    // Whatever the token endpoint refuses, it refuses the credentials.
    if answer.of_token && (400..500).contains(&answer.status) && answer.status != 408 {
        return (Kind::Unauthenticated, RetryClass::Final);
    }
    if is_entity_limit(answer) {
        return (Kind::QuotaExceeded, RetryClass::Final);
    }
    match answer.code.as_str() {
        "insufficient_scope" => (Kind::PermissionDenied, RetryClass::Final),
        // What the tenant's plan does not include.
        "insufficient_entitlement" | "operation_not_supported" => (Kind::Unsupported, RetryClass::Final),
        "invalid_body" | "invalid_uri" | "invalid_query_string" => (Kind::InvalidInput, RetryClass::Final),
        code if answer.status == 404 && (code.starts_with("inexistent_") || code.ends_with("_not_found")) => {
            (Kind::NotFound, RetryClass::Final)
        }
        // There is no such call at this address: nothing is said of the thing itself.
        _ if answer.status == 404 => (Kind::Unsupported, RetryClass::Final),
        _ if answer.status == 400 => (Kind::InvalidInput, RetryClass::Final),
        _ => by_status(answer.status),
    }
}

/// `None` where the service said that the thing is not there.
pub(crate) fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    absent_if(result, |error| error.kind() == ErrorKind::NotFound)
}

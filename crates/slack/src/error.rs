//! Slack's error codes, in one table, as the kinds and retry classes that the core knows
//! (<https://docs.slack.dev/reference/methods/apps.manifest.create#errors>, and the pages of the other methods).

use std::fmt::Display;
use std::time::Duration;

use http::HeaderMap;
use provision_core::error::{absent_if, by_status};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

use crate::config::APPS_PAGE;

/// What one call is called, what it sends, and what it is for.
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) form: Vec<(&'static str, String)>,
    /// Reads after "cannot".
    pub(crate) tried: String,
}

impl Call {
    pub(crate) fn new(operation: &'static str, tried: impl Into<String>) -> Self {
        Self { operation, form: Vec::new(), tried: tried.into() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.form.push((name, value.into()));
        self
    }

    /// Whether it changes nothing.
    fn reads(&self) -> bool {
        ["export", "validate", "test"].iter().any(|reading| self.operation.ends_with(reading))
    }

    /// Nothing came back.
    pub(crate) fn unavailable(&self, reason: &str) -> Error {
        let error = Error::new(ErrorKind::Unavailable, &self.tried).with_operation(self.operation).with_message(reason);
        error
            .with_retry(RetryClass::Transient)
            .with_hint("check the network, a proxy and PROVISION_SLACK_ENDPOINT, then run the same command again")
    }

    /// An answer that says "done" and is not what this call gives. Of a write it is the same as an answer that was lost. Of a read it
    /// is the end: what is not known is not guessed.
    pub(crate) fn unreadable(&self, reason: &dyn Display) -> Error {
        let class = if self.reads() { RetryClass::Final } else { RetryClass::Transient };
        let error = Error::new(ErrorKind::Unavailable, &self.tried).with_operation(self.operation);
        let error = error.with_message(format!("the answer cannot be read: {reason}")).with_retry(class);
        error.with_hint(
            "a proxy or a sign-in page in between may have answered: check the network, then run the same command again",
        )
    }
}

/// The code of a call that never got anywhere.
pub(crate) const NOT_SENT: &str = "not_sent";

/// How to get a token.
pub(crate) fn login() -> String {
    format!(
        "make an app configuration token for your workspace at {APPS_PAGE}, and put it into SLACK_CONFIG_TOKEN; it lasts 12 hours"
    )
}

/// The table.
fn classify(code: &str) -> (ErrorKind, RetryClass) {
    use ErrorKind as Kind;
    match code {
        "not_authed"
        | "invalid_auth"
        | "token_expired"
        | "token_revoked"
        | "account_inactive"
        | "not_allowed_token_type"
        | "invalid_refresh_token" => (Kind::Unauthenticated, RetryClass::Final),
        "no_permission"
        | "missing_scope"
        | "access_denied"
        | "app_not_eligible"
        | "app_not_owned_by_manager_app"
        | "published_app_only"
        | "restricted_action"
        | "team_access_not_granted" => (Kind::PermissionDenied, RetryClass::Final),
        "app_not_found" | "invalid_app_id" => (Kind::NotFound, RetryClass::Final),
        "invalid_manifest" | "invalid_app" | "invalid_arguments" | "failed_creating_app" => {
            (Kind::InvalidInput, RetryClass::Final)
        }
        "ratelimited" | "rate_limited" => (Kind::RateLimited, RetryClass::Throttled(None)),
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "failed_export" => {
            (Kind::Unavailable, RetryClass::Transient)
        }
        "unknown_method" | "method_deprecated" | "team_added_to_org" => (Kind::Unsupported, RetryClass::Final),
        _ => (Kind::Unexpected, RetryClass::Final),
    }
}

/// The error of an answer without Slack's own: something in between gave it, or the service is in trouble.
pub(crate) fn from_status(call: &Call, status: u16, headers: &HeaderMap) -> Error {
    let (kind, class) = by_status(status);
    let passing = matches!(class, RetryClass::Throttled(_) | RetryClass::Transient);
    if !passing {
        return call.unreadable(&format!("{status}, without the service's own words"));
    }
    let error =
        Error::new(kind, &call.tried).with_operation(call.operation).with_retry(class.after(retry_after(headers)));
    error.with_response(Some(status), None, None)
}

/// The error of an answer that says "not ok".
pub(crate) fn from_answer(call: &Call, answer: &Value, headers: &HeaderMap) -> Error {
    let Some(code) = answer["error"].as_str() else {
        return call.unreadable(&"it says neither what it did nor why not");
    };
    let (kind, class) = classify(code);
    let error = Error::new(kind, &call.tried).with_operation(call.operation);
    let error = error.with_retry(class.after(retry_after(headers))).with_response(Some(200), Some(code), None);
    let error = match details(answer) {
        text if text.is_empty() => error,
        text => error.with_message(text),
    };
    match advice(code) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What is wrong with a manifest, and where
/// (<https://docs.slack.dev/reference/methods/apps.manifest.validate>).
fn details(answer: &Value) -> String {
    let one = |error: &Value| {
        let message = error["message"].as_str()?;
        Some(match error["pointer"].as_str() {
            Some(pointer) => format!("{message} ({pointer})"),
            None => message.to_owned(),
        })
    };
    let errors = answer["errors"].as_array().into_iter().flatten().filter_map(one);
    let messages = answer["response_metadata"]["messages"].as_array().into_iter().flatten();
    let messages = messages.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    errors.chain(messages).collect::<Vec<_>>().join("; ")
}

fn advice(code: &str) -> Option<String> {
    Some(match code {
        "token_expired" => format!(
            "configuration tokens last 12 hours: `provision slack token --out FILE` makes a new one of SLACK_REFRESH_TOKEN, or {}",
            login()
        ),
        "invalid_auth" => format!(
            "the token is no (longer) one of Slack's, or your workspace does not take requests from this address: {}",
            login()
        ),
        "not_authed" | "token_revoked" | "account_inactive" => login(),
        "not_allowed_token_type" => format!("this is a token of another kind (bots' begin with `xoxb-`): {}", login()),
        "invalid_refresh_token" => {
            format!(
                "each refresh token can be used once, and this one was used or is none: make a new pair at {APPS_PAGE}"
            )
        }
        "app_not_eligible" | "app_not_owned_by_manager_app" => {
            format!(
                "this token may not manage the app: use one of the app's owner, or add yourself as a collaborator at {APPS_PAGE}"
            )
        }
        "internal_error" | "fatal_error" => {
            "Slack says that part of it may have been done: run the same command again".to_owned()
        }
        _ => return None,
    })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Whether a creation that ended so may have made an app: "some aspect of the operation may have succeeded"
/// (<https://docs.slack.dev/reference/methods/apps.manifest.create#errors>), or nobody knows what it did.
pub(crate) fn may_have_created(error: &Error) -> bool {
    let unknown = error.kind() == ErrorKind::Unavailable && error.code() != Some(NOT_SENT);
    unknown || error.code() == Some("failed_adding_collaborator")
}

/// What there is to say then. It is never sent again.
pub(crate) fn uncertain(error: Error, name: &str) -> Error {
    let hint = format!(
        "look at {APPS_PAGE} for `{name}` before you run it again: if it is there, write its id (App ID) in the place of `pending`, in the \
         line `app_id = \"pending\"` of the plan file; if not, take that line out"
    );
    error
        .with_retry(RetryClass::Final)
        .with_hint(hint)
        .look_first()
        .tried(format!("tell whether Slack app `{name}` was made"))
}

/// `None` where Slack said that the app is not there.
pub(crate) fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    absent_if(result, |error| error.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(operation: &'static str, answer: Value) -> Error {
        from_answer(&Call::new(operation, "do it"), &answer, &HeaderMap::new())
    }

    #[test]
    fn codes_say_what_to_do() {
        let of = |code: &str| error("apps.manifest.export", json!({"ok": false, "error": code}));
        for code in ["token_expired", "token_revoked", "invalid_auth", "not_allowed_token_type", "not_authed"] {
            assert!(of(code).kind() == ErrorKind::Unauthenticated && of(code).hint().is_some(), "{code}");
        }
        assert_eq!(*of("ratelimited").retry(), RetryClass::Throttled(None));
        assert_eq!(*of("internal_error").retry(), RetryClass::Transient);
        assert_eq!((of("new_one").kind(), of("app_not_found").kind()), (ErrorKind::Unexpected, ErrorKind::NotFound));
    }

    #[test]
    fn problems_of_a_manifest_are_named_with_their_place() {
        let errors = json!([{"message": "Must be unique", "pointer": "/oauth_config"}, {"message": "Too long"}]);
        let error =
            error("apps.manifest.validate", json!({"ok": false, "error": "invalid_manifest", "errors": errors}));
        assert_eq!(error.message(), Some("Must be unique (/oauth_config); Too long"));
    }

    #[test]
    fn only_what_surely_made_nothing_is_sure() {
        let of = |code: &str| may_have_created(&error("apps.manifest.create", json!({"ok": false, "error": code})));
        assert!(of("internal_error") && of("fatal_error") && of("request_timeout") && of("failed_adding_collaborator"));
        assert!(!of("invalid_manifest") && !of("ratelimited") && !of("token_expired") && !of("failed_creating_app"));
        let call = Call::new("apps.manifest.create", "do it");
        assert!(may_have_created(&call.unreadable(&"x")) && may_have_created(&call.unavailable("x")));
        assert!(may_have_created(&from_status(&call, 502, &HeaderMap::new())));
        assert!(may_have_created(&from_status(&call, 302, &HeaderMap::new())));
        assert!(!may_have_created(&from_status(&call, 429, &HeaderMap::new())));
        let not_sent = call.unavailable("refused").with_response(None, Some(NOT_SENT), None);
        assert!(!may_have_created(&not_sent));
    }
}

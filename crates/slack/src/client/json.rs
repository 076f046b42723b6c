//! How a call is sent and its answer read: a form in, JSON out, status 200 for errors too
//! (<https://docs.slack.dev/apis/web-api/>). Only so much of an answer is read as there can be, no redirect is followed, and
//! requests go through the environment's proxy.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use provision_core::trace::body_without_secrets;
use provision_core::{Error, RetryClass, retry};
use provision_http::{Answer, NoAnswer};
use serde_json::Value;
use url::form_urlencoded;

use crate::client::Clients;
use crate::error::{Call, NOT_SENT, from_answer, from_status};

impl Clients {
    /// Send a call once, and read its answer.
    pub(super) async fn once<T>(&self, call: &Call, read: impl Fn(Value) -> Result<T, String>) -> Result<T, Error> {
        let url = format!("{}/{}", self.endpoint, call.operation);
        let sent = self.trace.sent(call, &url);
        let answer = self.answered(call, &url).await;
        let seen = answer.as_ref().ok();
        self.trace.answered(sent, seen.map(|answer| answer.status), || body_without_secrets(&seen?.body));
        match answer? {
            Answer { status: 200..=299, headers, body } => {
                let answer = object(call, &body)?;
                match answer["ok"].as_bool() {
                    Some(true) => read(answer).map_err(|reason| call.unreadable(&reason)),
                    Some(false) => Err(from_answer(call, &answer, &headers)),
                    None => Err(call.unreadable(&"it is not what was asked for")),
                }
            }
            Answer { status, headers, .. } => Err(from_status(call, status, &headers)),
        }
    }

    /// The same through the one retry policy.
    pub(super) async fn send<T>(&self, call: &Call, read: impl Fn(Value) -> Result<T, String>) -> Result<T, Error> {
        retry::call(|| self.once(call, &read)).await
    }

    /// The same for what must not be sent twice: again only where Slack did not take it, or it never got there.
    pub(super) async fn send_once<T>(
        &self,
        call: &Call,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<T, Error> {
        let once = || async {
            let sent = self.once(call, &read).await;
            sent.map_err(|error| match error.retry() {
                RetryClass::Transient if error.code() != Some(NOT_SENT) => error.with_retry(RetryClass::Final),
                _ => error,
            })
        };
        retry::call(once).await
    }

    /// An answer, as far as it is read.
    async fn answered(&self, call: &Call, url: &str) -> Result<Answer, Error> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.form).finish();
        let request = self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let request = match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        };
        provision_http::answer(request).await.map_err(|none| match none {
            NoAnswer::Endless => call.unreadable(&none),
            NoAnswer::NotSent(reason) => call.unavailable(&reason).with_response(None, Some(NOT_SENT), None),
            NoAnswer::Lost(reason) => call.unavailable(&reason),
        })
    }
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn object(call: &Call, bytes: &[u8]) -> Result<Value, Error> {
    provision_http::object(bytes).map_err(|reason| call.unreadable(&reason))
}

/// A text that an answer must have.
pub(super) fn text(answer: &Value, path: &[&str]) -> Result<String, String> {
    let found = path.iter().try_fold(answer, |value, key| value.get(key)).and_then(Value::as_str);
    match found.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("it has no {}", path.join("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_that_cannot_be_read_are_errors() {
        let call = Call::new("apps.manifest.export", "read");
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(object(&call, body.as_bytes()).is_err(), "{body}");
        }
        let answer = object(&call, br#"{"app_id": "A1", "credentials": {"client_id": ""}}"#).unwrap();
        assert_eq!(text(&answer, &["app_id"]), Ok("A1".to_owned()));
        assert!(text(&answer, &["credentials", "client_id"]).is_err() && text(&json!({"a": 1}), &["a"]).is_err());
    }
}

//! How a call is sent and its answer read. Only so much of an answer is read as there can be, no redirect is followed, and requests
//! go through the environment's proxy, one at a time.

use http::header::CONTENT_TYPE;
use provision_core::output::Secret;
use provision_core::trace::body_without_secrets;
use provision_core::{Error, retry};
use provision_http::{Answer, NoAnswer};
use serde_json::Value;

use crate::client::{Api, Clients};
use crate::error::answer::from_json;
use crate::error::{Call, unavailable};

/// A value as a part of a URL has it (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Api {
    /// Send a call once, and read its answer.
    pub(super) async fn once<T>(
        &self,
        call: &Call,
        token: Option<&Secret>,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<T, Error> {
        let _turn = self.turn.lock().await;
        let url = format!("{}{}", self.endpoint, call.path);
        let sent = self.trace.sent(call, &url);
        let answer = answered(call, self.request(call, &url, token)).await;
        let seen = answer.as_ref().ok();
        self.trace.answered(sent, seen.map(|answer| answer.status), || body_without_secrets(&seen?.body));
        match answer? {
            Answer { status: 200..=299, body, .. } => {
                read(document(call, &body)?).map_err(|reason| call.unreadable(&reason))
            }
            Answer { status, headers, body } => Err(from_json(call, status, &headers, &body)),
        }
    }

    fn request(&self, call: &Call, url: &str, token: Option<&Secret>) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token.reveal());
        }
        match call.body.kind() {
            Some(kind) => request.header(CONTENT_TYPE, kind).body(call.body.text()),
            None => request,
        }
    }
}

impl Clients {
    /// Send a call once.
    pub(super) async fn once<T>(&self, call: &Call, read: impl Fn(Value) -> Result<T, String>) -> Result<T, Error> {
        self.api.once(call, Some(&self.token), read).await
    }

    /// The same through the one retry policy.
    pub(super) async fn send<T>(&self, call: &Call, read: impl Fn(Value) -> Result<T, String>) -> Result<T, Error> {
        retry::call(|| self.once(call, &read)).await
    }
}

/// An answer, as far as it is read.
async fn answered(call: &Call, request: reqwest::RequestBuilder) -> Result<Answer, Error> {
    provision_http::answer(request).await.map_err(|none| match none {
        NoAnswer::Endless => call.unreadable(&none),
        NoAnswer::NotSent(reason) | NoAnswer::Lost(reason) => unavailable(call.operation, &call.tried, &reason),
    })
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn document(call: &Call, bytes: &[u8]) -> Result<Value, Error> {
    if call.method == "DELETE" && bytes.is_empty() {
        return Ok(Value::Null);
    }
    provision_http::object(bytes).map_err(|reason| call.unreadable(&reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_cannot_be_read_are_errors() {
        let read = |method: &'static str, body: &str| {
            document(&Call::new(method, "clients.get", "/", "read".to_owned()), body.as_bytes()).is_ok()
        };
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(!read("GET", body), "{body}");
        }
        assert!(read("GET", "{}") && read("DELETE", "") && !read("DELETE", "<html>"));
    }

    #[test]
    fn what_is_unreadable_ends_a_read_and_repeats_a_write() {
        let class = |method| Call::new(method, "clients.get", "/", String::new()).unreadable(&"x").retry().clone();
        assert_eq!(class("GET"), provision_core::RetryClass::Final);
        assert_eq!(["POST", "PATCH", "DELETE"].map(class), [const { provision_core::RetryClass::Transient }; 3]);
    }

    #[test]
    fn ids_are_encoded_word_for_word() {
        assert_eq!(encoded("a/b c%"), "a%2Fb%20c%25");
    }
}

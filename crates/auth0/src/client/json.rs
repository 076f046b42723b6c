//! How a call is sent and its answer read. Only so much of an answer is read as there can be, no redirect is followed, and requests
//! go through the environment's proxy, one at a time.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use provision_core::error::root_cause;
use provision_core::output::Secret;
use provision_core::trace::body_without_secrets;
use provision_core::{Error, retry};
use serde_json::Value;

use crate::client::{Api, Clients};
use crate::error::answer::from_json;
use crate::error::{Call, unavailable};

/// The longest answer that is read: a page of a hundred applications takes a small part of it.
const LONGEST_ANSWER: usize = 16 << 20;

/// What is said of an answer that did not come as long as one is waited for.
const LATE: &str = "no answer in time";

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
        let (status, bytes) = (answer.as_ref().ok().map(|(status, ..)| *status), answer.as_ref().ok());
        self.trace.answered(sent, status, || body_without_secrets(&bytes?.2));
        match answer? {
            (200..=299, _, bytes) => read(document(call, &bytes)?).map_err(|reason| call.unreadable(&reason)),
            (status, headers, bytes) => Err(from_json(call, status, &headers, &bytes)),
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

/// Status, headers and body, as far as it is read.
async fn answered(call: &Call, request: reqwest::RequestBuilder) -> Result<(u16, HeaderMap, Vec<u8>), Error> {
    let nothing = |error: reqwest::Error| {
        let reason = if error.is_timeout() { LATE.to_owned() } else { root_cause(&error) };
        unavailable(call.operation, &call.tried, &reason)
    };
    let mut response = request.send().await.map_err(nothing)?;
    let (status, headers, mut body) = (response.status().as_u16(), response.headers().clone(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(nothing)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(call.unreadable(&"it does not end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn document(call: &Call, bytes: &[u8]) -> Result<Value, Error> {
    if call.method == "DELETE" && bytes.is_empty() {
        return Ok(Value::Null);
    }
    let answer = serde_json::from_slice::<Value>(bytes).map_err(|error| call.unreadable(&error))?;
    if answer.is_object() { Ok(answer) } else { Err(call.unreadable(&"it is no object")) }
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

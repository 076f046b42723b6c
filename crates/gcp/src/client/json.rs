//! How a call is sent and its answer read: Google's services all speak JSON over HTTP. Only so much of an answer is read as
//! there can be, no redirect is followed, and requests go through the environment's proxy.

use google_cloud_auth::credentials::CacheableResource;
use http::header::CONTENT_LENGTH;
use provision_core::error::root_cause;
use provision_core::trace::body_without_secrets;
use provision_core::{Error, retry};
use provision_http::{Answer, NoAnswer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::expected::{Listed, Page, page};
use crate::client::{Clients, Json, Pages};
use crate::error::answer::{from_json, no_token};
use crate::error::{Call, unavailable};

/// A 64-bit integer, which JSON has as text (<https://protobuf.dev/programming-guides/json/>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "String")]
pub(crate) struct Int64(pub(crate) i64);

/// A time as JSON has it, `604800s` or `1.5s` (<https://protobuf.dev/reference/protobuf/google.protobuf/#duration>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Duration {
    text: String,
    seconds: i64,
}

impl TryFrom<Value> for Int64 {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.map(Self).ok_or_else(|| format!("{value} is no integer"))
    }
}

impl From<Int64> for String {
    fn from(number: Int64) -> Self {
        number.0.to_string()
    }
}

impl Duration {
    /// So many whole seconds.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        Self { text: format!("{seconds}s"), seconds }
    }

    /// Its whole seconds.
    pub(crate) const fn seconds(&self) -> i64 {
        self.seconds
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let whole = text.strip_suffix('s').and_then(|number| number.split('.').next());
        match whole.and_then(|number| number.parse().ok()) {
            Some(seconds) => Ok(Self { text, seconds }),
            None => Err(format!("`{text}` is no duration")),
        }
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.text
    }
}

/// A value as a part of a URL has it (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The path of a full name, `projects/P/topics/T`.
pub(super) fn path_of(name: &str) -> String {
    let words: Vec<_> = name.split('/').map(encoded).collect();
    format!("/v1/{}", words.join("/"))
}

/// The parameter that names a page; the first one needs none.
pub(super) fn page_parameter(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("&pageToken={}", encoded(token)) }
}

impl Clients {
    /// Send a call once, and read its answer.
    pub(super) async fn once<T>(
        &self,
        api: &Json,
        call: &Call,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<T, Error> {
        let url = format!("{}{}", api.endpoint, call.path);
        let request = request(api, call, &url).await?;
        let sent = self.trace.sent(call, &url);
        let answer = answered(call, request).await;
        let seen = answer.as_ref().ok();
        self.trace.answered(sent, seen.map(|answer| answer.status), || body_without_secrets(&seen?.body));
        match answer? {
            Answer { status: 200..=299, body, .. } => {
                read(object(call, &body)?).map_err(|reason| call.unreadable(&reason))
            }
            Answer { status, headers, body } => Err(from_json(call, status, &headers, &body)),
        }
    }

    /// The same through the one retry policy.
    pub(super) async fn send<T>(
        &self,
        api: &Json,
        call: &Call,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<T, Error> {
        retry::call(|| self.once(api, call, &read)).await
    }

    /// Everything in a list, by the call for each page.
    pub(super) async fn list<T: Listed>(&self, api: &Json, call: impl Fn(&Pages) -> Call) -> Result<Vec<T>, Error> {
        let (mut pages, mut found) = (Pages::default(), Vec::new());
        loop {
            let call = call(&pages);
            let Page { items, next } = self.send(api, &call, page::<T>).await?;
            found.extend(items);
            if !pages.turn(&call, next)? {
                return Ok(found);
            }
        }
    }
}

/// A request with its token and its body.
async fn request(api: &Json, call: &Call, url: &str) -> Result<reqwest::RequestBuilder, Error> {
    let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
    let request = api.http.request(method, url).headers(token(api, call).await?);
    Ok(match &call.body {
        Some(body) => request.json(body),
        // Google's front end refuses a POST that does not say that it has no body: 411.
        None if call.method == "POST" => request.header(CONTENT_LENGTH, 0),
        None => request,
    })
}

/// The headers that carry the token. They are not written into a trace.
async fn token(api: &Json, call: &Call) -> Result<http::HeaderMap, Error> {
    let asked = timeout(retry::request_timeout(), api.credentials.headers(http::Extensions::new())).await;
    match asked {
        Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
        Ok(Ok(CacheableResource::NotModified)) => Ok(http::HeaderMap::new()),
        Ok(Err(error)) if error.is_transient() => Err(unavailable("a token", &call.tried, &root_cause(&error))),
        Ok(Err(error)) => Err(no_token(&call.tried, &error)),
        Err(_) => Err(unavailable("a token", &call.tried, LATE)),
    }
}

/// What is said of an answer that did not come as long as one is waited for.
const LATE: &str = "no answer in time";

/// An answer, as far as it is read.
async fn answered(call: &Call, request: reqwest::RequestBuilder) -> Result<Answer, Error> {
    provision_http::answer(request).await.map_err(|none| match none {
        NoAnswer::Endless => call.unreadable(&none),
        NoAnswer::NotSent(reason) | NoAnswer::Lost(reason) => unavailable(call.operation, &call.tried, &reason),
    })
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn object(call: &Call, bytes: &[u8]) -> Result<Value, Error> {
    if call.method == "DELETE" && bytes.is_empty() {
        return Ok(Value::Null);
    }
    provision_http::object(bytes).map_err(|reason| call.unreadable(&reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(method: &'static str, body: &str) -> Result<Value, provision_core::ErrorKind> {
        let call = Call::new(method, "storage.notificationConfigs.list", "/", "read".to_owned());
        object(&call, body.as_bytes()).map_err(|error| error.kind())
    }

    #[test]
    fn answers_that_cannot_be_read_are_errors() {
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(read("GET", body).is_err(), "{body}");
        }
        assert_eq!(read("GET", "{}"), Ok(json!({})));
        assert!(read("DELETE", "").is_ok() && read("DELETE", "<html>").is_err());
    }

    #[test]
    fn names_are_encoded_word_for_word() {
        assert_eq!(path_of("projects/example.com:a/topics/b%+"), "/v1/projects/example.com%3Aa/topics/b%25%2B");
        assert_eq!(encoded("a/b c"), "a%2Fb%20c");
    }

    #[test]
    fn numbers_and_times_are_text_in_json() {
        let number = |value: Value| serde_json::from_value::<Int64>(value).map(|number| number.0).ok();
        assert_eq!((number(json!("9007199254740993")), number(json!(7))), (Some(9_007_199_254_740_993), Some(7)));
        assert_eq!((number(json!("x")), number(json!(1.5)), json!(Int64(7))), (None, None, json!("7")));
        let time = |text: &str| serde_json::from_value::<Duration>(json!(text)).ok();
        assert_eq!(time("600s"), Some(Duration::of_seconds(600)));
        let time = time("1.5s").unwrap();
        assert_eq!((time.seconds(), json!(time)), (1, json!("1.5s")));
        assert!(serde_json::from_value::<Duration>(json!("600")).is_err());
    }
}

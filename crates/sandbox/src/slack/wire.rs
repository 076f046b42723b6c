//! How Slack names its requests and phrases its errors.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use serde_json::{Value, json};

use super::{Refusal, plain};
use crate::emulator::Wire;
use crate::world::World;

/// The forms of Slack. Operations are `slack:apps.manifest.create`. An error of status 200 is its code in JSON; any other status is
/// one of something in between, in plain text.
#[derive(Clone, Copy, Debug)]
pub struct SlackWire;

/// A request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub world: &'a World,
    pub operation: String,
    /// What it is called with: a form, or JSON (<https://docs.slack.dev/apis/web-api/#methods>).
    arguments: Result<BTreeMap<String, Value>, &'static str>,
    headers: HeaderMap,
    /// When it came.
    pub now_ms: u64,
}

impl Wire for SlackWire {
    fn operation(&self, request: &Request<Bytes>) -> String {
        match request.uri().path().strip_prefix("/api/") {
            // <https://docs.slack.dev/reference/methods/api.test>
            Some(method) if request.method() == Method::POST || method == "api.test" => format!("slack:{method}"),
            _ => format!("slack:{} {}", request.method(), request.uri().path()),
        }
    }

    fn reads(&self, operation: &str) -> bool {
        ["slack:api.test", "slack:auth.test", "slack:apps.manifest.validate", "slack:apps.manifest.export"]
            .contains(&operation)
    }

    fn error(&self, _operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
        match status {
            200 => in_json(&json!({"ok": false, "error": code})),
            status => plain(status, format!("{code} {message}")),
        }
    }

    fn throttled(&self, _operation: &str) -> Response<Bytes> {
        limited(1)
    }

    /// Slack has none: what crosses another change replaces it.
    fn conflict(&self, operation: &str) -> Response<Bytes> {
        self.error(operation, 200, "internal_error", "")
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(world: &'a World, request: &Request<Bytes>) -> Self {
        Self {
            world,
            operation: SlackWire.operation(request),
            arguments: arguments(request),
            headers: request.headers().clone(),
            now_ms: world.clock.now_ms(),
        }
    }

    pub(super) fn method(&self) -> &str {
        self.operation.strip_prefix("slack:").unwrap_or(&self.operation)
    }

    /// The token, in the header or among the arguments (<https://docs.slack.dev/apis/web-api/#authentication>).
    pub(super) fn token(&self) -> Option<String> {
        let header = self.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let header = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        header.or_else(|| self.arguments.as_ref().ok()?.get("token")?.as_str().map(str::to_owned))
    }

    /// Whether the body is a form.
    pub(super) fn is_form(&self) -> bool {
        content_type(&self.headers).is_none_or(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    }

    /// Refuse arguments other than these.
    pub(super) fn takes(&self, names: &[&str]) -> Result<(), Refusal> {
        let arguments = self.arguments.as_ref().map_err(|code| Refusal::code(code))?;
        let known = |name: &str| names.contains(&name) || name == "token";
        match arguments.keys().find(|name| !known(name)) {
            Some(name) => Err(Refusal::Code(
                "invalid_arguments",
                json!({"response_metadata": {"messages": [format!("[ERROR] unknown argument [{name}]")]}}),
            )),
            None => Ok(()),
        }
    }

    /// An argument that is a text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.arguments.as_ref().ok()?.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Object(_) => None,
            other => Some(other.to_string()),
        }
    }

    /// An argument that is JSON, as a text or, in a body of JSON, as it is.
    pub(super) fn json(&self, name: &str) -> Option<Value> {
        match self.arguments.as_ref().ok()?.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            value => Some(value.clone()),
        }
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// <https://docs.slack.dev/apis/web-api/#post-bodies>
fn arguments(request: &Request<Bytes>) -> Result<BTreeMap<String, Value>, &'static str> {
    match content_type(request.headers()) {
        Some(kind) if kind.starts_with("application/json") => {
            serde_json::from_slice(request.body()).map_err(|_| "invalid_json")
        }
        Some(kind) if !kind.starts_with("application/x-www-form-urlencoded") => Err("invalid_post_type"),
        _ => {
            let fields = url::form_urlencoded::parse(request.body()).into_owned();
            Ok(fields.map(|(name, value)| (name, Value::from(value))).collect())
        }
    }
}

/// What a caller gets.
pub(super) fn answer(operation: &str, answered: Result<Value, Refusal>) -> Response<Bytes> {
    match answered {
        Ok(mut answer) => {
            answer["ok"] = Value::Bool(true);
            in_json(&answer)
        }
        Err(Refusal::Code(code, more)) => {
            let mut answer = if more.is_object() { more } else { json!({}) };
            answer["ok"] = Value::Bool(false);
            answer["error"] = Value::from(code);
            in_json(&answer)
        }
        Err(Refusal::Limited(seconds)) => limited(seconds),
        Err(Refusal::Unserved(what)) => plain(501, format!("the sandbox does not serve {what}")),
        Err(Refusal::Internal(reason)) => plain(500, format!("{operation}: {reason}")),
    }
}

/// <https://docs.slack.dev/apis/web-api/rate-limits#overview>
fn limited(seconds: u64) -> Response<Bytes> {
    let response = Response::builder().status(429).header("content-type", "application/json; charset=utf-8");
    let response = response.header("retry-after", seconds.max(1));
    response.body(Bytes::from(json!({"ok": false, "error": "ratelimited"}).to_string())).unwrap_or_default()
}

fn in_json(answer: &Value) -> Response<Bytes> {
    let response = Response::builder().header("content-type", "application/json; charset=utf-8");
    response.body(Bytes::from(answer.to_string())).unwrap_or_default()
}

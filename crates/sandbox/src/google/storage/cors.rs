//! Cross-origin rules of buckets <https://cloud.google.com/storage/docs/cross-origin>.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::google::refusal::Refusal;

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::google) struct Cors {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origin: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub method: Vec<String>,
    /// Both what a script may read of an answer and what it may send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_header: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<i32>,
}

impl Cors {
    /// Origins and methods are `*` or have their forms
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets#cors>.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        const METHODS: [&str; 8] = ["*", "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"];
        if let Some(method) = self.method.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(Refusal::invalid(format!("Invalid CORS method: {method}")));
        }
        let origin = |origin: &&String| origin.as_str() != "*" && !origin.contains("://");
        match self.origin.iter().find(origin) {
            Some(origin) => Err(Refusal::invalid(format!("Invalid CORS origin: {origin}"))),
            None => Ok(()),
        }
    }

    fn allows(&self, origin: &str, method: &str) -> bool {
        let has = |list: &[String], value: &str| list.iter().any(|listed| listed == "*" || listed == value);
        has(&self.origin, origin) && has(&self.method, method)
    }

    fn allows_header(&self, name: &str) -> bool {
        let matches = |listed: &String| match listed.strip_suffix('*') {
            Some(prefix) => name.to_ascii_lowercase().starts_with(&prefix.to_ascii_lowercase()),
            None => listed.eq_ignore_ascii_case(name),
        };
        self.response_header.iter().any(matches)
    }

    fn allowed_origin<'a>(&self, origin: &'a str) -> &'a str {
        if self.origin.iter().any(|listed| listed == "*") { "*" } else { origin }
    }
}

/// The headers of the answer to a preflight request: none where the first rule for the origin and the method does not allow each
/// header too, and the status is the same <https://github.com/googleapis/nodejs-storage/issues/1145>,
/// <https://cloud.google.com/storage/docs/cross-origin#server-side-support>.
pub(super) fn preflight(rules: &[Cors], asked: &HeaderMap) -> HeaderMap {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let mut headers = HeaderMap::new();
    let (Some(origin), Some(method)) = (text(header::ORIGIN), text(header::ACCESS_CONTROL_REQUEST_METHOD)) else {
        return headers;
    };
    let wanted = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let rule = rules.iter().find(|rule| rule.allows(origin, method));
    let Some(rule) = rule.filter(|rule| wanted.iter().all(|name| rule.allows_header(name))) else { return headers };
    let mut add = |name: HeaderName, value: &str| {
        headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    };
    add(header::ACCESS_CONTROL_ALLOW_ORIGIN, rule.allowed_origin(origin));
    add(header::ACCESS_CONTROL_ALLOW_METHODS, &rule.method.join(","));
    if !wanted.is_empty() {
        add(header::ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(","));
    }
    add(header::ACCESS_CONTROL_MAX_AGE, &rule.max_age_seconds.unwrap_or(3600).to_string());
    add(header::VARY, "Origin");
    headers
}

/// The headers that let a script of another origin read the answer to a request.
pub(super) fn shared(rules: &[Cors], method: &str, asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = asked.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return headers };
    let Some(rule) = rules.iter().find(|rule| rule.allows(origin, method)) else { return headers };
    let mut add = |name: HeaderName, value: &str| {
        headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    };
    add(header::ACCESS_CONTROL_ALLOW_ORIGIN, rule.allowed_origin(origin));
    if !rule.response_header.is_empty() {
        add(header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.response_header.join(", "));
    }
    add(header::VARY, "Origin");
    headers
}

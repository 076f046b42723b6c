//! CORS rules and what browsers get by them
//! <https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services>.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, ORIGIN, VARY};
use http::{Method, Response};
use serde::{Deserialize, Serialize};

use crate::azure::call::{Call, empty, with};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::{accounts, blob_services};
use crate::state::{Store, Transaction};

/// A rule; each of its properties must be there, if only empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) allowed_origins: Vec<String>,
    pub(super) allowed_methods: Vec<String>,
    pub(super) allowed_headers: Vec<String>,
    pub(super) exposed_headers: Vec<String>,
    pub(super) max_age_in_seconds: u32,
}

const METHODS: [&str; 10] = ["DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH", "CONNECT", "TRACE"];

/// The vendor's limits: five rules for a service; origins, 64 of at most 256 characters; headers, 64 literal and 2 with a
/// prefix, of at most 256 characters; all rules together at most 2 KiB.
pub(super) fn valid(rules: &[Rule]) -> Result<(), String> {
    if rules.len() > 5 {
        return Err(format!("{} CORS rules were given, and at most 5 can be stored for a service.", rules.len()));
    }
    let lists = |rule: &Rule| {
        [&rule.allowed_origins, &rule.allowed_methods, &rule.allowed_headers, &rule.exposed_headers].map(Clone::clone)
    };
    let size: usize = rules.iter().flat_map(lists).flatten().map(|value| value.len()).sum();
    if size > 2048 {
        return Err(format!("The CORS rules have {size} characters, and at most 2 KiB can be stored for a service."));
    }
    rules.iter().try_for_each(one_is_valid)
}

fn one_is_valid(rule: &Rule) -> Result<(), String> {
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err("A CORS rule has at least one allowed origin and one allowed method.".to_owned());
    }
    if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(format!("The CORS method '{method}' is not known; one of {}.", METHODS.join(", ")));
    }
    let all = [&rule.allowed_origins, &rule.allowed_headers, &rule.exposed_headers];
    if all.iter().any(|values| values.iter().any(|value| value.len() > 256)) {
        return Err("An origin or header of a CORS rule has at most 256 characters.".to_owned());
    }
    let prefixed = |values: &[String]| values.iter().filter(|value| value.len() > 1 && value.ends_with('*')).count();
    if [&rule.allowed_headers, &rule.exposed_headers].iter().any(|values| prefixed(values) > 2 || values.len() > 66) {
        return Err("A CORS rule has at most 64 headers in full and 2 with a prefix.".to_owned());
    }
    if rule.allowed_origins.len() > 64 {
        return Err("A CORS rule has at most 64 origins.".to_owned());
    }
    Ok(())
}

/// Answer a browser that asks what it may do; the rules are tried in their order.
pub(super) fn preflight(state: &Transaction<'_>, call: &Call<'_>, account: &str) -> Served {
    let (origin, method) = (call.header("origin"), call.header("access-control-request-method"));
    let (Some(origin), Some(method)) = (origin, method) else {
        let message = "A required CORS header is not present.";
        return Err(Refusal::bad_request("InvalidHeaderValue", message));
    };
    // The firewall asks for no signature either.
    if accounts::named(state, account)?.is_some_and(|account| !account.is_reachable()) {
        return Err(Refusal::unreachable());
    }
    let headers = call.header("access-control-request-headers").unwrap_or_default();
    let rules = rules(state, call, account)?;
    let wanted: Vec<&str> = headers.split(',').map(str::trim).filter(|header| !header.is_empty()).collect();
    let rule = rules.iter().find(|rule| {
        rule.origin(origin) && rule.method(method) && wanted.iter().all(|header| matches(&rule.allowed_headers, header))
    });
    let Some(rule) = rule else {
        let message = "CORS not enabled or no matching rule found for this request.";
        return Err(Refusal::new(403, "CorsPreflightFailure", message));
    };
    let age = rule.max_age_in_seconds.to_string();
    let mut answer = with(
        empty(200),
        &[
            ("access-control-allow-origin", origin),
            ("access-control-allow-methods", method),
            ("access-control-max-age", &age),
            ("access-control-allow-credentials", "true"),
        ],
    );
    if !wanted.is_empty() {
        answer = with(answer, &[("access-control-allow-headers", headers)]);
    }
    Ok(answer)
}

/// A blob service's answer to a real request, with the headers that let a browser's script see it.
pub(super) fn headed(store: &Store, call: &Call<'_>, mut answer: Response<Bytes>) -> Response<Bytes> {
    let Some(origin) = call.header(ORIGIN.as_str()).filter(|_| call.method() != Method::OPTIONS) else { return answer };
    let account = call.request.uri().path().split('/').nth(1).unwrap_or_default();
    let rules = store.transaction(|state| rules(state, call, account)).unwrap_or_default();
    let rule = rules.iter().find(|rule| rule.origin(origin) && rule.method(call.method().as_str()));
    let Some(rule) = rule else {
        if !rules.is_empty() {
            answer.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
        }
        return answer;
    };
    let exposed = rule.exposed(answer.headers());
    let anyone = rule.allowed_origins.iter().any(|allowed| allowed == "*");
    let answer = with(answer, &[("access-control-expose-headers", &exposed)]);
    if anyone {
        return with(answer, &[("access-control-allow-origin", "*")]);
    }
    let headers = [
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
        (VARY.as_str(), "Origin"),
    ];
    with(answer, &headers)
}

impl Rule {
    /// Origins are compared with their case; `*` stands for all, and for any subdomain.
    fn origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| match allowed.split_once('*') {
            Some((before, after)) => {
                origin.len() >= before.len() + after.len() && origin.starts_with(before) && origin.ends_with(after)
            }
            None => allowed == origin,
        })
    }

    fn method(&self, method: &str) -> bool {
        self.allowed_methods.iter().any(|allowed| allowed == method)
    }

    /// The answer's own headers that the rule exposes.
    fn exposed(&self, answer: &HeaderMap) -> String {
        let names = answer.keys().map(|name| name.as_str()).filter(|name| matches(&self.exposed_headers, name));
        names.collect::<Vec<_>>().join(",")
    }
}

/// Headers are compared without their case; one ending in `*` stands for all that begin so.
fn matches(patterns: &[String], header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => header.starts_with(beginning),
        None => pattern == header,
    })
}

fn rules(state: &Transaction<'_>, call: &Call<'_>, account: &str) -> Result<Vec<Rule>, Refusal> {
    let Some(account) = accounts::named(state, account)? else { return Ok(Vec::new()) };
    Ok(blob_services::of(state, &account)?.cors.seen(call.now_ms).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origin: &str, headers: &[&str]) -> Rule {
        Rule {
            allowed_origins: vec![origin.to_owned()],
            allowed_methods: vec!["GET".to_owned(), "PUT".to_owned()],
            allowed_headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            exposed_headers: vec!["*".to_owned()],
            max_age_in_seconds: 60,
        }
    }

    #[test]
    fn sixth_rule_is_refused() {
        let rules = vec![rule("https://a", &[]); 6];
        assert!(valid(&rules[..5]).is_ok());
        assert!(valid(&rules).unwrap_err().contains("at most 5"));
    }

    #[test]
    fn unknown_method_and_long_header_are_refused() {
        let mut wrong = rule("*", &[]);
        wrong.allowed_methods.push("FETCH".to_owned());
        assert!(valid(&[wrong]).is_err());
        assert!(valid(&[rule("*", &[&"x".repeat(257)])]).is_err());
        assert!(valid(&[rule("*", &["a*", "b*", "c*"])]).is_err());
    }

    #[test]
    fn origins_are_compared_with_their_case_and_headers_without() {
        let subdomains = rule("https://*.example.com", &["x-ms-*", "Content-Type"]);
        assert!(subdomains.origin("https://a.example.com") && !subdomains.origin("https://A.EXAMPLE.COM"));
        assert!(!subdomains.origin("https://example.com"));
        assert!(matches(&subdomains.allowed_headers, "X-Ms-Version"));
        assert!(matches(&subdomains.allowed_headers, "content-type"));
        assert!(!matches(&subdomains.allowed_headers, "authorization"));
    }
}

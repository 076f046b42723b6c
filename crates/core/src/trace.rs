//! Requests and answers as they were sent, for `--trace`. A trace is for reading, never for deciding.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::Instant;

use regex_lite::{Captures, Regex};
use serde::Serialize;
use serde_json::Value;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Endings of the names of parameters, fields and members that let whoever reads them act for somebody else.
const SECRET_ENDINGS: [&str; 9] = [
    "signature",
    "signatureprovided",
    "credential",
    "token",
    "secret",
    "assertion",
    "password",
    "accesskey",
    "signedblob",
];

/// Elements in which a service gives back what it was sent, so that signing can be looked into: the session's token is in it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
/// <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>
const ECHOES: [&str; 3] = ["canonicalrequest", "stringtosign", "authenticationerrordetail"];

/// A document in which `Value` is a key
/// (<https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>).
const KEY_DOCUMENT: &str = "<UserDelegationKey>";

/// What is secret wherever it stands in a text: a token behind the name of its scheme or header, and what is sent for one behind
/// its parameter's (<https://datatracker.ietf.org/doc/html/rfc6749>); a token that says itself what it is
/// (<https://docs.slack.dev/authentication/tokens>).
static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parameters = r#"(?:client_secret|client_assertion|assertion|refresh_token|access_token|id_token|password)["']?\s*[:=]\s*["']?"#;
    Regex::new(&format!(r#"(?i)\b(bearer\s+|xox[a-z][-.]|x-amz-security-token[:=]\s*|sig=|{parameters})[^\s<>&"',;]+"#))
        .ok()
});
/// An XML element with nothing but a text in it.
static ELEMENT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"<([A-Za-z0-9]+)>([^<]*)</").ok());

/// A text of a service without the tokens that it gives back.
#[must_use]
pub fn text_without_secrets(text: &str) -> String {
    let blank = |found: &Captures<'_>| format!("{}{REDACTED}", &found[1]);
    replaced(TOKEN.as_ref(), text, &blank).into_owned()
}

fn replaced<'t>(pattern: Option<&Regex>, text: &'t str, with: &dyn Fn(&Captures<'_>) -> String) -> Cow<'t, str> {
    pattern.map_or(Cow::Borrowed(text), |pattern| pattern.replace_all(text, with))
}

/// An XML document whose secret elements are blanked.
fn xml_without_secrets(text: &str) -> String {
    let holds_key = text.contains(KEY_DOCUMENT);
    let blank = |found: &Captures<'_>| {
        let name = found[1].to_ascii_lowercase();
        let echoes = ECHOES.iter().any(|echo| name.starts_with(echo));
        if echoes || is_secret(&name) || (holds_key && name == "value") {
            format!("<{}>{REDACTED}</", &found[1])
        } else {
            found[0].to_owned()
        }
    };
    text_without_secrets(&replaced(ELEMENT.as_ref(), text, &blank))
}

/// One request and its answer. Headers are left out: they hold signatures and tokens.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// The operation as the cloud names it: `s3:PutBucketCors`.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// The URL without secrets.
    pub url: String,
    /// The request's body without secrets; a text that is not JSON is a string.
    pub request: Option<Value>,
    /// The answer's status; `null` where none came.
    pub status: Option<u16>,
    /// The answer's body without secrets.
    pub response: Option<Value>,
    /// From the request to the answer, in milliseconds.
    pub elapsed_ms: u64,
    /// The operation that sent it, by its address and number, where it is one of a run.
    #[serde(skip)]
    pub within: Option<(String, usize)>,
}

tokio::task_local! {
    /// The operation that sends requests.
    static WITHIN: (String, usize);
}

/// Do the work of an operation, whose requests are told as its own.
pub(crate) async fn within<T>(address: &str, id: usize, work: impl Future<Output = T>) -> T {
    WITHIN.scope((address.to_owned(), id), work).await
}

/// Something that takes exchanges.
pub trait TraceSink: Debug + Send + Sync {
    /// Take one.
    fn record(&self, exchange: Exchange);
}

/// A request that was sent, until its answer comes.
#[derive(Clone, Debug)]
pub struct Sent {
    at: Instant,
    exchange: Exchange,
}

impl Sent {
    /// A request that is about to be sent; `url` may hold secrets, `request` may not.
    #[must_use]
    pub fn now(operation: impl Into<String>, method: &str, url: &str, request: Option<Value>) -> Self {
        let (operation, method, url) = (operation.into(), method.to_owned(), url_without_secrets(url));
        let within = WITHIN.try_with(Clone::clone).ok();
        let exchange =
            Exchange { operation, method, url, request, status: None, response: None, elapsed_ms: 0, within };
        Self { at: Instant::now(), exchange }
    }

    /// The exchange with what came of it: no status where nothing came.
    #[must_use]
    pub fn answered(self, status: Option<u16>, response: Option<Value>) -> Exchange {
        let elapsed_ms = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        Exchange { status, response, elapsed_ms, ..self.exchange }
    }
}

/// A URL whose secret parameters are blanked.
#[must_use]
pub fn url_without_secrets(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let fields: Vec<_> = query.split('&').map(blanked).collect();
    format!("{path}?{}", fields.join("&"))
}

/// A body as a trace holds it; `None` if there is none.
#[must_use]
pub fn body_without_secrets(body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Some(Value::from(format!("{} bytes", body.len())));
    };
    match serde_json::from_str(text) {
        Ok(mut value) => {
            redact(&mut value);
            Some(value)
        }
        // Where it ends, what is secret in it cannot be told.
        Err(_) if is_cut_off(text) => Some(Value::from(format!("{} bytes that are not whole", body.len()))),
        Err(_) if is_form(text) => {
            let fields: Vec<_> = text.split('&').map(blanked).collect();
            Some(Value::from(fields.join("&")))
        }
        Err(_) => Some(Value::from(xml_without_secrets(text))),
    }
}

/// Whether a text begins as a document does, JSON that cannot be read or XML, and does not end as one.
fn is_cut_off(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['{', '[']) || (text.starts_with('<') && !text.ends_with('>'))
}

fn is_form(text: &str) -> bool {
    !text.starts_with('<') && text.split('&').all(|field| field.contains('='))
}

fn blanked(field: &str) -> String {
    match field.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
        _ => field.to_owned(),
    }
}

/// Whether what has that name lets whoever reads it act for somebody else.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '-'], "");
    name == "sig" || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // A list of keys: `{"keyName": "key1", "value": ...}`.
            let names_a_key = members.contains_key("keyName");
            for (name, member) in members {
                if member.is_string() && (is_secret(name) || (names_a_key && name == "value")) {
                    *member = Value::from(REDACTED);
                }
                redact(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => *text = text_without_secrets(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn url_loses_signatures_and_keeps_the_rest() {
        let url = "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=abc&X-Amz-Security-Token=t";
        let seen = url_without_secrets(url);
        assert_eq!(
            seen,
            "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=[redacted]&X-Amz-Security-Token=[redacted]"
        );
        assert_eq!(url_without_secrets("https://a/?sig=abc&se=1"), "https://a/?sig=[redacted]&se=1");
        assert_eq!(url_without_secrets("https://a/b"), "https://a/b");
    }

    #[test]
    fn exchange_is_what_was_sent_and_what_came() {
        let exchange = Sent::now("s3:ListBucket", "GET", "https://b/?sig=abc", None).answered(None, None);
        assert_eq!((exchange.url.as_str(), exchange.status), ("https://b/?sig=[redacted]", None));
        let exchange = Sent::now("s3:ListBucket", "GET", "https://b/", None).answered(Some(200), Some(json!("x")));
        assert_eq!((exchange.status, exchange.response), (Some(200), Some(json!("x"))));
    }

    #[test]
    fn body_loses_keys_and_tokens_and_keeps_the_rest() {
        let keys = br#"{"keys": [{"keyName": "key1", "value": "c2VjcmV0"}], "tags": [{"Key": "team", "Value": "ml"}]}"#;
        assert_eq!(
            body_without_secrets(keys),
            Some(
                json!({"keys": [{"keyName": "key1", "value": "[redacted]"}], "tags": [{"Key": "team", "Value": "ml"}]})
            )
        );
        let form = b"grant_type=client_credentials&client_secret=hunter2";
        assert_eq!(body_without_secrets(form), Some(json!("grant_type=client_credentials&client_secret=[redacted]")));
        let echo = b"<Error><Code>SignatureDoesNotMatch</Code><SignatureProvided>ab</SignatureProvided><CanonicalRequest>GET\n\
            x-amz-security-token:abc\n</CanonicalRequest><CanonicalRequestBytes>47 45</CanonicalRequestBytes></Error>";
        assert_eq!(
            body_without_secrets(echo),
            Some(json!(
                "<Error><Code>SignatureDoesNotMatch</Code><SignatureProvided>[redacted]</SignatureProvided>\
                 <CanonicalRequest>[redacted]</CanonicalRequest><CanonicalRequestBytes>[redacted]</CanonicalRequestBytes></Error>"
            ))
        );
        let echo = br#"{"message": "of client_id=1&client_secret=a~b&scope=c, not \"access_token\": \"eyJ0\""}"#;
        assert_eq!(
            body_without_secrets(echo),
            Some(
                json!({"message": "of client_id=1&client_secret=[redacted]&scope=c, not \"access_token\": \"[redacted]\""})
            )
        );
        let echo = br#"{"error": {"message": "not for Bearer eyJ0.e-_A, x-amz-security-token: tok/en"}}"#;
        assert_eq!(
            body_without_secrets(echo),
            Some(json!({"error": {"message": "not for Bearer [redacted], x-amz-security-token: [redacted]"}}))
        );
        let key = b"<UserDelegationKey><SignedOid>o</SignedOid><Value>a2V5</Value></UserDelegationKey>";
        assert_eq!(
            body_without_secrets(key),
            Some(json!("<UserDelegationKey><SignedOid>o</SignedOid><Value>[redacted]</Value></UserDelegationKey>"))
        );
        let echo = br#"{"error": "no xoxe.xoxp-1-Mi0y here"}"#;
        assert_eq!(body_without_secrets(echo), Some(json!({"error": "no xoxe.[redacted] here"})));
        for cut in ["{\"keys\": [{\"keyName\": \"key1\", \"value\": \"a2V5", "<UserDelegationKey><Value>a2V5"] {
            let shown = body_without_secrets(cut.as_bytes()).unwrap().to_string();
            assert!(shown.ends_with("bytes that are not whole\""), "{shown}");
        }
        assert_eq!(body_without_secrets(b""), None);
        assert_eq!(body_without_secrets(b"<a b='c'/>"), Some(json!("<a b='c'/>")));
    }
}

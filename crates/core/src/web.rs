//! Plain requests, as a browser sends them: without credentials, but for a signature in the address.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::error::{Error, RetryClass, by_status};
use crate::printable::on_one_line;
use crate::retry;

/// A request. Its address may hold a signature, and is shown without what follows the path.
#[derive(Clone, Default)]
pub struct Request {
    /// As a trace names it: `s3:PutObject`.
    pub operation: &'static str,
    /// The rights that whoever signed it needs.
    pub needs: &'static [&'static str],
    /// `PUT`.
    pub method: &'static str,
    /// Where it is sent.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
}

/// Without the signature that the address may hold.
impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Request").field(&self.shown()).finish()
    }
}

impl Request {
    /// For people: `PUT https://acme.example/key`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", self.method, without_query(&self.url))
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An address without what follows its path, where signatures stand.
#[must_use]
pub fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether a header's list has a value, or says everything: `*`. Case means nothing.
    #[must_use]
    pub fn lists(&self, name: &str, value: &str) -> bool {
        let mut listed = self.header(name).unwrap_or_default().split(',').map(str::trim);
        listed.any(|listed| listed == "*" || listed.eq_ignore_ascii_case(value))
    }

    /// Whether it is one of the successes.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The service's code of an error, where its body is a document that names one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let (_, rest) = text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        let is_code = code.len() <= 100 && code.chars().all(|letter| letter.is_ascii_alphanumeric());
        is_code.then(|| code.to_owned())
    }

    /// For people: `403 AccessForbidden`, with these headers of it that are there.
    #[must_use]
    pub fn shown(&self, headers: &[&str]) -> String {
        let code = self.code().map(|code| format!(" {code}")).unwrap_or_default();
        let header = |name: &&str| self.header(name).map(|value| format!(", {name}: {}", on_one_line(value)));
        format!("{}{code}{}", self.status, headers.iter().filter_map(header).collect::<String>())
    }
}

/// Something that sends plain requests: it follows no redirect, and reads no endless answer.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Send one request, once.
    ///
    /// # Errors
    ///
    /// No answer came.
    async fn send(&self, request: &Request) -> Result<Answer, Error>;
}

/// Send a request, again where that helps; gives how often it was sent too.
///
/// # Errors
///
/// No answer came, or none but that the service cannot answer now.
pub(crate) async fn ask(browser: &dyn Browser, request: &Request) -> Result<(Answer, u32), Error> {
    let sent = std::sync::atomic::AtomicU32::new(0);
    let send = || async {
        sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = browser.send(request).await?;
        match by_status(answer.status) {
            (kind, class @ (RetryClass::Transient | RetryClass::Throttled(_))) => {
                let error = Error::new(kind, format!("send {}", request.shown())).with_operation(request.operation);
                Err(error.with_response(Some(answer.status), answer.code().as_deref(), None).with_retry(class))
            }
            _ => Ok(answer),
        }
    };
    let answer = retry::call(send).await?;
    Ok((answer, sent.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status: 403, headers, body: body.into() }
    }

    #[test]
    fn lists_are_read_without_case_and_a_star_is_everything() {
        let listed = answer(&[("access-control-allow-methods", "GET, put")], "");
        assert!(listed.lists("access-control-allow-methods", "PUT"));
        assert!(!listed.lists("access-control-allow-methods", "HEAD") && !listed.lists("vary", "PUT"));
        assert!(answer(&[("a", "*")], "").lists("a", "x"));
    }

    #[test]
    fn what_is_shown_has_the_code_and_no_signature() {
        let request = Request { method: "PUT", url: "https://a/b?X-Amz-Signature=1".to_owned(), ..Request::default() };
        assert_eq!(
            (request.shown().as_str(), format!("{request:?}").contains("Signature")),
            ("PUT https://a/b", false)
        );
        let denied = answer(&[("vary", "Origin")], "<Error><Code>AccessDenied</Code><Message>x</Message></Error>");
        assert_eq!(denied.shown(&["vary", "etag"]), "403 AccessDenied, vary: Origin");
        assert_eq!(answer(&[], "<Code>\u{1b}[2J</Code>").shown(&[]), "403");
    }
}

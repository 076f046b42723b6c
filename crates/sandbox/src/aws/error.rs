//! Errors as answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};

use super::AwsWire;
use crate::emulator::Wire as _;

/// An error that a service answers with.
#[derive(Clone, Debug)]
pub(super) struct Error {
    pub(super) status: u16,
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
    headers: Vec<(&'static str, String)>,
    /// What S3 names beside the message, element by element.
    details: Vec<(String, String)>,
}

/// An answer.
pub(super) type Reply = Result<Response<Bytes>, Error>;

impl Error {
    pub(super) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), headers: Vec::new(), details: Vec::new() }
    }

    /// What the sandbox does not do, by name.
    pub(super) fn unserved(what: impl std::fmt::Display) -> Self {
        Self::new(501, "NotImplemented", format!("the sandbox does not serve {what}"))
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Name something beside the message, as S3 does: `<ArgumentName1>`.
    pub(super) fn with_detail(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((name.into(), value.into()));
        self
    }

    /// Whether something of this name is named beside the message.
    pub(super) fn has_detail(&self, name: &str) -> bool {
        self.details.iter().any(|(known, _)| known == name)
    }

    pub(super) fn answer(self, operation: &str) -> Response<Bytes> {
        let mut response = AwsWire.error(operation, self.status, &self.code, &self.message);
        if !self.details.is_empty() {
            *response.body_mut() = with_details(response.body(), &self.details);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        if self.status == 304 {
            *response.body_mut() = Bytes::new();
        }
        response
    }
}

/// A document of S3's with elements after the message.
fn with_details(body: &Bytes, details: &[(String, String)]) -> Bytes {
    let element = |(name, value): &(String, String)| format!("<{name}>{}</{name}>", quick_xml::escape::escape(value));
    let elements: String = details.iter().map(element).collect();
    String::from_utf8_lossy(body).replacen("</Message>", &format!("</Message>{elements}"), 1).into()
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::new(500, "InternalError", error.to_string())
    }
}

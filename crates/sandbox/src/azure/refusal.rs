//! Why a request is not served.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};

use crate::Error;
use crate::azure::call::timestamp;
use crate::azure::wire::{AzureWire, REQUEST, unauthenticated};
use crate::emulator::Wire as _;

/// What a handler gives.
pub(super) type Served = Result<Response<Bytes>, Refusal>;

/// An error answer in no protocol's form yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
    header: Option<(&'static str, String)>,
    /// What is told of a signature, beside the message.
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), header: None, detail: String::new() }
    }

    pub(super) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(super) fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// One of Storage's own, which has the request's id and the time on lines of their own, in Resource Manager's JSON too.
    pub(super) fn of_storage(status: u16, code: &str, message: &str, now_ms: u64) -> Self {
        Self::new(status, code, format!("{message}\nRequestId:{REQUEST}\nTime:{}", timestamp(now_ms)))
    }

    /// What an account's firewall says.
    pub(super) fn unreachable() -> Self {
        Self::new(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
    }

    /// What the sandbox has not got.
    pub(super) fn not_served(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the sandbox does not serve {what}"))
    }

    /// With what is told of a signature.
    pub(super) fn with_detail(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.detail);
        self
    }

    /// With one header more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// The answer in the form of an operation's protocol.
    pub(super) fn phrased(&self, wire: AzureWire, operation: &str) -> Response<Bytes> {
        let mut response = match self.detail.as_str() {
            "" => wire.error(operation, self.status, &self.code, &self.message),
            detail => unauthenticated(self.status, &self.code, &self.message, detail),
        };
        if let Some((name, value)) = &self.header
            && let Ok(value) = HeaderValue::from_str(value)
        {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(500, "InternalError", error.to_string())
    }
}

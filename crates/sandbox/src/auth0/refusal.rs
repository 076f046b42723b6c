//! What the services refuse, in their words.

use bytes::Bytes;
use http::Response;

use super::wire::Auth0Wire;
use crate::Error;
use crate::emulator::Wire as _;

/// A refusal: status, code, message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    code: &'static str,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A body that does not fit: `Payload validation error: 'Additional properties not allowed: x'.`
    pub(super) fn body(what: impl std::fmt::Display) -> Self {
        Self::new(400, "invalid_body", format!("Payload validation error: {what}."))
    }

    /// Parameters that do not fit.
    pub(super) fn query(what: impl std::fmt::Display) -> Self {
        Self::new(400, "invalid_query_string", format!("Query validation error: {what}."))
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, "", message)
    }

    /// A part of the API that the sandbox leaves out.
    pub(super) fn unserved(what: impl std::fmt::Display) -> Self {
        Self::new(501, "", format!("the sandbox does not serve {what}"))
    }

    pub(super) fn answer(&self, operation: &str) -> Response<Bytes> {
        Auth0Wire.error(operation, self.status, self.code, &self.message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(500, "", error.to_string())
    }
}

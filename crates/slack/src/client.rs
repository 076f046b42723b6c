//! The client, and the calls on it: one function for each API method, request and response, no decisions. [`json`] sends every
//! request and reads its answer.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use crate::trace::Tracer;

pub(crate) mod json;
pub(crate) mod manifest;
pub(crate) mod tokens;

/// The API, on one pool of connections and one token.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) http: reqwest::Client,
    /// Everything before the name of a method, without a final `/`.
    pub(crate) endpoint: String,
    /// The header that carries the token.
    pub(crate) token: Option<http::HeaderValue>,
    pub(crate) trace: Tracer,
}

/// Without the token.
impl std::fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Clients").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The reads.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    clients: Clients,
}

impl Reader {
    /// A reader on these clients.
    pub(crate) const fn new(clients: Clients) -> Self {
        Self { clients }
    }
}

provision_core::writer! {
    /// The reads and the writes.
    pub(crate) struct Writer { reader: Reader, clients: Clients }
}

//! The client, and the calls on it: one function for each API operation, request and response, no decisions. [`json`] sends
//! every request and reads its answer.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use std::sync::Arc;

use provision_core::output::Secret;
use tokio::sync::Mutex;

use crate::trace::Tracer;

pub(crate) mod json;
pub(crate) mod token;
pub(crate) mod clients;

/// The Management API of one tenant, with a token.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) api: Api,
    pub(crate) token: Secret,
}

/// Where requests go, and how.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    /// Scheme, host and port, without a final `/`.
    pub(crate) endpoint: String,
    /// Held by the request that is on its way: free tenants take two a second
    /// (<https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy>).
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) trace: Tracer,
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

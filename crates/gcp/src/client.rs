//! The clients, and the calls on them: one function for each API operation, request and response, no decisions. [`json`] sends
//! every request and reads its answer; the files below it, one for each service, say which there are.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use std::collections::BTreeSet;

use google_cloud_auth::credentials::Credentials;
use provision_core::Error;

use crate::error::Call;
use crate::trace::Tracer;

mod expected;
pub(crate) mod json;
mod signature;
pub(crate) mod iam;
pub(crate) mod pubsub;
pub(crate) mod storage;
pub(crate) mod objects;
pub(crate) mod notifications;
pub(crate) mod projects;

/// Policies with conditions are read and written whole only in this version
/// (<https://cloud.google.com/iam/docs/policies#versions>).
pub(crate) const POLICY_VERSION: i32 = 3;

/// The most that the services give at once.
const PAGE: u32 = 1000;

/// The APIs, all on one pool of connections and one set of credentials.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) storage: Json,
    pub(crate) pubsub: Json,
    pub(crate) iam: Json,
    /// IAM Credentials.
    pub(crate) signing: Json,
    /// Resource Manager.
    pub(crate) projects: Json,
    pub(crate) trace: Tracer,
}

/// One JSON API.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    pub(crate) http: reqwest::Client,
    /// Scheme, host and port, without a final `/`.
    pub(crate) endpoint: String,
    pub(crate) credentials: Credentials,
}

/// The reads.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    clients: Clients,
}

/// The pages of a list, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// The next one to be read; empty at the beginning.
    pub(crate) token: String,
    read: BTreeSet<String>,
}

impl Pages {
    /// Go on to the page that an answer names; whether there is one. A page that was read already leads nowhere.
    pub(crate) fn turn(&mut self, call: &Call, next: String) -> Result<bool, Error> {
        if next.is_empty() {
            return Ok(false);
        }
        if !self.read.insert(next.clone()) {
            return Err(call.unreadable(&"its next page is one that was read already"));
        }
        self.token = next;
        Ok(true)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_comes_again_ends_the_list() {
        let call = Call::new("GET", "pubsub.topics.list", "/v1/projects/p/topics", "list".to_owned());
        let mut pages = Pages::default();
        assert!(pages.turn(&call, "a".to_owned()).unwrap() && pages.turn(&call, "b".to_owned()).unwrap());
        assert_eq!(pages.token, "b");
        assert!(pages.turn(&call, "a".to_owned()).is_err());
        assert!(!pages.turn(&call, String::new()).unwrap());
    }
}

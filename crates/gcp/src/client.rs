//! The clients, and the calls on them: one function for each API operation, request and response, no decisions. The files
//! below, one for each service, are the only ones that call the SDK's operations.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use std::collections::BTreeSet;

use google_cloud_auth::credentials::Credentials;
use google_cloud_iam_v1::model::{GetIamPolicyRequest, GetPolicyOptions};
pub(crate) use google_cloud_wkt::Duration;
use provision_core::{Error, retry};
use serde::Serialize;
use tokio::time::timeout;

use crate::error::Call;
use crate::error::answer::{from_sdk, late};
use crate::trace::Tracer;
use expected::Expected;

mod expected;
pub(crate) mod iam;
pub(crate) mod json;
pub(crate) mod pubsub;
pub(crate) mod storage;

/// Policies with conditions are read and written whole only in this version
/// (<https://cloud.google.com/iam/docs/policies#versions>).
pub(crate) const POLICY_VERSION: i32 = 3;

/// The most that the services give at once.
const PAGE: i32 = 1000;

/// The clients, all with one set of credentials.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) storage: google_cloud_storage::client::StorageControl,
    pub(crate) topics: google_cloud_pubsub::client::TopicAdmin,
    pub(crate) subscriptions: google_cloud_pubsub::client::SubscriptionAdmin,
    /// Despite its name the one that reads and writes the policies of topics and subscriptions.
    pub(crate) pubsub_policies: google_cloud_pubsub::client::SchemaService,
    pub(crate) iam: google_cloud_iam_admin_v1::client::Iam,
    /// Notifications and the service agent of Cloud Storage, which the SDK lacks.
    pub(crate) storage_json: Json,
    /// Resource Manager, for its two calls.
    pub(crate) projects_json: Json,
    /// Deletions in Pub/Sub: the SDK takes any answer with 200 for one.
    pub(crate) pubsub_json: Json,
    pub(crate) trace: Tracer,
}

/// A JSON API without a client of the SDK's.
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
    pub(crate) fn turn(&mut self, call: &Call<'_>, next: String) -> Result<bool, Error> {
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

impl Clients {
    /// Send one call of the SDK through the one retry policy, with its error mapped.
    async fn send<R, T, F>(&self, call: &Call<'_>, request: R, send: impl Fn(R) -> F) -> Result<T, Error>
    where
        R: Clone + Serialize,
        T: Expected,
        F: Future<Output = Result<T, google_cloud_gax::error::Error>>,
    {
        retry::call(|| async {
            let sent = self.trace.model(call, &request);
            // The SDK's own limit ends with the head of an answer; its body may never end.
            let answer = match timeout(retry::request_timeout(), send(request.clone())).await {
                Ok(answer) => answer.map_err(|error| from_sdk(call, &error)),
                Err(_) => Err(late(call)),
            };
            self.trace.modelled(sent, &answer);
            answer.and_then(|answer| match answer.is_of(call.resource) {
                true => Ok(answer),
                false => Err(call.unreadable(&"it is not what was asked for")),
            })
        })
        .await
    }
}

fn policy_request(resource: &str) -> GetIamPolicyRequest {
    let options = GetPolicyOptions::new().set_requested_policy_version(POLICY_VERSION);
    GetIamPolicyRequest::new().set_resource(resource).set_options(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_comes_again_ends_the_list() {
        let call = Call::rest("GET", "pubsub.topics.list", "projects/p", "list".to_owned());
        let mut pages = Pages::default();
        assert!(pages.turn(&call, "a".to_owned()).unwrap() && pages.turn(&call, "b".to_owned()).unwrap());
        assert_eq!(pages.token, "b");
        assert!(pages.turn(&call, "a".to_owned()).is_err());
        assert!(!pages.turn(&call, String::new()).unwrap());
    }
}

//! The clients, and the calls on them: one function for each API operation, request and response, no decisions. The files
//! below, one for each service, are the only ones that call the SDK's operations.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use provision_core::{Error, ErrorKind};

/// Send one call through the one retry policy, with its error mapped. What it needs, its row of `permissions` says.
macro_rules! send {
    ($operation:literal, $tried:expr, $request:expr) => {{
        let tried: String = $tried.into();
        provision_core::retry::call(|| async {
            $request.send().await.map_err(|error| crate::error::from_sdk($operation, &tried, &error))
        })
        .await
    }};
}

pub(crate) mod iam;
pub(crate) mod objects;
pub(crate) mod s3;
pub(crate) mod sqs;
pub(crate) mod sts;
pub(crate) mod tagging;

/// The clients, all on one connection pool and one set of credentials.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) s3control: aws_sdk_s3control::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) tagging: aws_sdk_resourcegroupstagging::Client,
}

/// The reads.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    clients: Clients,
    /// Addresses of queues, which never change in a queue's life: each is asked for once.
    queue_urls: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Reader {
    /// A reader on these clients.
    pub(crate) fn new(clients: Clients) -> Self {
        Self { clients, queue_urls: Arc::default() }
    }
}

provision_core::writer! {
    /// The reads and the writes.
    pub(crate) struct Writer { reader: Reader, clients: Clients }
}

/// A request we could not build: our mistake.
fn unbuilt(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::new(ErrorKind::Unexpected, "a request could not be built: this is a bug in provision")
        .with_message(error.to_string())
}

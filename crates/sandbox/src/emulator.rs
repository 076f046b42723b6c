//! What a cloud is to the server, the fault layer and the proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

/// What a caller gets.
pub type Answer = Result<Response<Bytes>, Dropped>;

/// The connection is to end without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dropped")]
pub struct Dropped;

/// Fields to send after the body, as gRPC does: an extension of a response.
#[derive(Clone, Debug, Default)]
pub struct Trailers(pub HeaderMap);

/// Whether the caller still waits: an extension of a request, for calls that wait for something.
///
/// A call that came has its effect even if its caller is gone; only one that would take something on the caller's behalf
/// later looks here first.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<AtomicBool>);

impl Presence {
    /// Whether the connection ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Something that says so when it is dropped.
    pub(crate) fn watch(&self) -> Leaving {
        Leaving(self.clone())
    }
}

/// Dropped when the caller leaves, or has its answer.
pub(crate) struct Leaving(Presence);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// How a cloud names its requests and phrases its errors.
pub trait Wire: Send + Sync {
    /// The API operation of a request, with its service: `s3:PutBucketCors`.
    fn operation(&self, request: &Request<Bytes>) -> String;

    /// Whether an operation changes nothing; what is unknown counts as a write.
    fn reads(&self, operation: &str) -> bool;

    /// Whether an operation only asks how far a change is that goes on after its answer.
    fn polls(&self, _operation: &str) -> bool {
        false
    }

    /// An error answer.
    fn error(&self, operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes>;

    /// The answer to too many requests.
    fn throttled(&self, operation: &str) -> Response<Bytes>;

    /// The answer to a change that crosses another.
    fn conflict(&self, operation: &str) -> Response<Bytes>;
}

/// A cloud that answers.
#[async_trait::async_trait]
pub trait Emulator: Send + Sync {
    /// Its forms.
    fn wire(&self) -> &dyn Wire;

    /// Answer a request whose body has come.
    ///
    /// # Behavior
    ///
    /// - An operation that is not served is 501, and its name is in the answer.
    /// - A field, element or attribute that is not known is refused.
    /// - All changes of a request are one transaction of the store.
    async fn handle(&self, request: Request<Bytes>) -> Answer;

    /// The variables that its clients need to find it at an address.
    fn environment(&self, address: SocketAddr) -> Vec<(String, String)>;
}

//! A request with everything that a handler needs to answer it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::azure::refusal::{Refusal, Served};
use crate::azure::wire::REQUEST;
use crate::clock::date;
use crate::identities::Identities;
use crate::layer::FaultLayer;
use crate::world::World;

/// Where the servers listen.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Resource Manager and login.
    pub resource_manager: SocketAddr,
    /// Blobs.
    pub blob: SocketAddr,
    /// Queues.
    pub queue: SocketAddr,
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request<Bytes>,
    query: BTreeMap<String, String>,
    pub(super) now_ms: u64,
    /// The time by which signatures expire.
    pub(super) signing_ms: u64,
    pub(super) addresses: Addresses,
    faults: &'a FaultLayer,
    pub(super) identities: &'a Identities,
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a Request<Bytes>, addresses: Addresses, now_ms: u64, world: &'a World) -> Self {
        let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let query = query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
        let signing_ms = world.clock.signing_ms();
        Self { request, query, now_ms, signing_ms, addresses, faults: &world.faults, identities: &world.identities }
    }

    pub(super) fn method(&self) -> &Method {
        self.request.method()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// A field of the query, whatever its name's case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body as a document of Resource Manager; a property that is not known is refused
    /// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-request-content>.
    pub(super) fn document<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.request.body()).map_err(|error| {
            let message = format!("The request content was invalid and could not be deserialized: '{error}'.");
            Refusal::bad_request("InvalidRequestContent", message)
        })
    }

    /// How long something takes: what the sandbox was told, or else as long as makes a client wait once.
    pub(super) fn delay_ms(&self, name: &str, usual_ms: u64) -> u64 {
        match self.faults.propagation_ms(name) {
            0 => usual_ms,
            told => told,
        }
    }

    /// A URL of Resource Manager with the request's own API version.
    pub(super) fn url(&self, path: &str) -> String {
        let version = self.field("api-version").unwrap_or_default();
        format!("https://{}{path}?api-version={version}", self.addresses.resource_manager)
    }
}

/// A JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json; charset=utf-8");
    let response = response.header("x-ms-request-id", REQUEST).header("cache-control", "no-cache");
    response.body(Bytes::from(body.to_string())).unwrap_or_default()
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response<Bytes> {
    let response = Response::builder().status(status).header("x-ms-request-id", REQUEST);
    response.body(Bytes::new()).unwrap_or_default()
}

/// An XML answer of a storage service.
pub(super) fn xml(status: u16, body: &str) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/xml");
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}");
    response.header("x-ms-request-id", REQUEST).body(Bytes::from(body)).unwrap_or_default()
}

/// The answer with headers more; what is no header is left out.
pub(super) fn with(mut response: Response<Bytes>, headers: &[(&str, &str)]) -> Response<Bytes> {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(*name), http::HeaderValue::try_from(*value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A page of a list that is never longer.
pub(super) fn list(values: Vec<Value>) -> Served {
    Ok(json(200, &serde_json::json!({ "value": values })))
}

/// A date as Resource Manager writes it.
pub(super) fn timestamp(ms: u64) -> String {
    date(ms).format(&Rfc3339).unwrap_or_default()
}

/// A date as headers and XML of the storage services have it.
pub(super) fn http_date(ms: u64) -> String {
    let text = date(ms).format(&Rfc2822).unwrap_or_default();
    text.replace("+0000", "GMT")
}

/// A date of Resource Manager in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(date.unix_timestamp_nanos() / 1_000_000).ok()
}

//! One request to a service, taken apart.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};

use super::caller::{Caller, DEFAULT_ACCOUNT};
use super::error::Error;
use super::{AwsWire, rights, seed, signature};
use crate::emulator::{Presence, Wire as _};
use crate::world::World;

/// One request to a service.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) world: &'a World,
    /// `s3:PutBucketCors`.
    pub(super) operation: String,
    pub(super) method: Method,
    /// Decoded.
    pub(super) path: String,
    /// Decoded, in order.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) caller: Caller,
    pub(super) now_ms: u64,
    pub(super) presence: Presence,
}

impl<'a> Call<'a> {
    pub(super) fn read(world: &'a World, request: Request<Bytes>) -> Result<Self, Error> {
        let operation = AwsWire.operation(&request);
        let (parts, body) = request.into_parts();
        let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8();
        let path = path.map_err(|_| Error::new(400, "InvalidURI", "Couldn't parse the specified URI."))?.into_owned();
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let query: Vec<_> = url::form_urlencoded::parse(query).into_owned().collect();
        let now_ms = world.clock.now_ms();
        let seeded = world.store.transaction::<_, Error>(|state| Ok(seed::read(state)?))?;
        let seeded = seeded.map_or_else(|| DEFAULT_ACCOUNT.to_owned(), |seed| seed.account);
        let authorization = parts.headers.get("authorization").map(|value| value.to_str().unwrap_or_default());
        let mut caller = Caller::of(authorization, &query, &seeded, world.clock.signing_ms())?;
        rights::check_key(world, &operation, caller.key.as_deref())?;
        caller.policy = rights::of_key(world, caller.key.as_deref());
        // A browser that asks what a page may do asks for the address that the page has, and signs nothing
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>.
        let asks = operation == "s3:PreflightRequest";
        if !asks && (caller.policy.is_some() || caller.key.as_ref() == Some(&seeded)) {
            signature::verify(&parts, &body, &world.identities.aws_secret)?;
        }
        let presence = parts.extensions.get::<Presence>().cloned().unwrap_or_default();
        Ok(Self {
            presence,
            world,
            operation,
            method: parts.method,
            path,
            query,
            headers: parts.headers,
            body,
            caller,
            now_ms,
        })
    }

    /// How much later something is seen, by its name in the module's docs.
    pub(super) fn delay_ms(&self, name: &str) -> u64 {
        self.world.faults.propagation_ms(name)
    }

    /// How long what was before must be kept for those who see late.
    pub(super) fn longest_delay_ms(&self) -> u64 {
        self.world.faults.longest_propagation_ms()
    }

    /// The operation without its service.
    pub(super) fn name(&self) -> &str {
        self.operation.split_once(':').map_or("", |(_, name)| name)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

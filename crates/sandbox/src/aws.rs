//! Amazon Web Services: S3, S3 Control's tags, SQS, STS, IAM and Resource Groups Tagging on one address.
//!
//! An access key id of twelve digits is its account; any other is of the account that was seeded, `123456789012` if none
//! was. The region is that of the signature. An identity may do everything in its own account that no policy of a
//! resource denies, and in another's what such a policy allows; one with a policy of its own also needs that to allow it. Beside
//! that one a key that nobody made is refused.
//! Roles and their policies are kept and checked, and nobody can act as one. Signatures, of headers and of presigned URLs, are
//! checked where the sandbox gave out the key, and believed otherwise. There are no keys, topics and functions: names of them
//! are believed.
//!
//! What can be seen late, by name: `s3.bucket` (a new bucket), `sqs.queue` (a new queue), `sqs.gone` (that a queue is gone),
//! `s3.event` (the event of an object, in a queue),
//! `tags.gone` (that something is gone, by `tag:GetResources`), `sqs.policy` (a queue and its policy by S3), `sqs.attributes` (a queue's attributes and
//! policy by who reads them), `sqs.tags` and `s3.tags` (tags by who reads them), `tags` (tags by `tag:GetResources`).

pub mod answers;
mod call;
mod caller;
mod error;
mod iam;
mod id;
mod json;
mod policy;
mod query;
mod rights;
mod s3;
mod seed;
mod signature;
mod simulation;
mod sqs;
mod sts;
mod tagging;
mod tags;
mod wildcard;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::Error;
use crate::emulator::{Answer, Emulator, Wire};
use crate::sandbox::EmulatorKind;
use crate::world::World;
use call::Call;

pub use caller::{DEFAULT_ACCOUNT, DEFAULT_REGION};
pub(crate) use signature::hmac;
pub(crate) use wildcard::matches;
pub use wire::AwsWire;

/// The services on one address.
#[derive(Debug)]
pub struct Aws {
    world: Arc<World>,
}

impl Aws {
    /// The services on this state.
    #[must_use]
    pub fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    async fn answer(&self, request: Request<Bytes>) -> error::Reply {
        let call = Call::read(&self.world, request)?;
        match call.operation.split(':').next().unwrap_or_default() {
            "s3" => s3::serve(&call),
            "sqs" => sqs::serve(&call).await,
            "sts" => sts::serve(&call),
            "iam" => iam::serve(&call),
            "tag" => tagging::serve(&call),
            _ => Err(error::Error::unserved(&call.operation)),
        }
    }
}

/// Whether a document is a policy that can be attached to an identity.
pub(crate) fn check_identity(document: &str) -> Result<(), String> {
    rights::check(document)
}

/// Set the account and region of credentials that name none, and make a role.
pub(crate) fn seed(world: &World, account: &str, region: &str, role: Option<&str>) -> Result<(), Error> {
    let now_ms = world.clock.now_ms();
    world.store.transaction(|state| seed::write(state, account, region, role, now_ms))
}

#[async_trait::async_trait]
impl Emulator for Aws {
    fn wire(&self) -> &dyn Wire {
        &AwsWire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let operation = AwsWire.operation(&request);
        Ok(self.answer(request).await.unwrap_or_else(|error| error.answer(&operation)))
    }

    fn environment(&self, address: SocketAddr) -> Vec<(String, String)> {
        let seeded = self.world.store.transaction(|state| seed::read(state)).ok().flatten();
        let (account, region) = seeded.map_or_else(
            || (DEFAULT_ACCOUNT.to_owned(), DEFAULT_REGION.to_owned()),
            |seed| (seed.account, seed.region),
        );
        let identities = &self.world.identities;
        let key = identities.document(EmulatorKind::Aws).map_or(account, |_| rights::KEY.to_owned());
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            // S3 Control's clients put the account before the host, which an address in numbers cannot have.
            ("AWS_ENDPOINT_URL_S3_CONTROL", format!("http://localhost:{}", address.port())),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", identities.aws_secret.clone()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

//! Amazon Web Services.
//!
//! Delays by name: `sqs.policy` (S3 sees a queue and its policy late), `tags` (`tag:GetResources` sees tags late).

pub mod answers;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::cloud::{Answer, Cloud, Wire};
use crate::world::World;

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
}

#[async_trait::async_trait]
impl Cloud for Aws {
    fn wire(&self) -> &dyn Wire {
        &AwsWire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let _ = &self.world;
        let operation = AwsWire.operation(&request);
        let message = format!("the sandbox does not serve {operation}");
        Ok(AwsWire.error(&operation, 501, "NotImplemented", &message))
    }

    fn environment(&self, address: SocketAddr) -> Vec<(String, String)> {
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", "123456789012".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

//! What all clouds of a sandbox share.

use std::sync::Arc;

use crate::clock::Clock;
use crate::layer::FaultLayer;
use crate::state::Store;

/// State, misbehaviour and time.
#[derive(Debug)]
pub struct World {
    /// What there is.
    pub store: Store,
    /// How it misbehaves.
    pub faults: Arc<FaultLayer>,
    /// What time it is.
    pub clock: Clock,
    /// The secret of every access key of AWS, by which signatures are judged.
    pub aws_secret: String,
}

/// The secret of AWS's access keys, unless another one is asked for.
pub(crate) const AWS_SECRET: &str = "sandbox";

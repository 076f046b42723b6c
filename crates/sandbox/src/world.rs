//! What all clouds of a sandbox share.

use std::sync::Arc;

use crate::clock::Clock;
use crate::identities::Identities;
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
    /// Whose calls are judged by what they may do.
    pub identities: Identities,
}

//! What a proof is asked to prove.

use std::time::Duration;

/// What is to be proven, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the pages come from.
    pub origin: String,
    /// What a probe's key begins with.
    pub prefix: String,
    /// How long an event may take, where the user says so.
    pub wait: Option<Duration>,
    /// Whether nothing may be written.
    pub read_only: bool,
    /// The command that makes the cloud what the plan file says.
    pub command: String,
}

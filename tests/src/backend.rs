//! What stands in for the cloud.

/// A server on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// MiniStack, an AWS emulator that others wrote.
    MiniStack,
    /// The embedded copy of the cloud.
    Sandbox,
}

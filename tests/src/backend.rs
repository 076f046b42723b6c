//! What stands in for the cloud. Each is a server that others wrote, or the sandbox; where they differ is said here.

use std::net::SocketAddr;

use crate::ministack::MiniStack;

/// A server on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// MiniStack, an AWS emulator that others wrote.
    MiniStack,
}

impl Backend {
    /// Where it listens; it is started if it does not run yet.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::MiniStack => MiniStack::shared().address,
        }
    }
}

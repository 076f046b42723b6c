//! What stands in for the cloud. Each is a server that others wrote, or the sandbox; where they differ is said here.

use std::net::SocketAddr;
use std::sync::OnceLock;

use provision_sandbox::{CloudName, Options, Sandbox};

use crate::ministack::MiniStack;

/// A server on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// MiniStack, an AWS emulator that others wrote.
    MiniStack,
    /// The embedded copy of AWS.
    Sandbox,
}

impl Backend {
    /// Where it listens; it is started if it does not run yet.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::MiniStack => MiniStack::shared().address,
            Self::Sandbox => sandbox().address(CloudName::Aws).unwrap(),
        }
    }
}

/// The sandbox of this test process. Each test has an account of its own in it.
fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    let options = || Options { clouds: vec![CloudName::Aws], ..Options::default() };
    SANDBOX.get_or_init(|| Sandbox::start(options()).unwrap())
}

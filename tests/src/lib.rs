//! The rig of the tests: emulators that others wrote, the sandbox's proxy before them, and the built binary.
//!
//! Everything listens on 127.0.0.1 only, lives in temporary folders and dies with the test process.

pub mod azurite;
pub mod backend;
pub mod boto3;
pub mod documents;
pub mod google;
mod listening;
pub mod ministack;
pub mod proxy_server;
pub mod python;
pub mod roots;
pub mod run;
pub mod stage;

pub use provision_sandbox::aws::answers;
pub use provision_sandbox::{fault, proxy};

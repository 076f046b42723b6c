//! The rig of the tests: emulators that others wrote, a proxy of ours before them, and the built binary.
//!
//! Everything listens on 127.0.0.1 only, lives in temporary folders and dies with the test process.

pub mod answers;
pub mod aws_operation;
pub mod fault;
pub mod ministack;
pub mod proxy;
pub mod python;
pub mod rig;

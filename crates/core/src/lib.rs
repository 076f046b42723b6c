//! The part of `provision` that every cloud shares: plan files, the three-way compare, change sets, the executor.
//!
//! It sends no request, reads no environment and names no cloud. A cloud's crate implements [`provider::Cloud`],
//! [`provider::Observer`] and [`provider::Provisioner`]; the command line reads a plan file, looks at the cloud
//! ([`survey`]), compares ([`assess`]), shows the [`change_set::ChangeSet`] and executes its [`operation`] graph.

pub mod address;
pub mod assess;
pub mod change_set;
pub mod compare;
pub mod cors;
pub mod deployment;
pub mod diff;
pub mod digest;
pub mod emptying;
pub mod entries;
pub mod error;
pub mod event;
pub mod executor;
pub mod ledger;
pub mod mark;
#[cfg(test)]
mod model;
pub mod operation;
pub mod output;
pub mod plan_file;
pub mod provider;
pub mod resource;
pub mod retry;
pub mod survey;
pub mod trace;

pub use address::Address;
pub use error::{Error, ErrorKind, RetryClass};

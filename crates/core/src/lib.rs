//! The part of `provision` that every cloud shares: plan files, the three-way compare, change sets, the executor.
//!
//! It sends no request, reads no environment and names no cloud. A cloud's crate implements [`provider::Cloud`],
//! [`provider::Observer`] and [`provider::Provisioner`]; the command line reads a plan file, looks at the cloud
//! ([`survey`]), compares ([`assess`]), shows the [`change_set::ChangeSet`] and executes its [`operation`] graph.

pub mod address;
pub mod digest;
pub mod trace;
pub mod error;
pub mod refusal;
pub mod retry;
pub mod plan_file;
pub mod deployment;
pub mod output;
pub mod ledger;
pub mod mark;
pub mod facet;
pub mod resource;
pub mod contents;
pub mod compare;
pub mod diff;
pub mod entries;
pub mod cors;
pub mod identity;
pub mod change_set;
pub mod operation;
pub mod event;
pub mod context;
pub mod provider;
pub mod survey;
pub mod assess;
pub mod graph;
pub mod executor;
pub mod emptying;
pub mod engine;
#[cfg(test)]
mod model;

pub use address::Address;
pub use error::{Error, ErrorKind, RetryClass};

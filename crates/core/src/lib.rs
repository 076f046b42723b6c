//! The part of `provision` that every cloud shares: plan files, the three-way compare, change sets, the executor.
//!
//! It sends no request, reads no environment and names no cloud. A cloud's crate implements [`provider::ProviderConfig`],
//! [`provider::Observer`] and [`provider::Provisioner`]; the command line reads a plan file and asks the [`engine`], which looks
//! at the cloud ([`survey`]), compares what it found with what the plan file asks for ([`assess`]), and executes the
//! [`change_set::ChangeSet`] that comes of it as a [`mod@graph`] of operations ([`executor`]).
//!
//! Modules stand in the order of their use: each one uses only those above it.
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | plan file | the TOML that a user writes: [`plan_file::PlanFile`] |
//! | deployment | what one plan file describes; its name is on everything that it made: [`deployment::Deployment`] |
//! | resource, part | one managed thing: [`resource::Resource`]. Its [`Address`] is the cloud's name and that of the part, `aws.bucket` |
//! | facet | what of a resource has a call of its own to read it and to write it: [`facet::Facet`] |
//! | entry | one of the values in a facet that others have a part in, a rule, a statement, a grant: [`facet::Entry`] |
//! | desired ([`facet::Desired`]), observed ([`facet::Observed`]) | what the plan file asks for in a facet, and what the cloud has, both in normal form |
//! | mark | our tags on a resource: whose it is, how it became ours, what we wrote, which parts there are: [`mark::Mark`] |
//! | record | of a mark: what we wrote and have not taken back: [`ledger::Ledger`] |
//! | mark holder | the resource whose mark stands for an entry: [`resource::MarkHolder`] |
//! | origin | how a resource became ours, created or adopted: [`mark::Origin`]. Only what was created is ever deleted |
//! | adopt, release | take over what exists beside what is on it; take ours off it and leave the rest |
//! | preexisting | an entry that somebody had made exactly as desired: used, and never taken away |
//! | unmanaged | entries of others, shown and never touched: [`resource::Unmanaged`] |
//! | blocker | why, as things stand, a facet cannot be written or a resource not deleted: [`resource::Present::blockers`] |
//! | orphan | what carries the deployment's mark and is no longer in the plan file: [`resource::Orphan`] |
//! | survey | one look at everything: [`survey::Survey`] |
//! | change set | what is to be done, and why; it is shown, saved, executed: [`change_set::ChangeSet`] |
//! | drift, pending | the cloud is not what we last wrote; the plan file is not what we last wrote: [`compare::Finding`] |
//! | unfinished | between the first write of a run and its last one: a difference is then neither drift nor pending |
//! | refusal | why something is not done, and what to do about it: [`refusal::Refusal`] |
//! | operation | one step of a run: [`operation::Operation`] |
//! | context | what an operation sees of the run around it: [`context::OperationContext`] |
//! | cancellation | drain: no new writes; abort: no waiting for those in flight either: [`context::Cancellation`] |
//! | lane | writes to one thing, which cannot all be made at once: [`resource::Lane`] |
//! | settling | the service has not caught up with an earlier write, which is waited for within a budget: [`RetryClass::Settling`] |
//! | output | a setting for the server: [`output::Output`] |
//! | right | what credentials must be allowed to do, on something: [`rights::Right`]; asked about before the first write ([`preflight`]) |
//! | hop | a step of the proof that the file store works: [`hop::Hop`] |
//! | check | what `doctor` looks at: [`doctor::Check`] |
//! | probe | the object that a proof uploads, and takes away again: [`probe::Probe`] |

// Vocabulary.
pub mod address;
pub mod digest;
pub mod printable;
pub mod file;
pub mod trace;
pub mod error;
pub mod tls;
pub mod told;
pub mod refusal;
pub mod retry;
pub mod plan_file;
pub mod deployment;
pub mod hcl;
pub mod terraform;
pub mod output;
pub mod server;
pub mod formats;
pub mod retention;
pub mod ledger;
pub mod mark;
pub mod facet;
pub mod resource;
pub mod identity;
pub mod listing;
pub mod part;
pub mod contents;
pub mod compare;
pub mod diff;
pub mod entries;
pub mod cors;
pub mod rights;
pub mod change_set;
pub mod operation;
pub mod web;
pub mod probe;
pub mod hop;
pub mod event;
pub mod context;
pub mod permissions;
pub mod keeper;
pub mod reach;

// The contract with a cloud.
pub mod provider;

// Planning.
pub mod survey;
pub mod assess;

// Applying.
pub mod graph;
pub mod executor;
pub mod emptying;
pub mod preflight;

// The engine.
pub mod engine;
pub mod verify;
pub mod doctor;

#[cfg(test)]
mod model;

pub use address::Address;
pub use error::{Error, ErrorKind, RetryClass};

//! The contract suite and end-to-end runs of the built binary.
//!
//! - `lifecycle`: apply, output, drift, destroy of the example plan files, read back by another client.
//! - `compare`: every row of the compare table, for every facet.
//! - `sharing`: others' entries, adopting, other deployments, renaming, orphans.
//! - `destroy`: protection, content, `--delete-data`.
//! - `faults`: what no emulator says: throttling, conflicts, wrong regions, credentials, signals.
//! - `saved`: saved change sets.
//! - `messages`: whole screens: changes of every kind, every refusal and failure.
//! - `terminal`: what a person at a terminal sees.
//! - `streams`: what programs see: `--json`, `--trace`, heartbeats, the time limit.
//! - `plan_file`: mistakes in plan files.

mod compare;
mod destroy;
mod faults;
mod lifecycle;
mod messages;
mod plan_file;
mod saved;
mod sharing;
mod streams;
mod terminal;

//! The contract suite and end-to-end runs of the built binary.
//!
//! - `lifecycle`: apply, output, drift, destroy of the example plan files, read back by another client.
//! - `compare`: every row of the compare table, for every facet.
//! - `sharing`: others' entries, adopting, other deployments, renaming, orphans.
//! - `destroy`: protection, content, `--delete-data`.
//! - `faults`: what no emulator says: throttling, conflicts, wrong regions, credentials, signals.
//! - `saved`: saved change sets.
//! - `plan_file`: mistakes in plan files.
//! - `sandbox_clients`: the sandbox under clients that others wrote.
//! - `sandbox_google_clients`: Google's own clients on the sandbox.

mod compare;
mod destroy;
mod faults;
mod lifecycle;
mod plan_file;
mod sandbox_clients;
mod sandbox_google_clients;
mod saved;
mod sharing;

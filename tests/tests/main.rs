//! The contract suite and end-to-end runs of the built binary.
//!
//! - `contract`: every promise, on Google Cloud and Azure; `clouds` is what it knows of them.
//! - `lifecycle`: apply, output, drift, destroy of the example plan files, read back by another client.
//! - `compare`: every row of the compare table, for every facet.
//! - `sharing`: others' entries, adopting, other deployments, renaming, orphans.
//! - `azure`: what Azure alone has: accounts that are shared, accounts of another name, its credentials.
//! - `gcp`: what Google Cloud alone has: bindings that were there before us, accounts that deployments share.
//! - `destroy`: protection, content, `--delete-data`.
//! - `faults`: what no emulator says: throttling, conflicts, wrong regions, credentials, signals.
//! - `saved`: saved change sets.
//! - `messages`: whole screens: changes of every kind, every refusal and failure.
//! - `sweep`: a run killed or failing at every single write.
//! - `terminal`: what a person at a terminal sees.
//! - `streams`: what programs see: `--json`, `--trace`, heartbeats, the time limit.
//! - `plan_file`: mistakes in plan files.
//! - `properties`: random plan files and random edits.
//! - `sandbox`: `--sandbox` and `provision sandbox`.
//! - `operators`: two people, or two jobs, at the same time.
//! - `readback`: what the binary made on Google Cloud and Azure, read back by clients that others wrote.
//! - `browser`: what a browser makes of the CORS rules.
//! - `sandbox_clients`: the sandbox under clients that others wrote.
//! - `sandbox_azure_clients`: Microsoft's Python clients against the sandbox.
//! - `sandbox_google_clients`: Google's own clients on the sandbox.

/// Each case as a test of its own on every backend.
macro_rules! cases {
    ($($case:ident,)*) => {
        mod ministack {
            $(#[test]
            fn $case() {
                super::$case(provision_tests::backend::Backend::MiniStack);
            })*
        }
        mod sandbox {
            $(#[test]
            fn $case() {
                super::$case(provision_tests::backend::Backend::Sandbox);
            })*
        }
    };
}

mod azure;
mod browser;
mod clouds;
mod compare;
mod contract;
mod destroy;
mod faults;
mod gcp;
mod lifecycle;
mod messages;
mod operators;
mod plan_file;
mod properties;
mod readback;
mod sandbox;
mod sandbox_azure_clients;
mod sandbox_clients;
mod sandbox_google_clients;
mod saved;
mod sharing;
mod streams;
mod sweep;
mod terminal;

/// A file that is no module is not compiled, and nobody would notice.
#[test]
fn every_file_of_the_suite_is_a_module() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).filter(|name| name != "main") {
        assert!(include_str!("main.rs").contains(&format!("\nmod {name};\n")), "{name}.rs is not in main.rs");
    }
}

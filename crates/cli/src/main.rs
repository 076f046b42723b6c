//! `provision`: the file store of a self-hosted Weights & Biases server, from a small plan file.

mod providers;
mod arguments;
mod exit;
mod help;
mod hints;
mod trace;
mod telemetry;
mod view;
mod signals;
mod plan_files;
mod keeper;
mod change_sets;
mod drift_reports;
mod sandbox;
mod web;
mod proxies;
mod surroundings;
mod session;
mod fleet;
mod reports;
mod settings;
mod approval;
mod saved;
mod summary;
mod execution;
mod many;
mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match help::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let typed: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            let error = hints::hinted(error, &typed);
            view::usage(&error);
            return exit::of_usage(&error).into();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return exit::Exit::Failure.into() };
    let exit = runtime.block_on(commands::run(arguments));
    // A second signal gave up waiting: what is in flight must not keep the process.
    runtime.shutdown_background();
    if exit == exit::Exit::Done && view::write_failed() { exit::Exit::Failure.into() } else { exit.into() }
}

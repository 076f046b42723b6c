//! What is done with the workspace beside building it: `cargo xtask release` makes what people install.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it says what it made")]

mod archive;
mod platform;
mod dependencies;
mod licences;
mod sbom;
mod npm;
mod wheel;
mod release;

use std::process::ExitCode;

use clap::Parser;

/// How a step ends.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Arguments {
    /// Make the archive, wheel, npm packages, SBOM and checksums of one target in `target/dist`
    Release(release::Arguments),
    /// Write the checksums of every file in a folder into its `SHA256SUMS`
    Sums {
        /// The folder
        folder: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse() {
        Arguments::Release(arguments) => release::run(&arguments),
        Arguments::Sums { folder } => release::sums(&folder),
    };
    match done {
        Ok(made) => {
            println!("{}", made.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

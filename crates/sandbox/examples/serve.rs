//! A sandbox for other clients: prints the variables they need, then `ready`, and serves until it is ended.

use std::path::PathBuf;

use provision_sandbox::{Options, Sandbox};

#[expect(clippy::print_stdout, reason = "the variables are its result")]
fn main() -> Result<(), provision_sandbox::Error> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let sandbox = Sandbox::start(Options { directory, ..Options::default() })?;
    for (name, value) in sandbox.environment() {
        println!("{name}={value}");
    }
    println!("ready");
    loop {
        std::thread::park();
    }
}

//! `provision completions`.

use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::exit::{CommandResult, Exit};

pub(crate) fn run(shell: clap_complete::Shell) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "provision", &mut script);
    crate::view::result(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

//! `provision completions`.

use crate::exit::{CommandResult, Exit};
use crate::{help, view};

pub(crate) fn run(shell: clap_complete::Shell) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help::command(), "provision", &mut script);
    view::result(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

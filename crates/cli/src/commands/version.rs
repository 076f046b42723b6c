//! `provision version`: the same as `--version`.

use crate::exit::{CommandResult, Exit};
use crate::{help, view};

pub(crate) fn run() -> CommandResult {
    view::result(&help::command().render_version());
    Ok(Exit::Done)
}

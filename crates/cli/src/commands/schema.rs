//! `provision schema`: the JSON Schema of plan files, from the types that read them.

use crate::clouds;
use crate::exit::{CommandResult, Exit};
use crate::view;

pub(crate) fn run() -> CommandResult {
    view::result(&format!("{:#}\n", clouds::schema()));
    Ok(Exit::Done)
}

//! `provision show`: print a saved change set without sending anything.

use std::path::Path;

use crate::change_sets;
use crate::exit::{CommandResult, Exit};
use crate::view::View;

pub(crate) fn run(path: &Path, view: &dyn View) -> CommandResult {
    view.saved(&change_sets::read(path)?);
    Ok(Exit::Done)
}

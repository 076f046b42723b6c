//! `provision show`: print a saved change set without sending anything.

use std::path::Path;

use crate::arguments::Global;
use crate::change_sets;
use crate::exit::{CommandResult, Exit, Failure};
use crate::reports::Reporting;
use crate::view::View;
use crate::view::report::look::Look;

pub(crate) fn run(path: &Path, reporting: Reporting, global: &Global, view: &dyn View) -> CommandResult {
    reporting.can_write(&[path])?;
    let set = change_sets::read(path).map_err(|error| reporting.tell_failure(Failure::from(error), global))?;
    reporting.tell(&Look::Plan(&set), global, || view.saved(&set))?;
    Ok(Exit::Done)
}

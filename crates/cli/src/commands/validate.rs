//! `provision validate`: check a plan file without sending anything.

use std::path::PathBuf;

use crate::exit::{CommandResult, Exit};
use crate::plan_files::Scope;
use crate::view::View;

pub(crate) fn run(plan_file: Option<PathBuf>, view: &dyn View) -> CommandResult {
    let path = Scope::All.plan_file_path(plan_file)?;
    Scope::All.check(&path)?;
    view.valid(&path);
    Ok(Exit::Done)
}

//! `provision validate`: check a plan file without sending anything.

use std::path::PathBuf;

use crate::exit::{CommandResult, Exit};
use crate::plan_files::Scope;
use crate::view::{self, View};

pub(crate) fn run(plan_file: Option<PathBuf>, view: &dyn View) -> CommandResult {
    let path = Scope::All.plan_file_path(plan_file)?;
    let read = Scope::All.check_with_server(&path, None)?;
    for warning in &read.server.warnings {
        view::diagnostic(&view::error::warning(warning));
    }
    view.valid(&path);
    Ok(Exit::Done)
}

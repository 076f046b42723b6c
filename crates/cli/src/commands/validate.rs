//! `provision validate`: check a plan file without sending anything.

use std::path::PathBuf;

use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit};
use crate::plan_files::{check_all, default_path};
use crate::view::View;

pub(crate) fn run(plan_file: Option<PathBuf>, view: &dyn View) -> CommandResult {
    let path = plan_file.map_or_else(|| default_path(&CloudId::ALL), Ok)?;
    check_all(&path)?;
    view.valid(&path);
    Ok(Exit::Done)
}

//! `provision show`: print a saved change set without sending anything.

use std::path::Path;

use provision_core::change_set::ChangeSet;
use provision_core::{Error, ErrorKind};
use serde_json::json;

use crate::arguments::Global;
use crate::commands::Ended;
use crate::exit::Exit;
use crate::view;
use crate::view::change_set::Detail;

pub(crate) fn run(path: &Path, global: &Global) -> Ended {
    let set = read(path)?;
    let detail = if global.verbose { Detail::Everything } else { Detail::Changes };
    let text = if global.json { format!("{:#}\n", json!(set)) } else { view::change_set::text(&set, detail) };
    view::result(&text);
    Ok(Exit::Done)
}

/// Read a saved change set.
pub(crate) fn read(path: &Path) -> Result<ChangeSet, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let tried = format!("cannot read change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).message(error.to_string())
    })?;
    ChangeSet::from_json(&text)
}

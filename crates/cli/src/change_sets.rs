//! Saved change sets.

use std::path::Path;

use provision_core::change_set::ChangeSet;
use provision_core::{Error, ErrorKind};
use serde_json::json;

/// Read a saved change set.
pub(crate) fn read(path: &Path) -> Result<ChangeSet, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let tried = format!("cannot read change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })?;
    ChangeSet::from_json(&text)
}

/// Save one.
pub(crate) fn save(set: &ChangeSet, path: &Path) -> Result<(), Error> {
    std::fs::write(path, format!("{:#}\n", json!(set))).map_err(|error| {
        let tried = format!("cannot write change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })
}

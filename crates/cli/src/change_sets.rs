//! Saved change sets.

use std::path::Path;

use provision_core::change_set::ChangeSet;
use provision_core::file::{self, Readers};
use provision_core::{Error, ErrorKind};
use serde_json::json;

/// Whether a file is a change set: what is in it tells, whatever its name. The name counts where it cannot be read.
pub(crate) fn is_one(path: &Path) -> bool {
    let by_name = || path.extension().is_some_and(|extension| extension == "json");
    file::read(path, file::LARGEST_CHANGE_SET).map_or_else(|_| by_name(), |bytes| file::is_json(&bytes))
}

/// Read a saved change set.
pub(crate) fn read(path: &Path) -> Result<ChangeSet, Error> {
    let bytes = file::read(path, file::LARGEST_CHANGE_SET).map_err(|error| {
        let tried = format!("cannot read change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })?;
    ChangeSet::from_json(String::from_utf8_lossy(&bytes).trim_start_matches(file::BYTE_ORDER_MARK))
}

/// Save one.
pub(crate) fn save(set: &ChangeSet, path: &Path) -> Result<(), Error> {
    file::replace(path, &format!("{:#}\n", json!(set)), Readers::Usual).map_err(|error| {
        let tried = format!("cannot write change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })
}

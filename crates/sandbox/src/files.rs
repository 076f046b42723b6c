//! Files that clients read.

use std::path::{Path, PathBuf};

use crate::Error;

/// Where they are: the sandbox's folder, or one that ends with the value.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// The sandbox's, where it has one.
    pub(crate) fn of(folder: Option<&Path>) -> Result<Self, Error> {
        if let Some(folder) = folder {
            return Ok(Self { path: folder.to_owned(), _temporary: None });
        }
        let temporary = tempfile::tempdir().map_err(Error::io("make", &std::env::temp_dir()))?;
        Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    /// A file in it, by its whole path: clients are started in other folders.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf, Error> {
        std::path::absolute(self.path.join(name)).map_err(Error::io("find", &self.path))
    }
}

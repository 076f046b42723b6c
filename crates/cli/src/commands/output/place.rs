//! Where settings are written to.

use std::path::{Path, PathBuf};

use provision_core::file::{self, Readers};
use provision_core::{Error, ErrorKind};

use crate::arguments::Format;
use crate::exit::Failure;

/// The file that is written to: GitHub's is named by the runner.
pub(super) fn target(format: Option<Format>, out: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    if format != Some(Format::Github) || out.is_some() {
        return Ok(out);
    }
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let named = named("GITHUB_OUTPUT").or_else(|| named("GITHUB_ENV"));
    let missing = "`--format github` adds to the file that `$GITHUB_OUTPUT` or `$GITHUB_ENV` names, and neither is set: name one \
                   with `--out`";
    named.map(Some).ok_or_else(|| Failure::Usage(missing.to_owned()))
}

/// Settings may hold secrets: nobody else's to read.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Error> {
    file::replace(path, text, Readers::Owner).map_err(|error| unwritten(path, &error))
}

/// A runner's own file, of which earlier steps have a part.
pub(super) fn add(path: &Path, text: &str) -> Result<(), Error> {
    file::add(path, text).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    let tried = format!("cannot write `{}`", path.display());
    Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
}

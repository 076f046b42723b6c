//! Archives whose bytes depend on their contents alone: files in order, one time, no owner.

use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use crate::Result;

/// Pack a folder as a `.tar.gz`, in which it has this name; every file has one time, in seconds since 1970.
pub(crate) fn pack(folder: &Path, name: &str, time: u64, archive: &Path) -> Result<()> {
    let file = std::fs::File::create(archive)?;
    // The header of gzip has neither name nor time unless it is told.
    let mut tar = tar::Builder::new(GzBuilder::new().write(file, Compression::best()));
    for path in files(folder)? {
        let bytes = std::fs::read(&path)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len().try_into()?);
        header.set_mtime(time);
        header.set_mode(if is_program(&path, &bytes) { 0o755 } else { 0o644 });
        let inside = Path::new(name).join(path.strip_prefix(folder)?);
        tar.append_data(&mut header, inside, bytes.as_slice())?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

/// Every file in a folder and those below, in one order on every machine.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// By what it is: Windows keeps no mode.
fn is_program(path: &Path, bytes: &[u8]) -> bool {
    bytes.starts_with(b"#!")
        || path.file_stem().is_some_and(|stem| stem == "provision") && path.extension().is_none_or(|end| end == "exe")
}

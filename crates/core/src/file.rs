//! Files that are read and written for the user: regular ones only, and written whole or not at all.

use std::fs::{self, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// The most bytes of a plan file: a thousand times what one of them takes.
pub const LARGEST_PLAN_FILE: u64 = 1 << 20;
/// The most bytes of a saved change set.
pub const LARGEST_CHANGE_SET: u64 = 16 << 20;

/// What some editors put before the first letter of a text in UTF-8.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whose a file that is written is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner reads it: it may hold secrets.
    Owner,
    /// Whoever may by the process's own rule, or by the mode that the file has.
    Usual,
}

/// Read a file.
///
/// # Errors
///
/// It is no regular file (a pipe or a device may never end), is larger than that, or cannot be read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    regular(&fs::metadata(path)?)?;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused(&format!("it is larger than {} MB", most >> 20)));
    }
    Ok(bytes)
}

/// Whether these bytes are one JSON object, as a saved change set is and TOML never: by the first letter.
#[must_use]
pub fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK.encode_utf8(&mut [0; 4]).as_bytes()).unwrap_or(bytes);
    text.trim_ascii_start().starts_with(b"{")
}

/// Put a text in the place of a file: another one beside it first, so that nobody ever sees half of it.
///
/// # Errors
///
/// There is something else than a regular file (a link may lead anywhere), or it cannot be written.
pub fn replace(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let former = there(path)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".provision-");
    #[cfg(unix)]
    if readers == Readers::Usual {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder_of(path))?;
    if let Some(former) = former.filter(|_| readers == Readers::Usual) {
        file.as_file().set_permissions(former.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Open a file that only its owner reads, to add to it.
///
/// # Errors
///
/// There is something else than a regular file, or it cannot be written.
pub fn append(path: &Path) -> io::Result<fs::File> {
    there(path)?;
    let mut options = fs::File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // One that was there keeps its mode when it is opened.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Add lines to a file of somebody else's, which keeps its mode; one that is made is read by its owner alone. A last line of theirs
/// that has no end gets one.
///
/// # Errors
///
/// There is something else than a regular file, or it cannot be written.
pub fn add(path: &Path, text: &str) -> io::Result<()> {
    if there(path)?.is_none() {
        append(path)?;
    }
    let mut file = fs::File::options().read(true).append(true).open(path)?;
    let end = if is_in_a_line(&mut file)? { "\n" } else { "" };
    file.write_all(format!("{end}{text}").as_bytes())?;
    file.sync_all()
}

/// Whether a file's last line has no end.
fn is_in_a_line(file: &mut fs::File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Whether [`replace`] would take a path.
///
/// # Errors
///
/// There is something else than a regular file.
pub fn replaceable(path: &Path) -> io::Result<()> {
    there(path).map(drop)
}

/// Whether [`replace`] would succeed, as far as can be told without it: the folder takes a file.
///
/// # Errors
///
/// There is something else than a regular file, or the folder takes none.
pub fn writable(path: &Path) -> io::Result<()> {
    there(path)?;
    tempfile::Builder::new().prefix(".provision-").tempfile_in(folder_of(path)).map(drop)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is at a path that is written to: a regular file or nothing.
fn there(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => regular(&found).map(|()| Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn regular(found: &Metadata) -> io::Result<()> {
    let kind = match found.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a link",
        _ => "a pipe or a device",
    };
    Err(refused(&format!("it is {kind}, not a regular file")))
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_regular_files_of_a_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert!(read(&file, 4).is_err() && read(folder.path(), 4).is_err() && read(Path::new("/dev/zero"), 4).is_err());
    }

    #[test]
    fn file_is_replaced_and_keeps_its_mode_but_where_it_holds_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        replace(&file, "new", Readers::Owner).unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&file, "newer", Readers::Usual).unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("newer", 0o640));
        replace(&file, "newest", Readers::Owner).unwrap();
        assert_eq!((mode(&file), fs::read_dir(folder.path()).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn what_is_no_regular_file_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "theirs").unwrap();
        symlink(&target, &link).unwrap();
        for path in [link.as_path(), folder.path(), Path::new("/dev/null")] {
            assert!(replace(path, "ours", Readers::Usual).is_err() && append(path).is_err(), "{}", path.display());
            assert!(writable(path).is_err(), "{}", path.display());
        }
        assert!(writable(&target).is_ok() && writable(&folder.path().join("no/such/file")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    }

    #[test]
    fn what_is_added_begins_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for (before, after) in [("", "B=2\n"), ("A=1\n", "A=1\nB=2\n"), ("A=1", "A=1\nB=2\n")] {
            fs::write(&file, before).unwrap();
            add(&file, "B=2\n").unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), after);
        }
    }

    #[test]
    fn file_that_is_added_to_is_its_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace");
        fs::write(&file, "1\n").unwrap();
        append(&file).unwrap().write_all(b"2\n").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("1\n2\n", 0o600));
    }
}

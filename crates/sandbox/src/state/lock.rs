//! One process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Error;

/// How long another process is waited for: a run of `provision` on a sandbox takes less than a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Take the lock of a folder; it is let go when the file is dropped.
pub(super) fn take(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.map_err(Error::io("open", &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse { path: folder.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
        }
    }
    sign(&mut file).map_err(Error::io("write", &path))?;
    Ok(file)
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let command: Vec<_> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} (`{}`)", std::process::id(), command.join(" "))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    if read.is_err() || text.is_empty() { "another process".to_owned() } else { text }
}

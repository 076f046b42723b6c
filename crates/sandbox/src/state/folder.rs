//! The folder of a store: its journal and its snapshot.
//!
//! Both name a generation. A new snapshot has the next one, and then the journal begins anew with it, so a journal that
//! is older than the snapshot is contained in it, and one that is younger has lost its snapshot.
//!
//! A journal that was closed ends with how many changes are in it: one that lost its last ones at the end of a line is found.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entries, line, lock};
use crate::Error;

/// The format of both files.
const FORMAT: u64 = 2;

/// A journal below this many bytes is not worth a snapshot while the store is open.
const LARGE: u64 = 4 << 20;

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    journal: File,
    journal_bytes: u64,
    snapshot_bytes: u64,
    generation: u64,
    written: u64,
    /// What the next line of the journal is sealed with.
    link: String,
    /// Changes in the journal.
    changes: usize,
    _lock: File,
}

/// The first line of both files.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    sandbox: String,
    format: u64,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<usize>,
}

/// A line of the journal: `null` deletes.
type Changes<'a> = BTreeMap<&'a str, Option<&'a Value>>;

impl Folder {
    /// Open it and read everything.
    pub(super) fn open(path: &Path) -> Result<(Self, Entries, Vec<String>), Error> {
        make(path)?;
        follows_no_link(path)?;
        let lock = lock::take(path)?;
        let journal_path = path.join("journal");
        let (snapshot, mut entries) = read_snapshot(&path.join("snapshot"))?;
        let read = read_journal(&journal_path, snapshot.as_ref(), &mut entries)?;
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&journal_path);
        let mut folder = Self {
            path: path.to_owned(),
            journal: opened.map_err(Error::io("open", &journal_path))?,
            journal_bytes: read.bytes,
            snapshot_bytes: snapshot.as_ref().map_or(0, |(_, bytes)| *bytes),
            generation: snapshot.as_ref().map_or(0, |(header, _)| header.generation),
            written: 0,
            link: read.link,
            changes: read.changes,
            _lock: lock,
        };
        folder.begin_at(read.bytes)?;
        folder.compact_if_outgrown(&entries)?;
        Ok((folder, entries, read.warnings))
    }

    /// Add one transaction.
    pub(super) fn append(&mut self, changes: &Changes<'_>) -> Result<(), Error> {
        self.append_line(&json(changes))?;
        self.changes += 1;
        Ok(())
    }

    /// Write a snapshot once the journal is twice as large: each byte is then written a bounded number of times.
    pub(super) fn compact_if_outgrown(&mut self, entries: &Entries) -> Result<(), Error> {
        if self.journal_bytes > LARGE.max(2 * self.snapshot_bytes) { self.compact(entries) } else { Ok(()) }
    }

    /// Write a snapshot unless the journal is small beside the last one, and say how the journal ends.
    pub(super) fn close(&mut self, entries: &Entries) -> Result<(), Error> {
        if self.changes > 0 && 2 * self.journal_bytes > self.snapshot_bytes {
            self.compact(entries)?;
        }
        self.append_line(&json(&[self.changes]))
    }

    /// Bytes written since it was opened.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Cut off what is torn, and begin a journal that is empty with its header.
    fn begin_at(&mut self, bytes: u64) -> Result<(), Error> {
        let path = self.path.join("journal");
        self.journal.set_len(bytes).map_err(Error::io("write", &path))?;
        self.journal.seek(SeekFrom::Start(bytes)).map_err(Error::io("write", &path))?;
        if bytes > 0 {
            return Ok(());
        }
        (self.link, self.changes) = (String::new(), 0);
        self.append_line(&header(self.generation))
    }

    fn append_line(&mut self, json: &str) -> Result<(), Error> {
        let (path, line) = (self.path.join("journal"), line::seal(json, &self.link));
        if let Err(error) = self.journal.write_all(line.as_bytes()) {
            // A full disk took a part of the line: take it away again, or the next line would be read as its rest.
            let _ = self.journal.set_len(self.journal_bytes);
            let _ = self.journal.seek(SeekFrom::Start(self.journal_bytes));
            return Err(Error::io("write", &path)(error));
        }
        let length = u64::try_from(line.len()).unwrap_or_default();
        self.journal_bytes += length;
        self.written += length;
        self.link = String::from_utf8_lossy(line::link(line.as_bytes())).into_owned();
        Ok(())
    }

    fn compact(&mut self, entries: &Entries) -> Result<(), Error> {
        let generation = self.generation + 1;
        self.snapshot_bytes = self.write_snapshot(generation, entries)?;
        self.written += self.snapshot_bytes;
        self.generation = generation;
        self.journal_bytes = 0;
        self.begin_at(0)
    }

    fn write_snapshot(&self, generation: u64, entries: &Entries) -> Result<u64, Error> {
        let failed = |error| Error::io("write", &self.path.join("snapshot"))(error);
        let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(&self.path).map_err(failed)?);
        let header = Header { sandbox: "snapshot".into(), format: FORMAT, generation, entries: Some(entries.len()) };
        let (mut bytes, mut link) = (0, String::new());
        for json in std::iter::once(json(&header)).chain(entries.iter().map(|entry| json(&entry))) {
            let line = line::seal(&json, &link);
            file.write_all(line.as_bytes()).map_err(failed)?;
            bytes += line.len();
            link = String::from_utf8_lossy(line::link(line.as_bytes())).into_owned();
        }
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(self.path.join("snapshot")).map_err(|error| failed(error.error))?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }
}

fn header(generation: u64) -> String {
    json(&Header { sandbox: "journal".into(), format: FORMAT, generation, entries: None })
}

/// Values come from JSON, and all keys are text: they can be written as JSON.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Every file of a folder.
pub(super) const FILES: [&str; 4] = ["journal", "snapshot", crate::tls::FILE, "lock"];

/// Make the folder, for its owner alone.
fn make(path: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(Error::io("make", path))
}

/// A folder that somebody else brought along must not lead us to files elsewhere.
fn follows_no_link(folder: &Path) -> Result<(), Error> {
    let paths = std::iter::once(folder.to_owned()).chain(FILES.map(|name| folder.join(name)));
    let is_link = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink());
    match paths.into_iter().find(is_link) {
        Some(path) => Err(Error::Link { path }),
        None => Ok(()),
    }
}

/// The file's bytes; `None` if there is no such file.
fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

fn read_header(path: &Path, kind: &str, line: &[u8]) -> Result<Header, Error> {
    let json = line::unseal(line, b"").ok_or_else(|| Error::damaged(path, "line 1 does not match its checksum"))?;
    let header: Header =
        serde_json::from_slice(json).map_err(|error| Error::damaged(path, format!("line 1: {error}")))?;
    if header.format > FORMAT {
        return Err(Error::Newer { path: path.to_owned(), found: header.format, known: FORMAT });
    }
    if header.sandbox != kind {
        return Err(Error::damaged(path, format!("it is a {}, not a {kind}", header.sandbox)));
    }
    Ok(header)
}

/// The line of a number, from 1; all but the first come after another.
fn read_line<T: serde::de::DeserializeOwned>(path: &Path, lines: &[&[u8]], number: usize) -> Result<T, Error> {
    let json = line::unseal(lines[number - 1], line::link(lines[number - 2]));
    let json = json.ok_or_else(|| Error::damaged(path, format!("line {number} does not match its checksum")))?;
    serde_json::from_slice(json).map_err(|error| Error::damaged(path, format!("line {number}: {error}")))
}

fn read_snapshot(path: &Path) -> Result<(Option<(Header, u64)>, Entries), Error> {
    let Some(bytes) = bytes_of(path)? else { return Ok((None, Entries::new())) };
    let (lines, end) = line::whole(&bytes);
    let Some(first) = lines.first() else { return Err(Error::damaged(path, "it has no header")) };
    let header = read_header(path, "snapshot", first)?;
    if end != bytes.len() || header.entries != Some(lines.len() - 1) {
        return Err(Error::damaged(path, "it is not complete"));
    }
    let entries = (2..=lines.len()).map(|number| read_line(path, &lines, number));
    Ok((Some((header, u64::try_from(bytes.len()).unwrap_or_default())), entries.collect::<Result<_, _>>()?))
}

/// What the journal holds that is to be kept.
#[derive(Default)]
struct Read {
    bytes: u64,
    link: String,
    changes: usize,
    warnings: Vec<String>,
}

/// A line after the header.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Changes(BTreeMap<String, Option<Value>>),
    /// How many changes there are: the journal was closed.
    End([usize; 1]),
}

fn read_journal(path: &Path, snapshot: Option<&(Header, u64)>, entries: &mut Entries) -> Result<Read, Error> {
    let generation = snapshot.map_or(0, |(header, _)| header.generation);
    let Some(bytes) = bytes_of(path)? else {
        return match snapshot {
            None => Ok(Read::default()),
            Some(_) => Err(Error::damaged(path, "there is a snapshot and no journal")),
        };
    };
    let (lines, end) = line::whole(&bytes);
    let warnings = torn(path, bytes.len() - end, lines.len());
    let Some(first) = lines.first() else { return Ok(Read { warnings, ..Read::default() }) };
    let header = read_header(path, "journal", first)?;
    if header.generation > generation {
        return Err(Error::damaged(path, "its snapshot is missing or older"));
    }
    if header.generation < generation {
        return Ok(Read::default());
    }
    read_changes(
        path,
        &lines,
        entries,
        Read { bytes: u64::try_from(end).unwrap_or_default(), warnings, ..Read::default() },
    )
}

/// The changes after the header. The line that ends a journal that was closed is not kept: it goes on.
fn read_changes(path: &Path, lines: &[&[u8]], entries: &mut Entries, mut read: Read) -> Result<Read, Error> {
    let mut closed = false;
    for number in 2..=lines.len() {
        match read_line(path, lines, number)? {
            _ if closed => return Err(Error::damaged(path, format!("line {number} comes after its end"))),
            Line::Changes(changes) => changes.into_iter().for_each(|change| apply(entries, change)),
            Line::End([changes]) if changes == number - 2 => closed = true,
            Line::End(_) => return Err(Error::damaged(path, "changes are missing")),
        }
    }
    read.changes = lines.len() - 1 - usize::from(closed);
    read.link = String::from_utf8_lossy(line::link(lines[read.changes])).into_owned();
    if closed {
        read.bytes -= lines.last().map_or(0, |line| line.len() as u64 + 1);
    } else if read.changes > 0 && read.warnings.is_empty() {
        read.warnings.push(format!(
            "`{}`: it was not closed; if the machine stopped too, its last changes may be missing",
            path.display()
        ));
    }
    Ok(read)
}

fn apply(entries: &mut Entries, (key, value): (String, Option<Value>)) {
    match value {
        Some(value) => entries.insert(key, value),
        None => entries.remove(&key),
    };
}

fn torn(path: &Path, bytes: usize, lines: usize) -> Vec<String> {
    let warning = || {
        format!(
            "`{}`: the last change was not written to its end, and is dropped ({bytes} bytes in line {})",
            path.display(),
            lines + 1
        )
    };
    (bytes > 0).then(warning).into_iter().collect()
}

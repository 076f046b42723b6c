//! The folder of a store: its journal and its snapshot.
//!
//! Both name a generation. A new snapshot has the next one, and then the journal begins anew with it, so a journal that
//! is older than the snapshot is contained in it, and one that is younger has lost its snapshot.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entries, line, lock};
use crate::Error;

/// The format of both files.
const FORMAT: u64 = 1;

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
        std::fs::create_dir_all(path).map_err(Error::io("make", path))?;
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
            _lock: lock,
        };
        folder.begin_at(read.bytes)?;
        folder.compact_if_outgrown(&entries)?;
        Ok((folder, entries, read.warnings))
    }

    /// Add one transaction.
    pub(super) fn append(&mut self, changes: &Changes<'_>) -> Result<(), Error> {
        let line = sealed(changes);
        self.append_line(&line)
    }

    /// Write a snapshot once the journal is twice as large: each byte is then written a bounded number of times.
    pub(super) fn compact_if_outgrown(&mut self, entries: &Entries) -> Result<(), Error> {
        if self.journal_bytes > LARGE.max(2 * self.snapshot_bytes) { self.compact(entries) } else { Ok(()) }
    }

    /// Write a snapshot unless the journal is small beside the last one.
    pub(super) fn close(&mut self, entries: &Entries) -> Result<(), Error> {
        let header = u64::try_from(header(self.generation).len()).unwrap_or_default();
        let changed = self.journal_bytes > header;
        if changed && 2 * self.journal_bytes > self.snapshot_bytes { self.compact(entries) } else { Ok(()) }
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
        if bytes == 0 { self.append_line(&header(self.generation)) } else { Ok(()) }
    }

    fn append_line(&mut self, line: &str) -> Result<(), Error> {
        let path = self.path.join("journal");
        if let Err(error) = self.journal.write_all(line.as_bytes()) {
            // A full disk took a part of the line: take it away again, or the next line would be read as its rest.
            let _ = self.journal.set_len(self.journal_bytes);
            let _ = self.journal.seek(SeekFrom::Start(self.journal_bytes));
            return Err(Error::io("write", &path)(error));
        }
        let length = u64::try_from(line.len()).unwrap_or_default();
        self.journal_bytes += length;
        self.written += length;
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
        let mut bytes = 0;
        for line in std::iter::once(sealed(&header)).chain(entries.iter().map(|entry| sealed(&entry))) {
            file.write_all(line.as_bytes()).map_err(failed)?;
            bytes += line.len();
        }
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(self.path.join("snapshot")).map_err(|error| failed(error.error))?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }
}

fn header(generation: u64) -> String {
    sealed(&Header { sandbox: "journal".into(), format: FORMAT, generation, entries: None })
}

/// Values come from JSON, and all keys are text: they can be written as JSON.
fn sealed<T: Serialize>(value: &T) -> String {
    line::seal(&serde_json::to_string(value).unwrap_or_default())
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
    let json = line::unseal(line).ok_or_else(|| Error::damaged(path, "line 1 does not match its checksum"))?;
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

fn read_line<T: serde::de::DeserializeOwned>(path: &Path, number: usize, line: &[u8]) -> Result<T, Error> {
    let json = line::unseal(line);
    let json = json.ok_or_else(|| Error::damaged(path, format!("line {number} does not match its checksum")))?;
    serde_json::from_slice(json).map_err(|error| Error::damaged(path, format!("line {number}: {error}")))
}

fn read_snapshot(path: &Path) -> Result<(Option<(Header, u64)>, Entries), Error> {
    let Some(bytes) = bytes_of(path)? else { return Ok((None, Entries::new())) };
    let (lines, end) = line::whole(&bytes);
    let Some((first, lines)) = lines.split_first() else { return Err(Error::damaged(path, "it has no header")) };
    let header = read_header(path, "snapshot", first)?;
    if end != bytes.len() || header.entries != Some(lines.len()) {
        return Err(Error::damaged(path, "it is not complete"));
    }
    let entries = lines.iter().enumerate().map(|(index, line)| read_line(path, index + 2, line));
    Ok((Some((header, u64::try_from(bytes.len()).unwrap_or_default())), entries.collect::<Result<_, _>>()?))
}

/// What the journal holds that is to be kept.
struct Read {
    bytes: u64,
    warnings: Vec<String>,
}

fn read_journal(path: &Path, snapshot: Option<&(Header, u64)>, entries: &mut Entries) -> Result<Read, Error> {
    let generation = snapshot.map_or(0, |(header, _)| header.generation);
    let Some(bytes) = bytes_of(path)? else {
        return match snapshot {
            None => Ok(Read { bytes: 0, warnings: Vec::new() }),
            Some(_) => Err(Error::damaged(path, "there is a snapshot and no journal")),
        };
    };
    let (lines, end) = line::whole(&bytes);
    let warnings = torn(path, bytes.len() - end, lines.len());
    let Some((first, lines)) = lines.split_first() else { return Ok(Read { bytes: 0, warnings }) };
    let header = read_header(path, "journal", first)?;
    if header.generation > generation {
        return Err(Error::damaged(path, "its snapshot is missing or older"));
    }
    if header.generation < generation {
        return Ok(Read { bytes: 0, warnings: Vec::new() });
    }
    for (index, line) in lines.iter().enumerate() {
        let changes: BTreeMap<String, Option<Value>> = read_line(path, index + 2, line)?;
        changes.into_iter().for_each(|change| apply(entries, change));
    }
    Ok(Read { bytes: u64::try_from(end).unwrap_or_default(), warnings })
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

//! The state of all clouds: one ordered store of JSON values, in memory and, if it has a folder, on disk.
//!
//! A [`Transaction`] is all or nothing, and one line of the journal. The folder holds
//!
//! - `journal`: every transaction since the snapshot, appended; a last line that is not whole is dropped with a warning;
//! - `snapshot`: every value at one moment, written beside its place and moved there. It is written when the journal has
//!   outgrown it, so that the cost of a transaction does not depend on how many there were;
//! - `authority.pem`: if a cloud speaks TLS, the certificate that its clients are to trust, new at every start;
//! - `lock`: held as long as the store is open, with the process that holds it.
//!
//! Anything else that is wrong with them is an error: a sandbox is never emptied silently.

mod folder;
mod line;
mod lock;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use folder::Folder;

/// Keys and values, ordered by key.
pub type Entries = BTreeMap<String, Value>;

/// The state of all clouds.
#[derive(Debug)]
pub struct Store {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: Entries,
    folder: Option<Folder>,
    closed: bool,
}

/// A batch of changes; undone unless it is committed.
#[derive(Debug)]
pub struct Transaction<'a> {
    entries: &'a mut Entries,
    /// What the changed keys held before.
    before: BTreeMap<String, Option<Value>>,
}

impl Store {
    /// A store without a folder: it ends with the value.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { inner: Mutex::new(Inner { entries: Entries::new(), folder: None, closed: false }) }
    }

    /// Open the store of a folder, making it if there is none. Gives warnings too: what was dropped.
    ///
    /// # Errors
    ///
    /// Another process holds the folder for longer than some seconds, the folder is read-only, or what is in it is
    /// damaged or of a later release.
    pub fn open(path: &Path) -> Result<(Self, Vec<String>), Error> {
        let (folder, entries, warnings) = Folder::open(path)?;
        let inner = Inner { entries, folder: Some(folder), closed: false };
        Ok((Self { inner: Mutex::new(inner) }, warnings))
    }

    /// Run a batch of reads and changes: all of the changes are kept if it succeeds, none if it fails.
    ///
    /// # Errors
    ///
    /// What the batch says, or the journal cannot be written.
    pub fn transaction<T, E: From<Error>>(
        &self,
        run: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.lock();
        let Inner { entries, folder, closed } = &mut *inner;
        if *closed {
            return Err(Error::Closed.into());
        }
        let mut transaction = Transaction { entries, before: BTreeMap::new() };
        let result = run(&mut transaction)?;
        if let (Some(folder), false) = (folder.as_mut(), transaction.before.is_empty()) {
            folder.append(&transaction.changes())?;
        }
        transaction.before.clear();
        drop(transaction);
        if let Some(folder) = folder {
            folder.compact_if_outgrown(entries)?;
        }
        Ok(result)
    }

    /// Write a snapshot if it is worth it, and let the folder go. Nothing can be read or written afterwards.
    ///
    /// # Errors
    ///
    /// The snapshot cannot be written; the journal still has everything.
    pub fn close(&self) -> Result<(), Error> {
        let mut inner = self.lock();
        inner.closed = true;
        let Some(mut folder) = inner.folder.take() else { return Ok(()) };
        folder.close(&inner.entries)
    }

    /// Bytes written to the folder so far, to see that cost is linear.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.lock().folder.as_ref().map_or(0, Folder::written)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remove the files of a folder's store, and the folder if nothing else is in it.
///
/// # Errors
///
/// Another process holds it, or they cannot be removed.
pub fn remove(path: &Path) -> Result<(), Error> {
    if !path.join("lock").exists() {
        return Ok(());
    }
    let _lock = lock::take(path)?;
    for name in folder::FILES {
        match std::fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path.join(name))(error));
            }
            _ => {}
        }
    }
    // It stays if it holds something that is not ours.
    let _ = std::fs::remove_dir(path);
    Ok(())
}

impl Transaction<'_> {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// It is not of this type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.entries.get(key).map(|value| typed(key, value)).transpose()
    }

    /// Whether a key has a value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Set a value.
    ///
    /// # Errors
    ///
    /// It is not JSON: a map with keys that are no text.
    pub fn put<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_value(value);
        let value = value.map_err(|error| Error::Value { key: key.to_owned(), reason: error.to_string() })?;
        let before = self.entries.insert(key.to_owned(), value);
        self.before.entry(key.to_owned()).or_insert(before);
        Ok(())
    }

    /// Remove a value; gives whether there was one.
    pub fn delete(&mut self, key: &str) -> bool {
        let Some(before) = self.entries.remove(key) else { return false };
        self.before.entry(key.to_owned()).or_insert(Some(before));
        true
    }

    /// Keys that begin with a prefix, in order, those after `after` only.
    pub fn keys<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        self.range(prefix, after).map(|(key, _)| key)
    }

    /// Values whose keys begin with a prefix, in order.
    ///
    /// # Errors
    ///
    /// One is not of this type.
    pub fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(String, T)>, Error> {
        self.scan_where(prefix, |_| true)
    }

    /// Those of them that are meant by what they hold, which takes less than to read them all.
    ///
    /// # Errors
    ///
    /// One is not of this type.
    pub fn scan_where<T: DeserializeOwned>(
        &self,
        prefix: &str,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Result<Vec<(String, T)>, Error> {
        let meant = self.range(prefix, None).filter(|(_, value)| is_meant(value));
        meant.map(|(key, value)| Ok((key.to_owned(), typed(key, value)?))).collect()
    }

    /// The next number of a counter, from 1.
    ///
    /// # Errors
    ///
    /// The counter is damaged.
    pub fn next_number(&mut self, counter: &str) -> Result<u64, Error> {
        let number = self.get::<u64>(counter)?.unwrap_or_default() + 1;
        self.put(counter, &number)?;
        Ok(number)
    }

    fn range<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let entries = self.entries.range::<str, _>((from, Bound::Unbounded));
        let entries = entries.map(|(key, value)| (key.as_str(), value));
        entries.take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn changes(&self) -> BTreeMap<&str, Option<&Value>> {
        self.before.keys().map(|key| (key.as_str(), self.entries.get(key))).collect()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        for (key, value) in std::mem::take(&mut self.before) {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
    }
}

fn typed<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| Error::Value { key: key.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests;

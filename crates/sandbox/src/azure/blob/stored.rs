//! How blobs are kept: what is known of each under its name, and the content apart, so that a list reads no content.
//!
//! A blob has one current record, and one for each snapshot and earlier version.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use time::macros::format_description;

use crate::Error;
use crate::azure::accounts::{Account, data_key};
use crate::azure::blob_services::BlobService;
use crate::azure::call::Call;
use crate::azure::leases::Lease;
use crate::azure::refusal::Refusal;
use crate::clock::date;
use crate::state::Transaction;

/// What is known of a blob.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::azure) struct Blob {
    pub(in crate::azure) etag: String,
    pub(in crate::azure) content_type: String,
    pub(in crate::azure) size: u64,
    pub(super) created_ms: u64,
    pub(super) modified_ms: u64,
    /// Where the content is.
    pub(super) content: u64,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tier: Option<String>,
    /// Committed blocks with their sizes.
    pub(super) blocks: Vec<(String, u64)>,
    /// The version, if the service keeps versions.
    pub(super) version: Option<String>,
    /// The moment of a snapshot.
    pub(super) snapshot: Option<String>,
    /// Since when it is deleted, if deleted blobs are kept.
    pub(super) deleted_ms: Option<u64>,
    /// There are blocks for it, and it was never committed.
    pub(super) uncommitted: bool,
    #[serde(default)]
    pub(super) lease: Option<Lease>,
}

/// A blob's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) account: &'a Account,
    pub(super) container: &'a str,
    pub(super) name: &'a str,
}

impl Spot<'_> {
    /// The blob that is there, if it is there.
    pub(super) fn current(&self, state: &Transaction<'_>) -> Result<Option<Blob>, Error> {
        let found: Option<Blob> = state.get(&self.key(""))?;
        Ok(found.filter(|blob| blob.deleted_ms.is_none() && !blob.uncommitted))
    }

    /// A snapshot or version that is not deleted.
    pub(super) fn earlier(&self, state: &Transaction<'_>, suffix: &str) -> Result<Option<Blob>, Error> {
        let found: Option<Blob> = state.get(&self.key(suffix))?;
        Ok(found.filter(|blob| blob.deleted_ms.is_none()))
    }

    /// Keys of snapshots, those only.
    pub(super) fn snapshots(&self, state: &Transaction<'_>) -> Result<Vec<String>, Error> {
        let start = self.key("s");
        let found: Vec<(String, Blob)> = state.scan(&start)?;
        let there = found.into_iter().filter(|(_, blob)| blob.deleted_ms.is_none());
        Ok(there.map(|(key, _)| key[start.len() - 1..].to_owned()).collect())
    }

    /// The key of the current record, or with a suffix of an earlier one: `s` or `v` and its moment.
    pub(super) fn key(&self, suffix: &str) -> String {
        format!("{}{}\0{suffix}", prefix(self.account, self.container), self.name)
    }

    pub(super) fn block_prefix(&self) -> String {
        data_key(&self.account.name, &format!("block/{}/{}\0", self.container, self.name))
    }

    /// Write a new current blob. What was there is kept as the service says.
    pub(super) fn replace(
        &self,
        state: &mut Transaction<'_>,
        call: &Call<'_>,
        service: &BlobService,
        mut blob: Blob,
    ) -> Result<Blob, Error> {
        let before: Option<Blob> = state.get(&self.key(""))?;
        let first = before.as_ref().filter(|before| !before.uncommitted && before.deleted_ms.is_none());
        blob.created_ms = first.map_or(call.now_ms, |before| before.created_ms);
        blob.lease = first.and_then(|before| before.lease.clone());
        blob.modified_ms = call.now_ms;
        blob.etag = format!("0x8D{:013X}", state.next_number("azure/etag")?);
        blob.version = if service.keeps_versions() { Some(moment(state, call)?) } else { None };
        if let Some(before) = before {
            self.retire(state, call, service, before)?;
        }
        state.put(&self.key(""), &blob)?;
        Ok(blob)
    }

    /// Keep what is no longer current as a version or a deleted snapshot, or drop it.
    pub(super) fn retire(
        &self,
        state: &mut Transaction<'_>,
        call: &Call<'_>,
        service: &BlobService,
        mut before: Blob,
    ) -> Result<(), Error> {
        if before.uncommitted {
            return Ok(());
        }
        before.lease = None;
        if service.keeps_versions() && before.deleted_ms.is_none() {
            let version = match before.version.take() {
                Some(version) => version,
                None => moment(state, call)?,
            };
            before.version = Some(version.clone());
            return state.put(&self.key(&format!("v{version}")), &before);
        }
        if service.delete_retention.enabled {
            let moment = moment(state, call)?;
            before.snapshot = Some(moment.clone());
            before.deleted_ms = before.deleted_ms.or(Some(call.now_ms));
            return state.put(&self.key(&format!("s{moment}")), &before);
        }
        drop_content(state, self.account, before.content);
        Ok(())
    }
}

/// Where a container's blobs are.
pub(super) fn prefix(account: &Account, container: &str) -> String {
    data_key(&account.name, &format!("blob/{container}/"))
}

/// Remove everything in a container.
pub(in crate::azure) fn remove_all(state: &mut Transaction<'_>, account: &Account, container: &str) {
    let blocks = data_key(&account.name, &format!("block/{container}/"));
    for prefix in [prefix(account, container), blocks] {
        let keys: Vec<String> = state.keys(&prefix, None).map(ToOwned::to_owned).collect();
        for key in keys {
            if let Ok(Some(blob)) = state.get::<Blob>(&key) {
                drop_content(state, account, blob.content);
            }
            state.delete(&key);
        }
    }
}

/// Keep content; gives where.
pub(super) fn keep_content(state: &mut Transaction<'_>, account: &Account, bytes: &[u8]) -> Result<u64, Error> {
    let number = state.next_number("azure/content")?;
    state.put(&content_key(account, number), &BASE64.encode(bytes))?;
    Ok(number)
}

/// What was kept.
pub(super) fn content(state: &Transaction<'_>, account: &Account, number: u64) -> Result<Vec<u8>, Refusal> {
    let key = content_key(account, number);
    let text: String = state.get(&key)?.unwrap_or_default();
    let damaged = |error: data_encoding::DecodeError| Error::Value { key, reason: error.to_string() };
    Ok(BASE64.decode(text.as_bytes()).map_err(damaged)?)
}

/// Forget content.
pub(super) fn drop_content(state: &mut Transaction<'_>, account: &Account, number: u64) {
    state.delete(&content_key(account, number));
}

/// A moment that no other version or snapshot has, with seven digits of a second.
pub(super) fn moment(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<String, Error> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]");
    let number = state.next_number("azure/moment")? % 10_000;
    Ok(format!("{}{number:04}Z", date(call.now_ms).format(form).unwrap_or_default()))
}

fn content_key(account: &Account, number: u64) -> String {
    data_key(&account.name, &format!("content/{number:016}"))
}

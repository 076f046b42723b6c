//! Versions of objects and delete markers, as they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::error::Error;
use crate::aws::id;
use crate::state::Transaction;

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) key: String,
    /// `null` while the bucket has no versioning.
    pub(super) id: String,
    /// In the order of all writes.
    pub(super) number: u64,
    pub(super) marker: bool,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) modified_ms: u64,
    /// Headers to be given back.
    pub(super) headers: BTreeMap<String, String>,
    /// Name and value of the header.
    pub(super) checksum: Option<(String, String)>,
    /// Of how many parts it was made.
    pub(super) parts: usize,
    /// How long they are.
    #[serde(default)]
    pub(super) part_sizes: Vec<u64>,
}

/// Where the versions of a bucket are: by key, and for one key the newest first.
pub(super) fn prefix(bucket: &str) -> String {
    format!("s3/object/{bucket}/")
}

/// Where the versions of one key are. No key has a zero byte, and none sorts before it.
pub(super) fn key_prefix(bucket: &str, key: &str) -> String {
    format!("{}{key}\0", prefix(bucket))
}

fn place(bucket: &str, version: &Version) -> String {
    format!("{}{:016x}", key_prefix(bucket, &version.key), u64::MAX - version.number)
}

fn body_place(number: u64) -> String {
    format!("s3/body/{number:016x}")
}

pub(super) fn is_empty(state: &Transaction<'_>, bucket: &str) -> bool {
    state.keys(&prefix(bucket), None).next().is_none()
}

/// The newest one, which may be a delete marker.
pub(super) fn newest(state: &Transaction<'_>, bucket: &str, key: &str) -> Result<Option<Version>, Error> {
    let prefix = key_prefix(bucket, key);
    let first = state.keys(&prefix, None).next().map(str::to_owned);
    Ok(first.map(|place| state.get(&place)).transpose()?.flatten())
}

pub(super) fn named(state: &Transaction<'_>, bucket: &str, key: &str, id: &str) -> Result<Option<Version>, Error> {
    let versions = state.scan::<Version>(&key_prefix(bucket, key))?;
    Ok(versions.into_iter().map(|(_, version)| version).find(|version| version.id == id))
}

/// Keep a version, with a body unless it is a marker. Without versioning it takes the place of the former one
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html>.
pub(super) fn add(
    state: &mut Transaction<'_>,
    bucket: &str,
    versioning: Option<&str>,
    mut version: Version,
    body: Option<&[u8]>,
) -> Result<Version, Error> {
    version.number = state.next_number("aws/number")?;
    version.id = match versioning {
        Some("Enabled") => id::numbered("version", version.number, 32),
        _ => "null".to_owned(),
    };
    if version.id == "null"
        && let Some(former) = named(state, bucket, &version.key, "null")?
    {
        remove(state, bucket, &former);
    }
    state.put(&place(bucket, &version), &version)?;
    if let Some(body) = body {
        put_body(state, version.number, body)?;
    }
    Ok(version)
}

pub(super) fn remove(state: &mut Transaction<'_>, bucket: &str, version: &Version) {
    state.delete(&place(bucket, version));
    delete_body(state, version.number);
}

/// The bytes of an object or of a part.
pub(super) fn body(state: &Transaction<'_>, number: u64) -> Result<Vec<u8>, Error> {
    let text: String = state.get(&body_place(number))?.unwrap_or_default();
    let damaged = |error: data_encoding::DecodeError| Error::new(500, "InternalError", error.to_string());
    data_encoding::BASE64.decode(text.as_bytes()).map_err(damaged)
}

pub(super) fn put_body(state: &mut Transaction<'_>, number: u64, body: &[u8]) -> Result<(), Error> {
    Ok(state.put(&body_place(number), &data_encoding::BASE64.encode(body))?)
}

pub(super) fn delete_body(state: &mut Transaction<'_>, number: u64) {
    state.delete(&body_place(number));
}

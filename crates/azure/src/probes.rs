//! Probes of `verify` in the container: told by their key and by what they say of themselves, and removed in all their versions.
//! An account that keeps what is deleted (<https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview>) keeps
//! them too, for as many days as somebody has set.

use std::collections::BTreeMap;

use azure_storage_blob::models::BlobItem;
use provision_core::Error;
use provision_core::probe::{METADATA, Probes};

use crate::client::blobs::BlobStore;
use crate::client::{Reader, Writer};
use crate::tags::metadata_name;

/// What a probe is.
pub(crate) const CONTENT_TYPE: &str = "text/plain";

/// The keys of those that are there.
pub(crate) async fn remains(reader: &Reader, blobs: &BlobStore, probes: &Probes) -> Result<Vec<String>, Error> {
    Ok(listed(reader, blobs, probes, &probes.stem()).await?.into_keys().collect())
}

/// Remove one of them, in all its versions, as it was listed: what somebody has put in its place meanwhile stays.
pub(crate) async fn remove(writer: &Writer, blobs: &BlobStore, probes: &Probes, key: &str) -> Result<(), Error> {
    let found = listed(writer.reader(), blobs, probes, key).await?.remove(key).unwrap_or_default();
    for mut item in found {
        writer.delete_blob_as_listed(blobs, &item).await?;
        // What was current is an earlier version then.
        if item.version_id.is_some() && item.is_current_version.take() == Some(true) {
            writer.delete_blob(blobs, &item).await?;
        }
    }
    Ok(())
}

/// The versions of every probe whose key begins so. A key with a version that does not say so is none.
async fn listed(
    reader: &Reader,
    blobs: &BlobStore,
    probes: &Probes,
    beginning: &str,
) -> Result<BTreeMap<String, Vec<BlobItem>>, Error> {
    let mut found: BTreeMap<String, Vec<BlobItem>> = BTreeMap::new();
    for item in reader.list_blobs_below(blobs, beginning).await? {
        let key = item.name.clone().unwrap_or_default();
        if probes.has(&key) {
            found.entry(key).or_default().push(item);
        }
    }
    found.retain(|_, items| items.iter().all(|item| is_ours(item, probes)));
    Ok(found)
}

fn is_ours(item: &BlobItem, probes: &Probes) -> bool {
    let values = item.metadata.as_ref().and_then(|metadata| metadata.values.as_ref());
    let said = values.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(&metadata()));
    said.is_some_and(|(_, owner)| *owner == probes.owner)
}

/// The name of the metadata that says whose a probe is.
pub(crate) fn metadata() -> String {
    metadata_name(METADATA)
}

//! Probes of `verify` in the bucket: told by their key and by what they say of themselves, and removed for good.

use std::collections::BTreeMap;

use aws_sdk_s3::types::ObjectIdentifier;
use futures::future::try_join_all;
use provision_core::Error;
use provision_core::probe::{METADATA, Probes};

use crate::client::{Reader, Writer};

/// The keys of those that are there. One page is read: a thousand versions of probes are nobody's.
pub(crate) async fn remains(reader: &Reader, bucket: &str, owner: &str, probes: &Probes) -> Result<Vec<String>, Error> {
    Ok(versions(reader, bucket, owner, probes, &probes.stem()).await?.into_keys().collect())
}

/// Remove one of them, in all its versions.
pub(crate) async fn remove(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    probes: &Probes,
    key: &str,
) -> Result<(), Error> {
    let found = versions(writer.reader(), bucket, owner, probes, key).await?.remove(key).unwrap_or_default();
    try_join_all(found.iter().map(|version| writer.delete_object(bucket, owner, version))).await.map(|_| ())
}

/// The versions of every probe whose key begins so. A key with a version that does not say so is none.
async fn versions(
    reader: &Reader,
    bucket: &str,
    owner: &str,
    probes: &Probes,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<ObjectIdentifier>>, Error> {
    let page = reader.list_object_versions(bucket, owner, Some(prefix), (None, None)).await?;
    let mut found: BTreeMap<String, Vec<ObjectIdentifier>> = BTreeMap::new();
    for version in page.into_iter().flat_map(|page| page.objects).filter(|version| probes.has(&version.key)) {
        found.entry(version.key.clone()).or_default().push(version);
    }
    let foreign =
        try_join_all(found.values().flatten().map(|version| is_foreign(reader, bucket, owner, probes, version)));
    for key in foreign.await?.into_iter().flatten() {
        found.remove(&key);
    }
    Ok(found)
}

/// The key of a version that does not say that it is a probe of this deployment.
async fn is_foreign(
    reader: &Reader,
    bucket: &str,
    owner: &str,
    probes: &Probes,
    version: &ObjectIdentifier,
) -> Result<Option<String>, Error> {
    let metadata = reader.head_object(bucket, owner, &version.key, version.version_id.as_deref()).await?;
    // A delete marker says nothing.
    let is_foreign = metadata.is_some_and(|metadata| metadata.get(METADATA) != Some(&probes.owner));
    Ok(is_foreign.then(|| version.key.clone()))
}

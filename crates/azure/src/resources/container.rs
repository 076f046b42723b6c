//! `azure.container`: the private blob container, which on a shared account carries the mark of everything else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::StreamExt as _;
use provision_core::contents::{Contents, not_empty_error, thousands};
use provision_core::context::Watch;
use provision_core::facet::{Extent, Facet, Seen, Want};
use provision_core::mark::{Mark, Origin, Tags};
use provision_core::provider::Created;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::client::{BlobPage, BlobStore, Read as _, Reader, Writer};
use crate::config::Settings;
use crate::provider::{Names, unknown_facet};
use crate::resources::account::{missing, shared_keys};
use crate::resources::resource_group::included;
use crate::tags::{metadata, to_metadata};

static ACCOUNT: Facet = included("account", 'a', Extent::Whole);
static PUBLIC_ACCESS: Facet = included("public_access", 'p', Extent::Whole);
pub(crate) static FACETS: &[&Facet] = &[&ACCOUNT, &PUBLIC_ACCESS];

/// Blobs deleted at the same time while the next page is listed.
const DELETES_AT_ONCE: usize = 32;

/// What is wanted. On an adopted container, public access only where the plan file sets it.
pub(crate) fn want(settings: &Settings, origin: Origin) -> Vec<Want> {
    let azure = &settings.azure;
    let account = json!(azure.account.name);
    let mut wants = vec![Want { facet: &ACCOUNT, value: account, path: "azure.account.name".to_owned() }];
    if origin == Origin::Created || azure.container.private {
        wants.push(Want { facet: &PUBLIC_ACCESS, value: json!("None"), path: "azure.container".to_owned() });
    }
    wants
}

pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let id = names.container_id(&names.container);
    let Some(found) = reader.get_container(&id).await? else {
        if names.shared && reader.get_account(&names.account_id()).await?.is_none() {
            return Err(missing(names));
        }
        return Ok(Observation::Absent);
    };
    let public = found.pointer("/properties/publicAccess").and_then(Value::as_str).unwrap_or("None");
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&metadata(&found)),
        seen: vec![(ACCOUNT.name, Seen::Value(json!(names.account))), (PUBLIC_ACCESS.name, Seen::Value(json!(public)))],
        ..Present::default()
    })))
}

/// Create the container with its mark. The call would replace the metadata of one that exists, so it is looked for right
/// before.
pub(crate) async fn create(writer: &Writer, names: &Names, container: &str, tags: &Tags) -> Result<Created, Error> {
    let id = names.container_id(container);
    if writer.reader().get_container(&id).await?.is_some() {
        return Ok(Created::Existed);
    }
    let body = json!({"properties": {"publicAccess": "None", "metadata": to_metadata(tags)}});
    writer.put_container(&id, &body).await
}

/// Write one facet.
pub(crate) async fn write(writer: &Writer, names: &Names, facet: &str) -> Result<(), Error> {
    if facet != PUBLIC_ACCESS.name {
        return Err(unknown_facet(facet));
    }
    let body = json!({"properties": {"publicAccess": "None"}});
    writer.patch_container(&names.container_id(&names.container), &body).await
}

/// Containers whose content was looked at, by id, since one of the same name may be in another account: what was found out
/// about credentials need not be found out again.
#[derive(Debug, Default)]
pub(crate) struct Opened(Mutex<BTreeMap<String, Arc<BlobStore>>>);

impl Opened {
    fn get(&self, id: &str) -> Option<Arc<BlobStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: String, store: &Arc<BlobStore>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(store));
    }
}

/// What is listed of a container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    /// What can be read.
    Blobs,
    /// That, and beside it the same with uploads that were begun and not committed.
    BlobsAndUploads,
}

/// The first page of a container; the second one, if asked for, has uploads too.
struct FirstPages {
    blobs: BlobPage,
    with_uploads: Option<BlobPage>,
}

async fn list(reader: &Reader, store: &BlobStore, listing: Listing) -> Result<FirstPages, Error> {
    if listing == Listing::Blobs {
        return Ok(FirstPages { blobs: reader.list_blobs(store, false, None).await?, with_uploads: None });
    }
    let (blobs, all) = futures::join!(reader.list_blobs(store, false, None), reader.list_blobs(store, true, None));
    Ok(FirstPages { blobs: blobs?, with_uploads: Some(all?) })
}

/// The content and its first page: by what an earlier look of this run opened, else opened anew. `None` if there is no such
/// container.
async fn open(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    container: &str,
    opened: &Opened,
    listing: Listing,
) -> Result<Option<(Arc<BlobStore>, FirstPages)>, Error> {
    let id = names.container_id(container);
    if let Some(store) = opened.get(&id) {
        match list(reader, &store, listing).await {
            Ok(pages) => return Ok(Some((store, pages))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A key may have been renewed, a role taken away.
            Err(error) if is_denied(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let found = open_anew(reader, settings, names, container, listing).await?;
    Ok(found.map(|(store, pages)| {
        let store = Arc::new(store);
        opened.keep(id, &store);
        (store, pages)
    }))
}

/// The content, opened with whichever credentials the Blob service takes.
async fn open_anew(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    container: &str,
    listing: Listing,
) -> Result<Option<(BlobStore, FirstPages)>, Error> {
    let (id, container_id) = (names.account_id(), names.container_id(container));
    let (account, found) = futures::join!(reader.get_account(&id), reader.get_container(&container_id));
    let (Some(account), Some(_)) = (account?, found?) else { return Ok(None) };
    let Some(endpoint) = reader.blob_endpoint(&account) else {
        let error =
            Error::new(ErrorKind::Unsupported, format!("find the blobs of storage account `{}`", names.account));
        return Err(error.message("the account has no blob endpoint"));
    };
    let by_key = || async {
        let key = reader.list_keys(&id, settings.azure.account.key.as_str()).await?;
        let store = reader.blob_store(&id, &endpoint, container, key)?;
        let pages = list(reader, &store, listing).await?;
        Ok(Some((store, pages)))
    };
    // No token goes over plain HTTP, which only an emulator speaks.
    if endpoint.scheme() != "https" {
        return by_key().await;
    }
    let store = reader.blob_store(&id, &endpoint, container, None)?;
    match list(reader, &store, listing).await {
        Ok(pages) => Ok(Some((store, pages))),
        // The rights of Resource Manager do not reach into the data; the account's key does, where it may be used.
        Err(denied) if shared_keys(&account) && is_denied(&denied) => by_key().await.map_err(|_| unlisted(denied)),
        Err(denied) if is_denied(&denied) => Err(unlisted(denied)),
        Err(error) => Err(error),
    }
}

fn is_denied(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unauthenticated)
}

/// What cannot be listed is not known to be empty.
fn unlisted(error: Error) -> Error {
    let reason = error.reason().unwrap_or("the Blob service refused to list it").to_owned();
    error.message(format!("{reason}; what cannot be listed is not known to be empty, so it is not deleted"))
}

/// One page: enough to say that it is not empty, and roughly by how much. What the second list has more are uploads that
/// were begun and not committed.
pub(crate) async fn contents(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    container: &str,
    opened: &Opened,
) -> Result<Contents, Error> {
    let found = open(reader, settings, names, container, opened, Listing::BlobsAndUploads).await?;
    let Some((_, pages)) = found else { return Ok(Contents::default()) };
    let all = pages.with_uploads.unwrap_or_default();
    let begun = all.items.len().saturating_sub(pages.blobs.items.len());
    Ok(Contents { uploads: u64::try_from(begun).unwrap_or(u64::MAX), ..count(&pages.blobs) })
}

fn count(page: &BlobPage) -> Contents {
    let objects = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
    Contents { objects, uploads: 0, more: page.next.is_some() }
}

/// Resource Manager deletes a full container without asking: prove that it is empty right before. Uncommitted blocks are
/// no blobs: nobody can read them, and they go along.
pub(crate) async fn delete(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    container: &str,
    opened: &Opened,
    watch: &Watch<'_>,
) -> Result<(), Error> {
    let found = open(writer.reader(), settings, names, container, opened, Listing::Blobs).await?;
    let Some((_, pages)) = found else { return watch.still_ours().await };
    let contents = count(&pages.blobs);
    if !contents.is_empty() {
        return Err(not_empty_error("container", container, &contents.describe()));
    }
    watch.still_ours().await?;
    writer.delete_container(&names.container_id(container)).await
}

/// Delete every blob, version and snapshot, until a look finds nothing: somebody may still be writing.
pub(crate) async fn empty(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    container: &str,
    opened: &Opened,
    watch: &Watch<'_>,
) -> Result<(), Error> {
    let found = open(writer.reader(), settings, names, container, opened, Listing::Blobs).await?;
    let Some((store, FirstPages { blobs: mut page, .. })) = found else { return Ok(()) };
    let mut deleted = 0_u64;
    while !page.items.is_empty() || page.next.is_some() {
        watch.still_ours().await?;
        let mut deletes = Vec::with_capacity(page.items.len());
        for item in &page.items {
            deletes.push(writer.delete_blob(&store, item));
        }
        let mut deletes = futures::stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE);
        while let Some(done) = deletes.next().await {
            done?;
            deleted += 1;
        }
        drop(deletes);
        watch.progress(format!("{} blobs and versions deleted", thousands(deleted)));
        if watch.stopping() {
            let error = Error::new(ErrorKind::Interrupted, format!("emptying container `{container}` was stopped"));
            return Err(error.hint("run the same command again: it goes on where this one ended"));
        }
        // From the next page on, or from the beginning once the end is reached.
        page = writer.reader().list_blobs(&store, false, page.next.take()).await?;
    }
    Ok(())
}

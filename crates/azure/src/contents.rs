//! What is in a container: counting it, proving that it is empty, and emptying it on request only.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use azure_storage_blob::models::BlobItem;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::contents::{Contents, thousands};
use provision_core::context::OperationContext;
use provision_core::emptying::Emptying;
use provision_core::{Error, ErrorKind};

use crate::client::blobs::{BlobPage, BlobStore};
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::names::Names;

/// Blobs of one page deleted at the same time.
const DELETES_AT_ONCE: usize = 8;

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

/// A container's content, and how it was found to be opened.
pub(crate) struct Content<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) names: &'a Names,
    pub(crate) container: &'a str,
    pub(crate) opened: &'a Opened,
}

impl Content<'_> {
    /// The content and its first page: by what an earlier look of this run opened, else opened anew. `None` if there is no such
    /// container.
    async fn open(&self, reader: &Reader, listing: Listing) -> Result<Option<(Arc<BlobStore>, FirstPages)>, Error> {
        let Self { names, container, opened, .. } = *self;
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
        let found = self.open_anew(reader, listing).await?;
        Ok(found.map(|(store, pages)| {
            let store = Arc::new(store);
            opened.keep(id, &store);
            (store, pages)
        }))
    }

    /// The content, opened with whichever credentials the Blob service takes.
    async fn open_anew(&self, reader: &Reader, listing: Listing) -> Result<Option<(BlobStore, FirstPages)>, Error> {
        let Self { settings, names, container, .. } = *self;
        let (id, container_id) = (names.account_id(), names.container_id(container));
        let (account, found) = futures::join!(reader.get_account(&id), reader.get_container(&container_id));
        let (Some(account), Some(_)) = (account?, found?) else { return Ok(None) };
        let Some(endpoint) = reader.blob_endpoint(&account) else {
            let error =
                Error::new(ErrorKind::Unsupported, format!("find the blobs of storage account `{}`", names.account));
            return Err(error.with_message("the account has no blob endpoint"));
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
            Err(denied) if account.allows_shared_keys() && is_denied(&denied) => {
                let opened = match by_key().await {
                    // Keys may be renewed, and the account made anew, between the two requests.
                    Err(error) if error.code() == Some("AuthenticationFailed") => by_key().await,
                    opened => opened,
                };
                opened.map_err(|_| unlisted(denied))
            }
            Err(denied) if is_denied(&denied) => Err(unlisted(denied)),
            Err(error) => Err(error),
        }
    }
}

/// One page: enough to say that it is not empty, and roughly by how much. What the second list has more are uploads that
/// were begun and not committed.
pub(crate) async fn contents(reader: &Reader, content: &Content<'_>) -> Result<Contents, Error> {
    let (found, restorable_days) =
        futures::join!(content.open(reader, Listing::BlobsAndUploads), restorable_days(reader, content.names));
    let Some((_, pages)) = found? else { return Ok(Contents::default()) };
    let all = pages.with_uploads.unwrap_or_default();
    let begun = all.items.len().saturating_sub(pages.blobs.items.len());
    Ok(Contents {
        uploads: u64::try_from(begun).unwrap_or(u64::MAX),
        restorable_days: restorable_days?,
        ..count(&pages.blobs)
    })
}

/// What can be read in a container; `None` if there is no such container. Uncommitted blocks are no blobs: nobody can read
/// them, and they go along.
pub(crate) async fn readable(reader: &Reader, content: &Content<'_>) -> Result<Option<Contents>, Error> {
    let found = content.open(reader, Listing::Blobs).await?;
    Ok(found.map(|(_, pages)| count(&pages.blobs)))
}

/// Delete every blob, version and snapshot, until a look finds nothing: somebody may still be writing.
pub(crate) async fn empty(writer: &Writer, content: &Content<'_>, context: &OperationContext<'_>) -> Result<(), Error> {
    let reader = writer.reader();
    let found = content.open(reader, Listing::Blobs).await?;
    let Some((store, FirstPages { blobs: mut first, .. })) = found else { return Ok(()) };
    let (mut emptying, mut in_vain) = (Emptying::new(context, "blobs and versions"), false);
    loop {
        let listed = AtomicU64::new(0);
        let delete = |items: Vec<BlobItem>| {
            listed.fetch_add(u64::try_from(items.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
            delete_batch(writer, &store, items)
        };
        let deleted = emptying.pages(pages(reader, &store, first), delete).await?;
        emptying.go_on(&format!("container `{}`", content.container))?;
        match (listed.into_inner(), deleted, in_vain) {
            (0, ..) => return Ok(()),
            (listed, 0, true) => return Err(no_progress(content.container, listed)),
            // Somebody else may have deleted them meanwhile: another look tells.
            (_, deleted, _) => in_vain = deleted == 0,
        }
        first = reader.list_blobs(&store, false, None).await?;
    }
}

/// What is listed and can neither be found nor deleted would be tried for ever.
fn no_progress(container: &str, listed: u64) -> Error {
    Error::new(ErrorKind::Unavailable, format!("empty container `{container}`"))
        .with_message(format!("{} blobs are listed in it, and none of them could be deleted", thousands(listed)))
        .with_hint(
            "run the same command again; in an account with a hierarchical namespace delete its directories with `az storage fs \
             directory delete`",
        )
}

/// A page that was listed already, and those after it.
fn pages(reader: &Reader, store: &BlobStore, first: BlobPage) -> impl Stream<Item = Result<Vec<BlobItem>, Error>> {
    let next = move |marker: Option<String>| async move {
        let Some(marker) = marker else { return Ok(None) };
        let page = reader.list_blobs(store, false, Some(marker)).await?;
        Ok(Some((page.items, page.next)))
    };
    stream::once(async { Ok(first.items) }).chain(stream::try_unfold(first.next, next))
}

/// A directory is listed before what is in it, and can only go after that.
async fn delete_batch(writer: &Writer, store: &BlobStore, items: Vec<BlobItem>) -> Result<u64, Error> {
    let delete = |item: BlobItem| async move { writer.delete_blob(store, &item).await.map(u64::from) };
    let deleted = stream::iter(items.into_iter().rev()).map(delete).buffer_unordered(DELETES_AT_ONCE);
    deleted.try_fold(0, |sum, one| std::future::ready(Ok(sum + one))).await
}

fn count(page: &BlobPage) -> Contents {
    let objects = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
    let sizes = page.items.iter().filter_map(|item| item.properties.as_ref()?.content_length);
    let bytes = sizes.fold(0, u64::saturating_add);
    Contents { objects, bytes, more: page.next.is_some(), ..Contents::default() }
}

/// For how many days what is deleted from a container can be restored after that went too: both kinds of soft deletion must be on
/// (<https://learn.microsoft.com/azure/storage/blobs/soft-delete-container-overview>). With the account all goes at once.
async fn restorable_days(reader: &Reader, names: &Names) -> Result<Option<u64>, Error> {
    if !names.account_is_shared {
        return Ok(None);
    }
    let service = match reader.get_blob_service(&names.account_id()).await {
        // The listing is what counts; whoever may not look at the account's properties is told by the look at its CORS rules.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
        service => service?,
    };
    let days = |name: &str| {
        let policy = service.as_ref()?.properties.rest.get(name)?;
        policy["days"].as_u64().filter(|_| policy["enabled"] == true)
    };
    Ok(days("deleteRetentionPolicy").min(days("containerDeleteRetentionPolicy")))
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

/// Whether the Blob service refused the credentials, or the directory gave none for it
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>). That a token could not be read says nothing.
fn is_denied(error: &Error) -> bool {
    let refused = error.status().is_some() || error.message().is_some_and(|text| text.contains("AADSTS"));
    error.kind() == ErrorKind::PermissionDenied || (error.kind() == ErrorKind::Unauthenticated && refused)
}

/// What cannot be listed is not known to be empty.
fn unlisted(error: Error) -> Error {
    let reason = error.message().unwrap_or("the Blob service refused to list it").to_owned();
    error.with_message(format!("{reason}; what cannot be listed is not known to be empty, so it is not deleted"))
}

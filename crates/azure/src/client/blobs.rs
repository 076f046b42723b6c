//! The Blob service itself, the only part that the SDK's own client sends: what is in a container.

use std::sync::Arc;

use azure_core::http::{Etag, Url};
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobContainerClientListBlobsOptions, BlobItem, DeleteSnapshotsOptionType,
    ListBlobsIncludeItem, ListBlobsResponse,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use futures::StreamExt as _;
use provision_core::output::Secret;
use provision_core::{Error, ErrorKind, retry};

use super::answer::{blob_operation, from_blobs};
use super::models::StorageAccount;
use super::shared_key::SharedKey;
use super::{Reader, Writer};
use crate::error::{CallContext, unreadable};
use crate::names::last;

/// The content of one container.
pub(crate) struct BlobStore {
    client: BlobContainerClient,
    pub(crate) name: String,
}

impl std::fmt::Debug for BlobStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobStore").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A page of a container's content.
#[derive(Default)]
pub(crate) struct BlobPage {
    pub(crate) items: Vec<BlobItem>,
    pub(crate) next: Option<String>,
}

impl Reader {
    /// Where an account's blobs are, by the account's own word.
    pub(crate) fn blob_endpoint(&self, account: &StorageAccount) -> Option<Url> {
        account.blob_endpoint().or_else(|| self.clients.blob_endpoint.clone())
    }

    /// The content of a container, with whichever of a token and the account's key the service takes
    /// <https://learn.microsoft.com/rest/api/storageservices/authorize-requests-to-azure-storage>.
    pub(crate) fn blob_store(
        &self,
        account: &str,
        endpoint: &Url,
        container: &str,
        key: Option<Secret>,
    ) -> Result<BlobStore, Error> {
        let mut url = endpoint.clone();
        url.set_path(&format!("{}/{container}", url.path().trim_end_matches('/')));
        let key = key.map(|key| SharedKey { account: last(account).to_owned(), key });
        Ok(BlobStore { client: self.blobs(&url, key)?, name: container.to_owned() })
    }

    /// A client of one container. Over plain HTTP no token may be sent: there the account's key signs.
    fn blobs(&self, container: &Url, key: Option<SharedKey>) -> Result<BlobContainerClient, Error> {
        let mut options =
            BlobContainerClientOptions { client_options: self.clients.options.clone(), ..Default::default() };
        let credential = match key {
            Some(key) => {
                // Before the trace, which is the last policy.
                options.client_options.per_try_policies.insert(0, Arc::new(key));
                None
            }
            None => Some(self.clients.credential.clone()),
        };
        BlobContainerClient::new(container.clone(), credential, Some(options)).map_err(|error| {
            let tried = format!("cannot open container {container}");
            Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
        })
    }

    /// One page of blobs, versions and snapshots, at most 1,000
    /// <https://learn.microsoft.com/rest/api/storageservices/list-blobs>.
    pub(crate) async fn list_blobs(
        &self,
        blobs: &BlobStore,
        uncommitted: bool,
        marker: Option<String>,
    ) -> Result<BlobPage, Error> {
        let uncommitted = uncommitted.then_some(ListBlobsIncludeItem::UncommittedBlobs);
        let include = INCLUDED.into_iter().chain(uncommitted).collect();
        let page = list_page(blobs, include, None, marker.clone()).await?;
        let next = page.next_marker.filter(|marker| !marker.is_empty());
        if next.is_some() && next == marker {
            return Err(no_list(&listing(blobs)));
        }
        Ok(BlobPage { items: page.blob_items, next })
    }

    /// The blobs and versions whose names begin so, with what they say of themselves; of one page, which is enough where there
    /// are few <https://learn.microsoft.com/rest/api/storageservices/list-blobs>.
    pub(crate) async fn list_blobs_below(&self, blobs: &BlobStore, beginning: &str) -> Result<Vec<BlobItem>, Error> {
        let include = INCLUDED.into_iter().chain([ListBlobsIncludeItem::Metadata]).collect();
        list_page(blobs, include, Some(beginning.to_owned()), None).await.map(|page| page.blob_items)
    }
}

const INCLUDED: [ListBlobsIncludeItem; 2] = [ListBlobsIncludeItem::Snapshots, ListBlobsIncludeItem::Versions];

fn listing(blobs: &BlobStore) -> String {
    format!("list the content of container `{}`", blobs.name)
}

async fn list_page(
    blobs: &BlobStore,
    include: Vec<ListBlobsIncludeItem>,
    prefix: Option<String>,
    marker: Option<String>,
) -> Result<ListBlobsResponse, Error> {
    let text = listing(blobs);
    let request = || async {
        let options = BlobContainerClientListBlobsOptions {
            include: Some(include.clone()),
            prefix: prefix.clone(),
            marker: marker.clone(),
            maxresults: Some(1000),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pager = blobs.client.list_blobs(Some(options));
        let page = match pager {
            Ok(pager) => pager.into_pages().next().await,
            Err(error) => Some(Err(error)),
        };
        let page = page.transpose().map_err(|error| from_blobs("read", &text, &error))?;
        let page = page.filter(|page| is_list(page.body())).map(|page| page.into_model());
        page.transpose().map_err(|error| from_blobs("read", &text, &error))?.ok_or_else(|| no_list(&text))
    };
    retry::call(request).await
}

/// Whether a document is that of a list: the SDK reads any other one as a list of nothing.
fn is_list(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("<EnumerationResults")
        && (text.contains("<Blobs>") || text.contains("<Blobs/>") || text.contains("<Blobs />"))
}

fn no_list(text: &str) -> Error {
    unreadable(CallContext { operation: &blob_operation("read"), text })
}

impl Writer {
    /// A blob with its snapshots, or one old version <https://learn.microsoft.com/rest/api/storageservices/delete-blob>. Gives
    /// whether it was there, and could go: a directory of a hierarchical namespace goes after what is in it
    /// (<https://github.com/Azure/azure-cli/issues/23062>).
    pub(crate) async fn delete_blob(&self, blobs: &BlobStore, item: &BlobItem) -> Result<bool, Error> {
        delete(blobs, item, None).await
    }

    /// The same, unless it was written since it was listed
    /// <https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations>.
    pub(crate) async fn delete_blob_as_listed(&self, blobs: &BlobStore, item: &BlobItem) -> Result<bool, Error> {
        let etag = item.properties.as_ref().and_then(|properties| properties.etag.as_ref());
        // Lists have it without its quotes.
        let quoted = etag.map(|etag| Etag::from(format!("\"{}\"", etag.as_ref().trim_matches('"'))));
        delete(blobs, item, quoted).await
    }
}

async fn delete(blobs: &BlobStore, item: &BlobItem, etag: Option<Etag>) -> Result<bool, Error> {
    let name = item.name.as_deref().unwrap_or_default();
    let blob = blobs.client.blob_client(name);
    let old = item.version_id.clone().filter(|_| item.is_current_version != Some(true));
    let text = format!("delete blob `{name}` of container `{}`", blobs.name);
    let request = || async {
        // The service refuses the header of snapshots beside a version.
        let snapshots = old.is_none().then_some(DeleteSnapshotsOptionType::Include);
        let options = BlobClientDeleteOptions {
            delete_snapshots: snapshots,
            // A version is never written again.
            if_match: etag.clone().filter(|_| old.is_none()),
            version_id: old.clone(),
            ..BlobClientDeleteOptions::default()
        };
        let deleted = blob.delete(Some(options)).await.map(drop);
        deleted.map_err(|error| from_blobs("delete", &text, &error))
    };
    match retry::call(request).await {
        Err(error) if error.kind() == ErrorKind::NotFound || error.code() == Some("DirectoryIsNotEmpty") => Ok(false),
        deleted => deleted.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty list is one all the same, and nothing else is.
    #[test]
    fn list_is_told_from_any_other_document() {
        let head = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
        let list = |blobs: &str| {
            format!("{head}<EnumerationResults ServiceEndpoint=\"https://a/\">{blobs}</EnumerationResults>")
        };
        for blobs in ["<Blobs />", "<Blobs/>", "<Blobs></Blobs>", "<Blobs><Blob><Name>a</Name></Blob></Blobs>"] {
            assert!(is_list(list(blobs).as_bytes()), "{blobs}");
        }
        for other in ["", "<html></html>", "<EnumerationResults/>", "<Blobs></Blobs>", "{}"] {
            assert!(!is_list(other.as_bytes()), "{other}");
        }
    }
}

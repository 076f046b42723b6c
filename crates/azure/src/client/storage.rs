//! Microsoft.Storage: accounts, their Blob service's properties, containers and queues.

use provision_core::Error;
use provision_core::output::Secret;
use provision_core::provider::Created;
use serde_json::{Value, json};

use super::models::{BlobService, Container, Keys, NameAvailability, Named, Queue, StorageAccount};
use super::{Method, Reader, Writer};
use crate::error::supported;
use crate::names::last;

/// <https://learn.microsoft.com/rest/api/storagerp/>. Not the newest: sovereign clouds follow later.
const VERSION: &str = "2023-05-01";

impl Reader {
    /// Whether an account's name is free, in all of Azure; the message says why not
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability>.
    pub(crate) async fn check_account_name(&self, subscription: &str, name: &str) -> Result<Option<String>, Error> {
        let url = self.url(&format!("{subscription}/providers/Microsoft.Storage/checkNameAvailability"), VERSION)?;
        let body = json!({"name": name, "type": "Microsoft.Storage/storageAccounts"});
        let text = format!("ask whether the name `{name}` is free");
        let answer: NameAvailability = self.document(Method::Post, &url, Some(&body), &text, "nameAvailable").await?;
        Ok((!answer.name_available).then(|| answer.message.unwrap_or_else(|| "it is taken".to_owned())))
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties>
    pub(crate) async fn get_account(&self, id: &str) -> Result<Option<StorageAccount>, Error> {
        self.get(id, VERSION, &format!("look at storage account `{}`", last(id))).await
    }

    /// The accounts of a subscription (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list>) or of a
    /// resource group (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-by-resource-group>).
    pub(crate) async fn list_accounts(&self, scope: &str) -> Result<Option<Vec<StorageAccount>>, Error> {
        let text = format!("list the storage accounts of `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Storage/storageAccounts"), VERSION, &text).await
    }

    /// A key of the account. A read by its effect, although it is a `POST`
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys>.
    pub(crate) async fn list_keys(&self, id: &str, key: &str) -> Result<Option<Secret>, Error> {
        let url = self.url(&format!("{id}/listKeys"), VERSION)?;
        let text = format!("fetch the keys of storage account `{}`", last(id));
        let answer: Keys = self.document(Method::Post, &url, None, &text, "keys").await?;
        let named = answer.keys.into_iter().find(|found| found.key_name == key);
        Ok(named.map(|found| Secret::new(found.value)))
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-services/get-service-properties>
    pub(crate) async fn get_blob_service(&self, account: &str) -> Result<Option<BlobService>, Error> {
        let text = format!("read the blob properties of storage account `{}`", last(account));
        self.get(&format!("{account}/blobServices/default"), VERSION, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/list>
    pub(crate) async fn list_containers(&self, account: &str) -> Result<Option<Vec<Named>>, Error> {
        let text = format!("list the containers of storage account `{}`", last(account));
        self.list(&format!("{account}/blobServices/default/containers"), VERSION, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/get>
    pub(crate) async fn get_container(&self, id: &str) -> Result<Option<Container>, Error> {
        self.get(id, VERSION, &format!("look at container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/list>
    pub(crate) async fn list_queues(&self, account: &str) -> Result<Option<Vec<Named>>, Error> {
        let text = format!("list the queues of storage account `{}`", last(account));
        supported(self.list(&format!("{account}/queueServices/default/queues"), VERSION, &text).await)
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/get>
    pub(crate) async fn get_queue(&self, id: &str) -> Result<Option<Queue>, Error> {
        supported(self.get(id, VERSION, &format!("look at queue `{}`", last(id))).await)
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/table/list>
    pub(crate) async fn list_tables(&self, account: &str) -> Result<Option<Vec<Named>>, Error> {
        let text = format!("list the tables of storage account `{}`", last(account));
        self.list(&format!("{account}/tableServices/default/tables"), VERSION, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/file-shares/list>
    pub(crate) async fn list_shares(&self, account: &str) -> Result<Option<Vec<Named>>, Error> {
        let text = format!("list the file shares of storage account `{}`", last(account));
        self.list(&format!("{account}/fileServices/default/shares"), VERSION, &text).await
    }
}

impl Writer {
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create>
    pub(crate) async fn put_account(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, VERSION, body, &format!("create storage account `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/update>
    pub(crate) async fn patch_account(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, VERSION, body, &format!("update storage account `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/delete>
    pub(crate) async fn delete_account(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete storage account `{}`", last(id))).await
    }

    /// Make one of the two keys anew: whoever has the former one is shut out at once
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/regenerate-key>.
    pub(crate) async fn regenerate_key(&self, id: &str, key: &str) -> Result<(), Error> {
        let url = self.reader().url(&format!("{id}/regenerateKey"), VERSION)?;
        let text = format!("make `{key}` of storage account `{}` anew", last(id));
        self.reader()
            .document::<Keys>(Method::Post, &url, Some(&json!({"keyName": key})), &text, "keys")
            .await
            .map(drop)
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-services/set-service-properties>
    pub(crate) async fn put_blob_service(&self, account: &str, service: &BlobService) -> Result<(), Error> {
        let text = format!("write the blob properties of storage account `{}`", last(account));
        let path = format!("{account}/blobServices/default");
        self.put(&path, VERSION, &json!(service), &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/create>
    pub(crate) async fn put_container(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, VERSION, body, &format!("create container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/update>
    pub(crate) async fn patch_container(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, VERSION, body, &format!("update container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/delete>
    pub(crate) async fn delete_container(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete container `{}`", last(id))).await
    }

    /// It answers 200 whether the queue is new or not <https://learn.microsoft.com/rest/api/storagerp/queue/create>.
    pub(crate) async fn put_queue(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.put(id, VERSION, body, &format!("create queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/update>
    pub(crate) async fn patch_queue(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, VERSION, body, &format!("update queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/delete>
    pub(crate) async fn delete_queue(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete queue `{}`", last(id))).await
    }
}

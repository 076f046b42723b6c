//! How the account's data is reached to prove that it can be: as the server reaches it, with the account's key, or where the
//! server has an identity of its own, or keys are not taken, with the rights of the identity in use.

use azure_core::http::Url;
use provision_core::output::Secret;
use provision_core::provider::BrowserAccess;
use provision_core::{Error, ErrorKind};
use tokio::sync::OnceCell;

use crate::blockers::missing;
use crate::client::Reader;
use crate::client::blobs::BlobStore;
use crate::client::queues::QueueStore;
use crate::client::signed::{BlobPlace, Signer};
use crate::config::Settings;
use crate::names::{Names, Part};
use crate::resources::Facets as _;
use crate::resources::cors::{self, CorsFacet};

/// The container, the queue, and what signs.
#[derive(Debug)]
pub(crate) struct DataAccess {
    pub(crate) blobs: BlobStore,
    pub(crate) queue: Option<QueueStore>,
    account: String,
    endpoint: Url,
    key: Option<Secret>,
    /// The server has nothing but the account's key.
    server_has_key: bool,
    signer: OnceCell<Signer>,
}

impl DataAccess {
    pub(crate) async fn open(reader: &Reader, settings: &Settings, names: &Names) -> Result<Self, Error> {
        let id = names.account_id();
        let account = reader.get_account(&id).await?.ok_or_else(|| missing(names))?;
        let endpoint = reader.blob_endpoint(&account).ok_or_else(|| no_service(names, "blob"))?;
        let queues = || account.queue_endpoint().ok_or_else(|| no_service(names, "queue"));
        // No token goes over plain HTTP, which only an emulator speaks.
        let by_key = endpoint.scheme() != "https" || (settings.azure.access.is_none() && account.allows_shared_keys());
        let key = match by_key {
            true => reader.list_keys(&id, settings.azure.account.key.as_str()).await?,
            false => None,
        };
        let queue = |name: &String| {
            let service = reader.data_service(&id, &queues()?, key.clone());
            Ok(QueueStore { service, name: name.clone() })
        };
        Ok(Self {
            blobs: reader.blob_store(&id, &endpoint, &names.container, key.clone())?,
            queue: names.queue.as_ref().map(queue).transpose()?,
            account: id,
            endpoint,
            key,
            server_has_key: settings.azure.access.is_none(),
            signer: OnceCell::new(),
        })
    }

    /// What signs addresses, as the server does.
    pub(crate) async fn signer(&self, reader: &Reader) -> Result<&Signer, Error> {
        let get = || async {
            let Some(key) = &self.key else {
                if self.server_has_key {
                    return Err(keys_are_off());
                }
                let blobs = reader.data_service(&self.account, &self.endpoint, None);
                return reader.get_user_delegation_key(&blobs).await.map(Signer::User);
            };
            Ok(Signer::Account(key.clone()))
        };
        self.signer.get_or_try_init(get).await
    }

    /// A blob of the container.
    pub(crate) fn blob<'a>(&'a self, names: &'a Names, name: &'a str) -> BlobPlace<'a> {
        BlobPlace { endpoint: &self.endpoint, account: &names.account, container: &names.container, name }
    }
}

/// How pages reach a blob; `None` where the account does not say where its blobs are.
pub(crate) async fn browser_access(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    name: &str,
) -> Result<Option<BrowserAccess>, Error> {
    let account = reader.get_account(&names.account_id()).await?.ok_or_else(|| missing(names))?;
    let Some(endpoint) = reader.blob_endpoint(&account) else { return Ok(None) };
    let blob = BlobPlace { endpoint: &endpoint, account: &names.account, container: &names.container, name };
    Ok(Some(BrowserAccess {
        url: blob.url()?.into(),
        rule: cors::desired_rule(settings),
        headers: &["content-type", "x-ms-blob-type"],
        table: "azure.cors",
        facet: (Part::Cors.address(), CorsFacet::Rule.name()),
        by_hand: format!(
            "`az storage cors list --services b --account-name {account}` shows it, `az storage cors clear` and `az storage cors \
             add` write those that stay",
            account = names.account
        ),
    }))
}

fn keys_are_off() -> Error {
    let error = Error::new(ErrorKind::Refused, "the server signs with AZURE_STORAGE_KEY");
    let error = error.with_message("the account takes no shared keys");
    error.with_hint("name the server's identity under [azure.access], or allow shared keys on the account")
}

fn no_service(names: &Names, service: &str) -> Error {
    let error = Error::new(ErrorKind::Unsupported, format!("find the data of storage account `{}`", names.account));
    error.with_message(format!("the account has no {service} endpoint"))
}

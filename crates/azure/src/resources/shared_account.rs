//! What of the account is in the server's way. One that is somebody else's (`create = false`) is never written: there it is only said.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use provision_core::Error;
use provision_core::hop::{HopId, Obstacle};
use provision_core::refusal::Refusal;

use crate::client::Reader;
use crate::client::models::{BlobService, Keeping, StorageAccount};
use crate::config::Settings;
use crate::names::Names;
use crate::resources::blob_service::soft_delete_days;

/// Whether the server signs with the account's key, since the plan file names no identity of its own.
pub(crate) fn is_by_key(settings: &Settings) -> bool {
    settings.azure.access.is_none()
}

/// Only one kind emits events and has queues to put them into; of the others two can become it
/// (<https://learn.microsoft.com/azure/storage/common/storage-account-overview#types-of-storage-accounts>,
/// <https://learn.microsoft.com/azure/storage/common/storage-account-upgrade>).
pub(super) fn wrong_kind(names: &Names, found: &StorageAccount) -> Option<Refusal> {
    let account = &names.account;
    let premium = found.sku().is_some_and(|sku| sku.starts_with("Premium"));
    let (lacks, upgradable) = match found.kind.as_str() {
        "StorageV2" if !premium => return None,
        "Storage" if !premium => ("sends no events", true),
        "BlobStorage" => ("has no queues", true),
        "FileStorage" => ("has neither containers nor queues", false),
        _ => ("has no queues", false),
    };
    let hint = match upgradable {
        true => {
            format!("upgrade it for good (`az storage account update --name {account} --set kind=StorageV2`), or name")
        }
        false => "it cannot be made one: name".to_owned(),
    };
    Some(Refusal {
        reason: format!(
            "storage account `{account}` is of kind {}, which {lacks}; StorageV2 is needed",
            found.described_kind()
        ),
        hint: format!("{hint} another account under [azure.account]"),
    })
}

/// What the look found of it.
#[derive(Debug, Default)]
pub(crate) struct FoundAccount {
    found: Mutex<Option<StorageAccount>>,
    /// Whether what is deleted in it is lost at once.
    forgets: AtomicBool,
    /// Whether it keeps earlier versions of blobs.
    versions: AtomicBool,
    /// What of a container that was adopted everybody may read.
    opened: Mutex<Option<String>>,
    /// What keeps the blobs of the container.
    keeping: Mutex<Option<Keeping>>,
}

impl FoundAccount {
    /// Note what the look at an account of ours found.
    pub(super) fn note(&self, found: Option<StorageAccount>) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Look at a shared one, beside the other looks. Gives why no events can come from it, or why there is no queue for them.
    pub(crate) async fn look(&self, reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
        if !names.account_is_shared {
            return Ok(None);
        }
        let found = reader.get_account(&names.account_id()).await?;
        let refusal = found.as_ref().and_then(|found| wrong_kind(names, found));
        self.note(found);
        Ok(refusal)
    }

    /// Look at how blobs are kept.
    pub(crate) fn look_at_blobs(&self, service: &BlobService) {
        self.forgets.store(soft_delete_days(service) == 0, Ordering::Relaxed);
        let versions = service.properties.rest.get("isVersioningEnabled").is_some_and(|enabled| *enabled == true);
        self.versions.store(versions, Ordering::Relaxed);
    }

    /// Whether its data is reached with its key, whatever the plan file says: no token goes over plain HTTP, which only an emulator
    /// speaks.
    pub(crate) fn takes_no_token(&self) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().and_then(StorageAccount::blob_endpoint).is_some_and(|endpoint| endpoint.scheme() != "https")
    }

    /// Whether what is removed in it leaves an earlier version.
    pub(crate) fn keeps_versions(&self) -> bool {
        self.versions.load(Ordering::Relaxed)
    }

    /// Note how public a container is that nobody makes private, and what keeps its blobs.
    pub(super) fn look_at_container(&self, public: Option<&str>, keeping: Option<Keeping>) {
        *self.keeping.lock().unwrap_or_else(PoisonError::into_inner) = keeping;
        let public = public.filter(|public| *public != "None").map(str::to_owned);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = public;
    }

    /// What silences the server, loses its files or shows them to everybody, and is the account's owner's to change. One of ours is as the plan
    /// file says.
    pub(crate) fn warnings(&self, settings: &Settings) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = found.as_ref().filter(|_| !settings.azure.account.create) else { return Vec::new() };
        let name = &settings.azure.account.name;
        let keys = (is_by_key(settings) && !account.allows_shared_keys()).then(|| {
            format!(
                "storage account `{name}` has `allowSharedKeyAccess` = false: AZURE_STORAGE_KEY is of no use; give the server \
                 an identity ([azure.access])"
            )
        });
        let queue = settings.azure.queue.enabled;
        let reach = settings.azure.access.is_some().then(|| {
            format!(
                "the server's roles are assigned on all of storage account `{name}`, which is shared: it may read and write \
                 every container in it"
            )
        });
        let lost = self.forgets.load(Ordering::Relaxed).then(|| lost(name));
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.as_ref().filter(|_| account.properties.allow_blob_public_access.unwrap_or(true));
        let opened = opened.map(|public| open(settings, public));
        keys.into_iter().chain(reach).chain(network(name, account, queue)).chain(lost).chain(opened).collect()
    }

    /// The same where it stands in the way of a proof; what is so on an account of ours apply mends.
    pub(crate) fn obstacles(&self, settings: &Settings) -> Vec<Obstacle> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = found.as_ref() else { return Vec::new() };
        let (name, by_apply) = (&settings.azure.account.name, settings.azure.account.create);
        let keys = (is_by_key(settings) && !account.allows_shared_keys()).then(|| Refusal {
            reason: format!("storage account `{name}` takes no shared keys, and the server has nothing but AZURE_STORAGE_KEY"),
            hint: format!(
                "name the server's identity under [azure.access], or allow them: `az storage account update --name {name} \
                 --allow-shared-key-access true`"
            ),
        });
        let keys = keys.map(|refusal| Obstacle { stops: &[HopId::Rights, HopId::Files], refusal, by_apply });
        let wall = closing(account).map(|(setting, option)| Refusal {
            reason: format!(
                "the firewall of storage account `{name}` has {setting}, and lets in only what its rules name"
            ),
            hint: format!("open it: `az storage account update --name {name} {option}`"),
        });
        let stops = &[HopId::Browsers, HopId::Files, HopId::Event];
        let wall = wall.map(|refusal| Obstacle { stops, refusal, by_apply });
        let keeping = *self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = keeping.map(|keeping| kept(settings, keeping));
        let kept = kept.map(|refusal| Obstacle { stops: &[HopId::Cleanup], refusal, by_apply: false });
        keys.into_iter().chain(wall).chain(kept).collect()
    }
}

/// <https://learn.microsoft.com/azure/storage/blobs/immutable-storage-overview>
fn kept(settings: &Settings, keeping: Keeping) -> Refusal {
    let (what, group) = match keeping {
        Keeping::LegalHold => ("a legal hold", "legal-hold"),
        Keeping::ImmutabilityPolicy => ("an immutability policy", "immutability-policy"),
    };
    let (account, container) = (&settings.azure.account.name, &settings.azure.container.name);
    Refusal {
        reason: format!("container `{container}` has {what}: what is written into it cannot be removed"),
        hint: format!(
            "`az storage container {group} show --account-name {account} --container-name {container}` shows it; \
             `--read-only` proves what takes no upload"
        ),
    }
}

/// The setting that closes an account, and the option that opens it
/// (<https://learn.microsoft.com/cli/azure/storage/account#az-storage-account-update>).
fn closing(account: &StorageAccount) -> Option<(String, &'static str)> {
    let properties = &account.properties;
    match (properties.public_network(), properties.firewall()) {
        ("Enabled", "Allow") => None,
        ("Enabled", action) => Some((format!("`networkAcls.defaultAction` = {action}"), "--default-action Allow")),
        (access, _) => Some((format!("`publicNetworkAccess` = {access}"), "--public-network-access Enabled")),
    }
}

/// <https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-configure>
fn open(settings: &Settings, public: &str) -> String {
    let may = if public == "Container" { "list and read its files" } else { "read its files" };
    format!(
        "container `{}` is open to everybody: its public access is {public}, by which anyone may {may}; `private = true` under \
         [azure.container] closes it",
        settings.azure.container.name
    )
}

/// <https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview>
fn lost(name: &str) -> String {
    format!(
        "what is deleted from storage account `{name}` cannot be restored, since its soft delete for blobs is off; `az storage \
         account blob-service-properties update --account-name {name} --enable-delete-retention true --delete-retention-days 7` \
         turns it on"
    )
}

/// <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>
fn network(name: &str, account: &StorageAccount, queue: bool) -> Option<String> {
    let (setting, _) = closing(account)?;
    let events = if queue { "Event Grid delivers no events into its queues, and " } else { "" };
    Some(format!(
        "the firewall of storage account `{name}` has {setting}: {events}only what its rules let in reaches its files; it is \
         left alone, since the account is shared"
    ))
}

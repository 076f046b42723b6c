//! An account that is somebody else's (`create = false`): nothing on it is written, and what is in the server's way is said.

use std::sync::{Mutex, PoisonError};

use provision_core::Error;
use provision_core::refusal::Refusal;

use super::{is_by_key, wrong_kind};
use crate::client::Reader;
use crate::client::models::StorageAccount;
use crate::config::Settings;
use crate::names::Names;

/// What the look found of it.
#[derive(Debug, Default)]
pub(crate) struct SharedAccount(Mutex<Option<StorageAccount>>);

impl SharedAccount {
    /// Look, beside the other looks. Gives why no events can come from it, or why there is no queue for them.
    pub(crate) async fn look(&self, reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
        if !names.shared {
            return Ok(None);
        }
        let found = reader.get_account(&names.account_id()).await?;
        let refusal = found.as_ref().and_then(|found| wrong_kind(names, found));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(refusal)
    }

    /// What silences the server, and is its owner's to change.
    pub(crate) fn warnings(&self, settings: &Settings) -> Vec<String> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = found.as_ref() else { return Vec::new() };
        let name = &settings.azure.account.name;
        let keys = (is_by_key(settings) && !account.allows_shared_keys()).then(|| {
            format!(
                "storage account `{name}` has `allowSharedKeyAccess` = false: AZURE_STORAGE_KEY is of no use; give the server \
                 an identity ([azure.access])"
            )
        });
        keys.into_iter().chain(network(name, account)).collect()
    }
}

/// <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>
fn network(name: &str, account: &StorageAccount) -> Option<String> {
    let properties = &account.properties;
    let setting = match (properties.public_network(), properties.firewall()) {
        ("Enabled", "Allow") => return None,
        ("Enabled", action) => format!("`networkAcls.defaultAction` = {action}"),
        (access, _) => format!("`publicNetworkAccess` = {access}"),
    };
    Some(format!(
        "the firewall of storage account `{name}` has {setting}: Event Grid delivers no events into its queues, and only what \
         its rules let in reaches its files; it is left alone, since the account is shared"
    ))
}

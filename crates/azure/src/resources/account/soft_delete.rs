//! For how long an account of ours keeps deleted blobs. What goes with the account is gone at once.
//!
//! Containers are kept by a setting of their own (<https://learn.microsoft.com/azure/storage/blobs/soft-delete-container-overview>),
//! which is left as it is: the server deletes none.

use provision_core::facet::duration_in_words;
use provision_core::refusal::Refusal;

use crate::client::models::BlobService;
use crate::config::Settings;
use crate::names::Names;
use crate::resources::blob_service::{restore_days, soft_delete_days};

const SECONDS_A_DAY: u64 = 86_400;

pub(super) fn in_words(days: u64) -> String {
    if days == 0 { "off".to_owned() } else { duration_in_words(days.saturating_mul(SECONDS_A_DAY)) }
}

/// Point-in-time restore reaches at least a day less far
/// (<https://learn.microsoft.com/azure/storage/blobs/point-in-time-restore-overview#retention-period-for-point-in-time-restore>).
pub(super) fn refusal(names: &Names, settings: &Settings, service: &BlobService) -> Option<Refusal> {
    let (days, restored) = (settings.azure.account.soft_delete_days(), restore_days(service));
    let account = &names.account;
    (restored > 0 && u64::from(days) <= restored).then(|| Refusal {
        reason: format!(
            "storage account `{account}` can be restored to any moment of the last {}, which takes a soft delete of more, and the \
             plan file's is {days}",
            in_words(restored)
        ),
        hint: format!(
            "write `soft_delete_days = {}` under [azure.account]; or turn the restore off, if nobody needs it: `az storage account \
             blob-service-properties update --account-name {account} --enable-restore-policy false`",
            soft_delete_days(service).max(restored + 1)
        ),
    })
}

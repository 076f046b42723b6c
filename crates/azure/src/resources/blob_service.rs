//! The properties of the account's Blob service, one document for everybody in the account: our CORS rule stands in it, and in an
//! account of ours for how long what is deleted is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use provision_core::Error;
use provision_core::context::OperationContext;
use serde_json::{Value, json};

use crate::blockers::not_there;
use crate::client::models::BlobService;
use crate::client::{Reader, Writer};
use crate::marks::Looking;
use crate::names::Names;

/// What keeps deleted blobs <https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview>.
const SOFT_DELETE: &str = "deleteRetentionPolicy";

/// What goes further back, and rests on it <https://learn.microsoft.com/azure/storage/blobs/point-in-time-restore-overview>.
const RESTORE: &str = "restorePolicy";

/// The look at the document, one for all who ask while it is under way.
pub(crate) async fn look(
    reader: &Reader,
    names: &Names,
    looking: &Looking<Option<BlobService>>,
) -> Result<Option<BlobService>, Error> {
    looking.once(reader.get_blob_service(&names.account_id())).await
}

/// Days for which what is deleted is kept; an account that does not say so keeps nothing
/// (<https://learn.microsoft.com/rest/api/storagerp/blob-services/get-service-properties>).
pub(super) fn soft_delete_days(service: &BlobService) -> u64 {
    days_of(service, SOFT_DELETE)
}

/// Days of which each moment can be restored.
pub(super) fn restore_days(service: &BlobService) -> u64 {
    days_of(service, RESTORE)
}

fn days_of(service: &BlobService, policy: &str) -> u64 {
    let on = service.properties.rest.get(policy).filter(|policy| policy["enabled"] == true);
    on.and_then(|policy| policy["days"].as_u64()).unwrap_or_default()
}

/// Keep what is deleted for so many days. What else others have set of it stays.
pub(super) fn set_soft_delete_days(service: &mut BlobService, days: u64) {
    if soft_delete_days(service) == days {
        return;
    }
    let found = service.properties.rest.remove(SOFT_DELETE);
    let mut policy = found.and_then(|found| found.as_object().cloned()).unwrap_or_default();
    policy.insert("enabled".to_owned(), json!(days > 0));
    policy.remove("days");
    if days > 0 {
        policy.insert("days".to_owned(), json!(days));
    }
    service.properties.rest.insert(SOFT_DELETE.to_owned(), Value::Object(policy));
}

/// A change of the document.
pub(super) type Edit = Box<dyn Fn(&mut BlobService) -> Result<(), Error> + Send>;

/// The changes of this run that wait for their turn: whoever has it writes all of them, in one request.
#[derive(Default)]
pub(crate) struct Edits(Mutex<BTreeMap<u64, Edit>>);

impl std::fmt::Debug for Edits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Edits").field(&self.waiting().len()).finish()
    }
}

impl Edits {
    /// Make a change as soon as it is its turn, unless another's request has made it by then. `value` is what is written by it.
    pub(super) async fn write(
        &self,
        writer: &Writer,
        names: &Names,
        value: &Value,
        edit: Edit,
        context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let number = self.add(edit);
        let _lane = context.acquire_lane().await;
        if !self.waiting().contains_key(&number) {
            return Ok(());
        }
        let found = writer.reader().get_blob_service(&names.account_id()).await;
        self.send(writer, names, value, number, found).await
    }

    /// Add a change, which must be sent.
    pub(super) fn add(&self, edit: Edit) -> u64 {
        let mut waiting = self.waiting();
        let number = waiting.last_key_value().map_or(0, |(last, _)| last + 1);
        waiting.insert(number, edit);
        number
    }

    /// Make all that wait in what was read in this turn. One that failed is not another's to make.
    pub(super) async fn send(
        &self,
        writer: &Writer,
        names: &Names,
        value: &Value,
        number: u64,
        found: Result<Option<BlobService>, Error>,
    ) -> Result<(), Error> {
        let sent = self.put(writer, names, value, found).await;
        self.waiting().remove(&number);
        sent
    }

    async fn put(
        &self,
        writer: &Writer,
        names: &Names,
        value: &Value,
        found: Result<Option<BlobService>, Error>,
    ) -> Result<(), Error> {
        let Some(service) = found? else { return not_there(names, value) };
        let (numbers, after) = self.made_in(&service)?;
        if after != service {
            writer.put_blob_service(&names.account_id(), &writable(after)).await?;
        }
        self.waiting().retain(|number, _| !numbers.contains(number));
        Ok(())
    }

    fn made_in(&self, service: &BlobService) -> Result<(Vec<u64>, BlobService), Error> {
        let (waiting, mut after) = (self.waiting(), service.clone());
        waiting.values().try_for_each(|edit| edit(&mut after))?;
        Ok((waiting.keys().copied().collect(), after))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, Edit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writable properties as they were read: what is left out may be reset
/// <https://learn.microsoft.com/rest/api/storagerp/blob-services/set-service-properties#blobserviceproperties>.
fn writable(mut service: BlobService) -> BlobService {
    const READ_ONLY_OF_RESTORE: [&str; 2] = ["lastEnabledTime", "minRestoreTime"];
    if let Some(Value::Object(restore)) = service.properties.rest.get_mut(RESTORE) {
        READ_ONLY_OF_RESTORE.iter().for_each(|key| drop(restore.remove(*key)));
    }
    service
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(properties: &Value) -> BlobService {
        serde_json::from_value(json!({"properties": properties})).unwrap()
    }

    fn written(properties: &Value, edits: &[u64]) -> Value {
        let waiting = Edits::default();
        for days in edits.iter().copied() {
            waiting.add(Box::new(move |service| {
                set_soft_delete_days(service, days);
                Ok(())
            }));
        }
        let (numbers, after) = waiting.made_in(&service(properties)).unwrap();
        assert_eq!(numbers.len(), edits.len());
        json!(writable(after))["properties"].clone()
    }

    #[test]
    fn what_is_not_kept_is_kept_for_no_days() {
        let days = |policy: Value| soft_delete_days(&service(&json!({"deleteRetentionPolicy": policy})));
        assert_eq!(days(json!({"enabled": true, "days": 14})), 14);
        assert_eq!([days(json!({"enabled": false, "days": 14})), days(Value::Null)], [0, 0]);
        assert_eq!(soft_delete_days(&service(&json!({}))), 0);
    }

    #[test]
    fn what_others_set_of_it_stays() {
        let theirs = json!({"cors": null, "deleteRetentionPolicy": {"enabled": false, "allowPermanentDelete": true}});
        let on = json!({"enabled": true, "days": 7, "allowPermanentDelete": true});
        assert_eq!(written(&theirs, &[7])["deleteRetentionPolicy"], on);
        let kept = json!({"cors": null, "deleteRetentionPolicy": on});
        assert_eq!(written(&kept, &[0]), theirs);
        assert_eq!(written(&kept, &[9, 7]), kept);
        let off = json!({"cors": null, "deleteRetentionPolicy": {"enabled": false, "days": 3}});
        assert_eq!(written(&off, &[0]), off);
    }

    #[test]
    fn other_properties_go_back_as_they_were_read() {
        let mut properties = json!({
            "cors": {"corsRules": [{"allowedOrigins": ["https://a.example"]}]},
            "deleteRetentionPolicy": {"enabled": true, "days": 30},
            "containerDeleteRetentionPolicy": {"enabled": true, "days": 5},
            "isVersioningEnabled": true,
            "changeFeed": {"enabled": true, "retentionInDays": 9},
            "lastAccessTimeTrackingPolicy": {"enable": true},
            "restorePolicy": {"enabled": true, "days": 6, "minRestoreTime": "2026-11-23T00:00:00Z"},
        });
        let after = written(&properties, &[7]);
        properties["deleteRetentionPolicy"]["days"] = json!(7);
        properties["restorePolicy"] = json!({"enabled": true, "days": 6});
        assert_eq!(after, properties);
    }
}

//! The settings of an account's blob service <https://learn.microsoft.com/rest/api/storagerp/blob-services>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::{self, Account};
use crate::azure::call::{Call, json, list, timestamp};
use crate::azure::cors::{self, Rule};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::resources;
use crate::azure::target::{Shape, Target};
use crate::propagation::Propagating;
use crate::state::Transaction;

/// The settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BlobService {
    pub(super) cors: Propagating<Vec<Rule>>,
    pub(super) default_service_version: Option<String>,
    pub(super) delete_retention: Retention,
    container_delete_retention: Option<Retention>,
    is_versioning_enabled: Option<bool>,
    change_feed: Option<Value>,
    last_access_time_tracking: Option<Value>,
    restore: Option<Restore>,
}

impl BlobService {
    /// Whether what is overwritten or deleted is kept as a version.
    pub(super) fn keeps_versions(&self) -> bool {
        self.is_versioning_enabled == Some(true)
    }
}

/// How long what is deleted is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_permanent_delete: Option<bool>,
}

/// Point-in-time restore <https://learn.microsoft.com/azure/storage/blobs/point-in-time-restore-overview>.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Restore {
    enabled: bool,
    days: Option<u32>,
    since_ms: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { enabled: false, days: None, allow_permanent_delete: Some(false) }
    }
}

impl Retention {
    pub(super) const fn new(enabled: bool, days: Option<u32>) -> Self {
        Self { enabled, days, allow_permanent_delete: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    properties: WantedProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WantedProperties {
    cors: Option<Cors>,
    default_service_version: Option<String>,
    delete_retention_policy: Option<Retention>,
    container_delete_retention_policy: Option<Retention>,
    is_versioning_enabled: Option<bool>,
    automatic_snapshot_policy_enabled: Option<bool>,
    change_feed: Option<Value>,
    last_access_time_tracking_policy: Option<Value>,
    restore_policy: Option<RestorePolicy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestorePolicy {
    enabled: bool,
    days: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Cors {
    cors_rules: Vec<Rule>,
}

/// The settings of an account: those of a new one, if none were written.
pub(super) fn of(state: &Transaction<'_>, account: &Account) -> Result<BlobService, Error> {
    Ok(resources::get(state, &id(account))?.unwrap_or_default())
}

/// Write them.
pub(super) fn write(state: &mut Transaction<'_>, account: &Account, service: &BlobService) -> Result<(), Error> {
    resources::put(state, &id(account), service)
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let account = accounts::of_child(state, call, target)?;
    found(call, &account)?;
    if target.shape == Shape::Collection && call.method() == Method::GET {
        return list(vec![body(&account, &of(state, &account)?)]);
    }
    if target.name(1) != "default" {
        let message = format!("The blob service '{}' is not known: there is only `default`.", target.name(1));
        return Err(Refusal::bad_request("InvalidResourceName", message));
    }
    match *call.method() {
        Method::GET => Ok(json(200, &body(&account, &of(state, &account)?))),
        Method::PUT => put(state, call, &account),
        _ => Err(not_served(call, target)),
    }
}

/// The service is not found for a moment, although its account says that it is ready: recorded in
/// <https://github.com/hashicorp/terraform-provider-azurerm/issues/15609>.
fn found(call: &Call<'_>, account: &Account) -> Result<(), Refusal> {
    if account.is_ready(call.now_ms.saturating_sub(call.delay_ms("blobServices", 0))) {
        return Ok(());
    }
    let message = "The specified resource does not exist.";
    Err(Refusal::of_storage(404, "ContainerOperationFailure", message, call.now_ms))
}

/// Replaces the settings: what is left out is as in a new account. The vendor does not say what happens to it, so that a
/// client must send what it has read.
fn put(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account) -> Served {
    let Wanted { properties } = call.document()?;
    if properties.automatic_snapshot_policy_enabled == Some(true) {
        return Err(Refusal::not_served("automatic snapshots"));
    }
    let restore = properties.restore_policy.as_ref().map(|policy| restore(policy, &properties, call)).transpose()?;
    let rules = properties.cors.unwrap_or_default().cors_rules;
    cors::valid(&rules).map_err(|reason| invalid(&reason))?;
    let mut cors = of(state, account)?.cors;
    cors.write(rules, call.now_ms, call.delay_ms("cors", 0));
    let service = BlobService {
        cors,
        default_service_version: properties.default_service_version,
        delete_retention: retention(properties.delete_retention_policy)?,
        container_delete_retention: match properties.container_delete_retention_policy {
            Some(wanted) => Some(retention(Some(wanted))?),
            None => None,
        },
        is_versioning_enabled: properties.is_versioning_enabled,
        change_feed: properties.change_feed,
        last_access_time_tracking: properties.last_access_time_tracking_policy,
        restore,
    };
    write(state, account, &service)?;
    let mut answer = body(account, &service);
    if let Some(members) = answer.as_object_mut() {
        members.remove("sku");
    }
    Ok(json(200, &answer))
}

/// 1-365 days, also of one that is off <https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview>.
fn retention(wanted: Option<Retention>) -> Result<Retention, Refusal> {
    let retention = wanted.unwrap_or_default();
    if !retention.days.map_or(!retention.enabled, |days| (1..=365).contains(&days)) {
        return Err(invalid("Values for request parameters are invalid: the days of a retention policy, 1 to 365."));
    }
    Ok(retention)
}

/// It rests on the other three, and reaches less far than soft delete: the page of [`Restore`], and
/// <https://github.com/Azure/arm-template-whatif/issues/354>, whose words these are.
fn restore(wanted: &RestorePolicy, properties: &WantedProperties, call: &Call<'_>) -> Result<Restore, Refusal> {
    let &RestorePolicy { enabled, days } = wanted;
    let kept = properties.delete_retention_policy.as_ref().filter(|policy| policy.enabled);
    let kept = kept.and_then(|policy| policy.days).unwrap_or_default();
    let fed = properties.change_feed.as_ref().is_some_and(|feed| feed["enabled"] == true);
    if enabled && !days.is_some_and(|days| (1..kept).contains(&days)) {
        let days = days.unwrap_or_default();
        return Err(invalid(&format!(
            "Values for properties.restorePolicy.days is invalid: {days}. It should be greater than zero and less than \
             properties.deleteRetentionPolicy.days."
        )));
    }
    if enabled && !(fed && properties.is_versioning_enabled == Some(true)) {
        return Err(invalid("Point-in-time restore needs the change feed and versioning."));
    }
    Ok(Restore { enabled, days, since_ms: call.now_ms })
}

fn invalid(message: &str) -> Refusal {
    Refusal::bad_request("InvalidValuesForRequestParameters", message)
}

fn id(account: &Account) -> String {
    format!("{}/blobServices/default", account.id)
}

fn body(account: &Account, service: &BlobService) -> Value {
    let mut properties = json!({
        "cors": { "corsRules": service.cors.written() },
        "deleteRetentionPolicy": service.delete_retention,
    });
    let more = [
        ("containerDeleteRetentionPolicy", service.container_delete_retention.as_ref().map(|policy| json!(policy))),
        ("isVersioningEnabled", service.is_versioning_enabled.map(Value::Bool)),
        ("defaultServiceVersion", service.default_service_version.clone().map(Value::String)),
        ("changeFeed", service.change_feed.clone()),
        ("lastAccessTimeTrackingPolicy", service.last_access_time_tracking.clone()),
        ("restorePolicy", service.restore.as_ref().map(restore_body)),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            properties[name] = value;
        }
    }
    json!({
        "id": id(account),
        "name": "default",
        "type": "Microsoft.Storage/storageAccounts/blobServices",
        "sku": account.summary()["sku"],
        "properties": properties,
    })
}

/// What is answered and not sent: since when one can go back.
fn restore_body(restore: &Restore) -> Value {
    let mut body = json!({ "enabled": restore.enabled });
    if let Some(days) = restore.days {
        body["days"] = json!(days);
    }
    if restore.enabled {
        body["minRestoreTime"] = json!(timestamp(restore.since_ms));
    }
    body
}

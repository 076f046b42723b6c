//! Containers, as Resource Manager shows them <https://learn.microsoft.com/rest/api/storagerp/blob-containers>.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::{self, Account, data_key};
use crate::azure::call::{Call, empty, json, timestamp, with};
use crate::azure::late::CONTENT;
use crate::azure::leases::{self, Lease};
use crate::azure::properties::{self, Metadata};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::target::{Shape, Target};
use crate::azure::{blob, names, queues, resources};
use crate::state::Transaction;

/// How long a deleted container's name is kept, in milliseconds
/// <https://learn.microsoft.com/rest/api/storageservices/delete-container#remarks>.
const NAME_KEPT_MS: u64 = 30_000;

/// A container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) public_access: PublicAccess,
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) modified_ms: u64,
    pub(super) etag: String,
    /// The tags of its legal hold.
    #[serde(default)]
    pub(super) holds: BTreeSet<String>,
    #[serde(default)]
    pub(super) lease: Option<Lease>,
}

/// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/set-legal-hold>
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LegalHold {
    tags: BTreeSet<String>,
}

/// Who may read without being let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PublicAccess {
    /// Nobody.
    #[default]
    None,
    /// Everybody may read a blob.
    Blob,
    /// Everybody may list blobs too.
    Container,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: Option<WantedProperties>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WantedProperties {
    public_access: Option<PublicAccess>,
    metadata: Option<Metadata>,
    default_encryption_scope: Option<String>,
    deny_encryption_scope_override: Option<bool>,
}

/// Why there is no such container.
pub(super) enum Absent {
    /// It was deleted a moment ago.
    BeingDeleted,
    /// It is not there.
    Never,
}

/// A container of an account, by its name.
pub(super) fn get(state: &Transaction<'_>, account: &Account, name: &str) -> Result<Option<Container>, Error> {
    resources::get(state, &id(account, name))
}

/// Why a name that no container has is not free.
pub(super) fn absent(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<Absent, Error> {
    let until = state.get::<u64>(&deleted_key(account, name))?;
    Ok(if until.is_some_and(|until| call.now_ms < until) { Absent::BeingDeleted } else { Absent::Never })
}

/// Keep a container with a new etag.
pub(super) fn write(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    mut container: Container,
) -> Result<Container, Error> {
    container.modified_ms = call.now_ms;
    container.etag = format!("0x8D{:013X}", state.next_number("azure/etag")?);
    resources::put(state, &container.id, &container)?;
    Ok(container)
}

/// A new one that is not kept yet.
pub(super) fn new(account: &Account, name: &str) -> Container {
    Container {
        id: id(account, name),
        name: name.to_owned(),
        public_access: PublicAccess::None,
        metadata: Metadata::new(),
        modified_ms: 0,
        etag: String::new(),
        holds: BTreeSet::new(),
        lease: None,
    }
}

/// Remove one with its blobs; its name stays taken for a while.
pub(super) fn remove(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<(), Error> {
    if let Some(container) = get(state, account, name)? {
        CONTENT.note(state, call, &container.id, listed(call, &container))?;
    }
    resources::delete(state, &id(account, name));
    blob::remove_all(state, account, name);
    let until = call.now_ms + call.delay_ms("containers", NAME_KEPT_MS);
    state.put(&deleted_key(account, name), &until)
}

/// All of an account, in order of their names.
pub(super) fn all(state: &Transaction<'_>, account: &Account) -> Result<Vec<Container>, Error> {
    resources::list(state, &format!("{}/blobServices/default/containers", account.id))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let account = accounts::of_child(state, call, target)?;
    let name = target.name(2);
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => {
            let found =
                all(state, &account)?.into_iter().map(|container| (container.id.clone(), listed(call, &container)));
            queues::page(call, target, CONTENT.shown(state, call, &target.id, found)?)
        }
        (&Method::GET, Shape::Resource) => Ok(json(200, &body(call, &existing(state, call, &account, name)?))),
        (&Method::PUT, Shape::Resource) => put(state, call, &account, name),
        (&Method::PATCH, Shape::Resource) => patch(state, call, &account, name),
        (&Method::DELETE, Shape::Resource) => {
            let Some(container) = get(state, &account, name)? else { return Ok(empty(204)) };
            deletable(call, &container)?;
            leases::permit("container", container.lease.as_ref(), None, call.now_ms)?;
            remove(state, call, &account, name)?;
            Ok(empty(200))
        }
        (&Method::POST, Shape::Action(action)) if ["setLegalHold", "clearLegalHold"].contains(&action.as_str()) => {
            let (wanted, mut container): (LegalHold, _) = (call.document()?, existing(state, call, &account, name)?);
            match action.as_str() {
                "setLegalHold" => container.holds.extend(wanted.tags),
                _ => container.holds.retain(|tag| !wanted.tags.contains(tag)),
            }
            let body = json!({"hasLegalHold": !container.holds.is_empty(), "tags": container.holds});
            write(state, call, container)?;
            Ok(json(200, &body))
        }
        (&Method::POST, Shape::Action(action)) if action == "lease" => {
            let (wanted, mut container): (leases::Wanted, _) =
                (call.document()?, existing(state, call, &account, name)?);
            let changed = wanted.change(state, call.now_ms, container.lease.take())?;
            container.lease = changed.lease;
            resources::put(state, &container.id, &container)?;
            let seconds = changed.seconds.map(|seconds| seconds.to_string());
            Ok(json(200, &json!({"leaseId": changed.id, "leaseTimeSeconds": seconds})))
        }
        _ => Err(not_served(call, target)),
    }
}

/// Refuse to delete what has a legal hold <https://learn.microsoft.com/azure/storage/blobs/immutable-legal-hold-overview>.
pub(super) fn deletable(call: &Call<'_>, container: &Container) -> Result<(), Refusal> {
    if container.holds.is_empty() {
        return Ok(());
    }
    let message = "The container is protected from deletion due to the legal hold set on it.";
    Err(Refusal::of_storage(409, "ContainerProtectedFromDeletion", message, call.now_ms))
}

fn existing(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<Container, Refusal> {
    let message = "The specified container does not exist.";
    let missing = || Refusal::of_storage(404, "ContainerNotFound", message, call.now_ms);
    get(state, account, name)?.ok_or_else(missing)
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    names::container(name)?;
    let wanted: Wanted = call.document()?;
    let found = get(state, account, name)?;
    if found.is_none() && matches!(absent(state, call, account, name)?, Absent::BeingDeleted) {
        let message = "The specified container is being deleted. Try operation later.";
        return Err(Refusal::of_storage(409, "ContainerOperationFailure", message, call.now_ms));
    }
    let status = if found.is_some() { 200 } else { 201 };
    let container = found.unwrap_or_else(|| new(account, name));
    let container = changed(state, call, account, container, wanted.properties.clone().unwrap_or_default())?;
    Ok(written(status, &container, wanted.properties))
}

fn patch(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let wanted: Wanted = call.document()?;
    let container = existing(state, call, account, name)?;
    let container = changed(state, call, account, container, wanted.properties.clone().unwrap_or_default())?;
    Ok(written(200, &container, wanted.properties))
}

/// Properties that are not said stay as they are.
fn changed(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    mut container: Container,
    wanted: WantedProperties,
) -> Result<Container, Refusal> {
    let scoped = wanted.default_encryption_scope.is_some_and(|scope| scope != "$account-encryption-key");
    if scoped || wanted.deny_encryption_scope_override == Some(true) {
        return Err(Refusal::not_served("encryption scopes"));
    }
    if let Some(access) = wanted.public_access {
        public_access(account, access)?;
        container.public_access = access;
    }
    if let Some(metadata) = wanted.metadata {
        properties::metadata(&metadata)?;
        container.metadata = metadata;
    }
    Ok(write(state, call, container)?)
}

/// <https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent>
pub(super) fn public_access(account: &Account, access: PublicAccess) -> Result<(), Refusal> {
    if access == PublicAccess::None || account.allows_public_access() {
        return Ok(());
    }
    let message = "Public access is not permitted on this storage account.";
    Err(Refusal::conflict("PublicAccessNotPermitted", message))
}

fn id(account: &Account, name: &str) -> String {
    format!("{}/blobServices/default/containers/{name}", account.id)
}

fn deleted_key(account: &Account, name: &str) -> String {
    data_key(&account.name, &format!("deleted-container/{name}"))
}

/// As in a list, which has no metadata: recorded by azure-cli's `test_storage_container_using_rm_main_scenario.yaml`
/// (<https://github.com/Azure/azure-sdk-for-net/issues/17717>).
fn listed(call: &Call<'_>, container: &Container) -> Value {
    let mut listed = body(call, container);
    if let Some(properties) = listed["properties"].as_object_mut() {
        properties.remove("metadata");
    }
    listed
}

/// The answer to a write, which says of the properties only those that were sent, and of an empty body none: recorded by
/// azure-cli's `test_storage_container_using_rm_main_scenario.yaml`.
fn written(status: u16, container: &Container, sent: Option<WantedProperties>) -> Response<Bytes> {
    let mut body = json!({
        "id": container.id, "name": container.name, "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
    });
    if let Some(sent) = sent {
        body["properties"] = json!({
            "deleted": false, "remainingRetentionDays": 0, "hasImmutabilityPolicy": false, "hasLegalHold": false,
        });
        let said = [
            ("publicAccess", sent.public_access.map(|access| json!(access))),
            ("metadata", sent.metadata.map(|metadata| json!(metadata))),
            ("defaultEncryptionScope", sent.default_encryption_scope.map(Value::String)),
            ("denyEncryptionScopeOverride", sent.deny_encryption_scope_override.map(Value::Bool)),
        ];
        for (name, value) in said.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            body["properties"][name] = value;
        }
    }
    with(json(status, &body), &[("etag", &format!("\"{}\"", container.etag))])
}

fn body(call: &Call<'_>, container: &Container) -> Value {
    let (status, state) = leases::shown(container.lease.as_ref(), call.now_ms);
    json!({
        "id": container.id,
        "name": container.name,
        "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
        "etag": format!("\"{}\"", container.etag),
        "properties": {
            "publicAccess": container.public_access,
            "metadata": container.metadata,
            "lastModifiedTime": timestamp(container.modified_ms),
            "leaseStatus": capitalised(status),
            "leaseState": capitalised(state),
            "hasImmutabilityPolicy": false,
            "hasLegalHold": !container.holds.is_empty(),
            "defaultEncryptionScope": "$account-encryption-key",
            "denyEncryptionScopeOverride": false,
            "deleted": false,
            "remainingRetentionDays": 0,
        },
    })
}

/// As Resource Manager spells a word that the Blob service has in lower case.
fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

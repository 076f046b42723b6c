//! Storage accounts <https://learn.microsoft.com/rest/api/storagerp/storage-accounts>.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use crate::Error;
use crate::azure::call::{Call, empty, json, list, timestamp};
use crate::azure::late::RESOURCES;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_groups::{self, same_location};
use crate::azure::resource_manager::not_served;
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::wire::IN_PROGRESS;
use crate::azure::{account_properties, guid, names, operations, properties, resources, signatures, system_topics};
use crate::state::Transaction;

/// How long it usually takes until an account is ready, in milliseconds.
const CREATION_MS: u64 = 600;

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) location: String,
    kind: String,
    sku: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    identity: Option<Value>,
    properties: Map<String, Value>,
    created_ms: u64,
    ready_ms: u64,
    keys: [Key; 2],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Key {
    value: String,
    created_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    location: Option<String>,
    kind: Option<String>,
    sku: Option<Sku>,
    tags: Option<BTreeMap<String, String>>,
    identity: Option<Value>,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sku {
    name: String,
    /// Follows from the name.
    #[serde(rename = "tier")]
    _tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameCheck {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyWanted {
    key_name: String,
}

const KINDS: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];

const SKUS: [&str; 8] = [
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Premium_LRS",
    "Premium_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
];

impl Account {
    /// As in the list of a group's resources.
    pub(super) fn summary(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "type": "Microsoft.Storage/storageAccounts", "location": self.location,
            "kind": self.kind, "sku": self.tier(), "tags": self.tags,
        })
    }

    /// Whether it has been made.
    pub(super) fn is_ready(&self, now_ms: u64) -> bool {
        now_ms >= self.ready_ms
    }

    /// Whether a property that is on by itself is on.
    pub(super) fn allows(&self, property: &str) -> bool {
        self.properties.get(property).and_then(Value::as_bool) != Some(false)
    }

    /// Whether containers may be open to everybody; new accounts do not allow it
    /// <https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent>.
    pub(super) fn allows_public_access(&self) -> bool {
        self.properties.get("allowBlobPublicAccess").and_then(Value::as_bool) == Some(true)
    }

    /// Whether the firewall lets callers in that have no rule of their own
    /// <https://learn.microsoft.com/azure/storage/common/storage-network-security>.
    pub(super) fn is_reachable(&self) -> bool {
        let denied = self.properties.get("networkAcls").and_then(|rules| rules.get("defaultAction"));
        let disabled = self.properties.get("publicNetworkAccess").and_then(Value::as_str) == Some("Disabled");
        !disabled && denied.and_then(Value::as_str) != Some("Deny")
    }

    /// Only these tell Event Grid about blobs
    /// <https://learn.microsoft.com/azure/storage/blobs/storage-blob-event-overview#the-event-model>.
    pub(super) fn has_events(&self) -> bool {
        ["StorageV2", "BlobStorage", "BlockBlobStorage"].contains(&self.kind.as_str())
    }

    /// Whether a service is there: only some kinds have all, and of those not the fast ones
    /// <https://learn.microsoft.com/azure/storage/common/storage-account-overview#types-of-storage-accounts>.
    fn has(&self, service: &str) -> bool {
        match self.kind.as_str() {
            "FileStorage" => service == "File",
            "Storage" | "StorageV2" if self.sku.starts_with("Standard") => true,
            _ => service == "Blob",
        }
    }

    fn tier(&self) -> Value {
        json!({ "name": self.sku, "tier": self.sku.split('_').next().unwrap_or_default() })
    }

    fn body(&self, call: &Call<'_>) -> Value {
        let mut properties = self.properties.clone();
        let base = |address| format!("https://{address}/{}/", self.name);
        let more = json!({
            "provisioningState": if call.now_ms < self.ready_ms { "Creating" } else { "Succeeded" },
            "creationTime": timestamp(self.created_ms),
            "primaryLocation": self.location,
            "statusOfPrimary": "available",
            "primaryEndpoints": { "blob": base(call.addresses.blob), "queue": base(call.addresses.queue) },
            "privateEndpointConnections": [],
            "keyCreationTime": {
                "key1": timestamp(self.keys[0].created_ms), "key2": timestamp(self.keys[1].created_ms),
            },
        });
        if let Value::Object(more) = more {
            properties.extend(more);
        }
        let mut body = self.summary();
        if let Some(identity) = &self.identity {
            body["identity"] = identity.clone();
        }
        body["properties"] = Value::Object(properties);
        body
    }

    /// Its two keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.value.as_str())
    }

    /// A text signed with the first of them.
    pub(super) fn sign(&self, text: &str) -> Option<String> {
        signatures::sign(&self.keys[0].value, text)
    }

    fn listed_keys(&self) -> Value {
        let keys = self.keys.iter().enumerate().map(|(index, key)| {
            json!({
                "keyName": format!("key{}", index + 1), "value": key.value, "permissions": "FULL",
                "creationTime": timestamp(key.created_ms),
            })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

/// The account of a name, which no two accounts have.
pub(super) fn named(state: &Transaction<'_>, name: &str) -> Result<Option<Account>, Error> {
    match owner(state, name)? {
        Some(id) => resources::get(state, &id),
        None => Ok(None),
    }
}

/// Give a name to an account of somebody else's.
pub(super) fn seed_taken(state: &mut Transaction<'_>, name: &str) -> Result<(), Error> {
    state.put(&name_key(name), &format!("/subscriptions/elsewhere/{name}"))
}

/// Make one that is ready in a group, unless its name is taken.
pub(super) fn seed(
    state: &mut Transaction<'_>,
    group: &str,
    name: &str,
    location: &str,
    now_ms: u64,
) -> Result<(), Error> {
    if owner(state, name)?.is_some() {
        return Ok(());
    }
    let account = Account {
        id: format!("{group}/providers/Microsoft.Storage/storageAccounts/{name}"),
        name: name.to_owned(),
        location: location.to_owned(),
        kind: "StorageV2".to_owned(),
        sku: "Standard_LRS".to_owned(),
        tags: BTreeMap::new(),
        identity: None,
        properties: account_properties::defaults(),
        created_ms: now_ms,
        ready_ms: now_ms,
        keys: [key(state, now_ms)?, key(state, now_ms)?],
    };
    keep(state, &account)
}

fn keep(state: &mut Transaction<'_>, account: &Account) -> Result<(), Error> {
    resources::put(state, &account.id, account)?;
    state.put(&name_key(&account.name), &account.id)
}

/// The accounts of a group.
pub(super) fn of_group(state: &Transaction<'_>, group: &str) -> Result<Vec<Account>, Error> {
    resources::list(state, &format!("{group}/providers/Microsoft.Storage/storageAccounts"))
}

/// The account that a path goes through, or the answer where there is none or it is not ready.
pub(super) fn of_child(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Result<Account, Refusal> {
    let id = id(target);
    let Some(account) = resources::get::<Account>(state, &id)? else {
        if call.method() == Method::GET {
            return Err(resources::not_found(&id));
        }
        let message = format!(
            "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
            target.name(0)
        );
        return Err(Refusal::not_found("ParentResourceNotFound", message));
    };
    if call.now_ms < account.ready_ms {
        let message = "The storage account provisioning state must be 'Succeeded' before executing the operation.";
        return Err(Refusal::conflict("StorageAccountIsNotProvisioned", message));
    }
    let service = match target.kind {
        Kind::QueueServices | Kind::Queues => "Queue",
        Kind::FileServices | Kind::Shares => "File",
        Kind::TableServices | Kind::Tables => "Table",
        _ => "Blob",
    };
    if !account.has(service) {
        let message = format!("{service} is not supported for the account.");
        return Err(Refusal::bad_request("FeatureNotSupportedForAccount", message));
    }
    Ok(account)
}

/// Remove an account with everything in it, and the topic that the service made for it.
pub(super) fn remove(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account) -> Result<(), Error> {
    RESOURCES.note(state, call, &account.id, account.summary())?;
    resources::delete(state, &account.id);
    system_topics::close(state, call, account)?;
    state.delete(&name_key(&account.name));
    let prefix = data_key(&account.name, "");
    let keys: Vec<String> = state.keys(&prefix, None).map(ToOwned::to_owned).collect();
    for key in keys {
        state.delete(&key);
    }
    Ok(())
}

/// The key of something in an account that is no resource.
pub(super) fn data_key(account: &str, rest: &str) -> String {
    format!("azure/data/{account}/{rest}")
}

/// The answer of an account's creation that was waited for.
pub(super) fn finished(state: &Transaction<'_>, call: &Call<'_>, name: &str) -> Served {
    match named(state, name)? {
        Some(account) => Ok(json(200, &account.body(call))),
        None => Err(Refusal::not_found("ResourceNotFound", format!("The storage account {name} was not found."))),
    }
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => all(state, call, target),
        (&Method::GET, Shape::Resource) => Ok(json(200, &existing(state, target)?.body(call))),
        (&Method::PUT, Shape::Resource) => put(state, call, target),
        (&Method::PATCH, Shape::Resource) => patch(state, call, target),
        (&Method::DELETE, Shape::Resource) => delete(state, call, target),
        (_, Shape::Action(action)) => match action.as_str() {
            "checkNameAvailability" => check_name(state, call),
            // Keys are listed even where they are of no use, because shared keys are disabled.
            "listKeys" => Ok(json(200, &existing(state, target)?.listed_keys())),
            "regenerateKey" => regenerate(state, call, target),
            _ => Err(not_served(call, target)),
        },
        _ => Err(not_served(call, target)),
    }
}

fn existing(state: &Transaction<'_>, target: &Target) -> Result<Account, Refusal> {
    let id = id(target);
    resources::get(state, &id)?.ok_or_else(|| resources::not_found(&id))
}

fn id(target: &Target) -> String {
    let group = resource_groups::id(&target.subscription, target.group.as_deref().unwrap_or_default());
    format!("{group}/providers/Microsoft.Storage/storageAccounts/{}", target.name(0))
}

fn name_key(name: &str) -> String {
    format!("azure/account-name/{name}")
}

fn all(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let groups = match &target.group {
        Some(group) => vec![resource_groups::id(&target.subscription, group)],
        None => resource_groups::ids(state, &target.subscription)?,
    };
    let mut found = Vec::new();
    for group in groups {
        found.extend(of_group(state, &group)?.iter().map(|account| account.body(call)));
    }
    list(found)
}

/// Make one, or change one that is there: 202 until it is ready, 409 while it is being made.
fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let name = target.name(0);
    if let Some(message) = names::account_refusal(name) {
        return Err(Refusal::bad_request("AccountNameInvalid", message));
    }
    let wanted: Wanted = call.document()?;
    let Some(account) = taken(state, target)? else { return create(state, call, target, wanted) };
    if call.now_ms < account.ready_ms {
        return Err(Refusal::conflict("StorageAccountOperationInProgress", IN_PROGRESS));
    }
    let moved = wanted.location.as_ref().is_some_and(|location| !same_location(location, &account.location));
    if moved {
        let message = format!(
            "The resource '{name}' already exists in location '{}' in resource group '{}'. A resource with the same name \
             cannot be created in another location. Please select a new resource name.",
            account.location,
            target.group.as_deref().unwrap_or_default()
        );
        return Err(Refusal::conflict("InvalidResourceLocation", message));
    }
    change(state, call, account, wanted)
}

/// The account with the name, if the target means it; a name is taken by one account in the world
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-storage-account-name>.
fn taken(state: &Transaction<'_>, target: &Target) -> Result<Option<Account>, Refusal> {
    let name = target.name(0);
    let Some(owner) = owner(state, name)? else { return Ok(None) };
    if owner.eq_ignore_ascii_case(&id(target)) {
        return Ok(resources::get(state, &owner)?);
    }
    let here = format!("/subscriptions/{}/", target.subscription).to_ascii_lowercase();
    if owner.to_ascii_lowercase().starts_with(&here) {
        let message = format!("The account {name} is already in another resource group in this subscription.");
        return Err(Refusal::conflict("StorageAccountInAnotherResourceGroup", message));
    }
    Err(Refusal::conflict("StorageAccountAlreadyTaken", format!("The storage account named {name} is already taken.")))
}

/// The id of the account with a name, which need not be in this sandbox.
fn owner(state: &Transaction<'_>, name: &str) -> Result<Option<String>, Error> {
    state.get(&name_key(name))
}

fn create(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target, wanted: Wanted) -> Served {
    let required = |what: &str| {
        Refusal::bad_request(
            "InvalidRequestContent",
            format!("The property '{what}' is required to create an account."),
        )
    };
    let (kind, sku) = (wanted.kind.ok_or_else(|| required("kind"))?, wanted.sku.ok_or_else(|| required("sku"))?.name);
    let location = wanted.location.ok_or_else(|| required("location"))?;
    one_of("kind", &kind, &KINDS)?;
    one_of("sku.name", &sku, &SKUS)?;
    let tags = wanted.tags.unwrap_or_default();
    properties::tags(&tags, 15)?;
    let mut properties = account_properties::defaults();
    account_properties::merge(&mut properties, wanted.properties)?;
    let (id, name, ready_ms) =
        (id(target), target.name(0).to_owned(), call.now_ms + call.delay_ms("storageAccounts", CREATION_MS));
    let keys = [key(state, call.now_ms)?, key(state, call.now_ms)?];
    let identity = wanted.identity;
    let created_ms = call.now_ms;
    let account = Account { id, name, location, kind, sku, tags, identity, properties, created_ms, ready_ms, keys };
    keep(state, &account)?;
    operations::account(state, call, target, ready_ms)
}

fn patch(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let account = existing(state, target)?;
    let wanted: Wanted = call.document()?;
    if call.now_ms < account.ready_ms {
        return Err(Refusal::conflict("StorageAccountOperationInProgress", IN_PROGRESS));
    }
    change(state, call, account, wanted)
}

/// Properties that are not said stay as they are.
fn change(state: &mut Transaction<'_>, call: &Call<'_>, mut account: Account, wanted: Wanted) -> Served {
    if let Some(kind) = wanted.kind.filter(|kind| *kind != account.kind) {
        one_of("kind", &kind, &["StorageV2"])?;
        // <https://learn.microsoft.com/azure/storage/common/storage-account-upgrade>
        one_of("the kind so far", &account.kind, &["Storage", "BlobStorage"])?;
        account.kind = kind;
    }
    if let Some(sku) = wanted.sku {
        one_of("sku.name", &sku.name, &SKUS)?;
        account.sku = sku.name;
    }
    if let Some(tags) = wanted.tags {
        properties::tags(&tags, 15)?;
        account.tags = tags;
    }
    account.identity = wanted.identity.or(account.identity);
    account_properties::merge(&mut account.properties, wanted.properties)?;
    resources::put(state, &account.id, &account)?;
    Ok(json(200, &account.body(call)))
}

fn one_of(what: &str, value: &str, known: &[&str]) -> Result<(), Refusal> {
    if known.contains(&value) {
        return Ok(());
    }
    let message = format!("Values for request parameters are invalid: {what} '{value}'; one of {}.", known.join(", "));
    Err(Refusal::bad_request("InvalidValuesForRequestParameters", message))
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/delete>
fn delete(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Some(account) = resources::get::<Account>(state, &id(target))? else { return Ok(empty(204)) };
    remove(state, call, &account)?;
    Ok(empty(200))
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability>
fn check_name(state: &Transaction<'_>, call: &Call<'_>) -> Served {
    let NameCheck { name, kind } = call.document()?;
    if !kind.eq_ignore_ascii_case("Microsoft.Storage/storageAccounts") {
        let message = format!("Values for request parameters are invalid: type '{kind}'.");
        return Err(Refusal::bad_request("InvalidValuesForRequestParameters", message));
    }
    let body = match (names::account_refusal(&name), owner(state, &name)?) {
        (Some(message), _) => json!({ "nameAvailable": false, "reason": "AccountNameInvalid", "message": message }),
        (None, Some(_)) => {
            let message = format!("The storage account named {name} is already taken.");
            json!({ "nameAvailable": false, "reason": "AlreadyExists", "message": message })
        }
        (None, None) => json!({ "nameAvailable": true }),
    };
    Ok(json(200, &body))
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/regenerate-key>
fn regenerate(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let mut account = existing(state, target)?;
    let KeyWanted { key_name } = call.document()?;
    one_of("keyName", &key_name, &["key1", "key2"])?;
    let new = key(state, call.now_ms)?;
    account.keys[usize::from(key_name == "key2")] = new;
    resources::put(state, &account.id, &account)?;
    Ok(json(200, &account.listed_keys()))
}

/// A key is 512 bits <https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage>.
fn key(state: &mut Transaction<'_>, created_ms: u64) -> Result<Key, Error> {
    let value = BASE64.encode(&Sha512::digest(guid::next(state)?.as_bytes()));
    Ok(Key { value, created_ms })
}

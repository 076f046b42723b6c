//! Resource groups <https://learn.microsoft.com/rest/api/resources/resource-groups>.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts;
use crate::azure::call::{Call, empty, json, list};
use crate::azure::late::RESOURCES;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::system_topics;
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{names, operations, properties, resources};
use crate::state::Transaction;

/// How long a deletion usually takes, in milliseconds.
const DELETION_MS: u64 = 300;

/// A resource group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResourceGroup {
    id: String,
    name: String,
    location: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// From when on it is found.
    #[serde(default)]
    found_from_ms: u64,
    /// From when on it is gone, if it is being deleted.
    #[serde(default)]
    gone_from_ms: Option<u64>,
}

impl ResourceGroup {
    /// Refuse a write to what is in a group that is being deleted
    /// (<https://github.com/Azure/azure-cli/issues/28679>).
    pub(super) fn takes_writes(&self) -> Result<(), Refusal> {
        if self.gone_from_ms.is_none() {
            return Ok(());
        }
        let message =
            format!("The resource group '{}' is in deprovisioning state and cannot perform this operation.", self.name);
        Err(Refusal::conflict("ResourceGroupBeingDeleted", message))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    location: Option<String>,
    tags: Option<BTreeMap<String, String>>,
}

/// A group that is there, or the answer where there is none.
pub(super) fn existing(
    state: &Transaction<'_>,
    call: &Call<'_>,
    subscription: &str,
    name: &str,
) -> Result<ResourceGroup, Refusal> {
    let group = kept(state, call, subscription, name)?.filter(|group| call.now_ms >= group.found_from_ms);
    group.ok_or_else(|| {
        Refusal::not_found("ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
    })
}

/// A group that is there, whether everybody finds it or not.
fn kept(
    state: &Transaction<'_>,
    call: &Call<'_>,
    subscription: &str,
    name: &str,
) -> Result<Option<ResourceGroup>, Error> {
    let group: Option<ResourceGroup> = resources::get(state, &id(subscription, name))?;
    Ok(group.filter(|group| group.gone_from_ms.is_none_or(|gone| call.now_ms < gone)))
}

/// Make one, unless it is there; gives its id.
pub(super) fn seed(
    state: &mut Transaction<'_>,
    subscription: &str,
    name: &str,
    location: &str,
) -> Result<String, Error> {
    let id = id(subscription, name);
    if !resources::has(state, &id) {
        let (name, location, tags) = (name.to_owned(), location.to_owned(), BTreeMap::new());
        let group = ResourceGroup { id: id.clone(), name, location, tags, found_from_ms: 0, gone_from_ms: None };
        resources::put(state, &id, &group)?;
    }
    Ok(id)
}

/// Where a group's resources are.
pub(super) fn id(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{name}")
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if target.kind == Kind::Resources {
        return contents(state, call, target);
    }
    let name = target.name(0).to_owned();
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => all(state, call, target),
        (&Method::GET, _) => Ok(json(200, &body(&existing(state, call, &target.subscription, &name)?))),
        (&Method::HEAD, _) => {
            let there = existing(state, call, &target.subscription, &name).is_ok();
            Ok(empty(if there { 204 } else { 404 }))
        }
        (&Method::PUT, _) => put(state, call, target),
        (&Method::PATCH, _) => patch(state, call, target),
        (&Method::DELETE, _) => delete(state, call, target),
        _ => Err(not_served(call, target)),
    }
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let name = target.name(0);
    names::resource_group(name)?;
    let wanted: Wanted = call.document()?;
    let Some(location) = wanted.location else {
        let message = "The location property is required for this definition.";
        return Err(Refusal::bad_request("LocationRequired", message));
    };
    let tags = wanted.tags.unwrap_or_default();
    properties::tags(&tags, 50)?;
    let found = kept(state, call, &target.subscription, name)?;
    if let Some(group) = found.as_ref().filter(|group| !same_location(&group.location, &location)) {
        let message = format!(
            "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
            group.location
        );
        return Err(Refusal::conflict("InvalidResourceGroupLocation", message));
    }
    if let Some(group) = &found {
        group.takes_writes()?;
    }
    let new_ms = call.now_ms + call.delay_ms("newResourceGroups", 0);
    let found_from_ms = found.as_ref().map_or(new_ms, |group| group.found_from_ms);
    let status = if found.is_some() { 200 } else { 201 };
    let named = found.map_or_else(|| name.to_owned(), |group| group.name);
    let id = id(&target.subscription, &named);
    let group = ResourceGroup { id: id.clone(), name: named, location, tags, found_from_ms, gone_from_ms: None };
    resources::put(state, &id, &group)?;
    Ok(json(status, &body(&group)))
}

fn patch(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let wanted: Wanted = call.document()?;
    let mut group = existing(state, call, &target.subscription, target.name(0))?;
    group.takes_writes()?;
    if let Some(tags) = wanted.tags {
        properties::tags(&tags, 50)?;
        group.tags = tags;
    }
    resources::put(state, &group.id, &group)?;
    Ok(json(200, &body(&group)))
}

/// Deletes everything in it too.
fn delete(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let mut group = existing(state, call, &target.subscription, target.name(0))?;
    for account in accounts::of_group(state, &group.id)? {
        accounts::remove(state, call, &account)?;
    }
    resources::delete(state, &group.id);
    let gone_from_ms = call.now_ms + call.delay_ms("resourceGroups", DELETION_MS);
    group.gone_from_ms = Some(gone_from_ms);
    resources::put(state, &group.id, &group)?;
    operations::deletion(state, call, &target.subscription, gone_from_ms)
}

fn all(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let collection = format!("/subscriptions/{}/resourceGroups", target.subscription);
    let groups: Vec<ResourceGroup> = resources::list(state, &collection)?;
    let there = groups.iter().filter(|group| group.gone_from_ms.is_none_or(|gone| call.now_ms < gone));
    list(there.map(body).collect())
}

/// The resources of a group or subscription <https://learn.microsoft.com/rest/api/resources/resources/list>.
fn contents(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if call.method() != Method::GET {
        return Err(not_served(call, target));
    }
    let groups: Vec<ResourceGroup> = match &target.group {
        Some(name) => vec![existing(state, call, &target.subscription, name)?],
        None => resources::list(state, &format!("/subscriptions/{}/resourceGroups", target.subscription))?,
    };
    let mut found = Vec::new();
    for group in groups {
        let accounts = accounts::of_group(state, &group.id)?;
        let accounts = accounts.iter().map(|account| (account.id.clone(), account.summary()));
        let topics = system_topics::of_group(state, &group.id)?;
        let topics = topics.iter().map(|topic| (topic.id.clone(), topic.summary()));
        found.extend(RESOURCES.shown(state, call, &group.id, accounts.chain(topics))?);
    }
    list(found.into_iter().map(|(_, item)| item).collect())
}

/// Locations are the same with and without spaces: `West Europe`, `westeurope`.
pub(super) fn same_location(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
    plain(one) == plain(other)
}

fn body(group: &ResourceGroup) -> Value {
    let state = if group.gone_from_ms.is_some() { "Deleting" } else { "Succeeded" };
    json!({
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": { "provisioningState": state },
    })
}

/// All groups of a subscription.
pub(super) fn ids(state: &Transaction<'_>, subscription: &str) -> Result<Vec<String>, Error> {
    let groups: Vec<ResourceGroup> = resources::list(state, &format!("/subscriptions/{subscription}/resourceGroups"))?;
    Ok(groups.into_iter().map(|group| group.id).collect())
}

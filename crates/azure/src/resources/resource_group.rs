//! `azure.resource_group`: the group of the storage account, where the plan file asks to create it.

use provision_core::context::Watch;
use provision_core::facet::{Creation, Extent, Facet, Seen, Sharing, Want};
use provision_core::mark::{Mark, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer, last};
use crate::config::{Settings, normal_location};
use crate::error::GROUP_BEING_DELETED;
use crate::provider::{Names, identity_of};
use crate::resources::account::{locks, refused};
use crate::tags::tags;

/// A facet of one value that the creating call sets.
pub(crate) const fn included(name: &'static str, key: char, extent: Extent) -> Facet {
    Facet { name, key, extent, sharing: Sharing::Exclusive, creation: Creation::SameCall }
}

static LOCATION: Facet = included("location", 'l', Extent::Whole);
static TAGS: Facet = included("tags", 'g', Extent::Tags);
pub(crate) static FACETS: &[&Facet] = &[&LOCATION, &TAGS];

/// What is wanted. A group is never adopted, so it is all ours.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    let location = json!(settings.location());
    let mut wants = vec![Want { facet: &LOCATION, value: location, path: "azure.location".to_owned() }];
    wants.extend(wanted_tags(&TAGS, settings));
    wants
}

/// The deployment's tags, where there are any.
pub(crate) fn wanted_tags(facet: &'static Facet, settings: &Settings) -> Option<Want> {
    let value = json!(settings.tags());
    (!settings.tags().is_empty()).then(|| Want { facet, value, path: "deployment.tags".to_owned() })
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(found) = existing(reader, names).await? else { return Ok(Observation::Absent) };
    let tags = tags(&found, settings.tags());
    let location = normal_location(found["location"].as_str().unwrap_or_default());
    let moved = (location != settings.location()).then(|| immovable("resource group", &names.group, &location));
    let others = json!(without_mark(&tags));
    let seen = vec![(LOCATION.name, Seen::Value(json!(location))), (TAGS.name, Seen::Value(others))];
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&tags),
        seen,
        obstacles: moved.map(|refusal| (LOCATION.name, refusal)).into_iter().collect(),
        ..Present::default()
    })))
}

/// The group. While it is being deleted it answers all the same, and takes no writes
/// (<https://github.com/Azure/azure-cli/issues/28679>).
async fn existing(reader: &Reader, names: &Names) -> Result<Option<Value>, Error> {
    let found = reader.get_group(&names.group_id()).await?;
    let state = found.as_ref().and_then(|found| found.pointer("/properties/provisioningState"));
    if state != Some(&json!("Deleting")) {
        return Ok(found);
    }
    let error = Error::new(ErrorKind::Conflict, format!("use resource group `{}`", names.group));
    Err(error
        .message("it is being deleted")
        .hint("wait until it is gone, then run the same command again")
        .retry(GROUP_BEING_DELETED))
}

/// What was placed stays there.
pub(crate) fn immovable(kind: &str, name: &str, location: &str) -> Refusal {
    Refusal {
        reason: format!("{kind} `{name}` is in {location}, and cannot be moved"),
        hint: format!("write `location = \"{location}\"` under [azure], or choose another name"),
    }
}

/// Create the group with its tags. The call would replace those of one that exists, so it is looked for right before.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    if existing(writer.reader(), names).await?.is_some() {
        return Ok(Created::Existed);
    }
    writer.put_group(&names.group_id(), &json!({"location": facets.get(LOCATION.name), "tags": tags})).await
}

/// What else is in the group. `with_account` leaves the account out, which goes before the group.
pub(crate) async fn in_the_way(reader: &Reader, names: &Names, with_account: bool) -> Result<Option<Refusal>, Error> {
    let group = names.group_id();
    let (resources, topics, lock) =
        futures::join!(reader.list_group_resources(&group), reader.list_system_topics(&group), locks(reader, &group));
    if let Some(refusal) = lock {
        return Ok(Some(refusal));
    }
    let account = identity_of(&names.account_id());
    let topics = topics.ok().flatten().unwrap_or_default();
    // The service makes a system topic with the first event subscription, and deletes it with the last.
    let hidden = topics.iter().filter(|topic| is_source(topic, &account)).filter_map(|topic| topic["id"].as_str());
    let hidden: Vec<String> = hidden.map(identity_of).collect();
    let found = resources?.unwrap_or_default();
    // An account of ours under another name is told as what it is, an orphan.
    let ours = |resource: &&Value| {
        let id = resource["id"].as_str().unwrap_or_default();
        with_account && names.made(&tags(resource, &Tags::new()), id)
    };
    let ids = found.iter().filter(|resource| !ours(resource)).filter_map(|resource| resource["id"].as_str());
    let mut ids: Vec<String> = ids.map(identity_of).filter(|id| !hidden.contains(id)).collect();
    // The list shows an account for minutes after it was deleted (<https://github.com/hashicorp/terraform-provider-azurerm/issues/16069>).
    if ids.contains(&account) && (with_account || reader.get_account(&names.account_id()).await?.is_none()) {
        ids.retain(|id| *id != account);
    }
    let others: Vec<String> = ids.iter().map(|id| format!("`{}`", last(id))).collect();
    Ok(refused("resource group", &names.group, &others, "azure.resource_group"))
}

/// Whether a system topic is that of the account.
pub(crate) fn is_source(topic: &Value, account: &str) -> bool {
    topic.pointer("/properties/source").and_then(Value::as_str).is_some_and(|source| identity_of(source) == account)
}

/// Resource Manager deletes a full group without asking: look right before.
pub(crate) async fn delete(writer: &Writer, names: &Names, watch: &Watch<'_>) -> Result<(), Error> {
    match in_the_way(writer.reader(), names, false).await? {
        Some(refusal) => Err(crate::resources::account::refusal_error("resource group", &names.group, refusal)),
        None => {
            watch.still_ours().await?;
            writer.delete_group(&names.group_id()).await
        }
    }
}

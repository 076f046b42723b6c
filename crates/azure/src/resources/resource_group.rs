//! `azure.resource_group`: the group of the storage account, where the plan file asks to create it.

use provision_core::Error;
use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Observation, Present, Refusal, Seen, Shape, Want};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer, last};
use crate::config::{Settings, normal_location};
use crate::provider::{Names, identity_of, others_tags, tags, unknown_facet};
use crate::resources::account::{locks, refused, tags_of};

static LOCATION: Facet = Facet { name: "location", key: 'l', shape: Shape::Whole, at_creation: AtCreation::Included };
static TAGS: Facet = Facet { name: "tags", key: 'g', shape: Shape::Keys, at_creation: AtCreation::Included };

/// What is wanted. A group is never adopted, so it is all ours.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    let location = json!(settings.location());
    let mut wants = vec![Want { facet: &LOCATION, value: location, path: "azure.location".to_owned() }];
    if !settings.tags().is_empty() {
        wants.push(Want { facet: &TAGS, value: json!(settings.tags()), path: "deployment.tags".to_owned() });
    }
    wants
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(found) = reader.get_group(&names.group_id()).await? else { return Ok(Observation::Absent) };
    let tags = tags(&found);
    let location = normal_location(found["location"].as_str().unwrap_or_default());
    let moved = (location != settings.location()).then(|| immovable("resource group", &names.group, &location));
    let seen = vec![(LOCATION.name, Seen::Value(json!(location))), (TAGS.name, Seen::Value(json!(others_tags(&tags))))];
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&tags),
        seen,
        obstacles: moved.map(|refusal| (LOCATION.name, refusal)).into_iter().collect(),
        ..Present::default()
    })))
}

/// What was placed stays there.
pub(crate) fn immovable(kind: &str, name: &str, location: &str) -> Refusal {
    Refusal {
        reason: format!("{kind} `{name}` is in {location}, and cannot be moved"),
        hint: format!("write `location = \"{location}\"` under [azure], or choose another name"),
    }
}

/// Create the group with its mark.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    facets: &Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    let mut tags = facets.get(TAGS.name).map(tags_of).unwrap_or_default();
    tags.extend(mark.to_tags());
    writer.put_group(&names.group_id(), &json!({"location": facets[LOCATION.name], "tags": tags})).await
}

/// Write one facet.
pub(crate) async fn write(writer: &Writer, names: &Names, facet: &str, value: &Value) -> Result<(), Error> {
    if facet != TAGS.name {
        return Err(unknown_facet(facet));
    }
    let found = writer.reader().get_group(&names.group_id()).await?.unwrap_or_default();
    let mut merged = tags(&found);
    merged.extend(tags_of(value));
    writer.patch_group(&names.group_id(), &json!({"tags": merged})).await
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
    let ours =
        |resource: &&Value| with_account && names.made(&tags(resource), resource["id"].as_str().unwrap_or_default());
    let ids =
        found.iter().filter(|resource| !ours(resource)).filter_map(|resource| resource["id"].as_str()).map(identity_of);
    let others: Vec<String> = ids
        .filter(|id| !(hidden.contains(id) || (with_account && *id == account)))
        .map(|id| format!("`{}`", last(&id)))
        .collect();
    Ok(refused("resource group", &names.group, &others, "azure.resource_group"))
}

/// Whether a system topic is that of the account.
pub(crate) fn is_source(topic: &Value, account: &str) -> bool {
    topic.pointer("/properties/source").and_then(Value::as_str).is_some_and(|source| identity_of(source) == account)
}

/// Resource Manager deletes a full group without asking: look right before.
pub(crate) async fn delete(writer: &Writer, names: &Names) -> Result<(), Error> {
    match in_the_way(writer.reader(), names, false).await? {
        Some(refusal) => Err(crate::resources::account::refusal_error("resource group", &names.group, refusal)),
        None => writer.delete_group(&names.group_id()).await,
    }
}

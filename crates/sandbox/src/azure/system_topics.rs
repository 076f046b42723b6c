//! System topics: the events of a resource, as a resource <https://learn.microsoft.com/azure/event-grid/system-topics>.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, json, list};
use crate::azure::late::RESOURCES;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::target::{Shape, Target};
use crate::azure::{guid, operations, properties, resource_groups, resources};
use crate::state::Transaction;

const KIND: &str = "Microsoft.Storage.StorageAccounts";

/// A system topic.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SystemTopic {
    pub(super) id: String,
    name: String,
    location: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    identity: Option<Value>,
    /// The account whose events it has.
    pub(super) source: String,
    metric_id: String,
    /// Whether the service made it, for the first event subscription on the account.
    #[serde(default)]
    automatic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    location: String,
    tags: Option<BTreeMap<String, String>>,
    identity: Option<Value>,
    properties: WantedProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WantedProperties {
    source: String,
    topic_type: String,
}

impl SystemTopic {
    /// As in the list of a group's resources.
    pub(super) fn summary(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "type": "Microsoft.EventGrid/systemTopics", "location": self.location,
            "tags": self.tags,
        })
    }

    fn body(&self) -> Value {
        let mut body = self.summary();
        body["identity"] = self.identity.clone().unwrap_or(Value::Null);
        body["properties"] = json!({
            "provisioningState": "Succeeded", "source": self.source, "topicType": KIND,
            "metricResourceId": self.metric_id,
        });
        body
    }
}

/// The topics of a group.
pub(super) fn of_group(state: &Transaction<'_>, group: &str) -> Result<Vec<SystemTopic>, Error> {
    resources::list(state, &format!("{group}/providers/Microsoft.EventGrid/systemTopics"))
}

/// The topic of a subscription with an account's events: there is at most one.
pub(super) fn with_source(
    state: &Transaction<'_>,
    subscription: &str,
    source: &str,
) -> Result<Option<SystemTopic>, Error> {
    for group in resource_groups::ids(state, subscription)? {
        let found = of_group(state, &group)?.into_iter().find(|topic| topic.source.eq_ignore_ascii_case(source));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The topic that the service makes by itself with the first event subscription on an account, unless there is one
/// <https://learn.microsoft.com/azure/event-grid/system-topics#lifecycle-of-system-topics>.
pub(super) fn open(state: &mut Transaction<'_>, account: &Account) -> Result<(), Error> {
    let (subscription, group) = place(account);
    if with_source(state, subscription, &account.id)?.is_some() {
        return Ok(());
    }
    let name = format!("{}-{}", account.name, guid::next(state)?);
    let id = format!("{}/providers/Microsoft.EventGrid/systemTopics/{name}", resource_groups::id(subscription, group));
    let (location, source, metric_id) = (account.location.clone(), account.id.clone(), guid::of(&id));
    let tags = BTreeMap::new();
    let topic = SystemTopic { id, name, location, tags, identity: None, source, metric_id, automatic: true };
    resources::put(state, &topic.id, &topic)
}

/// It goes with the last event subscription.
pub(super) fn close(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account) -> Result<(), Error> {
    let found = with_source(state, place(account).0, &account.id)?.filter(|topic| topic.automatic);
    let Some(topic) = found.filter(|topic| resources::under(state, &topic.id).is_empty()) else { return Ok(()) };
    RESOURCES.note(state, call, &topic.id, topic.summary())?;
    resources::delete(state, &topic.id);
    Ok(())
}

/// The subscription and the resource group of an account.
fn place(account: &Account) -> (&str, &str) {
    let segment = |index| account.id.split('/').nth(index).unwrap_or_default();
    (segment(2), segment(4))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => {
            let groups = match &target.group {
                Some(group) => vec![resource_groups::id(&target.subscription, group)],
                None => resource_groups::ids(state, &target.subscription)?,
            };
            let topics = groups.iter().map(|group| of_group(state, group)).collect::<Result<Vec<_>, _>>()?;
            list(topics.iter().flatten().map(SystemTopic::body).collect())
        }
        (&Method::GET, Shape::Resource) => match resources::get::<SystemTopic>(state, &target.id)? {
            Some(topic) => Ok(json(200, &topic.body())),
            None => Err(resources::not_found(&target.id)),
        },
        (&Method::PUT, Shape::Resource) => put(state, call, target),
        (&Method::DELETE, Shape::Resource) => {
            let Some(topic) = resources::get::<SystemTopic>(state, &target.id)? else { return Ok(empty(204)) };
            RESOURCES.note(state, call, &topic.id, topic.summary())?;
            resources::delete(state, &target.id);
            operations::deletion(state, call, &target.subscription, call.now_ms)
        }
        _ => Err(not_served(call, target)),
    }
}

/// One topic for a source, in the source's location
/// <https://learn.microsoft.com/azure/event-grid/create-view-manage-system-topics>.
fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let wanted: Wanted = call.document()?;
    let invalid = |message: String| Refusal::bad_request("InvalidRequest", message);
    let WantedProperties { source, topic_type } = wanted.properties;
    if !topic_type.eq_ignore_ascii_case(KIND) {
        return Err(Refusal::not_served(&format!("system topics of {topic_type}")));
    }
    let Some(account) = resources::get::<Account>(state, &source)? else { return Err(resources::not_found(&source)) };
    if !resource_groups::same_location(&account.location, &wanted.location) {
        return Err(invalid(format!(
            "System topic's location must match with location of the source resource {source}."
        )));
    }
    let found: Option<SystemTopic> = resources::get(state, &target.id)?;
    if found.as_ref().is_some_and(|topic| !topic.source.eq_ignore_ascii_case(&source)) {
        return Err(invalid("System topic source cannot be modified.".to_owned()));
    }
    let other = with_source(state, &target.subscription, &source)?;
    if let Some(other) = other.filter(|other| !other.id.eq_ignore_ascii_case(&target.id)) {
        return Err(invalid(format!("Only one system topic is allowed per source. Existing topic: {}.", other.id)));
    }
    let tags = wanted.tags.unwrap_or_default();
    properties::tags(&tags, 50)?;
    let status = if found.is_some() { 200 } else { 201 };
    let metric_id = guid::of(&target.id);
    let (id, name, location) = (target.id.clone(), target.name(0).to_owned(), wanted.location);
    let topic =
        SystemTopic { id, name, location, tags, identity: wanted.identity, source, metric_id, automatic: false };
    resources::put(state, &target.id, &topic)?;
    Ok(json(status, &topic.body()))
}

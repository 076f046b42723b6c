//! `azure.events`: the event subscription that sends created blobs of our container to our queue.

use std::time::Duration;

use provision_core::compare::same;
use provision_core::context::Watch;
use provision_core::facet::{Creation, Entries, Entry, EntryId, Extent, Facet, Seen, Sharing, Want};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass, diff};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer};
use crate::config::Settings;
use crate::marks::Looking;
use crate::provider::{EVENT_GRID, Names, identity_of};
use crate::resources::account::not_there;
use crate::resources::resource_group::is_source;

static DELIVERY: Facet =
    Facet { name: "delivery", key: 'e', extent: Extent::Whole, sharing: Sharing::Named, creation: Creation::OwnCall };
pub(crate) static FACETS: &[&Facet] = &[&DELIVERY];

/// The one event that says a file is there
/// <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage#list-of-events-for-blob-rest-apis>.
const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// What the service tries before it drops an event, its own default
/// <https://learn.microsoft.com/azure/event-grid/manage-event-delivery#set-retry-policy>.
const RETRY: (u32, u32) = (30, 1440);

/// "Registration can take several minutes"
/// (<https://learn.microsoft.com/azure/event-grid/blob-event-quickstart-portal#register-the-event-grid-resource-provider>).
const REGISTERING: RetryClass = RetryClass::Settling {
    reason: "Microsoft.EventGrid is being registered in this subscription",
    budget: Duration::from_secs(900),
};

/// A subscription takes some seconds to be made, changed or deleted
/// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/get#eventsubscriptionprovisioningstate>).
const BUSY: RetryClass = RetryClass::Settling {
    reason: "the service is still at work on the event subscription",
    budget: Duration::from_secs(120),
};

/// What is wanted; without a queue nothing.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let value = wanted(settings, names);
    vec![Want { facet: &DELIVERY, value, path: "azure.events".to_owned() }]
}

fn wanted(settings: &Settings, names: &Names) -> Value {
    let Some(queue) = &names.queue else { return Value::Null };
    json!({
        "name": names.events,
        "queue": format!("{}/{queue}", names.account),
        "events": [CREATED],
        "prefix": prefix(names),
        "schema": "EventGridSchema",
        "message_ttl_s": settings.azure.events.message_ttl_s.unwrap_or(-1),
    })
}

/// The slash at the end keeps `files` from matching `files2`.
fn prefix(names: &Names) -> String {
    format!("/blobServices/default/containers/{}/blobs/", names.container)
}

/// An event subscription of the service in normal form. A filter of ours has these members and no other.
fn seen_value(found: &Value) -> Value {
    let properties = &found["properties"];
    // With an identity of its own for the delivery, the destination is in there.
    let delivery = properties["deliveryWithResourceIdentity"].get("destination");
    let destination = delivery.unwrap_or(&properties["destination"]);
    let target = &destination["properties"];
    let filter = &properties["filter"];
    let account = target["resourceId"].as_str().unwrap_or_default();
    let account = account.rsplit('/').next().unwrap_or_default();
    let queue = match destination["endpointType"].as_str() {
        Some("StorageQueue") => json!(format!("{account}/{}", target["queueName"].as_str().unwrap_or_default())),
        other => json!(other),
    };
    let mut events: Vec<_> = filter["includedEventTypes"].as_array().into_iter().flatten().cloned().collect();
    events.sort_by_key(Value::to_string);
    let mut value = json!({
        "name": found["name"],
        "queue": queue,
        "events": events,
        "prefix": filter["subjectBeginsWith"],
        "schema": properties["eventDeliverySchema"].as_str().unwrap_or("EventGridSchema"),
        "message_ttl_s": target["queueMessageTimeToLiveInSeconds"].as_i64().unwrap_or(DEFAULT_TTL_S),
    });
    let narrowed = filter["subjectEndsWith"].as_str().filter(|suffix| !suffix.is_empty());
    if let Some(suffix) = narrowed {
        value["suffix"] = json!(suffix);
    }
    if filter["advancedFilters"].as_array().is_some_and(|filters| !filters.is_empty()) {
        value["filters"] = filter["advancedFilters"].clone();
    }
    // One that failed delivers nothing, whatever it says
    // (<https://github.com/Azure/azure-sdk-for-net/issues/51014>).
    let state = properties["provisioningState"].as_str().unwrap_or(DONE);
    if state != DONE {
        value["state"] = json!(state);
    }
    value
}

/// The state of one that is at work.
const DONE: &str = "Succeeded";

/// The states of one that is being worked on.
const UNDER_WAY: [&str; 3] = ["Creating", "Updating", "Deleting"];

/// How long a message waits where nothing is said: seven days
/// <https://learn.microsoft.com/rest/api/storageservices/put-message#uri-parameters>.
const DEFAULT_TTL_S: i64 = 604_800;

/// As the service takes it, with what others set on the one that was found: labels beside ours, retry policy, dead letters,
/// an identity, an end
/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>. What narrows the filter
/// is emptied outright, since what a write leaves out stays as it was.
fn body(names: &Names, found: &Value, value: &Value) -> Value {
    let destination = json!({
        "endpointType": "StorageQueue",
        "properties": {
            "resourceId": names.account_id(),
            "queueName": names.queue,
            "queueMessageTimeToLiveInSeconds": value["message_ttl_s"],
        },
    });
    let mut properties = found["properties"].as_object().cloned().unwrap_or_default();
    properties.retain(|key, value| !["topic", "provisioningState"].contains(&key.as_str()) && !value.is_null());
    let mut filter = properties.remove("filter").and_then(|filter| filter.as_object().cloned()).unwrap_or_default();
    filter.extend(object(json!({
        "subjectBeginsWith": value["prefix"],
        "subjectEndsWith": "",
        "includedEventTypes": value["events"],
        "advancedFilters": [],
    })));
    match properties.get_mut("deliveryWithResourceIdentity").and_then(Value::as_object_mut) {
        Some(delivery) => {
            delivery.insert("destination".to_owned(), destination);
            properties.remove("destination");
        }
        None => drop(properties.insert("destination".to_owned(), destination)),
    }
    let retry = json!({"maxDeliveryAttempts": RETRY.0, "eventTimeToLiveInMinutes": RETRY.1});
    properties.entry("retryPolicy").or_insert(retry);
    properties.extend(object(json!({
        "filter": filter,
        "eventDeliverySchema": value["schema"],
        "labels": labels(names, found),
    })));
    json!({"properties": properties})
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The labels of others, then ours under the deployment's present name.
fn labels(names: &Names, found: &Value) -> Vec<String> {
    let others = labels_of(found).into_iter().filter(|label| !names.ids.contains(label));
    others.chain(names.ids.first().cloned()).collect()
}

fn labels_of(found: &Value) -> Vec<String> {
    let labels = found.pointer("/properties/labels").and_then(Value::as_array).into_iter().flatten();
    labels.filter_map(|label| label.as_str().map(str::to_owned)).collect()
}

/// One event subscription, and the collection that it is in.
struct Found {
    collection: String,
    /// In normal form.
    value: Value,
    /// As it was read.
    item: Value,
}

impl Found {
    fn new(collection: &str, item: &Value) -> Self {
        Self { collection: collection.to_owned(), value: seen_value(item), item: item.clone() }
    }

    fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        format!("{}/{}", self.collection, self.name())
    }

    fn state(&self) -> &str {
        self.value["state"].as_str().unwrap_or(DONE)
    }

    fn has_id(&self, id: &str) -> bool {
        self.name() == id || labels_of(&self.item).iter().any(|label| label == id)
    }

    /// Ours by its label, or by the name that we make where the plan file has none.
    fn is_ours(&self, names: &Names) -> bool {
        names.ids.iter().any(|id| self.has_id(id))
    }

    /// As the core judges it. What tells that it is of the deployment's former name is a difference, so that it is written
    /// again under the present one.
    fn entry(&self, names: &Names, want: &Value) -> Entry {
        let mut entry = Entry::new(self.value.clone(), self.describe());
        entry.id = self.entry_id(names);
        let former = names.ids.iter().find(|id| self.has_id(id)).filter(|id| Some(*id) != names.ids.first());
        if let Some(former) = former.filter(|_| self.name() == names.events) {
            entry.value["id"] = json!(former);
        }
        entry.conflict = match self.name() == names.events {
            true => Some(name_taken(self, want)),
            false => self.overlaps(want).then(|| heard_twice(self, want)),
        };
        entry
    }

    fn entry_id(&self, names: &Names) -> EntryId {
        let anothers = || labels_of(&self.item).iter().any(|label| label.starts_with("provision-"));
        match self.is_ours(names) {
            true => EntryId::Ours,
            false if anothers() => EntryId::Others,
            false => EntryId::Nobodys,
        }
    }

    /// Whether some of our blobs come to our queue by this one too.
    fn overlaps(&self, want: &Value) -> bool {
        let prefix = |value: &Value| value["prefix"].as_str().unwrap_or_default().to_owned();
        let (own, ours) = (prefix(&self.value), prefix(want));
        let events = self.value["events"].as_array().cloned().unwrap_or_default();
        let created = events.is_empty() || events.contains(&json!(CREATED));
        created && self.value["queue"] == want["queue"] && (ours.starts_with(&own) || own.starts_with(&ours))
    }

    fn describe(&self) -> String {
        let text = |key: &str| self.value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let what = text("prefix").map_or_else(|| "everything".to_owned(), |prefix| format!("`{prefix}`"));
        let to = text("queue").unwrap_or_else(|| "?".to_owned());
        format!("event subscription `{}` of {what} to {to}", self.name())
    }
}

/// What a look found.
struct Look {
    /// Where a new one goes.
    collection: String,
    found: Vec<Found>,
}

/// The subscriptions on the account, and on its system topic: a source has one
/// (<https://learn.microsoft.com/azure/event-grid/system-topics>), which is used, not fought. What is listed on the account
/// is written there.
async fn look(reader: &Reader, names: &Names) -> Result<Option<Look>, Error> {
    let own = names.event_subscriptions();
    let (direct, topics) = futures::join!(reader.list_event_subscriptions(&own), system_topics(reader, names));
    // Before its provider is registered, the service knows of no event subscriptions at all.
    let direct = match direct {
        Err(error) if error.kind() == ErrorKind::Refused => Some(Vec::new()),
        direct => direct?,
    };
    let Some(direct) = direct else { return Ok(None) };
    let mut found: Vec<_> = direct.iter().map(|item| Found::new(&own, item)).collect();
    let (topics, account) = (topics?, identity_of(&names.account_id()));
    let topic = topics.iter().find(|topic| is_source(topic, &account)).and_then(|topic| topic["id"].as_str());
    let Some(topic) = topic else { return Ok(Some(Look { collection: own, found })) };
    let collection = format!("{topic}/eventSubscriptions");
    let nested = reader.list_event_subscriptions(&collection).await?.unwrap_or_default();
    for item in nested.iter().map(|item| Found::new(&collection, item)) {
        if found.iter().all(|direct| direct.name() != item.name()) {
            found.push(item);
        }
    }
    Ok(Some(Look { collection, found }))
}

/// The system topics of the subscription, since an account's may be in any group; who may not list them all sees those of
/// the account's group.
async fn system_topics(reader: &Reader, names: &Names) -> Result<Vec<Value>, Error> {
    let denied = |error: &Error| error.kind() == ErrorKind::PermissionDenied;
    let found = match reader.list_system_topics(&names.subscription).await {
        Err(error) if denied(&error) => reader.list_system_topics(&names.group_id()).await,
        found => found,
    };
    match found {
        Err(error) if denied(&error) || error.kind() == ErrorKind::Refused => Ok(Vec::new()),
        found => Ok(found?.unwrap_or_default()),
    }
}

pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    looking: &Looking,
) -> Result<Observation, Error> {
    let (look, marks) = futures::join!(look(reader, names), looking.marks(reader, names));
    // A list of what is not there may be empty.
    let is_gone = marks.is_ok_and(|marks| !marks.is_there);
    let Some(look) = look?.filter(|_| !is_gone) else { return Ok(Observation::Absent) };
    if let Some(busy) = look.found.iter().find(|found| found.is_ours(names) && UNDER_WAY.contains(&found.state())) {
        return Err(under_way(busy));
    }
    let want = wanted(settings, names);
    let list = look.found.iter().map(|found| found.entry(names, &want)).collect();
    let seen = vec![(DELIVERY.name, Seen::Entries(Entries { list, limit: None }))];
    Ok(Observation::Present(Box::new(Present { seen, ..Present::default() })))
}

fn under_way(found: &Found) -> Error {
    let error = Error::new(ErrorKind::Conflict, format!("use event subscription `{}`", found.name()));
    error.message(format!("its state is {}", found.state())).hint("run the same command again").retry(BUSY)
}

/// The subscriptions on the account, for people, and whether each is ours.
pub(crate) async fn on_account(reader: &Reader, names: &Names) -> Result<Vec<(String, bool)>, Error> {
    let found = look(reader, names).await?.map(|look| look.found).unwrap_or_default();
    let told = |found: &Found| (format!("event subscription `{}`", found.name()), found.is_ours(names));
    Ok(found.iter().map(told).collect())
}

fn heard_twice(other: &Found, want: &Value) -> Refusal {
    let fields = diff::fields(&other.value, want);
    let usable = fields.iter().all(|field| ["name", "message_ttl_s"].contains(&field.field.as_str()));
    let ttl = match fields.iter().any(|field| field.field == "message_ttl_s") {
        true => format!(" and `message_ttl_s = {}`", other.value["message_ttl_s"]),
        false => String::new(),
    };
    Refusal {
        reason: format!("{} sends new blobs already: the server would hear of each twice", other.describe()),
        hint: match usable {
            true => format!("delete it, or write `name = \"{}\"`{ttl} under [azure.events] to use it", other.name()),
            false => "delete it".to_owned(),
        },
    }
}

/// One that others made is used exactly as it is wanted, and never changed.
fn name_taken(other: &Found, want: &Value) -> Refusal {
    let differing = diff::fields(&other.value, want);
    let differing: Vec<_> = differing.iter().map(|field| format!("{} = {}", field.field, field.before)).collect();
    Refusal {
        reason: format!("the name is taken: {}", other.describe()),
        hint: format!(
            "choose another `name` under [azure.events]; one that others made is used only if it is just as wanted, and this \
             one has {}",
            differing.join(", ")
        ),
    }
}

/// Write ours, and delete what else of ours there is. The account's turn is waited for after the look: a subscription is a
/// thing of its own, which nobody else of this run writes.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    before: &Value,
    value: &Value,
    watch: &Watch<'_>,
) -> Result<(), Error> {
    let Some(look) = look(writer.reader(), names).await? else { return not_there(names, value) };
    let is_ours = |found: &&Found| found.is_ours(names) || (!before.is_null() && same(&found.value, before));
    let ours: Vec<&Found> = look.found.iter().filter(is_ours).collect();
    let named = look.found.iter().find(|found| found.name() == names.events && !value.is_null());
    let current = named.filter(|named| ours.iter().any(|own| own.id() == named.id()));
    let _turn = watch.turn().await;
    if !value.is_null() {
        match (current, named) {
            (None, Some(others)) if !same(&others.value, value) => return Err(taken_since(others, value)),
            (None, Some(_)) => {}
            _ => put(writer, names, &look.collection, current, value).await?,
        }
    }
    for found in ours.iter().filter(|found| current.is_none_or(|current| current.id() != found.id())) {
        writer.delete_event_subscription(&found.id()).await?;
    }
    Ok(())
}

fn taken_since(others: &Found, value: &Value) -> Error {
    let refusal = name_taken(others, value);
    let error = Error::new(ErrorKind::Refused, format!("refused to write event subscription `{}`", others.name()));
    error.message(refusal.reason).hint(refusal.hint)
}

/// Write ours over the one that is there; one that failed stays failed until it is made again.
async fn put(
    writer: &Writer,
    names: &Names,
    collection: &str,
    current: Option<&Found>,
    value: &Value,
) -> Result<(), Error> {
    let id = current.map_or_else(|| format!("{collection}/{}", names.events), Found::id);
    if current.is_some_and(|found| found.state() != DONE) {
        writer.delete_event_subscription(&id).await?;
    }
    let found = current.map(|found| found.item.clone()).unwrap_or_default();
    let body = body(names, &found, value);
    writer.put_event_subscription(&id, &body).await
}

/// Delete all of ours on an account that goes.
pub(crate) async fn remove(writer: &Writer, names: &Names, watch: &Watch<'_>) -> Result<(), Error> {
    write(writer, names, &Value::Null, &Value::Null, watch).await
}

/// Check, register, and come back until it is done: the executor repeats the operation and says what it waits for.
pub(crate) async fn registered(writer: &Writer, names: &Names) -> Result<(), Error> {
    let state = writer.reader().get_provider(&names.subscription, EVENT_GRID).await?;
    match state.as_str() {
        "Registered" => return Ok(()),
        "Registering" => {}
        _ => writer.register_provider(&names.subscription, EVENT_GRID).await.map_err(cannot_register)?,
    }
    let error = Error::new(ErrorKind::Unavailable, format!("use {EVENT_GRID}"));
    Err(error
        .message("its registration in this subscription is not done")
        .hint("it goes on by itself: run the same command again in a few minutes")
        .retry(REGISTERING))
}

fn cannot_register(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied => error.hint(format!(
            "ask somebody with rights on the subscription to run `az provider register --namespace {EVENT_GRID}`, or \
             grant `{EVENT_GRID}/register/action` on it; then run the same command again"
        )),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::names;

    fn value(ttl: i64) -> Value {
        json!({
            "name": "provision-abc",
            "queue": "acme/events",
            "events": [CREATED],
            "prefix": "/blobServices/default/containers/files/blobs/",
            "schema": "EventGridSchema",
            "message_ttl_s": ttl,
        })
    }

    fn answered() -> Value {
        let mut answered = body(&names(), &Value::Null, &value(-1));
        answered["name"] = json!("provision-abc");
        answered["properties"]["provisioningState"] = json!("Succeeded");
        answered
    }

    fn found(item: &Value) -> Found {
        Found::new("collection", item)
    }

    #[test]
    fn subscription_survives_the_spelling_of_the_service() {
        let mut answered = answered();
        answered["properties"]["filter"]["isSubjectCaseSensitive"] = json!(false);
        answered["properties"]["filter"]["advancedFilters"] = Value::Null;
        assert_eq!(seen_value(&answered), value(-1));
        let target = answered.pointer_mut("/properties/destination/properties").unwrap();
        target.as_object_mut().unwrap().remove("queueMessageTimeToLiveInSeconds");
        assert_eq!(seen_value(&answered), value(604_800));
    }

    #[test]
    fn subscription_that_failed_differs() {
        let mut answered = answered();
        answered["properties"]["provisioningState"] = json!("Failed");
        assert_eq!(seen_value(&answered)["state"], "Failed");
    }

    #[test]
    fn subscription_is_ours_by_label_or_name_and_never_by_prefix() {
        let id = |name: &str, label: &str| {
            let item = json!({"name": name, "properties": {"labels": [label]}});
            found(&item).entry_id(&names())
        };
        assert_eq!(id("provision-abc", "theirs"), EntryId::Ours);
        assert_eq!(id("renamed", "provision-abc"), EntryId::Ours);
        assert_eq!(id("provision-abcd", "theirs"), EntryId::Nobodys);
        assert_eq!(id("shared", "provision-xyz"), EntryId::Others);
        // The plan file's own name says nothing about who made it.
        let names = Names { events: "wandb-blobs".to_owned(), ..names() };
        assert_eq!(found(&json!({"name": "wandb-blobs"})).entry_id(&names), EntryId::Nobodys);
    }

    #[test]
    fn subscription_of_the_former_name_is_another_value() {
        let ids = vec!["provision-new".to_owned(), "provision-abc".to_owned()];
        let named = |events: &str| Names { ids: ids.clone(), events: events.to_owned(), ..names() };
        let entry = |names: &Names| found(&answered()).entry(names, &value(-1));
        let names = named("provision-abc");
        assert_eq!((entry(&names).id, &entry(&names).value["id"]), (EntryId::Ours, &json!("provision-abc")));
        assert_eq!(entry(&named("provision-new")).value, value(-1));
        assert_eq!(labels(&names, &answered()), ["provision-new"]);
    }

    #[test]
    fn what_others_set_on_ours_stays() {
        let mut answered = answered();
        let properties = &mut answered["properties"];
        properties["labels"] = json!(["owner-team-x", "provision-abc"]);
        properties["retryPolicy"] = json!({"maxDeliveryAttempts": 10, "eventTimeToLiveInMinutes": 60});
        properties["deadLetterDestination"] = json!({"endpointType": "StorageBlob"});
        properties["filter"]["isSubjectCaseSensitive"] = json!(true);
        properties["filter"]["subjectEndsWith"] = json!(".jpg");
        properties["topic"] = json!("t");
        let written = body(&names(), &answered, &value(60));
        let expected = |key: &str| answered["properties"][key].clone();
        for key in ["labels", "retryPolicy", "deadLetterDestination"] {
            assert_eq!(written["properties"][key], expected(key), "{key}");
        }
        assert_eq!(written["properties"]["filter"]["isSubjectCaseSensitive"], true);
        assert_eq!(seen_value(&json!({"name": "provision-abc", "properties": written["properties"]})), value(60));
        assert!(written["properties"].get("topic").is_none());
    }

    #[test]
    fn identity_of_a_delivery_stays() {
        let mut answered = answered();
        let properties = answered["properties"].as_object_mut().unwrap();
        let destination = properties.remove("destination");
        let delivery = json!({"identity": {"type": "SystemAssigned"}, "destination": destination});
        properties.insert("deliveryWithResourceIdentity".to_owned(), delivery);
        assert_eq!(seen_value(&answered), value(-1));
        let written = body(&names(), &answered, &value(60));
        assert!(written["properties"].get("destination").is_none());
        assert_eq!(written["properties"]["deliveryWithResourceIdentity"]["identity"]["type"], "SystemAssigned");
    }

    #[test]
    fn subscription_of_others_is_used_as_it_is_or_in_the_way() {
        let conflict = |name: &str, queue: &str| {
            let mut item = answered();
            item["name"] = json!(name);
            item["properties"]["labels"] = Value::Null;
            item["properties"]["destination"]["properties"]["queueName"] = json!(queue);
            let names = Names { events: "wandb-blobs".to_owned(), ..names() };
            found(&item).entry(&names, &Value::Object(object(value(-1)))).conflict.map(|refusal| refusal.hint)
        };
        assert!(conflict("byhand", "events").unwrap().contains("`name = \"byhand\"` under"));
        assert!(conflict("wandb-blobs", "other").unwrap().contains("queue = \"acme/other\""));
        assert_eq!(conflict("byhand", "other"), None);
    }
}

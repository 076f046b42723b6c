//! `azure.events`: the event subscription that sends created blobs of our container to our queue.

use std::time::Duration;

use provision_core::executor::Watch;
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};

use crate::client::{Read as _, Reader, Writer};
use crate::config::Settings;
use crate::provider::{EVENT_GRID, Names, identity_of};
use crate::resources::resource_group::is_source;

static SUBSCRIPTION: Facet =
    Facet { name: "delivery", key: 'e', shape: Shape::Whole, at_creation: AtCreation::Written };

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

/// What is wanted; without a queue nothing.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let value = wanted(settings, names);
    vec![Want { facet: &SUBSCRIPTION, value, path: "azure.events".to_owned() }]
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
    let destination = &properties["destination"];
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
    value
}

/// How long a message waits where nothing is said: seven days
/// <https://learn.microsoft.com/rest/api/storageservices/put-message#uri-parameters>.
const DEFAULT_TTL_S: i64 = 604_800;

/// As the service takes it
/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>.
fn body(names: &Names, value: &Value) -> Value {
    json!({"properties": {
        "destination": {
            "endpointType": "StorageQueue",
            "properties": {
                "resourceId": names.account_id(),
                "queueName": names.queue,
                "queueMessageTimeToLiveInSeconds": value["message_ttl_s"],
            },
        },
        "filter": {"subjectBeginsWith": value["prefix"], "includedEventTypes": value["events"]},
        "eventDeliverySchema": value["schema"],
        "labels": [names.ids[0]],
        "retryPolicy": {"maxDeliveryAttempts": RETRY.0, "eventTimeToLiveInMinutes": RETRY.1},
    }})
}

/// One event subscription, and the collection that it is in.
struct Found {
    collection: String,
    value: Value,
    labels: Vec<String>,
}

impl Found {
    fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        format!("{}/{}", self.collection, self.name())
    }

    /// Ours by its label or by the name we make; or by the plan file's name, if it is about our container or our queue.
    fn is_ours(&self, names: &Names, want: &Value) -> bool {
        let about_us = self.value["queue"] == want["queue"] || self.value["prefix"] == json!(prefix(names));
        self.has_our_id(names) || (self.name() == names.events && about_us)
    }

    fn has_our_id(&self, names: &Names) -> bool {
        names.ids.iter().any(|id| self.labels.contains(id) || self.name() == id)
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

/// The subscriptions on the account. One that has a system topic of its own keeps its subscriptions there: a source has
/// one topic (<https://learn.microsoft.com/azure/event-grid/system-topics>), which is used, not fought.
async fn look(reader: &Reader, names: &Names) -> Result<Option<Look>, Error> {
    let (group, account) = (names.group_id(), identity_of(&names.account_id()));
    let own = names.event_subscriptions();
    let (direct, topics) = futures::join!(reader.list_event_subscriptions(&own), reader.list_system_topics(&group));
    // Before its provider is registered, the service knows of no event subscriptions at all.
    let direct = match direct {
        Err(error) if error.kind() == ErrorKind::Refused => Some(Vec::new()),
        direct => direct?,
    };
    let Some(direct) = direct else { return Ok(None) };
    let mut found: Vec<_> = direct.iter().map(|item| found_in(&own, item)).collect();
    let topics = topics.ok().flatten().unwrap_or_default();
    let Some(topic) = topics.iter().find(|topic| is_source(topic, &account)) else {
        return Ok(Some(Look { collection: own, found }));
    };
    let name = topic["name"].as_str().unwrap_or_default();
    let collection = format!("{group}/providers/{EVENT_GRID}/systemTopics/{name}/eventSubscriptions");
    let nested = reader.list_event_subscriptions(&collection).await?.unwrap_or_default();
    for item in nested.iter().map(|item| found_in(&collection, item)) {
        found.retain(|direct| direct.name() != item.name());
        found.push(item);
    }
    Ok(Some(Look { collection, found }))
}

fn found_in(collection: &str, item: &Value) -> Found {
    let labels = item.pointer("/properties/labels").and_then(Value::as_array).into_iter().flatten();
    Found {
        collection: collection.to_owned(),
        value: seen_value(item),
        labels: labels.filter_map(|label| label.as_str().map(str::to_owned)).collect(),
    }
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(look) = look(reader, names).await? else { return Ok(Observation::Absent) };
    let want = wanted(settings, names);
    let (ours, others): (Vec<_>, Vec<_>) = look.found.iter().partition(|found| found.is_ours(names, &want));
    let taken = others.iter().find(|other| other.name() == names.events).map(|other| name_taken(other));
    let twice = || others.iter().find(|other| other.overlaps(&want)).map(|other| heard_twice(other));
    let kept = others.iter().map(|other| Kept { facet: SUBSCRIPTION.name.to_owned(), entry: other.describe() });
    Ok(Observation::Present(Box::new(Present {
        mark: None,
        seen: vec![(SUBSCRIPTION.name, Seen::Value(combined(&ours, &names.events)))],
        nameless: if ours.iter().any(|found| found.has_our_id(names)) { Vec::new() } else { vec![SUBSCRIPTION.name] },
        kept: kept.collect(),
        obstacles: taken.or_else(twice).map(|refusal| (SUBSCRIPTION.name, refusal)).into_iter().collect(),
        ..Present::default()
    })))
}

/// The subscriptions on the account, for people, and whether each is ours.
pub(crate) async fn on_account(reader: &Reader, names: &Names) -> Result<Vec<(String, bool)>, Error> {
    let found = look(reader, names).await?.map(|look| look.found).unwrap_or_default();
    let ours = |found: &Found| found.name() == names.events || found.has_our_id(names);
    Ok(found.iter().map(|found| (format!("event subscription `{}`", found.name()), ours(found))).collect())
}

/// The value of the one by the plan file's name, or of any other of ours; a second one shows as such.
fn combined(ours: &[&Found], name: &str) -> Value {
    let Some(first) = ours.iter().find(|found| found.name() == name).or_else(|| ours.first()) else {
        return Value::Null;
    };
    let mut value = first.value.clone();
    let also: Vec<_> = ours.iter().map(|found| found.name()).filter(|other| *other != first.name()).collect();
    if !also.is_empty() {
        value["also"] = json!(also);
    }
    value
}

fn heard_twice(other: &Found) -> Refusal {
    Refusal {
        reason: format!("{} sends new blobs already: the server would hear of each twice", other.describe()),
        hint: format!("delete it, or write `name = \"{}\"` under [azure.events] to use it", other.name()),
    }
}

fn name_taken(other: &Found) -> Refusal {
    Refusal {
        reason: format!("the name is taken: {}", other.describe()),
        hint: "choose another `name` under [azure.events]".to_owned(),
    }
}

/// Write ours, and delete what else of ours there is. The account's turn is waited for after the look: a subscription is a
/// thing of its own, there is nothing to merge.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    value: &Value,
    watch: &Watch<'_>,
) -> Result<(), Error> {
    let Some(look) = look(writer.reader(), names).await? else { return Ok(()) };
    let want = wanted(settings, names);
    let ours: Vec<_> = look.found.iter().filter(|found| found.is_ours(names, &want)).collect();
    let current = ours.iter().find(|found| found.name() == names.events && !value.is_null());
    let _turn = watch.turn().await;
    if !value.is_null() {
        let id = current.map_or_else(|| format!("{}/{}", look.collection, names.events), |found| found.id());
        writer.put_event_subscription(&id, &body(names, value)).await?;
    }
    for found in ours.iter().filter(|found| current.is_none_or(|current| current.name() != found.name())) {
        writer.delete_event_subscription(&found.id()).await?;
    }
    Ok(())
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

    #[test]
    fn subscription_survives_the_spelling_of_the_service() {
        let mut answered = body(&names(), &value(-1));
        answered["name"] = json!("provision-abc");
        answered["properties"]["provisioningState"] = json!("Succeeded");
        answered["properties"]["filter"]["isSubjectCaseSensitive"] = json!(false);
        answered["properties"]["filter"]["subjectEndsWith"] = json!("");
        assert_eq!(seen_value(&answered), value(-1));
        let target = answered.pointer_mut("/properties/destination/properties").unwrap();
        target.as_object_mut().unwrap().remove("queueMessageTimeToLiveInSeconds");
        assert_eq!(seen_value(&answered), value(604_800));
    }

    #[test]
    fn subscription_is_ours_by_label_or_name_and_never_by_prefix() {
        let found = |name: &str, queue: &str, label: &str| {
            let value = json!({"name": name, "queue": queue});
            Found { collection: String::new(), value, labels: vec![label.to_owned()] }
        };
        let (names, want) = (names(), value(-1));
        assert!(found("provision-abc", "other/queue", "").is_ours(&names, &want));
        assert!(found("renamed", "acme/events", "provision-abc").is_ours(&names, &want));
        assert!(!found("provision-abcd", "acme/events", "").is_ours(&names, &want));
        let names = Names { events: "wandb-blobs".to_owned(), ..names };
        assert!(found("wandb-blobs", "acme/events", "").is_ours(&names, &want));
        assert!(!found("wandb-blobs", "acme/others", "").is_ours(&names, &want));
    }

    #[test]
    fn second_subscription_of_ours_is_seen() {
        let found = |name: &str| Found { collection: String::new(), value: json!({"name": name}), labels: Vec::new() };
        let (one, two) = (found("old"), found("new"));
        assert_eq!(combined(&[&one, &two], "new"), json!({"name": "new", "also": ["old"]}));
        assert_eq!(combined(&[], "new"), Value::Null);
    }
}

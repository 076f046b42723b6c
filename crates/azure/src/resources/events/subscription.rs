//! One event subscription: how the service spells it, whose it is, what stands in its way.

use provision_core::diff;
use provision_core::resource::{Entry, EntryId, Refusal};
use serde_json::{Value, json};

use crate::client::models::{Destination, EventSubscription, QueueTarget};
use crate::names::{Names, last};

/// The one event that says a file is there
/// <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage#list-of-events-for-blob-rest-apis>.
pub(super) const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// What the service tries before it drops an event, its own default
/// <https://learn.microsoft.com/azure/event-grid/manage-event-delivery#set-retry-policy>.
const RETRY: (u32, u32) = (30, 1440);

/// An event subscription of the service in normal form. A filter of ours has these members and no other.
fn seen_value(found: &EventSubscription) -> Value {
    let properties = &found.properties;
    let filter = properties.filter.clone().unwrap_or_default();
    let mut events = filter.included_event_types.unwrap_or_default();
    events.sort();
    let mut value = json!({
        "name": found.name,
        "queue": queue(found.destination()),
        "events": events,
        "prefix": filter.subject_begins_with,
        "schema": properties.event_delivery_schema.as_deref().unwrap_or("EventGridSchema"),
        "message_ttl_s": message_ttl_s(found.destination()),
    });
    if let Some(suffix) = filter.subject_ends_with.filter(|suffix| !suffix.is_empty()) {
        value["suffix"] = json!(suffix);
    }
    if let Some(filters) = filter.advanced_filters.filter(|filters| !filters.is_empty()) {
        value["filters"] = json!(filters);
    }
    // One that failed delivers nothing, whatever it says
    // (<https://github.com/Azure/azure-sdk-for-net/issues/51014>).
    let state = properties.provisioning_state.as_deref().unwrap_or(DONE);
    if state != DONE {
        value["state"] = json!(state);
    }
    value
}

/// A queue with its account; of anything else, what kind it is.
fn queue(destination: Option<&Destination>) -> Option<String> {
    let destination = destination?;
    let kind = destination.endpoint_type.as_deref()?;
    if kind != "StorageQueue" {
        return Some(kind.to_owned());
    }
    let target = destination.properties.clone().unwrap_or_default();
    let account = target.resource_id.unwrap_or_default();
    Some(format!("{}/{}", last(&account), target.queue_name.unwrap_or_default()))
}

fn message_ttl_s(destination: Option<&Destination>) -> i64 {
    let target = destination.and_then(|destination| destination.properties.as_ref());
    target.and_then(|target| target.queue_message_time_to_live_in_seconds).unwrap_or(DEFAULT_TTL_S)
}

/// The state of one that is at work.
pub(super) const DONE: &str = "Succeeded";

/// How long a message waits where nothing is said: seven days
/// <https://learn.microsoft.com/rest/api/storageservices/put-message#uri-parameters>.
const DEFAULT_TTL_S: i64 = 604_800;

/// As the service takes it, with what others set on the one that was found: labels beside ours, retry policy, dead letters,
/// an identity, an end
/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>. What narrows the filter
/// is emptied outright, since what a write leaves out stays as it was.
pub(super) fn body(names: &Names, found: Option<&EventSubscription>, value: &Value) -> EventSubscription {
    let mut written = found.cloned().unwrap_or_default();
    let labels = labels(names, &written);
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let properties = &mut written.properties;
    properties.rest.retain(|key, value| key != "topic" && !value.is_null());
    let destination = Some(destination(names, value));
    match &mut properties.delivery_with_resource_identity {
        Some(delivery) => (delivery.destination, properties.destination) = (destination, None),
        None => properties.destination = destination,
    }
    let filter = properties.filter.get_or_insert_default();
    let events = value["events"].as_array().into_iter().flatten();
    filter.subject_begins_with = text("prefix");
    filter.subject_ends_with = Some(String::new());
    filter.included_event_types = Some(events.filter_map(|event| event.as_str().map(str::to_owned)).collect());
    filter.advanced_filters = Some(Vec::new());
    let retry = json!({"maxDeliveryAttempts": RETRY.0, "eventTimeToLiveInMinutes": RETRY.1});
    properties.rest.entry("retryPolicy").or_insert(retry);
    properties.event_delivery_schema = text("schema");
    properties.labels = Some(labels);
    written
}

fn destination(names: &Names, value: &Value) -> Destination {
    let target = QueueTarget {
        resource_id: Some(names.account_id()),
        queue_name: names.queue.clone(),
        queue_message_time_to_live_in_seconds: value["message_ttl_s"].as_i64(),
    };
    Destination { endpoint_type: Some("StorageQueue".to_owned()), properties: Some(target) }
}

/// The labels of others, then ours under the deployment's present name.
fn labels(names: &Names, found: &EventSubscription) -> Vec<String> {
    let others = found.labels().iter().filter(|label| !names.ids.contains(label));
    others.chain(names.ids.first()).cloned().collect()
}

/// One event subscription, and the collection that it is in.
pub(super) struct Found {
    collection: String,
    /// In normal form.
    pub(super) value: Value,
    /// As it was read.
    pub(super) item: EventSubscription,
}

impl Found {
    pub(super) fn new(collection: &str, item: EventSubscription) -> Self {
        Self { collection: collection.to_owned(), value: seen_value(&item), item }
    }

    pub(super) fn name(&self) -> &str {
        &self.item.name
    }

    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.collection, self.name())
    }

    pub(super) fn state(&self) -> &str {
        self.item.properties.provisioning_state.as_deref().unwrap_or(DONE)
    }

    fn has_id(&self, id: &str) -> bool {
        self.name() == id || self.item.labels().iter().any(|label| label == id)
    }

    /// Ours by its label, or by the name that we make where the plan file has none.
    pub(super) fn is_ours(&self, names: &Names) -> bool {
        names.ids.iter().any(|id| self.has_id(id))
    }

    /// As the core judges it. What tells that it is of the deployment's former name is a difference, so that it is written
    /// again under the present one.
    pub(super) fn entry(&self, names: &Names, want: &Value) -> Entry {
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
        let anothers = || self.item.labels().iter().any(|label| label.starts_with("provision-"));
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
pub(super) fn name_taken(other: &Found, want: &Value) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::names;

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
        let mut answered = json!(body(&names(), None, &value(-1)));
        answered["name"] = json!("provision-abc");
        answered["properties"]["provisioningState"] = json!("Succeeded");
        answered
    }

    fn read(item: &Value) -> EventSubscription {
        serde_json::from_value(item.clone()).unwrap()
    }

    fn found(item: &Value) -> Found {
        Found::new("collection", read(item))
    }

    #[test]
    fn subscription_survives_the_spelling_of_the_service() {
        let mut answered = answered();
        answered["properties"]["filter"]["isSubjectCaseSensitive"] = json!(false);
        answered["properties"]["filter"]["advancedFilters"] = Value::Null;
        assert_eq!(found(&answered).value, value(-1));
        let target = answered.pointer_mut("/properties/destination/properties").unwrap();
        target.as_object_mut().unwrap().remove("queueMessageTimeToLiveInSeconds");
        assert_eq!(found(&answered).value, value(604_800));
    }

    #[test]
    fn subscription_that_failed_differs() {
        let mut answered = answered();
        answered["properties"]["provisioningState"] = json!("Failed");
        assert_eq!(found(&answered).value["state"], "Failed");
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
        assert_eq!(labels(&names, &read(&answered())), ["provision-new"]);
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
        let written = json!(body(&names(), Some(&read(&answered)), &value(60)));
        let expected = |key: &str| answered["properties"][key].clone();
        for key in ["labels", "retryPolicy", "deadLetterDestination"] {
            assert_eq!(written["properties"][key], expected(key), "{key}");
        }
        assert_eq!(written["properties"]["filter"]["isSubjectCaseSensitive"], true);
        assert_eq!(found(&json!({"name": "provision-abc", "properties": written["properties"]})).value, value(60));
        assert!(written["properties"].get("topic").is_none());
    }

    #[test]
    fn identity_of_a_delivery_stays() {
        let mut answered = answered();
        let properties = answered["properties"].as_object_mut().unwrap();
        let destination = properties.remove("destination");
        let delivery = json!({"identity": {"type": "SystemAssigned"}, "destination": destination});
        properties.insert("deliveryWithResourceIdentity".to_owned(), delivery);
        assert_eq!(found(&answered).value, value(-1));
        let written = json!(body(&names(), Some(&read(&answered)), &value(60)));
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
            found(&item).entry(&names, &value(-1)).conflict.map(|refusal| refusal.hint)
        };
        assert!(conflict("byhand", "events").unwrap().contains("`name = \"byhand\"` under"));
        assert!(conflict("wandb-blobs", "other").unwrap().contains("queue = \"acme/other\""));
        assert_eq!(conflict("byhand", "other"), None);
    }
}

//! One event subscription: how the service spells it, whose it is, what stands in its way.

use provision_core::diff;
use provision_core::resource::{Entry, EntryId, Refusal};
use serde_json::{Map, Value, json};

use crate::names::Names;

/// The one event that says a file is there
/// <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage#list-of-events-for-blob-rest-apis>.
pub(super) const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// What the service tries before it drops an event, its own default
/// <https://learn.microsoft.com/azure/event-grid/manage-event-delivery#set-retry-policy>.
const RETRY: (u32, u32) = (30, 1440);

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
pub(super) const DONE: &str = "Succeeded";

/// How long a message waits where nothing is said: seven days
/// <https://learn.microsoft.com/rest/api/storageservices/put-message#uri-parameters>.
const DEFAULT_TTL_S: i64 = 604_800;

/// As the service takes it, with what others set on the one that was found: labels beside ours, retry policy, dead letters,
/// an identity, an end
/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>. What narrows the filter
/// is emptied outright, since what a write leaves out stays as it was.
pub(super) fn body(names: &Names, found: &Value, value: &Value) -> Value {
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
pub(super) struct Found {
    collection: String,
    /// In normal form.
    pub(super) value: Value,
    /// As it was read.
    pub(super) item: Value,
}

impl Found {
    pub(super) fn new(collection: &str, item: &Value) -> Self {
        Self { collection: collection.to_owned(), value: seen_value(item), item: item.clone() }
    }

    pub(super) fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.collection, self.name())
    }

    pub(super) fn state(&self) -> &str {
        self.value["state"].as_str().unwrap_or(DONE)
    }

    fn has_id(&self, id: &str) -> bool {
        self.name() == id || labels_of(&self.item).iter().any(|label| label == id)
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

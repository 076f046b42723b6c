//! One event subscription: how the service spells it, whose it is, what stands in its way.

use std::collections::BTreeSet;

use provision_core::diff::{self, FieldDiff};
use provision_core::facet::{Entry, EntryId};
use provision_core::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::models::{Destination, EventFilter, EventSubscription, QueueTarget};
use crate::names::{MADE, Names, id_of, last};

/// The one event that says a file is there
/// <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage#list-of-events-for-blob-rest-apis>.
pub(super) const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// How events are written, the service's own default
/// <https://learn.microsoft.com/azure/event-grid/event-schema>.
pub(super) const SCHEMA: &str = "EventGridSchema";

/// What the service tries before it drops an event, its own default
/// <https://learn.microsoft.com/azure/event-grid/manage-event-delivery#set-retry-policy>.
const RETRY: (u32, u32) = (30, 1440);

/// The moment from which on one delivers nothing
/// <https://learn.microsoft.com/azure/event-grid/set-event-expiration>.
const ENDS: &str = "expirationTimeUtc";

/// An event subscription in normal form. One of ours has the first six members and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) name: String,
    /// With its account; of anything but a queue, what kind it is.
    pub(super) queue: Option<String>,
    pub(super) events: BTreeSet<String>,
    pub(super) prefix: Option<String>,
    pub(super) schema: String,
    pub(super) message_ttl_s: i64,
    /// What narrows the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suffix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filters: Option<Vec<Value>>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<String>,
    /// That of one that is not at work. One that failed delivers nothing, whatever it says
    /// (<https://github.com/Azure/azure-sdk-for-net/issues/51014>).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    /// What tells that it is of the deployment's former name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
}

impl Delivery {
    /// As the service spells it.
    fn of(found: &EventSubscription) -> Self {
        let properties = &found.properties;
        let filter = properties.filter.clone().unwrap_or_default();
        let schema = properties.event_delivery_schema.clone();
        Self {
            name: found.name.clone(),
            queue: queue(found.destination()),
            events: filter.included_event_types.into_iter().flatten().collect(),
            prefix: filter.subject_begins_with,
            schema: schema.unwrap_or_else(|| SCHEMA.to_owned()),
            message_ttl_s: message_ttl_s(found.destination()),
            suffix: filter.subject_ends_with.filter(|suffix| !suffix.is_empty()),
            filters: filter.advanced_filters.filter(|filters| !filters.is_empty()),
            ends: properties.rest.get(ENDS).and_then(Value::as_str).filter(|end| !end.is_empty()).map(str::to_owned),
            state: properties.provisioning_state.clone().filter(|state| state != DONE),
            id: None,
        }
    }
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
/// an identity
/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>. What narrows the filter
/// is emptied outright, since what a write leaves out stays as it was.
pub(super) fn body(names: &Names, found: Option<&EventSubscription>, delivery: &Delivery) -> EventSubscription {
    let mut written = found.cloned().unwrap_or_default();
    let labels = labels(names, &written);
    let properties = &mut written.properties;
    properties.rest.retain(|key, value| key != "topic" && key != ENDS && !value.is_null());
    let destination = Some(destination(names, delivery));
    match &mut properties.delivery_with_resource_identity {
        Some(identity) => (identity.destination, properties.destination) = (destination, None),
        None => properties.destination = destination,
    }
    properties.filter = Some(EventFilter {
        subject_begins_with: delivery.prefix.clone(),
        subject_ends_with: Some(String::new()),
        included_event_types: Some(delivery.events.iter().cloned().collect()),
        advanced_filters: Some(Vec::new()),
        rest: properties.filter.take().unwrap_or_default().rest,
    });
    let retry = json!({"maxDeliveryAttempts": RETRY.0, "eventTimeToLiveInMinutes": RETRY.1});
    properties.rest.entry("retryPolicy").or_insert(retry);
    properties.event_delivery_schema = Some(delivery.schema.clone());
    properties.labels = Some(labels);
    written
}

fn destination(names: &Names, delivery: &Delivery) -> Destination {
    let target = QueueTarget {
        resource_id: Some(names.account_id()),
        queue_name: names.queue.clone(),
        queue_message_time_to_live_in_seconds: Some(delivery.message_ttl_s),
    };
    Destination { endpoint_type: Some("StorageQueue".to_owned()), properties: Some(target) }
}

/// The labels of others, then ours under the deployment's present name.
fn labels(names: &Names, found: &EventSubscription) -> Vec<String> {
    let others = found.labels().iter().filter(|label| !names.ids.contains(label));
    others.chain(names.ids.first()).cloned().collect()
}

/// What stands after our id in the name of a spare, which has what one of ours had while that is made again: both together are
/// well below the 64 characters that a name may have
/// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update#uri-parameters>).
const SPARE: &str = "-spare";

/// The name of the spare of whoever has this id.
pub(super) fn spare_name(id: &str) -> String {
    format!("{id}{SPARE}")
}

/// One event subscription, and the collection that it is in.
pub(super) struct Found {
    collection: String,
    /// In normal form.
    pub(super) delivery: Delivery,
    /// As it was read.
    pub(super) item: EventSubscription,
}

impl Found {
    pub(super) fn new(collection: &str, item: EventSubscription) -> Self {
        Self { collection: collection.to_owned(), delivery: Delivery::of(&item), item }
    }

    pub(super) fn name(&self) -> &str {
        &self.item.name
    }

    /// Where it is, by the service's own word.
    pub(super) fn id(&self) -> String {
        match self.item.id.as_str() {
            "" => self.beside(self.name()),
            id => id.to_owned(),
        }
    }

    pub(super) fn state(&self) -> &str {
        self.item.properties.provisioning_state.as_deref().unwrap_or(DONE)
    }

    fn has_id(&self, id: &str) -> bool {
        self.name() == id || self.name() == spare_name(id) || self.item.labels().iter().any(|label| label == id)
    }

    /// Where another one of this name is, in the same collection.
    pub(super) fn beside(&self, name: &str) -> String {
        format!("{}/{name}", self.collection)
    }

    /// Ours by its label, or by the name that we make where the plan file has none, and of a spare.
    pub(super) fn is_ours(&self, names: &Names) -> bool {
        names.ids.iter().any(|id| self.has_id(id))
    }

    /// Whether it is a spare of ours.
    pub(super) fn is_spare(&self, names: &Names) -> bool {
        names.ids.iter().any(|id| self.name() == spare_name(id))
    }

    /// As the core judges it. What tells that it is of the deployment's former name is a difference, so that it is written
    /// again under the present one.
    pub(super) fn entry(&self, names: &Names, desired: Option<&Delivery>, others: &Others) -> Entry {
        let former = names.ids.iter().find(|id| self.has_id(id)).filter(|id| Some(*id) != names.ids.first());
        let id = former.filter(|_| self.name() == names.events).cloned();
        let mut entry = Entry::new(json!(Delivery { id, ..self.delivery.clone() }), self.describe());
        entry.id = self.entry_id(names);
        entry.conflict = desired.and_then(|desired| match self.name() == names.events {
            true => Some(name_taken(self, desired)),
            false => self.overlaps(desired).then(|| heard_twice(self, desired, self.whose(names, others))),
        });
        entry
    }

    /// Whose it is, where it is another deployment's, or sends from its container or to its queue.
    fn whose(&self, names: &Names, others: &Others) -> Option<String> {
        if self.is_ours(names) {
            return None;
        }
        let labels = self.item.labels().iter().map(String::as_str);
        let is_made = labels.chain([self.name()]).any(|id| id.starts_with(MADE));
        let named = others.deployments.iter().find(|deployment| self.has_id(&id_of(deployment)));
        let known = named.or(others.owner.as_ref()).map(|deployment| format!("deployment `{deployment}`"));
        known.or_else(|| is_made.then(|| "another deployment".to_owned()))
    }

    fn entry_id(&self, names: &Names) -> EntryId {
        let anothers = || self.item.labels().iter().any(|label| label.starts_with(MADE));
        match self.is_ours(names) {
            true => EntryId::Ours,
            false if anothers() => EntryId::Others,
            false => EntryId::Nobodys,
        }
    }

    /// Whether some of our blobs come to our queue by this one too.
    fn overlaps(&self, desired: &Delivery) -> bool {
        let Delivery { queue, events, prefix, .. } = &self.delivery;
        let (own, ours) = (prefix.as_deref().unwrap_or_default(), desired.prefix.as_deref().unwrap_or_default());
        let created = events.is_empty() || events.contains(CREATED);
        created && *queue == desired.queue && (ours.starts_with(own) || own.starts_with(ours))
    }

    fn describe(&self) -> String {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let what = said(&self.delivery.prefix).map_or_else(|| "everything".to_owned(), |prefix| format!("`{prefix}`"));
        let to = said(&self.delivery.queue).unwrap_or_else(|| "?".to_owned());
        format!("event subscription `{}` of {what} to {to}", self.name())
    }

    fn differing(&self, desired: &Delivery) -> Vec<FieldDiff> {
        diff::fields(&json!(self.delivery), &json!(desired))
    }
}

/// Other deployments that have marks in the account.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) deployments: Vec<String>,
    /// The one that has the container or the queue of this plan file.
    pub(super) owner: Option<String>,
}

/// What is another deployment's is never told how to delete.
fn heard_twice(other: &Found, desired: &Delivery, whose: Option<String>) -> Refusal {
    let hint = whose.map(|whose| {
        format!(
            "it is left to {whose}: name a container and a queue of this deployment's own under [azure.container] and \
             [azure.queue]"
        )
    });
    Refusal {
        reason: format!("{} sends new blobs already: the server would hear of each twice", other.describe()),
        hint: hint.unwrap_or_else(|| deleted_or_used(other, desired)),
    }
}

fn deleted_or_used(other: &Found, desired: &Delivery) -> String {
    let fields = other.differing(desired);
    let usable = fields.iter().all(|field| ["name", "message_ttl_s"].contains(&field.field.as_str()));
    let ttl = match fields.iter().any(|field| field.field == "message_ttl_s") {
        true => format!(" and `message_ttl_s = {}`", other.delivery.message_ttl_s),
        false => String::new(),
    };
    let name = other.name();
    let delete = format!("`{}` deletes it", delete_command(&other.id(), name));
    match usable {
        true => format!("{delete}, or write `name = \"{name}\"`{ttl} under [azure.events] to use it"),
        false => delete,
    }
}

/// One on a system topic is not found by its source
/// (<https://learn.microsoft.com/cli/azure/eventgrid/system-topic/event-subscription#az-eventgrid-system-topic-event-subscription-delete>).
fn delete_command(id: &str, name: &str) -> String {
    let segments: Vec<_> = id.split('/').collect();
    let after = |word: &str| {
        let place = segments.iter().position(|segment| segment.eq_ignore_ascii_case(word))?;
        segments.get(place + 1).copied()
    };
    if let (Some(group), Some(topic)) = (after("resourceGroups"), after("systemTopics")) {
        return format!(
            "az eventgrid system-topic event-subscription delete --resource-group {group} --system-topic-name {topic} \
             --name {name}"
        );
    }
    let source = id.split("/providers/Microsoft.EventGrid").next().unwrap_or_default();
    format!("az eventgrid event-subscription delete --name {name} --source-resource-id {source}")
}

/// One that others made is used exactly as it is desired, and never changed.
pub(super) fn name_taken(other: &Found, desired: &Delivery) -> Refusal {
    let differing = other.differing(desired);
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

    fn delivery(ttl: i64) -> Delivery {
        Delivery {
            name: "provision-abc".to_owned(),
            queue: Some("acme/events".to_owned()),
            events: [CREATED.to_owned()].into(),
            prefix: Some("/blobServices/default/containers/files/blobs/".to_owned()),
            schema: SCHEMA.to_owned(),
            message_ttl_s: ttl,
            suffix: None,
            filters: None,
            ends: None,
            state: None,
            id: None,
        }
    }

    fn answered() -> Value {
        let mut answered = json!(body(&names(), None, &delivery(-1)));
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
        assert_eq!(found(&answered).delivery, delivery(-1));
        let target = answered.pointer_mut("/properties/destination/properties").unwrap();
        target.as_object_mut().unwrap().remove("queueMessageTimeToLiveInSeconds");
        assert_eq!(found(&answered).delivery, delivery(604_800));
    }

    #[test]
    fn subscription_that_failed_differs() {
        let mut answered = answered();
        answered["properties"]["provisioningState"] = json!("Failed");
        assert_eq!(found(&answered).delivery.state.as_deref(), Some("Failed"));
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
        assert_eq!(id("provision-abc-spare", "theirs"), EntryId::Ours);
        assert_eq!(id("provision-abcd-spare", "theirs"), EntryId::Nobodys);
        // The plan file's own name says nothing about who made it.
        let names = Names { events: "wandb-blobs".to_owned(), ..names() };
        assert_eq!(found(&json!({"name": "wandb-blobs"})).entry_id(&names), EntryId::Nobodys);
    }

    #[test]
    fn subscription_of_the_former_name_is_another_value() {
        let ids = vec!["provision-new".to_owned(), "provision-abc".to_owned()];
        let named = |events: &str| Names { ids: ids.clone(), events: events.to_owned(), ..names() };
        let entry = |names: &Names| found(&answered()).entry(names, Some(&delivery(-1)), &Others::default());
        let names = named("provision-abc");
        assert_eq!((entry(&names).id, &entry(&names).value["id"]), (EntryId::Ours, &json!("provision-abc")));
        assert_eq!(entry(&named("provision-new")).value, json!(delivery(-1)));
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
        let written = json!(body(&names(), Some(&read(&answered)), &delivery(60)));
        let expected = |key: &str| answered["properties"][key].clone();
        for key in ["labels", "retryPolicy", "deadLetterDestination"] {
            assert_eq!(written["properties"][key], expected(key), "{key}");
        }
        assert_eq!(written["properties"]["filter"]["isSubjectCaseSensitive"], true);
        assert_eq!(
            found(&json!({"name": "provision-abc", "properties": written["properties"]})).delivery,
            delivery(60)
        );
        assert!(written["properties"].get("topic").is_none());
    }

    #[test]
    fn identity_of_a_delivery_stays() {
        let mut answered = answered();
        let properties = answered["properties"].as_object_mut().unwrap();
        let destination = properties.remove("destination");
        let with_identity = json!({"identity": {"type": "SystemAssigned"}, "destination": destination});
        properties.insert("deliveryWithResourceIdentity".to_owned(), with_identity);
        assert_eq!(found(&answered).delivery, delivery(-1));
        let written = json!(body(&names(), Some(&read(&answered)), &delivery(60)));
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
            found(&item).entry(&names, Some(&delivery(-1)), &Others::default()).conflict.map(|refusal| refusal.hint)
        };
        assert!(conflict("byhand", "events").unwrap().contains("`name = \"byhand\"` under"));
        assert!(conflict("wandb-blobs", "other").unwrap().contains("queue = \"acme/other\""));
        assert_eq!(conflict("byhand", "other"), None);
    }

    /// Whoever follows the hint would silence that deployment.
    #[test]
    fn subscription_of_another_deployment_is_left_to_it() {
        let hint = |name: &str, labels: Value, others: &Others| {
            let mut item = answered();
            (item["name"], item["properties"]["labels"]) = (json!(name), labels);
            let names = Names { events: "wandb-blobs".to_owned(), ..names() };
            let hint = found(&item).entry(&names, Some(&delivery(-1)), others).conflict.unwrap().hint;
            assert!(hint.starts_with("it is left to ") != hint.contains("delete --name"), "{hint}");
            hint.strip_prefix("it is left to ").and_then(|hint| hint.split(':').next()).map(str::to_owned)
        };
        let (id, nobody) = (id_of("wandb-prod"), Others::default());
        let others = Others { deployments: vec!["else".to_owned(), "wandb-prod".to_owned()], owner: None };
        let owned = Others { owner: Some("wandb-prod".to_owned()), ..Others::default() };
        assert_eq!(hint("byhand", json!([]), &others), None);
        for (name, labels) in [(id.as_str(), json!([])), (&spare_name(&id), json!([])), ("named", json!([id]))] {
            assert_eq!(hint(name, labels.clone(), &others).as_deref(), Some("deployment `wandb-prod`"));
            assert_eq!(hint(name, labels, &nobody).as_deref(), Some("another deployment"));
        }
        assert_eq!(hint("byhand", json!([]), &owned).as_deref(), Some("deployment `wandb-prod`"));
    }

    #[test]
    fn what_is_on_a_system_topic_is_deleted_there() {
        let account = names().account_id();
        let direct = format!("{account}/providers/Microsoft.EventGrid/eventSubscriptions/dup");
        assert_eq!(
            delete_command(&direct, "dup"),
            format!("az eventgrid event-subscription delete --name dup --source-resource-id {account}")
        );
        let topic = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/systemTopics/files";
        assert_eq!(
            delete_command(&format!("{topic}/eventSubscriptions/dup"), "dup"),
            "az eventgrid system-topic event-subscription delete --resource-group g --system-topic-name files --name dup"
        );
    }
}

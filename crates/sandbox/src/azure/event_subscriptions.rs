//! Event subscriptions of an account, and of its system topic
//! <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, json, list, milliseconds};
use crate::azure::late::EVENT_SUBSCRIPTIONS;
use crate::azure::operations::End;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::system_topics::{self, SystemTopic};
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{names, operations, queues, resources};
use crate::state::Transaction;

/// How long it usually takes until a new one delivers, in milliseconds.
const CREATION_MS: u64 = 300;

/// An event subscription.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventSubscription {
    id: String,
    name: String,
    /// The account or system topic.
    topic: String,
    pub(super) properties: Properties,
    ready_ms: u64,
    /// Whether it was there before the last write.
    #[serde(default)]
    updated: bool,
    /// Whether its last write failed, which leaves it at nothing.
    #[serde(default)]
    failed: bool,
}

/// What an event subscription is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    pub(super) destination: Destination,
    #[serde(default)]
    pub(super) filter: Filter,
    labels: Option<Vec<String>>,
    event_delivery_schema: Option<String>,
    retry_policy: Option<RetryPolicy>,
    /// From when on nothing is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration_time_utc: Option<String>,
    /// Kept, and nothing is ever put there: whatever is delivered arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter_destination: Option<Value>,
    /// Who delivers, where it is not Event Grid itself; then the destination is told with it.
    #[serde(default)]
    identity: Option<Value>,
}

/// A delivery for which the subscription has an identity of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityDelivery {
    identity: Value,
    destination: Destination,
}

/// What a client writes: what it leaves out stays as it was.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    destination: Option<Destination>,
    filter: Option<Filter>,
    labels: Option<Vec<String>>,
    event_delivery_schema: Option<String>,
    retry_policy: Option<RetryPolicy>,
    expiration_time_utc: Option<String>,
    dead_letter_destination: Option<Value>,
    delivery_with_resource_identity: Option<IdentityDelivery>,
    dead_letter_with_resource_identity: Option<Value>,
}

/// Where events go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Destination {
    endpoint_type: String,
    pub(super) properties: QueueDestination,
}

/// A storage queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct QueueDestination {
    /// The account.
    pub(super) resource_id: String,
    pub(super) queue_name: String,
    /// Seconds, or -1 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue_message_time_to_live_in_seconds: Option<i64>,
}

/// Which events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Filter {
    subject_begins_with: Option<String>,
    subject_ends_with: Option<String>,
    included_event_types: Option<Vec<String>>,
    is_subject_case_sensitive: Option<bool>,
    enable_advanced_filtering_on_arrays: Option<bool>,
    advanced_filters: Option<Vec<Value>>,
}

impl Filter {
    fn changed(self, change: Self) -> Self {
        Self {
            subject_begins_with: change.subject_begins_with.or(self.subject_begins_with),
            subject_ends_with: change.subject_ends_with.or(self.subject_ends_with),
            included_event_types: change.included_event_types.or(self.included_event_types),
            is_subject_case_sensitive: change.is_subject_case_sensitive.or(self.is_subject_case_sensitive),
            enable_advanced_filtering_on_arrays: change
                .enable_advanced_filtering_on_arrays
                .or(self.enable_advanced_filtering_on_arrays),
            advanced_filters: change.advanced_filters.or(self.advanced_filters),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryPolicy {
    max_delivery_attempts: u32,
    event_time_to_live_in_minutes: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: Change,
}

/// What is delivered where nothing is said.
const DEFAULT_TYPES: [&str; 2] = ["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"];

impl EventSubscription {
    fn state(&self, call: &Call<'_>) -> &'static str {
        match (call.now_ms >= self.ready_ms, self.updated) {
            (true, _) if self.failed => "Failed",
            (true, _) => "Succeeded",
            (false, true) => "Updating",
            (false, false) => "Creating",
        }
    }

    /// As it is answered: with `topic` in lower case, the types of events that are delivered, null for no labels; recorded by
    /// azure-cli's `test_event_subscription_with_storagequeuemessage_ttl.yaml`.
    fn body(&self, call: &Call<'_>) -> Value {
        let mut properties = json!(self.properties);
        let topic = self.topic.replace("Microsoft.Storage/storageAccounts", "microsoft.storage/storageaccounts");
        properties["topic"] = json!(topic);
        properties["provisioningState"] = json!(self.state(call));
        properties["eventDeliverySchema"] =
            json!(self.properties.event_delivery_schema.as_deref().unwrap_or("EventGridSchema"));
        if self.properties.retry_policy.is_none() {
            // <https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-policy>
            properties["retryPolicy"] = json!({ "maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440 });
        }
        if let Some(members) = properties.as_object_mut()
            && let Some(identity) = members.remove("identity").filter(|identity| !identity.is_null())
        {
            let delivery = json!({"identity": identity, "destination": members.remove("destination")});
            members.insert("deliveryWithResourceIdentity".to_owned(), delivery);
        }
        if let Some(filter) = properties["filter"].as_object_mut() {
            filter.retain(|_, value| !value.is_null() && *value != false);
            filter.entry("includedEventTypes").or_insert_with(|| json!(DEFAULT_TYPES));
        }
        let kind = if self.id.to_ascii_lowercase().contains("/systemtopics/") {
            "Microsoft.EventGrid/systemTopics/eventSubscriptions"
        } else {
            "Microsoft.EventGrid/eventSubscriptions"
        };
        json!({ "id": self.id, "name": self.name, "type": kind, "properties": properties })
    }

    /// The same to a read: with empty texts for what was not said.
    fn read(&self, call: &Call<'_>) -> Value {
        let mut body = self.body(call);
        if let Some(filter) = body["properties"]["filter"].as_object_mut() {
            for name in ["subjectBeginsWith", "subjectEndsWith"] {
                filter.entry(name).or_insert_with(|| json!(""));
            }
        }
        body
    }

    /// Whether an event is delivered by it <https://learn.microsoft.com/azure/event-grid/event-filtering>.
    pub(super) fn wants(&self, call: &Call<'_>, kind: &str, subject: &str) -> bool {
        let filter = &self.properties.filter;
        let sensitive = filter.is_subject_case_sensitive == Some(true);
        let cased = |text: &str| if sensitive { text.to_owned() } else { text.to_lowercase() };
        let subject = cased(subject);
        let begins = filter.subject_begins_with.as_deref().is_none_or(|text| subject.starts_with(&cased(text)));
        let ends = filter.subject_ends_with.as_deref().is_none_or(|text| subject.ends_with(&cased(text)));
        let kinds = filter.included_event_types.as_ref();
        let included = kinds.map_or_else(
            || DEFAULT_TYPES.contains(&kind),
            |kinds| kinds.iter().any(|wanted| wanted == kind || wanted == "All"),
        );
        let until = self.properties.expiration_time_utc.as_deref().and_then(milliseconds);
        let at_work = !self.failed && call.now_ms >= self.ready_ms && until.is_none_or(|until| call.now_ms < until);
        at_work && begins && ends && included
    }
}

/// The event subscriptions of an account and of its system topic.
pub(super) fn of_account(state: &Transaction<'_>, account: &Account) -> Result<Vec<EventSubscription>, Error> {
    let mut found: Vec<EventSubscription> = resources::list(state, &of_scope(&account.id))?;
    let subscription = account.id.split('/').nth(2).unwrap_or_default();
    if let Some(topic) = system_topics::with_source(state, subscription, &account.id)? {
        found.extend(resources::list::<EventSubscription>(state, &format!("{}/eventSubscriptions", topic.id))?);
    }
    Ok(found)
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => {
            let found: Vec<EventSubscription> = resources::list(state, &target.id)?;
            let found = found.iter().map(|subscription| (subscription.id.clone(), subscription.read(call)));
            let shown = EVENT_SUBSCRIPTIONS.shown(state, call, &target.id, found)?;
            list(shown.into_iter().map(|(_, shown)| shown).collect())
        }
        (&Method::GET, Shape::Resource) => match resources::get::<EventSubscription>(state, &target.id)? {
            Some(found) => Ok(json(200, &found.read(call))),
            None => {
                let gone = EVENT_SUBSCRIPTIONS.one(state, call, &target.id)?;
                gone.map(|gone| json(200, &gone)).ok_or_else(|| resources::not_found(&target.id))
            }
        },
        (&Method::PUT, Shape::Resource) => {
            names::event_subscription(target.name(target.names.len() - 1))?;
            let wanted: Wanted = call.document()?;
            put(state, call, target, wanted.properties)
        }
        (&Method::PATCH, Shape::Resource) => {
            if resources::get::<EventSubscription>(state, &target.id)?.is_none() {
                return Err(resources::not_found(&target.id));
            }
            put(state, call, target, call.document()?)
        }
        (&Method::DELETE, Shape::Resource) => delete(state, call, target),
        _ => Err(not_served(call, target)),
    }
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target, change: Change) -> Served {
    let account = account(state, target)?;
    served(&change)?;
    let found: Option<EventSubscription> = resources::get(state, &target.id)?;
    // One that failed stays failed until it is made anew (<https://github.com/Azure/azure-sdk-for-net/issues/51014>).
    let (updated, failed) = (found.is_some(), found.as_ref().is_some_and(|found| found.failed));
    let properties = changed(found.map(|found| found.properties), change)?;
    values(&properties)?;
    let missing = missing(state, &properties.destination.properties)?;
    let wrong = missing.or_else(|| failed.then(|| "The event subscription is in a failed state.".to_owned()));
    let name = target.name(target.names.len() - 1).to_owned();
    let ready_ms = call.now_ms + call.delay_ms("eventSubscriptions", CREATION_MS);
    let (id, topic, failed) = (target.id.clone(), account.id.clone(), wrong.is_some());
    let subscription = EventSubscription { id, name, topic, properties, ready_ms, updated, failed };
    resources::put(state, &target.id, &subscription)?;
    if target.kind == Kind::EventSubscriptions {
        system_topics::open(state, &account)?;
    }
    let answer = json(201, &subscription.body(call));
    let end = wrong.map_or(End::Succeeds, |message| End::Fails("Endpoint validation", message));
    operations::following(state, call, &target.subscription, ready_ms, answer, end)
}

/// It is there with a state of its own until it is gone.
fn delete(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Some(found) = resources::get::<EventSubscription>(state, &target.id)? else { return Ok(empty(204)) };
    let mut shown = found.read(call);
    shown["properties"]["provisioningState"] = json!("Deleting");
    resources::delete(state, &target.id);
    let ready_ms = EVENT_SUBSCRIPTIONS.note(state, call, &target.id, shown)?;
    let account: Option<Account> = resources::get(state, &found.topic)?;
    if let Some(account) = account.filter(|account| resources::under(state, &of_scope(&account.id)).is_empty()) {
        system_topics::close(state, call, &account)?;
    }
    operations::event_deletion(state, call, &target.subscription, ready_ms)
}

/// The account whose events are meant, by itself or by its system topic; only some kinds of accounts have any.
fn account(state: &Transaction<'_>, target: &Target) -> Result<Account, Refusal> {
    let id = if target.kind == Kind::SystemTopicEventSubscriptions {
        let id = target.id.rsplitn(3, '/').nth(2).unwrap_or_default();
        let topic: Option<SystemTopic> = resources::get(state, id)?;
        topic.map(|topic| topic.source).ok_or_else(|| resources::not_found(id))?
    } else if target.scope.to_ascii_lowercase().contains("/storageaccounts/") {
        target.scope.clone()
    } else {
        return Err(Refusal::not_served("event subscriptions of anything but an account"));
    };
    let account: Option<Account> = resources::get(state, &id)?;
    let Some(account) = account else { return Err(resources::not_found(&id)) };
    if !account.has_events() {
        let message = format!(
            "The attempt to configure storage notifications for the provided storage account {} failed. Please ensure that \
             your storage account meets the requirements described at https://aka.ms/storageevents.",
            account.name
        );
        return Err(Refusal::bad_request("InvalidRequest", message));
    }
    Ok(account)
}

fn served(properties: &Change) -> Result<(), Refusal> {
    let by_identity = properties.delivery_with_resource_identity.clone();
    let destinations = [&properties.destination, &by_identity.map(|delivery| delivery.destination)];
    let elsewhere = destinations.into_iter().flatten().find(|destination| destination.endpoint_type != "StorageQueue");
    let filters = properties.filter.as_ref().and_then(|filter| filter.advanced_filters.as_ref());
    let what = if let Some(destination) = elsewhere {
        format!("the destination {}", destination.endpoint_type)
    } else if properties.event_delivery_schema.as_deref().is_some_and(|schema| schema != "EventGridSchema") {
        "other schemas than EventGridSchema".to_owned()
    } else if filters.is_some_and(|filters| !filters.is_empty()) {
        "advanced filters".to_owned()
    } else if properties.dead_letter_with_resource_identity.is_some() {
        "dead letters with an identity".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::not_served(&what))
}

/// 1-30 attempts in 1-1440 minutes <https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-policy>; a
/// message lives for some seconds, or for ever with -1
/// <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>.
fn values(properties: &Properties) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::bad_request("InvalidRequest", message));
    let retries = properties.retry_policy.as_ref();
    if retries.is_some_and(|policy| !(1..=30).contains(&policy.max_delivery_attempts)) {
        return invalid("maxDeliveryAttempts must be between 1 and 30.");
    }
    if retries.is_some_and(|policy| !(1..=1_440).contains(&policy.event_time_to_live_in_minutes)) {
        return invalid("eventTimeToLiveInMinutes must be between 1 and 1440.");
    }
    let lives = properties.destination.properties.queue_message_time_to_live_in_seconds;
    if lives.is_some_and(|seconds| seconds < 1 && seconds != -1) {
        return invalid("queueMessageTimeToLiveInSeconds must be positive, or -1.");
    }
    Ok(())
}

/// What is said where the queue is not there, once it was accepted
/// <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>.
fn missing(state: &Transaction<'_>, destination: &QueueDestination) -> Result<Option<String>, Error> {
    let QueueDestination { resource_id, queue_name, .. } = destination;
    let account: Option<Account> = resources::get(state, resource_id)?;
    let there = match &account {
        Some(account) => queues::get(state, account, queue_name)?.is_some(),
        None => false,
    };
    let message = || {
        format!(
            "Destination endpoint not found. Resource details: resourceId: {resource_id}/queueservices/default/queues/\
             {queue_name}. Resource should pre-exist before attempting this operation."
        )
    };
    Ok((!there).then(message))
}

/// What a write leaves out is kept.
fn changed(found: Option<Properties>, change: Change) -> Result<Properties, Refusal> {
    let (by_identity, direct) = (change.delivery_with_resource_identity, change.destination);
    let given = by_identity.map(|delivery| (delivery.destination, Some(delivery.identity)));
    let given = given.or(direct.map(|destination| (destination, None)));
    let before = found.as_ref().map(|found| (found.destination.clone(), found.identity.clone()));
    let Some((destination, identity)) = given.or(before) else {
        return Err(Refusal::bad_request("InvalidRequest", "The destination of an event subscription must be given."));
    };
    let ends = change.expiration_time_utc;
    if let Some(wrong) = ends.as_deref().filter(|moment| milliseconds(moment).is_none()) {
        return Err(Refusal::bad_request("InvalidRequest", format!("expirationTimeUtc '{wrong}' is no moment.")));
    }
    let kept = found.as_ref();
    let filter = kept.map(|kept| kept.filter.clone()).unwrap_or_default();
    Ok(Properties {
        destination,
        identity,
        filter: filter.changed(change.filter.unwrap_or_default()),
        labels: change.labels.or_else(|| kept?.labels.clone()),
        event_delivery_schema: change.event_delivery_schema.or_else(|| kept?.event_delivery_schema.clone()),
        retry_policy: change.retry_policy.or_else(|| kept?.retry_policy.clone()),
        expiration_time_utc: ends.or_else(|| kept?.expiration_time_utc.clone()),
        dead_letter_destination: change.dead_letter_destination.or_else(|| kept?.dead_letter_destination.clone()),
    })
}

fn of_scope(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.EventGrid/eventSubscriptions")
}

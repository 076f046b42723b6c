//! Event subscriptions of an account, and of its system topic
//! <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, json, list};
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
}

/// What a client writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Properties {
    pub(super) destination: Destination,
    #[serde(default)]
    pub(super) filter: Filter,
    labels: Option<Vec<String>>,
    event_delivery_schema: Option<String>,
    retry_policy: Option<RetryPolicy>,
    expiration_time_utc: Option<Value>,
    dead_letter_destination: Option<Value>,
    delivery_with_resource_identity: Option<Value>,
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

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryPolicy {
    max_delivery_attempts: u32,
    event_time_to_live_in_minutes: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: Properties,
}

/// A change to some properties.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    destination: Option<Destination>,
    filter: Option<Filter>,
    labels: Option<Vec<String>>,
    event_delivery_schema: Option<String>,
    retry_policy: Option<RetryPolicy>,
}

impl EventSubscription {
    fn body(&self, call: &Call<'_>) -> Value {
        let mut properties = json!(self.properties);
        properties["topic"] = json!(self.topic);
        let ready = call.now_ms >= self.ready_ms;
        properties["provisioningState"] = json!(if ready { "Succeeded" } else { "Creating" });
        properties["eventDeliverySchema"] =
            json!(self.properties.event_delivery_schema.as_deref().unwrap_or("EventGridSchema"));
        if self.properties.retry_policy.is_none() {
            // <https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-policy>
            properties["retryPolicy"] = json!({ "maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440 });
        }
        if let Some(found) = properties.as_object_mut() {
            found.retain(|_, value| !value.is_null());
        }
        let kind = if self.id.to_ascii_lowercase().contains("/systemtopics/") {
            "Microsoft.EventGrid/systemTopics/eventSubscriptions"
        } else {
            "Microsoft.EventGrid/eventSubscriptions"
        };
        json!({ "id": self.id, "name": self.name, "type": kind, "properties": properties })
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
        let included = kinds.is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind || wanted == "All"));
        call.now_ms >= self.ready_ms && begins && ends && included
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
            list(found.iter().map(|subscription| subscription.body(call)).collect())
        }
        (&Method::GET, Shape::Resource) => Ok(json(200, &existing(state, target)?.body(call))),
        (&Method::PUT, Shape::Resource) => {
            names::event_subscription(target.name(target.names.len() - 1))?;
            let wanted: Wanted = call.document()?;
            put(state, call, target, wanted.properties)
        }
        (&Method::PATCH, Shape::Resource) => {
            let properties = changed(existing(state, target)?.properties, call.document()?);
            put(state, call, target, properties)
        }
        (&Method::DELETE, Shape::Resource) => {
            if !resources::delete(state, &target.id) {
                return Ok(empty(204));
            }
            operations::deletion(state, call, &target.subscription, call.now_ms)
        }
        _ => Err(not_served(call, target)),
    }
}

fn existing(state: &Transaction<'_>, target: &Target) -> Result<EventSubscription, Refusal> {
    resources::get(state, &target.id)?.ok_or_else(|| resources::not_found(&target.id))
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target, properties: Properties) -> Served {
    let topic = topic(state, target)?;
    served(&properties)?;
    values(&properties)?;
    reachable(state, &properties.destination.properties)?;
    let name = target.name(target.names.len() - 1).to_owned();
    let ready_ms = call.now_ms + call.delay_ms("eventSubscriptions", CREATION_MS);
    let subscription = EventSubscription { id: target.id.clone(), name, topic, properties, ready_ms };
    resources::put(state, &target.id, &subscription)?;
    let answer = json(201, &subscription.body(call));
    operations::following(state, call, &target.subscription, ready_ms, answer)
}

/// The account or system topic whose events are meant; only some kinds of accounts have any.
fn topic(state: &Transaction<'_>, target: &Target) -> Result<String, Refusal> {
    if target.kind == Kind::SystemTopicEventSubscriptions {
        let id = target.id.rsplitn(3, '/').nth(2).unwrap_or_default();
        let topic: Option<SystemTopic> = resources::get(state, id)?;
        return topic.map(|topic| topic.source).ok_or_else(|| resources::not_found(id));
    }
    let account: Option<Account> = if target.scope.to_ascii_lowercase().contains("/storageaccounts/") {
        resources::get(state, &target.scope)?
    } else {
        return Err(Refusal::not_served("event subscriptions of anything but an account"));
    };
    let Some(account) = account else { return Err(resources::not_found(&target.scope)) };
    if !account.has_events() {
        let message = format!(
            "The attempt to configure storage notifications for the provided storage account {} failed. Please ensure that \
             your storage account meets the requirements described at https://aka.ms/storageevents.",
            account.name
        );
        return Err(Refusal::bad_request("InvalidRequest", message));
    }
    Ok(account.id)
}

fn served(properties: &Properties) -> Result<(), Refusal> {
    let what = if properties.destination.endpoint_type != "StorageQueue" {
        format!("the destination {}", properties.destination.endpoint_type)
    } else if properties.event_delivery_schema.as_deref().is_some_and(|schema| schema != "EventGridSchema") {
        "other schemas than EventGridSchema".to_owned()
    } else if properties.filter.advanced_filters.as_ref().is_some_and(|filters| !filters.is_empty()) {
        "advanced filters".to_owned()
    } else if properties.dead_letter_destination.is_some() || properties.dead_letter_with_resource_identity.is_some() {
        "dead letters".to_owned()
    } else if properties.delivery_with_resource_identity.is_some() {
        "delivery with an identity".to_owned()
    } else if properties.expiration_time_utc.is_some() {
        "event subscriptions that expire".to_owned()
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

/// The queue must be there <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>.
fn reachable(state: &Transaction<'_>, destination: &QueueDestination) -> Result<(), Refusal> {
    let QueueDestination { resource_id, queue_name, .. } = destination;
    let account: Option<Account> = resources::get(state, resource_id)?;
    let there = match &account {
        Some(account) => queues::get(state, account, queue_name)?.is_some(),
        None => false,
    };
    if there {
        return Ok(());
    }
    let message = format!("The destination queue '{queue_name}' was not found in the storage account '{resource_id}'.");
    Err(Refusal::bad_request("InvalidRequest", message))
}

fn changed(mut properties: Properties, change: Change) -> Properties {
    properties.destination = change.destination.unwrap_or(properties.destination);
    properties.filter = change.filter.unwrap_or(properties.filter);
    properties.labels = change.labels.or(properties.labels);
    properties.event_delivery_schema = change.event_delivery_schema.or(properties.event_delivery_schema);
    properties.retry_policy = change.retry_policy.or(properties.retry_policy);
    properties
}

fn of_scope(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.EventGrid/eventSubscriptions")
}

//! Notification configurations, and the messages they send
//! <https://cloud.google.com/storage/docs/pubsub-notifications>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bucket::{self, Bucket};
use super::object::{self, Object};
use crate::google::call::Call;
use crate::google::project::{self, timestamp};
use crate::google::pubsub::{message, topic};
use crate::google::refusal::Refusal;
use crate::state::Transaction;

const SERVICE: &str = "//pubsub.googleapis.com/";

const EVENTS: [&str; 4] = ["OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"];

/// Configurations of one bucket, and those of it for one event
/// <https://cloud.google.com/storage/quotas#pubsub-notifications>.
const MOST: (usize, usize) = (100, 10);

/// A configuration. It cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::google) struct Notification {
    #[serde(default)]
    id: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    payload_format: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_types: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    object_name_prefix: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    custom_attributes: BTreeMap<String, String>,
    #[serde(default)]
    etag: String,
    #[serde(default)]
    kind: String,
    #[serde(default, rename = "selfLink")]
    self_link: String,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    /// `OBJECT_FINALIZE`.
    pub name: &'a str,
    /// A generation that took its place, or whose place it took, and the attribute that says so.
    pub other: Option<(&'a str, u64)>,
    /// The request that did it.
    pub call: &'a Call<'a>,
}

impl Notification {
    /// `projects/<project>/topics/<topic>`. The service takes it as it is too, as gcloud sends it, and answers it with
    /// `//pubsub.googleapis.com/` before it.
    fn topic(&self) -> Result<&str, Refusal> {
        let named = self.topic.strip_prefix(SERVICE).or(Some(&self.topic));
        let named =
            named.filter(|name| matches!(name.split('/').collect::<Vec<_>>().as_slice(), ["projects", _, "topics", _]));
        named.ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid Google Cloud Pub/Sub topic. It should look like '//pubsub.googleapis.com/projects/*/topics/*'; this \
                 is '{}'.",
                self.topic
            ))
        })
    }

    fn is_for(&self, event: &str) -> bool {
        self.event_types.is_empty() || self.event_types.iter().any(|listed| listed == event)
    }

    /// Fields have their forms <https://cloud.google.com/storage/docs/json_api/v1/notifications#resource>.
    fn check(&self) -> Result<(), Refusal> {
        self.topic()?;
        if !["JSON_API_V1", "NONE"].contains(&self.payload_format.as_str()) {
            return Err(Refusal::invalid(format!("Invalid payload format: '{}'", self.payload_format)));
        }
        if let Some(event) = self.event_types.iter().find(|event| !EVENTS.contains(&event.as_str())) {
            return Err(Refusal::invalid(format!("Invalid event type: '{event}'")));
        }
        let long = |(key, value): (&String, &String)| key.len() > 256 || value.len() > 1024;
        if self.custom_attributes.len() > 5 || self.custom_attributes.iter().any(long) {
            return Err(Refusal::invalid("At most 5 custom attributes, with keys of 256 and values of 1024 bytes."));
        }
        Ok(())
    }
}

/// Requests for configurations.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let bucket = bucket::get(state, call.name(0))?;
    match call.verb() {
        "notificationConfigs.insert" => Ok(json!(insert(state, call, bucket)?)),
        "notificationConfigs.list" => {
            let items = list(state, &bucket.name)?;
            let listed = json!({ "kind": "storage#notifications" });
            Ok(if items.is_empty() { listed } else { json!({ "kind": "storage#notifications", "items": items }) })
        }
        "notificationConfigs.get" => Ok(json!(get(state, &bucket.name, call.name(1))?)),
        _ => delete(state, call, bucket),
    }
}

fn prefix(bucket: &str) -> String {
    format!("google/notification/{bucket}/")
}

fn key(bucket: &str, id: u64) -> String {
    format!("{}{id:020}", prefix(bucket))
}

fn list(state: &Transaction<'_>, bucket: &str) -> Result<Vec<Notification>, Refusal> {
    Ok(state.scan(&prefix(bucket))?.into_iter().map(|(_, notification)| notification).collect())
}

fn get(state: &Transaction<'_>, bucket: &str, id: &str) -> Result<Notification, Refusal> {
    let number = id.parse().ok();
    let found = number.map(|number| state.get(&key(bucket, number))).transpose()?.flatten();
    found.ok_or_else(|| Refusal::not_found(format!("Notification configuration {id} was not found.")))
}

/// Add a configuration <https://cloud.google.com/storage/docs/json_api/v1/notifications/insert>.
///
/// - Cloud Storage must be allowed to publish to the topic, as it sees the topic's policy: `pubsub.iam` delays that
///   <https://cloud.google.com/iam/docs/access-change-propagation>.
/// - The same configuration can be there twice, and then sends each message twice.
/// - It moves the bucket's metageneration.
fn insert(state: &mut Transaction<'_>, call: &Call<'_>, mut bucket: Bucket) -> Result<Notification, Refusal> {
    let mut notification: Notification = call.json()?;
    notification.check()?;
    check_limits(&list(state, &bucket.name)?, &notification)?;
    let topic = notification.topic()?;
    if !may_publish(state, bucket.project, topic, call.now_ms)? {
        return Err(unpublishable(topic::find(state, topic)?.is_some(), bucket.project, topic));
    }
    let id = state.next_number(&format!("google/counter/notification/{}", bucket.name))?;
    notification.topic = format!("{SERVICE}{}", notification.topic()?);
    notification.id = id.to_string();
    notification.etag = id.to_string();
    "storage#notification".clone_into(&mut notification.kind);
    notification.self_link = format!("{}/storage/v1/b/{}/notificationConfigs/{id}", call.address, bucket.name);
    state.put(&key(&bucket.name, id), &notification)?;
    bucket::touch(state, &mut bucket, call.now_ms)?;
    Ok(notification)
}

/// The two texts that were recorded (<https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/433>,
/// <https://github.com/googleapis/nodejs-storage/issues/1402>).
fn unpublishable(there: bool, project: u64, topic: &str) -> Refusal {
    let agent = project::storage_agent(project);
    match there {
        true => Refusal::denied(format!(
            "The service account '{agent}' does not have permission to publish messages to to the Cloud Pub/Sub topic \
             '{SERVICE}{topic}', or that topic does not exist."
        )),
        false => Refusal::invalid(format!(
            "Cloud Pub/Sub topic '{SERVICE}{topic}' not found, or user '{agent}' does not have permission to it."
        )),
    }
}

fn check_limits(present: &[Notification], new: &Notification) -> Result<(), Refusal> {
    if present.len() >= MOST.0 {
        return Err(Refusal::invalid(format!("A bucket can have at most {} notification configurations.", MOST.0)));
    }
    let full = |event: &&&str| {
        new.is_for(event) && present.iter().filter(|notification| notification.is_for(event)).count() >= MOST.1
    };
    match EVENTS.iter().find(full) {
        Some(event) => Err(Refusal::invalid(format!(
            "A bucket can have at most {} notification configurations for the event {event}.",
            MOST.1
        ))),
        None => Ok(()),
    }
}

/// Whether a project's service agent of Cloud Storage can publish to a topic
/// <https://cloud.google.com/storage/docs/reporting-changes#required-roles>.
fn may_publish(state: &Transaction<'_>, project: u64, topic: &str, now_ms: u64) -> Result<bool, Refusal> {
    const ROLES: [&str; 5] =
        ["roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin", "roles/editor", "roles/owner"];
    let agent = format!("serviceAccount:{}", project::storage_agent(project));
    Ok(topic::find(state, topic)?.is_some_and(|topic| topic.policy.grants(&ROLES, &agent, now_ms)))
}

fn delete(state: &mut Transaction<'_>, call: &Call<'_>, mut bucket: Bucket) -> Result<Value, Refusal> {
    let notification = get(state, &bucket.name, call.name(1))?;
    state.delete(&key(&bucket.name, notification.id.parse().unwrap_or_default()));
    bucket::touch(state, &mut bucket, call.now_ms)?;
    Ok(Value::Null)
}

/// Remove what a deleted bucket had.
pub(super) fn delete_all(state: &mut Transaction<'_>, bucket: &str) {
    let prefix = prefix(bucket);
    let keys: Vec<_> = state.keys(&prefix, None).map(str::to_owned).collect();
    keys.iter().for_each(|key| {
        state.delete(key);
    });
}

/// Publish what happened to an object, once for each configuration that asks for it; `storage.events` delays the message.
///
/// A topic that is gone, to which Cloud Storage can no longer publish, or which does not pass on what is no message of its own
/// schema, gets nothing, and nobody is told.
pub(super) fn publish(
    state: &mut Transaction<'_>,
    bucket: &Bucket,
    object: &Object,
    event: Event<'_>,
) -> Result<(), Refusal> {
    let wants = |notification: &Notification| {
        notification.is_for(event.name) && object.name.starts_with(&notification.object_name_prefix)
    };
    for notification in list(state, &bucket.name)?.into_iter().filter(wants) {
        let topic = notification.topic()?;
        let passes = topic::find(state, topic)?.is_some_and(|topic| topic.passes_on());
        if passes && may_publish(state, bucket.project, topic, event.call.now_ms)? {
            let data = if notification.payload_format == "NONE" { Vec::new() } else { payload(object, event.call) };
            let published_ms = event.call.now_ms + event.call.delay("storage.events");
            message::publish(state, topic, data, attributes(&notification, bucket, object, event), published_ms)?;
        }
    }
    Ok(())
}

/// The object as the JSON API describes it <https://cloud.google.com/storage/docs/pubsub-notifications#payload>.
fn payload(object: &Object, call: &Call<'_>) -> Vec<u8> {
    object::described(object, &call.address).to_string().into_bytes()
}

/// <https://cloud.google.com/storage/docs/pubsub-notifications#attributes>
fn attributes(
    notification: &Notification,
    bucket: &Bucket,
    object: &Object,
    event: Event<'_>,
) -> BTreeMap<String, String> {
    let config = format!("projects/_/buckets/{}/notificationConfigs/{}", bucket.name, notification.id);
    let own = [
        ("notificationConfig", config),
        ("eventType", event.name.to_owned()),
        ("payloadFormat", notification.payload_format.clone()),
        ("bucketId", bucket.name.clone()),
        ("objectId", object.name.clone()),
        ("objectGeneration", object.generation.to_string()),
        ("eventTime", timestamp(event.call.now_ms)),
    ];
    let mut attributes = notification.custom_attributes.clone();
    attributes.extend(own.map(|(name, value)| (name.to_owned(), value)));
    attributes.extend(event.other.map(|(name, generation)| (name.to_owned(), generation.to_string())));
    attributes
}

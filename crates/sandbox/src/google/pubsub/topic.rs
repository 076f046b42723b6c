//! Topics <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{delete_listed, exists, listed_under, mask_paths, missing, seconds, subscription};
use crate::google::call::{self, Call};
use crate::google::iam::{policy_to_set, requested_version};
use crate::google::names::{self, Labels};
use crate::google::policy::Stored;
use crate::google::project;
use crate::google::refusal::Refusal;
use crate::propagation::Propagating;
use crate::state::Transaction;

const PAGE: usize = 1000;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::google) struct Topic {
    pub name: String,
    labels: Propagating<Labels>,
    kms_key: String,
    retention_s: Option<u64>,
    /// Where messages may be kept, as it was written <https://cloud.google.com/pubsub/docs/resource-location-restriction>.
    #[serde(default)]
    storage: Value,
    /// The schema that messages must fit, as it was written. There are none here, so that every name is taken for one that is
    /// there, and no message fits <https://cloud.google.com/pubsub/docs/schemas>.
    #[serde(default)]
    schema: Value,
    /// Functions that change or drop messages, as they were written. They are not run: no message gets past one that is not
    /// disabled <https://cloud.google.com/pubsub/docs/smts/smts-overview>.
    #[serde(default)]
    transforms: Vec<Value>,
    /// From when on it is shown.
    #[serde(default)]
    shown_from_ms: u64,
    pub policy: Stored,
}

/// A topic as a request writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Body {
    name: Option<String>,
    labels: Labels,
    kms_key_name: String,
    message_retention_duration: Option<String>,
    /// Only the service sets it.
    #[serde(rename = "state")]
    _state: Option<Value>,
    message_storage_policy: Value,
    schema_settings: Value,
    message_transforms: Vec<Value>,
    // What the sandbox does not serve, by name.
    ingestion_data_source_settings: Option<Value>,
    tags: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    topic: Body,
    #[serde(default)]
    update_mask: String,
}

impl Body {
    fn check(&self) -> Result<(), Refusal> {
        let fields = [("ingestionDataSourceSettings", &self.ingestion_data_source_settings), ("tags", &self.tags)];
        if let Some((field, _)) = fields.iter().find(|(_, value)| value.is_some()) {
            return Err(Refusal::unserved(format!("the field `{field}` of a topic")));
        }
        let schema = self.schema_settings["schema"].as_str().unwrap_or_default();
        let named = matches!(schema.split('/').collect::<Vec<_>>().as_slice(), ["projects", _, "schemas", _]);
        if !self.schema_settings.is_null() && !named && schema != DELETED_SCHEMA {
            return Err(Refusal::invalid(format!("Invalid schema name: '{schema}'")));
        }
        names::check_labels(&self.labels)
    }

    /// 10 minutes to 31 days <https://cloud.google.com/pubsub/docs/topic-properties#message_retention>.
    fn retention_s(&self) -> Result<Option<u64>, Refusal> {
        let retention_s = self.message_retention_duration.as_deref().map(seconds).transpose()?;
        match retention_s {
            Some(given) if !(600..=31 * 86_400).contains(&given) => Err(Refusal::invalid(format!(
                "Invalid message retention duration: {given} s; it is 10 minutes to 31 days."
            ))),
            _ => Ok(retention_s),
        }
    }
}

/// What the service shows where the schema was deleted
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics#SchemaSettings>.
const DELETED_SCHEMA: &str = "_deleted-schema_";

impl Topic {
    /// Whether what is published comes through as it is.
    pub(in crate::google) fn passes_on(&self) -> bool {
        self.schema.is_null() && self.transforms.iter().all(|transform| transform["disabled"] == true)
    }
}

/// Requests for topics.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.verb() {
        "CreateTopic" => create(state, call),
        "GetTopic" => {
            call.takes(&[])?;
            Ok(described(&get(state, call, &name(call))?))
        }
        "UpdateTopic" => update(state, call),
        "DeleteTopic" => delete(state, call),
        "ListTopics" => list(state, call),
        _ => list_subscriptions(state, call),
    }
}

/// Requests for a topic's policy. `pubsub.iam` delays what Cloud Storage sees of it.
pub(super) fn policy(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut topic = get(state, call, &name(call))?;
    match call.verb() {
        "GetIamPolicy" => {
            call.takes(&["options.requestedPolicyVersion"])?;
            Ok(json!(topic.policy.read(requested_version(call)?)?))
        }
        "SetIamPolicy" => {
            let delay_ms = call.delay("pubsub.iam");
            topic.policy.write(state, policy_to_set(call)?, call.now_ms, delay_ms)?;
            state.put(&key(&topic.name), &topic)?;
            Ok(json!(topic.policy.read(3)?))
        }
        _ => project::permissions(state, call, |_| true),
    }
}

/// `projects/<project>/topics/<topic>`.
fn name(call: &Call<'_>) -> String {
    format!("projects/{}/topics/{}", call.name(0), call.name(1))
}

fn key(name: &str) -> String {
    format!("google/topic/{name}")
}

/// The name in a body, if there is one, is that of the path.
pub(super) fn check_name(given: Option<&str>, name: &str) -> Result<(), Refusal> {
    match given.filter(|given| !given.is_empty() && *given != name) {
        Some(given) => Err(Refusal::invalid(format!("The name in the request, '{given}', is not '{name}'."))),
        None => Ok(()),
    }
}

/// A topic by its full name, shown or not.
pub(in crate::google) fn find(state: &Transaction<'_>, name: &str) -> Result<Option<Topic>, Refusal> {
    Ok(state.get(&key(name))?)
}

/// A topic that is shown. `pubsub.topics` delays a new one.
pub(super) fn get(state: &Transaction<'_>, call: &Call<'_>, name: &str) -> Result<Topic, Refusal> {
    let found = find(state, name)?.filter(|topic| topic.shown_from_ms <= call.now_ms);
    found.ok_or_else(|| missing(name.rsplit('/').next().unwrap_or(name)))
}

fn create(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let (name, body) = (name(call), call.json::<Body>()?);
    body.check()?;
    names::check_pubsub("topics", call.name(1))?;
    check_name(body.name.as_deref(), &name)?;
    if state.has(&key(&name)) {
        return Err(exists(call.name(1)));
    }
    let retention_s = body.retention_s()?;
    let labels = Propagating::new(body.labels);
    let topic = Topic {
        name,
        labels,
        kms_key: body.kms_key_name,
        retention_s,
        storage: body.message_storage_policy,
        schema: body.schema_settings,
        transforms: body.message_transforms,
        shown_from_ms: call.now_ms + call.delay("pubsub.topics"),
        policy: Stored::new(Vec::new()),
    };
    state.put(&key(&topic.name), &topic)?;
    Ok(described(&topic))
}

/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/patch>
fn update(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let mut topic = get(state, call, &name(call))?;
    let Update { topic: body, update_mask } = call.json()?;
    body.check()?;
    check_name(body.name.as_deref(), &topic.name)?;
    for path in mask_paths(&update_mask)? {
        match path.as_str() {
            "labels" => topic.labels.write(body.labels.clone(), call.now_ms, call.delay("pubsub.labels")),
            "message_retention_duration" => topic.retention_s = body.retention_s()?,
            "message_storage_policy" => topic.storage = body.message_storage_policy.clone(),
            "schema_settings" => topic.schema = body.schema_settings.clone(),
            "message_transforms" => topic.transforms.clone_from(&body.message_transforms),
            _ => {
                return Err(Refusal::invalid(format!(
                    "Invalid update_mask provided in the UpdateTopicRequest: '{path}' is not a known Topic field."
                )));
            }
        }
    }
    state.put(&key(&topic.name), &topic)?;
    Ok(described(&topic))
}

/// Its subscriptions stay, with what they hold, and name `_deleted-topic_`
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete>.
fn delete(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let topic = get(state, call, &name(call))?;
    subscription::orphan(state, &topic.name)?;
    delete_listed(state, call, &key(&topic.name), &topic)?;
    Ok(json!({}))
}

fn list(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["pageSize", "pageToken"])?;
    let topics = listed_under::<Topic>(state, call, &key(&format!("projects/{}/topics/", call.name(0))))?;
    let (topics, next) = call::page(topics, call.parameter("pageToken").unwrap_or_default(), page_size(call)?);
    let topics: Vec<_> = topics.into_iter().map(|topic| described(&as_others_see(topic, call.now_ms))).collect();
    Ok(listed("topics", topics, next))
}

fn list_subscriptions(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["pageSize", "pageToken"])?;
    let topic = get(state, call, &name(call))?;
    let names = subscription::of_topic(state, &topic.name)?.into_iter().map(|name| (name.clone(), json!(name)));
    let token = call.parameter("pageToken").unwrap_or_default();
    let (names, next) = call::page(names.collect(), token, page_size(call)?);
    Ok(listed("subscriptions", names, next))
}

/// How much a page holds.
pub(super) fn page_size(call: &Call<'_>) -> Result<usize, Refusal> {
    Ok(call.number("pageSize")?.filter(|size| *size > 0).unwrap_or(PAGE).min(PAGE))
}

/// A page of a list. What is empty is absent.
pub(super) fn listed(field: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut page = json!({});
    if !items.is_empty() {
        page[field] = json!(items);
    }
    if let Some(next) = next {
        page["nextPageToken"] = json!(next);
    }
    page
}

fn as_others_see(topic: Topic, now_ms: u64) -> Topic {
    Topic { labels: Propagating::new(topic.labels.seen(now_ms).clone()), ..topic }
}

fn described(topic: &Topic) -> Value {
    let mut described = json!({ "name": topic.name });
    if !topic.labels.written().is_empty() {
        described["labels"] = json!(topic.labels.written());
    }
    if !topic.kms_key.is_empty() {
        described["kmsKeyName"] = json!(topic.kms_key);
    }
    if !topic.storage.is_null() {
        described["messageStoragePolicy"] = topic.storage.clone();
    }
    if !topic.schema.is_null() {
        described["schemaSettings"] = topic.schema.clone();
    }
    if !topic.transforms.is_empty() {
        described["messageTransforms"] = json!(topic.transforms);
    }
    if let Some(retention_s) = topic.retention_s {
        described["messageRetentionDuration"] = json!(format!("{retention_s}s"));
    }
    described
}

/// Put another member in the place of one, in every topic's policy.
pub(in crate::google) fn rename_member(state: &mut Transaction<'_>, member: &str, other: &str) -> Result<(), Refusal> {
    for (_, mut topic) in state.scan::<Topic>(&key(""))? {
        if topic.policy.rename(member, other) {
            state.put(&key(&topic.name), &topic)?;
        }
    }
    Ok(())
}

//! Subscriptions <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::delivery::Delivery;
use super::topic::{check_name, listed, page_size};
use super::{DELETED_TOPIC, delete_listed, exists, listed_under, mask_paths, message, missing, seconds, topic};
use crate::google::call::{self, Call};
use crate::google::iam::{policy_to_set, requested_version};
use crate::google::names::{self, Labels};
use crate::google::policy::Stored;
use crate::google::project;
use crate::google::refusal::Refusal;
use crate::propagation::Propagating;
use crate::state::Transaction;

const DAY_S: u64 = 86_400;

/// A subscription that nobody uses is deleted after 31 days where nothing else is asked for
/// <https://cloud.google.com/pubsub/docs/subscription-properties#expiration_period>.
const EXPIRATION_S: u64 = 31 * DAY_S;

/// Messages are kept for 7 days where nothing else is asked for
/// <https://cloud.google.com/pubsub/docs/subscription-properties#message_retention_duration>.
const RETENTION_S: u64 = 7 * DAY_S;

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::google) struct Subscription {
    pub name: String,
    pub topic: String,
    labels: Propagating<Labels>,
    pub ack_deadline_s: u64,
    pub retention_s: u64,
    retain_acked: bool,
    /// After how long without use it is deleted; `None` for never.
    expiration_s: Option<u64>,
    /// When it was last used.
    pub active_ms: u64,
    /// From when on it is shown.
    #[serde(default)]
    shown_from_ms: u64,
    #[serde(default)]
    pub(super) delivery: Delivery,
    policy: Stored,
}

/// A subscription as a request writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Body {
    name: Option<String>,
    topic: Option<String>,
    labels: Labels,
    ack_deadline_seconds: u64,
    message_retention_duration: Option<String>,
    retain_acked_messages: bool,
    expiration_policy: Option<Expiration>,
    // What only the service sets.
    #[serde(rename = "state")]
    _state: Option<Value>,
    #[serde(rename = "topicMessageRetentionDuration")]
    _topic_message_retention_duration: Option<Value>,
    // What says how it delivers.
    push_config: Value,
    bigquery_config: Value,
    cloud_storage_config: Value,
    enable_message_ordering: bool,
    filter: String,
    dead_letter_policy: Value,
    retry_policy: Value,
    enable_exactly_once_delivery: bool,
    // What the sandbox does not serve, by name.
    bigtable_config: Option<Value>,
    detached: bool,
    message_transforms: Option<Value>,
    tags: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expiration {
    ttl: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    subscription: Body,
    #[serde(default)]
    update_mask: String,
}

impl Body {
    fn check(&self) -> Result<(), Refusal> {
        let says = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null() && *value != json!({}));
        let fields = [
            ("bigtableConfig", says(&self.bigtable_config)),
            ("detached", self.detached),
            ("messageTransforms", says(&self.message_transforms)),
            ("tags", says(&self.tags)),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, there)| *there) {
            return Err(Refusal::unserved(format!("the field `{field}` of a subscription")));
        }
        names::check_labels(&self.labels)
    }

    /// What says how it delivers, by name.
    fn delivery(&self) -> Value {
        json!({
            "pushConfig": self.push_config,
            "bigqueryConfig": self.bigquery_config,
            "cloudStorageConfig": self.cloud_storage_config,
            "enableMessageOrdering": self.enable_message_ordering,
            "filter": self.filter,
            "deadLetterPolicy": self.dead_letter_policy,
            "retryPolicy": self.retry_policy,
            "enableExactlyOnceDelivery": self.enable_exactly_once_delivery,
        })
    }

    /// 10 to 600 seconds, 10 if it is left out
    /// <https://cloud.google.com/pubsub/docs/subscription-properties#ack_deadline>.
    fn ack_deadline_s(&self) -> Result<u64, Refusal> {
        match self.ack_deadline_seconds {
            0 => Ok(10),
            given @ 10..=600 => Ok(given),
            given => Err(Refusal::invalid(format!(
                "Invalid ack deadline given: (ack_deadline_seconds={given}). It is 10 to 600."
            ))),
        }
    }

    /// 10 minutes to 31 days.
    fn retention_s(&self) -> Result<u64, Refusal> {
        let retention_s = self.message_retention_duration.as_deref().map_or(Ok(RETENTION_S), seconds)?;
        if (600..=31 * DAY_S).contains(&retention_s) {
            return Ok(retention_s);
        }
        Err(Refusal::invalid(format!(
            "Invalid message retention duration: {retention_s} s; it is 10 minutes to 31 days."
        )))
    }

    /// An empty policy is one that never expires; else it is a day at least, and no shorter than messages are kept.
    fn expiration_s(&self, retention_s: u64) -> Result<Option<u64>, Refusal> {
        let Some(policy) = &self.expiration_policy else { return Ok(Some(EXPIRATION_S.max(retention_s))) };
        match policy.ttl.as_deref().map(seconds).transpose()? {
            Some(ttl) if ttl < DAY_S || ttl < retention_s => Err(Refusal::invalid(format!(
                "Invalid expiration: {ttl} s; it is 1 day at least, and no less than the message retention duration."
            ))),
            ttl => Ok(ttl),
        }
    }
}

impl Subscription {
    fn expired(&self, now_ms: u64) -> bool {
        self.expiration_s.is_some_and(|seconds| now_ms >= self.active_ms + seconds * 1000)
    }
}

/// Requests for subscriptions.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.verb() {
        "CreateSubscription" => create(state, call),
        "GetSubscription" => {
            call.takes(&[])?;
            Ok(described(&get(state, &name(call), call.now_ms)?, call.numbers()))
        }
        "UpdateSubscription" => update(state, call),
        "DetachSubscription" => detach(state, call),
        "DeleteSubscription" => delete(state, call),
        _ => list(state, call),
    }
}

/// Requests for a subscription's policy.
pub(super) fn policy(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut subscription = get(state, &name(call), call.now_ms)?;
    match call.verb() {
        "GetIamPolicy" => {
            call.takes(&["options.requestedPolicyVersion"])?;
            Ok(json!(subscription.policy.read(requested_version(call)?)?))
        }
        "SetIamPolicy" => {
            let delay_ms = call.delay("pubsub.iam");
            subscription.policy.write(state, policy_to_set(call)?, call.now_ms, delay_ms)?;
            put(state, &subscription)?;
            Ok(json!(subscription.policy.read(3)?))
        }
        _ => project::permissions(state, call, |_| true),
    }
}

/// `projects/<project>/subscriptions/<subscription>`.
pub(super) fn name(call: &Call<'_>) -> String {
    format!("projects/{}/subscriptions/{}", call.name(0), call.name(1))
}

fn key(name: &str) -> String {
    format!("google/subscription/{name}")
}

/// A subscription that has not expired, shown or not.
fn find(state: &Transaction<'_>, name: &str, now_ms: u64) -> Result<Option<Subscription>, Refusal> {
    let subscription: Option<Subscription> = state.get(&key(name))?;
    Ok(subscription.filter(|subscription| !subscription.expired(now_ms)))
}

/// The policy of one, if it is there.
pub(in crate::google) fn policy_of(
    state: &Transaction<'_>,
    name: &str,
    now_ms: u64,
) -> Result<Option<Stored>, Refusal> {
    Ok(find(state, name, now_ms)?.map(|subscription| subscription.policy))
}

/// One that is shown. `pubsub.subscriptions` delays a new one.
pub(super) fn get(state: &Transaction<'_>, name: &str, now_ms: u64) -> Result<Subscription, Refusal> {
    let found = find(state, name, now_ms)?.filter(|found| found.shown_from_ms <= now_ms);
    found.ok_or_else(|| missing(name.rsplit('/').next().unwrap_or(name)))
}

pub(super) fn put(state: &mut Transaction<'_>, subscription: &Subscription) -> Result<(), Refusal> {
    Ok(state.put(&key(&subscription.name), subscription)?)
}

/// Its name cannot be taken twice, and its topic must be there
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/create>.
fn create(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let (name, body) = (name(call), call.json::<Body>()?);
    body.check()?;
    names::check_pubsub("subscriptions", call.name(1))?;
    check_name(body.name.as_deref(), &name)?;
    if find(state, &name, call.now_ms)?.is_some() {
        return Err(exists(call.name(1)));
    }
    let topic = body.topic.as_deref().ok_or_else(|| Refusal::invalid("The topic of the subscription is missing."))?;
    let delivery = Delivery::new(&body.delivery())?;
    let topic = topic::get(state, call, topic)?.name;
    let retention_s = body.retention_s()?;
    let subscription = Subscription {
        name,
        topic,
        ack_deadline_s: body.ack_deadline_s()?,
        retention_s,
        retain_acked: body.retain_acked_messages,
        expiration_s: body.expiration_s(retention_s)?,
        labels: Propagating::new(body.labels),
        active_ms: call.now_ms,
        shown_from_ms: call.now_ms + call.delay("pubsub.subscriptions"),
        delivery,
        policy: Stored::new(Vec::new()),
    };
    message::delete_all(state, &subscription.name);
    put(state, &subscription)?;
    Ok(described(&subscription, call.numbers()))
}

/// The topic cannot be changed <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/patch>.
fn update(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let mut subscription = get(state, &name(call), call.now_ms)?;
    let Update { subscription: body, update_mask } = call.json()?;
    body.check()?;
    check_name(body.name.as_deref(), &subscription.name)?;
    for path in mask_paths(&update_mask)? {
        match path.as_str() {
            "labels" => subscription.labels.write(body.labels.clone(), call.now_ms, call.delay("pubsub.labels")),
            "ack_deadline_seconds" => subscription.ack_deadline_s = body.ack_deadline_s()?,
            "message_retention_duration" => subscription.retention_s = body.retention_s()?,
            "retain_acked_messages" => subscription.retain_acked = body.retain_acked_messages,
            "expiration_policy" => subscription.expiration_s = body.expiration_s(0)?,
            path if subscription.delivery.update(path, &body.delivery())? => {}
            path => {
                return Err(Refusal::invalid(format!(
                    "Invalid update_mask provided in the UpdateSubscriptionRequest: '{path}' cannot be updated."
                )));
            }
        }
    }
    if subscription.expiration_s.is_some_and(|ttl| ttl < subscription.retention_s) {
        return Err(Refusal::invalid("The expiration cannot be less than the message retention duration."));
    }
    put(state, &subscription)?;
    let mut answer = described(&subscription, call.numbers());
    // In the answer to a change alone.
    answer["pushConfig"]["attributes"]["x-goog-version"] = json!("v1");
    Ok(answer)
}

/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/detach>
fn detach(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let mut subscription = get(state, &name(call), call.now_ms)?;
    message::delete_all(state, &subscription.name);
    subscription.delivery.detached = true;
    put(state, &subscription)?;
    Ok(json!({}))
}

fn delete(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let subscription = get(state, &name(call), call.now_ms)?;
    message::delete_all(state, &subscription.name);
    delete_listed(state, call, &key(&subscription.name), &subscription)?;
    Ok(json!({}))
}

fn list(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["pageSize", "pageToken"])?;
    let prefix = key(&format!("projects/{}/subscriptions/", call.name(0)));
    let subscriptions = listed_under::<Subscription>(state, call, &prefix)?;
    let there = subscriptions.into_iter().filter(|(_, subscription)| !subscription.expired(call.now_ms)).collect();
    let token = call.parameter("pageToken").unwrap_or_default();
    let (subscriptions, next) = call::page(there, token, page_size(call)?);
    let seen = |subscription: Subscription| Subscription {
        labels: Propagating::new(subscription.labels.seen(call.now_ms).clone()),
        ..subscription
    };
    let subscriptions = subscriptions.into_iter().map(|subscription| described(&seen(subscription), call.numbers()));
    Ok(listed("subscriptions", subscriptions.collect(), next))
}

/// The names of a topic's subscriptions, in whichever project; one that is detached is none.
pub(super) fn of_topic(state: &Transaction<'_>, topic: &str) -> Result<Vec<String>, Refusal> {
    let subscribed = all_of_topic(state, topic)?.into_iter().filter(|subscription| !subscription.delivery.detached);
    Ok(subscribed.map(|subscription| subscription.name).collect())
}

/// A topic's subscriptions.
pub(super) fn all_of_topic(state: &Transaction<'_>, topic: &str) -> Result<Vec<Subscription>, Refusal> {
    let all = state.scan::<Subscription>("google/subscription/")?.into_iter().map(|(_, subscription)| subscription);
    Ok(all.filter(|subscription| subscription.topic == topic).collect())
}

/// Leave a topic's subscriptions without it.
pub(super) fn orphan(state: &mut Transaction<'_>, topic: &str) -> Result<(), Refusal> {
    for mut subscription in all_of_topic(state, topic)? {
        DELETED_TOPIC.clone_into(&mut subscription.topic);
        put(state, &subscription)?;
    }
    Ok(())
}

fn described(subscription: &Subscription, numbers: bool) -> Value {
    let expiration = subscription.expiration_s.map_or(json!({}), |seconds| json!({ "ttl": format!("{seconds}s") }));
    let mut described = json!({
        "name": subscription.name,
        "topic": subscription.topic,
        "ackDeadlineSeconds": subscription.ack_deadline_s,
        "messageRetentionDuration": format!("{}s", subscription.retention_s),
        "expirationPolicy": expiration,
        "state": if numbers { json!(1) } else { json!("ACTIVE") },
    });
    if !subscription.labels.written().is_empty() {
        described["labels"] = json!(subscription.labels.written());
    }
    if subscription.retain_acked {
        described["retainAckedMessages"] = json!(true);
    }
    subscription.delivery.describe(&mut described);
    described
}

/// Put another member in the place of one, in every subscription's policy.
pub(in crate::google) fn rename_member(state: &mut Transaction<'_>, member: &str, other: &str) -> Result<(), Refusal> {
    for (_, mut subscription) in state.scan::<Subscription>(&key(""))? {
        if subscription.policy.rename(member, other) {
            put(state, &subscription)?;
        }
    }
    Ok(())
}

//! Messages: published, pulled and acknowledged <https://cloud.google.com/pubsub/docs/pull>.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::subscription::{self, Subscription};
use super::topic;
use crate::google::call::Call;
use crate::google::project::timestamp;
use crate::google::refusal::Refusal;
use crate::state::Transaction;

/// A message in a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    id: u64,
    /// In base64.
    data: String,
    attributes: BTreeMap<String, String>,
    published_ms: u64,
    /// From when on it is delivered (again).
    visible_ms: u64,
    deliveries: u64,
}

/// A message as a request writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    data: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    ordering_key: String,
}

/// Requests for messages.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    match call.verb() {
        "Publish" => publish_all(state, call),
        "Pull" => pull(state, call),
        "Acknowledge" => acknowledge(state, call),
        _ => modify_deadline(state, call),
    }
}

fn prefix(subscription: &str) -> String {
    format!("google/message/{subscription}/")
}

fn key(subscription: &str, id: u64) -> String {
    format!("{}{id:020}", prefix(subscription))
}

/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish>
fn publish_all(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Request {
        #[serde(default)]
        messages: Vec<Body>,
    }
    let topic = topic::get(state, call, &format!("projects/{}/topics/{}", call.name(0), call.name(1)))?;
    if !topic.passes_on() {
        return Err(Refusal::unserved("publishing to a topic with a schema or a transform"));
    }
    let mut ids = Vec::new();
    for Body { data, attributes, ordering_key } in call.json::<Request>()?.messages {
        if !ordering_key.is_empty() {
            return Err(Refusal::unserved("the field `orderingKey` of a message"));
        }
        if data.is_empty() && attributes.is_empty() {
            return Err(Refusal::invalid("A message must have data or attributes."));
        }
        let data =
            BASE64.decode(data.as_bytes()).map_err(|_| Refusal::invalid("The data of a message is not base64."))?;
        ids.push(publish(state, &topic.name, data, attributes, call.now_ms)?.to_string());
    }
    if ids.is_empty() {
        return Err(Refusal::invalid("There is no message to publish."));
    }
    Ok(json!({ "messageIds": ids }))
}

/// Put a message into every subscription that a topic has now; gives its number.
pub(in crate::google) fn publish(
    state: &mut Transaction<'_>,
    topic: &str,
    data: Vec<u8>,
    attributes: BTreeMap<String, String>,
    now_ms: u64,
) -> Result<u64, Refusal> {
    let id = state.next_number("google/counter/message")?;
    let data = BASE64.encode(&data);
    let message = Message { id, data, attributes, published_ms: now_ms, visible_ms: now_ms, deliveries: 0 };
    let subscriptions = subscription::all_of_topic(state, topic)?.into_iter();
    for subscription in subscriptions.filter(|subscription| subscription.delivery.takes(&message.attributes)) {
        state.put(&key(&subscription.name, id), &message)?;
    }
    Ok(id)
}

/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>. Without a message the answer is
/// empty; whether to wait for one is the server's business.
fn pull(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let request: PullRequest = call.json()?;
    let most = usize::try_from(request.max_messages).unwrap_or_default();
    if most == 0 {
        return Err(Refusal::invalid("The max_messages must be positive."));
    }
    let mut subscription = subscription::get(state, &subscription::name(call), call.now_ms)?;
    subscription.delivery.check_pull()?;
    let received = take(state, &subscription, most, call.now_ms)?;
    if call.now_ms > subscription.active_ms {
        subscription.active_ms = call.now_ms;
        subscription::put(state, &subscription)?;
    }
    Ok(if received.is_empty() { json!({}) } else { json!({ "receivedMessages": received }) })
}

/// The first messages that can be delivered now, hidden from others until their deadline. What is too old goes.
fn take(
    state: &mut Transaction<'_>,
    subscription: &Subscription,
    most: usize,
    now_ms: u64,
) -> Result<Vec<Value>, Refusal> {
    let prefix = prefix(&subscription.name);
    let (mut received, mut after) = (Vec::new(), None);
    while received.len() < most {
        let Some(key) = state.keys(&prefix, after.as_deref()).next().map(str::to_owned) else { break };
        after = Some(key.clone());
        let Some(mut message) = state.get::<Message>(&key)? else { continue };
        if now_ms >= message.published_ms + subscription.retention_s * 1000 {
            state.delete(&key);
        } else if message.visible_ms > now_ms {
            // Somebody has it.
        } else if let Some(topic) = subscription.delivery.given_up(message.deliveries) {
            state.delete(&key);
            let data = BASE64.decode(message.data.as_bytes()).unwrap_or_default();
            publish(state, topic, data, message.attributes, now_ms)?;
        } else {
            message.visible_ms = now_ms + subscription.ack_deadline_s * 1000;
            message.deliveries += 1;
            state.put(&key, &message)?;
            received.push(described(&message));
        }
    }
    Ok(received)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PullRequest {
    #[serde(default)]
    max_messages: i64,
    #[serde(default)]
    return_immediately: bool,
}

/// Whether a request for messages wants to wait until there is one.
pub(in crate::google) fn waits(call: &Call<'_>) -> bool {
    call.operation == "pubsub:Pull" && call.json::<PullRequest>().is_ok_and(|request| !request.return_immediately)
}

fn described(message: &Message) -> Value {
    let mut described = json!({
        "messageId": message.id.to_string(),
        "publishTime": timestamp(message.published_ms),
    });
    if !message.data.is_empty() {
        described["data"] = json!(message.data);
    }
    if !message.attributes.is_empty() {
        described["attributes"] = json!(message.attributes);
    }
    json!({ "ackId": format!("{}:{}", message.id, message.deliveries), "message": described })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Acknowledged {
    #[serde(default)]
    ack_ids: Vec<String>,
    ack_deadline_seconds: Option<u64>,
}

/// A message is acknowledged by its latest delivery; another is ignored
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/acknowledge>.
fn acknowledge(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    for (key, _) in delivered(state, call)?.1 {
        state.delete(&key);
    }
    Ok(json!({}))
}

/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/modifyAckDeadline>. 0 delivers it again.
fn modify_deadline(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let (request, messages) = delivered(state, call)?;
    let seconds = request.ack_deadline_seconds.filter(|seconds| *seconds <= 600);
    let seconds = seconds.ok_or_else(|| Refusal::invalid("The ack deadline is 0 to 600 seconds."))?;
    for (key, mut message) in messages {
        message.visible_ms = call.now_ms + seconds * 1000;
        state.put(&key, &message)?;
    }
    Ok(json!({}))
}

/// The messages that a request names, by deliveries that still hold.
fn delivered(state: &Transaction<'_>, call: &Call<'_>) -> Result<(Acknowledged, Vec<(String, Message)>), Refusal> {
    let subscription = subscription::get(state, &subscription::name(call), call.now_ms)?;
    let request: Acknowledged = call.json()?;
    let mut messages = Vec::new();
    for id in &request.ack_ids {
        let (number, delivery) = id.split_once(':').ok_or_else(|| Refusal::invalid(format!("Invalid ack id: {id}")))?;
        let key = key(&subscription.name, number.parse().unwrap_or_default());
        let message: Option<Message> = state.get(&key)?;
        messages
            .extend(message.filter(|message| message.deliveries.to_string() == delivery).map(|message| (key, message)));
    }
    Ok((request, messages))
}

/// Remove what a subscription holds.
pub(super) fn delete_all(state: &mut Transaction<'_>, subscription: &str) {
    let prefix = prefix(subscription);
    let keys: Vec<_> = state.keys(&prefix, None).map(str::to_owned).collect();
    keys.iter().for_each(|key| {
        state.delete(key);
    });
}

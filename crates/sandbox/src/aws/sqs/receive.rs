//! Receiving, which may wait for a message.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes;
use super::message::{self, Message};
use super::queue::Found;
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::json as answers;
use crate::state::Transaction;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiveMessage {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "MaxNumberOfMessages", default = "one")]
    most: usize,
    #[serde(rename = "VisibilityTimeout")]
    visibility_s: Option<u64>,
    #[serde(rename = "WaitTimeSeconds")]
    wait_s: Option<u64>,
    #[serde(rename = "AttributeNames", default)]
    attribute_names: Vec<String>,
    #[serde(rename = "MessageSystemAttributeNames", default)]
    system_attribute_names: Vec<String>,
    #[serde(rename = "MessageAttributeNames", default)]
    message_attribute_names: Vec<String>,
}

const fn one() -> usize {
    1
}

/// How often a waiting call looks: messages may also become visible by time.
const LOOK: Duration = Duration::from_millis(20);

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
pub(super) async fn receive_message(call: &Call<'_>) -> Reply {
    let input: ReceiveMessage = answers::input(call)?;
    let in_range = |value: Option<u64>, most| value.is_none_or(|value| value <= most);
    if !(1..=10).contains(&input.most) || !in_range(input.wait_s, 20) || !in_range(input.visibility_s, 43_200) {
        return Err(Error::new(400, "InvalidParameterValue", "Reason: a number is out of its range."));
    }
    let store = &call.world.store;
    let found = store.transaction(|state| Found::at(state, call, &input.url))?;
    let default_s = attributes::number(found.queue.attributes.written(), "ReceiveMessageWaitTimeSeconds");
    let until_ms = call.now_ms + input.wait_s.unwrap_or(default_s) * 1000;
    loop {
        if call.presence.is_gone() {
            return answers::nothing(call);
        }
        let messages = store.transaction(|state| take(state, call, &input))?;
        if !messages.is_empty() {
            return answers::answer(call, &json!({ "Messages": messages }));
        }
        if call.world.clock.now_ms() >= until_ms {
            return answers::nothing(call);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The messages that can be seen now, hidden from others from now on. What is too old goes.
fn take(state: &mut Transaction<'_>, call: &Call<'_>, input: &ReceiveMessage) -> Result<Vec<Value>, Error> {
    let found = Found::at(state, call, &input.url)?;
    let now_ms = call.world.clock.now_ms();
    let number = |name| attributes::number(found.queue.attributes.written(), name);
    let (kept_ms, default_s) = (number("MessageRetentionPeriod") * 1000, number("VisibilityTimeout"));
    let hidden_until = now_ms + input.visibility_s.unwrap_or(default_s) * 1000;
    let prefix = message::prefix(&found.path());
    let (mut taken, mut after) = (Vec::new(), None);
    while taken.len() < input.most {
        let Some(key) = state.keys(&prefix, after.as_deref()).next().map(str::to_owned) else { break };
        after = Some(key.clone());
        let Some(mut message) = state.get::<Message>(&key)? else { continue };
        if message.sent_ms + kept_ms < now_ms {
            state.delete(&key);
        } else if message.visible_ms <= now_ms
            && !message::is_buried(state, found.queue.attributes.written(), &key, &message)?
        {
            message.visible_ms = hidden_until;
            message.received += 1;
            message.first_received_ms = if message.received == 1 { now_ms } else { message.first_received_ms };
            state.put(&key, &message)?;
            taken.push(shown(&key, &message, input));
        }
    }
    Ok(taken)
}

fn shown(key: &str, message: &Message, input: &ReceiveMessage) -> Value {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": message::receipt(key, message),
        "MD5OfBody": message::md5_of(message.body.as_bytes()),
        "Body": message.body,
    });
    let system = [
        ("SenderId", message.sender.clone()),
        ("SentTimestamp", message.sent_ms.to_string()),
        ("ApproximateReceiveCount", message.received.to_string()),
        ("ApproximateFirstReceiveTimestamp", message.first_received_ms.to_string()),
    ];
    let asked = input.attribute_names.iter().chain(&input.system_attribute_names);
    let asked = |name: &str| asked.clone().any(|asked| asked == "All" || asked == name);
    let system: serde_json::Map<_, _> = system
        .into_iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
    if !system.is_empty() {
        shown["Attributes"] = Value::Object(system);
    }
    let named = |name: &str| input.message_attribute_names.iter().any(|asked| is_asked(asked, name));
    let attributes: std::collections::BTreeMap<_, _> = message
        .attributes
        .iter()
        .filter(|(name, _)| named(name))
        .map(|(name, of)| (name.clone(), of.clone()))
        .collect();
    if let Some(md5) = message::attributes_md5(&attributes) {
        shown["MD5OfMessageAttributes"] = json!(md5);
        shown["MessageAttributes"] = json!(attributes);
    }
    shown
}

/// `All`, `.*`, a name, or the beginning of one with `.*`.
fn is_asked(asked: &str, name: &str) -> bool {
    asked == "All" || asked == name || asked.strip_suffix(".*").is_some_and(|beginning| name.starts_with(beginning))
}

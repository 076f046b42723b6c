//! Messages: sent by clients and by S3, hidden, deleted.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::attributes;
use super::queue::{self, Found, Queue};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::{id, json as answers};
use crate::state::Transaction;

/// A message in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sender: String,
    pub(super) attributes: BTreeMap<String, MessageAttribute>,
    pub(super) sent_ms: u64,
    pub(super) visible_ms: u64,
    pub(super) received: u64,
    pub(super) first_received_ms: u64,
}

/// An attribute that a sender gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct MessageAttribute {
    pub(super) data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<String>,
}

/// Where the messages of a queue are kept, in the order in which they came.
pub(super) fn prefix(queue: &str) -> String {
    format!("sqs/message/{queue}/")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendMessage {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "MessageBody")]
    body: String,
    #[serde(rename = "DelaySeconds")]
    delay_s: Option<u64>,
    #[serde(rename = "MessageAttributes", default)]
    attributes: BTreeMap<String, MessageAttribute>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub(super) fn send_message(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let SendMessage { url, body, delay_s, attributes } = answers::input(call)?;
    let found = Found::at(state, call, &url)?;
    let sent = sent(state, call, &found, Sent { body, delay_s, attributes })?;
    answers::answer(call, &sent)
}

/// A message as it is given.
pub(super) struct Sent {
    pub(super) body: String,
    pub(super) delay_s: Option<u64>,
    pub(super) attributes: BTreeMap<String, MessageAttribute>,
}

/// Put a message into a queue; gives what the sender is told.
pub(super) fn sent(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    found: &Found,
    input: Sent,
) -> Result<serde_json::Value, Error> {
    let most = attributes::number(found.queue.attributes.written(), "MaximumMessageSize");
    if u64::try_from(input.body.len()).unwrap_or(u64::MAX) > most {
        let message = format!("One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.");
        return Err(Error::new(400, "InvalidParameterValue", message));
    }
    if input.body.is_empty() {
        return Err(Error::new(400, "MissingParameter", "The request must contain the parameter MessageBody."));
    }
    let delay_s = input.delay_s.unwrap_or_else(|| attributes::number(found.queue.attributes.written(), "DelaySeconds"));
    let message = Message {
        id: String::new(),
        sender: format!("AIDA{}SANDBOX", call.caller.account()?),
        attributes: input.attributes,
        sent_ms: call.now_ms,
        visible_ms: call.now_ms + delay_s * 1000,
        received: 0,
        first_received_ms: 0,
        body: input.body,
    };
    let (body_md5, attributes_md5) = (md5_of(message.body.as_bytes()), attributes_md5(&message.attributes));
    let id = put(state, &found.path(), message)?;
    let mut answer = json!({ "MessageId": id, "MD5OfMessageBody": body_md5 });
    if let Some(md5) = attributes_md5 {
        answer["MD5OfMessageAttributes"] = json!(md5);
    }
    Ok(answer)
}

/// Put an event of S3 into a queue, where it is seen `s3.event` later.
pub(in crate::aws) fn deliver(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    queue_arn: &str,
    body: &serde_json::Value,
) -> Result<(), Error> {
    let Some((region, account, name)) = queue::taken_apart(queue_arn) else { return Ok(()) };
    let Some(queue) = state.get::<Queue>(&queue::key(region, account, name))? else { return Ok(()) };
    let message = Message {
        id: String::new(),
        body: body.to_string(),
        sender: "AIDAS3SANDBOX".to_owned(),
        attributes: BTreeMap::new(),
        sent_ms: call.now_ms,
        visible_ms: call.now_ms
            + call.delay_ms("s3.event")
            + attributes::number(queue.attributes.written(), "DelaySeconds") * 1000,
        received: 0,
        first_received_ms: 0,
    };
    put(state, &format!("{region}/{account}/{name}"), message).map(|_| ())
}

/// Move a message to the queue of dead letters that these attributes name, if it was received as often as they let: "when the
/// `ReceiveCount` for a message exceeds the `maxReceiveCount`". Where there is no such queue it stays
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>.
pub(super) fn is_buried(
    state: &mut Transaction<'_>,
    attributes: &attributes::Attributes,
    key: &str,
    message: &Message,
) -> Result<bool, Error> {
    let Some((arn, most)) = attributes::redrive(attributes) else { return Ok(false) };
    let Some((region, account, name)) = queue::taken_apart(&arn) else { return Ok(false) };
    if message.received < most || state.get::<Queue>(&queue::key(region, account, name))?.is_none() {
        return Ok(false);
    }
    let number = key.rsplit('/').next().unwrap_or_default();
    state.put(&format!("{}{number}", prefix(&format!("{region}/{account}/{name}"))), message)?;
    state.delete(key);
    Ok(true)
}

fn put(state: &mut Transaction<'_>, queue: &str, message: Message) -> Result<String, Error> {
    let number = state.next_number("aws/number")?;
    let id = id::uuid("message", number);
    state.put(&format!("{}{number:016x}", prefix(queue)), &Message { id: id.clone(), ..message })?;
    Ok(id)
}

/// Which message a receipt is of, and of which receipt of it: a later one makes it void.
pub(super) fn receipt(key: &str, message: &Message) -> String {
    let number = key.rsplit('/').next().unwrap_or_default();
    data_encoding::BASE64.encode(format!("{number} {}", message.received).as_bytes())
}

fn of_receipt(found: &Found, receipt: &str) -> Result<(String, u64), Error> {
    let invalid = || {
        let message = format!("The input receipt handle \"{receipt}\" is not a valid receipt handle.");
        Error::new(400, "ReceiptHandleIsInvalid", message)
    };
    let bytes = data_encoding::BASE64.decode(receipt.as_bytes()).map_err(|_| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    let (number, received) = text.split_once(' ').ok_or_else(invalid)?;
    let received = received.parse().map_err(|_| invalid())?;
    Ok((format!("{}{number}", prefix(&found.path())), received))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteMessage {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "ReceiptHandle")]
    receipt: String,
}

/// Deleting twice succeeds <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>.
pub(super) fn delete_message(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: DeleteMessage = answers::input(call)?;
    let found = Found::at(state, call, &input.url)?;
    deleted(state, &found, &input.receipt)?;
    answers::nothing(call)
}

/// Take the message of a receipt out of a queue.
pub(super) fn deleted(state: &mut Transaction<'_>, found: &Found, receipt: &str) -> Result<(), Error> {
    let (key, received) = of_receipt(found, receipt)?;
    // A receipt that is not the last one deletes nothing, and says nothing.
    if state.get::<Message>(&key)?.is_some_and(|message| message.received == received) {
        state.delete(&key);
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeMessageVisibility {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "ReceiptHandle")]
    receipt: String,
    #[serde(rename = "VisibilityTimeout")]
    timeout_s: u64,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
pub(super) fn change_message_visibility(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: ChangeMessageVisibility = answers::input(call)?;
    let found = Found::at(state, call, &input.url)?;
    hidden(state, call, &found, &input.receipt, input.timeout_s)?;
    answers::nothing(call)
}

/// Hide the message of a receipt for so long from now on.
pub(super) fn hidden(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    found: &Found,
    receipt: &str,
    timeout_s: u64,
) -> Result<(), Error> {
    if timeout_s > 43_200 {
        let message = format!("Value {timeout_s} for parameter VisibilityTimeout is invalid.");
        return Err(Error::new(400, "InvalidParameterValue", message));
    }
    let (key, received) = of_receipt(found, receipt)?;
    let in_flight = |message: &Message| message.received == received && message.visible_ms > call.now_ms;
    let not_in_flight = || {
        let message = "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available \
                       for visibility timeout change.";
        Error::new(400, "MessageNotInflight", message)
    };
    let message = state.get::<Message>(&key)?.filter(in_flight).ok_or_else(not_in_flight)?;
    let visible_ms = call.now_ms + timeout_s * 1000;
    state.put(&key, &Message { visible_ms, ..message })?;
    Ok(())
}

/// How many can be received, are hidden by a receipt, and are not yet to be seen.
pub(super) fn counts(state: &Transaction<'_>, queue: &str, now_ms: u64) -> Result<(usize, usize, usize), Error> {
    let messages = state.scan::<Message>(&prefix(queue))?;
    let later = |message: &Message| message.visible_ms > now_ms;
    let hidden = messages.iter().filter(|(_, message)| later(message) && message.received > 0).count();
    let delayed = messages.iter().filter(|(_, message)| later(message) && message.received == 0).count();
    Ok((messages.len() - hidden - delayed, hidden, delayed))
}

pub(super) fn delete_all(state: &mut Transaction<'_>, queue: &str) {
    let keys: Vec<_> = state.keys(&prefix(queue), None).map(str::to_owned).collect();
    keys.iter().for_each(|key| {
        state.delete(key);
    });
}

pub(super) fn md5_of(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Md5::digest(bytes))
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>
pub(super) fn attributes_md5(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    let sized = |part: &[u8]| [&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes(), part].concat();
    let binary = |value: &String| data_encoding::BASE64.decode(value.as_bytes()).unwrap_or_default();
    let bytes = |(name, attribute): (&String, &MessageAttribute)| {
        let (transport, value) = match (&attribute.string_value, &attribute.binary_value) {
            (Some(text), _) => (1, text.clone().into_bytes()),
            (None, value) => (2, value.as_ref().map(binary).unwrap_or_default()),
        };
        [sized(name.as_bytes()), sized(attribute.data_type.as_bytes()), vec![transport], sized(&value)].concat()
    };
    let bytes: Vec<_> = attributes.iter().flat_map(bytes).collect();
    (!attributes.is_empty()).then(|| md5_of(&bytes))
}

//! Several messages in one call: each is sent, hidden or deleted by itself, and those that were not are told in the answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{MessageAttribute, Sent, deleted, hidden, sent};
use super::queue::Found;
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::json as answers;
use crate::state::Transaction;

/// "You can have up to 10 messages in a batch", of "1 MiB" together
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
const MOST: usize = 10;
const MOST_BYTES: usize = 1 << 20;
/// "Maximum length of 80 characters. Valid characters: alphanumeric characters, hyphens(-), and underscores (_)."
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatchRequestEntry.html>).
const LONGEST_ID: usize = 80;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Batch<T> {
    queue_url: String,
    entries: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ToSend {
    id: String,
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ToDelete {
    id: String,
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ToHide {
    id: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub(super) fn send_messages(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let Batch { queue_url, entries } = answers::input::<Batch<ToSend>>(call)?;
    check(entries.iter().map(|entry| entry.id.as_str()))?;
    let found = Found::at(state, call, &queue_url)?;
    let bytes: usize = entries.iter().map(|entry| entry.message_body.len()).sum();
    if bytes > MOST_BYTES {
        let message = format!("Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {bytes} bytes.");
        return Err(Error::new(400, "BatchRequestTooLong", message));
    }
    let one = |ToSend { id, message_body: body, delay_seconds: delay_s, message_attributes: attributes }| {
        let done = sent(state, call, &found, Sent { body, delay_s, attributes });
        (id, done)
    };
    answered(call, entries.into_iter().map(one).collect())
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>
pub(super) fn delete_messages(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let Batch { queue_url, entries } = answers::input::<Batch<ToDelete>>(call)?;
    check(entries.iter().map(|entry| entry.id.as_str()))?;
    let found = Found::at(state, call, &queue_url)?;
    let one = |ToDelete { id, receipt_handle }| {
        let done = deleted(state, &found, &receipt_handle);
        (id, done.map(|()| json!({})))
    };
    answered(call, entries.into_iter().map(one).collect())
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>
pub(super) fn hide_messages(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let Batch { queue_url, entries } = answers::input::<Batch<ToHide>>(call)?;
    check(entries.iter().map(|entry| entry.id.as_str()))?;
    let found = Found::at(state, call, &queue_url)?;
    let one = |ToHide { id, receipt_handle, visibility_timeout }| {
        let done = hidden(state, call, &found, &receipt_handle, visibility_timeout);
        (id, done.map(|()| json!({})))
    };
    answered(call, entries.into_iter().map(one).collect())
}

fn check<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let ids: Vec<_> = ids.collect();
    let invalid = |id: &&str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(known)
    };
    let (code, message) = match ids.len() {
        0 => ("EmptyBatchRequest", "There should be at least one entry in the request.".to_owned()),
        many if many > MOST => (
            "TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are {MOST}. You have sent {many}."),
        ),
        _ if ids.iter().any(invalid) => (
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters \
             long."
                .to_owned(),
        ),
        many if ids.iter().collect::<BTreeSet<_>>().len() < many => {
            ("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.".to_owned())
        }
        _ => return Ok(()),
    };
    Err(Error::new(400, code, message))
}

/// What came of each. An error of the sandbox's own is one of the whole call.
fn answered(call: &Call<'_>, done: Vec<(String, Result<Value, Error>)>) -> Reply {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, done) in done {
        match done {
            Ok(mut answer) => {
                answer["Id"] = json!(id);
                successful.push(answer);
            }
            Err(error) if error.status >= 500 => return Err(error),
            Err(error) => {
                failed.push(json!({"Id": id, "SenderFault": true, "Code": error.code, "Message": error.message}));
            }
        }
    }
    // Neither list is there where it would be empty.
    let lists = [("Successful", successful), ("Failed", failed)].into_iter().filter(|(_, list)| !list.is_empty());
    answers::answer(call, &Value::Object(lists.map(|(name, list)| (name.to_owned(), json!(list))).collect()))
}

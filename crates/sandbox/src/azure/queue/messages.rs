//! Messages of a queue <https://learn.microsoft.com/rest/api/storageservices/operations-on-messages>.

use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::azure::accounts::{Account, data_key};
use crate::azure::call::{Call, empty, http_date, with, xml};
use crate::azure::data_access::Place;
use crate::azure::guid;
use crate::azure::refusal::{Refusal, Served};
use crate::state::Transaction;

/// Seconds that a message lives if nothing is said: seven days.
const USUAL_LIFE_S: i64 = 604_800;

/// Seconds that a message is hidden after it was taken if nothing is said.
const USUAL_HIDING_S: u64 = 30;

/// Most bytes of a message <https://learn.microsoft.com/rest/api/storageservices/put-message#remarks>.
const LARGEST: usize = 65_536;

/// The last moment there is, for messages that live for ever.
const NEVER_MS: u64 = 253_402_300_799_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    id: String,
    text: String,
    inserted_ms: u64,
    expires_ms: u64,
    visible_ms: u64,
    taken: u32,
    receipt: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct QueueMessage {
    #[serde(default)]
    message_text: String,
}

/// Put a message that is seen from a moment on; it lives for some seconds, or for ever with -1.
pub(in crate::azure) fn enqueue(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    queue: &str,
    text: &str,
    lives_s: Option<i64>,
    visible_ms: u64,
) -> Result<(), Error> {
    insert(state, call, account, queue, text, lives_s, visible_ms).map(|_| ())
}

/// Remove all of a queue.
pub(in crate::azure) fn remove_all(state: &mut Transaction<'_>, account: &Account, queue: &str) {
    let keys: Vec<String> = state.keys(&prefix(account, queue), None).map(ToOwned::to_owned).collect();
    for key in keys {
        state.delete(&key);
    }
}

/// How many there are, hidden ones too.
pub(in crate::azure) fn count(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    queue: &str,
) -> Result<usize, Error> {
    let found: Vec<(String, Message)> = state.scan(&prefix(account, queue))?;
    Ok(found.iter().filter(|(_, message)| call.now_ms < message.expires_ms).count())
}

pub(super) fn serve(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    name: &str,
) -> Served {
    let queue = place.container.as_str();
    match name {
        "PutMessage" => put(state, call, account, queue),
        "GetMessages" => take(state, call, account, queue),
        "PeekMessages" => {
            let found = visible(state, call, account, queue)?;
            Ok(listed(found.iter().map(|(_, message)| shown(message, false)).collect()))
        }
        "ClearMessages" => {
            remove_all(state, account, queue);
            Ok(empty(204))
        }
        "DeleteMessage" => {
            let (key, _) = received(state, call, account, place)?;
            state.delete(&key);
            Ok(empty(204))
        }
        _ => update(state, call, account, place),
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/put-message>
fn put(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, queue: &str) -> Served {
    let text = text(call)?;
    let lives = call.field("messagettl").map(str::parse::<i64>);
    if lives.as_ref().is_some_and(|lives| !matches!(lives, Ok(seconds) if *seconds > 0 || *seconds == -1)) {
        return Err(out_of_range("messagettl"));
    }
    let hidden = hiding_s(call, 0)?;
    let lives_s = lives.and_then(Result::ok);
    let message = insert(state, call, account, queue, &text, lives_s, call.now_ms + hidden * 1_000)?;
    let mut answer = listed(shown(&Message { text: String::new(), ..message }, true));
    *answer.status_mut() = http::StatusCode::CREATED;
    Ok(answer)
}

fn insert(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    queue: &str,
    text: &str,
    lives_s: Option<i64>,
    visible_ms: u64,
) -> Result<Message, Error> {
    let expires_ms = match u64::try_from(lives_s.unwrap_or(USUAL_LIFE_S)) {
        Ok(seconds) => call.now_ms.saturating_add(seconds.saturating_mul(1_000)).min(NEVER_MS),
        Err(_) => NEVER_MS,
    };
    let number = state.next_number(&data_key(&account.name, "message-number"))?;
    let message = Message {
        id: guid::next(state)?,
        text: text.to_owned(),
        inserted_ms: call.now_ms,
        expires_ms,
        visible_ms,
        taken: 0,
        receipt: receipt(state)?,
    };
    state.put(&format!("{}{number:016}", prefix(account, queue)), &message)?;
    Ok(message)
}

/// Takes messages and hides them <https://learn.microsoft.com/rest/api/storageservices/get-messages>.
fn take(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, queue: &str) -> Served {
    let hidden = hiding_s(call, USUAL_HIDING_S)?;
    let mut text = String::new();
    for (key, mut message) in visible(state, call, account, queue)? {
        message.taken += 1;
        message.receipt = receipt(state)?;
        message.visible_ms = call.now_ms + hidden * 1_000;
        state.put(&key, &message)?;
        text += &shown(&message, true);
    }
    Ok(listed(text))
}

/// <https://learn.microsoft.com/rest/api/storageservices/update-message>
fn update(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let (key, mut message) = received(state, call, account, place)?;
    if !call.request.body().is_empty() {
        message.text = text(call)?;
    }
    message.visible_ms = call.now_ms + hiding_s(call, 0)? * 1_000;
    message.receipt = receipt(state)?;
    state.put(&key, &message)?;
    let next = http_date(message.visible_ms);
    Ok(with(empty(204), &[("x-ms-popreceipt", &message.receipt), ("x-ms-time-next-visible", &next)]))
}

/// The message of a path, taken with the receipt that the request has.
fn received(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
) -> Result<(String, Message), Refusal> {
    let id = place.name.strip_prefix("messages/").unwrap_or_default();
    let found: Vec<(String, Message)> = state.scan(&prefix(account, &place.container))?;
    let found = found.into_iter().find(|(_, message)| message.id == id && call.now_ms < message.expires_ms);
    let Some(found) = found else {
        return Err(Refusal::not_found("MessageNotFound", "The specified message does not exist."));
    };
    if call.field("popreceipt") != Some(found.1.receipt.as_str()) {
        let message = "The specified pop receipt did not match the pop receipt for a dequeued message.";
        return Err(Refusal::bad_request("PopReceiptMismatch", message));
    }
    Ok(found)
}

fn visible(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    queue: &str,
) -> Result<Vec<(String, Message)>, Refusal> {
    let most = match call.field("numofmessages").map(str::parse::<usize>) {
        None => 1,
        Some(Ok(most)) if (1..=32).contains(&most) => most,
        Some(_) => return Err(out_of_range("numofmessages")),
    };
    let found: Vec<(String, Message)> = state.scan(&prefix(account, queue))?;
    let seen = |message: &Message| message.visible_ms <= call.now_ms && call.now_ms < message.expires_ms;
    let mut found: Vec<_> = found.into_iter().filter(|(_, message)| seen(message)).collect();
    // One that was put back comes after those that waited, as Azurite has it.
    found.sort_by_key(|(_, message)| message.visible_ms);
    found.truncate(most);
    Ok(found)
}

/// 0 seconds to 7 days <https://learn.microsoft.com/rest/api/storageservices/get-messages#uri-parameters>.
fn hiding_s(call: &Call<'_>, usual: u64) -> Result<u64, Refusal> {
    match call.field("visibilitytimeout").map(str::parse::<u64>) {
        None => Ok(usual),
        Some(Ok(seconds)) if seconds <= 604_800 => Ok(seconds),
        Some(_) => Err(out_of_range("visibilitytimeout")),
    }
}

fn text(call: &Call<'_>) -> Result<String, Refusal> {
    let body = std::str::from_utf8(call.request.body()).unwrap_or_default();
    let message: QueueMessage = quick_xml::de::from_str(body.trim_start_matches('\u{feff}'))
        .map_err(|error| Refusal::bad_request("InvalidXmlDocument", format!("XML specified is not valid: {error}.")))?;
    if message.message_text.len() > LARGEST {
        let text = "The request body is too large and exceeds the maximum permissible limit.";
        return Err(Refusal::new(413, "RequestBodyTooLarge", text));
    }
    Ok(message.message_text)
}

fn out_of_range(field: &str) -> Refusal {
    let message =
        format!("One of the query parameters specified in the request URI is outside the permissible range: {field}.");
    Refusal::bad_request("OutOfRangeQueryParameterValue", message)
}

fn receipt(state: &mut Transaction<'_>) -> Result<String, Error> {
    Ok(format!("AgAAAAMAAAAAAAAA{:012}", state.next_number("azure/receipt")?))
}

fn shown(message: &Message, taken: bool) -> String {
    let own = if taken {
        let next = http_date(message.visible_ms);
        format!("<PopReceipt>{}</PopReceipt><TimeNextVisible>{next}</TimeNextVisible>", message.receipt)
    } else {
        String::new()
    };
    format!(
        "<QueueMessage><MessageId>{}</MessageId><InsertionTime>{}</InsertionTime><ExpirationTime>{}</ExpirationTime>{own}\
         <DequeueCount>{}</DequeueCount><MessageText>{}</MessageText></QueueMessage>",
        message.id,
        http_date(message.inserted_ms),
        http_date(message.expires_ms),
        message.taken,
        escape(&message.text)
    )
}

fn listed(messages: String) -> http::Response<bytes::Bytes> {
    xml(200, &format!("<QueueMessagesList>{messages}</QueueMessagesList>"))
}

fn prefix(account: &Account, queue: &str) -> String {
    data_key(&account.name, &format!("message/{queue}/"))
}

//! Events of blobs, delivered to queues <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>.

use data_encoding::BASE64;
use serde_json::json;

use crate::azure::accounts::{self, Account};
use crate::azure::blob::Blob;
use crate::azure::call::{Call, timestamp};
use crate::azure::refusal::Refusal;
use crate::azure::wire::REQUEST;
use crate::azure::{event_subscriptions, guid, queue, queues, resources};
use crate::state::Transaction;

/// What happened to a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    /// `Microsoft.Storage.BlobCreated`
    pub(super) kind: &'a str,
    /// The operation: `PutBlob`.
    pub(super) api: &'a str,
    pub(super) container: &'a str,
    pub(super) name: &'a str,
    pub(super) blob: &'a Blob,
}

/// Deliver an event to the queue of every event subscription that wants it. A queue that is gone gets nothing, nor does one
/// behind a firewall <https://learn.microsoft.com/azure/event-grid/handler-storage-queues>.
pub(super) fn deliver(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    event: Event<'_>,
) -> Result<(), Refusal> {
    let subject = format!("/blobServices/default/containers/{}/blobs/{}", event.container, event.name);
    for subscription in event_subscriptions::of_account(state, account)? {
        if !subscription.wants(call, event.kind, &subject) {
            continue;
        }
        let destination = &subscription.properties.destination.properties;
        let Some(to) = resources::get::<Account>(state, &destination.resource_id)? else { continue };
        if !to.is_reachable() || queues::get(state, &to, &destination.queue_name)?.is_none() {
            continue;
        }
        let text = BASE64.encode(body(state, call, account, &subject, event)?.as_bytes());
        let lives_s = destination.queue_message_time_to_live_in_seconds;
        let visible_ms = call.now_ms + call.delay_ms("events", 0);
        queue::enqueue(state, call, &to, &destination.queue_name, &text, lives_s, visible_ms)?;
    }
    Ok(())
}

fn body(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    subject: &str,
    event: Event<'_>,
) -> Result<String, Refusal> {
    let Event { kind, api, container, name, blob } = event;
    let sequence = state.next_number(&accounts::data_key(&account.name, "sequence"))?;
    let body = json!({
        "topic": account.id,
        "subject": subject,
        "eventType": kind,
        "id": guid::next(state)?,
        "data": {
            "api": api,
            "clientRequestId": call.header("x-ms-client-request-id").unwrap_or_default(),
            "requestId": REQUEST,
            "eTag": blob.etag,
            "contentType": blob.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "accessTier": "Default",
            "url": format!("https://{}/{}/{container}/{name}", call.addresses.blob, account.name),
            "sequencer": format!("{sequence:032X}"),
            "storageDiagnostics": { "batchId": guid::next(state)? },
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": timestamp(call.now_ms),
    });
    Ok(body.to_string())
}

//! Events of probes in the queue that the server hears from, taken without taking anything from the server.
//!
//! A storage queue can be looked into: the first 32 messages are shown, and nothing of them changes. But whoever takes one takes
//! those before it too, which hides them and raises the number of times that they were taken, by which servers tell what they
//! cannot cope with (<https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#poison-messages>).
//! So we look until our own event is seen, and only then take as many messages as stand up to it: where the queue is empty,
//! as before a server runs, that is the event alone. Others among them are given back at once, as they are, and come back by
//! themselves after [`HIDDEN`] if that fails. Nothing is taken, and so nothing uploaded, where that could do harm: one of
//! them was taken [`MOST_TAKEN`] times already, or there are so many that the event could not be seen. What tells of a probe of this
//! deployment is nobody else's, however often it was taken.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use provision_core::probe::{PREFIX, Probes};
use provision_core::provider::{Heard, Hearing, Listener};
use provision_core::retry::shortened;
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::Writer;
use crate::client::queues::{Message, PAGE, QueueStore};
use crate::names::{Names, last};

/// How long messages are hidden from others once we have taken them, in seconds the service's least times five.
const HIDDEN: Duration = Duration::from_secs(5);
/// How often the queue is looked into.
const POLL: Duration = Duration::from_secs(1);
/// Event Grid delivers at once, and again after ten seconds, thirty seconds, a minute
/// (<https://learn.microsoft.com/azure/event-grid/delivery-and-retry#retry-schedule>): two further attempts are waited for.
const LIMIT: Duration = Duration::from_secs(180);
/// How often a message of somebody else's may have been taken that we take with ours. Azure Functions, by default, gives a
/// message up that was taken more than five times.
const MOST_TAKEN: u64 = 3;
/// Messages that are given back at the same time.
const AT_ONCE: usize = 10;

/// The event that a new blob is told by <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>.
const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// Look whether the queue can be listened to.
pub(crate) async fn listen(
    writer: &Writer,
    queue: &QueueStore,
    names: &Names,
    probes: &Probes,
) -> Result<Hearing, Error> {
    let Some(messages) = writer.peek_messages(queue).await? else {
        return Ok(Hearing::Gone(format!("queue `{}` is not there", queue.name)));
    };
    // Whether it may be taken out again, the deletion of a message tells that is not there.
    match writer.delete_message(queue, &Message::of_nobody()).await {
        Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
        _ => {}
    }
    let usual = Probes { prefix: PREFIX.to_owned(), owner: probes.owner.clone() };
    let (writer, queue, names) = (writer.clone(), queue.clone(), names.clone());
    let listener = QueueListener { writer, queue, names, probes: [probes.clone(), usual], held: Vec::new() };
    Ok(match listener.harm(&messages) {
        Some(reason) => Hearing::Unsafe(reason),
        None => Hearing::At(Box::new(listener)),
    })
}

struct QueueListener {
    writer: Writer,
    queue: QueueStore,
    names: Names,
    /// Where probes of this deployment may be.
    probes: [Probes; 2],
    /// Messages that are not ours, and that we hide.
    held: Vec<Message>,
}

#[async_trait]
impl Listener for QueueListener {
    fn place(&self) -> String {
        format!("queue `{}`", self.queue.name)
    }

    fn hidden(&self) -> Duration {
        HIDDEN
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    async fn hear(&mut self, wait: Duration, keys: &[String]) -> Result<Heard, Error> {
        let begun = Instant::now();
        loop {
            let messages = self.writer.peek_messages(&self.queue).await?.unwrap_or_default();
            if let Some(place) = messages.iter().rposition(|message| self.key_of(message, keys).is_some()) {
                return self.taken(&messages[..=place], keys).await;
            }
            if messages.len() >= PAGE {
                return Ok(Heard { last: Some(self.too_many()), ..Heard::default() });
            }
            if begun.elapsed() >= shortened(wait) {
                let another_reader = self.others_hold_messages(messages.len()).await?;
                return Ok(Heard { another_reader, ..Heard::default() });
            }
            sleep(shortened(POLL)).await;
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        let given: Vec<_> = self.held.iter().map(|message| self.given_back(message)).collect();
        stream::iter(given).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.held.clear();
        Ok(())
    }
}

impl QueueListener {
    fn key_of(&self, message: &Message, keys: &[String]) -> Option<String> {
        key_of(&message.text, &self.names, |key| keys.iter().any(|known| known == key))
    }

    fn is_of_others(&self, message: &Message) -> bool {
        key_of(&message.text, &self.names, |key| self.probes.iter().any(|probes| probes.has(key))).is_none()
    }

    /// Why these messages must not be taken, or others behind them not.
    fn harm(&self, messages: &[Message]) -> Option<String> {
        if messages.len() >= PAGE {
            return Some(self.too_many());
        }
        let others = messages.iter().filter(|message| self.is_of_others(message));
        let most = others.map(|message| message.taken).max().filter(|most| *most >= MOST_TAKEN)?;
        Some(format!(
            "a message in queue `{}` was taken {most} times already, and taking the event out may be once too often",
            self.queue.name
        ))
    }

    fn too_many(&self) -> String {
        format!(
            "{PAGE} messages or more are in queue `{}`: an event behind them is seen only by whoever takes them",
            self.queue.name
        )
    }

    /// Take these messages, delete the events of probes of ours, give everything else back, and give our keys.
    async fn taken(&mut self, messages: &[Message], keys: &[String]) -> Result<Heard, Error> {
        if let Some(reason) = self.harm(messages) {
            return Ok(Heard { last: Some(format!("it came, and is left there: {reason}")), ..Heard::default() });
        }
        let mut heard = Heard::default();
        let received = match self.writer.receive_messages(&self.queue, messages.len(), HIDDEN).await {
            // They may be hidden all the same, for a while: they are looked for again.
            Err(error) if matches!(error.retry(), RetryClass::Transient | RetryClass::Throttled(_)) => {
                return Ok(Heard { others: true, ..heard });
            }
            received => received?,
        };
        let (ours, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|message| self.key_of(message, keys).is_some());
        heard.others = !others.is_empty();
        self.held.extend(others);
        for message in ours {
            self.writer.delete_message(&self.queue, &message).await?;
            heard.keys.extend(self.key_of(&message, keys));
        }
        self.close().await?;
        Ok(heard)
    }

    /// Whoever may take messages need not be allowed to change them: they come back by themselves then.
    async fn given_back(&self, message: &Message) -> Result<(), Error> {
        match self.writer.update_message(&self.queue, message).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            given => given,
        }
    }

    /// Whether there are more messages than can be seen.
    async fn others_hold_messages(&self, seen: usize) -> Result<bool, Error> {
        let found = self.writer.reader().get_queue(&self.names.queue_id(&self.queue.name)).await?;
        let there = found.and_then(|queue| queue.messages()).unwrap_or_default();
        Ok(there > u64::try_from(seen).unwrap_or(u64::MAX))
    }
}

/// The key of the probe that a message tells of. Event Grid puts the event into a queue in base64
/// (<https://learn.microsoft.com/azure/event-grid/handler-storage-queues>).
fn key_of(text: &str, names: &Names, is_ours: impl Fn(&str) -> bool) -> Option<String> {
    let decoded = data_encoding::BASE64.decode(text.trim().as_bytes()).ok()?;
    let event: Value = serde_json::from_slice(&decoded).ok()?;
    let account = last(event["topic"].as_str()?);
    let subject = event["subject"].as_str()?;
    let container = format!("/blobServices/default/containers/{}/blobs/", names.container);
    let key = subject.strip_prefix(&container)?;
    // A name with odd letters may be told in either form.
    let plain = percent_encoding::percent_decode_str(key).decode_utf8_lossy().into_owned();
    let key = [key.to_owned(), plain].into_iter().find(|key| is_ours(key))?;
    (event["eventType"] == CREATED && account.eq_ignore_ascii_case(&names.account)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::names;
    use serde_json::json;

    fn event(account: &str, container: &str, key: &str, kind: &str) -> String {
        let topic = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/{account}");
        let subject = format!("/blobServices/default/containers/{container}/blobs/{key}");
        let event = json!({"topic": topic, "subject": subject, "eventType": kind, "data": {"api": "PutBlob"}});
        data_encoding::BASE64.encode(event.to_string().as_bytes())
    }

    #[test]
    fn only_events_of_these_probes_in_this_container_are_ours() {
        let probes = Probes::new("verify here+/", "wandb");
        let key = probes.another().key;
        let of = |text: &str| key_of(text, &names(), |known| known == key);
        assert_eq!(of(&event("acme", "files", &key, CREATED)), Some(key.clone()));
        assert_eq!(of(&event("ACME", "files", &key.replace(' ', "%20"), CREATED)), Some(key.clone()));
        assert_eq!(of(&event("acme", "files", &probes.another().key, CREATED)), None);
        assert_eq!(of(&event("other", "files", &key, CREATED)), None);
        assert_eq!(of(&event("acme", "other", &key, CREATED)), None);
        assert_eq!(of(&event("acme", "files", &key, "Microsoft.Storage.BlobDeleted")), None);
        assert_eq!(of(&event("acme", "files", "run/1", CREATED)), None);
        assert_eq!(of("hello"), None);
        assert_eq!(of(&data_encoding::BASE64.encode(b"[]")), None);
    }
}

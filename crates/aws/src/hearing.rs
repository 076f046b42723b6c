//! Events of probes in the queue that the server hears from, taken without taking anything from the server.
//!
//! SQS cannot be looked into: whoever reads a message hides it from others for a while, and raises the number of times that it
//! was received. So what is not ours is given back as soon as the queue has been gone through, is hidden for [`HIDDEN`] at most,
//! and nothing is received where that number matters: dead letters.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use provision_core::provider::{Heard, Hearing, Listener};
use provision_core::refusal::Refusal;
use provision_core::retry::shortened;
use provision_core::{Error, ErrorKind, mark::Tags};
use serde_json::Value;
use tokio::time::Instant;

use crate::client::Writer;
use crate::client::sqs::Message;
use crate::names::Names;
use crate::resources::delivery::{self, FEWEST_RECEIVES};
use crate::resources::queue::policy;

/// How long a message is hidden from others once we have received it. It comes back by itself if we do not give it back.
const HIDDEN: Duration = Duration::from_secs(30);
/// How long we go through the queue at a time: what was received first must still be hidden at the end, else it would be received
/// twice. A thousand messages take two to ten.
const TURN: Duration = Duration::from_secs(20);
/// How long a poll waits where messages of others are held: all servers of the queue are asked then
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const SHORT: Duration = Duration::from_secs(1);
/// "Typically, event notifications are delivered in seconds but can sometimes take a minute or longer"
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html>).
const LIMIT: Duration = Duration::from_secs(120);
/// Messages that are given back at the same time.
const AT_ONCE: usize = 10;

/// Look whether the queue can be listened to.
pub(crate) async fn listen(writer: &Writer, queue: &str, names: &Names) -> Result<Hearing, Error> {
    let gone = || Ok(Hearing::Gone(format!("queue `{queue}` is not there")));
    let Some(url) = writer.reader().get_queue_url_now(queue).await? else { return gone() };
    let Some(attributes) = writer.reader().get_queue_attributes(queue, &url).await? else { return gone() };
    let most = delivery::receives(&attributes);
    if let Some(reason) = most.and_then(|most| harm(queue, most, &attributes)) {
        return Ok(Hearing::Unsafe(reason));
    }
    // One that cannot be read was told before.
    let policy = policy(&attributes, queue).unwrap_or_default();
    Ok(Hearing::At(Box::new(QueueListener {
        writer: writer.clone(),
        queue: queue.to_owned(),
        url,
        bucket: names.bucket.clone(),
        suspect: delivery::suspect(queue, &policy, names),
        keeping: delivery::may_keep_messages(&policy, names),
        most,
        held: Vec::new(),
        most_received: 0,
    })))
}

/// Why a receive could move a message of somebody else's to the queue of dead letters: how often those were received that are
/// there is not told before.
fn harm(queue: &str, most: u64, attributes: &Tags) -> Option<String> {
    let count = |name: &str| attributes.get(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    let waiting = count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible");
    if most < FEWEST_RECEIVES {
        return Some(format!(
            "queue `{queue}` moves a message to its dead letters after {most} receives, and looking for the event is one"
        ));
    }
    let waiting = match waiting {
        0 => return None,
        1 => "a message is".to_owned(),
        waiting => format!("{waiting} messages are"),
    };
    Some(format!(
        "{waiting} in queue `{queue}`, which moves a message to its dead letters after {most} receives; looking for the event \
         could be the last one"
    ))
}

/// A refusal, with the statements of the queue's own policy that it may be for: no grant helps against those.
fn explained(error: Error, queue: &str, keeping: &[String]) -> Error {
    if error.kind() != ErrorKind::PermissionDenied || keeping.is_empty() {
        return error;
    }
    let grant = error.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
    let keeping = keeping.join(" and ");
    error.with_hint(format!(
        "{grant}{keeping} of the policy of queue `{queue}`, which this deployment did not write, may deny it all the same: run \
         it from where that lets through, or change it"
    ))
}

/// A message of somebody else's that we hide.
struct Held {
    receipt: String,
    since: Instant,
}

struct QueueListener {
    writer: Writer,
    queue: String,
    url: String,
    bucket: String,
    /// What may keep events out.
    suspect: Option<Refusal>,
    /// Statements that may keep us from what is in it.
    keeping: Vec<String>,
    /// How often a message may be received, where there is such a limit.
    most: Option<u64>,
    /// Messages that are not ours.
    held: Vec<Held>,
    /// How often one of those was received.
    most_received: u64,
}

#[async_trait]
impl Listener for QueueListener {
    fn place(&self) -> String {
        format!("queue `{}`", self.queue)
    }

    fn hidden(&self) -> Duration {
        HIDDEN
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn suspect(&self) -> Option<&Refusal> {
        self.suspect.as_ref()
    }

    async fn hear(&mut self, wait: Duration, keys: &[String]) -> Result<Heard, Error> {
        self.heard(wait, keys).await.map_err(|error| explained(error, &self.queue, &self.keeping))
    }

    async fn close(&mut self) -> Result<(), Error> {
        // What is not hidden any more may be somebody else's by now.
        let hidden = |held: &&Held| held.since.elapsed() < shortened(HIDDEN);
        let give_back = |held: &Held| {
            let receipt = held.receipt.clone();
            let (writer, queue, url) = (&self.writer, &self.queue, &self.url);
            async move { writer.change_message_visibility(queue, url, &receipt).await }
        };
        let given: Vec<_> = self.held.iter().filter(hidden).map(give_back).collect();
        stream::iter(given).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.held.clear();
        Ok(())
    }
}

impl QueueListener {
    async fn heard(&mut self, wait: Duration, keys: &[String]) -> Result<Heard, Error> {
        let (begun, mut heard) = (Instant::now(), Heard::default());
        loop {
            let wait = if heard.others { SHORT } else { wait };
            let messages = self.writer.receive_message(&self.queue, &self.url, wait, HIDDEN).await?;
            let ended = messages.is_empty();
            heard.keys.extend(self.taken(messages, keys).await?);
            heard.others = !self.held.is_empty();
            if ended || !heard.keys.is_empty() || begun.elapsed() > shortened(TURN) {
                break;
            }
        }
        self.close().await?;
        heard.last = self.why_no_other_turn();
        heard.another_reader = heard.keys.is_empty() && !heard.others && self.others_hold_messages().await?;
        Ok(heard)
    }

    /// Delete the events of these probes, and give their keys; hold everything else.
    async fn taken(&mut self, messages: Vec<Message>, keys: &[String]) -> Result<Vec<String>, Error> {
        let mut ours = Vec::new();
        for message in messages {
            match key_of(&message.body, &self.bucket, keys) {
                Some(key) => ours.push((key, message.receipt)),
                None => {
                    self.most_received = self.most_received.max(message.received);
                    self.held.push(Held { receipt: message.receipt, since: Instant::now() });
                }
            }
        }
        for (_, receipt) in &ours {
            self.writer.delete_message(&self.queue, &self.url, receipt).await?;
        }
        Ok(ours.into_iter().map(|(key, _)| key).collect())
    }

    /// Another receive would be the last one of a message that the server is to get.
    fn why_no_other_turn(&self) -> Option<String> {
        let most = self.most.filter(|most| self.most_received + 1 >= *most)?;
        Some(format!(
            "a message in queue `{}` was received {} times, and is moved to its dead letters after {most}",
            self.queue, self.most_received
        ))
    }

    /// Whether messages are hidden that we do not hold.
    async fn others_hold_messages(&self) -> Result<bool, Error> {
        let attributes = self.writer.reader().get_queue_attributes(&self.queue, &self.url).await?.unwrap_or_default();
        Ok(attributes.get("ApproximateNumberOfMessagesNotVisible").is_some_and(|count| count != "0"))
    }
}

/// The key of the probe that a message tells of, and of nothing else
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
fn key_of(body: &str, bucket: &str, keys: &[String]) -> Option<String> {
    let message: Value = serde_json::from_str(body).ok()?;
    let [record] = message["Records"].as_array()?.as_slice() else { return None };
    let created = record["eventName"].as_str()?.starts_with("ObjectCreated:");
    let object = &record["s3"];
    let key = decoded(object["object"]["key"].as_str()?);
    (created && object["bucket"]["name"] == bucket && keys.contains(&key)).then_some(key)
}

/// A key as it is; events have it as in a form.
fn decoded(key: &str) -> String {
    percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::probe::Probes;
    use serde_json::json;

    fn event(bucket: &str, key: &str, name: &str) -> String {
        json!({"Records": [{"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]})
            .to_string()
    }

    #[test]
    fn only_events_of_these_probes_in_this_bucket_are_ours() {
        let probes = Probes::new("verify here/", "wandb");
        let key = probes.another().key;
        let encoded = key.replace(' ', "+").replace('/', "%2F");
        let of = |body: &str| key_of(body, "acme", std::slice::from_ref(&key));
        assert_eq!(of(&event("acme", &encoded, "ObjectCreated:Put")), Some(key.clone()));
        assert_eq!(of(&event("acme", &probes.another().key, "ObjectCreated:Put")), None);
        assert_eq!(of(&event("other", &encoded, "ObjectCreated:Put")), None);
        assert_eq!(of(&event("acme", &encoded, "ObjectRemoved:Delete")), None);
        assert_eq!(of(&event("acme", "run/1", "ObjectCreated:Put")), None);
        assert_eq!(of(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "acme"}).to_string()), None);
        assert_eq!(of("hello"), None);
        let two: Value = serde_json::from_str(&event("acme", &encoded, "ObjectCreated:Put")).unwrap();
        let two = json!({"Records": [two["Records"][0], two["Records"][0]]}).to_string();
        assert_eq!(of(&two), None);
    }

    #[test]
    fn nothing_is_received_where_it_could_be_the_last_time() {
        let attributes = |most: &str, waiting: &str| {
            let redrive = format!("{{\"deadLetterTargetArn\": \"arn:x\", \"maxReceiveCount\": {most}}}");
            let list = [("RedrivePolicy", redrive), ("ApproximateNumberOfMessages", waiting.to_owned())];
            list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Tags>()
        };
        let harmed = |most: &str, waiting: &str| {
            let attributes = attributes(most, waiting);
            delivery::receives(&attributes).and_then(|most| harm("q", most, &attributes))
        };
        assert_eq!(harmed("3", "0"), None);
        assert!(harmed("\"2\"", "0").unwrap().contains("after 2 receives"));
        assert!(harmed("1000", "7").unwrap().contains("7 messages"));
    }
}

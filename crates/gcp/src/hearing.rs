//! Events of probes, heard in a subscription of our own: each subscription of a topic gets its own copy of every message
//! (<https://cloud.google.com/pubsub/docs/subscription-overview>), so that the server's is not touched. That the server hears too
//! is known by how its subscription is attached.
//!
//! Ours is marked, gets nothing but what tells of probes, and goes when the listening is over. What a run leaves that was killed,
//! the next one removes at its end, or the service after a day.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use provision_core::mark::Tags;
use provision_core::probe::{METADATA, Probes};
use provision_core::provider::{Heard, Hearing, Listener};
use provision_core::retry::shortened;
use provision_core::{Error, ErrorKind};
use tokio::time::{Instant, sleep, timeout};

use crate::client::pubsub::{ExpirationPolicy, Message, Received, Subscription};
use crate::client::{Writer, json};
use crate::names::{LISTENING, Names, is_listening, short};
use crate::resources::subscription::deaf;

/// After how long without use it goes of itself, in seconds: "The minimum allowed value for `expirationPolicy.ttl` is 1 day"
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription.FIELDS.expiration_policy>).
const EXPIRES_S: i64 = 86_400;
/// How long it keeps messages, in seconds: no longer than it is there itself.
const KEEPS_S: i64 = 3_600;
/// The longest filter in bytes (<https://cloud.google.com/pubsub/quotas#resource_limits>).
const LONGEST_FILTER: usize = 256;
/// The service names no figure; of those that do none is longer.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a new subscription may not be shown.
const UNSEEN: Duration = Duration::from_secs(30);
/// The pause between two looks where there was nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// So long one answer is waited for at least. The service keeps a pull open longer than we want to wait; what it gives out after
/// that comes again.
const ROUND_TRIP: Duration = Duration::from_secs(3);
/// Messages that are pulled at once.
const MOST: u32 = 100;

/// Look whether the server would hear, and make the subscription in which we do.
pub(crate) async fn listen(
    writer: &Writer,
    names: &Names,
    topic: &str,
    subscription: &str,
    probes: &Probes,
) -> Result<Hearing, Error> {
    let all = Probes { prefix: LISTENING.to_owned(), owner: probes.owner.clone() };
    let (topic, subscription) = (names.topic_name(topic), names.subscription_name(subscription));
    let reader = writer.reader();
    let (left, found_topic, found) =
        futures::join!(left(writer, names, &all), reader.get_topic(&topic), reader.get_subscription(&subscription));
    let left = left?;
    if let Some(reason) = unheard(found_topic?.is_some(), found?.as_ref(), &topic, &subscription) {
        sweep(writer, &left, &all).await?;
        return Ok(Hearing::Gone(reason));
    }
    let ears = Ears {
        name: names.subscription_name(&all.another().key),
        writer: writer.clone(),
        topic,
        bucket: names.bucket.clone(),
        probes: probes.clone(),
        all,
        left,
    };
    match ears.made().await {
        Ok(()) => Ok(Hearing::At(Box::new(ears))),
        Err(error) => ears.removed().await.and(Err(error)),
    }
}

/// Why the server would hear of nothing.
fn unheard(topic_is_there: bool, found: Option<&Subscription>, topic: &str, subscription: &str) -> Option<String> {
    if !topic_is_there {
        return Some(format!("topic `{}` is not there", short(topic)));
    }
    let gone = || Some(format!("subscription `{}` is not there", short(subscription)));
    found.map_or_else(gone, |found| deaf(found, topic))
}

/// What is there of other runs of this deployment.
async fn left(writer: &Writer, names: &Names, all: &Probes) -> Result<Vec<String>, Error> {
    let listed = writer.reader().list_subscriptions(&names.project).await?;
    let left = listed.into_iter().filter(|found| is_listening(&found.name, &found.labels, all));
    Ok(left.map(|found| found.name).collect())
}

async fn sweep(writer: &Writer, left: &[String], all: &Probes) -> Result<(), Error> {
    try_join_all(left.iter().map(|name| remove(writer, name, all))).await.map(|_| ())
}

/// Whose it is, is looked at last: a list may be old.
async fn remove(writer: &Writer, name: &str, all: &Probes) -> Result<(), Error> {
    match writer.reader().get_subscription(name).await? {
        Some(found) if is_listening(&found.name, &found.labels, all) => writer.delete_subscription(name).await,
        _ => Ok(()),
    }
}

/// A subscription of our own.
struct Ears {
    writer: Writer,
    name: String,
    topic: String,
    bucket: String,
    probes: Probes,
    /// How it is told.
    all: Probes,
    /// Those of other runs that were there before: whoever is still at work then has had the time that we took.
    left: Vec<String>,
}

#[async_trait]
impl Listener for Ears {
    fn place(&self) -> String {
        format!("topic `{}`", short(&self.topic))
    }

    fn hidden(&self) -> Duration {
        Duration::ZERO
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn outlasted(&self) -> bool {
        false
    }

    async fn hear(&mut self, wait: Duration, keys: &[String]) -> Result<Heard, Error> {
        let until = Instant::now() + shortened(wait);
        loop {
            let messages = match self.pulled(until).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Heard { last: Some(self.displaced()), ..Heard::default() });
                }
                messages => messages?,
            };
            let key = |received: &Received| key_of(&received.message, &self.bucket, keys);
            let heard: Vec<_> = messages.iter().filter_map(key).collect();
            if !heard.is_empty() || Instant::now() >= until {
                return Ok(Heard { keys: heard, ..Heard::default() });
            }
            if messages.is_empty() {
                sleep(shortened(PAUSE)).await;
            }
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.removed().await
    }
}

impl Ears {
    /// Make it, and wait until it is shown: what is not cannot be removed either. Only what is published from then on is heard.
    async fn made(&self) -> Result<(), Error> {
        match self.writer.create_subscription(&self.desired()).await {
            // An answer that got lost: nobody else has its number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created?,
        }
        let begun = Instant::now();
        while self.writer.reader().get_subscription(&self.name).await?.is_none() {
            if begun.elapsed() > shortened(UNSEEN) {
                let error = Error::new(ErrorKind::Unavailable, format!("listen to topic `{}`", short(&self.topic)));
                return Err(error.with_message(format!("subscription `{}` is not shown", short(&self.name))));
            }
            sleep(shortened(PAUSE)).await;
        }
        Ok(())
    }

    fn desired(&self) -> Subscription {
        let seconds = |seconds| Some(json::Duration::of_seconds(seconds));
        Subscription {
            name: self.name.clone(),
            topic: self.topic.clone(),
            labels: Tags::from([(METADATA.to_owned(), self.all.owner.clone())]),
            message_retention_duration: seconds(KEEPS_S),
            expiration_policy: Some(ExpirationPolicy { ttl: seconds(EXPIRES_S) }),
            filter: filter(&self.probes),
            ..Subscription::default()
        }
    }

    /// What came, and is not to come again.
    async fn pulled(&self, until: Instant) -> Result<Vec<Received>, Error> {
        let wait = until.saturating_duration_since(Instant::now()).max(ROUND_TRIP);
        let messages = match timeout(wait, self.writer.pull(&self.name, MOST)).await {
            Ok(messages) => messages?,
            Err(_) => Vec::new(),
        };
        if !messages.is_empty() {
            let ids: Vec<_> = messages.iter().map(|message| message.ack_id.as_str()).collect();
            self.writer.acknowledge(&self.name, &ids).await?;
        }
        Ok(messages)
    }

    async fn removed(&self) -> Result<(), Error> {
        remove(&self.writer, &self.name, &self.all).await?;
        sweep(&self.writer, &self.left, &self.all).await
    }

    fn displaced(&self) -> String {
        format!(
            "subscription `{}`, in which the event was to be heard, was removed meanwhile: another `verify` of this deployment is \
             under way; run one at a time",
            short(&self.name)
        )
    }
}

/// What spares us everything else that is published (<https://cloud.google.com/pubsub/docs/subscription-message-filter>). There is
/// none where the text would have to be escaped, or is too long: then all is heard, and passed over.
fn filter(probes: &Probes) -> String {
    let stem = probes.stem();
    let filter = format!("hasPrefix(attributes.objectId, \"{stem}\")");
    let plain = stem.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte));
    if plain && filter.len() <= LONGEST_FILTER { filter } else { String::new() }
}

/// The key of the probe that a message tells of (<https://cloud.google.com/storage/docs/pubsub-notifications#attributes>).
fn key_of(message: &Message, bucket: &str, keys: &[String]) -> Option<String> {
    let is = |name: &str, value: &str| message.attributes.get(name).is_some_and(|found| found == value);
    let key = message.attributes.get("objectId").filter(|key| keys.contains(key))?;
    (is("eventType", "OBJECT_FINALIZE") && is("bucketId", bucket)).then(|| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::probe::PREFIX;

    #[test]
    fn only_events_of_these_probes_in_this_bucket_are_ours() {
        let probes = Probes::new(PREFIX, "wandb");
        let key = probes.another().key;
        let probed = key.clone();
        let of = |bucket: &str, key: &str, event: &str| {
            let attributes = [("bucketId", bucket), ("objectId", key), ("eventType", event)];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            key_of(&Message { attributes }, "acme", std::slice::from_ref(&probed))
        };
        assert_eq!(of("acme", &key, "OBJECT_FINALIZE"), Some(key.clone()));
        assert_eq!(of("other", &key, "OBJECT_FINALIZE"), None);
        assert_eq!(of("acme", &key, "OBJECT_DELETE"), None);
        assert_eq!(of("acme", &probes.another().key, "OBJECT_FINALIZE"), None);
        assert_eq!(key_of(&Message::default(), "acme", std::slice::from_ref(&key)), None);
    }

    #[test]
    fn what_a_filter_cannot_say_is_heard_and_passed_over() {
        let of = |prefix: &str| filter(&Probes::new(prefix, "wandb"));
        let owner = Probes::new("", "wandb").owner;
        assert_eq!(of("a b/"), format!("hasPrefix(attributes.objectId, \"a b/{owner}-\")"));
        for prefix in ["a\"b", "a\\b", "\u{e9}", &"a".repeat(250)] {
            assert_eq!(of(prefix), "", "{prefix}");
        }
    }
}

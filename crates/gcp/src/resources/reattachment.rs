//! A subscription of ours whose topic was deleted, or that was detached from it, is made again: it cannot be attached to a topic.
//!
//! What it had is put into a spare subscription first, which goes once the new one has it all: a run that is stopped in between
//! leaves the spare to the next one.

use std::time::Duration as Time;

use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::{Error, ErrorKind, RetryClass};

use crate::client::iam::{Binding, Policy};
use crate::client::pubsub::Subscription;
use crate::client::{POLICY_VERSION, Reader, Writer};
use crate::error::{NOT_SEEN, lacks_permission, settling};
use crate::names::{pubsub_identity, short};

/// What the service shows where the topic was deleted; the subscription never hears of anything again
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription.FIELDS.topic>).
pub(crate) const DELETED_TOPIC: &str = "_deleted-topic_";

/// A topic that was made a moment ago.
pub(crate) const TOPIC_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "Pub/Sub does not see the new topic everywhere yet", budget: Time::from_secs(30) };

/// What the name of a spare ends with, and the longest name of a subscription
/// (<https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>).
const SPARE: &str = "-provision-spare";
const LONGEST_NAME: usize = 255;

/// Make a subscription without a topic again, with the same settings, labels and policy. What still waits in it is lost;
/// nothing new would ever have come. Each step finds done what an earlier attempt, or an earlier run, did.
pub(crate) async fn attach_again(writer: &Writer, name: &str, topic: &str) -> Result<(), Error> {
    let reader = writer.reader();
    let (found, spare, new) =
        futures::join!(reader.get_subscription(name), spare_of(writer.reader(), name), reader.get_topic(topic));
    let (found, spare) = (found?, spare?);
    match (found, spare) {
        (Some(found), _) if found.topic == DELETED_TOPIC || found.detached => {
            // Nothing is deleted before the new topic is seen.
            if new?.is_none() {
                let error = Error::new(ErrorKind::NotFound, format!("topic `{}` is not there", short(topic)));
                return Err(error.with_retry(TOPIC_NOT_SEEN));
            }
            let spare = keep(writer, &found, topic).await?;
            writer.delete_subscription(name).await?;
            put_back(writer, name, &spare).await
        }
        (None, Some(spare)) => put_back(writer, name, &spare).await,
        (Some(_), Some(spare)) => give_back(writer, name, &spare).await,
        (Some(_), None) => Ok(()),
        (None, None) => Err(gone_error(name)),
    }
}

/// The same for one that was detached from its topic, or whose making again an earlier attempt began.
pub(crate) async fn attach_detached(writer: &Writer, name: &str) -> Result<(), Error> {
    let (found, spare) = futures::join!(writer.reader().get_subscription(name), spare_of(writer.reader(), name));
    let topic = match (found?, spare?) {
        (Some(found), _) if found.detached => found.topic,
        (_, Some(spare)) => spare.topic,
        _ => return Ok(()),
    };
    attach_again(writer, name, &topic).await
}

/// Give back what an earlier run put into the spare and was stopped before it had given all of it back. One that hears of nothing
/// is made again first, when its topic is written.
pub(crate) async fn finish(writer: &Writer, name: &str) -> Result<(), Error> {
    let (found, spare) = futures::join!(writer.reader().get_subscription(name), spare_of(writer.reader(), name));
    match (found?, spare?) {
        (Some(found), Some(spare)) if found.topic != DELETED_TOPIC && !found.detached => {
            give_back(writer, name, &spare).await
        }
        _ => Ok(()),
    }
}

/// What a subscription of this name had before it was taken down by a run that was stopped.
pub(crate) async fn spare_of(reader: &Reader, name: &str) -> Result<Option<Subscription>, Error> {
    let spare = spare_name(name);
    let found = match reader.get_subscription(&spare).await {
        // Whoever may only look at the subscription itself made no spare.
        Err(error) if lacks_permission(&error) => None,
        found => found?,
    };
    let ours = |mark: Mark| mark.is_for(&pubsub_identity(&spare));
    Ok(found.filter(|found| Mark::from_tags(&found.labels).is_some_and(ours)))
}

/// Others' labels of a spare.
pub(crate) fn kept_labels(spare: &Subscription) -> Tags {
    without_mark(&spare.labels)
}

/// Others' members of a spare's policy go into that of the new one; then nobody needs the spare any more.
pub(crate) async fn give_back(writer: &Writer, name: &str, spare: &Subscription) -> Result<(), Error> {
    let reader = writer.reader();
    let (kept, found) =
        futures::join!(reader.get_subscription_policy(&spare.name), reader.get_subscription_policy(name));
    if let Some(joined) = joined(&settling(found, true)?, &kept?.bindings) {
        settling(writer.set_subscription_policy(name, &joined).await, true)?;
    }
    writer.delete_subscription(&spare.name).await
}

/// Put all of a subscription into its spare.
async fn keep(writer: &Writer, found: &Subscription, topic: &str) -> Result<Subscription, Error> {
    let name = spare_name(&found.name);
    let labels = marked_for(&found.labels, &name);
    let spare = Subscription { name: name.clone(), labels, ..made_again(found.clone(), topic) };
    let policy = writer.reader().get_subscription_policy(&found.name).await?;
    match writer.create_subscription(&spare).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.with_retry(TOPIC_NOT_SEEN)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if spare_of(writer.reader(), &found.name).await?.is_none() {
                return Err(error.with_retry(NOT_SEEN));
            }
        }
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    let there = settling(writer.reader().get_subscription_policy(&name).await, true)?;
    if let Some(joined) = joined(&there, &policy.bindings) {
        settling(writer.set_subscription_policy(&name, &joined).await, true)?;
    }
    Ok(spare)
}

/// Make the subscription from its spare.
async fn put_back(writer: &Writer, name: &str, spare: &Subscription) -> Result<(), Error> {
    let labels = marked_for(&spare.labels, name);
    let again = Subscription { name: name.to_owned(), labels, ..spare.clone() };
    match writer.create_subscription(&again).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.with_retry(TOPIC_NOT_SEEN)),
        // The one that was deleted a moment ago may be known still: what is there must be the new one.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there = settling(writer.reader().get_subscription(name).await, true)?;
            if there.is_none_or(|there| there.topic != spare.topic || there.detached) {
                return Err(error.with_retry(NOT_SEEN));
            }
        }
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    give_back(writer, name, spare).await
}

/// The name of a subscription's spare.
pub(crate) fn spare_name(name: &str) -> String {
    let (folder, own) = name.rsplit_once('/').unwrap_or(("", name));
    let kept = own.len().min(LONGEST_NAME - SPARE.len());
    format!("{folder}/{}{SPARE}", &own[..kept])
}

/// Labels with the mark that is among them, as that of another full name.
fn marked_for(labels: &Tags, name: &str) -> Tags {
    let mut moved = without_mark(labels);
    if let Some(mark) = Mark::from_tags(labels) {
        let name_digest = Mark::unfinished("", Origin::Created, &pubsub_identity(name)).name_digest;
        moved.extend(Mark { name_digest, ..mark }.to_tags());
    }
    moved
}

/// A policy with these members in it too; `None` if they are.
fn joined(policy: &Policy, bindings: &[Binding]) -> Option<Policy> {
    let mut joined = Policy { version: POLICY_VERSION, ..policy.clone() };
    for kept in bindings {
        let same = |other: &&mut Binding| other.role == kept.role && other.condition == kept.condition;
        match joined.bindings.iter_mut().find(same) {
            Some(there) => {
                let missing: Vec<_> = kept.members.iter().filter(|one| !there.members.contains(one)).cloned().collect();
                there.members.extend(missing);
            }
            None => joined.bindings.push(kept.clone()),
        }
    }
    (joined.bindings != policy.bindings).then_some(joined)
}

pub(crate) fn gone_error(name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("subscription `{}` is gone", short(name)));
    error.with_hint("run `provision gcp plan` to see what is there now")
}

/// The settings of a subscription without what only the service says.
fn made_again(found: Subscription, topic: &str) -> Subscription {
    const OUTPUT: [&str; 3] = ["topicMessageRetentionDuration", "analyticsHubSubscriptionInfo", "state"];
    let mut again = Subscription { topic: topic.to_owned(), detached: false, ..found };
    again.more.retain(|field, _| !OUTPUT.contains(&field.as_str()));
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_spare_is_ours_by_its_own_name_and_has_the_same_record() {
        let (name, spare) = ("projects/p/subscriptions/s", "projects/p/subscriptions/s-provision-spare");
        assert_eq!(spare_name(name), spare);
        assert_eq!(short(&spare_name(&format!("projects/p/subscriptions/{}", "s".repeat(255)))).len(), LONGEST_NAME);
        let mark = Mark::unfinished("ab", Origin::Created, &pubsub_identity(name));
        let mut labels = mark.to_tags();
        labels.insert("theirs".to_owned(), "x".to_owned());
        let moved = marked_for(&labels, spare);
        assert!(Mark::from_tags(&moved).unwrap().is_for(&pubsub_identity(spare)) && moved["theirs"] == "x");
        assert_eq!(marked_for(&moved, name), labels);
    }

    #[test]
    fn members_join_those_of_the_same_role_and_condition() {
        let binding = |role: &str, members: &[&str]| Binding::new(role, members.iter().copied());
        let bindings = vec![binding("roles/viewer", &["user:a@b.c"])];
        let policy = Policy { bindings, ..Policy::default() };
        let kept = [binding("roles/viewer", &["user:a@b.c", "user:d@e.f"]), binding("roles/editor", &["user:g@h.i"])];
        let joined_once = joined(&policy, &kept).unwrap();
        let expected =
            [binding("roles/viewer", &["user:a@b.c", "user:d@e.f"]), binding("roles/editor", &["user:g@h.i"])];
        assert_eq!(joined_once.bindings, expected);
        assert!(joined(&joined_once, &kept).is_none());
    }

    #[test]
    fn a_subscription_made_again_is_the_same_on_another_topic() {
        let topic = "projects/acme-ml/topics/acme-wandb-events";
        let found = |more: Value| -> Subscription {
            let mut found = json!({"name": "projects/p/subscriptions/s", "filter": "attributes:a", "retryPolicy": {}});
            found.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            serde_json::from_value(found).unwrap()
        };
        let before = json!({"topic": DELETED_TOPIC, "detached": true, "state": "ACTIVE", "topicMessageRetentionDuration": "60s"});
        assert_eq!(made_again(found(before), topic), found(json!({"topic": topic})));
    }
}

//! A subscription of ours whose topic was deleted is made again: it cannot be attached to another topic.

use std::time::Duration as Time;

use provision_core::mark::without_mark;
use provision_core::{Error, ErrorKind, RetryClass};

use crate::client::Writer;
use crate::client::iam::Policy;
use crate::client::pubsub::Subscription;
use crate::error::settling;
use crate::names::short;
use crate::tags::labels_of;

/// What the service shows where the topic was deleted; the subscription never hears of anything again
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription.FIELDS.topic>).
pub(crate) const DELETED_TOPIC: &str = "_deleted-topic_";

/// A topic that was made a moment ago.
pub(crate) const TOPIC_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "Pub/Sub does not see the new topic everywhere yet", budget: Time::from_secs(30) };

/// A subscription of a deleted topic, while it is made again: everything of it, until it is written back.
#[derive(Debug)]
pub(crate) struct Held {
    subscription: Subscription,
    policy: Policy,
}

/// Make a subscription of a deleted topic again, with the same settings, labels and policy: a subscription cannot be
/// attached to another topic. What still waits in it is lost; nothing new would ever have come. `held` keeps what was read over
/// the repetitions of this write.
pub(crate) async fn attach_again(
    writer: &Writer,
    name: &str,
    topic: &str,
    held: &mut Option<Held>,
) -> Result<(), Error> {
    if held.is_none() {
        *held = take_down(writer, name, topic).await?;
    }
    let Some(kept) = held else { return Ok(()) };
    put_back(writer, kept, topic).await.map_err(|error| with_what_is_lost(error, kept))?;
    *held = None;
    Ok(())
}

/// Read the subscription and delete it; `None` where its topic is there. Nothing is deleted before the new topic is seen.
async fn take_down(writer: &Writer, name: &str, topic: &str) -> Result<Option<Held>, Error> {
    let reader = writer.reader();
    let (found, policy, new) =
        futures::join!(reader.get_subscription(name), reader.get_subscription_policy(name), reader.get_topic(topic));
    let subscription = found?.ok_or_else(|| gone_error(name))?;
    if subscription.topic != DELETED_TOPIC {
        return Ok(None);
    }
    let policy = policy?;
    if new?.is_none() {
        let error = Error::new(ErrorKind::NotFound, format!("topic `{}` is not there", short(topic)));
        return Err(error.with_retry(TOPIC_NOT_SEEN));
    }
    writer.delete_subscription(name).await?;
    Ok(Some(Held { subscription, policy }))
}

/// Each step finds done what an earlier attempt did.
async fn put_back(writer: &Writer, held: &Held, topic: &str) -> Result<(), Error> {
    match writer.create_subscription(&made_again(held.subscription.clone(), topic)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.with_retry(TOPIC_NOT_SEEN)),
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    if held.policy.bindings.is_empty() {
        return Ok(());
    }
    // The new one has a policy, and an etag, of its own.
    let policy = Policy::new().set_version(held.policy.version).set_bindings(held.policy.bindings.clone());
    settling(writer.set_subscription_policy(&held.subscription.name, &policy).await, true)
}

/// What nobody knows any more when this run ends without having written it back.
fn with_what_is_lost(error: Error, held: &Held) -> Error {
    let labels = without_mark(&labels_of(&held.subscription.labels));
    let labels = labels.iter().map(|(key, value)| format!("label {key}={value}"));
    let member = |role: &str, member: &String| format!("{role} for {member}");
    let bindings = held.policy.bindings.iter();
    let members = bindings.flat_map(|binding| binding.members.iter().map(move |one| member(&binding.role, one)));
    let lost: Vec<_> = labels.chain(members).collect();
    if lost.is_empty() {
        return error;
    }
    error.with_hint(format!(
        "subscription `{}` had these, which the next run does not know of: {}",
        short(&held.subscription.name),
        lost.join(", ")
    ))
}

pub(crate) fn gone_error(name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("subscription `{}` is gone", short(name)));
    error.with_hint("run `provision gcp plan` to see what is there now")
}

/// The settings of a subscription without what only the service says.
fn made_again(found: Subscription, topic: &str) -> Subscription {
    let mut again = found.set_topic(topic).set_detached(false);
    again.topic_message_retention_duration = None;
    again.analytics_hub_subscription_info = None;
    again.state = Subscription::new().state;
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Duration;
    use crate::client::iam::Binding;

    #[test]
    fn what_is_held_is_told_where_it_cannot_be_written_back() {
        let binding = Binding::new().set_role("roles/viewer").set_members(["user:a@b.c"]);
        let labels = [("theirs", "x"), ("provision-deployment", "ab")];
        let subscription = Subscription::new().set_name("projects/p/subscriptions/s").set_labels(labels);
        let held = Held { subscription, policy: Policy::new().set_bindings([binding]) };
        let error = with_what_is_lost(Error::new(ErrorKind::NotFound, "create"), &held);
        let advice = error.hint().unwrap();
        assert!(advice.contains("label theirs=x, roles/viewer for user:a@b.c") && !advice.contains("provision-"));
    }

    #[test]
    fn a_subscription_made_again_is_the_same_on_another_topic() {
        let topic = "projects/acme-ml/topics/acme-wandb-events";
        let plain = Subscription::new().set_name("projects/p/subscriptions/s").set_filter("attributes:a");
        let mut found = plain.clone().set_topic(DELETED_TOPIC).set_detached(true);
        found.topic_message_retention_duration = Some(Duration::clamp(60, 0));
        assert_eq!(made_again(found, topic), plain.set_topic(topic));
    }
}

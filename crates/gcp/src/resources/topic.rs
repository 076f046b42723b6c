//! `gcp.topic`: where the bucket publishes new files, and the right of Cloud Storage to do so.

use std::time::Duration;

use futures::future::join_all;
use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words, tags_in_words};
use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::mark::{TagChanges, with_changes};
use provision_core::probe::Probes;
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Orphan, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};

use crate::claims::Claims;
use crate::client::pubsub::Topic;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::error::{NOT_SEEN, absent, lacks_permission};
use crate::names::{LISTENING, Names, Part, is_listening, pubsub_identity, short};
use crate::policy::{self, PolicyTarget, entries, granted, has, looked_again, member_of, members, opened};
use crate::resources::{Facets, MOST_LABELS, Write, delivery};
use crate::tags::unmoved;

provision_core::facets! {
    /// Facets of the topic.
    pub(crate) enum TopicFacet {
        Publisher = ("publisher", 'p', NamedKeys, Anonymous, OwnCall),
        Delivery = ("delivery", 'd', Whole, Exclusive, SameCall),
        Labels = ("labels", 'g', Tags, Exclusive, SameCall),
    }
}

/// What Cloud Storage's service agent needs on the topic
/// (<https://cloud.google.com/storage/docs/reporting-changes#before-you-begin>).
pub(crate) const ROLES: [&str; 1] = ["roles/pubsub.publisher"];

/// A service agent is made when it is asked for, and known to IAM a little later
/// (<https://cloud.google.com/storage/docs/getting-service-agent>).
const AGENT_NOT_SEEN: RetryClass = RetryClass::Settling {
    reason: "IAM does not know the Cloud Storage service agent yet",
    budget: Duration::from_secs(60),
};

/// The topic, where there is one. Its mark goes after what is on record in every mark.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    let topic = names.topic.as_ref()?;
    Some(Resource {
        identity: pubsub_identity(&names.topic_name(topic)),
        adopt: settings.gcp.topic.adopt,
        deleted_after: [Part::Bucket, Part::Notification, Part::Access].map(Part::address).to_vec(),
        most_tags: MOST_LABELS,
        ..Part::Topic.resource(topic, TopicFacet::ALL)
    })
}

/// A topic that the plan file no longer names.
pub(crate) fn left_behind(orphan: &Orphan) -> Resource {
    Resource::new(orphan.address.clone(), Part::Topic.kind(), &orphan.name, TopicFacet::ALL)
}

/// The desired facets: this bucket's project may publish.
pub(crate) fn desired(settings: &Settings, names: &Names, origin: Origin) -> Vec<Desired> {
    let agent = names.agent.clone().unwrap_or_default();
    TopicFacet::all_desired(|facet| match facet {
        TopicFacet::Publisher => Some(facet.desired(granted(&agent, &ROLES), "gcp.topic")),
        // Nothing is to be in the way.
        TopicFacet::Delivery => (origin == Origin::Created).then(|| facet.desired(json!({}), "gcp.topic")),
        TopicFacet::Labels => {
            (!settings.labels().is_empty()).then(|| facet.desired(settings.labels(), "deployment.tags"))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: TopicFacet, value: &Value) -> Option<Words> {
    match facet {
        TopicFacet::Publisher => Some(("publisher", "Cloud Storage of this project only".to_owned())),
        TopicFacet::Delivery => None,
        TopicFacet::Labels => Some(("labels", tags_in_words(value))),
    }
}

/// The topic, its policy, and the service agent that is desired in it, at once.
pub(crate) async fn observe(
    reader: &Reader,
    topic: &str,
    agent: impl Future<Output = Result<String, Error>>,
    claims: &Claims,
    look_closer: impl FnOnce(&Topic),
) -> Result<Observation, Error> {
    let look = || futures::future::join(reader.get_topic(topic), reader.get_topic_policy(topic));
    let (first, agent) = futures::join!(look(), agent);
    agent?;
    let (Some(found), policy) = looked_again(first, look).await? else { return Ok(Observation::Absent) };
    look_closer(&found);
    let labels = &found.labels;
    policy.iter().for_each(|policy| claims.note_all(opened(&PolicyTarget::Topic(topic.to_owned()), policy)));
    let publisher = policy.map(|policy| members(&policy, entries(&policy, &ROLES)));
    let observed = TopicFacet::all_observed(|facet| match facet {
        TopicFacet::Publisher => facet.entries(publisher.clone()),
        TopicFacet::Delivery => facet.observed(Ok(delivery::of_topic(&found))),
        TopicFacet::Labels => facet.observed(Ok(without_mark(labels))),
    });
    let mark = Mark::from_tags(labels);
    // What is in the way on one that we made is taken off it.
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let selective = delivery::selective(&found).filter(|_| !created);
    let blockers = selective.map(|refusal| (TopicFacet::Publisher.spec().name, refusal)).into_iter().collect();
    Ok(Observation::Present(Box::new(Present { mark, observed, blockers, ..Present::default() })))
}

/// Whether the topic's policy lets Cloud Storage publish: what cannot be read says nothing against the grant that was there before.
pub(crate) async fn may_publish(reader: &Reader, names: &Names) -> bool {
    let (Some(topic), Some(agent)) = (&names.topic, &names.agent) else { return false };
    let policy = reader.get_topic_policy(&names.topic_name(topic)).await;
    match policy {
        Ok(policy) => has(&policy, ROLES[0], &member_of(agent)),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Create the topic with its labels.
pub(crate) async fn create(writer: &Writer, topic: &str, tags: &Tags) -> Result<Created, Error> {
    match writer.create_topic(topic, tags).await {
        Ok(()) => Ok(Created::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Existed),
        Err(error) => Err(error),
    }
}

/// The labels there are; `None` where there is no topic.
pub(crate) async fn tags(reader: &Reader, topic: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_topic(topic).await?.map(|topic| topic.labels))
}

/// Pub/Sub replaces all labels and knows no precondition: what others set since the last look is read once more.
pub(crate) async fn update_tags(writer: &Writer, name: &str, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
    let now = tags(writer.reader(), name).await?.unwrap_or_else(|| found.clone());
    unmoved("topic", short(name), found, &now, changes)?;
    let topic = Topic { name: name.to_owned(), labels: with_changes(&now, changes), ..Topic::default() };
    writer.update_topic(&topic, &["labels"]).await
}

/// Put `value` in place of `before` in one facet.
pub(crate) async fn write(writer: &Writer, topic: &str, write: &Write<'_>) -> Result<(), Error> {
    match TopicFacet::of(write.facet)? {
        TopicFacet::Publisher => {
            let target = PolicyTarget::Topic(topic.to_owned());
            let written = policy::write(writer, &target, write.before, write.value, write.just_created).await;
            written.map_err(explain)
        }
        TopicFacet::Delivery => clear_delivery(writer, topic).await,
        TopicFacet::Labels => Err(Error::bug("labels are written with the mark")),
    }
}

async fn clear_delivery(writer: &Writer, name: &str) -> Result<(), Error> {
    let Some(found) = writer.reader().get_topic(name).await? else {
        let error = Error::new(ErrorKind::Stale, format!("topic `{}` is gone", short(name)));
        return Err(error.with_hint("run `provision gcp plan` to see what is there now"));
    };
    let (passing, mask) = delivery::passing(&found);
    if mask.is_empty() { Ok(()) } else { writer.update_topic(&passing, &mask).await }
}

fn explain(error: Error) -> Error {
    let unknown_agent =
        error.kind() == ErrorKind::InvalidInput && error.message().is_some_and(|reason| reason.contains("not exist"));
    if unknown_agent { error.with_retry(AGENT_NOT_SEEN) } else { error }
}

/// Why the topic is not deleted: a subscription of somebody else's could never be attached to another one
/// (<https://cloud.google.com/pubsub/docs/delete-topic>). Buckets whose notifications go to it are not known: they cannot be
/// listed by topic.
pub(crate) async fn deletion_blockers(
    reader: &Reader,
    names: &Names,
    topic: &str,
    deployments: &[&str],
) -> Result<Option<Refusal>, Error> {
    let own = names.subscription.as_ref().map(|subscription| names.subscription_name(subscription));
    let attached = absent(reader.list_topic_subscriptions(topic).await)?.unwrap_or_default();
    let others = attached.into_iter().filter(|name| Some(name) != own.as_ref());
    let others = join_all(others.map(|name| anothers(reader, name, deployments))).await;
    let others: Vec<_> = others.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok((!others.is_empty()).then(|| attached_to(short(topic), &others)))
}

/// A subscription that is attached, unless it carries the deployment's mark, or a `verify` that was killed left it: what is left
/// over goes with the topic. One that is
/// listed and not there is new, or gone: a little later it is known.
async fn anothers(reader: &Reader, name: String, deployments: &[&str]) -> Result<Option<String>, Error> {
    let found = match reader.get_subscription(&name).await {
        Ok(Some(found)) => found,
        Ok(None) => return Err(unknown(&name)),
        // One of another project.
        Err(error) if lacks_permission(&error) => return Ok(Some(format!("`{name}`"))),
        Err(error) => return Err(error),
    };
    let mark = Mark::from_tags(&found.labels);
    let ours = mark.is_some_and(|mark| {
        deployments.contains(&mark.deployment.as_str()) && mark.is_for(&pubsub_identity(&found.name))
    });
    let heard = |deployment: &&str| is_listening(&name, &found.labels, &Probes::new(LISTENING, deployment));
    Ok((!ours && !deployments.iter().any(heard)).then(|| format!("`{name}`")))
}

fn unknown(subscription: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, format!("tell whether subscription `{subscription}` is there"));
    error.with_message("the topic has it, and it is not shown itself").with_retry(NOT_SEEN)
}

fn attached_to(topic: &str, others: &[String]) -> Refusal {
    Refusal {
        reason: format!(
            "topic `{topic}` has subscriptions of others, which would never hear of anything again: {}",
            others.join(", ")
        ),
        hint: "delete those subscriptions, or give them a topic of their own, then run the same command again"
            .to_owned(),
    }
}

/// Delete it, unless something of others is attached by now; one that is gone is deleted.
pub(crate) async fn delete(
    writer: &Writer,
    names: &Names,
    topic: &str,
    deployments: &[&str],
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    match deletion_blockers(writer.reader(), names, topic, deployments).await? {
        None => {
            context.still_ours().await?;
            writer.delete_topic(topic).await
        }
        Some(refusal) => {
            let error = Error::new(ErrorKind::Refused, format!("refused to delete topic `{}`", short(topic)));
            Err(error.with_message(refusal.reason).with_hint(refusal.hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::iam::{Binding, Policy};
    use crate::names::tests::{names, settings};

    #[test]
    fn the_right_to_publish_is_seen_as_wanted() {
        let names = names();
        let member = member_of(&names.agent.clone().unwrap());
        let binding = Binding::new(ROLES[0], ["user:a@b.c", &member]);
        let found = entries(&Policy { bindings: vec![binding], ..Policy::default() }, &ROLES);
        let desired = &desired(&settings(), &names, Origin::Adopted)[0];
        assert_eq!(desired.facet, TopicFacet::Publisher.spec());
        assert_eq!(found.iter().filter(|entry| entry.value == desired.value[ROLES[0]]).count(), 1);
    }

    #[test]
    fn an_agent_that_was_only_just_made_is_waited_for() {
        let error = |message: &str| Error::new(ErrorKind::InvalidInput, "x").with_message(message);
        let text = "Service account service-1@gs-project-accounts.iam.gserviceaccount.com does not exist.";
        assert_eq!(*explain(error(text)).retry(), AGENT_NOT_SEEN);
        assert_eq!(*explain(error("Role is not supported.")).retry(), RetryClass::Final);
    }
}

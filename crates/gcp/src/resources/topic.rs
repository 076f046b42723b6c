//! `gcp.topic`: where the bucket publishes new files, and the right of Cloud Storage to do so.

use std::time::Duration;

use provision_core::context::Watch;
use provision_core::facet::{Creation, Entries, Extent, Facet, Seen, Sharing, Want};
use provision_core::mark::{Mark, TagChanges, Tags, with_changes, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};

use crate::client::{Read as _, Reader, Writer, labels_of, short};
use crate::config::Settings;
use crate::error::absent;
use crate::policy::{self, Holder, entries, granted, has, member_of};
use crate::provider::Names;
use crate::resources::bucket::unknown_facet;

static PUBLISHER: Facet = Facet {
    name: "publisher",
    key: 'p',
    extent: Extent::NamedKeys,
    sharing: Sharing::Anonymous,
    creation: Creation::OwnCall,
};
static LABELS: Facet =
    Facet { name: "labels", key: 'g', extent: Extent::Tags, sharing: Sharing::Exclusive, creation: Creation::SameCall };

/// Every facet of a topic.
pub(crate) static FACETS: [&Facet; 2] = [&PUBLISHER, &LABELS];

/// What Cloud Storage's service agent needs on the topic
/// (<https://cloud.google.com/storage/docs/reporting-changes#before-you-begin>).
const ROLES: [&str; 1] = ["roles/pubsub.publisher"];

/// A service agent is made when it is asked for, and known to IAM a little later
/// (<https://cloud.google.com/storage/docs/getting-service-agent>).
const AGENT_NOT_SEEN: RetryClass = RetryClass::Settling {
    reason: "IAM does not know the Cloud Storage service agent yet",
    budget: Duration::from_secs(60),
};

/// What is wanted: this bucket's project may publish.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let agent = names.agent.clone().unwrap_or_default();
    let publisher = granted(&agent, &ROLES);
    let mut wants = vec![Want { facet: &PUBLISHER, value: publisher, path: "gcp.topic".to_owned() }];
    if !settings.labels().is_empty() {
        wants.push(Want { facet: &LABELS, value: json!(settings.labels()), path: "deployment.tags".to_owned() });
    }
    wants
}

/// The topic, its policy, and the service agent that is wanted in it, at once.
pub(crate) async fn observe(
    reader: &Reader,
    topic: &str,
    agent: impl Future<Output = Result<String, Error>>,
) -> Result<Observation, Error> {
    let (found, policy, agent) = futures::join!(reader.get_topic(topic), reader.get_topic_policy(topic), agent);
    agent?;
    let Some(found) = found? else { return Ok(Observation::Absent) };
    // It may have been deleted since the other read.
    if policy.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Observation::Absent);
    }
    let labels = labels_of(&found.labels);
    let publisher = match policy {
        Ok(policy) => Seen::Entries(Entries { list: entries(&policy, &ROLES), limit: None }),
        Err(error) => Seen::Unknown(error),
    };
    let mark = Mark::from_tags(&labels);
    let seen = vec![(PUBLISHER.name, publisher), (LABELS.name, Seen::Value(json!(without_mark(&labels))))];
    Ok(Observation::Present(Box::new(Present { mark, seen, ..Present::default() })))
}

/// Whether the topic's policy lets Cloud Storage publish, as far as it can be read.
pub(crate) async fn may_publish(reader: &Reader, names: &Names) -> bool {
    let (Some(topic), Some(agent)) = (&names.topic, &names.agent) else { return false };
    let policy = reader.get_topic_policy(&names.topic_name(topic)).await;
    policy.is_ok_and(|policy| has(&policy, ROLES[0], &member_of(agent)))
}

/// Create the topic with its labels.
pub(crate) async fn create(writer: &Writer, topic: &str, tags: &Tags) -> Result<Created, Error> {
    match writer.create_topic(topic, tags).await {
        Ok(()) => Ok(Created::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Existed),
        Err(error) => Err(error),
    }
}

/// Put `value` in place of `before` in one facet.
pub(crate) async fn write(
    writer: &Writer,
    topic: &str,
    facet: &str,
    before: &Value,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    if facet != PUBLISHER.name {
        return Err(unknown_facet(facet));
    }
    let holder = Holder::Topic(topic.to_owned());
    policy::write(writer, &holder, before, value, fresh).await.map_err(explain)
}

fn explain(error: Error) -> Error {
    let unseen =
        error.kind() == ErrorKind::InvalidInput && error.reason().is_some_and(|reason| reason.contains("not exist"));
    if unseen { error.retry(AGENT_NOT_SEEN) } else { error }
}

/// The labels there are; `None` where there is no topic.
pub(crate) async fn tags(reader: &Reader, topic: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_topic(topic).await?.map(|topic| labels_of(&topic.labels)))
}

/// Pub/Sub takes all labels at once, without a precondition.
pub(crate) async fn update_tags(writer: &Writer, topic: &str, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
    writer.update_topic_labels(topic, &with_changes(found, changes)).await
}

/// Why the topic is not deleted: a subscription of somebody else's could never be attached to another one
/// (<https://cloud.google.com/pubsub/docs/delete-topic>). Buckets whose notifications go to it are not known: they cannot be
/// listed by topic.
pub(crate) async fn in_the_way(
    reader: &Reader,
    names: &Names,
    topic: &str,
    deployments: &[&str],
) -> Result<Option<Refusal>, Error> {
    let own = names.subscription.as_ref().map(|subscription| names.subscription_name(subscription));
    let attached = absent(reader.list_topic_subscriptions(topic).await)?.unwrap_or_default();
    let others: Vec<_> = attached.into_iter().filter(|name| Some(name) != own.as_ref()).collect();
    if others.is_empty() {
        return Ok(None);
    }
    let ours = marked(reader, &names.project, deployments).await?;
    let others: Vec<_> = others.iter().filter(|name| !ours.contains(name)).map(|name| format!("`{name}`")).collect();
    Ok((!others.is_empty()).then(|| attached_to(short(topic), &others)))
}

/// The subscriptions of the project that carry the deployment's mark: what is left over goes with the topic.
async fn marked(reader: &Reader, project: &str, deployments: &[&str]) -> Result<Vec<String>, Error> {
    let found = reader.list_subscriptions(project).await?;
    let ours = found.into_iter().filter(|found| {
        let mark = Mark::from_tags(&labels_of(&found.labels));
        mark.is_some_and(|mark| deployments.contains(&mark.deployment.as_str()) && mark.is_for(&identity(&found.name)))
    });
    Ok(ours.map(|found| found.name).collect())
}

/// The full name in which marks know something of Pub/Sub's.
pub(crate) fn identity(name: &str) -> String {
    format!("//pubsub.googleapis.com/{name}")
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
    watch: &Watch<'_>,
) -> Result<(), Error> {
    match in_the_way(writer.reader(), names, topic, deployments).await? {
        None => {
            watch.still_ours().await?;
            writer.delete_topic(topic).await
        }
        Some(refusal) => {
            let error = Error::new(ErrorKind::Refused, format!("refused to delete topic `{}`", short(topic)));
            Err(error.message(refusal.reason).hint(refusal.hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Binding, Policy};
    use crate::provider::tests::{names, settings};

    #[test]
    fn the_right_to_publish_is_seen_as_wanted() {
        let names = names();
        let member = member_of(&names.agent.clone().unwrap());
        let binding = Binding::new().set_role(ROLES[0]).set_members(["user:a@b.c", &member]);
        let found = entries(&Policy::new().set_bindings([binding]), &ROLES);
        let want = &want(&settings(), &names)[0];
        assert_eq!(want.facet.name, PUBLISHER.name);
        assert_eq!(found.iter().filter(|entry| entry.value == want.value[ROLES[0]]).count(), 1);
    }

    #[test]
    fn an_agent_that_was_only_just_made_is_waited_for() {
        let error = |message: &str| Error::new(ErrorKind::InvalidInput, "x").message(message);
        let text = "Service account service-1@gs-project-accounts.iam.gserviceaccount.com does not exist.";
        assert_eq!(*explain(error(text)).retry_class(), AGENT_NOT_SEEN);
        assert_eq!(*explain(error("Role is not supported.")).retry_class(), RetryClass::Final);
    }
}

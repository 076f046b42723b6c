//! `gcp.topic`: where the bucket publishes new files, and the right of Cloud Storage to do so.

use std::time::Duration;

use provision_core::mark::{KEYS, Mark, may_be_written};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Seen, Shape, Want};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::{Labels, Policy, Reader, Writer, labels_of};
use crate::config::Settings;
use crate::policy::{Holder, grant, member_of, others, revoke, roles_of};
use crate::provider::Names;
use crate::resources::bucket::{appeared, gone, is_made_by, labels_in, others_labels, unknown_facet};

static PUBLISHER: Facet = Facet { name: "publisher", key: 'p', shape: Shape::Whole, at_creation: AtCreation::Written };
static LABELS: Facet = Facet { name: "labels", key: 'g', shape: Shape::Keys, at_creation: AtCreation::Included };

/// Facets of which only an entry is ours.
pub(crate) const ENTRIES: [&str; 1] = ["publisher"];

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
    let mut wants = vec![Want { facet: &PUBLISHER, value: publisher(&agent), path: "gcp.topic".to_owned() }];
    if !settings.labels().is_empty() {
        wants.push(Want { facet: &LABELS, value: json!(settings.labels()), path: "deployment.tags".to_owned() });
    }
    wants
}

fn publisher(agent: &str) -> Value {
    json!({"member": member_of(agent), "role": ROLES[0]})
}

/// The topic, its policy, and the service agent whose right to publish is looked for, at once.
pub(crate) async fn observe(
    reader: &Reader,
    topic: &str,
    agent: impl Future<Output = Result<String, Error>>,
) -> Result<Observation, Error> {
    let (found, policy, agent) = futures::join!(reader.get_topic(topic), reader.get_topic_policy(topic), agent);
    let agent = agent?;
    let Some(found) = found? else { return Ok(Observation::Absent) };
    let labels = labels_of(&found.labels);
    let mut kept = Vec::new();
    let publisher = match policy {
        Ok(policy) => {
            let member = member_of(&agent);
            let others = others(&policy, &member, &ROLES).into_iter();
            kept.extend(others.map(|entry| Kept { facet: PUBLISHER.name.to_owned(), entry }));
            Seen::Value(seen_publisher(&policy, &agent))
        }
        Err(error) => Seen::Unknown(error),
    };
    let seen = vec![(PUBLISHER.name, publisher), (LABELS.name, Seen::Value(json!(others_labels(&labels))))];
    let mark = Mark::from_tags(&labels);
    Ok(Observation::Present(Box::new(Present {
        mark,
        seen,
        nameless: vec![PUBLISHER.name],
        kept,
        ..Present::default()
    })))
}

fn seen_publisher(policy: &Policy, agent: &str) -> Value {
    match roles_of(policy, &member_of(agent), &ROLES).is_empty() {
        true => Value::Null,
        false => publisher(agent),
    }
}

/// Whether the topic's policy lets Cloud Storage publish, as far as it can be read.
pub(crate) async fn may_publish(reader: &Reader, names: &Names) -> bool {
    let (Some(topic), Some(agent)) = (&names.topic, &names.agent) else { return false };
    let policy = reader.get_topic_policy(&names.topic_name(topic)).await;
    policy.is_ok_and(|policy| !seen_publisher(&policy, agent).is_null())
}

/// Create the topic with its labels.
pub(crate) async fn create(
    writer: &Writer,
    topic: &str,
    identity: &str,
    facets: &Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    let mut labels = facets.get(LABELS.name).map(labels_in).unwrap_or_default();
    labels.extend(mark.to_tags());
    match writer.create_topic(topic, &labels).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = self::labels(reader(writer), topic).await?;
            if is_made_by(&found, mark, identity) {
                Ok(())
            } else {
                Err(appeared("topic", crate::client::short(topic)))
            }
        }
        created => created,
    }
}

fn reader(writer: &Writer) -> &Reader {
    crate::client::Read::reader(writer)
}

/// Write one facet; `null` takes our member out of the policy.
pub(crate) async fn write(
    writer: &Writer,
    topic: &str,
    agent: &str,
    facet: &str,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    match facet {
        "labels" => merge_labels(writer, topic, &labels_in(value)).await,
        "publisher" => write_publisher(writer, topic, agent, value, fresh).await,
        other => Err(unknown_facet(other)),
    }
}

async fn write_publisher(writer: &Writer, topic: &str, agent: &str, value: &Value, fresh: bool) -> Result<(), Error> {
    let holder = Holder::Topic(topic.to_owned());
    match value["member"].as_str() {
        Some(member) => grant(writer, &holder, member, &ROLES, fresh).await.map_err(explain),
        None => revoke(writer, &holder, &member_of(agent), &ROLES).await,
    }
}

fn explain(error: Error) -> Error {
    let unseen =
        error.kind() == ErrorKind::InvalidInput && error.reason().is_some_and(|reason| reason.contains("not exist"));
    if unseen { error.retry(AGENT_NOT_SEEN) } else { error }
}

/// Put labels beside those there are.
pub(crate) async fn merge_labels(writer: &Writer, topic: &str, ours: &Labels) -> Result<(), Error> {
    let found = existing_labels(writer, topic).await?;
    put_merged(writer, topic, found, ours).await
}

async fn existing_labels(writer: &Writer, topic: &str) -> Result<Labels, Error> {
    let found = reader(writer).get_topic(topic).await?;
    let found = found.ok_or_else(|| gone("topic", crate::client::short(topic)))?;
    Ok(labels_of(&found.labels))
}

async fn put_merged(writer: &Writer, topic: &str, found: Labels, ours: &Labels) -> Result<(), Error> {
    let mut merged = found.clone();
    merged.extend(ours.clone());
    if merged == found {
        return Ok(());
    }
    writer.update_topic_labels(topic, &merged).await
}

/// The labels there are.
pub(crate) async fn labels(reader: &Reader, topic: &str) -> Result<Labels, Error> {
    Ok(reader.get_topic(topic).await?.map(|topic| labels_of(&topic.labels)).unwrap_or_default())
}

/// Write the mark; stops if somebody else's hand is on it.
pub(crate) async fn record(
    writer: &Writer,
    topic: &str,
    read: Option<Labels>,
    before: Option<&Mark>,
    mark: &Mark,
) -> Result<(), Error> {
    let found = match read {
        Some(found) => found,
        None => existing_labels(writer, topic).await?,
    };
    may_be_written(
        "gcp",
        &format!("topic `{}`", crate::client::short(topic)),
        Mark::from_tags(&found).as_ref(),
        before,
        mark,
    )?;
    put_merged(writer, topic, found, &mark.to_tags()).await
}

/// Take our member and our mark off, and leave everything else.
pub(crate) async fn unmark(writer: &Writer, topic: &str, agent: &str) -> Result<(), Error> {
    let Some(found) = reader(writer).get_topic(topic).await? else { return Ok(()) };
    let mut labels = labels_of(&found.labels);
    if Mark::from_tags(&labels).is_some_and(|mark| mark.wrote(PUBLISHER.key)) {
        revoke(writer, &Holder::Topic(topic.to_owned()), &member_of(agent), &ROLES).await?;
    }
    labels.retain(|key, _| !KEYS.contains(&key.as_str()));
    if labels.len() == found.labels.len() {
        return Ok(());
    }
    writer.update_topic_labels(topic, &labels).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Binding;
    use crate::provider::tests::{names, settings};

    #[test]
    fn the_right_to_publish_is_seen_as_wanted() {
        let names = names();
        let agent = names.agent.clone().unwrap();
        let binding = Binding::new().set_role(ROLES[0]).set_members([member_of(&agent)]);
        let policy = Policy::new().set_bindings([binding]);
        assert_eq!(seen_publisher(&policy, &agent), want(&settings(), &names)[0].value);
        assert_eq!(seen_publisher(&Policy::new(), &agent), Value::Null);
    }

    #[test]
    fn an_agent_that_was_only_just_made_is_waited_for() {
        let error = |message: &str| Error::new(ErrorKind::InvalidInput, "x").message(message);
        let text = "Service account service-1@gs-project-accounts.iam.gserviceaccount.com does not exist.";
        assert_eq!(*explain(error(text)).retry_class(), AGENT_NOT_SEEN);
        assert_eq!(*explain(error("Role is not supported.")).retry_class(), RetryClass::Final);
    }
}

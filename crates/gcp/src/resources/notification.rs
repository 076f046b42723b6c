//! `gcp.notification`: our entry among the bucket's notifications, from every new object to the topic.
//!
//! Entries have no name, cannot be changed, and the same one is taken twice, so that every event comes twice
//! (<https://cloud.google.com/storage/docs/pubsub-notifications>). Ours is known by everything it says: topic, events,
//! prefix, format.

use std::time::Duration;

use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};

use crate::client::{Notification, Read as _, Reader, Writer, labels_of};
use crate::provider::Names;
use crate::resources::topic;

static ENTRY: Facet = Facet { name: "entry", key: 'n', shape: Shape::Whole, at_creation: AtCreation::Written };

/// "Sent when a new object (or a new generation of an existing object) is successfully created in the bucket"
/// (<https://cloud.google.com/storage/docs/pubsub-notifications#events>).
const CREATED: &str = "OBJECT_FINALIZE";

/// The object's metadata, as the server reads it (<https://cloud.google.com/storage/docs/pubsub-notifications#payload>).
const FORMAT: &str = "JSON_API_V1";

/// How topics are named here.
const TOPICS: &str = "//pubsub.googleapis.com/";

/// "In general, policy changes take effect within 2 minutes. However, in some cases, it can take 7 minutes or more"
/// (<https://cloud.google.com/iam/docs/access-change-propagation>).
const GRANT_NOT_SEEN: RetryClass = RetryClass::Settling {
    reason: "Cloud Storage's new right to publish to the topic is not known everywhere yet; IAM takes minutes",
    budget: Duration::from_secs(300),
};

/// An answer that was lost: the next attempt lists before it makes another.
const NOT_KNOWN: RetryClass = RetryClass::Settling {
    reason: "whether the notification was made is not known, since the answer was lost",
    budget: Duration::from_secs(60),
};

/// A refusal for the rate: nothing was made.
const TOO_FAST: RetryClass =
    RetryClass::Settling { reason: "Cloud Storage asks to slow down", budget: Duration::from_secs(60) };

/// What is wanted: the entry, or none where there is no topic.
pub(crate) fn want(names: &Names) -> Vec<Want> {
    vec![Want { facet: &ENTRY, value: wanted(names), path: "gcp.topic".to_owned() }]
}

fn wanted(names: &Names) -> Value {
    names
        .topic
        .as_ref()
        .map_or(Value::Null, |topic| json!({"topic": names.topic_name(topic), "events": [CREATED], "format": FORMAT}))
}

/// The list, and the bucket whose mark says what we last made.
pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let (list, bucket) = futures::join!(reader.list_notifications(&names.bucket), reader.get_bucket(&names.bucket));
    let read = list.and_then(|list| Ok((list, bucket?)));
    Ok(match read {
        Ok((list, bucket)) => {
            let mark = bucket.and_then(|bucket| Mark::from_tags(&labels_of(&bucket.labels)));
            Observation::Present(Box::new(present(&list, mark.as_ref(), names)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Observation::Absent,
        Err(error) => {
            let seen = vec![(ENTRY.name, Seen::Unknown(error))];
            Observation::Present(Box::new(Present { seen, ..Present::default() }))
        }
    })
}

fn present(list: &[Notification], mark: Option<&Mark>, names: &Names) -> Present {
    let (ours, others): (Vec<_>, Vec<_>) = list.iter().partition(|entry| is_ours(entry, mark, names));
    let kept = others.iter().map(|entry| Kept { facet: ENTRY.name.to_owned(), entry: describe(entry) }).collect();
    let overlap = others.iter().find(|entry| overlaps(entry, names));
    let obstacles = overlap.map(|entry| (ENTRY.name, twice(&names.bucket, entry))).into_iter().collect();
    Present { seen: vec![(ENTRY.name, Seen::Value(seen(&ours, names)))], kept, obstacles, ..Present::default() }
}

/// What is wanted, or what we made before.
fn is_ours(entry: &Notification, mark: Option<&Mark>, names: &Names) -> bool {
    let value = value(entry);
    let recorded = mark.is_some_and(|mark| mark.recorded(ENTRY.key).is(&value));
    recorded || provision_core::compare::same(&value, &wanted(names))
}

/// An entry in normal form: without events it takes all.
fn value(entry: &Notification) -> Value {
    let mut events = entry.event_types.clone();
    events.sort();
    let mut value = json!({
        "topic": entry.topic.trim_start_matches(TOPICS),
        "events": events,
        "format": entry.payload_format,
    });
    if !entry.object_name_prefix.is_empty() {
        value["prefix"] = json!(entry.object_name_prefix);
    }
    if !entry.custom_attributes.is_empty() {
        value["attributes"] = json!(entry.custom_attributes);
    }
    value
}

/// Several of ours are more than is wanted: the server would hear everything as often.
fn seen(ours: &[&Notification], names: &Names) -> Value {
    let wanted = wanted(names);
    let exact = ours.iter().find(|entry| provision_core::compare::same(&value(entry), &wanted));
    let Some(entry) = exact.or(ours.first()) else { return Value::Null };
    let mut seen = value(entry);
    if ours.len() > 1 {
        seen["copies"] = json!(ours.len());
    }
    seen
}

fn describe(entry: &Notification) -> String {
    let events = if entry.event_types.is_empty() { "all events".to_owned() } else { entry.event_types.join(", ") };
    let prefix = match entry.object_name_prefix.as_str() {
        "" => String::new(),
        prefix => format!(" of `{prefix}...`"),
    };
    format!("notification `{}` of {events}{prefix} to {}", entry.id, entry.topic.trim_start_matches(TOPICS))
}

/// Ours takes every new object, so that any other to the same topic makes some of them come twice.
fn overlaps(entry: &Notification, names: &Names) -> bool {
    let topic = names.topic.as_ref().map(|topic| names.topic_name(topic));
    let same = topic.is_some_and(|topic| entry.topic.trim_start_matches(TOPICS) == topic);
    same && (entry.event_types.is_empty() || entry.event_types.iter().any(|event| event == CREATED))
}

fn twice(bucket: &str, entry: &Notification) -> Refusal {
    Refusal {
        reason: format!("bucket `{bucket}` already sends new objects to this topic: {}", describe(entry)),
        hint: format!(
            "the server would hear of each twice: choose another `name` under [gcp.topic], or remove that entry with \
             `gcloud storage buckets notifications delete projects/_/buckets/{bucket}/notificationConfigs/{}`",
            entry.id
        ),
    }
}

/// Make our entry exactly once, or take it out.
pub(crate) async fn write(writer: &Writer, names: &Names, value: &Value, fresh: bool) -> Result<(), Error> {
    let (list, mark) = if fresh { (Vec::new(), None) } else { read(writer.reader(), names).await? };
    let exact = |entry: &&Notification| provision_core::compare::same(&self::value(entry), value);
    if !value.is_null() && !list.iter().any(|entry| exact(&entry)) {
        insert(writer, names, value).await?;
    }
    // Another run may have made the same one at the same time: both see both, and keep the first.
    let list = if value.is_null() { list } else { writer.reader().list_notifications(&names.bucket).await? };
    let keep = list.iter().filter(exact).min_by_key(|entry| number(entry)).map(|entry| entry.id.clone());
    let ours = list.iter().filter(|entry| exact(entry) || is_ours(entry, mark.as_ref(), names));
    let surplus = ours.filter(|entry| Some(&entry.id) != keep.as_ref());
    let deletes = surplus.map(|entry| writer.delete_notification(&names.bucket, &entry.id));
    futures::future::join_all(deletes).await.into_iter().collect()
}

/// Ids count up.
fn number(entry: &Notification) -> (u64, String) {
    (entry.id.parse().unwrap_or(u64::MAX), entry.id.clone())
}

async fn read(reader: &Reader, names: &Names) -> Result<(Vec<Notification>, Option<Mark>), Error> {
    let (list, bucket) = futures::join!(reader.list_notifications(&names.bucket), reader.get_bucket(&names.bucket));
    let list = match list {
        // With the bucket its entries are gone.
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        list => list?,
    };
    Ok((list, bucket?.and_then(|bucket| Mark::from_tags(&labels_of(&bucket.labels)))))
}

/// Once. An answer that was lost is no reason to send the request again: the list says whether it had its effect.
async fn insert(writer: &Writer, names: &Names, value: &Value) -> Result<(), Error> {
    let error = match writer.insert_notification(&names.bucket, &entry_of(value)).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.retry_class() {
        RetryClass::Transient => {}
        RetryClass::Throttled(_) => return Err(error.retry(TOO_FAST)),
        _ if is_about_publishing(&error) => {
            let granted = topic::may_publish(writer.reader(), names).await;
            return Err(explain(error, names, granted));
        }
        _ => return Err(error),
    }
    let list = writer.reader().list_notifications(&names.bucket).await?;
    let made = list.iter().any(|entry| provision_core::compare::same(&self::value(entry), value));
    if made { Ok(()) } else { Err(error.retry(NOT_KNOWN)) }
}

fn entry_of(value: &Value) -> Notification {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let events = value["events"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    Notification {
        topic: format!("{TOPICS}{}", text("topic")),
        payload_format: text("format").to_owned(),
        event_types: events.collect(),
        ..Notification::default()
    }
}

/// Cloud Storage asks for the right to publish, in two ways of saying so.
fn is_about_publishing(error: &Error) -> bool {
    let about = ["permission to publish", "topic not found"];
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
        && error.reason().is_some_and(|reason| about.iter().any(|words| reason.contains(words)))
}

/// Where the topic's policy gives the right, it is only a matter of time until Cloud Storage knows; otherwise somebody took
/// it away.
fn explain(error: Error, names: &Names, granted: bool) -> Error {
    let agent = names.agent.as_deref().unwrap_or("the Cloud Storage service agent");
    if granted {
        let hint = format!(
            "{agent} has `roles/pubsub.publisher` on the topic, which IAM sometimes takes longer than seven minutes to spread; \
             run the same command again: it goes on waiting"
        );
        return error.hint(hint).retry(GRANT_NOT_SEEN);
    }
    error.hint(format!(
        "{agent} needs `roles/pubsub.publisher` on the topic, and somebody took it away: run the same command again, which \
         gives it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::names;
    use provision_core::digest::of_value;
    use provision_core::mark::{Origin, Spec};

    fn entry(id: &str, topic: &str, events: &[&str]) -> Notification {
        Notification {
            id: id.to_owned(),
            topic: format!("{TOPICS}projects/acme-ml/topics/{topic}"),
            payload_format: FORMAT.to_owned(),
            event_types: events.iter().map(|event| (*event).to_owned()).collect(),
            ..Notification::default()
        }
    }

    fn ours(id: &str) -> Notification {
        entry(id, "acme-wandb-events", &[CREATED])
    }

    fn seen_of(list: &[Notification]) -> Value {
        match &present(list, None, &names()).seen[0].1 {
            Seen::Value(value) => value.clone(),
            Seen::Unknown(error) => panic!("{error}"),
        }
    }

    #[test]
    fn ours_is_known_by_all_it_says() {
        assert_eq!(seen_of(&[ours("1")]), wanted(&names()));
        assert_eq!(entry_of(&wanted(&names())), Notification { id: String::new(), ..ours("1") });
        let prefixed = Notification { object_name_prefix: "a/".to_owned(), ..ours("2") };
        for other in [entry("3", "other", &[CREATED]), entry("4", "acme-wandb-events", &["OBJECT_DELETE"]), prefixed] {
            assert_eq!(seen_of(std::slice::from_ref(&other)), Value::Null);
            assert_eq!(present(&[other], None, &names()).kept.len(), 1);
        }
    }

    #[test]
    fn copies_of_ours_are_a_difference() {
        assert_eq!(seen_of(&[ours("1"), ours("2")])["copies"], 2);
    }

    #[test]
    fn what_we_made_before_is_ours_still() {
        let old = entry("1", "old", &[CREATED]);
        let digests = [(ENTRY.key, of_value(&value(&old)))].into();
        let mark = Mark { spec: Spec::Written(digests), ..Mark::unfinished("ab", Origin::Created, "x") };
        assert!(is_ours(&old, Some(&mark), &names()));
        assert!(!is_ours(&old, None, &names()));
    }

    #[test]
    fn another_entry_to_our_topic_is_refused_only_if_it_takes_new_objects() {
        let refused =
            |events: &[&str]| !present(&[entry("1", "acme-wandb-events", events)], None, &names()).obstacles.is_empty();
        assert!(refused(&[]) && refused(&["OBJECT_DELETE", CREATED]));
        assert!(!refused(&["OBJECT_DELETE"]));
    }

    /// The two texts of <https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/433> and
    /// <https://github.com/googleapis/nodejs-storage/issues/1402>.
    #[test]
    fn a_grant_is_waited_for_where_the_policy_has_it() {
        let denied = "The service account 'service-1@gs-project-accounts.iam.gserviceaccount.com' does not have permission to \
                      publish messages to the Cloud Pub/Sub topic '//pubsub.googleapis.com/projects/p/topics/t', or that \
                      topic does not exist.";
        let invalid =
            "topic not found, or user service-1@gs-project-accounts.iam.gserviceaccount.com does not have permission";
        for (kind, text) in [(ErrorKind::PermissionDenied, denied), (ErrorKind::InvalidInput, invalid)] {
            let error = || Error::new(kind, "x").message(text);
            assert!(is_about_publishing(&error()));
            assert_eq!(*explain(error(), &names(), true).retry_class(), GRANT_NOT_SEEN);
            assert_eq!(*explain(error(), &names(), false).retry_class(), RetryClass::Final);
        }
        let other = Error::new(ErrorKind::InvalidInput, "x").message("Invalid argument");
        assert!(!is_about_publishing(&other));
    }
}

//! `gcp.notification`: our entry among the bucket's notifications, from every new object to the topic.
//!
//! Entries have no name, cannot be changed, and the same one is taken twice, so that every event comes twice
//! (<https://cloud.google.com/storage/docs/pubsub-notifications>). Whose one is, the mark of the bucket has to say; it is known
//! again by everything it says: topic, events, prefix, format.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provision_core::compare::same;
use provision_core::facet::{Desired, Entries, Entry, Words};
use provision_core::refusal::Refusal;
use provision_core::resource::{MarkHolder, Observation, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::notifications::Notification;
use crate::client::{Reader, Writer};
use crate::names::{Names, Part};
use crate::resources::{Facets, Write, bucket, topic, typed};

provision_core::facets! {
    /// Facets of the notification.
    pub(crate) enum NotificationFacet {
        Entry = ("entry", 'n', Whole, Anonymous, OwnCall),
    }
}

/// An entry in normal form: everything it says. Without events it takes all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    topic: String,
    events: BTreeSet<String>,
    format: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    prefix: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// How many a bucket takes, and how many of them for one event
/// (<https://cloud.google.com/storage/quotas#pubsub-notifications>).
const MOST: usize = 100;
const MOST_OF_AN_EVENT: usize = 10;

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

pub(crate) fn resource(names: &Names) -> Resource {
    Resource {
        path: "gcp.topic".to_owned(),
        mark_holder: MarkHolder::On(Part::Bucket.address()),
        deleted_with_holder: true,
        needs: vec![Part::Bucket.address(), Part::Topic.address()],
        lane: Some(bucket::LANE),
        ..Part::Notification.resource(&names.bucket, NotificationFacet::ALL)
    }
}

/// The desired facets: the entry, or none where there is no topic.
pub(crate) fn desired(names: &Names) -> Vec<Desired> {
    let desired = |topic: &String| {
        let topic = names.topic_name(topic);
        let (events, format) = (BTreeSet::from([CREATED.to_owned()]), FORMAT.to_owned());
        let said = Said { topic, events, format, prefix: String::new(), attributes: BTreeMap::new() };
        NotificationFacet::EACH.iter().map(move |facet| match facet {
            NotificationFacet::Entry => facet.desired(&said, "gcp.topic"),
        })
    };
    names.topic.iter().flat_map(desired).collect()
}

/// A facet in words.
pub(crate) fn in_words(facet: NotificationFacet, value: &Value) -> Option<Words> {
    match facet {
        NotificationFacet::Entry => {
            let said = typed::<Said>(value).ok()?;
            let events: Vec<_> = said.events.into_iter().collect();
            let topic = said.topic.rsplit('/').next().unwrap_or_default();
            Some(("events", format!("{} to topic {topic}", events.join(", "))))
        }
    }
}

/// The list. Where there is no bucket there are none.
pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let found = reader.list_notifications(&names.bucket).await;
    if found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Observation::Absent);
    }
    let observed = vec![NotificationFacet::Entry.entries(found.map(|list| entries(list, names)))];
    Ok(Observation::Present(Box::new(Present { observed, ..Present::default() })))
}

/// In the order in which they were made: of two that are alike the first is ours.
fn entries(mut list: Vec<Notification>, names: &Names) -> Entries {
    list.sort_by_key(number);
    let entry = |found: &Notification| Entry {
        conflict: overlaps(found, names).then(|| duplicate_refusal(&names.bucket, found)),
        ..Entry::new(value(found), describe(found))
    };
    Entries { list: list.iter().map(entry).collect(), limit: limit(&list, &names.bucket) }
}

/// How many entries leave no room for ours.
fn limit(list: &[Notification], bucket: &str) -> Option<(usize, Refusal)> {
    let of_event = list.iter().filter(|found| takes_new_objects(found)).count();
    let (most, what) = match of_event >= MOST_OF_AN_EVENT {
        true => (0, format!("{of_event} notifications of new objects, and takes {MOST_OF_AN_EVENT} of one event")),
        false => (MOST, format!("{MOST} notifications, and takes no more")),
    };
    let refusal = Refusal {
        reason: format!("bucket `{bucket}` has {what}"),
        hint: format!("remove one that nobody needs (`gcloud storage buckets notifications list gs://{bucket}`)"),
    };
    Some((most, refusal))
}

fn value(entry: &Notification) -> Value {
    json!(Said {
        topic: entry.topic.trim_start_matches(TOPICS).to_owned(),
        events: entry.event_types.iter().cloned().collect(),
        format: entry.payload_format.clone(),
        prefix: entry.object_name_prefix.clone(),
        attributes: entry.custom_attributes.clone(),
    })
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
    topic.is_some_and(|topic| entry.topic.trim_start_matches(TOPICS) == topic) && takes_new_objects(entry)
}

fn takes_new_objects(entry: &Notification) -> bool {
    entry.event_types.is_empty() || entry.event_types.iter().any(|event| event == CREATED)
}

fn duplicate_refusal(bucket: &str, entry: &Notification) -> Refusal {
    let twice = if entry.object_name_prefix.is_empty() { "each" } else { "those" };
    Refusal {
        reason: format!(
            "bucket `{bucket}` already sends new objects to this topic, and beside ours the server would hear of {twice} twice: {}",
            describe(entry)
        ),
        hint: format!(
            "remove that one with `gcloud storage buckets notifications delete \
             projects/_/buckets/{bucket}/notificationConfigs/{}`, or choose another `name` under [gcp.topic]",
            entry.id
        ),
    }
}

/// Put `value` in place of `before`, exactly once.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let NotificationFacet::Entry = NotificationFacet::of(write.facet)?;
    let Write { before, value, just_created, .. } = *write;
    let list = if just_created { Vec::new() } else { read(writer.reader(), names, value).await? };
    if !value.is_null() && alike(&list, value).is_empty() {
        insert_once(writer, names, value).await?;
    }
    let deletes = surplus(&list, before, value).into_iter().map(|id| writer.delete_notification(&names.bucket, id));
    futures::future::join_all(deletes).await.into_iter().collect()
}

/// With the bucket its entries are gone.
async fn read(reader: &Reader, names: &Names, value: &Value) -> Result<Vec<Notification>, Error> {
    match reader.list_notifications(&names.bucket).await {
        Err(error) if error.kind() == ErrorKind::NotFound && value.is_null() => Ok(Vec::new()),
        list => list,
    }
}

/// Entries of that value, in the order in which they were made.
fn alike<'a>(list: &'a [Notification], value: &Value) -> Vec<&'a Notification> {
    let mut alike: Vec<_> = list.iter().filter(|entry| same(&self::value(entry), value)).collect();
    alike.sort_by_key(|entry| number(entry));
    alike
}

/// What of ours goes: the one that is replaced. Where ours is as desired and is written all the same, a run that was stopped
/// made it more than once: all but the first go.
fn surplus<'a>(list: &'a [Notification], before: &Value, value: &Value) -> Vec<&'a str> {
    let ours = if before.is_null() { Vec::new() } else { alike(list, before) };
    let ids = ours.into_iter().map(|entry| entry.id.as_str());
    if same(before, value) { ids.skip(1).collect() } else { ids.take(1).collect() }
}

/// Another run may make the same one at the same time: both see both, and the later one is taken back by its own run.
async fn insert_once(writer: &Writer, names: &Names, value: &Value) -> Result<(), Error> {
    let Some(own) = insert(writer, names, value).await? else { return Ok(()) };
    let list = writer.reader().list_notifications(&names.bucket).await?;
    match alike(&list, value).first() {
        Some(first) if first.id != own => writer.delete_notification(&names.bucket, &own).await,
        _ => Ok(()),
    }
}

/// Ids count up.
fn number(entry: &Notification) -> (u64, String) {
    (entry.id.parse().unwrap_or(u64::MAX), entry.id.clone())
}

/// Once. An answer that was lost is no reason to send the request again: the list says whether it had its effect. Gives the id,
/// where it is known.
async fn insert(writer: &Writer, names: &Names, value: &Value) -> Result<Option<String>, Error> {
    let error = match writer.insert_notification(&names.bucket, &entry_of(typed(value)?)).await {
        Ok(id) => return Ok(Some(id)),
        Err(error) => error,
    };
    match error.retry() {
        RetryClass::Transient => {}
        RetryClass::Throttled(_) => return Err(error.with_retry(TOO_FAST)),
        _ if is_about_publishing(&error) => {
            let granted = topic::may_publish(writer.reader(), names).await;
            return Err(explain(error, names, granted));
        }
        _ => return Err(error),
    }
    let list = writer.reader().list_notifications(&names.bucket).await?;
    if alike(&list, value).is_empty() { Err(error.with_retry(NOT_KNOWN)) } else { Ok(None) }
}

fn entry_of(said: Said) -> Notification {
    Notification {
        id: String::new(),
        topic: format!("{TOPICS}{}", said.topic),
        payload_format: said.format,
        event_types: said.events.into_iter().collect(),
        object_name_prefix: said.prefix,
        custom_attributes: said.attributes,
    }
}

/// Cloud Storage asks for the right to publish, in two ways of saying so.
fn is_about_publishing(error: &Error) -> bool {
    let about = ["permission to publish", "not found, or user"];
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
        && error.message().is_some_and(|reason| about.iter().any(|words| reason.contains(words)))
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
        return error.with_hint(hint).with_retry(GRANT_NOT_SEEN);
    }
    error.with_hint(format!(
        "{agent} needs `roles/pubsub.publisher` on the topic, and somebody took it away: run the same command again, which \
         gives it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::names;

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

    fn desired_entry() -> Value {
        desired(&names()).remove(0).value
    }

    #[test]
    fn an_entry_is_known_by_all_it_says() {
        let prefixed = Notification { object_name_prefix: "a/".to_owned(), ..ours("2") };
        let list = vec![ours("1"), entry("3", "other", &[CREATED]), prefixed];
        let values: Vec<_> = entries(list, &names()).list.into_iter().map(|entry| entry.value).collect();
        assert_eq!(values.iter().filter(|value| **value == desired_entry()).count(), 1);
        assert_eq!(entry_of(typed(&desired_entry()).unwrap()), Notification { id: String::new(), ..ours("1") });
    }

    #[test]
    fn entries_are_in_the_order_in_which_they_were_made() {
        let list = entries(vec![ours("10"), ours("9")], &names()).list;
        assert!(list[0].text.contains("`9`") && list[1].text.contains("`10`"));
    }

    #[test]
    fn only_ours_goes_and_of_several_made_by_a_run_that_was_stopped_all_but_the_first() {
        let old = entry("2", "old", &[CREATED]);
        let list = [ours("10"), ours("9"), old.clone()];
        assert_eq!(surplus(&list, &desired_entry(), &Value::Null), ["9"]);
        assert_eq!(surplus(&list, &desired_entry(), &desired_entry()), ["10"]);
        assert_eq!(surplus(&list, &value(&old), &desired_entry()), ["2"]);
        assert!(surplus(&list, &Value::Null, &desired_entry()).is_empty());
    }

    #[test]
    fn another_entry_to_our_topic_is_in_conflict_only_if_it_takes_new_objects() {
        let conflict = |events: &[&str]| {
            let list = entries(vec![entry("1", "acme-wandb-events", events)], &names()).list;
            list[0].conflict.is_some()
        };
        assert!(conflict(&[]) && conflict(&["OBJECT_DELETE", CREATED]));
        assert!(!conflict(&["OBJECT_DELETE"]));
    }

    #[test]
    fn ten_notifications_of_new_objects_leave_no_room() {
        let of = |count: usize| vec![entry("1", "other", &[]); count];
        let most = |list: Vec<Notification>| entries(list, &names()).limit.unwrap().0;
        assert_eq!((most(of(9)), most(of(10))), (MOST, 0));
    }

    /// The two texts of <https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/433> and
    /// <https://github.com/googleapis/nodejs-storage/issues/1402>.
    #[test]
    fn a_grant_is_waited_for_where_the_policy_has_it() {
        let denied = "The service account 'service-1@gs-project-accounts.iam.gserviceaccount.com' does not have permission to \
                      publish messages to the Cloud Pub/Sub topic '//pubsub.googleapis.com/projects/p/topics/t', or that \
                      topic does not exist.";
        let invalid = "Cloud Pub/Sub topic '//pubsub.googleapis.com/projects/p/topics/t' not found, or user \
             'service-1@gs-project-accounts.iam.gserviceaccount.com' does not have permission to it.";
        for (kind, text) in [(ErrorKind::PermissionDenied, denied), (ErrorKind::InvalidInput, invalid)] {
            let error = || Error::new(kind, "x").with_message(text);
            assert!(is_about_publishing(&error()));
            assert_eq!(*explain(error(), &names(), true).retry(), GRANT_NOT_SEEN);
            assert_eq!(*explain(error(), &names(), false).retry(), RetryClass::Final);
        }
        let other = Error::new(ErrorKind::InvalidInput, "x").with_message("Invalid argument");
        assert!(!is_about_publishing(&other));
    }
}

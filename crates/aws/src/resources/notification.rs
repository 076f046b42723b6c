//! `aws.notification`: our entry among the bucket's notifications, from every created object to the queue.

use aws_sdk_s3::types::{Event, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration};
use provision_core::compare::same;
use provision_core::facet::{Desired, Entries, Entry, EntryId, Words};
use provision_core::refusal::Refusal;
use provision_core::resource::{MarkHolder, Observation, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{Reader, Writer};
use crate::names::{Names, Part};
use crate::resources::{Facets, Write, bucket, typed};

provision_core::facets! {
    /// Facets of the notification.
    pub(crate) enum NotificationFacet {
        Entry = ("entry", 'n', Whole, Named, OwnCall),
    }
}

/// The entry that is desired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToQueue {
    /// Its ARN.
    queue: String,
    events: Vec<String>,
}

/// Everything that makes an object (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>).
const CREATED: &str = "s3:ObjectCreated:*";

/// Entries of a bucket <https://docs.aws.amazon.com/general/latest/gr/s3.html#limits_s3>.
const MOST_ENTRIES: usize = 100;

pub(crate) fn resource(names: &Names) -> Resource {
    Resource {
        path: "aws.queue".to_owned(),
        mark_holder: MarkHolder::On(Part::Bucket.address()),
        deleted_with_holder: true,
        needs: vec![Part::Bucket.address(), Part::Queue.address()],
        lane: Some(bucket::LANE),
        ..Part::Notification.resource(&names.ids[0], NotificationFacet::ALL)
    }
}

/// The desired facets: the entry, or none where there is no queue.
pub(crate) fn desired(names: &Names) -> Vec<Desired> {
    let entry = |queue: &String| ToQueue { queue: names.queue_arn(queue), events: vec![CREATED.to_owned()] };
    let desired = |facet: &NotificationFacet| match facet {
        NotificationFacet::Entry => facet.desired(names.queue.as_ref().map(entry), "aws.queue"),
    };
    NotificationFacet::EACH.iter().map(desired).collect()
}

/// A facet in words.
pub(crate) fn in_words(facet: NotificationFacet, value: &Value) -> Option<Words> {
    match facet {
        NotificationFacet::Entry => {
            let entry = typed::<ToQueue>(value).ok()?;
            let queue = entry.queue.rsplit(':').next().unwrap_or_default();
            Some(("events", format!("{} to queue {queue}", entry.events.join(", "))))
        }
    }
}

/// One read.
pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let read = reader.get_bucket_notification(&names.bucket, &names.account).await;
    if bucket::is_gone(&read) {
        return Ok(Observation::Absent);
    }
    let observed = vec![NotificationFacet::Entry.entries(read.map(|found| entries(&found, names)))];
    Ok(Observation::Present(Box::new(Present { observed, ..Present::default() })))
}

/// The entries of all kinds, those to queues first.
fn entries(configuration: &NotificationConfiguration, names: &Names) -> Entries {
    let queues = configuration.queue_configurations().iter().map(|entry| to_queue(entry).entry(names));
    let others = to_others(configuration);
    let full = Refusal {
        reason: format!(
            "bucket `{}` has {MOST_ENTRIES} notifications already, which is all that S3 takes",
            names.bucket
        ),
        hint: "remove one that nobody needs".to_owned(),
    };
    let list = queues.chain(others.iter().map(|other| other.entry(names))).collect();
    Entries { list, limit: Some((MOST_ENTRIES, full)) }
}

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target<'a> {
    Queue(&'a str),
    Topic(&'a str),
    Function(&'a str),
    EventBridge(&'a str),
}

/// One notification of any kind.
#[derive(Clone, Debug, Serialize)]
struct Notification<'a> {
    #[serde(flatten)]
    target: Target<'a>,
    events: Vec<&'a str>,
    /// `prefix=a`, `suffix=b`.
    #[serde(rename = "filter", skip_serializing_if = "Vec::is_empty")]
    rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a String>,
}

fn notification<'a>(
    target: Target<'a>,
    id: Option<&'a String>,
    events: &'a [Event],
    filter: Option<&NotificationConfigurationFilter>,
) -> Notification<'a> {
    let mut events: Vec<_> = events.iter().map(Event::as_str).collect();
    events.sort_unstable();
    Notification { target, events, rules: rules(filter), id }
}

/// S3 gives the names back in another case than they were written. An empty value filters nothing.
fn rules(filter: Option<&NotificationConfigurationFilter>) -> Vec<String> {
    let rules = filter.and_then(|filter| filter.key.as_ref()).map(|key| key.filter_rules()).unwrap_or_default();
    let rule = |rule: &aws_sdk_s3::types::FilterRule| {
        let value = rule.value.as_deref().filter(|value| !value.is_empty())?;
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        Some(format!("{name}={value}"))
    };
    let mut rules: Vec<_> = rules.iter().filter_map(rule).collect();
    rules.sort_unstable();
    rules
}

fn to_queue(entry: &QueueConfiguration) -> Notification<'_> {
    notification(Target::Queue(&entry.queue_arn), entry.id.as_ref(), &entry.events, entry.filter.as_ref())
}

/// Those to what is no queue, which are never ours.
fn to_others(configuration: &NotificationConfiguration) -> Vec<Notification<'_>> {
    let topics = configuration.topic_configurations().iter();
    let topics = topics.map(|entry| {
        notification(Target::Topic(&entry.topic_arn), entry.id.as_ref(), &entry.events, entry.filter.as_ref())
    });
    let functions = configuration.lambda_function_configurations().iter();
    let functions = functions.map(|entry| {
        let target = Target::Function(&entry.lambda_function_arn);
        notification(target, entry.id.as_ref(), &entry.events, entry.filter.as_ref())
    });
    let bridge = configuration.event_bridge_configuration.as_ref();
    let bridge = bridge.map(|_| notification(Target::EventBridge("EventBridge"), None, &[], None));
    topics.chain(functions).chain(bridge).collect()
}

impl<'a> Target<'a> {
    const fn name(self) -> &'a str {
        match self {
            Self::Queue(name) | Self::Topic(name) | Self::Function(name) | Self::EventBridge(name) => name,
        }
    }
}

impl Notification<'_> {
    fn is_ours(&self, names: &Names) -> bool {
        matches!(self.target, Target::Queue(_)) && self.id.is_some_and(|id| names.ids.contains(id))
    }

    /// As the core judges it. S3 gives each one an id: one that is not ours is somebody else's.
    fn entry(&self, names: &Names) -> Entry {
        let id = if self.is_ours(names) { EntryId::Ours } else { EntryId::Others };
        let conflict = self.takes_created().then(|| overlaps(&names.bucket, self));
        Entry { id, conflict, ..Entry::new(self.value(names), self.describe()) }
    }

    /// Without its id, which says whose it is and nothing else; one under the deployment's former name is written again.
    fn value(&self, names: &Names) -> Value {
        let former = self.id.filter(|id| self.is_ours(names) && names.ids.first() != Some(id));
        json!(Notification { id: former, ..self.clone() })
    }

    fn describe(&self) -> String {
        let id = self.id.map_or_else(String::new, |id| format!("`{id}` "));
        let rules = if self.rules.is_empty() { String::new() } else { format!(" ({})", self.rules.join(", ")) };
        let events = if self.events.is_empty() { "of all events".to_owned() } else { self.events.join(", ") };
        format!("notification {id}{events}{rules} to {}", self.target.name())
    }

    fn takes_created(&self) -> bool {
        self.events.iter().any(|event| event.starts_with("s3:ObjectCreated:"))
    }
}

/// Two entries for the same event whose filters overlap are refused by S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>). Ours has no filter, so
/// it overlaps with every other that takes created objects.
fn overlaps(bucket: &str, other: &Notification<'_>) -> Refusal {
    Refusal {
        reason: format!(
            "bucket `{bucket}` already sends created objects elsewhere, and S3 takes one destination for an event: {}",
            other.describe()
        ),
        hint: format!(
            "take that notification out (`aws s3api get-bucket-notification-configuration --bucket {bucket}` shows it, `aws s3api \
             put-bucket-notification-configuration` writes those that stay), or send its events through EventBridge or SNS"
        ),
    }
}

/// Read, set or take out our entry, write.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let NotificationFacet::Entry = NotificationFacet::of(write.facet)?;
    let desired: Option<ToQueue> = typed(write.value)?;
    let found = match write.just_created {
        true => NotificationConfiguration::builder().build(),
        false => writer.reader().get_bucket_notification(&names.bucket, &names.account).await?,
    };
    let Some(merged) = merged(&found, names, desired.as_ref())? else { return Ok(()) };
    // S3 validates every destination of the document, and one of somebody else's may be gone. Where nothing of ours is in
    // it, that is no affair of ours.
    let skip = desired.is_none();
    let put = |skip| writer.put_bucket_notification(&names.bucket, &names.account, merged.clone(), skip);
    match put(skip).await {
        Err(error) if is_others_fault(&error, desired.as_ref()) => put(true).await,
        Err(error) => Err(explain(error, desired.as_ref())),
        Ok(()) => Ok(()),
    }
}

/// The document with our entry set, or taken out if none is desired; `None` if that is what it has already.
fn merged(
    found: &NotificationConfiguration,
    names: &Names,
    desired: Option<&ToQueue>,
) -> Result<Option<NotificationConfiguration>, Error> {
    let all = found.queue_configurations().iter().cloned();
    let (own, mut queues): (Vec<_>, Vec<_>) = all.partition(|entry| to_queue(entry).is_ours(names));
    let value = json!(desired);
    let as_wanted = |entry: &QueueConfiguration| same(&to_queue(entry).value(names), &value);
    let missing = desired.filter(|_| !queues.iter().any(as_wanted));
    let unchanged = if missing.is_some() { own.len() == 1 && as_wanted(&own[0]) } else { own.is_empty() };
    if unchanged {
        return Ok(None);
    }
    if let Some(desired) = missing {
        queues.push(entry_of(desired, &names.ids[0])?);
    }
    let merged = NotificationConfiguration::builder()
        .set_queue_configurations(Some(queues))
        .set_topic_configurations(found.topic_configurations.clone())
        .set_lambda_function_configurations(found.lambda_function_configurations.clone())
        .set_event_bridge_configuration(found.event_bridge_configuration.clone());
    Ok(Some(merged.build()))
}

fn entry_of(desired: &ToQueue, id: &str) -> Result<QueueConfiguration, Error> {
    let events = desired.events.iter().map(|event| Event::from(event.as_str())).collect();
    let entry = QueueConfiguration::builder().id(id).queue_arn(&desired.queue).set_events(Some(events)).build();
    entry.map_err(|error| Error::bug(&error.to_string()))
}

/// The destinations that S3 cannot validate, where that is why it refuses.
fn invalid(error: &Error) -> Option<&str> {
    error.message()?.strip_prefix("Unable to validate the following destination configurations")
}

/// Whether S3 names the destinations that it cannot validate, and ours is none of them: they were there before.
fn is_others_fault(error: &Error, desired: Option<&ToQueue>) -> bool {
    let queue = desired.map(|desired| desired.queue.as_str()).unwrap_or_default();
    // The ARN ends where something follows that no queue's name has.
    let is_named = |destinations: &str| {
        let mut after = destinations.split(queue).skip(1);
        after.any(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || "-_.".contains(next)))
    };
    !queue.is_empty() && invalid(error).is_some_and(|named| named.contains("arn:") && !is_named(named))
}

/// The error that W&B's users meet most often, and says least.
fn explain(error: Error, desired: Option<&ToQueue>) -> Error {
    if invalid(&error).is_none() || error.kind() != ErrorKind::InvalidInput {
        return error;
    }
    error.with_hint(format!(
        "S3 may not send to {}: is the queue in the bucket's region, a standard queue, not encrypted with the AWS-managed \
         KMS key, and does its policy let s3.amazonaws.com send? `provision aws plan` shows the policy; then run the same \
         command again",
        desired.map_or("the queue", |desired| desired.queue.as_str())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{
        EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration, S3KeyFilter,
        TopicConfiguration,
    };

    use crate::names::tests::{names, settings};

    const OURS: &str = "arn:aws:sqs:eu-west-1:1:acme-events";

    fn of_plan() -> Names {
        names(&settings("was = \"old\"", "[aws.bucket]\nname = \"acme\""))
    }

    fn queue(id: &str, arn: &str, event: &str, rules: &[(&str, &str)]) -> QueueConfiguration {
        let rule = |(name, value): &(&str, &str)| {
            FilterRule::builder().name(FilterRuleName::from(*name)).value(*value).build()
        };
        let rules = S3KeyFilter::builder().set_filter_rules(Some(rules.iter().map(rule).collect())).build();
        let filter = NotificationConfigurationFilter::builder().key(rules).build();
        QueueConfiguration::builder().id(id).queue_arn(arn).events(event.into()).filter(filter).build().unwrap()
    }

    /// A topic, a function and the event bus of others.
    fn others() -> NotificationConfiguration {
        let (topic, function) = (TopicConfiguration::builder(), LambdaFunctionConfiguration::builder());
        let removed = Event::from("s3:ObjectRemoved:*");
        let topic = topic.id("t").topic_arn("arn:aws:sns:e:1:t").events(removed.clone()).build().unwrap();
        let function = function.id("f").lambda_function_arn("arn:aws:lambda:e:1:function:f").events(removed);
        NotificationConfiguration::builder()
            .topic_configurations(topic)
            .lambda_function_configurations(function.build().unwrap())
            .event_bridge_configuration(EventBridgeConfiguration::builder().build())
            .build()
    }

    fn with_queues(queues: Vec<QueueConfiguration>) -> NotificationConfiguration {
        let mut configuration = others();
        configuration.queue_configurations = Some(queues);
        configuration
    }

    fn desired_entry(names: &Names) -> Value {
        desired(names)[0].value.clone()
    }

    fn to_ours(names: &Names) -> Option<ToQueue> {
        typed(&desired_entry(names)).unwrap()
    }

    #[test]
    fn entry_survives_the_services_spelling() {
        let names = of_plan();
        let list = entries(
            &with_queues(vec![
                queue(&names.ids[0], OURS, CREATED, &[("Prefix", "")]),
                queue(&names.ids[1], OURS, CREATED, &[]),
                queue("theirs", OURS, CREATED, &[]),
                queue("filtered", OURS, CREATED, &[("Suffix", ".a="), ("Prefix", "b")]),
            ]),
            &names,
        );
        let list = list.list;
        assert_eq!((&list[0].value, list[0].id), (&desired_entry(&names), EntryId::Ours));
        assert_eq!((&list[1].value["id"], list[1].id), (&json!(names.ids[1]), EntryId::Ours));
        assert_eq!((&list[2].value, list[2].id), (&desired_entry(&names), EntryId::Others));
        assert_eq!(list[3].value["filter"], json!(["prefix=b", "suffix=.a="]));
    }

    #[test]
    fn entries_of_every_kind_that_take_created_objects_are_in_the_way() {
        let names = of_plan();
        let list = entries(&others(), &names).list;
        let texts: Vec<_> = list.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "notification `t` s3:ObjectRemoved:* to arn:aws:sns:e:1:t",
                "notification `f` s3:ObjectRemoved:* to arn:aws:lambda:e:1:function:f",
                "notification of all events to EventBridge",
            ]
        );
        assert!(list.iter().all(|entry| entry.id == EntryId::Others && entry.conflict.is_none()));
        let mut created = others();
        created.topic_configurations.as_mut().unwrap()[0].events = vec![Event::from("s3:ObjectCreated:Put")];
        created.lambda_function_configurations.as_mut().unwrap()[0].events = vec![Event::from(CREATED)];
        let conflicts: Vec<_> = entries(&created, &names).list.iter().map(|entry| entry.conflict.is_some()).collect();
        assert_eq!(conflicts, [true, true, false]);
    }

    #[test]
    fn others_are_kept_to_the_bit() {
        let names = of_plan();
        let theirs = queue("theirs", "arn:aws:sqs:e:1:other", "s3:ObjectRemoved:*", &[("Prefix", "a")]);
        let found = with_queues(vec![theirs.clone(), queue(&names.ids[1], "arn:aws:sqs:e:1:old", CREATED, &[])]);
        let set = merged(&found, &names, to_ours(&names).as_ref()).unwrap().unwrap();
        assert_eq!(set.queue_configurations()[0], theirs);
        assert_eq!(set.queue_configurations()[1].id.as_ref(), Some(&names.ids[0]));
        assert_eq!(set.queue_configurations().len(), 2);
        let mut rest = set.clone();
        rest.queue_configurations = None;
        assert_eq!(rest, others());
        assert_eq!(merged(&set, &names, to_ours(&names).as_ref()).unwrap(), None);
        assert_eq!(merged(&set, &names, None).unwrap(), Some(with_queues(vec![theirs])));
        assert_eq!(merged(&others(), &names, None).unwrap(), None);
    }

    #[test]
    fn what_others_made_as_wanted_is_used() {
        let names = of_plan();
        let theirs = queue("theirs", OURS, CREATED, &[]);
        assert_eq!(merged(&with_queues(vec![theirs]), &names, to_ours(&names).as_ref()).unwrap(), None);
    }

    #[test]
    fn destination_of_others_that_is_gone_is_told_from_ours() {
        let ours = ToQueue { queue: OURS.to_owned(), events: vec![CREATED.to_owned()] };
        let blames = |named: &str| {
            let message = format!("Unable to validate the following destination configurations{named}");
            let error = Error::new(ErrorKind::InvalidInput, "write").with_message(message);
            is_others_fault(&error, Some(&ours))
        };
        assert!(blames("; arn:aws:sqs:eu-west-1:1:gone: The destination queue does not exist"));
        assert!(blames(&format!("; {OURS}-2: The destination queue does not exist")));
        assert!(!blames(&format!("; {OURS}: The destination queue does not exist")));
        assert!(!blames(&format!("; arn:aws:sqs:eu-west-1:1:gone, null: ; {OURS}, null: ")));
        assert!(!blames(""));
        assert!(!is_others_fault(&Error::new(ErrorKind::InvalidInput, "write").with_message("no"), Some(&ours)));
    }
}

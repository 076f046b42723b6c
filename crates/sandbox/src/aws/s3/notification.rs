//! Where a bucket's events go.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bucket::Bucket;
use super::{On, moment, xml};
use crate::aws::error::{Error, Reply};
use crate::aws::wire::REQUEST;
use crate::aws::{id, sqs};
use crate::state::Transaction;

/// All of a bucket's notifications
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_NotificationConfiguration.html>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotificationConfiguration {
    #[serde(rename = "@xmlns", default, skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    #[serde(rename = "TopicConfiguration", default)]
    topics: Vec<Entry>,
    #[serde(rename = "QueueConfiguration", default)]
    pub(super) queues: Vec<Entry>,
    #[serde(rename = "CloudFunctionConfiguration", default)]
    functions: Vec<Entry>,
    #[serde(rename = "EventBridgeConfiguration", default, skip_serializing_if = "Option::is_none")]
    event_bridge: Option<xml::Empty>,
}

/// One notification. It has one of the three destinations, that of the list in which it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_function: Option<String>,
    #[serde(rename = "Event", default)]
    events: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<Filter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    #[serde(rename = "S3Key", default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyFilter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFilter {
    #[serde(rename = "FilterRule", default)]
    rules: Vec<FilterRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct FilterRule {
    name: String,
    value: String,
}

/// Events by kind <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>.
/// Only those of objects that are created or removed ever happen here.
const EVENTS: [(&str, &[&str]); 10] = [
    ("s3:ObjectCreated:", &["*", "Put", "Post", "Copy", "CompleteMultipartUpload"]),
    ("s3:ObjectRemoved:", &["*", "Delete", "DeleteMarkerCreated"]),
    ("s3:ObjectRestore:", &["*", "Post", "Completed", "Delete"]),
    ("s3:ObjectTagging:", &["*", "Put", "Delete"]),
    ("s3:ObjectAcl:", &["Put"]),
    ("s3:LifecycleTransition", &[""]),
    ("s3:IntelligentTiering", &[""]),
    (
        "s3:Replication:",
        &[
            "*",
            "OperationFailedReplication",
            "OperationMissedThreshold",
            "OperationReplicatedAfterThreshold",
            "OperationNotTracked",
        ],
    ),
    ("s3:LifecycleExpiration:", &["*", "Delete", "DeleteMarkerCreated"]),
    ("s3:ReducedRedundancyLostObject", &[""]),
];

impl Entry {
    /// Whether an event of a key is meant.
    pub(super) fn wants(&self, event: &str, key: &str) -> bool {
        self.events.iter().any(|wanted| overlap(wanted, event))
            && key.starts_with(self.filtered("prefix"))
            && key.ends_with(self.filtered("suffix"))
    }

    fn filtered(&self, name: &str) -> &str {
        let rules = self.filter.iter().flat_map(|filter| &filter.key).flat_map(|key| &key.rules);
        let mut rules = rules.filter(|rule| rule.name.eq_ignore_ascii_case(name));
        rules.next().map(|rule| rule.value.as_str()).unwrap_or_default()
    }

    /// Whether one event of one key could be meant by both.
    fn crosses(&self, other: &Self) -> bool {
        let (prefixes, suffixes) =
            ((self.filtered("prefix"), other.filtered("prefix")), (self.filtered("suffix"), other.filtered("suffix")));
        self.events.iter().any(|event| other.events.iter().any(|other| overlap(event, other)))
            && (prefixes.0.starts_with(prefixes.1) || prefixes.1.starts_with(prefixes.0))
            && (suffixes.0.ends_with(suffixes.1) || suffixes.1.ends_with(suffixes.0))
    }

    fn check(&self) -> Result<(), Error> {
        let known = |event: &&String| {
            EVENTS.iter().any(|(kind, names)| event.strip_prefix(kind).is_some_and(|name| names.contains(&name)))
        };
        if let Some(event) = self.events.iter().find(|event| !known(event)) {
            let error = invalid("A specified event is not supported for notifications.");
            return Err(error.with_detail("ArgumentName", "Event").with_detail("ArgumentValue", event));
        }
        if self.events.is_empty() {
            return Err(invalid("A specified event is not supported for notifications."));
        }
        let rules: Vec<_> = self.filter.iter().flat_map(|filter| &filter.key).flat_map(|key| &key.rules).collect();
        let count = |name: &str| rules.iter().filter(|rule| rule.name.eq_ignore_ascii_case(name)).count();
        let named = |rule: &&&FilterRule| ["prefix", "suffix"].iter().any(|name| rule.name.eq_ignore_ascii_case(name));
        if let Some(rule) = rules.iter().find(|rule| !named(rule)) {
            let error = invalid("filter rule name must be either prefix or suffix");
            return Err(error.with_detail("ArgumentName", "FilterRule.Name").with_detail("ArgumentValue", &rule.name));
        }
        if count("prefix") > 1 || count("suffix") > 1 {
            return Err(invalid("Cannot specify more than one prefix or suffix rule in a filter."));
        }
        if rules.iter().any(|rule| rule.value.len() > 1024) {
            return Err(invalid("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"));
        }
        Ok(())
    }

    /// What is no ARN is refused even where destinations are not validated (recorded from S3 by LocalStack's
    /// `test_s3_notifications_sqs.py`).
    fn check_arn(&self) -> Result<(), Error> {
        let arns = [("Topic", &self.topic), ("Queue", &self.queue), ("CloudFunction", &self.cloud_function)];
        let mut given = arns.iter().filter_map(|(kind, arn)| Some((kind, arn.as_ref()?)));
        match given.find(|(_, arn)| !arn.starts_with("arn:") || arn.split(':').count() < 6) {
            Some((kind, arn)) => {
                let error = invalid("The ARN could not be parsed");
                Err(error.with_detail("ArgumentName", *kind).with_detail("ArgumentValue", arn))
            }
            None => Ok(()),
        }
    }

    /// As S3 gives it back: with an id, and filters in capitals.
    fn stored(mut self, state: &mut Transaction<'_>) -> Result<Self, Error> {
        if self.id.as_ref().is_none_or(String::is_empty) {
            let number = state.next_number("aws/number")?;
            self.id = Some(id::uuid("notification", number));
        }
        let rules = self.filter.iter_mut().flat_map(|filter| &mut filter.key).flat_map(|key| &mut key.rules);
        for rule in rules {
            let name = if rule.name.eq_ignore_ascii_case("prefix") { "Prefix" } else { "Suffix" };
            name.clone_into(&mut rule.name);
        }
        Ok(self)
    }
}

/// Whether two names of events have an event in common; `*` at the end is any.
fn overlap(one: &str, other: &str) -> bool {
    let within = |pattern: &str, name: &str| pattern.strip_suffix('*').is_some_and(|kind| name.starts_with(kind));
    one == other || within(one, other) || within(other, one)
}

impl NotificationConfiguration {
    fn entries(&self) -> Vec<&Entry> {
        self.topics.iter().chain(&self.queues).chain(&self.functions).collect()
    }

    fn check(&self) -> Result<(), Error> {
        let has = |entries: &[Entry], has: fn(&Entry) -> [bool; 3], kind: [bool; 3]| {
            entries.iter().all(|entry| has(entry) == kind)
        };
        let found = |entry: &Entry| [entry.topic.is_some(), entry.queue.is_some(), entry.cloud_function.is_some()];
        let right = has(&self.topics, found, [true, false, false])
            && has(&self.queues, found, [false, true, false])
            && has(&self.functions, found, [false, false, true]);
        if !right {
            return Err(xml::malformed("a destination is missing or in the wrong place"));
        }
        let entries = self.entries();
        entries.iter().try_for_each(|entry| entry.check())?;
        entries.iter().try_for_each(|entry| entry.check_arn())?;
        let mut ids: Vec<_> = entries.iter().filter_map(|entry| entry.id.as_deref()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(invalid("Same ID used for multiple configurations. IDs must be unique"));
        }
        self.check_overlap()
    }

    /// One event must not go to two places
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html#notification-how-to-filtering-examples-invalid>.
    fn check_overlap(&self) -> Result<(), Error> {
        let entries = self.entries();
        let crosses = |(index, entry): (usize, &&Entry)| entries[..index].iter().any(|other| other.crosses(entry));
        if entries.iter().enumerate().any(crosses) {
            return Err(invalid(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are \
                 overlapping for the same event type.",
            ));
        }
        Ok(())
    }
}

fn invalid(message: &str) -> Error {
    Error::new(400, "InvalidArgument", message)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html>
pub(super) fn get(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let mut configuration = on.bucket.notification.clone();
    configuration.xmlns = Some(xml::NAMESPACE.to_owned());
    xml::answer("NotificationConfiguration", &configuration)
}

/// The whole configuration; a test event goes to each queue
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>.
///
/// The sandbox has neither topics nor functions: those of the bucket's region are taken for there, any other for gone.
pub(super) fn put(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let mut input: NotificationConfiguration = xml::input(on.call, "NotificationConfiguration")?;
    input.xmlns = None;
    input.check()?;
    let skip =
        on.call.header("x-amz-skip-destination-validation").is_some_and(|skip| skip.eq_ignore_ascii_case("true"));
    let arns: Vec<_> = input.queues.iter().filter_map(|entry| entry.queue.clone()).collect();
    if !skip {
        check_destinations(state, on, &input)?;
        arns.iter().try_for_each(|arn| send_test_event(state, on, arn))?;
    }
    for entries in [&mut input.topics, &mut input.queues, &mut input.functions] {
        let stored: Result<_, Error> = entries.drain(..).map(|entry| entry.stored(state)).collect();
        *entries = stored?;
    }
    on.save(state, &Bucket { notification: input, ..on.bucket.clone() })?;
    xml::nothing(200)
}

/// Every destination of the document; those that cannot be validated are named (recorded from S3 by LocalStack's
/// `test_s3_notifications_sqs.py`).
fn check_destinations(state: &Transaction<'_>, on: &On<'_>, input: &NotificationConfiguration) -> Result<(), Error> {
    let mut refused = Vec::new();
    for arn in input.queues.iter().filter_map(|entry| entry.queue.as_deref()) {
        refused.extend(wrong_queue(state, on, arn)?.map(|reason| (arn, reason)));
    }
    for entry in input.topics.iter().chain(&input.functions) {
        let (arn, reason) = match (&entry.topic, &entry.cloud_function) {
            (Some(topic), _) => (topic, "The destination topic does not exist"),
            (_, Some(function)) => (function, "Not authorized to invoke function"),
            _ => continue,
        };
        refused
            .extend(Some((arn.as_str(), reason)).filter(|_| arn.split(':').nth(3) != Some(on.bucket.region.as_str())));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let error = invalid("Unable to validate the following destination configurations");
    Err((1..).zip(refused).fold(error, |error, (number, (arn, reason))| {
        let error = error.with_detail(format!("ArgumentName{number}"), arn);
        error.with_detail(format!("ArgumentValue{number}"), reason)
    }))
}

/// Why S3 cannot send to a queue: it must be a standard queue of the bucket's region, whose policy lets S3 send for this
/// bucket <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html>.
fn wrong_queue(state: &Transaction<'_>, on: &On<'_>, arn: &str) -> Result<Option<&'static str>, Error> {
    let fields: Vec<_> = arn.split(':').collect();
    let ["arn", "aws", "sqs", region, _, name] = fields.as_slice() else {
        return Err(invalid("The ARN is not well formed"));
    };
    if name.strip_suffix(".fifo").is_some() {
        return Err(invalid("FIFO SQS queues are not supported"));
    }
    if *region != on.bucket.region {
        return Err(invalid(
            "The notification destination service region is not valid for the bucket location constraint",
        ));
    }
    if !sqs::exists(state, on.call, arn)? {
        return Ok(Some("The destination queue does not exist"));
    }
    let lets = sqs::lets_bucket_send(state, on.call, arn, &on.name, &on.bucket.owner)?;
    let denied = "Permissions on the destination queue do not allow S3 to publish notifications from this bucket";
    Ok((!lets).then_some(denied))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn send_test_event(state: &mut Transaction<'_>, on: &On<'_>, arn: &str) -> Result<(), Error> {
    let event = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": moment::document(on.call.now_ms),
        "Bucket": on.name,
        "RequestId": REQUEST,
        "HostId": "sandbox",
    });
    sqs::deliver(state, on.call, arn, &event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(events: &[&str], prefix: &str, suffix: &str) -> Entry {
        let rule = |name: &str, value: &str| FilterRule { name: name.to_owned(), value: value.to_owned() };
        let rules = vec![rule("Prefix", prefix), rule("suffix", suffix)];
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        Entry { events, filter: Some(Filter { key: Some(KeyFilter { rules }) }), ..Entry::default() }
    }

    #[test]
    fn overlap_is_of_events_and_of_both_ends_of_the_key() {
        let created = "s3:ObjectCreated:*";
        let put = "s3:ObjectCreated:Put";
        let cases = [
            (entry(&[created], "", ""), entry(&[put], "", ""), true),
            (entry(&[created], "a/", ""), entry(&[put], "a/b/", ""), true),
            (entry(&[created], "a/", ""), entry(&[put], "b/", ""), false),
            (entry(&[created], "", ".jpg"), entry(&[created], "", ".png"), false),
            (entry(&[created], "a", ".jpg"), entry(&[created], "b", ".jpg"), false),
            (entry(&[created], "a", ".jpg"), entry(&[created], "", "g"), true),
            (entry(&[put], "", ""), entry(&["s3:ObjectCreated:Copy"], "", ""), false),
            (entry(&[put], "", ""), entry(&["s3:ObjectRemoved:*"], "", ""), false),
        ];
        for (index, (one, other, crossing)) in cases.iter().enumerate() {
            assert_eq!((one.crosses(other), other.crosses(one)), (*crossing, *crossing), "case {index}");
        }
    }

    #[test]
    fn entry_wants_events_by_kind_prefix_and_suffix() {
        let entry = entry(&["s3:ObjectCreated:*"], "runs/", ".json");
        assert!(entry.wants("s3:ObjectCreated:Copy", "runs/1.json"));
        assert!(!entry.wants("s3:ObjectRemoved:Delete", "runs/1.json"));
        assert!(!entry.wants("s3:ObjectCreated:Put", "run/1.json"));
        assert!(!entry.wants("s3:ObjectCreated:Put", "runs/1.txt"));
    }

    #[test]
    fn malformed_entries_are_refused() {
        assert!(entry(&["s3:ObjectCreated:Put"], "a", "b").check().is_ok());
        assert!(entry(&[], "", "").check().is_err());
        assert!(entry(&["s3:ObjectCreated:Pot"], "", "").check().is_err());
        let mut twice = entry(&["s3:ObjectCreated:Put"], "", "");
        twice.filter.as_mut().unwrap().key.as_mut().unwrap().rules[1].name = "prefix".to_owned();
        assert!(twice.check().is_err());
    }
}

//! Attributes of queues: names, ranges, defaults
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::aws::error::Error;
use crate::aws::policy::{Kind, Policy, Problem};

/// Names and values.
pub(super) type Attributes = BTreeMap<String, String>;

/// Numbers, with their range and default.
const NUMBERS: [(&str, RangeInclusive<u64>, &str); 6] = [
    ("DelaySeconds", 0..=900, "0"),
    ("KmsDataKeyReusePeriodSeconds", 60..=86_400, "300"),
    ("MaximumMessageSize", 1_024..=1_048_576, "1048576"),
    ("MessageRetentionPeriod", 60..=1_209_600, "345600"),
    ("ReceiveMessageWaitTimeSeconds", 0..=20, "0"),
    ("VisibilityTimeout", 0..=43_200, "30"),
];

/// What can be read and not written.
pub(super) const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Known to SQS and not served: who may send dead letters here, and queues that keep order.
const UNSERVED: [&str; 4] =
    ["RedriveAllowPolicy", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// What a queue has that was made without attributes. `KmsDataKeyReusePeriodSeconds` shows only beside a key.
pub(super) fn defaults() -> Attributes {
    let numbers = NUMBERS.iter().filter(|(name, _, _)| !name.starts_with("Kms"));
    let mut attributes: Attributes =
        numbers.map(|(name, _, default)| ((*name).to_owned(), (*default).to_owned())).collect();
    attributes.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
    attributes
}

/// Whether an attribute can be asked for.
pub(super) fn is_known(name: &str) -> bool {
    is_settable(name) || COMPUTED.contains(&name) || UNSERVED.contains(&name) || name == "FifoQueue"
}

fn is_settable(name: &str) -> bool {
    NUMBERS.iter().any(|(number, _, _)| *number == name)
        || ["Policy", "RedrivePolicy", "KmsMasterKeyId", "SqsManagedSseEnabled"].contains(&name)
}

/// Check attributes that are to be set.
pub(super) fn check(attributes: &Attributes) -> Result<(), Error> {
    attributes.iter().try_for_each(|(name, value)| check_one(name, value))?;
    let set = |name: &str, value: Option<&str>| {
        attributes.get(name).is_some_and(|found| value.map_or(!found.is_empty(), |value| found == value))
    };
    if set("KmsMasterKeyId", None) && set("SqsManagedSseEnabled", Some("true")) {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or \
                       SQS SSE.";
        return Err(Error::new(400, "InvalidAttributeName", message));
    }
    Ok(())
}

fn check_one(name: &str, value: &str) -> Result<(), Error> {
    if UNSERVED.contains(&name) {
        return Err(Error::unserved(format_args!("the queue attribute {name}")));
    }
    if name == "Policy"
        && let Err(problem @ Problem::Unserved(_)) = Policy::parse(value, Kind::Queue)
    {
        return Err(problem.answer("InvalidAttributeValue"));
    }
    if !is_settable(name) {
        return Err(Error::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    let range = NUMBERS.iter().find(|(number, _, _)| *number == name).map(|(_, range, _)| range);
    let valid = match (name, range) {
        (_, Some(range)) => value.parse().is_ok_and(|number: u64| range.contains(&number)),
        ("SqsManagedSseEnabled", _) => ["true", "false"].contains(&value),
        ("RedrivePolicy", _) => value.is_empty() || is_redrive(value),
        // An empty one takes the policy away.
        ("Policy", _) => {
            value.is_empty() || Policy::parse(value, Kind::Queue).is_ok_and(|policy| has_room(value, &policy))
        }
        _ => true,
    };
    if valid {
        return Ok(());
    }
    Err(Error::new(400, "InvalidAttributeValue", format!("Invalid value for the parameter {name}.")))
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
fn is_redrive(text: &str) -> bool {
    redrive_of(text).is_some_and(|(arn, count)| arn.starts_with("arn:") && (1..=1000).contains(&count))
}

/// The queue of dead letters, and how often a message may be received.
pub(super) fn redrive(attributes: &Attributes) -> Option<(String, u64)> {
    redrive_of(attributes.get("RedrivePolicy")?)
}

fn redrive_of(text: &str) -> Option<(String, u64)> {
    let policy: serde_json::Value = serde_json::from_str(text).ok()?;
    let count = policy["maxReceiveCount"].to_string().trim_matches('"').parse().ok()?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), count))
}

/// 8,192 bytes and 20 statements <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>.
fn has_room(text: &str, policy: &Policy) -> bool {
    text.len() <= 8192 && policy.count() <= 20
}

/// Set attributes; the kinds of encryption exclude each other.
pub(super) fn merge(into: &mut Attributes, attributes: &Attributes) {
    for (name, value) in attributes.iter().filter(|(name, _)| *name != "Policy") {
        if value.is_empty() {
            into.remove(name)
        } else {
            into.insert(name.clone(), value.clone())
        };
    }
    if attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty()) {
        into.insert("SqsManagedSseEnabled".to_owned(), "false".to_owned());
        into.entry("KmsDataKeyReusePeriodSeconds".to_owned()).or_insert_with(|| "300".to_owned());
    }
    if attributes.get("SqsManagedSseEnabled").is_some_and(|managed| managed == "true") {
        into.remove("KmsMasterKeyId");
    }
    if !into.contains_key("KmsMasterKeyId") {
        into.remove("KmsDataKeyReusePeriodSeconds");
    }
}

/// A number among checked attributes.
pub(super) fn number(attributes: &Attributes, name: &str) -> u64 {
    attributes.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}

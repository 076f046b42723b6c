//! `aws.notification`: our entry among the bucket's notifications, from every created object to the queue.

use aws_sdk_s3::types::{Event, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration};
use provision_core::Error;
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use serde_json::{Value, json};

use crate::client::{Read as _, Reader, Writer};
use crate::provider::Names;
use crate::resources::bucket::unknown_facet;

static ENTRY: Facet = Facet { name: "entry", key: 'n', shape: Shape::Whole, at_creation: AtCreation::Written };

/// Everything that makes an object (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>).
const CREATED: &str = "s3:ObjectCreated:*";

/// What is wanted: the entry, or none where there is no queue.
pub(crate) fn want(names: &Names) -> Vec<Want> {
    let value = names
        .queue
        .as_ref()
        .map_or(Value::Null, |queue| json!({"id": names.ids[0], "queue": names.queue_arn(queue), "events": [CREATED]}));
    vec![Want { facet: &ENTRY, value, path: "aws.queue".to_owned() }]
}

/// One read.
pub(crate) async fn observe(reader: &Reader, names: &Names, owner: &str) -> Result<Observation, Error> {
    let read = reader.get_bucket_notification(&names.bucket, owner).await;
    let configuration = match read {
        Ok(configuration) => configuration,
        Err(error) if error.code() == Some("NoSuchBucket") => return Ok(Observation::Absent),
        Err(error) => {
            let seen = vec![(ENTRY.name, Seen::Unknown(error))];
            return Ok(Observation::Present(Box::new(Present { seen, ..Present::default() })));
        }
    };
    let ours = configuration.queue_configurations().iter().find(|entry| is_ours(entry, names));
    let seen = vec![(ENTRY.name, Seen::Value(ours.map_or(Value::Null, seen_entry)))];
    let others = others(&configuration, names);
    let kept = others.iter().map(|other| Kept { facet: "entry".to_owned(), entry: other.describe() }).collect();
    let overlap = others.iter().find(|other| other.takes_created());
    let obstacles = overlap.map(|other| (ENTRY.name, overlaps(&names.bucket, other))).into_iter().collect();
    Ok(Observation::Present(Box::new(Present { seen, kept, obstacles, ..Present::default() })))
}

fn is_ours(entry: &QueueConfiguration, names: &Names) -> bool {
    entry.id.as_ref().is_some_and(|id| names.ids.contains(id))
}

fn seen_entry(entry: &QueueConfiguration) -> Value {
    let mut events: Vec<_> = entry.events.iter().map(Event::as_str).collect();
    events.sort_unstable();
    let mut value = json!({"id": entry.id, "queue": entry.queue_arn, "events": events});
    let rules = rules(entry.filter.as_ref());
    if !rules.is_empty() {
        value["filter"] = json!(rules);
    }
    value
}

/// `Prefix=a`, `Suffix=b`: S3 gives the names back in another case than they were written.
fn rules(filter: Option<&NotificationConfigurationFilter>) -> Vec<String> {
    let rules = filter.and_then(|filter| filter.key.as_ref()).map(|key| key.filter_rules()).unwrap_or_default();
    let rule = |rule: &aws_sdk_s3::types::FilterRule| {
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        format!("{name}={}", rule.value.as_deref().unwrap_or_default())
    };
    rules.iter().map(rule).filter(|rule| !rule.ends_with('=')).collect()
}

/// An entry of somebody else.
struct Other {
    id: Option<String>,
    target: String,
    events: Vec<String>,
    rules: Vec<String>,
}

impl Other {
    fn new(
        id: Option<&String>,
        target: &str,
        events: &[Event],
        filter: Option<&NotificationConfigurationFilter>,
    ) -> Self {
        let events = events.iter().map(|event| event.as_str().to_owned()).collect();
        Self { id: id.cloned(), target: target.to_owned(), events, rules: rules(filter) }
    }

    fn describe(&self) -> String {
        let id = self.id.as_deref().map_or_else(String::new, |id| format!("`{id}` "));
        let rules = if self.rules.is_empty() { String::new() } else { format!(" ({})", self.rules.join(", ")) };
        let events = if self.events.is_empty() { "of all events".to_owned() } else { self.events.join(", ") };
        format!("notification {id}{events}{rules} to {}", self.target)
    }

    fn takes_created(&self) -> bool {
        self.events.iter().any(|event| event.starts_with("s3:ObjectCreated:"))
    }
}

fn others(configuration: &NotificationConfiguration, names: &Names) -> Vec<Other> {
    let queues = configuration.queue_configurations().iter().filter(|entry| !is_ours(entry, names));
    let queues =
        queues.map(|entry| Other::new(entry.id.as_ref(), &entry.queue_arn, &entry.events, entry.filter.as_ref()));
    let topics = configuration.topic_configurations().iter();
    let topics =
        topics.map(|entry| Other::new(entry.id.as_ref(), &entry.topic_arn, &entry.events, entry.filter.as_ref()));
    let functions = configuration.lambda_function_configurations().iter();
    let functions = functions
        .map(|entry| Other::new(entry.id.as_ref(), &entry.lambda_function_arn, &entry.events, entry.filter.as_ref()));
    let bridge = configuration.event_bridge_configuration.as_ref();
    let bridge = bridge.map(|_| Other::new(None, "EventBridge", &[], None));
    queues.chain(topics).chain(functions).chain(bridge).collect()
}

/// Two entries for the same event whose filters overlap are refused by S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>). Ours has no filter, so
/// it overlaps with every other that takes created objects.
fn overlaps(bucket: &str, other: &Other) -> Refusal {
    Refusal {
        reason: format!("bucket `{bucket}` already sends created objects elsewhere: {}", other.describe()),
        hint:
            "S3 takes one destination for an event: send that entry's events through EventBridge or SNS, or remove it"
                .to_owned(),
    }
}

/// Read, set or take out our entry, write.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    owner: &str,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    let found = match fresh {
        true => NotificationConfiguration::builder().build(),
        false => writer.reader().get_bucket_notification(&names.bucket, owner).await?,
    };
    let mut queues = found.queue_configurations.clone().unwrap_or_default();
    queues.retain(|entry| !is_ours(entry, names));
    if !value.is_null() {
        queues.push(entry_of(value)?);
    }
    let merged = NotificationConfiguration::builder()
        .set_queue_configurations(Some(queues))
        .set_topic_configurations(found.topic_configurations)
        .set_lambda_function_configurations(found.lambda_function_configurations)
        .set_event_bridge_configuration(found.event_bridge_configuration)
        .build();
    let written = writer.put_bucket_notification(&names.bucket, owner, merged).await;
    written.map_err(|error| explain(error, value))
}

fn entry_of(value: &Value) -> Result<QueueConfiguration, Error> {
    let events = value["events"].as_array().into_iter().flatten().filter_map(Value::as_str).map(Event::from).collect();
    let entry = QueueConfiguration::builder()
        .set_id(value["id"].as_str().map(str::to_owned))
        .set_queue_arn(value["queue"].as_str().map(str::to_owned))
        .set_events(Some(events))
        .build();
    entry.map_err(|error| unknown_facet(&error.to_string()))
}

/// The error that W&B's users meet most often, and says least.
fn explain(error: Error, value: &Value) -> Error {
    let unseen =
        error.reason().is_some_and(|reason| reason.starts_with("Unable to validate the following destination"));
    if !unseen {
        return error;
    }
    error.hint(format!(
        "S3 may not send to {}: is the queue in the bucket's region, a standard queue, not encrypted with the AWS-managed \
         KMS key, and does its policy let s3.amazonaws.com send? `provision aws plan` shows the policy; then run the same \
         command again",
        value["queue"].as_str().unwrap_or("the queue")
    ))
}

//! `aws.queue` and `aws.run_queue`: standard SQS queues, made in one call with policy, attributes, encryption and tags.

use provision_core::Error;
use provision_core::mark::{KEYS, Mark, Origin, may_be_written};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Seen, Shape, Want};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Tags, Writer};
use crate::config::{QueueSection, Senders, Settings};
use crate::policy::{Document, document, with_sid};
use crate::provider::Names;
use crate::resources::bucket::{others_tags, tags_of, unknown_facet};

const fn facet(name: &'static str, key: char, shape: Shape) -> Facet {
    Facet { name, key, shape, at_creation: AtCreation::Included }
}

static ATTRIBUTES: Facet = facet("attributes", 'q', Shape::Keys);
static ENCRYPTION: Facet = facet("encryption", 'e', Shape::Whole);
pub(crate) static POLICY: Facet = facet("policy", 'p', Shape::Whole);
static TAGS: Facet = facet("tags", 'g', Shape::Keys);

/// Facets of which only an entry is ours.
pub(crate) const ENTRIES: [&str; 1] = ["policy"];

/// Our names for the attributes, and the service's
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const NAMES: [(&str, &str); 3] = [
    ("receive_wait_s", "ReceiveMessageWaitTimeSeconds"),
    ("visibility_timeout_s", "VisibilityTimeout"),
    ("retention_s", "MessageRetentionPeriod"),
];

/// The event queue. On an adopted one, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, names: &Names, origin: Origin) -> Vec<Want> {
    let Some(queue) = &names.queue else { return Vec::new() };
    let section = &settings.aws.queue;
    let mut wants = common(settings, "aws.queue", attributes(section, origin), origin);
    let value = with_sid(&statement(names, queue, section.senders), &names.sids[0]);
    wants.push(Want { facet: &POLICY, value, path: "aws.queue.senders".to_owned() });
    wants
}

/// The queue for run events: the server itself sends to it, so it needs no policy.
pub(crate) fn want_run(settings: &Settings, origin: Origin) -> Vec<Want> {
    common(settings, "aws.run_queue", attributes(&QueueSection::default(), origin), origin)
}

fn common(settings: &Settings, path: &str, attributes: Value, origin: Origin) -> Vec<Want> {
    let want = |facet, value| Want { facet, value, path: path.to_owned() };
    let mut wants = Vec::new();
    if attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
        wants.push(want(&ATTRIBUTES, attributes));
    }
    if origin == Origin::Created {
        wants.push(want(&ENCRYPTION, json!("SSE-SQS")));
    }
    if !settings.tags().is_empty() {
        wants.push(Want { facet: &TAGS, value: json!(settings.tags()), path: "deployment.tags".to_owned() });
    }
    wants
}

fn attributes(section: &QueueSection, origin: Origin) -> Value {
    let set = [
        (NAMES[0].0, section.receive_wait_s, 10),
        (NAMES[1].0, section.visibility_timeout_s, 30),
        (NAMES[2].0, section.retention_s, 345_600),
    ];
    let wanted = set.into_iter().filter_map(|(name, given, default)| {
        let value = if origin == Origin::Created { Some(given.unwrap_or(default)) } else { given };
        value.map(|value| (name.to_owned(), json!(value)))
    });
    Value::Object(wanted.collect())
}

/// Who may use the queue. The documentation's policy opens it to all principals; ours to this bucket of this account
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html>).
fn statement(names: &Names, queue: &str, senders: Senders) -> Value {
    let arn = names.queue_arn(queue);
    match senders {
        Senders::Bucket => json!({
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": names.bucket_arn()},
                "StringEquals": {"aws:SourceAccount": names.account},
            },
        }),
        Senders::Anyone => json!({
            "Effect": "Allow",
            "Principal": "*",
            "Action": [
                "sqs:SendMessage",
                "sqs:ReceiveMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueUrl",
            ],
            "Resource": arn,
        }),
    }
}

/// The address first, then attributes and tags at once.
pub(crate) async fn observe(reader: &Reader, names: &Names, queue: &str) -> Result<Observation, Error> {
    let Some(url) = reader.get_queue_url(queue).await? else { return Ok(Observation::Absent) };
    let (attributes, tags) =
        futures::join!(reader.get_queue_attributes(queue, &url), reader.list_queue_tags(queue, &url));
    let tags = tags?;
    let attributes = match attributes {
        Ok(Some(attributes)) => attributes,
        Ok(None) => return Ok(Observation::Absent),
        Err(error) => {
            let unknown = [ATTRIBUTES.name, ENCRYPTION.name, POLICY.name];
            let seen = unknown.map(|name| (name, Seen::Unknown(error.clone()))).to_vec();
            return Ok(Observation::Present(Box::new(Present {
                mark: Mark::from_tags(&tags),
                seen,
                ..Present::default()
            })));
        }
    };
    let policy = attributes.get("Policy").and_then(|text| Document::parse(text)).unwrap_or_default();
    let others = policy.others(&names.sids).into_iter();
    let seen = vec![
        (ATTRIBUTES.name, Seen::Value(seen_attributes(&attributes))),
        (ENCRYPTION.name, Seen::Value(seen_encryption(&attributes))),
        (POLICY.name, Seen::Value(policy.ours(&names.sids))),
        (TAGS.name, Seen::Value(json!(others_tags(&tags)))),
    ];
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&tags),
        seen,
        kept: others.map(|entry| Kept { facet: "policy".to_owned(), entry }).collect(),
        ..Present::default()
    })))
}

fn seen_attributes(attributes: &Tags) -> Value {
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse::<u64>().ok());
    let seen = NAMES.iter().filter_map(|(ours, theirs)| Some(((*ours).to_owned(), json!(number(theirs)?))));
    Value::Object(seen.collect())
}

fn seen_encryption(attributes: &Tags) -> Value {
    match (attributes.get("KmsMasterKeyId"), attributes.get("SqsManagedSseEnabled").map(String::as_str)) {
        (Some(key), _) if !key.is_empty() => json!({"kms_key": key}),
        (_, Some("true")) => json!("SSE-SQS"),
        _ => Value::Null,
    }
}

/// Create the queue with everything in one call. One of ours that exists with other attributes is none of the call's
/// business: the facets are written by the next look.
pub(crate) async fn create(
    writer: &Writer,
    queue: &str,
    facets: &Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    let mut attributes = Tags::new();
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        attributes.extend(attributes_of(facet, value)?);
    }
    let mut tags = facets.get(TAGS.name).map(tags_of).unwrap_or_default();
    tags.extend(mark.to_tags());
    match writer.create_queue(queue, &attributes, &tags).await {
        Err(error) if matches!(error.code(), Some("QueueAlreadyExists" | "QueueNameExists")) => Err(error
            .hint("somebody made a queue of this name in the meantime; run the same command again to see whose it is")),
        created => created,
    }
}

fn attributes_of(facet: &str, value: &Value) -> Result<Tags, Error> {
    let attributes = match facet {
        "attributes" => {
            let given =
                NAMES.iter().filter_map(|(ours, theirs)| Some(((*theirs).to_owned(), value.get(*ours)?.to_string())));
            given.collect()
        }
        "encryption" => Tags::from([("SqsManagedSseEnabled".to_owned(), "true".to_owned())]),
        "policy" => Tags::from([("Policy".to_owned(), document(&json!([value])))]),
        "tags" => Tags::new(),
        other => return Err(unknown_facet(other)),
    };
    Ok(attributes)
}

async fn url_of(writer: &Writer, queue: &str) -> Result<String, Error> {
    let url = writer.reader().get_queue_url(queue).await?;
    url.ok_or_else(|| {
        let error = Error::new(provision_core::ErrorKind::Stale, format!("queue `{queue}` is gone"));
        error.hint("run `provision aws plan` to see what is there now")
    })
}

/// Write one facet; `null` takes our statement out of the policy.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    queue: &str,
    facet: &str,
    value: &Value,
) -> Result<(), Error> {
    let url = url_of(writer, queue).await?;
    match facet {
        "tags" => writer.tag_queue(queue, &url, &tags_of(value)).await,
        "policy" => write_policy(writer, names, queue, &url, value).await,
        facet => writer.set_queue_attributes(queue, &url, &attributes_of(facet, value)?).await,
    }
}

async fn write_policy(writer: &Writer, names: &Names, queue: &str, url: &str, value: &Value) -> Result<(), Error> {
    let attributes = writer.reader().get_queue_attributes(queue, url).await?.unwrap_or_default();
    let found = attributes.get("Policy").and_then(|text| Document::parse(text)).unwrap_or_default();
    let merged = found.with_ours(&names.sids, value);
    // An empty attribute removes the policy.
    let text = if merged.is_empty() { String::new() } else { merged.to_text() };
    writer.set_queue_attributes(queue, url, &Tags::from([("Policy".to_owned(), text)])).await
}

/// Put tags beside those there are.
pub(crate) async fn tag(writer: &Writer, queue: &str, tags: &Tags) -> Result<(), Error> {
    let url = url_of(writer, queue).await?;
    writer.tag_queue(queue, &url, tags).await
}

/// The tags there are.
pub(crate) async fn tags(reader: &Reader, queue: &str) -> Result<Tags, Error> {
    match reader.get_queue_url(queue).await? {
        Some(url) => reader.list_queue_tags(queue, &url).await,
        None => Ok(Tags::new()),
    }
}

/// Write the mark; stops if somebody else's hand is on it.
pub(crate) async fn record(
    writer: &Writer,
    queue: &str,
    read: Option<Tags>,
    before: Option<&Mark>,
    mark: &Mark,
) -> Result<(), Error> {
    let url = url_of(writer, queue).await?;
    let found = match read {
        Some(found) => found,
        None => writer.reader().list_queue_tags(queue, &url).await?,
    };
    may_be_written("aws", &format!("queue `{queue}`"), Mark::from_tags(&found).as_ref(), before, mark)?;
    writer.tag_queue(queue, &url, &mark.to_tags()).await
}

/// Take our statement and our mark off, and leave everything else.
pub(crate) async fn unmark(writer: &Writer, names: &Names, queue: &str) -> Result<(), Error> {
    let Some(url) = writer.reader().get_queue_url(queue).await? else { return Ok(()) };
    let attributes = writer.reader().get_queue_attributes(queue, &url).await?.unwrap_or_default();
    let policy = attributes.get("Policy").and_then(|text| Document::parse(text)).unwrap_or_default();
    if !policy.ours(&names.sids).is_null() {
        write_policy(writer, names, queue, &url, &Value::Null).await?;
    }
    writer.untag_queue(queue, &url, &KEYS).await
}

/// Delete it; one that is gone is deleted.
pub(crate) async fn delete(writer: &Writer, queue: &str) -> Result<(), Error> {
    match writer.reader().get_queue_url(queue).await? {
        Some(url) => writer.delete_queue(queue, &url).await,
        None => Ok(()),
    }
}

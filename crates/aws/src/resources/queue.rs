//! `aws.queue` and `aws.run_queue`: standard SQS queues, made in one call with policy, attributes, encryption and tags.

use provision_core::mark::{self, Mark, Origin};
use provision_core::provider::{Created, TagChanges};
use provision_core::resource::{
    Creation, Extent, Facet, Kept, Observation, Orphan, Present, Resource, Seen, Sharing, Want,
};
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Tags, Writer};
use crate::config::{QueueSection, Senders, Settings};
use crate::names::{BUCKET, NOTIFICATION, Names, QUEUE, RUN_QUEUE};
use crate::policy::{Document, Quota, document, with_sid};
use crate::resources::bucket::{Write, set_and_removed};
use crate::resources::ours;

const fn facet(name: &'static str, key: char, extent: Extent, sharing: Sharing) -> Facet {
    Facet { name, key, extent, sharing, creation: Creation::SameCall }
}

static ATTRIBUTES: Facet = facet("attributes", 'q', Extent::NamedKeys, Sharing::Exclusive);
static ENCRYPTION: Facet = facet("encryption", 'e', Extent::Whole, Sharing::Exclusive);
pub(crate) static POLICY: Facet = facet("policy", 'p', Extent::Whole, Sharing::Named);
static TAGS: Facet = facet("tags", 'g', Extent::Tags, Sharing::Exclusive);

/// The same for both queues: one may become the other.
static FACETS: [&Facet; 4] = [&ATTRIBUTES, &ENCRYPTION, &POLICY, &TAGS];

/// Our names for the attributes, and the service's
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const NAMES: [(&str, &str); 3] = [
    ("receive_wait_s", "ReceiveMessageWaitTimeSeconds"),
    ("visibility_timeout_s", "VisibilityTimeout"),
    ("retention_s", "MessageRetentionPeriod"),
];

/// What a policy may have <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>.
const POLICY_QUOTA: Quota = Quota { bytes: 8192, statements: Some(20) };

/// The event queue, where there is one.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    Some(queue(QUEUE, names, names.queue.as_ref()?, settings.aws.queue.adopt))
}

/// The queue for run events, where there is one.
pub(crate) fn run_resource(settings: &Settings, names: &Names) -> Option<Resource> {
    let adopt = settings.aws.run_queue.as_ref().is_some_and(|queue| queue.adopt);
    Some(queue(RUN_QUEUE, names, names.run_queue.as_ref()?, adopt))
}

fn queue(address: Address, names: &Names, name: &str, adopt: bool) -> Resource {
    Resource {
        identity: names.queue_arn(name),
        adopt,
        deleted_after: vec![BUCKET, NOTIFICATION],
        ..Resource::new(address, "queue", name, &FACETS)
    }
}

/// A queue that the plan file no longer names.
pub(crate) fn left_behind(orphan: &Orphan) -> Resource {
    Resource::new(orphan.address.clone(), "queue", &orphan.name, &FACETS)
}

/// The event queue. On an adopted one, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, names: &Names, origin: Origin) -> Vec<Want> {
    let Some(queue) = &names.queue else { return Vec::new() };
    let section = &settings.aws.queue;
    let mut wants = common(settings, "aws.queue", attributes(section, origin), origin);
    let value = senders(settings, names, queue);
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

/// Our statement in the policy of the event queue.
pub(crate) fn senders(settings: &Settings, names: &Names, queue: &str) -> Value {
    with_sid(&statement(names, queue, settings.aws.queue.senders), &names.sids[0])
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

/// The address first, then attributes and tags at once. `statement` is ours that its policy is to have, if any.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    queue: &str,
    statement: &Value,
) -> Result<Observation, Error> {
    let Some(url) = reader.get_queue_url(queue).await? else { return Ok(Observation::Absent) };
    let (attributes, tags) =
        futures::join!(reader.get_queue_attributes(queue, &url), reader.list_queue_tags(queue, &url));
    let (Some(tags), Some(attributes)) = (tags?, attributes.transpose()) else { return Ok(Observation::Absent) };
    let mut present = Present { mark: Mark::from_tags(&tags), ..Present::default() };
    match attributes {
        Ok(attributes) => see(&mut present, &attributes, names, queue, statement),
        Err(error) => {
            let unknown = [ATTRIBUTES.name, ENCRYPTION.name, POLICY.name];
            present.seen.extend(unknown.map(|name| (name, Seen::Unknown(error.clone()))));
        }
    }
    present.seen.push((TAGS.name, Seen::Value(json!(mark::without_mark(&tags)))));
    Ok(Observation::Present(Box::new(present)))
}

fn see(present: &mut Present, attributes: &Tags, names: &Names, queue: &str, statement: &Value) {
    let policy = policy(attributes, queue);
    let others = policy.iter().flat_map(|policy| policy.others(&names.sids));
    present.kept.extend(others.map(|entry| Kept { facet: POLICY.name.to_owned(), entry }));
    let statements =
        |policy: Document| policy.entries(&names.sids, statement, POLICY_QUOTA, &format!("queue `{queue}`"));
    let ours = policy.map_or_else(Seen::Unknown, |policy| Seen::Entries(statements(policy)));
    present.seen.extend([
        (ATTRIBUTES.name, Seen::Value(seen_attributes(attributes))),
        (ENCRYPTION.name, Seen::Value(seen_encryption(attributes))),
        (POLICY.name, ours),
    ]);
}

/// A queue without a policy has no such attribute; an empty one takes it away, and means the same.
fn policy(attributes: &Tags, queue: &str) -> Result<Document, Error> {
    let text = attributes.get("Policy").map(String::as_str).filter(|text| !text.is_empty());
    Document::read(text, "sqs:GetQueueAttributes", &format!("read the policy of queue `{queue}`"))
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

/// Create the queue with everything in one call.
///
/// SQS answers 200 for a queue that is there if every attribute of the call is as it has it, and ignores the tags
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>). That passes for made here,
/// and costs no request more: nothing of a queue is written by a call of its own after its creation, so that nothing is
/// ever decided from it; it is as wanted to the letter, our statement in its policy included; and before the last mark is
/// written its tags are read, beside the other writes, where the mark of another one, or none, stops the run.
pub(crate) async fn create(
    writer: &Writer,
    queue: &str,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let mut attributes = Tags::new();
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        attributes.extend(attributes_of(facet, value)?);
    }
    match writer.create_queue(queue, &attributes, tags).await {
        Ok(()) => Ok(Created::Made),
        Err(error) if matches!(error.code(), Some("QueueAlreadyExists" | "QueueNameExists")) => Ok(Created::Existed),
        Err(error) => Err(error),
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
        other => return Err(ours(&format!("facet `{other}` of a queue is unknown"))),
    };
    Ok(attributes)
}

/// The tags; `None` if there is no such queue.
pub(crate) async fn tags(reader: &Reader, queue: &str) -> Result<Option<Tags>, Error> {
    match reader.get_queue_url(queue).await? {
        Some(url) => reader.list_queue_tags(queue, &url).await,
        None => Ok(None),
    }
}

/// Change tags; those there are stay.
pub(crate) async fn update_tags(writer: &Writer, queue: &str, changes: &TagChanges) -> Result<(), Error> {
    let url = url_of(writer, queue).await?;
    let (set, removed) = set_and_removed(changes);
    if !set.is_empty() {
        writer.tag_queue(queue, &url, &set).await?;
    }
    if !removed.is_empty() {
        writer.untag_queue(queue, &url, &removed).await?;
    }
    Ok(())
}

/// Write one facet; `null` takes our statement out of the policy.
pub(crate) async fn write(writer: &Writer, names: &Names, queue: &str, write: &Write<'_>) -> Result<(), Error> {
    if write.facet == POLICY.name {
        return write_policy(writer, names, queue, write.value).await;
    }
    let mut attributes = attributes_of(write.facet, write.value)?;
    if write.facet == ENCRYPTION.name {
        // The two kinds exclude each other: a key that somebody set goes.
        attributes.insert("KmsMasterKeyId".to_owned(), String::new());
    }
    let url = url_of(writer, queue).await?;
    writer.set_queue_attributes(queue, &url, &attributes).await
}

async fn write_policy(writer: &Writer, names: &Names, queue: &str, value: &Value) -> Result<(), Error> {
    let Some((url, attributes)) = read(writer.reader(), queue).await? else {
        // What is taken out of what is gone is out.
        return if value.is_null() { Ok(()) } else { Err(gone(queue)) };
    };
    let Some(merged) = policy(&attributes, queue)?.with_ours(&names.sids, value) else { return Ok(()) };
    // An empty attribute removes the policy.
    let text = if merged.is_empty() { String::new() } else { merged.to_text() };
    writer.set_queue_attributes(queue, &url, &Tags::from([("Policy".to_owned(), text)])).await
}

async fn read(reader: &Reader, queue: &str) -> Result<Option<(String, Tags)>, Error> {
    let Some(url) = reader.get_queue_url(queue).await? else { return Ok(None) };
    let attributes = reader.get_queue_attributes(queue, &url).await?;
    Ok(attributes.map(|attributes| (url, attributes)))
}

async fn url_of(writer: &Writer, queue: &str) -> Result<String, Error> {
    writer.reader().get_queue_url(queue).await?.ok_or_else(|| gone(queue))
}

fn gone(queue: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("queue `{queue}` is gone"));
    error.hint("run `provision aws plan` to see what is there now")
}

/// Delete it; one that is gone is deleted.
pub(crate) async fn delete(writer: &Writer, queue: &str) -> Result<(), Error> {
    match writer.reader().get_queue_url(queue).await? {
        Some(url) => writer.delete_queue(queue, &url).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"";

    fn texts(attributes: &[(&str, &str)]) -> Tags {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn created(settings: &Settings) -> Map<String, Value> {
        let wants = want(settings, &names(settings), Origin::Created);
        wants.into_iter().map(|want| (want.facet.name.to_owned(), want.value)).collect()
    }

    /// What the creating call sends is what is seen afterwards.
    #[test]
    fn values_survive_their_attributes() {
        for plan in [PLAN.to_owned(), format!("{PLAN}\n[aws.queue]\nsenders = \"anyone\"\nretention_s = 60")] {
            let settings = settings("", &plan);
            let names = names(&settings);
            let facets = created(&settings);
            let sent = facets.iter().flat_map(|(facet, value)| attributes_of(facet, value).unwrap()).collect();
            let mut present = Present::default();
            see(&mut present, &sent, &names, "acme-events", &facets["policy"]);
            assert!(present.kept.is_empty());
            for (name, seen) in &present.seen {
                let seen = match seen {
                    Seen::Value(value) => value,
                    Seen::Entries(entries) => &entries.list[0].value,
                    Seen::Unknown(error) => panic!("{error}"),
                };
                assert_eq!(*seen, facets[*name], "{name}");
            }
        }
    }

    #[test]
    fn statement_is_for_this_bucket_of_this_account() {
        let facets = created(&settings("", PLAN));
        let condition = &facets["policy"]["Condition"];
        assert_eq!(condition["ArnEquals"]["aws:SourceArn"], json!(["arn:aws:s3:::acme"]));
        assert_eq!(condition["StringEquals"]["aws:SourceAccount"], json!(["1"]));
    }

    #[test]
    fn values_for_everybody_are_wanted_of_an_adopted_queue_only_where_the_plan_file_sets_them() {
        let wanted = |plan: &str| {
            let settings = settings("", plan);
            let wants = want(&settings, &names(&settings), Origin::Adopted);
            wants.into_iter().map(|want| (want.facet.key, want.value)).collect::<Vec<_>>()
        };
        let keys = |wants: &[(char, Value)]| wants.iter().map(|(key, _)| *key).collect::<String>();
        assert_eq!(keys(&wanted(PLAN)), "p");
        let some = wanted(&format!("{PLAN}\n[aws.queue]\nretention_s = 60"));
        assert_eq!((keys(&some), &some[0].1), ("qp".to_owned(), &json!({"retention_s": 60})));
    }

    #[test]
    fn policy_that_cannot_be_read_is_unknown_and_one_that_is_not_there_is_none() {
        let names = names(&settings("", PLAN));
        let seen = |attributes: &[(&str, &str)]| {
            let mut present = Present::default();
            see(&mut present, &texts(attributes), &names, "q", &Value::Null);
            present.seen.into_iter().find(|(name, _)| *name == POLICY.name).unwrap().1
        };
        let is_none = |seen: Seen| matches!(seen, Seen::Entries(entries) if entries.list.is_empty());
        assert!(is_none(seen(&[])));
        assert!(is_none(seen(&[("Policy", "")])));
        assert!(matches!(seen(&[("Policy", "<html>")]), Seen::Unknown(_)));
    }

    #[test]
    fn encryption_is_told_by_both_attributes() {
        let seen = |attributes: &[(&str, &str)]| seen_encryption(&texts(attributes));
        assert_eq!(seen(&[("SqsManagedSseEnabled", "true")]), json!("SSE-SQS"));
        assert_eq!(seen(&[("SqsManagedSseEnabled", "false"), ("KmsMasterKeyId", "k")]), json!({"kms_key": "k"}));
        assert_eq!(seen(&[("SqsManagedSseEnabled", "false")]), Value::Null);
    }
}

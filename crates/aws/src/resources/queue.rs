//! `aws.queue`: a standard SQS queue, made in one call with policy, attributes, encryption and tags.

use std::time::Duration;

use provision_core::facet::{Desired, Words, duration_in_words, tags_in_words};
use provision_core::hop::Obstacle;
use provision_core::mark::TagChanges;
use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::resource::{Observation, Orphan, Present, Resource, Unmanaged};
use provision_core::{Error, ErrorKind, RetryClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{Reader, Writer};
use crate::config::{QueueSection, Senders, Settings};
use crate::error::QUEUE_NOT_SEEN;
use crate::names::{Names, Part};
use crate::policy::{Document, Quota, document, with_sid};
use crate::resources::delivery::Holder;
use crate::resources::{Facets, Write, delivery, typed};
use crate::tags::set_and_removed;

provision_core::facets! {
    /// Facets of a queue, the same for both: one may become the other.
    pub(crate) enum QueueFacet {
        Attributes = ("attributes", 'q', NamedKeys, Exclusive, SameCall),
        Encryption = ("encryption", 'e', Whole, Exclusive, SameCall),
        Policy = ("policy", 'p', Whole, Named, SameCall),
        Delivery = ("delivery", 'd', Whole, Exclusive, SameCall),
        Tags = ("tags", 'g', Tags, Exclusive, SameCall),
    }
}

/// The attributes that are managed, by the plan file's keys.
#[expect(clippy::struct_field_names, reason = "the unit")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receive_wait_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visibility_timeout_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_s: Option<u64>,
}

/// How messages are encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Encryption {
    #[serde(rename = "SSE-SQS")]
    Managed,
    #[serde(rename = "kms_key")]
    Key(String),
}

/// The service's names for the attributes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const RECEIVE_WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const VISIBILITY_TIMEOUT: &str = "VisibilityTimeout";
const RETENTION: &str = "MessageRetentionPeriod";

/// What a policy may have <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html>.
const POLICY_QUOTA: Quota = Quota { bytes: 8192, statements: Some(20) };

/// The event queue, where there is one.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    Some(of_part(Part::Queue, names, names.queue.as_ref()?, settings.aws.queue.adopt))
}

/// Either of the two.
pub(super) fn of_part(part: Part, names: &Names, name: &str, adopt: bool) -> Resource {
    Resource {
        identity: names.queue_arn(name),
        adopt,
        deleted_after: vec![Part::Bucket.address(), Part::Notification.address()],
        ..part.resource(name, QueueFacet::ALL)
    }
}

/// A queue that the plan file no longer names.
pub(crate) fn left_behind(orphan: &Orphan) -> Resource {
    Resource::new(orphan.address.clone(), Part::Queue.kind(), &orphan.name, QueueFacet::ALL)
}

/// The event queue. On an adopted one, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, names: &Names, origin: Origin) -> Vec<Desired> {
    let Some(queue) = &names.queue else { return Vec::new() };
    let section = &settings.aws.queue;
    let policy = senders(settings, names, queue);
    of_section(settings, "aws.queue", section, origin, Some(&policy))
}

/// What either of the two is to have.
pub(super) fn of_section(
    settings: &Settings,
    path: &str,
    section: &QueueSection,
    origin: Origin,
    policy: Option<&Value>,
) -> Vec<Desired> {
    let attributes = Attributes::desired(section, origin);
    QueueFacet::all_desired(|facet| match facet {
        QueueFacet::Attributes => (attributes != Attributes::default()).then(|| facet.desired(&attributes, path)),
        QueueFacet::Encryption => (origin == Origin::Created).then(|| facet.desired(Encryption::Managed, path)),
        QueueFacet::Policy => policy.map(|policy| facet.desired(policy, "aws.queue.senders")),
        // Nothing is to be in the way.
        QueueFacet::Delivery => (origin == Origin::Created).then(|| facet.desired(json!({}), path)),
        QueueFacet::Tags => (!settings.tags().is_empty()).then(|| facet.desired(settings.tags(), "deployment.tags")),
    })
}

/// A facet of either of the two in words.
pub(crate) fn in_words(settings: &Settings, facet: QueueFacet, value: &Value) -> Option<Words> {
    match facet {
        QueueFacet::Attributes => Some(("delivery", typed::<Attributes>(value).ok()?.in_words())),
        QueueFacet::Encryption | QueueFacet::Delivery => None,
        QueueFacet::Policy => Some((
            "senders",
            match settings.aws.queue.senders {
                Senders::Bucket => format!("bucket {} of this account only", settings.aws.bucket.name),
                Senders::Anyone => "anyone".to_owned(),
            },
        )),
        QueueFacet::Tags => Some(("tags", tags_in_words(value))),
    }
}

impl Attributes {
    fn in_words(&self) -> String {
        let wait = self.receive_wait_s.map(|seconds| format!("wait {seconds} s"));
        let visibility = self.visibility_timeout_s.map(|seconds| format!("visibility {seconds} s"));
        let kept = self.retention_s.map(|seconds| format!("keeps messages {}", duration_in_words(seconds)));
        [wait, visibility, kept].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
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

/// The address first, then attributes and tags at once. `statement` is ours that its policy is to have, if any. Gives what others
/// let everybody do with it too, and which rights they deny the server.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    queue: &str,
    statement: &Value,
) -> Result<(Observation, (Vec<String>, Option<Obstacle>)), Error> {
    const ABSENT: (Observation, (Vec<String>, Option<Obstacle>)) = (Observation::Absent, (Vec::new(), None));
    let Some(url) = reader.get_queue_url(queue).await? else { return Ok(ABSENT) };
    let (attributes, tags) =
        futures::join!(reader.get_queue_attributes(queue, &url), reader.list_queue_tags(queue, &url));
    let (Some(tags), Some(attributes)) = (tags?, attributes.transpose()) else { return Ok(ABSENT) };
    let policy = attributes.as_ref().ok().and_then(|attributes| policy(attributes, queue).ok());
    let opened = policy.as_ref().map(|policy| delivery::opened(Holder::Queue(queue), policy, names));
    let denied = policy.as_ref().and_then(|policy| delivery::queue_rights_denied(queue, policy, names));
    let found = Observation::Present(Box::new(present(attributes, &tags, names, queue, statement)));
    Ok((found, (opened.unwrap_or_default(), denied)))
}

fn present(attributes: Result<Tags, Error>, tags: &Tags, names: &Names, queue: &str, statement: &Value) -> Present {
    let attributes = attributes.as_ref().map_err(Clone::clone);
    let policy = attributes.clone().and_then(|attributes| policy(attributes, queue));
    let others = policy.iter().flat_map(|policy| policy.others(&names.sids));
    let unmanaged = others.map(|entry| Unmanaged { facet: QueueFacet::Policy.spec().name.to_owned(), entry }).collect();
    let statements =
        |policy: Document| policy.entries(&names.sids, statement, POLICY_QUOTA, &format!("queue `{queue}`"));
    let delivery = attributes
        .clone()
        .and_then(|attributes| policy.clone().map(|policy| delivery::of_queue(attributes, &policy, names)));
    let observed = QueueFacet::all_observed(|facet| match facet {
        QueueFacet::Attributes => facet.observed(attributes.clone().map(Attributes::observed)),
        QueueFacet::Encryption => facet.observed(attributes.clone().map(Encryption::observed)),
        QueueFacet::Policy => facet.entries(policy.clone().map(statements)),
        QueueFacet::Delivery => facet.observed(delivery.clone()),
        QueueFacet::Tags => facet.observed(Ok(without_mark(tags))),
    });
    let refused = policy.iter().find_map(|policy| policy.dead(&names.sids, &format!("queue `{queue}`")));
    let denied = delivery.iter().find_map(|observed| delivery::refusal(Holder::Queue(queue), observed));
    let denied = denied.map(|refusal| (QueueFacet::Delivery.spec().name, refusal));
    let blockers = refused.map(|refusal| (QueueFacet::Policy.spec().name, refusal)).into_iter().chain(denied).collect();
    Present { mark: Mark::from_tags(tags), observed, unmanaged, blockers, ..Present::default() }
}

/// A queue without a policy has no such attribute; an empty one takes it away, and means the same.
pub(crate) fn policy(attributes: &Tags, queue: &str) -> Result<Document, Error> {
    let text = attributes.get("Policy").map(String::as_str).filter(|text| !text.is_empty());
    Document::read(text, "sqs:GetQueueAttributes", &format!("read the policy of queue `{queue}`"))
}

/// Create the queue with everything in one call.
///
/// SQS answers 200 for a queue that is there if every attribute of the call is as it has it, and ignores the tags
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>). That passes for made here,
/// and costs no request more: nothing of a queue is written by a call of its own after its creation, so that nothing is
/// ever decided from it; it is as desired to the letter, our statement in its policy included; and before any last mark is
/// written its tags are read, beside the other writes, where the mark of another one, or none, stops the run.
pub(crate) async fn create(
    writer: &Writer,
    queue: &str,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let mut attributes = Tags::new();
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        attributes.extend(attributes_of(QueueFacet::of(facet)?, value)?);
    }
    match writer.create_queue(queue, &attributes, tags).await {
        Ok(()) => Ok(Created::Made),
        Err(error) if matches!(error.code(), Some("QueueAlreadyExists" | "QueueNameExists")) => Ok(Created::Existed),
        Err(error) => Err(error),
    }
}

fn attributes_of(facet: QueueFacet, value: &Value) -> Result<Tags, Error> {
    Ok(match facet {
        QueueFacet::Attributes => typed::<Attributes>(value)?.to_service(),
        QueueFacet::Encryption => Tags::from([("SqsManagedSseEnabled".to_owned(), "true".to_owned())]),
        QueueFacet::Policy => Tags::from([("Policy".to_owned(), document(&json!([value])))]),
        // A new queue has nothing in the way.
        QueueFacet::Delivery => Tags::new(),
        QueueFacet::Tags => return Err(Error::bug("tags are written with the mark")),
    })
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
    let facet = QueueFacet::of(write.facet)?;
    let attributes = match facet {
        QueueFacet::Policy => return write_policy(writer, names, queue, write.value).await,
        QueueFacet::Delivery => return clear_delivery(writer, names, queue).await,
        QueueFacet::Attributes | QueueFacet::Tags => attributes_of(facet, write.value)?,
        QueueFacet::Encryption => {
            // The two kinds exclude each other: a key that somebody set goes.
            let key = ("KmsMasterKeyId".to_owned(), String::new());
            attributes_of(facet, write.value)?.into_iter().chain([key]).collect()
        }
    };
    let url = url_of(writer, queue).await?;
    writer.set_queue_attributes(queue, &url, &attributes).await
}

async fn write_policy(writer: &Writer, names: &Names, queue: &str, value: &Value) -> Result<(), Error> {
    let Some((url, attributes)) = read(writer.reader(), queue).await? else {
        // What is taken out of what is gone is out.
        return if value.is_null() { Ok(()) } else { Err(gone_error(queue)) };
    };
    let Some(merged) = policy(&attributes, queue)?.with_ours(&names.sids, value) else { return Ok(()) };
    // An empty attribute removes the policy.
    let text = if merged.is_empty() { String::new() } else { merged.to_text() };
    writer.set_queue_attributes(queue, &url, &Tags::from([("Policy".to_owned(), text)])).await
}

async fn clear_delivery(writer: &Writer, names: &Names, queue: &str) -> Result<(), Error> {
    let Some((url, attributes)) = read(writer.reader(), queue).await? else { return Err(gone_error(queue)) };
    let cleared = delivery::cleared(&attributes, &policy(&attributes, queue)?, names);
    if cleared.is_empty() { Ok(()) } else { writer.set_queue_attributes(queue, &url, &cleared).await }
}

/// What is in the way on a queue that was adopted, whose settings are not ours to change.
pub(crate) fn warning(queue: &str, found: &Observation, adopting: bool) -> Option<String> {
    let Observation::Present(present) = found else { return None };
    let members: Vec<_> = delivery::on_adopted(present, adopting)?
        .as_object()?
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    (!members.is_empty()).then(|| format!("events may not get through queue `{queue}`: {}", members.join(", ")))
}

async fn read(reader: &Reader, queue: &str) -> Result<Option<(String, Tags)>, Error> {
    let Some(url) = reader.get_queue_url(queue).await? else { return Ok(None) };
    let attributes = reader.get_queue_attributes(queue, &url).await?;
    Ok(attributes.map(|attributes| (url, attributes)))
}

async fn url_of(writer: &Writer, queue: &str) -> Result<String, Error> {
    writer.reader().get_queue_url(queue).await?.ok_or_else(|| gone_error(queue))
}

fn gone_error(queue: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("queue `{queue}` is gone")).with_retry(QUEUE_NOT_SEEN);
    error.with_hint("run `provision aws plan` to see what is there now")
}

/// Delete the one that was looked at a moment ago; one that was gone then is deleted, whoever has the name by now. One that SQS
/// still shows would pass for a live one with the next command.
pub(crate) async fn delete(writer: &Writer, queue: &str) -> Result<(), Error> {
    let Some(url) = writer.reader().get_known_queue_url(queue) else { return Ok(()) };
    writer.delete_queue(queue, &url).await?;
    match writer.reader().get_queue_url_now(queue).await? {
        Some(_) => Err(still_shown(queue)),
        None => Ok(()),
    }
}

/// "When you delete a queue, the deletion process takes up to 60 seconds. Requests you send involving that queue during the 60
/// seconds might succeed" (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>).
fn still_shown(queue: &str) -> Error {
    const STILL_SHOWN: RetryClass =
        RetryClass::Settling { reason: "SQS still shows the queue that was deleted", budget: Duration::from_secs(90) };
    let error = Error::new(ErrorKind::Unavailable, format!("see queue `{queue}` gone"));
    let error = error.with_message("SQS deleted it and still shows it").with_retry(STILL_SHOWN);
    error.with_hint("run the same command again: it goes on where this run ended")
}

impl Attributes {
    fn desired(section: &QueueSection, origin: Origin) -> Self {
        let seconds = |given: Option<u32>, default: u32| {
            let desired = if origin == Origin::Created { Some(given.unwrap_or(default)) } else { given };
            desired.map(u64::from)
        };
        Self {
            receive_wait_s: seconds(section.receive_wait_s, 10),
            visibility_timeout_s: seconds(section.visibility_timeout_s, 30),
            retention_s: seconds(section.retention_s, 345_600),
        }
    }

    fn observed(attributes: &Tags) -> Self {
        let seconds = |name: &str| attributes.get(name).and_then(|text| text.parse().ok());
        Self {
            receive_wait_s: seconds(RECEIVE_WAIT),
            visibility_timeout_s: seconds(VISIBILITY_TIMEOUT),
            retention_s: seconds(RETENTION),
        }
    }

    fn to_service(&self) -> Tags {
        let attributes = [
            (RECEIVE_WAIT, self.receive_wait_s),
            (VISIBILITY_TIMEOUT, self.visibility_timeout_s),
            (RETENTION, self.retention_s),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))).collect()
    }
}

impl Encryption {
    fn observed(attributes: &Tags) -> Option<Self> {
        match (attributes.get("KmsMasterKeyId"), attributes.get("SqsManagedSseEnabled").map(String::as_str)) {
            (Some(key), _) if !key.is_empty() => Some(Self::Key(key.clone())),
            (_, Some("true")) => Some(Self::Managed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::facet::Observed;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"";

    fn texts(attributes: &[(&str, &str)]) -> Tags {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn created(settings: &Settings) -> Map<String, Value> {
        let desired = desired(settings, &names(settings), Origin::Created);
        desired.into_iter().map(|desired| (desired.facet.name.to_owned(), desired.value)).collect()
    }

    /// What the creating call sends is what is seen afterwards.
    #[test]
    fn values_survive_their_attributes() {
        for plan in [PLAN.to_owned(), format!("{PLAN}\n[aws.queue]\nsenders = \"anyone\"\nretention_s = 60")] {
            let settings = settings("", &plan);
            let names = names(&settings);
            let facets = created(&settings);
            let sent =
                facets.iter().flat_map(|(facet, value)| attributes_of(QueueFacet::of(facet).unwrap(), value).unwrap());
            let sent = sent.collect();
            let present = present(Ok(sent), settings.tags(), &names, "acme-events", &facets["policy"]);
            assert!(present.unmanaged.is_empty());
            for (name, observed) in present.observed.iter().filter(|(name, _)| *name != "tags") {
                let observed = match observed {
                    Observed::Value(value) => value,
                    Observed::Entries(entries) => &entries.list[0].value,
                    Observed::Unknown(error) => panic!("{error}"),
                };
                assert_eq!(*observed, facets[*name], "{name}");
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
        let desired = |plan: &str| {
            let settings = settings("", plan);
            let desired = desired(&settings, &names(&settings), Origin::Adopted);
            desired.into_iter().map(|desired| (desired.facet.key, desired.value)).collect::<Vec<_>>()
        };
        let keys = |desired: &[(char, Value)]| desired.iter().map(|(key, _)| *key).collect::<String>();
        assert_eq!(keys(&desired(PLAN)), "p");
        let some = desired(&format!("{PLAN}\n[aws.queue]\nretention_s = 60"));
        assert_eq!((keys(&some), &some[0].1), ("qp".to_owned(), &json!({"retention_s": 60})));
    }

    #[test]
    fn policy_that_cannot_be_read_is_unknown_and_one_that_is_not_there_is_none() {
        let names = names(&settings("", PLAN));
        let observed = |attributes: &[(&str, &str)]| {
            present(Ok(texts(attributes)), &Tags::new(), &names, "q", &Value::Null)
                .observed
                .into_iter()
                .find(|(name, _)| *name == "policy")
                .unwrap()
                .1
        };
        let is_none = |observed: Observed| matches!(observed, Observed::Entries(entries) if entries.list.is_empty());
        assert!(is_none(observed(&[])));
        assert!(is_none(observed(&[("Policy", "")])));
        assert!(matches!(observed(&[("Policy", "<html>")]), Observed::Unknown(_)));
    }

    #[test]
    fn encryption_is_told_by_both_attributes() {
        let observed = |attributes: &[(&str, &str)]| json!(Encryption::observed(&texts(attributes)));
        assert_eq!(observed(&[("SqsManagedSseEnabled", "true")]), json!("SSE-SQS"));
        assert_eq!(observed(&[("SqsManagedSseEnabled", "false"), ("KmsMasterKeyId", "k")]), json!({"kms_key": "k"}));
        assert_eq!(observed(&[("SqsManagedSseEnabled", "false")]), Value::Null);
    }
}

//! Simple Queue Service over its JSON protocol: standard queues.

mod attributes;
mod batch;
mod message;
mod queue;
mod receive;

use serde::Deserialize;
use serde_json::Value;

use super::call::Call;
use super::error::{Error, Reply};
use super::policy::{Attempt, Decision, Policy, Principal};
use super::rights;
use super::tags::Tags;
use crate::propagation::Propagating;
use crate::state::Transaction;
use queue::{Queue, arn};

pub(super) use message::deliver;

pub(super) async fn serve(call: &Call<'_>) -> Reply {
    let run: fn(&mut Transaction<'_>, &Call<'_>) -> Reply = match call.name() {
        _ if call.header("x-amz-target").is_none() => {
            return Err(Error::unserved(format_args!("the query protocol of SQS ({}); use JSON", call.operation)));
        }
        "ReceiveMessage" => return receive::receive_message(call).await,
        "CreateQueue" => queue::create_queue,
        "GetQueueUrl" => queue::get_queue_url,
        "ListQueues" => queue::list_queues,
        "DeleteQueue" => queue::delete_queue,
        "PurgeQueue" => queue::purge_queue,
        "GetQueueAttributes" => queue::get_queue_attributes,
        "SetQueueAttributes" => queue::set_queue_attributes,
        "ListQueueTags" => queue::list_queue_tags,
        "TagQueue" => queue::tag_queue,
        "UntagQueue" => queue::untag_queue,
        "SendMessage" => message::send_message,
        "SendMessageBatch" => batch::send_messages,
        "DeleteMessage" => message::delete_message,
        "DeleteMessageBatch" => batch::delete_messages,
        "ChangeMessageVisibility" => message::change_message_visibility,
        "ChangeMessageVisibilityBatch" => batch::hide_messages,
        _ => return Err(Error::unserved(&call.operation)),
    };
    call.world.store.transaction(|state| run(state, call))
}

/// What of a queue an index has: the whole of it takes long to read where there are many.
#[derive(Deserialize)]
struct Tagged {
    name: String,
    tags: Propagating<Tags>,
}

/// Queues and their tags as others see them.
pub(super) fn tagged(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &str,
    may_fit: impl Fn(&Value) -> bool,
) -> Result<Vec<(String, Tags)>, Error> {
    let (region, delay_ms) = (call.caller.region(), call.delay_ms("tags"));
    let queues = state.scan_where::<Tagged>(&queue::key(region, account, ""), may_fit)?.into_iter();
    let tagged = |(_, queue): (String, Tagged)| {
        (arn(region, account, &queue.name), queue.tags.seen_after(call.now_ms, delay_ms).clone())
    };
    Ok(queues.map(tagged).collect())
}

/// Whether S3 may send to a queue for a bucket of an account, as S3 sees the queue now
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html>.
///
/// A queue that is encrypted with the key of AWS cannot take events
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ways-to-add-notification-config-to-bucket.html>.
pub(super) fn lets_bucket_send(
    state: &Transaction<'_>,
    call: &Call<'_>,
    queue_arn: &str,
    bucket: &str,
    owner: &str,
) -> Result<bool, Error> {
    let Some((region, account, name)) = queue::taken_apart(queue_arn) else { return Ok(false) };
    let Some(queue) = state.get::<Queue>(&queue::key(region, account, name))? else { return Ok(false) };
    if queue.attributes.written().get("KmsMasterKeyId").is_some_and(|key| key == "alias/aws/sqs") {
        return Ok(false);
    }
    let Some(policy) = queue.policy.seen_after(call.now_ms, call.delay_ms("sqs.policy")) else { return Ok(false) };
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    let context =
        vec![("aws:SourceArn", bucket_arn.as_str()), ("aws:SourceAccount", owner), ("aws:SecureTransport", "true")];
    let principal = Principal::Service("s3.amazonaws.com");
    let attempt = Attempt { principal, action: "sqs:SendMessage", resource: queue_arn, context };
    Ok(decided(policy, &attempt) == Decision::Allow)
}

/// Whether there is a queue of this ARN.
pub(super) fn exists(state: &Transaction<'_>, call: &Call<'_>, arn: &str) -> Result<bool, Error> {
    let Some((region, account, name)) = queue::taken_apart(arn) else { return Ok(false) };
    Ok(state.get::<Queue>(&queue::key(region, account, name))?.is_some_and(|queue| queue.is_seen(call)))
}

/// A role was deleted: policies that name it have its id from then on.
pub(super) fn forget(state: &mut Transaction<'_>, arn: &str, id: &str) -> Result<(), Error> {
    for (key, mut queue) in state.scan::<Queue>(queue::all())? {
        let Some(policy) = queue.policy.written().clone().filter(|policy| policy.contains(arn)) else { continue };
        let policy = policy.replace(&format!("\"{arn}\""), &format!("\"{id}\""));
        queue.policy = Propagating::new(Some(policy));
        state.put(&key, &queue)?;
    }
    Ok(())
}

/// Whether the caller may: everything in its own account but what the policy denies, else what the policy allows.
fn authorize(call: &Call<'_>, queue: &Queue, arn: &str, account: &str) -> Result<(), Error> {
    let (owns, user) = (call.caller.account()? == account, call.caller.user());
    let tags = queue.tags.written().iter().map(|(key, value)| (format!("aws:ResourceTag/{key}"), value));
    let tags: Vec<_> = tags.collect();
    let mut context = rights::context(&call.caller, &user);
    context.extend(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    // Whoever may send one message may send many.
    let action = call.operation.trim_end_matches("Batch");
    let attempt = Attempt { principal: call.caller.principal(), action, resource: arn, context };
    let decision = queue.policy.written().as_deref().map_or(Decision::Silent, |policy| decided(policy, &attempt));
    rights::decide(call, &attempt, decision, owns)
}

fn decided(policy: &str, attempt: &Attempt<'_>) -> Decision {
    Policy::attached(policy).map_or(Decision::Silent, |policy| policy.decide(attempt))
}

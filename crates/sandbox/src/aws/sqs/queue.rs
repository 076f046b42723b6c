//! Queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::attributes::{self, Attributes};
use super::{authorize, message};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::json as answers;
use crate::aws::rights;
use crate::aws::tagging;
use crate::aws::tags::{self, Tags};
use crate::propagation::Propagating;
use crate::state::Transaction;

/// A queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) created_ms: u64,
    pub(super) changed_ms: u64,
    pub(super) purged_ms: u64,
    /// All but the policy.
    pub(super) attributes: Propagating<Attributes>,
    pub(super) policy: Propagating<Option<String>>,
    pub(super) tags: Propagating<Tags>,
}

/// A queue that a request names.
pub(super) struct Found {
    pub(super) region: String,
    pub(super) account: String,
    pub(super) queue: Queue,
    /// It was deleted, and answers still.
    dying: bool,
}

impl Queue {
    /// Whether those see it who did not make it just now: `sqs.queue` says how much later.
    pub(super) fn is_seen(&self, call: &Call<'_>) -> bool {
        self.created_ms.saturating_add(call.delay_ms("sqs.queue")) <= call.now_ms
    }
}

/// A name is free this long after its queue was deleted, and a queue is purged once in this long
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>.
const MINUTE_MS: u64 = 60_000;

pub(super) fn key(region: &str, account: &str, name: &str) -> String {
    format!("sqs/queue/{region}/{account}/{name}")
}

/// Where all of them are.
pub(super) const fn all() -> &'static str {
    "sqs/queue/"
}

/// Where a queue is that was deleted and goes on for a while.
fn dying_key(region: &str, account: &str, name: &str) -> String {
    format!("sqs/dying/{region}/{account}/{name}")
}

fn deleted_key(region: &str, account: &str, name: &str) -> String {
    format!("sqs/deleted/{region}/{account}/{name}")
}

pub(super) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{account}:{name}")
}

/// Region, account and name of a queue's ARN.
pub(super) fn taken_apart(arn: &str) -> Option<(&str, &str, &str)> {
    let fields: Vec<_> = arn.split(':').collect();
    match fields.as_slice() {
        ["arn", "aws", "sqs", region, account, name] => Some((region, account, name)),
        _ => None,
    }
}

impl Found {
    /// The queue of an address; the region is the endpoint's.
    pub(super) fn at(state: &Transaction<'_>, call: &Call<'_>, url: &str) -> Result<Self, Error> {
        let mut fields = url.rsplit('/');
        let (name, account) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        Self::named(state, call, account, name)
    }

    fn named(state: &Transaction<'_>, call: &Call<'_>, account: &str, name: &str) -> Result<Self, Error> {
        let region = call.caller.region();
        let queue: Option<Queue> = state.get(&key(region, account, name))?;
        let (queue, dying) = match queue.filter(|queue| queue.is_seen(call)) {
            Some(queue) => (queue, false),
            None => match dying(state, call, region, account, name)? {
                Some(queue) => (queue, true),
                // Who may not ask for a queue of that name is not told whether there is one.
                None => {
                    return Err(rights::need(call, &call.operation, &arn(region, account, name))
                        .err()
                        .unwrap_or_else(no_queue));
                }
            },
        };
        authorize(call, &queue, &arn(region, account, name), account)?;
        Ok(Self { region: region.to_owned(), account: account.to_owned(), queue, dying })
    }

    fn key(&self) -> String {
        match self.dying {
            true => dying_key(&self.region, &self.account, &self.queue.name),
            false => key(&self.region, &self.account, &self.queue.name),
        }
    }

    /// The part of messages' keys that is the queue.
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}", self.region, self.account, self.queue.name)
    }

    fn save(&mut self, state: &mut Transaction<'_>, call: &Call<'_>) -> Result<(), Error> {
        self.queue.changed_ms = call.now_ms;
        Ok(state.put(&self.key(), &self.queue)?)
    }
}

/// A queue that was deleted, as long as it answers: "the deletion process takes up to 60 seconds. Requests you send involving
/// that queue during the 60 seconds might succeed" <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>.
/// `sqs.gone` says how long.
fn dying(
    state: &Transaction<'_>,
    call: &Call<'_>,
    region: &str,
    account: &str,
    name: &str,
) -> Result<Option<Queue>, Error> {
    let deleted: Option<u64> = state.get(&deleted_key(region, account, name))?;
    let until = deleted.map(|deleted| deleted.saturating_add(call.delay_ms("sqs.gone")));
    if until.is_some_and(|until| call.now_ms < until) {
        return Ok(state.get(&dying_key(region, account, name))?);
    }
    Ok(None)
}

fn no_queue() -> Error {
    Error::new(400, "NonExistentQueue", "The specified queue does not exist.")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateQueue {
    #[serde(rename = "QueueName")]
    name: String,
    #[serde(rename = "Attributes", default)]
    attributes: Attributes,
    #[serde(default)]
    tags: Tags,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
pub(super) fn create_queue(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: CreateQueue = answers::input(call)?;
    check_name(&input.name)?;
    attributes::check(&input.attributes)?;
    let (region, account) = (call.caller.region(), call.caller.account()?);
    rights::need(call, "sqs:CreateQueue", &arn(region, account, &input.name))?;
    if !input.tags.is_empty() {
        // <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>: "you must have the
        // sqs:CreateQueue and sqs:TagQueue permissions".
        rights::need(call, "sqs:TagQueue", &arn(region, account, &input.name))?;
    }
    let url = url(call, account, &input.name);
    if let Some(queue) = state.get::<Queue>(&key(region, account, &input.name))? {
        same_attributes(&queue, &input.attributes)?;
        return answers::answer(call, &json!({ "QueueUrl": url }));
    }
    let deleted: Option<u64> = state.get(&deleted_key(region, account, &input.name))?;
    if deleted.is_some_and(|deleted| call.now_ms < deleted + call.world.clock.wait_ms(MINUTE_MS)) {
        let message =
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(Error::new(400, "QueueDeletedRecently", message));
    }
    state.delete(&deleted_key(region, account, &input.name));
    state.delete(&dying_key(region, account, &input.name));
    state.put(&key(region, account, &input.name), &made(call, input)?)?;
    answers::answer(call, &json!({ "QueueUrl": url }))
}

fn made(call: &Call<'_>, input: CreateQueue) -> Result<Queue, Error> {
    let mut all = attributes::defaults();
    attributes::merge(&mut all, &input.attributes);
    let (mut policy, mut tags) = (Propagating::new(None), Propagating::new(Tags::new()));
    let written = input.attributes.get("Policy").filter(|policy| !policy.is_empty()).cloned();
    policy.write(written, call.now_ms, call.longest_delay_ms());
    tags.write(checked_tags(input.tags)?, call.now_ms, call.longest_delay_ms());
    let now_ms = call.now_ms;
    Ok(Queue {
        name: input.name,
        created_ms: now_ms,
        changed_ms: now_ms,
        purged_ms: 0,
        attributes: Propagating::new(all),
        policy,
        tags,
    })
}

/// The rules are those of all tags; the code is SQS's own
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html>.
fn checked_tags(tags: Tags) -> Result<Tags, Error> {
    tags::checked(tags).map_err(|error| Error::new(400, "InvalidParameterValue", error.message))
}

/// 1-80 letters, digits, `-` and `_` <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>.
fn check_name(name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.strip_suffix(".fifo").is_some() {
        return Err(Error::unserved("FIFO queues"));
    }
    if (1..=80).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    Err(Error::new(400, "InvalidParameterValue", message))
}

/// Creating what is there succeeds if it is the same.
fn same_attributes(queue: &Queue, wanted: &Attributes) -> Result<(), Error> {
    let same = |(name, wanted): (&String, &String)| match name.as_str() {
        "Policy" => document(Some(wanted)) == document(queue.policy.written().as_ref()),
        name => queue.attributes.written().get(name).map_or("", String::as_str) == wanted,
    };
    match wanted.iter().find(|attribute| !same(*attribute)) {
        None => Ok(()),
        Some((name, _)) => {
            let message =
                format!("A queue already exists with the same name and a different value for attribute {name}");
            Err(Error::new(400, "QueueAlreadyExists", message))
        }
    }
}

fn document(policy: Option<&String>) -> Option<Value> {
    policy.filter(|policy| !policy.is_empty()).and_then(|policy| serde_json::from_str(policy).ok())
}

/// The address of a queue, on the host that the caller used.
fn url(call: &Call<'_>, account: &str, name: &str) -> String {
    format!("http://{}/{account}/{name}", call.header("host").unwrap_or("127.0.0.1"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQueueUrl {
    #[serde(rename = "QueueName")]
    name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>
pub(super) fn get_queue_url(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: GetQueueUrl = answers::input(call)?;
    let account = match &input.owner {
        Some(owner) => owner,
        None => call.caller.account()?,
    };
    let found = Found::named(state, call, account, &input.name)?;
    answers::answer(call, &json!({ "QueueUrl": url(call, &found.account, &found.queue.name) }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>
pub(super) fn list_queues(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: ListQueues = answers::input(call)?;
    let account = call.caller.account()?;
    rights::need(call, "sqs:ListQueues", &arn(call.caller.region(), account, ""))?;
    let all = key(call.caller.region(), account, "");
    let prefix = format!("{all}{}", input.queue_name_prefix);
    let after = input.next_token.map(|name| format!("{all}{name}"));
    let most = input.max_results.unwrap_or(1000).clamp(1, 1000);
    let names: Vec<_> = state.keys(&prefix, after.as_deref()).take(most + 1).map(|key| &key[all.len()..]).collect();
    let page = &names[..most.min(names.len())];
    let mut answer = json!({ "QueueUrls": page.iter().map(|name| url(call, account, name)).collect::<Vec<_>>() });
    if names.len() > most {
        answer["NextToken"] = json!(page.last());
    }
    answers::answer(call, &answer)
}

/// A request that names a queue and no more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfQueue {
    #[serde(rename = "QueueUrl")]
    url: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
pub(super) fn delete_queue(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: OfQueue = answers::input(call)?;
    let found = Found::at(state, call, &input.url)?;
    if found.dying {
        return answers::nothing(call);
    }
    message::delete_all(state, &found.path());
    state.delete(&found.key());
    let (region, account, name) = (&found.region, &found.account, &found.queue.name);
    state.put(&deleted_key(region, account, name), &call.now_ms)?;
    if call.delay_ms("sqs.gone") > 0 {
        state.put(&dying_key(region, account, name), &found.queue)?;
    }
    tagging::leave(state, call, account, region, &arn(region, account, name), found.queue.tags.written())?;
    answers::nothing(call)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>
pub(super) fn purge_queue(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: OfQueue = answers::input(call)?;
    let mut found = Found::at(state, call, &input.url)?;
    if call.now_ms < found.queue.purged_ms + MINUTE_MS {
        let message = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", found.queue.name);
        return Err(Error::new(403, "PurgeQueueInProgress", message));
    }
    message::delete_all(state, &found.path());
    found.queue.purged_ms = call.now_ms;
    state.put(&found.key(), &found.queue)?;
    answers::nothing(call)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQueueAttributes {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "AttributeNames", default)]
    names: Vec<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
pub(super) fn get_queue_attributes(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: GetQueueAttributes = answers::input(call)?;
    let found = Found::at(state, call, &input.url)?;
    if let Some(name) = input.names.iter().find(|name| *name != "All" && !attributes::is_known(name)) {
        return Err(Error::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    let asked = |name: &String| input.names.iter().any(|asked| asked == "All" || asked == name);
    let all = every_attribute(state, call, &found)?;
    let attributes: BTreeMap<_, _> = all.into_iter().filter(|(name, _)| asked(name)).collect();
    let answer = if attributes.is_empty() { json!({}) } else { json!({ "Attributes": attributes }) };
    answers::answer(call, &answer)
}

fn every_attribute(state: &Transaction<'_>, call: &Call<'_>, found: &Found) -> Result<Attributes, Error> {
    let queue = &found.queue;
    let delay_ms = call.delay_ms("sqs.attributes");
    let mut all = queue.attributes.seen_after(call.now_ms, delay_ms).clone();
    all.extend(queue.policy.seen_after(call.now_ms, delay_ms).clone().map(|policy| ("Policy".to_owned(), policy)));
    let (visible, hidden, delayed) = message::counts(state, &found.path(), call.now_ms)?;
    let computed = [
        visible.to_string(),
        delayed.to_string(),
        hidden.to_string(),
        (queue.created_ms / 1000).to_string(),
        (queue.changed_ms / 1000).to_string(),
        arn(&found.region, &found.account, &queue.name),
    ];
    all.extend(attributes::COMPUTED.into_iter().map(str::to_owned).zip(computed));
    Ok(all)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetQueueAttributes {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "Attributes")]
    attributes: Attributes,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
pub(super) fn set_queue_attributes(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: SetQueueAttributes = answers::input(call)?;
    attributes::check(&input.attributes)?;
    let mut found = Found::at(state, call, &input.url)?;
    let mut all = found.queue.attributes.written().clone();
    attributes::merge(&mut all, &input.attributes);
    found.queue.attributes.write(all, call.now_ms, call.longest_delay_ms());
    if let Some(policy) = input.attributes.get("Policy") {
        let policy = Some(policy.clone()).filter(|policy| !policy.is_empty());
        found.queue.policy.write(policy, call.now_ms, call.longest_delay_ms());
    }
    found.save(state, call)?;
    answers::nothing(call)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>
pub(super) fn list_queue_tags(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: OfQueue = answers::input(call)?;
    let found = Found::at(state, call, &input.url)?;
    let tags = found.queue.tags.seen_after(call.now_ms, call.delay_ms("sqs.tags"));
    answers::answer(call, &if tags.is_empty() { json!({}) } else { json!({ "Tags": tags }) })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TagQueue {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "Tags")]
    tags: Tags,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>
pub(super) fn tag_queue(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: TagQueue = answers::input(call)?;
    let mut tags = Found::at(state, call, &input.url)?.queue.tags.written().clone();
    tags.extend(checked_tags(input.tags)?);
    write_tags(state, call, &input.url, tags)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UntagQueue {
    #[serde(rename = "QueueUrl")]
    url: String,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>
pub(super) fn untag_queue(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: UntagQueue = answers::input(call)?;
    let mut tags = Found::at(state, call, &input.url)?.queue.tags.written().clone();
    tags.retain(|key, _| !input.keys.contains(key));
    write_tags(state, call, &input.url, tags)
}

fn write_tags(state: &mut Transaction<'_>, call: &Call<'_>, url: &str, tags: Tags) -> Reply {
    let mut found = Found::at(state, call, url)?;
    found.queue.tags.write(tags::within_limit(tags)?, call.now_ms, call.longest_delay_ms());
    state.put(&found.key(), &found.queue)?;
    answers::nothing(call)
}

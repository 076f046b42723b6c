//! Queues, as Resource Manager shows them <https://learn.microsoft.com/rest/api/storagerp/queue>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::{self, Account, data_key};
use crate::azure::call::{Call, empty, json, list};
use crate::azure::late::CONTENT;
use crate::azure::properties::{self, Metadata};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{names, queue, resources};
use crate::state::Transaction;

/// How long a deleted queue's name is kept, in milliseconds
/// <https://learn.microsoft.com/rest/api/storageservices/delete-queue3#remarks>.
const NAME_KEPT_MS: u64 = 30_000;

/// Most entries of a page <https://learn.microsoft.com/rest/api/storagerp/queue/list>.
const PAGE: usize = 5_000;

/// A queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    properties: WantedProperties,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WantedProperties {
    metadata: Option<Metadata>,
}

/// A queue of an account, by its name.
pub(super) fn get(state: &Transaction<'_>, account: &Account, name: &str) -> Result<Option<Queue>, Error> {
    resources::get(state, &id(account, name))
}

/// Keep one.
pub(super) fn write(
    state: &mut Transaction<'_>,
    account: &Account,
    name: &str,
    metadata: Metadata,
) -> Result<Queue, Error> {
    let queue = Queue { id: id(account, name), name: name.to_owned(), metadata };
    resources::put(state, &queue.id, &queue)?;
    Ok(queue)
}

/// Remove one with its messages; its name stays taken for a while.
pub(super) fn remove(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<(), Error> {
    let Some(queue) = get(state, account, name)? else { return Ok(()) };
    CONTENT.note(state, call, &queue.id, body(&queue))?;
    queue::remove_all(state, account, name);
    resources::delete(state, &queue.id);
    let until = call.now_ms + call.delay_ms("queues", NAME_KEPT_MS);
    state.put(&deleted_key(account, name), &until)
}

/// Refuse the name of one that was deleted a moment ago.
pub(super) fn free(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<(), Refusal> {
    let until = state.get::<u64>(&deleted_key(account, name))?;
    if get(state, account, name)?.is_some() || until.is_none_or(|until| call.now_ms >= until) {
        return Ok(());
    }
    Err(Refusal::conflict("QueueBeingDeleted", "The specified queue is being deleted."))
}

fn deleted_key(account: &Account, name: &str) -> String {
    data_key(&account.name, &format!("deleted-queue/{name}"))
}

/// All of an account, in order of their names.
pub(super) fn all(state: &Transaction<'_>, account: &Account) -> Result<Vec<Queue>, Error> {
    resources::list(state, &format!("{}/queueServices/default/queues", account.id))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let account = accounts::of_child(state, call, target)?;
    if target.kind == Kind::QueueServices {
        return service(call, target, &account);
    }
    let name = target.name(2);
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => {
            let found = all(state, &account)?.into_iter().map(|queue| (queue.id.clone(), body(&queue)));
            page(call, target, CONTENT.shown(state, call, &target.id, found)?)
        }
        (&Method::GET, Shape::Resource) => {
            let mut found = body(&existing(state, call, &account, name)?);
            found["properties"]["approximateMessageCount"] = json!(queue::count(state, call, &account, name)?);
            Ok(json(200, &found))
        }
        (&Method::PUT, Shape::Resource) => {
            names::queue(name)?;
            let wanted: Wanted = call.document()?;
            free(state, call, &account, name)?;
            let before = get(state, &account, name)?.map(|queue| queue.metadata);
            put(state, &account, name, wanted.properties.metadata.or(before).unwrap_or_default())
        }
        (&Method::PATCH, Shape::Resource) => {
            let wanted: Wanted = call.document()?;
            let before = existing(state, call, &account, name)?.metadata;
            put(state, &account, name, wanted.properties.metadata.unwrap_or(before))
        }
        (&Method::DELETE, Shape::Resource) => {
            remove(state, call, &account, name)?;
            Ok(empty(204))
        }
        _ => Err(not_served(call, target)),
    }
}

/// A page of a list by ids: `$maxpagesize` entries after those of the page before.
pub(super) fn page(call: &Call<'_>, target: &Target, values: Vec<(String, Value)>) -> Served {
    let name = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
    let values = values.into_iter().map(|(id, value)| (name(&id), value));
    let size = call.field("$maxpagesize").and_then(|size| size.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let after = call.field("$skiptoken").unwrap_or_default();
    let filter = call.field("$filter").unwrap_or_default();
    let beginning = match filter.strip_prefix("startswith(name, ").and_then(|rest| rest.strip_suffix(')')) {
        Some(text) => text.trim_matches(['\'', ' ']),
        None if filter.is_empty() => "",
        None => return Err(Refusal::not_served(&format!("the filter {filter}"))),
    };
    let mut left = values.filter(|(name, _)| name.as_str() > after && name.starts_with(beginning));
    let found: Vec<(String, Value)> = left.by_ref().take(size).collect();
    let next = found.last().map(|(name, _)| name.clone()).filter(|_| left.next().is_some());
    let values: Vec<Value> = found.into_iter().map(|(_, value)| value).collect();
    let Some(next) = next else { return list(values) };
    let link = format!("{}&$maxpagesize={size}&$skipToken={next}", call.url(&target.id));
    Ok(json(200, &json!({ "value": values, "nextLink": link })))
}

/// The settings of a queue service, of which none can be changed here.
fn service(call: &Call<'_>, target: &Target, account: &Account) -> Served {
    let body = json!({
        "id": format!("{}/queueServices/default", account.id),
        "name": "default",
        "type": "Microsoft.Storage/storageAccounts/queueServices",
        "properties": { "cors": { "corsRules": [] } },
    });
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => list(vec![body]),
        (&Method::GET, Shape::Resource) => Ok(json(200, &body)),
        _ => Err(not_served(call, target)),
    }
}

fn put(state: &mut Transaction<'_>, account: &Account, name: &str, metadata: Metadata) -> Served {
    properties::metadata(&metadata)?;
    Ok(json(200, &body(&write(state, account, name, metadata)?)))
}

fn existing(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Result<Queue, Refusal> {
    let message = "The specified queue does not exist.";
    get(state, account, name)?.ok_or_else(|| Refusal::of_storage(404, "QueueNotFound", message, call.now_ms))
}

fn id(account: &Account, name: &str) -> String {
    format!("{}/queueServices/default/queues/{name}", account.id)
}

fn body(queue: &Queue) -> Value {
    json!({
        "id": queue.id,
        "name": queue.name,
        "type": "Microsoft.Storage/storageAccounts/queueServices/queues",
        "properties": { "metadata": queue.metadata },
    })
}

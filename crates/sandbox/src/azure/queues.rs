//! Queues, as Resource Manager shows them <https://learn.microsoft.com/rest/api/storagerp/queue>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::accounts::{self, Account};
use crate::azure::call::{Call, empty, json, list};
use crate::azure::properties::{self, Metadata};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{names, queue, resources};
use crate::state::Transaction;

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

/// Remove one with its messages. Gives whether there was one.
pub(super) fn remove(state: &mut Transaction<'_>, account: &Account, name: &str) -> bool {
    queue::remove_all(state, account, name);
    resources::delete(state, &id(account, name))
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
            page(call, target, all(state, &account)?.iter().map(|queue| (queue.name.clone(), body(queue))).collect())
        }
        (&Method::GET, Shape::Resource) => Ok(json(200, &body(&existing(state, &account, name)?))),
        (&Method::PUT, Shape::Resource) => {
            names::queue(name)?;
            let wanted: Wanted = call.document()?;
            let before = get(state, &account, name)?.map(|queue| queue.metadata);
            put(state, &account, name, wanted.properties.metadata.or(before).unwrap_or_default())
        }
        (&Method::PATCH, Shape::Resource) => {
            let wanted: Wanted = call.document()?;
            let before = existing(state, &account, name)?.metadata;
            put(state, &account, name, wanted.properties.metadata.unwrap_or(before))
        }
        (&Method::DELETE, Shape::Resource) => {
            remove(state, &account, name);
            Ok(empty(204))
        }
        _ => Err(not_served(call, target)),
    }
}

/// A page of a list: `$maxpagesize` entries after those of the page before.
pub(super) fn page(call: &Call<'_>, target: &Target, values: Vec<(String, Value)>) -> Served {
    let size = call.field("$maxpagesize").and_then(|size| size.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let after = call.field("$skiptoken").unwrap_or_default();
    let filter = call.field("$filter").unwrap_or_default();
    let beginning = match filter.strip_prefix("startswith(name, ").and_then(|rest| rest.strip_suffix(')')) {
        Some(text) => text.trim_matches(['\'', ' ']),
        None if filter.is_empty() => "",
        None => return Err(Refusal::not_served(&format!("the filter {filter}"))),
    };
    let mut left = values.into_iter().filter(|(name, _)| name.as_str() > after && name.starts_with(beginning));
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

fn existing(state: &Transaction<'_>, account: &Account, name: &str) -> Result<Queue, Refusal> {
    get(state, account, name)?.ok_or_else(|| Refusal::not_found("QueueNotFound", "The specified queue does not exist."))
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

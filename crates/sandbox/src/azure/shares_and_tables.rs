//! File shares and tables: that they are there, so that an account that holds some is not taken for empty
//! <https://learn.microsoft.com/rest/api/storagerp/file-shares>, <https://learn.microsoft.com/rest/api/storagerp/table>.

use http::Method;
use serde_json::{Value, json};

use crate::azure::accounts;
use crate::azure::call::{Call, empty, json};
use crate::azure::queues;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::resources;
use crate::azure::target::{Kind, Shape, Target};
use crate::state::Transaction;

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    accounts::of_child(state, call, target)?;
    let share = target.kind == Kind::Shares;
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) if share || target.kind == Kind::Tables => {
            let found: Vec<Value> = resources::list(state, &target.id)?;
            let named = |value: Value| (value["name"].as_str().unwrap_or_default().to_owned(), value);
            queues::page(call, target, found.into_iter().map(named).collect())
        }
        (&Method::GET, Shape::Resource) => match resources::get::<Value>(state, &target.id)? {
            Some(found) => Ok(json(200, &found)),
            None => Err(absent(share)),
        },
        (&Method::PUT, Shape::Resource) if share || target.kind == Kind::Tables => put(state, call, target),
        (&Method::DELETE, Shape::Resource) => {
            let there = resources::delete(state, &target.id);
            Ok(empty(if there && share { 200 } else { 204 }))
        }
        _ => Err(not_served(call, target)),
    }
}

/// Without properties: those are not served.
fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let wanted: Value = if call.request.body().is_empty() { json!({}) } else { call.document()? };
    if wanted.get("properties").is_some_and(|properties| *properties != json!({})) {
        return Err(Refusal::not_served("properties of file shares and tables"));
    }
    let status = if target.kind == Kind::Shares && !resources::has(state, &target.id) { 201 } else { 200 };
    let kind = if target.kind == Kind::Shares { "fileServices/shares" } else { "tableServices/tables" };
    let kind = format!("Microsoft.Storage/storageAccounts/{kind}");
    let body = json!({ "id": target.id, "name": target.name(2), "type": kind, "properties": {} });
    resources::put(state, &target.id, &body)?;
    Ok(json(status, &body))
}

fn absent(share: bool) -> Refusal {
    if share {
        return Refusal::not_found("ShareNotFound", "The specified share does not exist.");
    }
    Refusal::not_found("TableNotFound", "The table specified does not exist.")
}

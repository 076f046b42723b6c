//! Locks <https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources>.

use std::collections::BTreeSet;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::azure::call::{Call, empty, json, list};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::{is_scope, not_served};
use crate::azure::resources;
use crate::azure::target::{Kind, Shape, Target};
use crate::state::Transaction;

#[derive(Debug, Serialize, Deserialize)]
struct Lock {
    id: String,
    name: String,
    level: Level,
    #[serde(default)]
    notes: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Level {
    CanNotDelete,
    ReadOnly,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: WantedProperties,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedProperties {
    level: Level,
    notes: Option<String>,
}

/// Refuse what a lock at the resource or above it does not let happen. Locks hold for Resource Manager and not for the
/// data in an account; a read-only one stops `listKeys` too.
pub(super) fn permit(state: &Transaction<'_>, method: &Method, target: &Target) -> Result<(), Refusal> {
    if target.kind == Kind::Locks || [Method::GET, Method::HEAD].contains(method) {
        return Ok(());
    }
    let deletes = method == Method::DELETE;
    let check = target.shape == Shape::Action("checkNameAvailability".to_owned());
    for scope in resources::lineage(&target.id) {
        let locks: Vec<Lock> = resources::list(state, &collection(&scope))?;
        let lock = locks.iter().find(|lock| lock.level == Level::ReadOnly || deletes);
        if lock.is_some() && !check {
            let doing = if deletes { "delete" } else { "write" };
            let message = format!(
                "The scope '{}' cannot perform {doing} operation because following scope(s) are locked: '{scope}'. Please \
                 remove the lock and try again.",
                target.id
            );
            return Err(Refusal::conflict("ScopeLocked", message));
        }
    }
    if deletes { below(state, target) } else { Ok(()) }
}

/// What holds something locked cannot be deleted either.
fn below(state: &Transaction<'_>, target: &Target) -> Result<(), Refusal> {
    let part = collection("");
    let locked = resources::under(state, &target.id).into_iter().find(|id| id.contains(&part));
    let Some((scope, _)) = locked.as_deref().and_then(|id| id.split_once(&part)) else {
        return Ok(());
    };
    let message = format!(
        "The scope '{}' cannot perform delete operation because following scope(s) are locked: '{scope}'. Please remove \
         the lock and try again.",
        target.id
    );
    Err(Refusal::conflict("ScopeLocked", message))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => all(state, target),
        (&Method::GET, _) => match resources::get::<Lock>(state, &target.id)? {
            Some(lock) => Ok(json(200, &body(&lock))),
            None => {
                let message = format!("The lock '{}' could not be found.", target.name(0));
                Err(Refusal::not_found("LockNotFound", message))
            }
        },
        (&Method::PUT, _) => put(state, call, target),
        (&Method::DELETE, _) => {
            let there = resources::delete(state, &target.id);
            Ok(empty(if there { 200 } else { 204 }))
        }
        _ => Err(not_served(call, target)),
    }
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if !is_scope(state, call, &target.scope)? {
        return Err(resources::not_found(&target.scope));
    }
    let Wanted { properties } = call.document()?;
    let status = if resources::has(state, &target.id) { 200 } else { 201 };
    let name = target.name(0).to_owned();
    let lock = Lock { id: target.id.clone(), name, level: properties.level, notes: properties.notes };
    resources::put(state, &target.id, &lock)?;
    Ok(json(status, &body(&lock)))
}

/// The locks at a scope, above it and below it
/// <https://learn.microsoft.com/powershell/module/az.resources/get-azresourcelock#description>.
fn all(state: &Transaction<'_>, target: &Target) -> Served {
    let part = collection("");
    let lineage = resources::lineage(&target.scope).into_iter();
    let above = lineage.flat_map(|scope| resources::under(state, &collection(&scope)));
    let below = resources::under(state, &target.scope).into_iter().filter(|id| id.contains(&part));
    let ids: BTreeSet<_> = above.chain(below).collect();
    let locks = ids.into_iter().map(|id| resources::get::<Lock>(state, &id)).filter_map(Result::transpose);
    list(locks.map(|lock| lock.map(|lock| body(&lock))).collect::<Result<_, _>>()?)
}

fn collection(scope: &str) -> String {
    format!("{scope}/providers/microsoft.authorization/locks")
}

fn body(lock: &Lock) -> Value {
    json!({
        "id": lock.id,
        "name": lock.name,
        "type": "Microsoft.Authorization/locks",
        "properties": { "level": lock.level, "notes": lock.notes },
    })
}

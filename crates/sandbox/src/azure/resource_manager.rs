//! Resource Manager: who is let in, and which service answers.

use http::Method;
use serde_json::json;

use crate::azure::call::{Call, json};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{
    accounts, authorization, blob_services, containers, denials, event_subscriptions, locks, login, operations,
    policies, queues, resource_groups, resources, rights, shares_and_tables, subscriptions, system_topics,
};
use crate::state::Transaction;

/// Whom a token may be for: Resource Manager by its names in the public and US Government clouds and in China's
/// <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>.
const AUDIENCES: [&str; 4] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.core.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
];

/// Fields of a query that are known.
const FIELDS: [&str; 11] =
    ["api-version", "$filter", "$top", "$skiptoken", "$maxpagesize", "$expand", "monitor", "t", "c", "s", "h"];

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>) -> Served {
    let claims = login::claims(call, &AUDIENCES)?;
    query(call)?;
    let target = Target::parse(call.method(), call.request.uri().path());
    rights::permit(state, call, &claims.oid, &target)?;
    denials::permit(state, call.method(), &claims.oid, &target)?;
    if target.kind != Kind::Subscriptions || target.shape == Shape::Resource {
        subscriptions::existing(state, &target.subscription)?;
    }
    if let (Some(group), false) = (&target.group, target.kind == Kind::ResourceGroups) {
        let group = resource_groups::existing(state, call, &target.subscription, group)?;
        if ![Method::GET, Method::HEAD].contains(call.method()) {
            group.takes_writes()?;
        }
    }
    subscriptions::registered(state, call, &target)?;
    locks::permit(state, call.method(), &target)?;
    policies::permit(state, call, &target)?;
    dispatch(state, call, &target)
}

/// The version must be given, as a date <https://learn.microsoft.com/rest/api/azure/#components-of-a-rest-api-requestresponse>.
fn query(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(version) = call.field("api-version").filter(|version| !version.is_empty()) else {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(Refusal::bad_request("MissingApiVersionParameter", message));
    };
    let date = version.trim_end_matches("-preview");
    let dashes: Vec<usize> = date.split('-').map(str::len).collect();
    if dashes != [4, 2, 2] || !date.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
        let message = format!("The api-version '{version}' is invalid.");
        return Err(Refusal::bad_request("InvalidApiVersionParameter", message));
    }
    match call.fields().find(|(name, _)| !FIELDS.contains(name)) {
        Some((name, _)) => {
            let message = format!("The query parameter '{name}' is not known.");
            Err(Refusal::bad_request("InvalidQueryParameter", message))
        }
        None => Ok(()),
    }
}

fn dispatch(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match &target.kind {
        Kind::Subscriptions | Kind::Providers => subscriptions::serve(state, call, target),
        Kind::ResourceGroups | Kind::Resources => resource_groups::serve(state, call, target),
        Kind::Operations if call.method() == Method::GET => operations::get(state, call, target),
        Kind::StorageAccounts => accounts::serve(state, call, target),
        Kind::BlobServices => blob_services::serve(state, call, target),
        Kind::Containers => containers::serve(state, call, target),
        Kind::QueueServices | Kind::Queues => queues::serve(state, call, target),
        Kind::FileServices | Kind::Shares | Kind::TableServices | Kind::Tables => {
            shares_and_tables::serve(state, call, target)
        }
        Kind::SystemTopics => system_topics::serve(state, call, target),
        Kind::EventSubscriptions | Kind::SystemTopicEventSubscriptions => {
            event_subscriptions::serve(state, call, target)
        }
        Kind::RoleAssignments | Kind::RoleDefinitions => authorization::serve(state, call, target),
        Kind::Permissions => permissions(state, call, target),
        Kind::DenyAssignments => denials::serve(state, call, target),
        Kind::PolicyAssignments | Kind::PolicyRestrictions => policies::serve(state, call, target),
        Kind::Locks => locks::serve(state, call, target),
        Kind::Operations | Kind::Other(_) => Err(not_served(call, target)),
    }
}

/// What the caller's roles let him do <https://learn.microsoft.com/rest/api/authorization/permissions>.
fn permissions(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if (call.method(), &target.shape) != (&Method::GET, &Shape::Collection) {
        return Err(not_served(call, target));
    }
    let subscription = format!("/subscriptions/{}", target.subscription);
    if target.scope != subscription && !is_scope(state, call, &target.scope)? {
        return Err(Refusal::not_found("ResourceNotFound", format!("The resource '{}' was not found.", target.scope)));
    }
    let claims = login::claims(call, &AUDIENCES)?;
    Ok(json(200, &json!({"value": rights::permissions(state, call, &claims.oid, &target.scope)?})))
}

/// The 501 of what the sandbox has not got.
pub(super) fn not_served(call: &Call<'_>, target: &Target) -> Refusal {
    Refusal::not_served(&format!("arm:{}", target.operation(call.method())))
}

/// Whether there is something at an id that roles, locks and event subscriptions can be attached to.
pub(super) fn is_scope(state: &Transaction<'_>, call: &Call<'_>, id: &str) -> Result<bool, Refusal> {
    let target = Target::parse(&Method::GET, id);
    Ok(match target.kind {
        Kind::ResourceGroups => resource_groups::existing(state, call, &target.subscription, target.name(0)).is_ok(),
        // They are there with their account.
        Kind::BlobServices | Kind::QueueServices => {
            id.rsplitn(3, '/').nth(2).is_some_and(|account| resources::has(state, account))
        }
        _ => resources::has(state, id),
    })
}

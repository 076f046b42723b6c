//! Leases, as the Blob service gives them.

use bytes::Bytes;
use http::Response;

use super::stored::Spot;
use super::{container, one};
use crate::azure::accounts::Account;
use crate::azure::call::{Call, with};
use crate::azure::containers;
use crate::azure::data_access::Place;
use crate::azure::leases::{self, Changed, Wanted};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resources;
use crate::state::Transaction;

/// What only the holder of a lease may do.
const FOR_HOLDERS: [&str; 6] =
    ["DeleteContainer", "PutBlob", "PutBlock", "PutBlockList", "SetBlobMetadata", "DeleteBlob"];

/// Refuse what whoever does not hold the lease may not do, and any request with another lease's id. Snapshots and versions have
/// none.
pub(super) fn permit(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    operation: &str,
) -> Result<(), Refusal> {
    let given = call.header("x-ms-lease-id");
    let concerned = given.is_some() || FOR_HOLDERS.contains(&operation);
    let earlier = call.field("snapshot").or(call.field("versionid")).is_some();
    if !concerned || earlier || operation.starts_with("Lease") {
        return Ok(());
    }
    if place.name.is_empty() || operation == "ListBlobs" {
        let found = containers::get(state, account, &place.container)?;
        return leases::permit("container", found.and_then(|found| found.lease).as_ref(), given, call.now_ms);
    }
    let found = Spot { account, container: &place.container, name: &place.name }.current(state)?;
    leases::permit("blob", found.and_then(|found| found.lease).as_ref(), given, call.now_ms)
}

/// <https://learn.microsoft.com/rest/api/storageservices/lease-container>
pub(super) fn of_container(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let mut found = container::existing(state, call, account, name)?;
    let mut changed = Wanted::of(call)?.change(state, call.now_ms, found.lease.take())?;
    found.lease = changed.lease.take();
    resources::put(state, &found.id, &found)?;
    Ok(told(container::stamped(changed.status, &found), &changed))
}

/// <https://learn.microsoft.com/rest/api/storageservices/lease-blob>
pub(super) fn of_blob(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = one::spot(state, account, place)?;
    let Some(mut found) = spot.current(state)? else { return Err(one::absent()) };
    let mut changed = Wanted::of(call)?.change(state, call.now_ms, found.lease.take())?;
    found.lease = changed.lease.take();
    state.put(&spot.key(""), &found)?;
    Ok(told(one::stamped(changed.status, &found), &changed))
}

fn told(answer: Response<Bytes>, changed: &Changed) -> Response<Bytes> {
    let answer = match &changed.id {
        Some(id) => with(answer, &[("x-ms-lease-id", id)]),
        None => answer,
    };
    match changed.seconds {
        Some(seconds) => with(answer, &[("x-ms-lease-time", &seconds.to_string())]),
        None => answer,
    }
}

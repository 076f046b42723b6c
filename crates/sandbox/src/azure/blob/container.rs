//! Containers, as the Blob service shows them <https://learn.microsoft.com/rest/api/storageservices/operations-on-containers>.

use bytes::Bytes;
use http::Response;

use super::one;
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, http_date, with};
use crate::azure::containers::{self, Absent, Container, PublicAccess};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::{leases, names};
use crate::state::Transaction;

pub(super) fn create(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    names::stored(name)?;
    if containers::get(state, account, name)?.is_some() {
        return Err(Refusal::conflict("ContainerAlreadyExists", "The specified container already exists."));
    }
    if matches!(containers::absent(state, call, account, name)?, Absent::BeingDeleted) {
        return Err(being_deleted());
    }
    let mut container = containers::new(account, name);
    container.public_access = match call.header("x-ms-blob-public-access") {
        None => PublicAccess::None,
        Some("blob") => PublicAccess::Blob,
        Some("container") => PublicAccess::Container,
        Some(other) => {
            let message = format!("The value for one of the HTTP headers is not in the correct format: {other}.");
            return Err(Refusal::bad_request("InvalidHeaderValue", message));
        }
    };
    containers::public_access(account, container.public_access)?;
    container.metadata = one::metadata(call)?;
    Ok(stamped(201, &containers::write(state, call, container)?))
}

pub(super) fn delete(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let container = existing(state, call, account, name)?;
    containers::deletable(call, &container)?;
    containers::remove(state, call, account, name)?;
    Ok(empty(202))
}

pub(super) fn get(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let container = existing(state, call, account, name)?;
    let (lease_status, lease_state) = leases::shown(container.lease.as_ref(), call.now_ms);
    let held = if container.holds.is_empty() { "false" } else { "true" };
    let mut answer = with(
        stamped(200, &container),
        &[
            ("x-ms-lease-status", lease_status),
            ("x-ms-lease-state", lease_state),
            ("x-ms-has-immutability-policy", "false"),
            ("x-ms-has-legal-hold", held),
            ("x-ms-default-encryption-scope", "$account-encryption-key"),
            ("x-ms-deny-encryption-scope-override", "false"),
        ],
    );
    match container.public_access {
        PublicAccess::None => {}
        PublicAccess::Blob => answer = with(answer, &[("x-ms-blob-public-access", "blob")]),
        PublicAccess::Container => answer = with(answer, &[("x-ms-blob-public-access", "container")]),
    }
    for (name, value) in &container.metadata {
        answer = with(answer, &[(&format!("x-ms-meta-{}", name.to_ascii_lowercase()), value)]);
    }
    Ok(answer)
}

pub(super) fn set_metadata(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let mut container = existing(state, call, account, name)?;
    container.metadata = one::metadata(call)?;
    Ok(stamped(200, &containers::write(state, call, container)?))
}

pub(super) fn existing(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    name: &str,
) -> Result<Container, Refusal> {
    if let Some(container) = containers::get(state, account, name)? {
        return Ok(container);
    }
    Err(match containers::absent(state, call, account, name)? {
        Absent::BeingDeleted if *call.method() != http::Method::GET => being_deleted(),
        _ => Refusal::not_found("ContainerNotFound", "The specified container does not exist."),
    })
}

/// <https://learn.microsoft.com/rest/api/storageservices/delete-container#remarks>
fn being_deleted() -> Refusal {
    let message = "The specified container is being deleted. Try operation later.";
    Refusal::conflict("ContainerBeingDeleted", message)
}

pub(super) fn stamped(status: u16, container: &Container) -> Response<Bytes> {
    let etag = format!("\"{}\"", container.etag);
    with(empty(status), &[("etag", &etag), ("last-modified", &http_date(container.modified_ms))])
}

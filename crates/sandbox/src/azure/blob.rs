//! The Blob service <https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api>: block blobs.

mod blocks;
mod container;
mod lease;
mod listing;
mod one;
mod service;
mod stored;

use crate::azure::call::Call;
use crate::azure::containers::PublicAccess;
use crate::azure::cors;
use crate::azure::data_access::{self, Need, Place};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::rights::USER_KEY;
use crate::azure::{accounts, containers};
use crate::state::Transaction;

pub(super) use stored::{Blob, remove_all};

/// The operations that are served, with the permission that each needs, in the letter of a shared access signature.
const OPERATIONS: [(&str, char); 22] = [
    ("ListContainers", 'l'),
    ("GetBlobServiceProperties", 's'),
    ("SetBlobServiceProperties", 's'),
    ("GetUserDelegationKey", USER_KEY),
    ("CreateContainer", 'c'),
    ("DeleteContainer", 'd'),
    ("GetContainerProperties", 'r'),
    ("GetContainerMetadata", 'r'),
    ("SetContainerMetadata", 'w'),
    ("ListBlobs", 'l'),
    ("PutBlob", 'w'),
    ("PutBlock", 'w'),
    ("PutBlockList", 'w'),
    ("SetBlobMetadata", 'w'),
    ("SnapshotBlob", 'w'),
    ("GetBlockList", 'r'),
    ("GetBlob", 'r'),
    ("GetBlobProperties", 'r'),
    ("GetBlobMetadata", 'r'),
    ("DeleteBlob", 'd'),
    ("LeaseContainer", 'w'),
    ("LeaseBlob", 'w'),
];

/// Headers that are known, besides `x-ms-meta-...`.
const HEADERS: [&str; 26] = [
    "x-ms-access-tier",
    "x-ms-blob-cache-control",
    "x-ms-blob-content-disposition",
    "x-ms-blob-content-encoding",
    "x-ms-blob-content-language",
    "x-ms-blob-content-length",
    "x-ms-blob-content-md5",
    "x-ms-blob-content-type",
    "x-ms-blob-public-access",
    "x-ms-blob-type",
    "x-ms-client-request-id",
    "x-ms-date",
    "x-ms-default-encryption-scope",
    "x-ms-delete-snapshots",
    "x-ms-deny-encryption-scope-override",
    "x-ms-encryption-algorithm",
    "x-ms-lease-action",
    "x-ms-lease-break-period",
    "x-ms-lease-duration",
    "x-ms-lease-id",
    "x-ms-proposed-lease-id",
    "x-ms-range",
    "x-ms-range-get-content-md5",
    "x-ms-return-client-request-id",
    "x-ms-useragent",
    "x-ms-version",
];

/// Fields of a query that are known, besides those of a shared access signature.
const FIELDS: [&str; 13] = [
    "restype",
    "comp",
    "prefix",
    "delimiter",
    "marker",
    "maxresults",
    "include",
    "timeout",
    "blockid",
    "blocklisttype",
    "snapshot",
    "versionid",
    "showonly",
];

/// Fields of a shared access signature <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>.
pub(super) const SIGNATURE_FIELDS: [&str; 28] = [
    "sv", "ss", "srt", "sp", "st", "se", "sr", "sip", "spr", "sig", "si", "skoid", "sktid", "skt", "ske", "sks", "skv",
    "saoid", "suoid", "scid", "rscc", "rscd", "rsce", "rscl", "rsct", "ses", "skdutid", "sduoid",
];

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, name: &str) -> Served {
    let place = Place::of(call);
    if name == "PreflightBlobRequest" {
        return cors::preflight(state, call, &place.account);
    }
    let Some((_, permission)) = OPERATIONS.iter().find(|(operation, _)| *operation == name) else {
        return Err(Refusal::not_served(&format!("blob:{name}")));
    };
    known(call, &HEADERS, &FIELDS)?;
    let public = is_public(state, &place, name)?;
    // <https://learn.microsoft.com/rest/api/storageservices/delete-blob#permissions>
    let of_version = name == "DeleteBlob" && call.field("versionid").is_some();
    let permission = if of_version { 'x' } else { *permission };
    let account = data_access::permit(state, call, &place, Need { queue: false, permission, public })?;
    lease::permit(state, call, &account, &place, name)?;
    match name {
        "ListContainers" => service::list(state, call, &account),
        "GetBlobServiceProperties" => service::get(state, &account),
        "GetUserDelegationKey" => service::user_key(call, &account),
        "SetBlobServiceProperties" => service::set(state, call, &account),
        "CreateContainer" => container::create(state, call, &account, &place.container),
        "DeleteContainer" => container::delete(state, call, &account, &place.container),
        "GetContainerProperties" | "GetContainerMetadata" => container::get(state, call, &account, &place.container),
        "SetContainerMetadata" => container::set_metadata(state, call, &account, &place.container),
        "ListBlobs" => listing::list(state, call, &account, &place.container),
        "PutBlob" => one::put(state, call, &account, &place),
        "PutBlock" => blocks::put(state, call, &account, &place),
        "PutBlockList" => blocks::commit(state, call, &account, &place),
        "GetBlockList" => blocks::list(state, call, &account, &place),
        "SetBlobMetadata" => one::set_metadata(state, call, &account, &place),
        "SnapshotBlob" => one::snapshot(state, call, &account, &place),
        "DeleteBlob" => one::delete(state, call, &account, &place),
        "LeaseContainer" => lease::of_container(state, call, &account, &place.container),
        "LeaseBlob" => lease::of_blob(state, call, &account, &place),
        _ => one::get(state, call, &account, &place),
    }
}

/// Refuse headers and fields of the query that are not known.
pub(super) fn known(call: &Call<'_>, headers: &[&str], fields: &[&str]) -> Result<(), Refusal> {
    let mut names = call.request.headers().keys().map(|name| name.as_str());
    let header =
        names.find(|name| name.starts_with("x-ms-") && !name.starts_with("x-ms-meta-") && !headers.contains(name));
    if let Some(name) = header {
        let message = format!("One of the HTTP headers specified in the request is not supported: {name}.");
        return Err(Refusal::bad_request("UnsupportedHeader", message));
    }
    let field = call.fields().find(|(name, _)| !fields.contains(name) && !SIGNATURE_FIELDS.contains(name));
    match field {
        Some((name, _)) => {
            let message = format!("One of the query parameters specified in the request URI is not supported: {name}.");
            Err(Refusal::bad_request("UnsupportedQueryParameter", message))
        }
        None => Ok(()),
    }
}

/// Whether a container is open to everybody for an operation
/// <https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-configure>.
fn is_public(state: &Transaction<'_>, place: &Place, name: &str) -> Result<bool, Refusal> {
    let Some(account) = accounts::named(state, &place.account)? else { return Ok(false) };
    let Some(container) = containers::get(state, &account, &place.container)? else { return Ok(false) };
    let open = match name {
        "GetBlob" | "GetBlobProperties" | "GetBlobMetadata" => container.public_access != PublicAccess::None,
        "ListBlobs" | "GetContainerProperties" => container.public_access == PublicAccess::Container,
        _ => false,
    };
    Ok(open && account.allows_public_access())
}

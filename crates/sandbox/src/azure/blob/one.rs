//! One blob: write, read, snapshot, delete.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{Method, Response};
use md5::{Digest as _, Md5};

use super::stored::{Blob, Spot, content, drop_content, keep_content, moment};
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, http_date, with};
use crate::azure::data_access::Place;
use crate::azure::events::{self, Event};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::wire::REQUEST;
use crate::azure::{blob_services, containers, leases, properties};
use crate::state::Transaction;

/// Headers that are kept with a blob and given back: as they are sent with the content, and with its answer.
const KEPT: [(&str, &str); 5] = [
    ("x-ms-blob-cache-control", "cache-control"),
    ("x-ms-blob-content-disposition", "content-disposition"),
    ("x-ms-blob-content-encoding", "content-encoding"),
    ("x-ms-blob-content-language", "content-language"),
    ("x-ms-blob-content-md5", "content-md5"),
];

/// <https://learn.microsoft.com/rest/api/storageservices/put-blob>
pub(super) fn put(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    match call.header("x-ms-blob-type") {
        Some("BlockBlob") => {}
        Some(kind) => return Err(Refusal::not_served(&format!("the blob type {kind}"))),
        None => {
            let message = "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type.";
            return Err(Refusal::bad_request("MissingRequiredHeader", message));
        }
    }
    let body = call.request.body();
    let digest = BASE64.encode(&Md5::digest(body));
    if call.header("content-md5").is_some_and(|given| given != digest) {
        let message =
            "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
        return Err(Refusal::bad_request("Md5Mismatch", message));
    }
    let mut blob = described(call)?;
    blob.headers.entry("content-md5".to_owned()).or_insert_with(|| digest.clone());
    blob.size = body.len() as u64;
    blob.content = keep_content(state, account, body)?;
    let answer = written(state, call, account, place, "PutBlob", blob)?;
    Ok(with(answer, &[("content-md5", &digest)]))
}

/// Make a blob current, tell Event Grid, and answer.
pub(super) fn written(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    api: &str,
    blob: Blob,
) -> Served {
    let spot = spot(state, account, place)?;
    conditions(call, spot.current(state)?.as_ref())?;
    let service = blob_services::of(state, account)?;
    let blob = spot.replace(state, call, &service, blob)?;
    let (container, name) = (place.container.as_str(), place.name.as_str());
    let event = Event { kind: "Microsoft.Storage.BlobCreated", api, container, name, blob: &blob };
    events::deliver(state, call, account, event)?;
    let answer = with(stamped(201, &blob), &[("x-ms-request-server-encrypted", "true")]);
    Ok(match &blob.version {
        Some(version) => with(answer, &[("x-ms-version-id", version)]),
        None => answer,
    })
}

/// What a request says of the blob it writes.
pub(super) fn described(call: &Call<'_>) -> Result<Blob, Refusal> {
    let kept = KEPT.iter().filter_map(|(sent, name)| Some(((*name).to_owned(), call.header(sent)?.to_owned())));
    let kind = call.header("x-ms-blob-content-type").or(call.header("content-type"));
    Ok(Blob {
        content_type: kind.unwrap_or("application/octet-stream").to_owned(),
        headers: kept.collect(),
        metadata: metadata(call)?,
        tier: call.header("x-ms-access-tier").map(ToOwned::to_owned),
        ..Blob::default()
    })
}

/// Metadata comes in headers <https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources>.
pub(super) fn metadata(call: &Call<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let headers = call.request.headers().keys().filter_map(|name| name.as_str().strip_prefix("x-ms-meta-"));
    let value = |name: &str| call.header(&format!("x-ms-meta-{name}")).unwrap_or_default().to_owned();
    let metadata = headers.map(|name| (name.to_owned(), value(name))).collect();
    properties::metadata(&metadata)?;
    Ok(metadata)
}

/// <https://learn.microsoft.com/rest/api/storageservices/get-blob>, and its properties.
pub(super) fn get(state: &Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let blob = found(state, call, spot(state, account, place)?)?;
    if call.header("if-none-match").is_some_and(|etag| is(etag, &blob)) {
        return Ok(stamped(304, &blob));
    }
    conditions(call, Some(&blob))?;
    let mut answer = headed(call, stamped(200, &blob), &blob);
    if call.method() == Method::HEAD || call.field("comp").is_some() {
        return Ok(with(answer, &[("content-length", &blob.size.to_string())]));
    }
    let bytes = content(state, account, blob.content)?;
    let Some((first, last)) = range(call, blob.size)? else {
        *answer.body_mut() = Bytes::from(bytes);
        return Ok(answer);
    };
    let part = bytes.get(place_of(first)..=place_of(last)).unwrap_or_default();
    *answer.body_mut() = Bytes::copy_from_slice(part);
    *answer.status_mut() = http::StatusCode::PARTIAL_CONTENT;
    answer.headers_mut().remove("content-md5");
    let whole = blob.headers.get("content-md5").cloned().unwrap_or_default();
    let range = format!("bytes {first}-{last}/{}", blob.size);
    let digest = BASE64.encode(&Md5::digest(part));
    answer = with(answer, &[("content-range", &range), ("x-ms-blob-content-md5", &whole)]);
    let wanted = call.header("x-ms-range-get-content-md5") == Some("true");
    Ok(if wanted { with(answer, &[("content-md5", &digest)]) } else { answer })
}

/// <https://learn.microsoft.com/rest/api/storageservices/set-blob-metadata>
pub(super) fn set_metadata(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = spot(state, account, place)?;
    let Some(mut blob) = spot.current(state)? else { return Err(absent()) };
    conditions(call, Some(&blob))?;
    blob.metadata = metadata(call)?;
    blob.modified_ms = call.now_ms;
    blob.etag = format!("0x8D{:013X}", state.next_number("azure/etag")?);
    state.put(&spot.key(""), &blob)?;
    Ok(stamped(200, &blob))
}

/// <https://learn.microsoft.com/rest/api/storageservices/snapshot-blob>
pub(super) fn snapshot(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = spot(state, account, place)?;
    let Some(mut blob) = spot.current(state)? else { return Err(absent()) };
    let bytes = content(state, account, blob.content)?;
    let moment = moment(state, call)?;
    blob.content = keep_content(state, account, &bytes)?;
    blob.snapshot = Some(moment.clone());
    (blob.version, blob.lease) = (None, None);
    state.put(&spot.key(&format!("s{moment}")), &blob)?;
    Ok(with(stamped(201, &blob), &[("x-ms-snapshot", &moment)]))
}

/// <https://learn.microsoft.com/rest/api/storageservices/delete-blob>
pub(super) fn delete(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = spot(state, account, place)?;
    let container = containers::get(state, account, &place.container)?;
    // <https://learn.microsoft.com/azure/storage/blobs/immutable-legal-hold-overview>
    if container.is_some_and(|container| !container.holds.is_empty()) {
        let message = "This operation is not permitted as the blob is immutable due to one or more legal holds.";
        return Err(Refusal::conflict("BlobImmutableDueToLegalHold", message));
    }
    if let Some(suffix) = earlier(call) {
        let Some(blob) = spot.earlier(state, &suffix)? else { return Err(absent()) };
        forget(state, call, spot, &suffix, blob)?;
        return Ok(empty(202));
    }
    let Some(blob) = spot.current(state)? else { return Err(absent()) };
    conditions(call, Some(&blob))?;
    let snapshots = spot.snapshots(state)?;
    let wanted = call.header("x-ms-delete-snapshots");
    if wanted.is_none() && !snapshots.is_empty() {
        let message = "This operation is not permitted because the blob has snapshots.";
        return Err(Refusal::conflict("SnapshotsPresent", message));
    }
    for suffix in snapshots {
        if let Some(snapshot) = spot.earlier(state, &suffix)? {
            forget(state, call, spot, &suffix, snapshot)?;
        }
    }
    if wanted != Some("only") {
        remove(state, call, spot, place, blob)?;
    }
    Ok(with(empty(202), &[("x-ms-delete-type-permanent", "true")]))
}

/// The current blob becomes a version, or deleted, or nothing.
fn remove(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    spot: Spot<'_>,
    place: &Place,
    blob: Blob,
) -> Result<(), Refusal> {
    let service = blob_services::of(state, spot.account)?;
    if service.keeps_versions() {
        spot.retire(state, call, &service, blob.clone())?;
        state.delete(&spot.key(""));
    } else {
        forget(state, call, spot, "", blob.clone())?;
    }
    let (container, name) = (place.container.as_str(), place.name.as_str());
    let event = Event { kind: "Microsoft.Storage.BlobDeleted", api: "DeleteBlob", container, name, blob: &blob };
    events::deliver(state, call, spot.account, event)
}

/// Mark a record deleted if deleted blobs are kept, or drop it.
fn forget(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    spot: Spot<'_>,
    suffix: &str,
    mut blob: Blob,
) -> Result<(), Refusal> {
    if blob_services::of(state, spot.account)?.delete_retention.enabled {
        blob.deleted_ms = Some(call.now_ms);
        return Ok(state.put(&spot.key(suffix), &blob)?);
    }
    drop_content(state, spot.account, blob.content);
    state.delete(&spot.key(suffix));
    Ok(())
}

/// The place of a blob in a container that is there.
pub(super) fn spot<'a>(state: &Transaction<'_>, account: &'a Account, place: &'a Place) -> Result<Spot<'a>, Refusal> {
    if containers::get(state, account, &place.container)?.is_none() {
        return Err(Refusal::not_found("ContainerNotFound", "The specified container does not exist."));
    }
    // <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#blob-names>
    if place.name.is_empty() || place.name.len() > 1_024 {
        let message = "The specified resource name length is not within the permissible limits.";
        return Err(Refusal::bad_request("OutOfRangeInput", message));
    }
    Ok(Spot { account, container: &place.container, name: &place.name })
}

/// <https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations>
pub(super) fn conditions(call: &Call<'_>, blob: Option<&Blob>) -> Result<(), Refusal> {
    if call.header("if-modified-since").or(call.header("if-unmodified-since")).is_some() {
        return Err(Refusal::not_served("conditions on dates"));
    }
    match (call.header("if-none-match"), blob) {
        (Some("*"), Some(_)) => {
            return Err(Refusal::conflict("BlobAlreadyExists", "The specified blob already exists."));
        }
        (Some(etag), Some(blob)) if is(etag, blob) => return Err(not_met()),
        _ => {}
    }
    match (call.header("if-match"), blob) {
        (Some("*"), Some(_)) | (None, _) => Ok(()),
        (Some(etag), Some(blob)) if is(etag, blob) => Ok(()),
        _ => Err(not_met()),
    }
}

/// The answer where there is none.
pub(super) fn absent() -> Refusal {
    Refusal::not_found("BlobNotFound", "The specified blob does not exist.")
}

fn not_met() -> Refusal {
    Refusal::new(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
}

fn is(etag: &str, blob: &Blob) -> bool {
    etag.trim_matches('"') == blob.etag
}

fn found(state: &Transaction<'_>, call: &Call<'_>, spot: Spot<'_>) -> Result<Blob, Refusal> {
    let blob = match earlier(call) {
        Some(suffix) => {
            let current = spot.current(state)?.filter(|blob| blob.version.as_deref() == call.field("versionid"));
            current.filter(|blob| blob.version.is_some()).or(spot.earlier(state, &suffix)?)
        }
        None => spot.current(state)?,
    };
    blob.ok_or_else(absent)
}

/// The snapshot or version that a request means.
fn earlier(call: &Call<'_>) -> Option<String> {
    let snapshot = call.field("snapshot").map(|moment| format!("s{moment}"));
    snapshot.or_else(|| call.field("versionid").map(|moment| format!("v{moment}")))
}

/// The first and last byte that are asked for <https://learn.microsoft.com/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations>.
fn range(call: &Call<'_>, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let Some(text) = call.header("x-ms-range").or(call.header("range")) else { return Ok(None) };
    let invalid = || {
        let message = "The range specified is invalid for the current size of the resource.";
        Refusal::new(416, "InvalidRange", message).with("content-range", format!("bytes */{size}"))
    };
    let (first, last) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(invalid)?;
    let first: u64 = first.parse().map_err(|_| invalid())?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().map_err(|_| invalid())? };
    if first >= size || last < first {
        return Err(invalid());
    }
    Ok(Some((first, last.min(size - 1))))
}

fn place_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

pub(super) fn stamped(status: u16, blob: &Blob) -> Response<Bytes> {
    let etag = format!("\"{}\"", blob.etag);
    with(
        empty(status),
        &[("etag", &etag), ("last-modified", &http_date(blob.modified_ms)), ("x-ms-request-id", REQUEST)],
    )
}

fn headed(call: &Call<'_>, answer: Response<Bytes>, blob: &Blob) -> Response<Bytes> {
    let (lease_status, lease_state) = leases::shown(blob.lease.as_ref(), call.now_ms);
    let mut answer = with(
        answer,
        &[
            ("content-type", &blob.content_type),
            ("accept-ranges", "bytes"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-creation-time", &http_date(blob.created_ms)),
            ("x-ms-lease-status", lease_status),
            ("x-ms-lease-state", lease_state),
            ("x-ms-server-encrypted", "true"),
            ("x-ms-access-tier", blob.tier.as_deref().unwrap_or("Hot")),
        ],
    );
    if let Some(version) = &blob.version {
        answer = with(answer, &[("x-ms-version-id", version)]);
    }
    for (name, value) in &blob.headers {
        answer = with(answer, &[(name, value)]);
    }
    for (name, value) in &blob.metadata {
        answer = with(answer, &[(&format!("x-ms-meta-{name}"), value)]);
    }
    answer
}

//! Objects over the XML API, as signed URLs and browsers use it
//! <https://cloud.google.com/storage/docs/xml-api/overview>.
//!
//! Who uses a signed URL is whoever signed it, and must have the permission that the request needs.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::bucket::{self, Bucket};
use super::object::{self, Expected, Fields};
use super::{cors, object_json, signed_url};
use crate::google::call::Call;
use crate::google::caller::{Caller, USER};
use crate::google::refusal::{Kind, Refusal};
use crate::google::{rights, wire};
use crate::state::Transaction;

/// Who may read objects, and who may write them <https://cloud.google.com/storage/docs/access-control/iam-roles>.
const READERS: [&str; 6] = [
    "roles/storage.objectViewer",
    "roles/storage.objectUser",
    "roles/storage.objectAdmin",
    "roles/storage.admin",
    "roles/storage.legacyObjectReader",
    "roles/storage.legacyObjectOwner",
];
const WRITERS: [&str; 6] = [
    "roles/storage.objectCreator",
    "roles/storage.objectUser",
    "roles/storage.objectAdmin",
    "roles/storage.admin",
    "roles/storage.legacyBucketWriter",
    "roles/storage.legacyBucketOwner",
];

/// Requests for objects. What a browser may read of the answer depends on the bucket's rules, errors too.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let bucket = bucket::get(state, call.name(0)).map_err(|refusal| match refusal.kind {
        Kind::Denied => denied("Anonymous caller", "storage.objects.get"),
        _ => refusal,
    })?;
    if call.verb() == "PreflightRequest" {
        let mut response = Response::new(Bytes::new());
        *response.headers_mut() = cors::preflight(&bucket.cors, &call.headers);
        return Ok(response);
    }
    let shared = cors::shared(&bucket.cors, call.method.as_str(), &call.headers);
    let mut response = match served(state, call, &bucket) {
        Ok(response) => response,
        // A refusal that changed something would have to be undone; none of these does.
        Err(refusal) => wire::refused(&call.operation, &refusal),
    };
    response.headers_mut().extend(shared);
    Ok(response)
}

fn served(state: &mut Transaction<'_>, call: &Call<'_>, bucket: &Bucket) -> Result<Response<Bytes>, Refusal> {
    check_parameters(call)?;
    check_access(state, call, bucket)?;
    match call.verb() {
        "GetObject" => get(state, call),
        "HeadObject" => get(state, call).map(|response| response.map(|_| Bytes::new())),
        "PutObject" => put(state, call),
        "DeleteObject" => {
            object::delete(state, call.name(0), call.name(1), None, Expected::default(), call)?;
            Ok(Response::builder().status(StatusCode::NO_CONTENT).body(Bytes::new()).unwrap_or_default())
        }
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

/// Parameters of a signed URL; those that name an answer's headers are the XML API's too.
fn check_parameters(call: &Call<'_>) -> Result<(), Refusal> {
    let known = |name: &str| {
        name.to_ascii_lowercase().starts_with("x-goog-")
            || ["generation", "response-content-disposition", "response-content-type"].contains(&name)
    };
    match call.query.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(Refusal::unserved(format!("the parameter `{name}` of the XML API"))),
        None => Ok(()),
    }
}

/// Let a request pass that is signed by one who may do so, that brings a token (every caller owns the bucket), or that
/// everybody may make.
fn check_access(state: &Transaction<'_>, call: &Call<'_>, bucket: &Bucket) -> Result<(), Refusal> {
    let reads = ["GetObject", "HeadObject"].contains(&call.verb());
    let (roles, permission) = match call.verb() {
        _ if reads => (READERS, "storage.objects.get"),
        "DeleteObject" => (WRITERS, "storage.objects.delete"),
        _ => (WRITERS, "storage.objects.create"),
    };
    let grants = |member: &str| bucket.policy.grants(&roles, member, call.now_ms);
    if let Some(signer) = signed_url::signer(state, call)? {
        let attached = signer == USER && rights::user_holds(call, permission);
        let allowed = attached || grants(&format!("serviceAccount:{signer}"));
        return if allowed { Ok(()) } else { Err(denied(&signer, permission)) };
    }
    if grants("allUsers") {
        return Ok(());
    }
    if !call.headers.contains_key(http::header::AUTHORIZATION) {
        return Err(denied("Anonymous caller", permission));
    }
    // What an account may do was looked at before.
    let allowed = Caller::of(state, call)? != Caller::User || rights::user_holds(call, permission);
    if allowed { Ok(()) } else { Err(denied(USER, permission)) }
}

fn denied(caller: &str, permission: &str) -> Refusal {
    Refusal::denied(format!(
        "{caller} does not have {permission} access to the Google Cloud Storage object. Permission '{permission}' denied on \
         resource (or it may not exist)."
    ))
}

fn get(state: &Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let object = object::get(state, call.name(0), call.name(1), call.number("generation")?, Expected::default())?;
    let mut response = object_json::media(state, &object, call.header("range"))?;
    let chosen = [("response-content-type", "content-type"), ("response-content-disposition", "content-disposition")];
    for (parameter, header) in chosen {
        let value = call.parameter(parameter).and_then(|value| value.parse().ok());
        response.headers_mut().extend(value.map(|value| (http::HeaderName::from_static(header), value)));
    }
    Ok(response)
}

/// <https://cloud.google.com/storage/docs/xml-api/put-object-upload>
fn put(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let text = |name: &str| call.header(name).map(str::to_owned);
    let metadata = call.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-goog-meta-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let fields = Fields {
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        content_disposition: text("content-disposition"),
        content_language: text("content-language"),
        cache_control: text("cache-control"),
        md5_hash: text("content-md5"),
        storage_class: text("x-goog-storage-class"),
        metadata: metadata.collect(),
        ..Fields::default()
    };
    let generation = text("x-goog-if-generation-match").map(|value| value.parse());
    let generation = generation.transpose().map_err(|_| Refusal::invalid("Invalid x-goog-if-generation-match"))?;
    let expected = Expected { generation, ..Expected::default() };
    let object = object::insert(state, call.name(0), call.name(1), fields, &call.body, expected, call)?;
    let response = Response::builder()
        .header("etag", format!("\"{}\"", object.etag()))
        .header("x-goog-generation", object.generation)
        .header("x-goog-metageneration", object.metageneration)
        .header("x-goog-hash", format!("crc32c={}", object.crc32c()))
        .header("x-goog-hash", format!("md5={}", object.md5));
    Ok(response.body(Bytes::new()).unwrap_or_default())
}

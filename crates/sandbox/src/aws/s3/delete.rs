//! Deleting objects, one or a thousand.

use serde::{Deserialize, Serialize};

use super::version::{self, Version};
use super::{On, event, object, payload, xml};
use crate::aws::error::{Error, Reply};
use crate::aws::id;
use crate::state::Transaction;

/// What a deletion did.
#[derive(Debug, Default)]
struct Done {
    marker: bool,
    /// The version that was deleted, or the marker that was made.
    version: Option<String>,
}

/// Deleting what is not there succeeds <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>.
pub(super) fn delete_object(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    if on.call.field("versionId").is_some() {
        on.may_delete(&on.key)?;
    }
    check_condition(state, on, &on.key, on.call.header("if-match"))?;
    let done = delete(state, on, &on.key, on.call.field("versionId"))?;
    let mut response = http::Response::builder().status(204);
    if done.marker {
        response = response.header("x-amz-delete-marker", "true");
    }
    if let Some(version) = done.version {
        response = response.header("x-amz-version-id", version);
    }
    Ok(response.body(bytes::Bytes::new()).unwrap_or_default())
}

/// A deletion with a condition takes only what is as it was seen; what is not there needs none
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>.
fn check_condition(state: &Transaction<'_>, on: &On<'_>, key: &str, etag: Option<&str>) -> Result<(), Error> {
    let Some(etag) = etag.filter(|etag| *etag != "*") else { return Ok(()) };
    let newest = version::newest(state, &on.name, key)?.filter(|version| !version.marker);
    match newest {
        Some(version) if version.etag != etag.trim_matches('"') => Err(object::precondition("If-Match")),
        _ => Ok(()),
    }
}

/// A version that is named goes for good; else a marker is made where there are versions
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html>.
fn delete(state: &mut Transaction<'_>, on: &On<'_>, key: &str, id: Option<&str>) -> Result<Done, Error> {
    if let Some(id) = id {
        let Some(version) = version::named(state, &on.name, key, id)? else {
            return Ok(Done { marker: false, version: Some(id.to_owned()) });
        };
        version::remove(state, &on.name, &version);
        event::send(state, on, "s3:ObjectRemoved:Delete", &version)?;
        return Ok(Done { marker: version.marker, version: Some(version.id) });
    }
    if let Some(versioning) = on.bucket.versioning.as_deref() {
        let now_ms = on.call.now_ms;
        let marker = Version { key: key.to_owned(), marker: true, modified_ms: now_ms, ..Version::default() };
        let marker = version::add(state, &on.name, Some(versioning), marker, None)?;
        event::send(state, on, "s3:ObjectRemoved:DeleteMarkerCreated", &marker)?;
        return Ok(Done { marker: true, version: Some(marker.id) });
    }
    if let Some(version) = version::newest(state, &on.name, key)? {
        version::remove(state, &on.name, &version);
        event::send(state, on, "s3:ObjectRemoved:Delete", &version)?;
    }
    Ok(Done::default())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Delete {
    #[serde(rename = "@xmlns")]
    _xmlns: Option<String>,
    #[serde(rename = "Object", default)]
    objects: Vec<Identifier>,
    #[serde(default)]
    quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Identifier {
    key: String,
    version_id: Option<String>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

#[derive(Debug, Serialize)]
struct DeleteResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "Deleted")]
    deleted: Vec<Deleted>,
    #[serde(rename = "Error")]
    errors: Vec<Failed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_marker: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_marker_version_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    code: String,
    message: String,
}

/// One to a thousand, with a checksum <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
pub(super) fn delete_objects(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    payload::checked(on.call)?;
    let input: Delete = xml::input(on.call, "Delete")?;
    if !(1..=1000).contains(&input.objects.len()) {
        return Err(xml::malformed("1 to 1,000 objects are needed"));
    }
    let mut result = DeleteResult { xmlns: xml::NAMESPACE, deleted: Vec::new(), errors: Vec::new() };
    for Identifier { key, version_id, etag } in input.objects {
        let checked = check_condition(state, on, &key, etag.as_deref());
        match checked.and_then(|()| delete_one(state, on, &key, version_id.as_deref())) {
            Ok(_) if input.quiet => {}
            Ok(done) => result.deleted.push(deleted(key, version_id, done)),
            Err(Error { code, message, .. }) => {
                result.errors.push(Failed { key, version_id, code: code.into_owned(), message });
            }
        }
    }
    xml::answer("DeleteResult", &result)
}

fn delete_one(state: &mut Transaction<'_>, on: &On<'_>, key: &str, id: Option<&str>) -> Result<Done, Error> {
    on.authorize(if id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" }, key)?;
    if id.is_some() {
        on.may_delete(key)?;
    }
    // One that is deleted by itself need not be there, nor one that is gone (reported of S3 in minio's pull request 11086).
    if let Some(id) = id
        && version::named(state, &on.name, key, id)?.is_none()
        && !id::was_given("version", id)
    {
        return Err(Error::new(404, "NoSuchVersion", "The specified version does not exist."));
    }
    delete(state, on, key, id)
}

fn deleted(key: String, version_id: Option<String>, done: Done) -> Deleted {
    let delete_marker_version_id = done.version.filter(|_| done.marker);
    Deleted { key, version_id, delete_marker: done.marker.then_some(true), delete_marker_version_id }
}

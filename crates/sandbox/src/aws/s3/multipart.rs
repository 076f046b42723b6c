//! Objects that come in parts <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::bucket::Owner;
use super::checksum::{self, OfParts};
use super::object::{
    Source, check_acl, check_key, check_overwrite, copied, describe_encryption, describe_written, kept, set,
};
use super::payload::Payload;
use super::version::{self, Version};
use super::{On, event, moment, xml};
use crate::aws::error::{Error, Reply};
use crate::aws::id;
use crate::state::Transaction;

/// All parts but the last have 5 MiB at least <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const SMALLEST: u64 = 5 << 20;

/// An upload that is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Upload {
    key: String,
    id: String,
    /// The user who began it.
    #[serde(default)]
    initiator: String,
    started_ms: u64,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    checksum: OfParts,
}

/// A part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    ordinal: u32,
    /// Where its body is.
    number: u64,
    etag: String,
    size: u64,
    modified_ms: u64,
    checksum: (String, String),
}

fn uploads_of(bucket: &str) -> String {
    format!("s3/upload/{bucket}/")
}

fn place(bucket: &str, key: &str, id: &str) -> String {
    format!("{}{key}\0{id}", uploads_of(bucket))
}

fn parts_of(id: &str) -> String {
    format!("s3/part/{id}/")
}

impl Upload {
    fn read(state: &Transaction<'_>, on: &On<'_>) -> Result<Self, Error> {
        let missing = || {
            let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                           aborted or completed.";
            Error::new(404, "NoSuchUpload", message)
        };
        let id = on.call.field("uploadId").unwrap_or_default();
        state.get(&place(&on.name, &on.key, id))?.ok_or_else(missing)
    }

    fn parts(&self, state: &Transaction<'_>) -> Result<Vec<Part>, Error> {
        Ok(state.scan(&parts_of(&self.id))?.into_iter().map(|(_, part)| part).collect())
    }

    fn end(&self, state: &mut Transaction<'_>, bucket: &str) -> Result<(), Error> {
        for part in self.parts(state)? {
            version::delete_body(state, part.number);
            state.delete(&format!("{}{:05}", parts_of(&self.id), part.ordinal));
        }
        state.delete(&place(bucket, &self.key, &self.id));
        Ok(())
    }
}

/// The uploads of a bucket that is deleted.
pub(super) fn delete_all(state: &mut Transaction<'_>, bucket: &str) {
    for (_, upload) in state.scan::<Upload>(&uploads_of(bucket)).unwrap_or_default() {
        let _ = upload.end(state, bucket);
    }
    let completed: Vec<_> = state.keys(&completed_of(bucket), None).map(str::to_owned).collect();
    for place in completed {
        state.delete(&place);
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InitiateMultipartUploadResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    bucket: String,
    key: String,
    upload_id: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub(super) fn create(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    check_key(&on.key)?;
    check_acl(on.call, &on.bucket)?;
    let number = state.next_number("aws/number")?;
    let id = id::letters("upload", number, 48);
    let upload = Upload {
        key: on.key.clone(),
        id: id.clone(),
        initiator: on.call.caller.user(),
        started_ms: on.call.now_ms,
        headers: kept(on)?,
        checksum: OfParts::asked(on.call)?,
    };
    state.put(&place(&on.name, &on.key, &id), &upload)?;
    let result = InitiateMultipartUploadResult {
        xmlns: xml::NAMESPACE,
        bucket: on.name.clone(),
        key: on.key.clone(),
        upload_id: id,
    };
    let mut response = xml::answer("InitiateMultipartUploadResult", &result)?;
    describe_encryption(&upload.headers, &mut response);
    for name in ["x-amz-checksum-algorithm", "x-amz-checksum-type"] {
        on.call.header(name).iter().for_each(|value| set(&mut response, name, value));
    }
    Ok(response)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
pub(super) fn upload_part(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let part = put_part(state, on, Payload::read(on.call)?)?;
    let answer = http::Response::builder().header("etag", format!("\"{}\"", part.etag));
    let answer = answer.header(&part.checksum.0, &part.checksum.1);
    let mut response = answer.body(bytes::Bytes::new()).unwrap_or_default();
    describe_encryption(&Upload::read(state, on)?.headers, &mut response);
    Ok(response)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub(super) fn upload_part_copy(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let source = Source::read(state, on)?;
    let body = source.range(on.call.header("x-amz-copy-source-range"))?;
    let part = put_part(state, on, Payload::of(body.to_vec()))?;
    let mut response = copied("CopyPartResult", &part.etag, part.modified_ms)?;
    describe_encryption(&Upload::read(state, on)?.headers, &mut response);
    source.describe(&mut response);
    Ok(response)
}

/// Keep a part; one that came before under its number goes.
fn put_part(state: &mut Transaction<'_>, on: &On<'_>, Payload { body, checksum }: Payload) -> Result<Part, Error> {
    let upload = Upload::read(state, on)?;
    let ordinal = on.call.field("partNumber").and_then(|part| part.parse().ok());
    let invalid =
        || Error::new(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
    let ordinal: u32 = ordinal.filter(|ordinal| (1..=10_000).contains(ordinal)).ok_or_else(invalid)?;
    let place = format!("{}{ordinal:05}", parts_of(&upload.id));
    if let Some(former) = state.get::<Part>(&place)? {
        version::delete_body(state, former.number);
    }
    let number = state.next_number("aws/number")?;
    let etag = HEXLOWER.encode(&Md5::digest(&body));
    let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let part = Part { ordinal, number, etag, size, modified_ms: on.call.now_ms, checksum };
    state.put(&place, &part)?;
    version::put_body(state, number, &body)?;
    Ok(part)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteMultipartUpload {
    #[serde(rename = "@xmlns")]
    _xmlns: Option<String>,
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompletedPart {
    #[serde(rename = "PartNumber")]
    part: u32,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
}

impl CompletedPart {
    /// Whether it is the part that came.
    fn is(&self, part: &Part) -> bool {
        let said = [&self.crc32, &self.crc32c, &self.crc64nvme, &self.sha1, &self.sha256];
        self.etag.trim_matches('"') == part.etag && said.into_iter().flatten().all(|said| *said == part.checksum.1)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUploadResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    location: String,
    bucket: String,
    key: String,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "ChecksumCRC32", skip_serializing_if = "Option::is_none")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C", skip_serializing_if = "Option::is_none")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME", skip_serializing_if = "Option::is_none")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1", skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256", skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'static str>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub(super) fn complete(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: CompleteMultipartUpload = xml::input(on.call, "CompleteMultipartUpload")?;
    let id = on.call.field("uploadId").unwrap_or_default();
    let place = completed_place(&on.name, &on.key, id);
    if let Some(version) = state.get::<Version>(&place)? {
        return completed(on, &version);
    }
    let upload = Upload::read(state, on)?;
    let newest = version::newest(state, &on.name, &on.key)?.filter(|version| !version.marker);
    check_overwrite(on.call, newest.as_ref())?;
    let parts = chosen(&upload.parts(state)?, &input.parts)?;
    let bodies = parts.iter().map(|part| version::body(state, part.number));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let checksum = upload.checksum.made(&bodies);
    checksum::check_whole(on.call, checksum.as_ref())?;
    let body = bodies.concat();
    let digests: Vec<_> =
        parts.iter().flat_map(|part| HEXLOWER.decode(part.etag.as_bytes()).unwrap_or_default()).collect();
    let version = Version {
        key: on.key.clone(),
        etag: format!("{}-{}", HEXLOWER.encode(&Md5::digest(&digests)), parts.len()),
        size: u64::try_from(body.len()).unwrap_or(u64::MAX),
        modified_ms: on.call.now_ms,
        headers: upload.headers.clone(),
        checksum,
        parts: parts.len(),
        part_sizes: parts.iter().map(|part| part.size).collect(),
        ..Version::default()
    };
    let version = version::add(state, &on.name, on.bucket.versioning.as_deref(), version, Some(&body))?;
    upload.end(state, &on.name)?;
    state.put(&place, &version)?;
    event::send(state, on, "s3:ObjectCreated:CompleteMultipartUpload", &version)?;
    completed(on, &version)
}

/// What an upload came to, for who asks again: its answer may have been lost.
fn completed_place(bucket: &str, key: &str, id: &str) -> String {
    format!("{}{key}\0{id}", completed_of(bucket))
}

fn completed_of(bucket: &str) -> String {
    format!("s3/completed/{bucket}/")
}

fn completed(on: &On<'_>, version: &Version) -> Reply {
    let checksum = |algorithm: &str| {
        let made =
            version.checksum.as_ref().filter(|(name, _)| name.strip_prefix("x-amz-checksum-") == Some(algorithm));
        made.map(|(_, value)| value.clone())
    };
    let result = CompleteMultipartUploadResult {
        xmlns: xml::NAMESPACE,
        location: format!("/{}/{}", on.name, on.key),
        bucket: on.name.clone(),
        key: on.key.clone(),
        etag: format!("\"{}\"", version.etag),
        crc32: checksum("crc32"),
        crc32c: checksum("crc32c"),
        crc64nvme: checksum("crc64nvme"),
        sha1: checksum("sha1"),
        sha256: checksum("sha256"),
        checksum_type: version.checksum.as_ref().map(|(_, value)| checksum::kind(value)),
    };
    let mut response = xml::answer("CompleteMultipartUploadResult", &result)?;
    describe_written(on, version, &mut response);
    response.headers_mut().remove("etag");
    Ok(response)
}

/// The parts that are named: in order, whole, and large enough.
fn chosen(parts: &[Part], named: &[CompletedPart]) -> Result<Vec<Part>, Error> {
    if named.is_empty() {
        return Err(Error::new(400, "InvalidRequest", "You must specify at least one part"));
    }
    if named.windows(2).any(|pair| pair[0].part >= pair[1].part) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(Error::new(400, "InvalidPartOrder", message));
    }
    let find = |named: &CompletedPart| parts.iter().find(|part| part.ordinal == named.part && named.is(part)).cloned();
    let missing = || {
        let message = "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
                       specified entity tag may not match the part's entity tag.";
        Error::new(400, "InvalidPart", message)
    };
    let chosen: Vec<_> = named.iter().map(find).collect::<Option<_>>().ok_or_else(missing)?;
    if let Some(part) = chosen[..chosen.len() - 1].iter().find(|part| part.size < SMALLEST) {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        let error = Error::new(400, "EntityTooSmall", message).with_detail("ETag", &part.etag);
        let error = error.with_detail("ProposedSize", part.size.to_string());
        let error = error.with_detail("MinSizeAllowed", SMALLEST.to_string());
        return Err(error.with_detail("PartNumber", part.ordinal.to_string()));
    }
    Ok(chosen)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
pub(super) fn abort(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    Upload::read(state, on)?.end(state, &on.name)?;
    xml::nothing(204)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListPartsResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    bucket: String,
    key: String,
    upload_id: String,
    max_parts: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_part_number_marker: Option<u32>,
    #[serde(rename = "Part")]
    parts: Vec<ListedPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPart {
    part_number: u32,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub(super) fn list_parts(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let upload = Upload::read(state, on)?;
    let number = |name: &str| on.call.field(name).and_then(|text| text.parse::<u32>().ok());
    let most = number("max-parts").and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
    let after = number("part-number-marker").unwrap_or_default();
    let mut parts = upload.parts(state)?;
    parts.retain(|part| part.ordinal > after);
    let is_truncated = parts.len() > most;
    parts.truncate(most);
    let listed = |part: &Part| ListedPart {
        part_number: part.ordinal,
        last_modified: moment::document(part.modified_ms),
        etag: format!("\"{}\"", part.etag),
        size: part.size,
    };
    let result = ListPartsResult {
        xmlns: xml::NAMESPACE,
        bucket: on.name.clone(),
        key: on.key.clone(),
        upload_id: upload.id,
        max_parts: most,
        is_truncated,
        next_part_number_marker: parts.last().filter(|_| is_truncated).map(|part| part.ordinal),
        parts: parts.iter().map(listed).collect(),
    };
    xml::answer("ListPartsResult", &result)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    bucket: String,
    prefix: String,
    max_uploads: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_upload_id_marker: Option<String>,
    #[serde(rename = "Upload")]
    uploads: Vec<ListedUpload>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedUpload {
    key: String,
    upload_id: String,
    initiator: Owner,
    owner: Owner,
    initiated: String,
    storage_class: &'static str,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub(super) fn list_uploads(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let prefix = on.call.field("prefix").unwrap_or_default();
    let most = on.call.field("max-uploads").and_then(|most| most.parse::<usize>().ok()).unwrap_or(1000).clamp(1, 1000);
    let after = on.call.field("key-marker").map(|key| {
        on.call.field("upload-id-marker").map_or_else(|| place(&on.name, key, "~"), |id| place(&on.name, key, id))
    });
    let range = format!("{}{prefix}", uploads_of(&on.name));
    let places: Vec<_> = state.keys(&range, after.as_deref()).take(most + 1).map(str::to_owned).collect();
    let is_truncated = places.len() > most;
    let uploads = places[..most.min(places.len())].iter().map(|place| state.get::<Upload>(place));
    let uploads: Vec<_> = uploads.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let last = uploads.last().filter(|_| is_truncated);
    let listed = |upload: &Upload| ListedUpload {
        key: upload.key.clone(),
        upload_id: upload.id.clone(),
        initiator: Owner { id: upload.initiator.clone() },
        owner: Owner { id: on.bucket.owner.clone() },
        initiated: moment::document(upload.started_ms),
        storage_class: "STANDARD",
    };
    let result = ListMultipartUploadsResult {
        xmlns: xml::NAMESPACE,
        bucket: on.name.clone(),
        prefix: prefix.to_owned(),
        max_uploads: most,
        is_truncated,
        next_key_marker: last.map(|upload| upload.key.clone()),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        uploads: uploads.iter().map(listed).collect(),
    };
    xml::answer("ListMultipartUploadsResult", &result)
}

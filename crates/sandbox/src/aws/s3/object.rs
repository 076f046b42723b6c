//! Objects: put, get, copy.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use md5::{Digest as _, Md5};
use serde::Serialize;

use super::bucket::Bucket;
use super::payload::Payload;
use super::version::{self, Version};
use super::{On, checksum, encryption, event, moment, taken_apart, xml};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::state::Transaction;

/// Headers that are kept with an object and given back.
const KEPT: [&str; 6] =
    ["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(super) fn put_object(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    check_key(&on.key)?;
    check_acl(on.call, &on.bucket)?;
    let headers = kept(on)?;
    let payload = Payload::read(on.call)?;
    let newest = version::newest(state, &on.name, &on.key)?.filter(|version| !version.marker);
    check_overwrite(on.call, newest.as_ref())?;
    let version = Version {
        key: on.key.clone(),
        etag: HEXLOWER.encode(&Md5::digest(&payload.body)),
        size: u64::try_from(payload.body.len()).unwrap_or(u64::MAX),
        modified_ms: on.call.now_ms,
        headers,
        checksum: Some(payload.checksum),
        ..Version::default()
    };
    let versioning = on.bucket.versioning.as_deref();
    let version = version::add(state, &on.name, versioning, version, Some(&payload.body))?;
    event::send(state, on, "s3:ObjectCreated:Put", &version)?;
    let mut response = xml::nothing(200)?;
    describe_written(on, &version, &mut response);
    if let Some((name, value)) = &version.checksum {
        set(&mut response, name, value);
        set(&mut response, "x-amz-checksum-type", "FULL_OBJECT");
    }
    Ok(response)
}

/// ETag, version and encryption of what was just written.
pub(super) fn describe_written(on: &On<'_>, version: &Version, response: &mut Response<Bytes>) {
    set(response, "etag", &format!("\"{}\"", version.etag));
    if on.bucket.versioning.is_some() && version.id != "null" {
        set(response, "x-amz-version-id", &version.id);
    }
    describe_encryption(&version.headers, response);
}

/// How it is encrypted, as it was when it was written.
pub(super) fn describe_encryption(headers: &BTreeMap<String, String>, response: &mut Response<Bytes>) {
    let headers = headers.iter().filter(|(name, _)| encryption::is_header(name));
    headers.for_each(|(name, value)| set(response, name, value));
}

pub(super) fn set(response: &mut Response<Bytes>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// 1 to 1,024 bytes <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::new(400, "InvalidRequest", "A key must be specified.")),
        1..=1024 if !key.contains('\0') => Ok(()),
        _ => Err(Error::new(400, "KeyTooLongError", "Your key is too long")),
    }
}

/// Where the owner owns everything there are no ACLs, but for what says the same
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>.
pub(super) fn check_acl(call: &Call<'_>, bucket: &Bucket) -> Result<(), Error> {
    let Some(acl) = call.header("x-amz-acl") else { return Ok(()) };
    match (acl, bucket.ownership.as_deref()) {
        ("private" | "bucket-owner-full-control", _) => Ok(()),
        (_, Some("BucketOwnerEnforced")) if call.name() == "CreateBucket" => {
            let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
            Err(Error::new(400, "InvalidBucketAclWithObjectOwnership", message))
        }
        (_, Some("BucketOwnerEnforced")) => {
            Err(Error::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"))
        }
        (acl, _) => Err(Error::unserved(format_args!("the ACL {acl}"))),
    }
}

/// What a request says about an object, and how it is encrypted.
pub(super) fn kept(on: &On<'_>) -> Result<BTreeMap<String, String>, Error> {
    if let Some(class) = on.call.header("x-amz-storage-class").filter(|class| *class != "STANDARD") {
        return Err(Error::unserved(format_args!("the storage class {class}")));
    }
    let kept = |name: &str| KEPT.contains(&name) || name.starts_with("x-amz-meta-");
    let headers = on.call.headers.iter().filter(|(name, _)| kept(name.as_str()));
    let mut headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_string(), given_back(value))).collect();
    headers.entry("content-type".to_owned()).or_insert_with(|| "binary/octet-stream".to_owned());
    if let Some(encoding) = headers.remove("content-encoding") {
        let rest: Vec<_> = encoding.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
        if rest.iter().any(|coding| !coding.is_empty()) {
            headers.insert("content-encoding".to_owned(), rest.join(", "));
        }
    }
    headers.extend(encryption::of(on)?);
    Ok(headers)
}

/// The value of a header; where it is not ASCII, in the words of RFC 2047
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata>.
fn given_back(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    if bytes.is_ascii() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let text: String = bytes.iter().copied().map(char::from).collect();
    format!("=?UTF-8?B?{}?=", BASE64.encode(text.as_bytes()))
}

/// Conditional writes <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
pub(super) fn check_overwrite(call: &Call<'_>, newest: Option<&Version>) -> Result<(), Error> {
    if call.header("if-none-match").is_some_and(|tags| tags != "*") {
        return Err(Error::unserved("If-None-Match with a value other than * on a write"));
    }
    if call.header("if-none-match").is_some() && newest.is_some() {
        return Err(precondition("If-None-Match"));
    }
    match (call.header("if-match"), newest) {
        (Some("*"), _) => {
            let message = "A header you provided implies functionality that is not implemented";
            Err(Error::new(501, "NotImplemented", message).with_detail("Header", "If-Match"))
        }
        (Some(_), None) => Err(no_key()),
        (Some(tag), Some(version)) if tag.trim_matches('"') != version.etag => Err(precondition("If-Match")),
        _ => Ok(()),
    }
}

pub(super) fn precondition(condition: &str) -> Error {
    let message = "At least one of the pre-conditions you specified did not hold";
    Error::new(412, "PreconditionFailed", message).with_detail("Condition", condition)
}

pub(super) fn no_key() -> Error {
    Error::new(404, "NoSuchKey", "The specified key does not exist.")
}

/// A version to read: the one that is named, or the newest
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetrievingObjectVersions.html>.
fn readable(state: &Transaction<'_>, bucket: &str, key: &str, id: Option<&str>) -> Result<Version, Error> {
    let version = match id {
        Some(id) => {
            let missing = || Error::new(404, "NoSuchVersion", "The specified version does not exist.");
            version::named(state, bucket, key, id)?.ok_or_else(missing)?
        }
        None => version::newest(state, bucket, key)?.ok_or_else(no_key)?,
    };
    if !version.marker {
        return Ok(version);
    }
    let error = if id.is_some() {
        Error::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    } else {
        no_key()
    };
    Err(error.with_header("x-amz-delete-marker", "true").with_header("x-amz-version-id", version.id))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
pub(super) fn get_object(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let version = readable(state, &on.name, &on.key, on.call.field("versionId"))?;
    check_read(on.call, &version)?;
    let body = Bytes::from(version::body(state, version.number)?);
    let range = asked_range(on.call, &version, body.len())?;
    let mut response = Response::new(body.clone());
    if let Some((from, to)) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        *response.body_mut() = body.slice(from..=to);
        set(&mut response, "content-range", &format!("bytes {from}-{to}/{}", body.len()));
    }
    version.headers.iter().for_each(|(name, value)| set(&mut response, name, value));
    describe_written(on, &version, &mut response);
    if on.bucket.versioning.is_some() {
        set(&mut response, "x-amz-version-id", &version.id);
    }
    if on.call.field("partNumber").is_some() && version.parts > 0 {
        set(&mut response, "x-amz-mp-parts-count", &version.parts.to_string());
    }
    if body.is_empty() {
        // Nothing else tells a HEAD of it from one of something that is not known.
        set(&mut response, "content-length", "0");
    }
    set(&mut response, "last-modified", &moment::header(version.modified_ms));
    set(&mut response, "accept-ranges", "bytes");
    let asked = on.call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    if let (true, None, Some((name, value))) = (asked, range, &version.checksum) {
        set(&mut response, name, value);
        set(&mut response, "x-amz-checksum-type", checksum::kind(value));
    }
    for (field, value) in &on.call.query {
        if let Some(name) = field.strip_prefix("response-") {
            set(&mut response, name, value);
        }
    }
    Ok(response)
}

/// The first and last byte of what is asked for, unless it is all.
fn asked_range(call: &Call<'_>, version: &Version, length: usize) -> Result<Option<(usize, usize)>, Error> {
    match (call.field("partNumber"), call.header("range")) {
        (Some(_), Some(_)) => {
            let message = "Cannot specify both Range header and partNumber query parameter";
            Err(Error::new(400, "InvalidRequest", message))
        }
        (Some(part), None) => part_range(version, part, length),
        (None, range) => Ok(range.map(|range| within(range, length)).transpose()?.flatten()),
    }
}

/// Where a part is; what did not come in parts is one
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax>.
fn part_range(version: &Version, part: &str, length: usize) -> Result<Option<(usize, usize)>, Error> {
    let sizes = version.part_sizes.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX));
    let sizes: Vec<_> = if version.part_sizes.is_empty() { vec![length] } else { sizes.collect() };
    let invalid =
        || Error::new(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
    let part: usize = part.parse().ok().filter(|part| (1..=10_000).contains(part)).ok_or_else(invalid)?;
    let missing = || Error::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    let size = *sizes.get(part - 1).ok_or_else(missing)?;
    let from: usize = sizes[..part - 1].iter().sum();
    Ok((size > 0).then(|| (from, from + size - 1)))
}

/// Conditional reads <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html>.
fn check_read(call: &Call<'_>, version: &Version) -> Result<(), Error> {
    let same =
        |tags: &str| tags.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_matches('"') == version.etag);
    let modified = i64::try_from(version.modified_ms / 1000).unwrap_or(i64::MAX);
    let moment = |name: &str| call.header(name).and_then(moment::of_header);
    let not_modified =
        Error::new(304, "NotModified", "Not Modified").with_header("etag", format!("\"{}\"", version.etag));
    match (call.header("if-match"), call.header("if-none-match")) {
        (Some(tags), _) if !same(tags) => return Err(precondition("If-Match")),
        (None, _) if moment("if-unmodified-since").is_some_and(|since| modified > since) => {
            return Err(precondition("If-Unmodified-Since"));
        }
        _ => {}
    }
    match call.header("if-none-match") {
        Some(tags) if same(tags) => Err(not_modified),
        None if moment("if-modified-since").is_some_and(|since| modified <= since) => Err(not_modified),
        _ => Ok(()),
    }
}

/// The first and last byte of a range; `None` if it is not one range of bytes, which is then ignored.
fn within(range: &str, length: usize) -> Result<Option<(usize, usize)>, Error> {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let found = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.min(length.saturating_sub(1))),
        (Ok(from), Err(_)) if to.is_empty() => (from, length.saturating_sub(1)),
        (Err(_), Ok(last)) if from.is_empty() && last > 0 => (length.saturating_sub(last), length.saturating_sub(1)),
        (Err(_), Ok(_)) if from.is_empty() => (length, length),
        _ => return Ok(None),
    };
    if found.0 >= length {
        let error = Error::new(416, "InvalidRange", "The requested range is not satisfiable");
        return Err(error.with_header("content-range", format!("bytes */{length}")));
    }
    Ok(Some(found))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CopyResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "ETag")]
    etag: String,
    last_modified: String,
}

/// What a copy is made of <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
pub(super) struct Source {
    bucket: String,
    version: Version,
    /// Whether a version was named.
    named: bool,
    pub(super) body: Vec<u8>,
}

impl Source {
    pub(super) fn read(state: &Transaction<'_>, on: &On<'_>) -> Result<Self, Error> {
        let source = on.call.header("x-amz-copy-source").unwrap_or_default();
        let (path, id) = source.split_once("?versionId=").map_or((source, None), |(path, id)| (path, Some(id)));
        let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let (name, key) = taken_apart(&path);
        let from = On { call: on.call, name: name.to_owned(), key: key.to_owned(), bucket: Bucket::read(state, name)? };
        from.check_owner("x-amz-source-expected-bucket-owner")?;
        from.authorize(if id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" }, key)?;
        let version = readable(state, name, key, id)?;
        let wanted = on.call.header("x-amz-copy-source-if-match");
        if wanted.is_some_and(|tag| tag.trim_matches('"') != version.etag) {
            return Err(precondition("x-amz-copy-source-If-Match"));
        }
        let body = version::body(state, version.number)?;
        Ok(Self { bucket: from.name, version, named: id.is_some(), body })
    }

    /// Of the copy's bytes, by the algorithm that the request names, else by that of the source.
    fn checksum(&self, call: &Call<'_>) -> Result<Option<(String, String)>, Error> {
        let known = self.version.checksum.as_ref().map(|(name, _)| name.clone());
        let algorithm = checksum::asked(call)?.or(known).unwrap_or_else(|| checksum::DEFAULT.to_owned());
        Ok(checksum::digest(&algorithm, &self.body).map(|value| (algorithm, value)))
    }

    /// Which version it is, where there are any.
    pub(super) fn describe(&self, response: &mut Response<Bytes>) {
        if self.version.id != "null" {
            set(response, "x-amz-copy-source-version-id", &self.version.id);
        }
    }

    /// The bytes of a range, all of which must be there
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>.
    pub(super) fn range(&self, range: Option<&str>) -> Result<&[u8], Error> {
        let Some(range) = range else { return Ok(&self.body) };
        match within(range, self.body.len())? {
            Some((from, to)) if range.ends_with(&format!("-{to}")) => Ok(&self.body[from..=to]),
            Some(_) => Err(Error::new(400, "InvalidRange", "The requested range is not satisfiable")),
            None => Err(Error::new(
                400,
                "InvalidArgument",
                "The x-amz-copy-source-range value must be of the form bytes=first-last",
            )),
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub(super) fn copy_object(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    check_key(&on.key)?;
    check_acl(on.call, &on.bucket)?;
    let source = Source::read(state, on)?;
    let replaces = on.call.header("x-amz-metadata-directive") == Some("REPLACE");
    let changes = replaces || encryption::is_asked(on) || source.named;
    if source.bucket == on.name && source.version.key == on.key && !changes {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                       object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Error::new(400, "InvalidRequest", message));
    }
    let headers = if replaces { kept(on)? } else { copied_headers(on, &source.version)? };
    let copy = Version {
        key: on.key.clone(),
        size: source.version.size,
        modified_ms: on.call.now_ms,
        headers,
        etag: HEXLOWER.encode(&Md5::digest(&source.body)),
        checksum: source.checksum(on.call)?,
        ..Version::default()
    };
    let copy = version::add(state, &on.name, on.bucket.versioning.as_deref(), copy, Some(&source.body))?;
    event::send(state, on, "s3:ObjectCreated:Copy", &copy)?;
    let mut response = copied("CopyObjectResult", &copy.etag, copy.modified_ms)?;
    describe_written(on, &copy, &mut response);
    source.describe(&mut response);
    response.headers_mut().remove("etag");
    Ok(response)
}

/// What is kept of the source; not how it is encrypted.
fn copied_headers(on: &On<'_>, version: &Version) -> Result<BTreeMap<String, String>, Error> {
    let mut headers = version.headers.clone();
    headers.retain(|name, _| !encryption::is_header(name));
    headers.extend(encryption::of(on)?);
    Ok(headers)
}

pub(super) fn copied(root: &str, etag: &str, modified_ms: u64) -> Reply {
    let (etag, last_modified) = (format!("\"{etag}\""), moment::document(modified_ms));
    xml::answer(root, &CopyResult { xmlns: xml::NAMESPACE, etag, last_modified })
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn ranges_are_read_as_the_service_does() {
        let read = |range| within(range, 10).map_err(|error| error.status);
        assert_eq!(read("bytes=0-4"), Ok(Some((0, 4))));
        assert_eq!(read("bytes=5-"), Ok(Some((5, 9))));
        assert_eq!(read("bytes=-3"), Ok(Some((7, 9))));
        assert_eq!(read("bytes=-30"), Ok(Some((0, 9))));
        assert_eq!(read("bytes=5-50"), Ok(Some((5, 9))));
        assert_eq!(read("bytes=10-"), Err(416));
        assert_eq!(read("bytes=-0"), Err(416));
        assert_eq!(read("bytes=4-2"), Ok(None));
        assert_eq!(read("lines=1-2"), Ok(None));
    }
}

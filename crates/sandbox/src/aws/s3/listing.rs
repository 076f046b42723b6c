//! Listing objects and versions, a page at a time.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::bucket::Owner;
use super::version::{self, Version};
use super::{On, checksum, moment, xml};
use crate::aws::error::{Error, Reply};
use crate::state::Transaction;

/// What URL encoding leaves as it is.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// What is asked for, and how it is to be written.
struct Page<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    most: usize,
    encoded: bool,
}

/// One thing in a list.
enum Item {
    Version(Box<Version>, bool),
    /// Everything below a delimiter.
    Common(String),
}

impl<'a> Page<'a> {
    fn asked(on: &'a On<'_>) -> Result<Self, Error> {
        let most = on.call.field("max-keys").map_or(Ok(1000), str::parse::<usize>);
        let most = most.map_err(|_| Error::new(400, "InvalidArgument", "Provided max-keys not an integer"))?;
        let encoding = on.call.field("encoding-type");
        if encoding.is_some_and(|encoding| encoding != "url") {
            return Err(Error::new(400, "InvalidArgument", "Invalid Encoding Method specified in Request"));
        }
        Ok(Self {
            prefix: on.call.field("prefix").unwrap_or_default(),
            delimiter: on.call.field("delimiter").filter(|delimiter| !delimiter.is_empty()),
            most: most.min(1000),
            encoded: encoding.is_some(),
        })
    }

    fn text(&self, text: &str) -> String {
        if self.encoded { utf8_percent_encode(text, ENCODED).to_string() } else { text.to_owned() }
    }

    fn encoding(&self) -> Option<&'static str> {
        self.encoded.then_some("url")
    }

    /// The common prefix that a key is listed under.
    fn common(&self, key: &str) -> Option<String> {
        let (rest, delimiter) = (key.strip_prefix(self.prefix)?, self.delimiter?);
        let end = rest.find(delimiter)? + delimiter.len();
        Some(format!("{}{}", self.prefix, &rest[..end]))
    }

    /// Things after a place in the store, up to one more than fit.
    ///
    /// What is not to be seen is passed over by seeking, not by reading it: a page costs what it shows.
    fn items(
        &self,
        state: &Transaction<'_>,
        bucket: &str,
        from: Option<String>,
        all: bool,
    ) -> Result<Vec<Item>, Error> {
        let base = version::prefix(bucket);
        let range = format!("{base}{}", self.prefix);
        let (mut items, mut after) = (Vec::new(), from);
        while items.len() <= self.most {
            let Some(place) = state.keys(&range, after.as_deref()).next().map(str::to_owned) else { break };
            let key = place[base.len()..].split('\0').next().unwrap_or_default();
            if let Some(common) = self.common(key) {
                after = Some(after_common(bucket, &common));
                items.push(Item::Common(common));
                continue;
            }
            let newest =
                all && after.as_ref().is_none_or(|after| !after.starts_with(&version::key_prefix(bucket, key)));
            after = Some(if all { place.clone() } else { after_key(bucket, key) });
            let Some(version) = state.get::<Version>(&place)? else { continue };
            if all || !version.marker {
                items.push(Item::Version(Box::new(version), newest || !all));
            }
        }
        Ok(items)
    }
}

/// After every version of a key: their places go on with digits.
fn after_key(bucket: &str, key: &str) -> String {
    format!("{}~", version::key_prefix(bucket, key))
}

fn after_common(bucket: &str, common: &str) -> String {
    format!("{}{common}{}", version::prefix(bucket), char::MAX)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    name: String,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
    key_count: usize,
    max_keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<&'static str>,
    is_truncated: bool,
    #[serde(rename = "Contents")]
    contents: Vec<Content>,
    #[serde(rename = "CommonPrefixes")]
    common: Vec<CommonPrefix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    key: String,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
    storage_class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub(super) fn list_objects_v2(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    if on.call.field("list-type") != Some("2") {
        return Err(Error::unserved("this list-type"));
    }
    let page = Page::asked(on)?;
    let from = match (on.call.field("continuation-token"), on.call.field("start-after")) {
        (Some(token), _) => Some(decoded_token(token)?),
        (None, Some(key)) => Some(after_key(&on.name, key)),
        (None, None) => None,
    };
    let mut items = page.items(state, &on.name, from, false)?;
    // A page of nothing has no end to go on from.
    let is_truncated = items.len() > page.most && page.most > 0;
    items.truncate(page.most);
    let next = items.last().filter(|_| is_truncated).map(|item| token(&on.name, item));
    let owner = on.call.field("fetch-owner") == Some("true");
    let owner = || owner.then(|| Owner { id: on.bucket.owner.clone() });
    let (mut contents, mut common) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Common(prefix) => common.push(CommonPrefix { prefix: page.text(&prefix) }),
            Item::Version(version, _) => contents.push(Content {
                key: page.text(&version.key),
                last_modified: moment::document(version.modified_ms),
                etag: format!("\"{}\"", version.etag),
                size: version.size,
                storage_class: "STANDARD",
                owner: owner(),
            }),
        }
    }
    let result = ListBucketResult {
        xmlns: xml::NAMESPACE,
        name: on.name.clone(),
        prefix: page.text(page.prefix),
        delimiter: page.delimiter.map(|delimiter| page.text(delimiter)),
        start_after: on.call.field("start-after").map(|key| page.text(key)),
        continuation_token: on.call.field("continuation-token").map(str::to_owned),
        next_continuation_token: next,
        key_count: contents.len() + common.len(),
        max_keys: page.most,
        encoding_type: page.encoding(),
        is_truncated,
        contents,
        common,
    };
    xml::answer("ListBucketResult", &result)
}

/// Where the next page begins; clients do not look into it.
fn token(bucket: &str, item: &Item) -> String {
    let place = match item {
        Item::Common(prefix) => after_common(bucket, prefix),
        Item::Version(version, _) => after_key(bucket, &version.key),
    };
    data_encoding::BASE64URL_NOPAD.encode(place.as_bytes())
}

fn decoded_token(token: &str) -> Result<String, Error> {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok();
    let invalid = || Error::new(400, "InvalidArgument", "The continuation token provided is incorrect");
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListVersionsResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    name: String,
    prefix: String,
    key_marker: String,
    version_id_marker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_version_id_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<String>,
    max_keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<&'static str>,
    is_truncated: bool,
    #[serde(rename = "Version")]
    versions: Vec<ListedVersion>,
    #[serde(rename = "DeleteMarker")]
    markers: Vec<ListedVersion>,
    #[serde(rename = "CommonPrefixes")]
    common: Vec<CommonPrefix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVersion {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: String,
    #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<&'static str>,
    owner: Owner,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub(super) fn list_object_versions(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let page = Page::asked(on)?;
    let (key_marker, id_marker) = (on.call.field("key-marker"), on.call.field("version-id-marker"));
    let from = versions_from(state, on, key_marker, id_marker)?;
    let mut items = page.items(state, &on.name, from, true)?;
    let is_truncated = items.len() > page.most && page.most > 0;
    items.truncate(page.most);
    let (next_key_marker, next_version_id_marker) = match items.last().filter(|_| is_truncated) {
        Some(Item::Version(version, _)) => (Some(page.text(&version.key)), Some(version.id.clone())),
        Some(Item::Common(prefix)) => (Some(page.text(prefix)), None),
        None => (None, None),
    };
    let mut result = ListVersionsResult {
        xmlns: xml::NAMESPACE,
        name: on.name.clone(),
        prefix: page.text(page.prefix),
        key_marker: page.text(key_marker.unwrap_or_default()),
        version_id_marker: id_marker.unwrap_or_default().to_owned(),
        next_key_marker,
        next_version_id_marker,
        delimiter: page.delimiter.map(|delimiter| page.text(delimiter)),
        max_keys: page.most,
        encoding_type: page.encoding(),
        is_truncated,
        versions: Vec::new(),
        markers: Vec::new(),
        common: Vec::new(),
    };
    for item in items {
        match item {
            Item::Common(prefix) => result.common.push(CommonPrefix { prefix: page.text(&prefix) }),
            Item::Version(version, latest) if version.marker => {
                result.markers.push(listed(on, &page, *version, latest));
            }
            Item::Version(version, latest) => result.versions.push(listed(on, &page, *version, latest)),
        }
    }
    xml::answer("ListVersionsResult", &result)
}

/// After a key, or after one of its versions; a marker that is a common prefix is passed with all below it.
fn versions_from(
    state: &Transaction<'_>,
    on: &On<'_>,
    key: Option<&str>,
    id: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = id else {
        let common =
            on.call.field("delimiter").is_some_and(|delimiter| !delimiter.is_empty() && key.ends_with(delimiter));
        return Ok(Some(if common { after_common(&on.name, key) } else { after_key(&on.name, key) }));
    };
    let versions = state.scan::<Version>(&version::key_prefix(&on.name, key))?;
    let place = versions.into_iter().find(|(_, version)| version.id == id).map(|(place, _)| place);
    // A version that was deleted meanwhile: the others of its key are shown again.
    Ok(Some(place.unwrap_or_else(|| format!("{}{key}", version::prefix(&on.name)))))
}

fn listed(on: &On<'_>, page: &Page<'_>, version: Version, is_latest: bool) -> ListedVersion {
    let object = !version.marker;
    let checksum = version.checksum.as_ref().filter(|_| object);
    let checksum_type = checksum.map(|(_, value)| checksum::kind(value));
    let algorithm = checksum.and_then(|(name, _)| name.strip_prefix("x-amz-checksum-")).map(str::to_ascii_uppercase);
    ListedVersion {
        checksum_type,
        checksum_algorithm: algorithm,
        key: page.text(&version.key),
        version_id: version.id,
        is_latest,
        last_modified: moment::document(version.modified_ms),
        etag: object.then(|| format!("\"{}\"", version.etag)),
        size: object.then_some(version.size),
        storage_class: object.then_some("STANDARD"),
        owner: Owner { id: on.bucket.owner.clone() },
    }
}

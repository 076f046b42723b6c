//! Objects and their versions <https://cloud.google.com/storage/docs/objects>.
//!
//! What soft delete keeps of deleted objects cannot be listed or restored here.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bucket::{self, Bucket};
use super::notification::{self, Event};
use crate::google::call::Call;
use crate::google::project::timestamp;
use crate::google::refusal::{Kind, Refusal};
use crate::state::Transaction;

/// A version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::google) struct Object {
    pub bucket: String,
    pub name: String,
    pub generation: u64,
    pub metageneration: i64,
    pub size: usize,
    pub storage_class: String,
    pub crc32c: u32,
    /// In base64.
    pub md5: String,
    pub kms_key: String,
    pub created_ms: u64,
    /// When it became noncurrent.
    pub deleted_ms: Option<u64>,
    pub fields: Fields,
}

/// What its writer says of an object <https://cloud.google.com/storage/docs/json_api/v1/objects#resource>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::google) struct Fields {
    /// In a request only, as the rest up to the checksums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_time: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What a request wants generation and metageneration to be; generation 0 is an object that is not there
/// <https://cloud.google.com/storage/docs/request-preconditions>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::google) struct Expected {
    pub generation: Option<i64>,
    pub not_generation: Option<i64>,
    pub metageneration: Option<i64>,
    pub not_metageneration: Option<i64>,
}

/// Which objects to list.
#[derive(Clone, Debug, Default)]
pub(in crate::google) struct Listing {
    pub prefix: String,
    pub delimiter: String,
    pub versions: bool,
    pub token: String,
    pub start: String,
    pub end: String,
    pub size: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub(in crate::google) struct Page {
    pub objects: Vec<Object>,
    pub prefixes: BTreeSet<String>,
    pub next: Option<String>,
}

impl Expected {
    fn check(self, present: Option<&Object>) -> Result<(), Refusal> {
        let generation = present.map_or(0, |object| object.generation.cast_signed());
        let metageneration = present.map_or(0, |object| object.metageneration);
        let meets = self.generation.is_none_or(|wanted| wanted == generation)
            && self.not_generation.is_none_or(|unwanted| unwanted != generation)
            && self.metageneration.is_none_or(|wanted| wanted == metageneration)
            && self.not_metageneration.is_none_or(|unwanted| unwanted != metageneration);
        if meets {
            return Ok(());
        }
        Err(Refusal::new(Kind::Stale, "At least one of the pre-conditions you specified did not hold."))
    }
}

impl Object {
    pub(in crate::google) fn content_type(&self) -> &str {
        self.fields.content_type.as_deref().unwrap_or("application/octet-stream")
    }

    pub(in crate::google) fn etag(&self) -> String {
        BASE64.encode(&[self.generation.to_be_bytes(), self.metageneration.to_be_bytes()].concat())
    }

    /// In base64, big-endian <https://cloud.google.com/storage/docs/json_api/v1/objects#crc32c>.
    pub(in crate::google) fn crc32c(&self) -> String {
        BASE64.encode(&self.crc32c.to_be_bytes())
    }
}

/// An object in the form of the JSON API. Its links lead to the sandbox, since clients follow them.
pub(in crate::google) fn described(object: &Object, address: &str) -> Value {
    let (bucket, name) = (&object.bucket, &object.name);
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
    let link = format!("{address}/storage/v1/b/{bucket}/o/{encoded}");
    let media =
        format!("{address}/download/storage/v1/b/{bucket}/o/{encoded}?generation={}&alt=media", object.generation);
    let mut described = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{name}/{}", object.generation),
        "selfLink": link,
        "mediaLink": media,
        "name": name,
        "bucket": bucket,
        "generation": object.generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "storageClass": object.storage_class,
        "size": object.size.to_string(),
        "md5Hash": object.md5,
        "crc32c": object.crc32c(),
        "etag": object.etag(),
        "timeCreated": timestamp(object.created_ms),
        "timeFinalized": timestamp(object.created_ms),
        "updated": timestamp(object.created_ms),
        "timeStorageClassUpdated": timestamp(object.created_ms),
    });
    if let (Some(all), Ok(Value::Object(fields))) = (described.as_object_mut(), serde_json::to_value(&object.fields)) {
        all.extend(fields);
        if !object.kms_key.is_empty() {
            all.insert("kmsKeyName".to_owned(), json!(object.kms_key));
        }
        if let Some(deleted_ms) = object.deleted_ms {
            all.insert("timeDeleted".to_owned(), json!(timestamp(deleted_ms)));
        }
    }
    described
}

/// A number greater than every one before it, near the microseconds since 1970.
pub(super) fn next_generation(state: &mut Transaction<'_>, now_ms: u64) -> Result<u64, Refusal> {
    const COUNTER: &str = "google/counter/generation";
    let last = state.get::<u64>(COUNTER)?.unwrap_or_default();
    let next = (now_ms * 1000).max(last + 1);
    state.put(COUNTER, &next)?;
    Ok(next)
}

fn prefix(bucket: &str) -> String {
    format!("google/object/{bucket}/")
}

/// Versions of one object follow each other, and names are in the order of their bytes.
fn key(bucket: &str, name: &str, generation: u64) -> String {
    format!("{}{name}\0{generation:020}", prefix(bucket))
}

fn content_key(object: &Object) -> String {
    format!("google/content/{}/{}/{}", object.bucket, object.generation, object.name)
}

/// Whether a bucket holds anything, noncurrent versions too.
pub(super) fn any(state: &Transaction<'_>, bucket: &str) -> bool {
    state.keys(&prefix(bucket), None).next().is_some()
}

/// The live version of an object, or one generation of it.
pub(in crate::google) fn find(
    state: &Transaction<'_>,
    bucket: &str,
    name: &str,
    generation: Option<u64>,
) -> Result<Option<Object>, Refusal> {
    if let Some(generation) = generation {
        return Ok(state.get(&key(bucket, name, generation))?);
    }
    let versions = state.scan::<Object>(&format!("{}{name}\0", prefix(bucket)))?;
    Ok(versions.into_iter().map(|(_, object)| object).find(|object| object.deleted_ms.is_none()))
}

/// The same, which must be there.
pub(in crate::google) fn get(
    state: &Transaction<'_>,
    bucket: &str,
    name: &str,
    generation: Option<u64>,
    expected: Expected,
) -> Result<Object, Refusal> {
    bucket::get(state, bucket)?;
    let object = find(state, bucket, name, generation)?;
    let object = object.ok_or_else(|| Refusal::not_found(format!("No such object: {bucket}/{name}")))?;
    expected.check(Some(&object))?;
    Ok(object)
}

/// What an object holds.
pub(in crate::google) fn content(state: &Transaction<'_>, object: &Object) -> Result<Vec<u8>, Refusal> {
    let content: Option<String> = state.get(&content_key(object))?;
    let damaged = |_| Refusal::new(Kind::Internal, "the content of an object is damaged");
    BASE64.decode(content.unwrap_or_default().as_bytes()).map_err(damaged)
}

/// Names are 1-1024 bytes without line ends <https://cloud.google.com/storage/docs/objects#naming>.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=1024).contains(&name.len()) && !name.contains(['\r', '\n', '\0']) && name != "." && name != "..";
    if fits { Ok(()) } else { Err(Refusal::invalid(format!("Invalid object name: '{name}'"))) }
}

/// Write an object <https://cloud.google.com/storage/docs/json_api/v1/objects/insert>. It is announced as finalized.
pub(in crate::google) fn insert(
    state: &mut Transaction<'_>,
    bucket: &str,
    name: &str,
    fields: Fields,
    content: &[u8],
    expected: Expected,
    call: &Call<'_>,
) -> Result<Object, Refusal> {
    let now_ms = call.now_ms;
    let bucket = bucket::get(state, bucket)?;
    check_name(name)?;
    if fields.bucket.as_ref().is_some_and(|named| *named != bucket.name) {
        return Err(Refusal::invalid("The bucket of the object is not the one of the request."));
    }
    let present = find(state, &bucket.name, name, None)?;
    expected.check(present.as_ref())?;
    let generation = next_generation(state, now_ms)?;
    let object = new(&bucket, name, generation, fields, content, now_ms)?;
    if let Some(replaced) = &present {
        retire(state, &bucket, replaced.clone(), Some(("overwrittenByGeneration", generation)), call)?;
    }
    state.put(&key(&bucket.name, name, generation), &object)?;
    state.put(&content_key(&object), &BASE64.encode(content))?;
    let other = present.map(|replaced| ("overwroteGeneration", replaced.generation));
    notification::publish(state, &bucket, &object, Event { name: "OBJECT_FINALIZE", other, call })?;
    Ok(object)
}

fn new(
    bucket: &Bucket,
    name: &str,
    generation: u64,
    mut fields: Fields,
    content: &[u8],
    now_ms: u64,
) -> Result<Object, Refusal> {
    let crc32c = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, content);
    let crc32c = u32::try_from(crc32c).unwrap_or_default();
    let md5 = BASE64.encode(&Md5::digest(content));
    check_sum("CRC32C", fields.crc32c.take(), &BASE64.encode(&crc32c.to_be_bytes()))?;
    check_sum("MD5", fields.md5_hash.take(), &md5)?;
    let (_, _) = (fields.name.take(), fields.bucket.take());
    let storage_class = fields.storage_class.take().unwrap_or_else(|| bucket.storage_class.clone());
    Ok(Object {
        bucket: bucket.name.clone(),
        name: name.to_owned(),
        generation,
        metageneration: 1,
        size: content.len(),
        storage_class,
        crc32c,
        md5,
        kms_key: bucket.kms_key.clone(),
        created_ms: now_ms,
        deleted_ms: None,
        fields,
    })
}

/// A checksum that was sent is that of what came <https://cloud.google.com/storage/docs/data-validation>.
fn check_sum(name: &str, sent: Option<String>, computed: &str) -> Result<(), Refusal> {
    match sent {
        Some(sent) if sent != computed => Err(Refusal::invalid(format!(
            "Provided {name} hash \"{sent}\" doesn't match calculated {name} hash \"{computed}\"."
        ))),
        _ => Ok(()),
    }
}

/// Delete an object <https://cloud.google.com/storage/docs/json_api/v1/objects/delete>.
///
/// With versioning, the live version stays as a noncurrent one, unless its generation is named
/// <https://cloud.google.com/storage/docs/object-versioning>.
pub(in crate::google) fn delete(
    state: &mut Transaction<'_>,
    bucket: &str,
    name: &str,
    generation: Option<u64>,
    expected: Expected,
    call: &Call<'_>,
) -> Result<(), Refusal> {
    let object = get(state, bucket, name, generation, expected)?;
    let bucket = bucket::get(state, bucket)?;
    if generation.is_none() {
        return retire(state, &bucket, object, None, call);
    }
    erase(state, &object);
    notification::publish(state, &bucket, &object, Event { name: "OBJECT_DELETE", other: None, call })
}

/// Take the place of a live version from it.
fn retire(
    state: &mut Transaction<'_>,
    bucket: &Bucket,
    mut object: Object,
    other: Option<(&str, u64)>,
    call: &Call<'_>,
) -> Result<(), Refusal> {
    object.deleted_ms = Some(call.now_ms);
    let name = if bucket.versions() { "OBJECT_ARCHIVE" } else { "OBJECT_DELETE" };
    if bucket.versions() {
        state.put(&key(&bucket.name, &object.name, object.generation), &object)?;
    } else {
        erase(state, &object);
    }
    notification::publish(state, bucket, &object, Event { name, other, call })
}

fn erase(state: &mut Transaction<'_>, object: &Object) {
    state.delete(&key(&object.bucket, &object.name, object.generation));
    state.delete(&content_key(object));
}

/// List objects by name <https://cloud.google.com/storage/docs/json_api/v1/objects/list>.
pub(in crate::google) fn list(state: &Transaction<'_>, bucket: &str, listing: &Listing) -> Result<Page, Refusal> {
    bucket::get(state, bucket)?;
    let base = prefix(bucket);
    let wanted = format!("{base}{}", listing.prefix);
    let mut after = (!listing.token.is_empty()).then(|| format!("{base}{}", listing.token));
    let mut page = Page::default();
    loop {
        let Some(key) = state.keys(&wanted, after.as_deref()).next().map(str::to_owned) else { return Ok(page) };
        let name = key[base.len()..].split('\0').next().unwrap_or_default();
        if !listing.end.is_empty() && name >= listing.end.as_str() {
            return Ok(page);
        }
        let group = group(name, listing);
        let object = state
            .get::<Object>(&key)?
            .filter(|object| (listing.versions || object.deleted_ms.is_none()) && name >= listing.start.as_str());
        if let Some(object) = object {
            if page.objects.len() + page.prefixes.len() >= listing.size {
                page.next = after.map(|after| after[base.len()..].to_owned());
                return Ok(page);
            }
            match &group {
                Some(group) => drop(page.prefixes.insert(group.clone())),
                None => page.objects.push(object),
            }
        }
        // Everything else below the same group sorts before this.
        after = Some(match group.filter(|group| page.prefixes.contains(group)) {
            Some(group) => format!("{base}{group}{}", char::MAX),
            None => key,
        });
    }
}

/// The part of a name up to the delimiter that follows the prefix.
fn group(name: &str, listing: &Listing) -> Option<String> {
    let rest = name.strip_prefix(&listing.prefix).filter(|_| !listing.delimiter.is_empty())?;
    let at = rest.find(&listing.delimiter)?;
    Some(name[..listing.prefix.len() + at + listing.delimiter.len()].to_owned())
}

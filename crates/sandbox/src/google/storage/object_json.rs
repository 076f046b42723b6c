//! Objects over the JSON API, all but uploads.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::object::{self, Expected, Listing, Object};
use crate::google::call::Call;
use crate::google::refusal::Refusal;
use crate::google::wire::json_answer;
use crate::state::Transaction;

/// Parameters that name a generation and conditions on it.
pub(super) const CONDITIONS: [&str; 5] =
    ["generation", "ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch"];

/// Objects in one page of a listing <https://cloud.google.com/storage/docs/json_api/v1/objects/list#parameters>.
const PAGE: usize = 1000;

/// Requests for objects.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    match call.verb() {
        "objects.list" => Ok(json_answer(200, &list(state, call)?)),
        "objects.get" => get(state, call),
        _ => {
            call.takes(&CONDITIONS)?;
            let (generation, expected) = (call.number("generation")?, expected(call)?);
            object::delete(state, call.name(0), call.name(1), generation, expected, call)?;
            Ok(Response::builder().status(StatusCode::NO_CONTENT).body(Bytes::new()).unwrap_or_default())
        }
    }
}

/// What a request wants the object to be.
pub(super) fn expected(call: &Call<'_>) -> Result<Expected, Refusal> {
    Ok(Expected {
        generation: call.number("ifGenerationMatch")?,
        not_generation: call.number("ifGenerationNotMatch")?,
        metageneration: call.number("ifMetagenerationMatch")?,
        not_metageneration: call.number("ifMetagenerationNotMatch")?,
    })
}

fn list(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[
        "prefix",
        "delimiter",
        "versions",
        "pageToken",
        "maxResults",
        "startOffset",
        "endOffset",
        "includeTrailingDelimiter",
        "includeFoldersAsPrefixes",
        "softDeleted",
    ])?;
    if call.flag("softDeleted") {
        return Err(Refusal::unserved("the parameter `softDeleted` of objects.list"));
    }
    let text = |name: &str| call.parameter(name).unwrap_or_default().to_owned();
    let listing = Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        versions: call.flag("versions"),
        token: decoded_token(&text("pageToken"))?,
        start: text("startOffset"),
        end: text("endOffset"),
        size: call.number("maxResults")?.unwrap_or(PAGE).clamp(1, PAGE),
    };
    let page = object::list(state, call.name(0), &listing)?;
    let mut answer = json!({ "kind": "storage#objects" });
    if !page.objects.is_empty() {
        answer["items"] = page.objects.iter().map(|object| object::described(object, &call.address)).collect();
    }
    if !page.prefixes.is_empty() {
        answer["prefixes"] = json!(page.prefixes);
    }
    if let Some(next) = page.next {
        answer["nextPageToken"] = json!(encoded_token(&next));
    }
    Ok(answer)
}

/// The token of a page, which is opaque to clients.
pub(super) fn encoded_token(after: &str) -> String {
    data_encoding::BASE64URL.encode(after.as_bytes())
}

/// What a token stands for.
pub(super) fn decoded_token(token: &str) -> Result<String, Refusal> {
    let bytes = data_encoding::BASE64URL.decode(token.as_bytes()).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Refusal::invalid("Invalid page token"))
}

fn get(state: &Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    call.takes(&CONDITIONS)?;
    let object = object::get(state, call.name(0), call.name(1), call.number("generation")?, expected(call)?)?;
    if call.parameter("alt") != Some("media") {
        return Ok(json_answer(200, &object::described(&object, &call.address)));
    }
    media(state, &object, call.header("range"))
}

/// An object's content, or a part of it <https://cloud.google.com/storage/docs/json_api/v1/parameters#range>.
pub(super) fn media(state: &Transaction<'_>, object: &Object, range: Option<&str>) -> Result<Response<Bytes>, Refusal> {
    let content = object::content(state, object)?;
    let part = range.and_then(|range| part(range, content.len()));
    let mut response = Response::builder()
        .header("content-type", object.content_type())
        .header("etag", format!("\"{}\"", object.etag()))
        .header("x-goog-generation", object.generation)
        .header("x-goog-metageneration", object.metageneration)
        .header("x-goog-storage-class", &object.storage_class)
        .header("x-goog-stored-content-length", object.size)
        .header("x-goog-stored-content-encoding", object.fields.content_encoding.as_deref().unwrap_or("identity"))
        .header("x-goog-hash", format!("crc32c={}", object.crc32c()))
        .header("x-goog-hash", format!("md5={}", object.md5));
    let optional = [
        ("content-encoding", &object.fields.content_encoding),
        ("content-disposition", &object.fields.content_disposition),
        ("content-language", &object.fields.content_language),
        ("cache-control", &object.fields.cache_control),
    ];
    for (name, value) in optional {
        response = value.iter().fold(response, |response, value| response.header(name, value));
    }
    for (name, value) in &object.fields.metadata {
        response = response.header(format!("x-goog-meta-{name}"), value);
    }
    let body = match part {
        Some((from, to)) => {
            let range = format!("bytes {from}-{}/{}", to - 1, content.len());
            response = response.status(StatusCode::PARTIAL_CONTENT).header("content-range", range);
            Bytes::copy_from_slice(&content[from..to])
        }
        None => Bytes::from(content),
    };
    response.body(body).map_err(|error| Refusal::invalid(error.to_string()))
}

/// Where a range begins and ends, if it is one within the content.
fn part(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to = to.parse().map_or(length, |last: usize| (last + 1).min(length));
    (from < to).then_some((from, to))
}

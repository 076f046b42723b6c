//! Uploads over the JSON API: in one request, in two parts of one, and resumable
//! <https://cloud.google.com/storage/docs/uploads-downloads>.

use bytes::Bytes;
use data_encoding::BASE64;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::bucket;
use super::object::{self, Expected, Fields, Object};
use super::object_json::expected;
use crate::google::call::{self, Call};
use crate::google::refusal::{Kind, Refusal};
use crate::google::wire::json_answer;
use crate::state::Transaction;

const PARAMETERS: [&str; 7] = [
    "name",
    "contentEncoding",
    "upload_id",
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
];

/// A resumable upload that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    id: u64,
    bucket: String,
    name: String,
    fields: Fields,
    expected: Expected,
    received: usize,
}

/// Requests that upload.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    call.takes(&PARAMETERS)?;
    if let Some(id) = call.parameter("upload_id") {
        return resume(state, call, id);
    }
    match call.parameter("uploadType") {
        Some("media") => {
            let fields = Fields { content_type: call.header("content-type").map(str::to_owned), ..Fields::default() };
            insert(state, call, fields, &call.body)
        }
        Some("multipart") => {
            let (fields, content) = parts(call)?;
            insert(state, call, fields, &content)
        }
        Some("resumable") => begin(state, call),
        _ => Err(Refusal::unserved("objects.insert without an upload")),
    }
}

fn insert(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    fields: Fields,
    content: &[u8],
) -> Result<Response<Bytes>, Refusal> {
    let (name, fields) = named(call, fields)?;
    let object = object::insert(state, call.name(0), &name, fields, content, expected(call)?, call)?;
    Ok(finished(&object, call))
}

/// The object's name and fields: parameters come before the body's.
fn named(call: &Call<'_>, mut fields: Fields) -> Result<(String, Fields), Refusal> {
    let name = call.parameter("name").map(str::to_owned).or_else(|| fields.name.take());
    if let Some(encoding) = call.parameter("contentEncoding") {
        fields.content_encoding = Some(encoding.to_owned());
    }
    Ok((name.ok_or_else(|| Refusal::invalid("Required"))?, fields))
}

fn finished(object: &Object, call: &Call<'_>) -> Response<Bytes> {
    json_answer(200, &object::described(object, &call.address))
}

/// Metadata and content of a body in two parts <https://www.rfc-editor.org/rfc/rfc2387>.
fn parts(call: &Call<'_>) -> Result<(Fields, Vec<u8>), Refusal> {
    let malformed = || Refusal::invalid("Malformed multipart body.");
    let kind = call.header("content-type").unwrap_or_default();
    let boundary = kind.split(';').find_map(|field| field.trim().strip_prefix("boundary="));
    let boundary = format!("--{}", boundary.ok_or_else(malformed)?.trim_matches(['"', '\'']));
    let (first, rest) = split(&call.body, boundary.as_bytes())
        .and_then(|(_, rest)| split(rest, boundary.as_bytes()))
        .ok_or_else(malformed)?;
    // Its content may hold anything, the boundary too, but after a line end.
    let ending = format!("\r\n{boundary}--");
    let second = split_last(rest, ending.as_bytes())
        .or_else(|| split_last(rest, &ending.as_bytes()[1..]))
        .ok_or_else(malformed)?;
    let (_, metadata) = headed(first).ok_or_else(malformed)?;
    let (headers, content) = headed(second).ok_or_else(malformed)?;
    let mut fields: Fields = call::json(metadata.trim_ascii())?;
    if fields.content_type.is_none() {
        fields.content_type = content_type(headers);
    }
    Ok((fields, content.to_vec()))
}

fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

fn split_last<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    bytes.windows(mark.len()).rposition(|window| window == mark).map(|at| &bytes[..at])
}

/// A part's headers and what follows them.
fn headed(part: &[u8]) -> Option<(&[u8], &[u8])> {
    split(part, b"\r\n\r\n").or_else(|| split(part, b"\n\n"))
}

fn content_type(headers: &[u8]) -> Option<String> {
    let headers = String::from_utf8_lossy(headers);
    let mut fields = headers.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, value)| value.trim().to_owned())
}

fn key(id: &str) -> String {
    format!("google/upload/{id}")
}

fn parts_key(id: u64) -> String {
    format!("google/upload-part/{id}/")
}

/// Begin a resumable upload <https://cloud.google.com/storage/docs/performing-resumable-uploads>.
fn begin(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let bucket = bucket::get(state, call.name(0))?.name;
    let (name, mut fields) = named(call, call.json()?)?;
    if fields.content_type.is_none() {
        fields.content_type = call.header("x-upload-content-type").map(str::to_owned);
    }
    let id = state.next_number("google/counter/upload")?;
    let session = Session { id, bucket, name, fields, expected: expected(call)?, received: 0 };
    state.put(&key(&id.to_string()), &session)?;
    let place = format!("{}{}?uploadType=resumable&upload_id={id}", call.address, call.path);
    let response = Response::builder().header("location", place).header("x-guploader-uploadid", id);
    Ok(response.body(Bytes::new()).unwrap_or_default())
}

/// Take a part of an upload, or say how much has come
/// <https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload>.
fn resume(state: &mut Transaction<'_>, call: &Call<'_>, id: &str) -> Result<Response<Bytes>, Refusal> {
    let unknown = || Refusal::not_found("The upload was not found.");
    let mut session: Session = state.get(&key(id))?.ok_or_else(unknown)?;
    let range = call.header("content-range").map(range).transpose()?;
    let (from, total) = range.unwrap_or((Some(0), Some(call.body.len())));
    if let Some(from) = from {
        let fresh = session.received.checked_sub(from).and_then(|known| call.body.get(known..));
        let fresh = fresh.ok_or_else(|| Refusal::invalid("The part does not continue the upload."))?;
        if !fresh.is_empty() {
            state.put(&format!("{}{:020}", parts_key(session.id), session.received), &BASE64.encode(fresh))?;
            session.received += fresh.len();
            state.put(&key(id), &session)?;
        }
    }
    if total == Some(session.received) {
        return finish(state, session, call);
    }
    let mut response = Response::builder().status(StatusCode::PERMANENT_REDIRECT);
    if session.received > 0 {
        response = response.header("range", format!("bytes=0-{}", session.received - 1));
    }
    Ok(response.body(Bytes::new()).unwrap_or_default())
}

fn finish(state: &mut Transaction<'_>, session: Session, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let parts: Vec<(String, String)> = state.scan(&parts_key(session.id))?;
    let mut content = Vec::with_capacity(session.received);
    for (place, part) in parts {
        let part = BASE64.decode(part.as_bytes()).map_err(|_| Refusal::new(Kind::Internal, "a part is damaged"))?;
        content.extend_from_slice(&part);
        state.delete(&place);
    }
    state.delete(&key(&session.id.to_string()));
    let Session { bucket, name, fields, expected, .. } = session;
    Ok(finished(&object::insert(state, &bucket, &name, fields, &content, expected, call)?, call))
}

/// Where a part begins and how much there is, of `bytes 0-9/20`, `bytes 0-9/*` or `bytes */20`.
fn range(text: &str) -> Result<(Option<usize>, Option<usize>), Refusal> {
    let fields = text.strip_prefix("bytes ").and_then(|text| text.split_once('/'));
    let (part, total) = fields.ok_or_else(|| Refusal::invalid(format!("Invalid content range: {text}")))?;
    let from = part.split_once('-').and_then(|(from, _)| from.parse().ok());
    Ok((from, total.parse().ok()))
}

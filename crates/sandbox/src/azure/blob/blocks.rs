//! Blobs in blocks <https://learn.microsoft.com/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs>.

use data_encoding::BASE64;
use md5::{Digest as _, Md5};
use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};

use super::one;
use super::stored::{Blob, content, keep_content};
use crate::azure::accounts::Account;
use crate::azure::call::{Call, empty, with, xml};
use crate::azure::data_access::Place;
use crate::azure::refusal::{Refusal, Served};
use crate::state::Transaction;

#[derive(Debug, Serialize, Deserialize)]
struct Block {
    /// As of a blob, so that it goes with the container.
    content: u64,
    size: u64,
}

/// The list of blocks in their order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockList {
    #[serde(default, rename = "$value")]
    blocks: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
enum Listed {
    Committed(String),
    Uncommitted(String),
    Latest(String),
}

/// <https://learn.microsoft.com/rest/api/storageservices/put-block>
pub(super) fn put(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = one::spot(state, account, place)?;
    let id = call.field("blockid").unwrap_or_default();
    let length = BASE64.decode(id.as_bytes()).map_or(0, |id| id.len());
    if !(1..=64).contains(&length) {
        let message = "The specified blob or block content is invalid: the block id must be Base64 of 1-64 bytes.";
        return Err(Refusal::bad_request("InvalidBlobOrBlock", message));
    }
    let body = call.request.body();
    let block = Block { content: keep_content(state, account, body)?, size: body.len() as u64 };
    state.put(&format!("{}{id}", spot.block_prefix()), &block)?;
    if !state.has(&spot.key("")) {
        let blob = Blob { uncommitted: true, modified_ms: call.now_ms, created_ms: call.now_ms, ..Blob::default() };
        state.put(&spot.key(""), &blob)?;
    }
    let digest = BASE64.encode(&Md5::digest(body));
    Ok(with(empty(201), &[("content-md5", &digest), ("x-ms-request-server-encrypted", "true")]))
}

/// <https://learn.microsoft.com/rest/api/storageservices/put-block-list>
pub(super) fn commit(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = one::spot(state, account, place)?;
    let invalid =
        |error: String| Refusal::bad_request("InvalidXmlDocument", format!("XML specified is not valid: {error}."));
    let text = std::str::from_utf8(call.request.body()).map_err(|error| invalid(error.to_string()))?;
    let list: BlockList = quick_xml::de::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let before = spot.current(state)?;
    let mut bytes = Vec::new();
    let mut blocks = Vec::new();
    for listed in list.blocks {
        let (id, part) = block(state, account, &spot.block_prefix(), before.as_ref(), listed)?;
        blocks.push((id, part.len() as u64));
        bytes.extend(part);
    }
    let mut blob = one::described(call)?;
    // The type of the request's own body is not the blob's.
    let kind = call.header("x-ms-blob-content-type").unwrap_or("application/octet-stream");
    kind.clone_into(&mut blob.content_type);
    blob.size = bytes.len() as u64;
    blob.content = keep_content(state, account, &bytes)?;
    blob.blocks = blocks;
    let answer = one::written(state, call, account, place, "PutBlockList", blob)?;
    discard(state, &spot.block_prefix());
    Ok(answer)
}

/// <https://learn.microsoft.com/rest/api/storageservices/get-block-list>
pub(super) fn list(state: &Transaction<'_>, call: &Call<'_>, account: &Account, place: &Place) -> Served {
    let spot = one::spot(state, account, place)?;
    let kind = call.field("blocklisttype").unwrap_or("committed");
    let blob = spot.current(state)?;
    let prefix = spot.block_prefix();
    let waiting: Vec<(String, Block)> = state.scan(&prefix)?;
    if blob.is_none() && waiting.is_empty() {
        return Err(one::absent());
    }
    let shown = |id: &str, size: u64| format!("<Block><Name>{}</Name><Size>{size}</Size></Block>", escape(id));
    let committed: String = blob.iter().flat_map(|blob| &blob.blocks).map(|(id, size)| shown(id, *size)).collect();
    let uncommitted: String = waiting.iter().map(|(key, block)| shown(&key[prefix.len()..], block.size)).collect();
    let mut body = String::from("<BlockList>");
    if kind != "uncommitted" {
        body += &format!("<CommittedBlocks>{committed}</CommittedBlocks>");
    }
    if kind != "committed" {
        body += &format!("<UncommittedBlocks>{uncommitted}</UncommittedBlocks>");
    }
    let size = blob.map_or(0, |blob| blob.size).to_string();
    Ok(with(xml(200, &format!("{body}</BlockList>")), &[("x-ms-blob-content-length", &size)]))
}

/// The bytes of a listed block, those that wait or those of the blob that is there.
fn block(
    state: &Transaction<'_>,
    account: &Account,
    prefix: &str,
    before: Option<&Blob>,
    listed: Listed,
) -> Result<(String, Vec<u8>), Refusal> {
    let (id, waits, committed) = match listed {
        Listed::Committed(id) => (id, false, true),
        Listed::Uncommitted(id) => (id, true, false),
        Listed::Latest(id) => (id, true, true),
    };
    let found: Option<Block> = if waits { state.get(&format!("{prefix}{id}"))? } else { None };
    if let Some(block) = found {
        return Ok((id, content(state, account, block.content)?));
    }
    let part = before.filter(|_| committed).and_then(|blob| part_of(blob, &id).map(|part| (blob.content, part)));
    let Some((number, (start, end))) = part else {
        let message = "The specified block list is invalid.";
        return Err(Refusal::bad_request("InvalidBlockList", message));
    };
    let bytes = content(state, account, number)?;
    Ok((id, bytes.get(start..end).unwrap_or_default().to_vec()))
}

/// Where a committed block is in its blob.
fn part_of(blob: &Blob, id: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    for (name, size) in &blob.blocks {
        let end = start + usize::try_from(*size).ok()?;
        if name == id {
            return Some((start, end));
        }
        start = end;
    }
    None
}

fn discard(state: &mut Transaction<'_>, prefix: &str) {
    let keys: Vec<String> = state.keys(prefix, None).map(ToOwned::to_owned).collect();
    for key in keys {
        state.delete(&key);
    }
}

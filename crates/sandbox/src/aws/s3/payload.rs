//! What was sent: chunks put together, checksums checked.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::checksum::{DEFAULT, digest};
use crate::aws::call::Call;
use crate::aws::error::Error;

/// What was sent.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) body: Bytes,
    /// The header of its checksum and the value.
    pub(super) checksum: (String, String),
}

impl Payload {
    /// What S3 has already.
    pub(super) fn of(body: Vec<u8>) -> Self {
        let value = digest(DEFAULT, &body).unwrap_or_default();
        Self { body: Bytes::from(body), checksum: (DEFAULT.to_owned(), value) }
    }

    /// Read what a request sent, and refuse it if it does not fit what was said of it.
    pub(super) fn read(call: &Call<'_>) -> Result<Self, Error> {
        let chunked = call.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"));
        let (body, trailers) = if chunked { unchunked(call)? } else { (call.body.clone(), BTreeMap::new()) };
        check_hash(call, &body, chunked)?;
        check_md5(call, &body)?;
        let mut said = call.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let trailing = trailers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let said = said.by_ref().chain(trailing).find(|(name, _)| digest(name, b"").is_some());
        // The request that ends an upload says what the object's is.
        let Some((name, value)) = said.filter(|_| call.name() != "CompleteMultipartUpload") else {
            return Ok(Self::of(body.to_vec()));
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        if digest(&name, &body).as_ref() != Some(&value) {
            let message = format!("Value for {name} header is invalid.");
            return Err(Error::new(400, "BadDigest", message));
        }
        Ok(Self { body, checksum: (name, value) })
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
fn check_hash(call: &Call<'_>, body: &[u8], chunked: bool) -> Result<(), Error> {
    let hash = call.header("x-amz-content-sha256").filter(|hash| !chunked && *hash != "UNSIGNED-PAYLOAD");
    match hash {
        Some(hash) if hash != HEXLOWER.encode(&Sha256::digest(body)) => {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(Error::new(400, "XAmzContentSHA256Mismatch", message))
        }
        _ => Ok(()),
    }
}

fn check_md5(call: &Call<'_>, body: &[u8]) -> Result<(), Error> {
    match call.header("content-md5") {
        Some(md5) if md5 != BASE64.encode(&Md5::digest(body)) => {
            Err(Error::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
        }
        _ => Ok(()),
    }
}

/// Chunks of `<length in hex>[;chunk-signature=...]`, the bytes, and after the empty one the trailing headers
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.
fn unchunked(call: &Call<'_>) -> Result<(Bytes, BTreeMap<String, String>), Error> {
    let incomplete = || {
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
        Error::new(400, "IncompleteBody", message)
    };
    let mut rest: &[u8] = &call.body;
    let mut body = Vec::new();
    loop {
        let (line, after) = line(rest).ok_or_else(incomplete)?;
        let length = line.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length.trim(), 16).map_err(|_| incomplete())?;
        if length == 0 {
            rest = after;
            break;
        }
        body.extend(after.get(..length).ok_or_else(incomplete)?);
        rest = after.get(length..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or_else(incomplete)?;
    }
    let said = call.header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
    if said.is_some_and(|said: usize| said != body.len()) {
        return Err(incomplete());
    }
    Ok((Bytes::from(body), trailers(rest)))
}

fn trailers(mut rest: &[u8]) -> BTreeMap<String, String> {
    let mut trailers = BTreeMap::new();
    while let Some((line, after)) = line(rest) {
        if let Some((name, value)) = line.split_once(':') {
            trailers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        rest = after;
    }
    trailers
}

/// A line without its end, and what comes after it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

/// Batch calls and shared documents must come with a checksum
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
pub(super) fn checked(call: &Call<'_>) -> Result<(), Error> {
    let payload = Payload::read(call)?;
    let said = call.headers.contains_key("content-md5") || call.headers.contains_key(&payload.checksum.0);
    if said {
        return Ok(());
    }
    let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
    Err(Error::new(400, "InvalidRequest", message))
}

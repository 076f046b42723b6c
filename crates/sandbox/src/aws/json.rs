//! The JSON protocol of SQS and of Resource Groups Tagging.

use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::error::{Error, Reply};
use super::wire::REQUEST;

/// The input of a request; a member that is not known is refused.
pub(super) fn input<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Error> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| Error::new(400, "SerializationException", error.to_string()))
}

/// An answer in the form that was asked for.
pub(super) fn answer<T: Serialize>(call: &Call<'_>, output: &T) -> Reply {
    let body = serde_json::to_vec(output).map_err(|error| Error::new(500, "InternalError", error.to_string()))?;
    let kind = call.header("content-type").unwrap_or("application/x-amz-json-1.0").to_owned();
    let response = Response::builder().header("content-type", kind).header("x-amzn-requestid", REQUEST);
    Ok(response.body(Bytes::from(body)).unwrap_or_default())
}

/// An answer without a member.
pub(super) fn nothing(call: &Call<'_>) -> Reply {
    answer(call, &serde_json::json!({}))
}

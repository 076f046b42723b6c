//! Operations that go on after their answer
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::azure::accounts;
use crate::azure::call::{Call, empty, json, timestamp, with};
use crate::azure::guid;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::target::Target;
use crate::state::Transaction;

/// Seconds after which to ask again: the shortest that the header can say.
const RETRY_AFTER: &str = "1";

/// How an operation is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Following {
    /// `Location`: 202 until it is done, then the account with this name.
    Account(String),
    /// `Location`: 202 until it is done, then an empty 200.
    Nothing,
    /// `Azure-AsyncOperation`: a document with the status.
    Status,
    /// The same, of one that fails in the end, with its code and message.
    Failing(String, String),
}

/// How an event subscription's operation ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    Succeeds,
    /// With a code and a message.
    Fails(&'static str, String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Operation {
    started_ms: u64,
    ready_ms: u64,
    following: Following,
}

/// The 202 of an account that is being made.
pub(super) fn account(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target, ready_ms: u64) -> Served {
    let path = format!("/subscriptions/{}/providers/Microsoft.Storage/locations/sandbox", target.subscription);
    let following = Following::Account(target.name(0).to_owned());
    let location = begun(state, call, &format!("{path}/asyncoperations"), ready_ms, following)?;
    Ok(accepted(&signed(state, call, &location)?))
}

/// The address of a new account's operation as Storage gives it since 2025: signed, another one in each answer, and over 3,000
/// characters long.
fn signed(state: &mut Transaction<'_>, call: &Call<'_>, location: &str) -> Result<String, Refusal> {
    let part = |length: usize, text: &str| text.repeat(length.div_ceil(text.len()));
    let signature = guid::next(state)?;
    Ok(format!(
        "{location}&monitor=true&t={}&c={}&s={}&h={signature}",
        call.now_ms,
        part(2_600, &signature),
        part(344, &signature)
    ))
}

/// The 202 of an event subscription that is being deleted, with both kinds of addresses and without a time to wait: recorded by
/// azure-cli's `test_event_subscription_with_storagequeuemessage_ttl.yaml`.
pub(super) fn event_deletion(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    subscription: &str,
    ready_ms: u64,
) -> Served {
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.EventGrid/locations/sandbox");
    let status = begun(state, call, &format!("{path}/operationsStatus"), ready_ms, Following::Status)?;
    let result = begun(state, call, &format!("{path}/operationResults"), ready_ms, Following::Nothing)?;
    Ok(with(empty(202), &[("azure-asyncoperation", &status), ("location", &result)]))
}

/// The 202 of something that is being deleted.
pub(super) fn deletion(state: &mut Transaction<'_>, call: &Call<'_>, subscription: &str, ready_ms: u64) -> Served {
    let path = format!("/subscriptions/{subscription}/operationresults");
    let location = begun(state, call, &path, ready_ms, Following::Nothing)?;
    Ok(accepted(&location))
}

/// An answer whose resource is not ready yet, with the address of its status.
pub(super) fn following(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    subscription: &str,
    ready_ms: u64,
    response: Response<Bytes>,
    end: End,
) -> Served {
    let following = match end {
        End::Succeeds => Following::Status,
        End::Fails(code, message) => Following::Failing(code.to_owned(), message),
    };
    let path =
        format!("/subscriptions/{subscription}/providers/Microsoft.EventGrid/locations/sandbox/operationsStatus");
    let address = begun(state, call, &path, ready_ms, following)?;
    Ok(with(response, &[("azure-asyncoperation", &address)]))
}

/// How an operation is.
pub(super) fn get(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let id = target.name(0);
    let Some(operation) = state.get::<Operation>(&key(id))? else {
        return Err(Refusal::not_found("OperationNotFound", format!("The operation '{id}' was not found.")));
    };
    let done = call.now_ms >= operation.ready_ms;
    let status = |status: &str| json!({"id": target.id, "name": id, "status": status, "startTime": timestamp(operation.started_ms)});
    match operation.following {
        Following::Status | Following::Failing(..) if !done => Ok(json(200, &status("InProgress"))),
        Following::Status => Ok(json(200, &status("Succeeded"))),
        Following::Failing(code, message) => {
            let mut body = status("Failed");
            body["error"] = json!({"code": code, "message": message});
            Ok(json(200, &body))
        }
        Following::Account(_) if !done => Ok(accepted(&signed(state, call, &call.url(&target.id))?)),
        Following::Nothing if !done => Ok(accepted(&call.url(&target.id))),
        Following::Nothing => Ok(empty(200)),
        Following::Account(name) => accounts::finished(state, call, &name),
    }
}

fn begun(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    path: &str,
    ready_ms: u64,
    following: Following,
) -> Result<String, Refusal> {
    let id = guid::next(state)?;
    state.put(&key(&id), &Operation { started_ms: call.now_ms, ready_ms, following })?;
    Ok(call.url(&format!("{path}/{id}")))
}

fn accepted(location: &str) -> Response<Bytes> {
    with(empty(202), &[("location", location), ("retry-after", RETRY_AFTER)])
}

fn key(id: &str) -> String {
    format!("azure/operation/{}", id.to_ascii_lowercase())
}

//! What comes back of a request, as a document or as an error.

use std::time::Duration;

use azure_core::http::headers::HeaderName;
use azure_core::http::{RawResponse, Url};
use provision_core::{Error, ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{CallContext, ServiceError, from_answer, from_transport};

/// One answer of Resource Manager.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceResponse {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) location: Option<String>,
    pub(super) async_operation: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
}

impl ServiceResponse {
    /// Whether a write that is done, or under way without being merely accepted, is answered with what was written.
    pub(super) fn shows_resource(&self) -> bool {
        self.status == 202 || self.body.get("id").is_some_and(Value::is_string)
    }
}

const LOCATION: HeaderName = HeaderName::from_static("location");
const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

pub(super) fn read(response: &RawResponse) -> ServiceResponse {
    let headers = response.headers();
    let text = |name: &HeaderName| headers.get_optional_str(name).map(str::to_owned);
    ServiceResponse {
        status: response.status().into(),
        body: serde_json::from_slice(response.body()).unwrap_or_default(),
        location: text(&LOCATION),
        async_operation: text(&ASYNC_OPERATION),
        retry_after: text(&RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        request_id: text(&REQUEST_ID),
    }
}

/// One item of a list, or what about it cannot be read.
pub(super) fn read_item<T: DeserializeOwned>(item: Map<String, Value>) -> Result<T, String> {
    let item = Value::Object(item);
    serde_json::from_value(item.clone()).map_err(|error| match odd_member::<T>(&item) {
        Some(member) => format!("`{member}` of `{}`: {error}", named(&item)),
        None => format!("`{}`: {error}", named(&item)),
    })
}

/// The member without which an item can be read, or one of its own members.
fn odd_member<T: DeserializeOwned>(item: &Value) -> Option<String> {
    let paths = item.as_object()?.iter().flat_map(|(name, value)| {
        let inner = value.as_object().into_iter().flatten().map(move |(inner, _)| format!("/{name}/{inner}"));
        inner.chain(std::iter::once(format!("/{name}")))
    });
    let is_odd = |path: &String| {
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        let mut rest = item.clone();
        let members = rest.pointer_mut(parent).and_then(Value::as_object_mut);
        members.is_some_and(|members| members.remove(name).is_some()) && T::deserialize(rest).is_ok()
    };
    paths.into_iter().find(is_odd).map(|path| path.trim_start_matches('/').replace('/', "."))
}

fn named(item: &Value) -> &str {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    text("name").or_else(|| text("id")).unwrap_or("?")
}

/// A body that is there and no JSON: something between here and Azure may have answered.
pub(super) fn is_unreadable(response: &RawResponse) -> bool {
    let body: &[u8] = response.body();
    !body.is_empty() && serde_json::from_slice::<Value>(body).is_err()
}

pub(super) fn service_error(answer: &ServiceResponse, response: &RawResponse) -> ServiceError {
    let code = response.headers().get_optional_str(&ERROR_CODE).map(str::to_owned);
    let (retry_after, request_id) = (answer.retry_after, answer.request_id.clone());
    let mut refused = ServiceError { status: answer.status, code, request_id, retry_after, ..ServiceError::default() };
    refused.read(response.body());
    refused
}

/// The error that a status document of an operation carries.
pub(super) fn operation_error(answer: &ServiceResponse) -> ServiceError {
    let error = answer.body.get("error").cloned().unwrap_or_default();
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    ServiceError {
        status: 0,
        code: text("code"),
        message: text("message").or_else(|| Some("the service could not carry it out".to_owned())),
        request_id: answer.request_id.clone(),
        retry_after: None,
    }
}

/// The operation of a request to the Blob service, as its permission is spelled.
pub(super) fn blob_operation(verb: &str) -> String {
    format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}")
}

pub(super) fn from_blobs(verb: &str, text: &str, error: &azure_core::Error) -> Error {
    let operation = blob_operation(verb);
    let call = CallContext { operation: &operation, text };
    let azure_core::error::ErrorKind::HttpResponse { status, error_code, raw_response } = error.kind() else {
        return from_transport(call, error);
    };
    let mut refused = ServiceError { status: (*status).into(), code: error_code.clone(), ..ServiceError::default() };
    if let Some(response) = raw_response {
        let text = |name: &HeaderName| response.headers().get_optional_str(name);
        refused.request_id = text(&REQUEST_ID).map(str::to_owned);
        refused.retry_after = text(&RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        refused.read(response.body());
    }
    from_answer(call, &refused)
}

/// The address of an operation or of a next page, which comes from an answer: the token is sent nowhere but to the
/// configured host.
pub(super) fn trusted(endpoint: &Url, link: &str) -> Result<Url, Error> {
    let url = Url::parse(link).ok().filter(|url| url.origin() == endpoint.origin());
    url.ok_or_else(|| {
        let place = Url::parse(link).map_or_else(|_| link.to_owned(), |url| url.origin().ascii_serialization());
        let tried = format!("the answer points to {place}, not to {}", endpoint.origin().ascii_serialization());
        Error::new(ErrorKind::Unexpected, tried).with_hint("no token was sent there")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::models::{EventSubscription, Lock, Named, RoleAssignment, StorageAccount};

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// Why an item is not read; nothing where it is.
    fn why<T: DeserializeOwned>(item: Value) -> String {
        let Value::Object(item) = item else { panic!("{item} is no item") };
        read_item::<T>(item).err().unwrap_or_default()
    }

    #[test]
    fn member_that_keeps_a_list_from_being_read_is_named() {
        let why_not = why::<RoleAssignment>(json!({"name": "a", "properties": {"principalId": 7, "scope": "/s"}}));
        assert!(why_not.starts_with("`properties.principalId` of `a`: ") && why_not.contains('7'), "{why_not}");
        let labels = json!({"name": "theirs", "properties": {"labels": [1], "topic": "t"}});
        assert!(why::<EventSubscription>(labels).starts_with("`properties.labels` of `theirs`: "));
        assert!(why::<StorageAccount>(json!({"id": "/a", "tags": []})).starts_with("`tags` of `/a`: "));
        assert!(why::<Lock>(json!({"id": null})).starts_with("`id` of `?`: "));
        for whole in [json!({"name": "a"}), json!({"name": "a", "id": "/a", "properties": {}})] {
            assert_eq!((why::<Named>(whole.clone()), why::<RoleAssignment>(whole)), (String::new(), String::new()));
        }
    }

    #[test]
    fn token_goes_to_the_configured_host_only() {
        let endpoint = url("https://management.azure.com/");
        assert!(trusted(&endpoint, "https://management.azure.com/subscriptions/s/operationResults/1").is_ok());
        for other in [
            "https://evil.example/subscriptions/s",
            "https://management.azure.com.evil.example/",
            "http://management.azure.com/",
            "https://management.azure.com:8443/",
            "/relative",
        ] {
            trusted(&endpoint, other).unwrap_err();
        }
    }
}

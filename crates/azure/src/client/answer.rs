//! What comes back of a request, as a document or as an error.

use std::time::Duration;

use azure_core::http::headers::HeaderName;
use azure_core::http::{RawResponse, Url};
use provision_core::{Error, ErrorKind};
use serde_json::Value;

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
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
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

//! How Google Cloud names its requests and phrases its errors.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

use super::details::Special;
use super::refusal::{Refusal, code_of, number};
use super::{grpc, routes};
use crate::emulator::Wire;

/// The forms of Google Cloud.
///
/// | operations | protocol |
/// |---|---|
/// | `storage.json:buckets.insert`, `storage.json:notificationConfigs.insert` | Cloud Storage's JSON API |
/// | `storage.xml:PutObject`, `storage.xml:PreflightRequest` | Cloud Storage's XML API |
/// | `pubsub:CreateTopic`, `iam:SetIamPolicy`, `resourcemanager:GetProject` | REST |
/// | `google.pubsub.v1.Subscriber:Pull` | gRPC |
///
/// The code of an error is a canonical one (`ABORTED`), in the JSON API a reason (`conditionNotMet`), in the XML API a
/// code of its own (`AccessDenied`). Two more are known, whose errors have details: `SERVICE_DISABLED` and the name of a
/// constraint of the organization (`constraints/gcp.resourceLocations`).
#[derive(Clone, Copy, Debug)]
pub struct GoogleWire;

impl Wire for GoogleWire {
    fn operation(&self, request: &Request<Bytes>) -> String {
        routes::route(request).operation
    }

    fn reads(&self, operation: &str) -> bool {
        let name = operation.split_once(':').map_or(operation, |(_, name)| name);
        let method = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
        ["get", "list", "search", "test", "head", "preflight", "sign", "generate"]
            .iter()
            .any(|verb| method.starts_with(verb))
    }

    fn error(&self, operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
        if let Some(special) = Special::of(operation, code) {
            return detailed(operation, status, special, message);
        }
        match Protocol::of(operation) {
            Protocol::Grpc => grpc::refused(if number(code).is_some() { code } else { code_of(status) }, message),
            Protocol::StorageJson => storage_json(status, code, message),
            Protocol::StorageXml => storage_xml(status, code, message),
            Protocol::Rest => {
                rest(operation, status, if number(code).is_some() { code } else { code_of(status) }, message)
            }
        }
    }

    fn throttled(&self, operation: &str) -> Response<Bytes> {
        let (code, message) = match Protocol::of(operation) {
            // <https://cloud.google.com/storage/docs/json_api/v1/status-codes#429_Too_Many_Requests>
            Protocol::StorageJson => ("rateLimitExceeded", "The project exceeded the rate limit."),
            Protocol::StorageXml => ("SlowDown", "Please reduce your request rate."),
            Protocol::Grpc => ("RESOURCE_EXHAUSTED", "The project exceeded the rate limit."),
            Protocol::Rest => ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric of this service."),
        };
        self.error(operation, 429, code, message)
    }

    fn conflict(&self, operation: &str) -> Response<Bytes> {
        let (status, code) = match Protocol::of(operation) {
            Protocol::StorageJson => (412, "conditionNotMet"),
            Protocol::StorageXml => (412, "PreconditionFailed"),
            // <https://cloud.google.com/iam/docs/policies#etag>
            Protocol::Grpc | Protocol::Rest => (409, "ABORTED"),
        };
        self.error(operation, status, code, "There were concurrent changes. Please retry the whole read-modify-write.")
    }
}

/// A refusal in the form of an operation's protocol.
pub(super) fn refused(operation: &str, refusal: &Refusal) -> Response<Bytes> {
    let forms = refusal.kind.forms();
    let (status, code) = match Protocol::of(operation) {
        Protocol::Grpc | Protocol::Rest => (forms.status, forms.code),
        Protocol::StorageJson => forms.storage,
        Protocol::StorageXml => (forms.storage.0, forms.xml),
    };
    GoogleWire.error(operation, status, code, &refusal.message)
}

/// An error whose details say more than its code.
fn detailed(operation: &str, status: u16, special: Special<'_>, message: &str) -> Response<Bytes> {
    let errors = json!([{ "message": message, "domain": "global", "reason": special.reason() }]);
    match Protocol::of(operation) {
        Protocol::Grpc => grpc::refused(special.code(), message),
        Protocol::StorageXml => storage_xml(status, "AccessDenied", message),
        Protocol::StorageJson => json_answer(
            status,
            &json!({ "error": { "code": status, "message": message, "errors": errors, "details": special.json() } }),
        ),
        Protocol::Rest => json_answer(
            status,
            &json!({ "error": { "code": status, "message": message, "status": special.code(), "details": special.json() } }),
        ),
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Grpc,
    StorageJson,
    StorageXml,
    Rest,
}

impl Protocol {
    fn of(operation: &str) -> Self {
        match operation.split(':').next().unwrap_or_default() {
            "storage.json" => Self::StorageJson,
            "storage.xml" => Self::StorageXml,
            "pubsub" | "iam" | "resourcemanager" | "oauth2" => Self::Rest,
            _ => Self::Grpc,
        }
    }
}

/// <https://cloud.google.com/storage/docs/json_api/v1/status-codes>
fn storage_json(status: u16, reason: &str, message: &str) -> Response<Bytes> {
    let errors = json!([{ "message": message, "domain": "global", "reason": reason }]);
    json_answer(status, &json!({ "error": { "code": status, "message": message, "errors": errors } }))
}

/// <https://cloud.google.com/storage/docs/xml-api/reference-status>
fn storage_xml(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let details = quick_xml::escape::escape(message);
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{details}</Message>\
         <Details>{details}</Details></Error>"
    );
    let response = Response::builder().status(status).header("content-type", "application/xml; charset=UTF-8");
    response.body(Bytes::from(body)).unwrap_or_default()
}

/// <https://cloud.google.com/apis/design/errors#http_mapping>. IAM has the older form beside it, and says in the details which
/// permission is what it misses.
fn rest(operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
    let mut error = json!({ "code": status, "message": message, "status": code });
    if operation.starts_with("iam:") {
        error["errors"] = json!([{ "message": message, "domain": "global", "reason": reason_of(status) }]);
    }
    if let Some(permission) = denied_permission(message).filter(|_| code == "PERMISSION_DENIED") {
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com",
            "metadata": { "permission": permission },
        }]);
    }
    json_answer(status, &json!({ "error": error }))
}

const fn reason_of(status: u16) -> &'static str {
    match status {
        403 => "forbidden",
        404 => "notFound",
        409 => "conflict",
        500.. => "backendError",
        _ => "badRequest",
    }
}

/// The permission of `Permission 'iam.serviceAccounts.get' denied on resource ...`.
fn denied_permission(message: &str) -> Option<&str> {
    message.strip_prefix("Permission '")?.split_once("' denied").map(|(permission, _)| permission)
}

/// An answer in JSON.
pub(super) fn json_answer(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json; charset=UTF-8");
    response.body(Bytes::from(body.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::refusal::Kind;

    #[test]
    fn reading_operations_are_told_from_writing_ones() {
        let reads = [
            "storage.json:buckets.list",
            "storage.json:buckets.getIamPolicy",
            "storage.json:buckets.testIamPermissions",
            "storage.json:projects.serviceAccount.get",
            "storage.xml:PreflightRequest",
            "pubsub:ListTopics",
            "iam:SignBlob",
            "iam:GenerateAccessToken",
        ];
        let writes = [
            "storage.json:buckets.setIamPolicy",
            "storage.json:buckets.patch",
            "storage.json:notificationConfigs.insert",
            "storage.xml:PutObject",
            "pubsub:Pull",
            "storage.json:POST /storage/v1/x",
        ];
        reads.iter().for_each(|operation| assert!(GoogleWire.reads(operation), "{operation}"));
        writes.iter().for_each(|operation| assert!(!GoogleWire.reads(operation), "{operation}"));
    }

    #[test]
    fn one_refusal_has_the_form_of_each_protocol() {
        let refusal = Refusal::new(Kind::Stale, "100% stale\u{fc}");
        let grpc = refused("google.pubsub.v1.Subscriber:Pull", &refusal);
        assert_eq!((grpc.status().as_u16(), &grpc.headers()["grpc-status"]), (200, &http::HeaderValue::from(9)));
        assert_eq!(grpc.headers()["grpc-message"], "100%25 stale%C3%BC");
        let json = refused("storage.json:buckets.patch", &refusal);
        assert_eq!(json.status(), 412);
        let body: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
        assert_eq!(body["error"]["errors"][0]["reason"], "conditionNotMet");
        let rest = refused("pubsub:SetIamPolicy", &Refusal::new(Kind::StalePolicy, "stale"));
        let body: serde_json::Value = serde_json::from_slice(rest.body()).unwrap();
        assert_eq!((body["error"]["code"].as_u64(), body["error"]["status"].as_str()), (Some(409), Some("ABORTED")));
    }

    #[test]
    fn injected_error_names_its_code_by_status_where_it_is_no_code_of_the_protocol() {
        let pull = "google.pubsub.v1.Subscriber:Pull";
        let grpc = GoogleWire.error(pull, 503, "backendError", "");
        assert_eq!(grpc.headers()["grpc-status"], "14");
        assert_eq!(GoogleWire.throttled(pull).headers()["grpc-status"], "8");
        assert_eq!(GoogleWire.throttled("pubsub:GetTopic").status(), 429);
        assert_eq!(GoogleWire.throttled("storage.json:buckets.get").status(), 429);
    }
}

//! The error of one answer: what the service said, with advice by the reason that it gives.

use std::time::Duration;

use http::HeaderMap;
use provision_core::error::root_cause;
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use super::{
    Call, LOGIN, ServiceError, USER_PROJECT_DENIED, classify, is_about_billing, is_about_use, is_of_the_project,
    is_org_policy, unauthenticated,
};

/// An answer without the service's own error: something in between gave it. That a thing is not there only the service can say.
fn nobodys(call: &Call, status: u16) -> Error {
    match status {
        404 => call.unreadable(&"404, without the service's own words"),
        status => from_answer(call, &ServiceError { status: Some(status), ..ServiceError::default() }),
    }
}

/// The error of one call, from what the service said
/// (<https://cloud.google.com/apis/design/errors#http_mapping>, <https://cloud.google.com/storage/docs/json_api/v1/status-codes>).
pub(crate) fn from_json(call: &Call, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    if !error.is_object() {
        return nobodys(call, status);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = &error["errors"][0];
    let details = error["details"].as_array().into_iter().flatten();
    let info = details.clone().find(|detail| detail["reason"].is_string()).unwrap_or(&Value::Null);
    let delay = details.clone().find_map(|detail| detail["retryDelay"].as_str()).and_then(whole_seconds);
    let violations = details.clone().filter_map(|detail| detail["violations"].as_array()).flatten();
    // Cloud Storage gives a reason, the others a status.
    let code = [&error["status"], &first["reason"]].into_iter().find_map(Value::as_str).unwrap_or_default();
    let answer = ServiceError {
        status: Some(status),
        code: code.to_owned(),
        message: text(&error["message"]),
        reason: text(info.get("reason").unwrap_or(&first["reason"])),
        constraint: violations.filter_map(|violation| violation["type"].as_str()).find_map(constraint_in),
        service: info["metadata"]["service"].as_str().map(str::to_owned),
        retry_after: delay.or_else(|| retry_after(headers)),
        request_id: headers.get("x-guploader-uploadid").and_then(|id| id.to_str().ok()).map(str::to_owned),
    };
    from_answer(call, &answer)
}

/// No token, for a reason that is inside the SDK's text: the answer of the token's endpoint
/// (<https://datatracker.ietf.org/doc/html/rfc6749#section-5.2>).
pub(crate) fn no_token(tried: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let Some(answer) = chain.map(ToString::to_string).find_map(|text| body_in(&text)) else {
        return unauthenticated(tried, &root_cause(error));
    };
    let said: Vec<_> = ["error", "error_description"].iter().filter_map(|key| answer[*key].as_str()).collect();
    let refused = unauthenticated(tried, &said.join(": "));
    match answer["error"].as_str() {
        Some("invalid_grant") => refused.with_hint(format!("they have expired or were revoked: {LOGIN}")),
        _ => refused,
    }
}

fn body_in(text: &str) -> Option<Value> {
    let (body, _) = text.split_once("body=<")?.1.rsplit_once('>')?;
    serde_json::from_str(body).ok()
}

/// Of `RetryInfo.retry_delay`, `3.5s` (<https://cloud.google.com/apis/design/errors#error_payloads>).
fn whole_seconds(delay: &str) -> Option<Duration> {
    let (whole, _) = delay.split_once(['.', 's'])?;
    whole.parse().ok().map(Duration::from_secs)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn from_answer(call: &Call, answer: &ServiceError) -> Error {
    let (kind, class) = classify(answer);
    let class = class.after(answer.retry_after);
    // "Permission denied" is the code here too; the reason says more.
    let code = if is_of_the_project(&answer.reason) { &answer.reason } else { &answer.code };
    let code = Some(code.as_str()).filter(|code| !code.is_empty());
    let error = Error::new(kind, &call.tried).with_operation(call.operation).with_retry(class);
    let mut error = error.with_response(answer.status, code, answer.request_id.as_deref());
    if !answer.message.is_empty() {
        error = error.with_message(&answer.message);
    }
    match advice(kind, call, answer) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn advice(kind: ErrorKind, call: &Call, answer: &ServiceError) -> Option<String> {
    if is_of_the_project(&answer.reason) && answer.message.contains("quota project") {
        return Some(format!("say which project the calls are counted to: {QUOTA_PROJECT}"));
    }
    if answer.reason == USER_PROJECT_DENIED || is_about_use(&answer.message) {
        return Some(format!(
            "grant `roles/serviceusage.serviceUsageConsumer` on the project that the calls are counted to, or choose \
             another: {QUOTA_PROJECT}"
        ));
    }
    if is_of_the_project(&answer.reason) {
        let service = answer.service.clone().unwrap_or_else(|| service_of(call.operation).to_owned());
        return Some(format!(
            "switch the API on with `gcloud services enable {service}`; a few minutes later, run the same command again"
        ));
    }
    if answer.message.contains("vpcServiceControls") {
        return Some(OUTSIDE.to_owned());
    }
    if is_org_policy(&answer.message) {
        return Some(forbidden(call.operation, answer));
    }
    if is_about_billing(&answer.message) {
        return Some(BILLING.to_owned());
    }
    if answer.message.contains("requester pays") {
        return Some(format!("whoever asks pays for this bucket: {QUOTA_PROJECT}"));
    }
    match kind {
        ErrorKind::PermissionDenied => {
            let named = denied_permission(&answer.message).map(|permission| format!("`{permission}`"));
            let permissions = named.unwrap_or_else(|| call.permissions());
            Some(format!("grant {permissions} to the identity in use, then run the same command again"))
        }
        ErrorKind::Unauthenticated => Some(LOGIN.to_owned()),
        _ => None,
    }
}

/// The permission that the service itself names: "Permission 'storage.buckets.get' denied", "does not have storage.buckets.get
/// access".
fn denied_permission(message: &str) -> Option<&str> {
    let quoted = message.split_once("ermission '").and_then(|(_, rest)| rest.split_once("' denied"));
    let named =
        quoted.or_else(|| message.split_once("does not have ").and_then(|(_, rest)| rest.split_once(" access")));
    let is_one = |name: &&str| name.split('.').count() == 3 && !name.contains(char::is_whitespace);
    named.map(|(permission, _)| permission).filter(is_one)
}

/// What to do about a perimeter (<https://cloud.google.com/vpc-service-controls/docs/troubleshooting>).
const OUTSIDE: &str = "a perimeter of VPC Service Controls keeps this out: run it from inside, or have its administrators let this \
                       identity in; the identifier above finds the refusal in their audit log";

/// What to do about a project that nobody pays for (<https://cloud.google.com/billing/docs/how-to/modify-project>).
const BILLING: &str = "the project has no billing account that is open: link one with `gcloud billing projects link PROJECT \
                       --billing-account=ACCOUNT`, then run the same command again";

/// What to do about a constraint of the organization
/// (<https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>).
fn forbidden(operation: &str, answer: &ServiceError) -> String {
    let named = answer.constraint.clone().or_else(|| constraint_in(&answer.message));
    let members = answer.message.contains("permitted customer").then(|| MEMBERS.to_owned());
    let Some(constraint) = named.or(members) else {
        return "a policy of the organization forbids this: ask its administrators, or choose settings that it allows"
            .to_owned();
    };
    let choose = match constraint.as_str() {
        MEMBERS | "iam.managed.allowedPolicyMembers" => "ask the organization's administrators to let this member in",
        "gcp.resourceLocations" if operation.starts_with("storage.") => {
            "choose a `location` under [gcp.bucket] that it allows"
        }
        _ => "choose settings that it allows, or ask the organization's administrators",
    };
    format!(
        "the organization's policy `constraints/{constraint}` forbids this: {choose}; `gcloud org-policies describe \
         {constraint} --effective --project=PROJECT` shows what it allows"
    )
}

/// "Domain restricted sharing" <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>.
const MEMBERS: &str = "iam.allowedPolicyMemberDomains";

/// The name of a constraint, wherever it stands in a text.
fn constraint_in(text: &str) -> Option<String> {
    let (_, named) = text.split_once("constraints/")?;
    let end = named.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').unwrap_or(named.len());
    Some(named[..end].trim_end_matches('.').to_owned()).filter(|name| !name.is_empty())
}

/// The API of an operation, as `gcloud services` names it.
fn service_of(operation: &str) -> &'static str {
    match operation.split('.').next() {
        Some("pubsub") => "pubsub.googleapis.com",
        Some("iam") => "iam.googleapis.com",
        Some("resourcemanager") => "cloudresourcemanager.googleapis.com",
        _ => "storage.googleapis.com",
    }
}

/// How a project for the calls of a person's credentials is chosen
/// (<https://cloud.google.com/docs/authentication/troubleshoot-adc#user-creds-client-based>).
const QUOTA_PROJECT: &str =
    "run `gcloud auth application-default set-quota-project PROJECT`, then run the same command again";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::lacks_permission;
    use provision_core::RetryClass;

    fn call(operation: &'static str, tried: &str) -> Call {
        Call::new("GET", operation, "/", tried.to_owned())
    }

    /// The details of a refusal of domain restricted sharing, whose message does not name it
    /// (<https://github.com/terraform-google-modules/terraform-example-foundation/issues/1454>).
    #[test]
    fn constraints_are_named_with_the_command_that_shows_them() {
        let body = br#"{"error": {"code": 400, "status": "FAILED_PRECONDITION",
            "message": "One or more users named in the policy do not belong to a permitted customer.",
            "details": [{"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [{
                "type": "constraints/iam.allowedPolicyMemberDomains", "subject": "orgpolicy:projects/p",
                "description": "User a@b.c is not in permitted organization."}]}]}}"#;
        let error = from_json(&call("pubsub.topics.setIamPolicy", "write"), 400, &HeaderMap::new(), body);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::PermissionDenied, &RetryClass::Final));
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("describe iam.allowedPolicyMemberDomains") && hint.contains("let this member in"),
            "{hint}"
        );
        let text = "'us' violates constraint 'constraints/gcp.resourceLocations'";
        assert_eq!(constraint_in(text).as_deref(), Some("gcp.resourceLocations"));
        assert_eq!(
            constraint_in("constraints/iam.managed.allowedPolicyMembers.").as_deref(),
            Some("iam.managed.allowedPolicyMembers")
        );
        assert_eq!(constraint_in("The specified location constraint is not valid."), None);
    }

    /// The body of <https://cloud.google.com/storage/docs/json_api/v1/status-codes#409-conflict>.
    #[test]
    fn json_answers_keep_code_message_and_id() {
        let body = br#"{"error": {"code": 409, "message": "You already own this bucket. Please select another name.",
            "errors": [{"domain": "global", "reason": "conflict"}]}}"#;
        let mut headers = HeaderMap::new();
        headers.insert("x-guploader-uploadid", "AB12".parse().unwrap());
        let error = from_json(&call("storage.buckets.create", "create bucket `a`"), 409, &headers, body);
        let call = "storage.buckets.create: 409 conflict, request id AB12, 1 attempt";
        assert_eq!(error.call().as_deref(), Some(call));
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_delay_that_the_details_name_is_kept() {
        let body = br#"{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}]}}"#;
        let error = from_json(&call("pubsub.topics.create", "create"), 429, &HeaderMap::new(), body);
        assert_eq!(*error.retry(), RetryClass::Throttled(Some(Duration::from_secs(7))));
    }

    #[test]
    fn denied_call_names_its_permissions() {
        let body = br#"{"error": {"code": 403, "status": "PERMISSION_DENIED"}}"#;
        let hint = |call: Call| from_json(&call, 403, &HeaderMap::new(), body).hint().unwrap().to_owned();
        assert!(hint(call("pubsub.topics.get", "look")).starts_with("grant `pubsub.topics.get` to"));
        let two = "grant `pubsub.subscriptions.create` and `pubsub.topics.attachSubscription` to";
        assert!(hint(call("pubsub.subscriptions.create", "create")).starts_with(two));
    }

    #[test]
    fn advice_follows_what_the_service_says() {
        let advice = |status: u16, message: &str| {
            let code = if status == 403 { "PERMISSION_DENIED" } else { "INVALID_ARGUMENT" };
            let body = serde_json::json!({"error": {"code": status, "status": code, "message": message}}).to_string();
            let error =
                from_json(&call("storage.buckets.create", "create"), status, &HeaderMap::new(), body.as_bytes());
            error.hint().unwrap_or_default().to_owned()
        };
        for (status, message, says) in [
            (
                403,
                "a@b does not have storage.buckets.getIamPolicy access to the bucket.",
                "grant `storage.buckets.getIamPolicy`",
            ),
            (
                403,
                "Permission 'pubsub.topics.get' denied on resource (or it may not exist).",
                "grant `pubsub.topics.get`",
            ),
            (403, "The caller does not have permission", "grant `storage.buckets.create`"),
            (
                403,
                "The billing account for the owning project is disabled in state absent",
                "gcloud billing projects link",
            ),
            (403, "a@b does not have serviceusage.services.use access to the project.", "serviceUsageConsumer"),
            (
                403,
                "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x",
                "a perimeter",
            ),
            (400, "Bucket is a requester pays bucket but no user project provided.", "set-quota-project"),
        ] {
            assert!(advice(status, message).contains(says), "{message}: {}", advice(status, message));
        }
    }

    /// What is not there only the service can say: a proxy that answers 404 knows nothing.
    #[test]
    fn an_answer_without_the_services_words_is_not_the_services() {
        let kind = |body: &[u8]| from_json(&call("pubsub.topics.get", "look"), 404, &HeaderMap::new(), body).kind();
        assert_eq!(kind(br#"{"error": {"code": 404, "status": "NOT_FOUND"}}"#), ErrorKind::NotFound);
        assert_eq!(
            (kind(b"<html>"), kind(b""), kind(b"{}")),
            (ErrorKind::Unavailable, ErrorKind::Unavailable, ErrorKind::Unavailable)
        );
    }

    /// <https://cloud.google.com/service-usage/docs/reference/rest/v1/ErrorReason>
    #[test]
    fn disabled_apis_are_named_with_the_command_to_enable_them() {
        let body = br#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Cloud Resource Manager API has not been used",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
                "metadata": {"service": "cloudresourcemanager.googleapis.com"}}]}}"#;
        let error =
            from_json(&call("resourcemanager.projects.get", "look up project `p`"), 403, &HeaderMap::new(), body);
        assert!(!lacks_permission(&error));
        assert!(error.hint().unwrap().contains("gcloud services enable cloudresourcemanager.googleapis.com"));
        let body = br#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Cloud Storage API has not been used",
            "errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}]}}"#;
        let error = from_json(&call("storage.notificationConfigs.list", "read"), 403, &HeaderMap::new(), body);
        assert!(error.hint().unwrap().contains("gcloud services enable storage.googleapis.com"));
    }

    /// The text of <https://cloud.google.com/docs/authentication/troubleshoot-adc#user-creds-client-based>, whose reason is
    /// that of an API switched off in the project of gcloud itself.
    #[test]
    fn a_persons_credentials_without_a_project_are_told_how_to_name_one() {
        let advice = |reason: &str, message: &str| {
            let details = serde_json::json!([{"reason": reason, "metadata": {"service": "pubsub.googleapis.com"}}]);
            let error = serde_json::json!({"status": "PERMISSION_DENIED", "message": message, "details": details});
            let body = serde_json::json!({ "error": error }).to_string();
            let error = from_json(&call("pubsub.topics.get", "look"), 403, &HeaderMap::new(), body.as_bytes());
            assert!(!lacks_permission(&error));
            error.hint().unwrap().to_owned()
        };
        let unnamed = "Your application is authenticating by using local Application Default Credentials. The \
                       pubsub.googleapis.com API requires a quota project, which is not set by default.";
        let advised = advice("SERVICE_DISABLED", unnamed);
        assert!(advised.contains("set-quota-project") && !advised.contains("services enable"), "{advised}");
        let denied = "Caller does not have required permission to use project acme-ml.";
        assert!(advice(USER_PROJECT_DENIED, denied).contains("roles/serviceusage.serviceUsageConsumer"));
    }
}

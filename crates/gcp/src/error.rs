//! Google's error codes, in one table, as the kinds and retry classes that the core knows.
//!
//! Three spellings meet here: gRPC and REST answers of the SDK carry a `google.rpc.Code`, the JSON API of Cloud Storage
//! has reasons of its own.

use std::fmt::Display;
use std::time::Duration;

use google_cloud_gax::error::rpc::{Code, StatusDetails};
use http::HeaderMap;
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

/// What a service answered, whichever way it came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) code: String,
    pub(crate) message: String,
    /// `ErrorInfo.reason` (<https://cloud.google.com/apis/design/errors#error_info>), or that of the JSON API's own.
    pub(crate) reason: String,
    /// The constraint of the organization that refuses it, where the details name one.
    pub(crate) constraint: Option<String>,
    /// The API that is switched off, where that is the reason.
    pub(crate) service: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<String>,
}

/// The error of one call of the SDK. `tried` reads after "cannot".
pub(crate) fn from_sdk(operation: &str, tried: &str, error: &google_cloud_gax::error::Error) -> Error {
    if error.is_authentication() || source_is_authentication(error) {
        return unauthenticated(tried, &innermost(error)).operation(operation);
    }
    if let Some(status) = error.status() {
        let details = status.details.iter();
        let info = details.clone().find_map(|detail| match detail {
            StatusDetails::ErrorInfo(info) => Some(info),
            _ => None,
        });
        let violations = details.clone().filter_map(|detail| match detail {
            StatusDetails::PreconditionFailure(failure) => Some(&failure.violations),
            _ => None,
        });
        let constraint = violations.flatten().find_map(|violation| constraint_in(&violation.r#type));
        let delay = details.clone().find_map(|detail| match detail {
            StatusDetails::RetryInfo(info) => info.retry_delay.as_ref(),
            _ => None,
        });
        let delay = delay.and_then(|delay| u64::try_from(delay.seconds()).ok()).map(Duration::from_secs);
        let answer = Answer {
            status: error.http_status_code().or_else(|| http_status(status.code)),
            code: status.code.name().to_owned(),
            message: status.message.clone(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            constraint,
            service: info.and_then(|info| info.metadata.get("service").cloned()),
            retry_after: delay.or_else(|| error.http_headers().and_then(retry_after)),
            request_id: None,
        };
        return from_answer(operation, tried, &answer);
    }
    if let Some(status) = error.http_status_code() {
        let answer = Answer { status: Some(status), ..Answer::default() };
        return from_answer(operation, tried, &answer);
    }
    if error.is_deserialization() {
        return unreadable(operation, tried, &innermost(error));
    }
    if error.is_binding() || error.is_serialization() {
        let unbuilt = Error::new(ErrorKind::Unexpected, format!("cannot {tried}: the request could not be built"));
        return unbuilt.operation(operation).message(innermost(error));
    }
    let reason = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
    unavailable(operation, tried, &reason)
}

/// A token that could not be had may hide inside another error.
fn source_is_authentication(error: &google_cloud_gax::error::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.downcast_ref::<google_cloud_gax::error::Error>().is_some_and(|inner| inner.is_authentication()) {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The error of one call of the JSON API.
pub(crate) fn from_json(operation: &str, tried: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = &error["errors"][0];
    let details = error["details"].as_array().into_iter().flatten();
    let info = details.clone().find(|detail| detail["reason"].is_string()).unwrap_or(&Value::Null);
    let violations = details.clone().filter_map(|detail| detail["violations"].as_array()).flatten();
    // Cloud Storage gives a reason, Resource Manager a status.
    let code = [&error["status"], &first["reason"]].into_iter().find_map(Value::as_str).unwrap_or_default();
    let answer = Answer {
        status: Some(status),
        code: code.to_owned(),
        message: text(&error["message"]),
        reason: text(info.get("reason").unwrap_or(&first["reason"])),
        constraint: violations.filter_map(|violation| violation["type"].as_str()).find_map(constraint_in),
        service: info["metadata"]["service"].as_str().map(str::to_owned),
        retry_after: retry_after(headers),
        request_id: headers.get("x-guploader-uploadid").and_then(|id| id.to_str().ok()).map(str::to_owned),
    };
    from_answer(operation, tried, &answer)
}

/// Nothing came back.
pub(crate) fn unavailable(operation: &str, tried: &str, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).operation(operation).message(reason);
    error
        .retry(RetryClass::Transient)
        .hint("check the network, a proxy and the variables of emulators, then run the same command again")
}

/// An answer that says "done" and is not what the call gives. The call may have had its effect: the same as an answer that was
/// lost.
pub(crate) fn unreadable(operation: &str, tried: &str, reason: &dyn Display) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).operation(operation);
    let error = error.message(format!("the answer cannot be read: {reason}")).retry(RetryClass::Transient);
    error.hint(
        "a proxy or a sign-in page in between may have answered: check the network, then run the same command again",
    )
}

/// No token.
pub(crate) fn unauthenticated(tried: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, tried).message(reason).hint(LOGIN)
}

/// No token, for a reason that is inside the SDK's text: the answer of the token's endpoint
/// (<https://datatracker.ietf.org/doc/html/rfc6749#section-5.2>).
pub(crate) fn no_token(tried: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let Some(answer) = chain.map(ToString::to_string).find_map(|text| body_in(&text)) else {
        return unauthenticated(tried, &innermost(error));
    };
    let said: Vec<_> = ["error", "error_description"].iter().filter_map(|key| answer[*key].as_str()).collect();
    let refused = unauthenticated(tried, &said.join(": "));
    match answer["error"].as_str() {
        Some("invalid_grant") => refused.hint(format!("they have expired or were revoked: {LOGIN}")),
        _ => refused,
    }
}

fn body_in(text: &str) -> Option<Value> {
    let (body, _) = text.split_once("body=<")?.1.rsplit_once('>')?;
    serde_json::from_str(body).ok()
}

/// How credentials are had.
pub(crate) const LOGIN: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account \
                                or of workload identity federation";

/// The innermost reason of an error.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn from_answer(operation: &str, tried: &str, answer: &Answer) -> Error {
    let (kind, class) = classify(answer);
    let class = match (class, answer.retry_after) {
        (RetryClass::Throttled(_), Some(asked)) => RetryClass::Throttled(Some(asked)),
        (class, _) => class,
    };
    // "Permission denied" is the code here too; the reason says more.
    let code = if is_of_the_project(&answer.reason) { &answer.reason } else { &answer.code };
    let code = Some(code.as_str()).filter(|code| !code.is_empty());
    let error = Error::new(kind, tried).operation(operation).retry(class);
    let mut error = error.answer(answer.status, code, answer.request_id.as_deref());
    if !answer.message.is_empty() {
        error = error.message(&answer.message);
    }
    match advice(kind, operation, answer) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn advice(kind: ErrorKind, operation: &str, answer: &Answer) -> Option<String> {
    if is_of_the_project(&answer.reason) && answer.message.contains("quota project") {
        return Some(format!("say which project the calls are counted to: {QUOTA_PROJECT}"));
    }
    if answer.reason == USER_PROJECT_DENIED {
        return Some(format!(
            "grant `roles/serviceusage.serviceUsageConsumer` on the project that the calls are counted to, or choose \
             another: {QUOTA_PROJECT}"
        ));
    }
    if is_of_the_project(&answer.reason) {
        let service = answer.service.clone().unwrap_or_else(|| service_of(operation).to_owned());
        return Some(format!(
            "switch the API on with `gcloud services enable {service}`; a few minutes later, run the same command again"
        ));
    }
    if is_org_policy(&answer.message) {
        return Some(forbidden(operation, answer));
    }
    match kind {
        ErrorKind::PermissionDenied => {
            let permission = permission(operation);
            Some(format!("grant {permission} to the identity in use, then run the same command again"))
        }
        ErrorKind::Unauthenticated => Some(LOGIN.to_owned()),
        _ => None,
    }
}

/// What to do about a constraint of the organization
/// (<https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>).
fn forbidden(operation: &str, answer: &Answer) -> String {
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

/// Operations are named like the permission they need; these need another
/// (<https://cloud.google.com/storage/docs/access-control/iam-json>, <https://cloud.google.com/pubsub/docs/access-control>).
fn permission(operation: &str) -> String {
    let permission = match operation {
        "storage.projects.serviceAccount.get" => "resourcemanager.projects.get",
        "storage.notificationConfigs.list" => "storage.buckets.get",
        "storage.notificationConfigs.insert" | "storage.notificationConfigs.delete" => "storage.buckets.update",
        "resourcemanager.projects.search" => "resourcemanager.projects.get",
        "pubsub.topics.subscriptions.list" => "pubsub.topics.get",
        "pubsub.subscriptions.create" => {
            return "`pubsub.subscriptions.create` and `pubsub.topics.attachSubscription`".to_owned();
        }
        other => other,
    };
    format!("`{permission}`")
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

/// The caller may not have its calls counted to the project that its credentials name.
const USER_PROJECT_DENIED: &str = "USER_PROJECT_DENIED";

/// Refusals that are about the project in use, and not about rights on the thing itself: an API that was never switched on,
/// as REST and as the JSON API call it, and a project that calls may not be counted to
/// (<https://cloud.google.com/service-usage/docs/reference/rest/v1/ErrorReason>).
fn is_of_the_project(reason: &str) -> bool {
    ["SERVICE_DISABLED", "accessNotConfigured", USER_PROJECT_DENIED].contains(&reason)
}

/// Whether a permission is what the caller lacks, and not an API that is switched on or the organization's consent.
pub(crate) fn lacks_permission(error: &Error) -> bool {
    let of_the_project = error.code().is_some_and(is_of_the_project);
    let forbidden = error.reason().is_some_and(is_org_policy);
    error.kind() == ErrorKind::PermissionDenied && !of_the_project && !forbidden
}

/// Refusals by constraints of the organization (<https://cloud.google.com/resource-manager/docs/organization-policy/overview>)
/// come with the code of a stale precondition, those of VPC Service Controls
/// (<https://cloud.google.com/vpc-service-controls/docs/troubleshooting>) with that of a missing permission.
pub(crate) fn is_org_policy(message: &str) -> bool {
    // "The specified location constraint is not valid" is none.
    let message = message.to_ascii_lowercase();
    ["constraints/", "organization polic", "organization's polic", "org policy", "permitted customer"]
        .iter()
        .any(|sign| message.contains(sign))
}

/// The table. Codes: <https://cloud.google.com/apis/design/errors#handling_errors>,
/// <https://cloud.google.com/storage/docs/json_api/v1/status-codes>.
fn classify(answer: &Answer) -> (ErrorKind, RetryClass) {
    use ErrorKind as Kind;
    if is_of_the_project(&answer.reason) {
        return (Kind::PermissionDenied, RetryClass::Final);
    }
    if is_org_policy(&answer.message) && matches!(answer.status, Some(400 | 403 | 409 | 412)) {
        return (Kind::PermissionDenied, RetryClass::Final);
    }
    match answer.code.as_str() {
        "UNAUTHENTICATED" | "authError" => (Kind::Unauthenticated, RetryClass::Final),
        "PERMISSION_DENIED" | "forbidden" => (Kind::PermissionDenied, RetryClass::Final),
        "NOT_FOUND" | "notFound" => (Kind::NotFound, RetryClass::Final),
        "ALREADY_EXISTS" | "conflict" => (Kind::AlreadyExists, RetryClass::Final),
        // "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
        "ABORTED" => (Kind::Conflict, RetryClass::Conflict),
        // Which calls carry a precondition is known where they are sent.
        "FAILED_PRECONDITION" | "conditionNotMet" => (Kind::Conflict, RetryClass::Final),
        // A limit of the project, not of the rate: waiting does not help.
        "RESOURCE_EXHAUSTED" if answer.message.contains("exceeded a limit") => (Kind::QuotaExceeded, RetryClass::Final),
        "quotaExceeded" => (Kind::QuotaExceeded, RetryClass::Final),
        "RESOURCE_EXHAUSTED" | "rateLimitExceeded" | "userRateLimitExceeded" => {
            (Kind::RateLimited, RetryClass::Throttled(None))
        }
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "invalid" | "badRequest" | "required" => {
            (Kind::InvalidInput, RetryClass::Final)
        }
        "UNIMPLEMENTED" | "notImplemented" | "methodNotAllowed" => (Kind::Unsupported, RetryClass::Final),
        "UNAVAILABLE" | "INTERNAL" | "DEADLINE_EXCEEDED" | "CANCELLED" | "backendError" | "internalError" => {
            (Kind::Unavailable, RetryClass::Transient)
        }
        _ => by_status(answer.status.unwrap_or_default()),
    }
}

/// Answers of proxies and load balancers have no code.
fn by_status(status: u16) -> (ErrorKind, RetryClass) {
    match status {
        401 => (ErrorKind::Unauthenticated, RetryClass::Final),
        403 => (ErrorKind::PermissionDenied, RetryClass::Final),
        404 => (ErrorKind::NotFound, RetryClass::Final),
        408 => (ErrorKind::Unavailable, RetryClass::Transient),
        409 => (ErrorKind::AlreadyExists, RetryClass::Final),
        412 => (ErrorKind::Conflict, RetryClass::Final),
        429 => (ErrorKind::RateLimited, RetryClass::Throttled(None)),
        501 => (ErrorKind::Unsupported, RetryClass::Final),
        500.. => (ErrorKind::Unavailable, RetryClass::Transient),
        300.. => (ErrorKind::InvalidInput, RetryClass::Final),
        _ => (ErrorKind::Unexpected, RetryClass::Final),
    }
}

/// The HTTP status of a code, for answers that came over gRPC
/// (<https://cloud.google.com/apis/design/errors#handling_errors>).
fn http_status(code: Code) -> Option<u16> {
    Some(match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::Aborted | Code::AlreadyExists => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Internal | Code::Unknown | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        _ => return None,
    })
}

/// `None` where the service said that the thing is not there.
pub(crate) fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How long Pub/Sub may take to show what was made a moment ago: Terraform's provider polls for an "eventually consistent
/// Subscription", and for a topic too
/// (<https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/pubsub/resource_pubsub_subscription.go>).
const NOT_SEEN: RetryClass = RetryClass::Settling {
    reason: "the service does not show everywhere yet what this run made",
    budget: Duration::from_secs(30),
};

/// For a call about something that this run made, or that is in it: "not found" is a matter of time.
pub(crate) fn settling<T>(result: Result<T, Error>, just_created: bool) -> Result<T, Error> {
    result.map_err(|error| match error.kind() {
        ErrorKind::NotFound if just_created => error.retry(NOT_SEEN),
        _ => error,
    })
}

/// Whether a service account is gone, as far as IAM says: it answers "denied" of one that does not exist to whoever may not
/// look at it ("or it may not exist",
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get>).
pub(crate) fn may_be_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound || lacks_permission(error)
}

/// For a call that carried an etag or a metageneration: every way of saying that it was stale asks for another look.
/// Prose and code differ by service (<https://cloud.google.com/iam/docs/policies#etag>,
/// <https://cloud.google.com/storage/docs/request-preconditions>).
pub(crate) fn conditional<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| {
        let stale = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists);
        if stale { error.retry(RetryClass::Conflict) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, code: &str, message: &str) -> (ErrorKind, RetryClass) {
        let answer =
            Answer { status: Some(status), code: code.to_owned(), message: message.to_owned(), ..Answer::default() };
        classify(&answer)
    }

    #[test]
    fn classify_known_traps() {
        assert_eq!(class(409, "ABORTED", "").1, RetryClass::Conflict);
        assert_eq!(class(400, "FAILED_PRECONDITION", "").1, RetryClass::Final);
        assert_eq!(class(429, "RESOURCE_EXHAUSTED", "").1, RetryClass::Throttled(None));
        let limit = "Your project has exceeded a limit: (type=\"topics-per-project\", current=10000, maximum=10000).";
        assert_eq!(class(429, "RESOURCE_EXHAUSTED", limit).0, ErrorKind::QuotaExceeded);
        assert_eq!(class(503, "", "").1, RetryClass::Transient);
        assert_eq!(class(501, "", "").0, ErrorKind::Unsupported);
        assert_eq!(class(404, "notFound", "").0, ErrorKind::NotFound);
    }

    /// <https://cloud.google.com/storage/docs/org-policy-constraints>
    #[test]
    fn classify_refusals_of_the_organization_as_final() {
        let text = "One or more users named in the policy do not belong to a permitted customer.";
        assert_eq!(class(400, "FAILED_PRECONDITION", text), (ErrorKind::PermissionDenied, RetryClass::Final));
        let text = "Request violates constraint 'constraints/storage.uniformBucketLevelAccess'";
        assert_eq!(class(412, "conditionNotMet", text), (ErrorKind::PermissionDenied, RetryClass::Final));
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
        let error = from_json("pubsub.topics.setIamPolicy", "write", 400, &HeaderMap::new(), body);
        assert_eq!((error.kind(), error.retry_class()), (ErrorKind::PermissionDenied, &RetryClass::Final));
        let hint = error.advice().unwrap();
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

    #[test]
    fn classify_a_wrong_location_as_a_wrong_value() {
        let text = "The specified location constraint is not valid.";
        assert_eq!(class(400, "INVALID_ARGUMENT", text).0, ErrorKind::InvalidInput);
    }

    #[test]
    fn conditional_calls_look_again_when_stale() {
        let stale = |kind| conditional::<()>(Err(Error::new(kind, "x"))).unwrap_err().retry_class().clone();
        assert_eq!(stale(ErrorKind::Conflict), RetryClass::Conflict);
        assert_eq!(stale(ErrorKind::AlreadyExists), RetryClass::Conflict);
        assert_eq!(stale(ErrorKind::PermissionDenied), RetryClass::Final);
    }

    /// The body of <https://cloud.google.com/storage/docs/json_api/v1/status-codes#409-conflict>.
    #[test]
    fn json_answers_keep_code_message_and_id() {
        let body = br#"{"error": {"code": 409, "message": "You already own this bucket. Please select another name.",
            "errors": [{"domain": "global", "reason": "conflict"}]}}"#;
        let mut headers = HeaderMap::new();
        headers.insert("x-guploader-uploadid", "AB12".parse().unwrap());
        let error = from_json("storage.buckets.create", "create bucket `a`", 409, &headers, body);
        let call = "storage.buckets.create: 409 conflict, request id AB12, 1 attempt";
        assert_eq!(error.call().as_deref(), Some(call));
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }

    /// <https://cloud.google.com/service-usage/docs/reference/rest/v1/ErrorReason>
    #[test]
    fn disabled_apis_are_named_with_the_command_to_enable_them() {
        let body = br#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Cloud Resource Manager API has not been used",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
                "metadata": {"service": "cloudresourcemanager.googleapis.com"}}]}}"#;
        let error = from_json("resourcemanager.projects.get", "look up project `p`", 403, &HeaderMap::new(), body);
        assert!(!lacks_permission(&error));
        assert!(error.advice().unwrap().contains("gcloud services enable cloudresourcemanager.googleapis.com"));
        let body = br#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Cloud Storage API has not been used",
            "errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}]}}"#;
        let error = from_json("storage.notificationConfigs.list", "read", 403, &HeaderMap::new(), body);
        assert!(error.advice().unwrap().contains("gcloud services enable storage.googleapis.com"));
    }

    /// The text of <https://cloud.google.com/docs/authentication/troubleshoot-adc#user-creds-client-based>, whose reason is
    /// that of an API switched off in the project of gcloud itself.
    #[test]
    fn a_persons_credentials_without_a_project_are_told_how_to_name_one() {
        let advice = |reason: &str, message: &str| {
            let details = serde_json::json!([{"reason": reason, "metadata": {"service": "pubsub.googleapis.com"}}]);
            let error = serde_json::json!({"status": "PERMISSION_DENIED", "message": message, "details": details});
            let body = serde_json::json!({ "error": error }).to_string();
            let error = from_json("pubsub.topics.get", "look", 403, &HeaderMap::new(), body.as_bytes());
            assert!(!lacks_permission(&error));
            error.advice().unwrap().to_owned()
        };
        let unnamed = "Your application is authenticating by using local Application Default Credentials. The \
                       pubsub.googleapis.com API requires a quota project, which is not set by default.";
        let advised = advice("SERVICE_DISABLED", unnamed);
        assert!(advised.contains("set-quota-project") && !advised.contains("services enable"), "{advised}");
        let denied = "Caller does not have required permission to use project acme-ml.";
        assert!(advice(USER_PROJECT_DENIED, denied).contains("roles/serviceusage.serviceUsageConsumer"));
    }
}

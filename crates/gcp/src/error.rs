//! Google's error codes, in one table, as the kinds and retry classes that the core knows.
//!
//! Two spellings meet here: the REST services carry a `google.rpc.Code`, the JSON API of Cloud Storage has reasons of its own.

use std::fmt::Display;
use std::time::Duration;

use provision_core::error::{absent_if, by_status};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

use crate::permissions;

pub(crate) mod answer;

/// What one call is called, where it goes with what, and what it is for.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) operation: &'static str,
    /// With its parameters, after the endpoint.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Reads after "cannot".
    pub(crate) tried: String,
}

impl Call {
    pub(crate) fn new(method: &'static str, operation: &'static str, path: impl Into<String>, tried: String) -> Self {
        Self { method, operation, path: path.into(), body: None, tried }
    }

    pub(crate) fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The permissions it needs, for people.
    fn permissions(&self) -> String {
        permissions::of(self.operation)
            .iter()
            .map(|permission| format!("`{permission}`"))
            .collect::<Vec<_>>()
            .join(" and ")
    }

    /// An answer that says "done" and is not what this call gives. Of a write it is the same as an answer that was lost: whether it
    /// had its effect another attempt finds out. Of a read it is the end: what is not known is not guessed.
    pub(crate) fn unreadable(&self, reason: &dyn Display) -> Error {
        let class = if self.reads() { RetryClass::Final } else { RetryClass::Transient };
        unreadable(self.operation, &self.tried, reason).with_retry(class)
    }

    /// Whether it changes nothing, by its name.
    fn reads(&self) -> bool {
        let verb = self.operation.rsplit('.').next().unwrap_or_default();
        ["get", "list", "search"].iter().any(|reading| verb.starts_with(reading))
    }
}

/// What a service answered, whichever way it came.
#[derive(Debug, Default)]
pub(crate) struct ServiceError {
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

/// Nothing came back.
pub(crate) fn unavailable(operation: &str, tried: &str, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).with_operation(operation).with_message(reason);
    error
        .with_retry(RetryClass::Transient)
        .with_hint("check the network, a proxy and the variables of emulators, then run the same command again")
}

/// An answer that says "done" and is not what the call gives.
fn unreadable(operation: &str, tried: &str, reason: &dyn Display) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).with_operation(operation);
    error.with_message(format!("the answer cannot be read: {reason}")).with_hint(
        "a proxy or a sign-in page in between may have answered: check the network, then run the same command again",
    )
}

/// No token.
pub(crate) fn unauthenticated(tried: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, tried).with_message(reason).with_hint(LOGIN)
}

/// How to get credentials.
pub(crate) const LOGIN: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account \
                                or of workload identity federation";

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
    let otherwise = |message: &str| is_org_policy(message) || is_about_billing(message) || is_about_use(message);
    let otherwise = error.message().is_some_and(otherwise);
    error.kind() == ErrorKind::PermissionDenied && !of_the_project && !otherwise
}

/// "The billing account for the owning project is disabled in state absent"; "Billing must be enabled for activation of service"
/// (<https://cloud.google.com/storage/docs/troubleshooting#access-permission>).
fn is_about_billing(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("billing account") || message.contains("billing must be enabled")
}

/// Calls may not be counted to the project that they name: "Caller does not have serviceusage.services.use access"
/// (<https://cloud.google.com/service-usage/docs/access-control>).
fn is_about_use(message: &str) -> bool {
    message.contains("serviceusage.services.use")
}

/// A policy that was read before an account in it was deleted: "Inconsistent representation of deleted member"
/// (<https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/279>). A fresh look has it otherwise.
fn is_about_deleted_member(message: &str) -> bool {
    message.contains("representation of deleted member")
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
fn classify(answer: &ServiceError) -> (ErrorKind, RetryClass) {
    use ErrorKind as Kind;
    // The JSON API calls a token that is missing `required`, as it does a value.
    if answer.status == Some(401) {
        return (Kind::Unauthenticated, RetryClass::Final);
    }
    if is_of_the_project(&answer.reason) {
        return (Kind::PermissionDenied, RetryClass::Final);
    }
    if is_org_policy(&answer.message) && matches!(answer.status, Some(400 | 403 | 409 | 412)) {
        return (Kind::PermissionDenied, RetryClass::Final);
    }
    if is_about_deleted_member(&answer.message) {
        return (Kind::Conflict, RetryClass::Conflict);
    }
    match answer.code.as_str() {
        "UNAUTHENTICATED" | "authError" => (Kind::Unauthenticated, RetryClass::Final),
        "PERMISSION_DENIED" | "forbidden" | "accountDisabled" => (Kind::PermissionDenied, RetryClass::Final),
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
        // A creation without a precondition: the name is taken.
        _ if answer.status == Some(409) => (Kind::AlreadyExists, RetryClass::Final),
        _ => by_status(answer.status.unwrap_or_default()),
    }
}

/// `None` where the service said that the thing is not there.
pub(crate) fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    absent_if(result, |error| error.kind() == ErrorKind::NotFound)
}

/// How long Pub/Sub may take to show what was made a moment ago: Terraform's provider polls for an "eventually consistent
/// Subscription", and for a topic too
/// (<https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/pubsub/resource_pubsub_subscription.go>).
pub(crate) const NOT_SEEN: RetryClass = RetryClass::Settling {
    reason: "the service does not show everywhere yet what this run made",
    budget: Duration::from_secs(30),
};

/// For a call about something that this run made, or that is in it: "not found" and "gone" are a matter of time.
pub(crate) fn settling<T>(result: Result<T, Error>, created: bool) -> Result<T, Error> {
    result.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Stale if created => error.with_retry(NOT_SEEN),
        _ => error,
    })
}

/// Whether a service account is gone, as far as IAM says: it answers "denied" of one that does not exist to whoever may not
/// look at it ("or it may not exist",
/// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/get>).
pub(crate) fn may_be_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound || is_denied(error, "may not exist")
}

/// Whether a service itself, in these words, says that a permission is what the caller lacks: a proxy refuses too.
pub(crate) fn is_denied(error: &Error, words: &str) -> bool {
    lacks_permission(error) && error.message().is_some_and(|message| message.contains(words))
}

/// For a call that carried an etag or a metageneration: every way of saying that it was stale asks for another look.
/// Prose and code differ by service (<https://cloud.google.com/iam/docs/policies#etag>,
/// <https://cloud.google.com/storage/docs/request-preconditions>).
pub(crate) fn conditional<T>(result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| {
        let stale = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists);
        if stale { error.with_retry(RetryClass::Conflict) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, code: &str, message: &str) -> (ErrorKind, RetryClass) {
        let answer = ServiceError {
            status: Some(status),
            code: code.to_owned(),
            message: message.to_owned(),
            ..ServiceError::default()
        };
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
        assert_eq!(class(409, "", "").0, ErrorKind::AlreadyExists);
        assert_eq!(class(404, "notFound", "").0, ErrorKind::NotFound);
        assert_eq!(class(401, "required", "").0, ErrorKind::Unauthenticated);
        let member = "Inconsistent representation of deleted member: 'deleted:serviceAccount:a@p?uid=1' and 'serviceAccount:a@p'";
        assert_eq!(class(400, "INVALID_ARGUMENT", member), (ErrorKind::Conflict, RetryClass::Conflict));
    }

    #[test]
    fn an_unreadable_answer_ends_a_read_and_repeats_a_write() {
        let class = |operation| {
            let call = Call::new("POST", operation, "", String::new());
            call.unreadable(&"x").retry().clone()
        };
        for read in ["iam.serviceAccounts.getIamPolicy", "storage.buckets.list", "resourcemanager.projects.search"] {
            assert_eq!(class(read), RetryClass::Final, "{read}");
        }
        assert_eq!(class("pubsub.topics.create"), RetryClass::Transient);
    }

    #[test]
    fn only_a_missing_permission_is_one() {
        let denied = |message: &str| Error::new(ErrorKind::PermissionDenied, "x").with_message(message);
        let words = "Permission 'storage.buckets.get' denied on resource (or it may not exist).";
        assert!(lacks_permission(&denied(words)) && is_denied(&denied(words), "storage.buckets.get"));
        assert!(may_be_gone(&denied(words)) && !may_be_gone(&denied("403 Forbidden")));
        for other in [
            "The billing account for the owning project is disabled in state absent",
            "a@b does not have serviceusage.services.use access to the Google Cloud project.",
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc",
        ] {
            assert!(!lacks_permission(&denied(other)), "{other}");
        }
    }

    /// <https://cloud.google.com/storage/docs/org-policy-constraints>
    #[test]
    fn classify_refusals_of_the_organization_as_final() {
        let text = "One or more users named in the policy do not belong to a permitted customer.";
        assert_eq!(class(400, "FAILED_PRECONDITION", text), (ErrorKind::PermissionDenied, RetryClass::Final));
        let text = "Request violates constraint 'constraints/storage.uniformBucketLevelAccess'";
        assert_eq!(class(412, "conditionNotMet", text), (ErrorKind::PermissionDenied, RetryClass::Final));
    }

    #[test]
    fn classify_a_wrong_location_as_a_wrong_value() {
        let text = "The specified location constraint is not valid.";
        assert_eq!(class(400, "INVALID_ARGUMENT", text).0, ErrorKind::InvalidInput);
    }

    #[test]
    fn conditional_calls_look_again_when_stale() {
        let stale = |kind| conditional::<()>(Err(Error::new(kind, "x"))).unwrap_err().retry().clone();
        assert_eq!(stale(ErrorKind::Conflict), RetryClass::Conflict);
        assert_eq!(stale(ErrorKind::AlreadyExists), RetryClass::Conflict);
        assert_eq!(stale(ErrorKind::PermissionDenied), RetryClass::Final);
    }
}

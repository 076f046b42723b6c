//! AWS error codes, in one table, as the kinds and retry classes that the core knows.

use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use provision_core::error::{absent_if, by_status, root_cause};
use provision_core::{Error, ErrorKind, RetryClass};

use crate::permissions;

/// A new name is free 60 seconds after the queue was deleted
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>); Terraform's provider
/// found that 70 are needed.
const QUEUE_DELETED_RECENTLY: RetryClass = RetryClass::Settling {
    reason: "a queue of this name was deleted less than 60 s ago",
    budget: Duration::from_secs(75),
};

/// "Changes to queue attributes can take up to 60 seconds to propagate"
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const DESTINATION_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "S3 does not see the queue or its policy yet", budget: Duration::from_secs(75) };

/// A bucket's name is known to all of S3 only some time after its creation; Terraform's provider waits as long.
const BUCKET_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "S3 does not see the new bucket everywhere yet", budget: Duration::from_secs(120) };

/// "After you create a queue, you must wait at least one second after the queue is created to be able to use the queue"
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>).
pub(crate) const QUEUE_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "SQS does not show the new queue everywhere yet", budget: Duration::from_secs(60) };

/// Whether it only says that something is not there, which may be that it is not seen yet.
pub(crate) fn is_not_seen(error: &Error) -> bool {
    [BUCKET_NOT_SEEN, QUEUE_NOT_SEEN].contains(error.retry())
}

/// A success whose body is not the document that was asked for, as a proxy or a portal answers: nothing is known by it.
pub(crate) fn unreadable(operation: &'static str, tried: &str) -> Error {
    let error = Error::new(ErrorKind::Unexpected, format!("cannot {tried}: the answer cannot be read"));
    error
        .with_operation(operation)
        .with_hint("check what answers in the service's place: a proxy, a portal, `AWS_ENDPOINT_URL`")
}

/// The error of one call. `tried` reads after "cannot".
pub(crate) fn from_sdk<E>(operation: &'static str, tried: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error {
        // The SDK takes a success that it cannot read for an error of the service, without a code.
        SdkError::ServiceError(service)
            if service.err().meta().code().is_none() && is_nobodys(operation, service.raw().status().as_u16()) =>
        {
            unreadable(operation, tried).with_response(Some(service.raw().status().as_u16()), None, None)
        }
        SdkError::ServiceError(service) => from_answer(operation, tried, service.err().meta(), service.raw()),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let class = if status >= 500 { RetryClass::Transient } else { RetryClass::Final };
            unreadable(operation, tried).with_response(Some(status), None, None).with_retry(class)
        }
        SdkError::TimeoutError(_) => unavailable(operation, tried, "no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            let error = Error::new(ErrorKind::Unexpected, format!("cannot {tried}: the request could not be built"));
            error.with_operation(operation).with_message(DisplayErrorContext(error_source(failure)).to_string())
        }
        SdkError::DispatchFailure(failure) => unavailable(operation, tried, &root_cause(error_source(failure))),
        _ => Error::new(ErrorKind::Unexpected, format!("cannot {tried}: the request could not be built"))
            .with_operation(operation)
            .with_message(root_cause(error)),
    }
}

/// Whether an answer without the service's own words was given by something in between. That a thing is not there, not known or nobody's
/// to see only the service can say; what answers a HEAD has no words.
fn is_nobodys(operation: &str, status: u16) -> bool {
    matches!(status, 200..=299 | 403 | 404 | 501) && !(status >= 300 && operation.starts_with("s3:Head"))
}

fn error_source(
    failure: &aws_smithy_runtime_api::client::result::DispatchFailure,
) -> &(dyn std::error::Error + 'static) {
    failure.as_connector_error().map_or(&Unknown as &dyn std::error::Error, |error| error)
}

#[derive(Debug)]
struct Unknown;

impl std::fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection failed")
    }
}

impl std::error::Error for Unknown {}

fn unavailable(operation: &'static str, tried: &str, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Unavailable, tried).with_operation(operation).with_message(reason);
    error
        .with_retry(RetryClass::Transient)
        .with_hint("check the network, a proxy and `AWS_ENDPOINT_URL`, then run the same command again")
}

fn from_answer(
    operation: &'static str,
    tried: &str,
    meta: &aws_smithy_types::error::ErrorMetadata,
    raw: &HttpResponse,
) -> Error {
    let status = raw.status().as_u16();
    let code = meta.code().map(|code| code.trim_start_matches("AWS.SimpleQueueService."));
    let (kind, retry) = classify(status, code.unwrap_or_default(), meta.message().unwrap_or_default());
    let asked = raw.headers().get("retry-after").and_then(|seconds| seconds.parse().ok());
    let retry = retry.after(asked.map(Duration::from_secs));
    let request_id = ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| raw.headers().get(*name));
    let mut error = Error::new(kind, tried).with_operation(operation).with_retry(retry).with_response(
        Some(status),
        code,
        request_id,
    );
    if let Some(message) = meta.message() {
        let arguments = raw.body().bytes().map(arguments).unwrap_or_default();
        error = error.with_message([&[message.to_owned()], &arguments[..]].concat().join("; "));
    }
    let reason = meta.message().unwrap_or_default();
    match (kind, status) {
        (_, 301) | (ErrorKind::InvalidInput, 400) if let Some(region) = region(reason, raw) => {
            error.with_hint(format!(
                "the bucket is in {region}, and its events go to a queue of that region alone: write `region = \"{region}\"` under [aws]"
            ))
        }
        (ErrorKind::PermissionDenied, _) => error.with_hint(denial(operation, reason)),
        (ErrorKind::InvalidInput, _) if reason.contains("Invalid principal") => error.with_hint(DELETED_PRINCIPAL),
        (ErrorKind::QuotaExceeded, _) if operation == "iam:PutRolePolicy" => error.with_hint(
            "all inline policies of a role together have 10,240 characters: take out one that nobody needs, then run the \
             same command again",
        ),
        (ErrorKind::Unauthenticated, _) => error.with_hint(renewal()),
        _ => error,
    }
}

/// How credentials are renewed: those of the environment count before any profile's
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
fn renewal() -> &'static str {
    match std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|key| !key.is_empty()) {
        true => {
            "correct or renew the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, which belong together, or \
             unset all three where a profile is meant"
        }
        false => "renew the credentials (`aws sso login`, `aws login`, or new keys)",
    }
}

/// What the service does not take again.
pub(crate) const DELETED_PRINCIPAL: &str = "a statement of the policy names a user or role that was deleted, which is shown by its id (`AROA...`, `AIDA...`), and no \
     policy with it is taken: remove or correct that statement, then run the same command again";

/// The region in which a bucket is, where the answer says that it is another one. The queue must be there too
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>).
fn region<'a>(reason: &'a str, raw: &'a HttpResponse) -> Option<&'a str> {
    let said = || reason.split_once("expecting '").and_then(|(_, rest)| Some(rest.split_once('\'')?.0));
    raw.headers().get("x-amz-bucket-region").or_else(said)
}

/// What keeps a caller out, by words of the service, and what to do about it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
const DENIALS: [(&str, &str); 8] = [
    (
        "BlockPublicPolicy",
        "another statement of the policy lets everybody in, and S3 Block Public Access takes no policy with such a one: \
         narrow or remove it, then run the same command again",
    ),
    (
        "service control policy",
        "a service control policy of the organization denies it, and no grant in this account helps: ask those who run the \
         organization",
    ),
    (
        "resource control policy",
        "a resource control policy of the organization denies it, and no grant in this account helps: ask those who run the \
         organization",
    ),
    (
        "permissions boundary",
        "the permissions boundary of the identity in use does not let it: widen the boundary, then run the same command again",
    ),
    ("session policy", "the policy of the session does not let it: take the role with a wider one, or without"),
    ("VPC endpoint policy", "the policy of the VPC endpoint does not let it: widen it, or call from elsewhere"),
    (
        "explicit deny in a resource-based policy",
        "the policy of the resource itself denies it: change the statement that does, then run the same command again",
    ),
    (
        "explicit deny in an identity-based policy",
        "a policy of the identity in use denies it: change the statement that does; to grant more does not help",
    ),
];

/// What to do about a denial. Only one without another reason is a missing grant; of several rights that a call needs the
/// service names the one that is missing.
pub(crate) fn denial(operation: &str, reason: &str) -> String {
    if let Some((_, hint)) = DENIALS.iter().find(|(words, _)| reason.contains(words)) {
        return (*hint).to_owned();
    }
    let permissions = permissions::of(operation);
    let said = reason.split_once("not authorized to perform: ").and_then(|(_, rest)| rest.split_whitespace().next());
    let said = said.and_then(|said| permissions.iter().find(|permission| permission.eq_ignore_ascii_case(said)));
    let missing = said.map_or(permissions, std::slice::from_ref);
    if missing.is_empty() {
        return "no grant is needed for this call: a policy denies it, of the organization perhaps".to_owned();
    }
    let missing: Vec<_> = missing.iter().map(|permission| format!("`{permission}`")).collect();
    format!("grant {} to the identity in use, then run the same command again", missing.join(" and "))
}

/// What S3 names beside its message, numbered where there are several: `<ArgumentName1>` is a destination that it cannot
/// validate, `<ArgumentValue1>` says why. The SDK gives the message alone.
fn arguments(body: &[u8]) -> Vec<String> {
    let body = String::from_utf8_lossy(body);
    let element = |name: &str, number: usize| {
        let (_, rest) = body.split_once(&format!("<{name}{number}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    let argument = |number| {
        let (name, value) = (element("ArgumentName", number)?, element("ArgumentValue", number).unwrap_or_default());
        Some(format!("{name}: {value}"))
    };
    (1..).map_while(argument).collect()
}

/// Whether S3 asks to try one key of a batch again.
pub(crate) fn is_passing(code: &str) -> bool {
    let (_, class) = classify(200, code, "");
    matches!(class, RetryClass::Throttled(_) | RetryClass::Transient | RetryClass::Conflict)
}

/// The table. Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>. Codes of throttling are the SDK's own list
/// (`aws_runtime::retries::classifiers::THROTTLING_ERRORS`).
fn classify(status: u16, code: &str, message: &str) -> (ErrorKind, RetryClass) {
    use ErrorKind as Kind;
    match code {
        "NoSuchBucket" => (Kind::NotFound, BUCKET_NOT_SEEN),
        "OperationAborted" | "ConditionalRequestConflict" => (Kind::Conflict, RetryClass::Conflict),
        "ConcurrentModification" | "ConcurrentModificationException" => (Kind::Conflict, RetryClass::Conflict),
        "QueueDeletedRecently" => (Kind::Conflict, QUEUE_DELETED_RECENTLY),
        "InvalidArgument" if message.starts_with("Unable to validate the following destination") => {
            (Kind::InvalidInput, DESTINATION_NOT_SEEN)
        }
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "QueueAlreadyExists" | "QueueNameExists" => {
            (Kind::AlreadyExists, RetryClass::Final)
        }
        "NonExistentQueue" | "QueueDoesNotExist" => (Kind::NotFound, QUEUE_NOT_SEEN),
        throttled if THROTTLING_ERRORS.contains(&throttled) => (Kind::RateLimited, RetryClass::Throttled(None)),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "RequestTimeTooSkewed"
        | "UnrecognizedClientException"
        | "TokenRefreshRequired" => (Kind::Unauthenticated, RetryClass::Final),
        "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "UnauthorizedOperation" => {
            (Kind::PermissionDenied, RetryClass::Final)
        }
        "TooManyBuckets" | "LimitExceeded" | "OverLimit" => (Kind::QuotaExceeded, RetryClass::Final),
        "NotImplemented" | "MethodNotAllowed" => (Kind::Unsupported, RetryClass::Final),
        "RequestTimeout" | "RequestTimeoutException" | "InternalError" | "ServiceUnavailable" => {
            (Kind::Unavailable, RetryClass::Transient)
        }
        // Every 404 of the services' own says what it did not find; this one is of something in between.
        "" if status == 404 => (Kind::Unexpected, RetryClass::Final),
        _ => by_status(status),
    }
}

/// `None` where the service said that the thing is not there, with one of these codes.
pub(crate) fn absent<T>(result: Result<T, Error>, codes: &[&str]) -> Result<Option<T>, Error> {
    absent_if(result, |error| error.code().is_some_and(|code| codes.contains(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_the_destinations() {
        let body = "<Error><Code>InvalidArgument</Code><ArgumentName1>arn:aws:sqs:e:1:a</ArgumentName1>\
                    <ArgumentValue1>The destination queue does not exist</ArgumentValue1>\
                    <ArgumentName2>arn:aws:lambda:e:1:function:b, null</ArgumentName2></Error>";
        let expected =
            ["arn:aws:sqs:e:1:a: The destination queue does not exist", "arn:aws:lambda:e:1:function:b, null: "];
        assert_eq!(arguments(body.as_bytes()), expected);
        assert!(arguments(b"{\"message\": \"no\"}").is_empty());
    }

    #[test]
    fn denial_is_told_by_the_services_reason() {
        let user = "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutBucketPolicy on resource: \"b\"";
        for (reason, hint) in [
            (" because no identity-based policy allows the s3:PutBucketPolicy action", "grant `s3:PutBucketPolicy`"),
            (" with an explicit deny in a service control policy", "of the organization"),
            (" because no permissions boundary allows the s3:PutBucketPolicy action", "widen the boundary"),
            (" with an explicit deny in a resource-based policy", "of the resource itself"),
            (" with an explicit deny in an identity-based policy", "to grant more does not help"),
            (
                " because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
                "lets everybody in",
            ),
        ] {
            let told = denial("s3:PutBucketPolicy", &format!("{user}{reason}"));
            assert!(told.contains(hint), "{reason}: {told}");
        }
        let tags = "is not authorized to perform: s3:TagResource on resource: \"b\"";
        assert!(denial("s3:CreateBucket", tags).starts_with("grant `s3:TagResource` to"));
        assert!(denial("s3:CreateBucket", "Access Denied").contains("`s3:CreateBucket` and `s3:TagResource` and"));
        assert!(denial("sts:GetCallerIdentity", "").starts_with("no grant is needed"));
    }

    #[test]
    fn classify_known_traps() {
        let invalid = "Unable to validate the following destination configurations";
        assert_eq!(classify(400, "InvalidArgument", invalid).1, DESTINATION_NOT_SEEN);
        assert_eq!(classify(400, "InvalidArgument", "something else").1, RetryClass::Final);
        assert_eq!(classify(409, "OperationAborted", "").1, RetryClass::Conflict);
        assert_eq!(classify(400, "ThrottledException", "").1, RetryClass::Throttled(None));
        for code in THROTTLING_ERRORS {
            assert_eq!(classify(400, code, "").1, RetryClass::Throttled(None), "{code}");
        }
        assert_eq!(classify(403, "", "").0, ErrorKind::PermissionDenied);
        assert_eq!(classify(400, "ExpiredToken", "").0, ErrorKind::Unauthenticated);
    }
}

//! What a service says when it does not do what it is asked.

use crate::Error;

/// Why a request is refused; each protocol has its form of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    NotFound,
    /// The bucket itself.
    NoBucket,
    Exists,
    Denied,
    /// A token is none, or too old.
    Unauthenticated,
    /// A generation or metageneration is not the one that was asked for.
    Stale,
    /// An IAM policy's etag is not the current one.
    StalePolicy,
    /// What is there does not allow it: a bucket that is not empty.
    NotEmpty,
    /// A constraint of the bucket does not allow it.
    Precondition,
    /// A signed URL's time is over.
    Expired,
    /// A signed URL is not what was signed, or nobody's key signed it.
    Signature,
    Unimplemented,
    Internal,
}

/// A kind's forms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forms {
    /// The canonical code <https://cloud.google.com/apis/design/errors#error_model>.
    pub code: &'static str,
    /// The status of REST services other than Cloud Storage.
    pub status: u16,
    /// Cloud Storage's status and reason
    /// <https://cloud.google.com/storage/docs/json_api/v1/status-codes>.
    pub storage: (u16, &'static str),
    /// The code of Cloud Storage's XML API <https://cloud.google.com/storage/docs/xml-api/reference-status>.
    pub xml: &'static str,
}

impl Kind {
    pub(super) const fn forms(self) -> Forms {
        let (code, status, storage, xml) = match self {
            Self::Invalid => ("INVALID_ARGUMENT", 400, (400, "invalid"), "InvalidArgument"),
            Self::NotFound => ("NOT_FOUND", 404, (404, "notFound"), "NoSuchKey"),
            Self::NoBucket => ("NOT_FOUND", 404, (404, "notFound"), "NoSuchBucket"),
            Self::Exists => ("ALREADY_EXISTS", 409, (409, "conflict"), "Conflict"),
            Self::Denied => ("PERMISSION_DENIED", 403, (403, "forbidden"), "AccessDenied"),
            Self::Unauthenticated => ("UNAUTHENTICATED", 401, (401, "authError"), "AuthenticationRequired"),
            Self::Stale => ("FAILED_PRECONDITION", 400, (412, "conditionNotMet"), "PreconditionFailed"),
            Self::StalePolicy => ("ABORTED", 409, (412, "conditionNotMet"), "PreconditionFailed"),
            Self::NotEmpty => ("FAILED_PRECONDITION", 400, (409, "conflict"), "BucketNotEmpty"),
            Self::Precondition => ("FAILED_PRECONDITION", 400, (412, "conditionNotMet"), "PreconditionFailed"),
            Self::Expired => ("INVALID_ARGUMENT", 400, (400, "invalid"), "ExpiredToken"),
            Self::Signature => ("PERMISSION_DENIED", 403, (403, "forbidden"), "SignatureDoesNotMatch"),
            Self::Unimplemented => ("UNIMPLEMENTED", 501, (501, "notImplemented"), "NotImplemented"),
            Self::Internal => ("INTERNAL", 500, (500, "internalError"), "InternalError"),
        };
        Forms { code, status, storage, xml }
    }
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub kind: Kind,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    /// A part of the API that the sandbox leaves out.
    pub(super) fn unserved(what: impl std::fmt::Display) -> Self {
        Self::new(Kind::Unimplemented, format!("the sandbox does not serve {what}"))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(Kind::Internal, error.to_string())
    }
}

/// The number of a canonical code <https://grpc.io/docs/guides/status-codes/>.
pub(super) fn number(code: &str) -> Option<u8> {
    const CODES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    CODES.iter().position(|name| *name == code).and_then(|number| u8::try_from(number).ok())
}

/// The canonical code of an HTTP status <https://cloud.google.com/apis/design/errors#handling_errors>.
pub(super) const fn code_of(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

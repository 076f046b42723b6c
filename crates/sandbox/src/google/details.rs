//! Details of errors that say more than their code <https://cloud.google.com/apis/design/errors#error_details>.

use serde_json::{Value, json};

/// What a fault's code stands for, where it is no code of a protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special<'a> {
    /// `SERVICE_DISABLED`: the API is not switched on in the project
    /// <https://cloud.google.com/service-usage/docs/reference/rest/v1/ErrorReason>.
    Disabled {
        /// The API.
        service: &'a str,
    },
    /// `constraints/...`: a policy of the organization
    /// <https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>.
    Constraint(&'a str),
}

impl<'a> Special<'a> {
    /// What a code stands for in an operation's service.
    pub(super) fn of(operation: &str, code: &'a str) -> Option<Self> {
        match code {
            "SERVICE_DISABLED" => Some(Self::Disabled { service: service_of(operation) }),
            code if code.starts_with("constraints/") => Some(Self::Constraint(code)),
            _ => None,
        }
    }

    /// The canonical code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Disabled { .. } => "PERMISSION_DENIED",
            Self::Constraint(_) => "FAILED_PRECONDITION",
        }
    }

    /// The reason of Cloud Storage's JSON API <https://cloud.google.com/storage/docs/json_api/v1/status-codes>.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Disabled { .. } => "accessNotConfigured",
            Self::Constraint(_) => "conditionNotMet",
        }
    }

    /// As JSON has it.
    pub(super) fn json(self) -> Value {
        match self {
            Self::Disabled { service } => json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com",
                "metadata": {"service": service, "consumer": "projects/000000000000"},
            }]),
            Self::Constraint(constraint) => json!([{
                "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
                "violations": [{"type": constraint, "subject": "orgpolicy:projects/_", "description": "not allowed"}],
            }]),
        }
    }
}

fn service_of(operation: &str) -> &'static str {
    match operation.split([':', '.']).next() {
        Some("pubsub") => "pubsub.googleapis.com",
        Some("iam") => "iam.googleapis.com",
        Some("resourcemanager") => "cloudresourcemanager.googleapis.com",
        _ => "storage.googleapis.com",
    }
}

//! Azure error codes, in one table, as the kinds and retry classes that the core knows.

mod answer;

use std::time::Duration;

use provision_core::error::{absent_if, by_status, root_cause};
use provision_core::{Error, ErrorKind, RetryClass};

pub(crate) use self::answer::{ServiceError, from_answer};
use crate::names::STORAGE;

/// "When a container is deleted, a container with the same name can't be created for at least 30 seconds"
/// (<https://learn.microsoft.com/rest/api/storageservices/delete-container#remarks>); the same holds for queues.
const BEING_DELETED: RetryClass = RetryClass::Settling {
    reason: "something of this name was deleted less than 30 s ago",
    budget: Duration::from_secs(90),
};

/// A storage account answers its own creation before its parts do.
pub(crate) const ACCOUNT_NOT_READY: RetryClass =
    RetryClass::Settling { reason: "the storage account is not ready yet", budget: Duration::from_secs(180) };

/// Resource Manager answers a creation before all of its regions know of it
/// (<https://github.com/hashicorp/terraform-provider-azurerm/issues/18268>).
pub(crate) const NOT_SEEN_YET: RetryClass = RetryClass::Settling {
    reason: "the service does not find everywhere yet what this run made",
    budget: Duration::from_secs(180),
};

/// "If you create a new service principal and immediately try to assign a role to that service principal, that role
/// assignment can fail in some cases"
/// (<https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>).
const PRINCIPAL_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "the directory does not show the identity yet", budget: Duration::from_secs(120) };

/// Deleting a group takes minutes, and its name is taken until then.
pub(crate) const GROUP_BEING_DELETED: RetryClass =
    RetryClass::Settling { reason: "the resource group is being deleted", budget: Duration::from_secs(600) };

/// What a call was, for its error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallContext<'a> {
    /// The operation, spelled as its permission.
    pub(crate) operation: &'a str,
    /// Reads after "cannot".
    pub(crate) text: &'a str,
}

/// The error of one call that was answered with something else than its document: nothing is known then.
pub(crate) fn unreadable(call: CallContext<'_>) -> Error {
    let error = Error::new(ErrorKind::Unexpected, format!("cannot {}", call.text)).with_operation(call.operation);
    error.with_message("the answer cannot be read: it is not the document that this call is answered with").with_hint(
        "a proxy or a login page between here and Azure may have answered: look at the answer with `--trace`, then run the \
         same command again",
    )
}

/// The same where one item of a list cannot be read, and why: what is listed decides, so that all of it is unknown then.
pub(crate) fn unreadable_item(call: CallContext<'_>, why: &str) -> Error {
    let error = unreadable(call).with_message(format!("the list cannot be read, and says nothing then: {why}"));
    error.with_hint("look at the answer with `--trace`; mend or remove that one, then run the same command again")
}

/// The error of one call that was not answered.
pub(crate) fn from_transport(call: CallContext<'_>, error: &azure_core::Error) -> Error {
    let reason = root_cause(error);
    if *error.kind() == azure_core::error::ErrorKind::DataConversion {
        return unreadable(call);
    }
    if *error.kind() == azure_core::error::ErrorKind::Credential {
        let error =
            Error::new(ErrorKind::Unauthenticated, call.text).with_operation(call.operation).with_message(reason);
        return error.with_hint("renew the credentials (`az login`, or a new client secret)");
    }
    let error = Error::new(ErrorKind::Unavailable, call.text).with_operation(call.operation).with_message(reason);
    error
        .with_retry(RetryClass::Transient)
        .with_hint("check the network, a proxy and `AZURE_RESOURCE_MANAGER_ENDPOINT`, then run the same command again")
}

/// The table. Codes: <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>,
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>,
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>.
fn classify(status: u16, code: &str, message: &str) -> (ErrorKind, RetryClass) {
    passing(status, code, message).or_else(|| final_by_code(code)).unwrap_or_else(|| match (code, status) {
        // Every 404 of the services' own says what it did not find; this one is of something in between.
        ("", 404) => (ErrorKind::Unexpected, RetryClass::Final),
        // A precondition of ours: read again.
        (_, 412) => (ErrorKind::Conflict, RetryClass::Conflict),
        (_, ..400) => (ErrorKind::Unexpected, RetryClass::Final),
        _ => by_status(status),
    })
}

/// What passes by itself, by the service's code or, where that says too little, by its message.
fn passing(status: u16, code: &str, message: &str) -> Option<(ErrorKind, RetryClass)> {
    use ErrorKind as Kind;
    Some(match code {
        "ContainerBeingDeleted" | "QueueBeingDeleted" => (Kind::Conflict, BEING_DELETED),
        // Resource Manager's word for it (<https://github.com/Azure/azure-rest-api-specs/issues/30456>).
        "ContainerOperationFailure" | "QueueOperationFailure" if message.contains("being deleted") => {
            (Kind::Conflict, BEING_DELETED)
        }
        // So the Blob service answers of an account that is there, and that it does not know yet
        // (<https://github.com/hashicorp/terraform-provider-azurerm/issues/15609>).
        "ContainerOperationFailure" if status == 404 => (Kind::Unavailable, ACCOUNT_NOT_READY),
        "StorageAccountOperationInProgress"
        | "AnotherOperationInProgress"
        | "ConcurrentUpdateError"
        | "EtagMismatch"
        | "PreconditionFailed" => (Kind::Conflict, RetryClass::Conflict),
        "StorageAccountIsNotProvisioned" | "AccountIsNotProvisioned" => (Kind::Conflict, ACCOUNT_NOT_READY),
        _ if message.contains("attempt to configure storage notifications") => (Kind::InvalidInput, ACCOUNT_NOT_READY),
        "ResourceGroupBeingDeleted" => (Kind::Conflict, GROUP_BEING_DELETED),
        "PrincipalNotFound" => (Kind::NotFound, PRINCIPAL_NOT_SEEN),
        // Event Grid looks for the queue once it has taken the subscription.
        _ if message.contains("Resource should pre-exist") => (Kind::NotFound, RetryClass::Final),
        "TooManyRequests"
        | "SubscriptionRequestsThrottled"
        | "ResourceRequestsThrottled"
        | "ResourceCollectionRequestsThrottled"
        | "ThrottlingError"
        | "ServerBusy" => (Kind::RateLimited, RetryClass::Throttled(None)),
        "InternalServerError"
        | "InternalError"
        | "OperationTimedOut"
        | "ServerTimeout"
        | "GatewayTimeout"
        | "ServiceUnavailable"
        | "RetryableError" => (Kind::Unavailable, RetryClass::Transient),
        _ => return None,
    })
}

/// What the service's code decides for good.
fn final_by_code(code: &str) -> Option<(ErrorKind, RetryClass)> {
    let kind = match code {
        "StorageAccountAlreadyTaken"
        | "StorageAccountAlreadyExists"
        | "StorageAccountInAnotherResourceGroup"
        | "AccountAlreadyExists"
        | "ContainerAlreadyExists"
        | "QueueAlreadyExists"
        | "RoleAssignmentExists" => ErrorKind::AlreadyExists,
        "ScopeLocked"
        | NOT_OF_THIS_KIND
        | "LeaseIdMissing"
        | "LeaseIdMismatchWithBlobOperation"
        | "LeaseIdMismatchWithContainerOperation"
        | "BlobImmutableDueToPolicy"
        | "BlobImmutableDueToLegalHold"
        | "ContainerProtectedFromDeletion"
        | "DirectoryIsNotEmpty"
        | "ReadOnlyDisabledSubscription"
        | "MissingSubscriptionRegistration"
        | "MissingRegistrationForResourceProvider"
        | "SubscriptionNotRegistered" => ErrorKind::Refused,
        "SubscriptionNotFound"
        | "InvalidAuthenticationToken"
        | "InvalidAuthenticationTokenTenant"
        | "ExpiredAuthenticationToken"
        | "AuthenticationFailed"
        | "InvalidAuthenticationInfo"
        | "NoAuthenticationInformation" => ErrorKind::Unauthenticated,
        "AuthorizationFailed"
        | "LinkedAuthorizationFailed"
        | "AuthorizationPermissionMismatch"
        | "AuthorizationFailure"
        | "InsufficientAccountPermissions"
        | "KeyBasedAuthenticationNotPermitted"
        | "DenyAssignmentAuthorizationFailed"
        | "RequestDisallowedByPolicy" => ErrorKind::PermissionDenied,
        "QuotaExceeded" | "MaxStorageAccountsCountPerSubscriptionExceeded" | "RoleAssignmentLimitExceeded" => {
            ErrorKind::QuotaExceeded
        }
        _ => return None,
    };
    Some((kind, RetryClass::Final))
}

/// How it says that an account of this kind has no containers, or no queues
/// (<https://github.com/turbot/steampipe-plugin-azure/issues/458>).
const NOT_OF_THIS_KIND: &str = "FeatureNotSupportedForAccount";

/// `None` where an account has no service that such things could be in.
pub(crate) fn supported<T>(result: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.code() == Some(NOT_OF_THIS_KIND) => Ok(None),
        result => result,
    }
}

/// `None` where a right to look is missing that whoever works here need not have. What cannot be read is an error all the same.
pub(crate) fn allowed<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        result => result.map(Some),
    }
}

/// How Resource Manager says that a thing, or what it is in, is not there.
pub(crate) const NOT_THERE: [&str; 8] = [
    "ResourceNotFound",
    "StorageAccountNotFound",
    "RoleAssignmentNotFound",
    "ResourceGroupNotFound",
    "ParentResourceNotFound",
    "ContainerNotFound",
    "QueueNotFound",
    "NotFound",
];

/// `None` where the service said that the thing is not there, or that nothing of its kind can be.
pub(crate) fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    absent_if(result, |error| {
        error.code().is_some_and(|code| NOT_THERE.contains(&code)) || is_unregistered(error, STORAGE)
    })
}

/// Whether a provider is not registered: then there is nothing of it, since "you can't unregister a resource provider when you still
/// have resources from that resource provider in your subscription"
/// (<https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types>).
pub(crate) fn is_unregistered(error: &Error, namespace: &str) -> bool {
    let names = error.message().is_some_and(|message| message.contains(&format!("'{namespace}'")));
    names && error.code().is_some_and(|code| NOT_REGISTERED.contains(&code))
}

/// A provider is not registered in the subscription
/// (<https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider>).
const NOT_REGISTERED: [&str; 3] =
    ["MissingSubscriptionRegistration", "MissingRegistrationForResourceProvider", "SubscriptionNotRegistered"];

#[cfg(test)]
mod tests {
    use super::answer::tests::refused;
    use super::*;

    #[test]
    fn classify_known_traps() {
        let deleting = "The specified container is being deleted. Try operation later.";
        assert_eq!(classify(409, "ContainerOperationFailure", deleting).1, BEING_DELETED);
        assert_eq!(classify(409, "ContainerOperationFailure", "something else").1, RetryClass::Final);
        assert_eq!(classify(409, "StorageAccountOperationInProgress", "").1, RetryClass::Conflict);
        assert_eq!(classify(400, "PrincipalNotFound", "").1, PRINCIPAL_NOT_SEEN);
        assert_eq!(classify(409, "ScopeLocked", "").0, ErrorKind::Refused);
        assert_eq!(classify(404, "SubscriptionNotFound", "").0, ErrorKind::Unauthenticated);
        assert_eq!(classify(429, "", "").1, RetryClass::Throttled(None));
        assert_eq!(classify(412, "", "").1, RetryClass::Conflict);
        let missing = "The specified resource does not exist.";
        assert_eq!(classify(404, "ContainerOperationFailure", missing), (ErrorKind::Unavailable, ACCOUNT_NOT_READY));
        assert_eq!(classify(404, "", "").0, ErrorKind::Unexpected);
        assert_eq!(classify(302, "", "").0, ErrorKind::Unexpected);
    }

    /// As they were recorded, or told in the issues of Terraform's provider.
    #[test]
    fn recorded_refusals_are_what_they_say() {
        for (code, message) in [
            ("ContainerNotFound", "The specified container does not exist."),
            ("QueueNotFound", "The specified queue does not exist."),
            ("ResourceGroupNotFound", "Resource group 'g' could not be found."),
            ("StorageAccountNotFound", "The storage account acme was not found."),
            ("RoleAssignmentNotFound", "The role assignment 'aab463b4' is not found."),
            ("ResourceNotFound", "The Resource 'Microsoft.Storage/storageAccounts/acme' was not found."),
        ] {
            let error = refused(404, &format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#));
            assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, Some(message)), "{code}");
            assert!(absent::<()>(Err(error)).unwrap().is_none(), "{code}");
        }
        let message = "Destination endpoint not found. Resource details: x. Resource should pre-exist before attempting this operation.";
        assert_eq!(classify(0, "Endpoint validation", message).0, ErrorKind::NotFound);
    }

    #[test]
    fn absent_is_told_from_a_subscription_that_nobody_sees() {
        let gone = refused(404, r#"{"error":{"code":"ResourceGroupNotFound","message":"gone"}}"#);
        assert!(absent::<()>(Err(gone)).unwrap().is_none());
        let other = refused(404, r#"{"error":{"code":"SubscriptionNotFound","message":"none"}}"#);
        absent::<()>(Err(other)).unwrap_err();
    }
}

//! Azure error codes, in one table, as the kinds and retry classes that the core knows.

use std::time::Duration;

use provision_core::error::{absent_if, by_status, root_cause};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

use crate::names::STORAGE;
use crate::permissions;

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

/// What a service answered instead of a result.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl ServiceError {
    /// Read the body of an answer: Resource Manager's JSON
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>, or Storage's
    /// XML <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>.
    pub(crate) fn read(&mut self, body: &[u8]) {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            let error = value.get("error").unwrap_or(&value);
            let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
            self.code = text("code").or_else(|| self.code.take());
            self.message = text("message").map(sentence);
            return;
        }
        let text = String::from_utf8_lossy(body);
        self.code = element(&text, "Code").or_else(|| self.code.take());
        self.message = element(&text, "Message").map(sentence);
    }
}

/// What Storage says, in XML as in JSON, without the lines that its request id and time are on.
fn sentence(text: String) -> String {
    let is_said = |line: &&str| !["RequestId:", "Time:"].iter().any(|beginning| line.starts_with(beginning));
    match text.contains('\n') {
        true => text.lines().map(str::trim).filter(is_said).collect::<Vec<_>>().join(" ").trim().to_owned(),
        false => text,
    }
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

/// The error of one call that was answered. Where the service's own words are missing, something in between gave the answer: that a thing
/// is not there, not known or nobody's to see only the service can say.
pub(crate) fn from_answer(call: CallContext<'_>, refused: &ServiceError) -> Error {
    if refused.code.is_none() && [403, 404, 501].contains(&refused.status) {
        return unreadable(call).with_response(Some(refused.status), None, refused.request_id.as_deref());
    }
    let code = refused.code.as_deref().unwrap_or_default();
    let message = refused.message.as_deref().unwrap_or_default();
    let (kind, retry) = classify(refused.status, code, message);
    let retry = retry.after(refused.retry_after);
    let status = Some(refused.status).filter(|status| *status > 0);
    let error = Error::new(kind, call.text).with_operation(call.operation).with_retry(retry).with_response(
        status,
        refused.code.as_deref(),
        refused.request_id.as_deref(),
    );
    let error = if message.is_empty() { error } else { error.with_message(message) };
    match hint(kind, code, call.operation) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
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

/// What to do about it.
fn hint(kind: ErrorKind, code: &str, operation: &str) -> Option<String> {
    let known = what_to_name(code).or_else(|| what_keeps_it(code));
    let needed: Vec<_> = permissions::of(operation).iter().map(|permission| format!("`{permission}`")).collect();
    // The role, since most have it so; the rights, for who makes one.
    let of_data = (code == "AuthorizationPermissionMismatch").then(|| {
        let service = if operation.contains("/queueServices/") { "Queue" } else { "Blob" };
        format!(
            "give this identity the role Storage {service} Data Contributor on the account, or {}, then run the same command again",
            needed.join(" and ")
        )
    });
    // Resource Manager knows no keys.
    let of_key = (code == "AuthenticationFailed" && is_on_data(operation)).then(|| KEY_NOT_TAKEN.to_owned());
    known.map(str::to_owned).or(of_data).or(of_key).or_else(|| match kind {
        ErrorKind::Unauthenticated => Some("renew the credentials (`az login`, or a new client secret)".to_owned()),
        ErrorKind::PermissionDenied => {
            let needed = if needed.is_empty() { format!("`{operation}`") } else { needed.join(" and ") };
            Some(format!("grant {needed} to the identity in use, then run the same command again"))
        }
        _ => None,
    })
}

/// Whether an operation is one of blobs or messages.
fn is_on_data(operation: &str) -> bool {
    ["/containers/blobs/", "/queues/messages/"].iter().any(|part| operation.contains(part))
}

/// What to do where a signature with the account's key is refused.
const KEY_NOT_TAKEN: &str = "if the account's keys were renewed just now, run the same command again; a clock of this machine that is \
                             wrong by more than 15 minutes does it too";

/// What to do where the plan file or the subscription names something that cannot be.
fn what_to_name(code: &str) -> Option<&'static str> {
    Some(match code {
        "StorageAccountAlreadyTaken" | "StorageAccountAlreadyExists" | "AccountAlreadyExists" => {
            "storage account names are shared by all of Azure: choose another `name` under [azure.account]"
        }
        "StorageAccountInAnotherResourceGroup" => {
            "the account exists in another group: name that group under [azure], with `create = false` under \
             [azure.account]"
        }
        "SubscriptionNotFound" => {
            "these credentials see no such subscription: correct `subscription` under [azure], or log in to its tenant \
             (`az login --tenant ...`)"
        }
        "MissingSubscriptionRegistration" | "MissingRegistrationForResourceProvider" | "SubscriptionNotRegistered" => {
            "a resource provider is not registered in this subscription: `az provider register --namespace ...` with the \
             namespace that is named above, then run the same command again"
        }
        "PrincipalNotFound" => {
            "the directory does not show whom [azure.access] names: is it the object id (not the client id), of this tenant? A new \
             identity can take minutes to be seen: run the same command again"
        }
        NOT_OF_THIS_KIND => {
            "an account of its kind has no such service: name one of kind StorageV2 under [azure.account]"
        }
        "UnmatchedPrincipalType" | "PrincipalTypeNotSupported" => {
            "`principal_id` is of another type: write `principal_type = \"User\"` (or \"Group\", \"ServicePrincipal\") under \
             [azure.access]; an application is named by the object id of its service principal"
        }
        _ => return None,
    })
}

/// What to do where something or somebody keeps us from it.
fn what_keeps_it(code: &str) -> Option<&'static str> {
    Some(match code {
        "ScopeLocked" => {
            "a lock keeps it: `az lock list` shows it; remove the lock if it is yours to remove, then run the same \
             command again"
        }
        "KeyBasedAuthenticationNotPermitted" => {
            "shared keys are disabled on this account: give this identity the role Storage Blob Data Contributor on it"
        }
        "AuthorizationFailure" => "the account's firewall may refuse this machine: run from a network that it lets in",
        "LeaseIdMissing" | "LeaseIdMismatchWithBlobOperation" | "LeaseIdMismatchWithContainerOperation" => {
            "somebody holds a lease on it: break the lease (`az storage blob lease break`, or `az storage container lease \
             break`), then run the same command again"
        }
        "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold" | "ContainerProtectedFromDeletion" => {
            "an immutability policy or a legal hold keeps it: remove that, or wait until it ends, then run the same command \
             again"
        }
        "DirectoryIsNotEmpty" => {
            "an account with a hierarchical namespace keeps directories: empty it with `az storage fs directory delete`, then \
             run the same command again"
        }
        "ReadOnlyDisabledSubscription" => {
            "the subscription is disabled and can only be read: enable it in the portal (usually its billing), then run the \
             same command again"
        }
        "DenyAssignmentAuthorizationFailed" => {
            "a deny assignment forbids it (of a managed application or a deployment stack): no role helps; ask its owner"
        }
        "RequestDisallowedByPolicy" => "an Azure policy forbids it; its name is in the message above",
        _ => return None,
    })
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
    use super::*;

    fn refused(status: u16, body: &str) -> Error {
        let mut refused = ServiceError { status, ..ServiceError::default() };
        refused.read(body.as_bytes());
        from_answer(CallContext { operation: "Microsoft.Storage/storageAccounts/write", text: "create it" }, &refused)
    }

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

    /// What keeps a blob does not pass by itself.
    #[test]
    fn what_holds_a_blob_is_final_and_says_what_to_do() {
        for (status, code, hint) in [
            (412, "LeaseIdMissing", "lease break"),
            (409, "BlobImmutableDueToPolicy", "legal hold"),
            (409, "DirectoryIsNotEmpty", "hierarchical namespace"),
            (400, "UnmatchedPrincipalType", "principal_type"),
            (403, "DenyAssignmentAuthorizationFailed", "deny assignment"),
        ] {
            let error = refused(status, &format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#));
            assert_eq!(*error.retry(), RetryClass::Final, "{code}");
            assert!(error.hint().unwrap().contains(hint), "{code}");
        }
    }

    /// As recorded of a queue that is not there.
    #[test]
    fn message_is_told_without_its_request() {
        let body = "{\"error\":{\"code\":\"QueueNotFound\",\"message\":\"The specified queue does not exist.\\n\
                    RequestId:f8efb37f-7003-0060-3adc-b23bce000000\\nTime:2022-08-18T08:29:25.0012989Z\"}}";
        assert_eq!(refused(404, body).message(), Some("The specified queue does not exist."));
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

    /// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting>
    #[test]
    fn denied_call_names_its_permission() {
        let body = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'x' does not have authorization"}}"#;
        let error = refused(403, body);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.hint().unwrap().contains("`Microsoft.Storage/storageAccounts/write`"));
    }

    /// <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>
    #[test]
    fn storage_answers_in_xml() {
        let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>KeyBasedAuthenticationNotPermitted</Code>\
                    <Message>Key based authentication is not permitted on this storage account.\nRequestId:1\n</Message></Error>";
        let error = refused(403, body);
        assert_eq!(error.code(), Some("KeyBasedAuthenticationNotPermitted"));
        assert_eq!(error.message(), Some("Key based authentication is not permitted on this storage account."));
        assert!(error.hint().unwrap().contains("shared keys are disabled"));
    }

    #[test]
    fn refusal_without_the_services_words_says_nothing() {
        for status in [403, 404, 501] {
            let error = refused(status, "<html><body>Not here</body></html>");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unexpected, None), "{error:?}");
            assert!(!error.hint().unwrap_or_default().contains("grant"), "{error:?}");
        }
    }

    #[test]
    fn key_that_is_not_taken_is_told_from_credentials_that_are_not() {
        let hint = |operation: &str| {
            let refused =
                ServiceError { status: 403, code: Some("AuthenticationFailed".to_owned()), ..ServiceError::default() };
            from_answer(CallContext { operation, text: "do it" }, &refused).hint().unwrap_or_default().to_owned()
        };
        assert!(hint("Microsoft.Storage/storageAccounts/queueServices/queues/messages/read").contains("renewed"));
        assert!(hint("Microsoft.Storage/storageAccounts/read").contains("az login"));
    }

    #[test]
    fn absent_is_told_from_a_subscription_that_nobody_sees() {
        let gone = refused(404, r#"{"error":{"code":"ResourceGroupNotFound","message":"gone"}}"#);
        assert!(absent::<()>(Err(gone)).unwrap().is_none());
        let other = refused(404, r#"{"error":{"code":"SubscriptionNotFound","message":"none"}}"#);
        absent::<()>(Err(other)).unwrap_err();
    }
}

//! The error of one answer: what the service said, with what to do about its code.

use std::time::Duration;

use provision_core::{Error, ErrorKind};
use serde_json::Value;

use super::{CallContext, NOT_OF_THIS_KIND, classify, unreadable};
use crate::permissions;

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

#[cfg(test)]
pub(super) mod tests {
    use provision_core::RetryClass;

    use super::*;

    pub(in crate::error) fn refused(status: u16, body: &str) -> Error {
        let mut refused = ServiceError { status, ..ServiceError::default() };
        refused.read(body.as_bytes());
        from_answer(CallContext { operation: "Microsoft.Storage/storageAccounts/write", text: "create it" }, &refused)
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
}

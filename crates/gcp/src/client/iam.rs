//! Calls of IAM <https://cloud.google.com/iam/docs/reference/rest>, and the policies that every service has.

use data_encoding::BASE64;
use provision_core::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::expected::parsed;
use crate::client::json::path_of;
use crate::client::{POLICY_VERSION, Reader, Writer};
use crate::error::{Call, conditional};
use crate::names::account_name;

/// Who has which roles <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>. What others have in it that is not known here is
/// written as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) version: i32,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) etag: String,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// Who has one role, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Binding {
    pub(crate) role: String,
    pub(crate) members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<Value>,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

impl Binding {
    /// Without a condition.
    pub(crate) fn new<T: Into<String>>(role: &str, members: impl IntoIterator<Item = T>) -> Self {
        let members = members.into_iter().map(Into::into).collect();
        Self { role: role.to_owned(), members, ..Self::default() }
    }
}

impl Policy {
    /// "All responses include an etag" <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>: without one, what is written
    /// over it would be written over whatever others write meanwhile.
    pub(super) fn of(answer: Value) -> Result<Self, String> {
        let policy: Self = parsed(answer)?;
        if policy.etag.is_empty() { Err("it is not what was asked for".to_owned()) } else { Ok(policy) }
    }
}

/// The path at which the policy of a full name is read.
pub(super) fn policy_path(name: &str) -> String {
    format!("{}:getIamPolicy?options.requestedPolicyVersion={POLICY_VERSION}", path_of(name))
}

/// The call that writes the policy of a full name.
pub(super) fn set_policy(operation: &'static str, name: &str, policy: &Policy, tried: String) -> Call {
    Call::new("POST", operation, format!("{}:setIamPolicy", path_of(name)), tried)
        .with_body(json!({ "policy": policy }))
}

/// The signature of an answer.
fn signature(answer: Value) -> Result<Vec<u8>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Signed {
        signed_blob: String,
    }
    let signed: Signed = parsed(answer)?;
    match BASE64.decode(signed.signed_blob.as_bytes()) {
        Ok(signature) if !signature.is_empty() => Ok(signature),
        _ => Err("it is no signature".to_owned()),
    }
}

impl Reader {
    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy>
    pub(crate) async fn get_account_policy(&self, email: &str) -> Result<Policy, Error> {
        let path = policy_path(&account_name(email));
        let tried = format!("read the policy of service account `{email}`");
        let call = Call::new("POST", "iam.serviceAccounts.getIamPolicy", path, tried);
        self.clients.send(&self.clients.iam, &call, Policy::of).await
    }
}

impl Writer {
    /// What an account's key makes of these bytes
    /// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob>. "The `-` wildcard
    /// character is required; replacing it with a project ID is invalid".
    pub(crate) async fn sign_blob(&self, email: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let path = format!("{}:signBlob", path_of(&format!("projects/-/serviceAccounts/{email}")));
        let tried = format!("sign as service account `{email}`");
        let call = Call::new("POST", "iam.serviceAccounts.signBlob", path, tried)
            .with_body(json!({ "payload": BASE64.encode(bytes) }));
        self.clients().send(&self.clients().signing, &call, signature).await
    }

    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/setIamPolicy>
    pub(crate) async fn set_account_policy(&self, email: &str, policy: &Policy) -> Result<(), Error> {
        let tried = format!("write the policy of service account `{email}`");
        let call = set_policy("iam.serviceAccounts.setIamPolicy", &account_name(email), policy, tried);
        conditional(self.clients().send(&self.clients().iam, &call, Policy::of).await).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_an_etag() {
        let read = |answer: Value| Policy::of(answer).is_ok();
        assert!(read(json!({"etag": "ACAB"})));
        assert!(!read(json!({})) && !read(json!({"bindings": []})) && !read(json!({"error": "sign in"})));
    }

    #[test]
    fn a_signature_is_one() {
        assert_eq!(signature(json!({"keyId": "k", "signedBlob": "AQI="})), Ok(vec![1, 2]));
        for other in [json!({}), json!({"signedBlob": ""}), json!({"signedBlob": "<"}), json!({"error": "sign in"})] {
            assert!(signature(other.clone()).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_policy_is_written_as_it_was_read() {
        let condition = json!({"title": "t", "expression": "true", "newer": 1});
        let binding = json!({"role": "r", "members": ["user:a@b.c"], "condition": condition, "newer": "x"});
        let policy = json!({"version": 3, "etag": "ACAB", "bindings": [binding], "auditConfigs": [{"service": "all"}]});
        assert_eq!(json!(Policy::of(policy.clone()).unwrap()), policy);
    }
}

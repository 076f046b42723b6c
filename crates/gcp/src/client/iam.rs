//! Calls of IAM <https://cloud.google.com/iam/docs/reference/rest>, and the policies that every service has.

use google_cloud_iam_v1::model::SetIamPolicyRequest;
pub(crate) use google_cloud_iam_v1::model::{Binding, Policy};
use provision_core::Error;

use crate::client::{Reader, Writer, policy_request};
use crate::error::{Call, conditional};
use crate::names::account_name;

impl Reader {
    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy>
    pub(crate) async fn get_account_policy(&self, email: &str) -> Result<Policy, Error> {
        let name = account_name(email);
        let tried = format!("read the policy of service account `{email}`");
        let call = Call::rest("POST", "iam.serviceAccounts.getIamPolicy", &name, tried);
        let send = |request| self.clients.iam.get_iam_policy().with_request(request).send();
        self.clients.send(&call, policy_request(&name), send).await
    }
}

impl Writer {
    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/setIamPolicy>
    pub(crate) async fn set_account_policy(&self, email: &str, policy: &Policy) -> Result<(), Error> {
        let name = account_name(email);
        let tried = format!("write the policy of service account `{email}`");
        let call = Call::rest("POST", "iam.serviceAccounts.setIamPolicy", &name, tried);
        let request = SetIamPolicyRequest::new().set_resource(&name).set_policy(policy.clone());
        let send = |request| self.clients().iam.set_iam_policy().with_request(request).send();
        conditional(self.clients().send(&call, request, send).await).map(|_| ())
    }
}

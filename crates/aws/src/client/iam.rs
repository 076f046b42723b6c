//! Calls of IAM <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult};
use provision_core::Error;

use crate::client::{Reader, Writer};
use crate::error::{absent, unreadable};

impl Reader {
    /// The document, decoded: IAM gives it URL-encoded. The error tells a missing role from a missing policy
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>.
    pub(crate) async fn get_role_policy(&self, role: &str, policy: &str) -> Result<String, Error> {
        let request = || self.clients.iam.get_role_policy().role_name(role).policy_name(policy);
        let answer = send!("iam:GetRolePolicy", format!("read policy `{policy}` of role `{role}`"), request())?;
        let document = answer.policy_document();
        Ok(percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned())
    }

    /// The ARN of a role, which has its path <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>.
    pub(crate) async fn get_role(&self, name: &str) -> Result<String, Error> {
        let (operation, tried) = ("iam:GetRole", format!("look up role `{name}`"));
        let answer = send!("iam:GetRole", tried.clone(), self.clients.iam.get_role().role_name(name))?;
        let arn = answer.role.map(|role| role.arn).filter(|arn| arn.ends_with(&format!("/{name}")));
        arn.ok_or_else(|| unreadable(operation, &tried))
    }

    /// What the policies of a user or role say of these actions on one resource, whose calls have these condition keys
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>.
    pub(crate) async fn check_principal_policy(
        &self,
        principal: &str,
        actions: &[&str],
        resource: &str,
        context: &[(&str, &str)],
    ) -> Result<Vec<EvaluationResult>, Error> {
        let entry = |(key, value): &(&str, &str)| {
            let entry = ContextEntry::builder().context_key_name(*key).context_key_values(*value);
            entry.context_key_type(ContextKeyTypeEnum::String).build()
        };
        let request = || {
            let request = self.clients.iam.simulate_principal_policy().policy_source_arn(principal);
            let request =
                request.resource_arns(resource).set_context_entries(Some(context.iter().map(entry).collect()));
            request.set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
        };
        let tried = format!("ask what `{principal}` may do");
        let answer = send!("iam:SimulatePrincipalPolicy", tried, request())?;
        Ok(answer.evaluation_results.unwrap_or_default())
    }
}

impl Writer {
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
    pub(crate) async fn put_role_policy(&self, role: &str, policy: &str, document: &str) -> Result<(), Error> {
        let request = || {
            let request = self.clients().iam.put_role_policy().role_name(role).policy_name(policy);
            request.policy_document(document)
        };
        send!("iam:PutRolePolicy", format!("write policy `{policy}` of role `{role}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>
    pub(crate) async fn delete_role_policy(&self, role: &str, policy: &str) -> Result<(), Error> {
        let request = || self.clients().iam.delete_role_policy().role_name(role).policy_name(policy);
        let answer = send!("iam:DeleteRolePolicy", format!("delete policy `{policy}` of role `{role}`"), request());
        absent(answer, &["NoSuchEntity"]).map(|_| ())
    }
}

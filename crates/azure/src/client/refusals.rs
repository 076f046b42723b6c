//! What no role helps against: deny assignments, and policies, of which Microsoft.PolicyInsights knows.

use provision_core::Error;
use serde::Deserialize;
use serde_json::{Value, json};

use super::models::Permission;
use super::{Method, Reader};
use crate::names::last;

/// <https://learn.microsoft.com/rest/api/authorization/deny-assignments>
const VERSION: &str = "2022-04-01";

/// <https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions>
const POLICY: &str = "2022-03-01";

/// <https://learn.microsoft.com/rest/api/authorization/deny-assignments/list#denyassignment>
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DenyAssignment {
    pub(crate) name: String,
    pub(crate) properties: DenyAssignmentProperties,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DenyAssignmentProperties {
    pub(crate) deny_assignment_name: Option<String>,
    /// What is denied.
    pub(crate) permissions: Vec<Permission>,
    pub(crate) scope: String,
    pub(crate) do_not_apply_to_child_scopes: bool,
    pub(crate) principals: Vec<Principal>,
    pub(crate) exclude_principals: Vec<Principal>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Principal {
    pub(crate) id: String,
    /// `User`, `Group`, `ServicePrincipal`, or `SystemDefined`, which is everybody.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// What policies say of a resource that may be made
/// <https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions/check-at-resource-group-scope#checkrestrictionsresult>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restrictions {
    content_evaluation_result: ContentEvaluation,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContentEvaluation {
    policy_evaluations: Vec<PolicyEvaluation>,
}

/// What one policy says of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PolicyEvaluation {
    policy_info: PolicyInfo,
    evaluation_result: String,
    effect_details: EffectDetails,
    evaluation_details: Option<EvaluationDetails>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicyInfo {
    policy_assignment_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EffectDetails {
    policy_effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct EvaluationDetails {
    reason: Option<String>,
}

impl PolicyEvaluation {
    /// Whether the resource would be refused.
    pub(crate) fn denies(&self) -> bool {
        self.effect_details.policy_effect.eq_ignore_ascii_case("deny")
            && self.evaluation_result.eq_ignore_ascii_case("NonCompliant")
    }

    /// The id of its assignment.
    pub(crate) fn assignment(&self) -> &str {
        &self.policy_info.policy_assignment_id
    }

    /// Why, where that is told.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.evaluation_details.as_ref()?.reason.as_deref()
    }
}

impl Reader {
    /// What is denied at a scope, above and below it, whatever the roles
    /// <https://learn.microsoft.com/rest/api/authorization/deny-assignments/list-for-scope>.
    pub(crate) async fn list_deny_assignments(&self, scope: &str) -> Result<Option<Vec<DenyAssignment>>, Error> {
        let text = format!("list the deny assignments on `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/denyAssignments"), VERSION, &text).await
    }

    /// What policies say of a resource of this type and content, in a resource group
    /// (<https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions/check-at-resource-group-scope>) or in a subscription
    /// (<https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions/check-at-subscription-scope>).
    pub(crate) async fn check_policy_restrictions(
        &self,
        scope: &str,
        content: &Value,
    ) -> Result<Vec<PolicyEvaluation>, Error> {
        let url = self.url(&format!("{scope}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"), POLICY)?;
        let body = json!({"resourceDetails": {"resourceContent": content}});
        let text = format!("ask what policies forbid in `{}`", last(scope));
        let member = "contentEvaluationResult";
        let answer: Restrictions = self.document(Method::Post, &url, Some(&body), &text, member).await?;
        Ok(answer.content_evaluation_result.policy_evaluations)
    }
}

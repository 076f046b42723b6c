//! Azure Policy: which of the subscription's policies would refuse what is to be made
//! (<https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions>).

use std::sync::OnceLock;

use provision_core::change_set::ChangeSet;
use provision_core::refusal::Refusal;
use serde_json::{Value, json};

use crate::client::Reader;
use crate::client::refusals::PolicyEvaluation;
use crate::config::Settings;
use crate::names::{Names, Part, last};
use crate::resources::account;

/// What would be refused, as far as it could be asked.
#[derive(Debug, Default)]
pub(super) struct Policies {
    of_group: OnceLock<Vec<PolicyEvaluation>>,
    of_account: OnceLock<Vec<PolicyEvaluation>>,
}

impl Policies {
    /// Ask about what the plan file asks to create, beside the look that tells whether it is there; of a group that may not be there yet,
    /// the subscription knows.
    pub(super) async fn ask(&self, reader: &Reader, settings: &Settings, names: &Names) {
        let azure = &settings.azure;
        let account = azure.account.create.then(|| account::planned(settings).ok()).flatten();
        let account = account.map(|content| of_type(content, "Microsoft.Storage/storageAccounts", &names.account));
        let group = json!({"location": settings.location(), "tags": settings.tags()});
        let group = of_type(group, "Microsoft.Resources/subscriptions/resourceGroups", &names.group);
        let makes_group = azure.resource_group.create;
        let scope = if makes_group { names.subscription.clone() } else { names.group_id() };
        futures::join!(
            check(reader, &scope, account.as_ref(), &self.of_account),
            check(reader, &scope, Some(&group).filter(|_| makes_group), &self.of_group),
        );
    }

    /// What would refuse the creations of a set.
    pub(super) fn refusals(&self, names: &Names, set: &ChangeSet) -> Vec<Refusal> {
        let (group, account) = (set.creates(&Part::ResourceGroup.address()), set.creates(&Part::Account.address()));
        let group = refusing(self.of_group.get().filter(|_| group), "resource group", &names.group);
        let account = refusing(self.of_account.get().filter(|_| account), "storage account", &names.account);
        [group, account].concat()
    }
}

fn of_type(mut content: Value, kind: &str, name: &str) -> Value {
    content["type"] = json!(kind);
    content["name"] = json!(name);
    content
}

/// Who may not ask is told by the creation.
async fn check(reader: &Reader, scope: &str, content: Option<&Value>, answer: &OnceLock<Vec<PolicyEvaluation>>) {
    let Some(content) = content else { return };
    if let Ok(found) = reader.check_policy_restrictions(scope, content).await {
        let _ = answer.set(found);
    }
}

fn refusing(found: Option<&Vec<PolicyEvaluation>>, kind: &str, name: &str) -> Vec<Refusal> {
    let denying = found.into_iter().flatten().filter(|one| one.denies());
    let refusal = |one: &PolicyEvaluation| {
        let (id, why) = (one.assignment(), one.reason().map(|why| format!(": {why}")).unwrap_or_default());
        let scope = id.split("/providers/Microsoft.Authorization/").next().unwrap_or_default();
        let assignment = last(id);
        Refusal {
            reason: format!("policy assignment `{assignment}` denies {kind} `{name}`{why}"),
            hint: format!(
                "`az policy assignment show --name {assignment} --scope {scope}` shows what it asks for: change the plan file, \
                 or ask for an exemption"
            ),
        }
    };
    denying.map(refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_audited_refuses_nothing() {
        let evaluation = |effect: &str, result: &str| -> PolicyEvaluation {
            let assignment = "/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/allowed";
            let policy = json!({"policyAssignmentId": assignment});
            let effect = json!({"policyEffect": effect});
            serde_json::from_value(json!({"policyInfo": policy, "evaluationResult": result, "effectDetails": effect}))
                .unwrap()
        };
        let found = vec![
            evaluation("Audit", "NonCompliant"),
            evaluation("Deny", "Compliant"),
            evaluation("deny", "NonCompliant"),
        ];
        let refusing = refusing(Some(&found), "storage account", "acme");
        assert_eq!(refusing.len(), 1);
        assert_eq!(refusing[0].reason, "policy assignment `allowed` denies storage account `acme`");
        assert!(refusing[0].hint.contains("--name allowed --scope /subscriptions/s`"), "{}", refusing[0].hint);
    }
}

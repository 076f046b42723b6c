//! Deny assignments, which win over every role: a managed application or a deployment stack makes them
//! (<https://learn.microsoft.com/azure/role-based-access-control/deny-assignments>).

use provision_core::refusal::Refusal;
use provision_core::rights::{Answer, Right};

use super::actions::permits;
use crate::client::models::Permission;
use crate::client::refusals::{DenyAssignment, DenyAssignmentProperties, Principal};
use crate::names::identity_of;

/// Everybody, as a principal (<https://learn.microsoft.com/azure/role-based-access-control/deny-assignments#all-principals-principal>).
const EVERYBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What denies a right that roles give; `caller` is an id in the directory. In which groups that is, nobody asks.
pub(super) fn denial(all: &[DenyAssignment], right: &Right, caller: Option<&str>) -> Option<Answer> {
    let denying = all.iter().filter(|one| is_about(&one.properties, right));
    let judged: Vec<_> = denying.filter_map(|one| Some((one, holds_for(&one.properties, right, caller)?))).collect();
    let sure = judged.iter().find(|(_, sure)| *sure);
    sure.or(judged.first()).map(|(one, sure)| answer(one, *sure))
}

fn answer(denying: &DenyAssignment, sure: bool) -> Answer {
    let DenyAssignmentProperties { deny_assignment_name, scope, .. } = &denying.properties;
    let name = deny_assignment_name.as_deref().unwrap_or(&denying.name);
    if !sure {
        return Answer::Doubtful(format!("deny assignment `{name}` may forbid it"));
    }
    Answer::Refused(Refusal {
        reason: format!("deny assignment `{name}` denies these credentials what it takes, in `{scope}`"),
        hint: "no role helps: ask the owner of the managed application or deployment stack that made it".to_owned(),
    })
}

/// Whether it names what the right lets one do, where it is.
fn is_about(denied: &DenyAssignmentProperties, right: &Right) -> bool {
    let (scope, on) = (identity_of(&denied.scope), identity_of(&right.on));
    let below = on.strip_prefix(scope.trim_end_matches('/'));
    let applies =
        below.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && !denied.do_not_apply_to_child_scopes));
    applies && denied.permissions.iter().any(|permission| permits(permission, right.name))
}

/// Whether it is about the caller for sure; `None` where it is not.
fn holds_for(denied: &DenyAssignmentProperties, right: &Right, caller: Option<&str>) -> Option<bool> {
    let is_caller = |one: &Principal| caller.is_some_and(|caller| one.id.eq_ignore_ascii_case(caller));
    let is_group = |one: &Principal| one.kind.eq_ignore_ascii_case("Group");
    if denied.exclude_principals.iter().any(is_caller) {
        return None;
    }
    let named = denied.principals.iter().any(|one| one.id == EVERYBODY || is_caller(one));
    if !named && caller.is_some() && !denied.principals.iter().any(is_group) {
        return None;
    }
    let excepts =
        denied.exclude_principals.iter().any(is_group) || (caller.is_none() && !denied.exclude_principals.is_empty());
    let of_right = |permission: &&Permission| permits(permission, right.name);
    let plainly = denied.permissions.iter().filter(of_right).any(|permission| permission.condition.is_none());
    Some(named && !excepts && plainly)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g";

    fn judged(change: impl Fn(&mut Value)) -> Option<bool> {
        let mut denying = json!({"name": "n", "properties": {
            "denyAssignmentName": "stack", "scope": GROUP, "principals": [{"id": EVERYBODY, "type": "SystemDefined"}],
            "permissions": [{"actions": ["*/write"], "notActions": []}], "excludePrincipals": [{"id": "other", "type": "User"}],
        }});
        change(&mut denying["properties"]);
        let on = format!("{}/providers/Microsoft.Storage/storageAccounts/a", GROUP.to_lowercase());
        let right = Right { name: "Microsoft.Storage/storageAccounts/write", asked_of: on.clone(), on, unless: None };
        let denying: DenyAssignment = serde_json::from_value(denying).unwrap();
        match denial(&[denying], &right, Some("me"))? {
            Answer::Refused(refusal) => Some(refusal.reason.contains("`stack`")),
            Answer::Doubtful(_) => Some(false),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn denial_is_sure_where_it_names_the_caller_and_excepts_no_group() {
        assert_eq!(judged(|_| ()), Some(true));
        assert_eq!(judged(|denied| denied["principals"][0]["id"] = json!("ME")), Some(true));
        assert_eq!(judged(|denied| denied["principals"] = json!([{"id": "x", "type": "Group"}])), Some(false));
        assert_eq!(judged(|denied| denied["excludePrincipals"][0]["type"] = json!("Group")), Some(false));
        assert_eq!(judged(|denied| denied["permissions"][0]["condition"] = json!("x")), Some(false));
    }

    #[test]
    fn denial_of_others_elsewhere_or_of_something_else_is_none() {
        assert_eq!(judged(|denied| denied["excludePrincipals"][0]["id"] = json!("me")), None);
        assert_eq!(judged(|denied| denied["principals"][0]["id"] = json!("other")), None);
        assert_eq!(judged(|denied| denied["scope"] = json!("/subscriptions/s/resourceGroups/g2")), None);
        assert_eq!(judged(|denied| denied["doNotApplyToChildScopes"] = json!(true)), None);
        assert_eq!(judged(|denied| denied["permissions"][0]["notActions"] = json!(["Microsoft.Storage/*"])), None);
    }
}

//! What a principal may do: one that a role was attached to what that says, where that is assigned, one that was seeded what the roles
//! let it that are assigned to it, and nothing else
//! <https://learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource>.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::azure::authorization;
use crate::azure::call::Call;
use crate::azure::refusal::Refusal;
use crate::azure::target::{Kind, Shape, Target};
use crate::identities::Identities;
use crate::sandbox::EmulatorKind;
use crate::state::Transaction;

/// The application of the identity that a role was attached to, and its principal.
pub(super) const CLIENT: &str = "5a4db0c5-0000-4000-8000-0000000000dd";

/// The letter for asking for a user's key, which no signature has.
pub(super) const USER_KEY: char = 'k';

/// A custom role <https://learn.microsoft.com/azure/role-based-access-control/role-definitions#role-definition>.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Role {
    #[serde(rename = "Name")]
    _name: String,
    #[serde(rename = "IsCustom", default)]
    _is_custom: bool,
    #[serde(rename = "Description", default)]
    _description: String,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
    #[serde(default)]
    data_actions: Vec<String>,
    #[serde(default)]
    not_data_actions: Vec<String>,
    assignable_scopes: Vec<String>,
}

/// A role as it is attached to an identity.
pub(crate) fn check(document: &str) -> Result<(), String> {
    let role: Role = serde_json::from_str(document).map_err(|error| error.to_string())?;
    let wrong = role.assignable_scopes.iter().find(|scope| !scope.starts_with("/subscriptions/"));
    match wrong {
        Some(scope) => Err(format!("`{scope}` is no subscription and no resource group")),
        None if role.assignable_scopes.is_empty() => {
            Err("a role without assignable scopes is assigned nowhere".to_owned())
        }
        None => Ok(()),
    }
}

/// Whether only those are let in whom somebody made: once a role was attached to one.
pub(super) fn is_strict(call: &Call<'_>) -> bool {
    call.identities.document(EmulatorKind::Azure).is_some()
}

/// The role that a principal was attached; `None` for those that may do everything.
fn of_principal(identities: &Identities, principal: &str) -> Option<Arc<str>> {
    (principal == CLIENT).then(|| identities.document(EmulatorKind::Azure)).flatten()
}

impl Role {
    /// A built-in one that is assigned at a scope.
    pub(super) fn assigned(actions: &[&str], not_actions: &[&str], data_actions: Vec<String>, scope: &str) -> Self {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Self {
            _name: String::new(),
            _is_custom: false,
            _description: String::new(),
            actions: texts(actions),
            not_actions: texts(not_actions),
            data_actions,
            not_data_actions: Vec::new(),
            assignable_scopes: vec![scope.to_owned()],
        }
    }

    fn permits(&self, action: &str, scope: &str, data: bool) -> bool {
        let (actions, others) =
            if data { (&self.data_actions, &self.not_data_actions) } else { (&self.actions, &self.not_actions) };
        let named = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        self.reaches(scope) && named(actions) && !named(others)
    }

    /// Whether it is assigned at a scope or above.
    fn reaches(&self, scope: &str) -> bool {
        let scope = format!("{}/", scope.to_ascii_lowercase());
        self.assignable_scopes.iter().any(|own| scope.starts_with(&format!("{}/", own.to_ascii_lowercase())))
    }
}

/// Letters have no case; a star stands for any text.
pub(super) fn matches(pattern: &str, action: &str) -> bool {
    crate::aws::matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// Let a request to Resource Manager pass, or not.
pub(super) fn permit(
    state: &Transaction<'_>,
    call: &Call<'_>,
    principal: &str,
    target: &Target,
) -> Result<(), Refusal> {
    let roles = match of_principal(call.identities, principal) {
        Some(document) => vec![attached(&document)?],
        None if authorization::is_judged(state, principal) => authorization::roles_of(state, call, principal)?,
        None => return Ok(()),
    };
    // How far something is that was begun, who began it may ask; who has any role sees the subscription.
    let Some(action) = action(call.method(), target) else { return Ok(()) };
    call.identities.ask(&format!("{action} {}", target.id));
    let permits = |action: &str, scope: &str| roles.iter().any(|role| role.permits(action, scope, false));
    if permits(&action, &target.id) {
        return linked(call, principal, target, &permits, &action);
    }
    let message = format!(
        "The client '{principal}' with object id '{principal}' does not have authorization to perform action '{action}' over scope \
         '{}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        target.id
    );
    Err(Refusal::new(403, "AuthorizationFailed", message))
}

/// Who lets events go to a queue must be able to write where that is: "you need write access to that resource"
/// <https://learn.microsoft.com/azure/event-grid/security-authorization#permissions-for-event-subscriptions>. A request names the account.
fn linked(
    call: &Call<'_>,
    principal: &str,
    target: &Target,
    permits: &dyn Fn(&str, &str) -> bool,
    action: &str,
) -> Result<(), Refusal> {
    const WRITE: &str = "Microsoft.Storage/storageAccounts/write";
    let sends = [Kind::EventSubscriptions, Kind::SystemTopicEventSubscriptions].contains(&target.kind);
    let Some(account) = Some(call).filter(|_| sends).and_then(destination) else { return Ok(()) };
    call.identities.ask(&format!("{WRITE} {account}"));
    if permits(WRITE, &account) {
        return Ok(());
    }
    let message = format!(
        "The client '{principal}' with object id '{principal}' has permission to perform action '{action}' on scope '{}'; however, it \
         does not have permission to perform action(s) 'Microsoft.Storage/storageAccounts/write' on the linked scope(s) '{account}' \
         (respectively) or the linked scope(s) are invalid.",
        target.id
    );
    Err(Refusal::new(403, "LinkedAuthorizationFailed", message))
}

/// The account that a request lets events go to.
fn destination(call: &Call<'_>) -> Option<String> {
    let body: serde_json::Value = call.document().ok()?;
    let of = |place: &str| body.pointer(&format!("/properties/{place}destination/properties/resourceId"));
    let account = of("").or_else(|| of("deliveryWithResourceIdentity/"))?;
    account.as_str().map(str::to_owned)
}

/// What a principal's roles let it do at a scope
/// <https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource#permission>.
pub(super) fn permissions(
    state: &Transaction<'_>,
    call: &Call<'_>,
    principal: &str,
    scope: &str,
) -> Result<Value, Refusal> {
    let mut roles = match of_principal(call.identities, principal) {
        Some(document) => vec![attached(&document)?],
        None => authorization::roles_of(state, call, principal)?,
    };
    // The administrator owns everything, which lets nobody at data.
    if of_principal(call.identities, principal).is_none() && !authorization::is_judged(state, principal) {
        roles.push(Role::assigned(&["*"], &[], Vec::new(), "/subscriptions"));
    }
    let permission = |role: &Role| {
        json!({"actions": role.actions, "notActions": role.not_actions, "dataActions": role.data_actions,
            "notDataActions": role.not_data_actions})
    };
    Ok(roles.iter().filter(|role| role.reaches(scope)).map(permission).collect())
}

fn attached(document: &str) -> Result<Role, Refusal> {
    serde_json::from_str(document).map_err(|error| Refusal::bad_request("InvalidRole", error.to_string()))
}

/// Whether an identity's role lets it do something to data; `None` where roles are assigned to the principal itself.
pub(super) fn permits_data(call: &Call<'_>, principal: &str, queue: bool, permission: char, id: &str) -> Option<bool> {
    let document = of_principal(call.identities, principal)?;
    let role: Role = serde_json::from_str(&document).ok()?;
    // A user's key is given by a right of Resource Manager's own.
    let data = permission != USER_KEY;
    let action = data_action(queue, permission);
    call.identities.ask(&format!("{action} {id}"));
    Some(role.permits(&action, id, data))
}

/// What a request is called among the actions
/// <https://learn.microsoft.com/azure/role-based-access-control/permissions/storage#microsoftstorage>; `None` where nothing is needed.
pub(super) fn action(method: &Method, target: &Target) -> Option<String> {
    let verb = match *method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ => "write",
    };
    let kind = match &target.kind {
        Kind::Operations => return None,
        Kind::Subscriptions => return None,
        Kind::Providers => match &target.shape {
            Shape::Action(action) => return Some(format!("{}/{action}/action", target.name(0))),
            _ => "Microsoft.Resources/subscriptions/providers",
        },
        Kind::ResourceGroups => "Microsoft.Resources/subscriptions/resourceGroups",
        Kind::Resources if target.group.is_some() => "Microsoft.Resources/subscriptions/resourceGroups/resources",
        Kind::Resources => "Microsoft.Resources/subscriptions/resources",
        Kind::StorageAccounts => match &target.shape {
            Shape::Action(action) if action.eq_ignore_ascii_case("checkNameAvailability") => {
                return Some("Microsoft.Storage/checkNameAvailability/read".to_owned());
            }
            Shape::Action(action) => return Some(format!("Microsoft.Storage/storageAccounts/{action}/action")),
            _ => "Microsoft.Storage/storageAccounts",
        },
        Kind::BlobServices => "Microsoft.Storage/storageAccounts/blobServices",
        Kind::Containers => "Microsoft.Storage/storageAccounts/blobServices/containers",
        Kind::QueueServices => "Microsoft.Storage/storageAccounts/queueServices",
        Kind::Queues => "Microsoft.Storage/storageAccounts/queueServices/queues",
        Kind::FileServices => "Microsoft.Storage/storageAccounts/fileServices",
        Kind::Shares => "Microsoft.Storage/storageAccounts/fileServices/shares",
        Kind::TableServices => "Microsoft.Storage/storageAccounts/tableServices",
        Kind::Tables => "Microsoft.Storage/storageAccounts/tableServices/tables",
        Kind::SystemTopics => "Microsoft.EventGrid/systemTopics",
        Kind::SystemTopicEventSubscriptions => "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        Kind::EventSubscriptions => "Microsoft.EventGrid/eventSubscriptions",
        Kind::RoleAssignments => "Microsoft.Authorization/roleAssignments",
        Kind::RoleDefinitions => "Microsoft.Authorization/roleDefinitions",
        Kind::Permissions => "Microsoft.Authorization/permissions",
        Kind::DenyAssignments => "Microsoft.Authorization/denyAssignments",
        Kind::PolicyAssignments => "Microsoft.Authorization/policyAssignments",
        Kind::PolicyRestrictions => return Some("Microsoft.PolicyInsights/checkPolicyRestrictions/read".to_owned()),
        Kind::Locks => "Microsoft.Authorization/locks",
        Kind::Other(name) => name,
    };
    Some(format!("{kind}/{verb}"))
}

/// Rights on data, by the letter of a shared access signature
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>.
pub(super) fn data_action(queue: bool, permission: char) -> String {
    let blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    let messages = "Microsoft.Storage/storageAccounts/queueServices/queues/messages";
    match (queue, permission) {
        (false, 'r' | 'l') => format!("{blobs}/read"),
        (false, 'd') => format!("{blobs}/delete"),
        (false, USER_KEY) => {
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action".to_owned()
        }
        (false, 'x') => format!("{blobs}/deleteBlobVersion/action"),
        (false, _) => format!("{blobs}/write"),
        (true, 'r' | 'l') => format!("{messages}/read"),
        (true, 'd') => format!("{messages}/delete"),
        (true, 'a') => format!("{messages}/add/action"),
        (true, 'p') => format!("{messages}/process/action"),
        (true, _) => format!("{messages}/write"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a";

    fn role(actions: &str) -> Role {
        serde_json::from_str(&format!(
            r#"{{"Name": "r", {actions}, "AssignableScopes": ["/subscriptions/s/resourceGroups/G"]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn role_is_what_it_has_without_what_it_has_not_where_it_is_assigned() {
        let role =
            role(r#""Actions": ["Microsoft.Storage/*"], "NotActions": ["*/delete"], "DataActions": ["*/blobs/read"]"#);
        let write = "Microsoft.Storage/storageAccounts/write";
        assert!(role.permits(write, ACCOUNT, false) && role.permits("microsoft.storage/x/READ", ACCOUNT, false));
        assert!(!role.permits("Microsoft.Storage/storageAccounts/delete", ACCOUNT, false));
        assert!(!role.permits("Microsoft.EventGrid/eventSubscriptions/read", ACCOUNT, false));
        for elsewhere in
            ["/subscriptions/s", "/subscriptions/s/resourceGroups/g2", "/subscriptions/s2/resourceGroups/g"]
        {
            assert!(!role.permits(write, elsewhere, false), "{elsewhere}");
        }
        let blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
        assert!(
            role.permits(&format!("{blobs}/read"), ACCOUNT, true)
                && !role.permits(&format!("{blobs}/write"), ACCOUNT, true)
        );
    }

    #[test]
    fn document_is_a_role_that_is_assigned_somewhere() {
        let text = |scopes: &str| format!(r#"{{"Name": "r", "Actions": [], "AssignableScopes": [{scopes}]}}"#);
        assert!(check(&text("\"/subscriptions/s\"")).is_ok());
        assert!(check(&text("")).is_err() && check(&text("\"/\"")).is_err() && check("{}").is_err());
    }
}

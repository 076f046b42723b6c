//! Who may do what: role assignments <https://learn.microsoft.com/rest/api/authorization/role-assignments>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::call::{Call, empty, json, list, timestamp};
use crate::azure::late::ASSIGNMENTS;
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::{is_scope, not_served};
use crate::azure::target::{Kind, Shape, Target};
use crate::azure::{CLIENT, guid, resources, rights};
use crate::state::Transaction;

/// A role, and what it permits on data, in the letters of a shared access signature
/// <https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-permissions>; `s` is for the
/// settings of a service, `k` for a user's key.
struct Role {
    id: &'static str,
    name: &'static str,
    blob: &'static str,
    queue: &'static str,
}

const fn role(id: &'static str, name: &'static str, blob: &'static str, queue: &'static str) -> Role {
    Role { id, name, blob, queue }
}

impl Role {
    /// What it permits on Resource Manager, and what not of that, as far as the sandbox serves it
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
    fn actions(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.name {
            "Owner" => (&["*"], &[]),
            "Contributor" => (&["*"], &["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]),
            "Reader" => (&["*/read"], &[]),
            "User Access Administrator" => (&["*/read", "Microsoft.Authorization/*"], &[]),
            "Storage Account Contributor" => (ACCOUNT_CONTRIBUTOR, &[]),
            "Storage Blob Data Owner" => (&["Microsoft.Storage/storageAccounts/blobServices/containers/*"], &[]),
            "Storage Blob Data Contributor" => (CONTAINERS, &[]),
            "Storage Blob Data Reader" => (&["Microsoft.Storage/storageAccounts/blobServices/containers/read"], &[]),
            "Storage Queue Data Contributor" => (QUEUES, &[]),
            "Storage Queue Data Reader" => (&["Microsoft.Storage/storageAccounts/queueServices/queues/read"], &[]),
            "EventGrid Contributor" => (GRID_CONTRIBUTOR, &[]),
            _ => (&[], &[]),
        }
    }

    /// What it permits on data: a service's settings and a user's key are Resource Manager's.
    fn data_actions(&self) -> Vec<String> {
        let on_data = |letter: &char| !['s', rights::USER_KEY].contains(letter);
        let blobs = self.blob.chars().filter(on_data).map(|letter| rights::data_action(false, letter));
        blobs.chain(self.queue.chars().filter(on_data).map(|letter| rights::data_action(true, letter))).collect()
    }
}

const ACCOUNT_CONTRIBUTOR: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Storage/storageAccounts/*",
];
const CONTAINERS: &[&str] = &[
    "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
    "Microsoft.Storage/storageAccounts/blobServices/containers/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/write",
];
const QUEUES: &[&str] = &[
    "Microsoft.Storage/storageAccounts/queueServices/queues/delete",
    "Microsoft.Storage/storageAccounts/queueServices/queues/read",
    "Microsoft.Storage/storageAccounts/queueServices/queues/write",
];
const GRID_CONTRIBUTOR: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.EventGrid/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
];

/// Built-in roles <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
const ROLES: [Role; 14] = [
    role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", "sk", "s"),
    role("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", "sk", "s"),
    role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", "", ""),
    role("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator", "", ""),
    role("17d1049b-9a84-46fb-8f53-869881c3d3ab", "Storage Account Contributor", "sk", "s"),
    role("b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "Storage Blob Data Owner", "rlwcdxk", ""),
    role("ba92f5b4-2d11-453d-a403-e96b0029c9fe", "Storage Blob Data Contributor", "rlwcdxk", ""),
    role("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "Storage Blob Data Reader", "rlk", ""),
    role("974c5e8b-45b9-4653-ba55-5f855dd0fb88", "Storage Queue Data Contributor", "", "rlwcdaup"),
    role("19e7f393-937e-4f77-808e-94535e297925", "Storage Queue Data Reader", "", "rl"),
    role("8a0f0c08-91a1-4084-bc3d-661d67233fed", "Storage Queue Data Message Processor", "", "rp"),
    role("c6a89b2d-59bc-44d0-9896-0f6e12d7b80a", "Storage Queue Data Message Sender", "", "a"),
    role("db58b8e5-c6ad-4a2a-8342-4190687cbf4a", "Storage Blob Delegator", "k", ""),
    role("1e241071-0855-49ea-94dc-649edcd759de", "EventGrid Contributor", "", ""),
];

#[derive(Debug, Serialize, Deserialize)]
struct Assignment {
    id: String,
    name: String,
    scope: String,
    properties: Properties,
    created_ms: u64,
    effective_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Properties {
    role_definition_id: String,
    principal_id: String,
    principal_type: Option<String>,
    description: Option<String>,
    condition: Option<String>,
    condition_version: Option<String>,
    delegated_managed_identity_resource_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: Properties,
}

/// A principal of the directory.
#[derive(Debug, Serialize, Deserialize)]
struct Principal {
    /// The moment from which Authorization finds it.
    seen_from_ms: u64,
}

/// Make a principal, unless it is there.
pub(super) fn seed(state: &mut Transaction<'_>, id: &str, seen_from_ms: u64) -> Result<(), Error> {
    if state.has(&principal_key(id)) {
        return Ok(());
    }
    state.put(&principal_key(id), &Principal { seen_from_ms })
}

/// Whether there is a principal of this id.
pub(super) fn is_principal(state: &Transaction<'_>, id: &str) -> bool {
    state.has(&principal_key(id))
}

/// Whether a principal may do on Resource Manager what its roles say: one that was seeded, but for the administrator.
pub(super) fn is_judged(state: &Transaction<'_>, principal: &str) -> bool {
    principal != CLIENT && is_principal(state, principal)
}

/// The roles that are assigned to a principal, each where it is.
pub(super) fn roles_of(
    state: &Transaction<'_>,
    call: &Call<'_>,
    principal: &str,
) -> Result<Vec<rights::Role>, Refusal> {
    let mine = assignments_of(state, call, principal)?.into_iter().filter_map(|assignment| {
        let role = known(&assignment.properties.role_definition_id)?;
        let (actions, not_actions) = role.actions();
        Some(rights::Role::assigned(actions, not_actions, role.data_actions(), &assignment.scope))
    });
    Ok(mine.collect())
}

/// Its assignments that have their effect by now, wherever they are.
fn assignments_of(state: &Transaction<'_>, call: &Call<'_>, principal: &str) -> Result<Vec<Assignment>, Error> {
    let all = resources::under(state, "/subscriptions").into_iter().filter(|id| id.contains("/roleassignments/"));
    let all: Result<Vec<Assignment>, Error> =
        all.map(|id| resources::get(state, &id)).filter_map(Result::transpose).collect();
    Ok(all?.into_iter().filter(|assignment| assignment.lets(call, principal)).collect())
}

impl Assignment {
    /// Whether a principal has the role by now.
    fn lets(&self, call: &Call<'_>, principal: &str) -> bool {
        self.properties.principal_id.eq_ignore_ascii_case(principal) && self.effective_ms <= call.now_ms
    }
}

/// Give a principal the roles for blobs and queues in a subscription, as somebody did long ago.
pub(super) fn seed_data_roles(state: &mut Transaction<'_>, subscription: &str, principal: &str) -> Result<(), Error> {
    let scope = format!("/subscriptions/{subscription}");
    let wanted = ROLES
        .iter()
        .filter(|role| ["Storage Blob Data Contributor", "Storage Queue Data Contributor"].contains(&role.name));
    for role in wanted {
        // Nobody else's name has the role's in it.
        let name = role.id.to_owned();
        let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        let properties = Properties {
            role_definition_id: format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{}", role.id),
            principal_id: principal.to_owned(),
            principal_type: Some("ServicePrincipal".to_owned()),
            description: None,
            condition: None,
            condition_version: None,
            delegated_managed_identity_resource_id: None,
        };
        let assignment = Assignment { id, name, scope: scope.clone(), properties, created_ms: 0, effective_ms: 0 };
        resources::put(state, &assignment.id.clone(), &assignment)?;
    }
    Ok(())
}

/// Whether a principal may do something to the data at a resource, by a role there or above.
pub(super) fn permits(
    state: &Transaction<'_>,
    call: &Call<'_>,
    principal: &str,
    id: &str,
    queue: bool,
    permission: char,
) -> Result<bool, Error> {
    for scope in resources::lineage(id) {
        let found: Vec<Assignment> = resources::list(state, &collection(&scope))?;
        let mine = found.iter().filter(|assignment| assignment.lets(call, principal));
        let mut letters = mine.filter_map(|assignment| known(&assignment.properties.role_definition_id));
        if letters.any(|role| if queue { role.queue } else { role.blob }.contains(permission)) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if target.kind == Kind::RoleDefinitions {
        return definitions(call, target);
    }
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => all(state, call, target),
        (&Method::GET, Shape::Resource) => match resources::get::<Assignment>(state, &target.id)? {
            Some(assignment) => Ok(json(200, &body(&assignment))),
            None => {
                let message = format!("The role assignment '{}' is not found.", target.name(0));
                Err(Refusal::not_found("RoleAssignmentNotFound", message))
            }
        },
        (&Method::PUT, Shape::Resource) => put(state, call, target),
        (&Method::DELETE, Shape::Resource) => delete(state, call, target),
        _ => Err(not_served(call, target)),
    }
}

fn delete(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Some(assignment) = resources::get::<Assignment>(state, &target.id)? else { return Ok(empty(204)) };
    ASSIGNMENTS.note(state, call, &assignment.id, body(&assignment))?;
    resources::delete(state, &target.id);
    Ok(json(200, &body(&assignment)))
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    if !guid::is(target.name(0)) {
        let message =
            format!("The role assignment ID '{}' is not valid. The role assignment ID must be a GUID.", target.name(0));
        return Err(Refusal::bad_request("InvalidRoleAssignmentId", message));
    }
    if !is_scope(state, call, &target.scope)? {
        return Err(resources::not_found(&target.scope));
    }
    let Wanted { properties } = call.document()?;
    if properties.condition.is_some() || properties.delegated_managed_identity_resource_id.is_some() {
        return Err(Refusal::not_served("conditions and delegated identities of role assignments"));
    }
    exist(state, call, &properties)?;
    if let Some(found) = resources::get::<Assignment>(state, &target.id)? {
        return same(&found, &properties);
    }
    unique(state, target, &properties)?;
    let effective_ms = call.now_ms + call.delay_ms("roleAssignments", 0);
    let (id, name, scope) = (target.id.clone(), target.name(0).to_owned(), target.scope.clone());
    let assignment = Assignment { id, name, scope, properties, created_ms: call.now_ms, effective_ms };
    resources::put(state, &target.id, &assignment)?;
    Ok(json(201, &body(&assignment)))
}

/// Role and principal must exist
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails>.
fn exist(state: &Transaction<'_>, call: &Call<'_>, properties: &Properties) -> Result<(), Refusal> {
    if known(&properties.role_definition_id).is_none() {
        let id = properties.role_definition_id.rsplit('/').next().unwrap_or_default();
        let message = format!("The specified role definition with ID '{id}' does not exist.");
        return Err(Refusal::not_found("RoleDefinitionDoesNotExist", message));
    }
    let principal: Option<Principal> = state.get(&principal_key(&properties.principal_id))?;
    if principal.is_none_or(|principal| call.now_ms < principal.seen_from_ms) {
        let message = format!(
            "Principal {} does not exist in the directory. Check that you have the correct principal ID. If you are creating \
             this principal and then immediately assigning a role, this error might be related to a replication delay. In \
             this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or \
             Group. See https://aka.ms/docs-principaltype",
            properties.principal_id.replace('-', "")
        );
        return Err(Refusal::bad_request("PrincipalNotFound", message));
    }
    Ok(())
}

/// An assignment can be written again as it is, and not changed.
fn same(found: &Assignment, properties: &Properties) -> Served {
    let key = |properties: &Properties| {
        (role_id(&properties.role_definition_id), properties.principal_id.to_ascii_lowercase())
    };
    if key(&found.properties) == key(properties) {
        return Ok(json(200, &body(found)));
    }
    let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
    Err(Refusal::new(403, "RoleAssignmentUpdateNotPermitted", message))
}

/// One assignment of a role to a principal at a scope
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---the-role-assignment-already-exists>.
fn unique(state: &Transaction<'_>, target: &Target, properties: &Properties) -> Result<(), Refusal> {
    let found: Vec<Assignment> = resources::list(state, &collection(&target.scope))?;
    let twin = found.iter().find(|assignment| {
        role_id(&assignment.properties.role_definition_id) == role_id(&properties.role_definition_id)
            && assignment.properties.principal_id.eq_ignore_ascii_case(&properties.principal_id)
    });
    match twin {
        Some(twin) => {
            let id = twin.name.replace('-', "");
            let message =
                format!("The role assignment already exists. The ID of the existing role assignment is {id}.");
            Err(Refusal::conflict("RoleAssignmentExists", message))
        }
        None => Ok(()),
    }
}

/// The assignments at a scope, above it, and, unless `atScope()` is asked for, below it
/// <https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope>.
fn all(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let filter = Filter::parse(call.field("$filter").unwrap_or_default())?;
    let part = collection("");
    let mut ids: Vec<String> = Vec::new();
    for scope in resources::lineage(&target.scope) {
        let collection = collection(&scope);
        ids.extend(resources::under(state, &collection));
    }
    if !filter.at_scope {
        ids.extend(resources::under(state, &target.scope).into_iter().filter(|id| id.contains(&part)));
    }
    ids.sort_unstable();
    ids.dedup();
    let found = ids.iter().map(|id| resources::get::<Assignment>(state, id)).filter_map(Result::transpose);
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let wanted = found.iter().filter(|assignment| {
        filter.principal.as_ref().is_none_or(|id| assignment.properties.principal_id.eq_ignore_ascii_case(id))
    });
    let there = wanted.map(|assignment| (assignment.id.clone(), body(assignment)));
    let shown = ASSIGNMENTS.shown(state, call, &target.scope, there)?;
    list(shown.into_iter().map(|(_, shown)| shown).collect())
}

/// `atScope()`, `principalId eq '...'`, or both.
struct Filter {
    at_scope: bool,
    principal: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut filter = Self { at_scope: false, principal: None };
        for part in text.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            let principal = part.strip_prefix("principalId eq '").and_then(|rest| rest.strip_suffix('\''));
            match principal {
                Some(id) => filter.principal = Some(id.to_owned()),
                None if part == "atScope()" => filter.at_scope = true,
                None => return Err(Refusal::not_served(&format!("the filter {part}"))),
            }
        }
        Ok(filter)
    }
}

/// <https://learn.microsoft.com/rest/api/authorization/role-definitions>
fn definitions(call: &Call<'_>, target: &Target) -> Served {
    let filter = call.field("$filter").unwrap_or_default();
    let name = filter.strip_prefix("roleName eq '").and_then(|rest| rest.strip_suffix('\''));
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) if filter.is_empty() || name.is_some() => {
            let found = ROLES.iter().filter(|role| name.is_none_or(|name| role.name == name));
            list(found.map(|role| definition(target, role)).collect())
        }
        (&Method::GET, Shape::Resource) => match known(target.name(0)) {
            Some(role) => Ok(json(200, &definition(target, role))),
            None => {
                let message = format!("The specified role definition with ID '{}' does not exist.", target.name(0));
                Err(Refusal::not_found("RoleDefinitionDoesNotExist", message))
            }
        },
        _ => Err(not_served(call, target)),
    }
}

fn definition(target: &Target, role: &Role) -> Value {
    json!({
        "id": format!("/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{}", target.subscription, role.id),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": { "roleName": role.name, "type": "BuiltInRole", "description": "", "assignableScopes": ["/"], "permissions": [] },
    })
}

fn known(definition: &str) -> Option<&'static Role> {
    let id = role_id(definition);
    ROLES.iter().find(|role| role.id == id)
}

fn role_id(definition: &str) -> String {
    definition.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

fn collection(scope: &str) -> String {
    format!("{scope}/providers/microsoft.authorization/roleassignments")
}

fn principal_key(id: &str) -> String {
    format!("azure/principal/{}", id.to_ascii_lowercase())
}

fn body(assignment: &Assignment) -> Value {
    let properties = &assignment.properties;
    json!({
        "id": assignment.id,
        "name": assignment.name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": properties.role_definition_id,
            "principalId": properties.principal_id,
            "principalType": properties.principal_type.as_deref().unwrap_or("ServicePrincipal"),
            "scope": assignment.scope,
            "description": properties.description,
            "condition": null,
            "conditionVersion": properties.condition_version,
            "createdOn": timestamp(assignment.created_ms),
            "updatedOn": timestamp(assignment.created_ms),
            "createdBy": null,
            "updatedBy": null,
            "delegatedManagedIdentityResourceId": null,
        },
    })
}

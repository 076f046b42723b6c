//! Deny assignments, which win over roles <https://learn.microsoft.com/azure/role-based-access-control/deny-assignments>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::azure::call::{Call, json, list};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::resources;
use crate::azure::rights::{action, matches};
use crate::azure::target::{Shape, Target};
use crate::state::Transaction;

/// <https://learn.microsoft.com/azure/role-based-access-control/deny-assignments#all-principals-principal>
const EVERYBODY: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Debug, Serialize, Deserialize)]
struct Denial {
    id: String,
    name: String,
    scope: String,
    properties: Properties,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Properties {
    deny_assignment_name: String,
    permissions: Vec<Permission>,
    principals: Vec<Principal>,
    #[serde(default)]
    exclude_principals: Vec<Principal>,
    #[serde(default)]
    do_not_apply_to_child_scopes: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Permission {
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: Properties,
}

impl Denial {
    /// Whether it forbids a principal something at its scope or below.
    fn forbids(&self, principal: &str, action: &str, at_scope: bool) -> bool {
        let Properties { permissions, principals, exclude_principals, do_not_apply_to_child_scopes, .. } =
            &self.properties;
        let is_one = |one: &Principal| one.id == EVERYBODY || one.id.eq_ignore_ascii_case(principal);
        let named = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        (at_scope || !do_not_apply_to_child_scopes)
            && principals.iter().any(is_one)
            && !exclude_principals.iter().any(is_one)
            && permissions.iter().any(|one| named(&one.actions) && !named(&one.not_actions))
    }
}

fn collection(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/denyAssignments")
}

/// Refuse what is denied at the resource or above it.
pub(super) fn permit(
    state: &Transaction<'_>,
    method: &Method,
    principal: &str,
    target: &Target,
) -> Result<(), Refusal> {
    let Some(action) = action(method, target) else { return Ok(()) };
    for scope in resources::lineage(&target.id) {
        let found: Vec<Denial> = resources::list(state, &collection(&scope))?;
        let at_scope = scope.eq_ignore_ascii_case(&target.id);
        if let Some(denial) = found.iter().find(|denial| denial.forbids(principal, &action, at_scope)) {
            let message = format!(
                "The client '{principal}' with object id '{principal}' has permission to perform action '{action}' on scope '{}'; \
                 however, the access is denied because of the deny assignment with name '{}' and Id '{}' at scope '{}'.",
                target.id, denial.properties.deny_assignment_name, denial.name, denial.scope
            );
            return Err(Refusal::new(403, "DenyAssignmentAuthorizationFailed", message));
        }
    }
    Ok(())
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (call.method(), &target.shape) {
        (&Method::GET, Shape::Collection) => all(state, target),
        (&Method::PUT, Shape::Resource) => put(state, call, target),
        _ => Err(not_served(call, target)),
    }
}

/// In Azure stacks and managed applications alone make them; here they are made as a preview lets their owner
/// <https://learn.microsoft.com/rest/api/authorization/deny-assignments/create?view=rest-authorization-2024-07-01-preview>.
fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Wanted { properties } = call.document()?;
    let (name, scope) = (target.name(0).to_owned(), target.scope.clone());
    let denial = Denial { id: target.id.clone(), name, scope, properties };
    resources::put(state, &target.id, &denial)?;
    Ok(json(201, &body(&denial)))
}

/// Those at a scope, above it and below it <https://learn.microsoft.com/rest/api/authorization/deny-assignments/list-for-scope>.
fn all(state: &Transaction<'_>, target: &Target) -> Served {
    let part = collection("").to_ascii_lowercase();
    let above = resources::lineage(&target.scope).into_iter();
    let above = above.flat_map(|scope| resources::under(state, &collection(&scope)));
    let below = resources::under(state, &target.scope).into_iter().filter(|id| id.contains(&part));
    let mut ids: Vec<_> = above.chain(below).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = ids.iter().filter_map(|id| resources::get::<Denial>(state, id).transpose());
    list(found.collect::<Result<Vec<_>, _>>()?.iter().map(body).collect())
}

fn body(denial: &Denial) -> Value {
    let mut properties = json!(denial.properties);
    properties["scope"] = json!(denial.scope);
    json!({"id": denial.id, "name": denial.name, "type": "Microsoft.Authorization/denyAssignments", "properties": properties})
}

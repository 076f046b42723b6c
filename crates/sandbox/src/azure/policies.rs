//! Azure Policy, as far as two of its built-in definitions go: in which locations resources, and resource groups, may be
//! <https://learn.microsoft.com/azure/governance/policy/samples/built-in-policies#general>.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::azure::call::{Call, json};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::resource_manager::not_served;
use crate::azure::resources;
use crate::azure::target::{Kind, Shape, Target};
use crate::state::Transaction;

/// Allowed locations.
const OF_RESOURCES: &str = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c";
/// Allowed locations for resource groups.
const OF_GROUPS: &str = "/providers/Microsoft.Authorization/policyDefinitions/e765b5de-1225-4ba3-bd56-1ac6695af988";

const GROUPS: &str = "Microsoft.Resources/subscriptions/resourceGroups";

#[derive(Debug, Serialize, Deserialize)]
struct Assignment {
    id: String,
    definition: String,
    locations: Vec<String>,
}

/// <https://learn.microsoft.com/rest/api/policyauthorization/policy-assignments/create>
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    properties: WantedProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WantedProperties {
    policy_definition_id: String,
    parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    list_of_allowed_locations: Locations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Locations {
    value: Vec<String>,
}

/// <https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions/check-at-subscription-scope#checkrestrictionsrequest>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    resource_details: ResourceDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceDetails {
    resource_content: Value,
}

impl Assignment {
    /// Whether it does not allow a resource of a type to be in a location.
    fn denies(&self, kind: &str, location: &str) -> bool {
        let about = (self.definition == OF_GROUPS) == kind.eq_ignore_ascii_case(GROUPS);
        about && !location.is_empty() && !self.locations.iter().any(|allowed| allowed.eq_ignore_ascii_case(location))
    }
}

fn collection(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/policyAssignments")
}

/// Those at a scope or above it that do not allow a resource.
fn denying(state: &Transaction<'_>, scope: &str, kind: &str, location: &str) -> Result<Vec<Assignment>, Error> {
    let mut found = Vec::new();
    for scope in resources::lineage(scope) {
        let assigned: Vec<Assignment> = resources::list(state, &collection(&scope))?;
        found.extend(assigned.into_iter().filter(|assignment| assignment.denies(kind, location)));
    }
    Ok(found)
}

/// Refuse a resource that is made where a policy does not allow it
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-policy-requestdisallowedbypolicy>.
pub(super) fn permit(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Result<(), Refusal> {
    let kind = match target.kind {
        Kind::ResourceGroups => GROUPS,
        Kind::StorageAccounts => "Microsoft.Storage/storageAccounts",
        _ => return Ok(()),
    };
    if (call.method(), &target.shape) != (&Method::PUT, &Shape::Resource) {
        return Ok(());
    }
    let location = call.document::<Value>()?["location"].as_str().unwrap_or_default().to_owned();
    let Some(denying) = denying(state, &target.id, kind, &location)?.into_iter().next() else { return Ok(()) };
    let message = format!(
        "Resource '{}' was disallowed by policy. Policy identifiers: '[{{\"policyAssignment\":{{\"id\":\"{}\"}}}}]'.",
        target.names.last().map(String::as_str).unwrap_or_default(),
        denying.id
    );
    Err(Refusal::new(403, "RequestDisallowedByPolicy", message))
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    match (&target.kind, call.method(), &target.shape) {
        (Kind::PolicyAssignments, &Method::PUT, Shape::Resource) => put(state, call, target),
        (Kind::PolicyRestrictions, &Method::POST, _) => check(state, call, target),
        _ => Err(not_served(call, target)),
    }
}

fn put(state: &mut Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Wanted { properties: WantedProperties { policy_definition_id: definition, parameters } } = call.document()?;
    if ![OF_RESOURCES, OF_GROUPS].contains(&definition.as_str()) {
        return Err(not_served(call, target));
    }
    let locations = parameters.list_of_allowed_locations.value;
    let assignment = Assignment { id: target.id.clone(), definition, locations };
    resources::put(state, &target.id, &assignment)?;
    Ok(json(
        201,
        &json!({"id": target.id, "name": target.name(0), "type": "Microsoft.Authorization/policyAssignments"}),
    ))
}

/// <https://learn.microsoft.com/rest/api/policyinsights/policy-restrictions/check-at-resource-group-scope>
fn check(state: &Transaction<'_>, call: &Call<'_>, target: &Target) -> Served {
    let Asked { resource_details: ResourceDetails { resource_content } } = call.document()?;
    let text = |name: &str| resource_content[name].as_str().unwrap_or_default();
    let evaluation = |assignment: &Assignment| {
        json!({
            "policyInfo": {"policyDefinitionId": assignment.definition, "policyAssignmentId": assignment.id},
            "evaluationResult": "NonCompliant",
            "evaluationDetails": {"evaluatedExpressions": [
                {"result": "True", "expressionKind": "field", "expression": "location", "path": "location",
                 "expressionValue": text("location"), "targetValue": assignment.locations, "operator": "notIn"}
            ]},
            "effectDetails": {"policyEffect": "Deny"},
        })
    };
    let found = denying(state, &target.scope, text("type"), text("location"))?;
    let evaluations: Vec<_> = found.iter().map(evaluation).collect();
    Ok(json(200, &json!({"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": evaluations}})))
}

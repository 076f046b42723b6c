//! Policies of the organization, as a project has them <https://cloud.google.com/resource-manager/reference/rest/v1/Policy>: where things
//! may be, and which need a key. Of the others one can be set and asked for, and holds for nothing here.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::refusal::{Kind, Refusal};
use crate::Error;
use crate::state::Transaction;

/// <https://cloud.google.com/resource-manager/docs/organization-policy/defining-locations>
const LOCATIONS: &str = "constraints/gcp.resourceLocations";

/// <https://cloud.google.com/kms/docs/cmek-org-policy>
const KEYS: &str = "constraints/gcp.restrictNonCmekServices";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Policy {
    constraint: String,
    list_policy: ListPolicy,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListPolicy {
    #[serde(rename = "allowedValues", default, skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
    #[serde(rename = "deniedValues", default, skip_serializing_if = "Vec::is_empty")]
    denied: Vec<String>,
    #[serde(rename = "allValues", default, skip_serializing_if = "Option::is_none")]
    all: Option<String>,
}

impl ListPolicy {
    /// Whether it takes a value; a group of values has those that begin as it does.
    fn takes(&self, value: &str) -> bool {
        let has = |listed: &String| match listed.strip_prefix("in:") {
            Some(group) => value.starts_with(group.trim_end_matches("-locations")),
            None => listed.trim_start_matches("is:").eq_ignore_ascii_case(value),
        };
        let allowed = self.allowed.is_empty() || self.allowed.iter().any(has);
        allowed && !self.denied.iter().any(has) && self.all.as_deref() != Some("DENY")
    }
}

fn key(project: &str, constraint: &str) -> String {
    format!("google/org-policy/{project}/{constraint}")
}

fn of(state: &Transaction<'_>, project: &str, constraint: &str) -> Result<Option<ListPolicy>, Error> {
    Ok(state.get::<Policy>(&key(project, constraint))?.map(|policy| policy.list_policy))
}

/// <https://cloud.google.com/resource-manager/reference/rest/v1/projects/getEffectiveOrgPolicy>
pub(super) fn get(state: &Transaction<'_>, call: &Call<'_>, project: &str) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        constraint: String,
    }
    let Asked { constraint } = call.json()?;
    let everything = || ListPolicy { all: Some("ALLOW".to_owned()), ..ListPolicy::default() };
    let policy = of(state, project, &constraint)?.unwrap_or_else(everything);
    Ok(json!(Policy { constraint, list_policy: policy }))
}

/// <https://cloud.google.com/resource-manager/reference/rest/v1/projects/setOrgPolicy>
pub(super) fn set(state: &mut Transaction<'_>, call: &Call<'_>, project: &str) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        policy: Policy,
    }
    let Wanted { policy } = call.json()?;
    state.put(&key(project, &policy.constraint), &policy)?;
    Ok(json!(policy))
}

/// Refuse a new bucket that the organization does not allow
/// <https://cloud.google.com/storage/docs/org-policy-constraints>.
pub(super) fn permit_bucket(state: &Transaction<'_>, project: &str, body: &Value) -> Result<(), Refusal> {
    let location = body["location"].as_str().unwrap_or("US").to_ascii_lowercase();
    if of(state, project, LOCATIONS)?.is_some_and(|policy| !policy.takes(&location)) {
        return Err(Refusal::new(Kind::Precondition, format!("'{location}' violates constraint '{LOCATIONS}'")));
    }
    let has_key = body["encryption"]["defaultKmsKeyName"].is_string();
    if !has_key && of(state, project, KEYS)?.is_some_and(|policy| !policy.takes("storage.googleapis.com")) {
        return Err(Refusal::new(Kind::Precondition, format!("A key is required by constraint '{KEYS}'")));
    }
    Ok(())
}

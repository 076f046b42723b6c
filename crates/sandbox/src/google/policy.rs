//! IAM policies: bindings, conditions, versions and etags <https://cloud.google.com/iam/docs/reference/rest/v1/Policy>.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::project;
use super::refusal::{Kind, Refusal};
use super::roles;
use crate::propagation::Propagating;
use crate::state::Transaction;

/// A policy as it is read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub version: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
    /// In base64; empty in what is stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etag: String,
    /// In a request only, as clients send it: no audit configuration is kept.
    #[serde(default, rename = "auditConfigs", skip_serializing)]
    audit_configs: Vec<serde_json::Value>,
    /// Cloud Storage's JSON API has these two <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.
    #[serde(default, skip_serializing)]
    kind: Option<String>,
    #[serde(default, rename = "resourceId", skip_serializing)]
    resource_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(version: &i32) -> bool {
    *version == 0
}

/// The etag of a policy that nobody wrote yet, as it was recorded.
const UNWRITTEN: &str = "ACAB";

/// Who has a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Binding {
    pub role: String,
    #[serde(default)]
    pub members: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// When a binding holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
}

/// A resource's policy, which other services see late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    bindings: Propagating<Vec<Binding>>,
    revision: u64,
}

impl Policy {
    pub(super) fn new(version: i32, bindings: Vec<Binding>, etag: String) -> Self {
        Self { version, bindings, etag, ..Self::default() }
    }
}

impl Binding {
    pub(super) fn new(role: &str, members: &[String]) -> Self {
        Self { role: role.to_owned(), members: members.to_vec(), condition: None }
    }
}

impl Stored {
    pub(super) fn new(bindings: Vec<Binding>) -> Self {
        Self { bindings: Propagating::new(bindings), revision: 1 }
    }

    /// The policy in the version that was asked for. Below 3, conditions are left out and their roles renamed
    /// <https://cloud.google.com/iam/docs/policies#specifying-version-get>. One that nobody wrote has no version.
    pub(super) fn read(&self, requested: i32) -> Result<Policy, Refusal> {
        let policy = self.read_with(requested, self.etag())?;
        Ok(if self.is_unwritten() { Policy { version: 0, ..policy } } else { policy })
    }

    /// The same with the etag of what it belongs to.
    pub(super) fn read_with(&self, requested: i32, etag: String) -> Result<Policy, Refusal> {
        if ![0, 1, 3].contains(&requested) {
            return Err(Refusal::invalid(format!("{requested} is not a policy version")));
        }
        let mut bindings = self.bindings.written().clone();
        if requested < 3 {
            bindings.iter_mut().for_each(hide_condition);
            return Ok(Policy::new(1, bindings, etag));
        }
        let version = if conditional(&bindings) { 3 } else { 1 };
        Ok(Policy::new(version, bindings, etag))
    }

    /// Replace the policy.
    pub(super) fn write(
        &mut self,
        state: &Transaction<'_>,
        policy: Policy,
        now_ms: u64,
        delay_ms: u64,
    ) -> Result<(), Refusal> {
        self.write_over(&self.etag(), state, policy, now_ms, delay_ms)
    }

    /// Replace the policy of what has this etag.
    ///
    /// - An etag that is not the current one is refused <https://cloud.google.com/iam/docs/policies#etag>.
    /// - With an etag, conditions in the old or the new policy need version 3; without one, a policy of version 1
    ///   replaces one of version 3 and its conditions are lost <https://cloud.google.com/iam/docs/policies#specifying-version-set>.
    pub(super) fn write_over(
        &mut self,
        etag: &str,
        state: &Transaction<'_>,
        policy: Policy,
        now_ms: u64,
        delay_ms: u64,
    ) -> Result<(), Refusal> {
        if !policy.etag.is_empty() && policy.etag != etag {
            let message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential \
                           backoff.";
            return Err(Refusal::new(Kind::StalePolicy, message));
        }
        let affected =
            conditional(&policy.bindings) || (!policy.etag.is_empty() && conditional(self.bindings.written()));
        if affected && policy.version != 3 {
            return Err(Refusal::invalid(
                "Operations that affect conditional role bindings must specify policy version 3.",
            ));
        }
        if ![0, 1, 3].contains(&policy.version) {
            return Err(Refusal::invalid(format!("{} is not a policy version", policy.version)));
        }
        if !policy.audit_configs.is_empty() {
            return Err(Refusal::unserved("the field `auditConfigs` of a policy"));
        }
        policy.bindings.iter().try_for_each(|binding| check_binding(state, binding))?;
        self.revision += 1;
        self.bindings.write(merged(policy.bindings), now_ms, delay_ms);
        Ok(())
    }

    /// What is written.
    pub(super) fn bindings(&self) -> &[Binding] {
        self.bindings.written()
    }

    /// Whether a member has one of these roles without a condition, as other services see it.
    pub(super) fn grants(&self, roles: &[&str], member: &str, now_ms: u64) -> bool {
        self.has(|role| roles.contains(&role), member, now_ms)
    }

    /// Whether a member has a permission without a condition, as other services see it.
    pub(super) fn permits(&self, permission: &str, member: &str, now_ms: u64) -> bool {
        self.has(|role| roles::include(role, permission), member, now_ms)
    }

    fn has(&self, role: impl Fn(&str) -> bool, member: &str, now_ms: u64) -> bool {
        let holds = |binding: &Binding| {
            let public = ["allUsers", "allAuthenticatedUsers"];
            let meant = |listed: &String| listed == member || public.contains(&listed.as_str());
            binding.condition.is_none() && role(&binding.role) && binding.members.iter().any(meant)
        };
        self.bindings.seen(now_ms).iter().any(holds)
    }

    /// Put another member in the place of one, as when an account is deleted; whether it was there.
    pub(super) fn rename(&mut self, member: &str, other: &str) -> bool {
        let mut bindings = self.bindings.written().clone();
        let members = bindings.iter_mut().flat_map(|binding| &mut binding.members);
        let renamed = members.filter(|found| *found == member).map(|found| other.clone_into(found)).count();
        if renamed > 0 {
            self.bindings = Propagating::new(bindings);
            self.revision += 1;
        }
        renamed > 0
    }

    const fn is_unwritten(&self) -> bool {
        self.revision == 1
    }

    fn etag(&self) -> String {
        if self.is_unwritten() { UNWRITTEN.to_owned() } else { BASE64.encode(&self.revision.to_be_bytes()) }
    }
}

/// A request replaces bindings and etag, or names them <https://cloud.google.com/iam/docs/reference/rest/v1/SetIamPolicyRequest>.
pub(super) fn check_mask<'a>(mut paths: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    match paths.find(|path| !["", "bindings", "etag", "version", "*"].contains(path)) {
        Some(path) => Err(Refusal::unserved(format!("`{path}` in the update mask of a policy"))),
        None => Ok(()),
    }
}

fn conditional(bindings: &[Binding]) -> bool {
    bindings.iter().any(|binding| binding.condition.is_some())
}

fn hide_condition(binding: &mut Binding) {
    if let Some(condition) = binding.condition.take() {
        let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, condition.expression.as_bytes());
        binding.role = format!("{}_withcond_{hash:020x}", binding.role);
    }
}

/// A role in one binding for each condition, without repeated members and without empty bindings, in order, as the services
/// answer it.
fn merged(bindings: Vec<Binding>) -> Vec<Binding> {
    let mut merged: Vec<Binding> = Vec::new();
    for binding in bindings.into_iter().filter(|binding| !binding.members.is_empty()) {
        let same = |other: &&mut Binding| other.role == binding.role && other.condition == binding.condition;
        let mut place = Binding { members: Vec::new(), ..binding.clone() };
        let known = merged.iter_mut().find(same);
        let is_new = known.is_none();
        let target = known.unwrap_or(&mut place);
        for member in binding.members {
            if !target.members.contains(&member) {
                target.members.push(member);
            }
        }
        if is_new {
            merged.push(place);
        }
    }
    merged.iter_mut().for_each(|binding| binding.members.sort());
    merged.sort_by(|one, other| one.role.cmp(&other.role));
    merged
}

/// Roles and members have the forms of <https://cloud.google.com/iam/docs/principal-identifiers>, and a service account
/// that does not exist is refused <https://cloud.google.com/iam/docs/understanding-service-accounts>.
fn check_binding(state: &Transaction<'_>, binding: &Binding) -> Result<(), Refusal> {
    let role = &binding.role;
    let custom =
        ["projects/", "organizations/"].iter().any(|prefix| role.starts_with(prefix)) && role.contains("/roles/");
    let predefined = role.strip_prefix("roles/").is_some_and(|name| !name.is_empty());
    if !predefined && !custom {
        return Err(Refusal::invalid(format!("Role {role} is not valid.")));
    }
    if binding.condition.as_ref().is_some_and(|condition| condition.expression.is_empty()) {
        return Err(Refusal::invalid("A condition must have an expression."));
    }
    binding.members.iter().try_for_each(|member| check_member(state, member))
}

fn check_member(state: &Transaction<'_>, member: &str) -> Result<(), Refusal> {
    const KINDS: [&str; 9] = [
        "user",
        "group",
        "domain",
        "projectOwner",
        "projectEditor",
        "projectViewer",
        "deleted",
        "principal",
        "principalSet",
    ];
    if ["allUsers", "allAuthenticatedUsers"].contains(&member) {
        return Ok(());
    }
    match member.split_once(':') {
        Some(("serviceAccount", email)) if project::has_account(state, email)? => Ok(()),
        Some(("serviceAccount", email)) => Err(Refusal::invalid(format!("Service account {email} does not exist."))),
        Some((kind, name)) if KINDS.contains(&kind) && !name.is_empty() => Ok(()),
        _ => Err(Refusal::invalid(format!("Invalid member: '{member}'."))),
    }
}

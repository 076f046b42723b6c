//! Identity and Access Management: roles and their inline policies.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use super::call::Call;
use super::error::{Error, Reply};
use super::id;
use super::policy::{Kind, Policy};
use super::query::{Form, answer, element};
use super::{rights, simulation};
use crate::clock::date;
use crate::state::Transaction;

pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Who may take the role that a sandbox begins with: machines.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Documents are given URL-encoded, as RFC 3986 says
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    name: String,
    id: String,
    path: String,
    created_ms: u64,
    trust: String,
    description: Option<String>,
    max_session_s: u64,
    tags: BTreeMap<String, String>,
    policies: BTreeMap<String, String>,
}

/// Where a role is kept.
pub(super) fn key(account: &str, name: &str) -> String {
    format!("iam/role/{account}/{name}")
}

impl Role {
    pub(super) fn seeded(name: &str, number: u64, now_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            id: format!("AROA{}", id::letters("role", number, 17)),
            path: "/".to_owned(),
            created_ms: now_ms,
            trust: TRUST.to_owned(),
            description: None,
            max_session_s: 3600,
            tags: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }

    fn xml(&self, account: &str) -> String {
        let created = date(self.created_ms).replace_millisecond(0).unwrap_or(date(0)).format(&Rfc3339);
        let arn = self.arn(account);
        let description = self.description.as_ref().map(|text| element("Description", text)).unwrap_or_default();
        let tag = |(key, value): (&String, &String)| {
            format!("<member>{}{}</member>", element("Key", key), element("Value", value))
        };
        let tags: String = self.tags.iter().map(tag).collect();
        [
            element("Path", &self.path),
            element("RoleName", &self.name),
            element("RoleId", &self.id),
            element("Arn", &arn),
            element("CreateDate", &created.unwrap_or_default()),
            element("AssumeRolePolicyDocument", &encoded(&self.trust)),
            description,
            element("MaxSessionDuration", &self.max_session_s.to_string()),
            if tags.is_empty() { tags } else { format!("<Tags>{tags}</Tags>") },
        ]
        .concat()
    }
}

fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

pub(super) fn serve(call: &Call<'_>) -> Reply {
    if call.name() == "SimulatePrincipalPolicy" {
        return simulation::serve(call);
    }
    let run = match call.name() {
        "CreateRole" => create_role,
        "GetRole" => get_role,
        "ListRoles" => list_roles,
        "DeleteRole" => delete_role,
        "PutRolePolicy" => put_role_policy,
        "GetRolePolicy" => get_role_policy,
        "ListRolePolicies" => list_role_policies,
        "DeleteRolePolicy" => delete_role_policy,
        _ => return Err(Error::unserved(&call.operation)),
    };
    let account = call.caller.account()?;
    call.world.store.transaction(|state| {
        rights::need(call, &call.operation, &asked(state, call, account)?)?;
        run(state, call, account)
    })
}

/// The role that a request names, with its path if it is there.
fn asked(state: &Transaction<'_>, call: &Call<'_>, account: &str) -> Result<String, Error> {
    let name = Form::of(call).take("RoleName").unwrap_or_default();
    let role: Option<Role> = state.get(&key(account, &name))?;
    Ok(role.map_or_else(|| format!("arn:aws:iam::{account}:role/{name}"), |role| role.arn(account)))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn create_role(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let name = role_name(form.need("RoleName")?)?;
    let trust = document(form.need("AssumeRolePolicyDocument")?, Kind::Trust)?;
    let number = state.next_number("aws/number")?;
    let path = form.take("Path").unwrap_or_else(|| "/".to_owned());
    let description = form.take("Description");
    let max_session_s = form.take("MaxSessionDuration").and_then(|text| text.parse().ok()).unwrap_or(3600);
    let tags = form.take_tags().into_iter().collect();
    let role = Role { path, trust, description, max_session_s, tags, ..Role::seeded(&name, number, call.now_ms) };
    form.end()?;
    if state.has(&key(account, &name)) {
        return Err(Error::new(409, "EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    state.put(&key(account, &name), &role)?;
    answer(call, NAMESPACE, &format!("<Role>{}</Role>", role.xml(account)))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
fn get_role(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let role = role(state, account, &form.need("RoleName")?)?;
    form.end()?;
    answer(call, NAMESPACE, &format!("<Role>{}</Role>", role.xml(account)))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
fn list_roles(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let path = form.take("PathPrefix").unwrap_or_else(|| "/".to_owned());
    let after = form.take("Marker").map(|name| key(account, &name));
    let most = form.take("MaxItems").and_then(|text| text.parse().ok()).unwrap_or(100_usize);
    form.end()?;
    let roles = state.scan::<Role>(&key(account, ""))?;
    let fits =
        |(key, role): &(String, Role)| role.path.starts_with(&path) && after.as_ref().is_none_or(|after| key > after);
    let roles: Vec<_> = roles.into_iter().filter(fits).map(|(_, role)| role).collect();
    let page = &roles[..most.min(roles.len())];
    let members: String = page.iter().map(|role| format!("<member>{}</member>", role.xml(account))).collect();
    let truncated = page.len() < roles.len();
    let marker = page.last().filter(|_| truncated).map(|role| element("Marker", &role.name)).unwrap_or_default();
    answer(call, NAMESPACE, &format!("<Roles>{members}</Roles><IsTruncated>{truncated}</IsTruncated>{marker}"))
}

/// Refused while it has policies; where it was named as a principal its id is left, for good
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-bucket-user-policy-specifying-principal-intro.html>
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>.
fn delete_role(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let role = role(state, account, &form.need("RoleName")?)?;
    form.end()?;
    if !role.policies.is_empty() {
        return Err(Error::new(409, "DeleteConflict", "Cannot delete entity, must delete policies first."));
    }
    state.delete(&key(account, &role.name));
    let arn = role.arn(account);
    super::s3::forget(state, &arn, &role.id)?;
    super::sqs::forget(state, &arn, &role.id)?;
    answer(call, NAMESPACE, "")
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
fn put_role_policy(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let mut role = role(state, account, &form.need("RoleName")?)?;
    let (name, document) = (form.need("PolicyName")?, document(form.need("PolicyDocument")?, Kind::Role)?);
    form.end()?;
    if !is_name(&name, 128) {
        return Err(invalid_name("policyName"));
    }
    role.policies.insert(name, document);
    within_quota(&role)?;
    state.put(&key(account, &role.name), &role)?;
    answer(call, NAMESPACE, "")
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
fn get_role_policy(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let role = role(state, account, &form.need("RoleName")?)?;
    let name = form.need("PolicyName")?;
    form.end()?;
    let document = role.policies.get(&name).ok_or_else(|| no_policy(&name))?;
    let policy =
        [element("RoleName", &role.name), element("PolicyName", &name), element("PolicyDocument", &encoded(document))];
    answer(call, NAMESPACE, &policy.concat())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>
fn list_role_policies(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let role = role(state, account, &form.need("RoleName")?)?;
    form.take("MaxItems");
    form.end()?;
    let names: String = role.policies.keys().map(|name| element("member", name)).collect();
    answer(call, NAMESPACE, &format!("<PolicyNames>{names}</PolicyNames><IsTruncated>false</IsTruncated>"))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>
fn delete_role_policy(state: &mut Transaction<'_>, call: &Call<'_>, account: &str) -> Reply {
    let mut form = Form::of(call);
    let mut role = role(state, account, &form.need("RoleName")?)?;
    let name = form.need("PolicyName")?;
    form.end()?;
    role.policies.remove(&name).ok_or_else(|| no_policy(&name))?;
    state.put(&key(account, &role.name), &role)?;
    answer(call, NAMESPACE, "")
}

fn role(state: &Transaction<'_>, account: &str, name: &str) -> Result<Role, Error> {
    let missing = || Error::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."));
    state.get(&key(account, name))?.ok_or_else(missing)
}

fn no_policy(name: &str) -> Error {
    Error::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn document(text: String, kind: Kind<'_>) -> Result<String, Error> {
    match Policy::parse(&text, kind) {
        Ok(_) => Ok(text),
        Err(problem) => Err(problem.answer("MalformedPolicyDocument")),
    }
}

/// All inline policies of a role together have 10,240 characters, white space apart
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
fn within_quota(role: &Role) -> Result<(), Error> {
    const LIMIT: usize = 10_240;
    let letters = role.policies.values().flat_map(|text| text.chars()).filter(|letter| !letter.is_whitespace()).count();
    if letters <= LIMIT {
        return Ok(());
    }
    let message = format!("Maximum policy size of {LIMIT} bytes exceeded for role {}", role.name);
    Err(Error::new(409, "LimitExceeded", message))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn role_name(name: String) -> Result<String, Error> {
    if is_name(&name, 64) { Ok(name) } else { Err(invalid_name("roleName")) }
}

fn is_name(name: &str, longest: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=longest).contains(&name.len()) && name.bytes().all(plain)
}

fn invalid_name(field: &str) -> Error {
    let message = format!(
        "The specified value for {field} is invalid. It must contain only alphanumeric characters and/or the following: \
         +=,.@_-"
    );
    Error::new(400, "ValidationError", message)
}

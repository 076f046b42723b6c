//! Projects and their service accounts.
//!
//! A project exists once it is seeded; the one of [`DEFAULT`] always does. Every caller owns all of them but a service
//! account, which has what the project's policy gives it. Names that belong to others are seeded too.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::{self, Call};
use super::caller::Caller;
use super::iam::{policy_to_set, requested_version};
use super::organization;
use super::policy::Stored;
use super::refusal::Refusal;
use super::rights;
use crate::Error;
use crate::clock::date;
use crate::state::Transaction;
use crate::world::World;

/// The project that is there without being seeded.
pub const DEFAULT: &str = "provision-sandbox";

const CURRENT: &str = "google/current-project";

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Project {
    pub id: String,
    pub number: u64,
    pub created_ms: u64,
    #[serde(default = "unwritten")]
    pub policy: Stored,
}

/// The policy of a project that is owned from above.
fn unwritten() -> Stored {
    Stored::new(Vec::new())
}

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    pub email: String,
    pub project: String,
    pub unique_id: String,
    /// It was there <https://cloud.google.com/iam/docs/service-accounts-delete-undelete>.
    #[serde(default)]
    pub deleted: bool,
    pub policy: Stored,
}

/// Make a project, if it is not there, and name it in what clients are told of the environment; and in it a service
/// account of this address.
///
/// The project has a number of its own, and with it the service agent of Cloud Storage,
/// `service-<number>@gs-project-accounts.iam.gserviceaccount.com`. An address that names another project
/// (`<name>@<project>.iam.gserviceaccount.com`) is an account of that one. Seeding twice changes nothing.
pub(super) fn seed(world: &World, project: &str, account: Option<&str>) -> Result<(), Error> {
    let now_ms = world.clock.now_ms();
    world.store.transaction(|state| {
        seed_project(state, project, now_ms)?;
        state.put(CURRENT, &project)?;
        account.map_or(Ok(()), |email| seed_account(state, project, email))
    })
}

/// Make the project that is always there.
pub(super) fn seed_default(world: &World) -> Result<(), Error> {
    let now_ms = world.clock.now_ms();
    world.store.transaction(|state| seed_project(state, DEFAULT, now_ms))
}

/// Give a bucket's name to somebody else: whoever asks for it is told that it is not available, and is denied it.
pub(super) fn seed_taken(world: &World, bucket: &str) -> Result<(), Error> {
    world.store.transaction(|state| state.put(&taken_key(bucket), &true))
}

/// The project that was seeded last.
pub(super) fn current(world: &World) -> String {
    let current = world.store.transaction::<_, Error>(|state| state.get(CURRENT));
    current.ok().flatten().unwrap_or_else(|| DEFAULT.to_owned())
}

fn project_key(id: &str) -> String {
    format!("google/project/{id}")
}

fn number_key(number: u64) -> String {
    format!("google/project-number/{number}")
}

pub(super) fn account_key(email: &str) -> String {
    format!("google/account/{email}")
}

fn taken_key(bucket: &str) -> String {
    format!("google/taken/{bucket}")
}

/// Whether a bucket's name belongs to somebody else.
pub(super) fn is_taken(state: &Transaction<'_>, bucket: &str) -> bool {
    state.has(&taken_key(bucket))
}

fn seed_project(state: &mut Transaction<'_>, id: &str, now_ms: u64) -> Result<(), Error> {
    if state.has(&project_key(id)) {
        return Ok(());
    }
    let number = numbered(id) % 900_000_000_000 + 100_000_000_000;
    state.put(&project_key(id), &Project { id: id.to_owned(), number, created_ms: now_ms, policy: unwritten() })?;
    state.put(&number_key(number), &id)
}

fn seed_account(state: &mut Transaction<'_>, project: &str, email: &str) -> Result<(), Error> {
    if state.has(&account_key(email)) {
        return Ok(());
    }
    let home = email.strip_suffix(".iam.gserviceaccount.com").and_then(|address| address.split_once('@'));
    let account = Account {
        email: email.to_owned(),
        project: home.map_or(project, |(_, project)| project).to_owned(),
        unique_id: format!("1{:020}", u128::from(numbered(email))),
        deleted: false,
        policy: Stored::new(Vec::new()),
    };
    state.put(&account_key(email), &account)
}

/// A number that stands for a name in every sandbox.
fn numbered(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A project by id or number.
pub(super) fn find(state: &Transaction<'_>, name: &str) -> Result<Option<Project>, Error> {
    let id = match name.parse() {
        Ok(number) => state.get::<String>(&number_key(number))?,
        Err(_) => None,
    };
    state.get(&project_key(id.as_deref().unwrap_or(name)))
}

/// The account that Cloud Storage publishes with <https://cloud.google.com/storage/docs/projects#service-agents>.
pub(super) fn storage_agent(number: u64) -> String {
    format!("service-{number}@gs-project-accounts.iam.gserviceaccount.com")
}

/// Whether there is a service account of this address: one that was seeded, or a project's service agent.
pub(super) fn has_account(state: &Transaction<'_>, email: &str) -> Result<bool, Error> {
    if state.get::<Account>(&account_key(email))?.is_some_and(|account| !account.deleted) {
        return Ok(true);
    }
    let agent = email.strip_prefix("service-").and_then(|rest| rest.split_once('@'));
    match agent {
        Some((number, domain)) if domain.ends_with(".iam.gserviceaccount.com") => Ok(find(state, number)?.is_some()),
        _ => Ok(false),
    }
}

/// What an account's key makes of bytes: as long as an RSA signature of theirs, and verified by the sandbox alone. `None` if there
/// is no such account.
pub(super) fn signature(state: &Transaction<'_>, email: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    const BLOCKS: u8 = 8;
    let account = state.get::<Account>(&account_key(email))?.filter(|account| !account.deleted);
    let Some(account) = account else { return Ok(None) };
    let key = Sha256::digest(format!("the key of {}", account.unique_id));
    let block = |block: u8| Sha256::new().chain_update(key).chain_update([block]).chain_update(bytes).finalize();
    Ok(Some((0..BLOCKS).flat_map(block).collect()))
}

/// Requests to Resource Manager <https://cloud.google.com/resource-manager/reference/rest/v3/projects>.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.verb() == "SearchProjects" {
        return search(state, call);
    }
    // gcloud asks in the address, Google's libraries in the body.
    call.takes(&["options.requestedPolicyVersion"])?;
    // A project that is not there and one that is not the caller's look the same.
    let denied = || Refusal::denied("The caller does not have permission");
    let project = find(state, call.name(0))?.ok_or_else(denied)?;
    match call.verb() {
        "GetProject" => Ok(described(&project, call.numbers())),
        "TestIamPermissions" => permissions(state, call, |_| true),
        "GetIamPolicy" => Ok(json!(project.policy.read(requested_version(call)?)?)),
        "SetIamPolicy" => set_policy(state, call, project),
        "GetEffectiveOrgPolicy" => organization::get(state, call, &project.id),
        "SetOrgPolicy" => organization::set(state, call, &project.id),
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

/// "Project does not support `allUsers` and `allAuthenticatedUsers` as `members`"
/// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/setIamPolicy>. `iam.policy` delays what it lets accounts do.
fn set_policy(state: &mut Transaction<'_>, call: &Call<'_>, mut project: Project) -> Result<Value, Refusal> {
    let policy = policy_to_set(call)?;
    let members = policy.bindings.iter().flat_map(|binding| &binding.members);
    if let Some(member) =
        members.clone().find(|member| ["allUsers", "allAuthenticatedUsers"].contains(&member.as_str()))
    {
        return Err(Refusal::invalid(format!("Members of type {member} cannot be in the policy of a project.")));
    }
    project.policy.write(state, policy, call.now_ms, call.delay("iam.policy"))?;
    state.put(&project_key(&project.id), &project)?;
    Ok(json!(project.policy.read(3)?))
}

/// Every project that the caller may see: all of them, and a service account those whose policy lets it <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search>.
/// Of queries only the one for projects that are not being deleted is served.
fn search(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    const PAGE: usize = 100;
    call.takes(&["query", "pageSize", "pageToken"])?;
    let query = call.parameter("query").unwrap_or_default();
    if !["", "state:ACTIVE"].contains(&query) {
        return Err(Refusal::unserved(format!("the query `{query}` of SearchProjects")));
    }
    let size = call.number("pageSize")?.filter(|size| *size > 0).unwrap_or(PAGE);
    let mut projects = state.scan::<Project>(&project_key(""))?;
    if let Caller::Account(email) = Caller::of(state, call)? {
        let member = format!("serviceAccount:{email}");
        projects.retain(|(_, project)| project.policy.permits("resourcemanager.projects.get", &member, call.now_ms));
    }
    let (projects, next) = call::page(projects, call.parameter("pageToken").unwrap_or_default(), size);
    let mut page = json!({});
    if !projects.is_empty() {
        page["projects"] = projects.iter().map(|project| described(project, call.numbers())).collect();
    }
    if let Some(next) = next {
        page["nextPageToken"] = json!(next);
    }
    Ok(page)
}

fn described(project: &Project, numbers: bool) -> Value {
    json!({
        "name": format!("projects/{}", project.number),
        "projectId": project.id,
        "displayName": project.id,
        "state": if numbers { json!(1) } else { json!("ACTIVE") },
        "createTime": timestamp(project.created_ms),
        "etag": "W/\"0000000000000001\"",
    })
}

/// Which of these permissions the caller has, of those that can be had.
pub(super) fn permissions(
    state: &Transaction<'_>,
    call: &Call<'_>,
    can: impl Fn(&str) -> bool,
) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[serde(default)]
        permissions: Vec<String>,
        #[serde(default, rename = "resource")]
        _resource: String,
    }
    let asked: Asked = call.json()?;
    let mut held = rights::held(state, call, asked.permissions)?;
    held.retain(|permission| can(permission));
    Ok(if held.is_empty() { json!({}) } else { json!({ "permissions": held }) })
}

/// A moment as JSON has it.
pub(super) fn timestamp(ms: u64) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    date(ms).format(&format).unwrap_or_default()
}

//! `azure.access`: role assignments of the identity that the server runs as.

use futures::future::join_all;
use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Observation, Present, Seen, Shape, Want};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Read as _, Reader, Writer, last};
use crate::config::Settings;
use crate::provider::{Names, identity_of};
use crate::resources::{container, cors};

static ROLES: Facet = Facet { name: "roles", key: 'r', shape: Shape::Whole, at_creation: AtCreation::Written };

/// A built-in role, and where the server needs it.
struct Role {
    name: &'static str,
    /// The role's id, the same in every subscription
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
    id: &'static str,
    on_queue: bool,
}

/// W&B documents Reader and Storage Blob Data Contributor on the account
/// (<https://docs.wandb.ai/platform/hosting/data-security/secure-storage-connector>): the key that signs URLs is given out
/// for the account as a whole. Reading the queue without the account's key needs the third.
const WANTED: [Role; 3] = [
    Role { name: "Reader", id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", on_queue: false },
    Role { name: "Storage Blob Data Contributor", id: "ba92f5b4-2d11-453d-a403-e96b0029c9fe", on_queue: false },
    Role { name: "Storage Queue Data Contributor", id: "974c5e8b-45b9-4653-ba55-5f855dd0fb88", on_queue: true },
];

impl Role {
    /// Where it is assigned; `None` where there is no queue.
    fn scope(&self, names: &Names) -> Option<String> {
        match self.on_queue {
            true => names.queue.as_deref().map(|queue| names.queue_id(queue)),
            false => Some(names.account_id()),
        }
    }

    /// Who has it, and of which queue: another queue is another value.
    fn held(&self, principal: &str, scope: &str) -> String {
        if self.on_queue { format!("{principal} on {}", last(&identity_of(scope))) } else { principal.to_owned() }
    }

    /// Whether it is assigned in such a place: on the account, or on any of its queues.
    fn is_at(&self, scope: &str, names: &Names) -> bool {
        match self.on_queue {
            true => scope.starts_with(&identity_of(&names.queue_id(""))),
            false => scope == identity_of(&names.account_id()),
        }
    }
}

/// What is wanted: the identity by role, so that another identity is another value.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    vec![Want { facet: &ROLES, value: wanted(settings), path: "azure.access".to_owned() }]
}

fn wanted(settings: &Settings) -> Value {
    let Some(access) = &settings.azure.access else { return Value::Null };
    roles_of(&access.principal_id, &Names::of(settings))
}

fn roles_of(principal: &str, names: &Names) -> Value {
    let assigned = WANTED.iter().filter_map(|role| Some((role, role.scope(names)?)));
    let principal = identity_of(principal);
    let value = |(role, scope): (&Role, String)| (role.name.to_owned(), json!(role.held(&principal, &scope)));
    Value::Object(assigned.map(value).collect())
}

/// The id of an assignment: the same deployment asks for the same one with the same id, whoever runs it. A UUID of
/// version 8, whose bits are the maker's own (<https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8>).
fn assignment_id(deployment: &str, scope: &str, role: &str, principal: &str) -> String {
    let text = [deployment, scope, role, principal].map(str::to_ascii_lowercase).join("\n");
    let hash = Sha256::digest(format!("provision\n{text}").as_bytes());
    let mut bytes: Vec<u8> = hash.iter().take(16).copied().collect();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}

/// One role assignment of the account or of what is in it.
#[derive(Debug, PartialEq)]
struct Assignment {
    id: String,
    name: String,
    scope: String,
    role: String,
    principal: String,
}

impl Assignment {
    fn read(found: &Value) -> Option<Self> {
        let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str);
        Some(Self {
            id: text("/id")?.to_owned(),
            name: identity_of(text("/name")?),
            scope: identity_of(text("/properties/scope")?),
            role: identity_of(last(text("/properties/roleDefinitionId")?)),
            principal: identity_of(text("/properties/principalId")?),
        })
    }

    /// Ours if its id is the one that we would give it.
    fn is_ours(&self, names: &Names) -> bool {
        let made = |deployment: &String| assignment_id(deployment, &self.scope, &self.role, &self.principal);
        names.deployments.iter().any(|deployment| made(deployment) == self.name)
    }

    fn is_on_account(&self, names: &Names) -> bool {
        self.scope == identity_of(&names.account_id())
    }

    fn is_of(&self, role: &Role, names: &Names) -> bool {
        self.role == role.id && role.scope(names).is_some_and(|scope| identity_of(&scope) == self.scope)
    }
}

async fn assignments(reader: &Reader, names: &Names) -> Result<Option<Vec<Assignment>>, Error> {
    let found = reader.list_role_assignments(&names.account_id()).await?;
    Ok(found.map(|found| found.iter().filter_map(Assignment::read).collect()))
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let (found, mark) = futures::join!(assignments(reader, names), container::mark(reader, names));
    let Some(found) = found? else { return Ok(Observation::Absent) };
    let wanted = wanted(settings);
    let (ours, all) = (held(&found, &Value::Null, names), held(&found, &wanted, names));
    // Before the deployment exists, and after it, what others assigned in part is none of ours.
    let value = if mark?.is_some() || all == wanted { all } else { ours.clone() };
    let nameless = if ours.is_null() { vec![ROLES.name] } else { Vec::new() };
    let seen = vec![(ROLES.name, Seen::Value(value))];
    Ok(Observation::Present(Box::new(Present { seen, nameless, ..Present::default() })))
}

/// Who has the roles: identities whose assignment we made, and the wanted one by whoever assigned it.
fn held(found: &[Assignment], wanted: &Value, names: &Names) -> Value {
    let mut roles = Map::new();
    for role in &WANTED {
        let value = |one: &Assignment| role.held(&one.principal, &one.scope);
        let satisfies = |one: &Assignment| wanted[role.name].as_str() == Some(&value(one));
        let placed = found.iter().filter(|one| one.role == role.id && role.is_at(&one.scope, names));
        let held = placed.filter(|one| one.is_ours(names) || satisfies(one));
        let mut principals: Vec<_> = held.map(value).collect();
        principals.sort_unstable();
        principals.dedup();
        match principals.as_slice() {
            [] => {}
            [one] => drop(roles.insert(role.name.to_owned(), json!(one))),
            several => drop(roles.insert(role.name.to_owned(), json!(several))),
        }
    }
    if roles.is_empty() { Value::Null } else { Value::Object(roles) }
}

/// Assign what is missing, then delete what we assigned to anybody else; `null` deletes all that we assigned.
pub(crate) async fn write(writer: &Writer, settings: &Settings, names: &Names, value: &Value) -> Result<(), Error> {
    let reader = writer.reader();
    let account = names.account_id();
    let (found, marks, queues) =
        futures::join!(assignments(reader, names), cors::marks_of_others(reader, names), reader.list_queues(&account));
    let Some(found) = found? else { return Ok(()) };
    let has = |one: &Assignment, role: &Role| {
        one.is_of(role, names) && value[role.name].as_str() == Some(&role.held(&one.principal, &one.scope))
    };
    let missing = |role: &&Role| value[role.name].is_string() && !found.iter().any(|one| has(one, role));
    let assigned = join_all(WANTED.iter().filter(missing).map(|role| assign(writer, settings, names, role))).await;
    assigned.into_iter().collect::<Result<(), _>>()?;
    let surplus = |one: &&Assignment| one.is_ours(names) && !WANTED.iter().any(|role| has(one, role));
    let surplus: Vec<_> = found.iter().filter(surplus).collect();
    let heirs =
        if surplus.is_empty() { Vec::new() } else { heirs(names, &surplus, &marks?, &queues?.unwrap_or_default()) };
    let given_up = surplus.iter().map(|one| async {
        writer.delete_role_assignment(&one.id).await?;
        let heir = heirs.iter().find(|(_, principal)| one.is_on_account(names) && *principal == one.principal);
        match heir {
            Some((heir, _)) => hand_over(writer, settings, names, one, heir).await,
            None => Ok(()),
        }
    });
    join_all(given_up).await.into_iter().collect()
}

/// Other deployments on the account that have the roles of an identity on record: the service takes one assignment of a role
/// to an identity, so the first deployment's serves them all.
fn heirs(names: &Names, given_up: &[&Assignment], marks: &[Mark], queues: &[Value]) -> Vec<(String, String)> {
    let queues = queues.iter().map(|queue| queue["name"].as_str().map(str::to_owned)).chain([None]);
    let places: Vec<_> = queues.map(|queue| Names { queue, ..names.clone() }).collect();
    let heir = |one: &&&Assignment| {
        let has =
            |mark: &&Mark| places.iter().any(|place| mark.recorded(ROLES.key).is(&roles_of(&one.principal, place)));
        marks.iter().find(has).map(|mark| (mark.deployment.clone(), one.principal.clone()))
    };
    given_up.iter().filter(|one| one.is_on_account(names)).filter_map(|one| heir(&one)).collect()
}

/// The same assignment again, as that of another deployment.
async fn hand_over(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    one: &Assignment,
    heir: &str,
) -> Result<(), Error> {
    let Some(role) = WANTED.iter().find(|role| one.is_of(role, names)) else { return Ok(()) };
    let heir = Names { deployments: vec![heir.to_owned()], ..names.clone() };
    let kind = settings.azure.access.as_ref().map(|access| json!(access.principal_type));
    put(writer, &heir, role, &one.principal, &kind.unwrap_or_default()).await
}

async fn assign(writer: &Writer, settings: &Settings, names: &Names, role: &Role) -> Result<(), Error> {
    let Some(access) = &settings.azure.access else { return Ok(()) };
    put(writer, names, role, &access.principal_id, &json!(access.principal_type)).await
}

async fn put(writer: &Writer, names: &Names, role: &Role, principal: &str, kind: &Value) -> Result<(), Error> {
    let Some(scope) = role.scope(names) else { return Ok(()) };
    let name = assignment_id(&names.deployments[0], &scope, role.id, principal);
    let definition = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{}", names.subscription, role.id);
    let body = json!({"properties": {
        "roleDefinitionId": definition,
        "principalId": principal,
        "principalType": kind,
    }});
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    match writer.put_role_assignment(&id, &body, role.name).await {
        // Somebody assigned the same under another id: that is as good.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        assigned => assigned,
    }
}

/// The commands that give a server its rights, for those who give them themselves.
pub(crate) fn handover(names: &Names) -> String {
    let commands = WANTED.iter().filter_map(|role| {
        let scope = role.scope(names)?;
        Some(format!("az role assignment create --assignee <principal id> --role '{}' --scope {scope}", role.name))
    });
    let commands: Vec<_> = commands.collect();
    format!(
        "The server signs with AZURE_STORAGE_KEY, or its identity needs these roles ([azure.access] would assign \
         them):\n{}",
        commands.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A golden vector: an id that moves makes every assignment look like somebody else's.
    #[test]
    fn assignment_ids_are_stable_and_case_insensitive() {
        let id = assignment_id("wandb-prod", "/subscriptions/S", "role", "principal");
        assert_eq!(id, assignment_id("wandb-prod", "/subscriptions/s", "ROLE", "Principal"));
        assert_ne!(id, assignment_id("wandb-prod2", "/subscriptions/s", "role", "principal"));
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], "89ab".contains(&id[19..20])), ("8", true));
        assert_eq!(id, "0606410f-c8cc-879c-bc77-a79ba031c68c");
    }

    fn settings() -> Settings {
        serde_json::from_value(json!({
            "deployment": {"name": "wandb-prod", "host": "https://a.example"},
            "azure": {
                "subscription": "s",
                "resource_group": {"name": "g"},
                "account": {"name": "acme"},
                "container": {"name": "files"},
                "access": {"principal_id": "P"},
            },
        }))
        .unwrap()
    }

    fn assignment(names: &Names, role: &Role, principal: &str, deployment: Option<&str>) -> Assignment {
        let scope = identity_of(&role.scope(names).unwrap());
        let made = |deployment| assignment_id(deployment, &scope, role.id, principal);
        let name = deployment.map_or_else(|| "theirs".to_owned(), made);
        let (role, principal) = (role.id.to_owned(), principal.to_owned());
        Assignment { id: name.clone(), name, scope, role, principal }
    }

    #[test]
    fn assignment_under_another_id_counts_as_satisfied_and_is_not_ours() {
        let settings = settings();
        let names = Names::of(&settings);
        let theirs: Vec<_> = WANTED.iter().map(|role| assignment(&names, role, "p", None)).collect();
        assert_eq!(held(&theirs, &wanted(&settings), &names), wanted(&settings));
        assert_eq!(held(&theirs, &Value::Null, &names), Value::Null);
        assert!(!theirs.iter().any(|one| one.is_ours(&names)));
    }

    #[test]
    fn assignment_of_ours_to_a_former_identity_is_found() {
        let settings = settings();
        let names = Names::of(&settings);
        let former: Vec<_> = WANTED.iter().map(|role| assignment(&names, role, "q", Some("wandb-prod"))).collect();
        assert!(former.iter().all(|one| one.is_ours(&names)));
        assert_eq!(held(&former, &wanted(&settings), &names)["Reader"], "q");
        let other = assignment(&names, &WANTED[0], "q", Some("wandb-other"));
        assert!(!other.is_ours(&names));
    }

    #[test]
    fn assignment_on_a_former_queue_is_another_value() {
        let settings = settings();
        let names = Names { queue: Some("former".to_owned()), ..Names::of(&settings) };
        let former: Vec<_> = WANTED.iter().map(|role| assignment(&names, role, "p", Some("wandb-prod"))).collect();
        let seen = held(&former, &wanted(&settings), &Names::of(&settings));
        assert_eq!(seen["Storage Queue Data Contributor"], "p on former");
        assert_eq!(wanted(&settings)["Storage Queue Data Contributor"], "p on files-events");
        assert_eq!(seen["Reader"], wanted(&settings)["Reader"]);
    }
}

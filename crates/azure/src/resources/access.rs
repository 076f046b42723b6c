//! `azure.access`: role assignments of the identity that the server runs as.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use provision_core::facet::{Creation, Entries, Entry, EntryId, Extent, Facet, Seen, Sharing, Want};
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Read as _, Reader, Writer, last};
use crate::config::Settings;
use crate::marks::{Looking, Marks};
use crate::provider::{Names, identity_of};
use crate::resources::account::not_there;

/// By role, who has it.
static ROLES: Facet =
    Facet { name: "roles", key: 'r', extent: Extent::NamedKeys, sharing: Sharing::Named, creation: Creation::OwnCall };
pub(crate) static FACETS: &[&Facet] = &[&ROLES];

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

/// What is wanted: the identity by role; nothing where the plan file has no section.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let Some(access) = &settings.azure.access else { return Vec::new() };
    let value = roles_of(&access.principal_id, names);
    vec![Want { facet: &ROLES, value, path: "azure.access".to_owned() }]
}

fn roles_of(principal: &str, names: &Names) -> Value {
    let assigned = WANTED.iter().filter_map(|role| Some((role, role.scope(names)?)));
    let principal = identity_of(principal);
    let value = |(role, scope): (&Role, String)| (role.name.to_owned(), json!(role.held(&principal, &scope)));
    Value::Object(assigned.map(value).collect())
}

/// The id of an assignment: the service takes one of a role to an identity at a scope, so it is made of these alone, whichever
/// deployment asks for it, under whatever name. A UUID of version 8, whose bits are the maker's own
/// (<https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8>).
fn assignment_id(scope: &str, role: &str, principal: &str) -> String {
    let text = [scope, role, principal].map(str::to_ascii_lowercase).join("\n");
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

    /// One of the roles that the server needs, where it needs it.
    fn role(&self, names: &Names) -> Option<&'static Role> {
        WANTED.iter().find(|role| role.id == self.role && role.is_at(&self.scope, names))
    }

    fn has_our_id(&self) -> bool {
        self.name == assignment_id(&self.scope, &self.role, &self.principal)
    }

    /// As the core judges it. Two deployments that give an identity the same role share one assignment: it is neither's alone.
    fn entry(&self, names: &Names, marks: &Marks) -> Option<Entry> {
        let role = self.role(names)?;
        let value = json!(role.held(&self.principal, &self.scope));
        let claimed = marks.claim_member(names, &ROLES, role.name, &value);
        let id = match (self.has_our_id(), claimed) {
            (true, false) => EntryId::Ours,
            (true, true) => EntryId::Nobodys,
            (false, _) => EntryId::Others,
        };
        let text = format!("role {} of {}", role.name, role.held(&self.principal, &self.scope));
        let member = Some(role.name.to_owned());
        Some(Entry { member, id, co_owned: claimed && self.has_our_id(), ..Entry::new(value, text) })
    }
}

async fn assignments(reader: &Reader, names: &Names) -> Result<Option<Vec<Assignment>>, Error> {
    let found = reader.list_role_assignments(&names.account_id()).await?;
    Ok(found.map(|found| found.iter().filter_map(Assignment::read).collect()))
}

/// The roles of these identities: the plan file's, and those that had them last.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    principals: &[String],
    looking: &Looking,
) -> Result<Observation, Error> {
    let (found, marks) = futures::join!(assignments(reader, names), looking.marks(reader, names));
    let (found, marks) = (found?, marks?);
    // A list of what is not there may be empty, or show what is assigned above it.
    let Some(found) = found.filter(|_| marks.is_there) else { return Ok(Observation::Absent) };
    let list = entries(&found, principals, names, &marks);
    let seen = vec![(ROLES.name, Seen::Entries(Entries { list, limit: None }))];
    Ok(Observation::Present(Box::new(Present { seen, ..Present::default() })))
}

fn entries(found: &[Assignment], principals: &[String], names: &Names, marks: &Marks) -> Vec<Entry> {
    let theirs = found.iter().filter(|one| principals.contains(&one.principal));
    theirs.filter_map(|one| one.entry(names, marks)).collect()
}

/// Assign what is missing, then delete what of ours is in `before` or beside `value`, unless another deployment relies on it.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    principals: &[String],
    before: &Value,
    value: &Value,
) -> Result<(), Error> {
    let (found, marks) = futures::join!(assignments(writer.reader(), names), claims(writer, names, before));
    let (found, marks) = (found?, marks?);
    let Some(found) = found else { return not_there(names, value) };
    let has = |role: &Role| found.iter().any(|one| is_as(one, role, value, names));
    let missing = WANTED.iter().filter(|role| value[role.name].is_string() && !has(role));
    try_join_all(missing.map(|role| assign(writer, settings, names, role, value))).await?;
    let mut concerned: BTreeSet<_> = principals.iter().cloned().collect();
    concerned.extend(holders(before));
    let surplus = |one: &&Assignment| {
        let wanted = one.role(names).is_none_or(|role| is_as(one, role, value, names));
        one.has_our_id() && concerned.contains(&one.principal) && !wanted
    };
    take_out(writer, names, found.iter().filter(surplus).collect(), marks).await
}

/// The marks of right now, where something is about to be taken out.
async fn claims(writer: &Writer, names: &Names, before: &Value) -> Result<Option<Marks>, Error> {
    if before.is_null() { Ok(None) } else { Marks::read(writer.reader(), names).await.map(Some) }
}

/// Whether it is the assignment of a role that a value asks for.
fn is_as(one: &Assignment, role: &Role, value: &Value, names: &Names) -> bool {
    let held = value[role.name].as_str();
    one.role(names).is_some_and(|own| own.id == role.id) && held == Some(&role.held(&one.principal, &one.scope))
}

/// The identities that a value is about.
fn holders(value: &Value) -> impl Iterator<Item = String> {
    let held = value.as_object().into_iter().flatten().filter_map(|(_, held)| held.as_str());
    held.filter_map(|held| held.split(' ').next().map(str::to_owned))
}

/// Delete what no other deployment has on record.
async fn take_out(
    writer: &Writer,
    names: &Names,
    surplus: Vec<&Assignment>,
    marks: Option<Marks>,
) -> Result<(), Error> {
    if surplus.is_empty() {
        return Ok(());
    }
    let marks = match marks {
        Some(marks) => marks,
        None => Marks::read(writer.reader(), names).await?,
    };
    let ours = surplus.into_iter().filter(|one| one.entry(names, &marks).is_some_and(|entry| !entry.co_owned));
    try_join_all(ours.map(|one| writer.delete_role_assignment(&one.id))).await.map(drop)
}

/// Delete all of ours on an account that goes, whoever has them.
pub(crate) async fn remove(writer: &Writer, names: &Names) -> Result<(), Error> {
    let found = assignments(writer.reader(), names).await?.unwrap_or_default();
    take_out(writer, names, found.iter().filter(|one| one.has_our_id()).collect(), None).await
}

async fn assign(writer: &Writer, settings: &Settings, names: &Names, role: &Role, value: &Value) -> Result<(), Error> {
    let (Some(access), Some(scope)) = (&settings.azure.access, role.scope(names)) else { return Ok(()) };
    let definition = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{}", names.subscription, role.id);
    let body = json!({"properties": {
        "roleDefinitionId": definition,
        "principalId": access.principal_id,
        "principalType": access.principal_type,
    }});
    let name = assignment_id(&scope, role.id, &access.principal_id);
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    match writer.put_role_assignment(&id, &body, role.name).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => exists(writer, names, role, value, error).await,
        assigned => assigned,
    }
}

/// Somebody assigned the same under another id, which is as good; or the service still knows one that was just deleted.
async fn exists(writer: &Writer, names: &Names, role: &Role, value: &Value, error: Error) -> Result<(), Error> {
    let found = assignments(writer.reader(), names).await?.unwrap_or_default();
    match found.iter().any(|one| is_as(one, role, value, names)) {
        true => Ok(()),
        false => Err(error.retry(RetryClass::Conflict)),
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
    use provision_core::entries::{OnRecord, choose};
    use provision_core::ledger::Record;
    use provision_core::mark::Recorded;

    use crate::marks::tests::claimed;
    use crate::provider::tests::names;

    /// A golden vector: an id that moves makes every assignment look like somebody else's.
    #[test]
    fn assignment_ids_are_stable_and_case_insensitive() {
        let id = assignment_id("/subscriptions/S", "role", "principal");
        assert_eq!(id, assignment_id("/subscriptions/s", "ROLE", "Principal"));
        assert_ne!(id, assignment_id("/subscriptions/s", "role", "principal2"));
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], "89ab".contains(&id[19..20])), ("8", true));
        assert_eq!(id, "3089aae3-3372-8941-b7a3-5139375cc94d");
    }

    fn assignment(names: &Names, role: &Role, principal: &str, ours: bool) -> Assignment {
        let scope = identity_of(&role.scope(names).unwrap());
        let made = assignment_id(&scope, role.id, principal);
        let name = if ours { made } else { "theirs".to_owned() };
        let (role, principal) = (role.id.to_owned(), principal.to_owned());
        Assignment { id: name.clone(), name, scope, role, principal }
    }

    fn seen(found: &[Assignment], marks: &Marks) -> Vec<Entry> {
        entries(found, &["p".to_owned(), "q".to_owned()], &names(), marks)
    }

    /// Marks of others that have nothing of ours on record.
    fn unclaimed() -> Marks {
        claimed(&names(), |_| ())
    }

    fn ids(entries: &[Entry]) -> Vec<EntryId> {
        entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn assignment_is_ours_by_its_id_whatever_the_deployment_is_called() {
        let names = names();
        let found = [assignment(&names, &WANTED[0], "p", true), assignment(&names, &WANTED[1], "p", false)];
        assert_eq!(ids(&seen(&found, &unclaimed())), [EntryId::Ours, EntryId::Others]);
        let renamed = Names { deployments: vec!["renamed".to_owned()], ..names };
        assert_eq!(entries(&found, &["p".to_owned()], &renamed, &unclaimed())[0].id, EntryId::Ours);
    }

    #[test]
    fn assignment_under_another_id_is_used_and_never_ours() {
        let theirs = seen(&[assignment(&names(), &WANTED[0], "p", false)], &unclaimed());
        let (want, theirs): (_, Vec<_>) = (json!("p"), theirs.iter().collect());
        for recorded in [Recorded::Never, Recorded::Digest(&provision_core::digest::of_value(&want))] {
            let choice = choose(&theirs, &want, &OnRecord { recorded, begun: Vec::new() });
            assert!(choice.ours.is_empty() && choice.preexisting.is_some(), "{recorded:?}");
        }
    }

    #[test]
    fn assignment_that_another_deployment_has_on_record_is_shared() {
        let found = [assignment(&names(), &WANTED[0], "p", true), assignment(&names(), &WANTED[0], "q", true)];
        let record = Record::written(&json!("p"));
        let shared = seen(&found, &claimed(&names(), |mark| mark.outside.put_member('r', WANTED[0].name, record)));
        assert_eq!(ids(&shared), [EntryId::Nobodys, EntryId::Ours]);
        assert_eq!((shared[0].co_owned, shared[1].co_owned), (true, false));
        let choice = choose(&[&shared[0]], &json!("p"), &OnRecord { recorded: Recorded::Never, begun: Vec::new() });
        assert!(choice.is_co_owned());
    }

    #[test]
    fn assignment_of_anybody_else_is_not_looked_at() {
        let found = [assignment(&names(), &WANTED[0], "z", true)];
        assert!(seen(&found, &unclaimed()).is_empty());
        let elsewhere =
            Assignment { scope: "/subscriptions/s".to_owned(), ..assignment(&names(), &WANTED[0], "p", true) };
        assert!(seen(&[elsewhere], &unclaimed()).is_empty());
    }

    #[test]
    fn assignment_on_a_former_queue_is_another_value() {
        let former = Names { queue: Some("former".to_owned()), ..names() };
        let found = [assignment(&former, &WANTED[2], "p", true)];
        assert_eq!(seen(&found, &unclaimed())[0].value, "p on former");
        assert_eq!(roles_of("P", &names())["Storage Queue Data Contributor"], "p on events");
        assert_eq!(holders(&roles_of("P", &former)).collect::<BTreeSet<_>>(), BTreeSet::from(["p".to_owned()]));
    }
}

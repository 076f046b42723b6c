//! `azure.access`: role assignments of the identity that the server runs as.

mod assignment;

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use provision_core::facet::{Desired, Entries, Entry, EntryId, Words};
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Value, json};

use self::assignment::{Assignment, Role, WANTED, assignment_id};
use crate::blockers::not_there;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::marks::{Looking, Marks};
use crate::names::{Names, Part, identity_of};
use crate::permissions::document::Assigned;
use crate::resources::{Facets, Write};

provision_core::facets! {
    /// By role, who has it.
    pub(crate) enum AccessFacet {
        Roles = ("roles", 'r', NamedKeys, Named, OwnCall),
    }
}

/// The roles, where somebody has or had them.
pub(crate) fn resource(principals: &[String]) -> Option<Resource> {
    let principal = principals.first()?;
    Some(Resource {
        mark_holder: MarkHolder::On(Part::Container.address()),
        on_record: OnRecord::EveryMark,
        reference: Some(principal.clone()),
        grants_access: true,
        needs: [Part::Account, Part::Container, Part::Queue].map(Part::address).into(),
        deleted_after: vec![Part::Container.address()],
        ..Part::Access.resource(principal, AccessFacet::ALL)
    })
}

/// The desired facets: the identity by role; nothing where the plan file has no section.
pub(crate) fn desired(settings: &Settings, names: &Names) -> Vec<Desired> {
    let Some(access) = &settings.azure.access else { return Vec::new() };
    AccessFacet::all_desired(|facet| match facet {
        AccessFacet::Roles => Some(facet.desired(roles_of(&access.principal_id, names), "azure.access")),
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: AccessFacet, value: &Value) -> Option<Words> {
    match facet {
        AccessFacet::Roles => {
            let roles: Vec<_> = value.as_object()?.keys().map(String::as_str).collect();
            Some(("roles", roles.join(", ")))
        }
    }
}

fn roles_of(principal: &str, names: &Names) -> Value {
    let assigned = WANTED.iter().filter_map(|role| Some((role, role.scope(names)?)));
    let principal = identity_of(principal);
    let value = |(role, scope): (&Role, String)| (role.name.to_owned(), json!(role.holder_text(&principal, &scope)));
    Value::Object(assigned.map(value).collect())
}

/// What an identity is assigned: role, scope, and the id of the assignment.
pub(crate) fn assignments_of(names: &Names, principal: &str) -> Vec<(&'static str, String, String)> {
    let assigned = WANTED.iter().filter_map(|role| Some((role, role.scope(names)?)));
    let id = |(role, scope): (&'static Role, String)| {
        let name = assignment_id(&scope, role.id, principal);
        (role.name, scope.clone(), format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"))
    };
    assigned.map(id).collect()
}

/// The roles of these identities: the plan file's, and those that had them last.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    principals: &[String],
    looking: &Looking,
) -> Result<Observation, Error> {
    let (found, marks) = futures::join!(assignments(reader, names, principals), looking.marks(reader, names));
    let (found, marks) = (found?, marks?);
    // A list of what is not there may be empty, or show what is assigned above it.
    let Some(found) = found.filter(|_| marks.is_there) else { return Ok(Observation::Absent) };
    let observed = AccessFacet::all_observed(|facet| match facet {
        AccessFacet::Roles => {
            let list = entries(&found, principals, names, &marks);
            facet.entries(Ok(Entries { list, limit: None }))
        }
    });
    Ok(Observation::Present(Box::new(Present { observed, ..Present::default() })))
}

fn entries(found: &[Assignment], principals: &[String], names: &Names, marks: &Marks) -> Vec<Entry> {
    let theirs = found.iter().filter(|one| principals.contains(&one.principal));
    theirs.filter_map(|one| entry(one, names, marks)).collect()
}

/// The assignments, those of these identities by a look at each: the list goes on showing for minutes what was deleted
/// (<https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>).
async fn assignments(reader: &Reader, names: &Names, principals: &[String]) -> Result<Option<Vec<Assignment>>, Error> {
    let Some(listed) = reader.list_role_assignments(&names.account_id()).await? else { return Ok(None) };
    let listed: Vec<_> = listed.into_iter().map(Assignment::of).collect();
    let relied = |one: &Assignment| principals.contains(&one.principal) && one.role(names).is_some();
    let look = |one: Assignment| async move {
        let is_there = !relied(&one) || reader.get_role_assignment(&one.id).await?.is_some();
        Ok::<_, Error>(Some(one).filter(|_| is_there))
    };
    let found = try_join_all(listed.into_iter().map(look)).await?;
    Ok(Some(found.into_iter().flatten().collect()))
}

/// As the core judges it. Two deployments that give an identity the same role share one assignment: it is neither's alone.
fn entry(one: &Assignment, names: &Names, marks: &Marks) -> Option<Entry> {
    let role = one.role(names)?;
    let held = role.holder_text(&one.principal, &one.scope);
    let (value, text) = (json!(held), format!("role {} of {held}", role.name));
    let claimed = marks.claim_member(names, AccessFacet::Roles.spec(), role.name, &value);
    let id = match (one.has_our_id(), claimed) {
        (true, false) => EntryId::Ours,
        (true, true) => EntryId::Nobodys,
        (false, _) => EntryId::Others,
    };
    let member = Some(role.name.to_owned());
    Some(Entry { member, id, co_owned: claimed && one.has_our_id(), ..Entry::new(value, text) })
}

/// Assign what is missing, then delete what of ours is in `before` or beside `value`, unless another deployment relies on it.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    principals: &[String],
    write: &Write<'_>,
) -> Result<(), Error> {
    let (AccessFacet::Roles, Write { before, value, .. }) = (AccessFacet::of(write.facet)?, *write);
    // What is only deleted need not be there; and between the look at the marks and the deletion no other look comes.
    let relied = if value.is_null() { &[] } else { principals };
    let marks = claims(writer, names, !before.is_null() && value.is_null());
    let (found, marks) = futures::join!(assignments(writer.reader(), names, relied), marks);
    let (found, marks) = (found?, marks?);
    let Some(found) = found else { return not_there(names, value) };
    let has = |role: &Role| found.iter().any(|one| one.is_as(role, value, names));
    let missing = WANTED.iter().filter(|role| value[role.name].is_string() && !has(role));
    all_of(join_all(missing.map(|role| assign(writer, settings, names, role, value))).await)?;
    let mut concerned: BTreeSet<_> = principals.iter().cloned().collect();
    concerned.extend(holders(before));
    let surplus = |one: &&Assignment| {
        let desired = one.role(names).is_none_or(|role| one.is_as(role, value, names));
        one.has_our_id() && concerned.contains(&one.principal) && !desired
    };
    take_out(writer, names, found.iter().filter(surplus).collect(), marks).await
}

/// The marks of right now, where all that is done is to take something out.
async fn claims(writer: &Writer, names: &Names, asked: bool) -> Result<Option<Marks>, Error> {
    if asked { Marks::read(writer.reader(), names).await.map(Some) } else { Ok(None) }
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
    let ours = surplus.into_iter().filter(|one| entry(one, names, &marks).is_some_and(|entry| !entry.co_owned));
    all_of(join_all(ours.map(|one| writer.delete_role_assignment(&one.id))).await)
}

/// The first failure, once all have ended: a request that is left on its way may have its effect after the run.
fn all_of(results: Vec<Result<(), Error>>) -> Result<(), Error> {
    results.into_iter().collect()
}

/// Delete all of ours on an account that goes, whoever has them.
pub(crate) async fn remove(writer: &Writer, names: &Names) -> Result<(), Error> {
    let found = assignments(writer.reader(), names, &[]).await?.unwrap_or_default();
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
    let principals: Vec<_> = holders(value).collect();
    let found = assignments(writer.reader(), names, &principals).await?.unwrap_or_default();
    match found.iter().any(|one| one.is_as(role, value, names)) {
        true => Ok(()),
        false => Err(error.with_retry(RetryClass::Conflict)),
    }
}

/// Where a write assigns roles.
pub(crate) fn assigned_at(names: &Names, before: &Value, value: &Value) -> Vec<String> {
    let changed = |role: &&Role| value[role.name].is_string() && before[role.name] != value[role.name];
    let mut scopes: Vec<_> = WANTED.iter().filter(changed).filter_map(|role| role.scope(names)).collect();
    scopes.dedup();
    scopes
}

/// Where a write that only takes out takes them out.
pub(crate) fn taken_from(names: &Names, before: &Value) -> Vec<String> {
    let held = WANTED.iter().filter_map(|role| before[role.name].as_str());
    let mut scopes: Vec<_> = held.map(|held| Role::scope_of(held, names)).collect();
    scopes.dedup();
    scopes
}

/// The commands that assign the roles by hand, to whoever is named.
pub(crate) fn commands(names: &Names, principal: Option<&str>) -> Vec<String> {
    let principal = principal.unwrap_or("\"$PRINCIPAL_ID\"");
    let command = |assigned: Assigned| {
        let Assigned { role, scope } = assigned;
        format!("az role assignment create --assignee {principal} --role '{role}' --scope {scope}")
    };
    assigned(names).into_iter().map(command).collect()
}

/// The roles and where the server needs them.
pub(crate) fn assigned(names: &Names) -> Vec<Assigned> {
    let assigned = |role: &Role| Some(Assigned { role: role.name, scope: role.scope(names)? });
    WANTED.iter().filter_map(assigned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::entries::{OnRecord, choose};
    use provision_core::ledger::Record;
    use provision_core::mark::Recorded;

    use crate::marks::tests::claimed;
    use crate::names::tests::names;

    fn assignment(names: &Names, role: &Role, principal: &str, ours: bool) -> Assignment {
        let scope = identity_of(&role.scope(names).unwrap());
        let made = assignment_id(&scope, role.id, principal);
        let name = if ours { made } else { "theirs".to_owned() };
        let (role, principal) = (role.id.to_owned(), principal.to_owned());
        Assignment { id: name.clone(), name, scope, role, principal }
    }

    fn observed(found: &[Assignment], marks: &Marks) -> Vec<Entry> {
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
        assert_eq!(ids(&observed(&found, &unclaimed())), [EntryId::Ours, EntryId::Others]);
        let renamed = Names { deployments: vec!["renamed".to_owned()], ..names };
        assert_eq!(entries(&found, &["p".to_owned()], &renamed, &unclaimed())[0].id, EntryId::Ours);
    }

    #[test]
    fn assignment_under_another_id_is_used_and_never_ours() {
        let theirs = observed(&[assignment(&names(), &WANTED[0], "p", false)], &unclaimed());
        let (desired, theirs): (_, Vec<_>) = (json!("p"), theirs.iter().collect());
        for recorded in [Recorded::Never, Recorded::Digest(&provision_core::digest::of_value(&desired))] {
            let choice = choose(&theirs, &desired, &OnRecord { recorded, begun: Vec::new() });
            assert!(choice.ours.is_empty() && choice.preexisting.is_some(), "{recorded:?}");
        }
    }

    #[test]
    fn assignment_that_another_deployment_has_on_record_is_shared() {
        let found = [assignment(&names(), &WANTED[0], "p", true), assignment(&names(), &WANTED[0], "q", true)];
        let record = Record::written(&json!("p"));
        let shared = observed(&found, &claimed(&names(), |mark| mark.outside.put_member('r', WANTED[0].name, record)));
        assert_eq!(ids(&shared), [EntryId::Nobodys, EntryId::Ours]);
        assert_eq!((shared[0].co_owned, shared[1].co_owned), (true, false));
        let choice = choose(&[&shared[0]], &json!("p"), &OnRecord { recorded: Recorded::Never, begun: Vec::new() });
        assert!(choice.is_co_owned());
    }

    #[test]
    fn assignment_of_anybody_else_is_not_looked_at() {
        let found = [assignment(&names(), &WANTED[0], "z", true)];
        assert!(observed(&found, &unclaimed()).is_empty());
        let elsewhere =
            Assignment { scope: "/subscriptions/s".to_owned(), ..assignment(&names(), &WANTED[0], "p", true) };
        assert!(observed(&[elsewhere], &unclaimed()).is_empty());
    }

    #[test]
    fn assignment_on_a_former_queue_is_another_value() {
        let former = Names { queue: Some("former".to_owned()), ..names() };
        let found = [assignment(&former, &WANTED[2], "p", true)];
        assert_eq!(observed(&found, &unclaimed())[0].value, "p on former");
        assert_eq!(roles_of("P", &names())["Storage Queue Data Contributor"], "p on events");
        assert_eq!(holders(&roles_of("P", &former)).collect::<BTreeSet<_>>(), BTreeSet::from(["p".to_owned()]));
    }
}

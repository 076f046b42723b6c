//! `azure.access`: role assignments of the identity that the server runs as, and of those of somebody else's server.

mod assignment;
mod principals;

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use provision_core::facet::{Desired, Entries, Entry, EntryId, Words};
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use self::assignment::{Assignment, Role, WANTED, assignment_id};
pub(crate) use self::principals::Principals;
use crate::blockers::not_there;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::marks::{Looking, Marks};
use crate::names::{Names, Part, identity_of};
use crate::permissions::document::Assigned;
use crate::resources::{Facets, Write};

provision_core::facets! {
    /// By role, who has it: the server's identity, and each of somebody else's.
    pub(crate) enum AccessFacet {
        Roles = ("roles", 'r', NamedKeys, Named, OwnCall),
        Identities = ("identities", 'i', NamedKeys, Named, OwnCall),
    }
}

/// The roles, where somebody has or had them.
pub(crate) fn resource(principals: &Principals) -> Option<Resource> {
    let principal = principals.first()?;
    Some(Resource {
        mark_holder: MarkHolder::On(Part::Container.address()),
        on_record: OnRecord::EveryMark,
        references: principals.references().to_vec(),
        grants_access: true,
        needs: [Part::Container, Part::Queue].map(Part::address).into(),
        deleted_after: vec![Part::Container.address()],
        ..Part::Access.resource(principal, AccessFacet::ALL)
    })
}

/// The desired facets: the identities by role; nothing where the plan file names none.
pub(crate) fn desired(settings: &Settings, names: &Names) -> Vec<Desired> {
    let identities = identities_of(settings.identities());
    AccessFacet::all_desired(|facet| match facet {
        AccessFacet::Roles => {
            settings.principal_id().map(|principal| facet.desired(roles_of(principal, names), "azure.access"))
        }
        AccessFacet::Identities => {
            identities.is_object().then(|| facet.desired(&identities, "azure.access.identities"))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: AccessFacet, value: &Value) -> Option<Words> {
    match facet {
        AccessFacet::Roles => {
            let roles: Vec<_> = value.as_object()?.keys().map(String::as_str).collect();
            Some(("roles", roles.join(", ")))
        }
        AccessFacet::Identities => {
            let identities: BTreeSet<_> = value.as_object()?.values().filter_map(Value::as_str).collect();
            let roles: Vec<_> = of_others().map(|role| role.name).collect();
            Some(("lets in", format!("{} ({})", Vec::from_iter(identities).join(", "), roles.join(", "))))
        }
    }
}

fn roles_of(principal: &str, names: &Names) -> Value {
    let assigned = WANTED.iter().filter_map(|role| Some((role, role.scope(names)?)));
    let principal = identity_of(principal);
    let value = |(role, scope): (&Role, String)| (role.name.to_owned(), json!(role.holder_text(&principal, &scope)));
    Value::Object(assigned.map(value).collect())
}

/// What identities of somebody else's server get, which has queues of its own.
fn of_others() -> impl Iterator<Item = &'static Role> {
    WANTED.iter().filter(|role| !role.on_queue)
}

/// By role and identity, who has it; `null` if the plan file names none.
fn identities_of(identities: &[String]) -> Value {
    let each = identities.iter().map(|id| identity_of(id));
    let each = each.flat_map(|id| of_others().map(move |role| (role.member_of(&id), json!(id))));
    let members: Map<_, _> = each.collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// The roles of these identities: the plan file's, and those that had them last.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    principals: &Principals,
    looking: &Looking,
) -> Result<Observation, Error> {
    let (found, marks) = futures::join!(assignments(reader, names, Some(principals)), looking.marks(reader, names));
    let (found, marks) = (found?, marks?);
    // A list of what is not there may be empty, or show what is assigned above it.
    let Some(found) = found.filter(|_| marks.is_there) else { return Ok(Observation::Absent) };
    let observed = AccessFacet::all_observed(|facet| {
        let list = entries(facet, &found, principals, names, &marks);
        facet.entries(Ok(Entries { list, limit: None }))
    });
    Ok(Observation::Present(Box::new(Present { observed, ..Present::default() })))
}

fn entries(
    facet: AccessFacet,
    found: &[Assignment],
    principals: &Principals,
    names: &Names,
    marks: &Marks,
) -> Vec<Entry> {
    let theirs = found.iter().filter(|one| principals.has(&one.principal));
    let of_facet = theirs.filter(|one| facet_of(one, principals, names) == Some(facet));
    of_facet.filter_map(|one| entry(facet, one, names, marks)).collect()
}

/// The one facet that an assignment is a member of: the plan file names an identity once, and what is on record of its former place
/// is that of the new one.
fn facet_of(one: &Assignment, principals: &Principals, names: &Names) -> Option<AccessFacet> {
    let role = one.role(names)?;
    let of_others = !role.on_queue && principals.is_of_others(&one.principal);
    Some(if of_others { AccessFacet::Identities } else { AccessFacet::Roles })
}

/// The assignments, those of these identities by a look at each: the list goes on showing for minutes what was deleted
/// (<https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>).
async fn assignments(
    reader: &Reader,
    names: &Names,
    principals: Option<&Principals>,
) -> Result<Option<Vec<Assignment>>, Error> {
    let Some(listed) = reader.list_role_assignments(&names.account_id()).await? else { return Ok(None) };
    let listed: Vec<_> = listed.into_iter().map(Assignment::of).collect();
    let named = |principal: &str| principals.is_some_and(|principals| principals.has(principal));
    let relied = |one: &Assignment| named(&one.principal) && one.role(names).is_some();
    let look = |one: Assignment| async move {
        let is_there = !relied(&one) || reader.get_role_assignment(&one.id).await?.is_some();
        Ok::<_, Error>(Some(one).filter(|_| is_there))
    };
    let found = try_join_all(listed.into_iter().map(look)).await?;
    Ok(Some(found.into_iter().flatten().collect()))
}

/// As the core judges it. Two deployments that give an identity the same role share one assignment: it is neither's alone.
fn entry(facet: AccessFacet, one: &Assignment, names: &Names, marks: &Marks) -> Option<Entry> {
    let role = one.role(names)?;
    let held = role.holder_text(&one.principal, &one.scope);
    let (value, text) = (json!(held), format!("role {} of {held}", role.name));
    let claimed = is_claimed(role, &one.principal, &value, names, marks);
    let id = match (one.has_our_id(), claimed) {
        (true, false) => EntryId::Ours,
        (true, true) => EntryId::Nobodys,
        (false, _) => EntryId::Others,
    };
    let member = Some(facet.member(role, &one.principal));
    Some(Entry { member, id, co_owned: claimed && one.has_our_id(), ..Entry::new(value, text) })
}

impl AccessFacet {
    fn member(self, role: &Role, principal: &str) -> String {
        match self {
            Self::Roles => role.name.to_owned(),
            Self::Identities => role.member_of(principal),
        }
    }
}

/// Whether another deployment has it on record, for a server of its own or of somebody else.
fn is_claimed(role: &Role, principal: &str, value: &Value, names: &Names, marks: &Marks) -> bool {
    let claim = |facet: &AccessFacet| marks.claim_member(names, facet.spec(), &facet.member(role, principal), value);
    AccessFacet::EACH.iter().any(claim)
}

/// Assign what is missing, then delete what of ours is in `before` or beside `value`, unless another deployment relies on it.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    principals: &Principals,
    write: &Write<'_>,
) -> Result<(), Error> {
    let (facet, Write { before, value, .. }) = (AccessFacet::of(write.facet)?, *write);
    // What is only deleted need not be there; and between the look at the marks and the deletion no other look comes.
    let relied = (!value.is_null()).then_some(principals);
    let marks = claims(writer, names, !before.is_null() && value.is_null());
    let (found, marks) = futures::join!(assignments(writer.reader(), names, relied), marks);
    let (found, marks) = (found?, marks?);
    let Some(found) = found else { return not_there(names, value) };
    let missing = held(value).filter(|(role, held)| !found.iter().any(|one| one.is_as(role, held, names)));
    all_of(join_all(missing.map(|(role, held)| assign(writer, settings, names, role, held))).await)?;
    let in_facet = |one: &Assignment| principals.has(&one.principal) && facet_of(one, principals, names) == Some(facet);
    let surplus = |one: &&Assignment| {
        let concerned = is_in(one, before, names) || in_facet(one);
        one.has_our_id() && concerned && !is_in(one, value, names)
    };
    take_out(writer, names, found.iter().filter(surplus).collect(), marks).await
}

/// The marks of right now, where all that is done is to take something out.
async fn claims(writer: &Writer, names: &Names, asked: bool) -> Result<Option<Marks>, Error> {
    if asked { Marks::read(writer.reader(), names).await.map(Some) } else { Ok(None) }
}

/// What a value asks for: each role, and who has it where.
fn held(value: &Value) -> impl Iterator<Item = (&'static Role, &str)> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(member, held)| Some((Role::of_member(member)?, held.as_str()?)))
}

/// Whether it is one of the assignments that a value asks for.
fn is_in(one: &Assignment, value: &Value, names: &Names) -> bool {
    held(value).any(|(role, held)| one.is_as(role, held, names))
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
    let is_ours = |entry: Entry| !entry.co_owned;
    let ours = surplus.into_iter().filter(|one| entry(AccessFacet::Roles, one, names, &marks).is_some_and(is_ours));
    all_of(join_all(ours.map(|one| writer.delete_role_assignment(&one.id))).await)
}

/// The first failure, once all have ended: a request that is left on its way may have its effect after the run.
fn all_of(results: Vec<Result<(), Error>>) -> Result<(), Error> {
    results.into_iter().collect()
}

/// Delete all of ours on an account that goes, whoever has them.
pub(crate) async fn remove(writer: &Writer, names: &Names) -> Result<(), Error> {
    let found = assignments(writer.reader(), names, None).await?.unwrap_or_default();
    take_out(writer, names, found.iter().filter(|one| one.has_our_id()).collect(), None).await
}

async fn assign(writer: &Writer, settings: &Settings, names: &Names, role: &Role, held: &str) -> Result<(), Error> {
    let (principal, scope) = (holder(held), Role::scope_of(held, names));
    let definition = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{}", names.subscription, role.id);
    let mut body = json!({"properties": {"roleDefinitionId": definition, "principalId": principal}});
    // What an identity of others is, the service finds out.
    if let Some(kind) = settings.principal_type(principal) {
        body["properties"]["principalType"] = json!(kind);
    }
    match writer.put_role_assignment(&assignment_at(&scope, role, principal), &body, role.name).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => exists(writer, names, role, held, error).await,
        assigned => assigned,
    }
}

/// The identity of whom [`Role::holder_text`] says this.
fn holder(held: &str) -> &str {
    held.split(' ').next().unwrap_or(held)
}

fn assignment_at(scope: &str, role: &Role, principal: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", assignment_id(scope, role.id, principal))
}

/// Somebody assigned the same under another id, which is as good; or the service still knows one that was just deleted.
async fn exists(writer: &Writer, names: &Names, role: &Role, held: &str, error: Error) -> Result<(), Error> {
    let principals = Principals::only(holder(held));
    let found = assignments(writer.reader(), names, Some(&principals)).await?.unwrap_or_default();
    match found.iter().any(|one| one.is_as(role, held, names)) {
        true => Ok(()),
        false => Err(error.with_retry(RetryClass::Conflict)),
    }
}

/// Where a write assigns roles.
pub(crate) fn assigned_at(names: &Names, before: &Value, value: &Value) -> Vec<String> {
    let had: Vec<_> = held(before).map(|(role, held)| (role.id, held)).collect();
    let changed = held(value).filter(|(role, held)| !had.contains(&(role.id, held)));
    let mut scopes: Vec<_> = changed.map(|(_, held)| Role::scope_of(held, names)).collect();
    scopes.dedup();
    scopes
}

/// Where a write that only takes out takes them out.
pub(crate) fn taken_from(names: &Names, before: &Value) -> Vec<String> {
    let mut scopes: Vec<_> = held(before).map(|(_, held)| Role::scope_of(held, names)).collect();
    scopes.dedup();
    scopes
}

fn assigned_to<'a>(
    role: &'static Role,
    names: &Names,
    principal: Option<&'a str>,
    of_others: bool,
) -> Option<Assigned<'a>> {
    let scope = role.scope(names)?;
    let id = assignment_at(&scope, role, principal.unwrap_or_default());
    Some(Assigned { role: role.name, short: role.short, scope, principal, of_others, id })
}

/// The roles of all identities; the server's where the plan file names nobody at all.
pub(crate) fn assigned<'a>(settings: &'a Settings, names: &Names) -> Vec<Assigned<'a>> {
    let (server, identities) = (settings.principal_id(), settings.identities());
    let is_ours = server.is_some() || identities.is_empty();
    let server = WANTED.iter().filter(|_| is_ours).filter_map(|role| assigned_to(role, names, server, false));
    let each = |id: &'a String| of_others().filter_map(move |role| assigned_to(role, names, Some(id.as_str()), true));
    server.chain(identities.iter().flat_map(each)).collect()
}

/// The commands that assign the roles by hand, to whoever is named.
pub(crate) fn commands(assigned: &[Assigned<'_>]) -> Vec<String> {
    let command = |Assigned { role, scope, principal, .. }: &Assigned<'_>| {
        let principal = principal.unwrap_or("\"$PRINCIPAL_ID\"");
        format!("az role assignment create --assignee {principal} --role '{role}' --scope {scope}")
    };
    assigned.iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::entries::{OnRecord, choose};
    use provision_core::ledger::Record;
    use provision_core::mark::Recorded;

    use super::principals::tests::named;
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
        entries(AccessFacet::Roles, found, &named(&["p", "q"], &[]), &names(), marks)
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
        assert_eq!(
            entries(AccessFacet::Roles, &found, &named(&["p"], &[]), &renamed, &unclaimed())[0].id,
            EntryId::Ours
        );
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
        assert!(held(&roles_of("P", &former)).all(|(_, held)| holder(held) == "p"));
    }

    #[test]
    fn assignment_of_an_identity_of_others_is_a_member_of_its_own() {
        let (names, principals) = (names(), named(&["p"], &["q"]));
        let found: Vec<_> = WANTED.iter().map(|role| assignment(&names, role, "q", true)).collect();
        let of = |facet| entries(facet, &found, &principals, &names, &unclaimed());
        let members: Vec<_> = of(AccessFacet::Identities).into_iter().filter_map(|entry| entry.member).collect();
        assert_eq!(members, ["Reader of q", "Storage Blob Data Contributor of q"]);
        // It had the server's place before: its queue is taken away there.
        let members: Vec<_> = of(AccessFacet::Roles).into_iter().filter_map(|entry| entry.member).collect();
        assert_eq!(members, ["Storage Queue Data Contributor"]);
        let desired = identities_of(&["Q".to_owned(), "r".to_owned()]);
        assert_eq!(found.iter().map(|one| is_in(one, &desired, &names)).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(held(&desired).count(), 4);
    }

    #[test]
    fn assignment_is_anothers_whichever_server_it_is_for() {
        let found = [assignment(&names(), &WANTED[0], "q", true)];
        let of_others = named(&[], &["q"]);
        let (record, value) = (Record::written(&json!("q")), WANTED[0].name);
        let marks = claimed(&names(), |mark| mark.outside.put_member('r', value, record));
        assert!(entries(AccessFacet::Identities, &found, &of_others, &names(), &marks)[0].co_owned);
    }
}

//! Before the first write: which rights an operation is sure to need, at what scope, and whether the caller's roles have them
//! (<https://learn.microsoft.com/rest/api/authorization/permissions>); and what would refuse the writes whatever the roles.

mod actions;
mod denials;
mod policies;

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use futures::future::join_all;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::operation::{Operation, Verb};
use provision_core::permissions::Task;
use provision_core::refusal::Refusal;
use provision_core::rights::{Answer, Right};
use provision_core::{Error, ErrorKind};

use self::actions::permits;
use self::policies::Policies;
use crate::client::Reader;
use crate::client::models::Permission;
use crate::client::refusals::DenyAssignment;
use crate::config::Settings;
use crate::names::{Names, Part, STORAGE, identity_of};
use crate::permissions;
use crate::resources::account::AccountFacet;
use crate::resources::events::Place;
use crate::resources::{Facets as _, access};

const GROUPS: Rights = Rights {
    write: "Microsoft.Resources/subscriptions/resourceGroups/write",
    delete: "Microsoft.Resources/subscriptions/resourceGroups/delete",
};
const ACCOUNTS: Rights =
    Rights { write: "Microsoft.Storage/storageAccounts/write", delete: "Microsoft.Storage/storageAccounts/delete" };
const CONTAINERS: Rights = Rights {
    write: "Microsoft.Storage/storageAccounts/blobServices/containers/write",
    delete: "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
};
const QUEUES: Rights = Rights {
    write: "Microsoft.Storage/storageAccounts/queueServices/queues/write",
    delete: "Microsoft.Storage/storageAccounts/queueServices/queues/delete",
};
const EVENTS: Rights = Rights {
    write: "Microsoft.EventGrid/eventSubscriptions/write",
    delete: "Microsoft.EventGrid/eventSubscriptions/delete",
};
const EVENTS_ON_TOPIC: Rights = Rights {
    write: "Microsoft.EventGrid/systemTopics/eventSubscriptions/write",
    delete: "Microsoft.EventGrid/systemTopics/eventSubscriptions/delete",
};
const ASSIGNMENTS: Rights = Rights {
    write: "Microsoft.Authorization/roleAssignments/write",
    delete: "Microsoft.Authorization/roleAssignments/delete",
};
const BLOB_SERVICE: &str = "Microsoft.Storage/storageAccounts/blobServices/write";
const DELETE_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";
const REGISTER: &str = "Microsoft.EventGrid/register/action";

/// What a kind of resource is written and deleted with.
struct Rights {
    write: &'static str,
    delete: &'static str,
}

impl Rights {
    /// The one that an operation on a resource itself is sure to need.
    fn of(&self, verb: &Verb) -> Option<&'static str> {
        match verb {
            Verb::Delete { .. } => Some(self.delete),
            Verb::Empty { .. } | Verb::ReadMark { .. } | Verb::CheckMark { .. } => None,
            Verb::Create { .. }
            | Verb::Adopt { .. }
            | Verb::Write { .. }
            | Verb::WriteMark { .. }
            | Verb::Update { .. }
            | Verb::RemoveMark { .. } => Some(self.write),
        }
    }
}

/// What the look found that decides which rights are needed, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    /// Event Grid is not registered.
    pub(crate) unregistered: bool,
    pub(crate) place: &'a Place,
}

/// The rights that an operation is sure to need.
pub(crate) fn rights(names: &Names, found: Found<'_>, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
    let Ok(part) = Part::of(&operation.address) else { return Vec::new() };
    let (names, name) = names.located(part, &operation.name);
    let places = Places { names: &names, set, of_orphan: operation.holder.is_none() };
    let verb = &operation.verb;
    match part {
        Part::ResourceGroup => places.on_group(GROUPS.of(verb)),
        Part::Account => places.on_account(of_account(verb)),
        Part::Container => places.on(Part::Container, names.container_id(name), CONTAINERS.of(verb)),
        Part::Queue => places.on(Part::Queue, names.queue_id(name), QUEUES.of(verb)),
        // What is taken out may be another deployment's rule too, and stays.
        Part::Cors => {
            let writes = matches!(verb, Verb::Write { value, .. } if !value.is_null());
            places.on_account(writes.then_some(BLOB_SERVICE))
        }
        Part::Events => of_events(&places, verb, found),
        Part::Access => of_access(&places, verb),
    }
}

/// What its Blob service keeps is written by a right of that.
fn of_account(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Write { facet, .. } if facet == AccountFacet::SoftDelete.name() => Some(BLOB_SERVICE),
        verb => ACCOUNTS.of(verb),
    }
}

/// An account may have a system topic, whose event subscriptions have rights of their own. Events go only to where the caller may write.
fn of_events(places: &Places<'_>, verb: &Verb, found: Found<'_>) -> Vec<Right> {
    let (Verb::Write { value, .. }, false) = (verb, places.of_orphan) else { return Vec::new() };
    let is_new = places.is_new(Part::Account);
    if value.is_null() {
        let sources = found.place.deleted_from().unwrap_or_default();
        return sources.iter().flat_map(|source| places.on_source(source, |rights| rights.delete)).collect();
    }
    let source = found.place.written_on(&places.names.events).filter(|_| !is_new);
    let source = source.unwrap_or_else(|| places.names.account_id());
    let subscription = &places.names.subscription;
    let register = found.unregistered.then(|| right(REGISTER, subscription.clone(), subscription.clone()));
    let to_queue = places.on_account(Some(ACCOUNTS.write)).into_iter();
    let to_queue = to_queue.map(|right| Right { unless: Some("Event Grid does not ask for it here"), ..right });
    places.on_source(&source, |rights| rights.write).into_iter().chain(to_queue).chain(register).collect()
}

/// Roles are given and taken on the account and on the queue.
fn of_access(places: &Places<'_>, verb: &Verb) -> Vec<Right> {
    let Verb::Write { before, value, .. } = verb else { return Vec::new() };
    let (name, scopes) = match value.is_null() {
        true => (ASSIGNMENTS.delete, access::taken_from(places.names, before)),
        false => (ASSIGNMENTS.write, access::assigned_at(places.names, before, value)),
    };
    scopes.into_iter().flat_map(|scope| places.at(scope, name)).collect()
}

/// Those without which a probe would stay, where these credentials remove it and not the account's key, which may do everything. An
/// earlier version has a right of its own.
pub(crate) fn rights_to_remove(names: &Names, keeps_versions: bool) -> Vec<Right> {
    let container = names.container_id(&names.container);
    let rights = permissions::of(DELETE_BLOB).iter().filter(|name| keeps_versions || **name == DELETE_BLOB);
    rights.map(|name| right(name, container.clone(), container.clone())).collect()
}

fn right(name: &'static str, on: String, asked_of: String) -> Right {
    Right { name, on, asked_of, unless: None }
}

/// Where rights are asked about: at what is there already, since nobody has a role on what is not.
struct Places<'a> {
    names: &'a Names,
    set: &'a ChangeSet,
    of_orphan: bool,
}

impl Places<'_> {
    fn is_new(&self, part: Part) -> bool {
        !self.of_orphan && self.set.creates(&part.address())
    }

    fn group(&self) -> String {
        if self.is_new(Part::ResourceGroup) { self.names.subscription.clone() } else { self.names.group_id() }
    }

    fn account(&self) -> String {
        if self.is_new(Part::Account) { self.group() } else { self.names.account_id() }
    }

    fn on_group(&self, name: Option<&'static str>) -> Vec<Right> {
        name.map(|name| right(name, self.names.group_id(), self.group())).into_iter().collect()
    }

    fn on_account(&self, name: Option<&'static str>) -> Vec<Right> {
        name.map(|name| right(name, self.names.account_id(), self.account())).into_iter().collect()
    }

    fn on(&self, part: Part, id: String, name: Option<&'static str>) -> Vec<Right> {
        let asked_of = if self.is_new(part) { self.account() } else { id.clone() };
        name.map(|name| right(name, id, asked_of)).into_iter().collect()
    }

    /// On the account or its queue, by its id.
    fn at(&self, id: String, name: &'static str) -> Vec<Right> {
        if id == self.names.account_id() { self.on_account(Some(name)) } else { self.on(Part::Queue, id, Some(name)) }
    }

    /// On what event subscriptions belong to.
    fn on_source(&self, source: &str, of: impl Fn(&Rights) -> &'static str) -> Vec<Right> {
        match identity_of(source) == identity_of(&self.names.account_id()) {
            true => self.on_account(Some(of(&EVENTS))),
            false => vec![right(of(&EVENTS_ON_TOPIC), source.to_owned(), source.to_owned())],
        }
    }
}

/// What the caller's roles let it do, scope by scope; and what is denied or refused in any case.
#[derive(Debug, Default)]
pub(crate) struct Inquiry {
    permissions: Mutex<Vec<(String, Said)>>,
    denials: OnceLock<Vec<DenyAssignment>>,
    policies: Policies,
    /// How far Microsoft.Storage is registered.
    registration: OnceLock<String>,
}

/// What each role lets the caller do at a scope; `None` where nothing is.
type Said = Result<Option<Vec<Permission>>, Error>;

impl Inquiry {
    /// Ask at each scope that there may be.
    pub(crate) async fn make(&self, reader: &Reader, settings: &Settings, names: &Names, task: Task) {
        let in_account =
            [Some(names.container_id(&names.container)), names.queue.as_ref().map(|queue| names.queue_id(queue))];
        let around = [names.subscription.clone(), names.group_id(), names.account_id()];
        let scopes = around.into_iter().chain(in_account.into_iter().flatten()).collect();
        let of_applying = async {
            if task == Task::Apply {
                futures::join!(self.policies.ask(reader, settings, names), self.look_at_storage(reader, names));
            }
        };
        futures::join!(self.ask(reader, scopes), self.look_at_denials(reader, names), of_applying);
    }

    /// Ask at the scopes of these rights.
    pub(crate) async fn make_more(&self, reader: &Reader, rights: &[Right]) {
        self.ask(reader, rights.iter().map(|right| right.asked_of.clone()).collect()).await;
    }

    async fn ask(&self, reader: &Reader, scopes: BTreeSet<String>) {
        let asks = scopes.into_iter().map(async |scope| {
            let answer = reader.list_permissions(&scope).await;
            (scope, answer)
        });
        let found = join_all(asks).await;
        self.permissions.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// Those of the whole subscription, or of the group, for whoever may look no further.
    async fn look_at_denials(&self, reader: &Reader, names: &Names) {
        let found = match reader.list_deny_assignments(&names.subscription).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                reader.list_deny_assignments(&names.group_id()).await
            }
            found => found,
        };
        if let Ok(Some(found)) = found {
            let _ = self.denials.set(found);
        }
    }

    async fn look_at_storage(&self, reader: &Reader, names: &Names) {
        if let Ok(state) = reader.get_provider(&names.subscription, STORAGE).await {
            let _ = self.registration.set(state);
        }
    }

    /// What was said of a right that these credentials may have; `caller` is their id in the directory.
    pub(crate) fn held(&self, right: &Right, caller: Option<&str>) -> Answer {
        let permissions = self.permissions.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = permissions.iter().find(|(scope, _)| *scope == right.asked_of);
        match answer.map_or(Answer::Unasked, |(_, answer)| judged(right, answer)) {
            Answer::Held => {
                let denials = self.denials.get().map(Vec::as_slice).unwrap_or_default();
                denials::denial(denials, right, caller).unwrap_or(Answer::Held)
            }
            answer => answer,
        }
    }

    /// What would refuse a set.
    pub(crate) fn refusals(&self, names: &Names, set: &ChangeSet) -> Vec<Refusal> {
        let unregistered = self.registration.get().filter(|_| set.purpose == Purpose::Apply);
        let unregistered = unregistered.filter(|state| NOT_REGISTERED.contains(&state.as_str())).map(|_| Refusal {
            reason: format!("resource provider `{STORAGE}` is not registered in the subscription"),
            hint: format!("run `az provider register --namespace {STORAGE} --wait`, then the same command again"),
        });
        unregistered.into_iter().chain(self.policies.refusals(names, set)).collect()
    }
}

/// The states in which nothing of a provider can be made, and which do not change by themselves
/// (<https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types>).
const NOT_REGISTERED: [&str; 3] = ["NotRegistered", "Unregistered", "Unregistering"];

/// A role's condition is believed to hold.
fn judged(right: &Right, answer: &Said) -> Answer {
    match answer {
        Ok(Some(permissions)) if permissions.iter().any(|permission| permits(permission, right.name)) => Answer::Held,
        Ok(Some(_)) => match right.unless {
            Some(unless) => Answer::Doubtful(format!("unless {unless}")),
            None => Answer::Missing(None),
        },
        Ok(None) => Answer::Unknown("what is asked about is not there any more".to_owned()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Answer::Unknown("these credentials lack `Microsoft.Authorization/permissions/read`".to_owned())
        }
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn role(actions: &[&str], not_actions: &[&str]) -> Permission {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Permission { actions: owned(actions), not_actions: owned(not_actions), ..Permission::default() }
    }

    #[test]
    fn rights_on_data_are_those_that_a_role_has_on_data() {
        let right = right(DELETE_BLOB, String::new(), String::new());
        let judged_as = |role: Permission| judged(&right, &Ok(Some(vec![role])));
        assert_eq!(judged_as(role(&["*"], &[])), Answer::Missing(None));
        let data_actions = vec!["Microsoft.Storage/*/blobs/*".to_owned()];
        let on_data = Permission { data_actions, ..role(&[], &["*"]) };
        assert_eq!(judged_as(on_data.clone()), Answer::Held);
        let excepting = Permission { not_data_actions: vec!["*/delete".to_owned()], ..on_data };
        assert_eq!(judged_as(excepting), Answer::Missing(None));
    }

    #[test]
    fn what_one_role_excepts_another_one_may_give() {
        let right = right(ACCOUNTS.write, String::new(), String::new());
        let judged_as = |roles: &[Permission]| judged(&right, &Ok(Some(roles.to_vec())));
        let excepting = role(&["*"], &["Microsoft.Storage/*/write"]);
        assert_eq!(judged_as(&[]), Answer::Missing(None));
        assert_eq!(judged_as(std::slice::from_ref(&excepting)), Answer::Missing(None));
        assert_eq!(judged_as(&[excepting, role(&["*/write"], &[])]), Answer::Held);
        let denied = Err(Error::new(ErrorKind::PermissionDenied, "list"));
        assert!(matches!(judged(&right, &denied), Answer::Unknown(why) if why.contains("permissions/read")));
    }

    #[test]
    fn what_is_kept_is_written_by_a_right_of_the_blob_service() {
        let write = |facet: &str| Verb::Write { facet: facet.to_owned(), before: Value::Null, value: Value::Null };
        assert_eq!(of_account(&write("soft_delete_days")), Some(BLOB_SERVICE));
        assert_eq!(of_account(&write("security")), Some(ACCOUNTS.write));
    }

    #[test]
    fn rights_are_those_of_the_table() {
        let kinds = [GROUPS, ACCOUNTS, CONTAINERS, QUEUES, EVENTS, EVENTS_ON_TOPIC, ASSIGNMENTS];
        let all: BTreeSet<_> =
            kinds.iter().flat_map(|kind| [kind.write, kind.delete]).chain([BLOB_SERVICE, REGISTER]).collect();
        assert!(all.iter().all(|right| permissions::of(right).contains(right)), "{all:?}");
    }
}

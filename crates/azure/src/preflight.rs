//! Before the first write: which rights an operation is sure to need, at what scope, and whether the caller's roles have them
//! (<https://learn.microsoft.com/rest/api/authorization/permissions>).

use std::sync::OnceLock;

use futures::future::join_all;
use provision_core::change_set::ChangeSet;
use provision_core::operation::{Operation, Verb};
use provision_core::rights::{Answer, Right};
use provision_core::{Error, ErrorKind};

use crate::client::Reader;
use crate::client::models::Permission;
use crate::names::{Names, Part};

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
const ASSIGNMENTS: Rights = Rights {
    write: "Microsoft.Authorization/roleAssignments/write",
    delete: "Microsoft.Authorization/roleAssignments/delete",
};
const CORS: &str = "Microsoft.Storage/storageAccounts/blobServices/write";
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

    /// The one that an entry is written or taken out with.
    fn of_entry(&self, verb: &Verb) -> Option<&'static str> {
        let Verb::Write { value, .. } = verb else { return None };
        Some(if value.is_null() { self.delete } else { self.write })
    }
}

/// The rights that an operation is sure to need; `unregistered` is Event Grid.
pub(crate) fn rights(names: &Names, unregistered: bool, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
    let Ok(part) = Part::of(&operation.address) else { return Vec::new() };
    let (names, name) = names.located(part, &operation.name);
    let places = Places { names: &names, set, of_orphan: operation.holder.is_none() };
    let verb = &operation.verb;
    match part {
        Part::ResourceGroup => places.on_group(GROUPS.of(verb)),
        Part::Account => places.on_account(ACCOUNTS.of(verb), None),
        Part::Container => places.on(Part::Container, names.container_id(name), CONTAINERS.of(verb)),
        Part::Queue => places.on(Part::Queue, names.queue_id(name), QUEUES.of(verb)),
        // What is taken out may be another deployment's rule too, and stays.
        Part::Cors => {
            let writes = matches!(verb, Verb::Write { value, .. } if !value.is_null());
            places.on_account(writes.then_some(CORS), None)
        }
        Part::Events => of_events(&places, verb, unregistered),
        Part::Access => {
            places.on_account(ASSIGNMENTS.of_entry(verb), Some("it is given on the queue, or none is written"))
        }
    }
}

/// An account that is there may have a system topic, whose event subscriptions have rights of their own.
fn of_events(places: &Places<'_>, verb: &Verb, unregistered: bool) -> Vec<Right> {
    let mut rights = places.on_account(EVENTS.of_entry(verb), Some("the account has a system topic, which gives it"));
    let writes = matches!(verb, Verb::Write { value, .. } if !value.is_null());
    if writes && unregistered {
        let subscription = places.names.subscription.clone();
        let right = Right { name: REGISTER, on: subscription.clone(), asked_of: subscription, unless: None };
        rights.push(right);
    }
    rights
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
        let (on, asked_of) = (self.names.group_id(), self.group());
        name.map(|name| Right { name, on, asked_of, unless: None }).into_iter().collect()
    }

    /// What is in a new account nothing else can decide.
    fn on_account(&self, name: Option<&'static str>, unless: Option<&'static str>) -> Vec<Right> {
        let (on, asked_of) = (self.names.account_id(), self.account());
        let unless = unless.filter(|_| !self.is_new(Part::Account));
        name.map(|name| Right { name, on, asked_of, unless }).into_iter().collect()
    }

    fn on(&self, part: Part, id: String, name: Option<&'static str>) -> Vec<Right> {
        let asked_of = if self.is_new(part) { self.account() } else { id.clone() };
        name.map(|name| Right { name, on: id, asked_of, unless: None }).into_iter().collect()
    }
}

/// What the caller's roles let it do, scope by scope.
#[derive(Debug, Default)]
pub(crate) struct Inquiry(OnceLock<Vec<(String, Said)>>);

/// What each role lets the caller do at a scope; `None` where nothing is.
type Said = Result<Option<Vec<Permission>>, Error>;

impl Inquiry {
    /// Ask at each scope that there may be.
    pub(crate) async fn make(&self, reader: &Reader, names: &Names) {
        let in_account =
            [Some(names.container_id(&names.container)), names.queue.as_ref().map(|queue| names.queue_id(queue))];
        let around = [names.subscription.clone(), names.group_id(), names.account_id()];
        let scopes = around.into_iter().chain(in_account.into_iter().flatten());
        let asks = scopes.map(async |scope| {
            let answer = reader.list_permissions(&scope).await;
            (scope, answer)
        });
        // One look is enough.
        let _ = self.0.set(join_all(asks).await);
    }

    /// What was said of a right.
    pub(crate) fn held(&self, right: &Right) -> Answer {
        let answer = self.0.get().into_iter().flatten().find(|(scope, _)| *scope == right.asked_of);
        answer.map_or_else(Answer::unasked, |(_, answer)| judged(right, answer))
    }
}

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

/// Whether a role lets its holder do something: what it names, less what it excepts
/// (<https://learn.microsoft.com/azure/role-based-access-control/role-definitions#notactions>).
fn permits(permission: &Permission, action: &str) -> bool {
    let named = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    named(&permission.actions) && !named(&permission.not_actions)
}

/// Letters have no case; a star stands for any text.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == action };
    let Some(mut left) = action.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::permissions;

    fn role(actions: &[&str], not_actions: &[&str]) -> Permission {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Permission { actions: owned(actions), not_actions: owned(not_actions) }
    }

    #[test]
    fn stars_stand_for_any_text() {
        for pattern in
            ["*", "*/write", "Microsoft.Storage/*", "microsoft.storage/*/WRITE", "Microsoft.*/storage*/write"]
        {
            assert!(matches(pattern, ACCOUNTS.write), "{pattern}");
        }
        for pattern in ["", "*/read", "Microsoft.Storage", "Microsoft.Storage/storageAccounts", "*/delete/*", "a*e"] {
            assert!(!matches(pattern, ACCOUNTS.write), "{pattern}");
        }
        assert!(!matches("abc*bc", "abc") && matches("a*c*c", "abcc") && !matches("a*b*c", "acb"));
    }

    #[test]
    fn what_one_role_excepts_another_one_may_give() {
        let right = |unless| Right { name: ACCOUNTS.write, on: String::new(), asked_of: String::new(), unless };
        let judged_as = |unless, roles: &[Permission]| judged(&right(unless), &Ok(Some(roles.to_vec())));
        let excepting = role(&["*"], &["Microsoft.Storage/*/write"]);
        assert_eq!(judged_as(None, &[]), Answer::Missing(None));
        assert_eq!(judged_as(None, std::slice::from_ref(&excepting)), Answer::Missing(None));
        assert_eq!(judged_as(None, &[excepting, role(&["*/write"], &[])]), Answer::Held);
        assert!(matches!(judged_as(Some("x"), &[role(&["*/read"], &[])]), Answer::Doubtful(_)));
        let denied = Err(Error::new(ErrorKind::PermissionDenied, "list"));
        assert!(matches!(judged(&right(None), &denied), Answer::Unknown(why) if why.contains("permissions/read")));
    }

    #[test]
    fn rights_are_those_of_the_table() {
        let kinds = [GROUPS, ACCOUNTS, CONTAINERS, QUEUES, EVENTS, ASSIGNMENTS];
        let all: BTreeSet<_> =
            kinds.iter().flat_map(|kind| [kind.write, kind.delete]).chain([CORS, REGISTER]).collect();
        assert!(all.iter().all(|right| permissions::of(right).contains(right)), "{all:?}");
    }
}

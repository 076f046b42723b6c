//! What carries a deployment's mark without being in the plan file: below its account, and in accounts that it was in under
//! another name.

use futures::future::try_join_all;
use provision_core::context::Watch;
use provision_core::mark::{Mark, Tags};
use provision_core::resource::Orphan;
use provision_core::{Address, Error, ErrorKind};
use serde_json::Value;

use crate::client::{Reader, Writer};
use crate::marks::{Inside, Looking, inside};
use crate::provider::{ACCOUNT, CONTAINER, Names, identity_of};
use crate::resources::{access, account, events};
use crate::tags::tags;

/// Everything that carries the mark of one of these deployments, accounts with what is in them. The account of the plan file
/// is none: it is used, whoever made it.
pub(crate) async fn marked(
    reader: &Reader,
    names: &Names,
    deployments: &[String],
    looking: &Looking,
) -> Result<Vec<Orphan>, Error> {
    let (marks, accounts) = futures::try_join!(looking.marks(reader, names), accounts(reader, names))?;
    let mut found = below(&marks.inside, "", deployments);
    let named = identity_of(&names.account_id());
    let mut others = Vec::new();
    for listed in &accounts {
        let id = listed["id"].as_str().unwrap_or_default();
        let Some(mark) = Mark::from_tags(&tags(listed, &Tags::new())) else { continue };
        if deployments.contains(&mark.deployment) && identity_of(id) != named {
            others.push((names.in_account(id), mark));
        }
    }
    let held = try_join_all(others.iter().map(|(other, _)| inside(reader, other))).await?;
    for ((other, _), inside) in others.iter().zip(&held) {
        found.extend(below(inside.as_deref().unwrap_or_default(), &place(names, other), deployments));
    }
    found.extend(others.into_iter().map(|(other, mark)| {
        let (name, identity) = (place(names, &other), identity_of(&other.account_id()));
        Orphan { holds_data: true, ..Orphan::new(ACCOUNT, "storage account", &name, identity, mark) }
    }));
    Ok(found)
}

/// The accounts of the subscription; of the resource group for those who may not list them all. Who works in a shared
/// account may have no rights outside of it.
async fn accounts(reader: &Reader, names: &Names) -> Result<Vec<Value>, Error> {
    let denied = |error: &Error| error.kind() == ErrorKind::PermissionDenied;
    let found = match reader.list_accounts(&names.subscription).await {
        Err(error) if denied(&error) => reader.list_accounts(&names.group_id()).await,
        found => found,
    };
    match found {
        Err(error) if denied(&error) && names.shared => Ok(Vec::new()),
        found => Ok(found?.unwrap_or_default()),
    }
}

/// An account as orphans are named: by its name, in another resource group as `group/account`.
fn place(names: &Names, other: &Names) -> String {
    match other.group.eq_ignore_ascii_case(&names.group) {
        true => other.account.clone(),
        false => format!("{}/{}", other.group, other.account),
    }
}

/// Containers and queues of one account; `place` stands before their names, where it is not the plan file's.
fn below(inside: &[Inside], place: &str, deployments: &[String]) -> Vec<Orphan> {
    let orphan = |item: &Inside| {
        let mark = item.mark().filter(|mark| deployments.contains(&mark.deployment))?;
        let name = format!("{place}/{}", item.name);
        let (name, holds_data) = (name.trim_start_matches('/'), item.address == CONTAINER);
        let orphan = Orphan::new(item.address.clone(), item.kind, name, identity_of(&item.id), mark);
        Some(Orphan { holds_data, ..orphan })
    };
    inside.iter().filter_map(orphan).collect()
}

impl Names {
    /// The same with the account of an id.
    fn in_account(&self, id: &str) -> Self {
        let segments: Vec<_> = id.split('/').collect();
        let segment = |place: usize| segments.get(place).copied().unwrap_or_default().to_owned();
        Self { group: segment(4), account: segment(8), ..self.clone() }
    }

    /// The same with the account that an orphan's place names.
    fn at(&self, place: &str) -> Self {
        match place.split_once('/') {
            Some((group, account)) => Self { group: group.to_owned(), account: account.to_owned(), ..self.clone() },
            None => Self { account: place.to_owned(), ..self.clone() },
        }
    }

    /// What a name stands for, that of an orphan in another account too: the names of its account, and its own there.
    pub(crate) fn located<'a>(&self, address: &Address, name: &'a str) -> (Self, &'a str) {
        if *address == ACCOUNT {
            return (self.at(name), name);
        }
        match name.rsplit_once('/') {
            Some((place, name)) => (self.at(place), name),
            None => (self.clone(), name),
        }
    }
}

/// Delete an account of another name, after what we had on it.
pub(crate) async fn delete_account(writer: &Writer, names: &Names, watch: &Watch<'_>) -> Result<(), Error> {
    access::remove(writer, names).await?;
    events::remove(writer, names, watch).await?;
    account::delete(writer, names, watch).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::QUEUE;

    #[test]
    fn orphans_are_named_so_that_their_place_is_found_again() {
        let names = crate::provider::tests::names();
        let of = |address: &Address, name: &str| {
            let (names, name) = names.located(address, name);
            (names.group, names.account, name.to_owned())
        };
        let owned = |parts: (&str, &str, &str)| (parts.0.to_owned(), parts.1.to_owned(), parts.2.to_owned());
        assert_eq!(of(&CONTAINER, "files"), owned(("g", "acme", "files")));
        assert_eq!(of(&CONTAINER, "old/files"), owned(("g", "old", "files")));
        assert_eq!(of(&QUEUE, "other/old/events"), owned(("other", "old", "events")));
        assert_eq!(of(&ACCOUNT, "old"), owned(("g", "old", "old")));
        let id = "/subscriptions/s/resourceGroups/other/providers/Microsoft.Storage/storageAccounts/old";
        let other = names.in_account(id);
        assert_eq!((other.account_id().as_str(), place(&names, &other).as_str()), (id, "other/old"));
        assert_eq!(place(&names, &names.at("old")), "old");
    }
}

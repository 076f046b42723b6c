//! What carries a deployment's mark without being in the plan file: below its account, and in accounts that it was in under
//! another name.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::try_join_all;
use provision_core::Error;
use provision_core::context::OperationContext;
use provision_core::listing::Listings;
use provision_core::mark::{Mark, Tags};
use provision_core::resource::Orphan;

use crate::client::{Reader, Writer};
use crate::error::allowed;
use crate::marks::{Inside, Looking, inside};
use crate::names::{Names, Part, identity_of, last};
use crate::resources::{access, account, events};
use crate::tags::tags;

/// Everything that carries the mark of one of these deployments, accounts with what is in them. The plan file's own
/// account is never an orphan.
pub(crate) async fn marked(
    reader: &Reader,
    names: &Names,
    deployments: &[String],
    listings: Option<&Listings>,
    looking: &Looking,
    unlisted: &AtomicBool,
) -> Result<Vec<Orphan>, Error> {
    let (marks, accounts) =
        futures::try_join!(looking.marks(reader, names), accounts(reader, names, deployments, listings))?;
    unlisted.store(accounts.is_none() && !names.account_is_shared, Ordering::Relaxed);
    let mut found = orphans_in(&marks.inside, "", deployments);
    let named = identity_of(&names.account_id());
    let mut others = Vec::new();
    for listed in accounts.iter().flatten() {
        if deployments.contains(&listed.mark.deployment) && identity_of(&listed.identity) != named {
            others.push((names.in_account(&listed.identity), listed.mark.clone()));
        }
    }
    let held = try_join_all(others.iter().map(|(other, _)| inside(reader, other))).await?;
    for ((other, _), inside) in others.iter().zip(&held) {
        found.extend(orphans_in(inside.as_deref().unwrap_or_default(), &names.place(other), deployments));
    }
    found.extend(others.into_iter().map(|(other, mark)| {
        let (name, identity) = (names.place(&other), identity_of(&other.account_id()));
        Orphan { holds_data: true, ..Orphan::new(Part::Account.address(), Part::Account.kind(), &name, identity, mark) }
    }));
    Ok(found)
}

/// The accounts with a mark of the subscription; of the resource group for those who may not list them all; `None` for those who may
/// list none, which costs no more than the search for accounts of another name.
async fn accounts(
    reader: &Reader,
    names: &Names,
    deployments: &[String],
    listings: Option<&Listings>,
) -> Result<Option<Vec<Orphan>>, Error> {
    let list = marked_by_anybody(reader, &names.subscription);
    let found = match listings {
        Some(listings) => listings.marked(&format!("azure {}", names.subscription), deployments, list).await,
        None => list.await,
    };
    match allowed(found)? {
        Some(found) => Ok(Some(found)),
        None => allowed(marked_by_anybody(reader, &names.group_id()).await),
    }
}

/// The accounts that carry a mark, by their ids as they are listed.
async fn marked_by_anybody(reader: &Reader, scope: &str) -> Result<Vec<Orphan>, Error> {
    let listed = reader.list_accounts(scope).await?.unwrap_or_default().into_iter();
    let marked = listed.filter_map(|account| {
        let mark = Mark::from_tags(&tags(account.tags.as_ref(), &Tags::new()))?;
        Some(Orphan::new(Part::Account.address(), Part::Account.kind(), last(&account.id), account.id.clone(), mark))
    });
    Ok(marked.collect())
}

/// Containers and queues of one account; `place` stands before their names, where it is not the plan file's.
fn orphans_in(inside: &[Inside], place: &str, deployments: &[String]) -> Vec<Orphan> {
    let orphan = |item: &Inside| {
        let mark = item.mark().filter(|mark| deployments.contains(&mark.deployment))?;
        let name = format!("{place}/{}", item.name);
        let (name, holds_data) = (name.trim_start_matches('/'), item.part == Part::Container);
        let orphan = Orphan::new(item.part.address(), item.part.kind(), name, identity_of(&item.id), mark);
        Some(Orphan { holds_data, ..orphan })
    };
    inside.iter().filter_map(orphan).collect()
}

/// Delete an account of another name, after what we had on it.
pub(crate) async fn delete_account(
    writer: &Writer,
    names: &Names,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    access::remove(writer, names).await?;
    events::remove(writer, names, context).await?;
    account::delete(writer, names, context).await
}

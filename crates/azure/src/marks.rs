//! The marks in an account: what its containers and queues are, and what other deployments have on record.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use provision_core::Error;
use provision_core::facet::Facet;
use provision_core::mark::{Mark, Origin, Recorded, Tags};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::client::Reader;
use crate::client::models::Named;
use crate::names::{Names, Part, identity_of};
use crate::tags::{metadata, tags};

/// Containers and queues read at the same time.
const READS_AT_ONCE: usize = 16;

/// A container or queue of an account.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) part: Part,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) tags: Tags,
}

impl Inside {
    /// The mark on it; one that was copied from something else proves nothing.
    pub(crate) fn mark(&self) -> Option<Mark> {
        Mark::from_tags(&self.tags).filter(|mark| mark.is_for(&identity_of(&self.id)))
    }
}

/// Containers and queues of an account; `None` if it is not there. Each is read by itself: a list of containers has no metadata
/// (<https://github.com/Azure/azure-sdk-for-net/issues/17717>), and shows what is gone by now. Those that the plan file names
/// are not waited for.
pub(crate) async fn inside(reader: &Reader, names: &Names) -> Result<Option<Vec<Inside>>, Error> {
    let account = names.account_id();
    let named = [(Part::Container, Some(names.container.clone())), (Part::Queue, names.queue.clone())];
    let named: Vec<_> = named.into_iter().filter_map(|(part, name)| Some((part, name?))).collect();
    let (containers, queues, ours) = futures::join!(
        reader.list_containers(&account),
        reader.list_queues(&account),
        read_all(reader, names, named.clone())
    );
    let (Some(containers), queues, mut found) = (containers?, queues?.unwrap_or_default(), ours?) else {
        return Ok(None);
    };
    let others = listed(containers, queues).into_iter().filter(|listed| !named.contains(listed)).collect();
    found.extend(read_all(reader, names, others).await?);
    found.sort_by(|one, other| (one.part.kind(), &one.name).cmp(&(other.part.kind(), &other.name)));
    Ok(Some(found))
}

fn listed(containers: Vec<Named>, queues: Vec<Named>) -> Vec<(Part, String)> {
    let containers = containers.into_iter().filter(|listed| !is_the_accounts(&listed.name));
    let containers = containers.map(|listed| (Part::Container, listed.name));
    containers.chain(queues.into_iter().map(|listed| (Part::Queue, listed.name))).collect()
}

async fn read_all(reader: &Reader, names: &Names, listed: Vec<(Part, String)>) -> Result<Vec<Inside>, Error> {
    let reads = listed.into_iter().map(|(part, name)| read(reader, names, part, name));
    let found: Vec<_> = iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn read(reader: &Reader, names: &Names, part: Part, name: String) -> Result<Option<Inside>, Error> {
    let (id, tags) = match part == Part::Container {
        true => {
            let id = names.container_id(&name);
            let found = reader.get_container(&id).await?;
            (id, found.map(|found| metadata(found.metadata())))
        }
        false => {
            let id = names.queue_id(&name);
            let found = reader.get_queue(&id).await?;
            (id, found.map(|found| metadata(found.metadata())))
        }
    };
    Ok(tags.map(|tags| Inside { part, name, id, tags }))
}

/// What the account makes by itself: logs and the change feed, but not a web site or a root container
/// (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#container-names>).
fn is_the_accounts(container: &str) -> bool {
    ["$logs", "$blobchangefeed"].contains(&container)
}

/// Every mark in an account, and on it where it is shared.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Whether the account is there.
    pub(crate) is_there: bool,
    pub(crate) inside: Vec<Inside>,
    account: Option<Mark>,
}

impl Marks {
    /// Look at all of them.
    pub(crate) async fn read(reader: &Reader, names: &Names) -> Result<Self, Error> {
        let (inside, account) = futures::join!(inside(reader, names), account_mark(reader, names));
        let (inside, account) = (inside?, account?);
        Ok(Self { is_there: inside.is_some(), inside: inside.unwrap_or_default(), account })
    }

    /// Whether another deployment has a facet on record with this value: it relies on what there is of it.
    pub(crate) fn claim(&self, names: &Names, facet: &Facet, value: &Value) -> bool {
        let has = |mark: &Mark| mark.outside.facet(facet.key).is_some_and(|record| Recorded::from(record).is(value));
        self.of_others(names).any(|mark| has(&mark))
    }

    /// The same of one member of a facet that is a map.
    pub(crate) fn claim_member(&self, names: &Names, facet: &Facet, member: &str, value: &Value) -> bool {
        let record = |mark: &Mark| mark.outside.member(facet.key, member).cloned();
        let has = |mark: &Mark| record(mark).is_some_and(|record| Recorded::from(&record).is(value));
        self.of_others(names).any(|mark| has(&mark))
    }

    fn of_others(&self, names: &Names) -> impl Iterator<Item = Mark> {
        let all = self.inside.iter().filter_map(Inside::mark).chain(self.account.clone());
        all.filter(|mark| !names.deployments.contains(&mark.deployment))
    }

    /// The other deployments that have something here.
    pub(crate) fn other_deployments(&self, names: &Names) -> Vec<String> {
        self.of_others(names).map(|mark| mark.deployment).collect()
    }

    /// The other deployment whose mark is on the container or the queue of the plan file's names.
    pub(crate) fn other_owner(&self, names: &Names) -> Option<String> {
        let is_named = |inside: &&Inside| match inside.part {
            Part::Container => inside.name == names.container,
            _ => names.queue.as_ref() == Some(&inside.name),
        };
        let marks = self.inside.iter().filter(is_named).filter_map(Inside::mark);
        marks.map(|mark| mark.deployment).find(|deployment| !names.deployments.contains(deployment))
    }

    /// Whether a container was taken over.
    pub(crate) fn is_adopted(&self, container: &str) -> bool {
        let named = |item: &&Inside| item.part == Part::Container && item.name == container;
        let mark = self.inside.iter().find(named).and_then(Inside::mark);
        mark.is_some_and(|mark| mark.origin == Origin::Adopted)
    }

    /// Whether a shared account carries a mark of ours, from when it was not.
    pub(crate) fn is_account_ours(&self, names: &Names) -> bool {
        self.account.as_ref().is_some_and(|mark| names.deployments.contains(&mark.deployment))
    }
}

/// The mark of an account that is not ours alone: whose it is may rely on our entries too.
async fn account_mark(reader: &Reader, names: &Names) -> Result<Option<Mark>, Error> {
    if !names.account_is_shared {
        return Ok(None);
    }
    let id = names.account_id();
    let found = reader.get_account(&id).await?;
    let mark = found.and_then(|found| Mark::from_tags(&tags(found.tags.as_ref(), &Tags::new())));
    Ok(mark.filter(|mark| mark.is_for(&identity_of(&id))))
}

type Look<T> = OnceCell<Result<T, Error>>;

/// One look for all who ask while it is under way; the next one asks again.
#[derive(Debug)]
pub(crate) struct Looking<T = Arc<Marks>>(Mutex<Weak<Look<T>>>);

impl<T> Default for Looking<T> {
    fn default() -> Self {
        Self(Mutex::new(Weak::new()))
    }
}

impl Looking {
    pub(crate) async fn marks(&self, reader: &Reader, names: &Names) -> Result<Arc<Marks>, Error> {
        self.once(async { Marks::read(reader, names).await.map(Arc::new) }).await
    }
}

impl<T: Clone> Looking<T> {
    /// What this look finds, or one that is under way.
    pub(crate) async fn once(&self, look: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let under_way = self.under_way();
        under_way.get_or_init(|| look).await.clone()
    }

    fn under_way(&self) -> Arc<Look<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.upgrade().unwrap_or_else(|| {
            let look = Arc::default();
            *kept = Arc::downgrade(&look);
            look
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provision_core::facet::{Creation, Extent, Sharing};
    use provision_core::mark::Mark;

    static RULE: Facet = Facet {
        name: "rule",
        key: 'c',
        extent: Extent::Whole,
        sharing: Sharing::Anonymous,
        creation: Creation::OwnCall,
    };

    /// Marks of which one is another deployment's, with these entries on record.
    pub(crate) fn claimed(names: &Names, record: impl FnOnce(&mut Mark)) -> Marks {
        let id = names.container_id("theirs");
        let mut mark = Mark::unfinished("another", Origin::Created, &identity_of(&id));
        record(&mut mark);
        let theirs = Inside { part: Part::Container, name: "theirs".to_owned(), id, tags: mark.to_tags() };
        Marks { is_there: true, inside: vec![theirs], account: None }
    }

    #[test]
    fn claim_is_another_deployments_record_of_the_same_value() {
        use provision_core::ledger::Record;
        use serde_json::json;
        let names = crate::names::tests::names();
        let rule = &RULE;
        let marks = claimed(&names, |mark| mark.outside.put(rule.key, Record::written(&json!("x"))));
        assert!(marks.claim(&names, rule, &json!("x")) && !marks.claim(&names, rule, &json!("y")));
        let ours = Names { deployments: vec!["another".to_owned()], ..names.clone() };
        assert!(!marks.claim(&ours, rule, &json!("x")));
        let theirs = marks.inside.into_iter().next().unwrap();
        let copied = Marks { is_there: true, inside: vec![Inside { id: "x".to_owned(), ..theirs }], account: None };
        assert!(!copied.claim(&names, rule, &json!("x")));
    }
}

//! One look at everything: all observations of a deployment, made at the same time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::contents::Contents;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::event::{Event, EventSink, milliseconds};
use crate::facet::Observed;
use crate::identity::Identity;
use crate::mark::{Mark, Origin};
use crate::provider::Observer;
use crate::refusal::Refusal;
use crate::resource::{Observation, Orphan, Resource};
use crate::retry::{self, Patience};

/// What was found in the cloud at one moment.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Who looked.
    pub identity: Identity,
    /// What the plan file asks for, and what there is of it.
    pub found: Vec<(Resource, Observation)>,
    /// Everything that carries the deployment's mark; the error says why it cannot be listed.
    pub marked: Result<Vec<Orphan>, Error>,
    /// Orphans that were adopted, with what is on them.
    pub orphaned: Vec<(Resource, Observation)>,
    /// What is in the resources that hold data; only looked at before a destroy.
    pub contents: Vec<(Resource, Result<Contents, Error>)>,
    /// What keeps resources from being deleted; only looked at before a destroy.
    pub deletion_blockers: Vec<(Address, Result<Option<Refusal>, Error>)>,
}

impl Survey {
    /// What could not be read because the service is still at making or removing it: the reason, and how long that may
    /// take.
    #[must_use]
    pub fn settling(&self) -> Option<(&'static str, Duration)> {
        let unread = self.found.iter().filter_map(|(_, observation)| match observation {
            Observation::Unreadable(error) => Some(error),
            _ => None,
        });
        let orphaned = self.orphaned.iter().filter_map(|(_, observation)| match observation {
            Observation::Unreadable(error) => Some(error),
            _ => None,
        });
        let counts = self.contents.iter().filter_map(|(_, counted)| counted.as_ref().err());
        let blocked = self.deletion_blockers.iter().filter_map(|(_, found)| found.as_ref().err());
        let errors = unread.chain(orphaned).chain(self.marked.as_ref().err()).chain(counts).chain(blocked);
        let errors: Vec<_> = errors.collect();
        // Who may not look any more waits in vain.
        let locked_out = errors.iter().any(|error| error.kind() == ErrorKind::Unauthenticated);
        let settling = errors.into_iter().map(Error::retry).find_map(RetryClass::settling);
        settling.filter(|_| !locked_out)
    }
}

/// Look at everything at once. `names` are the deployment's name and its former one; `removing` also looks at what a
/// removal has to know: what is in the resources that hold data, and what keeps resources from being deleted.
///
/// # Errors
///
/// Credentials that are not accepted, and answers that make every observation pointless. What could not be read of a
/// single resource is an observation, not an error.
pub async fn survey(observer: &dyn Observer, names: &[String], removing: bool) -> Result<Survey, Error> {
    let resources = observer.resources();
    let observations = look(observer, &resources);
    let data = resources.iter().filter(|resource| removing && resource.holds_data);
    let counts = join_all(data.clone().map(|resource| observer.contents(&resource.address)));
    let blocked = resources
        .iter()
        .filter(|_| removing)
        .map(|resource| async { (resource.address.clone(), observer.deletion_blockers(&resource.address).await) });
    let (identity, observations, marked, counts, deletion_blockers) =
        futures::join!(observer.identity(), observations, observer.marked(names), counts, join_all(blocked));
    let identity = identity?;
    let counted: Vec<_> = data.cloned().zip(counts).collect();
    // Full names hold the account, which is only known now.
    let resources = observer.resources();
    let current = |old: &Resource| resources.iter().find(|resource| resource.address == old.address).cloned();
    let contents = counted.into_iter().filter_map(|(old, count)| Some((current(&old)?, count))).collect();
    let found = resources.iter().cloned().zip(observations).collect();
    let mut survey = Survey { identity, found, marked, orphaned: Vec::new(), contents, deletion_blockers };
    survey.count_again(observer).await;
    survey.orphaned = survey.look_at_orphans(observer).await;
    survey.recall(observer, names).await;
    Ok(survey)
}

/// Look until the service is in the middle of nothing: a run that was killed after it began a creation leaves it so to the
/// next one.
///
/// # Errors
///
/// Those of [`survey`].
pub async fn survey_settled(
    observer: &dyn Observer,
    names: &[String],
    removing: bool,
    events: &dyn EventSink,
) -> Result<Survey, Error> {
    let mut patience = Patience::begin();
    loop {
        let found = announced(survey(observer, names, removing), events).await?;
        let Some((reason, budget)) = found.settling() else { return Ok(found) };
        if patience.elapsed() > budget {
            return Ok(found);
        }
        events.emit(Event::Settling { reason });
        let wait = patience.next();
        patience.wait(wait).await;
    }
}

/// A look, or what comes before it, with a sign of life every so often.
pub async fn announced<T>(look: impl Future<Output = T>, events: &dyn EventSink) -> T {
    let (mut look, begun) = (std::pin::pin!(look), Instant::now());
    loop {
        match timeout(retry::heartbeat(), &mut look).await {
            Ok(done) => return done,
            Err(_) => events.emit(Event::Looking { elapsed_ms: milliseconds(begun.elapsed()) }),
        }
    }
}

async fn look(observer: &dyn Observer, resources: &[Resource]) -> Vec<Observation> {
    let looks = resources.iter().map(|resource| observer.observe(&resource.address));
    join_all(looks).await.into_iter().map(|found| found.unwrap_or_else(Observation::Unreadable)).collect()
}

impl Survey {
    /// What cannot be counted may be gone by now: then nothing is in it.
    async fn count_again(&mut self, observer: &dyn Observer) {
        for (resource, counted) in self.contents.iter_mut().filter(|(_, counted)| counted.is_err()) {
            let gone = matches!(observer.observe(&resource.address).await, Ok(Observation::Absent));
            let found = self.found.iter_mut().filter(|(found, _)| gone && found.address == resource.address);
            for (_, observation) in found {
                (*observation, *counted) = (Observation::Absent, Ok(Contents::default()));
            }
        }
    }

    /// Look at what the marks say beyond the plan file: whom access was given to last.
    async fn recall(&mut self, observer: &dyn Observer, names: &[String]) {
        let access: BTreeSet<_> = self.witnesses(names).flat_map(|mark| mark.access.clone()).collect();
        let mut addresses = observer.recall(&access.into_iter().collect::<Vec<_>>());
        // Another look would hide that an answer could not be read.
        let unknown = self.found.iter().filter(|(_, observation)| is_unknown(observation));
        let unknown: Vec<_> = unknown.map(|(resource, _)| resource.address.clone()).collect();
        addresses.retain(|address| !unknown.contains(address));
        if addresses.is_empty() {
            return;
        }
        let resources = observer.resources();
        let repeated: Vec<_> =
            resources.iter().filter(|resource| addresses.contains(&resource.address)).cloned().collect();
        let observed = look(observer, &repeated).await;
        let mut anew: Vec<_> = repeated.into_iter().zip(observed).collect();
        let index = |address: &Address| resources.iter().position(|resource| resource.address == *address);
        self.found.retain(|(resource, _)| !addresses.contains(&resource.address));
        self.found.append(&mut anew);
        self.found.sort_by_key(|(resource, _)| index(&resource.address));
    }

    /// What is on adopted orphans: a release takes ours out of them.
    async fn look_at_orphans(&self, observer: &dyn Observer) -> Vec<(Resource, Observation)> {
        let planned = |orphan: &&Orphan| self.found.iter().all(|(resource, _)| resource.identity != orphan.identity);
        let adopted = self.marked.iter().flatten().filter(|orphan| orphan.mark.origin == Origin::Adopted);
        let looks = join_all(adopted.filter(planned).map(|orphan| observer.observe_orphan(orphan))).await;
        let observed = |found: Result<Observation, Error>| found.unwrap_or_else(Observation::Unreadable);
        looks.into_iter().flatten().map(|(resource, found)| (resource, observed(found))).collect()
    }

    /// The marks that say what the deployment has outside of its resources: those of what the plan file names, and where
    /// there are none, those that it left behind.
    pub fn witnesses<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Mark> {
        let own: Vec<_> = self.own_marks(names).map(|(_, mark)| mark).collect();
        let left = self.marked.iter().flatten().filter(|orphan| orphan.mark.is_for(&orphan.identity));
        let left: Vec<_> = left.map(|orphan| &orphan.mark).filter(|_| own.is_empty()).collect();
        own.into_iter().chain(left)
    }

    /// The marks of these deployments on the resources that were found, where they are for that resource.
    pub fn own_marks<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = (&'a Resource, &'a Mark)> {
        self.found.iter().filter_map(move |(resource, observation)| {
            let Observation::Present(present) = observation else { return None };
            let mark = present.mark.as_ref()?;
            (names.contains(&mark.deployment) && mark.is_for(&resource.identity)).then_some((resource, mark))
        })
    }
}

/// Whether something of it was answered, and not by the service.
fn is_unknown(observation: &Observation) -> bool {
    let unread = |error: &Error| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unexpected);
    match observation {
        Observation::Unreadable(error) => unread(error),
        Observation::Present(present) => {
            let unknown = |observed: &Observed| matches!(observed, Observed::Unknown(error) if unread(error));
            present.observed.iter().any(|(_, observed)| unknown(observed))
        }
        Observation::Absent
        | Observation::TakenElsewhere { .. }
        | Observation::Missing(_)
        | Observation::Unclear(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_is_told_from_what_stays_unreadable() {
        let (reason, budget) = ("it is being made", Duration::from_secs(9));
        let error = |class| Error::new(crate::ErrorKind::Conflict, "list").with_retry(class);
        let survey = |error| Survey {
            identity: Identity {
                account: String::new(),
                principal: String::new(),
                region: String::new(),
                endpoints: Vec::new(),
            },
            found: Vec::new(),
            marked: Err(error),
            orphaned: Vec::new(),
            contents: Vec::new(),
            deletion_blockers: Vec::new(),
        };
        assert_eq!(survey(error(RetryClass::Settling { reason, budget })).settling(), Some((reason, budget)));
        assert_eq!(survey(error(RetryClass::Final)).settling(), None);
        assert_eq!(survey(error(RetryClass::Conflict)).settling(), None);
    }
}

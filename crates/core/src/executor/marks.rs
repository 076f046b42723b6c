//! The life of a mark during a run: put on, read, written, taken off.
//!
//! A cloud only reads and updates tags. All that takes over, releases, empties or deletes reads the mark first and must find
//! the one that was planned.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::address::Address;
use crate::context::{FRESH, OperationContext, Owner};
use crate::error::{Error, ErrorKind, RetryClass};
use crate::mark::{Mark, State, TagChanges, Tags, is_key};
use crate::operation::{FacetWrite, Operation, Verb};
use crate::provider::Provisioner;

/// How long a service may take to show the mark that went on with a creation.
const NOT_SEEN_BUDGET: Duration = Duration::from_secs(20);

/// The marks of one run.
pub(super) struct Marks<'a> {
    provisioner: &'a dyn Provisioner,
    /// What this run made, and when.
    created: Mutex<BTreeMap<Address, Instant>>,
    /// Tags read beside the other writes, and when.
    tags_read: Mutex<BTreeMap<(Address, String), (Instant, Tags)>>,
}

#[async_trait]
impl Owner for Marks<'_> {
    async fn still_ours(&self, operation: &Operation) -> Result<(), Error> {
        let (Verb::Empty { mark } | Verb::Delete { mark }) = &operation.verb else { return Ok(()) };
        self.planned(operation, mark).await.map(drop)
    }
}

impl<'a> Marks<'a> {
    pub(super) fn new(provisioner: &'a dyn Provisioner) -> Self {
        Self { provisioner, created: Mutex::default(), tags_read: Mutex::default() }
    }

    /// This run made the resource.
    pub(super) fn note_creation(&self, operation: &Operation) {
        lock(&self.created).insert(operation.address.clone(), Instant::now());
    }

    /// When this run made the resource, or the one that carries it.
    pub(super) fn created(&self, operation: &Operation) -> Option<Instant> {
        lock(&self.created).get(operation.holder.as_ref()?).copied()
    }

    /// Whose a thing is that was there when it was to be created, its mark has to say.
    pub(super) async fn existed(&self, operation: &Operation, mark: &Mark) -> Result<(), Error> {
        let Some(tags) = self.provisioner.tags(operation).await? else { return Err(self.not_seen(operation)) };
        if has_mark_of(operation, &tags, mark) { Ok(()) } else { Err(self.appeared(operation)) }
    }

    fn appeared(&self, operation: &Operation) -> Error {
        let what = operation.what();
        let error = Error::new(ErrorKind::Stale, format!("{what} was made by somebody else in the meantime"));
        error.with_hint(format!("run `provision {} plan` to see whose it is", self.provisioner.cloud()))
    }

    /// The tags of what an operation is about, whose mark must be the one that was planned; `None` if it is gone.
    pub(super) async fn planned(&self, operation: &Operation, mark: &Mark) -> Result<Option<Tags>, Error> {
        let Some(tags) = self.provisioner.tags(operation).await? else { return Ok(None) };
        if Mark::from_tags(&tags).as_ref() == Some(mark) {
            return Ok(Some(tags));
        }
        Err(changed(self.provisioner.cloud(), &operation.what()))
    }

    /// How a removal ended. What was in its way may be that the thing is gone, or another's by now: then that is what there is
    /// to say.
    pub(super) async fn unless_gone(
        &self,
        operation: &Operation,
        mark: &Mark,
        ended: Result<(), Error>,
    ) -> Result<(), Error> {
        let Err(error) = ended else { return Ok(()) };
        if !matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::PermissionDenied) {
            return Err(error);
        }
        match self.planned(operation, mark).await {
            Ok(None) => Ok(()),
            Err(stale) if stale.kind() == ErrorKind::Stale => Err(stale),
            _ => Err(error),
        }
    }

    async fn existing(&self, operation: &Operation) -> Result<Tags, Error> {
        let found = self.provisioner.tags(operation).await?;
        let missing = || match self.created(operation) {
            Some(_) => self.not_seen(operation),
            None => self.gone_error(operation),
        };
        found.ok_or_else(missing)
    }

    /// What is there, by its creation, and is not shown.
    fn not_seen(&self, operation: &Operation) -> Error {
        not_seen(self.provisioner.cloud(), &operation.what())
    }

    fn gone_error(&self, operation: &Operation) -> Error {
        let error = Error::new(ErrorKind::Stale, format!("{} is gone", operation.what()));
        error.with_hint(format!(
            "somebody deleted it during this run: run `provision {} plan` to see what is there now",
            self.provisioner.cloud()
        ))
    }

    /// Read the tags of what this run made, and show by them that it did.
    pub(super) async fn read(&self, operation: &Operation, mark: &Mark) -> Result<(), Error> {
        let tags = self.existing(operation).await?;
        if Mark::from_tags(&tags).is_none() {
            return Err(self.not_seen(operation));
        }
        if !has_mark_of(operation, &tags, mark) {
            return Err(self.appeared(operation));
        }
        let key = (operation.address.clone(), operation.name.clone());
        lock(&self.tags_read).insert(key, (Instant::now(), tags));
        Ok(())
    }

    /// Put the mark of the beginning on; a run that was stopped right after it has done so already.
    pub(super) async fn adopt(&self, operation: &Operation, before: Option<&Mark>, mark: &Mark) -> Result<(), Error> {
        let found = self.existing(operation).await?;
        let there = Mark::from_tags(&found);
        if there.as_ref() == Some(mark) {
            return Ok(());
        }
        if there.as_ref() != before {
            return Err(changed(self.provisioner.cloud(), &operation.what()));
        }
        self.update(operation, &found, mark, &TagChanges::default()).await
    }

    pub(super) async fn write(
        &self,
        operation: &Operation,
        before: Option<&Mark>,
        mark: &Mark,
        tags: &TagChanges,
    ) -> Result<(), Error> {
        let key = (operation.address.clone(), operation.name.clone());
        let read = lock(&self.tags_read).remove(&key).filter(|(read, _)| read.elapsed() < FRESH);
        let found = match read {
            Some((_, tags)) => tags,
            // An index may go on listing an orphan that is gone.
            None if operation.holder.is_none() => match self.provisioner.tags(operation).await? {
                Some(tags) => tags,
                None => return Ok(()),
            },
            None => self.existing(operation).await?,
        };
        let there = Mark::from_tags(&found);
        may_be_written(self.provisioner.cloud(), &operation.what(), there.as_ref(), before, mark)?;
        self.update(operation, &found, mark, tags).await
    }

    /// Write facets with the mark that changes from one to another, in one request. Of what is gone nothing is taken off.
    pub(super) async fn write_together(
        &self,
        operation: &Operation,
        (before, mark): (Option<&Mark>, Option<&Mark>),
        tags: &TagChanges,
        facets: &[FacetWrite],
        context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let found = match (self.provisioner.tags(operation).await?, mark) {
            (Some(found), _) => found,
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(self.gone_error(operation)),
        };
        let there = Mark::from_tags(&found);
        // What is as it is to be was written by a run that was stopped right after, or by another of the same plan file.
        if there.as_ref() != before && there.as_ref() != mark {
            return Err(changed(self.provisioner.cloud(), &operation.what()));
        }
        let changes = tag_changes(&found, mark, tags);
        if changes.is_empty() && facets.is_empty() {
            return Ok(());
        }
        self.provisioner.update(operation, &found, &changes, facets, context).await
    }

    async fn update(&self, operation: &Operation, found: &Tags, mark: &Mark, tags: &TagChanges) -> Result<(), Error> {
        let changes = tag_changes(found, Some(mark), tags);
        if changes.is_empty() {
            return Ok(());
        }
        let updated = self.provisioner.update_tags(operation, found, &changes).await;
        updated.map_err(|error| match error.kind() {
            ErrorKind::NotFound if self.created(operation).is_some() => self.not_seen(operation),
            // It was there a moment ago, when its tags were read.
            ErrorKind::NotFound => self.gone_error(operation),
            _ => error,
        })
    }

    pub(super) async fn remove(
        &self,
        operation: &Operation,
        planned: Option<&Mark>,
        tags: &TagChanges,
    ) -> Result<(), Error> {
        let Some(found) = self.provisioner.tags(operation).await? else { return Ok(()) };
        let there = Mark::from_tags(&found);
        if there.is_some() && there.as_ref() != planned {
            return Err(changed(self.provisioner.cloud(), &operation.what()));
        }
        let changes = tag_changes(&found, None, tags);
        if changes.is_empty() {
            return Ok(());
        }
        self.provisioner.update_tags(operation, &found, &changes).await
    }
}

/// What changes of the tags that were found, so that they hold this mark, or none.
fn tag_changes(found: &Tags, mark: Option<&Mark>, tags: &TagChanges) -> TagChanges {
    let desired = mark.map(Mark::to_tags).unwrap_or_default();
    let surplus = found.keys().filter(|key| is_key(key) && !desired.contains_key(*key));
    let mut changes: TagChanges = surplus.map(|key| (key.clone(), None)).collect();
    changes.extend(desired.into_iter().map(|(key, value)| (key, Some(value))));
    changes.extend(tags.clone());
    changes.retain(|key, value| found.get(key) != value.as_ref());
    changes
}

/// Whether there is a mark of the same deployment among the tags, for the resource that an operation is about.
fn has_mark_of(operation: &Operation, tags: &Tags, mark: &Mark) -> bool {
    let found = Mark::from_tags(tags);
    found.is_some_and(|found| found.deployment == mark.deployment && found.is_for(&operation.identity))
}

/// Whether the mark on a resource is one that this run may write over: the one it was planned from, its own, or the same as
/// it is about to write (two runs of one plan file). `resource` names it for people: "bucket `acme`".
///
/// # Errors
///
/// Somebody else wrote the mark during this run, or there is none: the service does not show it yet, or what was "created"
/// is something that somebody else had made a moment before.
fn may_be_written(
    cloud: &str,
    resource: &str,
    found: Option<&Mark>,
    before: Option<&Mark>,
    target: &Mark,
) -> Result<(), Error> {
    if found == before && before.is_some() {
        return Ok(());
    }
    let Some(found) = found else {
        // One whose tags somebody replaced has none to be found.
        return if before.is_none() { Err(not_seen(cloud, resource)) } else { Err(changed(cloud, resource)) };
    };
    let begun = found.state == State::Unfinished && found.deployment == target.deployment;
    if found == target || begun {
        return Ok(());
    }
    Err(changed(cloud, resource))
}

/// What a run finds when the mark is not the one that it was planned from.
fn changed(cloud: &str, resource: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("provision's tags of {resource} changed during this run"));
    let plan = format!("provision {cloud} plan");
    error.with_hint(format!("somebody else applied at the same time: run `{plan}` to see the result of both"))
}

fn not_seen(cloud: &str, resource: &str) -> Error {
    let reason = "the service does not show the tags of the creation yet";
    let error = Error::new(ErrorKind::Stale, format!("{resource} does not carry the tags it was created with"));
    let plan = format!("provision {cloud} plan");
    let error =
        error.with_hint(format!("somebody else may have made it at the same time: run `{plan}` to see whose it is"));
    error.with_retry(RetryClass::Settling { reason, budget: NOT_SEEN_BUDGET })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::context::Cancellation;
    use crate::executor::execute;
    use crate::executor::slow::{Record, Slow, THING, writes};
    use crate::mark::{Origin, PartRecord, without_mark};
    use crate::resource::LaneMode;

    fn operation(verb: Verb) -> Operation {
        Operation { verb, ..writes(&[LaneMode::AfterConflict]).remove(0) }
    }

    /// Carry out one verb on a thing with these tags; gives how it ended, and the mark afterwards.
    async fn carried_out(found: Option<&Mark>, verb: Verb) -> (Result<(), ErrorKind>, Option<Mark>) {
        let slow = Slow::begin(0, Duration::ZERO);
        *lock(&slow.tags) = Some(found.map(Mark::to_tags).unwrap_or_default());
        let record = Record(slow.begun, Mutex::default());
        let outcome = execute(&slow, &[operation(verb)], &Cancellation::default(), &record).await;
        let result = outcome.errors.first().map_or(Ok(()), |error| Err(error.kind()));
        let mark = lock(&slow.tags).as_ref().and_then(Mark::from_tags);
        (result, mark)
    }

    /// Every verb that takes over, releases, empties or deletes finds the mark that was planned, or stops.
    #[tokio::test(start_paused = true)]
    async fn every_verb_of_consequence_finds_the_mark_that_was_planned_or_stops() {
        let planned = Mark::unfinished("ours", Origin::Created, THING);
        let others = Mark::unfinished("theirs", Origin::Created, THING);
        let tags = TagChanges::default;
        let verbs = || {
            [
                Verb::Delete { mark: planned.clone() },
                Verb::Empty { mark: planned.clone() },
                Verb::CheckMark { mark: planned.clone() },
                Verb::RemoveMark { mark: Some(planned.clone()), tags: tags() },
                Verb::Adopt {
                    before: Some(planned.clone()),
                    mark: Mark { origin: Origin::Adopted, ..planned.clone() },
                },
                Verb::WriteMark { before: Some(planned.clone()), mark: planned.clone(), tags: tags() },
                Verb::Update {
                    before: Some(planned.clone()),
                    mark: Some(Mark { state: State::Written, ..planned.clone() }),
                    tags: tags(),
                    facets: Vec::new(),
                },
                Verb::Update { before: Some(planned.clone()), mark: None, tags: tags(), facets: Vec::new() },
            ]
        };
        for verb in verbs() {
            assert_eq!(carried_out(Some(&planned), verb.clone()).await.0, Ok(()), "{verb:?}");
            let (result, mark) = carried_out(Some(&others), verb.clone()).await;
            assert_eq!((result, mark.as_ref()), (Err(ErrorKind::Stale), Some(&others)), "{verb:?}");
        }
        // Without any mark only a release goes on: one that was stopped took it off.
        for verb in verbs() {
            let released = matches!(verb, Verb::RemoveMark { .. } | Verb::Update { mark: None, .. });
            assert_eq!(carried_out(None, verb.clone()).await.0.is_ok(), released, "{verb:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_there_already_is_ours_only_by_its_mark() {
        let mark = Mark::unfinished("ours", Origin::Created, THING);
        let create = || Verb::Create { mark: mark.clone(), tags: mark.to_tags(), facets: Map::new() };
        // A service may say that it made what was there.
        let read = || Verb::ReadMark { mark: mark.clone() };
        assert_eq!(carried_out(Some(&mark), create()).await.0, Ok(()));
        assert_eq!(carried_out(Some(&mark), read()).await.0, Ok(()));
        let copied = Mark::unfinished("ours", Origin::Created, "another full name");
        let others = Mark::unfinished("theirs", Origin::Created, THING);
        for found in [None, Some(&copied), Some(&others)] {
            assert_eq!(carried_out(found, create()).await.0, Err(ErrorKind::Stale));
            assert_eq!(carried_out(found, read()).await.0, Err(ErrorKind::Stale));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tags_of_others_stay_and_a_longer_record_leaves_nothing_behind() {
        let slow = Slow::begin(0, Duration::ZERO);
        let before = Mark::unfinished("ours", Origin::Created, THING);
        let mut tags = before.to_tags();
        tags.extend(
            [("team", "theirs"), ("provision-spec-2", "x"), ("cost", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        let before = Mark::from_tags(&tags);
        *lock(&slow.tags) = Some(tags);
        let changes = TagChanges::from([("cost".to_owned(), None), ("stage".to_owned(), Some("prod".to_owned()))]);
        let parts = BTreeMap::from([("thing".to_owned(), PartRecord::new(Some(Origin::Created), THING))]);
        let mark = Mark { state: State::Written, parts, ..Mark::unfinished("ours", Origin::Created, THING) };
        let verb = Verb::WriteMark { before, mark: mark.clone(), tags: changes };
        let record = Record(slow.begun, Mutex::default());
        let outcome = execute(&slow, &[operation(verb)], &Cancellation::default(), &record).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let found = lock(&slow.tags).clone().unwrap_or_default();
        let others: Vec<_> = without_mark(&found).into_iter().collect();
        assert_eq!(others, [("stage", "prod"), ("team", "theirs")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(Mark::from_tags(&found), Some(mark));
        assert!(!found.contains_key("provision-spec-2"));
    }

    #[test]
    fn mark_that_changed_under_us_stops_the_run() {
        let target = Mark { state: State::Written, ..Mark::unfinished("ab", Origin::Created, "x") };
        let begun = Mark::unfinished("ab", Origin::Created, "x");
        let others = Mark { deployment: "cd".to_owned(), ..target.clone() };
        let may =
            |found: Option<&Mark>, before: Option<&Mark>| may_be_written("cloud", "bucket `b`", found, before, &target);
        assert!(may(Some(&begun), None).is_ok() && may(Some(&target), None).is_ok());
        assert!(may(Some(&others), Some(&others)).is_ok());
        assert_eq!(may(Some(&others), Some(&begun)).unwrap_err().kind(), ErrorKind::Stale);
        assert!(matches!(may(None, None).unwrap_err().retry(), RetryClass::Settling { .. }));
        assert_eq!(*may(None, Some(&begun)).unwrap_err().retry(), RetryClass::Final);
    }
}

//! Executes the graph of a change set: every write as soon as what it needs is done, forward only, never a rollback.
//!
//! It owns the life of a mark: a cloud only reads and updates tags. All that takes over, releases, empties or deletes reads
//! the mark first and must find the one that was planned.
//!
//! Expected flow: start what is ready; after a conflict the writes of that lane go one at a time; on a fault that passes, the
//! operation is repeated within its budget; on any other the operation has failed and so has what needs it, while independent
//! branches go on. Told to stop, it starts nothing more and waits for what is in flight. Because operations are
//! idempotent and decided from a fresh look, the same command run again goes on where this one ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as SyncMutex, MutexGuard as SyncMutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::event::{Event, EventSink};
use crate::mark::{self, Mark, TagChanges, Tags};
use crate::operation::{Operation, Verb};
use crate::provider::{Created, Provisioner};
use crate::resource::Turns;
use crate::retry;

/// How often a run without news says what it waits for.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// When to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// No new writes.
    pub gently: CancellationToken,
    /// Do not even wait for those in flight.
    pub at_once: CancellationToken,
}

/// What an operation sees of the run around it.
pub struct Watch<'a> {
    id: usize,
    operation: &'a Operation,
    queue: Option<&'a Queue>,
    events: &'a dyn EventSink,
    stop: &'a Stop,
    just_created: bool,
    provisioner: &'a dyn Provisioner,
    /// Whether it was asked whose the thing is.
    asked: AtomicBool,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").field("operation", self.operation).finish_non_exhaustive()
    }
}

impl Watch<'_> {
    /// Say how far a long operation is.
    pub fn progress(&self, text: String) {
        self.events.emit(Event::OperationProgress { id: self.id, address: self.operation.address.clone(), text });
    }

    /// Wait for the turn of a resource whose writes always take one ([`Turns::Always`]), and keep it as long as the value
    /// lives. For any other operation it is `None` at once: the executor itself lets it wait after a conflict.
    pub async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.queue {
            Some(queue) if self.operation.turns() == Some(Turns::Always) => Some(queue.turn.lock().await),
            _ => None,
        }
    }

    /// Whether this very run made the resource that is written to, or that carries it, so that its documents are known to be
    /// as a new one has them.
    #[must_use]
    pub const fn just_created(&self) -> bool {
        self.just_created
    }

    /// Look whether what is emptied or deleted carries the mark that was planned. It is asked right before the request that
    /// deletes, after every other look, and by a long operation before each of its steps: somebody else may have the name by
    /// then. What is gone has nothing to be lost.
    ///
    /// # Errors
    ///
    /// It is somebody else's now, or cannot be looked at.
    pub async fn still_ours(&self) -> Result<(), Error> {
        let (Verb::Empty { mark } | Verb::Delete { mark }) = &self.operation.verb else { return Ok(()) };
        self.asked.store(true, Ordering::Relaxed);
        let Some(tags) = self.provisioner.tags(self.operation).await? else { return Ok(()) };
        if Mark::from_tags(&tags).as_ref() == Some(mark) {
            return Ok(());
        }
        Err(mark::changed(self.provisioner.cloud(), &self.operation.what()))
    }

    /// Whether a long operation should end between two of its steps.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stop.gently.is_cancelled()
    }
}

/// How a run ended; lists are in the order of the graph.
#[must_use]
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was written.
    pub done: Vec<String>,
    /// What failed, and why.
    pub failed: Vec<Error>,
    /// What was not begun, because of a failure or because the run was stopped.
    pub remaining: Vec<String>,
    /// Whether the run was told to stop.
    pub stopped: bool,
}

impl Outcome {
    /// Whether everything was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.remaining.is_empty()
    }
}

/// Execute the graph.
pub async fn execute(
    provisioner: &dyn Provisioner,
    graph: &[Operation],
    stop: &Stop,
    events: &dyn EventSink,
) -> Outcome {
    let run = Run::new(provisioner, graph, stop, events);
    let mut done = BTreeSet::new();
    let mut started = BTreeSet::new();
    let mut failed = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        let ready = |operation: &&Operation| operation.needs.iter().all(|need| done.contains(need));
        for operation in graph.iter().filter(ready) {
            if !stop.gently.is_cancelled() && started.insert(operation.id) {
                running.push(run.operation(operation));
            }
        }
        let names = || running_names(graph, &started, &|id| done.contains(&id) || failed.contains_key(&id));
        let Some((operation, result)) = run.next(&mut running, &names).await else { break };
        match result {
            Ok(()) => drop(done.insert(operation.id)),
            Err(error) => drop(failed.insert(operation.id, error)),
        }
    }
    // What was in flight when waiting was given up is not known to be done.
    let written = |operation: &&Operation| operation.writes() && done.contains(&operation.id);
    let open = |operation: &&Operation| {
        operation.writes() && !done.contains(&operation.id) && !failed.contains_key(&operation.id)
    };
    Outcome {
        done: graph.iter().filter(written).map(Operation::describe).collect(),
        remaining: graph.iter().filter(open).map(Operation::describe).collect(),
        failed: failed.into_values().collect(),
        stopped: stop.gently.is_cancelled(),
    }
}

fn running_names(graph: &[Operation], started: &BTreeSet<usize>, ended: &dyn Fn(usize) -> bool) -> Vec<String> {
    let open = |operation: &&Operation| started.contains(&operation.id) && !ended(operation.id);
    graph.iter().filter(open).map(Operation::describe).collect()
}

/// A lane of this run.
#[derive(Default)]
struct Queue {
    /// There was a conflict.
    crossed: AtomicBool,
    turn: Mutex<()>,
}

fn lanes(graph: &[Operation]) -> BTreeMap<&'static str, Queue> {
    graph.iter().filter_map(|operation| operation.lane).map(|lane| (lane.name, Queue::default())).collect()
}

struct Run<'a> {
    provisioner: &'a dyn Provisioner,
    stop: &'a Stop,
    events: &'a dyn EventSink,
    lanes: BTreeMap<&'static str, Queue>,
    begun: Instant,
    /// What this run made.
    created: SyncMutex<BTreeSet<Address>>,
    /// Tags read beside the other writes, and when.
    tags_read: SyncMutex<BTreeMap<(Address, String), (Instant, Tags)>>,
}

/// How long tags that were read beside other writes stay good for the last one.
const TAGS_FRESH: Duration = Duration::from_secs(5);

type Ended<'a> = (&'a Operation, Result<(), Error>);

impl<'a> Run<'a> {
    fn new(provisioner: &'a dyn Provisioner, graph: &[Operation], stop: &'a Stop, events: &'a dyn EventSink) -> Self {
        let (created, tags_read) = (SyncMutex::default(), SyncMutex::default());
        Self { provisioner, stop, events, lanes: lanes(graph), begun: Instant::now(), created, tags_read }
    }

    /// The next operation to end; `None` when none is left, or when waiting was given up.
    async fn next<F>(&self, running: &mut FuturesUnordered<F>, names: &dyn Fn() -> Vec<String>) -> Option<Ended<'a>>
    where
        F: Future<Output = Ended<'a>>,
    {
        loop {
            tokio::select! {
                biased;
                () = self.stop.at_once.cancelled() => return None,
                ended = running.next() => return ended,
                () = sleep(HEARTBEAT) => self.events.emit(Event::Heartbeat {
                    waiting_for: names(),
                    elapsed_ms: milliseconds(self.begun.elapsed()),
                }),
            }
        }
    }

    /// One operation to its end, with its repetitions.
    async fn operation(&self, operation: &'a Operation) -> Ended<'a> {
        let (id, address, text) = (operation.id, operation.address.clone(), operation.describe());
        self.events.emit(Event::OperationStarted { id, address: address.clone(), text: text.clone() });
        let started = Instant::now();
        let result = self.repeat(operation).await.map_err(|error| error.at(&address, None));
        self.events.emit(match &result {
            Ok(()) => Event::OperationDone { id, address, text, elapsed_ms: milliseconds(started.elapsed()) },
            Err(error) => Event::OperationFailed { id, address, text, error: error.clone() },
        });
        (operation, result)
    }

    async fn repeat(&self, operation: &Operation) -> Result<(), Error> {
        let started = Instant::now();
        let mut waits = retry::waits();
        let mut attempts = 1;
        loop {
            let error = match self.attempt(operation).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let wait = waits.next().unwrap_or_default();
            match retry::of_operation(&error) {
                Some((reason, budget)) if started.elapsed() + wait < budget && !self.stop.gently.is_cancelled() => {
                    self.wait(operation, reason, wait).await;
                    // What was waited for is not tried once more by a run that was told to stop.
                    if self.stop.gently.is_cancelled() {
                        return Err(error.effort(attempts, started.elapsed()));
                    }
                }
                _ if attempts > 1 => return Err(error.effort(attempts, started.elapsed())),
                _ => return Err(error),
            }
            attempts += 1;
        }
    }

    async fn attempt(&self, operation: &Operation) -> Result<(), Error> {
        // Reading needs no turn.
        let queue = operation.lane.filter(|_| operation.writes()).and_then(|lane| self.lanes.get(lane.name));
        let just_created = self.just_created(operation);
        let (events, stop, provisioner, asked) = (self.events, self.stop, self.provisioner, AtomicBool::default());
        let watch = Watch { id: operation.id, operation, queue, events, stop, just_created, provisioner, asked };
        let turn = match queue.filter(|queue| queue.crossed.load(Ordering::Relaxed)) {
            Some(queue) if operation.turns() == Some(Turns::AfterConflict) => Some(queue.turn.lock().await),
            _ => None,
        };
        let stop = self.stop.gently.clone();
        let result = retry::until_stopped(stop, self.carry_out(operation, &watch)).await;
        drop(turn);
        let conflict = result.as_ref().is_err_and(|error| *error.retry_class() == RetryClass::Conflict);
        if let Some(queue) = queue.filter(|_| conflict) {
            queue.crossed.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Whether this run made the resource, or the one that carries it.
    fn just_created(&self, operation: &Operation) -> bool {
        operation.holder.as_ref().is_some_and(|holder| lock(&self.created).contains(holder))
    }

    async fn carry_out(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let cloud = self.provisioner;
        match &operation.verb {
            Verb::Create { mark, tags, facets } => self.create(operation, mark, tags, facets, watch).await,
            Verb::Write { facet, before, value } => match cloud.write(operation, facet, before, value, watch).await {
                // Out of what is gone nothing has to be taken.
                Err(error) if value.is_null() && error.kind() == ErrorKind::NotFound => Ok(()),
                written => written,
            },
            Verb::ReadMark => self.read_mark(operation).await,
            Verb::CheckMark { mark } => self.found(operation, Some(mark)).await.map(drop),
            Verb::Adopt { before, mark } => self.adopt(operation, before.as_ref(), mark).await,
            Verb::WriteMark { before, mark, tags } => self.write_mark(operation, before.as_ref(), mark, tags).await,
            Verb::RemoveMark { mark, tags } => self.remove_mark(operation, mark.as_ref(), tags).await,
            Verb::Empty { mark } => match self.found(operation, Some(mark)).await? {
                Some(_) => cloud.empty(operation, watch).await,
                None => Ok(()),
            },
            Verb::Delete { .. } => {
                let deleted = cloud.delete(operation, watch).await;
                // A cloud asks itself, after its own looks and right before the request.
                debug_assert!(deleted.is_err() || watch.asked.load(Ordering::Relaxed), "{}", operation.describe());
                deleted
            }
        }
    }

    /// Create; whose a thing is that was there already, its mark has to say.
    async fn create(
        &self,
        operation: &Operation,
        mark: &Mark,
        tags: &Tags,
        facets: &Map<String, Value>,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        if self.provisioner.create(operation, tags, facets, watch).await? == Created::Made {
            lock(&self.created).insert(operation.address.clone());
            return Ok(());
        }
        let Some(tags) = self.provisioner.tags(operation).await? else { return Err(self.not_seen(operation)) };
        let found = Mark::from_tags(&tags);
        let ours = |found: &Mark| found.deployment == mark.deployment && found.is_for(&operation.identity);
        if found.is_some_and(|found| ours(&found)) { Ok(()) } else { Err(self.appeared(operation)) }
    }

    fn appeared(&self, operation: &Operation) -> Error {
        let what = operation.what();
        let error = Error::new(ErrorKind::Stale, format!("{what} was made by somebody else in the meantime"));
        error.hint(format!("run `provision {} plan` to see whose it is", self.provisioner.cloud()))
    }

    /// The tags of what an operation is about, whose mark must be the one that was planned; `None` if it is gone.
    async fn found(&self, operation: &Operation, planned: Option<&Mark>) -> Result<Option<Tags>, Error> {
        let Some(tags) = self.provisioner.tags(operation).await? else { return Ok(None) };
        if Mark::from_tags(&tags).as_ref() == planned {
            return Ok(Some(tags));
        }
        Err(mark::changed(self.provisioner.cloud(), &operation.what()))
    }

    async fn existing(&self, operation: &Operation) -> Result<Tags, Error> {
        let found = self.provisioner.tags(operation).await?;
        found.ok_or_else(|| if self.just_created(operation) { self.not_seen(operation) } else { self.gone(operation) })
    }

    /// What is there, by its creation, and is not shown.
    fn not_seen(&self, operation: &Operation) -> Error {
        mark::not_seen(self.provisioner.cloud(), &operation.what())
    }

    fn gone(&self, operation: &Operation) -> Error {
        let error = Error::new(ErrorKind::Stale, format!("{} is gone", operation.what()));
        error.hint(format!(
            "somebody deleted it during this run: run `provision {} plan` to see what is there now",
            self.provisioner.cloud()
        ))
    }

    async fn read_mark(&self, operation: &Operation) -> Result<(), Error> {
        let tags = self.existing(operation).await?;
        let key = (operation.address.clone(), operation.name.clone());
        lock(&self.tags_read).insert(key, (Instant::now(), tags));
        Ok(())
    }

    /// Put the mark of the beginning on; a run that was stopped right after it has done so already.
    async fn adopt(&self, operation: &Operation, before: Option<&Mark>, mark: &Mark) -> Result<(), Error> {
        let found = self.existing(operation).await?;
        let there = Mark::from_tags(&found);
        if there.as_ref() == Some(mark) {
            return Ok(());
        }
        if there.as_ref() != before {
            return Err(mark::changed(self.provisioner.cloud(), &operation.what()));
        }
        self.update(operation, &found, mark, &TagChanges::default()).await
    }

    async fn write_mark(
        &self,
        operation: &Operation,
        before: Option<&Mark>,
        mark: &Mark,
        tags: &TagChanges,
    ) -> Result<(), Error> {
        let key = (operation.address.clone(), operation.name.clone());
        let read = lock(&self.tags_read).remove(&key).filter(|(read, _)| read.elapsed() < TAGS_FRESH);
        let found = match read {
            Some((_, tags)) => tags,
            None => self.existing(operation).await?,
        };
        let there = Mark::from_tags(&found);
        mark::may_be_written(self.provisioner.cloud(), &operation.what(), there.as_ref(), before, mark)?;
        self.update(operation, &found, mark, tags).await
    }

    async fn update(&self, operation: &Operation, found: &Tags, mark: &Mark, tags: &TagChanges) -> Result<(), Error> {
        let wanted = mark.to_tags();
        let surplus = found.keys().filter(|key| mark::is_key(key) && !wanted.contains_key(*key));
        let mut changes: TagChanges = surplus.map(|key| (key.clone(), None)).collect();
        changes.extend(wanted.into_iter().map(|(key, value)| (key, Some(value))));
        changes.extend(tags.clone());
        changes.retain(|key, value| found.get(key) != value.as_ref());
        if changes.is_empty() {
            return Ok(());
        }
        self.provisioner.update_tags(operation, found, &changes).await
    }

    async fn remove_mark(&self, operation: &Operation, planned: Option<&Mark>, tags: &TagChanges) -> Result<(), Error> {
        let Some(found) = self.provisioner.tags(operation).await? else { return Ok(()) };
        let there = Mark::from_tags(&found);
        if there.is_some() && there.as_ref() != planned {
            return Err(mark::changed(self.provisioner.cloud(), &operation.what()));
        }
        let marks = found.keys().filter(|key| mark::is_key(key)).map(|key| (key.clone(), None));
        let changes: TagChanges = marks.chain(tags.clone()).filter(|(key, _)| found.contains_key(key)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.provisioner.update_tags(operation, &found, &changes).await
    }

    async fn wait(&self, operation: &Operation, reason: &str, wait: Duration) {
        self.events.emit(Event::OperationWaiting {
            id: operation.id,
            address: operation.address.clone(),
            text: operation.describe(),
            reason: reason.to_owned(),
            wait_ms: milliseconds(wait),
        });
        tokio::select! {
            () = self.stop.gently.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
}

fn lock<T>(mutex: &SyncMutex<T>) -> SyncMutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Contents;
    use crate::facet::Want;
    use crate::identity::Identity;
    use crate::mark::{Origin, with_changes};
    use crate::output::Output;
    use crate::provider::Observer;
    use crate::resource::{Lane, Observation, Orphan, Resource};
    /// How long a write takes.
    const WRITE: Duration = Duration::from_secs(1);
    const BUDGET: Duration = Duration::from_secs(300);
    const NOT_SEEN: RetryClass = RetryClass::Settling { reason: "a right is not known everywhere yet", budget: BUDGET };

    /// A service that notes when each write began.
    struct Slow {
        begun: Instant,
        /// The first writes of so many operations end in a conflict.
        crossing: usize,
        /// Until then, the service has not caught up with an earlier write.
        settles: Duration,
        starts: SyncMutex<Vec<(usize, Duration)>>,
        tags: SyncMutex<Option<Tags>>,
    }

    impl Slow {
        fn begin(crossing: usize, settles: Duration) -> Self {
            let (starts, tags) = (SyncMutex::default(), SyncMutex::default());
            Self { begun: Instant::now(), crossing, settles, starts, tags }
        }

        /// The times at which the writes of an operation began.
        fn starts(&self, id: usize) -> Vec<Duration> {
            let starts = self.starts.lock().unwrap();
            starts.iter().filter(|(of, _)| *of == id).map(|(_, at)| *at).collect()
        }
    }

    #[async_trait::async_trait]
    impl Provisioner for Slow {
        async fn write(
            &self,
            operation: &Operation,
            _: &str,
            _: &Value,
            _: &Value,
            watch: &Watch<'_>,
        ) -> Result<(), Error> {
            let _turn = watch.turn().await;
            if self.begun.elapsed() < self.settles {
                return Err(Error::new(ErrorKind::PermissionDenied, "write").hint("run it again").retry(NOT_SEEN));
            }
            self.starts.lock().unwrap().push((operation.id, self.begun.elapsed()));
            sleep(WRITE).await;
            if operation.id < self.crossing && self.starts(operation.id).len() == 1 {
                return Err(Error::new(ErrorKind::Conflict, "write").retry(RetryClass::Conflict));
            }
            Ok(())
        }

        async fn tags(&self, _: &Operation) -> Result<Option<Tags>, Error> {
            Ok(lock(&self.tags).clone())
        }

        async fn update_tags(&self, _: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
            *lock(&self.tags) = Some(with_changes(found, changes));
            Ok(())
        }

        async fn create(
            &self,
            _: &Operation,
            _: &Tags,
            _: &Map<String, Value>,
            _: &Watch<'_>,
        ) -> Result<Created, Error> {
            Ok(Created::Existed)
        }

        async fn empty(&self, _: &Operation, _: &Watch<'_>) -> Result<(), Error> {
            Ok(())
        }

        async fn delete(&self, _: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
            watch.still_ours().await?;
            *lock(&self.tags) = None;
            Ok(())
        }
    }

    #[async_trait::async_trait]
    impl Observer for Slow {
        fn cloud(&self) -> &'static str {
            "slow"
        }

        fn resources(&self) -> Vec<Resource> {
            Vec::new()
        }

        fn want(&self, _: &Address, _: Origin) -> Vec<Want> {
            Vec::new()
        }

        fn outputs(&self) -> Vec<Output> {
            Vec::new()
        }

        fn warnings(&self) -> Vec<String> {
            Vec::new()
        }

        fn handover(&self) -> Option<String> {
            None
        }

        async fn identity(&self) -> Result<Identity, Error> {
            Err(Error::new(ErrorKind::Unsupported, "look"))
        }

        async fn observe(&self, _: &Address) -> Result<Observation, Error> {
            Ok(Observation::Absent)
        }

        async fn marked(&self, _: &[String]) -> Result<Vec<Orphan>, Error> {
            Ok(Vec::new())
        }

        async fn contents(&self, _: &Address) -> Result<Contents, Error> {
            Ok(Contents::default())
        }
    }

    /// Every event, with its second.
    struct Record(Instant, SyncMutex<Vec<(u64, Event)>>);

    impl EventSink for Record {
        fn emit(&self, event: Event) {
            self.1.lock().unwrap().push((self.0.elapsed().as_secs(), event));
        }
    }

    /// Writes to one lane that need nothing of each other.
    fn writes(turns: &[Turns]) -> Vec<Operation> {
        let write = |(id, turns): (usize, &Turns)| Operation {
            id,
            address: Address::new("slow.thing"),
            kind: "thing".to_owned(),
            name: id.to_string(),
            identity: THING.to_owned(),
            holder: Some(Address::new("slow.thing")),
            verb: Verb::Write { facet: String::new(), before: Value::Null, value: Value::Null },
            needs: Vec::new(),
            lane: Some(Lane { name: "thing", turns: *turns }),
        };
        turns.iter().enumerate().map(write).collect()
    }

    async fn run(slow: &Slow, turns: &[Turns]) -> (Outcome, Vec<(u64, Event)>) {
        let record = Record(slow.begun, SyncMutex::default());
        let outcome = execute(slow, &writes(turns), &Stop::default(), &record).await;
        (outcome, record.1.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_always_takes_turns_does_so_and_the_rest_of_its_lane_starts_beside_it() {
        let slow = Slow::begin(0, Duration::ZERO);
        let turns = [Turns::Always, Turns::AfterConflict, Turns::Always, Turns::AfterConflict];
        let (outcome, _) = run(&slow, &turns).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let starts: Vec<_> = (0..4).map(|id| slow.starts(id)[0].as_secs()).collect();
        assert_eq!(starts, [0, 0, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_conflict_everything_in_the_lane_takes_turns() {
        let slow = Slow::begin(2, Duration::ZERO);
        let (outcome, _) = run(&slow, &[Turns::AfterConflict, Turns::AfterConflict]).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let again = [slow.starts(0), slow.starts(1)].map(|starts| starts[1]);
        assert!(again[0].abs_diff(again[1]) >= WRITE, "{again:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn write_that_settles_for_three_minutes_is_waited_for_with_a_sign_of_life_every_ten_seconds() {
        let slow = Slow::begin(0, Duration::from_secs(180));
        let (outcome, events) = run(&slow, &[Turns::AfterConflict]).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let end = events.last().unwrap().0;
        assert!((180..200).contains(&end), "{end}");
        let waits = events.iter().filter(|(_, event)| matches!(event, Event::OperationWaiting { .. })).count();
        assert!((12..60).contains(&waits), "{waits} attempts");
        let beat = |event: &Event| matches!(event, Event::Heartbeat { waiting_for, .. } if waiting_for == &["remove  of thing `0`"]);
        let beats: Vec<_> = events.iter().filter(|(_, event)| beat(event)).map(|(second, _)| *second).collect();
        assert_eq!(beats, (1..=end / 10).map(|beat| beat * 10).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn write_that_never_settles_fails_within_its_budget_with_what_to_do() {
        let slow = Slow::begin(0, Duration::MAX);
        let (outcome, events) = run(&slow, &[Turns::AfterConflict]).await;
        let error = &outcome.failed[0];
        assert_eq!((error.kind(), error.advice()), (ErrorKind::PermissionDenied, Some("run it again")));
        let end = events.last().unwrap().0;
        assert!((280..300).contains(&end), "{end}");
    }

    const THING: &str = "the full name";

    fn operation(verb: Verb) -> Operation {
        Operation { verb, ..writes(&[Turns::AfterConflict]).remove(0) }
    }

    /// Carry out one verb on a thing with these tags; gives how it ended, and the mark afterwards.
    async fn carried_out(found: Option<&Mark>, verb: Verb) -> (Result<(), ErrorKind>, Option<Mark>) {
        let slow = Slow::begin(0, Duration::ZERO);
        *lock(&slow.tags) = Some(found.map(Mark::to_tags).unwrap_or_default());
        let record = Record(slow.begun, SyncMutex::default());
        let outcome = execute(&slow, &[operation(verb)], &Stop::default(), &record).await;
        let result = outcome.failed.first().map_or(Ok(()), |error| Err(error.kind()));
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
            ]
        };
        for verb in verbs() {
            assert_eq!(carried_out(Some(&planned), verb.clone()).await.0, Ok(()), "{verb:?}");
            let (result, mark) = carried_out(Some(&others), verb.clone()).await;
            assert_eq!((result, mark.as_ref()), (Err(ErrorKind::Stale), Some(&others)), "{verb:?}");
        }
        // Without any mark only a release goes on: one that was stopped took it off.
        for verb in verbs() {
            let released = matches!(verb, Verb::RemoveMark { .. });
            assert_eq!(carried_out(None, verb.clone()).await.0.is_ok(), released, "{verb:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_there_already_is_ours_only_by_its_mark() {
        let mark = Mark::unfinished("ours", Origin::Created, THING);
        let create = || Verb::Create { mark: mark.clone(), tags: mark.to_tags(), facets: Map::new() };
        assert_eq!(carried_out(Some(&mark), create()).await.0, Ok(()));
        let copied = Mark::unfinished("ours", Origin::Created, "another full name");
        let others = Mark::unfinished("theirs", Origin::Created, THING);
        for found in [None, Some(&copied), Some(&others)] {
            assert_eq!(carried_out(found, create()).await.0, Err(ErrorKind::Stale));
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
        let mark = Mark { state: mark::State::Written, ..Mark::unfinished("ours", Origin::Created, THING) };
        let verb = Verb::WriteMark { before, mark: mark.clone(), tags: changes };
        let record = Record(slow.begun, SyncMutex::default());
        let outcome = execute(&slow, &[operation(verb)], &Stop::default(), &record).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let found = lock(&slow.tags).clone().unwrap_or_default();
        let others: Vec<_> = mark::without_mark(&found).into_iter().collect();
        assert_eq!(others, [("stage", "prod"), ("team", "theirs")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(Mark::from_tags(&found), Some(mark));
        assert!(!found.contains_key("provision-spec-2"));
    }
}

//! Executes the graph of a change set: every write as soon as what it needs is done, forward only, never a rollback.
//!
//! Expected flow: start what is ready; after a conflict the writes of that lane go one at a time; on a fault that passes, the
//! operation is repeated within its budget; on any other the operation has failed and so has what needs it, while independent
//! branches go on. Told to stop, it starts nothing more and waits for what is in flight. Because operations are
//! idempotent and decided from a fresh look, the same command run again goes on where this one ended.

mod marks;
#[cfg(test)]
mod slow;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::context::{Cancellation, LaneState, OperationContext};
use crate::error::{Error, ErrorKind, RetryClass};
use crate::event::{Event, EventSink, milliseconds};
use crate::operation::{Operation, Verb};
use crate::provider::{Created, Provisioner, Write};
use crate::resource::LaneMode;
use crate::retry::{self, Patience};
use crate::trace;
use marks::Marks;

/// How a run ended; lists are in the order of the graph.
#[must_use]
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was written.
    pub done: Vec<String>,
    /// What failed.
    pub failed: Vec<String>,
    /// Why, in the same order.
    pub errors: Vec<Error>,
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
    cancellation: &Cancellation,
    events: &dyn EventSink,
) -> Outcome {
    let run = Run::new(provisioner, graph, cancellation, events);
    let mut done = BTreeSet::new();
    let mut started = BTreeSet::new();
    let mut failed = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut given_up = std::pin::pin!(given_up(cancellation));
    loop {
        let ready = |operation: &&Operation| operation.needs.iter().all(|need| done.contains(need));
        for operation in graph.iter().filter(ready) {
            if !cancellation.drain.is_cancelled() && started.insert(operation.id) {
                running.push(run.operation(operation));
            }
        }
        let names = || running_names(graph, &started, &|id| done.contains(&id) || failed.contains_key(&id));
        let Some((operation, result)) = run.next(&mut running, given_up.as_mut(), &names).await else { break };
        match result {
            Ok(()) => drop(done.insert(operation.id)),
            Err(error) => drop(failed.insert(operation.id, error)),
        }
    }
    // What was stopped between two of its requests has not failed.
    failed.retain(|_, error: &mut Error| error.kind() != ErrorKind::Interrupted);
    // What was in flight when waiting was given up is not known to be done.
    let written = |operation: &&Operation| operation.writes() && done.contains(&operation.id);
    let open = |operation: &&Operation| {
        operation.writes() && !done.contains(&operation.id) && !failed.contains_key(&operation.id)
    };
    let broken = |operation: &&Operation| failed.contains_key(&operation.id);
    Outcome {
        failed: graph.iter().filter(broken).map(Operation::describe).collect(),
        done: graph.iter().filter(written).map(Operation::describe).collect(),
        remaining: graph.iter().filter(open).map(Operation::describe).collect(),
        errors: graph.iter().filter_map(|operation| failed.get(&operation.id).cloned()).collect(),
        stopped: cancellation.drain.is_cancelled(),
    }
}

/// How long requests in flight are waited for once the run was told to stop: whoever told it does not wait for long either.
const GRACE: Duration = Duration::from_secs(8);

/// When those in flight are not waited for any more.
async fn given_up(cancellation: &Cancellation) {
    let patience = async {
        cancellation.drain.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        () = cancellation.abort.cancelled() => {}
        () = patience => {}
    }
}

fn running_names(graph: &[Operation], started: &BTreeSet<usize>, ended: &dyn Fn(usize) -> bool) -> Vec<String> {
    let open = |operation: &&Operation| started.contains(&operation.id) && !ended(operation.id);
    graph.iter().filter(open).map(Operation::describe).collect()
}

fn lanes(graph: &[Operation]) -> BTreeMap<&'static str, LaneState> {
    graph.iter().filter_map(|operation| operation.lane).map(|lane| (lane.name, LaneState::default())).collect()
}

struct Run<'a> {
    provisioner: &'a dyn Provisioner,
    cancellation: &'a Cancellation,
    events: &'a dyn EventSink,
    lanes: BTreeMap<&'static str, LaneState>,
    begun: Instant,
    marks: Marks<'a>,
}

type Finished<'a> = (&'a Operation, Result<(), Error>);

impl<'a> Run<'a> {
    fn new(
        provisioner: &'a dyn Provisioner,
        graph: &[Operation],
        cancellation: &'a Cancellation,
        events: &'a dyn EventSink,
    ) -> Self {
        let (lanes, begun, marks) = (lanes(graph), Instant::now(), Marks::new(provisioner));
        Self { provisioner, cancellation, events, lanes, begun, marks }
    }

    /// The next operation to end; `None` when none is left, or when waiting was given up.
    async fn next<F>(
        &self,
        running: &mut FuturesUnordered<F>,
        mut given_up: Pin<&mut impl Future<Output = ()>>,
        names: &dyn Fn() -> Vec<String>,
    ) -> Option<Finished<'a>>
    where
        F: Future<Output = Finished<'a>>,
    {
        loop {
            tokio::select! {
                biased;
                () = given_up.as_mut() => return None,
                ended = running.next() => return ended,
                () = sleep(retry::heartbeat()) => self.events.emit(Event::Heartbeat {
                    waiting_for: names(),
                    elapsed_ms: milliseconds(self.begun.elapsed()),
                }),
            }
        }
    }

    /// One operation to its end, with its repetitions.
    async fn operation(&self, operation: &'a Operation) -> Finished<'a> {
        let (id, address, text) = (operation.id, operation.address.clone(), operation.describe());
        self.events.emit(Event::OperationStarted { id, address: address.clone(), text: text.clone() });
        let started = Instant::now();
        let repeated = trace::within(address.as_str(), id, self.repeat(operation));
        let result = repeated.await.map_err(|error| error.at(&address, None));
        self.events.emit(match &result {
            Ok(()) => Event::OperationDone { id, address, text, elapsed_ms: milliseconds(started.elapsed()) },
            Err(error) => Event::OperationFailed { id, address, text, error: error.clone() },
        });
        (operation, result)
    }

    async fn repeat(&self, operation: &Operation) -> Result<(), Error> {
        let mut patience = Patience::begin();
        let mut attempts = 1;
        loop {
            let error = match self.attempt(operation).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let wait = patience.next();
            match retry::of_operation(&error) {
                Some((reason, budget)) if patience.elapsed() + wait < budget => {
                    // What is waited for is not tried once more by a run that was told to stop. Why the service does not settle
                    // may be for the user to mend.
                    if !self.wait(operation, reason, wait, &mut patience).await {
                        return Err(match error.retry() {
                            RetryClass::Conflict => retry::told_to_stop(),
                            _ => error.effort(attempts, patience.elapsed()),
                        });
                    }
                }
                _ if attempts > 1 => return Err(error.effort(attempts, patience.elapsed())),
                _ => return Err(error),
            }
            attempts += 1;
        }
    }

    async fn attempt(&self, operation: &Operation) -> Result<(), Error> {
        // Reading needs no turn.
        let lane = operation.lane.filter(|_| operation.writes()).and_then(|lane| self.lanes.get(lane.name));
        let (events, cancellation, owner) = (self.events, self.cancellation, &self.marks);
        let created = self.marks.created(operation);
        let context =
            OperationContext { operation, lane, events, cancellation, created, owner, asked: AtomicBool::default() };
        let acquired = match lane.filter(|lane| lane.contended.load(Ordering::Relaxed)) {
            Some(lane) if operation.lane_mode() == Some(LaneMode::AfterConflict) => Some(lane.free.lock().await),
            _ => None,
        };
        let cancellation = self.cancellation.drain.clone();
        let result = retry::until_stopped(cancellation, self.carry_out(operation, &context)).await;
        drop(acquired);
        let conflict = result.as_ref().is_err_and(|error| *error.retry() == RetryClass::Conflict);
        if let Some(lane) = lane.filter(|_| conflict) {
            lane.contended.store(true, Ordering::Relaxed);
        }
        result
    }

    async fn carry_out(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        let (cloud, marks) = (self.provisioner, &self.marks);
        match &operation.verb {
            Verb::Create { mark, tags, facets } => match cloud.create(operation, tags, facets, context).await? {
                Created::Made => {
                    marks.note_creation(operation);
                    Ok(())
                }
                Created::Existed => marks.existed(operation, mark).await,
            },
            Verb::Write { facet, before, value } => {
                let write = Write { facet, before, value, just_created: context.just_created() };
                match cloud.write(operation, &write, context).await {
                    // Out of what is gone nothing has to be taken.
                    Err(error) if value.is_null() && error.kind() == ErrorKind::NotFound => Ok(()),
                    written => written,
                }
            }
            Verb::ReadMark { mark } => marks.read(operation, mark).await,
            Verb::CheckMark { mark } => marks.planned(operation, mark).await.map(drop),
            Verb::Adopt { before, mark } => marks.adopt(operation, before.as_ref(), mark).await,
            Verb::WriteMark { before, mark, tags } => marks.write(operation, before.as_ref(), mark, tags).await,
            Verb::Update { before, mark, tags, facets } => {
                let change = (before.as_ref(), mark.as_ref());
                marks.write_together(operation, change, tags, facets, context).await
            }
            Verb::RemoveMark { mark, tags } => marks.remove(operation, mark.as_ref(), tags).await,
            Verb::Empty { mark } => match marks.planned(operation, mark).await? {
                Some(_) => marks.unless_gone(operation, mark, cloud.empty(operation, context).await).await,
                None => Ok(()),
            },
            Verb::Delete { mark } => {
                let deleted = cloud.delete(operation, context).await;
                // A cloud asks itself, after its own looks and right before the request.
                debug_assert!(deleted.is_err() || context.asked.load(Ordering::Relaxed), "{}", operation.describe());
                marks.unless_gone(operation, mark, deleted).await
            }
        }
    }

    /// Wait, unless the run is told to stop; gives whether it was not.
    async fn wait(&self, operation: &Operation, reason: &str, wait: Duration, patience: &mut Patience) -> bool {
        let stop = &self.cancellation.drain;
        if stop.is_cancelled() {
            return false;
        }
        self.events.emit(Event::OperationWaiting {
            id: operation.id,
            address: operation.address.clone(),
            text: operation.describe(),
            reason: reason.to_owned(),
            wait_ms: milliseconds(wait),
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = patience.wait(wait) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::slow::{Record, Slow, WRITE, writes};
    use super::*;

    async fn run(slow: &Slow, modes: &[LaneMode]) -> (Outcome, Vec<(u64, Event)>) {
        let record = Record(slow.begun, Mutex::default());
        let outcome = execute(slow, &writes(modes), &Cancellation::default(), &record).await;
        (outcome, record.1.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_always_takes_turns_does_so_and_the_rest_of_its_lane_starts_beside_it() {
        let slow = Slow::begin(0, Duration::ZERO);
        let modes = [LaneMode::Always, LaneMode::AfterConflict, LaneMode::Always, LaneMode::AfterConflict];
        let (outcome, _) = run(&slow, &modes).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let starts: Vec<_> = (0..4).map(|id| slow.starts(id)[0].as_secs()).collect();
        assert_eq!(starts, [0, 0, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_conflict_everything_in_the_lane_takes_turns() {
        let slow = Slow::begin(2, Duration::ZERO);
        let (outcome, _) = run(&slow, &[LaneMode::AfterConflict, LaneMode::AfterConflict]).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let again = [slow.starts(0), slow.starts(1)].map(|starts| starts[1]);
        assert!(again[0].abs_diff(again[1]) >= WRITE, "{again:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn write_that_settles_for_three_minutes_is_waited_for_with_a_sign_of_life_every_ten_seconds() {
        let slow = Slow::begin(0, Duration::from_secs(180));
        let (outcome, events) = run(&slow, &[LaneMode::AfterConflict]).await;
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
    async fn run_that_was_told_to_stop_ends_within_ten_seconds_with_its_lists() {
        let (slow, cancellation) = (Slow::begin(0, Duration::ZERO), Cancellation::default());
        let record = Record(slow.begun, Mutex::default());
        let graph = writes(&[LaneMode::Always; 20]);
        let run = execute(&slow, &graph, &cancellation, &record);
        let (outcome, ()) = tokio::join!(run, async {
            sleep(Duration::from_millis(500)).await;
            cancellation.drain.cancel();
        });
        assert!(slow.begun.elapsed() < Duration::from_secs(10));
        assert!(outcome.stopped && outcome.failed.is_empty() && outcome.done.len() == 8, "{outcome:?}");
        assert_eq!(outcome.remaining.len(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn write_that_never_settles_fails_within_its_budget_with_what_to_do() {
        let slow = Slow::begin(0, Duration::MAX);
        let (outcome, events) = run(&slow, &[LaneMode::AfterConflict]).await;
        let error = &outcome.errors[0];
        assert_eq!((error.kind(), error.hint()), (ErrorKind::PermissionDenied, Some("run it again")));
        let end = events.last().unwrap().0;
        assert!((280..300).contains(&end), "{end}");
    }
}

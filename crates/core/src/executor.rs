//! Executes the graph of a change set: every write as soon as what it needs is done, forward only, never a rollback.
//!
//! Expected flow: start what is ready; on a conflict the lane goes one at a time; on a fault that passes, the operation
//! is repeated within its budget; on any other the operation has failed and so has what needs it, while independent
//! branches go on. Told to stop, it starts nothing more and waits for what is in flight. Because operations are
//! idempotent and decided from a fresh look, the same command run again goes on where this one ended.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, RetryClass};
use crate::event::{Event, EventSink};
use crate::operation::Operation;
use crate::provider::Provisioner;
use crate::resource::{Lane, Turns};
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
    events: &'a dyn EventSink,
    stop: &'a Stop,
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
    let run = Run { provisioner, stop, events, lanes: lanes(graph), begun: Instant::now() };
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
struct Queue {
    one_at_a_time: Cell<bool>,
    turn: Mutex<()>,
}

impl Queue {
    fn of(lane: Lane) -> Self {
        Self { one_at_a_time: Cell::new(lane.turns == Turns::Always), turn: Mutex::default() }
    }
}

fn lanes(graph: &[Operation]) -> BTreeMap<&'static str, Queue> {
    graph.iter().filter_map(|operation| operation.lane).map(|lane| (lane.name, Queue::of(lane))).collect()
}

struct Run<'a> {
    provisioner: &'a dyn Provisioner,
    stop: &'a Stop,
    events: &'a dyn EventSink,
    lanes: BTreeMap<&'static str, Queue>,
    begun: Instant,
}

type Ended<'a> = (&'a Operation, Result<(), Error>);

impl<'a> Run<'a> {
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
                }
                _ if attempts > 1 => return Err(error.effort(attempts, started.elapsed())),
                _ => return Err(error),
            }
            attempts += 1;
        }
    }

    async fn attempt(&self, operation: &Operation) -> Result<(), Error> {
        let watch = Watch { id: operation.id, operation, events: self.events, stop: self.stop };
        // Reading needs no turn.
        let lane = operation.lane.filter(|_| operation.writes()).and_then(|lane| self.lanes.get(lane.name));
        let turn = match lane {
            Some(lane) if lane.one_at_a_time.get() => Some(lane.turn.lock().await),
            _ => None,
        };
        let result = self.provisioner.execute(operation, &watch).await;
        drop(turn);
        let conflict = result.as_ref().is_err_and(|error| *error.retry_class() == RetryClass::Conflict);
        if let Some(lane) = lane.filter(|_| conflict) {
            lane.one_at_a_time.set(true);
        }
        result
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

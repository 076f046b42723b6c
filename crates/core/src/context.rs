//! What an operation sees of the run around it: whether to stop, its turn in its lane, whether what it deletes is still ours.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::event::{Event, EventSink};
use crate::operation::Operation;
use crate::resource::LaneMode;

/// How long what is known of a new thing stays good: that its documents are as they were made, and the tags that were read
/// beside its other writes. Later, another hand may have found it.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// When to stop.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    /// No new writes.
    pub drain: CancellationToken,
    /// Do not even wait for those in flight.
    pub abort: CancellationToken,
}

/// A lane of this run.
#[derive(Default)]
pub(crate) struct LaneState {
    /// There was a conflict.
    pub(crate) contended: AtomicBool,
    pub(crate) free: Mutex<()>,
}

/// Whoever knows the mark that was planned: the executor.
#[async_trait]
pub(crate) trait Owner: Send + Sync {
    /// Look whether what an operation empties or deletes carries the mark that was planned.
    async fn still_ours(&self, operation: &Operation) -> Result<(), Error>;
}

/// What an operation sees of the run around it.
pub struct OperationContext<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) lane: Option<&'a LaneState>,
    pub(crate) events: &'a dyn EventSink,
    pub(crate) cancellation: &'a Cancellation,
    /// When this run made the resource that is written to, or that carries it.
    pub(crate) created: Option<Instant>,
    pub(crate) owner: &'a dyn Owner,
    /// Whether it was asked whose the thing is.
    pub(crate) asked: AtomicBool,
}

impl std::fmt::Debug for OperationContext<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OperationContext").field("operation", self.operation).finish_non_exhaustive()
    }
}

impl OperationContext<'_> {
    /// Say how far a long operation is.
    pub fn progress(&self, text: String) {
        self.events.emit(Event::OperationProgress {
            id: self.operation.id,
            address: self.operation.address.clone(),
            text,
        });
    }

    /// Wait for the turn of a resource whose writes always take one ([`LaneMode::Always`]), and keep it as long as the value
    /// lives. For any other operation it is `None` at once: the executor itself lets it wait after a conflict.
    pub async fn acquire_lane(&self) -> Option<MutexGuard<'_, ()>> {
        match self.lane {
            Some(lane) if self.operation.lane_mode() == Some(LaneMode::Always) => Some(lane.free.lock().await),
            _ => None,
        }
    }

    /// Whether this very run made the resource that is written to, or that carries it, a moment ago, so that its documents are
    /// known to be as a new one has them.
    #[must_use]
    pub fn just_created(&self) -> bool {
        self.created.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Whether this very run made the resource that is written to, or that carries it: if the service does not find it, it
    /// does not show it yet.
    #[must_use]
    pub const fn created(&self) -> bool {
        self.created.is_some()
    }

    /// Look whether what is emptied or deleted carries the mark that was planned. It is asked right before the request that
    /// deletes, after every other look, and by a long operation before each of its steps: somebody else may have the name by
    /// then. What is gone has nothing to be lost.
    ///
    /// # Errors
    ///
    /// It is somebody else's now, or cannot be looked at.
    pub async fn still_ours(&self) -> Result<(), Error> {
        self.asked.store(true, Ordering::Relaxed);
        self.owner.still_ours(self.operation).await
    }

    /// Whether a long operation should end between two of its steps.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.cancellation.drain.is_cancelled()
    }
}

//! What happens while a change set is executed. The human view and the JSON view both consume these; nothing else prints.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::address::Address;
use crate::error::Error;
use crate::hop::{Hop, HopId};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// An operation began.
    OperationStarted {
        /// Its number in the graph.
        id: usize,
        /// The resource.
        address: Address,
        /// What is done, for people: `create bucket acme`.
        text: String,
    },
    /// An operation waits before it is tried again.
    OperationWaiting {
        /// Its number in the graph.
        id: usize,
        /// The resource.
        address: Address,
        /// What is done, for people.
        text: String,
        /// What is waited for.
        reason: String,
        /// How long until the next attempt.
        wait_ms: u64,
    },
    /// How far a long operation is.
    OperationProgress {
        /// Its number in the graph.
        id: usize,
        /// The resource.
        address: Address,
        /// What is done so far: `12,000 objects deleted`.
        text: String,
    },
    /// An operation is done.
    OperationDone {
        /// Its number in the graph.
        id: usize,
        /// The resource.
        address: Address,
        /// What was done.
        text: String,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// An operation failed for good.
    OperationFailed {
        /// Its number in the graph.
        id: usize,
        /// The resource.
        address: Address,
        /// What was tried.
        text: String,
        /// Why it failed.
        error: Error,
    },
    /// Nothing else happened for a while.
    Heartbeat {
        /// What is being waited for.
        waiting_for: Vec<String>,
        /// Since the beginning.
        elapsed_ms: u64,
    },
    /// A look at the cloud lasts. Told to people alone: it comes before any document.
    #[schemars(skip)]
    Looking {
        /// Since it began.
        elapsed_ms: u64,
    },
    /// The service is in the middle of something: the cloud is looked at again. Told to people alone.
    #[schemars(skip)]
    Settling {
        /// What it is at.
        reason: &'static str,
    },
    /// No new writes from here on; those in flight are waited for.
    Stopping {
        /// Why: the signal's name, or the time limit.
        reason: String,
    },
    /// Everything is written; the cloud is observed until it shows it.
    Confirming {
        /// What the cloud does not show yet; empty at the first look.
        #[serde(rename = "unseen")]
        not_yet_visible: Vec<String>,
    },
    /// A hop of a proof began.
    HopStarted {
        /// Which one.
        hop: HopId,
        /// What is done, for people.
        text: String,
    },
    /// A hop lasts.
    HopWaiting {
        /// Which one.
        hop: HopId,
        /// What is waited for, for people.
        text: String,
        /// Since it began.
        elapsed_ms: u64,
    },
    /// A hop ended.
    HopDone {
        /// The hop.
        #[serde(flatten)]
        hop: Hop,
    },
}

/// Something that consumes events.
pub trait EventSink: Send + Sync {
    /// Take one event.
    fn emit(&self, event: Event);
}

/// A duration as events have it.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

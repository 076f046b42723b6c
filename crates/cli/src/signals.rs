//! SIGINT, SIGTERM and the time limit: first no new writes, then no more waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use provision_core::context::Cancellation;
use provision_core::event::{Event, EventSink};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Listens to signals and to the time limit while something is written.
pub(crate) struct Signals {
    /// What they stop.
    pub(crate) cancellation: Cancellation,
    /// The number of what stopped the run.
    number: Arc<AtomicU8>,
}

const INTERRUPT: u8 = 2;
const TERMINATE: u8 = 15;
const TIME_LIMIT: u8 = 1;

impl Signals {
    /// Begin to listen.
    pub(crate) fn listen(timeout: Option<u64>, events: Arc<dyn EventSink>) -> Self {
        let signals = Self { cancellation: Cancellation::default(), number: Arc::default() };
        tokio::spawn(cancel_on_signal(signals.cancellation.clone(), Arc::clone(&signals.number), timeout, events));
        signals
    }

    /// The exit code of what stopped the run, if anything did.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.number.load(Ordering::Relaxed) {
            INTERRUPT => Some(Exit::Interrupted),
            TERMINATE => Some(Exit::Terminated),
            TIME_LIMIT => Some(Exit::Partial),
            _ => None,
        }
    }
}

async fn cancel_on_signal(
    cancellation: Cancellation,
    reason: Arc<AtomicU8>,
    timeout: Option<u64>,
    events: Arc<dyn EventSink>,
) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let limit = tokio::time::sleep(Duration::from_secs(timeout.unwrap_or(u64::from(u32::MAX))));
    tokio::pin!(limit);
    loop {
        let (number, name) = tokio::select! {
            _ = interrupt.recv() => (INTERRUPT, "SIGINT"),
            _ = terminate.recv() => (TERMINATE, "SIGTERM"),
            () = &mut limit, if !cancellation.drain.is_cancelled() => (TIME_LIMIT, "time limit"),
        };
        if cancellation.drain.is_cancelled() {
            cancellation.abort.cancel();
            return;
        }
        reason.store(number, Ordering::Relaxed);
        cancellation.drain.cancel();
        events.emit(Event::Stopping { reason: name.to_owned() });
    }
}

//! SIGINT, SIGTERM and the time limit: first no new writes, then no more waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use provision_core::context::Stop;
use provision_core::event::{Event, EventSink};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// What stopped the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reason(Arc<AtomicU8>);

impl Reason {
    /// The exit code of what stopped the run, if anything did.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::Relaxed) {
            2 => Some(Exit::Interrupted),
            15 => Some(Exit::Terminated),
            1 => Some(Exit::Partial),
            _ => None,
        }
    }
}

/// Watch for signals while something is written.
pub(crate) fn watch(stop: &Stop, timeout: Option<u64>, events: Arc<dyn EventSink>) -> Reason {
    let (reason, stop) = (Reason::default(), stop.clone());
    let shared = reason.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let limit = tokio::time::sleep(Duration::from_secs(timeout.unwrap_or(u64::from(u32::MAX))));
        tokio::pin!(limit);
        loop {
            let (number, name) = tokio::select! {
                _ = interrupt.recv() => (2, "SIGINT"),
                _ = terminate.recv() => (15, "SIGTERM"),
                () = &mut limit, if !stop.gently.is_cancelled() => (1, "time limit"),
            };
            if stop.gently.is_cancelled() {
                stop.at_once.cancel();
                return;
            }
            shared.0.store(number, Ordering::Relaxed);
            stop.gently.cancel();
            events.emit(Event::Stopping { reason: name.to_owned() });
        }
    });
    reason
}

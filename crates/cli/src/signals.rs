//! SIGINT, SIGTERM and the time limit: first no new writes, then no more waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use provision_core::context::Cancellation;
use provision_core::event::{Event, EventSink};
use provision_core::{Error, ErrorKind};

use crate::exit::{Exit, Failure};

/// Listens to signals and to the time limit, from the begin of a command.
pub(crate) struct Signals {
    /// What they stop.
    pub(crate) cancellation: Cancellation,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The number of what stopped the run.
    number: AtomicU8,
    /// Whether something is being written.
    writing: AtomicBool,
}

const INTERRUPT: u8 = 2;
const TERMINATE: u8 = 15;
const TIME_LIMIT: u8 = 1;

impl Signals {
    /// Begin to listen.
    pub(crate) fn listen(timeout: Option<u64>, events: Arc<dyn EventSink>) -> Self {
        let signals = Self { cancellation: Cancellation::default(), state: Arc::default() };
        tokio::spawn(cancel_on_signal(signals.cancellation.clone(), Arc::clone(&signals.state), timeout, events));
        signals
    }

    /// Do what writes nothing: it ends as soon as the run is told to stop.
    pub(crate) async fn unless_stopped<T>(&self, look: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.cancellation.drain.cancelled() => {
                let (exit, error) = self.stopped();
                Err(Failure::Stopped(exit, error))
            }
            done = look => done,
        }
    }

    /// Look at one of many things: those that ended before count.
    pub(crate) async fn one_unless_stopped<T>(&self, look: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.cancellation.drain.cancelled() => Err(self.stopped().1),
            done = look => done,
        }
    }

    /// How a command ends that had written nothing, if it was told to stop.
    pub(crate) fn ended(&self) -> Option<Exit> {
        self.cancellation.drain.is_cancelled().then(|| self.stopped().0)
    }

    /// From now on something is written.
    pub(crate) fn begin_writing(&self) {
        self.state.writing.store(true, Ordering::Relaxed);
    }

    /// The exit code of what stopped the run, if anything did.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.state.number.load(Ordering::Relaxed) {
            INTERRUPT => Some(Exit::Interrupted),
            TERMINATE => Some(Exit::Terminated),
            TIME_LIMIT => Some(Exit::Partial),
            _ => None,
        }
    }

    /// How a command ends that had written nothing, and why, once it was told to stop.
    fn stopped(&self) -> (Exit, Error) {
        let error = |what: &str| Error::new(ErrorKind::Interrupted, format!("{what}; nothing was written"));
        match self.exit() {
            Some(Exit::Partial) => (Exit::Failure, error("the time limit is over")),
            Some(exit) => (exit, error("interrupted")),
            None => (Exit::Interrupted, error("stopped")),
        }
    }
}

/// What tells the process to stop, of which it is told from now on.
#[cfg(unix)]
pub(crate) fn stops() -> std::io::Result<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

/// What tells the process to stop, of which it is told from now on.
#[cfg(windows)]
pub(crate) fn stops() -> std::io::Result<(tokio::signal::windows::CtrlC, tokio::signal::windows::CtrlBreak)> {
    Ok((tokio::signal::windows::ctrl_c()?, tokio::signal::windows::ctrl_break()?))
}

async fn cancel_on_signal(
    cancellation: Cancellation,
    state: Arc<State>,
    timeout: Option<u64>,
    events: Arc<dyn EventSink>,
) {
    let Ok((mut interrupt, mut terminate)) = stops() else { return };
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
        state.number.store(number, Ordering::Relaxed);
        cancellation.drain.cancel();
        if state.writing.load(Ordering::Relaxed) {
            events.emit(Event::Stopping { reason: name.to_owned() });
        }
    }
}

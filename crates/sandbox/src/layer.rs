//! The layer that every request passes: it names and records requests, adds latency, and injects faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};

use crate::emulator::{Answer, Dropped, Wire};
use crate::fault::{Fault, Faults, What, When};
use crate::record::{self, Record};

/// Something to run before a call is let through.
type Hook = Arc<dyn Fn() + Send + Sync>;

/// The layer between clients and a cloud.
#[derive(Default)]
pub struct FaultLayer {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    recording: bool,
    records: Vec<Record>,
    faults: Vec<Fault>,
    calls: BTreeMap<String, usize>,
    latency: Duration,
    propagation: BTreeMap<String, Duration>,
    hooks: Vec<(String, usize, When, Hook)>,
}

impl FaultLayer {
    /// A layer that begins with some faults. Requests are recorded only if asked for: a long run would fill the memory.
    #[must_use]
    pub fn new(faults: Faults, recording: bool) -> Self {
        let propagation = faults.propagation_ms.into_iter().map(|(name, ms)| (name, Duration::from_millis(ms)));
        let inner = Inner {
            recording,
            latency: Duration::from_millis(faults.latency_ms),
            propagation: propagation.collect(),
            faults: faults.faults,
            ..Inner::default()
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Every request so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// Forget requests, faults, hooks and counts.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.records.clear();
        inner.faults.clear();
        inner.calls.clear();
        inner.hooks.clear();
    }

    /// How often an operation was answered.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.lock().records.iter().filter(|record| record.operation == operation).count()
    }

    /// How often an operation was asked for, answered or not.
    #[must_use]
    pub fn begun(&self, operation: &str) -> usize {
        self.lock().calls.get(operation).copied().unwrap_or_default()
    }

    /// The operations that change something, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        let inner = self.lock();
        inner.records.iter().filter(|record| record.write).map(|record| record.operation.clone()).collect()
    }

    /// The longest chain of requests in which each starts after the former was answered, without those that only poll.
    #[must_use]
    pub fn waves(&self) -> usize {
        record::waves(&self.lock().records)
    }

    /// Answer every request this much later.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// Let others see what is written this much later. Each cloud's docs name what it delays.
    pub fn set_propagation(&self, name: &str, delay: Duration) {
        self.lock().propagation.insert(name.to_owned(), delay);
    }

    /// How much later others see what is written, in milliseconds.
    #[must_use]
    pub fn propagation_ms(&self, name: &str) -> u64 {
        let delay = self.lock().propagation.get(name).copied().unwrap_or_default();
        u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
    }

    /// How much later the last of all see what is written, in milliseconds.
    #[must_use]
    pub fn longest_propagation_ms(&self) -> u64 {
        let longest = self.lock().propagation.values().max().copied().unwrap_or_default();
        u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)
    }

    /// Inject a fault.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Run something before the n-th call of an operation has its effect.
    pub fn hook(&self, operation: &str, nth: usize, run: impl Fn() + Send + Sync + 'static) {
        self.hook_at(operation, nth, When::Before, run);
    }

    /// Run something before the n-th call of an operation has its effect, or after it and before it is answered.
    pub fn hook_at(&self, operation: &str, nth: usize, at: When, run: impl Fn() + Send + Sync + 'static) {
        self.lock().hooks.push((operation.to_owned(), nth, at, Arc::new(run)));
    }

    /// Let one request through, or not.
    pub(crate) async fn exchange<F>(
        &self,
        wire: &dyn Wire,
        request: Request<Bytes>,
        reach: impl FnOnce(Request<Bytes>) -> F,
    ) -> Answer
    where
        F: Future<Output = Answer>,
    {
        let start = Instant::now();
        let operation = wire.operation(&request);
        // As they are when this call comes: others may come while its hooks run.
        let calls = self.counted(&operation);
        let call = calls[&operation];
        let asked = self.lock().recording.then(|| asked(wire, &operation, &request, start));
        self.run_hooks(&operation, call, When::Before).await;
        let fault = self.chosen(&operation, &calls);
        let reaches = fault.as_ref().is_none_or(|fault| fault.at == When::After || fault.what.needs_answer());
        let answer = if reaches { reach(request).await } else { Err(Dropped) };
        self.run_hooks(&operation, call, When::After).await;
        self.pause().await;
        let answer = match fault {
            Some(fault) => phrased(wire, &operation, fault.what, answer).await,
            None => answer,
        };
        if let Some(mut record) = asked {
            record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            record.end = Instant::now();
            self.lock().records.push(record);
        }
        answer
    }

    /// How often each operation was asked for, with this call.
    fn counted(&self, operation: &str) -> BTreeMap<String, usize> {
        let mut inner = self.lock();
        *inner.calls.entry(operation.to_owned()).or_default() += 1;
        inner.calls.clone()
    }

    /// A hook may wait for requests of its own, so that it gets a thread of its own.
    async fn run_hooks(&self, operation: &str, call: usize, at: When) {
        let hooks: Vec<_> = {
            let inner = self.lock();
            let meant =
                inner.hooks.iter().filter(|(name, nth, when, _)| name == operation && *nth == call && *when == at);
            meant.map(|(_, _, _, hook)| Arc::clone(hook)).collect()
        };
        for hook in hooks {
            let _ = tokio::task::spawn_blocking(move || hook()).await;
        }
    }

    /// The fault for a call, by the counts when it came. Calls of all operations that a fault names count together.
    fn chosen(&self, operation: &str, calls: &BTreeMap<String, usize>) -> Option<Fault> {
        let inner = self.lock();
        let calls = |fault: &Fault| calls.iter().filter(|(name, _)| fault.names(name)).map(|(_, calls)| calls).sum();
        let meant = |fault: &&Fault| fault.names(operation) && fault.nth.is(calls(fault));
        inner.faults.iter().find(meant).cloned()
    }

    async fn pause(&self) {
        let latency = self.lock().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for FaultLayer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FaultLayer").finish_non_exhaustive()
    }
}

fn asked(wire: &dyn Wire, operation: &str, request: &Request<Bytes>, start: Instant) -> Record {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    Record {
        operation: operation.to_owned(),
        write: !wire.reads(operation),
        poll: wire.polls(operation),
        method: request.method().to_string(),
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers.collect(),
        body: request.body().clone(),
        status: None,
        start,
        end: start,
    }
}

/// The first half of an answer. One of gRPC's without a message is its status alone, which is not there then.
fn halved(mut answer: Response<Bytes>) -> Response<Bytes> {
    if answer.body().is_empty() {
        ["grpc-status", "grpc-message"].iter().for_each(|name| drop(answer.headers_mut().remove(*name)));
    }
    answer.map(|body| body.slice(..body.len() / 2))
}

async fn phrased(wire: &dyn Wire, operation: &str, what: What, answer: Answer) -> Answer {
    match what {
        What::Answer { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Bytes::from(body)).map_err(|_| Dropped)
        }
        What::Error { status, code, message } => Ok(wire.error(operation, status, &code, &message)),
        What::Throttle => Ok(wire.throttled(operation)),
        What::Conflict => Ok(wire.conflict(operation)),
        What::Drop => Err(Dropped),
        What::Truncate => answer.map(halved),
        What::Delay(delay) => {
            tokio::time::sleep(delay).await;
            answer
        }
    }
}

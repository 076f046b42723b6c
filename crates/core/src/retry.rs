//! Trying again: one policy for every cloud, decided by the fault's class alone.
//!
//! Single calls are repeated when throttled or hit by a passing fault ([`call`]); whole operations, which read before
//! they write, are repeated on a conflict or while the service settles ([`crate::executor`]). Everything else is final
//! at once.
//!
//! Two variables shorten what is waited for, and only tests set them: `PROVISION_TEST_WAITS` divides the waits between attempts
//! and between looks, for clouds whose time passes as much faster; `PROVISION_TEST_LIMITS` divides how long answers may take
//! and how long nothing is said. A budget is used up by whole waits in any case.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, RetryClass};

/// How long credentials may take to be found: a metadata server that hangs must not hang us.
pub const CREDENTIALS_LIMIT: Duration = Duration::from_secs(3);
/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one request may take. Short enough that an interrupted run ends while CI still waits for it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a run may say nothing.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long one call is repeated while the service asks to slow down.
const THROTTLED_BUDGET: Duration = Duration::from_secs(60);
/// The longest time that a service may ask for and get, where it throttles.
const LONGEST_ASKED: Duration = Duration::from_secs(5 * 60);
/// How long one call is repeated on passing faults.
const TRANSIENT_BUDGET: Duration = Duration::from_secs(20);
/// Passing faults after which a call is given up, however quickly they came.
const TRANSIENT_ATTEMPTS: u32 = 4;
/// How long an operation is repeated while others write to the same thing. S3 answers `OperationAborted` for up to two
/// minutes after a change (the budget Terraform's provider settled on too).
const CONFLICT_BUDGET: Duration = Duration::from_secs(120);

/// How long an operation of the service's own is waited for: creating a storage account takes seconds, deleting a group
/// minutes.
pub const SERVICE_BUDGET: Duration = Duration::from_secs(15 * 60);
/// However long the service asks us to wait between two looks at its own operation.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long one request may take.
#[must_use]
pub fn request_timeout() -> Duration {
    REQUEST_TIMEOUT / *LIMITS
}

/// How long a run may say nothing.
pub(crate) fn heartbeat() -> Duration {
    HEARTBEAT / *LIMITS
}

/// So much of a wait that others keep: all of it, but in tests.
#[must_use]
pub fn shortened(wait: Duration) -> Duration {
    wait / *WAITS
}

/// The whole of a wait of which others keep so much.
pub(crate) fn at_full_length(shortened: Duration) -> Duration {
    shortened * *WAITS
}

static WAITS: LazyLock<u32> = LazyLock::new(|| divisor("PROVISION_TEST_WAITS"));
static LIMITS: LazyLock<u32> = LazyLock::new(|| divisor("PROVISION_TEST_LIMITS"));

fn divisor(variable: &str) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

/// The attempts at one thing: how long they take, and the waits between them.
#[derive(Debug)]
pub(crate) struct Patience {
    begun: Instant,
    waits: ExponentialBackoff,
    /// What was not waited of the waits so far.
    spared: Duration,
}

impl Patience {
    pub(crate) fn begin() -> Self {
        Self::since(Instant::now())
    }

    fn since(begun: Instant) -> Self {
        Self { begun, waits: waits(), spared: Duration::ZERO }
    }

    /// How long it took so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed() + self.spared
    }

    /// How long to wait next.
    pub(crate) fn next(&mut self) -> Duration {
        self.waits.next().unwrap_or_default()
    }

    /// Wait.
    pub(crate) async fn wait(&mut self, wait: Duration) {
        let shortened = shortened(wait);
        sleep(shortened).await;
        self.spared += wait.saturating_sub(shortened);
    }
}

/// The waits between attempts: exponential with jitter, from a quarter of a second to eight.
fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(8))
        .without_max_times()
        .with_jitter()
        .build()
}

tokio::task_local! {
    /// What ends the waiting between two attempts of a call.
    static STOPPED: CancellationToken;
    /// How the account is asked.
    static PACE: Arc<Pace>;
}

/// When an account that asked to slow down may be asked again, by whichever deployment of a run.
#[derive(Debug, Default)]
pub struct Pace {
    again: Mutex<Option<Instant>>,
}

impl Pace {
    /// The account asked to slow down: nobody asks it before.
    fn slow_down(&self, wait: Duration) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        *again = (*again).max(Some(Instant::now() + shortened(wait)));
    }

    /// Wait until the account may be asked.
    async fn quiet(&self) {
        loop {
            let again = *self.again.lock().unwrap_or_else(PoisonError::into_inner);
            match again.filter(|again| *again > Instant::now()) {
                Some(again) => sleep_until(again).await,
                None => return,
            }
        }
    }
}

/// Do something whose calls keep the pace of an account: what one of them is told to wait, all of them wait.
pub async fn at_pace<T>(pace: Arc<Pace>, work: impl Future<Output = T>) -> T {
    PACE.scope(pace, work).await
}

/// Do something whose calls are repeated only until the run is told to stop.
pub async fn until_stopped<T>(stop: CancellationToken, work: impl Future<Output = T>) -> T {
    STOPPED.scope(stop, work).await
}

/// Wait, unless the run is told to stop; gives whether it was not.
async fn waited(patience: &mut Patience, wait: Duration) -> bool {
    let Ok(stop) = STOPPED.try_with(Clone::clone) else {
        patience.wait(wait).await;
        return true;
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = patience.wait(wait) => true,
    }
}

/// Wait until the account may be asked, unless the run is told to stop.
async fn quiet(pace: &Pace) {
    match STOPPED.try_with(Clone::clone) {
        Ok(stop) => tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = pace.quiet() => {}
        },
        Err(_) => pace.quiet().await,
    }
}

/// What a call that is not sent any more fails with.
pub(crate) fn told_to_stop() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was told to stop")
}

/// Whether the run is told to stop: then nothing new is sent.
fn is_stopped() -> bool {
    STOPPED.try_with(CancellationToken::is_cancelled).unwrap_or(false)
}

/// Send one call, again while it is throttled or hit by a passing fault. The error says how hard it was tried.
///
/// # Errors
///
/// The last answer, once it is final or its budget is used up; [`ErrorKind::Interrupted`] if the run was told to stop before
/// the call was sent, or while the service asked to slow down. Told to stop after a passing fault, it fails with that: the call
/// may have had its effect.
pub async fn call<T, F>(mut send: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let pace = PACE.try_with(Clone::clone).ok();
    if let Some(pace) = &pace {
        quiet(pace).await;
    }
    if is_stopped() {
        return Err(told_to_stop());
    }
    let (started, mut attempts, mut faults) = (Instant::now(), 1, Faults::default());
    loop {
        let error = match send().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some((patience, wait)) = faults.wait(error.retry(), started) else {
            return Err(error.effort(attempts, started.elapsed()));
        };
        if let (Some(pace), RetryClass::Throttled(_)) = (&pace, error.retry()) {
            pace.slow_down(wait);
        }
        if !waited(patience, wait).await {
            return Err(match error.retry() {
                RetryClass::Throttled(_) => told_to_stop(),
                _ => error.effort(attempts, started.elapsed()),
            });
        }
        attempts += 1;
    }
}

/// The faults of one call: each class has a budget of its own, from the first of its faults on.
#[derive(Default)]
struct Faults {
    throttled: Option<Patience>,
    passing: Option<(Patience, u32)>,
}

impl Faults {
    /// How long to wait before the next attempt, and what is waited with; `None` if there is to be none.
    fn wait(&mut self, class: &RetryClass, begun: Instant) -> Option<(&mut Patience, Duration)> {
        match class {
            RetryClass::Throttled(asked) => self.wait_for_quiet(asked.unwrap_or_default()),
            RetryClass::Transient => self.wait_for_better(begun),
            _ => None,
        }
    }

    /// What the service itself asks for is waited for once, even if it is longer than the budget.
    fn wait_for_quiet(&mut self, asked: Duration) -> Option<(&mut Patience, Duration)> {
        let first = self.throttled.is_none();
        let patience = self.throttled.get_or_insert_with(Patience::begin);
        let wait = patience.next().max(asked);
        let in_time = patience.elapsed() + wait < THROTTLED_BUDGET || (first && asked <= LONGEST_ASKED);
        in_time.then_some((patience, wait))
    }

    /// The first of these faults has taken as long as the call, unless the service asked to slow down before.
    fn wait_for_better(&mut self, begun: Instant) -> Option<(&mut Patience, Duration)> {
        let begun = if self.throttled.is_some() { Instant::now() } else { begun };
        let (patience, count) = self.passing.get_or_insert_with(|| (Patience::since(begun), 0));
        *count += 1;
        let wait = patience.next();
        let in_time = patience.elapsed() + wait < TRANSIENT_BUDGET / *LIMITS && *count < TRANSIENT_ATTEMPTS;
        in_time.then_some((patience, wait))
    }
}

/// What one look at an operation that the service carries out in its own time found.
#[derive(Debug)]
pub enum Progress<T> {
    /// It ended well.
    Done(T),
    /// It goes on; look again after this long, where the service says so.
    Running(Option<Duration>),
}

/// Look at an operation of the service's own until it ends. The first look is made at once.
///
/// # Errors
///
/// The operation failed, could not be looked at, or did not end within [`SERVICE_BUDGET`]: then `late` makes the error.
pub async fn poll<T, F>(mut look: impl FnMut() -> F, late: impl FnOnce() -> Error) -> Result<T, Error>
where
    F: Future<Output = Result<Progress<T>, Error>>,
{
    let mut patience = Patience::begin();
    loop {
        let asked = match look().await? {
            Progress::Done(value) => return Ok(value),
            Progress::Running(asked) => asked,
        };
        if patience.elapsed() > SERVICE_BUDGET {
            return Err(late().effort(1, patience.elapsed()));
        }
        let own = patience.next();
        if !waited(&mut patience, asked.map_or(own, |asked| asked.min(LONGEST_WAIT))).await {
            return Err(told_to_stop());
        }
    }
}

/// Why and how long a whole operation may be repeated; `None` if the error is final for it.
#[must_use]
pub fn of_operation(error: &Error) -> Option<(&'static str, Duration)> {
    match error.retry() {
        RetryClass::Conflict => Some(("another change to the same resource is under way", CONFLICT_BUDGET)),
        other => other.settling(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    async fn attempts_for(class: RetryClass) -> u32 {
        let sent = Cell::new(0);
        let failing = || async {
            sent.set(sent.get() + 1);
            Err::<(), _>(Error::new(ErrorKind::Unavailable, "read").with_retry(class.clone()))
        };
        call(failing).await.unwrap_err();
        sent.get()
    }

    #[tokio::test(start_paused = true)]
    async fn call_repeats_by_class_alone() {
        assert_eq!(attempts_for(RetryClass::Final).await, 1);
        assert_eq!(attempts_for(RetryClass::Conflict).await, 1);
        assert_eq!(attempts_for(RetryClass::Transient).await, TRANSIENT_ATTEMPTS);
        assert!(attempts_for(RetryClass::Throttled(None)).await > TRANSIENT_ATTEMPTS);
    }

    async fn answered_by(classes: &[RetryClass]) -> Result<u32, Error> {
        let sent = Cell::new(0);
        let send = || async {
            sent.set(sent.get() + 1);
            match classes.get(sent.get() as usize - 1) {
                Some(class) => Err(Error::new(ErrorKind::Unavailable, "read").with_retry(class.clone())),
                None => Ok(sent.get()),
            }
        };
        call(send).await
    }

    #[tokio::test(start_paused = true)]
    async fn each_class_of_faults_has_its_own_budget() {
        let (throttled, dropped) = (RetryClass::Throttled(None), RetryClass::Transient);
        let mut classes = vec![throttled; 8];
        classes.extend([dropped.clone(), dropped]);
        assert_eq!(answered_by(&classes).await.unwrap(), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn faults_of_two_classes_in_turn_come_to_an_end() {
        let classes = vec![[RetryClass::Throttled(None), RetryClass::Transient]; 100].concat();
        let started = Instant::now();
        answered_by(&classes).await.unwrap_err();
        assert!(started.elapsed() < THROTTLED_BUDGET + TRANSIENT_BUDGET);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_service_asks_for_is_waited_for_once_however_long_but_not_for_ever() {
        let asked = |seconds| RetryClass::Throttled(Some(Duration::from_secs(seconds)));
        assert_eq!(answered_by(&[asked(65)]).await.unwrap(), 2);
        assert!(answered_by(&[asked(86_400)]).await.is_err());
        assert!(answered_by(&[asked(65), asked(65), asked(65)]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn call_that_waits_its_turn_has_not_failed_when_the_run_stops_and_one_without_an_answer_has() {
        let ends = async |class: RetryClass| {
            let stop = CancellationToken::new();
            let classes = vec![class; 20];
            let waiting = until_stopped(stop.clone(), answered_by(&classes));
            let stopping = async {
                sleep(Duration::from_millis(100)).await;
                stop.cancel();
            };
            tokio::join!(waiting, stopping).0.unwrap_err().kind()
        };
        assert_eq!(ends(RetryClass::Throttled(None)).await, ErrorKind::Interrupted);
        assert_eq!(ends(RetryClass::Transient).await, ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_new_is_sent_by_a_run_that_was_told_to_stop() {
        let stop = CancellationToken::new();
        stop.cancel();
        let error = until_stopped(stop.clone(), answered_by(&[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        let look = || async { Ok::<Progress<()>, Error>(Progress::Running(None)) };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let waiting = until_stopped(stop, poll(look, || Error::new(ErrorKind::Unavailable, "wait")));
        let (error, ()) = tokio::join!(waiting, async {
            sleep(Duration::from_secs(60)).await;
            stopping.cancel();
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn poll_looks_when_the_service_says_and_gives_up_in_the_end() {
        let started = Instant::now();
        let looks = Cell::new(0);
        let ends = || async {
            looks.set(looks.get() + 1);
            Ok(if looks.get() < 3 { Progress::Running(Some(Duration::from_secs(17))) } else { Progress::Done(()) })
        };
        poll(ends, || Error::new(ErrorKind::Unavailable, "wait")).await.unwrap();
        assert_eq!((looks.get(), started.elapsed().as_secs()), (3, 34));
        let never = || async { Ok::<Progress<()>, Error>(Progress::Running(None)) };
        poll(never, || Error::new(ErrorKind::Unavailable, "wait")).await.unwrap_err();
        assert!(started.elapsed() < SERVICE_BUDGET * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_deployment_is_told_to_wait_all_of_its_account_wait() {
        let (pace, started) = (Arc::new(Pace::default()), Instant::now());
        let throttled = [RetryClass::Throttled(Some(Duration::from_secs(25)))];
        let one = at_pace(Arc::clone(&pace), answered_by(&throttled));
        let other = at_pace(Arc::clone(&pace), async {
            sleep(Duration::from_secs(1)).await;
            answered_by(&[]).await.map(|_| started.elapsed())
        });
        let elsewhere = at_pace(Arc::default(), async {
            sleep(Duration::from_secs(1)).await;
            answered_by(&[]).await.map(|_| started.elapsed())
        });
        let (one, other, elsewhere) = tokio::join!(one, other, elsewhere);
        one.unwrap();
        assert!(other.unwrap() >= Duration::from_secs(25));
        assert_eq!(elsewhere.unwrap().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn call_waits_as_long_as_the_service_asks() {
        let started = Instant::now();
        assert_eq!(attempts_for(RetryClass::Throttled(Some(Duration::from_secs(25)))).await, 3);
        assert!(started.elapsed() >= Duration::from_secs(50) && started.elapsed() < THROTTLED_BUDGET);
    }
}

//! The sandbox's time, which tests can move on.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The time in the sandbox: the machine's, moved on by as much as was asked for, and passing as fast as was asked for.
#[derive(Debug)]
pub struct Clock {
    since: Mutex<Since>,
    /// Whether the services' own waits are short.
    hastened: bool,
}

/// What time it was when the clock was last set, here and on the machine, and how much faster it passes since then.
#[derive(Clone, Copy, Debug)]
struct Since {
    here_ms: u64,
    machine_ms: u64,
    /// How much time was let pass at once.
    advanced_ms: u64,
    pace: u32,
}

impl Since {
    fn now(self) -> Self {
        let machine_ms = machine_ms();
        let passed = machine_ms.saturating_sub(self.machine_ms).saturating_mul(u64::from(self.pace));
        Self { here_ms: self.here_ms.saturating_add(passed), machine_ms, ..self }
    }
}

impl Default for Clock {
    fn default() -> Self {
        let now = machine_ms();
        Self { since: Mutex::new(Since { here_ms: now, machine_ms: now, advanced_ms: 0, pace: 1 }), hastened: false }
    }
}

/// How much shorter the services' own waits are where nobody is to wait for them.
const HASTE: u64 = 60;

impl Clock {
    /// One on which the services' own waits pass sixty times as fast, as a rehearsal has it.
    #[must_use]
    pub fn new(hastened: bool) -> Self {
        Self { hastened, ..Self::default() }
    }

    /// How long one of the services' own waits takes here, in milliseconds.
    #[must_use]
    pub const fn wait_ms(&self, ms: u64) -> u64 {
        if self.hastened { ms / HASTE } else { ms }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.set(|_| {}).here_ms
    }

    /// Let time pass at once, so that nobody waits for a rule of sixty seconds.
    pub fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or_default();
        self.set(|since| {
            since.here_ms = since.here_ms.saturating_add(by_ms);
            since.advanced_ms = since.advanced_ms.saturating_add(by_ms);
        });
    }

    /// Begin so much later than the machine, by whose time clients go on to sign.
    pub fn put_forward(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or_default();
        self.set(|since| since.here_ms = since.here_ms.saturating_add(by_ms));
    }

    /// The time by which signatures expire, in milliseconds since 1970: their clients' own, which passes as the machine's does.
    #[must_use]
    pub fn signing_ms(&self) -> u64 {
        let since = self.set(|_| {});
        since.machine_ms.saturating_add(since.advanced_ms)
    }

    /// Let time pass this many times as fast as the machine's from now on; gives how fast it passed.
    pub fn hasten(&self, pace: u32) -> u32 {
        let mut former = pace;
        self.set(|since| former = std::mem::replace(&mut since.pace, pace));
        former
    }

    fn set(&self, change: impl FnOnce(&mut Since)) -> Since {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = since.now();
        change(&mut since);
        *since
    }
}

/// What the machine says, in milliseconds since 1970.
fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as a date.
#[must_use]
pub fn date(ms: u64) -> OffsetDateTime {
    let nanoseconds = i128::from(ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_as_fast_as_was_asked_for_and_never_goes_back() {
        let since = Since { here_ms: 5_000, machine_ms: machine_ms() - 100, advanced_ms: 0, pace: 20 };
        assert!((7_000..60_000).contains(&since.now().here_ms));
        let clock = Clock::default();
        let begun = clock.now_ms();
        clock.advance(Duration::from_secs(60));
        assert_eq!((clock.hasten(20), clock.hasten(1)), (1, 20));
        assert!(clock.now_ms() >= begun + 60_000);
    }

    #[test]
    fn signatures_expire_by_a_time_that_does_not_hasten() {
        let clock = Clock::default();
        clock.hasten(1_000_000);
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now_ms() > clock.signing_ms() + 1_000_000);
        let begun = clock.signing_ms();
        clock.advance(Duration::from_secs(60));
        assert!(clock.signing_ms() >= begun + 60_000);
        let clock = Clock::default();
        clock.put_forward(Duration::from_secs(3_600));
        assert!(clock.now_ms() > clock.signing_ms() + 3_000_000);
    }
}

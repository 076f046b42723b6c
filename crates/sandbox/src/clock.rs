//! The sandbox's time, which tests can move on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The time in the sandbox: the machine's, moved on by as much as was asked for.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_ms: AtomicU64,
    hastened: bool,
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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Let time pass at once, so that nobody waits for a rule of sixty seconds.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }
}

/// A moment as a date.
#[must_use]
pub fn date(ms: u64) -> OffsetDateTime {
    let nanoseconds = i128::from(ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

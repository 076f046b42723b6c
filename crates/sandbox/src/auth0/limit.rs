//! How many requests are taken: so many at once, and as many more in each second
//! <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations>.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Response};

/// What is left, in thousandths of a request, and when that was so.
#[derive(Debug, Default)]
pub(super) struct Limit {
    left: Mutex<Option<(u64, u64)>>,
}

/// What every answer says of the limit.
#[derive(Debug)]
pub(super) struct Headers {
    limit: u64,
    remaining: u64,
}

impl Limit {
    /// Whether a request may pass.
    pub(super) fn take(&self, burst: u64, now_ms: u64) -> (bool, Headers) {
        let mut held = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let full = burst * 1_000;
        let (left, at_ms) = held.unwrap_or((full, now_ms));
        // A thousandth of `burst` requests in each millisecond.
        let left = full.min(left.saturating_add(now_ms.saturating_sub(at_ms).saturating_mul(burst)));
        let passes = left >= 1_000;
        let left = if passes { left - 1_000 } else { left };
        *held = Some((left, now_ms));
        (passes, Headers { limit: burst, remaining: left / 1_000 })
    }
}

impl Headers {
    /// An answer with them. The reset is a moment of the caller's clock.
    pub(super) fn on(&self, mut answer: Response<Bytes>) -> Response<Bytes> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs()).unwrap_or_default();
        let headers = [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-remaining", self.remaining),
            ("x-ratelimit-reset", now + 1),
        ];
        for (name, value) in headers {
            answer.headers_mut().insert(name, HeaderValue::from(value));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pass_in_a_second_as_at_once() {
        let limit = Limit::default();
        let passed = |now_ms| (0..5).filter(|_| limit.take(2, now_ms).0).count();
        assert_eq!([passed(0), passed(0), passed(500), passed(10_000)], [2, 0, 1, 2]);
    }
}

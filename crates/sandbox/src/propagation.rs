//! Values that others see late.

use serde::{Deserialize, Serialize};

/// A value that was written, and the one before it, which others see until the new one has spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Propagating<T> {
    written: T,
    /// In a list, or a value that is `null` would be read back as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<[T; 1]>,
    #[serde(default)]
    seen_from_ms: u64,
}

impl<T: Clone> Propagating<T> {
    /// A value that everybody sees.
    pub const fn new(value: T) -> Self {
        Self { written: value, before: None, seen_from_ms: 0 }
    }

    /// What its writer sees.
    pub const fn written(&self) -> &T {
        &self.written
    }

    /// What others see at a moment.
    pub fn seen(&self, now_ms: u64) -> &T {
        let before = self.before.as_ref().filter(|_| now_ms < self.seen_from_ms);
        before.map_or(&self.written, |[before]| before)
    }

    /// Write a value that others see from a moment on.
    pub fn write(&mut self, value: T, now_ms: u64, delay_ms: u64) {
        let before = (delay_ms > 0).then(|| [self.seen(now_ms).clone()]);
        *self = Self { written: value, before, seen_from_ms: now_ms.saturating_add(delay_ms) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_value_is_seen_by_others_after_its_delay() {
        let mut value = Propagating::new(1);
        value.write(2, 1_000, 500);
        assert_eq!((value.written(), value.seen(1_499), value.seen(1_500)), (&2, &1, &2));
        value.write(3, 1_200, 500);
        assert_eq!((value.written(), value.seen(1_600), value.seen(1_700)), (&3, &1, &3));
        value.write(4, 2_000, 0);
        assert_eq!(value.seen(2_000), &4);
    }

    #[test]
    fn value_that_was_nothing_before_stays_nothing_when_it_is_read_back() {
        let mut value = Propagating::new(None);
        value.write(Some(1), 1_000, 500);
        let value: Propagating<Option<u8>> = serde_json::from_value(serde_json::to_value(&value).unwrap()).unwrap();
        assert_eq!((value.seen(1_499), value.seen(1_500)), (&None, &Some(1)));
    }
}

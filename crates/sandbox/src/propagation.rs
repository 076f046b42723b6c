//! Values that some see late.

use serde::{Deserialize, Serialize};

/// A value, and what it was a short time ago, which those who see late still see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Propagating<T> {
    /// What was written before the changes.
    first: T,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change<T>>,
}

/// What was written when, and how long it takes to spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change<T> {
    value: T,
    at_ms: u64,
    delay_ms: u64,
}

impl<T> Change<T> {
    const fn is_seen(&self, now_ms: u64, delay_ms: u64) -> bool {
        self.at_ms.saturating_add(delay_ms) <= now_ms
    }
}

impl<T: Clone> Propagating<T> {
    /// A value that everybody sees.
    pub const fn new(value: T) -> Self {
        Self { first: value, changes: Vec::new() }
    }

    /// What its writer sees.
    pub fn written(&self) -> &T {
        self.changes.last().map_or(&self.first, |change| &change.value)
    }

    /// What others see at a moment.
    pub fn seen(&self, now_ms: u64) -> &T {
        let seen = self.changes.iter().rev().find(|change| change.is_seen(now_ms, change.delay_ms));
        seen.map_or(&self.first, |change| &change.value)
    }

    /// What one sees at a moment who sees this much late: where some see later than others, it is written with the longest
    /// delay of all.
    pub fn seen_after(&self, now_ms: u64, delay_ms: u64) -> &T {
        let seen = self.changes.iter().rev().find(|change| change.is_seen(now_ms, delay_ms.min(change.delay_ms)));
        seen.map_or(&self.first, |change| &change.value)
    }

    /// Write a value that others see after a delay.
    pub fn write(&mut self, value: T, now_ms: u64, delay_ms: u64) {
        if delay_ms == 0 {
            *self = Self::new(value);
            return;
        }
        let spread = self.changes.iter().take_while(|change| change.is_seen(now_ms, change.delay_ms)).count();
        if let Some(change) = self.changes.drain(..spread).next_back() {
            self.first = change.value;
        }
        self.changes.push(Change { value, at_ms: now_ms, delay_ms });
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
        assert_eq!((value.seen(1_499), value.seen(1_600), value.seen(1_700)), (&1, &2, &3));
        value.write(4, 2_000, 0);
        assert_eq!(value.seen(2_000), &4);
    }

    #[test]
    fn some_see_later_than_others() {
        let mut value = Propagating::new(1);
        value.write(2, 1_000, 500);
        assert_eq!(
            (value.seen_after(1_000, 0), value.seen_after(1_099, 100), value.seen_after(1_100, 100)),
            (&2, &1, &2)
        );
        assert_eq!((value.seen_after(1_499, 500), value.seen_after(1_500, 9_000)), (&1, &2));
    }

    #[test]
    fn old_values_are_forgotten() {
        let mut value = Propagating::new(0);
        (1..=100).for_each(|number| value.write(number, number * 1_000, 500));
        assert_eq!((value.changes.len(), value.first, *value.written()), (1, 99, 100));
    }

    #[test]
    fn value_that_was_nothing_before_stays_nothing_when_it_is_read_back() {
        let mut value = Propagating::new(None);
        value.write(Some(1), 1_000, 500);
        let value: Propagating<Option<u8>> = serde_json::from_value(serde_json::to_value(&value).unwrap()).unwrap();
        assert_eq!((value.seen(1_499), value.seen(1_500)), (&None, &Some(1)));
    }
}

//! Values that some see late.

use serde::{Deserialize, Serialize};

/// How long a former value is kept for those who see late: no delay is longer.
const LONGEST_MS: u64 = 600_000;

/// A value, and what it was some time ago, which those who see late still see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Propagating<T> {
    /// What was written before the changes.
    first: T,
    /// When what was written, in order.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    changes: Vec<(u64, T)>,
}

impl<T: Clone> Propagating<T> {
    /// A value that everybody sees.
    pub const fn new(value: T) -> Self {
        Self { first: value, changes: Vec::new() }
    }

    /// What was written last.
    pub fn written(&self) -> &T {
        self.changes.last().map_or(&self.first, |(_, value)| value)
    }

    /// What one sees at a moment who sees this much late.
    pub fn seen(&self, now_ms: u64, delay_ms: u64) -> &T {
        let seen = self.changes.iter().rev().find(|(written_ms, _)| written_ms.saturating_add(delay_ms) <= now_ms);
        seen.map_or(&self.first, |(_, value)| value)
    }

    /// Write a value; what was before is kept only if somebody may see late.
    pub fn write(&mut self, value: T, now_ms: u64, late: bool) {
        if !late {
            *self = Self::new(value);
            return;
        }
        self.changes.push((now_ms, value));
        let old = self.changes.iter().take_while(|(written_ms, _)| written_ms + LONGEST_MS <= now_ms).count();
        if let Some((_, value)) = self.changes.drain(..old).next_back() {
            self.first = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_value_is_seen_after_its_delay() {
        let mut value = Propagating::new(1);
        value.write(2, 1_000, true);
        assert_eq!((value.written(), value.seen(1_499, 500), value.seen(1_500, 500)), (&2, &1, &2));
        assert_eq!(value.seen(1_000, 0), &2);
        value.write(3, 1_200, true);
        assert_eq!((value.seen(1_499, 500), value.seen(1_600, 500), value.seen(1_700, 500)), (&1, &2, &3));
        value.write(4, 2_000, false);
        assert_eq!(value.seen(2_000, 500), &4);
    }

    #[test]
    fn old_values_are_forgotten() {
        let mut value = Propagating::new(0);
        (1..=100).for_each(|number| value.write(number, number * LONGEST_MS, true));
        assert_eq!((value.changes.len(), value.first, *value.written()), (1, 99, 100));
    }

    #[test]
    fn value_that_was_nothing_before_stays_nothing_when_it_is_read_back() {
        let mut value = Propagating::new(None);
        value.write(Some(1), 1_000, true);
        let value: Propagating<Option<u8>> = serde_json::from_value(serde_json::to_value(&value).unwrap()).unwrap();
        assert_eq!((value.seen(1_499, 500), value.seen(1_500, 500)), (&None, &Some(1)));
    }
}

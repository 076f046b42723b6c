//! What is in a resource that holds the user's data, counted and in words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::refusal::Refusal;

/// What is in a resource that holds data. A count that reached the cap of one page is marked as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contents {
    /// Objects, old versions and delete markers.
    pub objects: u64,
    /// Their size, as the service lists it.
    #[serde(default)]
    pub bytes: u64,
    /// Uploads that were begun and not completed.
    pub uploads: u64,
    /// There are more than were counted.
    pub more: bool,
    /// For how many days what is deleted can be restored, and is billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restorable_days: Option<u64>,
}

impl Contents {
    /// Whether nothing would be lost.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.objects == 0 && self.uploads == 0 && !self.more
    }

    /// The counts, for people: `1,000+ objects and versions, over 3.1 GB, 2 open uploads`.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.is_empty() {
            return "nothing now".to_owned();
        }
        let more = if self.more { "+" } else { "" };
        let objects = format!(
            "{}{more} {}",
            thousands(self.objects),
            plural(self.objects, "object or version", "objects and versions")
        );
        let over = if self.more { "over " } else { "" };
        let size = (self.bytes > 0).then(|| format!("{over}{}", size(self.bytes)));
        let uploads = (self.uploads > 0)
            .then(|| format!("{} {}", thousands(self.uploads), plural(self.uploads, "open upload", "open uploads")));
        [Some(objects), size, uploads].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What becomes of it once it is deleted, where that is not the end of it.
    #[must_use]
    pub fn afterlife(&self) -> Option<String> {
        let days = self.restorable_days.filter(|days| *days > 0)?;
        Some(format!(
            "deleted objects stay restorable for {days} {}, and are billed until then",
            plural(days, "day", "days")
        ))
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// Bytes in the unit that the clouds bill by, with one digit: `3.1 GB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} {}", plural(bytes, "byte", "bytes"));
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `12345` as `12,345`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Why a bucket with content is not deleted.
#[must_use]
pub fn not_empty(kind: &str, name: &str, contents: &str) -> Refusal {
    Refusal {
        reason: format!("{kind} `{name}` is not empty: {contents}"),
        hint: format!("to delete its content too, run the same command with `--delete-data {name}`"),
    }
}

/// The same as an error, for content that arrived after the look.
#[must_use]
pub fn not_empty_error(kind: &str, name: &str, contents: &str) -> Error {
    let refusal = not_empty(kind, name, contents);
    Error::new(ErrorKind::Refused, format!("refused to delete {kind} `{name}`"))
        .with_message(refusal.reason)
        .with_hint(refusal.hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_described_with_their_cap() {
        let contents = Contents { objects: 1000, uploads: 2, more: true, ..Contents::default() };
        assert_eq!(contents.describe(), "1,000+ objects and versions, 2 open uploads");
        let sized = Contents { bytes: 3_141_592_653, ..contents };
        assert_eq!(sized.describe(), "1,000+ objects and versions, over 3.1 GB, 2 open uploads");
        assert_eq!(Contents { objects: 1, ..Contents::default() }.describe(), "1 object or version");
        assert_eq!(thousands(1_234_567), "1,234,567");
        let sizes = [1, 999, 1000, 12_345, 999_999, 1_000_000, u64::MAX].map(size);
        assert_eq!(sizes, ["1 byte", "999 bytes", "1.0 kB", "12.3 kB", "999.9 kB", "1.0 MB", "18.4 EB"]);
    }

    #[test]
    fn what_can_be_restored_is_said_to_be_billed() {
        let kept = |days| Contents { restorable_days: days, ..Contents::default() }.afterlife();
        assert_eq!(
            kept(Some(7)).as_deref(),
            Some("deleted objects stay restorable for 7 days, and are billed until then")
        );
        assert_eq!((kept(Some(0)), kept(None)), (None, None));
    }
}

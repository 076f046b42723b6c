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
    /// Uploads that were begun and not completed.
    pub uploads: u64,
    /// There are more than were counted.
    pub more: bool,
}

impl Contents {
    /// Whether nothing would be lost.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.objects == 0 && self.uploads == 0 && !self.more
    }

    /// The counts, for people: `1,000+ objects and versions, 2 open uploads`.
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
        match self.uploads {
            0 => objects,
            uploads => format!("{objects}, {} {}", thousands(uploads), plural(uploads, "open upload", "open uploads")),
        }
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
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
        let contents = Contents { objects: 1000, uploads: 2, more: true };
        assert_eq!(contents.describe(), "1,000+ objects and versions, 2 open uploads");
        assert_eq!(Contents { objects: 1, ..Contents::default() }.describe(), "1 object or version");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}

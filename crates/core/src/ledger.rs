//! The ledger of a mark: what we wrote and have not taken back.
//!
//! For each facet it holds a short digest of what we last wrote, and for each key of a facet that is a map (tags, roles,
//! attributes) one of its own. What somebody else had made just as desired is on record as preexisting: used, and left.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{self, FACET_DIGEST_LENGTH};

/// Before what a run began to write; no facet has a zero for its letter.
const BEGUN: char = '0';
/// Before the letter of a facet whose keys are on record one by one.
const KEYED: char = '_';

/// What is on record of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// We wrote a value of this digest.
    Written(String),
    /// Somebody had made it as desired before us: the digest of what it was.
    Preexisting(String),
}

impl Record {
    /// The record of a value that we write.
    #[must_use]
    pub fn written(value: &Value) -> Self {
        Self::Written(digest::of_value(value))
    }

    /// The record of a value that others made.
    #[must_use]
    pub fn preexisting(value: &Value) -> Self {
        Self::Preexisting(digest::of_value(value))
    }

    /// Whether it says that the value is ours.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Written(_))
    }

    fn digest(&self) -> &str {
        match self {
            Self::Written(digest) | Self::Preexisting(digest) => digest,
        }
    }
}

/// What one mark has on record, by facet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Facets of one value, by their key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    facets: BTreeMap<char, Record>,
    /// Facets that are maps, by their key, then by the digest of the member's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    members: BTreeMap<char, BTreeMap<String, Record>>,
    /// What runs began to write, and did not say that they ended: facet, digest of the member's name, digest of the value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    begun: BTreeSet<(char, String, String)>,
}

impl Ledger {
    /// Whether nothing is on record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facets.is_empty() && self.members.is_empty() && self.begun.is_empty()
    }

    /// What is on record of a facet of one value.
    #[must_use]
    pub fn facet(&self, key: char) -> Option<&Record> {
        self.facets.get(&key)
    }

    /// What is on record of one member of a facet that is a map.
    #[must_use]
    pub fn member(&self, key: char, name: &str) -> Option<&Record> {
        self.members.get(&key)?.get(&name_digest(name))
    }

    /// The members on record of a facet that is a map, by the digests of their names.
    pub fn members(&self, key: char) -> impl Iterator<Item = (&str, &Record)> {
        self.members.get(&key).into_iter().flatten().map(|(name, record)| (name.as_str(), record))
    }

    /// Whether anything of a facet is on record as ours.
    #[must_use]
    pub fn has_ours(&self, key: char) -> bool {
        self.has_written(key) || self.begun.iter().any(|(begun, ..)| *begun == key)
    }

    /// The same, of what was written: what a run only began may never have been there.
    #[must_use]
    pub fn has_written(&self, key: char) -> bool {
        self.facet(key).is_some_and(Record::is_ours) || self.members(key).any(|(_, record)| record.is_ours())
    }

    /// The digests of what runs began to write; of one member where it is a map.
    #[must_use]
    pub fn begun(&self, key: char, member: Option<&str>) -> Vec<&str> {
        let name = member.map(name_digest).unwrap_or_default();
        let of = self.begun.iter().filter(|(begun, of, _)| *begun == key && *of == name);
        of.map(|(.., digest)| digest.as_str()).collect()
    }

    /// Put on record what is about to be written.
    pub fn begin(&mut self, key: char, member: Option<&str>, value: &Value) {
        let name = member.map(name_digest).unwrap_or_default();
        self.begun.insert((key, name, digest::of_value(value)));
    }

    /// Put a facet on record.
    pub fn put(&mut self, key: char, record: Record) {
        self.facets.insert(key, record);
    }

    /// Put one member of a facet on record.
    pub fn put_member(&mut self, key: char, name: &str, record: Record) {
        self.members.entry(key).or_default().insert(name_digest(name), record);
    }

    /// Add what another mark of the same deployment has on record and this one has not.
    pub fn add(&mut self, other: &Self) {
        for (key, record) in &other.facets {
            self.facets.entry(*key).or_insert_with(|| record.clone());
        }
        for (key, members) in &other.members {
            let own = self.members.entry(*key).or_default();
            for (name, record) in members {
                own.entry(name.clone()).or_insert_with(|| record.clone());
            }
        }
        self.begun.extend(other.begun.iter().cloned());
    }

    /// As two texts of letters, digits and `_`: what is ours, and what others made.
    #[must_use]
    pub(crate) fn to_texts(&self) -> [String; 2] {
        let mut texts = [String::new(), String::new()];
        let mut add = |record: &Record, field: String| {
            let text = usize::from(!record.is_ours());
            texts[text] += &format!("{field}{}", record.digest());
        };
        self.facets.iter().for_each(|(key, record)| add(record, key.to_string()));
        for (key, members) in &self.members {
            members.iter().for_each(|(name, record)| add(record, format!("{KEYED}{key}{name}")));
        }
        for (key, name, digest) in &self.begun {
            let field = if name.is_empty() { key.to_string() } else { format!("{KEYED}{key}{name}") };
            texts[0] += &format!("{BEGUN}{field}{digest}");
        }
        texts
    }

    /// The reverse; what is not of that grammar is left out.
    pub(crate) fn from_texts(ours: &str, others: &str) -> Self {
        let mut ledger = Self::default();
        ledger.read(ours, Record::Written);
        ledger.read(others, Record::Preexisting);
        ledger
    }

    fn read(&mut self, text: &str, record: fn(String) -> Record) {
        let mut letters = text.chars();
        while let Some(first) = letters.next() {
            let begun = first == BEGUN;
            let first = if begun { letters.next().unwrap_or(BEGUN) } else { first };
            let mut take = |length| letters.by_ref().take(length).collect::<String>();
            let keyed = first == KEYED;
            let key = if keyed { take(1).chars().next().unwrap_or(KEYED) } else { first };
            let name = if keyed { take(FACET_DIGEST_LENGTH) } else { String::new() };
            let digest = take(FACET_DIGEST_LENGTH);
            match (begun, keyed) {
                (true, _) => drop(self.begun.insert((key, name, digest))),
                (false, true) => drop(self.members.entry(key).or_default().insert(name, record(digest))),
                (false, false) => drop(self.facets.insert(key, record(digest))),
            }
        }
    }
}

/// The digest under which a member of a map is on record. Some services give names back in another case.
#[must_use]
pub fn name_digest(name: &str) -> String {
    digest::short(&name.to_ascii_lowercase(), FACET_DIGEST_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn ledger_survives_its_texts() {
        let mut ledger = Ledger::default();
        ledger.put('a', Record::written(&json!(1)));
        ledger.begin('a', None, &json!(3));
        ledger.begin('b', None, &json!(3));
        ledger.begin('h', Some("role"), &json!(4));
        ledger.put('c', Record::preexisting(&json!(2)));
        ledger.put_member('g', "team", Record::written(&json!("ml")));
        ledger.put_member('g', "cost", Record::preexisting(&json!("42")));
        let [ours, others] = ledger.to_texts();
        assert_eq!(Ledger::from_texts(&ours, &others), ledger);
        assert!(ledger.has_ours('g') && !ledger.has_ours('c') && ledger.has_ours('b'));
        assert_eq!(ledger.member('g', "team"), Some(&Record::written(&json!("ml"))));
        assert_eq!(ledger.member('g', "other"), None);
        assert!(ledger.has_written('g') && !ledger.has_written('b'));
    }

    #[test]
    fn ledger_adds_what_another_mark_has() {
        let (mut left, mut right) = (Ledger::default(), Ledger::default());
        left.begin('a', None, &json!(1));
        right.put('a', Record::written(&json!(1)));
        right.put_member('g', "team", Record::written(&json!(2)));
        left.add(&right);
        assert_eq!(left.facet('a'), Some(&Record::written(&json!(1))));
        assert_eq!(left.begun('a', None), [digest::of_value(&json!(1)).as_str()]);
        assert_eq!(left.member('g', "team"), Some(&Record::written(&json!(2))));
    }

    proptest! {
        #[test]
        fn ledger_reads_any_text_without_a_panic(ours in ".{0,80}", others in ".{0,80}") {
            let _ = Ledger::from_texts(&ours, &others);
        }
    }
}

//! Whose an entry of a shared document is: one rule, for every kind of entry of every cloud.
//!
//! What carries our id is ours. Without an id the mark decides: an entry that is on record as written, or as about to be
//! written by a run that did not end, is ours; without a
//! record only one that is *exactly as desired* counts, and then as preexisting: used, and left by destroy. Everything else
//! is somebody else's: never changed, never deleted, and ours goes beside it.

use serde_json::{Value, json};

use crate::compare::same;
use crate::facet::{Entry, EntryId};
use crate::mark::Recorded;

/// Which of the entries are ours, and which one others had made as desired.
#[derive(Debug, Default)]
pub struct Choice<'a> {
    /// Ours; more than one is one too many.
    pub ours: Vec<&'a Entry>,
    /// What others made exactly as desired.
    pub preexisting: Option<&'a Entry>,
    /// Everybody else's.
    pub others: Vec<&'a Entry>,
}

/// Choose among the entries of one facet, or of one member of it.
#[must_use]
pub fn choose<'a>(entries: &[&'a Entry], desired: &Value, on_record: &OnRecord<'_>) -> Choice<'a> {
    let ours = own(entries, on_record);
    let is_ours = |entry: &Entry| ours.iter().any(|own| std::ptr::eq(*own, entry));
    let rest: Vec<_> = entries.iter().copied().filter(|entry| !is_ours(entry)).collect();
    let as_wanted = |entry: &&Entry| !desired.is_null() && entry.behind.is_none() && same(&entry.value, desired);
    let satisfied = ours.iter().any(|own| same(&own.value, desired));
    let found = rest.iter().copied().find(as_wanted).filter(|_| !satisfied);
    // Another deployment of ours made it for itself: both have it on record, and the last one takes it out.
    if let Some(co_owned) = found.filter(|entry| entry.co_owned && ours.is_empty()) {
        let others = rest.into_iter().filter(|entry| !std::ptr::eq(*entry, co_owned)).collect();
        return Choice { ours: vec![co_owned], preexisting: None, others };
    }
    let others = rest.into_iter().filter(|entry| found.is_none_or(|found| !std::ptr::eq(*entry, found))).collect();
    Choice { ours, preexisting: found, others }
}

/// What the marks say of a facet of entries, or of one member of it.
#[derive(Clone, Debug)]
pub struct OnRecord<'a> {
    /// What was written.
    pub recorded: Recorded<'a>,
    /// The digests of what runs began to write and did not say that they ended.
    pub begun: Vec<&'a str>,
}

impl OnRecord<'_> {
    /// Whether it says that an entry may be ours.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.recorded.is_ours() || !self.begun.is_empty()
    }
}

fn own<'a>(entries: &[&'a Entry], on_record: &OnRecord<'_>) -> Vec<&'a Entry> {
    let all = |is: &dyn Fn(&Entry) -> bool| entries.iter().copied().filter(|entry| is(entry)).collect::<Vec<_>>();
    let named = all(&|entry| entry.id == EntryId::Ours);
    if !named.is_empty() {
        return named;
    }
    let anonymous = |entry: &Entry| entry.id == EntryId::Nobodys;
    let recorded = on_record.recorded;
    let mut ours = match recorded {
        // Of entries that are alike ours is the first: what others add comes after it.
        Recorded::Digest(_) => {
            all(&|entry| anonymous(entry) && recorded.is(&entry.value)).into_iter().take(1).collect()
        }
        _ => Vec::new(),
    };
    // All of them: a run that was stopped may have made it more than once.
    let begun = |entry: &Entry| on_record.begun.iter().any(|digest| Recorded::Digest(digest).is(&entry.value));
    let known = |entry: &Entry| ours.iter().any(|own| std::ptr::eq(*own, entry));
    let begun = all(&|entry| anonymous(entry) && begun(entry) && !known(entry));
    ours.extend(begun);
    ours
}

impl Choice<'_> {
    /// The values of ours, those that are not as desired first.
    #[must_use]
    pub fn values(&self, desired: &Value) -> Vec<Value> {
        let (wanted, other): (Vec<&Entry>, Vec<&Entry>) =
            self.ours.iter().partition(|entry| same(&entry.value, desired));
        other.into_iter().chain(wanted).map(|entry| entry.value.clone()).collect()
    }

    /// The value that the compare sees: ours, with what is wrong about its place or number; else what others made as desired.
    #[must_use]
    pub fn observed(&self, desired: &Value) -> Value {
        let Some(mut value) = self.values(desired).pop() else {
            return self.preexisting.map_or(Value::Null, |found| found.value.clone());
        };
        let extra = |value: &mut Value, key: &str, what: Value| match value {
            Value::Object(members) => drop(members.insert(key.to_owned(), what)),
            plain => *plain = json!({"value": plain.take(), key: what}),
        };
        if let Some(behind) = self.ours.iter().find_map(|entry| entry.behind.as_ref()) {
            extra(&mut value, "behind", json!(behind));
        }
        if self.ours.len() > 1 {
            extra(&mut value, "copies", json!(self.ours.len()));
        }
        value
    }

    /// Whether another deployment has ours on record too, so that it stays.
    #[must_use]
    pub fn is_co_owned(&self) -> bool {
        self.ours.iter().any(|entry| entry.co_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    fn entry(value: &str, id: EntryId) -> Entry {
        Entry { id, ..Entry::new(json!(value), value.to_owned()) }
    }

    /// What is ours, what is used, what is others', of these entries where `w` is desired.
    fn chosen(entries: &[Entry], recorded: Recorded<'_>) -> String {
        let entries: Vec<_> = entries.iter().collect();
        let choice = choose(&entries, &json!("w"), &OnRecord { recorded, begun: Vec::new() });
        let texts = |list: &[&Entry]| list.iter().map(|entry| entry.text.clone()).collect::<String>();
        let found: Vec<_> = choice.preexisting.into_iter().collect();
        format!("{}/{}/{}", texts(&choice.ours), texts(&found), texts(&choice.others))
    }

    #[test]
    fn entry_is_ours_by_its_id_then_by_the_record_and_else_only_as_preexisting() {
        use EntryId::{Nobodys, Others, Ours};
        let old = digest::of_value(&json!("o"));
        let (never, old) = (Recorded::Never, Recorded::Digest(&old));
        let list =
            |entries: &[(&str, EntryId)]| entries.iter().map(|(value, id)| entry(value, *id)).collect::<Vec<_>>();
        for (entries, recorded, expected) in [
            (list(&[("x", Ours), ("w", Nobodys)]), never, "x/w/"),
            (list(&[("w", Ours), ("w", Nobodys)]), never, "w//w"),
            (list(&[("w", Nobodys), ("x", Nobodys)]), never, "/w/x"),
            (list(&[("x", Nobodys)]), never, "//x"),
            (list(&[("o", Nobodys), ("w", Nobodys)]), old, "o/w/"),
            (list(&[("o", Others), ("w", Others)]), old, "/w/o"),
            (list(&[("o", Nobodys), ("o", Nobodys)]), old, "o//o"),
            (list(&[("w", Nobodys)]), old, "/w/"),
            (list(&[("w", Nobodys)]), old, "/w/"),
            (list(&[("w", Nobodys), ("w", Nobodys)]), Recorded::Unfinished, "/w/w"),
            (list(&[("w", Nobodys)]), Recorded::Unfinished, "/w/"),
            (list(&[("w", Nobodys)]), Recorded::Preexisting("none"), "/w/"),
        ] {
            assert_eq!(chosen(&entries, recorded), expected, "{entries:?} {recorded:?}");
        }
    }

    #[test]
    fn entry_that_a_stopped_run_began_is_ours_beside_what_it_was_to_replace() {
        let (old, new) = (digest::of_value(&json!("o")), digest::of_value(&json!("w")));
        let entries = ["o", "w", "x"].map(|value| entry(value, EntryId::Nobodys));
        let on_record = OnRecord { recorded: Recorded::Digest(&old), begun: vec![&new] };
        let choice = choose(&entries.iter().collect::<Vec<_>>(), &json!("w"), &on_record);
        assert_eq!(choice.values(&json!("w")), [json!("o"), json!("w")]);
        assert_eq!(choice.observed(&json!("w")), json!({"value": "w", "copies": 2}));
    }

    #[test]
    fn entry_that_another_deployment_made_is_shared() {
        let co_owned = Entry { co_owned: true, ..entry("w", EntryId::Nobodys) };
        assert_eq!(chosen(&[co_owned], Recorded::Never), "w//");
    }

    #[test]
    fn entry_that_another_one_answers_for_is_not_as_wanted() {
        let behind = Entry { behind: Some("a rule".to_owned()), ..entry("w", EntryId::Nobodys) };
        assert_eq!(chosen(std::slice::from_ref(&behind), Recorded::Never), "//w");
        let ours = Entry { id: EntryId::Ours, ..behind };
        let on_record = OnRecord { recorded: Recorded::Never, begun: Vec::new() };
        let choice = choose(&[&ours], &json!("w"), &on_record);
        assert_eq!(choice.observed(&json!("w")), json!({"value": "w", "behind": "a rule"}));
    }
}

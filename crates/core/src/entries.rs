//! Whose an entry of a shared document is: one rule, for every kind of entry of every cloud.
//!
//! What carries our id is ours. Without an id the mark decides: an entry that is on record as written is ours; without a
//! record only one that is *exactly as wanted* counts, and then as preexisting: used, and left by destroy. Everything else
//! is somebody else's: never changed, never deleted, and ours goes beside it.

use serde_json::{Value, json};

use crate::compare::same;
use crate::mark::Recorded;
use crate::resource::{Entry, EntryId, Sharing};

/// Which of the entries are ours, and which one others had made as wanted.
#[derive(Debug, Default)]
pub struct Choice<'a> {
    /// Ours; more than one is one too many.
    pub ours: Vec<&'a Entry>,
    /// What others made exactly as wanted.
    pub preexisting: Option<&'a Entry>,
    /// Everybody else's.
    pub others: Vec<&'a Entry>,
}

/// Choose among the entries of one facet, or of one member of it.
#[must_use]
pub fn choose<'a>(entries: &[&'a Entry], sharing: Sharing, want: &Value, recorded: Recorded<'_>) -> Choice<'a> {
    let ours = own(entries, sharing, want, recorded);
    let is_ours = |entry: &Entry| ours.iter().any(|own| std::ptr::eq(*own, entry));
    let rest: Vec<_> = entries.iter().copied().filter(|entry| !is_ours(entry)).collect();
    let as_wanted = |entry: &&Entry| !want.is_null() && entry.behind.is_none() && same(&entry.value, want);
    let satisfied = ours.iter().any(|own| same(&own.value, want));
    let found = rest.iter().copied().find(as_wanted).filter(|_| !satisfied);
    // Another deployment of ours made it for itself: both have it on record, and the last one takes it out.
    if let Some(shared) = found.filter(|entry| entry.co_owned && ours.is_empty()) {
        let others = rest.into_iter().filter(|entry| !std::ptr::eq(*entry, shared)).collect();
        return Choice { ours: vec![shared], preexisting: None, others };
    }
    let others = rest.into_iter().filter(|entry| found.is_none_or(|found| !std::ptr::eq(*entry, found))).collect();
    Choice { ours, preexisting: found, others }
}

fn own<'a>(entries: &[&'a Entry], sharing: Sharing, want: &Value, recorded: Recorded<'_>) -> Vec<&'a Entry> {
    let all = |is: &dyn Fn(&Entry) -> bool| entries.iter().copied().filter(|entry| is(entry)).collect::<Vec<_>>();
    let named = all(&|entry| entry.id == EntryId::Ours);
    if !named.is_empty() {
        return named;
    }
    let nameless = |entry: &Entry| entry.id == EntryId::Nobodys;
    let as_wanted = |entry: &Entry| nameless(entry) && !want.is_null() && same(&entry.value, want);
    match recorded {
        Recorded::Digest(_) => {
            let on_record = all(&|entry| nameless(entry) && recorded.is(&entry.value));
            // A run that was stopped had written it, and not yet the mark.
            let interrupted = || if sharing == Sharing::Anonymous { first(all(&as_wanted)) } else { Vec::new() };
            if on_record.is_empty() { interrupted() } else { first(on_record) }
        }
        // All of them: a run that was stopped may have made it more than once.
        Recorded::Unfinished if sharing == Sharing::Anonymous => all(&as_wanted),
        Recorded::Unfinished | Recorded::Preexisting(_) | Recorded::Never => Vec::new(),
    }
}

/// Of entries that are alike ours is the first: what others add comes after it.
fn first(entries: Vec<&Entry>) -> Vec<&Entry> {
    entries.into_iter().take(1).collect()
}

impl Choice<'_> {
    /// The value of ours, `null` if there is none.
    #[must_use]
    pub fn own_value(&self, want: &Value) -> Value {
        let best = self.ours.iter().find(|entry| same(&entry.value, want)).or(self.ours.first());
        best.map_or(Value::Null, |entry| entry.value.clone())
    }

    /// The value that the compare sees: ours, with what is wrong about its place or number; else what others made as wanted.
    #[must_use]
    pub fn seen(&self, want: &Value) -> Value {
        let mut value = self.own_value(want);
        if let Some(found) = self.preexisting.filter(|_| value.is_null()) {
            return found.value.clone();
        }
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

    /// What is ours, what is used, what is others', of these entries where `w` is wanted.
    fn chosen(entries: &[Entry], sharing: Sharing, recorded: Recorded<'_>) -> String {
        let entries: Vec<_> = entries.iter().collect();
        let choice = choose(&entries, sharing, &json!("w"), recorded);
        let texts = |list: &[&Entry]| list.iter().map(|entry| entry.text.clone()).collect::<String>();
        let found: Vec<_> = choice.preexisting.into_iter().collect();
        format!("{}/{}/{}", texts(&choice.ours), texts(&found), texts(&choice.others))
    }

    #[test]
    fn entry_is_ours_by_its_id_then_by_the_record_and_else_only_as_preexisting() {
        use EntryId::{Nobodys, Others, Ours};
        use Sharing::{Anonymous, Named};
        let old = digest::of_value(&json!("o"));
        let (never, old) = (Recorded::Never, Recorded::Digest(&old));
        let list = |entries: &[(&str, EntryId)]| entries.iter().map(|(value, id)| entry(value, *id)).collect::<Vec<_>>();
        for (entries, sharing, recorded, expected) in [
            (list(&[("x", Ours), ("w", Nobodys)]), Named, never, "x/w/"),
            (list(&[("w", Ours), ("w", Nobodys)]), Named, never, "w//w"),
            (list(&[("w", Nobodys), ("x", Nobodys)]), Anonymous, never, "/w/x"),
            (list(&[("x", Nobodys)]), Anonymous, never, "//x"),
            (list(&[("o", Nobodys), ("w", Nobodys)]), Anonymous, old, "o/w/"),
            (list(&[("o", Others), ("w", Others)]), Anonymous, old, "/w/o"),
            (list(&[("o", Nobodys), ("o", Nobodys)]), Anonymous, old, "o//o"),
            (list(&[("w", Nobodys)]), Anonymous, old, "w//"),
            (list(&[("w", Nobodys)]), Named, old, "/w/"),
            (list(&[("w", Nobodys), ("w", Nobodys)]), Anonymous, Recorded::Unfinished, "ww//"),
            (list(&[("w", Nobodys)]), Named, Recorded::Unfinished, "/w/"),
            (list(&[("w", Nobodys)]), Anonymous, Recorded::Preexisting("none"), "/w/"),
        ] {
            assert_eq!(chosen(&entries, sharing, recorded), expected, "{entries:?} {recorded:?}");
        }
    }

    #[test]
    fn entry_that_another_deployment_made_is_shared() {
        let shared = Entry { co_owned: true, ..entry("w", EntryId::Nobodys) };
        assert_eq!(chosen(&[shared], Sharing::Anonymous, Recorded::Never), "w//");
    }

    #[test]
    fn entry_that_another_one_answers_for_is_not_as_wanted() {
        let behind = Entry { behind: Some("a rule".to_owned()), ..entry("w", EntryId::Nobodys) };
        assert_eq!(chosen(std::slice::from_ref(&behind), Sharing::Anonymous, Recorded::Never), "//w");
        let ours = Entry { id: EntryId::Ours, ..behind };
        let choice = choose(&[&ours], Sharing::Named, &json!("w"), Recorded::Never);
        assert_eq!(choice.seen(&json!("w")), json!({"value": "w", "behind": "a rule"}));
    }
}

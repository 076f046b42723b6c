//! What comparing one facet came to, and the rules that it follows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::change_set::FacetChange;
use crate::compare::Finding;
use crate::entries::{Choice, OnRecord as Entered};
use crate::facet::{Entries, Entry, Extent, Facet};
use crate::ledger::{Ledger, Record};
use crate::mark::{Recorded, TagChanges};
use crate::refusal::Refusal;
use crate::resource::Unmanaged;

/// What comparing one facet came to.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) change: FacetChange,
    /// Entries of others, which stay as they are.
    pub(super) unmanaged: Vec<Unmanaged>,
    /// What entries of others let somebody do that people should know of.
    pub(super) alerts: Vec<String>,
    /// Why ours cannot be added.
    pub(super) conflict: Option<Refusal>,
    /// Changes of tags.
    pub(super) tags: TagChanges,
    /// What is on record once everything is applied.
    pub(super) record: Ledger,
    /// What of it is written for the first time and known to be ours by the mark alone.
    pub(super) begins: Ledger,
    /// What is on record and no longer there.
    pub(super) vanished: bool,
}

/// What is on record of a resource's facets.
pub(super) struct Records {
    pub(super) ledger: Ledger,
    pub(super) unfinished: bool,
}

impl Records {
    pub(super) fn facet(&self, key: char) -> Recorded<'_> {
        self.or_unfinished(self.ledger.facet(key))
    }

    pub(super) fn member(&self, key: char, name: &str) -> Recorded<'_> {
        self.or_unfinished(self.ledger.member(key, name))
    }

    /// What is on record of entries, or of those of one member.
    pub(super) fn entries(&self, facet: &Facet, member: Option<&str>) -> Entered<'_> {
        let recorded = member.map_or_else(|| self.facet(facet.key), |name| self.member(facet.key, name));
        Entered { recorded, begun: self.ledger.begun(facet.key, member) }
    }

    fn or_unfinished<'a>(&self, record: Option<&'a Record>) -> Recorded<'a> {
        let none = if self.unfinished { Recorded::Unfinished } else { Recorded::Never };
        record.map_or(none, Recorded::from)
    }
}

/// Tags that are on record as ours, are as we wrote them, and left the plan file.
pub(super) fn no_longer_wanted<'a>(
    facet: &Facet,
    observed: &'a Value,
    desired: &Value,
    records: &Records,
) -> Vec<(&'a String, &'a Value)> {
    let gone = |(name, there): &(&String, &Value)| {
        desired.get(name.as_str()).is_none()
            && matches!(records.ledger.member(facet.key, name), Some(Record::Written(_)))
            && records.member(facet.key, name).is(there)
    };
    members(observed).filter(gone).collect()
}

/// What others had made for an earlier plan file says nothing about this one's; while a run is not done, nobody is blamed;
/// nor is anybody for an entry that is as we wrote it, under the deployment's former name.
pub(super) fn relevant<'a>(on_record: &Entered<'a>, desired: &Value, observed: &Value) -> Recorded<'a> {
    match on_record.recorded {
        _ if !on_record.begun.is_empty() => Recorded::Unfinished,
        Recorded::Preexisting(_) if !on_record.recorded.is(desired) => Recorded::Never,
        recorded if without_id(observed).is_some_and(|value| recorded.is(&value)) => Recorded::Never,
        recorded => recorded,
    }
}

/// The value of an entry that carries our id under a former name, but for that id.
pub(super) fn without_id(observed: &Value) -> Option<Value> {
    let mut value = observed.as_object()?.clone();
    value.remove("id").map(|_| Value::Object(value))
}

/// The values of one member into as many maps as there are of them.
pub(super) fn put_values(maps: &mut Vec<Value>, name: &str, values: Vec<Value>) {
    for (index, value) in values.into_iter().enumerate() {
        if maps.len() == index {
            maps.push(Value::Object(Map::new()));
        }
        maps[index][name] = value;
    }
}

pub(super) fn record_of(choice: &Choice<'_>, desired: &Value) -> Record {
    match choice.preexisting {
        Some(_) => Record::preexisting(desired),
        None => Record::written(desired),
    }
}

/// Whether what counts as ours is another deployment's that we only share, and have not on record yet.
pub(super) fn is_anothers(choice: &Choice<'_>, on_record: &Entered<'_>) -> bool {
    choice.is_co_owned() && !on_record.is_ours()
}

pub(super) fn unmanaged(facet: &Facet, choice: &Choice<'_>) -> Vec<Unmanaged> {
    let entry = |entry: &&Entry| Unmanaged { facet: facet.name.to_owned(), entry: entry.text.clone() };
    choice.others.iter().filter(|other| !other.text.is_empty()).map(entry).collect()
}

/// What entries of others let somebody do, where ours was written: what was there before anything of ours is its owner's to know.
pub(super) fn alerts(choice: &Choice<'_>, on_record: &Entered<'_>) -> Vec<String> {
    let written = matches!(on_record.recorded, Recorded::Digest(_));
    let others = choice.others.iter().filter(|other| written && !other.co_owned);
    others.filter_map(|other| other.alert.clone()).collect()
}

/// Why ours cannot stand beside what others have.
pub(super) fn conflict(choice: &Choice<'_>, entries: &Entries) -> Option<Refusal> {
    if let Some(conflict) = choice.others.iter().find_map(|other| other.conflict.clone()) {
        return Some(conflict);
    }
    let (limit, refusal) = entries.limit.as_ref()?;
    let full = choice.ours.is_empty() && choice.preexisting.is_none() && entries.list.len() >= *limit;
    full.then(|| refusal.clone())
}

/// Every member that is desired, or that there is an entry of.
pub(super) fn all_names(desired: &Value, entries: &Entries) -> BTreeSet<String> {
    let observed = entries.list.iter().filter_map(|entry| entry.member.clone());
    members(desired).map(|(name, _)| name.clone()).chain(observed).collect()
}

pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

pub(super) fn text(value: &Value) -> Option<String> {
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

pub(super) fn written(facet: &Facet, value: &Value) -> Ledger {
    on_record(facet, value, Record::written)
}

/// Put on record what is about to be written.
pub(super) fn begin(ledger: &mut Ledger, facet: &Facet, value: &Value) {
    match facet.extent {
        _ if value.is_null() => {}
        Extent::Whole => ledger.begin(facet.key, None, value),
        Extent::NamedKeys | Extent::Tags => {
            members(value).for_each(|(name, value)| ledger.begin(facet.key, Some(name), value));
        }
    }
}

pub(super) fn on_record(facet: &Facet, value: &Value, record: impl Fn(&Value) -> Record) -> Ledger {
    let mut ledger = Ledger::default();
    match facet.extent {
        _ if value.is_null() => {}
        Extent::Whole => ledger.put(facet.key, record(value)),
        Extent::NamedKeys | Extent::Tags => {
            members(value).for_each(|(name, value)| ledger.put_member(facet.key, name, record(value)));
        }
    }
    ledger
}

/// The finding of a whole from those of its parts.
pub(super) fn together(findings: impl Iterator<Item = Finding>) -> Finding {
    let findings: Vec<_> = findings.collect();
    let has = |finding: Finding| findings.contains(&finding);
    if has(Finding::Drift) && has(Finding::Pending) {
        return Finding::Both;
    }
    let order =
        [Finding::Unknown, Finding::Both, Finding::Unfinished, Finding::Drift, Finding::Pending, Finding::StaleMark];
    order.into_iter().find(|finding| has(*finding)).unwrap_or(Finding::InSync)
}

/// The finding of a resource.
pub(super) fn strongest(facets: &[FacetChange]) -> Finding {
    together(facets.iter().map(|facet| facet.finding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::digest;
    use serde_json::json;

    #[test]
    fn entry_under_a_former_name_is_pending_unless_somebody_changed_it_too() {
        let desired = json!({"queue": "q"});
        let digest = digest::of_value(&desired);
        let on_record = Entered { recorded: Recorded::Digest(&digest), begun: Vec::new() };
        let finding = |observed: &Value| compare(&desired, observed, relevant(&on_record, &desired, observed));
        assert_eq!(finding(&json!({"queue": "q", "id": "old"})), Finding::Pending);
        assert_eq!(finding(&json!({"queue": "x", "id": "old"})), Finding::Drift);
        assert_eq!(finding(&json!({"queue": "x"})), Finding::Drift);
        assert_eq!(finding(&desired), Finding::InSync);
    }
}

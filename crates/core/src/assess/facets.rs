//! Every facet of a resource compared: what the cloud has and whose that is, what is wanted, what is on record.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::change_set::FacetChange;
use crate::compare::{Finding, compare, project, same};
use crate::diff;
use crate::entries::{Choice, OnRecord as Entered, choose};
use crate::facet::{Creation, Entries, Entry, EntryId, Extent, Facet, Seen, Sharing, Want};
use crate::ledger::{Ledger, Record, name_digest};
use crate::mark::{Mark, Origin, Recorded, State, TagChanges};
use crate::resource::{Kept, Observation, OnRecord, Present, Resource};

use super::assessment::Assessment;
use super::ownership::Ownership;
use super::reading::{
    Reading, Records, all_names, begin, conflict, is_anothers, kept, members, no_longer_wanted, put_values, record_of,
    relevant, text, together, written,
};

impl Assessment<'_> {
    /// Compare every facet of a resource.
    pub(super) fn readings(&self, resource: &Resource, observation: &Observation) -> Vec<Reading> {
        match observation {
            Observation::Absent if !self.is_destroying() => self.created(resource),
            Observation::Present(present) => self.compared(resource, present),
            Observation::Absent | Observation::TakenElsewhere { .. } | Observation::Unreadable(_) => Vec::new(),
        }
    }

    /// Everything wanted of what is not there.
    fn created(&self, resource: &Resource) -> Vec<Reading> {
        let wants = self.observer.want(&resource.address, Origin::Created);
        wants.iter().map(|want| self.created_facet(want)).collect()
    }

    fn created_facet(&self, want: &Want) -> Reading {
        let mut reading = self.reading(want.facet, Some(want), Finding::Pending, Value::Null, want.value.clone());
        // `null` and `false` are what a new resource has of itself.
        let nothing = want.value.is_null() || want.value == Value::Bool(false);
        reading.change.write = want.facet.creation == Creation::OwnCall && !nothing;
        reading.record = written(want.facet, &want.value);
        if want.facet.sharing == Sharing::Anonymous {
            begin(&mut reading.begins, want.facet, &want.value);
        }
        if want.facet.extent == Extent::Tags {
            reading.change.write = false;
            reading.tags = members(&want.value).map(|(key, value)| (key.clone(), text(value))).collect();
        }
        reading
    }

    fn compared(&self, resource: &Resource, present: &Present) -> Vec<Reading> {
        let origin = match self.ownership(resource, present) {
            Ownership::Ours(origin) | Ownership::Lost(origin) => origin,
            Ownership::Adoptable => Origin::Adopted,
            Ownership::Refused(_) => return Vec::new(),
        };
        let records = self.records(resource);
        let wants = self.observer.want(&resource.address, origin);
        let facets = resource.facets.iter();
        facets
            .filter_map(|facet| {
                let want = wants.iter().find(|want| want.facet.name == facet.name);
                self.compared_facet(present, facet, want, &records, origin)
            })
            .collect()
    }

    /// What is ours on something of which nothing is wanted any more, by its own mark.
    pub(super) fn unwanted(&self, resource: &Resource, present: &Present, mark: &Mark) -> Vec<Reading> {
        let records = Records { ledger: mark.own.clone(), unfinished: mark.state == State::Unfinished };
        let shared = |facet: &&&Facet| facet.sharing != Sharing::Exclusive || facet.extent == Extent::Tags;
        let facets = resource.facets.iter().filter(shared);
        facets.filter_map(|facet| self.compared_facet(present, facet, None, &records, mark.origin)).collect()
    }

    fn records(&self, resource: &Resource) -> Records {
        if resource.on_record == OnRecord::EveryMark {
            return Records { ledger: self.outside.clone(), unfinished: false };
        }
        let carrier = self.carrier(resource);
        let mark = self.own_mark(&carrier);
        let mut ledger = mark.map(|mark| mark.own.clone()).unwrap_or_default();
        if self.is_lost_creation(&carrier) {
            // Everything in what we made, and is as wanted, was made by us.
            let wants = self.observer.want(&resource.address, Origin::Created);
            wants.iter().for_each(|want| begin(&mut ledger, want.facet, &want.value));
        }
        Records { ledger, unfinished: mark.is_some_and(|mark| mark.state == State::Unfinished) }
    }

    /// Whether it is ours by creation, and somebody took its tags off.
    fn is_lost_creation(&self, resource: &Resource) -> bool {
        let ownership = self.present(resource).map(|present| self.ownership(resource, present));
        matches!(ownership, Some(Ownership::Lost(Origin::Created)))
    }

    /// Whether anything of a resource is on record as ours.
    pub(super) fn is_on_record(&self, resource: &Resource) -> bool {
        let ledger = self.records(resource).ledger;
        resource.facets.iter().any(|facet| ledger.has_ours(facet.key))
    }

    fn compared_facet(
        &self,
        present: &Present,
        facet: &'static Facet,
        want: Option<&Want>,
        records: &Records,
        origin: Origin,
    ) -> Option<Reading> {
        let seen = present.seen.iter().find(|(name, _)| *name == facet.name).map(|(_, seen)| seen);
        // What is ours to take out is not wanted by a destroy.
        let stays = facet.sharing == Sharing::Exclusive && facet.extent != Extent::Tags;
        let want = want.filter(|_| stays || !self.is_destroying());
        match seen {
            None | Some(Seen::Unknown(_)) => self.unknown(facet, want),
            Some(Seen::Value(seen)) if facet.extent == Extent::Tags => self.tags(facet, want, seen, records, origin),
            Some(Seen::Value(seen)) if facet.sharing == Sharing::Exclusive => {
                want.map(|want| self.exclusive(want, seen, records))
            }
            Some(Seen::Value(seen)) => {
                let own = Entry { id: EntryId::Ours, ..Entry::new(seen.clone(), String::new()) };
                let list = if seen.is_null() { Vec::new() } else { vec![own] };
                self.entry(facet, want, &Entries { list, limit: None }, records)
            }
            Some(Seen::Entries(entries)) if facet.extent == Extent::NamedKeys => {
                self.members(facet, want, entries, records)
            }
            Some(Seen::Entries(entries)) => self.entry(facet, want, entries, records),
        }
    }

    fn unknown(&self, facet: &'static Facet, want: Option<&Want>) -> Option<Reading> {
        let wanted = want?.value.clone();
        Some(self.reading(facet, want, Finding::Unknown, Value::Null, wanted))
    }

    /// A facet in its first form: nothing of it is written, kept or on record.
    fn reading(
        &self,
        facet: &'static Facet,
        want: Option<&Want>,
        finding: Finding,
        before: Value,
        after: Value,
    ) -> Reading {
        // The key that decides the first field that differs, where the file has it.
        let differing = diff::fields(&before, &after);
        let key = differing.first().and_then(|field| field.field.split('.').next()).unwrap_or_default();
        let line = want.and_then(|want| (self.line_of)(&format!("{}.{key}", want.path)));
        let facet = facet.name.to_owned();
        let change =
            FacetChange { facet, finding, before, after, write: false, ours: Vec::new(), preexisting: false, line };
        Reading {
            change,
            kept: Vec::new(),
            conflict: None,
            tags: TagChanges::new(),
            record: Ledger::default(),
            begins: Ledger::default(),
            vanished: false,
        }
    }

    /// One value for everybody; of a map each member that is wanted.
    fn exclusive(&self, want: &Want, seen: &Value, records: &Records) -> Reading {
        let facet = want.facet;
        let before = if facet.extent == Extent::Whole { seen.clone() } else { project(seen, &want.value) };
        let finding = match facet.extent {
            Extent::Whole => compare(&want.value, &before, records.facet(facet.key)),
            Extent::NamedKeys | Extent::Tags => {
                let finding = |(name, value): (&String, &Value)| {
                    compare(value, before.get(name).unwrap_or(&Value::Null), records.member(facet.key, name))
                };
                together(members(&want.value).map(finding))
            }
        };
        let mut reading = self.reading(facet, Some(want), finding, before, want.value.clone());
        reading.change.write = finding.differs() && !self.is_destroying();
        reading.record = written(facet, &want.value);
        reading
    }

    /// An entry of ours, or none, among those of others.
    fn entry(
        &self,
        facet: &'static Facet,
        want: Option<&Want>,
        entries: &Entries,
        records: &Records,
    ) -> Option<Reading> {
        let wanted = want.map_or(Value::Null, |want| want.value.clone());
        let on_record = records.entries(facet, None);
        let all: Vec<_> = entries.list.iter().collect();
        let choice = choose(&all, &wanted, &on_record);
        let seen = choice.seen(&wanted);
        if want.is_none() && choice.ours.is_empty() && choice.others.is_empty() && !on_record.is_ours() {
            return None;
        }
        let finding = compare(&wanted, &seen, relevant(&on_record, &wanted, &seen));
        let mut reading = self.reading(facet, want, finding, seen, wanted.clone());
        reading.kept = kept(facet, &choice);
        reading.change.preexisting = choice.preexisting.is_some() || is_anothers(&choice, &on_record);
        reading.change.ours = choice.values(&wanted);
        self.settle(&mut reading, &choice, &wanted, &on_record);
        reading.vanished = matches!(on_record.recorded, Recorded::Digest(_)) && choice.ours.is_empty();
        if !wanted.is_null() {
            reading.record.put(facet.key, record_of(&choice, &wanted));
            let adds = reading.change.write && choice.preexisting.is_none();
            if adds && facet.sharing == Sharing::Anonymous {
                begin(&mut reading.begins, facet, &wanted);
            }
        }
        reading.conflict = conflict(&choice, entries);
        Some(reading)
    }

    /// Whether an entry is written, and how.
    fn settle(&self, reading: &mut Reading, choice: &Choice<'_>, wanted: &Value, on_record: &Entered<'_>) {
        let change = &mut reading.change;
        if !wanted.is_null() {
            change.write = change.finding.differs();
            return;
        }
        // Nothing is wanted: what others made or rely on stays.
        change.write = !choice.ours.is_empty() && !choice.is_co_owned();
        if change.ours.is_empty() {
            change.before = Value::Null;
            change.finding = if on_record.is_ours() { Finding::StaleMark } else { Finding::InSync };
        } else if choice.is_co_owned() {
            change.finding = Finding::StaleMark;
        }
        if self.is_destroying() {
            change.finding = Finding::InSync;
        }
    }

    /// The same for a facet that is a map, each member by itself.
    fn members(
        &self,
        facet: &'static Facet,
        want: Option<&Want>,
        entries: &Entries,
        records: &Records,
    ) -> Option<Reading> {
        let wanted = want.map_or(Value::Null, |want| want.value.clone());
        let mut reading = self.reading(facet, want, Finding::InSync, Value::Null, wanted.clone());
        let (mut before, mut findings, mut names, mut own) = (Map::new(), Vec::new(), BTreeSet::new(), false);
        for name in all_names(&wanted, entries) {
            let wanted = wanted.get(&name).cloned().unwrap_or_default();
            let on_record = records.entries(facet, Some(&name));
            let of_name = entries.list.iter().filter(|entry| entry.member.as_ref() == Some(&name));
            let choice = choose(&of_name.collect::<Vec<_>>(), &wanted, &on_record);
            let seen = choice.seen(&wanted);
            let finding = compare(&wanted, &seen, relevant(&on_record, &wanted, &seen));
            reading.kept.extend(kept(facet, &choice));
            reading.vanished |= matches!(on_record.recorded, Recorded::Digest(_)) && choice.ours.is_empty();
            let stays = wanted.is_null() && (choice.ours.is_empty() || choice.is_co_owned());
            if !stays {
                put_values(&mut reading.change.ours, &name, choice.values(&wanted));
                if !seen.is_null() {
                    before.insert(name.clone(), seen);
                }
            }
            if !wanted.is_null() {
                reading.change.preexisting |= choice.preexisting.is_some() || is_anothers(&choice, &on_record);
                own |= !choice.ours.is_empty() && !is_anothers(&choice, &on_record);
                reading.record.put_member(facet.key, &name, record_of(&choice, &wanted));
                let adds = finding.differs() && choice.preexisting.is_none();
                if adds && facet.sharing == Sharing::Anonymous {
                    reading.begins.begin(facet.key, Some(&name), &wanted);
                }
                reading.conflict = reading.conflict.take().or_else(|| conflict(&choice, entries));
            }
            findings.push(match (stays, on_record.is_ours()) {
                (false, _) => finding,
                (true, true) => Finding::StaleMark,
                (true, false) => Finding::InSync,
            });
            names.insert(name_digest(&name));
        }
        let finding = together(findings.into_iter());
        let mut on_record = records.ledger.members(facet.key);
        reading.vanished |= on_record.any(|(name, record)| record.is_ours() && !names.contains(name));
        let nothing = before.is_empty() && reading.kept.is_empty() && finding == Finding::InSync;
        if want.is_none() && nothing && !reading.vanished {
            return None;
        }
        let change = &mut reading.change;
        change.before = if before.is_empty() { Value::Null } else { Value::Object(before) };
        change.finding = if self.is_destroying() { Finding::InSync } else { finding };
        change.write = finding.differs() && !(wanted.is_null() && change.ours.is_empty());
        change.preexisting &= !own;
        Some(reading)
    }

    /// Tags of the deployment among everybody's: each is on record by itself, and goes with the key that asked for it.
    fn tags(
        &self,
        facet: &'static Facet,
        want: Option<&Want>,
        seen: &Value,
        records: &Records,
        origin: Origin,
    ) -> Option<Reading> {
        let wanted = want.map_or(Value::Null, |want| want.value.clone());
        let mut reading = self.reading(facet, want, Finding::InSync, Value::Null, Value::Null);
        let (mut before, mut after) = (Map::new(), Map::new());
        let mut findings = Vec::new();
        for (name, value) in members(&wanted) {
            let there = seen.get(name).cloned().unwrap_or_default();
            let recorded = match records.member(facet.key, name) {
                // What was taken over gets its tags with the last mark.
                Recorded::Unfinished if origin == Origin::Adopted => Recorded::Never,
                recorded => recorded,
            };
            let foreign = !recorded.is_ours() && !there.is_null() && !same(&there, value);
            if foreign && origin == Origin::Adopted {
                let entry = format!("tag `{name}` = {there}, where the plan file has {value}");
                reading.kept.push(Kept { facet: facet.name.to_owned(), entry });
                continue;
            }
            let entered = Entered { recorded, begun: Vec::new() };
            let finding = compare(value, &there, relevant(&entered, value, &there));
            let preexisting = same(&there, value) && !recorded.is_ours();
            let record = if preexisting { Record::preexisting(value) } else { Record::written(value) };
            reading.record.put_member(facet.key, name, record);
            if finding.differs() {
                reading.tags.insert(name.clone(), text(value));
            }
            if !there.is_null() {
                before.insert(name.clone(), there);
            }
            after.insert(name.clone(), value.clone());
            findings.push(finding);
        }
        for (name, there) in no_longer_wanted(facet, seen, &wanted, records) {
            before.insert(name.clone(), there.clone());
            reading.tags.insert(name.clone(), None);
            findings.push(if self.is_destroying() { Finding::InSync } else { Finding::Pending });
        }
        if before.is_empty() && after.is_empty() && reading.kept.is_empty() {
            return None;
        }
        let finding = together(findings.into_iter());
        let line = self.reading(facet, want, finding, Value::Object(before), Value::Object(after)).change;
        reading.change = line;
        Some(reading)
    }
}

//! Every facet of a resource compared: what the cloud has and whose that is, what is desired, what is on record.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::change_set::FacetChange;
use crate::compare::{Finding, compare, project, same};
use crate::diff;
use crate::entries::{Choice, OnRecord as Entered, choose};
use crate::facet::{Creation, Desired, Entries, Entry, EntryId, Extent, Facet, Observed, Sharing};
use crate::ledger::{Ledger, Record, name_digest};
use crate::mark::{Mark, Origin, Recorded, State, TagChanges};
use crate::resource::{Observation, OnRecord, Present, Resource, Unmanaged};

use super::assessment::Assessment;
use super::ownership::Ownership;
use super::reading::{
    Reading, Records, alerts, all_names, begin, conflict, is_anothers, members, no_longer_wanted, put_values,
    record_of, relevant, text, together, unmanaged, written,
};

impl Assessment<'_> {
    /// Compare every facet of a resource.
    pub(super) fn readings(&self, resource: &Resource, observation: &Observation) -> Vec<Reading> {
        match observation {
            Observation::Absent if !self.is_destroying() => self.created(resource),
            Observation::Present(present) => self.compared(resource, present),
            Observation::Absent
            | Observation::TakenElsewhere { .. }
            | Observation::Missing(_)
            | Observation::Unclear(_)
            | Observation::Unreadable(_) => Vec::new(),
        }
    }

    /// Everything desired of what is not there.
    fn created(&self, resource: &Resource) -> Vec<Reading> {
        let desired = self.observer.desired(&resource.address, Origin::Created);
        desired.iter().map(|desired| self.created_facet(desired)).collect()
    }

    fn created_facet(&self, desired: &Desired) -> Reading {
        let mut reading =
            self.reading(desired.facet, Some(desired), Finding::Pending, Value::Null, desired.value.clone());
        // `null` and `false` are what a new resource has of itself.
        let nothing = desired.value.is_null() || desired.value == Value::Bool(false);
        reading.change.write = desired.facet.creation == Creation::OwnCall && !nothing;
        reading.record = written(desired.facet, &desired.value);
        if desired.facet.sharing == Sharing::Anonymous {
            begin(&mut reading.begins, desired.facet, &desired.value);
        }
        if desired.facet.extent == Extent::Tags {
            reading.change.write = false;
            reading.tags = members(&desired.value).map(|(key, value)| (key.clone(), text(value))).collect();
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
        let desired = self.observer.desired(&resource.address, origin);
        // No apply leaves what it made without its mark: who took that off changed the rest too.
        let is_lost = resource.is_marked() && self.is_lost_creation(resource);
        let facets = resource.facets.iter();
        facets
            .filter_map(|facet| {
                let desired = desired.iter().find(|desired| desired.facet.name == facet.name);
                let mut reading = self.compared_facet(present, facet, desired, &records, origin)?;
                if is_lost && reading.change.finding == Finding::Unfinished {
                    reading.change.finding = Finding::Drift;
                }
                Some(reading)
            })
            .collect()
    }

    /// What is ours on something of which nothing is desired any more, by its own mark.
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
        let mark_holder = self.mark_holder(resource);
        let mark = self.own_mark(&mark_holder);
        let mut ledger = mark.map(|mark| mark.own.clone()).unwrap_or_default();
        if self.is_lost_creation(&mark_holder) {
            // Everything in what we made, and is as desired, was made by us.
            let desired = self.observer.desired(&resource.address, Origin::Created);
            desired.iter().for_each(|desired| begin(&mut ledger, desired.facet, &desired.value));
        }
        let unfinished = |mark: &Mark| matches!(mark.state, State::Unfinished | State::Damaged);
        Records { ledger, unfinished: mark.is_some_and(unfinished) }
    }

    /// Whether it is ours by creation, and somebody took its tags off, the record with them.
    fn is_lost_creation(&self, resource: &Resource) -> bool {
        let Some(present) = self.present(resource) else { return false };
        let has_record = self.is_damaged(resource, present) && !present.mark.as_ref().is_some_and(Mark::has_lost_spec);
        matches!(self.ownership(resource, present), Ownership::Lost(Origin::Created)) && !has_record
    }

    /// Whether anything of a resource is on record as written by us.
    pub(super) fn is_on_record(&self, resource: &Resource) -> bool {
        let ledger = self.records(resource).ledger;
        resource.facets.iter().any(|facet| ledger.has_written(facet.key))
    }

    fn compared_facet(
        &self,
        present: &Present,
        facet: &'static Facet,
        desired: Option<&Desired>,
        records: &Records,
        origin: Origin,
    ) -> Option<Reading> {
        let observed = present.observed.iter().find(|(name, _)| *name == facet.name).map(|(_, observed)| observed);
        // What is ours to take out is not desired by a destroy.
        let stays = facet.sharing == Sharing::Exclusive && facet.extent != Extent::Tags;
        let desired = desired.filter(|_| stays || !self.is_destroying());
        match observed {
            None | Some(Observed::Unknown(_)) => self.unknown(facet, desired),
            Some(Observed::Value(observed)) if facet.extent == Extent::Tags => {
                self.tags(facet, desired, observed, records, origin)
            }
            Some(Observed::Value(observed)) if facet.sharing == Sharing::Exclusive => {
                desired.map(|desired| self.exclusive(desired, observed, records))
            }
            Some(Observed::Value(observed)) => {
                let own = Entry { id: EntryId::Ours, ..Entry::new(observed.clone(), String::new()) };
                let list = if observed.is_null() { Vec::new() } else { vec![own] };
                self.entry(facet, desired, &Entries { list, limit: None }, records)
            }
            Some(Observed::Entries(entries)) if facet.extent == Extent::NamedKeys => {
                self.members(facet, desired, entries, records)
            }
            Some(Observed::Entries(entries)) => self.entry(facet, desired, entries, records),
        }
    }

    fn unknown(&self, facet: &'static Facet, desired: Option<&Desired>) -> Option<Reading> {
        let desired_value = desired?.value.clone();
        Some(self.reading(facet, desired, Finding::Unknown, Value::Null, desired_value))
    }

    /// A facet in its first form: nothing of it is written, kept or on record.
    fn reading(
        &self,
        facet: &'static Facet,
        desired: Option<&Desired>,
        finding: Finding,
        before: Value,
        after: Value,
    ) -> Reading {
        // The key that decides the first field that differs, where the file has it.
        let differing = diff::fields(&before, &after);
        let key = differing.first().and_then(|field| field.field.split('.').next()).unwrap_or_default();
        let line = desired.and_then(|desired| (self.line_of)(&desired.path_of(key)));
        let facet = facet.name.to_owned();
        let change =
            FacetChange { facet, finding, before, after, write: false, ours: Vec::new(), preexisting: false, line };
        Reading {
            change,
            unmanaged: Vec::new(),
            alerts: Vec::new(),
            conflict: None,
            tags: TagChanges::new(),
            record: Ledger::default(),
            begins: Ledger::default(),
            vanished: false,
        }
    }

    /// One value for everybody; of a map each member that is desired.
    fn exclusive(&self, desired: &Desired, observed: &Value, records: &Records) -> Reading {
        let facet = desired.facet;
        let before = if facet.extent == Extent::Whole { observed.clone() } else { project(observed, &desired.value) };
        let finding = match facet.extent {
            Extent::Whole => compare(&desired.value, &before, records.facet(facet.key)),
            Extent::NamedKeys | Extent::Tags => {
                let finding = |(name, value): (&String, &Value)| {
                    compare(value, before.get(name).unwrap_or(&Value::Null), records.member(facet.key, name))
                };
                together(members(&desired.value).map(finding))
            }
        };
        let mut reading = self.reading(facet, Some(desired), finding, before, desired.value.clone());
        reading.change.write = finding.differs() && !self.is_destroying();
        reading.record = written(facet, &desired.value);
        reading
    }

    /// An entry of ours, or none, among those of others.
    fn entry(
        &self,
        facet: &'static Facet,
        desired: Option<&Desired>,
        entries: &Entries,
        records: &Records,
    ) -> Option<Reading> {
        let desired_value = desired.map_or(Value::Null, |desired| desired.value.clone());
        let on_record = records.entries(facet, None);
        let all: Vec<_> = entries.list.iter().collect();
        let choice = choose(&all, &desired_value, &on_record);
        let observed = choice.observed(&desired_value);
        if desired.is_none() && choice.ours.is_empty() && choice.others.is_empty() && !on_record.is_ours() {
            return None;
        }
        let finding = compare(&desired_value, &observed, relevant(&on_record, &desired_value, &observed));
        let mut reading = self.reading(facet, desired, finding, observed, desired_value.clone());
        reading.unmanaged = unmanaged(facet, &choice);
        reading.alerts = alerts(&choice, &on_record);
        reading.change.preexisting = choice.preexisting.is_some() || is_anothers(&choice, &on_record);
        reading.change.ours = choice.values(&desired_value);
        self.settle(&mut reading, &choice, &desired_value, &on_record);
        reading.vanished = matches!(on_record.recorded, Recorded::Digest(_)) && choice.ours.is_empty();
        if reading.vanished && choice.preexisting.is_some() && !self.is_destroying() {
            // Ours went, or lost its name, and theirs does as well: it is used, and that somebody changed something is told.
            reading.change.finding = Finding::Drift;
            reading.change.write = false;
        }
        if !desired_value.is_null() {
            reading.record.put(facet.key, record_of(&choice, &desired_value));
            let adds = reading.change.write && choice.preexisting.is_none();
            if adds && facet.sharing == Sharing::Anonymous {
                begin(&mut reading.begins, facet, &desired_value);
            }
        }
        reading.conflict = conflict(&choice, entries);
        Some(reading)
    }

    /// Whether an entry is written, and how.
    fn settle(&self, reading: &mut Reading, choice: &Choice<'_>, desired_value: &Value, on_record: &Entered<'_>) {
        let change = &mut reading.change;
        if !desired_value.is_null() {
            change.write = change.finding.differs();
            return;
        }
        // Nothing is desired: what others made or rely on stays.
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
        desired: Option<&Desired>,
        entries: &Entries,
        records: &Records,
    ) -> Option<Reading> {
        let desired_value = desired.map_or(Value::Null, |desired| desired.value.clone());
        let mut reading = self.reading(facet, desired, Finding::InSync, Value::Null, desired_value.clone());
        let (mut before, mut findings, mut names, mut own) = (Map::new(), Vec::new(), BTreeSet::new(), false);
        for name in all_names(&desired_value, entries) {
            let desired_value = desired_value.get(&name).cloned().unwrap_or_default();
            let on_record = records.entries(facet, Some(&name));
            let of_name = entries.list.iter().filter(|entry| entry.member.as_ref() == Some(&name));
            let choice = choose(&of_name.collect::<Vec<_>>(), &desired_value, &on_record);
            let observed = choice.observed(&desired_value);
            let finding = compare(&desired_value, &observed, relevant(&on_record, &desired_value, &observed));
            reading.unmanaged.extend(unmanaged(facet, &choice));
            reading.vanished |= matches!(on_record.recorded, Recorded::Digest(_)) && choice.ours.is_empty();
            let stays = desired_value.is_null() && (choice.ours.is_empty() || choice.is_co_owned());
            if !stays {
                put_values(&mut reading.change.ours, &name, choice.values(&desired_value));
                if !observed.is_null() {
                    before.insert(name.clone(), observed);
                }
            }
            if !desired_value.is_null() {
                reading.change.preexisting |= choice.preexisting.is_some() || is_anothers(&choice, &on_record);
                own |= !choice.ours.is_empty() && !is_anothers(&choice, &on_record);
                reading.record.put_member(facet.key, &name, record_of(&choice, &desired_value));
                let adds = finding.differs() && choice.preexisting.is_none();
                if adds && facet.sharing == Sharing::Anonymous {
                    reading.begins.begin(facet.key, Some(&name), &desired_value);
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
        let nothing = before.is_empty() && reading.unmanaged.is_empty() && finding == Finding::InSync;
        if desired.is_none() && nothing && !reading.vanished {
            return None;
        }
        let change = &mut reading.change;
        change.before = if before.is_empty() { Value::Null } else { Value::Object(before) };
        change.finding = if self.is_destroying() { Finding::InSync } else { finding };
        change.write = finding.differs() && !(desired_value.is_null() && change.ours.is_empty());
        change.preexisting &= !own;
        Some(reading)
    }

    /// Tags of the deployment among everybody's: each is on record by itself, and goes with the key that asked for it.
    fn tags(
        &self,
        facet: &'static Facet,
        desired: Option<&Desired>,
        observed: &Value,
        records: &Records,
        origin: Origin,
    ) -> Option<Reading> {
        let desired_value = desired.map_or(Value::Null, |desired| desired.value.clone());
        let mut reading = self.reading(facet, desired, Finding::InSync, Value::Null, Value::Null);
        let (mut before, mut after) = (Map::new(), Map::new());
        let mut findings = Vec::new();
        for (name, value) in members(&desired_value) {
            let there = observed.get(name).cloned().unwrap_or_default();
            let recorded = match records.member(facet.key, name) {
                // What was taken over gets its tags with the last mark.
                Recorded::Unfinished if origin == Origin::Adopted => Recorded::Never,
                recorded => recorded,
            };
            let foreign = !recorded.is_ours() && !there.is_null() && !same(&there, value);
            if foreign && origin == Origin::Adopted {
                let entry = format!("tag `{name}` = {there}, where the plan file has {value}");
                reading.unmanaged.push(Unmanaged { facet: facet.name.to_owned(), entry });
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
        for (name, there) in no_longer_wanted(facet, observed, &desired_value, records) {
            before.insert(name.clone(), there.clone());
            reading.tags.insert(name.clone(), None);
            findings.push(if self.is_destroying() { Finding::InSync } else { Finding::Pending });
        }
        if before.is_empty() && after.is_empty() && reading.unmanaged.is_empty() {
            return None;
        }
        let finding = together(findings.into_iter());
        let line = self.reading(facet, desired, finding, Value::Object(before), Value::Object(after)).change;
        reading.change = line;
        Some(reading)
    }
}

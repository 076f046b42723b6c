//! From a survey to a change set: pure, so that a saved set can be checked by making it again.

mod reading;
mod assessment;
mod ownership;
mod facets;
mod record;
mod removal;
mod warnings;
mod outputs;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walks;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::change_set::{Action, Change, ChangeSet, FORMAT, FacetChange, Unreadable};
use crate::compare::Finding;
use crate::error::Error;
use crate::facet::Observed;
use crate::ledger::Ledger;
use crate::mark::{Origin, TagChanges};
use crate::provider::Observer;
use crate::refusal::Refusal;
use crate::resource::{MarkHolder, Observation, Orphan, Present, Resource};
use crate::rights::Rights;
use crate::survey::Survey;

pub use assessment::Intent;
use assessment::{Assessment, has_our_name, refuse, take_readings};
use ownership::Ownership;
use reading::Reading;

/// Compare what was found with what is desired. `line_of` gives the plan file's line of a dotted path.
#[must_use]
pub fn assess(
    observer: &dyn Observer,
    intent: &Intent,
    survey: &Survey,
    line_of: &dyn Fn(&str) -> Option<usize>,
) -> ChangeSet {
    let assessment = Assessment::new(observer, intent, survey, line_of);
    let changes = survey.found.iter().map(|(resource, observed)| assessment.change(resource, observed)).collect();
    let changes = without_echoes(changes, &survey.found);
    let warnings = assessment.warnings(&changes);
    let unreadable = assessment.unreadable(&changes);
    let output_changes = if unreadable.is_empty() { assessment.output_changes(&changes) } else { Vec::new() };
    ChangeSet {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        cloud: observer.cloud().to_owned(),
        purpose: intent.purpose.clone(),
        with_orphans: intent.with_orphans,
        identity: survey.identity.clone(),
        deployment: intent.deployment.clone(),
        plan_file: intent.plan_file.clone(),
        settings: intent.settings.clone(),
        changes,
        orphans: assessment.orphans.clone(),
        output_changes,
        warnings,
        rights: Rights::default(),
        unreadable,
    }
}

impl<'a> Assessment<'a> {
    fn new(
        observer: &'a dyn Observer,
        intent: &'a Intent,
        survey: &'a Survey,
        line_of: &'a dyn Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut assessment = Self {
            observer,
            intent,
            survey,
            line_of,
            names: intent.names(),
            orphans: Vec::new(),
            parts: Vec::new(),
            outside: Ledger::default(),
            readings: Vec::new(),
        };
        assessment.orphans = assessment.find_orphans();
        for mark in survey.witnesses(&assessment.names.clone()) {
            assessment.outside.add(&mark.outside);
        }
        for (_, mark) in survey.own_marks(&assessment.names.clone()) {
            assessment.parts.extend(mark.parts.clone());
        }
        for orphan in assessment.find_orphans() {
            let orphan = assessment.with_entries(orphan);
            assessment.orphans.retain(|other| other.identity != orphan.identity);
            assessment.orphans.push(orphan);
        }
        assessment.readings =
            survey.found.iter().map(|(resource, observed)| assessment.readings(resource, observed)).collect();
        assessment
    }

    fn find_orphans(&self) -> Vec<Orphan> {
        let planned =
            |orphan: &Orphan| self.survey.found.iter().any(|(resource, _)| resource.identity == orphan.identity);
        let marked = self.survey.marked.iter().flatten();
        // A tag copied to something else proves nothing.
        let ours = marked.filter(|orphan| orphan.mark.is_for(&orphan.identity) && !planned(orphan));
        ours.cloned().collect()
    }

    fn change(&self, resource: &Resource, observation: &Observation) -> Change {
        let mut change = self.unchanged(resource);
        match observation {
            // Under another name it may still be there, with what it holds.
            Observation::Absent if self.is_destroying() => {
                if let Some(former) = self.renamed(resource) {
                    refuse(&mut change, former);
                }
            }
            Observation::Absent => self.assess_absent(resource, &mut change),
            Observation::Present(present) if self.is_destroying() => self.remove(resource, present, &mut change),
            Observation::Present(present) => self.present_for_apply(resource, present, &mut change),
            // For a destroy it is gone: what carries the name now is no affair of ours, unless it is ours under another one.
            Observation::TakenElsewhere { .. } if self.is_destroying() => {
                if let Some(former) = self.renamed(resource) {
                    refuse(&mut change, former);
                }
            }
            Observation::TakenElsewhere { detail } => {
                let refusal = self.renamed(resource).unwrap_or_else(|| ownership::name_taken(resource, detail));
                refuse(&mut change, refusal);
            }
            // For a destroy it is gone.
            Observation::Missing(_) if self.is_destroying() => {}
            Observation::Missing(refusal) => refuse(&mut change, refusal.clone()),
            Observation::Unclear(refusal) => refuse(&mut change, refusal.clone()),
            Observation::Unreadable(_) if self.is_inside_anothers(resource) => {}
            Observation::Unreadable(_) => change.finding = Finding::Unknown,
        }
        change
    }

    fn unchanged(&self, resource: &Resource) -> Change {
        Change {
            address: resource.address.clone(),
            kind: resource.kind.to_owned(),
            name: resource.name.clone(),
            line: (self.line_of)(&resource.path),
            action: Action::NoOp,
            finding: Finding::InSync,
            missing: false,
            facets: Vec::new(),
            unmanaged: Vec::new(),
            contents: None,
            mark: None,
            begin: None,
            tags: TagChanges::new(),
            record: None,
            refusal: None,
        }
    }

    fn assess_absent(&self, resource: &Resource, change: &mut Change) {
        let readings = self.readings_of(resource);
        if readings.iter().all(|reading| reading.change.after.is_null()) {
            return;
        }
        change.missing = self.was_applied(resource);
        let finding = if change.missing { Finding::Drift } else { Finding::Pending };
        change.action = Action::Create;
        change.finding = finding;
        take_readings(change, readings);
        change.facets.iter_mut().for_each(|facet| facet.finding = finding);
        self.put_marks(resource, Origin::Created, change);
        if let Some(refusal) = self.renamed(resource).or_else(|| self.too_many_tags(resource, change)) {
            refuse(change, refusal);
        }
    }

    /// Whether a resource that is absent was there under this very name: some other mark of ours says so, or an entry that
    /// carries our name.
    fn was_applied(&self, resource: &Resource) -> bool {
        let orphaned = self.orphans.iter().flat_map(|orphan| &orphan.mark.parts);
        let mut parts = self.parts.iter().map(|(part, record)| (part, record)).chain(orphaned);
        let renamed = |resource: &Resource| self.orphans.iter().any(|other| other.address == resource.address);
        if resource.is_marked() {
            return parts.any(|(part, record)| part == resource.address.part() && record.is_of(&resource.identity))
                || (self.is_witnessed(resource) && !renamed(resource));
        }
        // What it is an entry of went, and the plan file has another name for that.
        let mark_holder = self.mark_holder(resource);
        let moved = self.present(&mark_holder).is_none() && renamed(&mark_holder);
        !moved && (self.parts.iter().any(|(part, _)| part == resource.address.part()) || self.is_on_record(resource))
    }

    /// Whether an entry that carries our name stands although its mark holder is gone: proof that it was applied.
    fn is_witnessed(&self, resource: &Resource) -> bool {
        self.survey.found.iter().any(|(entry, observation)| match observation {
            Observation::Present(present) => {
                entry.mark_holder == MarkHolder::On(resource.address.clone()) && has_our_name(entry, present)
            }
            _ => false,
        })
    }

    fn present_for_apply(&self, resource: &Resource, present: &Present, change: &mut Change) {
        change.unmanaged.clone_from(&present.unmanaged);
        change.mark.clone_from(&present.mark);
        let origin = match self.ownership(resource, present) {
            Ownership::Ours(origin) => origin,
            Ownership::Lost(origin) => {
                change.action = Action::Restore;
                origin
            }
            Ownership::Adoptable => {
                if let Some(refusal) = self.renamed(resource) {
                    return refuse(change, refusal);
                }
                change.action = Action::Adopt;
                Origin::Adopted
            }
            Ownership::Refused(refusal) => return refuse(change, refusal),
        };
        take_readings(change, self.readings_of(resource));
        change.finding = reading::strongest(&change.facets);
        self.decide(resource, present, origin, change);
    }

    fn decide(&self, resource: &Resource, present: &Present, origin: Origin, change: &mut Change) {
        let blocker = self.blocker(resource, present, change);
        if let Some(refusal) = blocker {
            return refuse(change, refusal);
        }
        if !resource.is_marked() {
            return decide_entry(change);
        }
        let taking = matches!(change.action, Action::Adopt | Action::Restore);
        let writes = !change.tags.is_empty() || change.facets.iter().any(|facet| facet.write);
        self.put_marks(resource, origin, change);
        if let Some(refusal) = self.too_many_tags(resource, change) {
            return refuse(change, refusal);
        }
        if taking {
            change.finding = if change.action == Action::Adopt { Finding::Pending } else { Finding::Drift };
        } else if writes {
            change.action = Action::Update;
        } else if change.finding == Finding::Unknown {
            change.record = None;
        } else if change.record.is_some() {
            change.action = Action::Record;
            change.finding = Finding::StaleMark;
        }
    }

    /// Why what is to be written cannot be.
    fn blocker(&self, resource: &Resource, present: &Present, change: &Change) -> Option<Refusal> {
        let written = change.facets.iter().filter(|facet| facet.write);
        let mut stated = written.filter_map(|facet| present.blockers.iter().find(|(name, _)| *name == facet.facet));
        if let Some((_, refusal)) = stated.next() {
            return Some(refusal.clone());
        }
        let adds = |reading: &&Reading| reading.change.write && !reading.change.after.is_null();
        self.readings_of(resource).iter().filter(adds).find_map(|reading| reading.conflict.clone())
    }

    fn unreadable(&self, changes: &[Change]) -> Vec<Unreadable> {
        let mut errors = Vec::new();
        for (resource, observation) in &self.survey.found {
            let line = (self.line_of)(&resource.path);
            let mut told = BTreeSet::new();
            // One read may be that of several facets.
            let mut add = |error: &Error| {
                if told.insert(error.to_string()) {
                    errors.push(Unreadable(error.clone().at(&resource.address, line)));
                }
            };
            match observation {
                Observation::Unreadable(error) if !self.is_inside_anothers(resource) => add(error),
                Observation::Present(present) if !self.is_inside_anothers(resource) => {
                    present.observed.iter().for_each(|(_, observed)| {
                        if let Observed::Unknown(error) = observed {
                            add(error);
                        }
                    });
                }
                _ => {}
            }
        }
        errors.extend(self.uncounted(changes).into_iter().map(Unreadable));
        let orphaned = self.survey.orphaned.iter().filter(|_| self.intent.with_orphans);
        errors.extend(orphaned.filter_map(|(resource, observation)| match observation {
            Observation::Unreadable(error) => Some(Unreadable(error.clone().at(&resource.address, None))),
            _ => None,
        }));
        errors.extend(self.survey.marked.as_ref().err().map(|error| Unreadable(error.clone())));
        errors
    }
}

/// Entries have no mark of their own: what they come to is only what their facets come to.
fn decide_entry(change: &mut Change) {
    let differing: Vec<&FacetChange> = change.facets.iter().filter(|facet| facet.write).collect();
    let removes = differing.iter().all(|facet| facet.after.is_null());
    let drifted = change.facets.iter().any(|facet| facet.finding.is_drift());
    let nothing = |facet: &FacetChange| facet.before.is_null() || is_empty(&facet.before);
    let creates = change.facets.iter().all(|facet| nothing(facet) || facet.preexisting);
    let action = match (differing.is_empty(), removes, creates) {
        (true, ..) => Action::NoOp,
        (_, true, _) => Action::Delete,
        (_, _, true) => Action::Create,
        _ => Action::Update,
    };
    change.missing = drifted && change.facets.iter().all(nothing);
    change.action = action;
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// An entry of a resource that is refused says the same once more, and of somebody else's entries.
fn without_echoes(mut changes: Vec<Change>, found: &[(Resource, Observation)]) -> Vec<Change> {
    let refused = |change: &Change| change.action == Action::Refuse;
    let refused: BTreeSet<_> =
        changes.iter().filter(|change| refused(change)).map(|change| change.address.clone()).collect();
    for (change, (resource, _)) in changes.iter_mut().zip(found) {
        let echoes = matches!(&resource.mark_holder, MarkHolder::On(holder) if refused.contains(holder) && resource.deleted_with_holder);
        if echoes && change.action == Action::Refuse {
            (change.action, change.refusal) = (Action::NoOp, None);
        }
    }
    changes
}

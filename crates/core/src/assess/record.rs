//! The marks of a run: the one of its beginning, which tells what is about to be written without a name of ours, and the one
//! that it ends with.

use std::collections::{BTreeMap, BTreeSet};

use crate::change_set::{Action, Change};
use crate::ledger::Ledger;
use crate::mark::{Mark, Origin, PartRecord, State};
use crate::refusal::Refusal;
use crate::resource::{Observation, OnRecord, Resource};

use super::assessment::Assessment;
use super::ownership::Ownership;
use super::reading::Reading;

impl Assessment<'_> {
    /// Put the marks of a resource that carries one into its change.
    pub(super) fn put_marks(&self, resource: &Resource, origin: Origin, change: &mut Change) {
        if !resource.is_marked() {
            return;
        }
        let target = self.target_mark(resource, origin);
        change.begin = self.first_mark(resource, &target, change);
        let differs = change.mark.as_ref() != Some(&target);
        let touched = change.begin.is_some() || !change.tags.is_empty();
        change.record = Some(target).filter(|_| differs || touched);
    }

    /// The mark that the resource carries once everything is applied.
    fn target_mark(&self, resource: &Resource, origin: Origin) -> Mark {
        let (mut own, mut outside) = (Ledger::default(), Ledger::default());
        let mut access = BTreeSet::new();
        for (other, _) in &self.survey.found {
            let record = self.record_of(other);
            match other.on_record {
                OnRecord::EveryMark => outside.add(&record),
                OnRecord::Holder if *other.holder() == resource.address => own.add(&record),
                OnRecord::Holder => {}
            }
            if other.grants_access && !record.is_empty() {
                access.extend(other.references.iter().cloned());
            }
        }
        let mark = Mark::unfinished(&self.intent.deployment, origin, &resource.identity);
        Mark { state: State::Written, own, outside, access, parts: self.target_parts(), ..mark }
    }

    /// What is on record of a resource once everything is applied.
    fn record_of(&self, resource: &Resource) -> Ledger {
        let mut ledger = Ledger::default();
        self.readings_of(resource).iter().for_each(|reading| ledger.add(&reading.record));
        ledger
    }

    fn target_parts(&self) -> BTreeMap<String, PartRecord> {
        let part = |(resource, observation): &(Resource, Observation)| {
            let origin = match observation {
                Observation::Absent => Some(Origin::Created),
                Observation::Present(present) => match self.ownership(resource, present) {
                    Ownership::Ours(origin) | Ownership::Lost(origin) => Some(origin),
                    Ownership::Adoptable => Some(Origin::Adopted),
                    Ownership::Refused(_) => None,
                },
                Observation::TakenElsewhere { .. }
                | Observation::Missing(_)
                | Observation::Unclear(_)
                | Observation::Unreadable(_) => None,
            }?;
            let origin = resource.is_marked().then_some(origin);
            let applied = resource.is_marked() || !self.record_of(resource).is_empty();
            applied.then(|| (resource.address.part().to_owned(), PartRecord::new(origin, &resource.identity)))
        };
        self.survey.found.iter().filter_map(part).collect()
    }

    /// The mark to write before anything else. One that is made or taken over says that it is unfinished; on what is ours
    /// already it adds the entries that are written for the first time and that nothing else would tell to be ours.
    fn first_mark(&self, resource: &Resource, target: &Mark, change: &Change) -> Option<Mark> {
        if matches!(change.action, Action::Create | Action::Adopt | Action::Restore) {
            return Some(self.unfinished(resource, target));
        }
        let (mut own, mut outside) = (Ledger::default(), Ledger::default());
        for (other, _) in self.survey.found.iter().filter(|(other, _)| *other.holder() == resource.address) {
            let begins = if other.on_record == OnRecord::EveryMark { &mut outside } else { &mut own };
            self.readings_of(other).iter().for_each(|reading| begins.add(&reading.begins));
        }
        if own.is_empty() && outside.is_empty() {
            return None;
        }
        let before = change.mark.clone()?;
        own.add(&before.own);
        outside.add(&before.outside);
        let access = before.access.union(&target.access).cloned().collect();
        Some(Mark { deployment: target.deployment.clone(), own, outside, access, ..before })
    }

    /// The mark of a beginning: what is on record by now, with what is about to be written.
    fn unfinished(&self, resource: &Resource, target: &Mark) -> Mark {
        let (mut own, mut outside) = (Ledger::default(), self.outside.clone());
        for (other, _) in &self.survey.found {
            for reading in self.readings_of(other) {
                let ledger = match other.on_record {
                    OnRecord::EveryMark => &mut outside,
                    OnRecord::Holder if *other.holder() == resource.address => &mut own,
                    OnRecord::Holder => continue,
                };
                ledger.add(&reading.begins);
                ledger.add(&preexisting(reading));
            }
        }
        let mark = Mark::unfinished(&self.intent.deployment, target.origin, &resource.identity);
        let recorded = self.survey.witnesses(&self.names).flat_map(|mark| mark.access.clone());
        let access = recorded.chain(target.access.clone()).collect();
        Mark { own, outside, access, ..mark }
    }

    /// Whether the service takes the tags that are there, those of the plan file and the mark.
    pub(super) fn too_many_tags(&self, resource: &Resource, change: &Change) -> Option<Refusal> {
        let others = self.present(resource).map_or(0, |present| tags_of_others(resource, present, change));
        let added = change.tags.values().filter(|value| value.is_some()).count();
        let marks = [change.begin.as_ref(), change.record.as_ref()];
        let needed = marks.into_iter().flatten().map(|mark| mark.to_tags().len()).max().unwrap_or_default();
        let (most, kind, name) = (resource.most_tags, resource.kind, &resource.name);
        (others + added + needed > most).then(|| Refusal {
            reason: format!(
                "{others} of the {most} tags that {kind} `{name}` can have are taken, and {} more are needed",
                added + needed
            ),
            hint: "remove tags that nobody needs, or some of `deployment.tags`".to_owned(),
        })
    }
}

fn tags_of_others(resource: &Resource, present: &crate::resource::Present, change: &Change) -> usize {
    use crate::facet::{Extent, Observed};
    let facet = resource.facets.iter().find(|facet| facet.extent == Extent::Tags);
    let observed = present.observed.iter().find(|(name, _)| facet.is_some_and(|facet| facet.name == *name));
    match observed {
        Some((_, Observed::Value(tags))) => {
            let others = tags.as_object().into_iter().flatten();
            others.filter(|(name, _)| !change.tags.contains_key(*name)).count()
        }
        _ => 0,
    }
}

/// Of what a reading puts on record, what others had made.
fn preexisting(reading: &Reading) -> Ledger {
    let [_, others] = reading.record.to_texts();
    Ledger::from_texts("", &others)
}

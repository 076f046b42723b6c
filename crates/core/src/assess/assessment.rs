//! What a comparison knows: the survey, what the deployment has on record, and where each thing stands.

use serde_json::Value;

use crate::change_set::{Action, Change, PlanFileSource, Purpose};
use crate::facet::{EntryId, Observed, Sharing};
use crate::ledger::Ledger;
use crate::mark::PartRecord;
use crate::provider::Observer;
use crate::refusal::Refusal;
use crate::resource::{MarkHolder, Observation, Orphan, Present, Resource};
use crate::survey::Survey;

use super::reading::Reading;

/// What a change set is made for, beside the survey.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Apply or destroy.
    pub purpose: Purpose,
    /// Whether orphans are deleted too.
    pub with_orphans: bool,
    /// The deployment's name.
    pub deployment: String,
    /// Its former name, whose marks are taken over.
    pub was: Option<String>,
    /// Whether `destroy` is refused.
    pub protect: bool,
    /// The plan file.
    pub plan_file: PlanFileSource,
    /// The plan file's settings, resolved.
    pub settings: Value,
}

impl Intent {
    /// The names whose marks are ours.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        std::iter::once(self.deployment.clone()).chain(self.was.clone()).collect()
    }
}

pub(super) struct Assessment<'a> {
    pub(super) observer: &'a dyn Observer,
    pub(super) intent: &'a Intent,
    pub(super) survey: &'a Survey,
    pub(super) line_of: &'a dyn Fn(&str) -> Option<usize>,
    pub(super) names: Vec<String>,
    pub(super) orphans: Vec<Orphan>,
    /// What the deployment has had applied, by its marks on what is there.
    pub(super) parts: Vec<(String, PartRecord)>,
    /// What all its marks have on record of entries that stand outside of any resource.
    pub(super) outside: Ledger,
    /// Every facet of every resource compared, in the order of the survey.
    pub(super) readings: Vec<Vec<Reading>>,
}

impl<'a> Assessment<'a> {
    pub(super) fn is_destroying(&self) -> bool {
        self.intent.purpose != Purpose::Apply
    }

    pub(super) fn present(&self, resource: &Resource) -> Option<&'a Present> {
        let found = self.survey.found.iter().find(|(other, _)| other.address == resource.address);
        match found {
            Some((_, Observation::Present(present))) => Some(present),
            _ => None,
        }
    }

    pub(super) fn is_taken_elsewhere(&self, resource: &Resource) -> bool {
        let found = self.survey.found.iter().find(|(other, _)| other.address == resource.address);
        matches!(found, Some((_, Observation::TakenElsewhere { .. })))
    }

    pub(super) fn mark_holder(&self, resource: &Resource) -> Resource {
        let MarkHolder::On(address) = &resource.mark_holder else { return resource.clone() };
        let mark_holder = self.survey.found.iter().find(|(other, _)| other.address == *address);
        mark_holder.map_or_else(|| resource.clone(), |(mark_holder, _)| mark_holder.clone())
    }

    pub(super) fn readings_of(&self, resource: &Resource) -> &[Reading] {
        let index = self.survey.found.iter().position(|(other, _)| other.address == resource.address);
        index.map_or(&[], |index| &self.readings[index])
    }

    /// An entry in something that carries our name and is somebody else's.
    pub(super) fn is_inside_anothers(&self, resource: &Resource) -> bool {
        resource.deleted_with_holder && self.is_taken_elsewhere(&self.mark_holder(resource))
    }
}

/// Whether any entry of it carries our name.
pub(super) fn has_our_name(resource: &Resource, present: &Present) -> bool {
    let named = |name: &str| resource.facet(name).is_some_and(|facet| facet.sharing == Sharing::Named);
    present.observed.iter().any(|(name, observed)| match observed {
        Observed::Value(value) => named(name) && !value.is_null(),
        Observed::Entries(entries) => entries.list.iter().any(|entry| entry.id == EntryId::Ours),
        Observed::Unknown(_) => false,
    })
}

pub(super) fn take_readings(change: &mut Change, readings: &[Reading]) {
    change.facets = readings.iter().map(|reading| reading.change.clone()).collect();
    change.unmanaged.extend(readings.iter().flat_map(|reading| reading.unmanaged.clone()));
    change.tags = readings.iter().flat_map(|reading| reading.tags.clone()).collect();
}

pub(super) fn refuse(change: &mut Change, refusal: Refusal) {
    change.action = Action::Refuse;
    change.refusal = Some(refusal);
    change.record = None;
    change.facets.iter_mut().for_each(|facet| facet.write = false);
}

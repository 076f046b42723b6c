//! What a destroy takes away, and what keeps it from doing so: protection, contents, what others have in it.

use serde_json::Value;

use crate::change_set::{Action, Change, Purpose};
use crate::compare::Finding;
use crate::contents::{Contents, not_empty};
use crate::error::Error;
use crate::mark::Origin;
use crate::refusal::Refusal;
use crate::resource::{Observation, Orphan, Present, Resource};

use super::assessment::{Assessment, refuse, take_readings};
use super::ownership::Ownership;

impl Assessment<'_> {
    /// Delete what we created, release what we adopted, refuse what is not ours.
    pub(super) fn remove(&self, resource: &Resource, present: &Present, change: &mut Change) {
        change.unmanaged.clone_from(&present.unmanaged);
        change.mark.clone_from(&present.mark);
        let origin = match self.ownership(resource, present) {
            Ownership::Ours(origin) => origin,
            // Its mark says that it is ours, and some mark says how it became so.
            Ownership::Lost(origin) if self.is_damaged(resource, present) => origin,
            // Without its tags nothing is deleted; what carries our name goes.
            Ownership::Lost(_) => Origin::Adopted,
            // Not taken over yet, or released by a destroy that did not finish: left alone either way.
            Ownership::Adoptable => return,
            Ownership::Refused(refusal) => return refuse(change, refusal),
        };
        change.action = if origin == Origin::Created { Action::Delete } else { Action::Release };
        take_readings(change, self.readings_of(resource));
        for facet in &mut change.facets {
            if origin == Origin::Created || facet.write {
                facet.after = Value::Null;
            }
        }
        change.finding = match change.facets.iter().any(|facet| facet.finding == Finding::Unknown) {
            true => Finding::Unknown,
            false => Finding::InSync,
        };
        if !resource.is_marked() && !change.facets.iter().any(|facet| facet.write) {
            change.action = Action::NoOp;
        }
        change.contents = self.lost_contents(resource, change);
        let keeps = self.keeps(resource, origin).or_else(|| self.deletion_blockers(resource, change));
        if let Some(refusal) = keeps {
            refuse(change, refusal);
        }
    }

    /// What keeps a resource from being removed: protection, data.
    fn keeps(&self, resource: &Resource, origin: Origin) -> Option<Refusal> {
        if !resource.holds_data {
            return None;
        }
        let (kind, name) = (resource.kind, &resource.name);
        if self.intent.protect {
            return Some(Refusal {
                reason: format!("the plan file protects {kind} `{name}`"),
                hint: format!(
                    "set `protect = false` under [{}] first",
                    self.observer.protection_path().unwrap_or(&resource.path)
                ),
            });
        }
        let Purpose::Destroy { delete_data } = &self.intent.purpose else { return None };
        match (origin, delete_data) {
            (Origin::Adopted, None) => None,
            (Origin::Adopted, Some(_)) => Some(Refusal {
                reason: format!("{kind} `{name}` was adopted: its data is not ours to delete"),
                hint: "leave `--delete-data` out: destroy then only takes our entries off it".to_owned(),
            }),
            (Origin::Created, Some(_)) => None,
            (Origin::Created, None) => self.not_empty(resource),
        }
    }

    /// Locks and others' things count where something is deleted: an entry that is a resource of the service's own is, whoever
    /// made what it is an entry of.
    fn deletion_blockers(&self, resource: &Resource, change: &Change) -> Option<Refusal> {
        let taken_out = !resource.is_marked() && change.action != Action::NoOp;
        let deleted = resource.is_marked() && change.action == Action::Delete;
        let inside = |orphan: &&Orphan| orphan.identity.starts_with(&format!("{}/", resource.identity));
        let mut kept = self.orphans.iter().filter(|_| deleted && !self.intent.with_orphans);
        if let Some(orphan) = kept.find(inside) {
            return Some(holds_orphan(resource, orphan));
        }
        let (_, found) = self
            .survey
            .deletion_blockers
            .iter()
            .find(|(other, _)| (deleted || taken_out) && *other == resource.address)?;
        found.as_ref().ok().cloned().flatten()
    }

    fn not_empty(&self, resource: &Resource) -> Option<Refusal> {
        let contents = self.contents(resource).filter(|contents| !contents.is_empty())?;
        Some(not_empty(resource.kind, &resource.name, &contents.describe()))
    }

    /// What a resource that holds data has in it now.
    fn contents(&self, resource: &Resource) -> Option<Contents> {
        let (_, counted) = self.survey.contents.iter().find(|(other, _)| other.address == resource.address)?;
        counted.as_ref().ok().copied()
    }

    /// What is deleted with a resource, as was asked for: what comes until then too, though there be nothing now.
    fn lost_contents(&self, resource: &Resource, change: &Change) -> Option<Contents> {
        let asked = matches!(&self.intent.purpose, Purpose::Destroy { delete_data: Some(_) });
        if asked && change.action == Action::Delete { self.contents(resource) } else { None }
    }

    /// An orphan with what is ours on it, where it was looked at.
    pub(super) fn with_entries(&self, mut orphan: Orphan) -> Orphan {
        let observed = self.survey.orphaned.iter().find(|(resource, _)| resource.identity == orphan.identity);
        let Some((resource, Observation::Present(present))) = observed else { return orphan };
        for reading in self.unwanted(resource, present, &orphan.mark) {
            orphan.tags.extend(reading.tags.into_keys());
            if reading.change.write {
                let facet = reading.change.facet;
                orphan.entries.extend(reading.change.ours.into_iter().map(|ours| (facet.clone(), ours)));
            }
        }
        orphan
    }

    /// What could not be counted or looked through, where it is to be deleted: what stays need not be empty.
    pub(super) fn uncounted(&self, changes: &[Change]) -> Vec<Error> {
        let goes = |address: &crate::Address| {
            let change = changes.iter().find(|change| change.address == *address);
            let found = self.survey.found.iter().find(|(resource, _)| resource.address == *address);
            let entry = found.is_some_and(|(resource, _)| !resource.is_marked());
            change.is_some_and(|change| change.action == Action::Delete || (entry && change.action == Action::Release))
        };
        let contents = self.survey.contents.iter().filter(|(resource, _)| goes(&resource.address));
        let contents = contents.filter_map(|(_, counted)| counted.as_ref().err());
        let blockers = self.survey.deletion_blockers.iter().filter(|(address, _)| goes(address));
        let blockers = blockers.filter_map(|(_, found)| found.as_ref().err());
        contents.chain(blockers).cloned().collect()
    }
}

fn holds_orphan(resource: &Resource, orphan: &Orphan) -> Refusal {
    Refusal {
        reason: format!(
            "{} `{}` holds what is left over: {} `{}`",
            resource.kind, resource.name, orphan.kind, orphan.name
        ),
        hint: "run the same command with `--orphans` to delete that too".to_owned(),
    }
}

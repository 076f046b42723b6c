//! What the user should know beside the changes.

use crate::change_set::{Action, Change, Purpose};
use crate::compare::Finding;
use crate::mark::Origin;
use crate::resource::{Observation, Present, Resource};

use super::assessment::Assessment;
use super::ownership::Ownership;
use super::reading::Reading;

impl Assessment<'_> {
    pub(super) fn warnings(&self, changes: &[Change]) -> Vec<String> {
        let own = self.observer.warnings();
        let ours = [self.unmarked_ours(), self.damaged(), self.unnamed(), self.vanished(changes)].concat();
        [own, self.taken_names(), ours, self.standing_conflicts(changes), self.alerts()].concat()
    }

    fn of_each<T>(&self, look: impl Fn(&Resource, &Observation) -> Option<T>) -> Vec<T> {
        self.survey.found.iter().filter_map(|(resource, observation)| look(resource, observation)).collect()
    }

    /// What carries our name and is somebody else's by now: for a destroy it is gone.
    fn taken_names(&self) -> Vec<String> {
        self.of_each(|resource, observation| match observation {
            Observation::TakenElsewhere { .. } if self.renamed(resource).is_some() => None,
            Observation::TakenElsewhere { detail } if self.is_destroying() => Some(format!(
                "{} `{}` belongs to somebody else now and is left alone ({detail})",
                resource.kind, resource.name
            )),
            Observation::Missing(refusal) if self.is_destroying() => {
                Some(format!("there is nothing to remove: {}", refusal.reason))
            }
            _ => None,
        })
    }

    /// What somebody took our tags off, where a destroy can only release it.
    fn unmarked_ours(&self) -> Vec<String> {
        self.of_each(|resource, observation| match observation {
            Observation::Present(present) if self.is_destroying() && self.is_lost(resource, present) => Some(format!(
                "somebody took provision's tags off {} `{}`: it stays, and only what carries our name is taken out; to \
                 delete it too, run apply first, which puts the tags back",
                resource.kind, resource.name
            )),
            _ => None,
        })
    }

    /// Marks of ours of which somebody took a key off.
    fn damaged(&self) -> Vec<String> {
        self.of_each(|resource, observation| {
            let Observation::Present(present) = observation else { return None };
            let (key, what) = present.mark.as_ref().filter(|_| self.is_damaged(resource, present))?.lost_key()?;
            let (kind, name) = (resource.kind, &resource.name);
            let then = if self.is_destroying() { "the others say that it is ours" } else { "apply puts it back" };
            Some(format!("{kind} `{name}` lost `{key}`, one of provision's tags, which says {what}; {then}"))
        })
    }

    fn is_lost(&self, resource: &Resource, present: &Present) -> bool {
        matches!(self.ownership(resource, present), Ownership::Lost(Origin::Created))
            && !self.is_damaged(resource, present)
    }

    /// What of ours went, or lost its name, where others have the very same.
    fn unnamed(&self) -> Vec<String> {
        let unnamed = |reading: &&Reading| {
            let used = reading.change.preexisting && !reading.change.write;
            reading.vanished && used && reading.change.finding == Finding::Drift
        };
        let told = |resource: &Resource| {
            let readings = self.readings_of(resource).iter().filter(unnamed);
            let told = readings.map(|reading| {
                format!(
                    "somebody took provision's name off {} of {} `{}`, or made the same in its place: what is there is used, \
                     and destroy leaves it",
                    reading.change.facet, resource.kind, resource.name
                )
            });
            told.collect::<Vec<_>>()
        };
        self.survey.found.iter().flat_map(|(resource, _)| told(resource)).collect()
    }

    /// What would refuse a write, and stands though nothing is to be written.
    fn standing_conflicts(&self, changes: &[Change]) -> Vec<String> {
        if self.intent.purpose != Purpose::Apply {
            return Vec::new();
        }
        let mut standing = Vec::new();
        for (change, (resource, _)) in changes.iter().zip(&self.survey.found) {
            if change.action == Action::Refuse {
                continue;
            }
            for reading in self.readings_of(resource) {
                let as_wanted = !reading.change.write && !reading.change.finding.differs();
                let stated = self.present(resource).into_iter().flat_map(|present| &present.blockers);
                let stated = stated.filter(|(name, _)| *name == reading.change.facet).map(|(_, refusal)| refusal);
                let wanted = as_wanted && !reading.change.after.is_null();
                let refusals = stated.chain(&reading.conflict).filter(|_| wanted);
                standing.extend(refusals.map(|refusal| format!("{}; {}", refusal.reason, refusal.hint)));
            }
        }
        standing
    }

    /// What others let somebody do beside what is ours.
    fn alerts(&self) -> Vec<String> {
        if self.intent.purpose != Purpose::Apply {
            return Vec::new();
        }
        let of = |resource: &Resource| {
            let alerts = self.readings_of(resource).iter().flat_map(|reading| &reading.alerts);
            alerts.map(|alert| format!("{} `{}`: {alert}", resource.kind, resource.name)).collect::<Vec<_>>()
        };
        self.survey.found.iter().flat_map(|(resource, _)| of(resource)).collect()
    }

    /// What a destroy has on record and does not find.
    fn vanished(&self, changes: &[Change]) -> Vec<String> {
        if !self.is_destroying() {
            return Vec::new();
        }
        let mut vanished = Vec::new();
        for (change, (resource, _)) in changes.iter().zip(&self.survey.found) {
            let stays = change.action != Action::Delete && !goes_with_carrier(resource, changes);
            for reading in self.readings_of(resource).iter().filter(|reading| reading.vanished && stays) {
                vanished.push(format!(
                    "{} of {} `{}` is on record and was not found: there is nothing of it to take back",
                    reading.change.facet, resource.kind, resource.name
                ));
            }
        }
        vanished
    }
}

/// Whether an entry goes with what it is in.
fn goes_with_carrier(resource: &Resource, changes: &[Change]) -> bool {
    let deleted = |change: &Change| change.address == *resource.holder() && change.action == Action::Delete;
    resource.deleted_with_holder && changes.iter().any(deleted)
}

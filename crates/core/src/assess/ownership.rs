//! Whose a resource is, and the refusals that follow.

use crate::change_set::Purpose;
use crate::mark::{Mark, Origin, State};
use crate::refusal::Refusal;
use crate::resource::{Present, Resource};

use super::assessment::{Assessment, has_our_name};

/// Whose a resource is.
pub(super) enum Ownership {
    Ours(Origin),
    /// Ours by other witnesses: somebody took our tags off.
    Lost(Origin),
    Adoptable,
    Refused(Refusal),
}

impl<'a> Assessment<'a> {
    /// The mark on the resource, if it is this deployment's and for this resource.
    pub(super) fn own_mark(&self, resource: &Resource) -> Option<&'a Mark> {
        let mark = self.present(resource)?.mark.as_ref()?;
        (self.is_ours(mark) && is_for(resource, mark)).then_some(mark)
    }

    /// Whether its mark says that it is ours, and lost some of its tags.
    pub(super) fn is_damaged(&self, resource: &Resource, present: &Present) -> bool {
        let damaged = |mark: &Mark| mark.state == State::Damaged && is_for(resource, mark);
        present.mark.as_ref().is_some_and(|mark| self.is_ours(mark) && damaged(mark))
    }

    fn is_ours(&self, mark: &Mark) -> bool {
        self.names.contains(&mark.deployment)
    }

    pub(super) fn ownership(&self, resource: &Resource, present: &Present) -> Ownership {
        // An entry has our deterministic name; its mark holder's ownership is decided there.
        if !resource.is_marked() {
            return Ownership::Ours(Origin::Created);
        }
        let mark = present.mark.as_ref();
        if let Some(version) = mark.and_then(Mark::newer_version) {
            let what = format!("{} `{}`", resource.kind, resource.name);
            return Ownership::Refused(Refusal::newer(&what, version));
        }
        match mark.filter(|mark| is_for(resource, mark)) {
            Some(mark) if self.is_damaged(resource, present) => {
                return Ownership::Lost(self.applied_origin(resource).unwrap_or(mark.origin));
            }
            Some(mark) if self.is_ours(mark) => return Ownership::Ours(mark.origin),
            Some(mark) => return Ownership::Refused(self.anothers(resource, mark)),
            None => {}
        }
        if let Some(origin) = self.lost_origin(resource, present) {
            return Ownership::Lost(origin);
        }
        match mark {
            _ if resource.adopt => Ownership::Adoptable,
            Some(_) => Ownership::Refused(
                self.unmarked(resource, "carries tags of provision's that were copied from another resource"),
            ),
            None => Ownership::Refused(self.unmarked(resource, "exists already and was not made by this deployment")),
        }
    }

    /// How a resource without our mark became ours, where another mark or an entry with our name says that it did. Who
    /// only knows that it is ours takes it for adopted, which is never deleted.
    fn lost_origin(&self, resource: &Resource, present: &Present) -> Option<Origin> {
        let named = || has_our_name(resource, present).then_some(Origin::Adopted);
        self.applied_origin(resource).or(present.witness).or_else(named)
    }

    /// How it became ours, as a mark says that has it among the parts that were applied.
    fn applied_origin(&self, resource: &Resource) -> Option<Origin> {
        let parts = self.parts.iter().filter(|(part, _)| part == resource.address.part());
        parts.filter(|(_, record)| record.is_of(&resource.identity)).find_map(|(_, record)| record.origin)
    }

    fn unmarked(&self, resource: &Resource, what: &str) -> Refusal {
        let purpose = match self.intent.purpose {
            Purpose::Apply => "to use it and keep what is in it",
            Purpose::Destroy { .. } => "it is not ours to remove; to leave it alone and go on with the rest",
        };
        let adopt = || format!("{purpose}, set `adopt = true` under [{}]", resource.path);
        Refusal {
            reason: format!("{} `{}` {what}", resource.kind, resource.name),
            hint: self.observer.adoption_alternative(&resource.address).unwrap_or_else(adopt),
        }
    }

    fn anothers(&self, resource: &Resource, mark: &Mark) -> Refusal {
        let choose = || format!("choose another `name` under [{}]", resource.path);
        let choose = self.observer.anothers_alternative(&resource.address).unwrap_or_else(choose);
        Refusal {
            reason: format!("{} `{}` belongs to deployment `{}`", resource.kind, resource.name, mark.deployment),
            hint: format!(
                "{choose}; if that deployment was renamed, write `was = \"{}\"` under [deployment]",
                mark.deployment
            ),
        }
    }

    /// A bucket of ours under another name: never a second bucket by accident.
    pub(super) fn renamed(&self, resource: &Resource) -> Option<Refusal> {
        let former = self.orphans.iter().find(|orphan| orphan.holds_data && orphan.address == resource.address)?;
        let (kind, name, old) = (resource.kind, &resource.name, &former.name);
        Some(Refusal {
            reason: format!(
                "this deployment's {kind} is `{old}`, and the plan file now names `{name}`; data is never moved"
            ),
            hint: format!(
                "{}, or give the new {kind} a deployment of its own (another `deployment.name`), or take the old one down \
                 with its plan file first",
                match old.rsplit_once('/') {
                    Some((place, _)) => format!("it is in `{place}`: name that again"),
                    None => format!("write `{old}` again"),
                }
            ),
        })
    }
}

/// Whether a mark was written for a resource. One that is a document of its own has nothing on record elsewhere, so that its parts are enough.
fn is_for(resource: &Resource, mark: &Mark) -> bool {
    let among_parts = || mark.parts.values().any(|part| part.is_of(&resource.identity));
    mark.is_for(&resource.identity) || (resource.one_document && mark.has_lost_spec() && among_parts())
}

pub(super) fn name_taken(resource: &Resource, detail: &str) -> Refusal {
    Refusal {
        reason: format!("the name `{}` belongs to somebody else ({detail})", resource.name),
        hint: format!("choose another `name` under [{}]", resource.path),
    }
}

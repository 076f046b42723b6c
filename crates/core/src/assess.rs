//! From a survey to a change set: pure, so that a saved set can be checked by making it again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::change_set::{Action, Change, ChangeSet, FORMAT, FacetChange, PlanFileSource, Purpose, Unreadable};
use crate::compare::{Finding, compare, project, same};
use crate::diff;
use crate::digest;
use crate::error::{Error, ErrorKind};
use crate::mark::{Mark, Origin, Recorded, Spec};
use crate::provider::Observer;
use crate::resource::{AtCreation, Carrier, Observation, Orphan, Present, Refusal, Resource, Seen, Shape, Want};
use crate::survey::Survey;

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

/// Compare what was found with what is wanted. `line_of` gives the plan file's line of a dotted path.
#[must_use]
pub fn assess(
    observer: &dyn Observer,
    intent: &Intent,
    survey: &Survey,
    line_of: &dyn Fn(&str) -> Option<usize>,
) -> ChangeSet {
    let assessment = Assessment::new(observer, intent, survey, line_of);
    let changes = survey.found.iter().map(|(resource, seen)| assessment.change(resource, seen)).collect();
    let changes = without_echoes(changes, &survey.found);
    let warnings = assessment.warnings(&changes);
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
        warnings,
        unreadable: assessment.unreadable(),
    }
}

/// Whose a resource is.
enum Ownership {
    Ours(Origin),
    Adoptable,
    Refused(Refusal),
}

struct Assessment<'a> {
    observer: &'a dyn Observer,
    intent: &'a Intent,
    survey: &'a Survey,
    line_of: &'a dyn Fn(&str) -> Option<usize>,
    orphans: Vec<Orphan>,
    /// What the deployment has had applied, by any of its marks.
    parts: BTreeSet<String>,
}

impl<'a> Assessment<'a> {
    fn new(
        observer: &'a dyn Observer,
        intent: &'a Intent,
        survey: &'a Survey,
        line_of: &'a dyn Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut assessment = Self { observer, intent, survey, line_of, orphans: Vec::new(), parts: BTreeSet::new() };
        assessment.orphans = assessment.find_orphans();
        assessment.parts = assessment.applied_parts();
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

    fn applied_parts(&self) -> BTreeSet<String> {
        let marks = self.survey.found.iter().filter_map(|(resource, _)| self.own_mark(resource));
        marks.flat_map(|mark| mark.parts.iter().cloned()).collect()
    }

    fn warnings(&self, changes: &[Change]) -> Vec<String> {
        let own = self.observer.warnings();
        [own, self.left_behind(), self.moved_away(), self.standing(changes), self.of_former_name()].concat()
    }

    /// What would refuse a write, and stands though nothing is to be written.
    fn standing(&self, changes: &[Change]) -> Vec<String> {
        let applying = self.intent.purpose == Purpose::Apply;
        let obstacles = changes.iter().zip(&self.survey.found).filter(|(change, _)| change.action != Action::Refuse);
        let obstacles = obstacles.filter_map(|(change, (resource, _))| Some((change, self.present(resource)?)));
        let warning = |(change, present): (&Change, &Present)| {
            let as_wanted = |name: &str| {
                change.facets.iter().any(|facet| facet.facet == name && !facet.write && !facet.finding.differs())
            };
            let standing = present.obstacles.iter().filter(|(name, _)| applying && as_wanted(name));
            standing.map(|(_, refusal)| format!("{}; {}", refusal.reason, refusal.hint)).collect::<Vec<_>>()
        };
        obstacles.flat_map(warning).collect()
    }

    /// Orphans are found by the former name as long as the plan file has it.
    fn of_former_name(&self) -> Vec<String> {
        let former = |was: &&String| self.orphans.iter().any(|orphan| orphan.mark.deployment == **was);
        let text = |was: &String| {
            format!(
                "the orphans carry the mark of `{was}`: delete them with `--orphans` before `was` goes from the plan file, or \
             nothing finds them any more"
            )
        };
        self.intent.was.iter().filter(former).map(text).collect()
    }

    /// Parts that were applied and are neither in the plan file nor found as orphans: rights that were given somewhere else.
    fn left_behind(&self) -> Vec<String> {
        let planned = |part: &String| self.survey.found.iter().any(|(resource, _)| resource.address.part() == part);
        let orphaned = |part: &String| self.orphans.iter().any(|orphan| orphan.address.part() == part);
        let left = self.parts.iter().filter(|part| !planned(part) && !orphaned(part) && self.survey.marked.is_ok());
        let cloud = self.observer.cloud();
        let warning = |part: &String| {
            format!(
                "`{cloud}.{part}` was applied and is no longer in the plan file: what it gave to others stays. To take it \
                 back, put it into the plan file again and run destroy, or remove it by hand"
            )
        };
        left.map(warning).collect()
    }

    /// What stays where the plan file named another place when the record was written.
    fn moved_away(&self) -> Vec<String> {
        let moved = |resource: &Resource, present: &Present| {
            let mark = self.own_mark(&self.carrier(resource));
            let facets = self.compared(resource, present, Origin::Created, mark);
            facets.iter().any(|facet| self.is_moved(resource, facet, mark))
        };
        let text = |(resource, observation): &(Resource, Observation)| match observation {
            Observation::Present(present) if moved(resource, present) => self.observer.stays_behind(&resource.address),
            _ => None,
        };
        self.survey.found.iter().filter_map(text).collect()
    }

    /// Whether what is on record seems to be of another place: it is not what is wanted, and here is nothing, or already
    /// what is wanted.
    fn is_moved(&self, resource: &Resource, facet: &FacetChange, mark: Option<&Mark>) -> bool {
        let here = facet.before.is_null() || facet.finding == Finding::StaleMark;
        let wants = self.observer.want(&resource.address, Origin::Created);
        let want = wants.iter().find(|want| want.facet.name == facet.facet && !want.value.is_null());
        let (Some(want), Some(mark)) = (want, mark) else { return false };
        let recorded = mark.recorded(want.facet.key);
        let elsewhere = matches!(recorded, Recorded::Digest(_)) && !recorded.is(&want.value);
        here && elsewhere
            && facet.finding != Finding::Unknown
            && self.observer.stays_behind(&resource.address).is_some()
    }

    fn present(&self, resource: &Resource) -> Option<&'a Present> {
        let found = self.survey.found.iter().find(|(other, _)| other.address == resource.address);
        match found {
            Some((_, Observation::Present(present))) => Some(present),
            _ => None,
        }
    }

    /// The mark on the resource, if it is this deployment's and for this resource.
    fn own_mark(&self, resource: &Resource) -> Option<&'a Mark> {
        let mark = self.present(resource)?.mark.as_ref()?;
        (self.is_ours(mark) && mark.is_for(&resource.identity)).then_some(mark)
    }

    fn is_ours(&self, mark: &Mark) -> bool {
        mark.deployment == self.intent.deployment || self.intent.was.as_ref() == Some(&mark.deployment)
    }

    fn carrier(&self, resource: &Resource) -> Resource {
        let Carrier::Of(address) = &resource.carrier else { return resource.clone() };
        let carrier = self.survey.found.iter().find(|(other, _)| other.address == *address);
        carrier.map_or_else(|| resource.clone(), |(carrier, _)| carrier.clone())
    }

    fn change(&self, resource: &Resource, observation: &Observation) -> Change {
        let destroying = self.intent.purpose != Purpose::Apply;
        let mut change = Change {
            address: resource.address.clone(),
            kind: resource.kind.to_owned(),
            name: resource.name.clone(),
            line: (self.line_of)(&resource.path),
            action: Action::NoOp,
            finding: Finding::InSync,
            missing: false,
            facets: Vec::new(),
            kept: Vec::new(),
            mark: None,
            record: None,
            refusal: None,
        };
        match observation {
            // Under another name it may still be there, with what it holds.
            Observation::Absent if destroying => {
                if let Some(former) = self.renamed(resource) {
                    refuse(&mut change, former);
                }
            }
            Observation::Absent => self.absent(resource, &mut change),
            Observation::Present(present) if destroying => self.remove(resource, present, &mut change),
            Observation::Present(present) => self.present_for_apply(resource, present, &mut change),
            Observation::TakenElsewhere { detail } => {
                let refusal = self.renamed(resource).unwrap_or_else(|| taken(resource, detail));
                refuse(&mut change, refusal);
            }
            Observation::Unreadable(_) => change.finding = Finding::Unknown,
        }
        change
    }

    fn absent(&self, resource: &Resource, change: &mut Change) {
        let recorded = self.own_mark(&self.carrier(resource)).is_some_and(|mark| {
            self.observer.want(&resource.address, Origin::Created).iter().any(|want| {
                resource.carrier != Carrier::Itself && matches!(mark.recorded(want.facet.key), Recorded::Digest(_))
            })
        });
        // One of ours under another name, or what it is an entry of: the plan file renamed it.
        let carrier = self.carrier(resource);
        let gone = |address: &Address| *address == carrier.address && self.present(&carrier).is_none();
        let renamed = self.orphans.iter().any(|orphan| orphan.address == resource.address || gone(&orphan.address));
        change.missing = !renamed && (recorded || self.parts.contains(resource.address.part()));
        let finding = if change.missing { Finding::Drift } else { Finding::Pending };
        let wants = self.observer.want(&resource.address, Origin::Created);
        if wants.iter().all(|want| want.value.is_null()) {
            change.missing = false;
            return;
        }
        change.action = Action::Create;
        change.finding = finding;
        change.facets = wants.iter().map(|want| self.created_facet(want, finding)).collect();
        change.record = self.target_mark(resource, Origin::Created);
        if let Some(former) = self.renamed(resource) {
            refuse(change, former);
        }
    }

    fn created_facet(&self, want: &Want, finding: Finding) -> FacetChange {
        // `null` and `false` are what a new resource has of itself.
        let nothing = want.value.is_null() || want.value == Value::Bool(false);
        FacetChange {
            facet: want.facet.name.to_owned(),
            finding,
            before: Value::Null,
            after: want.value.clone(),
            write: want.facet.at_creation == AtCreation::Written && !nothing,
            found: false,
            line: (self.line_of)(&want.path),
        }
    }

    /// A bucket of ours under another name: never a second bucket by accident.
    fn renamed(&self, resource: &Resource) -> Option<Refusal> {
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

    fn present_for_apply(&self, resource: &Resource, present: &Present, change: &mut Change) {
        change.kept.clone_from(&present.kept);
        change.mark.clone_from(&present.mark);
        let origin = match self.ownership(resource, present) {
            Ownership::Ours(origin) => origin,
            Ownership::Adoptable => {
                if let Some(refusal) = self.renamed(resource) {
                    return refuse(change, refusal);
                }
                change.action = Action::Adopt;
                Origin::Adopted
            }
            Ownership::Refused(refusal) => return refuse(change, refusal),
        };
        let mark = self.own_mark(&self.carrier(resource));
        change.facets = self.compared(resource, present, origin, mark);
        change.finding = strongest(&change.facets);
        self.decide(resource, present, origin, change);
    }

    fn decide(&self, resource: &Resource, present: &Present, origin: Origin, change: &mut Change) {
        let differing: Vec<_> = change.facets.iter().filter(|facet| facet.write).collect();
        let obstacle = differing.iter().find_map(|facet| {
            present.obstacles.iter().find(|(name, _)| *name == facet.facet).map(|(_, refusal)| refusal.clone())
        });
        if let Some(obstacle) = obstacle {
            return refuse(change, obstacle);
        }
        let adopting = change.action == Action::Adopt;
        let writes = !differing.is_empty();
        if resource.carrier != Carrier::Itself {
            // Entries have no mark of their own: what they come to is only what their facets come to.
            let removes = differing.iter().all(|facet| facet.after.is_null());
            let drifted = change.facets.iter().any(|facet| facet.finding.is_drift());
            change.missing = drifted && change.facets.iter().all(|facet| facet.before.is_null());
            let creates = change.facets.iter().all(|facet| facet.before.is_null() || facet.found);
            change.action = match (writes, removes, creates) {
                (false, ..) => Action::NoOp,
                (_, true, _) => Action::Delete,
                (_, _, true) => Action::Create,
                _ => Action::Update,
            };
            return;
        }
        let target = self.target_mark(resource, origin);
        change.record = target.filter(|target| adopting || writes || change.mark.as_ref() != Some(target));
        change.record = change.record.take().filter(|target| adopting || change.mark.as_ref() != Some(target));
        if adopting {
            change.finding = Finding::Pending;
        } else if writes {
            change.action = Action::Update;
        } else if change.record.is_some() {
            change.action = Action::Record;
            change.finding = Finding::StaleMark;
        }
    }

    fn ownership(&self, resource: &Resource, present: &Present) -> Ownership {
        // An entry has our deterministic name; its carrier's ownership is decided at the carrier.
        if resource.carrier != Carrier::Itself {
            return Ownership::Ours(Origin::Created);
        }
        match &present.mark {
            Some(Mark { spec: Spec::Newer(version), .. }) => Ownership::Refused(newer(version)),
            Some(mark) if self.is_ours(mark) && mark.is_for(&resource.identity) => Ownership::Ours(mark.origin),
            Some(mark) if mark.is_for(&resource.identity) => Ownership::Refused(anothers(resource, mark)),
            _ if resource.adopt => Ownership::Adoptable,
            Some(_) => {
                Ownership::Refused(self.unmarked(resource, "carries a mark that was copied from another resource"))
            }
            None => Ownership::Refused(self.unmarked(resource, "exists and does not carry this deployment's mark")),
        }
    }

    fn unmarked(&self, resource: &Resource, what: &str) -> Refusal {
        let purpose = match self.intent.purpose {
            Purpose::Apply => "to take it over beside what is there",
            Purpose::Destroy { .. } => "it is not ours to remove; to leave it alone and go on with the rest",
        };
        let adopt = || format!("{purpose}, set `adopt = true` under [{}]", resource.path);
        Refusal {
            reason: format!("{} `{}` {what}", resource.kind, resource.name),
            hint: self.observer.instead_of_adopting(&resource.address).unwrap_or_else(adopt),
        }
    }

    fn compared(
        &self,
        resource: &Resource,
        present: &Present,
        origin: Origin,
        mark: Option<&Mark>,
    ) -> Vec<FacetChange> {
        let wants = self.observer.want(&resource.address, origin);
        let mut facets: Vec<_> = wants.iter().map(|want| self.compared_facet(want, present, mark)).collect();
        for facet in &mut facets {
            // Nobody took away what was never here.
            if facet.finding == Finding::Both && self.is_moved(resource, facet, mark) {
                facet.finding = Finding::Pending;
            }
        }
        facets
    }

    fn compared_facet(&self, want: &Want, present: &Present, mark: Option<&Mark>) -> FacetChange {
        let seen = present.seen.iter().find(|(name, _)| *name == want.facet.name).map(|(_, seen)| seen);
        let facet = want.facet.name.to_owned();
        let after = want.value.clone();
        let before = match seen {
            Some(Seen::Value(value)) if want.facet.shape == Shape::Keys => project(value, &want.value),
            Some(Seen::Value(value)) => value.clone(),
            Some(Seen::Unknown(_)) | None => {
                let line = (self.line_of)(&want.path);
                return FacetChange {
                    facet,
                    finding: Finding::Unknown,
                    before: Value::Null,
                    after,
                    write: false,
                    found: false,
                    line,
                };
            }
        };
        // The key that decides the first field that differs, where the file has it.
        let differing = diff::fields(&before, &want.value);
        let key = differing.first().and_then(|field| field.field.split('.').next()).unwrap_or_default();
        let line = (self.line_of)(&format!("{}.{key}", want.path));
        let recorded = mark.map_or(Recorded::Never, |mark| mark.recorded(want.facet.key));
        let found = is_found(want, present, mark);
        // What others made for an earlier plan file says nothing about this one's.
        let recorded = if mark.is_some_and(|mark| mark.wrote(want.facet.key)) || recorded.is(&want.value) {
            recorded
        } else {
            Recorded::Never
        };
        let finding = compare(&want.value, &before, recorded);
        FacetChange { facet, finding, before, after, write: finding.differs(), found, line }
    }

    /// The mark that the resource carries once everything is applied.
    fn target_mark(&self, resource: &Resource, origin: Origin) -> Option<Mark> {
        if resource.carrier != Carrier::Itself {
            return None;
        }
        let (mut digests, mut found) = (BTreeMap::new(), BTreeMap::new());
        let mut parts = BTreeSet::new();
        for (other, observation) in &self.survey.found {
            let own = other.address == resource.address;
            let carried = matches!(&other.carrier, Carrier::Of(carrier) if *carrier == resource.address);
            let wants = self.observer.want(&other.address, if own { origin } else { Origin::Created });
            let wanted: Vec<_> = wants.iter().filter(|want| !want.value.is_null()).collect();
            if !wanted.is_empty() && !matches!(observation, Observation::TakenElsewhere { .. }) {
                parts.insert(other.address.part().to_owned());
            }
            for want in wanted.iter().filter(|_| own || carried) {
                let is_found = matches!(observation, Observation::Present(present)
                    if is_found(want, present, self.own_mark(resource)) && !present.shared.contains(&want.facet.name));
                let place = if is_found { &mut found } else { &mut digests };
                place.insert(want.facet.key, digest::of_value(&want.value));
            }
        }
        let mark = Mark::unfinished(&self.intent.deployment, origin, &resource.identity);
        Some(Mark { spec: Spec::Written(digests), found, parts, ..mark })
    }

    /// Delete what we created, release what we adopted, refuse what is not ours.
    fn remove(&self, resource: &Resource, present: &Present, change: &mut Change) {
        change.kept.clone_from(&present.kept);
        change.mark.clone_from(&present.mark);
        let origin = match self.ownership(resource, present) {
            Ownership::Ours(origin) => origin,
            // Not taken over yet, or released by a destroy that did not finish: left alone either way.
            Ownership::Adoptable => return,
            Ownership::Refused(refusal) => return refuse(change, refusal),
        };
        change.action = if origin == Origin::Created { Action::Delete } else { Action::Release };
        change.facets = self.removed_facets(resource, present, origin);
        if resource.carrier != Carrier::Itself && !change.facets.iter().any(|facet| facet.write) {
            change.action = Action::NoOp;
        }
        if let Some(refusal) = self.keeps(resource, origin).or_else(|| self.in_the_way(resource, origin)) {
            refuse(change, refusal);
        }
    }

    fn removed_facets(&self, resource: &Resource, present: &Present, origin: Origin) -> Vec<FacetChange> {
        let mark = self.own_mark(&self.carrier(resource));
        let mut facets = self.compared(resource, present, origin, mark);
        for (facet, want) in facets.iter_mut().zip(self.observer.want(&resource.address, origin)) {
            facet.found = is_others(&want, present, mark);
            let entry = self.observer.is_entry(&resource.address, &facet.facet);
            facet.write = entry && !facet.before.is_null() && !facet.found;
            if (entry && !facet.found) || origin == Origin::Created {
                facet.after = Value::Null;
            }
        }
        facets
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
                    self.observer.protected_by().unwrap_or(&resource.path)
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

    fn in_the_way(&self, resource: &Resource, origin: Origin) -> Option<Refusal> {
        let deleted = resource.carrier == Carrier::Itself && origin == Origin::Created;
        let inside = |orphan: &&Orphan| orphan.identity.starts_with(&format!("{}/", resource.identity));
        let mut kept = self.orphans.iter().filter(|_| deleted && !self.intent.with_orphans);
        if let Some(orphan) = kept.find(inside) {
            return Some(holds_orphan(resource, orphan));
        }
        let (_, found) = self.survey.in_the_way.iter().find(|(other, _)| deleted && *other == resource.address)?;
        found.as_ref().ok().cloned().flatten()
    }

    fn not_empty(&self, resource: &Resource) -> Option<Refusal> {
        let (_, counted) = self.survey.contents.iter().find(|(other, _)| other.address == resource.address)?;
        let contents = counted.as_ref().ok().filter(|contents| !contents.is_empty())?;
        Some(not_empty(resource.kind, &resource.name, &contents.describe()))
    }

    fn unreadable(&self) -> Vec<Unreadable> {
        let mut errors = Vec::new();
        for (resource, observation) in &self.survey.found {
            let line = (self.line_of)(&resource.path);
            let mut add = |error: &Error| errors.push(Unreadable(error.clone().at(&resource.address, line)));
            match observation {
                Observation::Unreadable(error) => add(error),
                Observation::Present(present) => {
                    for (_, seen) in &present.seen {
                        if let Seen::Unknown(error) = seen {
                            add(error);
                        }
                    }
                }
                Observation::Absent | Observation::TakenElsewhere { .. } => {}
            }
        }
        for (resource, counted) in &self.survey.contents {
            let absent = self.present(resource).is_none();
            errors.extend(counted.as_ref().err().filter(|_| !absent).map(|error| Unreadable(error.clone())));
        }
        for (address, found) in &self.survey.in_the_way {
            let present = self.survey.found.iter().any(|(resource, _)| {
                resource.address == *address
                    && self.own_mark(resource).is_some_and(|mark| mark.origin == Origin::Created)
            });
            errors.extend(found.as_ref().err().filter(|_| present).map(|error| Unreadable(error.clone())));
        }
        errors.extend(self.survey.marked.as_ref().err().map(|error| Unreadable(error.clone())));
        errors
    }
}

/// Whether others made an entry as it is wanted before we wrote it.
fn is_found(want: &Want, present: &Present, mark: Option<&Mark>) -> bool {
    let seen = present.seen.iter().find(|(name, _)| *name == want.facet.name);
    let as_wanted = matches!(seen, Some((_, Seen::Value(seen))) if same(&want.value, seen));
    as_wanted && !want.value.is_null() && is_others(want, present, mark)
}

/// Whether an entry without a name of ours is none that we wrote: then it is not ours to take out.
fn is_others(want: &Want, present: &Present, mark: Option<&Mark>) -> bool {
    present.nameless.contains(&want.facet.name) && !mark.is_some_and(|mark| mark.wrote(want.facet.key))
}

/// Why a bucket with content is not deleted.
#[must_use]
pub fn not_empty(kind: &str, name: &str, contents: &str) -> Refusal {
    Refusal {
        reason: format!("{kind} `{name}` is not empty: {contents}"),
        hint: format!("to delete its content too, run the same command with `--delete-data {name}`"),
    }
}

/// The same as an error, for content that arrived after the look.
#[must_use]
pub fn not_empty_error(kind: &str, name: &str, contents: &str) -> Error {
    let refusal = not_empty(kind, name, contents);
    Error::new(ErrorKind::Refused, format!("refused to delete {kind} `{name}`"))
        .message(refusal.reason)
        .hint(refusal.hint)
}

/// An entry of a resource that is refused says the same once more, and of somebody else's entries.
fn without_echoes(mut changes: Vec<Change>, found: &[(Resource, Observation)]) -> Vec<Change> {
    let refused = |change: &Change| change.action == Action::Refuse;
    let refused: BTreeSet<_> =
        changes.iter().filter(|change| refused(change)).map(|change| change.address.clone()).collect();
    for (change, (resource, _)) in changes.iter_mut().zip(found) {
        let echoes =
            matches!(&resource.carrier, Carrier::Of(carrier) if refused.contains(carrier) && resource.contained);
        if echoes && change.action == Action::Refuse {
            (change.action, change.refusal) = (Action::NoOp, None);
        }
    }
    changes
}

fn refuse(change: &mut Change, refusal: Refusal) {
    change.action = Action::Refuse;
    change.refusal = Some(refusal);
    change.record = None;
    change.facets.iter_mut().for_each(|facet| facet.write = false);
}

fn taken(resource: &Resource, detail: &str) -> Refusal {
    Refusal {
        reason: format!("the name `{}` belongs to somebody else ({detail})", resource.name),
        hint: format!("choose another `name` under [{}]", resource.path),
    }
}

fn holds_orphan(resource: &Resource, orphan: &Orphan) -> Refusal {
    Refusal {
        reason: format!("{} `{}` holds the orphan {} `{}`", resource.kind, resource.name, orphan.kind, orphan.name),
        hint: "run the same command with `--orphans` to delete that too".to_owned(),
    }
}

fn newer(version: &str) -> Refusal {
    Refusal {
        reason: format!("its mark (`{version}`) was written by a newer version of provision"),
        hint: "install that version or a later one".to_owned(),
    }
}

fn anothers(resource: &Resource, mark: &Mark) -> Refusal {
    Refusal {
        reason: format!("{} `{}` belongs to deployment `{}`", resource.kind, resource.name, mark.deployment),
        hint: format!(
            "choose another `name` under [{}]; if that deployment was renamed, write `was = \"{}\"` under [deployment]",
            resource.path, mark.deployment
        ),
    }
}

fn strongest(facets: &[FacetChange]) -> Finding {
    let order =
        [Finding::Unknown, Finding::Both, Finding::Unfinished, Finding::Drift, Finding::Pending, Finding::StaleMark];
    let drift_and_pending =
        [Finding::Drift, Finding::Pending].map(|one| facets.iter().any(|facet| facet.finding == one));
    if drift_and_pending == [true, true] {
        return Finding::Both;
    }
    order.into_iter().find(|one| facets.iter().any(|facet| facet.finding == *one)).unwrap_or(Finding::InSync)
}

//! What is to be done: the result of comparing the plan file with the cloud, shown by `plan`, executed by `apply`.
//!
//! A change set is self-describing and holds no secret. It carries the settings it was made from and everything it
//! observed, so that `apply` can make it again from the cloud of that moment and execute it only if it is the same.

mod staleness;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::compare::Finding;
use crate::contents::Contents;
use crate::error::{Error, ErrorKind};
use crate::identity::Identity;
use crate::mark::{Mark, State, TagChanges};
use crate::output::OutputChange;
use crate::printable::on_one_line;
use crate::refusal::Refusal;
use crate::resource::{Orphan, Unmanaged};
use crate::rights::Rights;

/// Version of the saved format. Files of another version are refused.
pub const FORMAT: u32 = 1;

/// Everything that is to be done, and what it was decided from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSet {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version: another one may compare differently.
    pub tool: String,
    /// The cloud's name.
    pub cloud: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether orphans are deleted too.
    pub with_orphans: bool,
    /// Whose cloud was observed.
    pub identity: Identity,
    /// The deployment's name.
    pub deployment: String,
    /// The plan file it was made from.
    pub plan_file: PlanFileSource,
    /// The plan file's settings, resolved.
    pub settings: Value,
    /// Every resource of the deployment, changed or not, in the order in which people read them.
    pub changes: Vec<Change>,
    /// What carries the deployment's mark and is no longer in the plan file.
    pub orphans: Vec<Orphan>,
    /// The settings for the server that change with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_changes: Vec<OutputChange>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The rights that it needs, where one is missing or cannot be asked about.
    #[serde(default, skip_serializing_if = "Rights::is_silent")]
    pub rights: Rights,
    /// What could not be read. A set with any is shown, never applied and never saved.
    #[serde(skip)]
    pub unreadable: Vec<Unreadable>,
}

/// Something that could not be read.
#[derive(Clone, Debug)]
pub struct Unreadable(pub Error);

/// Two failures to read are the same for the comparison of change sets: neither is ever applied.
impl PartialEq for Unreadable {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// What a change set is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Make the cloud what the plan file says.
    Apply,
    /// Take the deployment down.
    Destroy {
        /// The name of the bucket whose content goes too.
        delete_data: Option<String>,
    },
}

/// The plan file that a change set was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanFileSource {
    /// Its path, as typed.
    pub name: String,
    /// The digest of its resolved content.
    pub digest: String,
}

/// What is to be done with one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The resource.
    pub address: Address,
    /// The noun for messages.
    pub kind: String,
    /// The name people know it by.
    pub name: String,
    /// The plan file's line that describes it, from 1.
    pub line: Option<usize>,
    /// What is done.
    pub action: Action,
    /// Why it differs; explains to people and steers nothing.
    pub finding: Finding,
    /// Whether it was applied before and is gone.
    pub missing: bool,
    /// Every desired facet, changed or not.
    pub facets: Vec<FacetChange>,
    /// Entries of others that stay as they are.
    #[serde(rename = "kept")]
    pub unmanaged: Vec<Unmanaged>,
    /// What is in it now, where `--delete-data` asks that it be deleted with all that is in it by then; explains to people and
    /// steers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The mark that was observed.
    pub mark: Option<Mark>,
    /// The mark to write before anything else, where something is made that only a mark can tell to be ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<Mark>,
    /// Changes of the deployment's tags, which are written with the mark.
    #[serde(default, skip_serializing_if = "TagChanges::is_empty")]
    pub tags: TagChanges,
    /// The mark to write at the end, where it is not the one observed.
    pub record: Option<Mark>,
    /// Why it is refused.
    pub refusal: Option<Refusal>,
}

/// One facet: what the cloud has, what the plan file asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FacetChange {
    /// The facet's name.
    pub facet: String,
    /// What the compare found.
    pub finding: Finding,
    /// What the cloud has; `null` is absent.
    pub before: Value,
    /// The desired value; `null` takes our part out.
    pub after: Value,
    /// Whether it is written by its own call.
    pub write: bool,
    /// Of what the cloud has, what is ours, where the facet holds entries: each is taken the place of, or taken out, by a
    /// write of its own. More than one is what a run that was stopped left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ours: Vec<Value>,
    /// Whether others made it as it is desired: it was there before us, and stays after us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preexisting: bool,
    /// The plan file's line that decides it, from 1.
    pub line: Option<usize>,
}

/// What is done with a resource.
///
/// | action | before | after |
/// |---|---|---|
/// | `NoOp`, `Record` | what the cloud has | the same |
/// | `Create` | `null` | what is desired |
/// | `Adopt`, `Update`, `Restore` | what the cloud has | what is desired |
/// | `Delete`, `Release` | what the cloud has | `null` where our part goes |
/// | `Refuse` | what the cloud has | what was desired |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Make it.
    Create,
    /// Take over what exists.
    Adopt,
    /// Write the facets that differ.
    Update,
    /// Only write the mark.
    Record,
    /// Put back the mark that somebody took off what is ours, and write the facets that differ.
    Restore,
    /// Delete it.
    Delete,
    /// Take our entries and mark off it; the rest stays.
    Release,
    /// It cannot be done.
    Refuse,
}

impl Action {
    /// The sign before a change.
    #[must_use]
    pub const fn symbol(self) -> char {
        match self {
            Self::NoOp => ' ',
            Self::Create => '+',
            Self::Adopt | Self::Update | Self::Record | Self::Restore => '~',
            Self::Delete | Self::Release => '-',
            Self::Refuse => '!',
        }
    }

    /// The verb before a change.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::NoOp => "keep",
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Update => "update",
            Self::Record => "record",
            Self::Restore => "restore",
            Self::Delete => "delete",
            Self::Release => "release",
            Self::Refuse => "refuse",
        }
    }
}

impl ChangeSet {
    /// Whether there is anything to do: the one place that decides it.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let goes = |orphan: &Orphan| !(orphan.holds_data && self.purpose == Purpose::Apply);
        let orphans = self.with_orphans && self.orphans.iter().any(goes);
        orphans
            || !self.rewritten_orphans().is_empty()
            || self.changes.iter().any(|change| change.action != Action::NoOp || change.record.is_some())
    }

    /// Orphans that stay, with the mark that they get: apply writes the deployment's present name into it, so that they are
    /// found when `was` leaves the plan file; destroy takes out of it what is taken back, so that nothing of the deployment
    /// is on record but the orphan.
    #[must_use]
    pub fn rewritten_orphans(&self) -> Vec<(&Orphan, Mark)> {
        let destroys = self.purpose != Purpose::Apply;
        let stays = |orphan: &&Orphan| !self.with_orphans || (orphan.holds_data && !destroys);
        let known = |orphan: &&Orphan| !matches!(orphan.mark.state, State::Newer(_) | State::Damaged);
        let rewritten = |orphan: &'_ Orphan| match destroys {
            true => orphan.mark.of_itself_alone(),
            false => Mark { deployment: self.deployment.clone(), ..orphan.mark.clone() },
        };
        let orphans = self.orphans.iter().filter(stays).filter(known);
        orphans.map(|orphan| (orphan, rewritten(orphan))).filter(|(orphan, mark)| orphan.mark != *mark).collect()
    }

    /// Whether a resource is to be made: nothing of it is there yet.
    #[must_use]
    pub fn creates(&self, address: &Address) -> bool {
        self.changes.iter().any(|change| change.address == *address && change.action == Action::Create)
    }

    /// How many resources meet that action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }

    /// Whether somebody changed the cloud, or took something away.
    #[must_use]
    pub fn has_drift(&self) -> bool {
        self.changes.iter().any(|change| change.missing || change.action == Action::Restore || change.has_drifted())
    }

    /// Whether nothing of the deployment exists.
    #[must_use]
    pub fn nothing_exists(&self) -> bool {
        self.changes.iter().all(|change| {
            !change.missing && matches!(change.action, Action::Create | Action::NoOp) && change.is_absent()
        })
    }

    /// The bucket whose content goes too.
    #[must_use]
    pub fn delete_data(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Destroy { delete_data } => delete_data.as_deref(),
            Purpose::Apply => None,
        }
    }

    /// The command that makes such a set again.
    #[must_use]
    pub fn plan_command(&self) -> String {
        let mut command = format!("provision {} plan {}", self.cloud, on_one_line(&self.plan_file.name));
        if let Purpose::Destroy { delete_data } = &self.purpose {
            command += " --destroy";
            command += &delete_data.as_ref().map(|name| format!(" --delete-data {name}")).unwrap_or_default();
        }
        if self.with_orphans { command + " --orphans" } else { command }
    }

    /// What stands in the way of applying it, as errors: refusals first, then what could not be read.
    #[must_use]
    pub fn blockers(&self) -> Vec<Error> {
        self.errors(|_| true)
    }

    /// What keeps from saying whether somebody changed the cloud. That something was changed which apply cannot mend is said.
    #[must_use]
    pub fn unknowns(&self) -> Vec<Error> {
        self.errors(|change| !change.has_drifted())
    }

    /// Refusals of these changes, and what could not be read.
    fn errors(&self, counts: impl Fn(&Change) -> bool) -> Vec<Error> {
        let refusal = |refusal: &Refusal| {
            Error::new(ErrorKind::Refused, "refused").with_message(&refusal.reason).with_hint(&refusal.hint)
        };
        let changes = self.changes.iter().filter(|change| counts(change));
        let refused =
            changes.filter_map(|change| Some(refusal(change.refusal.as_ref()?).at(&change.address, change.line)));
        let orphans = || self.orphans.iter().filter(|_| self.with_orphans);
        let kept = orphans().filter_map(|orphan| Some(refusal(orphan.refusal.as_ref()?).at(&orphan.address, None)));
        let newer = orphans().filter_map(|orphan| {
            let newer = Refusal::newer(&format!("{} `{}`", orphan.kind, orphan.name), orphan.mark.newer_version()?);
            Some(refusal(&newer).at(&orphan.address, None))
        });
        let unreadable = self.unreadable.iter().map(|unreadable| unreadable.0.clone());
        refused
            .chain(kept)
            .chain(newer)
            .chain(unreadable)
            .map(|error| error.with_plan_file(&self.plan_file.name))
            .collect()
    }

    /// The same error with the place in the plan file of the resource it happened on.
    #[must_use]
    pub fn located(&self, error: &Error) -> Error {
        let change = self.changes.iter().find(|change| Some(&change.address) == error.address());
        let error = error.clone().with_plan_file(&self.plan_file.name);
        change.map_or(error.clone(), |change| error.at(&change.address, change.line))
    }

    /// Read a saved change set.
    ///
    /// # Errors
    ///
    /// A file that is not a change set, or one of another format or program version.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(text).map_err(|error| unusable(format!("it is not JSON: {error}")))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(unusable(format!("it has format {format}, this program reads {FORMAT}"))),
            None => return Err(unusable("it is not a change set".to_owned())),
        }
        if value.get("changes").is_none() {
            return Err(unusable("it is another document of `--json`, and no change set".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| unusable(error.to_string()))
    }
}

fn unusable(reason: String) -> Error {
    let error = Error::new(ErrorKind::Stale, "the change set cannot be used").with_message(reason);
    error.with_hint("make a new one with `provision <cloud> plan --out FILE`")
}

impl Change {
    /// Whether nothing of it is in the cloud.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.mark.is_none() && self.facets.iter().all(|facet| facet.before.is_null() || facet.preexisting)
    }

    /// Whether somebody changed something in what is there.
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        !self.missing && self.facets.iter().any(|facet| facet.finding.is_drift())
    }
}

//! The things that a plan file describes, how they depend on each other, and what a look at the cloud found of them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::error::Error;
use crate::facet::{Facet, Observed};
use crate::mark::{Mark, Origin};
use crate::refusal::Refusal;

/// One managed thing, as the plan file describes it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its stable name.
    pub address: Address,
    /// The noun for messages: `bucket`, `queue`.
    pub kind: &'static str,
    /// The name people know it by.
    pub name: String,
    /// The full, unambiguous name (an ARN, a resource id); its hash stands in the mark.
    pub identity: String,
    /// The plan file's table or key that describes it, dotted: `aws.bucket`.
    pub path: String,
    /// Every facet that one of this kind can have, whether desired now or not.
    pub facets: &'static [&'static Facet],
    /// What carries a mark for it: itself, or the resource it is an entry of.
    pub mark_holder: MarkHolder,
    /// Where its facets are on record.
    pub on_record: OnRecord,
    /// How the cloud's crate finds it again once the plan file no longer names it, where our names do not tell.
    pub references: Vec<String>,
    /// The most tags that the service takes on it.
    pub most_tags: usize,
    /// Whether the plan file lets us take over one that exists without our mark.
    pub adopt: bool,
    /// Whether it holds the user's data: nothing but `destroy` deletes it, and only if it is empty.
    pub holds_data: bool,
    /// Whether it lets others write into the deployment: taken away before data is deleted.
    pub grants_access: bool,
    /// Whether its facets and its mark are one document of the service's: what is written of one that is there is one request.
    pub one_document: bool,
    /// Whether it is an entry inside its mark holder's own documents, and so goes with it.
    pub deleted_with_holder: bool,
    /// Resources whose writes must be done before this one is written.
    pub needs: Vec<Address>,
    /// Resources that must be gone before this one is deleted.
    pub deleted_after: Vec<Address>,
    /// Which writes it may have to wait for.
    pub lane: Option<Lane>,
}

/// Writes to the same thing, which cannot all be made at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What they write to; the same word is the same lane.
    pub name: &'static str,
    /// When this resource's writes wait for their turn in it.
    pub mode: LaneMode,
}

/// When a resource's writes wait for their turn in their lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneMode {
    /// They start beside the others', and take turns after the first conflict in the lane.
    AfterConflict,
    /// From the beginning: the service answers even the first two with a conflict or with throttling. The provider takes the
    /// turn ([`crate::context::OperationContext::acquire_lane`]), so that what it reads on the way need not wait.
    Always,
}

/// What carries a mark for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkHolder {
    /// It carries tags of its own.
    Own,
    /// It is an entry that cannot be tagged, in or beside this resource.
    On(Address),
}

/// Where the facets of a resource are on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecord {
    /// In the mark of its holder, with which it goes.
    Holder,
    /// In every mark of the deployment: it stays when its holder is gone.
    EveryMark,
}

impl Resource {
    /// A resource with tags of its own that is made, deleted and written for itself alone; what is not so is set on it.
    #[must_use]
    pub fn new(address: Address, kind: &'static str, name: &str, facets: &'static [&'static Facet]) -> Self {
        Self {
            path: address.as_str().to_owned(),
            address,
            kind,
            name: name.to_owned(),
            identity: name.to_owned(),
            facets,
            mark_holder: MarkHolder::Own,
            on_record: OnRecord::Holder,
            references: Vec::new(),
            most_tags: MOST_TAGS,
            adopt: false,
            holds_data: false,
            grants_access: false,
            one_document: false,
            deleted_with_holder: false,
            needs: Vec::new(),
            deleted_after: Vec::new(),
            lane: None,
        }
    }

    /// Whether it carries a mark of its own.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.mark_holder == MarkHolder::Own
    }

    /// The resource whose mark stands for it: itself, or another one.
    #[must_use]
    pub const fn holder(&self) -> &Address {
        match &self.mark_holder {
            MarkHolder::Own => &self.address,
            MarkHolder::On(mark_holder) => mark_holder,
        }
    }

    /// A facet by its name.
    #[must_use]
    pub fn facet(&self, name: &str) -> Option<&'static Facet> {
        self.facets.iter().find(|facet| facet.name == name).copied()
    }
}

/// The most tags that a service takes where it says nothing else: AWS and Azure say 50
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html>,
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>).
pub const MOST_TAGS: usize = 50;

/// What one look at the cloud found of a resource.
#[derive(Clone, Debug)]
pub enum Observation {
    /// It does not exist.
    Absent,
    /// It exists.
    Present(Box<Present>),
    /// The name belongs to somebody else.
    TakenElsewhere {
        /// What the service said of it, for people.
        detail: String,
    },
    /// The plan file names it by an id of the service's own, and it is not there: nothing is made in its place.
    Missing(Refusal),
    /// Which of several it is, or whether it is the one that the plan file means, nothing tells.
    Unclear(Refusal),
    /// It could not be read; the error names the missing permission where that is the reason.
    Unreadable(Error),
}

/// What is known of a resource that exists.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// The mark on it, whosever it is.
    pub mark: Option<Mark>,
    /// The normalised value of every facet, by name; `null` is absent.
    pub observed: Vec<(&'static str, Observed)>,
    /// Entries of others beside ours.
    pub unmanaged: Vec<Unmanaged>,
    /// Facets that cannot be written as things stand, and why.
    pub blockers: Vec<(&'static str, Refusal)>,
    /// How it became ours, where something beside its tags says so: the plan file names it by what only its creation told.
    pub witness: Option<Origin>,
}

/// An entry of somebody else on a shared document. It is shown, and never touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unmanaged {
    /// The facet it stands beside.
    pub facet: String,
    /// What it is, for people.
    pub entry: String,
}

/// A resource that carries this deployment's mark and is no longer in the plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// The address its kind has in a plan file.
    pub address: Address,
    /// The noun for messages.
    pub kind: String,
    /// The name people know it by.
    pub name: String,
    /// The full name.
    pub identity: String,
    /// Its mark.
    pub mark: Mark,
    /// Whether it holds the user's data.
    pub holds_data: bool,
    /// Entries of ours on it, which a release takes out: the facet and its value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<(String, Value)>,
    /// Tags of the deployment on it, which go with its mark.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Why it cannot be deleted, as far as a look tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

impl Orphan {
    /// One of that full name; `name` is what people know it by.
    #[must_use]
    pub fn new(address: Address, kind: &str, name: &str, identity: String, mark: Mark) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let (entries, tags) = (Vec::new(), BTreeSet::new());
        Self { address, kind, name, identity, mark, holds_data: false, entries, tags, refusal: None }
    }
}

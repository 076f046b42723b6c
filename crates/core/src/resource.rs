//! What the plan file asks for: resources, their facets, and the values wanted; and what was found of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::mark::Mark;

/// A part of a resource that is read and written by its own call.
#[derive(Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its name in messages and change sets.
    pub name: &'static str,
    /// Its key in the mark: one letter, unique among the facets of a cloud that one mark has on record.
    pub key: char,
    /// How much of the value is ours.
    pub extent: Extent,
    /// Whose its values are.
    pub sharing: Sharing,
    /// When a resource is made, how the facet gets its value.
    pub creation: Creation,
}

/// How much of a facet's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole value.
    Whole,
    /// A map, of which each member is compared and on record by itself.
    NamedKeys,
    /// The deployment's tags: a map that is written with the mark, by the core.
    Tags,
}

/// Whose the values of a facet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One value for everybody. A release leaves it as it is.
    Exclusive,
    /// Entries in a document of everybody's, of which ours carry our id. A release takes them out.
    Named,
    /// The same without an id: whose an entry is stands in the mark alone ([`crate::entries`]).
    Anonymous,
}

/// How a facet gets its value when its resource is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// By the call that creates the resource.
    SameCall,
    /// By its own call, after the creation.
    OwnCall,
}

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
    /// Every facet that one of this kind can have, whether wanted now or not.
    pub facets: &'static [&'static Facet],
    /// What carries a mark for it: itself, or the resource it is an entry of.
    pub carrier: Carrier,
    /// Where its facets are on record.
    pub on_record: OnRecord,
    /// How the cloud's crate finds it again once the plan file no longer names it, where no name of ours tells.
    pub reference: Option<String>,
    /// The most tags that the service takes on it.
    pub most_tags: usize,
    /// Whether the plan file lets us take over one that exists without our mark.
    pub adopt: bool,
    /// Whether it holds the user's data: nothing but `destroy` deletes it, and only if it is empty.
    pub holds_data: bool,
    /// Whether it lets others write into the deployment: taken away before data is deleted.
    pub grants_access: bool,
    /// Whether it is an entry inside its carrier's own documents, and so goes with it.
    pub contained: bool,
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
    pub turns: Turns,
}

/// When a resource's writes wait for their turn in their lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// They start beside the others', and take turns after the first conflict in the lane.
    AfterConflict,
    /// From the beginning: the service answers even the first two with a conflict or with throttling. The provider takes the
    /// turn ([`crate::executor::Watch::turn`]), so that what it reads on the way need not wait.
    Always,
}

/// What carries a mark for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// It carries tags of its own.
    Itself,
    /// It is an entry that cannot be tagged, in or beside this resource.
    Of(Address),
}

/// Where the facets of a resource are on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecord {
    /// In the mark of its carrier, with which it goes.
    Carrier,
    /// In every mark of the deployment: it stays when its carrier is gone.
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
            carrier: Carrier::Itself,
            on_record: OnRecord::Carrier,
            reference: None,
            most_tags: MOST_TAGS,
            adopt: false,
            holds_data: false,
            grants_access: false,
            contained: false,
            needs: Vec::new(),
            deleted_after: Vec::new(),
            lane: None,
        }
    }

    /// Whether it carries a mark of its own.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.carrier == Carrier::Itself
    }

    /// The resource whose mark stands for it: itself, or its carrier.
    #[must_use]
    pub const fn holder(&self) -> &Address {
        match &self.carrier {
            Carrier::Itself => &self.address,
            Carrier::Of(carrier) => carrier,
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

/// The value that the plan file asks for in one facet.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// The facet.
    pub facet: &'static Facet,
    /// The normalised value; `null` where nothing of ours is wanted.
    pub value: Value,
    /// The plan file's key that decides it, dotted; where it is absent, the nearest table is shown.
    pub path: String,
}

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
    /// It could not be read; the error names the missing permission where that is the reason.
    Unreadable(crate::Error),
}

/// What is known of a resource that exists.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// The mark on it, whosever it is.
    pub mark: Option<Mark>,
    /// The normalised value of every facet, by name; `null` is absent.
    pub seen: Vec<(&'static str, Seen)>,
    /// Entries of others beside ours.
    pub kept: Vec<Kept>,
    /// Facets that cannot be written as things stand, and why.
    pub obstacles: Vec<(&'static str, Refusal)>,
}

/// The observed value of one facet.
#[derive(Clone, Debug)]
pub enum Seen {
    /// It was read.
    Value(Value),
    /// Entries of everybody, of which [`crate::entries`] tells ours.
    Entries(Entries),
    /// It could not be read.
    Unknown(crate::Error),
}

/// The entries that a shared document has.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Each of them, in the document's order.
    pub list: Vec<Entry>,
    /// How many the document takes, with what is said where one more would be too many.
    pub limit: Option<(usize, Refusal)>,
}

/// One entry of a shared document.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In a facet that is a map, the member that it is a value of.
    pub member: Option<String>,
    /// Its normalised value.
    pub value: Value,
    /// Whose its id says that it is.
    pub id: EntryId,
    /// Another deployment has it on record too: it stays as long as one of them wants it.
    pub co_owned: bool,
    /// What it is, for people.
    pub text: String,
    /// Why ours cannot stand beside it, if it is somebody else's.
    pub conflict: Option<Refusal>,
    /// An entry before it that answers in its place.
    pub behind: Option<String>,
}

/// What the id of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryId {
    /// It has none.
    Nobodys,
    /// It is ours.
    Ours,
    /// It is somebody else's.
    Others,
}

impl Entry {
    /// An entry without an id.
    #[must_use]
    pub fn new(value: Value, text: String) -> Self {
        Self { member: None, value, id: EntryId::Nobodys, co_owned: false, text, conflict: None, behind: None }
    }
}

/// An entry of somebody else on a shared document. It is shown, and never touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The facet it stands beside.
    pub facet: String,
    /// What it is, for people.
    pub entry: String,
}

/// Why something is not done, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: String,
    /// What to do next.
    pub hint: String,
}

impl Refusal {
    /// About a mark that a newer version of the program wrote; `what` carries it.
    #[must_use]
    pub fn newer(what: &str, version: &str) -> Self {
        Self {
            reason: format!("the mark of {what} (`{version}`) was written by a newer version of provision"),
            hint: "install that version or a later one".to_owned(),
        }
    }
}

impl Orphan {
    /// One of that full name; `name` is what people know it by.
    #[must_use]
    pub fn new(address: Address, kind: &str, name: &str, identity: String, mark: Mark) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        Self { address, kind, name, identity, mark, holds_data: false, entries: Vec::new(), tags: BTreeSet::new() }
    }
}

/// A resource that carries this deployment's mark and is no longer in the plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

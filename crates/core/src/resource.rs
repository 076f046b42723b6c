//! What the plan file asks for: resources, their facets, and the values wanted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::mark::Mark;

/// A part of a resource that is read and written by its own call.
#[derive(Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its name in messages and change sets.
    pub name: &'static str,
    /// Its key in the mark: one letter, unique among the facets that one mark carries.
    pub key: char,
    /// How much of the value is ours.
    pub shape: Shape,
    /// When a resource is made, how the facet gets its value.
    pub at_creation: AtCreation,
}

/// How much of a facet's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The whole value.
    Whole,
    /// Only the members that the plan file names (tags, attributes).
    Keys,
}

/// How a facet gets its value when its resource is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtCreation {
    /// By the call that creates the resource.
    Included,
    /// By its own call, after the creation.
    Written,
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
    /// Whose mark holds its digests: its own, or that of the resource it is an entry of.
    pub carrier: Carrier,
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

/// Whose mark holds a resource's digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// It carries tags of its own.
    Itself,
    /// It is an entry that cannot be tagged; its digest stands in the mark of this resource.
    Of(Address),
}

/// The value that the plan file asks for in one facet.
#[derive(Clone, Debug)]
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
    /// Entries that carry no name of ours: whose they are is told by the mark alone.
    pub nameless: Vec<&'static str>,
    /// Those of them that another deployment made: who wants them too has them on record as its own, and the last one
    /// takes them out.
    pub shared: Vec<&'static str>,
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
    /// It could not be read.
    Unknown(crate::Error),
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
}

//! One step of a run: a write to the cloud, or a read that a write must be preceded by.

use serde_json::{Map, Value};

use crate::address::Address;
use crate::mark::{Mark, TagChanges, Tags};
use crate::resource::{Lane, LaneMode};

/// One write, or a read that a write must be preceded by.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its place in the graph.
    pub id: usize,
    /// The resource.
    pub address: Address,
    /// The noun for messages.
    pub kind: String,
    /// The name people know the resource by; for an orphan not the plan file's.
    pub name: String,
    /// The full name.
    pub identity: String,
    /// The resource of the plan file whose mark stands for it; none for an orphan, whose address is that of another thing.
    pub holder: Option<Address>,
    /// What to do.
    pub verb: Verb,
    /// Operations that must be done before.
    pub needs: Vec<usize>,
    /// The writes it may have to wait for.
    pub lane: Option<Lane>,
    /// Whether the resource has one facet and nothing else: a write of it is one of the whole resource.
    pub has_one_facet: bool,
}

/// What is written of one facet in a request for several.
#[derive(Clone, Debug, PartialEq)]
pub struct FacetWrite {
    /// The facet's name.
    pub facet: String,
    /// What ours is now, where the facet holds entries.
    pub before: Value,
    /// The desired value; `null` takes our part out.
    pub value: Value,
}

/// What an operation does. All that takes over, releases, empties or deletes reads the mark first, and must find the one
/// that was planned.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Create the resource with its tags and the facets that the creating call takes, by name.
    Create {
        /// The mark of the beginning, which is among the tags.
        mark: Mark,
        /// Every tag.
        tags: Tags,
        /// Every desired facet.
        facets: Map<String, Value>,
    },
    /// Put the mark of the beginning onto a resource that exists.
    Adopt {
        /// The mark that was observed when the change set was made.
        before: Option<Mark>,
        /// The mark to put on.
        mark: Mark,
    },
    /// Write one facet; `null` takes our part out.
    Write {
        /// The facet's name.
        facet: String,
        /// What ours is now, where the facet holds entries.
        before: Value,
        /// The desired value.
        value: Value,
    },
    /// Read the tags of a resource made by this run, beside its other writes, so that the last write merges. Before any mark tells of
    /// it, its own must be there: not every service says whether a creation made anything.
    ReadMark {
        /// The mark that it was created with.
        mark: Mark,
    },
    /// Read the mark before entries are taken out of a resource that stays.
    CheckMark {
        /// The mark that was planned from.
        mark: Mark,
    },
    /// Write a mark, and tags of the deployment with it.
    WriteMark {
        /// The mark that it is written over.
        before: Option<Mark>,
        /// The mark to write.
        mark: Mark,
        /// Changes of the deployment's tags.
        tags: TagChanges,
    },
    /// Write facets, the mark and tags of the deployment in one request, where they are one document.
    Update {
        /// The mark that it was planned from; none where it has none, or somebody took it off.
        before: Option<Mark>,
        /// The mark that it carries afterwards; none where it is released.
        mark: Option<Mark>,
        /// Changes of the deployment's tags.
        tags: TagChanges,
        /// What is written of its facets.
        facets: Vec<FacetWrite>,
    },
    /// Delete everything inside.
    Empty {
        /// The mark that was planned from.
        mark: Mark,
    },
    /// Delete the resource.
    Delete {
        /// The mark that was planned from.
        mark: Mark,
    },
    /// Take our mark, and tags of the deployment, off a resource that stays.
    RemoveMark {
        /// The mark that was planned from; none where somebody took it off already.
        mark: Option<Mark>,
        /// The deployment's tags that go.
        tags: TagChanges,
    },
}

impl Operation {
    /// What is done, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let (kind, name) = (&self.kind, &self.name);
        match &self.verb {
            Verb::Create { .. } => format!("create {kind} `{name}`"),
            Verb::Adopt { .. } => format!("adopt {kind} `{name}`"),
            Verb::Write { value, .. } if self.has_one_facet && value.is_null() => format!("remove {kind} `{name}`"),
            Verb::Write { .. } if self.has_one_facet => format!("write {kind} `{name}`"),
            Verb::Write { facet, value, .. } if value.is_null() => format!("remove {facet} of {kind} `{name}`"),
            Verb::Write { facet, .. } => format!("write {facet} of {kind} `{name}`"),
            Verb::ReadMark { .. } | Verb::CheckMark { .. } => format!("read the tags of {kind} `{name}`"),
            Verb::WriteMark { .. } => format!("write the tags of {kind} `{name}`"),
            Verb::Empty { .. } => format!("empty {kind} `{name}`"),
            Verb::Delete { .. } => format!("delete {kind} `{name}`"),
            Verb::RemoveMark { .. } | Verb::Update { mark: None, .. } => format!("release {kind} `{name}`"),
            Verb::Update { before: None, .. } => format!("adopt {kind} `{name}`"),
            Verb::Update { facets, .. } if facets.is_empty() => format!("write the tags of {kind} `{name}`"),
            Verb::Update { facets, .. } => {
                let mut names: Vec<_> = facets.iter().map(|write| write.facet.as_str()).collect();
                names.dedup();
                format!("write {} of {kind} `{name}`", names.join(", "))
            }
        }
    }

    /// What it is done to, for people.
    pub(crate) fn what(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }

    /// When it waits for its turn in its lane.
    pub(crate) fn lane_mode(&self) -> Option<LaneMode> {
        self.lane.map(|lane| lane.mode)
    }

    /// Whether it changes the cloud.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self.verb, Verb::ReadMark { .. } | Verb::CheckMark { .. })
    }
}

//! What is planned, and what there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::mark::Tags;

/// What a plan file of this cloud says.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) deployment: String,
    pub(crate) was: Option<String>,
    pub(crate) bucket: String,
    pub(crate) adopt: bool,
    pub(crate) private: bool,
    pub(crate) versioning: Option<bool>,
    pub(crate) host: String,
    pub(crate) queue: Option<String>,
    pub(crate) wait: u64,
    pub(crate) principal: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) protect: bool,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            deployment: "wandb".to_owned(),
            was: None,
            bucket: "files".to_owned(),
            adopt: false,
            private: false,
            versioning: None,
            host: "host".to_owned(),
            queue: Some("events".to_owned()),
            wait: 10,
            principal: Some("node".to_owned()),
            tags: BTreeMap::new(),
            protect: false,
        }
    }
}

/// Something with tags.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thing {
    pub(crate) tags: Tags,
    pub(crate) versioning: bool,
    pub(crate) wait: Option<u64>,
    /// Statements by their id.
    pub(crate) policy: Vec<(String, String)>,
    pub(crate) rules: Vec<String>,
    pub(crate) notifications: Vec<String>,
    /// Role and member.
    pub(crate) senders: Vec<(String, String)>,
    pub(crate) objects: u64,
}

/// Everything there is. Things are known by `bucket/NAME` and `queue/NAME`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) things: BTreeMap<String, Thing>,
    /// Role and member, outside of any thing.
    pub(crate) grants: Vec<(String, String)>,
    /// Names that belong to another account.
    pub(crate) elsewhere: BTreeSet<String>,
}

impl World {
    pub(crate) fn thing(&mut self, identity: &str) -> &mut Thing {
        self.things.entry(identity.to_owned()).or_default()
    }
}

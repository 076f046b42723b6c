//! The managed things, a file each: what it is, what is wanted, what is seen, how it is made, written and deleted.

pub(crate) mod resource_group;
pub(crate) mod container;
pub(crate) mod cors;
pub(crate) mod queue;
pub(crate) mod events;
pub(crate) mod access;
pub(crate) mod account;

use provision_core::resource::{Creation, Extent, Facet, Lane, Resource, Sharing, Turns, Want};
use provision_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::config::Settings;
use crate::names::Part;

/// Writes to the account itself go one at a time: the service answers two at once with
/// `StorageAccountOperationInProgress`, or with throttling although it carries them out
/// (<https://github.com/Azure/azure-cli/issues/31148>). The Blob service's properties are such a write, and a new event
/// subscription makes one.
const ACCOUNT_LANE: Lane = Lane { name: "account", turns: Turns::Always };

/// What is in the account is a thing of its own, with metadata of its own: containers and queues are made and marked at the
/// same time. Should the service say `StorageAccountOperationInProgress` all the same, that is a conflict like any other, and
/// from then on they take turns with everything else in the lane.
const CONTENT_LANE: Lane = Lane { turns: Turns::AfterConflict, ..ACCOUNT_LANE };

/// A part as a resource of its own; what is not so is set on it.
fn of(part: Part, name: &str, facets: &'static [&'static Facet]) -> Resource {
    Resource::new(part.address(), part.kind(), name, facets)
}

/// What a write is about.
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
}

/// A facet of one value that the creating call sets.
const fn included(name: &'static str, key: char, extent: Extent) -> Facet {
    Facet { name, key, extent, sharing: Sharing::Exclusive, creation: Creation::SameCall }
}

/// The deployment's tags, where there are any.
fn wanted_tags(facet: &'static Facet, settings: &Settings) -> Option<Want> {
    let value = json!(settings.tags());
    (!settings.tags().is_empty()).then(|| Want { facet, value, path: "deployment.tags".to_owned() })
}

/// What no version of ours ever sends: a facet that there is none of, a verb that a part does not know.
pub(crate) fn ours(what: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{what}: this is a bug in provision"))
}

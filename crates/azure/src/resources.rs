//! The managed things, a file each: what it is, what is wanted, what is seen, how it is made, written and deleted.

#[macro_use]
mod facets;
pub(crate) mod resource_group;
pub(crate) mod container;
pub(crate) mod cors;
pub(crate) mod queue;
pub(crate) mod events;
pub(crate) mod access;
pub(crate) mod account;

use provision_core::resource::{Facet, Lane, Resource, Turns, Want};
use serde_json::{Value, json};

use self::facets::PartFacet;
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
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
}

/// The deployment's tags, where there are any.
fn wanted_tags(facet: impl PartFacet, settings: &Settings) -> Option<Want> {
    (!settings.tags().is_empty()).then(|| facet.want(json!(settings.tags()), "deployment.tags"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        for facets in [resource_group::FACETS, account::FACETS, container::FACETS, queue::FACETS] {
            let entries = [cors::FACETS, events::FACETS, access::FACETS].concat();
            let facets = [facets, &entries].concat();
            let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }
}

//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

use provision_core::facet::{Desired, Facet, Observed};
use provision_core::resource::{Lane, LaneMode};
use provision_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::Settings;

/// The facets of one kind of resource, in the order in which people read them: name, key in the mark, extent, whose, and how
/// it is made. A `match` on them has no `_`: a new one stops the build in each function that has to answer for it.
macro_rules! facets {
    ($(#[$doc:meta])* $visibility:vis enum $kind:ident {
        $($facet:ident = ($name:literal, $key:expr, $extent:ident, $sharing:ident, $creation:ident),)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $kind {
            $($facet,)+
        }

        impl crate::resources::Facets for $kind {
            const EACH: &'static [Self] = &[$(Self::$facet,)+];
            const ALL: &'static [&'static provision_core::facet::Facet] = &[$(
                &provision_core::facet::Facet {
                    name: $name,
                    key: $key,
                    extent: provision_core::facet::Extent::$extent,
                    sharing: provision_core::facet::Sharing::$sharing,
                    creation: provision_core::facet::Creation::$creation,
                },
            )+];

            fn spec(self) -> &'static provision_core::facet::Facet {
                Self::ALL[self as usize]
            }
        }
    };
}

pub(crate) mod resource_group;
pub(crate) mod container;
pub(crate) mod cors;
pub(crate) mod queue;
pub(crate) mod events;
pub(crate) mod access;
pub(crate) mod account;

/// Writes to the account itself go one at a time: the service answers two at once with
/// `StorageAccountOperationInProgress`, or with throttling although it carries them out
/// (<https://github.com/Azure/azure-cli/issues/31148>). The Blob service's properties are such a write, and a new event
/// subscription makes one.
const ACCOUNT_LANE: Lane = Lane { name: "account", mode: LaneMode::Always };

/// What is in the account is a thing of its own, with metadata of its own: containers and queues are made and marked at the
/// same time. Should the service say `StorageAccountOperationInProgress` all the same, that is a conflict like any other, and
/// from then on they take turns with everything else in the lane.
const CONTENT_LANE: Lane = Lane { mode: LaneMode::AfterConflict, ..ACCOUNT_LANE };

/// What `facets!` makes.
pub(crate) trait Facets: Copy + 'static {
    /// Every one that the kind can have.
    const EACH: &'static [Self];
    /// The same as the core knows them.
    const ALL: &'static [&'static Facet];

    /// As the core knows it.
    fn spec(self) -> &'static Facet;

    /// Its name in messages and change sets.
    fn name(self) -> &'static str {
        self.spec().name
    }

    /// The facet of this name.
    fn of(name: &str) -> Result<Self, Error> {
        let found = Self::EACH.iter().copied().find(|facet| facet.name() == name);
        found.ok_or_else(|| ours(&format!("facet `{name}` is unknown")))
    }

    /// A desired value; `path` is the plan file's key that decides it.
    fn desired(self, value: impl Serialize, path: &str) -> Desired {
        Desired { facet: self.spec(), value: json!(value), path: path.to_owned() }
    }

    /// What is observed of each.
    fn all_observed(look: impl Fn(Self) -> Observed) -> Vec<(&'static str, Observed)> {
        Self::EACH.iter().map(|facet| (facet.name(), look(*facet))).collect()
    }
}

/// What a write is about.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
}

/// The deployment's tags, where there are any.
fn wanted_tags(facet: impl Facets, settings: &Settings) -> Option<Desired> {
    (!settings.tags().is_empty()).then(|| facet.desired(settings.tags(), "deployment.tags"))
}

/// A value as its facet has it.
fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| ours(&format!("a value cannot be read ({error})")))
}

/// What no version of ours ever sends: a facet that there is none of, a verb that a part does not know.
pub(crate) fn ours(what: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{what}: this is a bug in provision"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::access::AccessFacet;
    use super::account::AccountFacet;
    use super::container::ContainerFacet;
    use super::cors::CorsFacet;
    use super::events::EventsFacet;
    use super::queue::QueueFacet;
    use super::resource_group::GroupFacet;

    #[test]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        let entries = [CorsFacet::ALL, EventsFacet::ALL, AccessFacet::ALL].concat();
        for facets in [GroupFacet::ALL, AccountFacet::ALL, ContainerFacet::ALL, QueueFacet::ALL] {
            let facets = [facets, &entries].concat();
            let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }
}

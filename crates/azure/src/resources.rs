//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

use provision_core::facet::Desired;
pub(crate) use provision_core::facet::{Facets, typed};
pub(crate) use provision_core::provider::Write;
use provision_core::resource::{Lane, LaneMode};

use crate::config::Settings;

pub(crate) mod resource_group;
pub(crate) mod blob_service;
pub(crate) mod shared_account;
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

/// The deployment's tags, where there are any.
fn wanted_tags(facet: impl Facets, settings: &Settings) -> Option<Desired> {
    (!settings.tags().is_empty()).then(|| facet.desired(settings.tags(), "deployment.tags"))
}

#[cfg(test)]
mod tests {
    use provision_core::facet::{Facet, Facets as _, assert_distinct_keys};

    use super::access::AccessFacet;
    use super::account::AccountFacet;
    use super::container::ContainerFacet;
    use super::cors::CorsFacet;
    use super::events::EventsFacet;
    use super::queue::QueueFacet;
    use super::resource_group::GroupFacet;

    const fn beside_entries(facets: &[&Facet]) {
        assert_distinct_keys(&[facets, CorsFacet::ALL, EventsFacet::ALL, AccessFacet::ALL]);
    }

    // Entries are on record in every mark.
    const _: () = beside_entries(GroupFacet::ALL);
    const _: () = beside_entries(AccountFacet::ALL);
    const _: () = beside_entries(ContainerFacet::ALL);
    const _: () = beside_entries(QueueFacet::ALL);
}

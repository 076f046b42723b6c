//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

use provision_core::facet::assert_distinct_keys;
pub(crate) use provision_core::facet::{Facets, typed};
pub(crate) use provision_core::provider::Write;

pub(crate) mod cors;
pub(crate) mod bucket;
pub(crate) mod queue;
pub(crate) mod run_queue;
pub(crate) mod notification;
pub(crate) mod access;

// What one mark has on record.
const _: () = assert_distinct_keys(&[bucket::BucketFacet::ALL, notification::NotificationFacet::ALL]);
const _: () = assert_distinct_keys(&[queue::QueueFacet::ALL]);
const _: () = assert_distinct_keys(&[access::AccessFacet::ALL]);

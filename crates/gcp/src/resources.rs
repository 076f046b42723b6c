//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

use provision_core::facet::assert_distinct_keys;
pub(crate) use provision_core::facet::{Facets, typed};
pub(crate) use provision_core::provider::Write;

pub(crate) mod cors;
pub(crate) mod bucket_settings;
pub(crate) mod bucket;
pub(crate) mod topic;
pub(crate) mod reattachment;
pub(crate) mod subscription;
pub(crate) mod notification;
pub(crate) mod access;

/// The most labels of a resource (<https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>,
/// <https://cloud.google.com/pubsub/docs/create-topic-subscription-labels>).
const MOST_LABELS: usize = 64;

// What one mark has on record.
const _: () = assert_distinct_keys(&[bucket::BucketFacet::ALL, notification::NotificationFacet::ALL]);
const _: () = assert_distinct_keys(&[topic::TopicFacet::ALL]);
const _: () = assert_distinct_keys(&[subscription::SubscriptionFacet::ALL]);
const _: () = assert_distinct_keys(&[access::AccessFacet::ALL]);

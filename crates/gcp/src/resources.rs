//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

pub(crate) use provision_core::facet::{Facets, typed};
pub(crate) use provision_core::provider::Write;

pub(crate) mod cors;
pub(crate) mod bucket_settings;
pub(crate) mod delivery;
pub(crate) mod bucket_policy;
pub(crate) mod bucket;
pub(crate) mod topic;
pub(crate) mod reattachment;
pub(crate) mod subscription;
pub(crate) mod notification;
pub(crate) mod access;

/// The most labels of a resource (<https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>,
/// <https://cloud.google.com/pubsub/docs/create-topic-subscription-labels>).
const MOST_LABELS: usize = 64;

#[cfg(test)]
mod tests {
    use provision_core::facet::{Facets as _, assert_distinct_keys};

    // What the bucket's mark has on record.
    const _: () = assert_distinct_keys(&[super::bucket::BucketFacet::ALL, super::notification::NotificationFacet::ALL]);
}

//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

pub(crate) use provision_core::facet::{Facets, typed};
use serde_json::Value;

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

/// What a write is about.
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
    /// This run made what is written to.
    pub(crate) just_created: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::access::AccessFacet;
    use super::bucket::BucketFacet;
    use super::notification::NotificationFacet;
    use super::subscription::SubscriptionFacet;
    use super::topic::TopicFacet;

    #[test]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        let on_bucket = [BucketFacet::ALL, NotificationFacet::ALL].concat();
        for facets in [&on_bucket, TopicFacet::ALL, SubscriptionFacet::ALL, AccessFacet::ALL] {
            let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }
}

//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

pub(crate) use provision_core::facet::{Facets, typed};
use serde_json::Value;

pub(crate) mod cors;
pub(crate) mod encryption;
pub(crate) mod bucket;
pub(crate) mod delivery;
pub(crate) mod queue;
pub(crate) mod run_queue;
pub(crate) mod notification;
pub(crate) mod access;

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

    #[test]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        let on_bucket = [bucket::BucketFacet::ALL, notification::NotificationFacet::ALL].concat();
        for facets in [&on_bucket, queue::QueueFacet::ALL, access::AccessFacet::ALL] {
            let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }
}

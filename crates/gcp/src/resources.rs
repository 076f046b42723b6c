//! The managed things, a file each: what it is, what is wanted, what is seen, how it is made, written and deleted.

pub(crate) mod bucket;
pub(crate) mod topic;
pub(crate) mod reattachment;
pub(crate) mod subscription;
pub(crate) mod notification;
pub(crate) mod access;

use provision_core::{Error, ErrorKind};
use serde_json::Value;

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

/// What no version of ours ever sends: a facet that there is none of, a value that no request can be made from.
pub(crate) fn ours(what: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{what}: this is a bug in provision"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::mark::Origin;
    use provision_core::resource::Want;

    use crate::names::tests::{full_settings, names};

    #[test]
    fn keys_of_facets_are_unique_in_the_ledger_that_has_them() {
        let on_bucket = [&bucket::FACETS[..], &notification::FACETS[..]].concat();
        let ledgers = [on_bucket, topic::FACETS.to_vec(), subscription::FACETS.to_vec(), access::FACETS.to_vec()];
        for facets in ledgers {
            let mut keys: Vec<_> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }

    #[test]
    fn every_facet_wanted_is_one_that_its_kind_can_have() {
        let (settings, names) = (full_settings(), names());
        let of = |facets: &[&'static provision_core::resource::Facet], wants: Vec<Want>| {
            assert!(wants.iter().all(|want| facets.contains(&want.facet)));
        };
        of(&bucket::FACETS, bucket::want(&settings, Origin::Created));
        of(&topic::FACETS, topic::want(&settings, &names));
        of(&subscription::FACETS, subscription::want(&settings, &names, Origin::Created));
        of(&notification::FACETS, notification::want(&names));
        of(&access::FACETS, access::want(&settings));
    }
}

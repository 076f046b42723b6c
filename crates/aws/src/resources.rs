//! The managed things, a file each: what it is, what is wanted, what is seen, how it is made, written and deleted.

pub(crate) mod bucket;
pub(crate) mod queue;
pub(crate) mod run_queue;
pub(crate) mod notification;
pub(crate) mod access;

use provision_core::{Error, ErrorKind};
use serde_json::Value;

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

    #[test]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        let facets = [&bucket::FACETS[..], &notification::FACETS[..]].concat();
        let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), facets.len());
    }
}

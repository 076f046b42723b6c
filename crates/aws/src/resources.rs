//! The managed things, a file each: what it is, what is desired, what is observed, how it is made, written and deleted.

use provision_core::facet::{Desired, Entries, Facet, Observed};
use provision_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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

            fn of(name: &str) -> Result<Self, provision_core::Error> {
                match name {
                    $($name => Ok(Self::$facet),)+
                    other => Err(crate::resources::ours(&format!("facet `{other}` is unknown"))),
                }
            }
        }
    };
}

pub(crate) mod cors;
pub(crate) mod bucket;
pub(crate) mod queue;
pub(crate) mod run_queue;
pub(crate) mod notification;
pub(crate) mod access;

/// What `facets!` makes.
pub(crate) trait Facets: Copy + 'static {
    /// Every one that the kind can have.
    const EACH: &'static [Self];

    /// The same, as the core knows them.
    const ALL: &'static [&'static Facet];

    /// As the core knows it.
    fn spec(self) -> &'static Facet;

    /// The facet of this name.
    fn of(name: &str) -> Result<Self, Error>;

    /// A desired value; `path` is the plan file's key that decides it.
    fn desired(self, value: impl Serialize, path: &str) -> Desired {
        Desired { facet: self.spec(), value: json!(value), path: path.to_owned() }
    }

    /// A value that was read, or not.
    fn observed(self, read: Result<impl Serialize, Error>) -> (&'static str, Observed) {
        (self.spec().name, read.map_or_else(Observed::Unknown, |value| Observed::Value(json!(value))))
    }

    /// Entries of everybody that were read, or not.
    fn entries(self, read: Result<Entries, Error>) -> (&'static str, Observed) {
        (self.spec().name, read.map_or_else(Observed::Unknown, Observed::Entries))
    }
}

/// What a write is about.
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
    /// This run made what is written to.
    pub(crate) just_created: bool,
}

/// A value as its facet has it.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| ours(&format!("a value cannot be read ({error})")))
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
        let on_bucket = [bucket::BucketFacet::ALL, notification::NotificationFacet::ALL].concat();
        for facets in [&on_bucket, queue::QueueFacet::ALL, access::AccessFacet::ALL] {
            let mut keys: Vec<char> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }
}

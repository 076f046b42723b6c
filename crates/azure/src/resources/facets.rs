//! The facets of a part as an enum: a `match` on one has no `_`, so that a new facet stops the build until each function
//! answers for it.

use provision_core::Error;
use provision_core::resource::{Facet, Seen, Want};
use serde_json::Value;

use crate::error::ours;

/// The facets of a part.
pub(super) trait PartFacet: Copy + 'static {
    /// Each of them, in the order in which people read.
    const ALL: &'static [Self];
    /// The same as the core knows them.
    const SPECS: &'static [&'static Facet];

    /// As the core knows it.
    fn spec(self) -> &'static Facet;

    /// Its name in messages and change sets.
    fn name(self) -> &'static str {
        self.spec().name
    }

    /// The facet that has a name.
    fn of(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().copied().find(|facet| facet.name() == name);
        found.ok_or_else(|| ours(&format!("facet `{name}` is unknown")))
    }

    /// What is wanted of it; `path` is the plan file's key that decides.
    fn want(self, value: Value, path: &str) -> Want {
        Want { facet: self.spec(), value, path: path.to_owned() }
    }

    /// What is seen of each.
    fn seen(look: impl Fn(Self) -> Seen) -> Vec<(&'static str, Seen)> {
        Self::ALL.iter().map(|facet| (facet.name(), look(*facet))).collect()
    }
}

/// Facets by name, key in the mark, extent, sharing and creation.
macro_rules! facets {
    ($(#[$docs:meta])* enum $part:ident {
        $($facet:ident = ($name:literal, $key:literal, $extent:expr, $sharing:expr, $creation:expr),)+
    }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum $part {
            $($facet,)+
        }

        impl super::PartFacet for $part {
            const ALL: &'static [Self] = &[$(Self::$facet,)+];
            const SPECS: &'static [&'static provision_core::resource::Facet] = &[$(
                &provision_core::resource::Facet {
                    name: $name,
                    key: $key,
                    extent: $extent,
                    sharing: $sharing,
                    creation: $creation,
                },
            )+];

            fn spec(self) -> &'static provision_core::resource::Facet {
                Self::SPECS[self as usize]
            }
        }
    };
}

//! The parts of a deployment, of which each cloud has its own.

/// The parts of a cloud's deployments, in the order in which people read them: address, and noun for messages. Each of them is
/// in `ALL`; a `match` on them has no `_`, so that a new one stops the build in each function that has to answer for it.
#[macro_export]
macro_rules! parts {
    ($(#[$doc:meta])* $visibility:vis enum $kind:ident {
        $($(#[$about:meta])* $part:ident = ($address:literal, $noun:literal),)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $kind {
            $($(#[$about])* $part,)+
        }

        impl $kind {
            /// Each of them, in the order in which people read.
            $visibility const ALL: [Self; [$($address),+].len()] = [$(Self::$part),+];

            /// Its stable name.
            $visibility const fn address(self) -> $crate::Address {
                $crate::Address::new(match self {
                    $(Self::$part => $address,)+
                })
            }

            /// The noun for messages.
            $visibility const fn kind(self) -> &'static str {
                match self {
                    $(Self::$part => $noun,)+
                }
            }

            /// A part of this name as a resource; what is special about it is set on that.
            $visibility fn resource(
                self,
                name: &str,
                facets: &'static [&'static $crate::facet::Facet],
            ) -> $crate::resource::Resource {
                $crate::resource::Resource::new(self.address(), self.kind(), name, facets)
            }

            /// An entry is in a document of something else, and has no tags: it is written, and that is all.
            $visibility fn as_a_whole(self) -> $crate::Error {
                $crate::Error::bug(&format!("{} is taken for more than an entry", self.address()))
            }

            /// The part that an address of the core's names.
            $visibility fn of(address: &$crate::Address) -> Result<Self, $crate::Error> {
                let found = Self::ALL.into_iter().find(|part| part.address() == *address);
                found.ok_or_else(|| $crate::Error::bug(&format!("{address} is no part")))
            }
        }
    };
}

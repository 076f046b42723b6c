//! A container, as Resource Manager tells of it.

use provision_core::mark::Tags;
use serde::Deserialize;

use super::texts;

/// A container <https://learn.microsoft.com/rest/api/storagerp/blob-containers/get#blobcontainer>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Container {
    properties: ContainerProperties,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerProperties {
    public_access: Option<String>,
    lease_state: Option<String>,
    has_legal_hold: Option<bool>,
    has_immutability_policy: Option<bool>,
    #[serde(default, deserialize_with = "texts")]
    metadata: Option<Tags>,
}

impl Container {
    /// What keeps it from being deleted, whatever is in it.
    pub(crate) fn held(&self) -> Option<Held> {
        match (self.properties.has_legal_hold, self.properties.lease_state.as_deref()) {
            (Some(true), _) => Some(Held::Legally),
            // One that is being broken is held until then.
            (_, Some("Leased" | "Breaking")) => Some(Held::Leased),
            _ => None,
        }
    }

    /// What keeps each blob in it from being deleted, once it is written
    /// <https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies>.
    pub(crate) fn keeping(&self) -> Option<Keeping> {
        match (self.properties.has_legal_hold, self.properties.has_immutability_policy) {
            (Some(true), _) => Some(Keeping::LegalHold),
            (_, Some(true)) => Some(Keeping::ImmutabilityPolicy),
            _ => None,
        }
    }

    /// What the public may read of it; `None` is nothing.
    pub(crate) fn public_access(&self) -> Option<&str> {
        self.properties.public_access.as_deref()
    }

    /// Its metadata.
    pub(crate) const fn metadata(&self) -> Option<&Tags> {
        self.properties.metadata.as_ref()
    }
}

/// What holds a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// <https://learn.microsoft.com/azure/storage/blobs/immutable-legal-hold-overview>
    Legally,
    /// <https://learn.microsoft.com/rest/api/storageservices/lease-container>
    Leased,
}

/// What keeps the blobs of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    LegalHold,
    ImmutabilityPolicy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn container_is_held_by_its_lease_until_that_is_broken() {
        let held = |state: &str, hold: bool| {
            let found = json!({"id": "/c", "properties": {"leaseState": state, "hasLegalHold": hold}});
            serde_json::from_value::<Container>(found).unwrap().held()
        };
        assert_eq!([held("Leased", false), held("Breaking", false)], [Some(Held::Leased); 2]);
        assert_eq!([held("Available", false), held("Broken", false), held("Expired", false)], [None; 3]);
        assert_eq!(held("Leased", true), Some(Held::Legally));
    }

    #[test]
    fn blobs_are_kept_by_a_legal_hold_or_an_immutability_policy() {
        let keeping = |hold: bool, policy: bool| {
            let found = json!({"id": "/c", "properties": {"hasLegalHold": hold, "hasImmutabilityPolicy": policy}});
            serde_json::from_value::<Container>(found).unwrap().keeping()
        };
        assert_eq!((keeping(true, true), keeping(false, false)), (Some(Keeping::LegalHold), None));
        assert_eq!(keeping(false, true), Some(Keeping::ImmutabilityPolicy));
    }
}

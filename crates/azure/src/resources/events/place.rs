//! Where event subscriptions are written and deleted, on whose rights that depends: on the account itself, or on its system topic.

use std::sync::{Mutex, PoisonError};

use crate::names::identity_of;

/// What the look found.
#[derive(Debug, Default)]
pub(crate) struct Place(Mutex<Option<Found>>);

#[derive(Debug)]
struct Found {
    collection: String,
    ours: Vec<String>,
}

impl Place {
    /// Where a new one goes, and the ids of ours.
    pub(super) fn note(&self, collection: &str, ours: impl Iterator<Item = String>) {
        let found = Found { collection: collection.to_owned(), ours: ours.collect() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// What an event subscription of this name is written on: where it is, or where it goes. `None` before the look.
    pub(crate) fn written_on(&self, name: &str) -> Option<String> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.as_ref()?;
        let current = found.ours.iter().find(|id| id.rsplit('/').next() == Some(name));
        Some(source(current.map_or(found.collection.as_str(), String::as_str)))
    }

    /// What ours are deleted from. `None` before the look.
    pub(crate) fn deleted_from(&self) -> Option<Vec<String>> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sources: Vec<_> = found.as_ref()?.ours.iter().map(|id| source(id)).collect();
        sources.dedup();
        Some(sources)
    }
}

/// The account or system topic of an event subscription, or of a collection of them, however the service spells it.
fn source(id: &str) -> String {
    let (end, spelled) =
        (["/providers/microsoft.eventgrid/eventsubscriptions", "/eventsubscriptions"], identity_of(id));
    let place = end.iter().find_map(|end| spelled.find(end));
    id[..place.unwrap_or(id.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_the_account_or_its_topic() {
        let (account, topic) =
            ("/g/providers/Microsoft.Storage/storageAccounts/a", "/g/providers/Microsoft.EventGrid/systemTopics/t");
        let place = Place::default();
        assert_eq!((place.written_on("e"), place.deleted_from()), (None, None));
        let (direct, nested) = (
            format!("{account}/providers/Microsoft.EventGrid/eventSubscriptions"),
            format!("{topic}/eventSubscriptions"),
        );
        place.note(&nested, [format!("{direct}/e")].into_iter());
        assert_eq!(place.written_on("e").as_deref(), Some(account));
        assert_eq!(place.written_on("other").as_deref(), Some(topic));
        assert_eq!(place.deleted_from().unwrap(), [account]);
        place.note(&nested, [format!("{nested}/e").replace("eventS", "EVENTS"), format!("{nested}/f")].into_iter());
        assert_eq!(place.deleted_from().unwrap(), [topic]);
    }
}

//! `azure.queue`: the storage queue where events wait.

use provision_core::Error;
use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words};
use provision_core::mark::{Mark, Tags};
use provision_core::provider::Created;
use provision_core::resource::{Observation, Present, Resource};
use serde_json::json;

use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::names::{Names, Part, identity_of};
use crate::resources::{CONTENT_LANE, Facets};
use crate::tags::{metadata, to_metadata};

provision_core::facets! {
    /// A queue has nothing to set; where it is tells that it is.
    pub(crate) enum QueueFacet {
        Account = ("account", 'a', Whole, Exclusive, SameCall),
    }
}

/// The queue, where there is one.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    let queue = names.queue.as_ref()?;
    Some(Resource {
        identity: identity_of(&names.queue_id(queue)),
        adopt: settings.azure.queue.adopt,
        needs: vec![Part::Account.address()],
        deleted_after: [Part::Container, Part::Events, Part::Access].map(Part::address).into(),
        lane: Some(CONTENT_LANE),
        ..Part::Queue.resource(queue, QueueFacet::ALL)
    })
}

/// The desired facets.
pub(crate) fn desired(settings: &Settings) -> Vec<Desired> {
    QueueFacet::all_desired(|facet| match facet {
        QueueFacet::Account => Some(facet.desired(&settings.azure.account.name, "azure.account.name")),
    })
}

/// A facet in words.
pub(crate) const fn in_words(facet: QueueFacet) -> Option<Words> {
    match facet {
        QueueFacet::Account => None,
    }
}

pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let queue = names.queue.as_deref().unwrap_or_default();
    let Some(found) = reader.get_queue(&names.queue_id(queue)).await? else { return Ok(Observation::Absent) };
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&metadata(found.metadata())),
        observed: QueueFacet::all_observed(|facet| match facet {
            QueueFacet::Account => facet.observed(Ok(&names.account)),
        }),
        ..Present::default()
    })))
}

/// Create the queue with its mark. The call would replace the metadata of one that exists, and answers the same either way,
/// so it is looked for right before.
pub(crate) async fn create(writer: &Writer, names: &Names, queue: &str, tags: &Tags) -> Result<Created, Error> {
    let id = names.queue_id(queue);
    if writer.reader().get_queue(&id).await?.is_some() {
        return Ok(Created::Existed);
    }
    writer.put_queue(&id, &json!({"properties": {"metadata": to_metadata(tags)}})).await?;
    Ok(Created::Made)
}

/// Its metadata; `None` if it is not there.
pub(crate) async fn tags(reader: &Reader, names: &Names, queue: &str) -> Result<Option<Tags>, Error> {
    let found = reader.get_queue(&names.queue_id(queue)).await?;
    Ok(found.map(|found| metadata(found.metadata())))
}

/// All metadata at once: the call replaces it.
pub(crate) async fn replace_tags(writer: &Writer, names: &Names, queue: &str, tags: &Tags) -> Result<(), Error> {
    let body = json!({"properties": {"metadata": to_metadata(tags)}});
    writer.patch_queue(&names.queue_id(queue), &body).await
}

/// Messages that wait go with the queue.
pub(crate) async fn delete(
    writer: &Writer,
    names: &Names,
    queue: &str,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    context.still_ours().await?;
    writer.delete_queue(&names.queue_id(queue)).await
}

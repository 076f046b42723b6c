//! `azure.queue`: the storage queue where events wait.

use provision_core::Error;
use provision_core::facet::{Extent, Facet, Seen, Want};
use provision_core::mark::{Mark, Tags};
use provision_core::provider::Created;
use provision_core::resource::{Observation, Present};
use serde_json::json;

use crate::client::{Read as _, Reader, Writer};
use crate::config::Settings;
use crate::provider::Names;
use crate::resources::resource_group::included;
use crate::tags::{metadata, to_metadata};

/// A queue has nothing to set; where it is tells that it is.
static ACCOUNT: Facet = included("account", 'a', Extent::Whole);
pub(crate) static FACETS: &[&Facet] = &[&ACCOUNT];

/// What is wanted.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    let account = json!(settings.azure.account.name);
    vec![Want { facet: &ACCOUNT, value: account, path: "azure.account.name".to_owned() }]
}

pub(crate) async fn observe(reader: &Reader, names: &Names) -> Result<Observation, Error> {
    let queue = names.queue.as_deref().unwrap_or_default();
    let Some(found) = reader.get_queue(&names.queue_id(queue)).await? else { return Ok(Observation::Absent) };
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&metadata(&found)),
        seen: vec![(ACCOUNT.name, Seen::Value(json!(names.account)))],
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

//! `azure.queue`: the storage queue where events wait.

use provision_core::Error;
use provision_core::mark::Mark;
use provision_core::resource::{AtCreation, Facet, Observation, Present, Seen, Shape, Want};
use serde_json::json;

use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::provider::{Names, appeared, identity_of, metadata, to_metadata};

/// A queue has nothing to set; where it is tells that it is.
static ACCOUNT: Facet = Facet { name: "account", key: 'a', shape: Shape::Whole, at_creation: AtCreation::Included };

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

/// Create the queue with its mark.
pub(crate) async fn create(writer: &Writer, names: &Names, queue: &str, mark: &Mark) -> Result<(), Error> {
    let id = names.queue_id(queue);
    let body = json!({"properties": {"metadata": to_metadata(&mark.to_tags())}});
    let created = writer.put_queue(&id, &body).await?;
    match Mark::from_tags(&metadata(&created)) {
        Some(found) if found.deployment != mark.deployment || !found.is_for(&identity_of(&id)) => {
            Err(appeared("queue", queue))
        }
        _ => Ok(()),
    }
}

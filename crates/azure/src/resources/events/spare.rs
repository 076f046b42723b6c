//! An event subscription of ours that failed, or that has an end, is made again: no write mends it.
//!
//! What it has is put into a spare first, which goes once the new one has it all: a run that is stopped in between leaves the
//! spare to the next one. The spare delivers what the new one will. As long as both do, the server may hear of a file twice, as
//! it may at any time: "Event Grid tries to deliver each message at least once"
//! (<https://learn.microsoft.com/azure/event-grid/delivery-and-retry>).

use std::sync::{Mutex, PoisonError};

use provision_core::{Error, ErrorKind, RetryClass};

use super::subscription::{DONE, Delivery, Found, body, spare_name};
use crate::client::Writer;
use crate::client::models::EventSubscription;
use crate::names::Names;

/// The name of a spare that the look found.
#[derive(Debug, Default)]
pub(crate) struct LeftSpare(Mutex<Option<String>>);

impl LeftSpare {
    /// What the look found.
    pub(super) fn note(&self, spare: Option<&Found>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = spare.map(|spare| spare.name().to_owned());
    }

    /// What is said of it.
    pub(crate) fn warning(&self) -> Option<String> {
        let name = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(format!(
            "event subscription `{name}` is left of a run that was stopped while it made this deployment's again: apply gives \
             back what others had put on that, and deletes it; destroy deletes it"
        ))
    }
}

/// Make it again as desired; gives the id of the spare, which is to go. Nothing is deleted that the service would not take
/// again, nor what somebody else has changed since it was put into the spare: what is changed between the look at that and the
/// deletion is lost.
pub(super) async fn make_again(
    writer: &Writer,
    names: &Names,
    found: &Found,
    spare: Option<&Found>,
    desired: &Delivery,
) -> Result<String, Error> {
    let (reader, own) = (writer.reader(), found.id());
    let before = reader.get_event_subscription(&own).await?;
    let body = body(names, before.as_ref().or(Some(&found.item)), desired);
    let id = keep(writer, names, found, spare, &body).await?;
    if reader.get_event_subscription(&own).await? != before {
        return Err(changed_meanwhile(found));
    }
    writer.delete_event_subscription(&own).await?;
    writer.put_event_subscription(&own, &body).await?;
    Ok(id)
}

/// Make the spare, or write it again; one that failed stays so, and is made anew.
async fn keep(
    writer: &Writer,
    names: &Names,
    found: &Found,
    spare: Option<&Found>,
    body: &EventSubscription,
) -> Result<String, Error> {
    if let Some(failed) = spare.filter(|spare| spare.state() != DONE) {
        writer.delete_event_subscription(&failed.id()).await?;
    }
    let id = spare.map_or_else(|| found.beside(&spare_name(&names.ids[0])), Found::id);
    writer.put_event_subscription(&id, body).await?;
    Ok(id)
}

fn changed_meanwhile(found: &Found) -> Error {
    let error = Error::new(ErrorKind::Conflict, format!("make event subscription `{}` again", found.name()));
    error
        .with_message("somebody else changed it meanwhile")
        .with_hint("run the same command again")
        .with_retry(RetryClass::Conflict)
}

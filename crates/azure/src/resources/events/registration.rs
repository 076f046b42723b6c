//! Whether Event Grid is registered in the subscription, without which there are no event subscriptions.

use std::time::Duration;

use provision_core::listing::Listings;
use provision_core::{Error, ErrorKind, RetryClass};
use tokio::sync::OnceCell;

use crate::client::{Reader, Writer};
use crate::error::allowed;
use crate::names::{EVENT_GRID, Names};

/// "Registration can take several minutes"
/// (<https://learn.microsoft.com/azure/event-grid/blob-event-quickstart-portal#register-the-event-grid-resource-provider>).
const REGISTERING: RetryClass = RetryClass::Settling {
    reason: "Microsoft.EventGrid is being registered in this subscription",
    budget: Duration::from_secs(900),
};

/// Whether the look found it registered.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    found: OnceCell<bool>,
    /// Where many deployments are looked at, which share the answer.
    listings: Option<Listings>,
}

impl Registration {
    /// The same for all the deployments of a subscription.
    pub(crate) fn shared(listings: Option<Listings>) -> Self {
        Self { listings, ..Self::default() }
    }

    /// Look, beside the other looks; apply registers it. A missing read permission is reported by the write that needs it.
    pub(crate) async fn look(&self, reader: &Reader, names: &Names) -> Result<(), Error> {
        let look = || async {
            let ask = reader.get_provider(&names.subscription, EVENT_GRID);
            let state = match &self.listings {
                Some(listings) => listings.said(&format!("{EVENT_GRID} of azure {}", names.subscription), ask).await,
                None => ask.await,
            };
            let state = allowed(state)?;
            Ok(state.is_none_or(|state| state == "Registered"))
        };
        if names.queue.is_some() {
            self.found.get_or_try_init(look).await?;
        }
        Ok(())
    }

    /// Whether the look found that it is not.
    pub(crate) fn is_missing(&self) -> bool {
        self.found.get() == Some(&false)
    }

    /// Check, register, and come back until it is done: the executor repeats the operation and says what it waits for.
    pub(crate) async fn ensure(&self, writer: &Writer, names: &Names) -> Result<(), Error> {
        if self.found.get() == Some(&true) {
            return Ok(());
        }
        let state = writer.reader().get_provider(&names.subscription, EVENT_GRID).await?;
        match state.as_str() {
            "Registered" => return Ok(()),
            "Registering" => {}
            _ => writer.register_provider(&names.subscription, EVENT_GRID).await.map_err(cannot_register)?,
        }
        let error = Error::new(ErrorKind::Unavailable, format!("use {EVENT_GRID}"));
        Err(error
            .with_message("its registration in this subscription is not done")
            .with_hint("it goes on by itself: run the same command again in a few minutes")
            .with_retry(REGISTERING))
    }
}

fn cannot_register(error: Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied => error.with_hint(format!(
            "ask somebody with rights on the subscription to run `az provider register --namespace {EVENT_GRID}`, or \
             grant `{EVENT_GRID}/register/action` on it; then run the same command again"
        )),
        _ => error,
    }
}

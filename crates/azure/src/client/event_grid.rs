//! Microsoft.EventGrid: event subscriptions and system topics.

use provision_core::Error;
use serde_json::json;

use super::models::{EventSubscription, SystemTopic};
use super::{Reader, Writer};
use crate::names::last;

/// <https://learn.microsoft.com/rest/api/eventgrid/>: the first with a queue message's time to live.
const VERSION: &str = "2022-06-15";

impl Reader {
    /// The event subscriptions of an account
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/list-by-resource>), or of a
    /// system topic
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topic-event-subscriptions/list-by-system-topic>).
    pub(crate) async fn list_event_subscriptions(
        &self,
        collection: &str,
    ) -> Result<Option<Vec<EventSubscription>>, Error> {
        self.list(collection, VERSION, "list the event subscriptions of the storage account").await
    }

    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/get>
    pub(crate) async fn get_event_subscription(&self, id: &str) -> Result<Option<EventSubscription>, Error> {
        self.get(id, VERSION, &format!("look at event subscription `{}`", last(id))).await
    }

    /// The system topics of a subscription
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/list-by-subscription>) or of a resource
    /// group (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/list-by-resource-group>).
    pub(crate) async fn list_system_topics(&self, scope: &str) -> Result<Option<Vec<SystemTopic>>, Error> {
        let text = format!("list the system topics of `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.EventGrid/systemTopics"), VERSION, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/get>
    pub(crate) async fn get_system_topic(&self, id: &str) -> Result<Option<SystemTopic>, Error> {
        self.get(id, VERSION, &format!("look at system topic `{}`", last(id))).await
    }
}

impl Writer {
    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>
    pub(crate) async fn put_event_subscription(&self, id: &str, body: &EventSubscription) -> Result<(), Error> {
        self.put(id, VERSION, &json!(body), &format!("write event subscription `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/delete>
    pub(crate) async fn delete_event_subscription(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete event subscription `{}`", last(id))).await
    }
}

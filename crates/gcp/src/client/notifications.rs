//! Calls of Cloud Storage for the notifications of a bucket, and for who sends them
//! <https://cloud.google.com/storage/docs/json_api/v1/notifications>.

use std::collections::BTreeMap;

use provision_core::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::expected::{Listed, nothing, page, parsed};
use crate::client::json::encoded;
use crate::client::storage::bucket_path;
use crate::client::{Reader, Writer};
use crate::error::{Call, absent};

/// A notification of a bucket's: the JSON API's resource, whose names are in snake case
/// <https://cloud.google.com/storage/docs/json_api/v1/notifications>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notification {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    /// `//pubsub.googleapis.com/projects/P/topics/T`.
    pub(crate) topic: String,
    pub(crate) payload_format: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) event_types: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) object_name_prefix: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) custom_attributes: BTreeMap<String, String>,
}

impl Listed for Notification {
    const ITEMS: &'static str = "items";
    const KIND: Option<&'static str> = Some("storage#notifications");

    fn id(&self) -> &str {
        if self.topic.is_empty() { "" } else { &self.id }
    }
}

/// What is read of a notification that was made.
#[derive(Debug, Deserialize)]
struct Inserted {
    id: String,
}

/// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount>
#[derive(Debug, Deserialize)]
struct ServiceAgent {
    email_address: String,
}

/// The id of a notification that was made.
fn inserted(answer: Value) -> Result<String, String> {
    let Inserted { id } = parsed(answer)?;
    if id.is_empty() { Err("it names no notification".to_owned()) } else { Ok(id) }
}

/// The email of a service agent.
fn email(answer: Value) -> Result<String, String> {
    let ServiceAgent { email_address: email } = parsed(answer)?;
    if email.contains('@') { Ok(email) } else { Err("it names no service account".to_owned()) }
}

/// The path of a bucket's notifications.
fn path_of(bucket: &str) -> String {
    format!("{}/notificationConfigs", bucket_path(bucket))
}

impl Reader {
    /// The email of the service agent that publishes for the project's buckets
    /// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get>.
    pub(crate) async fn get_service_agent(&self, project: &str) -> Result<String, Error> {
        let path = format!("/storage/v1/projects/{}/serviceAccount", encoded(project));
        let tried = format!("look up the Cloud Storage service agent of project `{project}`");
        let call = Call::new("GET", "storage.projects.serviceAccount.get", path, tried);
        self.clients.send(&self.clients.storage, &call, email).await
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/list>
    pub(crate) async fn list_notifications(&self, bucket: &str) -> Result<Vec<Notification>, Error> {
        let tried = format!("read the notifications of bucket `{bucket}`");
        let call = Call::new("GET", "storage.notificationConfigs.list", path_of(bucket), tried);
        // They have no pages.
        self.clients.send(&self.clients.storage, &call, page).await.map(|page| page.items)
    }
}

impl Writer {
    /// Never repeated by itself: Cloud Storage takes the same notification twice, and then every event comes twice. Gives its id
    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/insert>.
    pub(crate) async fn insert_notification(&self, bucket: &str, notification: &Notification) -> Result<String, Error> {
        let tried = format!("make the notification of bucket `{bucket}`");
        let call = Call::new("POST", "storage.notificationConfigs.insert", path_of(bucket), tried)
            .with_body(json!(notification));
        self.clients().once(&self.clients().storage, &call, inserted).await
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/delete>
    pub(crate) async fn delete_notification(&self, bucket: &str, id: &str) -> Result<(), Error> {
        let path = format!("{}/{}", path_of(bucket), encoded(id));
        let tried = format!("delete notification `{id}` of bucket `{bucket}`");
        let call = Call::new("DELETE", "storage.notificationConfigs.delete", path, tried);
        absent(self.clients().send(&self.clients().storage, &call, nothing).await).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_notifications_is_known_by_its_items_or_its_kind() {
        let read = |answer: Value| page::<Notification>(answer).map(|page| page.items.len()).ok();
        assert_eq!(read(json!({"kind": "storage#notifications"})), Some(0));
        assert_eq!(read(json!({"items": [{"id": "1", "topic": "t"}]})), Some(1));
        for answer in [json!({}), json!({"items": [{}]}), json!({"items": {}}), json!({"items": null})] {
            assert_eq!(read(answer.clone()), None, "{answer}");
        }
    }
}

//! Calls of Pub/Sub <https://cloud.google.com/pubsub/docs/reference/rest>.

use provision_core::Error;
use provision_core::mark::Tags;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::expected::{Listed, Named, named, nothing, page};
use crate::client::iam::{Policy, policy_path, set_policy, test_permissions, tested};
use crate::client::json::{Duration, page_parameter, path_of};
use crate::client::{PAGE, Pages, Reader, Writer};
use crate::error::{Call, absent, conditional};
use crate::names::short;

/// A topic <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics#Topic>, as far as it is read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Topic {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub(crate) labels: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema_settings: Option<SchemaSettings>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) message_transforms: Vec<Transform>,
    #[serde(skip_serializing)]
    pub(crate) message_storage_policy: Option<MessageStoragePolicy>,
}

/// Where messages may be kept <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics#MessageStoragePolicy>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MessageStoragePolicy {
    pub(crate) allowed_persistence_regions: Vec<String>,
}

/// Which messages a topic takes <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics#SchemaSettings>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SchemaSettings {
    pub(crate) schema: String,
}

/// What becomes of a message on its way <https://cloud.google.com/pubsub/docs/reference/rest/v1/MessageTransform>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Transform {
    pub(crate) disabled: bool,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// A subscription <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription>. One that is made again
/// has everything that it had, what is not known here too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Subscription {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) push_config: Option<PushConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ack_deadline_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_retention_duration: Option<Duration>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub(crate) labels: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiration_policy: Option<ExpirationPolicy>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) filter: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) detached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bigquery_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cloud_storage_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bigtable_config: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) message_transforms: Vec<Transform>,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// Where messages are pushed to; nowhere, they are pulled
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#PushConfig>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PushConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) push_endpoint: String,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// When a subscription goes of itself
/// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#ExpirationPolicy>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpirationPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<Duration>,
}

/// What has a full name, and stands in lists.
macro_rules! named {
    ($($message:ty, $items:literal);*) => {$(
        impl Named for $message {
            fn name(&self) -> &str {
                &self.name
            }
        }

        impl Listed for $message {
            const ITEMS: &'static str = $items;
            const KIND: Option<&'static str> = None;

            fn id(&self) -> &str {
                &self.name
            }
        }
    )*};
}
named!(Topic, "topics"; Subscription, "subscriptions");

/// A message that was pulled <https://cloud.google.com/pubsub/docs/reference/rest/v1/ReceivedMessage>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Received {
    pub(crate) ack_id: String,
    pub(crate) message: Message,
}

/// What is read of it <https://cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) attributes: Tags,
}

impl Listed for Received {
    const ITEMS: &'static str = "receivedMessages";
    const KIND: Option<&'static str> = None;

    fn id(&self) -> &str {
        &self.ack_id
    }
}

/// The full name of a subscription.
impl Listed for String {
    const ITEMS: &'static str = "subscriptions";
    const KIND: Option<&'static str> = None;

    fn id(&self) -> &str {
        self
    }
}

/// Where a page of a list is.
fn list_path(name: &str, what: &str, pages: &Pages) -> String {
    format!("{}/{what}?pageSize={PAGE}{}", path_of(name), page_parameter(&pages.token))
}

impl Reader {
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/get>
    pub(crate) async fn get_topic(&self, name: &str) -> Result<Option<Topic>, Error> {
        let tried = format!("look at topic `{}`", short(name));
        let call = Call::new("GET", "pubsub.topics.get", path_of(name), tried);
        absent(self.clients.send(&self.clients.pubsub, &call, |answer| named(answer, name)).await)
    }

    /// Every topic of a project <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/list>.
    pub(crate) async fn list_topics(&self, project: &str) -> Result<Vec<Topic>, Error> {
        let project = format!("projects/{project}");
        let call = |pages: &Pages| {
            let path = list_path(&project, "topics", pages);
            Call::new("GET", "pubsub.topics.list", path, "list the project's topics".to_owned())
        };
        self.clients.list(&self.clients.pubsub, call).await
    }

    /// The full names of what is attached to a topic
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics.subscriptions/list>.
    pub(crate) async fn list_topic_subscriptions(&self, topic: &str) -> Result<Vec<String>, Error> {
        let call = |pages: &Pages| {
            let path = list_path(topic, "subscriptions", pages);
            let tried = format!("list the subscriptions of topic `{}`", short(topic));
            Call::new("GET", "pubsub.topics.subscriptions.list", path, tried)
        };
        self.clients.list(&self.clients.pubsub, call).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/getIamPolicy>
    pub(crate) async fn get_topic_policy(&self, name: &str) -> Result<Policy, Error> {
        let tried = format!("read the policy of topic `{}`", short(name));
        let call = Call::new("GET", "pubsub.topics.getIamPolicy", policy_path(name), tried);
        self.clients.send(&self.clients.pubsub, &call, Policy::of).await
    }

    /// Which of these permissions the caller has
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/testIamPermissions>.
    pub(crate) async fn check_topic_permissions(&self, name: &str, asked: &[&str]) -> Result<Vec<String>, Error> {
        let call = test_permissions("pubsub.topics.testIamPermissions", &path_of(name), asked);
        self.clients.send(&self.clients.pubsub, &call, tested).await
    }

    /// The same of a subscription
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/testIamPermissions>.
    pub(crate) async fn check_subscription_permissions(
        &self,
        name: &str,
        asked: &[&str],
    ) -> Result<Vec<String>, Error> {
        let call = test_permissions("pubsub.subscriptions.testIamPermissions", &path_of(name), asked);
        self.clients.send(&self.clients.pubsub, &call, tested).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/getIamPolicy>
    pub(crate) async fn get_subscription_policy(&self, name: &str) -> Result<Policy, Error> {
        let tried = format!("read the policy of subscription `{}`", short(name));
        let call = Call::new("GET", "pubsub.subscriptions.getIamPolicy", policy_path(name), tried);
        self.clients.send(&self.clients.pubsub, &call, Policy::of).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/get>
    pub(crate) async fn get_subscription(&self, name: &str) -> Result<Option<Subscription>, Error> {
        let tried = format!("look at subscription `{}`", short(name));
        let call = Call::new("GET", "pubsub.subscriptions.get", path_of(name), tried);
        absent(self.clients.send(&self.clients.pubsub, &call, |answer| named(answer, name)).await)
    }

    /// Every subscription of a project
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/list>.
    pub(crate) async fn list_subscriptions(&self, project: &str) -> Result<Vec<Subscription>, Error> {
        let project = format!("projects/{project}");
        let call = |pages: &Pages| {
            let path = list_path(&project, "subscriptions", pages);
            Call::new("GET", "pubsub.subscriptions.list", path, "list the project's subscriptions".to_owned())
        };
        self.clients.list(&self.clients.pubsub, call).await
    }
}

impl Writer {
    /// With its labels in the same call <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/create>.
    pub(crate) async fn create_topic(&self, name: &str, labels: &Tags) -> Result<(), Error> {
        let topic = Topic { name: name.to_owned(), labels: labels.clone(), ..Topic::default() };
        let tried = format!("create topic `{}`", short(name));
        let call = Call::new("PUT", "pubsub.topics.create", path_of(name), tried).with_body(json!(topic));
        let read = |answer| named::<Topic>(answer, name);
        self.clients().send(&self.clients().pubsub, &call, read).await.map(|_| ())
    }

    /// Only what the mask names: it has no keys of labels, and there are no preconditions
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/patch>.
    pub(crate) async fn update_topic(&self, topic: &Topic, mask: &[&str]) -> Result<(), Error> {
        let name = topic.name.as_str();
        let tried = format!("write settings of topic `{}`", short(name));
        let body = json!({"topic": topic, "updateMask": mask.join(",")});
        let call = Call::new("PATCH", "pubsub.topics.update", path_of(name), tried).with_body(body);
        let read = |answer| named::<Topic>(answer, name);
        self.clients().send(&self.clients().pubsub, &call, read).await.map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete>
    pub(crate) async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let tried = format!("delete topic `{}`", short(name));
        let call = Call::new("DELETE", "pubsub.topics.delete", path_of(name), tried);
        absent(self.clients().send(&self.clients().pubsub, &call, nothing).await).map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/setIamPolicy>
    pub(crate) async fn set_topic_policy(&self, name: &str, policy: &Policy) -> Result<(), Error> {
        let tried = format!("write the policy of topic `{}`", short(name));
        let call = set_policy("pubsub.topics.setIamPolicy", name, policy, tried);
        conditional(self.clients().send(&self.clients().pubsub, &call, Policy::of).await).map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/setIamPolicy>
    pub(crate) async fn set_subscription_policy(&self, name: &str, policy: &Policy) -> Result<(), Error> {
        let tried = format!("write the policy of subscription `{}`", short(name));
        let call = set_policy("pubsub.subscriptions.setIamPolicy", name, policy, tried);
        conditional(self.clients().send(&self.clients().pubsub, &call, Policy::of).await).map(|_| ())
    }

    /// With labels and every setting in the same call
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/create>.
    pub(crate) async fn create_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("create subscription `{}`", short(name));
        let call = Call::new("PUT", "pubsub.subscriptions.create", path_of(name), tried).with_body(json!(subscription));
        let read = |answer| named::<Subscription>(answer, name);
        self.clients().send(&self.clients().pubsub, &call, read).await.map(|_| ())
    }

    /// Only what the mask names <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/patch>.
    pub(crate) async fn update_subscription(&self, subscription: &Subscription, mask: &[&str]) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("write settings of subscription `{}`", short(name));
        let body = json!({"subscription": subscription, "updateMask": mask.join(",")});
        let call = Call::new("PATCH", "pubsub.subscriptions.update", path_of(name), tried).with_body(body);
        let read = |answer| named::<Subscription>(answer, name);
        self.clients().send(&self.clients().pubsub, &call, read).await.map(|_| ())
    }

    /// What is there, so many at most; it is waited for until the service gives up
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>.
    pub(crate) async fn pull(&self, name: &str, most: u32) -> Result<Vec<Received>, Error> {
        let tried = format!("pull from subscription `{}`", short(name));
        let call = Call::new("POST", "pubsub.subscriptions.pull", format!("{}:pull", path_of(name)), tried)
            .with_body(json!({ "maxMessages": most }));
        Ok(self.clients().send(&self.clients().pubsub, &call, page::<Received>).await?.items)
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/acknowledge>
    pub(crate) async fn acknowledge(&self, name: &str, ids: &[&str]) -> Result<(), Error> {
        let tried = format!("acknowledge messages of subscription `{}`", short(name));
        let path = format!("{}:acknowledge", path_of(name));
        let call =
            Call::new("POST", "pubsub.subscriptions.acknowledge", path, tried).with_body(json!({ "ackIds": ids }));
        self.clients().send(&self.clients().pubsub, &call, nothing).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/delete>
    pub(crate) async fn delete_subscription(&self, name: &str) -> Result<(), Error> {
        let tried = format!("delete subscription `{}`", short(name));
        let call = Call::new("DELETE", "pubsub.subscriptions.delete", path_of(name), tried);
        absent(self.clients().send(&self.clients().pubsub, &call, nothing).await).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_made_again_with_all_that_it_had() {
        let push = json!({"pushEndpoint": "https://a.example", "attributes": {"x-goog-version": "v1"}});
        let found = json!({"name": "projects/p/subscriptions/s", "topic": "projects/p/topics/t", "pushConfig": push,
            "ackDeadlineSeconds": 30, "messageRetentionDuration": "604800.5s", "labels": {"a": "b"},
            "expirationPolicy": {}, "filter": "attributes:a", "detached": true, "bigqueryConfig": {"table": "t"},
            "messageTransforms": [{"disabled": true, "javascriptUdf": {"code": "x"}}], "deadLetterPolicy": {"a": 1},
            "enableExactlyOnceDelivery": true, "newer": {"field": [1]}});
        let subscription: Subscription = serde_json::from_value(found.clone()).unwrap();
        assert_eq!(json!(subscription), found);
    }
}

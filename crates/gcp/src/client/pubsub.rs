//! Calls of Pub/Sub <https://cloud.google.com/pubsub/docs/reference/rest>.

use google_cloud_iam_v1::model::{Policy, SetIamPolicyRequest};
pub(crate) use google_cloud_pubsub::model::{ExpirationPolicy, PushConfig, Subscription, Topic};
use google_cloud_pubsub::model::{
    GetSubscriptionRequest, GetTopicRequest, ListSubscriptionsRequest, ListTopicSubscriptionsRequest,
    ListTopicsRequest, UpdateSubscriptionRequest, UpdateTopicRequest,
};
use google_cloud_wkt::FieldMask;
use provision_core::Error;
use provision_core::mark::Tags;

use crate::client::{PAGE, Pages, Reader, Writer, policy_request};
use crate::error::{Call, absent, conditional};
use crate::names::short;

impl Reader {
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/get>
    pub(crate) async fn get_topic(&self, name: &str) -> Result<Option<Topic>, Error> {
        let call = Call::rest("GET", "pubsub.topics.get", name, format!("look at topic `{}`", short(name)));
        let request = GetTopicRequest::new().set_topic(name);
        let send = |request| self.clients.topics.get_topic().with_request(request).send();
        absent(self.clients.send(&call, request, send).await)
    }

    /// Every topic of a project <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/list>.
    pub(crate) async fn list_topics(&self, project: &str) -> Result<Vec<Topic>, Error> {
        let (project, mut pages, mut found) = (format!("projects/{project}"), Pages::default(), Vec::new());
        loop {
            let call = Call::rest("GET", "pubsub.topics.list", &project, "list the project's topics".to_owned());
            let request =
                ListTopicsRequest::new().set_project(&project).set_page_size(PAGE).set_page_token(&pages.token);
            let send = |request| self.clients.topics.list_topics().with_request(request).send();
            let page = self.clients.send(&call, request, send).await?;
            found.extend(page.topics);
            if !pages.turn(&call, page.next_page_token)? {
                return Ok(found);
            }
        }
    }

    /// The full names of what is attached to a topic
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics.subscriptions/list>.
    pub(crate) async fn list_topic_subscriptions(&self, topic: &str) -> Result<Vec<String>, Error> {
        let (mut pages, mut found) = (Pages::default(), Vec::new());
        loop {
            let tried = format!("list the subscriptions of topic `{}`", short(topic));
            let call = Call::rest("GET", "pubsub.topics.subscriptions.list", topic, tried);
            let request =
                ListTopicSubscriptionsRequest::new().set_topic(topic).set_page_size(PAGE).set_page_token(&pages.token);
            let send = |request| self.clients.topics.list_topic_subscriptions().with_request(request).send();
            let page = self.clients.send(&call, request, send).await?;
            found.extend(page.subscriptions);
            if !pages.turn(&call, page.next_page_token)? {
                return Ok(found);
            }
        }
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/getIamPolicy>
    pub(crate) async fn get_topic_policy(&self, name: &str) -> Result<Policy, Error> {
        let tried = format!("read the policy of topic `{}`", short(name));
        self.get_pubsub_policy(Call::rest("GET", "pubsub.topics.getIamPolicy", name, tried)).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/getIamPolicy>
    pub(crate) async fn get_subscription_policy(&self, name: &str) -> Result<Policy, Error> {
        let tried = format!("read the policy of subscription `{}`", short(name));
        self.get_pubsub_policy(Call::rest("GET", "pubsub.subscriptions.getIamPolicy", name, tried)).await
    }

    async fn get_pubsub_policy(&self, call: Call<'_>) -> Result<Policy, Error> {
        let request = policy_request(call.resource);
        let send = |request| self.clients.pubsub_policies.get_iam_policy().with_request(request).send();
        self.clients.send(&call, request, send).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/get>
    pub(crate) async fn get_subscription(&self, name: &str) -> Result<Option<Subscription>, Error> {
        let tried = format!("look at subscription `{}`", short(name));
        let call = Call::rest("GET", "pubsub.subscriptions.get", name, tried);
        let request = GetSubscriptionRequest::new().set_subscription(name);
        let send = |request| self.clients.subscriptions.get_subscription().with_request(request).send();
        absent(self.clients.send(&call, request, send).await)
    }

    /// Every subscription of a project
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/list>.
    pub(crate) async fn list_subscriptions(&self, project: &str) -> Result<Vec<Subscription>, Error> {
        let (project, mut pages, mut found) = (format!("projects/{project}"), Pages::default(), Vec::new());
        loop {
            let tried = "list the project's subscriptions".to_owned();
            let call = Call::rest("GET", "pubsub.subscriptions.list", &project, tried);
            let request =
                ListSubscriptionsRequest::new().set_project(&project).set_page_size(PAGE).set_page_token(&pages.token);
            let send = |request| self.clients.subscriptions.list_subscriptions().with_request(request).send();
            let page = self.clients.send(&call, request, send).await?;
            found.extend(page.subscriptions);
            if !pages.turn(&call, page.next_page_token)? {
                return Ok(found);
            }
        }
    }
}

impl Writer {
    /// With labels in the same call <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/create>.
    pub(crate) async fn create_topic(&self, name: &str, labels: &Tags) -> Result<(), Error> {
        let call = Call::rest("PUT", "pubsub.topics.create", name, format!("create topic `{}`", short(name)));
        let request = Topic::new().set_name(name).set_labels(labels.clone());
        let send = |request: Topic| self.clients().topics.create_topic().with_request(request).send();
        self.clients().send(&call, request, send).await.map(|_| ())
    }

    /// Only what the mask names: it has no keys of labels, and there are no preconditions
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/patch>.
    pub(crate) async fn update_topic(&self, topic: &Topic, mask: &[&str]) -> Result<(), Error> {
        let name = topic.name.as_str();
        let tried = format!("write settings of topic `{}`", short(name));
        let call = Call::rest("PATCH", "pubsub.topics.update", name, tried);
        let mask = FieldMask::default().set_paths(mask.iter().copied());
        let request = UpdateTopicRequest::new().set_topic(topic.clone()).set_update_mask(mask);
        let send = |request| self.clients().topics.update_topic().with_request(request).send();
        self.clients().send(&call, request, send).await.map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete>
    pub(crate) async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let path = format!("/v1/{name}");
        let call = Call::rest("DELETE", "pubsub.topics.delete", &path, format!("delete topic `{}`", short(name)));
        absent(self.clients().json_repeated(&self.clients().pubsub_json, &call).await).map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/setIamPolicy>
    pub(crate) async fn set_topic_policy(&self, name: &str, policy: &Policy) -> Result<(), Error> {
        let tried = format!("write the policy of topic `{}`", short(name));
        self.set_pubsub_policy(Call::rest("POST", "pubsub.topics.setIamPolicy", name, tried), policy).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/setIamPolicy>
    pub(crate) async fn set_subscription_policy(&self, name: &str, policy: &Policy) -> Result<(), Error> {
        let tried = format!("write the policy of subscription `{}`", short(name));
        self.set_pubsub_policy(Call::rest("POST", "pubsub.subscriptions.setIamPolicy", name, tried), policy).await
    }

    async fn set_pubsub_policy(&self, call: Call<'_>, policy: &Policy) -> Result<(), Error> {
        let request = SetIamPolicyRequest::new().set_resource(call.resource).set_policy(policy.clone());
        let send = |request| self.clients().pubsub_policies.set_iam_policy().with_request(request).send();
        conditional(self.clients().send(&call, request, send).await).map(|_| ())
    }

    /// With labels and every setting in the same call
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/create>.
    pub(crate) async fn create_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("create subscription `{}`", short(name));
        let call = Call::rest("PUT", "pubsub.subscriptions.create", name, tried);
        let send =
            |request: Subscription| self.clients().subscriptions.create_subscription().with_request(request).send();
        self.clients().send(&call, subscription.clone(), send).await.map(|_| ())
    }

    /// Only what the mask names <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/patch>.
    pub(crate) async fn update_subscription(&self, subscription: &Subscription, mask: &[&str]) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("write settings of subscription `{}`", short(name));
        let call = Call::rest("PATCH", "pubsub.subscriptions.update", name, tried);
        let mask = FieldMask::default().set_paths(mask.iter().copied());
        let request = UpdateSubscriptionRequest::new().set_subscription(subscription.clone()).set_update_mask(mask);
        let send = |request| self.clients().subscriptions.update_subscription().with_request(request).send();
        self.clients().send(&call, request, send).await.map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/delete>
    pub(crate) async fn delete_subscription(&self, name: &str) -> Result<(), Error> {
        let tried = format!("delete subscription `{}`", short(name));
        let path = format!("/v1/{name}");
        let call = Call::rest("DELETE", "pubsub.subscriptions.delete", &path, tried);
        absent(self.clients().json_repeated(&self.clients().pubsub_json, &call).await).map(|_| ())
    }
}

//! One function for each API operation: request, response, no decisions. The only file that calls the SDK's operations.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write:
//!
//! ```compile_fail
//! # async fn cannot(reader: provision_gcp::client::Reader) {
//! reader.delete_bucket("acme-wandb-files", 1).await;
//! # }
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use google_cloud_auth::credentials::{CacheableResource, Credentials};
pub(crate) use google_cloud_iam_v1::model::{Binding, Policy};
use google_cloud_iam_v1::model::{GetIamPolicyRequest, GetPolicyOptions, SetIamPolicyRequest};
use google_cloud_pubsub::model::{
    DeleteSubscriptionRequest, DeleteTopicRequest, GetSubscriptionRequest, GetTopicRequest, ListSubscriptionsRequest,
    ListTopicsRequest, UpdateSubscriptionRequest, UpdateTopicRequest,
};
pub(crate) use google_cloud_pubsub::model::{ExpirationPolicy, PushConfig, Subscription, Topic};
pub(crate) use google_cloud_storage::model::Bucket;
pub(crate) use google_cloud_storage::model::bucket::iam_config::UniformBucketLevelAccess;
pub(crate) use google_cloud_storage::model::bucket::{Cors, Encryption, IamConfig, SoftDeletePolicy, Versioning};
use google_cloud_storage::model::{
    CreateBucketRequest, DeleteBucketRequest, DeleteObjectRequest, GetBucketRequest, ListBucketsRequest,
    ListObjectsRequest, UpdateBucketRequest,
};
pub(crate) use google_cloud_wkt::Duration;
use google_cloud_wkt::FieldMask;
use provision_core::trace::{Exchange, TraceSink, body_without_secrets, url_without_secrets};
use provision_core::{Error, ErrorKind, retry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{absent, conditional, from_json, from_sdk, innermost, no_token, unavailable};

/// Labels of a resource.
pub type Labels = BTreeMap<String, String>;

/// Policies with conditions are read and written whole only in this version
/// (<https://cloud.google.com/iam/docs/policies#versions>).
pub(crate) const POLICY_VERSION: i32 = 3;

/// The most that the services give at once.
const PAGE: i32 = 1000;

/// The clients, all with one set of credentials.
#[derive(Clone, Debug)]
pub struct Clients {
    pub(crate) storage: google_cloud_storage::client::StorageControl,
    pub(crate) topics: google_cloud_pubsub::client::TopicAdmin,
    pub(crate) subscriptions: google_cloud_pubsub::client::SubscriptionAdmin,
    /// Despite its name the one that reads and writes the policies of topics and subscriptions.
    pub(crate) pubsub_policies: google_cloud_pubsub::client::SchemaService,
    pub(crate) iam: google_cloud_iam_admin_v1::client::Iam,
    /// Notifications and the service agent of Cloud Storage, which the SDK lacks.
    pub(crate) storage_json: Json,
    /// Resource Manager, for its one call.
    pub(crate) projects_json: Json,
    pub(crate) trace: Option<Arc<dyn TraceSink>>,
}

/// A JSON API without a client of the SDK's.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    pub(crate) http: reqwest::Client,
    /// Scheme, host and port, without a final `/`.
    pub(crate) endpoint: String,
    pub(crate) credentials: Credentials,
}

/// The reads.
#[derive(Clone, Debug)]
pub struct Reader {
    clients: Clients,
}

/// The reads and the writes.
#[derive(Clone, Debug)]
pub struct Writer {
    reader: Reader,
}

/// Whoever can read.
pub trait Read: Send + Sync {
    /// The reads.
    fn reader(&self) -> &Reader;
}

impl Read for Reader {
    fn reader(&self) -> &Reader {
        self
    }
}

impl Read for Writer {
    fn reader(&self) -> &Reader {
        &self.reader
    }
}

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

/// A generation of an object.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) object: String,
    pub(crate) generation: i64,
}

/// A page of generations.
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<Version>,
    /// Empty at the end.
    pub(crate) next: String,
}

/// What one call is called, what it is about, and what it is for.
struct Call<'a> {
    method: &'static str,
    operation: &'static str,
    resource: &'a str,
    tried: String,
}

impl<'a> Call<'a> {
    fn grpc(operation: &'static str, resource: &'a str, tried: String) -> Self {
        Self { method: "gRPC", operation, resource, tried }
    }

    fn rest(method: &'static str, operation: &'static str, resource: &'a str, tried: String) -> Self {
        Self { method, operation, resource, tried }
    }
}

/// The full name of a bucket; the project is left open, since names are unique among all
/// (<https://cloud.google.com/storage/docs/json_api/v1/buckets>).
pub(crate) fn bucket_name(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

/// The full name of a service account; its project is part of its email.
fn account_name(email: &str) -> String {
    format!("projects/-/serviceAccounts/{email}")
}

impl Clients {
    /// Send one call of the SDK through the one retry policy, with its error mapped.
    async fn send<R, T, F>(&self, call: Call<'_>, request: R, send: impl Fn(R) -> F) -> Result<T, Error>
    where
        R: Clone + Serialize,
        T: Serialize,
        F: Future<Output = Result<T, google_cloud_gax::error::Error>>,
    {
        retry::call(|| async {
            let started = Instant::now();
            let answer = send(request.clone()).await;
            let answer = answer.map_err(|error| from_sdk(call.operation, &call.tried, &error));
            self.record(&call, started, &request, &answer);
            answer
        })
        .await
    }

    /// What the SDK was given and gave, in the JSON of its models: it has no place where bodies pass.
    fn record<R: Serialize, T: Serialize>(
        &self,
        call: &Call<'_>,
        started: Instant,
        request: &R,
        answer: &Result<T, Error>,
    ) {
        if self.trace.is_none() {
            return;
        }
        let (status, response) = match answer {
            Ok(answer) => (Some(200), model_without_secrets(answer)),
            Err(error) => (error.status(), error.reason().map(Value::from)),
        };
        let request = model_without_secrets(request);
        self.trace(call.operation, call.method, call.resource, request, status, response, started);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an exchange")]
    fn trace(
        &self,
        operation: &str,
        method: &str,
        url: &str,
        request: Option<Value>,
        status: Option<u16>,
        response: Option<Value>,
        started: Instant,
    ) {
        let Some(sink) = &self.trace else { return };
        sink.record(Exchange {
            operation: operation.to_owned(),
            method: method.to_owned(),
            url: url_without_secrets(url),
            request,
            status,
            response,
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Send one call of a JSON API, once.
    async fn json(&self, api: &Json, call: &Call<'_>, body: Option<&Notification>) -> Result<Value, Error> {
        let (operation, tried) = (call.operation, call.tried.as_str());
        let url = format!("{}{}", api.endpoint, call.resource);
        let method = reqwest::Method::from_bytes(call.method.as_bytes()).unwrap_or_default();
        let mut request = api.http.request(method, &url).headers(token(api, tried).await?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = Instant::now();
        let answer = read(request).await;
        let (status, seen) = match &answer {
            Ok((status, _, bytes)) => (Some(*status), body_without_secrets(bytes)),
            Err(_) => (None, None),
        };
        let sent = body.map(|body| serde_json::json!(body));
        self.trace(operation, call.method, &url, sent, status, seen, started);
        match answer {
            Ok((200..=299, _, bytes)) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Ok((status, headers, bytes)) => Err(from_json(operation, tried, status, &headers, &bytes)),
            Err(error) if error.is_timeout() => Err(unavailable(operation, tried, "no answer in time")),
            Err(error) => Err(unavailable(operation, tried, &innermost(&error))),
        }
    }

    /// The same through the one retry policy.
    async fn json_repeated(&self, api: &Json, call: Call<'_>) -> Result<Value, Error> {
        retry::call(|| self.json(api, &call, None)).await
    }
}

/// A model of the SDK's as a trace holds it; an empty answer is none.
fn model_without_secrets(model: &impl Serialize) -> Option<Value> {
    let body = serde_json::to_vec(model).unwrap_or_default();
    body_without_secrets(&body).filter(|body| !body.is_null())
}

async fn read(request: reqwest::RequestBuilder) -> Result<(u16, http::HeaderMap, Vec<u8>), reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok((status, headers, response.bytes().await?.to_vec()))
}

/// The headers that carry the token. They are not written into a trace.
async fn token(api: &Json, tried: &str) -> Result<http::HeaderMap, Error> {
    match api.credentials.headers(http::Extensions::new()).await {
        Ok(CacheableResource::New { data, .. }) => Ok(data),
        Ok(CacheableResource::NotModified) => Ok(http::HeaderMap::new()),
        Err(error) if error.is_transient() => Err(unavailable("a token", tried, &innermost(&error))),
        Err(error) => Err(no_token(tried, &error)),
    }
}

impl Reader {
    /// A reader on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { clients }
    }

    /// The number of a project <https://cloud.google.com/resource-manager/reference/rest/v3/projects/get>.
    pub(crate) async fn get_project(&self, project: &str) -> Result<String, Error> {
        let path = format!("/v3/projects/{project}");
        let tried = format!("look up project `{project}`");
        let call = Call::rest("GET", "resourcemanager.projects.get", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.projects_json, call).await?;
        let name = answer["name"].as_str().unwrap_or_default();
        Ok(name.trim_start_matches("projects/").to_owned())
    }

    /// The email of the service agent that publishes for the project's buckets
    /// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get>.
    pub(crate) async fn get_service_agent(&self, project: &str) -> Result<String, Error> {
        let path = format!("/storage/v1/projects/{project}/serviceAccount");
        let tried = format!("look up the Cloud Storage service agent of project `{project}`");
        let call = Call::rest("GET", "storage.projects.serviceAccount.get", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.storage_json, call).await?;
        let email = answer["email_address"].as_str();
        email.map(str::to_owned).ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "the answer names no service agent")
                .operation("storage.projects.serviceAccount.get")
        })
    }

    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#getbucketrequest>
    pub(crate) async fn get_bucket(&self, bucket: &str) -> Result<Option<Bucket>, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.get", &name, format!("look at bucket `{bucket}`"));
        let request = GetBucketRequest::new().set_name(&name);
        let send = |request| self.clients.storage.get_bucket().with_request(request).send();
        absent(self.clients.send(call, request, send).await)
    }

    /// Every bucket of a project <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#listbucketsrequest>.
    pub(crate) async fn list_buckets(&self, project: &str) -> Result<Vec<Bucket>, Error> {
        let (parent, mut token, mut found) = (format!("projects/{project}"), String::new(), Vec::new());
        loop {
            let call = Call::grpc("storage.buckets.list", &parent, "list the project's buckets".to_owned());
            let request = ListBucketsRequest::new().set_parent(&parent).set_page_size(PAGE).set_page_token(&token);
            let send = |request| self.clients.storage.list_buckets().with_request(request).send();
            let page = self.clients.send(call, request, send).await?;
            found.extend(page.buckets);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// One page of generations, live and noncurrent
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#listobjectsrequest>.
    pub(crate) async fn list_versions(&self, bucket: &str, from: &str) -> Result<Option<VersionPage>, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.objects.list", &name, format!("list the content of bucket `{bucket}`"));
        let request = ListObjectsRequest::new().set_parent(&name).set_versions(true).set_page_size(PAGE);
        let request = request.set_page_token(from);
        let send = |request| self.clients.storage.list_objects().with_request(request).send();
        let page = absent(self.clients.send(call, request, send).await)?;
        Ok(page.map(|page| VersionPage {
            versions: page
                .objects
                .into_iter()
                .map(|object| Version { object: object.name, generation: object.generation })
                .collect(),
            next: page.next_page_token,
        }))
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>, over the control service
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.control.v2>.
    pub(crate) async fn get_bucket_policy(&self, bucket: &str) -> Result<Policy, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.getIamPolicy", &name, format!("read the policy of bucket `{bucket}`"));
        let send = |request| self.clients.storage.get_iam_policy().with_request(request).send();
        self.clients.send(call, policy_request(&name), send).await
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/list>
    pub(crate) async fn list_notifications(&self, bucket: &str) -> Result<Vec<Notification>, Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
        let tried = format!("read the notifications of bucket `{bucket}`");
        let call = Call::rest("GET", "storage.notificationConfigs.list", &path, tried.clone());
        let answer = self.clients.json_repeated(&self.clients.storage_json, call).await?;
        // Without any, the list is left out.
        let items = answer.get("items").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        serde_json::from_value(items).map_err(|error| {
            let unreadable = Error::new(ErrorKind::Unexpected, format!("cannot {tried}: the answer cannot be read"));
            unreadable.operation("storage.notificationConfigs.list").message(error.to_string())
        })
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/get>
    pub(crate) async fn get_topic(&self, name: &str) -> Result<Option<Topic>, Error> {
        let call = Call::rest("GET", "pubsub.topics.get", name, format!("look at topic `{}`", short(name)));
        let request = GetTopicRequest::new().set_topic(name);
        let send = |request| self.clients.topics.get_topic().with_request(request).send();
        absent(self.clients.send(call, request, send).await)
    }

    /// Every topic of a project <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/list>.
    pub(crate) async fn list_topics(&self, project: &str) -> Result<Vec<Topic>, Error> {
        let (project, mut token, mut found) = (format!("projects/{project}"), String::new(), Vec::new());
        loop {
            let call = Call::rest("GET", "pubsub.topics.list", &project, "list the project's topics".to_owned());
            let request = ListTopicsRequest::new().set_project(&project).set_page_size(PAGE).set_page_token(&token);
            let send = |request| self.clients.topics.list_topics().with_request(request).send();
            let page = self.clients.send(call, request, send).await?;
            found.extend(page.topics);
            token = page.next_page_token;
            if token.is_empty() {
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
        self.clients.send(call, request, send).await
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/get>
    pub(crate) async fn get_subscription(&self, name: &str) -> Result<Option<Subscription>, Error> {
        let tried = format!("look at subscription `{}`", short(name));
        let call = Call::rest("GET", "pubsub.subscriptions.get", name, tried);
        let request = GetSubscriptionRequest::new().set_subscription(name);
        let send = |request| self.clients.subscriptions.get_subscription().with_request(request).send();
        absent(self.clients.send(call, request, send).await)
    }

    /// Every subscription of a project
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/list>.
    pub(crate) async fn list_subscriptions(&self, project: &str) -> Result<Vec<Subscription>, Error> {
        let (project, mut token, mut found) = (format!("projects/{project}"), String::new(), Vec::new());
        loop {
            let tried = "list the project's subscriptions".to_owned();
            let call = Call::rest("GET", "pubsub.subscriptions.list", &project, tried);
            let request =
                ListSubscriptionsRequest::new().set_project(&project).set_page_size(PAGE).set_page_token(&token);
            let send = |request| self.clients.subscriptions.list_subscriptions().with_request(request).send();
            let page = self.clients.send(call, request, send).await?;
            found.extend(page.subscriptions);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy>
    pub(crate) async fn get_account_policy(&self, email: &str) -> Result<Policy, Error> {
        let name = account_name(email);
        let tried = format!("read the policy of service account `{email}`");
        let call = Call::rest("POST", "iam.serviceAccounts.getIamPolicy", &name, tried);
        let send = |request| self.clients.iam.get_iam_policy().with_request(request).send();
        self.clients.send(call, policy_request(&name), send).await
    }
}

impl Writer {
    /// A writer on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { reader: Reader::new(clients) }
    }

    fn clients(&self) -> &Clients {
        &self.reader.clients
    }

    /// With labels and every setting in the same call
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#createbucketrequest>.
    pub(crate) async fn create_bucket(&self, bucket: &str, settings: &Bucket) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.create", &name, format!("create bucket `{bucket}`"));
        let request = CreateBucketRequest::new().set_parent("projects/_").set_bucket_id(bucket);
        let request = request.set_bucket(settings.clone());
        let send = |request| self.clients().storage.create_bucket().with_request(request).send();
        self.clients().send(call, request, send).await.map(|_| ())
    }

    /// Only what the mask names. The metageneration, where one is given, must still be the bucket's
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#updatebucketrequest>.
    pub(crate) async fn update_bucket(
        &self,
        bucket: &str,
        settings: Bucket,
        mask: &[String],
        metageneration: Option<i64>,
    ) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let settings = settings.set_name(&name);
        let call = Call::grpc("storage.buckets.update", &name, format!("write settings of bucket `{bucket}`"));
        let request = UpdateBucketRequest::new()
            .set_bucket(settings)
            .set_update_mask(FieldMask::default().set_paths(mask))
            .set_or_clear_if_metageneration_match(metageneration);
        let send = |request| self.clients().storage.update_bucket().with_request(request).send();
        conditional(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#deletebucketrequest>
    pub(crate) async fn delete_bucket(&self, bucket: &str, metageneration: i64) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.delete", &name, format!("delete bucket `{bucket}`"));
        let request = DeleteBucketRequest::new().set_name(&name).set_if_metageneration_match(metageneration);
        let send = |request| self.clients().storage.delete_bucket().with_request(request).send();
        absent(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// One generation <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#deleteobjectrequest>.
    pub(crate) async fn delete_version(&self, bucket: &str, version: &Version) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let Version { object, generation } = version;
        let tried = format!("delete object `{object}` of bucket `{bucket}`");
        let call = Call::grpc("storage.objects.delete", &name, tried);
        let request = DeleteObjectRequest::new().set_bucket(&name).set_object(object).set_generation(*generation);
        let send = |request| self.clients().storage.delete_object().with_request(request).send();
        absent(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// The whole policy, if its etag is still the bucket's
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.
    pub(crate) async fn set_bucket_policy(&self, bucket: &str, policy: &Policy) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.setIamPolicy", &name, format!("write the policy of bucket `{bucket}`"));
        let request = SetIamPolicyRequest::new().set_resource(&name).set_policy(policy.clone());
        let send = |request| self.clients().storage.set_iam_policy().with_request(request).send();
        conditional(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// Never repeated by itself: Cloud Storage takes the same notification twice, and then every event comes twice
    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/insert>.
    pub(crate) async fn insert_notification(&self, bucket: &str, notification: &Notification) -> Result<(), Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
        let tried = format!("make the notification of bucket `{bucket}`");
        let call = Call::rest("POST", "storage.notificationConfigs.insert", &path, tried);
        self.clients().json(&self.clients().storage_json, &call, Some(notification)).await.map(|_| ())
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/delete>
    pub(crate) async fn delete_notification(&self, bucket: &str, id: &str) -> Result<(), Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs/{id}");
        let tried = format!("delete notification `{id}` of bucket `{bucket}`");
        let call = Call::rest("DELETE", "storage.notificationConfigs.delete", &path, tried);
        absent(self.clients().json_repeated(&self.clients().storage_json, call).await).map(|_| ())
    }

    /// With labels in the same call <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/create>.
    pub(crate) async fn create_topic(&self, name: &str, labels: &Labels) -> Result<(), Error> {
        let call = Call::rest("PUT", "pubsub.topics.create", name, format!("create topic `{}`", short(name)));
        let request = Topic::new().set_name(name).set_labels(labels.clone());
        let send = |request: Topic| self.clients().topics.create_topic().with_request(request).send();
        self.clients().send(call, request, send).await.map(|_| ())
    }

    /// All labels: Pub/Sub has neither keys in masks nor preconditions
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/patch>.
    pub(crate) async fn update_topic_labels(&self, name: &str, labels: &Labels) -> Result<(), Error> {
        let tried = format!("write the labels of topic `{}`", short(name));
        let call = Call::rest("PATCH", "pubsub.topics.update", name, tried);
        let topic = Topic::new().set_name(name).set_labels(labels.clone());
        let mask = FieldMask::default().set_paths(["labels"]);
        let request = UpdateTopicRequest::new().set_topic(topic).set_update_mask(mask);
        let send = |request| self.clients().topics.update_topic().with_request(request).send();
        self.clients().send(call, request, send).await.map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/delete>
    pub(crate) async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let call = Call::rest("DELETE", "pubsub.topics.delete", name, format!("delete topic `{}`", short(name)));
        let request = DeleteTopicRequest::new().set_topic(name);
        let send = |request| self.clients().topics.delete_topic().with_request(request).send();
        absent(self.clients().send(call, request, send).await).map(|_| ())
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
        conditional(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// With labels and every setting in the same call
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/create>.
    pub(crate) async fn create_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("create subscription `{}`", short(name));
        let call = Call::rest("PUT", "pubsub.subscriptions.create", name, tried);
        let send =
            |request: Subscription| self.clients().subscriptions.create_subscription().with_request(request).send();
        self.clients().send(call, subscription.clone(), send).await.map(|_| ())
    }

    /// Only what the mask names <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/patch>.
    pub(crate) async fn update_subscription(&self, subscription: &Subscription, mask: &[&str]) -> Result<(), Error> {
        let name = subscription.name.as_str();
        let tried = format!("write settings of subscription `{}`", short(name));
        let call = Call::rest("PATCH", "pubsub.subscriptions.update", name, tried);
        let mask = FieldMask::default().set_paths(mask.iter().copied());
        let request = UpdateSubscriptionRequest::new().set_subscription(subscription.clone()).set_update_mask(mask);
        let send = |request| self.clients().subscriptions.update_subscription().with_request(request).send();
        self.clients().send(call, request, send).await.map(|_| ())
    }

    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/delete>
    pub(crate) async fn delete_subscription(&self, name: &str) -> Result<(), Error> {
        let tried = format!("delete subscription `{}`", short(name));
        let call = Call::rest("DELETE", "pubsub.subscriptions.delete", name, tried);
        let request = DeleteSubscriptionRequest::new().set_subscription(name);
        let send = |request| self.clients().subscriptions.delete_subscription().with_request(request).send();
        absent(self.clients().send(call, request, send).await).map(|_| ())
    }

    /// <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/setIamPolicy>
    pub(crate) async fn set_account_policy(&self, email: &str, policy: &Policy) -> Result<(), Error> {
        let name = account_name(email);
        let tried = format!("write the policy of service account `{email}`");
        let call = Call::rest("POST", "iam.serviceAccounts.setIamPolicy", &name, tried);
        let request = SetIamPolicyRequest::new().set_resource(&name).set_policy(policy.clone());
        let send = |request| self.clients().iam.set_iam_policy().with_request(request).send();
        conditional(self.clients().send(call, request, send).await).map(|_| ())
    }
}

fn policy_request(resource: &str) -> GetIamPolicyRequest {
    let options = GetPolicyOptions::new().set_requested_policy_version(POLICY_VERSION);
    GetIamPolicyRequest::new().set_resource(resource).set_options(options)
}

/// The last word of a full name.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The service's map as ours, which has an order.
pub(crate) fn labels_of(labels: &HashMap<String, String>) -> Labels {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

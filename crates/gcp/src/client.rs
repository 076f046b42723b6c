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
use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use google_cloud_auth::credentials::{CacheableResource, Credentials};
pub(crate) use google_cloud_iam_v1::model::{Binding, Policy};
use google_cloud_iam_v1::model::{GetIamPolicyRequest, GetPolicyOptions, SetIamPolicyRequest};
use google_cloud_pubsub::model::{
    DeleteSubscriptionRequest, DeleteTopicRequest, GetSubscriptionRequest, GetTopicRequest, ListSubscriptionsRequest,
    ListTopicSubscriptionsRequest, ListTopicsRequest, UpdateSubscriptionRequest, UpdateTopicRequest,
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
use provision_core::{Error, retry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{absent, conditional, from_json, from_sdk, innermost, no_token, unavailable, unreadable};

/// Labels of a resource.
pub type Labels = BTreeMap<String, String>;

/// Policies with conditions are read and written whole only in this version
/// (<https://cloud.google.com/iam/docs/policies#versions>).
pub(crate) const POLICY_VERSION: i32 = 3;

/// The most that the services give at once.
const PAGE: i32 = 1000;

/// Resource Manager's own limit is not documented; its examples and clients use hundreds.
const PROJECTS_PAGE: u32 = 500;

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

/// The notifications of an answer. Without any the list is left out, and then only its kind tells that it is one.
fn notifications_in(answer: &Value) -> Result<Vec<Notification>, String> {
    match answer.get("items") {
        Some(items) => serde_json::from_value(items.clone()).map_err(|error| error.to_string()),
        None if answer["kind"] == "storage#notifications" => Ok(Vec::new()),
        None => Err("it is no list of notifications".to_owned()),
    }
}

fn projects_path(token: &str) -> String {
    format!("/v3/projects:search?query=state:ACTIVE&pageSize={PROJECTS_PAGE}&pageToken={}", encoded(token))
}

/// A value as a parameter of a URL has it (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A page of projects <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search#response-body>.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProjectPage {
    projects: Vec<ProjectOfPage>,
    /// Empty at the end.
    next_page_token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectOfPage {
    project_id: String,
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

    /// An answer that says "done" and is not what this call gives.
    fn unreadable(&self, reason: &dyn Display) -> Error {
        unreadable(self.operation, &self.tried, reason)
    }
}

/// The full name of a bucket; the project is left open, since names are unique among all
/// (<https://cloud.google.com/storage/docs/json_api/v1/buckets>).
pub(crate) fn bucket_name(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

/// The full name of a service account. Its project is named wherever the email tells it: with `-` the service says "denied" of
/// an account that does not exist
/// (<https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy>).
fn account_name(email: &str) -> String {
    let project = project_of(email).unwrap_or_else(|| "-".to_owned());
    format!("projects/{project}/serviceAccounts/{email}")
}

/// The project of a service account, by id or number (<https://cloud.google.com/iam/docs/service-account-types>).
pub(crate) fn project_of(email: &str) -> Option<String> {
    let (name, domain) = email.split_once('@')?;
    if let Some(project) = domain.strip_suffix(".iam.gserviceaccount.com") {
        // The project `example.com:acme` has accounts of `acme.example.com`.
        return Some(match project.split_once('.') {
            Some((id, organization)) => format!("{organization}:{id}"),
            None => project.to_owned(),
        });
    }
    match domain {
        "appspot.gserviceaccount.com" => Some(name.to_owned()),
        "developer.gserviceaccount.com" => name.strip_suffix("-compute").map(str::to_owned),
        _ => None,
    }
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
            Ok((200..=299, _, bytes)) => answer_of(call, &bytes),
            Ok((status, headers, bytes)) => Err(from_json(operation, tried, status, &headers, &bytes)),
            Err(error) if error.is_timeout() => Err(unavailable(operation, tried, "no answer in time")),
            Err(error) => Err(unavailable(operation, tried, &innermost(&error))),
        }
    }

    /// The same through the one retry policy.
    async fn json_repeated(&self, api: &Json, call: &Call<'_>) -> Result<Value, Error> {
        retry::call(|| self.json(api, call, None)).await
    }
}

/// The object that an answer is. What cannot be read says nothing: a proxy in between may have written it.
fn answer_of(call: &Call<'_>, bytes: &[u8]) -> Result<Value, Error> {
    if call.method == "DELETE" && bytes.is_empty() {
        return Ok(Value::Null);
    }
    let answer = serde_json::from_slice::<Value>(bytes).map_err(|error| call.unreadable(&error))?;
    if answer.is_object() { Ok(answer) } else { Err(call.unreadable(&"it is no object")) }
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
        let answer = self.clients.json_repeated(&self.clients.projects_json, &call).await?;
        let number = answer["name"].as_str().and_then(|name| name.strip_prefix("projects/"));
        number.map(str::to_owned).ok_or_else(|| call.unreadable(&"it names no project"))
    }

    /// The ids of every project that the credentials may see
    /// <https://cloud.google.com/resource-manager/reference/rest/v3/projects/search>.
    pub(crate) async fn search_projects(&self) -> Result<Vec<String>, Error> {
        let (mut token, mut found) = (String::new(), Vec::new());
        loop {
            let path = projects_path(&token);
            let tried = "find the projects that these credentials can see".to_owned();
            let call = Call::rest("GET", "resourcemanager.projects.search", &path, tried);
            let answer = self.clients.json_repeated(&self.clients.projects_json, &call).await?;
            let page: ProjectPage = serde_json::from_value(answer).map_err(|error| call.unreadable(&error))?;
            found.extend(page.projects.into_iter().map(|project| project.project_id));
            match page.next_page_token {
                next if next.is_empty() => return Ok(found),
                next if next == token => return Err(call.unreadable(&"its next page is itself")),
                next => token = next,
            }
        }
    }

    /// The email of the service agent that publishes for the project's buckets
    /// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get>.
    pub(crate) async fn get_service_agent(&self, project: &str) -> Result<String, Error> {
        let path = format!("/storage/v1/projects/{project}/serviceAccount");
        let tried = format!("look up the Cloud Storage service agent of project `{project}`");
        let call = Call::rest("GET", "storage.projects.serviceAccount.get", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.storage_json, &call).await?;
        let email = answer["email_address"].as_str();
        email.map(str::to_owned).ok_or_else(|| call.unreadable(&"it names no service agent"))
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
        let call = Call::rest("GET", "storage.notificationConfigs.list", &path, tried);
        let answer = self.clients.json_repeated(&self.clients.storage_json, &call).await?;
        notifications_in(&answer).map_err(|reason| call.unreadable(&reason))
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

    /// The full names of what is attached to a topic
    /// <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics.subscriptions/list>.
    pub(crate) async fn list_topic_subscriptions(&self, topic: &str) -> Result<Vec<String>, Error> {
        let (mut token, mut found) = (String::new(), Vec::new());
        loop {
            let tried = format!("list the subscriptions of topic `{}`", short(topic));
            let call = Call::rest("GET", "pubsub.topics.subscriptions.list", topic, tried);
            let request =
                ListTopicSubscriptionsRequest::new().set_topic(topic).set_page_size(PAGE).set_page_token(&token);
            let send = |request| self.clients.topics.list_topic_subscriptions().with_request(request).send();
            let page = self.clients.send(call, request, send).await?;
            found.extend(page.subscriptions);
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

    /// Only what the mask names, if the metageneration is still the bucket's
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#updatebucketrequest>.
    pub(crate) async fn update_bucket(
        &self,
        bucket: &str,
        settings: Bucket,
        mask: &[String],
        metageneration: i64,
    ) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let settings = settings.set_name(&name);
        let call = Call::grpc("storage.buckets.update", &name, format!("write settings of bucket `{bucket}`"));
        let request = UpdateBucketRequest::new()
            .set_bucket(settings)
            .set_update_mask(FieldMask::default().set_paths(mask))
            .set_if_metageneration_match(metageneration);
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

    /// Never repeated by itself: Cloud Storage takes the same notification twice, and then every event comes twice. Gives its id
    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/insert>.
    pub(crate) async fn insert_notification(&self, bucket: &str, notification: &Notification) -> Result<String, Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs");
        let tried = format!("make the notification of bucket `{bucket}`");
        let call = Call::rest("POST", "storage.notificationConfigs.insert", &path, tried);
        let answer = self.clients().json(&self.clients().storage_json, &call, Some(notification)).await?;
        let id = answer["id"].as_str().filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| call.unreadable(&"it names no notification"))
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/notifications/delete>
    pub(crate) async fn delete_notification(&self, bucket: &str, id: &str) -> Result<(), Error> {
        let path = format!("/storage/v1/b/{bucket}/notificationConfigs/{id}");
        let tried = format!("delete notification `{id}` of bucket `{bucket}`");
        let call = Call::rest("DELETE", "storage.notificationConfigs.delete", &path, tried);
        absent(self.clients().json_repeated(&self.clients().storage_json, &call).await).map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &'static str, body: &str) -> Result<Value, provision_core::ErrorKind> {
        let call = Call::rest(method, "storage.notificationConfigs.list", "/", "read".to_owned());
        answer_of(&call, body.as_bytes()).map_err(|error| error.kind())
    }

    #[test]
    fn answers_that_cannot_be_read_are_errors() {
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(read("GET", body).is_err(), "{body}");
        }
        assert_eq!(read("GET", "{}"), Ok(serde_json::json!({})));
        assert!(read("DELETE", "").is_ok() && read("DELETE", "<html>").is_err());
    }

    #[test]
    fn a_list_of_notifications_is_known_by_its_items_or_its_kind() {
        let read = |answer: Value| notifications_in(&answer).map(|list| list.len());
        assert_eq!(read(serde_json::json!({"kind": "storage#notifications"})), Ok(0));
        assert_eq!(read(serde_json::json!({"items": [{"id": "1"}]})), Ok(1));
        for answer in [serde_json::json!({}), serde_json::json!({"items": {}}), serde_json::json!({"items": null})] {
            assert!(read(answer).is_err());
        }
    }

    #[test]
    fn the_project_of_a_service_account_stands_in_its_email() {
        for (email, project) in [
            ("wandb@acme-ml.iam.gserviceaccount.com", Some("acme-ml")),
            ("wandb@acme.example.com.iam.gserviceaccount.com", Some("example.com:acme")),
            ("acme-ml@appspot.gserviceaccount.com", Some("acme-ml")),
            ("42-compute@developer.gserviceaccount.com", Some("42")),
            ("wandb@example.com", None),
        ] {
            assert_eq!(project_of(email).as_deref(), project, "{email}");
        }
    }
}

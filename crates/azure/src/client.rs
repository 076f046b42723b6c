//! One function for each API operation: request, response, no decisions. The only file that sends requests.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write:
//!
//! ```compile_fail
//! # async fn cannot(reader: provision_azure::client::Reader) {
//! reader.delete("/subscriptions/0/resourceGroups/wandb", "delete it").await;
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Url};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobContainerClientListBlobsOptions, BlobItem, DeleteSnapshotsOptionType,
    ListBlobsIncludeItem,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use futures::StreamExt as _;
use provision_core::output::Secret;
use provision_core::provider::Created;
use provision_core::retry::{self, Progress};
use provision_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::error::{Refused, Tried, absent, from_answer, from_transport, unreadable};
use crate::trace;

/// <https://learn.microsoft.com/rest/api/resources/>
const RESOURCES: &str = "2021-04-01";
/// <https://learn.microsoft.com/rest/api/resources/subscriptions>
const SUBSCRIPTIONS: &str = "2021-01-01";
/// <https://learn.microsoft.com/rest/api/storagerp/>. Not the newest: sovereign clouds follow later.
const STORAGE: &str = "2023-05-01";
/// <https://learn.microsoft.com/rest/api/eventgrid/>: the first with a queue message's time to live.
const EVENT_GRID: &str = "2022-06-15";
/// <https://learn.microsoft.com/rest/api/authorization/role-assignments>
const AUTHORIZATION: &str = "2022-04-01";
/// <https://learn.microsoft.com/rest/api/resources/management-locks>
const LOCKS: &str = "2016-09-01";

/// Where calls go and how they are authorised.
#[derive(Clone, Debug)]
pub struct Clients {
    pub(crate) pipeline: Pipeline,
    pub(crate) endpoint: Url,
    pub(crate) credential: Arc<dyn TokenCredential>,
    /// Options of the Blob service's client: the same transport, one attempt, the trace.
    pub(crate) options: ClientOptions,
    /// Where an account's blobs are, if the account itself does not say so.
    pub(crate) blob_endpoint: Option<Url>,
}

impl Clients {
    /// Clients of Resource Manager at `endpoint`, with tokens for `scope`.
    pub(crate) fn new(
        endpoint: Url,
        scope: &str,
        credential: Arc<dyn TokenCredential>,
        options: ClientOptions,
        blob_endpoint: Option<Url>,
    ) -> Self {
        let bearer: Arc<dyn Policy> = Arc::new(BearerTokenAuthorizationPolicy::new(credential.clone(), [scope]));
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        let pipeline = Pipeline::new(name, version, options.clone(), Vec::new(), vec![bearer], None);
        Self { pipeline, endpoint, credential, options, blob_endpoint }
    }
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

/// One answer of Resource Manager.
#[derive(Clone, Debug, Default)]
struct Answer {
    status: u16,
    body: Value,
    location: Option<String>,
    async_operation: Option<String>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
}

const LOCATION: HeaderName = HeaderName::from_static("location");
const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

impl Reader {
    /// A reader on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { clients }
    }

    fn url(&self, path: &str, version: &str) -> Result<Url, Error> {
        let mut url = self.clients.endpoint.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url.query_pairs_mut().append_pair("api-version", version);
        Ok(url)
    }

    /// Send one request, again while the core's policy says so.
    async fn send(&self, method: Method, url: &Url, body: Option<&Value>, text: &str) -> Result<Answer, Error> {
        let operation = trace::operation(method, url);
        let tried = Tried { operation: &operation, text };
        retry::call(|| self.send_once(method, url, body, tried)).await
    }

    async fn send_once(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        tried: Tried<'_>,
    ) -> Result<Answer, Error> {
        let mut request = Request::new(url.clone(), method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string().into_bytes());
        }
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let sent = self.clients.pipeline.send(&Context::new(), &mut request, Some(options)).await;
        let response = sent.map_err(|error| from_transport(tried, &error))?;
        let answer = read(&response);
        match answer.status {
            200..300 if is_unreadable(&response) => Err(unreadable(tried)),
            200..300 => Ok(answer),
            _ => Err(from_answer(tried, &refused(&answer, &response))),
        }
    }

    /// The document that a request is answered with, which has a member of this name: whatever else a proxy or a login page
    /// answers says nothing about what is there.
    async fn document(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        text: &str,
        member: &str,
    ) -> Result<Value, Error> {
        let answer = self.send(method, url, body, text).await?;
        let known = answer.body.get(member).is_some_and(|value| !value.is_null());
        match answer.body {
            Value::Object(_) if known => Ok(answer.body),
            _ => Err(unreadable(Tried { operation: &trace::operation(method, url), text })),
        }
    }

    /// A resource; `None` if it is not there.
    async fn get(&self, path: &str, version: &str, text: &str) -> Result<Option<Value>, Error> {
        let url = self.url(path, version)?;
        absent(self.document(Method::Get, &url, None, text, "id").await)
    }

    /// Every page of a list; `None` where what is listed is not there.
    async fn list(&self, path: &str, version: &str, text: &str) -> Result<Option<Vec<Value>>, Error> {
        let mut url = self.url(path, version)?;
        let mut found = Vec::new();
        loop {
            let page = self.document(Method::Get, &url, None, text, "value").await;
            let Some(page) = absent(page)? else { return Ok(None) };
            let broken = || unreadable(Tried { operation: &trace::operation(Method::Get, &url), text });
            found.extend(page["value"].as_array().ok_or_else(broken)?.iter().cloned());
            let Some(link) = page["nextLink"].as_str().filter(|link| !link.is_empty()) else { return Ok(Some(found)) };
            let next = trusted(&self.clients.endpoint, link)?;
            // A page that leads to itself never ends.
            if next == url {
                return Err(broken());
            }
            url = next;
        }
    }

    /// <https://learn.microsoft.com/rest/api/resources/subscriptions/get>
    pub(crate) async fn get_subscription(&self, id: &str) -> Result<Value, Error> {
        let url = self.url(id, SUBSCRIPTIONS)?;
        self.document(Method::Get, &url, None, "look at the subscription", "id").await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/get>
    pub(crate) async fn get_group(&self, id: &str) -> Result<Option<Value>, Error> {
        self.get(id, RESOURCES, &format!("look at resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group>
    pub(crate) async fn list_group_resources(&self, id: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list what is in resource group `{}`", last(id));
        self.list(&format!("{id}/resources"), RESOURCES, &text).await
    }

    /// The registration of a resource provider <https://learn.microsoft.com/rest/api/resources/providers/get>.
    pub(crate) async fn get_provider(&self, subscription: &str, namespace: &str) -> Result<String, Error> {
        let url = self.url(&format!("{subscription}/providers/{namespace}"), RESOURCES)?;
        let text = format!("look whether {namespace} is registered");
        let found = self.document(Method::Get, &url, None, &text, "registrationState").await?;
        Ok(found["registrationState"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether an account's name is free, in all of Azure; the message says why not
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability>.
    pub(crate) async fn check_account_name(&self, subscription: &str, name: &str) -> Result<Option<String>, Error> {
        let url = self.url(&format!("{subscription}/providers/Microsoft.Storage/checkNameAvailability"), STORAGE)?;
        let body = json!({"name": name, "type": "Microsoft.Storage/storageAccounts"});
        let text = format!("ask whether the name `{name}` is free");
        let answer = self.document(Method::Post, &url, Some(&body), &text, "nameAvailable").await?;
        let taken = answer["nameAvailable"] == json!(false);
        Ok(taken.then(|| answer["message"].as_str().unwrap_or("it is taken").to_owned()))
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties>
    pub(crate) async fn get_account(&self, id: &str) -> Result<Option<Value>, Error> {
        self.get(id, STORAGE, &format!("look at storage account `{}`", last(id))).await
    }

    /// The accounts of a subscription (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list>) or of a
    /// resource group (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-by-resource-group>).
    pub(crate) async fn list_accounts(&self, scope: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the storage accounts of `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Storage/storageAccounts"), STORAGE, &text).await
    }

    /// A key of the account. A read by its effect, although it is a `POST`
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys>.
    pub(crate) async fn list_keys(&self, id: &str, key: &str) -> Result<Option<Secret>, Error> {
        let url = self.url(&format!("{id}/listKeys"), STORAGE)?;
        let text = format!("fetch the keys of storage account `{}`", last(id));
        let answer = self.document(Method::Post, &url, None, &text, "keys").await?;
        let keys = answer["keys"].as_array().into_iter().flatten();
        let mut named = keys.filter(|found| found["keyName"].as_str() == Some(key));
        Ok(named.next().and_then(|found| found["value"].as_str()).map(Secret::new))
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-services/get-service-properties>
    pub(crate) async fn get_blob_service(&self, account: &str) -> Result<Option<Value>, Error> {
        let text = format!("read the blob properties of storage account `{}`", last(account));
        self.get(&format!("{account}/blobServices/default"), STORAGE, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/list>
    pub(crate) async fn list_containers(&self, account: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the containers of storage account `{}`", last(account));
        self.list(&format!("{account}/blobServices/default/containers"), STORAGE, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/get>
    pub(crate) async fn get_container(&self, id: &str) -> Result<Option<Value>, Error> {
        self.get(id, STORAGE, &format!("look at container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/list>
    pub(crate) async fn list_queues(&self, account: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the queues of storage account `{}`", last(account));
        self.list(&format!("{account}/queueServices/default/queues"), STORAGE, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/get>
    pub(crate) async fn get_queue(&self, id: &str) -> Result<Option<Value>, Error> {
        self.get(id, STORAGE, &format!("look at queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/table/list>
    pub(crate) async fn list_tables(&self, account: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the tables of storage account `{}`", last(account));
        self.list(&format!("{account}/tableServices/default/tables"), STORAGE, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/file-shares/list>
    pub(crate) async fn list_shares(&self, account: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the file shares of storage account `{}`", last(account));
        self.list(&format!("{account}/fileServices/default/shares"), STORAGE, &text).await
    }

    /// Locks on a scope and below it <https://learn.microsoft.com/rest/api/resources/management-locks/list-by-scope>.
    pub(crate) async fn list_locks(&self, scope: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the locks on `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/locks"), LOCKS, &text).await
    }

    /// The event subscriptions of an account
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/list-by-resource>), or of a
    /// system topic
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topic-event-subscriptions/list-by-system-topic>).
    pub(crate) async fn list_event_subscriptions(&self, collection: &str) -> Result<Option<Vec<Value>>, Error> {
        self.list(collection, EVENT_GRID, "list the event subscriptions of the storage account").await
    }

    /// The system topics of a subscription
    /// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/list-by-subscription>) or of a resource
    /// group (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/list-by-resource-group>).
    pub(crate) async fn list_system_topics(&self, scope: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the system topics of `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.EventGrid/systemTopics"), EVENT_GRID, &text).await
    }

    /// Role assignments at, above and below a scope
    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope>.
    pub(crate) async fn list_role_assignments(&self, scope: &str) -> Result<Option<Vec<Value>>, Error> {
        let text = format!("list the role assignments on `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), AUTHORIZATION, &text).await
    }

    /// A client of one container. Over plain HTTP no token may be sent: there the account's key signs.
    fn blobs(&self, container: &Url, key: Option<SharedKey>) -> Result<BlobContainerClient, Error> {
        let mut options =
            BlobContainerClientOptions { client_options: self.clients.options.clone(), ..Default::default() };
        let credential = match key {
            Some(key) => {
                // Before the trace, which is the last policy.
                options.client_options.per_try_policies.insert(0, Arc::new(key));
                None
            }
            None => Some(self.clients.credential.clone()),
        };
        BlobContainerClient::new(container.clone(), credential, Some(options)).map_err(|error| {
            let tried = format!("cannot open container {container}");
            Error::new(ErrorKind::Unexpected, tried).message(error.to_string())
        })
    }

    /// Where an account's blobs are, by the account's own word.
    pub(crate) fn blob_endpoint(&self, account: &Value) -> Option<Url> {
        let own = || Url::parse(account.pointer("/properties/primaryEndpoints/blob")?.as_str()?).ok();
        own().or_else(|| self.clients.blob_endpoint.clone())
    }

    /// One page of blobs, versions and snapshots, at most 1,000
    /// <https://learn.microsoft.com/rest/api/storageservices/list-blobs>.
    pub(crate) async fn list_blobs(
        &self,
        blobs: &BlobStore,
        uncommitted: bool,
        marker: Option<String>,
    ) -> Result<BlobPage, Error> {
        let mut include = vec![ListBlobsIncludeItem::Snapshots, ListBlobsIncludeItem::Versions];
        if uncommitted {
            include.push(ListBlobsIncludeItem::UncommittedBlobs);
        }
        let text = format!("list the content of container `{}`", blobs.name);
        let request = || async {
            let options = BlobContainerClientListBlobsOptions {
                include: Some(include.clone()),
                marker: marker.clone(),
                maxresults: Some(1000),
                ..BlobContainerClientListBlobsOptions::default()
            };
            let pager = blobs.client.list_blobs(Some(options));
            let page = match pager {
                Ok(pager) => pager.into_pages().next().await,
                Err(error) => Some(Err(error)),
            };
            let page = page.transpose().and_then(|page| page.map(|page| page.into_model()).transpose());
            page.map_err(|error| from_blobs("read", &text, &error))
        };
        let page = retry::call(request).await?.unwrap_or_default();
        Ok(BlobPage { items: page.blob_items, next: page.next_marker.filter(|marker| !marker.is_empty()) })
    }

    /// The content of a container, with whichever of a token and the account's key the service takes
    /// <https://learn.microsoft.com/rest/api/storageservices/authorize-requests-to-azure-storage>.
    pub(crate) fn blob_store(
        &self,
        account: &str,
        endpoint: &Url,
        container: &str,
        key: Option<Secret>,
    ) -> Result<BlobStore, Error> {
        let mut url = endpoint.clone();
        url.set_path(&format!("{}/{container}", url.path().trim_end_matches('/')));
        let key = key.map(|key| SharedKey { account: last(account).to_owned(), key });
        Ok(BlobStore { client: self.blobs(&url, key)?, name: container.to_owned() })
    }
}

/// The content of one container.
pub(crate) struct BlobStore {
    client: BlobContainerClient,
    pub(crate) name: String,
}

impl std::fmt::Debug for BlobStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobStore").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A page of a container's content.
#[derive(Default)]
pub(crate) struct BlobPage {
    pub(crate) items: Vec<BlobItem>,
    pub(crate) next: Option<String>,
}

impl Writer {
    /// A writer on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { reader: Reader::new(clients) }
    }

    /// Send a write and wait until the service has carried it out. Gives the status of the first answer.
    async fn write(
        &self,
        method: Method,
        path: &str,
        version: &str,
        body: Option<&Value>,
        text: &str,
    ) -> Result<u16, Error> {
        let url = self.reader.url(path, version)?;
        let first = self.reader.send(method, &url, body, text).await?;
        let status = first.status;
        let operation = trace::operation(method, &url);
        let resource = (method != Method::Delete).then_some(url);
        let tried = Tried { operation: &operation, text };
        self.finish(first, resource.as_ref(), tried).await?;
        Ok(status)
    }

    /// Poll an operation of the service's own, in both styles of Resource Manager
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.
    async fn finish(&self, first: Answer, resource: Option<&Url>, tried: Tried<'_>) -> Result<(), Error> {
        let waiting = Mutex::new((Following::default(), Some(first), None::<Url>));
        let look = || async {
            let (answer, url) = {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                (waiting.1.take(), waiting.2.clone())
            };
            let answer = match (answer, url) {
                (Some(first), _) => first,
                (None, Some(url)) => self.reader.send(Method::Get, &url, None, tried.text).await?,
                (None, None) => Answer::default(),
            };
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            match waiting.0.step(&answer, &self.reader.clients.endpoint, resource)? {
                Step::Done => Ok(Progress::Done(())),
                Step::Failed => Err(from_answer(tried, &failed(&answer))),
                Step::Look(url) => {
                    waiting.2 = Some(url);
                    Ok(Progress::Running(answer.retry_after))
                }
            }
        };
        let late = || {
            let error = Error::new(ErrorKind::Unavailable, tried.text).operation(tried.operation);
            error
                .message(format!("the service was not done within {} minutes", retry::SERVICE_BUDGET.as_secs() / 60))
                .hint("it may still end well: run the same command again, it goes on where this one ended")
        };
        retry::poll(look, late).await
    }

    async fn put(&self, path: &str, version: &str, body: &Value, text: &str) -> Result<(), Error> {
        self.write(Method::Put, path, version, Some(body), text).await.map(drop)
    }

    /// The same for what is to be created. The call also updates what exists: then it answers 200, and to a creation 201, or
    /// 202 until it is done.
    async fn create(&self, path: &str, version: &str, body: &Value, text: &str) -> Result<Created, Error> {
        let status = self.write(Method::Put, path, version, Some(body), text).await?;
        Ok(if status == 200 { Created::Existed } else { Created::Made })
    }

    async fn patch(&self, path: &str, version: &str, body: &Value, text: &str) -> Result<(), Error> {
        self.write(Method::Patch, path, version, Some(body), text).await.map(drop)
    }

    async fn delete(&self, path: &str, version: &str, text: &str) -> Result<(), Error> {
        absent(self.write(Method::Delete, path, version, None, text).await).map(drop)
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/create-or-update>
    pub(crate) async fn put_group(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, RESOURCES, body, &format!("create resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/update>
    pub(crate) async fn patch_group(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, RESOURCES, body, &format!("update resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/resource-groups/delete>
    pub(crate) async fn delete_group(&self, id: &str) -> Result<(), Error> {
        self.delete(id, RESOURCES, &format!("delete resource group `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/resources/providers/register>
    pub(crate) async fn register_provider(&self, subscription: &str, namespace: &str) -> Result<(), Error> {
        let url = self.reader.url(&format!("{subscription}/providers/{namespace}/register"), RESOURCES)?;
        self.reader.send(Method::Post, &url, None, &format!("register {namespace}")).await.map(drop)
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create>
    pub(crate) async fn put_account(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, STORAGE, body, &format!("create storage account `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/update>
    pub(crate) async fn patch_account(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, STORAGE, body, &format!("update storage account `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/delete>
    pub(crate) async fn delete_account(&self, id: &str) -> Result<(), Error> {
        self.delete(id, STORAGE, &format!("delete storage account `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-services/set-service-properties>
    pub(crate) async fn put_blob_service(&self, account: &str, properties: &Value) -> Result<(), Error> {
        let text = format!("write the blob properties of storage account `{}`", last(account));
        let path = format!("{account}/blobServices/default");
        self.put(&path, STORAGE, &json!({"properties": properties}), &text).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/create>
    pub(crate) async fn put_container(&self, id: &str, body: &Value) -> Result<Created, Error> {
        self.create(id, STORAGE, body, &format!("create container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/update>
    pub(crate) async fn patch_container(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, STORAGE, body, &format!("update container `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/blob-containers/delete>
    pub(crate) async fn delete_container(&self, id: &str) -> Result<(), Error> {
        self.delete(id, STORAGE, &format!("delete container `{}`", last(id))).await
    }

    /// It answers 200 whether the queue is new or not <https://learn.microsoft.com/rest/api/storagerp/queue/create>.
    pub(crate) async fn put_queue(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.put(id, STORAGE, body, &format!("create queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/update>
    pub(crate) async fn patch_queue(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.patch(id, STORAGE, body, &format!("update queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/storagerp/queue/delete>
    pub(crate) async fn delete_queue(&self, id: &str) -> Result<(), Error> {
        self.delete(id, STORAGE, &format!("delete queue `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/create-or-update>
    pub(crate) async fn put_event_subscription(&self, id: &str, body: &Value) -> Result<(), Error> {
        self.put(id, EVENT_GRID, body, &format!("write event subscription `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/delete>
    pub(crate) async fn delete_event_subscription(&self, id: &str) -> Result<(), Error> {
        self.delete(id, EVENT_GRID, &format!("delete event subscription `{}`", last(id))).await
    }

    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/create>
    pub(crate) async fn put_role_assignment(&self, id: &str, body: &Value, role: &str) -> Result<(), Error> {
        self.put(id, AUTHORIZATION, body, &format!("assign role {role}")).await
    }

    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/delete>
    pub(crate) async fn delete_role_assignment(&self, id: &str) -> Result<(), Error> {
        self.delete(id, AUTHORIZATION, &format!("delete role assignment `{}`", last(id))).await
    }

    /// A blob with its snapshots, or one old version <https://learn.microsoft.com/rest/api/storageservices/delete-blob>.
    pub(crate) async fn delete_blob(&self, blobs: &BlobStore, item: &BlobItem) -> Result<(), Error> {
        let name = item.name.as_deref().unwrap_or_default();
        let blob = blobs.client.blob_client(name);
        let old = item.version_id.clone().filter(|_| item.is_current_version != Some(true));
        let text = format!("delete blob `{name}` of container `{}`", blobs.name);
        let request = || async {
            // The service refuses the header of snapshots beside a version.
            let snapshots = old.is_none().then_some(DeleteSnapshotsOptionType::Include);
            let options = BlobClientDeleteOptions {
                delete_snapshots: snapshots,
                version_id: old.clone(),
                ..BlobClientDeleteOptions::default()
            };
            let deleted = blob.delete(Some(options)).await.map(drop);
            deleted.map_err(|error| from_blobs("delete", &text, &error))
        };
        match retry::call(request).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            deleted => deleted,
        }
    }
}

/// The last segment of a resource's id: its name.
pub(crate) fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn read(response: &RawResponse) -> Answer {
    let headers = response.headers();
    let text = |name: &HeaderName| headers.get_optional_str(name).map(str::to_owned);
    Answer {
        status: response.status().into(),
        body: serde_json::from_slice(response.body()).unwrap_or_default(),
        location: text(&LOCATION),
        async_operation: text(&ASYNC_OPERATION),
        retry_after: text(&RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        request_id: text(&REQUEST_ID),
    }
}

/// A body that is there and no JSON: something between here and Azure may have answered.
fn is_unreadable(response: &RawResponse) -> bool {
    let body: &[u8] = response.body();
    !body.is_empty() && serde_json::from_slice::<Value>(body).is_err()
}

fn refused(answer: &Answer, response: &RawResponse) -> Refused {
    let code = response.headers().get_optional_str(&ERROR_CODE).map(str::to_owned);
    let (retry_after, request_id) = (answer.retry_after, answer.request_id.clone());
    let mut refused = Refused { status: answer.status, code, request_id, retry_after, ..Refused::default() };
    refused.read(response.body());
    refused
}

/// The error that a status document of an operation carries.
fn failed(answer: &Answer) -> Refused {
    let error = answer.body.get("error").cloned().unwrap_or_default();
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    Refused {
        status: 0,
        code: text("code"),
        message: text("message").or_else(|| Some("the service could not carry it out".to_owned())),
        request_id: answer.request_id.clone(),
        retry_after: None,
    }
}

fn from_blobs(verb: &str, text: &str, error: &azure_core::Error) -> Error {
    let operation = format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}");
    let tried = Tried { operation: &operation, text };
    let azure_core::error::ErrorKind::HttpResponse { status, error_code, raw_response } = error.kind() else {
        return from_transport(tried, error);
    };
    let mut refused = Refused { status: (*status).into(), code: error_code.clone(), ..Refused::default() };
    if let Some(response) = raw_response {
        let text = |name: &HeaderName| response.headers().get_optional_str(name);
        refused.request_id = text(&REQUEST_ID).map(str::to_owned);
        refused.retry_after = text(&RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        refused.read(response.body());
    }
    from_answer(tried, &refused)
}

/// The address of an operation or of a next page, which comes from an answer: the token is sent nowhere but to the
/// configured host.
fn trusted(endpoint: &Url, link: &str) -> Result<Url, Error> {
    let url = Url::parse(link).ok().filter(|url| url.origin() == endpoint.origin());
    url.ok_or_else(|| {
        let place = Url::parse(link).map_or_else(|_| link.to_owned(), |url| url.origin().ascii_serialization());
        let tried = format!("the answer points to {place}, not to {}", endpoint.origin().ascii_serialization());
        Error::new(ErrorKind::Unexpected, tried).hint("no token was sent there")
    })
}

/// What an operation of the service's own is followed by.
#[derive(Debug, Default)]
struct Following {
    async_operation: Option<Url>,
    location: Option<Url>,
}

/// What an answer says about the operation.
#[derive(Debug, PartialEq)]
enum Step {
    Done,
    Failed,
    Look(Url),
}

impl Following {
    /// `Azure-AsyncOperation` (a status document) wins over `Location` (202 until done); with neither, the resource
    /// itself says how far it is.
    fn step(&mut self, answer: &Answer, endpoint: &Url, resource: Option<&Url>) -> Result<Step, Error> {
        if let Some(link) = &answer.async_operation {
            self.async_operation = Some(trusted(endpoint, link)?);
        }
        if let Some(link) = &answer.location {
            self.location = Some(trusted(endpoint, link)?);
        }
        let state = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if let Some(url) = &self.async_operation {
            return Ok(match state("/status").to_ascii_lowercase().as_str() {
                "succeeded" => Step::Done,
                "failed" | "canceled" | "cancelled" => Step::Failed,
                _ => Step::Look(url.clone()),
            });
        }
        if answer.status == 202 {
            let url = self.location.as_ref().or(resource);
            return Ok(url.map_or(Step::Done, |url| Step::Look(url.clone())));
        }
        Ok(match (state("/properties/provisioningState").to_ascii_lowercase().as_str(), resource) {
            ("failed" | "canceled", _) => Step::Failed,
            ("" | "succeeded", _) | (_, None) => Step::Done,
            (_, Some(url)) => Step::Look(url.clone()),
        })
    }
}

/// Signs requests with an account's key: the SDK itself only knows tokens
/// (<https://github.com/Azure/azure-sdk-for-rust/issues/2975>; this can go when it does).
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
#[derive(Debug)]
struct SharedKey {
    account: String,
    key: Secret,
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let signature = hmac_sha256(
            &string_to_sign(&self.account, request),
            &azure_core::credentials::Secret::new(self.key.reveal().to_owned()),
        )?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        next[0].send(context, request, &next[1..]).await
    }
}

/// Everything that a signature covers, in the order of the documentation.
fn string_to_sign(account: &str, request: &Request) -> String {
    const SIGNED: [&str; 11] = [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ];
    let mut headers = BTreeMap::new();
    for (name, value) in request.headers().iter() {
        headers.insert(name.as_str().to_ascii_lowercase(), value.as_str().trim().to_owned());
    }
    let lines = SIGNED.map(|name| headers.get(name).filter(|value| *value != "0").cloned().unwrap_or_default());
    let own = headers.iter().filter(|(name, _)| name.starts_with("x-ms-"));
    let own: String = own.map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url().query_pairs() {
        query.entry(name.to_ascii_lowercase()).or_default().push(value.into_owned());
    }
    let query = query.into_iter().map(|(name, mut values)| {
        values.sort();
        format!("\n{name}:{}", values.join(","))
    });
    let query: String = query.collect();
    format!("{}\n{}\n{own}/{account}{}{query}", request.method().as_ref(), lines.join("\n"), request.url().path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn token_goes_to_the_configured_host_only() {
        let endpoint = url("https://management.azure.com/");
        assert!(trusted(&endpoint, "https://management.azure.com/subscriptions/s/operationResults/1").is_ok());
        for other in [
            "https://evil.example/subscriptions/s",
            "https://management.azure.com.evil.example/",
            "http://management.azure.com/",
            "https://management.azure.com:8443/",
            "/relative",
        ] {
            trusted(&endpoint, other).unwrap_err();
        }
    }

    fn step(following: &mut Following, answer: &Answer) -> Step {
        let (endpoint, resource) = (url("https://arm.example/"), url("https://arm.example/resource"));
        following.step(answer, &endpoint, Some(&resource)).unwrap()
    }

    #[test]
    fn operation_is_followed_by_location_until_it_is_not_202() {
        let mut following = Following::default();
        let link = Some("https://arm.example/results/1".to_owned());
        let accepted = Answer { status: 202, location: link, ..Answer::default() };
        let look = Step::Look(url("https://arm.example/results/1"));
        assert_eq!(step(&mut following, &accepted), look);
        assert_eq!(step(&mut following, &Answer { status: 202, ..Answer::default() }), look);
        assert_eq!(step(&mut following, &Answer { status: 200, ..Answer::default() }), Step::Done);
    }

    #[test]
    fn operation_is_followed_by_its_status_document() {
        let mut following = Following::default();
        let document = |status: &str| Answer { status: 200, body: json!({"status": status}), ..Answer::default() };
        let created = Answer {
            status: 201,
            async_operation: Some("https://arm.example/operations/1".to_owned()),
            body: json!({"properties": {"provisioningState": "Creating"}}),
            ..Answer::default()
        };
        let look = Step::Look(url("https://arm.example/operations/1"));
        assert_eq!(step(&mut following, &created), look);
        assert_eq!(step(&mut following, &document("InProgress")), look);
        assert_eq!(step(&mut following, &document("Succeeded")), Step::Done);
        assert_eq!(step(&mut following, &document("Failed")), Step::Failed);
    }

    #[test]
    fn operation_without_headers_is_followed_by_the_resource() {
        let mut following = Following::default();
        let resource = |state: &str| {
            let body = json!({"properties": {"provisioningState": state}});
            Answer { status: 201, body, ..Answer::default() }
        };
        assert_eq!(step(&mut following, &resource("Creating")), Step::Look(url("https://arm.example/resource")));
        assert_eq!(step(&mut following, &resource("Succeeded")), Step::Done);
        assert_eq!(step(&mut following, &resource("Failed")), Step::Failed);
    }

    /// The layout of <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key#constructing-the-canonicalized-resource-string>.
    #[test]
    fn signature_covers_headers_and_sorted_parameters() {
        let address = "http://127.0.0.1:10000/acme/files?restype=container&comp=list&include=versions,snapshots";
        let mut request = Request::new(url(address), Method::Get);
        request.insert_header("x-ms-version", "2026-04-06");
        request.insert_header("x-ms-date", "Mon, 23 Nov 2026 00:00:00 GMT");
        assert_eq!(
            string_to_sign("acme", &request),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Mon, 23 Nov 2026 00:00:00 GMT\nx-ms-version:2026-04-06\n\
             /acme/acme/files\ncomp:list\ninclude:versions,snapshots\nrestype:container"
        );
    }
}

//! One function for each API operation: request, response, no decisions. This file sends the requests; the files below it
//! say which there are, a file for each service.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write:

pub(crate) mod models;
mod operation;
mod answer;
mod polling;
mod shared_key;
mod data;
mod resources;
mod storage;
mod event_grid;
mod authorization;
pub(crate) mod refusals;
pub(crate) mod blobs;
pub(crate) mod queues;
pub(crate) mod signed;
#[cfg(test)]
mod recorded;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::credentials::TokenCredential;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request, Url};
use provision_core::provider::Created;
use provision_core::retry::{self, Progress};
use provision_core::{Error, ErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::answer::{ServiceResponse, is_unreadable, operation_error, read, read_item, service_error, trusted};
pub(crate) use self::operation::operation;
use self::polling::{Following, Step};
use crate::error::{CallContext, absent, from_answer, from_transport, unreadable, unreadable_item};

/// Where calls go and how they are authorised.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
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
pub(crate) struct Reader {
    clients: Clients,
}

provision_core::writer! {
    /// The reads and the writes.
    pub(crate) struct Writer { reader: Reader, clients: Clients }
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<Map<String, Value>>,
    next_link: Option<String>,
}

impl Reader {
    /// A reader on these clients.
    pub(crate) fn new(clients: Clients) -> Self {
        Self { clients }
    }

    fn url(&self, path: &str, version: &str) -> Result<Url, Error> {
        let mut url = self.clients.endpoint.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url.query_pairs_mut().append_pair("api-version", version);
        Ok(url)
    }

    /// Send one request, again while the core's policy says so.
    async fn send(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        text: &str,
    ) -> Result<ServiceResponse, Error> {
        let operation = operation(method, url);
        let call = CallContext { operation: &operation, text };
        retry::call(|| self.send_once(method, url, body, call)).await
    }

    async fn send_once(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        call: CallContext<'_>,
    ) -> Result<ServiceResponse, Error> {
        let mut request = Request::new(url.clone(), method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string().into_bytes());
        }
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let sent = self.clients.pipeline.send(&Context::new(), &mut request, Some(options)).await;
        let response = sent.map_err(|error| from_transport(call, &error))?;
        let answer = read(&response);
        match answer.status {
            200..300 if is_unreadable(&response) => Err(unreadable(call)),
            200..300 => Ok(answer),
            _ => Err(from_answer(call, &service_error(&answer, &response))),
        }
    }

    /// The document that a request is answered with, which has a member of this name: whatever else a proxy or a login page
    /// answers says nothing about what is there.
    async fn document<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        text: &str,
        member: &str,
    ) -> Result<T, Error> {
        let answer = self.send(method, url, body, text).await?;
        let known = answer.body.get(member).is_some_and(|value| !value.is_null());
        let document = known.then(|| serde_json::from_value(answer.body).ok()).flatten();
        document.ok_or_else(|| unreadable(CallContext { operation: &operation(method, url), text }))
    }

    /// A resource; `None` if it is not there.
    async fn get<T: DeserializeOwned>(&self, path: &str, version: &str, text: &str) -> Result<Option<T>, Error> {
        let url = self.url(path, version)?;
        absent(self.document(Method::Get, &url, None, text, "id").await)
    }

    /// Every page of a list; `None` where what is listed is not there.
    async fn list<T: DeserializeOwned>(&self, path: &str, version: &str, text: &str) -> Result<Option<Vec<T>>, Error> {
        let mut url = self.url(path, version)?;
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            seen.insert(url.clone());
            let page = self.document(Method::Get, &url, None, text, "value").await;
            let Some(Page { value, next_link }) = absent(page)? else { return Ok(None) };
            for item in value {
                let call = CallContext { operation: &operation(Method::Get, &url), text };
                found.push(read_item(item).map_err(|why| unreadable_item(call, &why))?);
            }
            let Some(link) = next_link.filter(|link| !link.is_empty()) else { return Ok(Some(found)) };
            url = trusted(&self.clients.endpoint, &link)?;
            // Pages that lead to each other never end.
            if seen.contains(&url) {
                return Err(unreadable(CallContext { operation: &operation(Method::Get, &url), text }));
            }
        }
    }
}

impl Writer {
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
        let operation = operation(method, &url);
        let resource = (method != Method::Delete).then_some(url);
        let call = CallContext { operation: &operation, text };
        if resource.is_some() && !first.shows_resource() {
            return Err(unreadable(call));
        }
        self.finish(first, resource.as_ref(), call).await?;
        Ok(status)
    }

    /// Poll an operation of the service's own, in both styles of Resource Manager
    /// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.
    async fn finish(&self, first: ServiceResponse, resource: Option<&Url>, call: CallContext<'_>) -> Result<(), Error> {
        let waiting = Mutex::new((Following::default(), Some(first), None::<Url>));
        let look = || async {
            let (answer, url) = {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                (waiting.1.take(), waiting.2.clone())
            };
            let answer = match (answer, url) {
                (Some(first), _) => first,
                (None, Some(url)) => self.reader.send(Method::Get, &url, None, call.text).await?,
                (None, None) => ServiceResponse::default(),
            };
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            match waiting.0.step(&answer, &self.clients().endpoint, resource)? {
                Step::Done => Ok(Progress::Done(())),
                Step::Failed => Err(from_answer(call, &operation_error(&answer))),
                Step::Unreadable => Err(unreadable(call)),
                Step::Look(url) => {
                    waiting.2 = Some(url);
                    Ok(Progress::Running(answer.retry_after))
                }
            }
        };
        let late = || {
            let error = Error::new(ErrorKind::Unavailable, call.text).with_operation(call.operation);
            error
                .with_message(format!(
                    "the service was not done within {} minutes",
                    retry::SERVICE_BUDGET.as_secs() / 60
                ))
                .with_hint("it may still end well: run the same command again, it goes on where this one ended")
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
}

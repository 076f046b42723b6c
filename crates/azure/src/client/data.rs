//! The way to the Queue service, and to what of the Blob service the SDK's client has no call for.

use std::sync::Arc;

use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Url};
use provision_core::output::Secret;
use provision_core::{Error, ErrorKind, retry};

use super::Reader;
use super::answer::{read, service_error};
use super::operation::operation;
use super::shared_key::SharedKey;
use crate::error::{CallContext, from_answer, from_transport};
use crate::names::last;

/// What tokens for blobs and queues are asked for, in every one of Azure's clouds
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>.
const SCOPE: &str = "https://storage.azure.com/.default";

/// <https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services>. Not the newest: sovereign
/// clouds follow later.
pub(super) const VERSION: &str = "2021-12-02";

/// A service of an account, and what lets requests in there.
#[derive(Clone, Debug)]
pub(crate) struct DataService {
    pipeline: Pipeline,
    pub(super) endpoint: Url,
}

impl Reader {
    /// The service at this address, with the account's key or else a token.
    pub(crate) fn data_service(&self, account: &str, endpoint: &Url, key: Option<Secret>) -> DataService {
        let authorisation: Arc<dyn Policy> = match key {
            Some(key) => Arc::new(SharedKey { account: last(account).to_owned(), key }),
            None => Arc::new(BearerTokenAuthorizationPolicy::new(self.clients.credential.clone(), [SCOPE])),
        };
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        let options = self.clients.options.clone();
        let pipeline = Pipeline::new(name, version, options, Vec::new(), vec![authorisation], None);
        DataService { pipeline, endpoint: endpoint.clone() }
    }
}

impl DataService {
    /// The address of what has this path.
    pub(super) fn url(&self, path: &[&str]) -> Result<Url, Error> {
        below(&self.endpoint, path.iter().copied())
    }

    /// Send one request, again while the core's policy says so.
    pub(super) async fn send(&self, method: Method, url: &Url, body: &str, text: &str) -> Result<RawResponse, Error> {
        retry::call(|| self.send_once(method, url, body, text)).await
    }

    /// Send one request, whose effect must not come twice.
    pub(super) async fn send_once(
        &self,
        method: Method,
        url: &Url,
        body: &str,
        text: &str,
    ) -> Result<RawResponse, Error> {
        let operation = operation(method, url);
        let call = CallContext { operation: &operation, text };
        let mut request = Request::new(url.clone(), method);
        request.insert_header("x-ms-version", VERSION);
        request.insert_header("content-length", body.len().to_string());
        if !body.is_empty() {
            request.insert_header("content-type", "application/xml");
            request.set_body(body.as_bytes().to_vec());
        }
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let sent = self.pipeline.send(&Context::new(), &mut request, Some(options)).await;
        let response = sent.map_err(|error| from_transport(call, &error))?;
        let answer = read(&response);
        match answer.status {
            200..300 => Ok(response),
            _ => Err(from_answer(call, &service_error(&answer, &response))),
        }
    }
}

/// The address of something below another.
pub(super) fn below<'a>(endpoint: &Url, path: impl Iterator<Item = &'a str>) -> Result<Url, Error> {
    let mut url = endpoint.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => drop(segments.pop_if_empty().extend(path)),
        Err(()) => return Err(Error::new(ErrorKind::Unexpected, format!("`{endpoint}` is no service's address"))),
    }
    Ok(url)
}

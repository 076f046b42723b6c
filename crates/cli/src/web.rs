//! The requests that a browser would send, on a client that knows no credentials: no redirects, and answers of a bounded size.

use std::sync::Arc;

use async_trait::async_trait;
use provision_core::error::root_cause;
use provision_core::provider::Connection;
use provision_core::retry::{CONNECT_TIMEOUT, request_timeout};
use provision_core::trace::{Sent, TraceSink, body_without_secrets};
use provision_core::web::{Answer, Browser, Request};
use provision_core::{Error, ErrorKind, RetryClass, tls};

/// The largest answer that is read, in bytes: a probe or an error, each less than a thousand.
const LARGEST_ANSWER: usize = 1 << 20;

/// Sends them, and writes each into the trace.
pub(crate) struct PlainBrowser {
    client: reqwest::Client,
    trace: Option<Arc<dyn TraceSink>>,
}

impl PlainBrowser {
    /// One for this connection. A sandbox is reached without a proxy, and shows certificates of its own.
    pub(crate) fn new(connection: &Connection) -> Result<Self, Error> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(request_timeout())
            .redirect(reqwest::redirect::Policy::none());
        let builder = match &connection.sandbox {
            Some(variables) => of_sandbox(builder.no_proxy(), variables.get("SSL_CERT_FILE"))?,
            None => builder,
        };
        let client = builder.build().map_err(|error| tls::unusable(&error))?;
        Ok(Self { client, trace: connection.trace.clone() })
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, Error> {
        let unavailable = |reason: String| {
            let error = Error::new(ErrorKind::Unavailable, format!("send {}", request.shown())).with_message(reason);
            error.with_operation(request.operation).with_retry(RetryClass::Transient)
        };
        // The address of an error may hold a signature.
        let failed = |error: reqwest::Error| unavailable(root_cause(&error.without_url()));
        let method = request.method.parse().map_err(|_| Error::bug("a request has no method"))?;
        let mut sent = self.client.request(method, &request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let mut response = sent.send().await.map_err(failed)?;
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut answer = Answer { status: response.status().as_u16(), headers, body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            answer.body.extend_from_slice(&chunk);
            if answer.body.len() > LARGEST_ANSWER {
                return Err(unavailable("the answer is larger than 1 MB".to_owned()).with_retry(RetryClass::Final));
            }
        }
        Ok(answer)
    }
}

fn of_sandbox(builder: reqwest::ClientBuilder, certificates: Option<&String>) -> Result<reqwest::ClientBuilder, Error> {
    let pem = match certificates {
        Some(path) => std::fs::read(path).map_err(|error| unusable("read the sandbox's certificates", &error))?,
        None => Vec::new(),
    };
    let roots = reqwest::Certificate::from_pem_bundle(&pem);
    Ok(builder.tls_certs_only(roots.map_err(|error| unusable("read the sandbox's certificates", &error))?))
}

fn unusable(tried: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorKind::Unexpected, format!("cannot {tried}")).with_message(root_cause(error))
}

#[async_trait]
impl Browser for PlainBrowser {
    async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let sent = Sent::now(request.operation, request.method, &request.url, body_without_secrets(&request.body));
        let answer = self.exchange(request).await;
        if let Some(trace) = &self.trace {
            let body = answer.as_ref().ok().and_then(|answer| body_without_secrets(&answer.body));
            trace.record(sent.answered(answer.as_ref().ok().map(|answer| answer.status), body));
        }
        answer
    }
}

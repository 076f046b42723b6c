//! Each request as it was sent, for `--trace`.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Body, Context, Request};
use provision_core::trace::{Sent, TraceSink, body_without_secrets};

use crate::client::operation;

/// Writes every exchange into a trace: the last policy before the transport.
#[derive(Clone, Debug)]
pub(crate) struct Tracer(pub(crate) Arc<dyn TraceSink>);

#[async_trait]
impl Policy for Tracer {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let body = match request.body() {
            Body::Bytes(bytes) => body_without_secrets(bytes),
            Body::SeekableStream(_) => None,
        };
        let (method, url) = (request.method(), request.url());
        let sent = Sent::now(operation(method, url), method.as_ref(), url.as_str(), body);
        match next[0].send(context, request, &next[1..]).await {
            Ok(response) => self.answered(sent, response).await,
            Err(error) => {
                self.0.record(sent.answered(None, None));
                Err(error)
            }
        }
    }
}

impl Tracer {
    /// A body can be read once: take it, and hand on another with the same bytes.
    async fn answered(&self, sent: Sent, response: AsyncRawResponse) -> PolicyResult {
        let (status, headers, body) = response.deconstruct();
        let body = body.collect().await;
        let shown = body.as_ref().ok().and_then(|bytes| body_without_secrets(bytes));
        self.0.record(sent.answered(Some(status.into()), shown));
        Ok(AsyncRawResponse::from_bytes(status, headers, body?))
    }
}

//! Each request as it was sent, for `--trace`.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Body, Context, Request};
use provision_core::trace::{Exchange, TraceSink, body_without_secrets, url_without_secrets};

use crate::client::operation;

/// Writes every exchange into a trace: the last policy before the transport.
#[derive(Clone, Debug)]
pub(crate) struct Tracer {
    sink: Arc<dyn TraceSink>,
}

impl Tracer {
    pub(crate) fn new(sink: Arc<dyn TraceSink>) -> Self {
        Self { sink }
    }
}

#[async_trait]
impl Policy for Tracer {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let sent = Instant::now();
        let mut exchange = Exchange {
            operation: operation(request.method(), request.url()),
            method: request.method().as_ref().to_owned(),
            url: url_without_secrets(request.url().as_str()),
            request: match request.body() {
                Body::Bytes(bytes) => body_without_secrets(bytes),
                Body::SeekableStream(_) => None,
            },
            status: None,
            response: None,
            elapsed_ms: 0,
        };
        let answered = match next[0].send(context, request, &next[1..]).await {
            Ok(response) => read(response, &mut exchange).await,
            Err(error) => Err(error),
        };
        exchange.elapsed_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.sink.record(exchange);
        answered
    }
}

/// A body can be read once: take it, and hand on another with the same bytes.
async fn read(response: AsyncRawResponse, exchange: &mut Exchange) -> PolicyResult {
    let (status, headers, body) = response.deconstruct();
    exchange.status = Some(status.into());
    let bytes = body.collect().await?;
    exchange.response = body_without_secrets(&bytes);
    Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
}

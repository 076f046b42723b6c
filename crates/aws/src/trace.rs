//! Each attempt of a call as it was sent, for `--trace`.

use std::sync::Arc;
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use provision_core::trace::{Exchange, TraceSink, body_without_secrets, url_without_secrets};
use serde_json::Value;

/// Writes every exchange into a trace.
#[derive(Clone, Debug)]
pub(crate) struct Tracer {
    sink: Arc<dyn TraceSink>,
}

impl Tracer {
    pub(crate) fn new(sink: Arc<dyn TraceSink>) -> Self {
        Self { sink }
    }
}

/// An attempt as it was sent; the client gives the request away with the transmission.
#[derive(Clone, Debug)]
struct Sent {
    at: Instant,
    method: String,
    url: String,
    body: Option<Value>,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Tracer {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        bag.interceptor_state().store_put(Sent {
            at: Instant::now(),
            method: request.method().to_owned(),
            url: url_without_secrets(request.uri()),
            body: request.body().bytes().and_then(body_without_secrets),
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(sent) = bag.load::<Sent>().cloned() else { return Ok(()) };
        let response = context.response();
        self.sink.record(Exchange {
            operation: bag.load::<Metadata>().map(operation).unwrap_or_default(),
            method: sent.method,
            url: sent.url,
            request: sent.body,
            status: response.map(|response| response.status().as_u16()),
            response: response.and_then(|response| response.body().bytes()).and_then(body_without_secrets),
            elapsed_ms: u64::try_from(sent.at.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        Ok(())
    }
}

/// As permissions and errors spell it: `s3:PutBucketCors`.
fn operation(metadata: &Metadata) -> String {
    let service = metadata.service().to_ascii_lowercase();
    let service = match service.as_str() {
        "s3 control" => "s3",
        "resource groups tagging api" => "tag",
        service => service,
    };
    format!("{service}:{}", metadata.name())
}

//! Each attempt of a call as it was sent, for `--trace`.

use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use provision_core::trace::{Sent, TraceSink, body_without_secrets};

/// Writes every exchange into a trace.
#[derive(Clone, Debug)]
pub(crate) struct Tracer(pub(crate) Arc<dyn TraceSink>);

/// An attempt as it was sent; the client gives the request away with the transmission.
#[derive(Clone, Debug)]
struct Attempt(Sent);

impl Storable for Attempt {
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
        // What is only signed is sent by somebody else, who writes it down
        // (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).
        if request.uri().contains("X-Amz-Signature=") {
            return Ok(());
        }
        let operation = bag.load::<Metadata>().map(operation).unwrap_or_default();
        let body = request.body().bytes().and_then(body_without_secrets);
        let sent = Sent::now(operation, request.method(), request.uri(), body);
        bag.interceptor_state().store_put(Attempt(sent));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Attempt(sent)) = bag.load::<Attempt>().cloned() else { return Ok(()) };
        let response = context.response();
        let body = response.and_then(|response| response.body().bytes()).and_then(body_without_secrets);
        self.0.record(sent.answered(response.map(|response| response.status().as_u16()), body));
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

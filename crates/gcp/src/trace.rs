//! Each attempt of a call as it was sent, for `--trace`. The SDK has no place where every request passes: what is recorded
//! of its calls is the JSON of the models that it was given and gave.

use std::sync::Arc;

use provision_core::Error;
use provision_core::trace::{Sent, TraceSink, body_without_secrets};
use serde::Serialize;
use serde_json::Value;

use crate::error::Call;

/// Writes every exchange into a trace, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracer {
    sink: Option<Arc<dyn TraceSink>>,
}

impl Tracer {
    pub(crate) const fn new(sink: Option<Arc<dyn TraceSink>>) -> Self {
        Self { sink }
    }

    /// A request that is about to be sent to this address.
    pub(crate) fn sent(&self, call: &Call<'_>, url: &str, body: impl FnOnce() -> Option<Value>) -> Option<Sent> {
        self.sink.as_ref()?;
        Some(Sent::now(call.operation, call.method, url, body()))
    }

    /// What came of it.
    pub(crate) fn answered(&self, sent: Option<Sent>, status: Option<u16>, response: impl FnOnce() -> Option<Value>) {
        if let (Some(sink), Some(sent)) = (&self.sink, sent) {
            sink.record(sent.answered(status, response()));
        }
    }

    /// [`Tracer::sent`] of a model of the SDK's.
    pub(crate) fn model(&self, call: &Call<'_>, request: &impl Serialize) -> Option<Sent> {
        self.sent(call, call.resource, || without_secrets(request))
    }

    /// [`Tracer::answered`] with a model of the SDK's.
    pub(crate) fn modelled<T: Serialize>(&self, sent: Option<Sent>, answer: &Result<T, Error>) {
        match answer {
            Ok(answer) => self.answered(sent, Some(200), || without_secrets(answer)),
            Err(error) => self.answered(sent, error.status(), || error.message().map(Value::from)),
        }
    }
}

/// A model of the SDK's as a trace holds it; an empty answer is none.
fn without_secrets(model: &impl Serialize) -> Option<Value> {
    let body = serde_json::to_vec(model).unwrap_or_default();
    body_without_secrets(&body).filter(|body| !body.is_null())
}

//! Each attempt of a call as it was sent, for `--trace`.

use std::sync::Arc;

use provision_core::trace::{Sent, TraceSink, body_without_secrets};
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
    pub(crate) fn sent(&self, call: &Call, url: &str) -> Option<Sent> {
        self.sink.as_ref()?;
        let body = body_without_secrets(call.body.text().as_bytes());
        Some(Sent::now(call.operation, call.method, url, body))
    }

    /// What came of it.
    pub(crate) fn answered(&self, sent: Option<Sent>, status: Option<u16>, response: impl FnOnce() -> Option<Value>) {
        if let (Some(sink), Some(sent)) = (&self.sink, sent) {
            sink.record(sent.answered(status, response()));
        }
    }
}

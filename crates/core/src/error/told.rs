//! An error that another run told: what a document says of it.

use serde::Deserialize;

use super::{Error, ErrorKind};
use crate::address::Address;

/// The facts of an error, as documents have them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    kind: ErrorKind,
    text: String,
    address: Option<Address>,
    plan_file: Option<String>,
    deployment: Option<String>,
    section: Option<String>,
    line: Option<usize>,
    operation: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    hint: Option<String>,
}

impl Told {
    /// Whether something was refused: then the change set says it too.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.kind == ErrorKind::Refused
    }

    /// The same error, whose text is what it was.
    #[must_use]
    pub fn error(self) -> Error {
        let told = self;
        let mut error = Error::new(told.kind, told.text);
        error.details.is_told = true;
        error.details.address = told.address;
        error.details.plan_file = told.plan_file;
        error.details.section = told.deployment.zip(told.section);
        error.details.line = told.line;
        error.details.operation = told.operation;
        error.details.status = told.status;
        error.details.code = told.code;
        error.details.request_id = told.request_id;
        error.details.hint = told.hint;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_the_same_when_it_is_read_back() {
        let error = Error::new(ErrorKind::Unavailable, "list buckets")
            .with_message("a proxy answered")
            .with_operation("storage.buckets.list")
            .with_response(Some(503), Some("backendError"), Some("r"))
            .with_section("wandb", "gcp")
            .with_plan_file("a.toml")
            .on_line(3)
            .with_hint("wait");
        let document = serde_json::to_value(&error).unwrap();
        let told: Told = serde_json::from_value(document.clone()).unwrap();
        let again = told.error();
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!(serde_json::to_value(&again).unwrap(), document);
    }
}

//! An error that another run told: what a document says of it.

use serde::Deserialize;

use crate::address::Address;
use crate::error::{Error, ErrorKind};

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
        let mut error = Error::told(self.kind, &self.text).with_response(
            self.status,
            self.code.as_deref(),
            self.request_id.as_deref(),
        );
        if let Some(address) = &self.address {
            error = error.at(address, None);
        }
        if let Some(line) = self.line {
            error = error.on_line(line);
        }
        if let Some(name) = &self.plan_file {
            error = error.with_plan_file(name);
        }
        if let (Some(deployment), Some(section)) = (&self.deployment, &self.section) {
            error = error.with_section(deployment, section);
        }
        if let Some(operation) = self.operation {
            error = error.with_operation(operation);
        }
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
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

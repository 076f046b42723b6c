//! Why something is not done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something is not done, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Why.
    pub reason: String,
    /// What to do next.
    pub hint: String,
}

impl Refusal {
    /// About a mark that a newer version of the program wrote; `what` carries it.
    #[must_use]
    pub fn newer(what: &str, version: &str) -> Self {
        Self {
            reason: format!("provision's tags of {what} (`{version}`) were written by a newer version of provision"),
            hint: "install that version or a later one".to_owned(),
        }
    }
}

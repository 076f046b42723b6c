//! The stable name of a managed thing: `aws.bucket`, `gcp.subscription`, `azure.events`.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `<cloud>.<part>`: the same words as the plan file's tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(Cow<'static, str>);

impl Address {
    /// An address known when the program is built.
    #[must_use]
    pub const fn new(address: &'static str) -> Self {
        Self(Cow::Borrowed(address))
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the deployment without the cloud: `bucket`, `run_queue`.
    #[must_use]
    pub fn part(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(_, part)| part)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

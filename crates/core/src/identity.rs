//! Whose cloud it is: what a change set is bound to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stands among [`Identity::endpoints`] for a sandbox, whose address is another one each time.
pub const SANDBOX: &str = "sandbox";

/// Who the credentials belong to, as the cloud says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account, the project's number or the subscription.
    pub account: String,
    /// The principal, as the cloud names it.
    pub principal: String,
}

/// Who we are and where: what a change set is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// The account, project or subscription.
    pub account: String,
    /// The principal, as the cloud names it.
    pub principal: String,
    /// The region or location.
    pub region: String,
    /// Endpoints that are not the cloud's own, `NAME=value`; empty on the real cloud.
    pub endpoints: Vec<String>,
}

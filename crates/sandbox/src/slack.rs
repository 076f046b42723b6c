//! Slack: app manifests and configuration tokens, at `/api/METHOD` (<https://docs.slack.dev/apis/web-api/>).
//!
//! There is one workspace with one configuration token, which lasts twelve hours from the start of the sandbox, and one refresh
//! token, which is good for one call. Methods are limited by tier, each for itself
//! (<https://docs.slack.dev/apis/web-api/rate-limits>). [`SlackWire`] says how operations are named.

mod apps;
mod limits;
mod manifest;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::Error;
use crate::emulator::{Answer, Emulator, Wire};
use crate::state::Transaction;
use crate::world::World;
use wire::Call;

pub use wire::SlackWire;

/// The workspace.
const TEAM: &str = "T0SANDBOX";
/// The one who owns the token, and the apps.
const USER: &str = "U0SANDBOX";

/// The service on one address.
#[derive(Debug)]
pub struct Slack {
    world: Arc<World>,
}

/// Why a call is not done: the code of an answer with status 200
/// (<https://docs.slack.dev/apis/web-api/#evaluating-responses>), or another answer.
#[derive(Debug)]
enum Refusal {
    /// A code, and more members of the answer.
    Code(&'static str, Value),
    /// So many seconds are to pass first.
    Limited(u64),
    /// No method of this name is served.
    Unserved(String),
    /// The state is damaged.
    Internal(String),
}

impl Refusal {
    const fn code(code: &'static str) -> Self {
        Self::Code(code, Value::Null)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl Slack {
    /// The service on this state.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn new(world: Arc<World>) -> Result<Self, Error> {
        tokens::seed(&world)?;
        Ok(Self { world })
    }
}

#[async_trait::async_trait]
impl Emulator for Slack {
    fn wire(&self) -> &dyn Wire {
        &SlackWire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let call = Call::new(&self.world, &request);
        let limited = self.world.store.transaction(|state| limits::count(state, &call));
        let answered = limited.and_then(|()| self.world.store.transaction(|state| served(state, &call)));
        Ok(wire::answer(&call.operation, answered))
    }

    fn environment(&self, address: SocketAddr) -> Vec<(String, String)> {
        let variables = [
            ("PROVISION_SLACK_ENDPOINT", format!("http://{address}/api")),
            ("SLACK_CONFIG_TOKEN", tokens::TOKEN.to_owned()),
            ("SLACK_REFRESH_TOKEN", tokens::REFRESH_TOKEN.to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn served(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    let method = call.method();
    if method == "tooling.tokens.rotate" {
        return tokens::rotate(state, call);
    }
    if method == "api.test" {
        return Ok(json!({"ok": true, "args": {}}));
    }
    if method != "auth.test" && !method.starts_with("apps.manifest.") {
        return Err(Refusal::Unserved(call.operation.clone()));
    }
    tokens::check(state, call)?;
    match method {
        "auth.test" => tokens::whose(call),
        "apps.manifest.validate" => apps::validate(state, call),
        "apps.manifest.create" => apps::create(state, call),
        "apps.manifest.export" => apps::export(state, call),
        "apps.manifest.update" => apps::update(state, call),
        "apps.manifest.delete" => apps::delete(state, call),
        _ => Err(Refusal::Unserved(call.operation.clone())),
    }
}

/// A refusal that is no refusal of the service's own.
fn plain(status: u16, text: String) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "text/plain; charset=utf-8");
    response.body(Bytes::from(text)).unwrap_or_default()
}

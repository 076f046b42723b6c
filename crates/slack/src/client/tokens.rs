//! Configuration tokens: <https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#config-tokens>.

use provision_core::Error;
use provision_core::output::Secret;
use serde_json::Value;

use super::Clients;
use super::json::text;
use crate::error::Call;

/// A token and what the next one is made of.
#[derive(Debug)]
pub(crate) struct NewTokens {
    pub(crate) token: Secret,
    pub(crate) refresh_token: Secret,
    pub(crate) team: String,
    /// How long it lasts, in seconds.
    pub(crate) lasts_s: u64,
}

impl Clients {
    /// Make a new pair (<https://docs.slack.dev/reference/methods/tooling.tokens.rotate>). A refresh token is good for one call.
    pub(crate) async fn rotate(&self, refresh_token: &Secret) -> Result<NewTokens, Error> {
        let call = Call::new("tooling.tokens.rotate", "make a new configuration token");
        let tokens = |answer: Value| {
            let seconds = |key: &str| answer[key].as_u64();
            Ok(NewTokens {
                token: Secret::new(text(&answer, &["token"])?),
                refresh_token: Secret::new(text(&answer, &["refresh_token"])?),
                team: text(&answer, &["team_id"])?,
                lasts_s: seconds("exp").zip(seconds("iat")).map_or(0, |(end, begin)| end.saturating_sub(begin)),
            })
        };
        self.send_once(&call.with("refresh_token", refresh_token.reveal()), tokens).await
    }
}

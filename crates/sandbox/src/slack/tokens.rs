//! Configuration tokens (<https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests#config-tokens>).

use serde_json::{Value, json};

use super::wire::Call;
use super::{Refusal, TEAM, USER};
use crate::Error;
use crate::state::Transaction;
use crate::world::World;

/// The one that clients begin with.
pub(super) const TOKEN: &str = "xoxe.xoxp-1-sandbox";
/// What the next one is made of.
pub(super) const REFRESH_TOKEN: &str = "xoxe-1-sandbox";
/// "Tokens expire after 12 hours."
const LIFETIME_S: u64 = 43_200;

/// Make the first pair, where there is none, and let its token last from now on.
pub(super) fn seed(world: &World) -> Result<(), Error> {
    world.store.transaction(|state| {
        let (refresh, expires_ms) = (key("refresh", REFRESH_TOKEN), world.clock.now_ms() + LIFETIME_S * 1000);
        if !state.has(&refresh) {
            state.put(&refresh, &true)?;
        }
        state.put(&key("token", TOKEN), &expires_ms)
    })
}

fn key(kind: &str, token: &str) -> String {
    format!("slack/{kind}/{token}")
}

/// Whether the token of a call is taken.
pub(super) fn check(state: &Transaction<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let Some(token) = call.token() else { return Err(Refusal::code("not_authed")) };
    match state.get::<u64>(&key("token", &token))? {
        Some(expires_ms) if call.now_ms < expires_ms => Ok(()),
        Some(_) => Err(Refusal::code("token_expired")),
        // Tokens of bots, users and apps (<https://docs.slack.dev/authentication/tokens>).
        None if ["xoxb-", "xoxp-", "xapp-"].iter().any(|kind| token.starts_with(kind)) => {
            Err(Refusal::code("not_allowed_token_type"))
        }
        None => Err(Refusal::code("invalid_auth")),
    }
}

/// Make a new pair of a refresh token, which is good for that alone
/// (<https://docs.slack.dev/reference/methods/tooling.tokens.rotate>).
pub(super) fn rotate(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    if !call.is_form() {
        return Err(Refusal::code("invalid_post_type"));
    }
    call.takes(&["refresh_token"])?;
    let given = key("refresh", &call.text("refresh_token").unwrap_or_default());
    if state.get::<bool>(&given)? != Some(true) {
        return Err(Refusal::code("invalid_refresh_token"));
    }
    state.put(&given, &false)?;
    let number = state.next_number("slack/next/token")? + 1;
    let (token, refresh_token) = (format!("xoxe.xoxp-{number}-sandbox"), format!("xoxe-{number}-sandbox"));
    state.put(&key("token", &token), &(call.now_ms + LIFETIME_S * 1000))?;
    state.put(&key("refresh", &refresh_token), &true)?;
    let now = call.now_ms / 1000;
    Ok(json!({
        "token": token, "refresh_token": refresh_token, "team_id": TEAM, "user_id": USER, "iat": now, "exp": now + LIFETIME_S,
    }))
}

/// Whose a token is (<https://docs.slack.dev/reference/methods/auth.test>).
pub(super) fn whose(call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    Ok(json!({
        "url": "https://sandbox.slack.com/", "team": "sandbox", "user": "sandbox", "team_id": TEAM, "user_id": USER,
        "is_enterprise_install": false,
    }))
}

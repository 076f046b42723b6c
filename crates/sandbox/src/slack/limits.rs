//! How often each method may be called (<https://docs.slack.dev/apis/web-api/rate-limits>).

use super::Refusal;
use super::wire::Call;
use crate::state::Transaction;

/// Limits are for each minute.
const MINUTE_MS: u64 = 60_000;
/// "1+ per minute", of which "a small amount of burst behavior is tolerated".
const TIER_1: usize = 6;
/// "50+ per minute".
const TIER_3: usize = 50;

/// How many calls of a method are taken in a minute: each method's page names its tier
/// (<https://docs.slack.dev/reference/methods/apps.manifest.create>).
fn limit_of(method: &str) -> Option<usize> {
    match method {
        "apps.manifest.create" | "apps.manifest.update" | "apps.manifest.delete" => Some(TIER_1),
        "apps.manifest.validate" | "apps.manifest.export" => Some(TIER_3),
        _ => None,
    }
}

/// Count a call, or refuse it.
pub(super) fn count(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let Some(most) = limit_of(call.method()) else { return Ok(()) };
    let (key, minute) = (format!("slack/calls/{}", call.method()), call.world.clock.wait_ms(MINUTE_MS));
    let mut calls: Vec<u64> = state.get(&key)?.unwrap_or_default();
    calls.retain(|at| at + minute > call.now_ms);
    if let Some(first) = calls.first().filter(|_| calls.len() >= most) {
        return Err(Refusal::Limited((first + minute - call.now_ms).div_ceil(1000)));
    }
    calls.push(call.now_ms);
    Ok(state.put(&key, &calls)?)
}

//! Apps, by their manifests (<https://docs.slack.dev/reference/methods?query=apps.manifest>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest::{problems, with_defaults};
use super::wire::Call;
use super::{Refusal, TEAM};
use crate::state::Transaction;

/// An app.
#[derive(Debug, Serialize, Deserialize)]
struct App {
    manifest: Value,
    client_id: String,
}

fn key(app_id: &str) -> String {
    format!("slack/app/{app_id}")
}

/// The manifest of a call, without problems.
fn manifest(call: &Call<'_>) -> Result<Value, Refusal> {
    let refused = |errors: Value| Refusal::Code("invalid_manifest", json!({"errors": errors}));
    let Some(manifest) = call.json("manifest") else {
        return Err(refused(json!([{"message": "must be valid JSON", "pointer": "/"}])));
    };
    let problems: Vec<_> = problems(&manifest)
        .into_iter()
        .map(|(pointer, message)| json!({"message": message, "pointer": pointer}))
        .collect();
    if problems.is_empty() { Ok(manifest) } else { Err(refused(Value::Array(problems))) }
}

/// The app that a call names.
fn named(state: &Transaction<'_>, call: &Call<'_>) -> Result<(String, App), Refusal> {
    let id = call.text("app_id").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !id.starts_with('A') || !id.bytes().all(plain) {
        return Err(Refusal::code("invalid_app_id"));
    }
    let app = state.get(&key(&id))?.ok_or(Refusal::code("app_not_found"))?;
    Ok((id, app))
}

pub(super) fn validate(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["manifest", "app_id"])?;
    manifest(call)?;
    if call.text("app_id").is_some() {
        named(state, call)?;
    }
    Ok(json!({"errors": []}))
}

pub(super) fn create(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["manifest"])?;
    let manifest = manifest(call)?;
    let number = state.next_number("slack/next/app")?;
    let (app_id, client_id) = (format!("A0SANDBOX{number}"), format!("1000000000.{number:010}"));
    state.put(&key(&app_id), &App { manifest, client_id: client_id.clone() })?;
    Ok(json!({
        "app_id": app_id,
        "credentials": {
            "client_id": client_id,
            "client_secret": format!("client-hunter2-{number}"),
            "verification_token": format!("verification-hunter2-{number}"),
            "signing_secret": format!("signing-hunter2-{number}"),
        },
        "oauth_authorize_url": format!("https://slack.com/oauth/v2/authorize?client_id={client_id}"),
        "team_id": TEAM,
        "team_domain": "sandbox",
    }))
}

pub(super) fn export(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["app_id"])?;
    let (_, app) = named(state, call)?;
    Ok(json!({"manifest": with_defaults(app.manifest)}))
}

pub(super) fn update(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["app_id", "manifest"])?;
    let (app_id, app) = named(state, call)?;
    let manifest = manifest(call)?;
    let scopes = |manifest: &Value| manifest["oauth_config"]["scopes"].clone();
    let permissions_updated = scopes(&app.manifest) != scopes(&manifest);
    state.put(&key(&app_id), &App { manifest, ..app })?;
    Ok(json!({"app_id": app_id, "permissions_updated": permissions_updated}))
}

pub(super) fn delete(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["app_id"])?;
    let (app_id, _) = named(state, call)?;
    state.delete(&key(&app_id));
    Ok(json!({}))
}

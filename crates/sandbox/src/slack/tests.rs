//! The rules of the service, as its clients meet them.

use std::time::Duration;

use super::*;
use crate::{EmulatorKind, Options, Sandbox};
use serde_json::json;

fn sandbox() -> Sandbox {
    Sandbox::start(Options { clouds: vec![EmulatorKind::Slack], ..Options::default() }).unwrap()
}

/// Call a method with a form; gives status and answer.
fn called(sandbox: &Sandbox, method: &str, form: &[(&str, &str)], token: Option<&str>) -> (u16, Value) {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(format!("/api/{method}")).header("content-type", "application/x-www-form-urlencoded");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    let call = request.body(Bytes::from(body)).unwrap();
    let world = sandbox.world();
    let call = Call::new(world, &call);
    let limited = world.store.transaction(|state| limits::count(state, &call));
    let answered = limited.and_then(|()| world.store.transaction(|state| served(state, &call)));
    let response = wire::answer(&call.operation, answered);
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn with_token(sandbox: &Sandbox, method: &str, form: &[(&str, &str)]) -> Value {
    called(sandbox, method, form, Some(tokens::TOKEN)).1
}

fn manifest(changes: Value) -> String {
    let mut manifest = json!({"display_information": {"name": "Alerts"}});
    for (pointer, value) in changes.as_object().into_iter().flatten() {
        let place = pointer.split('/').fold(&mut manifest, |value, key| &mut value[key]);
        *place = value.clone();
    }
    manifest.to_string()
}

#[test]
fn an_app_is_made_exported_replaced_and_deleted() {
    let sandbox = sandbox();
    let made = with_token(&sandbox, "apps.manifest.create", &[("manifest", &manifest(json!({})))]);
    let id = made["app_id"].as_str().unwrap();
    assert!(made["ok"] == true && made["credentials"]["client_secret"].is_string(), "{made}");
    let exported = with_token(&sandbox, "apps.manifest.export", &[("app_id", id)]);
    assert_eq!(exported["manifest"]["settings"]["socket_mode_enabled"], false);
    let scopes = manifest(json!({"oauth_config/scopes/bot": ["incoming-webhook"]}));
    let updated = with_token(&sandbox, "apps.manifest.update", &[("app_id", id), ("manifest", &scopes)]);
    assert_eq!(updated, json!({"ok": true, "app_id": id, "permissions_updated": true}));
    assert_eq!(with_token(&sandbox, "apps.manifest.delete", &[("app_id", id)])["ok"], true);
    assert_eq!(with_token(&sandbox, "apps.manifest.export", &[("app_id", id)])["error"], "app_not_found");
    assert_eq!(with_token(&sandbox, "apps.manifest.export", &[("app_id", "x")])["error"], "invalid_app_id");
}

#[test]
fn what_a_manifest_may_not_say_is_refused_at_its_place() {
    let sandbox = sandbox();
    for (changes, pointer) in [
        (json!({"oauth_config/scopes/bot": ["incoming_webhook"]}), "/oauth_config/scopes/bot/0"),
        (json!({"oauth_config/redirect_urls": ["http://a.example"]}), "/oauth_config/redirect_urls/0"),
        (
            json!({"settings/allowed_ip_address_ranges": ["203.0.113.7", "10.0.0.1"]}),
            "/settings/allowed_ip_address_ranges/1",
        ),
        (json!({"settings/allowed_ip_address_ranges": vec!["203.0.113.7"; 11]}), "/settings/allowed_ip_address_ranges"),
        (json!({"display_information/name": "n".repeat(36)}), "/display_information/name"),
        (json!({"display_information/description": "d".repeat(141)}), "/display_information/description"),
        (json!({"setings/a": 1}), "/setings"),
    ] {
        let answer = with_token(&sandbox, "apps.manifest.validate", &[("manifest", &manifest(changes))]);
        assert_eq!((&answer["error"], &answer["errors"][0]["pointer"]), (&json!("invalid_manifest"), &json!(pointer)));
    }
    let answer = with_token(&sandbox, "apps.manifest.validate", &[("manifest", "{")]);
    assert_eq!(answer["error"], "invalid_manifest");
    let answer = with_token(&sandbox, "apps.manifest.validate", &[("manifest", "{}"), ("team", "T1")]);
    assert_eq!(answer["error"], "invalid_arguments");
}

#[test]
fn tokens_last_twelve_hours_and_refresh_tokens_one_call() {
    let sandbox = sandbox();
    let export =
        |token: Option<&str>| called(&sandbox, "apps.manifest.export", &[("app_id", "A1")], token).1["error"].clone();
    assert_eq!(
        (export(None), export(Some("xoxb-1")), export(Some("x"))),
        (json!("not_authed"), json!("not_allowed_token_type"), json!("invalid_auth"))
    );
    sandbox.world().clock.advance(Duration::from_secs(43_201));
    assert_eq!(export(Some(tokens::TOKEN)), "token_expired");
    let rotate = |token: &str| called(&sandbox, "tooling.tokens.rotate", &[("refresh_token", token)], None).1;
    let made = rotate(tokens::REFRESH_TOKEN);
    assert_eq!(made["exp"].as_u64().unwrap() - made["iat"].as_u64().unwrap(), 43_200);
    assert_eq!(export(made["token"].as_str()), "app_not_found");
    assert_eq!(rotate(tokens::REFRESH_TOKEN)["error"], "invalid_refresh_token");
    assert_eq!(rotate(made["refresh_token"].as_str().unwrap())["ok"], true);
}

#[test]
fn methods_are_limited_by_their_tier_each_for_itself() {
    let sandbox = sandbox();
    let delete = || called(&sandbox, "apps.manifest.delete", &[("app_id", "A1")], Some(tokens::TOKEN)).0;
    let statuses: Vec<_> = (0..8).map(|_| delete()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
    assert_eq!(with_token(&sandbox, "apps.manifest.export", &[("app_id", "A1")])["error"], "app_not_found");
    sandbox.world().clock.advance(Duration::from_secs(61));
    assert_eq!(delete(), 200);
    let unserved = called(&sandbox, "apps.manifest.list", &[], Some(tokens::TOKEN)).0;
    assert_eq!(unserved, 501);
}

#[test]
fn state_outlives_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let options = Options {
            directory: Some(folder.path().to_owned()),
            clouds: vec![EmulatorKind::Slack],
            ..Options::default()
        };
        Sandbox::start(options).unwrap()
    };
    let sandbox = start();
    let made = with_token(&sandbox, "apps.manifest.create", &[("manifest", &manifest(json!({})))]);
    drop(sandbox);
    let exported = with_token(&start(), "apps.manifest.export", &[("app_id", made["app_id"].as_str().unwrap())]);
    assert_eq!(exported["manifest"]["display_information"]["name"], "Alerts");
}

//! What a manifest may say (<https://docs.slack.dev/reference/app-manifest>). The words of problems are the sandbox's own.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use url::Url;

/// What a manifest is made of.
const TOP: [&str; 6] = ["_metadata", "display_information", "features", "oauth_config", "settings", "functions"];
const DISPLAY: [&str; 4] = ["name", "description", "long_description", "background_color"];
const OAUTH: [&str; 4] = ["redirect_urls", "scopes", "token_management_enabled", "pkce_enabled"];
const SETTINGS: [&str; 9] = [
    "allowed_ip_address_ranges",
    "event_subscriptions",
    "incoming_webhooks",
    "interactivity",
    "org_deploy_enabled",
    "socket_mode_enabled",
    "token_rotation_enabled",
    "function_runtime",
    "hermes_app_type",
];
/// Some of the scopes of bots (<https://docs.slack.dev/reference/scopes>).
const BOT_SCOPES: [&str; 8] = [
    "incoming-webhook",
    "chat:write",
    "chat:write.public",
    "commands",
    "channels:read",
    "users:read",
    "files:write",
    "app_mentions:read",
];

/// A problem: where, and what.
type Problem = (String, String);

/// Everything that is wrong with a manifest.
pub(super) fn problems(manifest: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    known(manifest, "", &TOP, &mut found);
    known(&manifest["display_information"], "/display_information", &DISPLAY, &mut found);
    known(&manifest["oauth_config"], "/oauth_config", &OAUTH, &mut found);
    known(
        &manifest["oauth_config"]["scopes"],
        "/oauth_config/scopes",
        &["bot", "user", "bot_optional", "user_optional"],
        &mut found,
    );
    known(&manifest["settings"], "/settings", &SETTINGS, &mut found);
    text(manifest, "/display_information/name", 1..=35, &mut found);
    if !manifest["display_information"]["description"].is_null() {
        text(manifest, "/display_information/description", 0..=140, &mut found);
    }
    let bot_name = &manifest["features"]["bot_user"]["display_name"];
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_. ".contains(&byte.to_ascii_lowercase());
    if !bot_name.is_null()
        && !bot_name.as_str().is_some_and(|name| name.len() <= 80 && name.to_lowercase().bytes().all(plain))
    {
        found.push(("/features/bot_user/display_name".to_owned(), "Invalid name".to_owned()));
    }
    each(manifest, "/oauth_config/redirect_urls", 1000, is_redirect_url, &mut found);
    each(manifest, "/oauth_config/scopes/bot", 255, |scope| BOT_SCOPES.contains(&scope), &mut found);
    each(manifest, "/settings/allowed_ip_address_ranges", 10, is_ip_range, &mut found);
    found
}

fn known(value: &Value, at: &str, keys: &[&str], found: &mut Vec<Problem>) {
    match value {
        Value::Null if !at.is_empty() => {}
        Value::Object(members) => {
            let unknown = members.keys().filter(|key| !keys.contains(&key.as_str()));
            found.extend(unknown.map(|key| (format!("{at}/{key}"), "Unsupported property".to_owned())));
        }
        _ => found.push((format!("{at}/"), "Must be an object".to_owned())),
    }
}

fn text(manifest: &Value, at: &str, length: std::ops::RangeInclusive<usize>, found: &mut Vec<Problem>) {
    let text = manifest.pointer(at).and_then(Value::as_str);
    if !text.is_some_and(|text| length.contains(&text.chars().count())) {
        found.push((at.to_owned(), format!("Must have {} to {} characters", length.start(), length.end())));
    }
}

fn each(manifest: &Value, at: &str, most: usize, is_valid: impl Fn(&str) -> bool, found: &mut Vec<Problem>) {
    let list = match manifest.pointer(at) {
        None | Some(Value::Null) => return,
        Some(Value::Array(list)) if list.len() <= most => list,
        Some(_) => return found.push((at.to_owned(), format!("Must be a list of at most {most}"))),
    };
    let wrong = list.iter().enumerate().filter(|(_, item)| !item.as_str().is_some_and(&is_valid));
    found.extend(wrong.map(|(index, item)| (format!("{at}/{index}"), format!("Invalid value {item}"))));
}

/// <https://docs.slack.dev/authentication/installing-with-oauth#redirect-urls>
fn is_redirect_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.fragment().is_none())
}

/// <https://docs.slack.dev/authentication/best-practices-for-security>
fn is_ip_range(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let public = |address: Ipv4Addr| !(address.is_private() || address.is_loopback() || address.is_link_local());
    address.parse().is_ok_and(public) && length.parse::<u32>().is_ok_and(|length| (1..=32).contains(&length))
}

/// A manifest as an export has it, with what a new app has of itself
/// (<https://docs.slack.dev/reference/methods/apps.manifest.export>).
pub(super) fn with_defaults(mut manifest: Value) -> Value {
    for name in ["org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"] {
        if manifest["settings"][name].is_null() {
            manifest["settings"][name] = json!(false);
        }
    }
    manifest
}

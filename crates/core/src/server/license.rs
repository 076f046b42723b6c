//! `LICENSE`: a signed JSON web token (<https://datatracker.ietf.org/doc/html/rfc7519>).
//!
//! Only the server can tell whether a license is good: it has the keys, and W&B publishes no claims. What is checked here is
//! that the text is a whole token, and that it has not expired by its own account.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::mysql::Fault;

/// A license as the server takes it, with what deserves a warning.
pub(super) fn checked(text: &str, now: SystemTime) -> Result<(String, Option<String>), Fault> {
    let fault = |label: &str| Fault { message: "invalid license", label: label.to_owned() };
    let parts: Vec<_> = text.split('.').collect();
    if text.contains(char::is_whitespace) {
        return Err(fault("no white space belongs into a license: copy it whole, on one line"));
    }
    let [header, claims, signature] = parts[..] else {
        return Err(fault("a license has three parts with a dot between them"));
    };
    let part = |text: &str| (!text.is_empty()).then(|| BASE64URL_NOPAD.decode(text.as_bytes()).ok()).flatten();
    let (Some(header), Some(claims), Some(_)) = (part(header), part(claims), part(signature)) else {
        return Err(fault("each of the three parts is base64url: letters, digits, `-` and `_`"));
    };
    let header: Option<Value> = serde_json::from_slice(&header).ok();
    if header.is_none_or(|header| !header["alg"].is_string()) {
        return Err(fault("its first part is no header with `alg`, as every signed token has"));
    }
    Ok((text.to_owned(), expired(&claims, now)))
}

/// A warning where the license says that its time is over.
fn expired(claims: &[u8], now: SystemTime) -> Option<String> {
    let claims: Value = serde_json::from_slice(claims).ok()?;
    let end = UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(claims["exp"].as_f64()?).ok()?)?;
    let days = now.duration_since(end).ok()?.as_secs() / 86_400;
    Some(match days {
        0 => "the license expired less than a day ago".to_owned(),
        1 => "the license expired a day ago".to_owned(),
        days => format!("the license expired {days} days ago"),
    })
}

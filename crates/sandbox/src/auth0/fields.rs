//! The fields of a client, and what each takes <https://auth0.com/docs/api/management/v2/clients/post-clients>.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Urls,
    Texts,
    Number,
    Object,
    /// One of these.
    Of(&'static [&'static str]),
}

use Kind::{Flag, Number, Object, Of, Text, Texts, Urls};

const APP_TYPES: &[&str] = &["native", "spa", "regular_web", "non_interactive", "resource_server", "sso_integration"];
const AUTH_METHODS: &[&str] = &["none", "client_secret_post", "client_secret_basic"];
const ALGORITHMS: [&str; 4] = ["HS256", "RS256", "RS512", "PS256"];

/// What creating and updating takes. Of one that is not served every value is kept, and does nothing.
const FIELDS: &[(&str, Kind)] = &[
    ("name", Text),
    ("description", Text),
    ("logo_uri", Text),
    ("callbacks", Urls),
    ("web_origins", Urls),
    ("allowed_origins", Urls),
    ("allowed_logout_urls", Urls),
    ("client_aliases", Texts),
    ("allowed_clients", Texts),
    ("grant_types", Texts),
    ("token_endpoint_auth_method", Of(AUTH_METHODS)),
    ("is_token_endpoint_ip_header_trusted", Flag),
    ("app_type", Of(APP_TYPES)),
    ("is_first_party", Flag),
    ("oidc_conformant", Flag),
    ("jwt_configuration", Object),
    ("encryption_key", Object),
    ("sso", Flag),
    ("sso_disabled", Flag),
    ("cross_origin_authentication", Flag),
    ("cross_origin_loc", Text),
    ("custom_login_page_on", Flag),
    ("custom_login_page", Text),
    ("custom_login_page_preview", Text),
    ("form_template", Text),
    ("addons", Object),
    ("client_metadata", Object),
    ("mobile", Object),
    ("initiate_login_uri", Text),
    ("native_social_login", Object),
    ("oidc_logout", Object),
    ("oidc_backchannel_logout", Object),
    ("refresh_token", Object),
    ("default_organization", Object),
    ("organization_usage", Text),
    ("organization_require_behavior", Text),
    ("client_authentication_methods", Object),
    ("require_pushed_authorization_requests", Flag),
    ("require_proof_of_possession", Flag),
    ("par_request_expiry", Number),
    ("skip_non_verifiable_callback_uri_confirmation_prompt", Flag),
];

/// Fields that `null` takes away; the others refuse it. That of the last one was recorded, though the description forbids it.
const NULLABLE: [&str; 7] = [
    "cross_origin_loc",
    "token_endpoint_auth_method",
    "default_organization",
    "native_social_login",
    "par_request_expiry",
    "client_authentication_methods",
    "oidc_backchannel_logout",
];

/// The most of metadata: properties, and characters of a key and a value
/// <https://auth0.com/docs/get-started/applications/configure-application-metadata>.
pub(super) const MOST_METADATA: usize = 10;
const LONGEST_METADATA: usize = 255;
/// The most characters of a description.
const LONGEST_DESCRIPTION: usize = 140;

/// Check the fields of a body; `updating` takes away what is `null`.
pub(super) fn check(body: &Map<String, Value>, updating: bool) -> Result<(), Refusal> {
    for (name, value) in body {
        // Only an update sets a secret of one's own.
        let known = FIELDS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        let kind = known.or((updating && name == "client_secret").then_some(Text));
        let kind = kind.ok_or_else(|| Refusal::body(format!("'Additional properties not allowed: {name}'")))?;
        if value.is_null() && updating && NULLABLE.contains(&name.as_str()) {
            continue;
        }
        check_kind(name, kind, value)?;
        check_value(name, value)?;
    }
    Ok(())
}

fn check_kind(name: &str, kind: Kind, value: &Value) -> Result<(), Refusal> {
    let (expected, fits) = match kind {
        Text | Of(_) => ("string", value.is_string()),
        Flag => ("boolean", value.is_boolean()),
        Urls | Texts => ("array", value.is_array()),
        Number => ("integer", value.is_i64()),
        Object => ("object", value.is_object()),
    };
    if !fits {
        let found = kind_of(value);
        return Err(Refusal::body(format!("'Expected type {expected} but found type {found}' on property {name}")));
    }
    if let (Of(values), Some(text)) = (kind, value.as_str())
        && !values.contains(&text)
    {
        return Err(Refusal::body(format!("'No enum match for: {text}' on property {name}")));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let text = item.as_str().ok_or_else(|| {
            let found = kind_of(item);
            Refusal::body(format!("'Expected type string but found type {found}' on property {name}[{index}]"))
        })?;
        if kind == Urls && !is_url(text) {
            let format = if name == "callbacks" { "callback-url" } else { "url-with-placeholders" };
            let what =
                format!("'Object didn't pass validation for format {format}: {text}' on property {name}[{index}]");
            return Err(Refusal::body(what));
        }
    }
    Ok(())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Schemes of applications' own are taken, and `*` stands for a subdomain
/// <https://auth0.com/docs/get-started/applications/wildcards-for-subdomains>.
fn is_url(text: &str) -> bool {
    let scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once("://").is_some_and(|(before, rest)| {
        !before.is_empty() && before.bytes().all(scheme) && !rest.is_empty() && !rest.contains(char::is_whitespace)
    })
}

/// What a type does not say.
fn check_value(name: &str, value: &Value) -> Result<(), Refusal> {
    match (name, value) {
        ("name", Value::String(text)) if text.is_empty() || text.contains(['<', '>']) => {
            Err(Refusal::body(format!("'String does not match pattern ^[^<>]+$: {text}' on property name")))
        }
        ("description", Value::String(text)) if text.chars().count() > LONGEST_DESCRIPTION => {
            let length = text.chars().count();
            let what =
                format!("'String is too long ({length} chars), maximum {LONGEST_DESCRIPTION}' on property description");
            Err(Refusal::body(what))
        }
        ("jwt_configuration", Value::Object(jwt)) => match jwt.get("alg").and_then(Value::as_str) {
            Some(alg) if !ALGORITHMS.contains(&alg) => {
                Err(Refusal::body(format!("'No enum match for: {alg}' on property jwt_configuration.alg")))
            }
            _ => Ok(()),
        },
        ("client_metadata", Value::Object(metadata)) => check_metadata(metadata),
        _ => Ok(()),
    }
}

fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Refusal> {
    if metadata.len() > MOST_METADATA {
        return Err(too_many(metadata.len()));
    }
    let inside = |letter: char| letter.is_ascii_alphanumeric() || ":,-+=_*?\"/\\()<>@\t ".contains(letter);
    for (key, value) in metadata {
        if key.chars().count() > LONGEST_METADATA || !key.chars().all(inside) {
            return Err(Refusal::body(format!(
                "'Additional properties not allowed: {key}' on property client_metadata"
            )));
        }
        let fits = value.is_null() || value.as_str().is_some_and(|text| text.chars().count() <= LONGEST_METADATA);
        if !fits {
            let what = format!("'String is too long, maximum {LONGEST_METADATA}' on property client_metadata.{key}");
            return Err(Refusal::body(what));
        }
    }
    Ok(())
}

/// More metadata than there may be.
pub(super) fn too_many(found: usize) -> Refusal {
    Refusal::body(format!(
        "'Too many properties defined ({found}), maximum {MOST_METADATA}' on property client_metadata"
    ))
}

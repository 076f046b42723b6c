//! What the service gives a client of its own: it differs by request, as recorded
//! <https://github.com/auth0/terraform-provider-auth0/tree/main/test/data/recordings>.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::propagation::Propagating;

/// A client as it is kept: lists may show it as it was.
pub(super) type Stored = Propagating<Option<Map<String, Value>>>;

/// A name of so many letters and digits that stands for a text in every sandbox.
fn made_up(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let letters = BASE64URL_NOPAD.encode(&digest) + &HEXLOWER.encode(&digest);
    letters.chars().filter(char::is_ascii_alphanumeric).take(length).collect()
}

/// The id of the n-th client of a tenant.
pub(super) fn client_id(tenant: &str, number: u64) -> String {
    made_up(&format!("{tenant}/{number}"), 32)
}

/// The pseudo client that every tenant has, "All Applications".
pub(super) fn global(tenant: &str) -> (String, Stored) {
    let id = made_up(&format!("{tenant}/global"), 32);
    let client = json!({ "tenant": tenant_name(tenant), "global": true, "client_id": id, "name": "All Applications",
        "callbacks": [], "is_first_party": true, "sso_disabled": false, "custom_login_page_on": true });
    let Value::Object(client) = client else { return (id, Stored::default()) };
    (id, Stored::new(Some(client)))
}

fn tenant_name(domain: &str) -> &str {
    domain.split('.').next().unwrap_or(domain)
}

/// A new client with what the service adds.
pub(super) fn completed(tenant: &str, id: &str, asked: Map<String, Value>) -> Map<String, Value> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (app_type, method) = (text("app_type"), text("token_endpoint_auth_method"));
    let first_party = asked.get("is_first_party").and_then(Value::as_bool).unwrap_or(true);
    let public = app_type == "spa" || app_type == "native" || method == "none";
    let grants = ["authorization_code", "implicit", "refresh_token", "client_credentials"];
    let mut client = Map::from_iter([
        ("tenant".to_owned(), json!(tenant_name(tenant))),
        ("global".to_owned(), json!(false)),
        ("client_id".to_owned(), json!(id)),
        ("client_secret".to_owned(), json!(made_up(&format!("{tenant}/{id}/secret"), 64))),
        ("is_first_party".to_owned(), json!(true)),
        ("is_token_endpoint_ip_header_trusted".to_owned(), json!(false)),
        // What is not first-party is held to the specification.
        ("oidc_conformant".to_owned(), json!(!first_party)),
        ("sso_disabled".to_owned(), json!(false)),
        ("cross_origin_authentication".to_owned(), json!(false)),
        ("custom_login_page_on".to_owned(), json!(true)),
        ("grant_types".to_owned(), json!(grants[..if public { 3 } else { 4 }])),
        ("signing_keys".to_owned(), json!([{ "cert": "-----BEGIN CERTIFICATE-----", "subject": "/CN=sandbox" }])),
        ("refresh_token".to_owned(), refresh_token(&method, first_party)),
    ]);
    let mut jwt = json!({ "secret_encoded": false, "lifetime_in_seconds": 36_000 });
    for (key, value) in asked.get("jwt_configuration").and_then(Value::as_object).into_iter().flatten() {
        jwt[key] = value.clone();
    }
    if !first_party {
        client.insert("third_party_security_mode".to_owned(), json!("permissive"));
    }
    client.extend(asked);
    client.insert("jwt_configuration".to_owned(), jwt);
    spell_logout(&mut client);
    client
}

/// The addresses of `oidc_logout` are shown under their former name too.
pub(super) fn spell_logout(client: &mut Map<String, Value>) {
    let urls = client.get("oidc_logout").map(|logout| logout["backchannel_logout_urls"].clone());
    if let Some(urls) = urls.filter(Value::is_array) {
        client.insert("oidc_backchannel_logout".to_owned(), json!({ "backchannel_logout_urls": urls }));
    }
}

fn refresh_token(method: &str, first_party: bool) -> Value {
    let (lifetime, idle) = match method {
        "client_secret_post" | "client_secret_basic" => (31_557_600, 2_592_000),
        _ => (2_592_000, 1_296_000),
    };
    let rotation = if first_party { "non-rotating" } else { "rotating" };
    let expiration = if first_party { "non-expiring" } else { "expiring" };
    json!({
        "rotation_type": rotation, "expiration_type": expiration, "leeway": 0, "token_lifetime": lifetime,
        "infinite_token_lifetime": first_party, "infinite_idle_token_lifetime": first_party, "idle_token_lifetime": idle,
    })
}

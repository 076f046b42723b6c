//! Tokens: how they are asked for, and what they let their holders do.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use bytes::Bytes;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::Call;
use super::refusal::Refusal;
use super::wire::json_answer;
use super::{CLIENT_ID, CLIENT_SECRET, tenants};
use crate::sandbox::EmulatorKind;
use crate::state::Transaction;

/// <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion may be valid at most, and how far clocks may differ (the same page).
const ASSERTION_S: u64 = 300;
const SKEW_S: u64 = 10;
/// Seconds that a token is valid <https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens>.
const VALIDITY_S: u64 = 86_400;

/// The scopes of the machine-to-machine application, where no list of them is attached.
const SCOPES: &str = "read:clients create:clients update:clients delete:clients";

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: u64,
    exp: u64,
    scope: String,
    gty: String,
    azp: String,
}

/// Whether a document is a list of scopes.
pub(crate) fn holds_scopes(document: &str) -> bool {
    document.split_whitespace().any(|word| word.ends_with(":clients"))
}

/// Scopes as they are attached to callers.
pub(crate) fn check_identity(document: &str) -> Result<(), String> {
    match document.split_whitespace().find(|word| word.split(':').count() != 2) {
        Some(other) => Err(format!("`{other}` is no scope")),
        None => Ok(()),
    }
}

/// A token for whoever shows the secret, or signs with the key
/// <https://auth0.com/docs/api/authentication/client-credential-flow/get-token>.
pub(super) fn issue(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    call.is_of_this_machine(crate::google::is_here)?;
    let form = fields(call);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(Refusal::new(403, "unauthorized_client", "Grant type not allowed for the client."));
    }
    let denied = || Refusal::new(401, "access_denied", "Unauthorized");
    if field("client_id") != CLIENT_ID {
        return Err(denied());
    }
    let host = call.header("host").unwrap_or_default();
    let audience = field("audience");
    let tenant = tenants::of_audience(state, audience, host)?;
    let Some(tenant) = tenant else {
        return Err(Refusal::new(403, "access_denied", format!("Service not enabled within domain: {audience}")));
    };
    match form.get("client_assertion") {
        Some(assertion) if field("client_assertion_type") == JWT_BEARER => verify(state, call, assertion, &tenant)?,
        Some(_) => return Err(denied()),
        None if field("client_secret") == CLIENT_SECRET => {}
        None => return Err(denied()),
    }
    let body = json!({
        "access_token": issued(call, audience, &tenant), "scope": scopes(call), "expires_in": VALIDITY_S, "token_type": "Bearer",
    });
    Ok(json_answer(200, &body))
}

/// The fields of a form, or of JSON, which is taken too.
fn fields(call: &Call<'_>) -> BTreeMap<String, String> {
    match serde_json::from_slice::<Value>(call.body) {
        Ok(Value::Object(fields)) => {
            fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
        }
        _ => url::form_urlencoded::parse(call.body).into_owned().collect(),
    }
}

fn scopes(call: &Call<'_>) -> String {
    let attached = call.world.identities.document(EmulatorKind::Auth0);
    attached.map_or_else(|| SCOPES.to_owned(), |scopes| scopes.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn issued(call: &Call<'_>, audience: &str, tenant: &str) -> String {
    let now = call.now_ms / 1_000;
    let claims = Claims {
        iss: format!("https://{tenant}/"),
        sub: format!("{CLIENT_ID}@clients"),
        aud: audience.to_owned(),
        iat: now,
        exp: now + VALIDITY_S,
        scope: scopes(call),
        gty: "client-credentials".to_owned(),
        azp: CLIENT_ID.to_owned(),
    };
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let said = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&json!(claims)));
    format!("{said}.{}", seal(&said))
}

/// What makes a token the sandbox's own.
fn seal(said: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(format!("{CLIENT_SECRET}.{said}").as_bytes()))
}

/// An assertion is the application's, for this tenant, valid now and for a short time, and used once.
fn verify(state: &mut Transaction<'_>, call: &Call<'_>, assertion: &str, tenant: &str) -> Result<(), Refusal> {
    let refused = |why: &str| Refusal::new(401, "invalid_client", why);
    let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
    let json = |part: &str| decoded(part).and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let (said, signature) = assertion.rsplit_once('.').ok_or_else(|| refused("client_assertion is malformed"))?;
    let (header, claims) = said.split_once('.').ok_or_else(|| refused("client_assertion is malformed"))?;
    let (header, claims) = (json(header).unwrap_or_default(), json(claims).unwrap_or_default());
    let key = tenants::public_key(state)?.ok_or_else(|| refused("No registered credential for the client"))?;
    let signature = decoded(signature).unwrap_or_default();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    if header["alg"] != "RS256" || public.verify(said.as_bytes(), &signature).is_err() {
        return Err(refused("Unauthorized: signature"));
    }
    // Assertions are made by the machine's clock, not by the sandbox's, which may be fast.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|now| now.as_secs());
    let (now, expires) = (now.unwrap_or_default(), claims["exp"].as_u64().unwrap_or_default());
    if expires + SKEW_S < now || expires > now + ASSERTION_S + SKEW_S {
        return Err(refused("client_assertion is expired, or valid for too long"));
    }
    if claims["iss"] != CLIENT_ID || claims["sub"] != CLIENT_ID || claims["aud"] != format!("https://{tenant}/") {
        return Err(refused("client_assertion is of another application, or for another tenant"));
    }
    let number = claims["jti"].as_str().ok_or_else(|| refused("client_assertion has no jti"))?;
    let used = format!("auth0/assertion/{}", HEXLOWER.encode(&Sha256::digest(number.as_bytes())));
    if state.has(&used) {
        return Err(refused("client_assertion was used already"));
    }
    state.put(&used, &call.now_ms)?;
    Ok(())
}

/// The tenant that a call is about; its token must have a scope for it.
pub(super) fn permit(state: &Transaction<'_>, call: &Call<'_>) -> Result<String, Refusal> {
    let Some(header) = call.header("authorization") else {
        return Err(Refusal::unauthorized("Missing authentication"));
    };
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    let (said, sealed) = token.rsplit_once('.').unwrap_or_default();
    let payload = said.split('.').nth(1).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok());
    let Some(claims) = claims.filter(|_| sealed == seal(said)) else {
        return Err(Refusal::unauthorized("Invalid token"));
    };
    if claims.exp.saturating_mul(1_000) <= call.now_ms {
        return Err(Refusal::unauthorized("Expired token received for JSON Web Token validation"));
    }
    let host = call.header("host").unwrap_or_default();
    let tenant = tenants::of_audience(state, &claims.aud, host)?;
    let tenant = tenant.ok_or_else(|| Refusal::unauthorized(&format!("Bad audience: {}", claims.aud)))?;
    let wanted = needed(call);
    wanted.iter().for_each(|scope| call.world.identities.ask(scope));
    if !wanted.is_empty() && !claims.scope.split(' ').any(|scope| wanted.contains(&scope)) {
        let message = format!("Insufficient scope, expected any of: {}", wanted.join(","));
        return Err(Refusal::new(403, "insufficient_scope", message));
    }
    Ok(tenant)
}

/// The scopes of which one is needed <https://auth0.com/docs/api/management/v2/clients>.
fn needed(call: &Call<'_>) -> &'static [&'static str] {
    match call.operation.as_str() {
        "auth0:clients.create" => &["create:clients"],
        "auth0:clients.update" => &["update:clients", "update:client_keys"],
        "auth0:clients.delete" => &["delete:clients"],
        "auth0:clients.list" | "auth0:clients.get" => &["read:clients", "read:client_keys"],
        _ => &[],
    }
}

/// Whether a call's token lets secrets be seen.
pub(super) fn shows_secrets(call: &Call<'_>) -> bool {
    scopes(call).split(' ').any(|scope| ["read:client_keys", "read:client_credentials"].contains(&scope))
}

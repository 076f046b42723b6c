//! The login server: tokens for whoever asks, in the form that clients expect; beside an identity that a role was attached to only for
//! those that somebody made.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::hmac;
use crate::azure::call::{Call, json};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::{authorization, rights, subscriptions};
use crate::state::Transaction;

/// Where programs on Azure's own machines ask for the token of their managed identity, which is the address in
/// `IDENTITY_ENDPOINT` <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>.
pub(super) const MANAGED_IDENTITY: &str = "/msi/token";

/// The only version of that endpoint.
const MANAGED_IDENTITY_VERSION: &str = "2019-08-01";

/// What a signed assertion in place of a secret is sent as
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential>.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The secret of every application that is made here.
pub(super) const SECRET: &str = "sandbox";

/// Seconds that a token is valid.
const VALIDITY_S: u64 = 3_599;

/// What a token says <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    aud: String,
    exp: u64,
    nbf: u64,
    /// The principal.
    pub(super) oid: String,
    appid: String,
    pub(super) tid: String,
}

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, name: &str) -> Served {
    let path = call.request.uri().path();
    let tenant = path.split('/').nth(1).unwrap_or_default();
    match name {
        "GetInstanceDiscovery" => Ok(discovery(call)),
        "GetManagedIdentityToken" => managed_identity(state, call),
        _ if !is_tenant(state, tenant)? => {
            let message = format!("AADSTS90002: Tenant '{tenant}' not found.");
            Err(Refusal::bad_request("invalid_request", message))
        }
        "GetOpenIdConfiguration" => Ok(configuration(call, tenant)),
        _ => token(state, call, tenant),
    }
}

/// Whom a token for a service of an account is for
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>.
pub(super) fn of_storage(account: &str, service: &str) -> [String; 2] {
    ["https://storage.azure.com".to_owned(), format!("https://{account}.{service}.core.windows.net")]
}

/// The claims of a request's token, if it is one for an audience
/// <https://learn.microsoft.com/rest/api/azure/#create-the-request>.
pub(super) fn claims(call: &Call<'_>, audiences: &[impl AsRef<str>]) -> Result<Claims, Refusal> {
    let refused = |code: &str, message: &str| {
        let header = format!(
            "Bearer authorization_uri=\"https://{}\", error=\"invalid_token\"",
            call.addresses.resource_manager
        );
        Refusal::new(401, code, message).with("www-authenticate", header)
    };
    let Some(value) = call.header("authorization") else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(refused("AuthenticationFailed", message));
    };
    let token = value.strip_prefix("Bearer ").and_then(|token| token.rsplit_once('.'));
    let payload = token.filter(|(said, sealed)| *sealed == seal(said)).and_then(|(said, _)| said.split('.').nth(1));
    let payload = payload.and_then(|payload| BASE64URL_NOPAD.decode(payload.as_bytes()).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok());
    let Some(claims) = claims else {
        return Err(refused("InvalidAuthenticationToken", "The access token is invalid."));
    };
    if !audiences.iter().any(|audience| audience.as_ref() == claims.aud.trim_end_matches('/')) {
        let message = format!("The access token has been obtained for wrong audience or resource '{}'.", claims.aud);
        return Err(refused("InvalidAuthenticationTokenAudience", &message));
    }
    if claims.exp.saturating_mul(1_000) <= call.now_ms {
        return Err(refused("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past."));
    }
    Ok(claims)
}

fn is_tenant(state: &Transaction<'_>, tenant: &str) -> Result<bool, Refusal> {
    let any = ["common", "organizations"].contains(&tenant);
    Ok(any || subscriptions::all(state)?.iter().any(|subscription| subscription.tenant.eq_ignore_ascii_case(tenant)))
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
fn token(state: &Transaction<'_>, call: &Call<'_>, tenant: &str) -> Served {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(call.request.body()).into_owned().collect();
    let field = |name: &str| form.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let missing = |name: &str| {
        let message = format!("AADSTS900144: The request body must contain the following parameter: '{name}'.");
        Refusal::bad_request("invalid_request", message)
    };
    if field("grant_type") != Some("client_credentials") {
        let message = "AADSTS70003: The app requested an unsupported grant type.";
        return Err(Refusal::bad_request("unsupported_grant_type", message));
    }
    let client = field("client_id").ok_or_else(|| missing("client_id"))?;
    if field("client_secret").or(field("client_assertion")).is_none() {
        let message = "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or \
                       'client_secret'.";
        return Err(Refusal::new(401, "invalid_client", message));
    }
    if rights::is_strict(call) {
        check_client(state, tenant, client, field("client_secret"))?;
    }
    if let Some(assertion) = field("client_assertion") {
        check_assertion(assertion, field("client_assertion_type"))?;
    }
    let scope = field("scope").ok_or_else(|| missing("scope"))?;
    let audience = scope.split(' ').find_map(|scope| scope.strip_suffix("/.default"));
    let Some(audience) = audience else {
        let message = format!("AADSTS1002012: The provided value for scope {scope} is not valid.");
        return Err(Refusal::bad_request("invalid_scope", message));
    };
    let token = issued(call, tenant, client, audience);
    let body = json!({
        "token_type": "Bearer", "expires_in": VALIDITY_S, "ext_expires_in": VALIDITY_S, "access_token": token,
    });
    Ok(json(200, &body))
}

/// An application is one that somebody made, and its secret the one that was printed
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes#aadsts-error-codes>.
fn check_client(state: &Transaction<'_>, tenant: &str, client: &str, secret: Option<&str>) -> Result<(), Refusal> {
    if client != rights::CLIENT && !authorization::is_principal(state, client) {
        let message = format!(
            "AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may \
             have sent your authentication request to the wrong tenant."
        );
        return Err(Refusal::bad_request("unauthorized_client", message));
    }
    if secret.is_none_or(|secret| secret == SECRET) {
        return Ok(());
    }
    let message = format!(
        "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the \
         client secret ID, for a secret added to app '{client}'."
    );
    Err(Refusal::new(401, "invalid_client", message))
}

/// A token for an audience.
fn issued(call: &Call<'_>, tenant: &str, client: &str, audience: &str) -> String {
    let now = call.now_ms / 1_000;
    let claims = Claims {
        aud: audience.to_owned(),
        exp: now + VALIDITY_S,
        nbf: now,
        oid: client.to_owned(),
        appid: client.to_owned(),
        tid: tenant.to_owned(),
    };
    sealed(&json!(claims))
}

/// A token that says this.
pub(super) fn sealed(claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let said = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    format!("{said}.{}", seal(&said))
}

/// What makes a token the sandbox's own.
fn seal(said: &str) -> String {
    BASE64URL_NOPAD.encode(&hmac(b"the login server of the sandbox", said))
}

/// Its signature is not verified, its form is.
fn check_assertion(assertion: &str, kind: Option<&str>) -> Result<(), Refusal> {
    if kind != Some(JWT_BEARER) {
        let message = "AADSTS90014: The required field 'client_assertion_type' is missing or not known.";
        return Err(Refusal::bad_request("invalid_request", message));
    }
    let parts: Vec<_> = assertion.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes())).collect();
    if parts.len() != 3 || parts.iter().any(Result::is_err) {
        let message = "AADSTS50027: JWT token is invalid or malformed.";
        return Err(Refusal::new(401, "invalid_client", message));
    }
    Ok(())
}

/// The token of the identity with a `client_id`; without one of the identity of the machine.
fn managed_identity(state: &Transaction<'_>, call: &Call<'_>) -> Served {
    if call.header("x-identity-header").is_none_or(str::is_empty) {
        return Err(Refusal::new(401, "unauthorized", "The header X-IDENTITY-HEADER is missing."));
    }
    if call.field("api-version") != Some(MANAGED_IDENTITY_VERSION) {
        return Err(Refusal::bad_request("invalid_request", "The api-version is not supported."));
    }
    let Some(resource) = call.field("resource") else {
        return Err(Refusal::bad_request("invalid_request", "The parameter resource is missing."));
    };
    let machine = if rights::is_strict(call) { rights::CLIENT } else { super::CLIENT };
    let client = call.field("client_id").unwrap_or(machine);
    if rights::is_strict(call) && client != rights::CLIENT && !authorization::is_principal(state, client) {
        return Err(Refusal::bad_request("invalid_request", "Identity not found"));
    }
    let tenant = subscriptions::all(state)?.first().map(|found| found.tenant.clone()).unwrap_or_default();
    let body = json!({
        "access_token": issued(call, &tenant, client, resource), "client_id": client, "resource": resource,
        "expires_on": (call.now_ms / 1_000 + VALIDITY_S).to_string(), "token_type": "Bearer",
    });
    Ok(json(200, &body))
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>
fn configuration(call: &Call<'_>, tenant: &str) -> http::Response<bytes::Bytes> {
    let base = format!("https://{}/{tenant}", call.addresses.resource_manager);
    let body = json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
    });
    json(200, &body)
}

/// What clients ask before they trust a login server.
fn discovery(call: &Call<'_>) -> http::Response<bytes::Bytes> {
    let host = call.addresses.resource_manager.to_string();
    let body = json!({
        "tenant_discovery_endpoint": format!("https://{host}/common/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    });
    json(200, &body)
}

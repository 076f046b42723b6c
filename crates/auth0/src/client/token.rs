//! A token for the Management API, by client credentials
//! <https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens/get-management-api-access-tokens-for-production>.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use provision_core::output::Secret;
use provision_core::{Error, ErrorKind, retry};
use serde_json::{Value, json};

use crate::client::Api;
use crate::error::{Body, Call, unauthenticated};

/// What a signed assertion in place of a secret is sent as
/// <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Seconds that an assertion is valid: one minute is advised there, five are the most.
const ASSERTION_VALIDITY_S: u64 = 60;

/// How a machine-to-machine application says that it is itself.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Its client secret.
    Secret(Secret),
    /// Its private key, in PEM.
    Key(Secret),
}

/// What a token says <https://auth0.com/docs/secure/tokens/json-web-tokens/json-web-token-claims>. One that cannot be read says
/// nothing: whether it is good is the service's affair.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|payload| BASE64URL_NOPAD.decode(payload.as_bytes()).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default()
}

/// What the Management API of a tenant is called in a token: by the tenant's own domain, also where there is a custom one
/// <https://auth0.com/docs/customize/custom-domains/configure-features-to-use-custom-domains>.
pub(crate) fn audience(domain: &str) -> String {
    format!("https://{domain}/api/v2/")
}

impl Api {
    /// A token for the Management API of this tenant <https://auth0.com/docs/api/authentication/client-credential-flow/get-token>.
    pub(crate) async fn get_token(&self, domain: &str, id: &str, proof: &Proof) -> Result<Secret, Error> {
        let tried = format!("get a token for application `{id}`");
        let sent = || async {
            let form = form(domain, id, proof, &tried)?;
            let call = Call::new("POST", "oauth.token", "/oauth/token", tried.clone());
            self.once(&call.with_body(Body::Form(form)), None, token).await
        };
        retry::call(sent).await
    }
}

/// What is sent. An assertion is good for one request, and so made for each.
fn form(domain: &str, id: &str, proof: &Proof, tried: &str) -> Result<String, Error> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials").append_pair("client_id", id);
    form.append_pair("audience", &audience(domain));
    match proof {
        Proof::Secret(secret) => form.append_pair("client_secret", secret.reveal()),
        Proof::Key(key) => form
            .append_pair("client_assertion_type", JWT_BEARER)
            .append_pair("client_assertion", &assertion(domain, id, key, tried)?),
    };
    Ok(form.finish())
}

fn token(answer: Value) -> Result<Secret, String> {
    let token = answer["access_token"].as_str().filter(|token| !token.is_empty());
    token.map(Secret::new).ok_or_else(|| "there is no token in it".to_owned())
}

/// What says that we are the application, signed with its key.
fn assertion(domain: &str, id: &str, key: &Secret, tried: &str) -> Result<String, Error> {
    let failed = |_| Error::new(ErrorKind::Unexpected, tried).with_message("the assertion cannot be signed");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs()).unwrap_or_default();
    let mut number = [0; 16];
    aws_lc_rs::rand::fill(&mut number).map_err(failed)?;
    let claims = json!({
        "iss": id, "sub": id, "aud": format!("https://{domain}/"), "iat": now, "exp": now + ASSERTION_VALIDITY_S,
        "jti": HEXLOWER.encode(&number),
    });
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
    let pair = key_pair(key.reveal()).ok_or_else(|| unauthenticated(tried, NO_KEY))?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(failed)?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// What is said of a key that is none. Nothing of it is repeated.
const NO_KEY: &str = "AUTH0_CLIENT_ASSERTION_PRIVATE_KEY holds no RSA key in PEM (`-----BEGIN PRIVATE KEY-----`)";

/// A key in PEM, PKCS #8 or PKCS #1 (<https://www.rfc-editor.org/rfc/rfc7468>). A variable may have `\n` in place of line ends.
fn key_pair(pem: &str) -> Option<RsaKeyPair> {
    let pem = pem.replace("\\n", "\n");
    let (kind, rest) = pem.split_once("-----BEGIN ")?.1.split_once("-----")?;
    let body: String = rest.split("-----END").next()?.split_whitespace().collect();
    let der = BASE64.decode(body.as_bytes()).ok()?;
    match kind {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der).ok(),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    #[test]
    fn assertions_say_who_for_whom_and_for_a_minute_and_are_signed() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der.as_ref()));
        let signed = |pem: &str| assertion("acme.auth0.com", "me", &Secret::new(pem), "get a token").unwrap();
        let (first, second) = (signed(&pem), signed(&pem.replace('\n', "\\n")));
        let said = claims(&first);
        assert_eq!(
            (&said["iss"], &said["sub"], &said["aud"]),
            (&json!("me"), &json!("me"), &json!("https://acme.auth0.com/"))
        );
        assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 60);
        assert_ne!(said["jti"], claims(&second)["jti"]);
        let (message, signature) = first.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        public.verify(message.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn what_is_no_key_is_said_without_it() {
        for pem in ["hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", ""] {
            let error = assertion("acme.auth0.com", "me", &Secret::new(pem), "get a token").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn answers_without_a_token_are_unreadable() {
        assert_eq!(token(json!({"access_token": "a", "token_type": "Bearer"})).unwrap().reveal(), "a");
        assert!(token(json!({"access_token": ""})).is_err() && token(json!({})).is_err());
        assert_eq!(claims("no token"), Value::Null);
    }
}

//! The credentials file of whoever a role was attached to: the key of a service account, as Google's libraries read it
//! <https://google.aip.dev/auth/4112>. Its signatures are verified, of what it asks for tokens with, of tokens of its own, and of
//! signed addresses.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::Response;
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

use super::call::Call;
use super::caller::{self, USER};
use super::wire::json_answer;
use crate::Error;
use crate::files::Folder;

/// The file, in the sandbox's folder.
const FILE: &str = "google-credentials.json";

/// Where tokens are asked for.
pub(super) const TOKEN: &str = "/token";

/// Whom assertions are for; libraries name it whatever the file says.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// What a signed assertion is sent as <https://www.rfc-editor.org/rfc/rfc7523#section-2.1>.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Seconds that an assertion, and the token that it gives, are good at most
/// <https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>.
const VALIDITY_S: u64 = 3600;

/// Seconds by which clocks may differ.
const SKEW_S: u64 = 300;

/// A file that was written, and what its signatures are verified by.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    public: Vec<u8>,
    _folder: Folder,
}

impl KeyFile {
    /// Write one that asks for tokens at an address.
    pub(crate) fn write(folder: Folder, address: &str, project: &str) -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::Identity { reason: error.to_string() };
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
        let document = json!({
            "type": "service_account",
            "project_id": project,
            "private_key_id": "5a4db0c5a4db0c005a4db0c5a4db0c005a4db0c5",
            "private_key": key.serialize_pem(),
            "client_email": USER,
            "client_id": "100000000000000000000",
            "token_uri": format!("http://{address}{TOKEN}"),
            "universe_domain": "googleapis.com",
        });
        let path = folder.file(FILE)?;
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{document:#}\n").as_bytes()));
        written.map_err(Error::io("write", &path))?;
        Ok(Self { path, public: key.subject_public_key_info(), _folder: folder })
    }

    /// Whether its key signed something.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(bytes, signature).is_ok()
    }
}

/// Whether the key of the file, if there is one, signed something.
pub(super) fn signed(call: &Call<'_>, bytes: &[u8], signature: &[u8]) -> bool {
    call.world.identities.key_file().is_some_and(|file| file.signed(bytes, signature))
}

/// What a token that somebody signed says of itself, if it is one.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1).and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok())?;
    serde_json::from_slice(&payload).ok()
}

/// Whether a token says that it was signed with the file's key. Others are of clients that have one for services elsewhere.
pub(super) fn names_user(token: &str) -> bool {
    claims(token).is_some_and(|claims| claims["iss"] == USER)
}

/// What the key of the file says, or what is wrong with it.
pub(super) fn verified(call: &Call<'_>, token: &str) -> Result<Value, &'static str> {
    let (said, signature) = token.rsplit_once('.').unwrap_or_default();
    let claims = claims(token).filter(|claims| claims["iss"] == USER).ok_or("Invalid grant: account not found")?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap_or_default();
    if !signed(call, said.as_bytes(), &signature) {
        return Err("Invalid JWT Signature.");
    }
    // Clients have the machine's clock.
    let now_s = call.world.clock.signing_ms() / 1000;
    let moment = |name: &str| claims[name].as_u64().unwrap_or_default();
    let (begun, ends) = (moment("iat"), moment("exp"));
    if begun > now_s + SKEW_S || ends + SKEW_S < now_s || ends > begun + VALIDITY_S {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values \
             in the JWT claim.",
        );
    }
    Ok(claims)
}

/// A token for an assertion that the file's key signed
/// <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>.
pub(super) fn token(call: &Call<'_>) -> Response<Bytes> {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let refused = |code: &str, message: &str| json_answer(400, &json!({ "error": code, "error_description": message }));
    if field("grant_type") != JWT_BEARER {
        return refused("unsupported_grant_type", &format!("Invalid grant_type: {}", field("grant_type")));
    }
    let claims = match verified(call, field("assertion")) {
        Ok(claims) => claims,
        Err(why) => return refused("invalid_grant", why),
    };
    if claims["aud"] != AUDIENCE && claims["aud"] != format!("{}{TOKEN}", call.address) {
        return refused(
            "invalid_grant",
            &format!("Invalid JWT: Failed audience check. The right audience is {AUDIENCE}"),
        );
    }
    if claims["scope"].as_str().is_none_or(str::is_empty) {
        return refused("invalid_scope", "Empty or missing scope not allowed.");
    }
    let token = caller::token(USER, call.now_ms + VALIDITY_S * 1000);
    json_answer(200, &json!({ "access_token": token, "expires_in": VALIDITY_S - 1, "token_type": "Bearer" }))
}

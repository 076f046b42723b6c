//! Signed URLs (version 4), verified by the keys with which IAM signs for service accounts, and by that of the printed credentials
//! file: no account has another one here
//! <https://cloud.google.com/storage/docs/authentication/signatures>.
//!
//! Their time is the machine's, as their clients have it.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::google::call::Call;
use crate::google::caller::USER;
use crate::google::refusal::{Kind, Refusal};
use crate::google::{key_file, project};
use crate::state::Transaction;

/// A signed URL is good for seven days at most <https://cloud.google.com/storage/docs/access-control/signed-urls>.
const LONGEST_S: u64 = 7 * 86_400;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";

/// A field that is not signed itself.
const SIGNATURE: &str = "X-Goog-Signature";

/// What is not encoded in a query; in a path slashes are not either.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The service account that signed a URL, unless it is not signed
/// <https://cloud.google.com/storage/docs/authentication/canonical-requests>.
pub(super) fn signer(state: &Transaction<'_>, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let Ok(signature) = field(call, SIGNATURE) else { return Ok(None) };
    if field(call, "X-Goog-Algorithm")? != ALGORITHM {
        return Err(Refusal::invalid(format!("The signature's algorithm is not {ALGORITHM}.")));
    }
    let credential = field(call, "X-Goog-Credential")?;
    let (signer, scope) = credential.split_once('/').unwrap_or_default();
    let [day, _, "storage", "goog4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(Refusal::invalid(format!("Invalid credential: {credential}")));
    };
    let date = field(call, "X-Goog-Date")?;
    if !date.starts_with(day) {
        return Err(Refusal::invalid("The credential's date is not the signature's."));
    }
    check_time(date, field(call, "X-Goog-Expires")?, call.world.clock.signing_ms())?;
    let signed: Vec<_> = field(call, "X-Goog-SignedHeaders")?.split(';').collect();
    check_signed_headers(&signed, &call.headers)?;
    let request = HEXLOWER.encode(&Sha256::digest(canonical(call, &signed).as_bytes()));
    let text = [ALGORITHM, date, scope, &request].join("\n");
    let given = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).unwrap_or_default();
    if signed_by(state, call, signer, text.as_bytes(), &given)? {
        return Ok(Some(signer.to_owned()));
    }
    Err(Refusal::new(
        Kind::Signature,
        "Access denied. The request signature we calculated does not match the signature you provided. Check your Google \
         secret key and signing method.",
    ))
}

/// Whether it is the signature of an account, or of the key of the printed credentials file.
fn signed_by(
    state: &Transaction<'_>,
    call: &Call<'_>,
    signer: &str,
    text: &[u8],
    given: &[u8],
) -> Result<bool, Refusal> {
    if signer == USER {
        return Ok(key_file::signed(call, text, given));
    }
    Ok(project::signature(state, signer, text)?.is_some_and(|expected| expected == given))
}

fn field<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a str, Refusal> {
    let found = call.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).ok_or_else(|| Refusal::invalid(format!("Missing query parameter {name}.")))
}

/// What is signed of a request.
fn canonical(call: &Call<'_>, signed: &[&str]) -> String {
    let path = percent_decode_str(&call.path).decode_utf8_lossy();
    let path = utf8_percent_encode(&path, ENCODED_IN_PATH).to_string();
    let payload = call.header("x-goog-content-sha256").filter(|_| signed.contains(&"x-goog-content-sha256"));
    let headers: String = signed.iter().map(|name| format!("{name}:{}\n", header(call, name))).collect();
    let (method, query, names) = (call.method.as_str(), query(call), signed.join(";"));
    [method, &path, &query, &headers, &names, payload.unwrap_or("UNSIGNED-PAYLOAD")].join("\n")
}

/// Sorted by name, each encoded.
fn query(call: &Call<'_>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let fields = call.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(SIGNATURE));
    let mut pairs: Vec<_> = fields.map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Its values, white space as one blank.
fn header(call: &Call<'_>, name: &str) -> String {
    if name == "host" {
        return call.address.trim_start_matches("http://").to_owned();
    }
    let values = call.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let value = |value: String| value.split_whitespace().collect::<Vec<_>>().join(" ");
    values.map(value).collect::<Vec<_>>().join(",")
}

fn check_time(date: &str, expires: &str, now_ms: u64) -> Result<(), Refusal> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed =
        PrimitiveDateTime::parse(date, &format).map_err(|_| Refusal::invalid(format!("Invalid date: {date}")))?;
    let signed_s = signed.assume_utc().unix_timestamp();
    let lasts_s = expires.parse().ok().filter(|seconds| (1..=LONGEST_S).contains(seconds));
    let lasts_s = lasts_s.ok_or_else(|| Refusal::invalid(format!("Invalid expiration: {expires}")))?;
    let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    // Clocks may differ by some minutes.
    if signed_s > now_s + 15 * 60 {
        return Err(Refusal::denied("The signature's date is in the future."));
    }
    if now_s < signed_s + lasts_s.cast_signed() {
        return Ok(());
    }
    Err(Refusal::new(Kind::Expired, "The provided token has expired."))
}

/// Every header that was signed comes with the request, and the host is one of them; so is each of the service's own
/// <https://cloud.google.com/storage/docs/authentication/canonical-requests#required-headers>.
fn check_signed_headers(signed: &[&str], headers: &HeaderMap) -> Result<(), Refusal> {
    if !signed.contains(&"host") {
        return Err(Refusal::invalid("The host header must be signed."));
    }
    if let Some(name) = signed.iter().find(|name| **name != "host" && !headers.contains_key(**name)) {
        return Err(Refusal::denied(format!("The signed header {name} is not in the request.")));
    }
    match headers.keys().find(|name| name.as_str().starts_with("x-goog-") && !signed.contains(&name.as_str())) {
        Some(name) => Err(Refusal::new(Kind::Signature, format!("The header {name} must be signed."))),
        None => Ok(()),
    }
}

//! Signatures with a key of the account, or with one that a user was given: of a header
//! <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>, and of an address: for one thing
//! <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>, for an account
//! <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>, and by a user
//! <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>.

use std::collections::BTreeMap;

use data_encoding::BASE64;

use crate::aws::hmac;
use crate::azure::accounts::Account;
use crate::azure::call::{Call, http_date, milliseconds};
use crate::azure::data_access::{Need, Place};
use crate::azure::refusal::Refusal;

/// Headers that are signed by their places, in the order of the documentation.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// What is signed of an address in every version from here on.
const OLDEST: &str = "2020-12-06";
/// From here on, what a user signs names who may use it too.
const NAMES_USERS: &str = "2025-07-05";
/// From here on, which headers and parameters a request may have besides.
const NAMES_HEADERS: &str = "2026-04-06";

/// Judge a header's signature, `account:signature`.
pub(super) fn shared_key(call: &Call<'_>, account: &Account, signed: &str) -> Result<(), Refusal> {
    let Some((_, signature)) = signed.split_once(':').filter(|(name, _)| *name == account.name) else {
        return Err(unauthenticated("The Authorization header names another account."));
    };
    if call.header("x-ms-date").or(call.header("date")).is_none() {
        return Err(unauthenticated("Request date header is missing."));
    }
    let text = string_to_sign(call, account);
    if account.keys().any(|key| sign(key, &text).as_deref() == Some(signature)) {
        return Ok(());
    }
    Err(unauthenticated(&format!(
        "The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. Server used \
         following string to sign: '{text}'."
    )))
}

fn string_to_sign(call: &Call<'_>, account: &Account) -> String {
    let value = |name: &&str| call.header(name).filter(|value| **name != *"content-length" || *value != "0");
    let lines: Vec<&str> = SIGNED.iter().map(|name| value(name).unwrap_or_default().trim()).collect();
    let own: BTreeMap<&str, &str> = call
        .request
        .headers()
        .keys()
        .filter(|name| name.as_str().starts_with("x-ms-"))
        .map(|name| (name.as_str(), call.header(name.as_str()).unwrap_or_default().trim()))
        .collect();
    let own: String = own.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let query: String = call.fields().map(|(name, value)| format!("\n{name}:{value}")).collect();
    let path = call.request.uri().path();
    format!("{}\n{}\n{own}/{}{path}{query}", call.method(), lines.join("\n"), account.name)
}

/// Judge an address's signature, its time and what it permits. Gives the user that it was signed by, if not by the account.
pub(super) fn address(
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    need: Need,
) -> Result<Option<String>, Refusal> {
    let field = |name: &str| call.field(name).unwrap_or_default();
    let Some(service_version) = call.field("sv").filter(|version| *version >= OLDEST) else {
        return Err(Refusal::not_served(&format!("a signature of version `{}`", field("sv"))));
    };
    if call.field("si").is_some() {
        return Err(Refusal::not_served("stored access policies"));
    }
    let user = call.field("skoid").map(str::to_owned);
    let (keys, text) = match &user {
        _ if call.field("ss").is_some() => (account.keys().map(str::to_owned).collect(), of_account(call, account)),
        None => (account.keys().map(str::to_owned).collect(), of_service(call, account, place, need)?),
        Some(_) if need.queue => return Err(Refusal::not_served("a user's signature on queues")),
        Some(_) => (vec![user_key(account, &UserKey::of(call))], of_user(call, account, place, service_version)?),
    };
    let keys: Vec<String> = keys;
    if !keys.iter().any(|key| sign(key, &text).as_deref() == call.field("sig")) {
        return Err(unauthenticated(&format!("Signature did not match. String to sign used was {text}")));
    }
    in_time(call, "st", "se")?;
    if user.is_some() {
        in_time(call, "skt", "ske")?;
    }
    permits(call, need).map(|()| user)
}

/// What is signed of an address for one thing, in version 2020-12-06 and later.
fn of_service(call: &Call<'_>, account: &Account, place: &Place, need: Need) -> Result<String, Refusal> {
    let fields = |names: &[&str]| names.iter().map(|name| call.field(name).unwrap_or_default()).collect::<Vec<_>>();
    let first = fields(&["sp", "st", "se"]);
    if need.queue {
        let resource = format!("/queue/{}/{}", account.name, place.container);
        return Ok([&first[..], &[&resource], &fields(&["si", "sip", "spr", "sv"])].concat().join("\n"));
    }
    let resource = resource(call, account, place)?;
    let first = [&first[..], &[&resource], &fields(&["si"])].concat().join("\n");
    Ok(format!("{first}\n{}", end(call, &[])))
}

/// What is signed of an address by a user.
fn of_user(call: &Call<'_>, account: &Account, place: &Place, version: &str) -> Result<String, Refusal> {
    let field = |name: &str| call.field(name).unwrap_or_default();
    let resource = resource(call, account, place)?;
    let mut lines = vec![field("sp"), field("st"), field("se"), &resource];
    lines.extend(["skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"].map(field));
    if version >= NAMES_USERS {
        lines.extend(["skdutid", "sduoid"].map(field));
    }
    // Those that are named are not served.
    let more: &[&str] = if version >= NAMES_HEADERS { &["", ""] } else { &[] };
    Ok(format!("{}\n{}", lines.join("\n"), end(call, more)))
}

/// What every signature on blobs ends with, with some lines more before the headers of the answer.
fn end(call: &Call<'_>, more: &[&str]) -> String {
    let fields = |names: &[&str]| names.iter().map(|name| call.field(name).unwrap_or_default()).collect::<Vec<_>>();
    let own = fields(&["sip", "spr", "sv", "sr", "snapshot", "ses"]);
    [&own[..], more, &fields(&["rscc", "rscd", "rsce", "rscl", "rsct"])].concat().join("\n")
}

/// What is signed for, as its signature names it.
fn resource(call: &Call<'_>, account: &Account, place: &Place) -> Result<String, Refusal> {
    match call.field("sr") {
        Some("b" | "bs" | "bv") => Ok(format!("/blob/{}/{}/{}", account.name, place.container, place.name)),
        Some("c") => Ok(format!("/blob/{}/{}", account.name, place.container)),
        other => Err(Refusal::not_served(&format!("a signature for `{}`", other.unwrap_or_default()))),
    }
}

fn of_account(call: &Call<'_>, account: &Account) -> String {
    let fields = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"];
    let fields: String = fields.iter().map(|name| format!("{}\n", call.field(name).unwrap_or_default())).collect();
    format!("{}\n{fields}", account.name)
}

/// Signatures expire by their clients' own time.
fn in_time(call: &Call<'_>, start: &str, expiry: &str) -> Result<(), Refusal> {
    let moment = |name: &str| {
        let date = call.field(name)?;
        milliseconds(date).or_else(|| milliseconds(&format!("{date}T00:00:00Z")))
    };
    let begun = moment(start).is_none_or(|start| start <= call.signing_ms);
    if begun && moment(expiry).is_some_and(|expiry| expiry > call.signing_ms) {
        return Ok(());
    }
    let shown = |name: &str| moment(name).map(http_date).unwrap_or_default();
    Err(unauthenticated(&format!(
        "Signature not valid in the specified time frame: Start [{}] - Expiry [{}] - Current [{}]",
        shown(start),
        shown(expiry),
        http_date(call.signing_ms)
    )))
}

fn permits(call: &Call<'_>, need: Need) -> Result<(), Refusal> {
    let permissions = call.field("sp").unwrap_or_default();
    // A new blob may be created by one that may only create.
    let creates = need.permission == 'w' && permissions.contains('c');
    if creates || permissions.contains(need.permission) {
        return Ok(());
    }
    let message = "This request is not authorized to perform this operation using this permission.";
    Err(Refusal::new(403, "AuthorizationPermissionMismatch", message))
}

/// A key that a user was given: whose, from when to when, for which service and version.
#[derive(Clone, Debug, Default)]
pub(super) struct UserKey {
    pub(super) user: String,
    pub(super) tenant: String,
    pub(super) start: String,
    pub(super) expiry: String,
    pub(super) service: String,
    pub(super) version: String,
}

impl UserKey {
    /// The one that an address says it was signed with.
    fn of(call: &Call<'_>) -> Self {
        let field = |name: &str| call.field(name).unwrap_or_default().to_owned();
        Self {
            user: field("skoid"),
            tenant: field("sktid"),
            start: field("skt"),
            expiry: field("ske"),
            service: field("sks"),
            version: field("skv"),
        }
    }
}

/// Its value: the account's first key signs what it says, so that none has to be kept.
pub(super) fn user_key(account: &Account, key: &UserKey) -> String {
    let UserKey { user, tenant, start, expiry, service, version } = key;
    let text = format!("{user}\n{tenant}\n{start}\n{expiry}\n{service}\n{version}");
    account.sign(&text).unwrap_or_default()
}

pub(super) fn sign(key: &str, text: &str) -> Option<String> {
    Some(BASE64.encode(&hmac(&BASE64.decode(key.as_bytes()).ok()?, text)))
}

/// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>, with what a reader is told of the signature.
pub(super) fn unauthenticated(detail: &str) -> Refusal {
    let message = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly \
                   including the signature.";
    Refusal::new(403, "AuthenticationFailed", message).with_detail(detail)
}

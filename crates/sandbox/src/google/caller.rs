//! Who calls: whoever shows a service account's token is that account. Whoever has the key of the printed credentials file, and
//! everybody else on this machine, is the user of the printed variables, but no page of another site in a browser on it: it could otherwise write whatever it likes.

use data_encoding::BASE64URL_NOPAD;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::call::Call;
use super::key_file;
use super::project::{Account, account_key};
use super::refusal::{Kind, Refusal};
use crate::state::Transaction;

/// How the tokens begin that the sandbox gives out. Others are of who shows none: clients have some for services elsewhere.
const TOKEN: &str = "ya29.sandbox.";

/// The address of the user of the printed variables.
pub(super) const USER: &str = "provision@sandbox.iam.gserviceaccount.com";

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Who has the variables that a sandbox prints: emulators are sent no credentials.
    User,
    /// The service account of this address.
    Account(String),
}

impl Caller {
    /// By the token of a request, which must be of an account that is there, and not too old.
    pub(super) fn of(state: &Transaction<'_>, call: &Call<'_>) -> Result<Self, Refusal> {
        let Some(token) = call.header("authorization").and_then(|header| header.strip_prefix("Bearer ")) else {
            return Ok(Self::User);
        };
        let Some(rest) = token.strip_prefix(TOKEN) else { return Self::of_signed(call, token) };
        let (email, until_ms) = read(rest).ok_or_else(unauthenticated)?;
        if email == USER && call.now_ms < until_ms {
            return Ok(Self::User);
        }
        let account: Option<Account> = state.get(&account_key(&email))?;
        match account {
            Some(account) if !account.deleted && call.now_ms < until_ms => Ok(Self::Account(account.email)),
            _ => Err(unauthenticated()),
        }
    }

    /// By a token that its own key signed: libraries that need not ask for one do not
    /// <https://google.aip.dev/auth/4111>.
    fn of_signed(call: &Call<'_>, token: &str) -> Result<Self, Refusal> {
        if key_file::names_user(token) && key_file::verified(call, token).is_err() {
            return Err(unauthenticated());
        }
        Ok(Self::User)
    }

    /// How a refusal names it.
    pub(super) fn email(&self) -> &str {
        match self {
            Self::User => USER,
            Self::Account(email) => email,
        }
    }
}

/// A token of an account until a moment.
pub(super) fn token(email: &str, until_ms: u64) -> String {
    let said = format!("{}.{until_ms}", BASE64URL_NOPAD.encode(email.as_bytes()));
    format!("{TOKEN}{said}.{}", seal(&said))
}

/// What makes a token the sandbox's own.
fn seal(said: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(format!("{TOKEN}{said}").as_bytes()))
}

fn read(token: &str) -> Option<(String, u64)> {
    let (said, sealed) = token.rsplit_once('.')?;
    let (email, until_ms) = said.split_once('.').filter(|_| sealed == seal(said))?;
    let email = BASE64URL_NOPAD.decode(email.as_bytes()).ok()?;
    Some((String::from_utf8(email).ok()?, until_ms.parse().ok()?))
}

fn unauthenticated() -> Refusal {
    Refusal::new(
        Kind::Unauthenticated,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication \
         credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )
}

/// Refuse a page, and a name that somebody else gave to this machine
/// (<https://owasp.org/www-community/attacks/DNS_Rebinding>). Pages use the XML API, with signed URLs.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let host = call.address.trim_start_matches("http://");
    if !is_here(host) {
        return Err(Refusal::denied(format!("the sandbox is not called `{host}`")));
    }
    match origin(&call.headers) {
        Some(origin) if !call.operation.starts_with("storage.xml:") => {
            Err(Refusal::denied(format!("the sandbox does not serve pages of `{origin}`")))
        }
        _ => Ok(()),
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::ORIGIN).and_then(|origin| origin.to_str().ok())
}

/// This machine's own names; those of Google's, which nobody else can give away, are sent by clients that are told another address.
pub(crate) fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let here = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    here || name == "localhost" || name.ends_with(".localhost") || name.ends_with(".googleapis.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_own_names() {
        for host in ["127.0.0.1:42", "127.0.0.1", "localhost:42", "[::1]:42", "pubsub.googleapis.com"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["evil.example:42", "127.0.0.1.evil.example", "10.0.0.1", "googleapis.com.evil.example", ""] {
            assert!(!is_here(host), "{host}");
        }
    }
}

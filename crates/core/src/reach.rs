//! Where a provider's calls go, and where its credentials come from: what `doctor` looks at before anything is asked of the services.

use std::time::SystemTime;

use url::{Host, Url};

use crate::error::{Error, ErrorKind};

/// What an address answers whoever has no credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// A document, whatever it says: a page is somebody else's.
    Documents,
    /// It is not known what.
    Anything,
}

/// An address that calls go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The service, as the vendor calls it.
    pub service: String,
    /// Scheme, host and port, perhaps a path.
    pub url: String,
    /// The variable or setting that names it, where it is not the vendor's own.
    pub set_by: Option<String>,
    /// What is asked for to see whether it answers: a path and a query. It needs no credentials and does nothing.
    pub asked: String,
    /// What it answers to that.
    pub answers: Answers,
    /// Credentials are had from there: where it is not reached, nothing can be said of them.
    pub signs_in: bool,
    /// It is there once what the plan file names is: that nobody knows its name before is no failure.
    pub made_later: bool,
}

impl Endpoint {
    /// The vendor's own, or the one that a variable names.
    #[must_use]
    pub fn new(service: &str, url: impl Into<String>, set_by: Option<&str>, asked: impl Into<String>) -> Self {
        Self {
            service: service.to_owned(),
            url: url.into(),
            set_by: set_by.map(str::to_owned),
            asked: asked.into(),
            answers: Answers::Documents,
            signs_in: false,
            made_later: false,
        }
    }

    /// The same, where credentials are had from.
    #[must_use]
    pub fn signing_in(self) -> Self {
        Self { signs_in: true, ..self }
    }

    /// The same, of what the plan file names.
    #[must_use]
    pub fn made_later(self) -> Self {
        Self { made_later: true, ..self }
    }

    /// The whole address that is asked.
    #[must_use]
    pub fn probe(&self) -> String {
        format!("{}{}", self.url.trim_end_matches('/'), self.asked)
    }
}

/// The address that a variable names in the place of the vendor's own. Secrets are sent there: over TLS, or to this machine.
///
/// # Errors
///
/// It is no such address.
pub fn address_for_secrets(variable: &str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| unusable(variable, text, &error.to_string()))?;
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(unusable(variable, text, "no user name belongs there"))
        }
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(unusable(variable, text, "a secret is sent over TLS only, but to this machine")),
    }
}

/// An address that a variable names and that is not used. A user's name and password in it are not shown.
#[must_use]
pub fn unusable(variable: &str, text: &str, reason: &str) -> Error {
    let named = if text.contains('@') { variable.to_owned() } else { format!("{variable}=`{text}`") };
    let error = Error::new(ErrorKind::InvalidInput, format!("use {named}")).with_message(reason);
    error.with_hint("write an address that begins with `https://`, or with `http://127.0.0.1:` for an emulator")
}

/// Where credentials come from. Nothing secret of them is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSource {
    /// The variable, file, profile or machine.
    pub from: String,
    /// Until when they are good, where they say so.
    pub expires: Option<SystemTime>,
}

impl CredentialSource {
    /// A source whose credentials do not say how long they are good.
    #[must_use]
    pub fn new(from: impl Into<String>) -> Self {
        Self { from: from.into(), expires: None }
    }

    /// The credentials of a sandbox.
    #[must_use]
    pub fn sandbox() -> Self {
        Self::new("the sandbox's own")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_machine() {
        let of = |text: &str| address_for_secrets("NAME", text);
        for taken in ["https://a.example/api/", "http://127.0.0.1:1/api", "http://[::1]:1", "http://localhost:1"] {
            assert!(of(taken).is_ok(), "{taken}");
        }
        for refused in
            ["http://a.example", "http://10.0.0.1", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "a.example", ""]
        {
            let said = of(refused).unwrap_err().to_string();
            assert!(said.starts_with(&format!("cannot use NAME=`{refused}`: ")), "{said}");
        }
        let said = of("https://me:hunter2@a.example").unwrap_err().to_string();
        assert_eq!(said, "cannot use NAME: no user name belongs there");
    }
}

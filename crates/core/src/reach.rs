//! Where a provider's calls go, and where its credentials come from: what `doctor` looks at before anything is asked of the services.

use std::time::SystemTime;

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
        }
    }

    /// The same, where credentials are had from.
    #[must_use]
    pub fn signing_in(self) -> Self {
        Self { signs_in: true, ..self }
    }

    /// The whole address that is asked.
    #[must_use]
    pub fn probe(&self) -> String {
        format!("{}{}", self.url.trim_end_matches('/'), self.asked)
    }
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

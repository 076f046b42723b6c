//! The settings that the server needs afterwards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::trace::REDACTED;

/// A secret. It prints as `[redacted]`, and nothing serialises it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keep a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the place that it is meant for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

/// One setting for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The environment variable the server reads.
    pub name: String,
    /// Its value.
    pub value: Setting,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Anybody may read it.
    Plain(String),
    /// A secret that nobody asked for: it was not fetched.
    Sealed,
    /// A secret that was asked for.
    Revealed(Secret),
    /// The secret cannot be had; holds the reason.
    Unavailable(String),
    /// The server does without this secret; holds the reason.
    Unneeded(String),
    /// A secret that a Secret of Kubernetes holds: it is never here.
    InKubernetes(SecretKey),
}

/// Where a Secret of Kubernetes has a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    /// The Secret's name.
    pub secret: String,
    /// The key in it.
    pub key: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Kubernetes Secret `{}`, key `{}`", self.secret, self.key)
    }
}

impl Output {
    /// A setting that anybody may read.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: Setting::Plain(value.into()) }
    }

    /// A secret that was not fetched.
    #[must_use]
    pub fn sealed(name: &str) -> Self {
        Self { name: name.to_owned(), value: Setting::Sealed }
    }

    /// Whether it is a secret, fetched or not.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        !matches!(self.value, Setting::Plain(_))
    }

    /// The value, where there is one to give away.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        match &self.value {
            Setting::Plain(value) => Some(value),
            Setting::Revealed(secret) => Some(secret.reveal()),
            Setting::Sealed | Setting::Unavailable(_) | Setting::Unneeded(_) | Setting::InKubernetes(_) => None,
        }
    }

    /// Whether somebody has to ask for it, or to say that it is not wanted.
    #[must_use]
    pub fn is_to_be_asked_for(&self) -> bool {
        self.is_sensitive() && !matches!(self.value, Setting::InKubernetes(_))
    }

    /// Why it has no value, where none can be had.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        match &self.value {
            Setting::InKubernetes(place) => Some(format!("it stays in {place}")),
            _ => self.absent().map(str::to_owned),
        }
    }

    /// Why there is none, here or elsewhere.
    #[must_use]
    pub fn absent(&self) -> Option<&str> {
        match &self.value {
            Setting::Unavailable(reason) | Setting::Unneeded(reason) => Some(reason),
            Setting::Plain(_) | Setting::Sealed | Setting::Revealed(_) | Setting::InKubernetes(_) => None,
        }
    }

    /// That it was asked for, and that nobody can have it.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        let Setting::Unavailable(reason) = &self.value else { return None };
        let error = Error::new(ErrorKind::NotFound, format!("reveal {}", self.name)).with_message(reason);
        Some(error.with_hint(
            "no setting was written; `--no-secrets` leaves secrets out, and a NAME prints one setting alone",
        ))
    }
}

/// What decides a setting, so that a plan can tell whether it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSource {
    /// Which thing it is: the marks have on record whether one was applied, and under which name.
    Part(Address),
    /// The same, and the service gives it its value when it makes the thing: it is not known before.
    Given(Address),
    /// A field of a facet.
    Field {
        /// The resource.
        address: Address,
        /// The facet's name.
        facet: &'static str,
        /// The field.
        field: &'static str,
    },
}

/// A setting that is another one once a change set is applied, as far as marks and observed values tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputChange {
    /// The environment variable the server reads.
    pub name: String,
    /// Its new value; none of a secret, of one that the service gives, and of a setting that there is none of any more.
    pub value: Option<String>,
    /// The service gives the value when it makes the thing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given: bool,
}

/// The settings for people: a secret that was not asked for is a comment that says `how` it is shown, which nothing takes for its
/// value.
#[must_use]
pub fn for_people(outputs: &[Output], how: &str) -> String {
    let (sealed, open): (Vec<_>, Vec<_>) =
        outputs.iter().cloned().partition(|output| matches!(output.value, Setting::Sealed));
    let hidden = sealed.iter().map(|output| format!("# {} is hidden: {how}\n", output.name));
    table(&open) + &hidden.collect::<String>()
}

/// The settings, one a line: secrets that were not asked for are named and not shown, and of what has no value here a comment says why.
#[must_use]
pub fn table(outputs: &[Output]) -> String {
    let line = |output: &Output| match output.unavailable() {
        Some(reason) => format!("# {}: {reason}\n", output.name),
        None => format!("{}={}\n", output.name, output.known().unwrap_or(REDACTED)),
    };
    outputs.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_to_nobody_who_did_not_ask() {
        let revealed = Output { value: Setting::Revealed(Secret::new("c2VjcmV0")), ..Output::sealed("KEY") };
        let none = Output { value: Setting::Unavailable("shared keys are disabled".to_owned()), ..revealed.clone() };
        let sealed = [Output::new("BUCKET", "az://acme/files"), Output::sealed("KEY")];
        assert_eq!(table(&sealed), "BUCKET=az://acme/files\nKEY=[redacted]\n");
        let hidden = "BUCKET=az://acme/files\n# KEY is hidden: `--reveal` shows it\n";
        assert_eq!(for_people(&sealed, "`--reveal` shows it"), hidden);
        assert!(none.failure().is_some_and(|error| error.to_string() == "cannot reveal KEY: shared keys are disabled"));
        let unneeded = Output { value: Setting::Unneeded("an identity signs".to_owned()), ..none.clone() };
        assert!(unneeded.failure().is_none() && unneeded.absent() == Some("an identity signs"));
        assert_eq!(table(&[none]), "# KEY: shared keys are disabled\n");
        let place = SecretKey { secret: "wandb".to_owned(), key: "key".to_owned() };
        let kept = Output { value: Setting::InKubernetes(place), ..revealed.clone() };
        assert!(kept.is_sensitive() && !kept.is_to_be_asked_for() && kept.known().is_none());
        assert_eq!(table(&[kept]), "# KEY: it stays in Kubernetes Secret `wandb`, key `key`\n");
        assert!(!format!("{revealed:?}").contains("c2VjcmV0"));
    }
}

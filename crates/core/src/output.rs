//! The settings that the server needs afterwards, and the formats they are printed in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address::Address;
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
    /// The secret does not exist; holds the reason.
    Unavailable(String),
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
            Setting::Sealed | Setting::Unavailable(_) => None,
        }
    }
}

/// What decides a setting, so that a plan can tell whether it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSource {
    /// Which thing it is: the marks have on record whether one was applied, and under which name.
    Part(Address),
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
    /// Its new value; none of a secret, and of a setting that there is none of any more.
    pub value: Option<String>,
}

/// The settings for people: secrets that were not asked for are named and not shown.
#[must_use]
pub fn table(outputs: &[Output]) -> String {
    lines(outputs, |output| {
        let value = match &output.value {
            Setting::Unavailable(reason) => format!("({reason})"),
            _ => output.known().unwrap_or(REDACTED).to_owned(),
        };
        format!("{}={value}", output.name)
    })
}

/// How settings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// `NAME=value`, one a line, the value as it is: for `docker run --env-file` and eyes.
    Env,
    /// `NAME=value`, quoted where needed, for files that a shell or a dotenv library reads.
    Dotenv,
    /// One JSON object.
    Json,
}

/// Write the settings, with a final newline; those without a known value are left out.
#[must_use]
pub fn render(outputs: &[Output], format: OutputFormat) -> String {
    let known: Vec<Output> = outputs.iter().filter(|output| output.known().is_some()).cloned().collect();
    let outputs = known.as_slice();
    let value = |output: &Output| output.known().unwrap_or_default().to_owned();
    match format {
        OutputFormat::Env => lines(outputs, |output| format!("{}={}", output.name, value(output))),
        OutputFormat::Dotenv => lines(outputs, |output| format!("{}={}", output.name, quote(&value(output)))),
        OutputFormat::Json => format!("{:#}\n", Value::Object(object(outputs))),
    }
}

/// The settings as one JSON object; `null` stands for a value that is not known.
#[must_use]
pub fn object(outputs: &[Output]) -> Map<String, Value> {
    outputs.iter().map(|output| (output.name.clone(), output.known().map_or(Value::Null, Value::from))).collect()
}

fn lines(outputs: &[Output], line: impl Fn(&Output) -> String) -> String {
    outputs.iter().map(|output| line(output) + "\n").collect()
}

/// Single quotes keep a shell and a dotenv library from reading anything into the value.
fn quote(value: &str) -> String {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/._-@%+,".contains(&byte));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs() -> Vec<Output> {
        vec![Output::new("BUCKET", "s3://acme"), Output::new("HOST", "it's $HOME")]
    }

    #[test]
    fn render_formats() {
        assert_eq!(render(&outputs(), OutputFormat::Env), "BUCKET=s3://acme\nHOST=it's $HOME\n");
        assert_eq!(render(&outputs(), OutputFormat::Dotenv), "BUCKET=s3://acme\nHOST='it'\\''s $HOME'\n");
        let json: Value = serde_json::from_str(&render(&outputs(), OutputFormat::Json)).unwrap();
        assert_eq!(json["BUCKET"], "s3://acme");
    }

    #[test]
    fn secrets_are_shown_to_nobody_who_did_not_ask() {
        let revealed = Output { value: Setting::Revealed(Secret::new("c2VjcmV0")), ..Output::sealed("KEY") };
        let none = Output { value: Setting::Unavailable("shared keys are disabled".to_owned()), ..revealed.clone() };
        let sealed = [Output::new("BUCKET", "az://acme/files"), Output::sealed("KEY")];
        assert_eq!(table(&sealed), "BUCKET=az://acme/files\nKEY=[redacted]\n");
        assert_eq!(table(&[none]), "KEY=(shared keys are disabled)\n");
        assert_eq!(render(&sealed, OutputFormat::Env), "BUCKET=az://acme/files\n");
        assert_eq!(Value::Object(object(&sealed))["KEY"], Value::Null);
        assert_eq!(render(std::slice::from_ref(&revealed), OutputFormat::Env), "KEY=c2VjcmV0\n");
        assert!(!format!("{revealed:?}").contains("c2VjcmV0"));
    }
}

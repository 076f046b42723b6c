//! The settings that the server needs afterwards, and the formats they are printed in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One setting for the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The environment variable the server reads.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Output {
    /// A setting.
    #[must_use]
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
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

/// Write the settings, with a final newline.
#[must_use]
pub fn render(outputs: &[Output], format: OutputFormat) -> String {
    match format {
        OutputFormat::Env => lines(outputs, |output| format!("{}={}", output.name, output.value)),
        OutputFormat::Dotenv => lines(outputs, |output| format!("{}={}", output.name, quote(&output.value))),
        OutputFormat::Json => format!("{:#}\n", Value::Object(object(outputs))),
    }
}

/// The settings as one JSON object.
#[must_use]
pub fn object(outputs: &[Output]) -> Map<String, Value> {
    outputs.iter().map(|output| (output.name.clone(), Value::from(output.value.as_str()))).collect()
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
}

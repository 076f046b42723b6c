//! `dotenv`: what Docker Compose reads as `env_file`, or as `.env`
//! (<https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax>).

use super::shell::is_plain;
use super::written::known;
use crate::output::Output;

pub(super) fn write(outputs: &[Output]) -> String {
    known(outputs).map(|(output, value)| format!("{}={}\n", output.name, quoted(value))).collect()
}

/// Single quotes where that says all; they know no way to hold one themselves, and a `\` in them may hide their end. Double
/// quotes know escapes: a backtick is written as one, so that no shell that is given this file runs what stands in it.
fn quoted(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\\', '\r']) {
        return format!("'{value}'");
    }
    let escaped = |letter: char| match letter {
        '\\' | '"' | '$' => format!("\\{letter}"),
        '`' => "\\0140".to_owned(),
        '\r' => "\\r".to_owned(),
        letter => letter.to_string(),
    };
    format!("\"{}\"", value.chars().map(escaped).collect::<String>())
}

//! `github`: what is added to `$GITHUB_OUTPUT` or `$GITHUB_ENV`
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter>), and what a step
//! prints so that secrets are hidden in logs.

use super::written::{Unwritable, Written, known, left_out};
use crate::digest;
use crate::output::Output;

pub(super) fn write(outputs: &[Output]) -> Result<Written, Unwritable> {
    let text = known(outputs).map(|(output, value)| match is_the_runner_s(&output.name) {
        true => Err(Unwritable::setting(output, "GitHub's runner keeps this name for itself")),
        false => Ok(entry(&output.name, value)),
    });
    let text = text.collect::<Result<_, _>>()?;
    let secrets = known(outputs).filter(|(output, value)| output.is_sensitive() && !value.is_empty());
    let masks = secrets.map(|(_, value)| format!("::add-mask::{}\n", in_a_command(value))).collect();
    Ok(Written { text, notes: left_out(outputs), masks })
}

/// Whether `$GITHUB_ENV` takes no such variable
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-environment-variable>).
fn is_the_runner_s(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name == "NODE_OPTIONS" || name.starts_with("GITHUB_") || name.starts_with("RUNNER_")
}

/// One line where the value is one, else all up to a delimiter that is none of its lines.
fn entry(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut delimiter = format!("end_{}", digest::short(value, 12));
    while value.contains(&delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

/// A value in a command to the runner
/// (<https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>, `escapeData`).
fn in_a_command(value: &str) -> String {
    value.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

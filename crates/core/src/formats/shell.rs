//! `env`: assignments that a shell reads, `set -a; . ./wandb.env`. What needs no quotes has none, so that nearly all of it is
//! what everybody else reads too.

use super::written::known;
use crate::output::Output;

pub(super) fn write(outputs: &[Output]) -> String {
    known(outputs).map(|(output, value)| format!("{}={}\n", output.name, quoted(value))).collect()
}

/// Within single quotes nothing means anything but their end
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02>).
fn quoted(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// Whether neither a shell nor a dotenv library reads anything into a value.
pub(super) fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/._-@%+,=".contains(&byte))
}

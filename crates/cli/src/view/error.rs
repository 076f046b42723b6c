//! Errors as people see them: what was tried, where, why, what to do.

use anstyle::{AnsiColor, Style};
use provision_core::Error;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// One error; `plan_file` names the file that its line is of.
pub(crate) fn text(error: &Error, plan_file: Option<&str>) -> String {
    let mut text = format!("{RED}error{RED:#}: {error}\n");
    if let Some(address) = error.address() {
        let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
        let place = plan_file.map(|file| format!("{file}{line} ")).unwrap_or_default();
        text += &format!("  --> {place}({address})\n");
    }
    text += &error.call().map(|call| format!("  {call}\n")).unwrap_or_default();
    text + &error.advice().map(|hint| format!("\n{CYAN}hint{CYAN:#}: {hint}\n")).unwrap_or_default()
}

/// Several errors, with a blank line between.
pub(crate) fn texts(errors: &[Error], plan_file: Option<&str>) -> String {
    errors.iter().map(|error| text(error, plan_file)).collect::<Vec<_>>().join("\n")
}

/// A warning.
pub(crate) fn warning(warning: &str) -> String {
    format!("{YELLOW}warning{YELLOW:#}: {warning}\n")
}

//! Errors as people see them, whatever programs get: what was tried, where, why, what to do.

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use provision_core::Error;

use crate::exit::Failure;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Why a command ended early.
pub(crate) fn failure(failure: &Failure) -> String {
    match failure {
        Failure::PlanFiles(errors) => {
            let colored = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            errors.iter().map(|error| error.render(colored)).collect()
        }
        Failure::Errors(errors) | Failure::Shown(_, errors) => texts(errors),
        Failure::Usage(message) => format!("error: {message}\n"),
        Failure::Stopped(_, error) => text(error),
    }
}

/// One error.
fn text(error: &Error) -> String {
    described(error) + &hint(error)
}

/// Several errors, with a blank line between. What to do about all of them alike is said after the last.
pub(crate) fn texts(errors: &[Error]) -> String {
    let again = |index: usize, error: &Error| errors[index + 1..].iter().any(|later| later.hint() == error.hint());
    let text = |(index, error): (usize, &Error)| match again(index, error) {
        true => described(error),
        false => text(error),
    };
    errors.iter().enumerate().map(text).collect::<Vec<_>>().join("\n")
}

fn described(error: &Error) -> String {
    let mut text = format!("{RED}error{RED:#}: {error}\n");
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let file = error.plan_file().map(|file| format!("{file}{line}"));
    let place: Vec<_> = file.into_iter().chain(error.address().map(|address| format!("({address})"))).collect();
    if !place.is_empty() {
        text += &format!("  --> {}\n", place.join(" "));
    }
    text + &error.call().map(|call| format!("  {call}\n")).unwrap_or_default()
}

fn hint(error: &Error) -> String {
    error.hint().map(|hint| format!("\n{CYAN}hint{CYAN:#}: {hint}\n")).unwrap_or_default()
}

/// A warning.
pub(crate) fn warning(warning: &str) -> String {
    format!("{YELLOW}warning{YELLOW:#}: {warning}\n")
}

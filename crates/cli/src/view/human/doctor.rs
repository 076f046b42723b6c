//! What `doctor` found, as people see it: a line for each check, and below it what to do.

use anstyle::{AnsiColor, Style};
use provision_core::doctor::{Check, Status};
use provision_core::printable::on_one_line;

use super::change_set::styled;
use super::layout::{Line, fitted};
use crate::view::Examination;

/// The longest name that has what was found beside it.
const WIDEST: usize = 36;

/// All of it.
pub(crate) fn text(examination: &Examination) -> String {
    let bold = Style::new().bold();
    let title = format!("{bold}Doctor for {}{bold:#}", examination.cloud.title());
    let end = examination.plan_file.clone().unwrap_or_default();
    let width = examination.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let earlier = std::iter::once(None).chain(examination.checks.iter().map(Some));
    let checks = examination.checks.iter().zip(earlier);
    let lines = checks.flat_map(|(check, before)| lines(check, before, width.min(WIDEST)));
    let lines: Vec<_> = std::iter::once(Line { text: title, hang: 4, end }).chain(lines).collect();
    format!("{}{}\n", fitted(&lines), sentence(&examination.checks))
}

/// A check; what is to be done is told once where the one before it asks for the same.
fn lines(check: &Check, before: Option<&Check>, width: usize) -> Vec<Line> {
    let (word, style) = match check.status {
        Status::Ok => ("ok  ", AnsiColor::Green.on_default()),
        Status::Failed => ("FAIL", AnsiColor::Red.on_default().bold()),
        Status::Unknown => ("?   ", AnsiColor::Yellow.on_default()),
    };
    let hang = 7 + width + 2;
    let mut lines = vec![Line::new(
        format!("  {} {:<width$}  {}", styled(style, word), check.name, on_one_line(&check.found)),
        hang,
    )];
    let told = before.is_some_and(|before| before.hint == check.hint);
    if let Some(hint) = check.hint.as_ref().filter(|_| !told) {
        let what = if check.has_failed() { "to do: " } else { "" };
        lines.push(Line::new(format!("{:hang$}{what}{hint}", ""), hang + 2));
    }
    lines
}

/// What it comes to.
fn sentence(checks: &[Check]) -> String {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    match (count(Status::Failed), count(Status::Unknown)) {
        (0, 0) => "Everything is as it should be.".to_owned(),
        (0, 1) => "Nothing failed; 1 thing is not known.".to_owned(),
        (0, unknown) => format!("Nothing failed; {unknown} things are not known."),
        (1, _) => "1 check failed: that is the cause.".to_owned(),
        (failed, _) => format!("{failed} checks failed; begin with the first."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a tool's own words are that was asked for credentials.
    #[test]
    fn what_was_found_in_several_lines_stays_in_its_column() {
        let found = "cannot find credentials: a tool says:\n\nUnable to sign in\n  run it again";
        let lines = lines(&Check::failed("credentials", found, None), None, 11);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert!(
            texts.len() == 1 && !texts[0].contains('\n') && texts[0].contains("says: Unable to sign in run it"),
            "{texts:?}"
        );
    }
}

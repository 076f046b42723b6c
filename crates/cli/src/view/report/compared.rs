//! Two looks for drift side by side, as reports show them.

use provision_core::change_set::ChangeSet;
use provision_core::printable::on_one_line;

use super::markdown::{Section, code, fitted};
use super::{Row, rows};
use crate::view::compared::{Compared, Finding, Look, Place};
use crate::view::words::BOOKKEEPING;

/// A look of drift that was saved; `errors` are its own, of which those of refusals are among the changes.
pub(crate) fn look(set: &ChangeSet, verdict: &str, unread: Vec<Finding>) -> Look {
    let place = Place {
        cloud: Some(set.cloud.clone()),
        deployment: Some(set.deployment.clone()),
        plan_file: set.plan_file.name.clone(),
    };
    // Where something could not be read, what is on record of it is no finding.
    let is_told = |row: &&Row<'_>| unread.is_empty() || row.why != BOOKKEEPING;
    let findings: Vec<_> = rows(set).iter().filter(is_told).map(finding).collect();
    let findings = findings.into_iter().chain(unread).collect();
    Look { place, verdict: verdict.to_owned(), findings }
}

fn finding(row: &Row<'_>) -> Finding {
    let subject = row.subject.clone().unwrap_or_else(|| format!("{}: {}", row.rule.id(), row.what));
    Finding { address: row.address.to_owned(), rule: row.rule.id().to_owned(), text: row.text(), subject }
}

/// For people: a line for each finding.
pub(crate) fn text(compared: &[Compared]) -> String {
    let of = |one: &Compared| {
        let line = |(sign, word, finding): (&str, &str, Finding)| {
            let about = if finding.address == "-" { String::new() } else { format!("{}: ", finding.address) };
            format!("  {sign} {word:<11}  {about}{}\n", on_one_line(&finding.text))
        };
        format!("{}: {}\n{}", one.title(), one.verdict(), one.lines().into_iter().map(line).collect::<String>())
    };
    compared.iter().map(of).collect::<Vec<_>>().join("\n")
}

/// A table for each deployment.
pub(crate) fn markdown(compared: &[Compared]) -> String {
    let section = |one: &Compared| {
        let row = |(_, word, finding): (&str, &str, Finding)| {
            format!("| {} | {} | {word} |\n", code(&finding.address), code(&finding.text))
        };
        let items: Vec<_> = one.lines().into_iter().map(row).collect();
        let table =
            if items.is_empty() { "" } else { "\n| resource | finding | since the former report |\n|---|---|---|\n" };
        Section { head: format!("### {}: {}\n{table}", code(&one.title()), one.verdict()), items }
    };
    fitted(&compared.iter().map(section).collect::<Vec<_>>(), "`--format text` shows all of them")
}

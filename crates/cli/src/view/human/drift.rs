//! What a look for drift found, as people see it: how things are, and how they should be.

use anstyle::{AnsiColor, Style};
use provision_core::change_set::{Change, ChangeSet};

use super::change_set::{identity, place, styled, warnings};
use super::layout::{Line, fitted};
use crate::arguments::quoted;
use crate::view::report::{Row, Rule, counts, is_mendable, rows};
use crate::view::words::verdict;

/// What it comes to, alone.
pub(crate) fn brief(set: &ChangeSet) -> String {
    format!("{}: {}\n", set.deployment, verdict(set))
}

/// What was found, and what it comes to; `flags` are those that the next command needs too.
pub(crate) fn text(set: &ChangeSet, flags: &str) -> String {
    let rows = rows(set);
    let last = format!("{}\n", summary(set, &rows, flags));
    if rows.is_empty() {
        return last;
    }
    let mut lines = Vec::new();
    for change in &set.changes {
        let its: Vec<_> = rows.iter().filter(|row| is_of(row, change)).collect();
        if !its.is_empty() {
            lines.push(head(set, change));
            lines.extend(its.into_iter().map(|row| line(set, change, row)));
        }
    }
    let others = rows.iter().filter(|row| !set.changes.iter().any(|change| is_of(row, change)));
    lines.extend(others.filter(|row| row.rule != Rule::Warning).map(|row| Line { text: alone(row), hang: 4 }));
    let warnings = warnings(set);
    let gap = if lines.is_empty() { "" } else { "\n" };
    format!("{}\n{}{gap}{warnings}{last}", identity(set), fitted(&lines))
}

/// Whether a row is told under that resource.
fn is_of(row: &Row<'_>, change: &Change) -> bool {
    row.address == change.address.as_str() && row.rule != Rule::LeftOver
}

fn head(set: &ChangeSet, change: &Change) -> Line {
    let text = format!("{} `{}` ({}){}", change.kind, change.name, change.address, place(set, change.line));
    Line { text, hang: 4 }
}

fn line(set: &ChangeSet, change: &Change, row: &Row<'_>) -> Line {
    let text = match row.rule {
        Rule::Refused => row.what.clone(),
        // The resource as a whole stands above.
        _ if row.what.starts_with(&format!("{} `", change.kind)) => row.why.clone(),
        _ => row.text(),
    };
    let place = place(set, row.line.filter(|line| Some(*line) != change.line));
    Line { text: format!("  {}{place}", styled(color(row.rule), &format!("{} {text}", sign(row.rule)))), hang: 4 }
}

fn alone(row: &Row<'_>) -> String {
    styled(color(row.rule), &format!("{} {}", sign(row.rule), row.text()))
}

const fn sign(rule: Rule) -> char {
    match rule {
        Rule::Changed | Rule::Missing | Rule::Refused => '!',
        Rule::NotApplied => '~',
        Rule::LeftOver | Rule::Unknown | Rule::Warning => '?',
    }
}

const fn color(rule: Rule) -> Style {
    match rule {
        Rule::Changed | Rule::Missing | Rule::Refused | Rule::Unknown => AnsiColor::Red.on_default(),
        Rule::NotApplied | Rule::LeftOver | Rule::Warning => AnsiColor::Yellow.on_default(),
    }
}

/// The last line: what it comes to, how often, and the command that mends it.
fn summary(set: &ChangeSet, rows: &[Row<'_>], flags: &str) -> String {
    let counts = counts(set, rows);
    let mend = match is_mendable(set, rows) {
        true => format!("\nTo put it right: provision {} apply {}{flags}", set.cloud, quoted(&set.plan_file.name)),
        false => String::new(),
    };
    format!("{}: {}{counts}{mend}", set.deployment, verdict(set))
}

//! What a look for drift found, as people see it: how things are, and how they should be.

use anstyle::{AnsiColor, Style};
use provision_core::change_set::{Change, ChangeSet};

use super::change_set::{place, styled, warnings};
use super::head;
use super::layout::{Line, fitted};
use crate::arguments::quoted;
use crate::view::report::{Row, Rule, counts, is_mendable, rows};
use crate::view::words::{finish_destroy, named, verdict};

/// What it comes to, alone; its section is named where it is one of several.
pub(crate) fn brief(set: &ChangeSet, is_one_of_several: bool) -> String {
    format!("{}: {}\n", named(set, is_one_of_several), verdict(set))
}

/// What was found, and what it comes to; `flags` are those that the next command needs too.
pub(crate) fn text(set: &ChangeSet, is_one_of_several: bool, flags: &str) -> String {
    let rows = rows(set);
    if is_one_of_several && rows.iter().all(|row| row.rule == Rule::Warning) {
        return brief(set, true) + &warnings(set);
    }
    let last = format!("{}\n", summary(set, is_one_of_several, &rows, flags));
    if rows.is_empty() {
        return last;
    }
    let mut lines = Vec::new();
    for change in &set.changes {
        let its: Vec<_> = rows.iter().filter(|row| is_of(row, change)).collect();
        if !its.is_empty() {
            lines.push(resource(change, &its));
            lines.extend(its.into_iter().map(|row| line(row)));
        }
    }
    let others = rows.iter().filter(|row| !set.changes.iter().any(|change| is_of(row, change)));
    lines.extend(others.filter(|row| row.rule != Rule::Warning).map(|row| Line::new(alone(row), 4)));
    let warnings = warnings(set);
    let gap = if lines.is_empty() { "" } else { "\n" };
    format!("{}\n{}{gap}{warnings}{last}", head::of_drift(set), fitted(&lines))
}

/// Whether a row is told under that resource.
fn is_of(row: &Row<'_>, change: &Change) -> bool {
    row.address == change.address.as_str() && row.rule != Rule::LeftOver
}

/// The resource, with the line of the first thing that is told of it.
fn resource(change: &Change, rows: &[&Row<'_>]) -> Line {
    let line = rows.iter().find_map(|row| row.line).or(change.line);
    Line { text: format!("{} `{}`", change.kind, change.name), hang: 4, end: place(line) }
}

fn line(row: &Row<'_>) -> Line {
    let text = match row.rule {
        Rule::Refused => row.what.clone(),
        // The resource as a whole stands above.
        _ if row.whole => row.why.clone(),
        _ => row.text(),
    };
    Line::new(format!("  {}", styled(color(row.rule), &format!("{} {text}", sign(row.rule)))), 4)
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
fn summary(set: &ChangeSet, is_one_of_several: bool, rows: &[Row<'_>], flags: &str) -> String {
    let counts = counts(set, rows);
    let mend = match is_mendable(set, rows) {
        true => {
            let apply =
                format!("To put it right: provision {} apply {}{flags}", set.cloud, quoted(&set.plan_file.name));
            [Some(apply), finish_destroy(set, flags)].into_iter().flatten().map(|line| format!("\n{line}")).collect()
        }
        false => String::new(),
    };
    format!("{}: {}{counts}{mend}", named(set, is_one_of_several), verdict(set))
}

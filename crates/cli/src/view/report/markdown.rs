//! A drift report as a table, for the summary of a CI job.

use provision_core::Error;
use provision_core::change_set::ChangeSet;

use super::{Row, rows_of};
use crate::view::words::verdict;

/// A table for each deployment.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let row = |row: Row<'_>| {
        let cell = |text: &str| text.replace('|', "\\|");
        format!("| `{}` | {} | {} |\n", row.address, cell(&row.what), cell(&row.why))
    };
    let table = |set: &ChangeSet| {
        let rows: String = rows_of(set).into_iter().map(row).collect();
        let head = if rows.is_empty() { "" } else { "\n| resource | change | why |\n|---|---|---|\n" };
        format!("### {}: {}\n{head}{rows}", set.deployment, verdict(set))
    };
    // A deployment that could not be looked at has no set, and must not go unsaid.
    let unreadable = |error: &Error| {
        let text = error.to_string().replace(['|', '\n'], " ");
        format!("### {}: unknown\n\n{text}\n", error.plan_file().unwrap_or("-"))
    };
    sets.iter().map(table).chain(errors.iter().map(unreadable)).collect::<Vec<_>>().join("\n")
}

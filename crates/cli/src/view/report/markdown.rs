//! A drift report as a table, for the summary of a CI job.

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::printable::on_one_line;

use super::{Row, rows};
use crate::view::words::verdict;

/// A text of others as it stands, whatever Markdown or HTML would make of it.
fn literal(text: &str) -> String {
    let escape = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '\\' | '`' | '*' | '[' | ']' | '|' | '@' => format!("\\{letter}"),
        _ => letter.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A table for each deployment.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let row = |row: Row<'_>| {
        let why = if row.why.is_empty() { row.rule.id() } else { &row.why };
        format!("| `{}` | {} | {} |\n", row.address, literal(&row.what), literal(why))
    };
    let table = |set: &ChangeSet| {
        let rows: String = rows(set).into_iter().map(row).collect();
        let head = if rows.is_empty() { "" } else { "\n| resource | finding | why |\n|---|---|---|\n" };
        format!("### {}: {}\n{head}{rows}", set.deployment, verdict(set))
    };
    // A deployment that could not be looked at has no set, and must not go unsaid.
    let unreadable = |error: &Error| {
        let (file, text) = (literal(error.plan_file().unwrap_or("-")), literal(&on_one_line(&error.to_string())));
        format!("### {file}: unknown\n\n{text}\n")
    };
    sets.iter().map(table).chain(errors.iter().map(unreadable)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn others_words_make_no_markup() {
        assert_eq!(literal("a_b|c `d` <img> [e](f) @g"), "a_b\\|c \\`d\\` &lt;img&gt; \\[e\\](f) \\@g");
    }
}

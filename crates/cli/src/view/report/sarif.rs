//! A drift report as results of a code scan.

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::printable::{in_json, on_one_line};
use serde_json::json;

use super::{Row, rows_of};

/// A result for each difference, at its line of the plan file.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let results = sets.iter().flat_map(|set| rows_of(set).into_iter().map(|row| result(&set.plan_file.name, &row)));
    let unreadable = errors.iter().map(|error| {
        let (what, why) = (on_one_line(&error.to_string()), "unknown: it could not be looked at".to_owned());
        let row = Row { address: "-", line: error.line(), rule: "unknown", what, why };
        result(error.plan_file().unwrap_or("-"), &row)
    });
    let results: Vec<_> = results.chain(unreadable).collect();
    let log = json!({
        "version": "2.1.0",
        "$schema": serde_sarif::sarif::SCHEMA_URL,
        "runs": [{
            "tool": {"driver": {"name": "provision", "version": env!("CARGO_PKG_VERSION")}},
            "results": results,
        }],
    });
    // Through the library's types, so that what is printed is of the standard's form.
    let log: Result<serde_sarif::sarif::Sarif, _> = serde_json::from_value(log);
    log.map_or_else(|error| format!("{error}\n"), |log| in_json(&format!("{:#}\n", json!(log))))
}

fn result(plan_file: &str, row: &Row<'_>) -> serde_json::Value {
    json!({
        "ruleId": row.rule,
        "level": if row.rule == "pending" { "note" } else { "error" },
        "message": {"text": format!("{} {} ({})", row.address, row.what, row.why)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": plan_file},
            "region": {"startLine": row.line.unwrap_or(1)},
        }}],
    })
}

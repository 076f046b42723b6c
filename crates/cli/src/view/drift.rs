//! A drift report for machines: a table, test cases, code-scanning results.

use provision_core::change_set::{Action, Change, ChangeSet};
use provision_core::diff::{self, FieldDiff};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::change_set::{label, short};

/// What a set comes to, in one word.
pub(crate) fn verdict(set: &ChangeSet) -> &'static str {
    match (set.obstacles().is_empty(), set.nothing_exists(), set.has_drift(), set.has_changes()) {
        (false, ..) => "unknown",
        (_, true, ..) => "not applied, or gone",
        (_, _, true, _) => "drift",
        (_, _, _, true) => "pending",
        _ => "in sync",
    }
}

/// A field that differs, or a whole resource that is gone.
struct Row<'a> {
    change: &'a Change,
    line: Option<usize>,
    what: String,
    why: String,
}

fn rows(change: &Change) -> Vec<Row<'_>> {
    if change.missing || change.action == Action::Create {
        let why = if change.missing { "drift: it was applied and is gone" } else { "pending: not made yet" };
        let what = format!("{} `{}`", change.kind, change.name);
        return vec![Row { change, line: change.line, what, why: why.to_owned() }];
    }
    let facets = change.facets.iter().filter(|facet| facet.finding.differs());
    let rows = facets.flat_map(|facet| {
        diff::fields(&facet.before, &facet.after).into_iter().map(move |diff| Row {
            change,
            line: facet.line,
            what: describe(&facet.facet, &diff),
            why: label(facet.finding).trim().to_owned(),
        })
    });
    rows.collect()
}

fn describe(facet: &str, diff: &FieldDiff) -> String {
    let field = if diff.field.is_empty() { facet.to_owned() } else { format!("{facet}.{}", diff.field) };
    format!("{field}: {} -> {}", short(&diff.before), short(&diff.after))
}

/// A table for each deployment.
pub(crate) fn markdown(sets: &[ChangeSet]) -> String {
    let row = |row: Row<'_>| {
        let cell = |text: &str| text.replace('|', "\\|");
        format!("| `{}` | {} | {} |\n", row.change.address, cell(&row.what), cell(&row.why))
    };
    let table = |set: &ChangeSet| {
        let rows: String = set.changes.iter().flat_map(rows).map(row).collect();
        let head = if rows.is_empty() { "" } else { "\n| resource | change | why |\n|---|---|---|\n" };
        format!("### {}: {}\n{head}{rows}", set.deployment, verdict(set))
    };
    sets.iter().map(table).collect::<Vec<_>>().join("\n")
}

/// A suite for each deployment, a case for each resource; drift fails it, what could not be read is an error.
pub(crate) fn junit(sets: &[ChangeSet]) -> String {
    let mut report = Report::new("provision drift");
    for set in sets {
        let mut suite = TestSuite::new(set.deployment.as_str());
        suite.add_test_cases(set.changes.iter().map(case));
        for unreadable in &set.unreadable {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(unreadable.0.to_string());
            suite.add_test_case(TestCase::new("unreadable", status));
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn case(change: &Change) -> TestCase {
    let drifted = change.missing || change.facets.iter().any(|facet| facet.finding.is_drift());
    let mut status =
        if drifted { TestCaseStatus::non_success(NonSuccessKind::Failure) } else { TestCaseStatus::success() };
    if drifted {
        status.set_message(rows(change).iter().map(|row| row.what.as_str()).collect::<Vec<_>>().join("; "));
    }
    TestCase::new(change.address.as_str(), status)
}

/// A result for each difference, at its line of the plan file.
pub(crate) fn sarif(sets: &[ChangeSet]) -> String {
    let results: Vec<_> =
        sets.iter().flat_map(|set| set.changes.iter().flat_map(rows).map(|row| result(set, &row))).collect();
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
    log.map_or_else(|error| format!("{error}\n"), |log| format!("{:#}\n", json!(log)))
}

fn result(set: &ChangeSet, row: &Row<'_>) -> serde_json::Value {
    let drift = row.why.starts_with("drift");
    json!({
        "ruleId": if drift { "drift" } else { "pending" },
        "level": if drift { "error" } else { "note" },
        "message": {"text": format!("{} {} ({})", row.change.address, row.what, row.why)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": set.plan_file.name},
            "region": {"startLine": row.line.unwrap_or(1)},
        }}],
    })
}

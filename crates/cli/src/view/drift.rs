//! A drift report for machines: a table, test cases, code-scanning results.

use provision_core::Error;
use provision_core::change_set::{Action, Change, ChangeSet, Unreadable};
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

/// A field that differs, a whole resource that is gone, or why nothing can be said of it.
struct Row<'a> {
    address: &'a str,
    line: Option<usize>,
    rule: &'static str,
    what: String,
    why: String,
}

fn rows(change: &Change) -> Vec<Row<'_>> {
    let row =
        |line, rule, what, why: &str| Row { address: change.address.as_str(), line, rule, what, why: why.to_owned() };
    if let Some(refusal) = &change.refusal {
        return vec![row(change.line, "refused", refusal.reason.clone(), "refused")];
    }
    if change.missing || change.action == Action::Create {
        let what = format!("{} `{}`", change.kind, change.name);
        return vec![match change.missing {
            true => row(change.line, "drift", what, "drift: it was applied and is gone"),
            false => row(change.line, "pending", what, "pending: not made yet"),
        }];
    }
    let restored = (change.action == Action::Restore).then(|| {
        let what = format!("{} `{}`", change.kind, change.name);
        row(change.line, "drift", what, "drift: somebody took provision's tags off it")
    });
    let facets = change.facets.iter().filter(|facet| facet.finding.differs());
    let rows = facets.flat_map(|facet| {
        let rule = if facet.finding.is_drift() { "drift" } else { "pending" };
        let why = label(facet.finding);
        let diffs = diff::fields(&facet.before, &facet.after).into_iter();
        diffs.map(move |diff| row(facet.line, rule, describe(&facet.facet, &diff), why.trim()))
    });
    restored.into_iter().chain(rows).collect()
}

/// Everything there is to say of a set.
fn rows_of(set: &ChangeSet) -> Vec<Row<'_>> {
    let unread = set.unreadable.iter().map(|Unreadable(error)| Row {
        address: error.address().map_or("-", |address| address.as_str()),
        line: error.line(),
        rule: "unknown",
        what: error.to_string(),
        why: "unknown: it could not be read".to_owned(),
    });
    set.changes.iter().flat_map(rows).chain(unread).collect()
}

fn describe(facet: &str, diff: &FieldDiff) -> String {
    let field = if diff.field.is_empty() { facet.to_owned() } else { format!("{facet}.{}", diff.field) };
    format!("{field}: {} -> {}", short(&diff.before), short(&diff.after))
}

/// A table for each deployment.
pub(crate) fn markdown(sets: &[ChangeSet], errors: &[Error]) -> String {
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
    let unseen = |error: &Error| {
        let text = error.to_string().replace(['|', '\n'], " ");
        format!("### {}: unknown\n\n{text}\n", error.plan_file().unwrap_or("-"))
    };
    sets.iter().map(table).chain(errors.iter().map(unseen)).collect::<Vec<_>>().join("\n")
}

/// A suite for each deployment, a case for each resource; drift fails it, what is refused or could not be read is an error.
pub(crate) fn junit(sets: &[ChangeSet], errors: &[Error]) -> String {
    let mut report = Report::new("provision drift");
    for set in sets {
        let mut suite = TestSuite::new(set.deployment.as_str());
        suite.add_test_cases(set.changes.iter().map(|change| case(change, set.nothing_exists())));
        for unreadable in &set.unreadable {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(unreadable.0.to_string());
            suite.add_test_case(TestCase::new("unreadable", status));
        }
        report.add_test_suite(suite);
    }
    for error in errors {
        let mut suite = TestSuite::new(error.plan_file().unwrap_or("-"));
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(error.to_string());
        suite.add_test_case(TestCase::new("not looked at", status));
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn case(change: &Change, nothing_exists: bool) -> TestCase {
    let rows = rows(change);
    let any = |rule: &str| rows.iter().any(|row| row.rule == rule);
    // What was never applied, or is gone altogether, is as little in order as what drifted.
    let absent = nothing_exists && any("pending");
    let kind = match (any("refused"), any("drift") || absent) {
        (true, _) => NonSuccessKind::Error,
        (_, true) => NonSuccessKind::Failure,
        _ => return TestCase::new(change.address.as_str(), TestCaseStatus::success()),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(rows.iter().map(|row| format!("{} ({})", row.what, row.why)).collect::<Vec<_>>().join("; "));
    TestCase::new(change.address.as_str(), status)
}

/// A result for each difference, at its line of the plan file.
pub(crate) fn sarif(sets: &[ChangeSet], errors: &[Error]) -> String {
    let results = sets.iter().flat_map(|set| rows_of(set).into_iter().map(|row| result(&set.plan_file.name, &row)));
    let unseen = errors.iter().map(|error| {
        let (what, why) = (error.to_string(), "unknown: it could not be looked at".to_owned());
        let row = Row { address: "-", line: error.line(), rule: "unknown", what, why };
        result(error.plan_file().unwrap_or("-"), &row)
    });
    let results: Vec<_> = results.chain(unseen).collect();
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

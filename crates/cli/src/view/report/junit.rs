//! What drift found as test cases (<https://github.com/testmoapp/junitxml>, <https://docs.gitlab.com/ci/testing/unit_test_reports/>).

use std::time::Duration;

use provision_core::Error;
use provision_core::change_set::{Change, ChangeSet};
use provision_core::printable::on_one_line;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Row, Rule, rows};
use crate::view::words::{nouns, unknown, verdict};

/// A suite for each deployment, a case for each resource; drift fails it, what is refused or could not be read is an error.
/// What is left over, and warnings, are cases of their own, which pass.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let mut report = Report::new("provision");
    report.add_test_suites(sets.iter().map(suite));
    report.add_test_suites(errors.iter().map(unlooked));
    report.to_string().unwrap_or_default()
}

/// What could not be looked at.
pub(super) fn unlooked(error: &Error) -> TestSuite {
    let file = error.plan_file().unwrap_or("-");
    let mut suite = TestSuite::new(unknown(error));
    let texts = [Some(error.to_string()), error.hint().map(str::to_owned)];
    let texts = texts.into_iter().flatten().map(|text| on_one_line(&text)).collect();
    let status = failing(NonSuccessKind::Error, texts);
    suite.add_test_case(case("not looked at", file, file, error.line(), status));
    suite
}

fn suite(set: &ChangeSet) -> TestSuite {
    let mut suite = TestSuite::new(set.deployment.as_str());
    let (rows, who, file) = (rows(set), &set.identity, &set.plan_file.name);
    let (account, region) = nouns(&set.cloud);
    let facts = [("verdict", verdict(set)), (account, &who.account), (region, &who.region), ("as", &who.principal)];
    for fact in facts {
        suite.add_property(fact);
    }
    for change in &set.changes {
        let its: Vec<_> = rows.iter().filter(|row| is_of(row, change)).collect();
        let status = status(set, &its);
        let passes = matches!(status, TestCaseStatus::Success { .. });
        let mut case = case(change.address.as_str(), &set.deployment, file, change.line, status);
        if passes && !its.is_empty() {
            case.set_system_out(its.iter().map(|row| row.sentence(set)).collect::<Vec<_>>().join("\n"));
        }
        suite.add_test_case(case);
    }
    for row in rows.iter().filter(|row| !set.changes.iter().any(|change| is_of(row, change))) {
        let status = match row.rule {
            Rule::Unknown => failing(NonSuccessKind::Error, vec![row.sentence(set)]),
            _ => TestCaseStatus::success(),
        };
        let mut case = case(row.rule.id(), &set.deployment, file, row.line, status);
        case.set_system_out(row.sentence(set));
        suite.add_test_case(case);
    }
    suite
}

/// Whether a row is told in the case of that resource.
fn is_of(row: &Row<'_>, change: &Change) -> bool {
    row.address == change.address.as_str() && row.rule != Rule::LeftOver
}

fn case(name: &str, class: &str, file: &str, line: Option<usize>, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(on_one_line(class)).set_time(Duration::ZERO);
    case.extra.insert("file".into(), on_one_line(file).into());
    if let Some(line) = line {
        case.extra.insert("line".into(), line.to_string().into());
    }
    case
}

fn status(set: &ChangeSet, rows: &[&Row<'_>]) -> TestCaseStatus {
    let any = |rules: &[Rule]| rows.iter().any(|row| rules.contains(&row.rule));
    // What was never applied, or is gone altogether, is as little in order as what drifted.
    let absent = set.nothing_exists() && any(&[Rule::NotApplied]);
    let kind = match (any(&[Rule::Refused, Rule::Unknown]), any(&[Rule::Changed, Rule::Missing]) || absent) {
        (true, _) => NonSuccessKind::Error,
        (_, true) => NonSuccessKind::Failure,
        _ => return TestCaseStatus::success(),
    };
    failing(kind, rows.iter().map(|row| row.sentence(set)).collect())
}

/// The whole text stands in the body, which is what GitLab shows.
fn failing(kind: NonSuccessKind, texts: Vec<String>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(texts.join("; ")).set_description(texts.join("\n"));
    status
}

//! A drift report as test cases.

use provision_core::Error;
use provision_core::change_set::{Change, ChangeSet};
use provision_core::printable::on_one_line;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::rows;

/// A suite for each deployment, a case for each resource; drift fails it, what is refused or could not be read is an error.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let mut report = Report::new("provision drift");
    for set in sets {
        let mut suite = TestSuite::new(set.deployment.as_str());
        suite.add_test_cases(set.changes.iter().map(|change| case(change, set.nothing_exists())));
        for unreadable in &set.unreadable {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(on_one_line(&unreadable.0.to_string()));
            suite.add_test_case(TestCase::new("unreadable", status));
        }
        report.add_test_suite(suite);
    }
    for error in errors {
        let mut suite = TestSuite::new(error.plan_file().unwrap_or("-"));
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(on_one_line(&error.to_string()));
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

//! A proof as test cases (<https://github.com/testmoapp/junitxml>).

use std::time::Duration;

use provision_core::Error;
use provision_core::hop::{Hop, Verdict};
use provision_core::printable::on_one_line;
use provision_core::verify::Proof;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::junit::unlooked;

/// A suite for each deployment. What could not be looked at is an error.
pub(crate) fn text<'a>(proofs: impl IntoIterator<Item = &'a Proof>, errors: &[Error]) -> String {
    let mut report = Report::new("provision verify");
    report.add_test_suites(proofs.into_iter().map(suite));
    report.add_test_suites(errors.iter().map(unlooked));
    report.to_string().unwrap_or_default()
}

/// A case for each hop. What is not proven is skipped, and its message says so.
fn suite(proof: &Proof) -> TestSuite {
    let mut suite = TestSuite::new(proof.set.deployment.as_str());
    suite.add_test_cases(proof.hops.iter().map(|hop| case(hop, proof)));
    suite
}

fn case(hop: &Hop, proof: &Proof) -> TestCase {
    let mut status = match &hop.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NotProven { .. } | Verdict::Skipped { .. } => TestCaseStatus::skipped(),
    };
    if let Some(reason) = hop.reason() {
        let mend = hop.mend.as_ref().map(|mend| format!("\nto mend it: {}", on_one_line(mend))).unwrap_or_default();
        let exchanges = hop.sent.iter().zip(&hop.came).map(|(sent, came)| format!("\n{sent}: {came}"));
        let description = format!("{}{mend}{}", on_one_line(reason), exchanges.collect::<String>());
        // The form has one status for both.
        let word = if hop.is_open() { "not proven: " } else { "" };
        status.set_message(format!("{word}{}", on_one_line(reason))).set_description(description);
    }
    let mut case = TestCase::new(hop.id.name(), status);
    case.set_classname(proof.set.deployment.as_str()).set_time(Duration::from_millis(hop.elapsed_ms));
    case.extra.insert("file".into(), on_one_line(&proof.set.plan_file.name).into());
    if hop.reason().is_none() {
        case.set_system_out(hop.text.as_str());
    }
    case
}

//! Every read of a run is answered in turn by a 200 that is not the document: what cannot be read is unknown, so the run says
//! which operation that was and ends at once (exit 1, or 5 once something was written; 4 where it is about a token), changes
//! nothing of others', and the same command does its work once it is answered again.
//!
//! A short form runs by default; `PROVISION_EVERY_ANSWER=1` tries all, `PROVISION_EVERY_ANSWER=OPERATION` those of one operation.

use std::io::Write as _;

use provision_sandbox::fault::{Fault, Nth, What, When};

use super::clouds::{Prepared, Scenario};
use super::{Point, Sweep, World as _, clouds, recovers, run};
use crate::clouds::CloudFixture;

/// One in so many is tried by default.
const SHORT: usize = 23;

/// What counts the content of a bucket.
const COUNTED: [&str; 3] = ["s3:ListObjectVersions", "s3:ListMultipartUploads", "arm:containers.get"];

/// What asks for rights and policies, which only tells before what each write says for itself: what cannot be read stays unknown.
const ASKED: [&str; 10] = [
    "arm:denyAssignments.list",
    "arm:permissions.list",
    "arm:policyRestrictions.checkPolicyRestrictions",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "iam:TestIamPermissions",
    "pubsub:TestIamPermissions",
    "resourcemanager:GetEffectiveOrgPolicy",
    "resourcemanager:TestIamPermissions",
    "storage.json:buckets.testIamPermissions",
];

/// The runs whose reads are answered so.
const RUNS: [&Scenario; 6] =
    [&clouds::PLAN, &clouds::APPLY, &clouds::ADOPT, &clouds::DRIFT, &clouds::DESTROY, &clouds::RELEASE];

#[test]
fn aws() {
    every_read(&crate::clouds::AWS);
}

#[test]
fn gcp() {
    every_read(&crate::clouds::GCP);
}

#[test]
fn azure() {
    every_read(&crate::clouds::AZURE);
}

/// What comes instead of the document.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// The page of a proxy or a portal.
    Page,
    /// No body.
    Nothing,
    /// The first half.
    Half,
    /// A document of another kind.
    Another,
    /// A list without its array.
    NoArray,
}

impl Form {
    /// Those that an operation's answers can be told from.
    fn of(cloud: &CloudFixture, operation: &str) -> Vec<Self> {
        let mut forms = vec![Self::Page, Self::Nothing, Self::Half, Self::Another];
        if (cloud.faults.always_lists)(operation) {
            forms.push(Self::NoArray);
        }
        forms
    }

    fn what(self, operation: &str) -> What {
        let answer = |kind: &str, body: &str| What::Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.to_owned(),
        };
        let speaks_xml =
            ["s3:", "iam:", "sts:", "blob:", "queue:"].iter().any(|service| operation.starts_with(service));
        match self {
            Self::Page => answer("text/html", "<!DOCTYPE html><html><body>Sign in to the network</body></html>"),
            Self::Nothing => answer("application/octet-stream", ""),
            Self::Half => What::Truncate,
            Self::Another if speaks_xml => answer("application/xml", "<?xml version=\"1.0\"?><Unexpected/>"),
            Self::Another => answer("application/json", "[]"),
            Self::NoArray => answer("application/json", "{}"),
        }
    }
}

fn every_read(cloud: &'static CloudFixture) {
    let (mut tried, mut wrong) = (0, Vec::new());
    for scenario in RUNS {
        let sweep = clouds::sweep(cloud, scenario);
        let (some, failed) = sweep.answer_unreadably(cloud, scenario);
        tried += some;
        wrong.extend(failed.into_iter().map(|failed| format!("{}: {failed}", scenario.arguments.join(" "))));
    }
    // To the stream itself: the test runner keeps what the macros print.
    let _ = writeln!(
        std::io::stderr(),
        "{}: {tried} reads answered unreadably, {} survived",
        cloud.name,
        tried - wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

impl Sweep<Prepared> {
    /// How many reads were answered so, and what was wrong of them.
    fn answer_unreadably(&self, cloud: &CloudFixture, scenario: &Scenario) -> (usize, Vec<String>) {
        let reads = self
            .calls(|record| !record.write && record.status.is_some_and(|status| status < 300))
            .into_iter()
            .filter(|(operation, _)| !cloud.faults.bodiless.contains(&operation.as_str()));
        let runs = reads.flat_map(|point| Form::of(cloud, &point.0).into_iter().map(move |form| (point.clone(), form)));
        let chosen: Vec<_> = chosen(runs.collect());
        let runs: Vec<_> = chosen.iter().collect();
        let wrong = std::sync::Mutex::new(Vec::new());
        let tried = self.each(runs, |(point, form)| {
            if let Err(what) = self.answer(cloud, scenario, point, *form) {
                wrong.lock().unwrap().push(what);
            }
        });
        (tried, wrong.into_inner().unwrap())
    }

    /// Answer one read so.
    fn answer(
        &self,
        cloud: &CloudFixture,
        scenario: &Scenario,
        named @ (operation, nth): &Point,
        form: Form,
    ) -> Result<(), String> {
        let world = self.prepared();
        let what = form.what(operation);
        world.layer().fault(Fault { operation: operation.clone(), nth: Nth::Number(*nth), at: When::Before, what });
        let ran = run(&world);
        let point = format!("{operation} {nth} answered by {form:?}");
        let said = format!("{point}: exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        world.keeps_others(&said)?;
        // What is only released need not be empty.
        let released = scenario.with_others && scenario.arguments[0] == "destroy";
        // The content is listed by token first, in two ways: where one of them is denied, the key lists it.
        let by_token = operation == "blob:ListBlobs" && *nth <= 2;
        let name = operation.as_str();
        let needless = by_token || is_asked(&world, named) || (released && COUNTED.contains(&name));
        if (needless && ran.code == 0) || self.is_repetition(&world, named) {
            return Ok(());
        }
        let wrote = !world.layer().writes().is_empty();
        let expected: &[i32] = match operation.split(':').next() {
            Some("login") => &[4],
            _ if wrote => &[1, 5],
            _ => &[1],
        };
        if !expected.contains(&ran.code) {
            return Err(format!("expected exit {expected:?} of {said}"));
        }
        let (_, told) = said.split_once('\n').unwrap_or_default();
        if !operation.starts_with("login:") && !told.contains(&(cloud.faults.says)(operation)) {
            return Err(format!("the operation is not named in {said}"));
        }
        if scenario.only_looks && wrote {
            return Err(format!("wrote after {said}"));
        }
        let after = std::panic::AssertUnwindSafe(|| recovers(&world, &said));
        std::panic::catch_unwind(after).map_err(|panic| format!("{said}\nthe next run: {}", text(&*panic)))
    }
}

/// Whether what is read only tells before what each write says for itself. Of Azure's two registrations that is the storage
/// accounts' one, and either may be looked at first.
fn is_asked(world: &Prepared, (operation, nth): &Point) -> bool {
    let records = world.layer().records();
    let read = records.iter().filter(|record| record.operation == *operation).nth(nth - 1);
    ASKED.contains(&operation.as_str())
        || read.is_some_and(|record| record.path.contains("/providers/Microsoft.Storage?"))
}

/// What a panic said.
fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// All of them, those of one operation, or a few: the variable says.
fn chosen(runs: Vec<(Point, Form)>) -> Vec<(Point, Form)> {
    match std::env::var("PROVISION_EVERY_ANSWER") {
        Ok(all) if all == "1" => runs,
        Ok(one) => runs.into_iter().filter(|((operation, _), _)| *operation == one).collect(),
        Err(_) => runs.into_iter().step_by(SHORT).collect(),
    }
}

//! Every deletion of a run is answered in turn by a page of something in between, with 200 and with 404: neither says that anything is
//! gone. The run says which operation that was, says of nothing that it is gone, and the same command finishes.

use std::io::Write as _;
use std::sync::Mutex;

use provision_sandbox::fault::{Fault, Nth, What, When};

use super::clouds::{Prepared, Scenario};
use super::{Point, Sweep, World as _, clouds, recovers, run};
use crate::clouds::CloudFixture;

const PAGE: &str = "<!DOCTYPE html><html><body>Sign in to the network</body></html>";

/// The runs that delete.
const RUNS: [&Scenario; 2] = [&clouds::DESTROY, &clouds::DELETE_DATA];

#[test]
fn aws() {
    every_deletion(&crate::clouds::AWS);
}

#[test]
fn gcp() {
    every_deletion(&crate::clouds::GCP);
}

#[test]
fn azure() {
    every_deletion(&crate::clouds::AZURE);
}

fn every_deletion(cloud: &'static CloudFixture) {
    let (mut tried, mut wrong) = (0, Vec::new());
    for scenario in RUNS {
        let sweep = clouds::sweep(cloud, scenario);
        let deletes = |operation: &str| ["elete", "Abort"].iter().any(|verb| operation.contains(verb));
        let mut points = sweep.calls(|record| record.write && deletes(&record.operation));
        // What is deleted one by one is deleted in one way.
        points.retain(|(_, nth)| *nth <= 2);
        let runs: Vec<_> = points.iter().flat_map(|point| [200, 404].map(|status| (point, status))).collect();
        let failed = Mutex::new(Vec::new());
        tried += sweep.each(runs.iter().collect(), |(point, status)| {
            if let Err(what) = sweep.not_deleted(cloud, point, *status) {
                failed.lock().unwrap().push(format!("{}: {what}", scenario.arguments.join(" ")));
            }
        });
        wrong.extend(failed.into_inner().unwrap());
    }
    // To the stream itself: the test runner keeps what the macros print.
    let survived = tried - wrong.len();
    let _ = writeln!(std::io::stderr(), "{}: {tried} deletions answered by a page, {survived} survived", cloud.name);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

impl Sweep<Prepared> {
    fn not_deleted(&self, cloud: &CloudFixture, (operation, nth): &Point, status: u16) -> Result<(), String> {
        let world = self.prepared();
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let what = What::Answer { status, headers, body: PAGE.to_owned() };
        world.layer().fault(Fault { operation: operation.clone(), nth: Nth::Number(*nth), at: When::Before, what });
        let ran = run(&world);
        let said = format!("{operation} {nth} answered by {status}: exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        if ran.code == 0 {
            // It was sent again: all is gone.
            let check = std::panic::AssertUnwindSafe(|| world.check(&ran.stdout));
            return std::panic::catch_unwind(check).map_err(|_| format!("something is left after {said}"));
        }
        let (_, told) = said.split_once('\n').unwrap_or_default();
        if ![1, 5].contains(&ran.code) || !told.contains(&(cloud.faults.says)(operation)) {
            return Err(said);
        }
        recovers(&world, &said);
        Ok(())
    }
}

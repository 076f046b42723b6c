//! Every call of a run is throttled once, by each of the service's codes: it is sent again, and nothing else comes of it.
//!
//! A short form runs by default; `PROVISION_EVERY_CODE=1` tries all.

use std::io::Write as _;
use std::sync::Mutex;

use provision_sandbox::fault::{Fault, Nth, What, When};

use super::clouds::{Prepared, Scenario};
use super::{Point, Sweep, World as _, clouds, run};
use crate::clouds::CloudFixture;

/// One in so many is tried by default.
const SHORT: usize = 31;

const RUNS: [&Scenario; 3] = [&clouds::APPLY, &clouds::ADOPT, &clouds::DESTROY];

#[test]
fn aws() {
    every_call(&crate::clouds::AWS);
}

#[test]
fn gcp() {
    every_call(&crate::clouds::GCP);
}

#[test]
fn azure() {
    every_call(&crate::clouds::AZURE);
}

fn every_call(cloud: &'static CloudFixture) {
    let (mut tried, mut wrong) = (0, Vec::new());
    for scenario in RUNS {
        let sweep = clouds::sweep(cloud, scenario);
        let calls = sweep.calls(|record| !record.operation.starts_with("login:"));
        let codes =
            |point: Point| (cloud.faults.throttles)(&point.0).into_iter().map(move |code| (point.clone(), code));
        let every = if std::env::var_os("PROVISION_EVERY_CODE").is_some() { 1 } else { SHORT };
        let runs: Vec<_> = calls.into_iter().flat_map(codes).step_by(every).collect();
        let failed = Mutex::new(Vec::new());
        tried += sweep.each(runs.iter().collect(), |(point, code)| {
            if let Err(what) = sweep.throttle(point, *code) {
                failed.lock().unwrap().push(format!("{}: {what}", scenario.arguments.join(" ")));
            }
        });
        wrong.extend(failed.into_inner().unwrap());
    }
    // To the stream itself: the test runner keeps what the macros print.
    let survived = tried - wrong.len();
    let _ = writeln!(std::io::stderr(), "{}: {tried} calls throttled once, {survived} survived", cloud.name);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

impl Sweep<Prepared> {
    fn throttle(&self, (operation, nth): &Point, (status, code): (u16, &str)) -> Result<(), String> {
        let world = self.prepared();
        let what = What::Error { status, code: code.to_owned(), message: "Rate exceeded".to_owned() };
        world.layer().fault(Fault { operation: operation.clone(), nth: Nth::Number(*nth), at: When::Before, what });
        let ran = run(&world);
        let said =
            format!("{operation} {nth} answered by {status} {code}: exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        if ran.code != 0 {
            return Err(said);
        }
        world.layer().clear();
        world.check(&ran.stdout);
        Ok(())
    }
}

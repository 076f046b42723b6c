//! Many runs of the same deployment at the same time, as it comes.

use provision_tests::backend::Backend;
use provision_tests::run::finished;
use provision_tests::stage::Stage;

use super::{ended_well, rounds, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

const APPLY: &[&str] = &["apply", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes"];

/// Run these at once. Whatever each of them met, one more apply then converges to one set of resources.
fn at_once(cloud: &CloudFixture, stage: &Stage, commands: &[&[&str]]) -> Result<(), String> {
    let runs: Vec<_> = commands.iter().map(|command| cloud.spawn(stage, command)).collect();
    let ended: Vec<_> = runs.into_iter().map(finished).collect();
    for (ran, command) in ended.iter().zip(commands) {
        ended_well(ran, &[0, 1, 3, 5], &format!("{} {command:?} beside {commands:?}", cloud.name))?;
    }
    stage.hastened(|| cloud.succeed(stage, APPLY));
    let plan = cloud.succeed(stage, &["plan", "--detailed-exitcode"]);
    let ours = (cloud.ours)(&stage.hand());
    let one = plan.contains("No changes:") && !plan.contains("left over") && ours == cloud.applied;
    if one { Ok(()) } else { Err(format!("{} after {commands:?}: {ours:?}\n{plan}", cloud.name)) }
}

#[test]
fn five_applies() {
    let clouds = [&AWS, &GCP, &AZURE];
    let all: Vec<_> = (0..rounds(1, 8)).flat_map(|_| clouds).collect();
    try_each("five applies at once", &all, |cloud| at_once(cloud, &cloud.planned(), &[APPLY; 5]));
}

#[test]
fn applies_against_destroys() {
    let clouds = [&AWS, &GCP, &AZURE];
    let all: Vec<_> = (0..rounds(1, 8)).flat_map(|_| clouds).collect();
    try_each("applies against destroys", &all, |cloud| {
        at_once(cloud, &cloud.applied(), &[APPLY, DESTROY, APPLY, DESTROY])
    });
}

#[test]
fn applies_on_ministack() {
    let all: Vec<_> = (0..rounds(1, 8)).collect();
    try_each("three applies at once on MiniStack", &all, |_| {
        at_once(&AWS, &AWS.set(Stage::start_on(Backend::MiniStack, AWS.sandbox)), &[APPLY; 3])
    });
}

//! Killed at random moments, and told to stop by every signal.

use std::time::{Duration, Instant};

use provision_tests::run::{finished, signal};

use super::{Random, ended_well, figures, rounds, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

/// Apply and destroy in turn, without a pause between: after the last, apply converges and destroy leaves nothing.
fn killed_at_random_moments(cloud: &CloudFixture, seed: u64) {
    let (mut random, mut killed, runs) = (Random(seed), 0, rounds(8, 200));
    let stage = cloud.planned();
    let commands: [&[&str]; 2] = [&["apply", "--yes"], &["destroy", "--yes"]];
    stage.hastened(|| {
        let begun = Instant::now();
        cloud.succeed(&stage, commands[0]);
        let usual = usize::try_from(begun.elapsed().as_millis()).unwrap();
        for run in 1..=runs {
            let child = cloud.spawn(&stage, commands[run % 2]);
            std::thread::sleep(Duration::from_millis(random.below(usual + usual / 4) as u64));
            signal(&child, "KILL");
            killed += usize::from(finished(child).signal.is_some());
        }
        cloud.succeed(&stage, commands[0]);
        let plan = cloud.succeed(&stage, &["plan", "--detailed-exitcode"]);
        assert!(plan.contains("No changes:") && !plan.contains("orphan"), "{plan}");
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.succeed(&stage, commands[1]);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    });
    figures(&format!("{}: {runs} runs, killed at random", cloud.name), killed, killed);
}

#[test]
fn apply_and_destroy_killed_in_turn_on_aws() {
    killed_at_random_moments(&AWS, 1);
}

#[test]
fn apply_and_destroy_killed_in_turn_on_gcp() {
    killed_at_random_moments(&GCP, 2);
}

#[test]
fn apply_and_destroy_killed_in_turn_on_azure() {
    killed_at_random_moments(&AZURE, 3);
}

/// Every signal at a random moment, then the same command again.
#[test]
fn signals() {
    let names: [&[&str]; 8] =
        [&["INT"], &["TERM"], &["HUP"], &["PIPE"], &["QUIT"], &["USR1"], &["STOP", "CONT"], &["INT", "INT"]];
    let clouds = [&AWS, &GCP, &AZURE];
    let all: Vec<_> =
        names.iter().enumerate().flat_map(|(at, names)| clouds.map(|cloud| (at, *names, cloud))).collect();
    try_each("signals", &super::sample(&all, 5), |(seed, names, cloud)| {
        let (stage, mut random) = (cloud.planned(), Random(*seed as u64));
        stage.faults().set_latency(Duration::from_millis(100));
        for command in [["apply", "--yes"], ["destroy", "--yes"]] {
            let child = cloud.spawn(&stage, &command);
            std::thread::sleep(Duration::from_millis(100 + random.below(500) as u64));
            names.iter().for_each(|name| signal(&child, name));
            let ran = finished(child);
            let what = format!("{} {command:?} {names:?}", cloud.name);
            if ran.signal.is_none() {
                ended_well(&ran, &[0, 1, 3, 5, 130, 143], &what)?;
            }
            cloud.succeed(&stage, &command);
        }
        Ok(())
    });
}

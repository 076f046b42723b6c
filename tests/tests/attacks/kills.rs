//! Killed at random moments, and told to stop by every signal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provision_sandbox::fault::When;
use provision_tests::backend::Backend;
use provision_tests::run::{Ran, finished, signal};
use provision_tests::stage::Stage;

use super::{Random, ended_well, figures, rounds};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::sweep::{KILL, clouds, recovers, signalled};

/// Apply and destroy in turn, without a pause between, until so many were killed: after the last, apply converges and destroy
/// leaves nothing. The moments are chosen from as long as a run has been taking.
fn killed_at_random_moments(cloud: &CloudFixture, stage: &Stage, kills: usize) {
    let (mut random, mut killed, mut runs) = (Random(kills as u64), 0, 0);
    let commands: [&[&str]; 2] = [&["apply", "--yes"], &["destroy", "--yes"]];
    stage.hastened(|| {
        let begun = Instant::now();
        cloud.succeed(stage, commands[0]);
        let mut usual = [usize::try_from(begun.elapsed().as_millis()).unwrap(); 2];
        while killed < kills {
            runs += 1;
            let usual = &mut usual[runs % 2];
            let child = cloud.spawn(stage, commands[runs % 2]);
            std::thread::sleep(Duration::from_millis(random.below(*usual) as u64));
            signal(&child, "KILL");
            let was_killed = finished(child).signal == Some(KILL);
            killed += usize::from(was_killed);
            *usual = if was_killed { *usual * 21 / 20 + 1 } else { *usual * 9 / 10 + 1 };
            assert!(runs < 40 * kills, "{killed} of {runs} runs were killed");
        }
        cloud.succeed(stage, commands[0]);
        let plan = cloud.succeed(stage, &["plan", "--detailed-exitcode"]);
        assert!(plan.contains("No changes:") && !plan.contains("left over"), "{plan}");
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.succeed(stage, commands[1]);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    });
    figures(&format!("{}: {runs} runs, killed at random", cloud.name), killed, killed);
}

#[test]
fn apply_and_destroy_killed_in_turn_on_aws() {
    killed_at_random_moments(&AWS, &AWS.planned(), rounds(8, 200));
}

#[test]
fn apply_and_destroy_killed_in_turn_on_ministack() {
    let stage = AWS.set(Stage::start_on(Backend::MiniStack, AWS.sandbox));
    killed_at_random_moments(&AWS, &stage, rounds(4, 60));
}

#[test]
fn apply_and_destroy_killed_in_turn_on_gcp() {
    killed_at_random_moments(&GCP, &GCP.planned(), rounds(8, 200));
}

#[test]
fn apply_and_destroy_killed_in_turn_on_azure() {
    killed_at_random_moments(&AZURE, &AZURE.planned(), rounds(8, 200));
}

/// What is sent to a run, and whether it ends one that writes: with one of the codes that say so, or by itself.
static SIGNALS: [(&[&str], Meant); 8] = [
    (&["INT"], Meant::Stops(130)),
    (&["TERM"], Meant::Stops(143)),
    (&["HUP"], Meant::Ends(1)),
    (&["PIPE"], Meant::Nothing),
    (&["QUIT"], Meant::Ends(3)),
    (&["USR1"], Meant::Ends(10)),
    (&["STOP", "CONT"], Meant::Nothing),
    (&["INT", "INT"], Meant::Stops(130)),
];

/// What a signal does to a run.
#[derive(Clone, Copy)]
enum Meant {
    /// It ends itself with this code.
    Stops(i32),
    /// The signal of this number ends it.
    Ends(i32),
    /// It goes on.
    Nothing,
}

impl Meant {
    /// Whether this came of it.
    fn came(self, ran: &Ran) -> bool {
        match self {
            Self::Stops(code) => ran.code == code,
            Self::Ends(number) => ran.signal == Some(number),
            Self::Nothing => ran.code == 0,
        }
    }
}

/// How long a call is held after a signal, so that the run takes notice before it is answered.
const HELD: Duration = Duration::from_millis(300);

/// Every signal while a call of the run waits for its answer, reads and writes alike; then the same command again. How many met a
/// command that ran is counted, and how many did to it what they are to.
fn signalled_at_random_calls(cloud: &'static CloudFixture) {
    for (place, scenario) in [&clouds::APPLY, &clouds::DELETE_DATA].into_iter().enumerate() {
        let sweep = clouds::sweep(cloud, scenario);
        let calls = sweep.calls(|record| !record.operation.starts_with("login:") && !record.poll);
        let (met, meant) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let some = SIGNALS.iter().cycle().skip(4 * place).take(rounds(4, 10 * SIGNALS.len()));
        let runs: Vec<_> = some.enumerate().collect();
        let tried = sweep.each(runs, |(seed, (names, what))| {
            let (world, mut random) = (sweep.prepared(), Random(seed as u64));
            let (point, at) = (random.pick(&calls), *random.pick(&[When::Before, When::After]));
            let (hit, ran) = signalled(&world, point, at, names, HELD);
            let said = format!("{} {:?} {names:?} {at:?} {point:?}", cloud.name, scenario.arguments);
            if ran.signal.is_none() {
                ended_well(&ran, &[0, 1, 3, 5, 130, 143], &said).unwrap();
            }
            met.fetch_add(usize::from(hit), Ordering::Relaxed);
            meant.fetch_add(usize::from(hit && what.came(&ran)), Ordering::Relaxed);
            recovers(&world, &said);
        });
        let (met, meant) = (met.into_inner(), meant.into_inner());
        let area = format!("{} {}: signals, {met} of {tried} met a running command", cloud.name, scenario.arguments[0]);
        figures(&format!("{area}, {meant} did what they are to"), tried, tried);
        // A call that only comes when two others cross may not come; what meets the last calls of a run may be too late. Of a few
        // that is a large share.
        let share = if tried < SIGNALS.len() { 5 } else { 8 };
        assert!(met * 10 >= tried * share && meant * 10 >= met * share, "{area}, {meant} did what they are to");
    }
}

#[test]
fn signals_on_aws() {
    signalled_at_random_calls(&AWS);
}

#[test]
fn signals_on_gcp() {
    signalled_at_random_calls(&GCP);
}

#[test]
fn signals_on_azure() {
    signalled_at_random_calls(&AZURE);
}

//! Crash sweep and fault sweep: a run is killed before and after every single write, and every write fails in every way;
//! then the same command is run again, and nothing may be lost, doubled, unmarked or left behind.
//!
//! The points are all the writes of a run without a fault: their number is printed and every one is tried.

mod auth0;
pub(crate) mod clouds;
mod throttled;
mod undeleted;
mod unreadable;

use std::io::Write as _;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::layer::FaultLayer;
use provision_sandbox::record::Record;
use provision_tests::run::{Ran, finished};

use crate::clouds::{AWS, AZURE, GCP};

/// Each scenario as two tests of its own on a cloud.
macro_rules! sweeps {
    ($cloud:expr; $($killed:ident, $failing:ident: $scenario:ident,)*) => {
        $(#[test]
        fn $killed() {
            super::clouds::sweep(&$cloud, &super::clouds::$scenario).kill_at_every_write();
        }

        #[test]
        fn $failing() {
            super::clouds::sweep(&$cloud, &super::clouds::$scenario).fail_at_every_write();
        })*
    };
}

macro_rules! sweeps_of {
    ($module:ident, $cloud:expr) => {
        mod $module {
            sweeps! {
                $cloud;
                apply_killed_at_every_write, apply_failing_at_every_write: APPLY,
                update_killed_at_every_write, update_failing_at_every_write: UPDATE,
                adopt_killed_at_every_write, adopt_failing_at_every_write: ADOPT,
                rename_killed_at_every_write, rename_failing_at_every_write: RENAME,
                destroy_killed_at_every_write, destroy_failing_at_every_write: DESTROY,
                release_killed_at_every_write, release_failing_at_every_write: RELEASE,
                delete_data_killed_at_every_write, delete_data_failing_at_every_write: DELETE_DATA,
                byob_killed_at_every_write, byob_failing_at_every_write: BYOB,
                byob_exchange_killed_at_every_write, byob_exchange_failing_at_every_write: BYOB_EXCHANGE,
                byob_release_killed_at_every_write, byob_release_failing_at_every_write: BYOB_RELEASE,
                byob_delete_data_killed_at_every_write, byob_delete_data_failing_at_every_write: BYOB_DELETE_DATA,
            }
        }
    };
}

sweeps_of!(aws, super::AWS);
sweeps_of!(gcp, super::GCP);
sweeps_of!(azure, super::AZURE);

mod azure_events {
    sweeps! {
        super::AZURE;
        make_again_killed_at_every_write, make_again_failing_at_every_write: MAKE_AGAIN,
    }
}

/// A world in which a command is disturbed.
pub(crate) trait World {
    /// What disturbs it.
    fn layer(&self) -> &FaultLayer;

    /// Start the command.
    fn start(&self) -> Child;

    /// Look at everything, after the command was run without a fault and printed this.
    fn check(&self, printed: &str);
}

/// How a scenario is tried.
pub(crate) struct Sweep<W> {
    /// A world before the run.
    prepare: Box<dyn Fn() -> W + Sync>,
    /// The ways in which a write fails.
    ways: Vec<(When, What)>,
    /// Writes that no other change can cross.
    uncrossed: &'static [&'static str],
    /// What an error says of an operation.
    says: fn(&str) -> String,
    /// Points that are tried at the same time.
    at_once: usize,
    /// Points that did not come.
    dropped: AtomicUsize,
}

/// A call of a run: the operation, and how many of its kind it is.
pub(crate) type Point = (String, usize);

impl<W: World> Sweep<W> {
    pub(crate) fn prepared(&self) -> W {
        let world = (self.prepare)();
        world.layer().clear();
        world
    }

    /// Calls of a run without a fault.
    pub(crate) fn calls(&self, of: impl Fn(&Record) -> bool) -> Vec<Point> {
        let world = self.prepared();
        let ran = run(&world);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let records = world.layer().records();
        world.check(&ran.stdout);
        let calls: Vec<_> = records.into_iter().filter(of).map(|record| record.operation).collect();
        let nth = |(place, operation): (usize, &String)| {
            (operation.clone(), calls[..=place].iter().filter(|other| *other == operation).count())
        };
        let points: Vec<_> = calls.iter().enumerate().map(nth).collect();
        assert!(!points.is_empty());
        points
    }

    /// The writes of a run without a fault.
    fn points(&self) -> Vec<Point> {
        self.calls(|record| record.write)
    }

    fn kill_at_every_write(&self) {
        let points = self.points();
        println!("{} writes, killed before and after each: {} runs", points.len(), 2 * points.len());
        let runs = points.iter().flat_map(|point| [When::Before, When::After].map(|at| (point, at)));
        let tried = self.each(runs.collect(), |(point, at)| self.kill_at(point, at));
        assert_eq!(tried, 2 * points.len());
        self.few_were_dropped(tried);
    }

    fn fail_at_every_write(&self) {
        let points = self.points();
        let runs = points.iter().flat_map(|point| self.ways.iter().map(move |way| (point, way)));
        let may = |point: &Point, what: &What| *what != What::Conflict || !self.uncrossed.contains(&point.0.as_str());
        let runs: Vec<_> = runs.filter(|(point, (_, what))| may(point, what)).collect();
        let expected = runs.len();
        println!("{} writes, each failing in {} ways: {expected} runs", points.len(), self.ways.len());
        let tried = self.each(runs, |(point, (at, what))| self.fail_at(point, *at, what));
        assert_eq!(tried, expected);
        self.few_were_dropped(tried);
    }

    /// Say how many points did not come: a tenth at most.
    fn few_were_dropped(&self, tried: usize) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            // To the stream itself: the test runner keeps what the macros print.
            let _ =
                writeln!(std::io::stderr(), "{dropped} of {tried} runs: the call was a repetition, and did not come");
        }
        assert!(dropped * 10 <= tried, "{dropped} of {tried} points did not come");
    }

    /// Whether a call that came in the run without a fault did not come in this one: two changes of one run may cross, and
    /// then one of them is sent again. The first of its kind always comes.
    fn is_repetition(&self, world: &W, (operation, nth): &Point) -> bool {
        let never_came = *nth > 1 && world.layer().count(operation) < *nth;
        self.dropped.fetch_add(usize::from(never_came), Ordering::Relaxed);
        never_came
    }

    /// Try each run, some at the same time; gives how many were tried.
    pub(crate) fn each<R: Copy + Sync>(&self, runs: Vec<R>, attempt: impl Fn(R) + Sync) -> usize {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut tried = 0;
            while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                attempt(*run);
                tried += 1;
            }
            tried
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_once).map(|_| scope.spawn(work)).collect();
            let tried = |worker: std::thread::ScopedJoinHandle<'_, usize>| match worker.join() {
                Ok(tried) => tried,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            workers.into_iter().map(tried).sum()
        })
    }

    fn kill_at(&self, point @ (operation, nth): &Point, at: When) {
        let world = self.prepared();
        let killed = is_killed_at(&world, point, at);
        assert!(killed || self.is_repetition(&world, point), "{operation} {nth} never came");
        recovers(&world, &format!("being killed {at:?} {operation} {nth}"));
    }

    fn fail_at(&self, named @ (operation, nth): &Point, at: When, what: &What) {
        let world = self.prepared();
        let fault = Fault { operation: operation.clone(), nth: Nth::Number(*nth), at, what: what.clone() };
        world.layer().fault(fault);
        let ran = run(&world);
        let point = format!("{operation} {nth} failing {at:?} with {what:?}");
        let passing = !matches!(what, What::Answer { status: 403, .. } | What::Error { status: 403, .. });
        if self.is_repetition(&world, named) {
            assert_eq!(ran.code, 0, "{point}: {}{}", ran.stdout, ran.stderr);
            return recovers(&world, &point);
        }
        // What passes is repeated within the run; what does not is final at once and names its call.
        assert!([0, 1, 3, 5].contains(&ran.code), "{point}: {}{}", ran.stdout, ran.stderr);
        assert!(!passing || ran.code == 0 || ran.code == 3, "{point}: {}{}", ran.stdout, ran.stderr);
        assert!(passing || ran.stderr.contains(&(self.says)(operation)), "{point}: {}", ran.stderr);
        recovers(&world, &point);
    }
}

fn run(world: &impl World) -> Ran {
    finished(world.start())
}

/// Run again without a fault, and look at everything.
pub(crate) fn recovers(world: &impl World, point: &str) {
    world.layer().clear();
    let again = run(world);
    assert_eq!(again.code, 0, "the run after {point}:\n{}{}", again.stdout, again.stderr);
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.check(&again.stdout)));
    if let Err(panic) = checked {
        println!("wrong after {point}");
        std::panic::resume_unwind(panic);
    }
}

/// Run the command, and kill it at one call; the call has its effect only if it is killed after it.
pub(crate) fn is_killed_at(world: &impl World, point @ (operation, nth): &Point, at: When) -> bool {
    if at == When::Before {
        let fault = Fault { operation: operation.clone(), nth: Nth::Number(*nth), at, what: What::Drop };
        world.layer().fault(fault);
    }
    let (sent, ran) = signalled(world, point, at, &["KILL"], Duration::ZERO);
    // Neither a crash nor the watchdog: this very signal, and a run that is not over without it.
    assert_eq!(ran.signal, sent.then_some(KILL), "{}{}", ran.stdout, ran.stderr);
    sent
}

/// Run the command, and send it signals at one call, which goes on a while after each; whether it came to that call, so that
/// they met a command that ran, and how it ended.
pub(crate) fn signalled(
    world: &impl World,
    (operation, nth): &Point,
    at: When,
    names: &'static [&'static str],
    pause: Duration,
) -> (bool, Ran) {
    let (process, sent) = (Arc::new(Mutex::new(None::<u32>)), Arc::new(AtomicBool::new(false)));
    let (victim, sending) = (Arc::clone(&process), Arc::clone(&sent));
    world.layer().hook_at(operation, *nth, at, move || {
        let pid = loop {
            match *victim.lock().unwrap() {
                Some(pid) => break pid,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        sending.store(true, Ordering::Relaxed);
        for name in names {
            let _ = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output();
            std::thread::sleep(pause);
        }
    });
    let child = world.start();
    *process.lock().unwrap() = Some(child.id());
    let ran = finished(child);
    (sent.load(Ordering::Relaxed), ran)
}

/// The number of the signal that nobody can handle.
pub(crate) const KILL: i32 = 9;

/// Every way in which a call fails, an error that passes and one that is final as a cloud phrases them.
fn ways(internal: What, denied: What) -> Vec<(When, What)> {
    vec![
        (When::Before, internal.clone()),
        (When::After, internal),
        (When::Before, denied),
        (When::Before, What::Drop),
        (When::After, What::Drop),
        (When::Before, What::Throttle),
        (When::Before, What::Conflict),
    ]
}

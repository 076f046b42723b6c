//! A run is paused at each single one of its requests, reads too, while somebody else acts: the same plan file in another
//! hand, another deployment that takes the same names, a third party that puts its own things beside ours. Then it goes on.
//!
//! Every pause is a world of its own, begun from a copy of one prepared state. Where a run is paused at a write, the read before
//! it is past: without a precondition at the service nothing can be done there, and what is lost fell into a *window*. The same
//! holds for reads that go on beside first writes to what the run itself has just made. How many pauses fell into one is
//! printed with the requests' names. At those requests nothing is judged, neither the exit code nor what was lost, and their
//! number has no ceiling: what holds there is looked at by hand. A short form runs by default; `PROVISION_EVERY_PAUSE=1` tries
//! them all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use provision_sandbox::fault::When;
use provision_sandbox::record::Record;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{AWS, AZURE, Cloud, GCP};

/// Of so many pauses one is tried in the short form.
const SHORT: usize = 6;
/// Worlds at the same time: a run mostly waits.
const AT_ONCE: usize = 6;

/// What crosses what.
struct Crossing {
    /// Makes the world before the run.
    prepare: fn(&Cloud, &Stage),
    /// The command that is paused, after the cloud's name.
    arguments: &'static [&'static str],
    /// What somebody else does meanwhile.
    meanwhile: fn(&Cloud, &Stage),
    /// How the run may end.
    codes: &'static [i32],
    /// What must hold once both are done, given what there was of others right after they acted.
    afterwards: fn(&Cloud, &Stage, &Value),
    /// Whether others put something there, to be looked at afterwards.
    with_others: bool,
    /// Whether a write may be a window.
    windows: bool,
    /// Reads beside which what the run has just made is written for the first time.
    beside: &'static [&'static str],
}

const APPLY: &[&str] = &["apply", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes"];

/// The same plan file in another hand, and then a third party: everything of theirs is there afterwards.
static APPLY_WITH_STRANGERS: Crossing = Crossing {
    prepare: |_, _| {},
    arguments: APPLY,
    meanwhile: |cloud, stage| {
        cloud.succeed(stage, APPLY);
        (cloud.put_others)(&stage.hand());
    },
    codes: &[0, 3, 5],
    afterwards: |cloud, stage, others| {
        let entries = || entries((cloud.others)(&stage.hand()));
        assert_eq!(entries(), self::entries(others.clone()));
        cloud.apply(stage);
        assert_eq!(entries(), self::entries(others.clone()));
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    },
    with_others: true,
    windows: true,
    beside: &[
        "sqs:ListQueueTags",
        "s3:GetBucketTagging",
        "s3:GetBucketEncryption",
        "pubsub:GetTopic",
        "pubsub:GetSubscription",
        "storage:GetBucket",
        "arm:resourceGroups.get",
        "arm:storageAccounts.get",
        "arm:containers.get",
        "arm:queues.get",
        "arm:roleAssignments.list",
        "arm:eventSubscriptions.list",
        "arm:systemTopics.list",
        "arm:operations.get",
        "arm:blobServices.get",
    ],
};

/// A third party alone, while what others made is taken over.
static ADOPT_WITH_STRANGERS: Crossing = Crossing {
    prepare: |cloud, stage| {
        (cloud.make_unmarked)(&stage.hand());
        cloud.change(stage, cloud.adopting);
    },
    arguments: APPLY,
    meanwhile: |cloud, stage| (cloud.put_others)(&stage.hand()),
    codes: &[0, 1, 3, 5, 6],
    afterwards: |cloud, stage, others| {
        assert_eq!((cloud.others)(&stage.hand()), *others);
        cloud.apply(stage);
        assert_eq!((cloud.others)(&stage.hand()), *others);
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.others)(&stage.hand()), *others);
    },
    with_others: true,
    windows: true,
    beside: &[],
};

/// Two applies of one plan file: one set of resources.
static APPLY_WITH_APPLY: Crossing = Crossing {
    prepare: |_, _| {},
    arguments: APPLY,
    meanwhile: |cloud, stage| drop(cloud.succeed(stage, APPLY)),
    codes: &[0, 3],
    afterwards: |cloud, stage, _| {
        cloud.apply(stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.is_in_sync(stage);
    },
    with_others: false,
    windows: false,
    beside: &[],
};

/// A destroy, and an apply in another hand: whoever came last, the same commands make it whole and take it down.
static DESTROY_WITH_APPLY: Crossing = Crossing {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: DESTROY,
    meanwhile: |cloud, stage| {
        cloud.change(stage, cloud.update);
        let ran = cloud.run(stage, APPLY);
        assert!([0, 3, 5].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
    },
    codes: &[0, 3, 5, 6],
    afterwards: |cloud, stage, _| {
        cloud.change(stage, &[]);
        cloud.apply(stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    },
    with_others: false,
    windows: false,
    beside: &[],
};

/// Two destroys.
static DESTROY_WITH_DESTROY: Crossing = Crossing {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: DESTROY,
    meanwhile: |cloud, stage| drop(cloud.succeed(stage, DESTROY)),
    // What goes while its content is counted is not known to be empty: nothing is deleted then.
    codes: &[0, 1, 3],
    afterwards: |cloud, stage, _| {
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    },
    with_others: false,
    windows: false,
    beside: &[],
};

/// Our deployment is destroyed by a colleague and another one takes its names and fills them: nothing of it is touched.
const fn taken_over(arguments: &'static [&'static str], prepare: fn(&Cloud, &Stage)) -> Crossing {
    Crossing {
        prepare,
        arguments,
        meanwhile: |cloud, stage| {
            cloud.succeed(stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
            others_apply(cloud, stage);
            (cloud.upload)(&stage.hand(), "theirs.txt");
        },
        codes: &[0, 1, 3, 5, 6],
        afterwards: |cloud, stage, _| {
            let drift = cloud.run(stage, &["drift", "other.toml"]);
            assert_eq!(drift.code, 0, "{}{}", drift.stdout, drift.stderr);
            let destroy = cloud.run(stage, &["destroy", "other.toml", "--yes"]);
            assert_eq!(destroy.code, 6, "their object is gone: {}{}", destroy.stdout, destroy.stderr);
        },
        with_others: false,
        windows: true,
        // Two deployments whose servers run as one account have the same grants: between the look at whose the bucket is and
        // their removal lies the look at who else relies on them.
        beside: &[
            "storage:GetIamPolicy",
            "iam:GetIamPolicy",
            "storage:ListBuckets",
            "resourcemanager:SearchProjects",
            "arm:roleAssignments.list",
            "arm:containers.list",
            "arm:containers.get",
            "arm:queues.list",
            "arm:queues.get",
        ],
    }
}

static DESTROY_OF_WHAT_IS_ANOTHERS: Crossing = taken_over(DESTROY, |cloud, stage| cloud.apply(stage));

static DELETE_DATA_OF_WHAT_IS_ANOTHERS: Crossing =
    taken_over(&["destroy", "--yes", "--delete-data", "{bucket}"], |cloud, stage| {
        cloud.apply(stage);
        (cloud.upload)(&stage.hand(), "ours.txt");
    });

/// Another deployment makes the same names: what is whose is decided once.
static APPLY_WITH_ANOTHER_DEPLOYMENT: Crossing = Crossing {
    prepare: |_, _| {},
    arguments: APPLY,
    meanwhile: |cloud, stage| {
        stage.write("other.toml", &other(cloud, stage));
        let ran = cloud.run(stage, &["apply", "other.toml", "--yes"]);
        assert!([0, 3, 5, 6].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
        stage.write("ended", if ran.code == 0 { "whole" } else { "stopped" });
    },
    codes: &[0, 1, 3, 5, 6],
    afterwards: |cloud, stage, _| {
        if stage.read_if_there("ended") != "whole" {
            return;
        }
        let drift = cloud.run(stage, &["drift", "other.toml"]);
        assert_eq!(drift.code, 0, "{}{}", drift.stdout, drift.stderr);
        let ours = cloud.run(stage, &["plan"]);
        assert_eq!(ours.code, 6, "{}{}", ours.stdout, ours.stderr);
    },
    with_others: false,
    windows: true,
    beside: &[],
};

/// What others have, but for the values for everybody, which on a bucket of our own are ours.
pub(crate) fn entries(mut others: Value) -> Value {
    for values in ["bucket", "account", "service", "encryption", "versioning"] {
        others.as_object_mut().map(|others| others.remove(values));
    }
    others
}

fn other(cloud: &Cloud, stage: &Stage) -> String {
    stage.read("provision.toml").replace("name = \"wandb-prod\"", &format!("name = \"wandb-other-{}\"", cloud.name))
}

fn others_apply(cloud: &Cloud, stage: &Stage) {
    stage.write("other.toml", &other(cloud, stage));
    stage.hastened(|| cloud.succeed(stage, &["apply", "other.toml", "--yes"]));
}

/// A request of a run that nobody crosses.
struct Point {
    operation: String,
    /// How many of its kind it is.
    nth: usize,
    write: bool,
}

/// How one pause ended.
enum Ended {
    Held,
    /// Something was lost, at a request at which nothing can be done.
    Window,
    Lost(String),
}

struct Crossed {
    cloud: &'static Cloud,
    crossing: &'static Crossing,
    state: tempfile::TempDir,
    plan_file: String,
}

impl Crossed {
    fn prepared(cloud: &'static Cloud, crossing: &'static Crossing) -> Self {
        let state = tempfile::tempdir().unwrap();
        let stage = cloud.set(Stage::start_in(cloud.sandbox, state.path()));
        (crossing.prepare)(cloud, &stage);
        let plan_file = stage.read("provision.toml");
        drop(stage);
        Self { cloud, crossing, state, plan_file }
    }

    /// A world of its own.
    fn stage(&self) -> (Stage, tempfile::TempDir) {
        let state = tempfile::tempdir().unwrap();
        for name in ["snapshot", "journal"] {
            if self.state.path().join(name).exists() {
                std::fs::copy(self.state.path().join(name), state.path().join(name)).unwrap();
            }
        }
        let stage = self.cloud.set(Stage::start_in(self.cloud.sandbox, state.path()));
        stage.write("provision.toml", &self.plan_file);
        stage.faults().clear();
        (stage, state)
    }

    fn arguments(&self) -> Vec<&'static str> {
        let of = |argument: &&'static str| if *argument == "{bucket}" { self.cloud.bucket } else { argument };
        self.crossing.arguments.iter().map(of).collect()
    }

    /// Every request of a run that nobody crosses.
    fn points(&self) -> Vec<Point> {
        let (stage, _state) = self.stage();
        self.cloud.succeed(&stage, &self.arguments());
        let asked = stage.calls();
        let point = |(place, record): (usize, &Record)| Point {
            operation: record.operation.clone(),
            nth: asked[..=place].iter().filter(|other| other.operation == record.operation).count(),
            write: record.write,
        };
        asked.iter().enumerate().map(point).collect()
    }

    fn pause_at(&self, point: &Point) -> Ended {
        let (stage, _state) = self.stage();
        let stage = Arc::new(stage);
        let (other, cloud, meanwhile) = (Arc::downgrade(&stage), self.cloud, self.crossing.meanwhile);
        let acted = Arc::new(Mutex::new(None::<Result<Value, String>>));
        let acting = Arc::clone(&acted);
        let with_others = self.crossing.with_others;
        stage.hook(&point.operation, point.nth, When::Before, move |hand| {
            let Some(stage) = other.upgrade() else { return };
            let act = || {
                stage.hastened(|| meanwhile(cloud, &stage));
                if with_others { (cloud.others)(hand) } else { Value::Null }
            };
            let result = caught(act);
            *acting.lock().unwrap() = Some(result);
        });
        let ran = stage.hastened(|| self.cloud.run(&stage, &self.arguments()));
        stage.faults().clear();
        let others = match acted.lock().unwrap().take() {
            Some(Ok(others)) => others,
            Some(Err(reason)) => return Ended::Lost(format!("the other one could not act: {reason}")),
            // A request that is only sent now and then, as polls are.
            None => return Ended::Held,
        };
        let result = caught(|| {
            assert!(self.crossing.codes.contains(&ran.code), "exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
            stage.hastened(|| (self.crossing.afterwards)(self.cloud, &stage, &others));
        });
        let beside = self.crossing.beside.contains(&point.operation.as_str());
        let window = (self.crossing.windows && point.write) || beside;
        match result {
            Ok(()) => Ended::Held,
            Err(_) if window => Ended::Window,
            Err(reason) => Ended::Lost(format!("{reason}\nthe run: exit {}\n{}", ran.code, ran.stderr)),
        }
    }

    fn pause_everywhere(&self) {
        let every = if std::env::var_os("PROVISION_EVERY_PAUSE").is_some() { 1 } else { SHORT };
        let mut points = self.points();
        // Requests that go at once come in any order; those of the short form are always the same.
        points.sort_by(|one, other| (&one.operation, one.nth).cmp(&(&other.operation, other.nth)));
        let points: Vec<_> = points.into_iter().step_by(every).collect();
        let (next, windows, lost) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.pause_at(point) {
                            Ended::Held => {}
                            Ended::Window => windows.lock().unwrap().push(point.operation.clone()),
                            Ended::Lost(reason) => lost.lock().unwrap().push((point, reason)),
                        }
                    }
                });
            }
        });
        let windows = windows.into_inner().unwrap();
        println!(
            "{}: {} pauses, {} of them in a window: {}",
            self.cloud.name,
            points.len(),
            windows.len(),
            windows.join(", ")
        );
        let lost = lost.into_inner().unwrap();
        let text = |(point, reason): &(&Point, String)| format!("\n== {} {}\n{reason}", point.operation, point.nth);
        assert!(
            lost.is_empty(),
            "{} of {} lost:{}",
            lost.len(),
            points.len(),
            lost.iter().map(text).collect::<String>()
        );
    }
}

fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Each crossing as a test of its own on every cloud.
macro_rules! crossings {
    ($($case:ident: $crossing:ident,)*) => {
        crossings!(aws, AWS; $($case: $crossing,)*);
        crossings!(gcp, GCP; $($case: $crossing,)*);
        crossings!(azure, AZURE; $($case: $crossing,)*);
    };
    ($module:ident, $cloud:ident; $($case:ident: $crossing:ident,)*) => {
        mod $module {
            $(#[test]
            fn $case() {
                super::Crossed::prepared(&super::$cloud, &super::$crossing).pause_everywhere();
            })*
        }
    };
}

crossings! {
    apply_crossed_by_the_same_apply_and_a_third_party: APPLY_WITH_STRANGERS,
    adopting_crossed_by_a_third_party: ADOPT_WITH_STRANGERS,
    apply_crossed_by_the_same_apply: APPLY_WITH_APPLY,
    destroy_crossed_by_an_apply: DESTROY_WITH_APPLY,
    destroy_crossed_by_the_same_destroy: DESTROY_WITH_DESTROY,
    destroy_crossed_by_another_deployment: DESTROY_OF_WHAT_IS_ANOTHERS,
    delete_data_crossed_by_another_deployment: DELETE_DATA_OF_WHAT_IS_ANOTHERS,
    apply_crossed_by_another_deployment: APPLY_WITH_ANOTHER_DEPLOYMENT,
}

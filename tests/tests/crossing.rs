//! A run is paused at each single one of its requests, reads too, while somebody else acts: the same plan file in another
//! hand, another deployment that takes the same names, a third party that puts its own things beside ours. Then it goes on.
//!
//! Every pause is a world of its own, begun from a copy of one prepared state. All that does not wait for the paused request
//! goes on first, so that a pause means one moment. The exit code and what must hold afterwards are judged at every one. Where a
//! run is paused at a write, the read before it is past: without a precondition at the service nothing can be done there, and
//! [`WINDOWS`] says what may be lost at which request; anything else that is lost fails. How many pauses fell into a window is
//! printed with what was lost. A short form runs by default; `PROVISION_EVERY_PAUSE=1` tries them all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provision_sandbox::fault::When;
use provision_sandbox::record::Record;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

/// Of so many pauses one is tried in the short form.
const SHORT: usize = 6;
/// Worlds at the same time: a run mostly waits.
const AT_ONCE: usize = 4;
/// A run from which nothing came for so long waits for the request that is paused.
const QUIET: Duration = Duration::from_millis(600);
/// Tags that were read beside other writes are good for a second: a pause lasts longer.
const PAUSE: Duration = Duration::from_millis(1200);

/// What crosses what.
struct Crossing {
    /// Makes the world before the run.
    prepare: fn(&CloudFixture, &Stage),
    /// The command that is paused, after the cloud's name.
    arguments: &'static [&'static str],
    /// What somebody else does meanwhile.
    meanwhile: fn(&CloudFixture, &Stage),
    /// How the run may end, wherever it is paused.
    codes: &'static [i32],
    /// What others have, an object: looked at when they have acted, and when the run has ended.
    theirs: fn(&CloudFixture, &Stage) -> Value,
    /// What must hold once both are done, given what others have then.
    afterwards: fn(&CloudFixture, &Stage, &Value),
}

const APPLY: &[&str] = &["apply", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes"];

/// What may be lost of others' things, by the beginning of its name in what a crossing looks at, at which request.
#[rustfmt::skip]
const WINDOWS: &[(&str, &[&str])] = &[
    // Resource Manager has no precondition: its PUT and PATCH replace, and it deletes what has the name by then.
    ("arm:blobServices.put", &["rules", "service"]),
    ("arm:containers.delete", &["azure.container"]),
    ("arm:containers.patch", &["metadata"]),
    ("arm:containers.put", &["metadata"]),
    ("arm:queues.delete", &["azure.access roles", "azure.queue"]),
    ("arm:queues.patch", &["metadata"]),
    ("arm:queues.put", &["metadata"]),
    ("arm:resourceGroups.delete", &["azure."]),
    ("arm:resourceGroups.patch", &["tags"]),
    ("arm:resourceGroups.put", &["tags", "azure.resource_group mark"]),
    ("arm:storageAccounts.delete", &["azure."]),
    ("arm:storageAccounts.patch", &["tags"]),
    ("arm:storageAccounts.put", &["tags"]),
    // Two deployments of one server account have the same grants: between the look at who relies on them and their removal.
    ("arm:containers.list", &["azure.access"]),
    ("arm:queues.list", &["azure.access"]),
    ("arm:roleAssignments.delete", &["azure.access roles"]),
    ("arm:roleAssignments.list", &["azure.access"]),
    ("iam:GetIamPolicy", &["gcp.access account_grants"]),
    ("pubsub:DeleteSubscription", &["gcp.subscription"]),
    ("pubsub:DeleteTopic", &["gcp.topic", "gcp.subscription topic"]),
    ("pubsub:UpdateSubscription", &["labels"]),
    ("pubsub:UpdateTopic", &["labels"]),
    ("s3:PutBucketCors", &["rules"]),
    ("s3:PutBucketNotificationConfiguration", &["bridge", "functions", "queues", "topics"]),
    ("s3:PutBucketPolicy", &["statements"]),
    ("s3:PutBucketTagging", &["tags"]),
    ("sqs:DeleteQueue", &["aws.queue", "aws.run_queue"]),
    ("sqs:SetQueueAttributes", &["of_queue"]),
    ("storage.json:buckets.getIamPolicy", &["gcp.access bucket_grants"]),
    ("storage.json:buckets.list", &["gcp.access account_grants"]),
    ("storage.json:buckets.setIamPolicy", &["gcp.access bucket_grants"]),
];

/// What their object is in: on Azure nothing can come between the last look and the deletion of these, and only there.
const DATA_IN: &[&str] = &["azure.container", "azure.account", "azure.account location"];

/// The same plan file in another hand, and then a third party: everything of theirs is there afterwards.
static APPLY_WITH_STRANGERS: Crossing = Crossing {
    prepare: |_, _| {},
    arguments: APPLY,
    meanwhile: |cloud, stage| {
        cloud.succeed(stage, APPLY);
        (cloud.foreign.put)(&stage.hand());
    },
    codes: &[0, 3],
    theirs: |cloud, stage| entries((cloud.foreign.all)(&stage.hand())),
    afterwards: |cloud, stage, others| {
        cloud.apply(stage);
        assert_eq!(entries((cloud.foreign.all)(&stage.hand())), *others);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    },
};

/// A third party alone, while what others made is taken over.
static ADOPT_WITH_STRANGERS: Crossing = Crossing {
    prepare: |cloud, stage| {
        (cloud.foreign.unmarked)(&stage.hand());
        cloud.change(stage, cloud.plans.adopting);
    },
    arguments: APPLY,
    meanwhile: |cloud, stage| (cloud.foreign.put)(&stage.hand()),
    codes: &[0, 3],
    theirs: |cloud, stage| (cloud.foreign.all)(&stage.hand()),
    afterwards: |cloud, stage, others| {
        cloud.apply(stage);
        assert_eq!((cloud.foreign.all)(&stage.hand()), *others);
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.foreign.all)(&stage.hand()), *others);
    },
};

/// Two applies of one plan file: one set of resources.
static APPLY_WITH_APPLY: Crossing = Crossing {
    prepare: |_, _| {},
    arguments: APPLY,
    meanwhile: |cloud, stage| drop(cloud.succeed(stage, APPLY)),
    codes: &[0, 3],
    theirs: |_, _| json!({}),
    afterwards: |cloud, stage, _| {
        cloud.apply(stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.is_in_sync(stage);
    },
};

/// A destroy, and an apply in another hand: whoever came last, the same commands make it whole and take it down.
static DESTROY_WITH_APPLY: Crossing = Crossing {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: DESTROY,
    meanwhile: |cloud, stage| {
        cloud.change(stage, cloud.plans.update);
        let ran = cloud.run(stage, APPLY);
        assert!([0, 3].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
    },
    codes: &[0, 3, 6],
    theirs: |_, _| json!({}),
    afterwards: |cloud, stage, _| {
        cloud.change(stage, &[]);
        cloud.apply(stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    },
};

/// Two destroys.
static DESTROY_WITH_DESTROY: Crossing = Crossing {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: DESTROY,
    meanwhile: |cloud, stage| drop(cloud.succeed(stage, DESTROY)),
    codes: &[0, 3],
    theirs: |_, _| json!({}),
    afterwards: |cloud, stage, _| {
        cloud.succeed(stage, DESTROY);
        assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    },
};

/// Our deployment is destroyed by a colleague and another one takes its names and fills them: nothing of it is touched.
const fn taken_over(arguments: &'static [&'static str], prepare: fn(&CloudFixture, &Stage)) -> Crossing {
    Crossing {
        prepare,
        arguments,
        meanwhile: |cloud, stage| {
            cloud.succeed(stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
            stage.write("other.toml", &other(cloud, stage));
            cloud.succeed(stage, &["apply", "other.toml", "--yes"]);
            (cloud.upload)(&stage.hand(), "theirs.txt");
        },
        codes: &[0, 3, 6],
        theirs: of_the_other_deployment,
        afterwards: |cloud, stage, lacking| {
            if DATA_IN.iter().any(|address| lacking.get(address).is_some()) {
                return;
            }
            let destroy = cloud.run(stage, &["destroy", "other.toml", "--yes"]);
            assert_eq!(destroy.code, 6, "their object is gone: {}{}", destroy.stdout, destroy.stderr);
        },
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
    codes: &[0, 3, 5, 6],
    theirs: |cloud, stage| {
        let whole = stage.read_if_there("ended") == "whole";
        if whole { of_the_other_deployment(cloud, stage) } else { json!({}) }
    },
    afterwards: |cloud, stage, _| {
        if stage.read_if_there("ended") == "whole" {
            let ours = cloud.run(stage, &["plan"]);
            assert_eq!(ours.code, 6, "{}{}", ours.stdout, ours.stderr);
        }
    },
};

/// What others have, but for the values for everybody, which on a bucket of our own are ours.
pub(crate) fn entries(mut others: Value) -> Value {
    for values in ["bucket", "account", "service", "encryption", "versioning"] {
        others.as_object_mut().map(|others| others.remove(values));
    }
    others
}

fn other(cloud: &CloudFixture, stage: &Stage) -> String {
    stage.read("provision.toml").replace("name = \"wandb-prod\"", &format!("name = \"wandb-other-{}\"", cloud.name))
}

/// What the other deployment lacks, as its drift tells.
fn of_the_other_deployment(cloud: &CloudFixture, stage: &Stage) -> Value {
    let drift = cloud.run(stage, &["drift", "other.toml", "--json"]);
    assert!([0, 2, 6].contains(&drift.code), "exit {}\n{}{}", drift.code, drift.stdout, drift.stderr);
    let found: Value = serde_json::from_str(&drift.stdout).unwrap();
    let changes = found["deployments"][0]["change_set"]["changes"].as_array().unwrap().iter();
    changes.flat_map(lacking).map(|what| (what, json!("lacking"))).collect::<serde_json::Map<_, _>>().into()
}

/// The name of a resource that is gone, of its mark, or of each facet that differs.
fn lacking(change: &Value) -> Vec<String> {
    let address = change["address"].as_str().unwrap();
    if !change["refusal"].is_null() {
        return vec![format!("{address} mark")];
    }
    if change["missing"] == true {
        return vec![address.to_owned()];
    }
    let facets = change["facets"].as_array().unwrap().iter();
    let differ = facets.filter(|facet| facet["finding"] != "in_sync");
    differ.map(|facet| format!("{address} {}", facet["facet"].as_str().unwrap())).collect()
}

/// A request of a run that nobody crosses.
struct Point {
    operation: String,
    /// How many of its kind it is.
    nth: usize,
}

impl Point {
    /// What may be lost here.
    fn window(&self) -> &'static [&'static str] {
        WINDOWS.iter().find(|(operation, _)| *operation == self.operation).map_or(&[], |(_, lost)| *lost)
    }
}

/// How one pause ended.
enum Verdict {
    Held,
    /// Something was lost, as [`WINDOWS`] says.
    Window(String),
    Failed(String),
}

struct Crossed {
    cloud: &'static CloudFixture,
    crossing: &'static Crossing,
    state: tempfile::TempDir,
    plan_file: String,
}

impl Crossed {
    fn prepared(cloud: &'static CloudFixture, crossing: &'static Crossing) -> Self {
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
        };
        asked.iter().enumerate().map(point).collect()
    }

    fn pause_at(&self, point: &Point) -> Verdict {
        let (stage, _state) = self.stage();
        let stage = Arc::new(stage);
        let acted = self.act_at(point, &stage);
        let ran = stage.hastened(|| self.cloud.run(&stage, &self.arguments()));
        stage.faults().clear();
        let others = match acted.lock().unwrap().take() {
            Some(Ok(others)) => others,
            Some(Err(reason)) => return Verdict::Failed(format!("the other one could not act: {reason}")),
            // A request that is only sent now and then, as polls are.
            None => return Verdict::Held,
        };
        let judged = caught(|| {
            assert!(self.crossing.codes.contains(&ran.code), "exit {}", ran.code);
            let left = stage.hastened(|| (self.crossing.theirs)(self.cloud, &stage));
            let lost = differing(&others, &left);
            let allowed = lost.iter().all(|name| point.window().iter().any(|allowed| name.starts_with(allowed)));
            let show = |name: &String| format!("{name}: before {}, after {}\n", others[name], left[name]);
            assert!(allowed, "lost of others:\n{}", lost.iter().map(show).collect::<String>());
            stage.hastened(|| (self.crossing.afterwards)(self.cloud, &stage, &left));
            lost
        });
        match judged {
            Ok(lost) if lost.is_empty() => Verdict::Held,
            Ok(lost) => {
                Verdict::Window(format!("{} ({})", point.operation, lost.into_iter().collect::<Vec<_>>().join(", ")))
            }
            Err(reason) => Verdict::Failed(format!("{reason}\nthe run: exit {}\n{}", ran.code, ran.stderr)),
        }
    }

    /// Let others act at a request; gives what they have right after it, once they did.
    fn act_at(&self, point: &Point, stage: &Arc<Stage>) -> Arc<Mutex<Option<Result<Value, String>>>> {
        let (other, cloud, crossing) = (Arc::downgrade(stage), self.cloud, self.crossing);
        let acted = Arc::new(Mutex::new(None));
        let acting = Arc::clone(&acted);
        stage.hook(&point.operation, point.nth, When::Before, move |_| {
            let Some(stage) = other.upgrade() else { return };
            let begun = Instant::now();
            let result = caught(|| {
                until_quiet(&stage);
                stage.hastened(|| (crossing.meanwhile)(cloud, &stage));
                (crossing.theirs)(cloud, &stage)
            });
            std::thread::sleep(PAUSE.saturating_sub(begun.elapsed()));
            *acting.lock().unwrap() = Some(result);
        });
        acted
    }

    fn pause_everywhere(&self) {
        let every = if std::env::var_os("PROVISION_EVERY_PAUSE").is_some() { 1 } else { SHORT };
        let mut points = self.points();
        // Requests that go at once come in any order; those of the short form are always the same.
        points.sort_by(|left, right| (&left.operation, left.nth).cmp(&(&right.operation, right.nth)));
        let points: Vec<_> = points.into_iter().step_by(every).collect();
        let (next, windows, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.pause_at(point) {
                            Verdict::Held => {}
                            Verdict::Window(lost) => windows.lock().unwrap().push(lost),
                            Verdict::Failed(reason) => failed.lock().unwrap().push((point, reason)),
                        }
                    }
                });
            }
        });
        let (windows, failed) = (windows.into_inner().unwrap(), failed.into_inner().unwrap());
        let (cloud, pauses) = (self.cloud.name, points.len());
        println!("{cloud}: {pauses} pauses, {} of them in a window: {}", windows.len(), windows.join(", "));
        let text = |(point, reason): &(&Point, String)| format!("\n== {} {}\n{reason}", point.operation, point.nth);
        let texts: String = failed.iter().map(text).collect();
        assert!(failed.is_empty(), "{} of {pauses} failed:{texts}", failed.len());
    }
}

/// Wait until a run asks for nothing more, but for what is paused. One that is kept from its processor by others is not quiet.
fn until_quiet(stage: &Stage) {
    let mut asked = None;
    loop {
        let now = stage.calls().len();
        if asked == Some(now) && !works(stage) {
            return;
        }
        asked = Some(now);
        std::thread::sleep(QUIET);
    }
}

/// Whether a thread of a run in the stage's folder has a processor, or waits for one; unknown where there is no `/proc`.
fn works(stage: &Stage) -> bool {
    let folders = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_run = |process: &PathBuf| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == stage.path());
    let threads = folders(Path::new("/proc")).filter(is_run).flat_map(|process| folders(&process.join("task")));
    // The state stands behind the name, which is in brackets.
    let runs = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['R', 'D']));
    threads.filter_map(|thread| std::fs::read_to_string(thread.join("stat")).ok()).any(runs)
}

/// The names under which two objects differ.
fn differing(one: &Value, other: &Value) -> BTreeSet<String> {
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let all = names(one).into_iter().chain(names(other));
    all.filter(|name| one.get(name) != other.get(name)).collect()
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

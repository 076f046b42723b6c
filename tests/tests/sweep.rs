//! Crash sweep and fault sweep: a run is killed before and after every single write, and every write fails in every way;
//! then the same command is run again, and nothing may be lost, doubled, unmarked or left behind.
//!
//! The points are all the writes of a run without a fault: their number is printed and every one is tried.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provision_sandbox::aws::answers::s3;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::backend::Backend;
use provision_tests::rig::{Rig, finished};

use crate::lifecycle::{PLAN, apply, planned};
use crate::sharing::{MADE, THEIRS, adopting};

cases! {
    apply_killed_at_every_write,
    apply_failing_at_every_write,
    update_killed_at_every_write,
    update_failing_at_every_write,
    adopt_killed_at_every_write,
    adopt_failing_at_every_write,
    rename_killed_at_every_write,
    rename_failing_at_every_write,
    destroy_killed_at_every_write,
    destroy_failing_at_every_write,
    release_killed_at_every_write,
    release_failing_at_every_write,
    delete_data_killed_at_every_write,
    delete_data_failing_at_every_write,
}

fn apply_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &APPLY);
}

fn apply_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &APPLY);
}

fn update_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &UPDATE);
}

fn update_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &UPDATE);
}

fn adopt_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &ADOPT);
}

fn adopt_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &ADOPT);
}

fn rename_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &RENAME);
}

fn rename_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &RENAME);
}

fn destroy_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &DESTROY);
}

fn destroy_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &DESTROY);
}

fn release_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &RELEASE);
}

fn release_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &RELEASE);
}

fn delete_data_killed_at_every_write(backend: Backend) {
    kill_at_every_write(backend, &DELETE_DATA);
}

fn delete_data_failing_at_every_write(backend: Backend) {
    fail_at_every_write(backend, &DELETE_DATA);
}

/// A run that is disturbed.
struct Scenario {
    /// Makes the world before the run; gives what others have in it, to be compared afterwards.
    prepare: fn(&Rig) -> String,
    /// The command; `{s}` stands for the suffix.
    arguments: &'static [&'static str],
    /// Looks at the world after the command was run again without a fault.
    check: fn(&Rig, &str),
}

const APPLIED: &str = "
b = 'acme-{s}'
print(len(s3.get_bucket_cors(Bucket=b)['CORSRules']), len(json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement']),
  len(s3.get_bucket_notification_configuration(Bucket=b)['QueueConfigurations']), len(iam.list_role_policies(RoleName='node')['PolicyNames']),
  sorted(u.rsplit('/')[-1][len(b):] for u in sqs.list_queues()['QueueUrls']),
  all('provision-spec' in sqs.list_queue_tags(QueueUrl=u)['Tags'] for u in sqs.list_queues()['QueueUrls']))";

fn is_applied_once(rig: &Rig, _: &str) {
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);
    assert!(!plan.stdout.contains("orphan"), "{}", plan.stdout);
    assert_eq!(rig.boto3(APPLIED), "1 1 1 1 ['-events', '-runs'] True");
}

fn nothing_is_left(rig: &Rig, _: &str) {
    let left = rig.boto3(
        "print([b['Name'] for b in s3.list_buckets()['Buckets'] if b['Name'] == 'acme-{s}'], sqs.list_queues().get('QueueUrls', []),
  iam.list_role_policies(RoleName='node')['PolicyNames'])",
    );
    assert_eq!(left, "[] [] []");
}

const APPLY: Scenario =
    Scenario { prepare: |_| String::new(), arguments: &["aws", "apply", "--yes"], check: is_applied_once };

const UPDATE: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        let changed = PLAN
            .replace("wandb.example.com", "moved.example.com")
            .replace("[aws.queue]", "versioning = true\n[aws.queue]")
            .replace("[aws.run_queue]", "visibility_timeout_s = 99\nsenders = \"anyone\"\n[aws.run_queue]")
            .replace("role = \"node\"", "role = \"node\"\ngrant = \"all\"");
        rig.write("provision.toml", &changed);
        String::new()
    },
    arguments: &["aws", "apply", "--yes"],
    check: is_applied_once,
};

const RENAME: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        let renamed = PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\"\nwas = \"wandb-{s}\"");
        rig.write("provision.toml", &renamed);
        String::new()
    },
    arguments: &["aws", "apply", "--yes"],
    check: |rig, others| {
        is_applied_once(rig, others);
        rig.write("provision.toml", &PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\""));
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "its former name is not needed any more");
    },
};

const ADOPT: Scenario = Scenario {
    prepare: |rig| {
        rig.write("provision.toml", &adopting());
        rig.boto3(&format!("{THEIRS}{MADE}"))
    },
    arguments: &["aws", "apply", "--yes"],
    check: |rig, others| {
        assert!(rig.run(&["aws", "plan"]).stdout.contains("No changes."));
        assert_eq!(rig.boto3(&format!("{THEIRS}snapshot()")), others);
    },
};

const RELEASE: Scenario = Scenario {
    prepare: |rig| {
        let others = (ADOPT.prepare)(rig);
        apply(rig);
        others
    },
    arguments: &["aws", "destroy", "--yes"],
    check: |rig, others| {
        assert_eq!(rig.boto3(&format!("{THEIRS}snapshot()")), others);
        let left = "print('provision' in str(s3.get_bucket_tagging(Bucket='acme-{s}')['TagSet']).lower(), len(s3.get_bucket_cors(Bucket='acme-{s}')['CORSRules']))";
        assert_eq!(rig.boto3(left), "False 1");
    },
};

const DESTROY: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        String::new()
    },
    arguments: &["aws", "destroy", "--yes"],
    check: nothing_is_left,
};

const DELETE_DATA: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        rig.boto3(
            "b = 'acme-{s}'; s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})
for k in ['a', 'b', 'a']: s3.put_object(Bucket=b, Key=k, Body=b'')
s3.delete_object(Bucket=b, Key='a'); s3.create_multipart_upload(Bucket=b, Key='open')",
        );
        String::new()
    },
    arguments: &["aws", "destroy", "--yes", "--delete-data", "acme-{s}"],
    check: nothing_is_left,
};

impl Scenario {
    fn arguments(&self, rig: &Rig) -> Vec<String> {
        self.arguments.iter().map(|argument| argument.replace("{s}", &rig.suffix)).collect()
    }

    fn run(&self, rig: &Rig) -> provision_tests::rig::Ran {
        rig.run(&self.arguments(rig).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn prepared(&self, backend: Backend) -> (Rig, String) {
        let rig = planned(backend);
        let others = (self.prepare)(&rig);
        rig.proxy.clear();
        (rig, others)
    }

    /// The writes of a run without a fault, each with how many of its kind came before it.
    fn points(&self, backend: Backend) -> Vec<(String, usize)> {
        let (rig, others) = self.prepared(backend);
        let ran = self.run(&rig);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let writes = rig.proxy.writes();
        (self.check)(&rig, &others);
        let nth = |(place, operation): (usize, &String)| {
            (operation.clone(), writes[..=place].iter().filter(|other| *other == operation).count())
        };
        writes.iter().enumerate().map(nth).collect()
    }

    /// Run again without a fault, and look at everything.
    fn recovers(&self, rig: &Rig, others: &str, point: &str) {
        rig.proxy.clear();
        let again = self.run(rig);
        assert_eq!(again.code, 0, "the run after {point}:\n{}{}", again.stdout, again.stderr);
        (self.check)(rig, others);
    }
}

fn kill_at_every_write(backend: Backend, scenario: &Scenario) {
    let points = scenario.points(backend);
    println!("{} writes, killed before and after each: {} runs", points.len(), 2 * points.len());
    assert!(!points.is_empty());
    for (operation, nth) in &points {
        for at in [When::Before, When::After] {
            let (rig, others) = scenario.prepared(backend);
            let killed = kill_at(scenario, &rig, operation, *nth, at);
            assert!(killed, "{operation} {nth} never came");
            scenario.recovers(&rig, &others, &format!("being killed {at:?} {operation} {nth}"));
        }
    }
}

/// Run the command, and kill it at one call; the call has its effect only if it is killed after it.
fn kill_at(scenario: &Scenario, rig: &Rig, operation: &str, nth: usize, at: When) -> bool {
    let process = Arc::new(Mutex::new(None::<u32>));
    let victim = Arc::clone(&process);
    rig.proxy.hook_at(operation, nth, at, move || {
        let pid = loop {
            match *victim.lock().unwrap() {
                Some(pid) => break pid,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    });
    if at == When::Before {
        rig.proxy.fault(Fault { operation: operation.to_owned(), nth: Nth::Number(nth), at, what: What::Drop });
    }
    let started = Instant::now();
    let child = rig.start(&scenario.arguments(rig).iter().map(String::as_str).collect::<Vec<_>>(), |_| {});
    *process.lock().unwrap() = Some(child.id());
    finished(child, started).code == -1
}

/// Every way in which a call fails. A time-out is tried once, since it takes its time.
fn ways() -> Vec<(When, What)> {
    let internal = || s3(500, "InternalError", "We encountered an internal error. Please try again.");
    let denied = || s3(403, "AccessDenied", "not authorized to perform this action");
    vec![
        (When::Before, internal()),
        (When::After, internal()),
        (When::Before, denied()),
        (When::Before, What::Drop),
        (When::After, What::Drop),
        (When::Before, What::Throttle),
        (When::Before, What::Conflict),
    ]
}

fn fail_at_every_write(backend: Backend, scenario: &Scenario) {
    let points = scenario.points(backend);
    let ways = ways();
    println!("{} writes, each failing in {} ways: {} runs", points.len(), ways.len(), ways.len() * points.len());
    for (operation, nth) in &points {
        for (at, what) in &ways {
            let (rig, others) = scenario.prepared(backend);
            let fault = Fault { operation: operation.clone(), nth: Nth::Number(*nth), at: *at, what: what.clone() };
            rig.proxy.fault(fault);
            let ran = scenario.run(&rig);
            let point = format!("{operation} {nth} failing {at:?} with {what:?}");
            assert!(ran.elapsed < Duration::from_secs(60), "{point} took {:?}", ran.elapsed);
            let passing = !matches!(what, What::Answer { status: 403, .. });
            // What passes is repeated within the run; what does not is final at once and names its call.
            assert!([0, 1, 3, 5].contains(&ran.code), "{point}: {}{}", ran.stdout, ran.stderr);
            assert!(!passing || ran.code == 0 || ran.code == 3, "{point}: {}{}", ran.stdout, ran.stderr);
            assert!(passing || ran.stderr.contains(operation.as_str()), "{point}: {}", ran.stderr);
            scenario.recovers(&rig, &others, &point);
        }
    }
}

//! Two people, or two jobs, at the same time.

use std::time::{Duration, Instant};

use provision_tests::backend::Backend;
use provision_tests::rig::{Ran, Rig, finished};

use crate::lifecycle::{PLAN, applied, apply, planned};

cases! {
    two_applies_of_one_plan_file_converge_to_one_set_of_resources,
    two_applies_of_different_plan_files_are_told_or_mended,
    apply_against_destroy_leaves_nothing_unmarked,
    two_destroys_at_once_leave_nothing,
}

/// Run two commands at the same time, the second a little later.
fn at_once(rig: &Rig, commands: [&[&str]; 2], later: Duration) -> [Ran; 2] {
    rig.proxy.set_latency(Duration::from_millis(40));
    let started = Instant::now();
    let first = rig.start(commands[0], |_| {});
    std::thread::sleep(later);
    let second = rig.start(commands[1], |_| {});
    let ran = [finished(first, started), finished(second, started)];
    rig.proxy.set_latency(Duration::ZERO);
    ran
}

/// How many entries there are of each kind, and whether everything carries a mark.
const ENTRIES: &str = "
b = 'acme-{s}'; us = sqs.list_queues().get('QueueUrls', [])
print(len(s3.get_bucket_cors(Bucket=b)['CORSRules']), len(json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement']),
  len(s3.get_bucket_notification_configuration(Bucket=b)['QueueConfigurations']), len(iam.list_role_policies(RoleName='node')['PolicyNames']),
  len(us), all('provision-spec' in sqs.list_queue_tags(QueueUrl=u)['Tags'] for u in us))";

fn two_applies_of_one_plan_file_converge_to_one_set_of_resources(backend: Backend) {
    for later in [0, 60, 150] {
        let rig = planned(backend);
        let command: &[&str] = &["aws", "apply", "--yes"];
        for ran in at_once(&rig, [command, command], Duration::from_millis(later)) {
            assert!([0, 3, 5].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
        }
        apply(&rig);
        assert_eq!(rig.run(&["aws", "drift"]).code, 0);
        assert_eq!(rig.boto3(ENTRIES), "1 1 1 1 2 True");
    }
}

fn two_applies_of_different_plan_files_are_told_or_mended(backend: Backend) {
    for later in [0, 60, 150] {
        let rig = applied(backend);
        let edited = |age: &str| PLAN.replace("[aws.queue]", &format!("cors = {{ max_age_s = {age} }}\n[aws.queue]"));
        rig.write("one.toml", &edited("111").replace("[aws.run_queue]", "visibility_timeout_s = 111\n[aws.run_queue]"));
        rig.write("two.toml", &edited("222").replace("[aws.run_queue]", "visibility_timeout_s = 222\n[aws.run_queue]"));
        let ran = at_once(
            &rig,
            [&["aws", "apply", "one.toml", "--yes"], &["aws", "apply", "two.toml", "--yes"]],
            Duration::from_millis(later),
        );
        let told = ran.iter().any(|ran| ran.code != 0);
        let crossed = rig.run(&["aws", "plan", "one.toml", "--detailed-exitcode"]).code == 2;
        assert!(told || crossed, "neither side was told, and the next plan shows nothing: {ran:?}");
        let mended = rig.run(&["aws", "apply", "one.toml", "--yes"]);
        assert_eq!(mended.code, 0, "{}{}", mended.stdout, mended.stderr);
        assert_eq!(rig.run(&["aws", "drift", "one.toml"]).code, 0);
        assert_eq!(rig.boto3(ENTRIES), "1 1 1 1 2 True");
    }
}

fn apply_against_destroy_leaves_nothing_unmarked(backend: Backend) {
    // A queue's name is free again a minute after its deletion, which the apply waits for: once is enough.
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("[aws.queue]", "versioning = true\n[aws.queue]"));
    let _ = at_once(&rig, [&["aws", "destroy", "--yes"], &["aws", "apply", "--yes"]], Duration::from_millis(80));
    // Whoever came last: the deployment can be made whole, and taken down, by the same commands.
    apply(&rig);
    assert_eq!(rig.boto3(ENTRIES), "1 1 1 1 2 True");
    assert_eq!(rig.run(&["aws", "destroy", "--yes"]).code, 0);
    assert_eq!(rig.boto3("print(sqs.list_queues().get('QueueUrls', []))"), "[]");
}

fn two_destroys_at_once_leave_nothing(backend: Backend) {
    let rig = applied(backend);
    let command: &[&str] = &["aws", "destroy", "--yes"];
    for ran in at_once(&rig, [command, command], Duration::from_millis(30)) {
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(
        rig.boto3(
            "print(sqs.list_queues().get('QueueUrls', []), iam.list_role_policies(RoleName='node')['PolicyNames'])"
        ),
        "[] []"
    );
}

//! Saved change sets.

use crate::lifecycle::{PLAN, planned};
use provision_tests::backend::Backend;

cases! {
    saved_change_set_is_applied_without_its_plan_file,
    saved_change_set_is_stale_after_any_change,
    saved_change_set_of_another_account_or_plan_file_is_refused,
}

fn saved_change_set_is_applied_without_its_plan_file(backend: Backend) {
    let rig = planned(backend);
    assert_eq!(rig.run(&["aws", "plan", "--out", "set.json"]).code, 0);
    let shown = rig.run_with(&["show", "set.json"], |command| {
        command.env_remove("AWS_ACCESS_KEY_ID");
    });
    assert!(shown.code == 0 && shown.stdout.contains("+ create bucket"), "{}", shown.stderr);
    rig.write("moved.toml", &rig.read("provision.toml"));
    rig.write("provision.toml", PLAN);
    let ran = rig.run(&["aws", "apply", "set.json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(rig.run(&["aws", "drift", "moved.toml"]).code, 0);
}

fn saved_change_set_is_stale_after_any_change(backend: Backend) {
    let rig = planned(backend);
    let _ = rig.run(&["aws", "plan", "--out", "set.json"]);
    rig.boto3("sqs.create_queue(QueueName='acme-{s}-events')");
    let ran = rig.run(&["aws", "apply", "set.json"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("acme-"), "{}", ran.stderr);
    assert!(rig.proxy.writes().is_empty());
}

fn saved_change_set_of_another_account_or_plan_file_is_refused(backend: Backend) {
    let rig = planned(backend);
    let _ = rig.run(&["aws", "plan", "--out", "set.json"]);
    let other = rig.run_with(&["aws", "apply", "set.json"], |command| {
        command.env("AWS_ACCESS_KEY_ID", "999999999999");
    });
    assert!(other.code == 3 && other.stderr.contains("999999999999"), "{}", other.stderr);
    rig.write("provision.toml", &PLAN.replace("wandb.example.com", "other.example.com"));
    let other = rig.run(&["aws", "apply", "set.json"]);
    assert!(other.code == 3 && other.stderr.contains("says something else now"), "{}", other.stderr);
    rig.write("set.json", "{\"format\": 2}");
    assert_eq!(rig.run(&["aws", "apply", "set.json"]).code, 3);
}

//! Saved change sets.

use serde_json::Value;

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        saved_change_set_is_applied_without_its_plan_file,
        saved_change_set_is_stale_after_any_change,
    ],
    sandboxes: [
        saved_change_set_is_applied_in_the_sandbox_of_the_command = "The command's own sandbox is meant.",
        saved_change_set_of_another_version_is_refused = "Nothing is asked of a server.",
        saved_change_set_holds_no_secret = "What a file holds does not depend on who was asked.",
        plan_file_is_not_written_over = "Nothing is asked of a server.",
    ],
}

fn saved_change_set_is_applied_without_its_plan_file(cloud: &Place) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    let shown = stage.run(&["show", "set.json"]);
    assert!(shown.code == 0 && shown.stdout.contains("+ create"), "{}{}", shown.stdout, shown.stderr);
    let plan_file = stage.read("provision.toml");
    std::fs::remove_file(stage.path().join("provision.toml")).unwrap();
    cloud.succeed(&stage, &["apply", "set.json"]);
    stage.write("provision.toml", &plan_file);
    cloud.is_in_sync(&stage);
}

fn saved_change_set_is_applied_in_the_sandbox_of_the_command(cloud: &Place) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--sandbox", "--out", "set.json"]);
    cloud.succeed(&stage, &["apply", "set.json", "--sandbox"]);
    assert_eq!(cloud.succeed(&stage, &["drift", "--sandbox"]), "wandb-prod: in sync\n");
    let real = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(real.contains("sandbox"), "{real}");
    wrote_nothing(&stage);
}

fn saved_change_set_is_stale_after_any_change(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.update);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    cloud.edit(&stage, cloud.edits.facets[0].make);
    cloud.ends(&stage, 3, &["apply", "set.json"]);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    stage.write("provision.toml", cloud.plans.whole);
    let stale = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(stale.contains("says something else now"), "{stale}");
    wrote_nothing(&stage);
}

fn saved_change_set_of_another_version_is_refused(cloud: &Place) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    let saved: Value = serde_json::from_str(&stage.read("set.json")).unwrap();
    for (key, value) in [("tool", Value::from("0.0.1")), ("format", Value::from(999))] {
        let mut other = saved.clone();
        other[key] = value;
        stage.write("other.json", &other.to_string());
        stage.faults().clear();
        cloud.ends(&stage, 3, &["apply", "other.json"]);
        wrote_nothing(&stage);
    }
}

fn saved_change_set_holds_no_secret(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.update);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    for secret in (cloud.secrets)(&stage.hand()) {
        assert!(!stage.read("set.json").contains(&secret), "{secret}");
    }
}

fn plan_file_is_not_written_over(cloud: &Place) {
    let stage = cloud.planned();
    let text = stage.read("provision.toml");
    for command in [["plan", "--out", "provision.toml"], ["output", "--out", "./provision.toml"]] {
        cloud.ends(&stage, 64, &command);
        assert_eq!(stage.read("provision.toml"), text);
    }
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    cloud.ends(&stage, 64, &["apply", "set.json", "--orphans"]);
}

//! Saved change sets.

use serde_json::Value;

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        saved_change_set_is_applied_without_its_plan_file,
        saved_change_set_is_stale_after_any_change,
        saved_destroy_does_what_was_shown,
    ],
    sandboxes: [
        saved_change_set_is_applied_in_the_sandbox_of_the_command = "The command's own sandbox is meant.",
        saved_change_set_of_another_version_is_refused = "Nothing is asked of a server.",
        saved_change_set_holds_no_secret = "What a file holds does not depend on who was asked.",
        plan_file_is_not_written_over = "Nothing is asked of a server.",
        file_is_what_is_in_it_whatever_its_name = "The command's own sandbox is enough.",
        change_set_of_another_cloud_says_whose_it_is = "Nothing is asked of a server.",
    ],
}

fn saved_change_set_is_applied_without_its_plan_file(cloud: &Place) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    let shown = stage.run(&["show", "set.json"]);
    assert!(shown.code == 0 && shown.stdout.contains("\n+ "), "{}{}", shown.stdout, shown.stderr);
    let plan_file = stage.read("provision.toml");
    std::fs::remove_file(stage.path().join("provision.toml")).unwrap();
    cloud.succeed(&stage, &["apply", "set.json"]);
    let again = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(again.contains("this change set was applied already"), "{again}");
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

fn saved_destroy_does_what_was_shown(cloud: &Place) {
    let stage = cloud.applied();
    (cloud.upload)(&stage.hand(), "a");
    stage.faults().clear();
    cloud.ends(&stage, 6, &["plan", "--destroy"]);
    cloud.ends(&stage, 64, &["plan", "--delete-data", cloud.bucket]);
    cloud.ends(&stage, 64, &["plan", "--destroy", "--delete-data", "another"]);
    let shown = cloud.succeed(&stage, &["plan", "--destroy", "--delete-data", cloud.bucket, "--out", "down"]);
    assert!(shown.contains("and everything in it:") && shown.contains("    1 object or version"), "{shown}");
    let wrong = cloud.ends(&stage, 64, &["apply", "down"]);
    assert!(wrong.contains("this change set is for destroy, not apply"), "{wrong}");
    cloud.ends(&stage, 64, &["destroy", "down", "--orphans"]);
    wrote_nothing(&stage);
    // A server goes on writing: what is in the bucket makes nothing stale.
    (cloud.upload)(&stage.hand(), "b");
    let down = cloud.succeed(&stage, &["destroy", "down"]);
    assert!(down.contains("    2 objects and versions"), "{down}");
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    let again = cloud.ends(&stage, 3, &["destroy", "down"]);
    assert!(again.contains("this change set was applied already"), "{again}");
}

fn saved_change_set_is_stale_after_any_change(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.update);
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    cloud.edit(&stage, cloud.edits.facets[0].make);
    let stale = cloud.ends(&stage, 3, &["apply", "set.json"]);
    let reason = stale.lines().find(|line| line.contains("since this change set was saved")).unwrap_or(&stale);
    assert!(!reason.contains("->") && !reason.contains("{\""), "names the field, and no value: {reason}");
    cloud.succeed(&stage, &["plan", "--out", "set.json"]);
    stage.write("provision.toml", cloud.plans.whole);
    let stale = cloud.ends(&stage, 3, &["apply", "set.json"]);
    assert!(stale.contains("says something else now"), "{stale}");
    cloud.succeed(&stage, &["plan", "--out", "other.json"]);
    let set: Value = serde_json::from_str(&stage.read("set.json")).unwrap();
    let mut other: Value = serde_json::from_str(&stage.read("other.json")).unwrap();
    other["plan_file"] = set["plan_file"].clone();
    stage.write("other.json", &other.to_string());
    cloud.change(&stage, cloud.plans.update);
    let refused = cloud.ends(&stage, 3, &["apply", "other.json"]);
    assert!(refused.contains("has other settings than plan file"), "{refused}");
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

fn file_is_what_is_in_it_whatever_its_name(cloud: &Place) {
    let stage = cloud.planned();
    stage.write("x.json", &stage.read("provision.toml"));
    for (name, word) in [("tfplan", "tfplan"), ("my set.toml", "'my set.toml'")] {
        let saved = cloud.run(&stage, &["plan", "x.json", "--sandbox=my state", "--out", name]).stderr;
        let command = format!("`provision {} apply {word} --sandbox='my state'`", cloud.name);
        assert!(saved.contains(&format!("saved to {word}; {command}")), "{saved}");
        assert!(stage.run(&["show", name]).stdout.contains("\n+ "));
        let refused = cloud.ends(&stage, 64, &["plan", name]);
        assert!(refused.contains("is JSON, not TOML"), "{refused}");
    }
    cloud.succeed(&stage, &["apply", "tfplan", "--sandbox=my state"]);
    assert_eq!(cloud.succeed(&stage, &["drift", "x.json", "--sandbox=my state"]), "wandb-prod: in sync\n");
    cloud.succeed(&stage, &["apply", "x.json", "--yes", "--sandbox=my state"]);
}

fn change_set_of_another_cloud_says_whose_it_is(cloud: &Place) {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["plan", "--out", "my set"]);
    let other = if cloud.name == "aws" { "gcp" } else { "aws" };
    let ran = stage.run(&[other, "apply", "my set"]);
    let (whose, command) = (format!("is for {}, not {other}", cloud.name), format!("{} apply 'my set'", cloud.name));
    assert!(ran.code == 64 && ran.stderr.contains(&whose) && ran.stderr.contains(&command), "{}", ran.stderr);
    wrote_nothing(&stage);
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

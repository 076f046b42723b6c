//! Others: their entries beside ours, what they own, and other deployments.

use serde_json::Value;

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        others_entries_survive_adopt_update_and_release,
        another_deployments_bucket_is_refused_by_name,
        deployment_of_a_longer_name_keeps_its_bucket,
        deployments_with_alike_names_do_not_touch_each_other,
        unmarked_is_refused_with_adopt_as_the_hint,
        mark_that_was_copied_proves_nothing,
        mark_of_a_newer_version_is_not_written_over,
        what_is_no_longer_wanted_of_ours_goes,
        deployment_that_was_renamed_is_released_whole,
    ],
    sandboxes: [],
}

fn others_entries_survive_adopt_update_and_release(cloud: &Place) {
    let stage = cloud.planned();
    let hand = stage.hand();
    (cloud.foreign.unmarked)(&hand);
    (cloud.foreign.put)(&hand);
    let before = (cloud.foreign.all)(&hand);
    cloud.ends(&stage, 6, &["apply", "--yes"]);
    cloud.change(&stage, cloud.plans.adopting);
    let adopted = cloud.succeed(&stage, &["apply", "--yes"]);
    assert!(adopted.contains("kept: "), "{adopted}");
    assert_eq!((cloud.foreign.all)(&hand), before, "after adopting");
    assert_eq!((cloud.ours)(&hand), cloud.adopted);
    cloud.is_in_sync(&stage);
    let moved = ("wandb.example.com", "moved.example.com");
    cloud.change(&stage, &[cloud.plans.adopting, &[moved]].concat());
    cloud.apply(&stage);
    assert_eq!((cloud.foreign.all)(&hand), before, "after the update");
    // The origin is in the mark: `adopt` may leave the file.
    let text = cloud.plan_with(&[cloud.plans.adopting, &[moved]].concat()).replace("adopt = true\n", "");
    stage.write("provision.toml", &text);
    cloud.is_in_sync(&stage);
    cloud.ends(&stage, 6, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.foreign.all)(&hand), before, "after the release");
    assert_eq!((cloud.ours)(&hand), Vec::<String>::new());
    cloud.ends(&stage, 6, &["destroy", "--yes"]);
}

fn another_deployments_bucket_is_refused_by_name(cloud: &Place) {
    is_refused_to(cloud, "wandb-other", "wandb-prod");
}

/// The name in the plan file is the beginning of the one in the mark.
fn deployment_of_a_longer_name_keeps_its_bucket(cloud: &Place) {
    is_refused_to(cloud, "wandb-prod", "wandb-prod-b");
    is_refused_to(cloud, "wandb-prod-b", "wandb-prod");
}

/// What a deployment made is refused to another one, and left as it is.
fn is_refused_to(cloud: &Place, deployment: &str, owner: &str) {
    let stage = cloud.planned();
    let named = |name: &str| cloud.plan_with(&[("wandb-prod", name)]);
    stage.write("owner.toml", &named(owner));
    cloud.succeed(&stage, &["apply", "owner.toml", "--yes"]);
    stage.write("provision.toml", &named(deployment));
    stage.faults().clear();
    for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes", "--orphans"]] {
        let refused = cloud.ends(&stage, 6, command);
        assert!(refused.contains(&format!("belongs to deployment `{owner}`")), "{command:?} {refused}");
    }
    wrote_nothing(&stage);
    assert_eq!(cloud.succeed(&stage, &["drift", "owner.toml"]), format!("{owner}: in sync\n"));
}

fn deployments_with_alike_names_do_not_touch_each_other(cloud: &Place) {
    let stage = cloud.applied();
    stage.write("other.toml", &cloud.plan_with(cloud.plans.alike));
    cloud.succeed(&stage, &["apply", "other.toml", "--yes"]);
    cloud.is_in_sync(&stage);
    for plan_file in ["provision.toml", "other.toml"] {
        let plan = cloud.succeed(&stage, &["plan", plan_file]);
        assert!(plan.contains("No changes:") && !plan.contains("orphan"), "{plan}");
    }
    cloud.succeed(&stage, &["destroy", "other.toml", "--yes", "--orphans"]);
    cloud.is_in_sync(&stage);
    stage.hastened(|| cloud.succeed(&stage, &["apply", "other.toml", "--yes"]));
    cloud.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert!(cloud.succeed(&stage, &["drift", "other.toml"]).ends_with("in sync\n"));
}

fn unmarked_is_refused_with_adopt_as_the_hint(cloud: &Place) {
    let stage = cloud.planned();
    cloud.edit(&stage, cloud.foreign.unmarked);
    let plan = cloud.ends(&stage, 6, &["plan"]);
    for hint in cloud.foreign.unmarked_hints {
        assert!(plan.contains(hint), "{hint}: {plan}");
    }
    cloud.ends(&stage, 6, &["apply", "--yes"]);
    wrote_nothing(&stage);
    let report = |format: &str| cloud.run(&stage, &["drift", "--format", format]).stdout;
    assert!(!report("junit").contains("errors=\"0\""), "{}", report("junit"));
    assert!(report("markdown").contains("| refused |"), "{}", report("markdown"));
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let rules: Vec<_> = sarif["runs"][0]["results"].as_array().unwrap().iter().map(|one| &one["ruleId"]).collect();
    assert!(rules.contains(&&Value::from("refused")), "{sarif}");
}

/// Somebody made the bucket as a copy of another one of this deployment's, tags included.
fn mark_that_was_copied_proves_nothing(cloud: &Place) {
    let origin = cloud.planned();
    let renamed = cloud.plans.bucket_renamed[0].pair();
    cloud.change(&origin, &[renamed]);
    cloud.apply(&origin);
    let mark = (cloud.mark)(&origin.hand(), &format!("{}-new", cloud.bucket));
    let stage = cloud.planned();
    let hand = stage.hand();
    (cloud.foreign.unmarked)(&hand);
    (cloud.set_mark)(&hand, cloud.bucket, &mark);
    stage.faults().clear();
    let plan = cloud.ends(&stage, 6, &["plan"]);
    assert!(plan.contains("copied from another resource"), "{plan}");
    for command in
        [&["apply", "--yes"][..], &["destroy", "--yes"], &["destroy", "--yes", "--delete-data", cloud.bucket]]
    {
        cloud.ends(&stage, 6, command);
    }
    wrote_nothing(&stage);
    assert_eq!((cloud.mark)(&hand, cloud.bucket), mark);
}

fn mark_of_a_newer_version_is_not_written_over(cloud: &Place) {
    let stage = cloud.applied();
    let hand = stage.hand();
    let mut mark = (cloud.mark)(&hand, cloud.bucket);
    let key = mark.as_object().unwrap().keys().find(|key| key.ends_with("spec")).unwrap().clone();
    mark[&key] = mark[&key].as_str().unwrap().replacen("v1-", "v2-", 1).into();
    (cloud.set_mark)(&hand, cloud.bucket, &mark);
    cloud.change(&stage, cloud.plans.update);
    stage.faults().clear();
    for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
        let refused = cloud.ends(&stage, 6, command);
        assert!(refused.contains("newer version"), "{command:?} {refused}");
    }
    wrote_nothing(&stage);
    assert_eq!((cloud.mark)(&hand, cloud.bucket), mark);
}

/// The plan file made something private, and does not any more: what that wrote is ours to take back.
fn what_is_no_longer_wanted_of_ours_goes(cloud: &Place) {
    let stage = cloud.planned();
    let hand = stage.hand();
    (cloud.foreign.unmarked)(&hand);
    (cloud.foreign.put)(&hand);
    let before = (cloud.foreign.all)(&hand);
    cloud.change(&stage, cloud.plans.adopting);
    cloud.apply(&stage);
    stage.write("provision.toml", &cloud.plan_with(cloud.plans.adopting).replace("private = true\n", ""));
    cloud.apply(&stage);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.ours)(&hand), Vec::<String>::new());
    assert_eq!((cloud.foreign.all)(&hand), before);
}

fn deployment_that_was_renamed_is_released_whole(cloud: &Place) {
    let stage = cloud.planned();
    let hand = stage.hand();
    (cloud.foreign.unmarked)(&hand);
    (cloud.foreign.put)(&hand);
    let before = (cloud.foreign.all)(&hand);
    for name in ["\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"", "\"wandb-new\""] {
        cloud.change(&stage, &[cloud.plans.adopting, &[("\"wandb-prod\"", name)]].concat());
        cloud.apply(&stage);
    }
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.ours)(&hand), Vec::<String>::new());
    assert_eq!((cloud.foreign.all)(&hand), before);
}

//! Plan and drift: every row of the compare table, for every facet.

use serde_json::Value;

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        plan_and_drift_never_write,
        drift_of_each_facet_is_named_and_repaired,
        pending_of_each_setting_is_no_drift_and_shows_its_line,
        both_changed_is_shown_as_both,
        what_is_gone_is_drift_and_comes_back,
        stale_mark_is_recorded,
        queue_that_forgets_over_a_weekend_is_warned_about,
        nothing_there_at_all_is_said,
        everything_gone_is_drift_whatever_is_left_elsewhere,
        orphan_does_not_hide_that_its_successor_is_gone,
        mark_that_was_taken_off_is_drift_and_comes_back,
        edited_tags_are_pending_and_one_that_was_taken_out_goes,
    ],
    sandboxes: [
        drift_report_formats = "What a report looks like does not depend on who was asked.",
    ],
}

fn plan_and_drift_never_write(cloud: &Place) {
    let stage = cloud.planned();
    cloud.ends(&stage, 0, &["plan"]);
    cloud.ends(&stage, 2, &["drift"]);
    wrote_nothing(&stage);
    cloud.apply(&stage);
    cloud.edit(&stage, cloud.edits.facets[0].make);
    cloud.ends(&stage, 0, &["plan"]);
    cloud.ends(&stage, 2, &["drift"]);
    wrote_nothing(&stage);
}

fn drift_of_each_facet_is_named_and_repaired(cloud: &Place) {
    let stage = cloud.applied();
    for edit in cloud.edits.facets {
        cloud.edit(&stage, edit.make);
        let drift = cloud.ends(&stage, 2, &["drift"]);
        let line = drift.lines().find(|line| line.contains(edit.shows.trim()));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", edit.shows));
        assert!(line.contains("changed outside provision"), "{drift}");
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn pending_of_each_setting_is_no_drift_and_shows_its_line(cloud: &Place) {
    let stage = cloud.applied();
    for setting in cloud.plans.settings {
        cloud.change(&stage, &[setting.pair()]);
        let drift = cloud.ends(&stage, 0, &["drift"]);
        let line = drift.lines().find(|line| line.contains(setting.shows));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", setting.shows));
        assert!(line.contains("not applied yet") && drift.contains("  :"), "{drift}");
        cloud.ends(&stage, 2, &["plan", "--detailed-exitcode"]);
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn queue_that_forgets_over_a_weekend_is_warned_about(cloud: &Place) {
    let stage = cloud.planned();
    cloud.change(&stage, &[cloud.plans.brief]);
    cloud.apply(&stage);
    // Browsers are let in by others too where MiniStack answers.
    for command in [&["plan"][..], &["drift"], &["verify", "--read-only"]] {
        let ran = cloud.run(&stage, command);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("less than a weekend") && told.contains("= 3600`, 1 h)"), "{command:?}: {told}");
    }
}

fn both_changed_is_shown_as_both(cloud: &Place) {
    let stage = cloud.applied();
    let (edit, setting) = cloud.edits.both;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains(setting.shows) && drift.contains("and in the plan file"), "{drift}");
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

fn what_is_gone_is_drift_and_comes_back(cloud: &Place) {
    let stage = cloud.applied();
    for gone in cloud.edits.gone {
        cloud.edit(&stage, gone.make);
        let drift = cloud.ends(&stage, 2, &["drift", "--format", "markdown"]);
        assert!(drift.contains(gone.shows), "{}: {drift}", gone.shows);
        let page = cloud.ends(&stage, 2, &["drift", "--format", "html"]);
        let arrows = match gone.shows.split('.').next_back() {
            Some("notification" | "events") => {
                &["wrong\"><span>new files", "wrong\"><span>events", "fine back\"><span>rights"][..]
            }
            Some("access") => &["fine\"><span>new files", "wrong back\"><span>rights"],
            Some("queue" | "topic" | "subscription") => &["wrong\"><span>events"],
            Some("container" | "account") => &["wrong\"><span>new files"],
            _ => &[],
        };
        for arrow in arrows {
            assert!(page.contains(&format!("<li class=\"arrow {arrow}</span>")), "{}: {arrow}: {page}", gone.shows);
        }
        // Some names are free again only after a while.
        stage.hastened(|| cloud.apply(&stage));
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{}", gone.shows);
    }
}

fn stale_mark_is_recorded(cloud: &Place) {
    let stage = cloud.applied();
    let (edit, setting, writes) = cloud.edits.stale;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 0, &["drift"]);
    assert!(drift.contains("only provision's own tags"), "{drift}");
    cloud.succeed(&stage, &["apply", "--yes"]);
    assert_eq!(stage.writes(), writes);
    assert!(cloud.succeed(&stage, &["plan"]).contains("No changes:"));
}

fn nothing_there_at_all_is_said(cloud: &Place) {
    let stage = cloud.planned();
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("nothing of it exists"), "{drift}");
}

fn drift_report_formats(cloud: &Place) {
    let stage = cloud.applied();
    let edit = cloud.edits.facets[0];
    cloud.edit(&stage, edit.make);
    let report = |format: &str| cloud.ends(&stage, 2, &["drift", "--format", format]);
    let text = report("text");
    assert!(text.contains(edit.shows.trim()), "{text}");
    let markdown = report("markdown");
    assert!(markdown.contains(edit.shows.trim()) && markdown.contains("| changed outside provision |"), "{markdown}");
    let junit = report("junit");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "changed");
    let message = result["message"]["text"].as_str().unwrap();
    assert!(message.contains(edit.shows.trim()) && message.contains(&format!("({}.", cloud.name)), "{message}");
    assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64(), "{sarif}");
}

/// What carried the marks is gone; what the deployment gave to others still tells of it.
fn everything_gone_is_drift_whatever_is_left_elsewhere(cloud: &Place) {
    let stage = cloud.applied();
    cloud.edit(&stage, cloud.edits.all_gone);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("wandb-prod: drift") || drift.contains("nothing of it exists"), "{drift}");
    let junit = cloud.ends(&stage, 2, &["drift", "--format", "junit"]);
    assert!(!junit.contains("failures=\"0\""), "{junit}");
}

/// The queue has another name since, and the former one is left over: somebody deletes the current one.
fn orphan_does_not_hide_that_its_successor_is_gone(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.queue_renamed.0);
    cloud.apply(&stage);
    cloud.edit(&stage, cloud.edits.renamed_gone);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("it was applied and is gone"), "{drift}");
}

/// Somebody replaced the bucket's tags: other marks and our ids on its entries still tell whose it is.
fn mark_that_was_taken_off_is_drift_and_comes_back(cloud: &Place) {
    let stage = cloud.applied();
    let hand = stage.hand();
    let mark = (cloud.mark)(&hand, cloud.bucket);
    (cloud.set_mark)(&hand, cloud.bucket, &serde_json::json!({}));
    stage.faults().clear();
    cloud.ends(&stage, 2, &["drift"]);
    cloud.apply(&stage);
    assert_eq!((cloud.mark)(&hand, cloud.bucket), mark);
    cloud.is_in_sync(&stage);
}

fn edited_tags_are_pending_and_one_that_was_taken_out_goes(cloud: &Place) {
    let stage = cloud.planned();
    let section = format!("[{}]\n", cloud.name);
    let tagged = |tags: &str| cloud.plan_with(&[(&section, &format!("tags = {tags}\n{section}"))]);
    stage.write("provision.toml", &tagged("{ team = \"ml\", cost = \"42\" }"));
    cloud.apply(&stage);
    for tags in ["{ team = \"ai\" }", "{ team = \"ai\", owner = \"x\" }", "{ owner = \"x\" }"] {
        stage.write("provision.toml", &tagged(tags));
        let drift = cloud.ends(&stage, 0, &["drift"]);
        assert!(drift.contains("not applied yet") && !drift.contains("and in the plan file"), "{tags}: {drift}");
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

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
        nothing_there_at_all_is_said,
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
    cloud.edit(&stage, cloud.edits[0].make);
    cloud.ends(&stage, 0, &["plan"]);
    cloud.ends(&stage, 2, &["drift"]);
    wrote_nothing(&stage);
}

fn drift_of_each_facet_is_named_and_repaired(cloud: &Place) {
    let stage = cloud.applied();
    for edit in cloud.edits {
        cloud.edit(&stage, edit.make);
        let drift = cloud.ends(&stage, 2, &["drift"]);
        let line = drift.lines().find(|line| line.trim_start().starts_with(edit.shows));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", edit.shows));
        assert!(line.contains("drift: the cloud was changed"), "{drift}");
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn pending_of_each_setting_is_no_drift_and_shows_its_line(cloud: &Place) {
    let stage = cloud.applied();
    for setting in cloud.settings {
        cloud.change(&stage, &[setting.pair()]);
        let drift = cloud.ends(&stage, 0, &["drift"]);
        let line = drift.lines().find(|line| line.contains(setting.shows));
        let line = line.unwrap_or_else(|| panic!("{}: {drift}", setting.shows));
        assert!(line.contains("pending") && line.contains("provision.toml:"), "{drift}");
        cloud.ends(&stage, 2, &["plan", "--detailed-exitcode"]);
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
    }
}

fn both_changed_is_shown_as_both(cloud: &Place) {
    let stage = cloud.applied();
    let (edit, setting) = cloud.both;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains(setting.shows) && drift.contains("both were changed"), "{drift}");
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

fn what_is_gone_is_drift_and_comes_back(cloud: &Place) {
    let stage = cloud.applied();
    for gone in cloud.gone {
        cloud.edit(&stage, gone.make);
        let drift = cloud.ends(&stage, 2, &["drift"]);
        assert!(drift.contains(gone.shows), "{}: {drift}", gone.shows);
        // Some names are free again only after a while.
        stage.hastened(|| cloud.apply(&stage));
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{}", gone.shows);
    }
}

fn stale_mark_is_recorded(cloud: &Place) {
    let stage = cloud.applied();
    let (edit, setting, writes) = cloud.stale;
    cloud.edit(&stage, edit.make);
    cloud.change(&stage, &[setting.pair()]);
    let drift = cloud.ends(&stage, 0, &["drift"]);
    assert!(drift.contains("~ record"), "{drift}");
    cloud.succeed(&stage, &["apply", "--yes"]);
    assert_eq!(stage.writes(), writes);
    assert!(cloud.succeed(&stage, &["plan"]).contains("No changes."));
}

fn nothing_there_at_all_is_said(cloud: &Place) {
    let stage = cloud.planned();
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("not applied, or gone"), "{drift}");
}

fn drift_report_formats(cloud: &Place) {
    let stage = cloud.applied();
    let edit = cloud.edits[0];
    cloud.edit(&stage, edit.make);
    let report = |format: &str| cloud.ends(&stage, 2, &["drift", "--format", format]);
    let text = report("text");
    assert!(text.contains(edit.shows.trim()), "{text}");
    let markdown = report("markdown");
    assert!(
        markdown.contains(edit.shows.trim()) && markdown.contains("| drift: the cloud was changed |"),
        "{markdown}"
    );
    let junit = report("junit");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "drift");
    assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64(), "{sarif}");
}

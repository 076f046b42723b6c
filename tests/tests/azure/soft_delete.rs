//! What an account keeps of deleted blobs, in the document in which the CORS rules stand.

use provision_core::digest::FACET_DIGEST_LENGTH;
use provision_sandbox::fault::Nth;
use provision_tests::stage::Hand;
use serde_json::{Value, json};

use crate::clouds::azure::hand::{ACCOUNT, blob_service, change_blob_service, keep_deleted, rules};
use crate::clouds::{AZURE, AZURE_WITH_DATA, fault};

/// The properties of the account's blobs.
fn properties(hand: &Hand) -> Value {
    hand.send("GET", &blob_service(), Value::Null)["properties"].clone()
}

/// The document and what is in it are looked at and written as often as when it was the rule's alone.
#[test]
fn days_and_rule_of_a_new_account_are_one_request() {
    let stage = AZURE.planned();
    AZURE.succeed(&stage, &["apply", "--yes"]);
    assert_eq!(stage.faults().count("arm:blobServices.put"), 1);
    let hand = stage.hand();
    let kept = json!({"enabled": true, "days": 7, "allowPermanentDelete": false});
    assert_eq!(properties(&hand)["deleteRetentionPolicy"], kept);
    assert_eq!(rules(&hand).len(), 1);
    stage.faults().clear();
    AZURE.is_in_sync(&stage);
    assert_eq!(stage.faults().count("arm:blobServices.get"), 1);
}

/// Whoever had its turn wrote both, or neither: the other then writes for itself.
#[test]
fn write_that_fails_once_is_made_up_for() {
    let stage = AZURE.planned();
    fault(&stage, "arm:blobServices.put", Nth::Number(1), (AZURE.faults.refusal)());
    AZURE.ends(&stage, 5, &["apply", "--yes"]);
    let hand = stage.hand();
    assert_ne!(rules(&hand).len() == 1, properties(&hand)["deleteRetentionPolicy"]["enabled"] == true);
    stage.faults().clear();
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
}

/// What the portal, a policy or a backup set beside it is kept.
#[test]
fn what_others_set_of_the_blobs_is_kept() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    let theirs = json!({"isVersioningEnabled": true, "changeFeed": {"enabled": true, "retentionInDays": 40},
        "deleteRetentionPolicy": {"enabled": true, "days": 30, "allowPermanentDelete": true},
        "containerDeleteRetentionPolicy": {"enabled": true, "days": 5},
        "lastAccessTimeTrackingPolicy": {"enable": true}, "restorePolicy": {"enabled": true, "days": 6}});
    change_blob_service(&hand, &theirs);
    let before = properties(&hand);
    AZURE.apply(&stage);
    let mut after = properties(&hand);
    assert_eq!(after["deleteRetentionPolicy"], json!({"enabled": true, "days": 7, "allowPermanentDelete": true}));
    after["deleteRetentionPolicy"] = before["deleteRetentionPolicy"].clone();
    after["restorePolicy"]["minRestoreTime"] = before["restorePolicy"]["minRestoreTime"].clone();
    assert_eq!(after, before);
}

/// Azure Backup turns it on, with days of its own: the service would refuse less.
#[test]
fn point_in_time_restore_is_met_at_plan() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    let backup = json!({"isVersioningEnabled": true, "changeFeed": {"enabled": true},
        "deleteRetentionPolicy": {"enabled": true, "days": 35}, "restorePolicy": {"enabled": true, "days": 30}});
    change_blob_service(&hand, &backup);
    stage.faults().clear();
    let told = AZURE.ends(&stage, 6, &["apply", "--yes"]);
    assert!(told.contains("can be restored to any moment of the last 30 days"), "{told}");
    // No less than is kept now.
    assert!(told.contains("write `soft_delete_days = 35` under [azure.account]"), "{told}");
    let drift = AZURE.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("can be restored to any moment of the last 30 days"), "{drift}");
    assert!(drift.contains("apply cannot mend it: write `soft_delete_days = 35`"), "{drift}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    AZURE.succeed(&stage, &["plan", "--destroy"]);
    AZURE.change(&stage, &[("[azure.container]", "soft_delete_days = 35\n[azure.container]")]);
    AZURE.apply(&stage);
    assert_eq!(properties(&hand)["deleteRetentionPolicy"]["days"], 35);
    AZURE.is_in_sync(&stage);
}

#[test]
fn account_that_is_to_keep_nothing_is_warned_about() {
    let stage = AZURE.planned();
    AZURE.change(&stage, &[("[azure.container]", "soft_delete_days = 0\n[azure.container]")]);
    let told = |command: &[&str]| {
        AZURE.succeed(&stage, command).contains("what is deleted from storage account `acmefiles` cannot be restored")
    };
    assert!(told(&["plan"]));
    AZURE.apply(&stage);
    assert!(told(&["plan"]) && told(&["verify", "--read-only"]));
    assert_eq!(properties(&stage.hand())["deleteRetentionPolicy"]["enabled"], false);
    AZURE.change(&stage, &[]);
    assert!(!told(&["plan"]));
}

/// An account that an earlier version made, which knew nothing of it: an ordinary change, and no drift.
#[test]
fn account_of_an_earlier_version_is_brought_up_to_date() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    keep_deleted(&hand, 0);
    let mut tags = hand.send("GET", ACCOUNT, Value::Null)["tags"].clone();
    let spec = tags["provision-spec"].as_str().unwrap().to_owned();
    tags["provision-spec"] = json!(without_first_facet(&spec));
    hand.send("PATCH", ACCOUNT, json!({"tags": tags}));
    let plan = AZURE.succeed(&stage, &["plan"]);
    let line = plan.lines().find(|line| line.contains("soft_delete_days")).unwrap_or_default();
    assert!(line.contains("0 -> 7"), "{plan}");
    assert_eq!(AZURE.run(&stage, &["drift"]).code, 0);
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
}

/// The record of the account's own without its first facet, which that one is: `v1-<name>-<own>-...`.
fn without_first_facet(spec: &str) -> String {
    let mut fields: Vec<_> = spec.split('-').map(str::to_owned).collect();
    assert!(fields[2].starts_with('d'), "{spec}");
    fields[2] = fields[2].split_off(1 + FACET_DIGEST_LENGTH);
    fields.join("-")
}

/// A deleted blob is neither counted nor in the way of what holds it.
#[test]
fn what_is_kept_of_deleted_blobs_keeps_nothing_from_going() {
    let stage = AZURE_WITH_DATA.applied();
    let hand = stage.hand();
    (AZURE.fill)(&hand);
    for name in ["a", "b", "c"] {
        hand.send("DELETE", &format!("blob:/acmefiles/wandb-files/{name}"), Value::Null);
    }
    let kept = hand.send("GET", "blob:/acmefiles/wandb-files?restype=container&comp=list&include=deleted", Value::Null);
    assert_eq!(kept.as_str().unwrap_or_default().matches("<Deleted>true</Deleted>").count(), 3, "{kept}");
    for _ in 0..2 {
        AZURE.succeed(&stage, &["verify", "--strict"]);
    }
    AZURE.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(hand.ask("GET", ACCOUNT, &Value::Null).0, 404);
}

/// The same of those that this run deletes.
#[test]
fn container_is_emptied_of_what_is_not_deleted_already() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    (AZURE.fill)(&hand);
    hand.send("DELETE", "blob:/acmefiles/wandb-files/a", Value::Null);
    stage.faults().clear();
    AZURE.succeed(&stage, &["destroy", "--yes", "--delete-data", "wandb-files"]);
    assert_eq!(stage.faults().count("blob:DeleteBlob"), 2);
}

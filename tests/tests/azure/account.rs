//! An account of ours: one of a former name, its settings, what others have on it.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use super::shared::{shared, their_subscription};
use crate::clouds::azure::hand::{ACCOUNT, GROUP, container, queue};
use crate::clouds::{AZURE, fault};

#[test]
fn account_with_a_subscription_of_others_below_a_topic_is_not_deleted() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    // That which the service made with ours.
    let topics = hand.send("GET", &format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics"), Value::Null);
    let topic = topics["value"][0]["id"].as_str().unwrap().to_owned();
    hand.send("PUT", &queue("one-events"), json!({}));
    their_subscription(&hand, &topic, "/blobServices/default/containers/others/");
    hand.send("DELETE", &queue("one-events"), Value::Null);
    stage.faults().clear();
    let refused = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("event subscription `theirs`"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// The account, container and queue of the contract's plan file under another account's name, with their marks, as a
/// version that did not know of renamed accounts left them.
fn left_behind(stage: &Stage) -> String {
    let hand = stage.hand();
    let old = ACCOUNT.replace("acmefiles", "acmeold");
    AZURE.change(stage, &[("acmefiles", "acmeold")]);
    AZURE.apply(stage);
    let inside = [container("wandb-files"), queue("wandb-events")].map(|place| place.replace("acmefiles", "acmeold"));
    let account = hand.send("GET", &old, Value::Null);
    let metadata =
        inside.each_ref().map(|place| hand.send("GET", place, Value::Null)["properties"]["metadata"].clone());
    AZURE.succeed(stage, &["destroy", "--yes"]);
    AZURE.change(stage, &[]);
    AZURE.apply(stage);
    let made = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}, "tags": account["tags"]});
    hand.send("PUT", &old, made);
    for (place, metadata) in inside.iter().zip(metadata) {
        hand.send("PUT", place, json!({"properties": {"metadata": metadata}}));
    }
    stage.faults().clear();
    old
}

#[test]
fn account_of_a_former_name_is_an_orphan_and_its_data_is_kept() {
    let stage = AZURE.planned();
    let old = left_behind(&stage);
    let hand = stage.hand();
    hand.send("PUT", "blob:/acmeold/wandb-files/run", json!("content"));
    stage.faults().clear();
    let plan = AZURE.succeed(&stage, &["plan"]);
    let orphans = ["storage account `acmeold`", "container `acmeold/wandb-files`", "queue `acmeold/wandb-events`"];
    for orphan in orphans {
        assert!(plan.contains(&format!("? left over: {orphan}")), "{plan}");
        assert!(AZURE.succeed(&stage, &["drift"]).contains(orphan));
    }
    let refused = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(
        refused.contains("resource group `wandb` holds what is left over") && refused.contains("--orphans"),
        "{refused}"
    );
    assert_eq!(stage.writes(), Vec::<String>::new());

    AZURE.succeed(&stage, &["apply", "--yes", "--orphans"]);
    assert_eq!(stage.writes(), ["arm:queues.delete"]);
    let full = AZURE.ends(&stage, 5, &["destroy", "--yes", "--orphans"]);
    assert!(full.contains("container `acmeold/wandb-files`") && full.contains("1 object or version"), "{full}");
    hand.send("DELETE", "blob:/acmeold/wandb-files/run", Value::Null);
    // What is left is the old one: its own plan file takes it down.
    AZURE.change(&stage, &[("acmefiles", "acmeold")]);
    AZURE.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert_eq!(hand.ask("GET", &old, &Value::Null).0, 404);
    assert_eq!(hand.ask("GET", GROUP, &Value::Null).0, 404);
}

#[test]
fn account_that_is_used_and_not_made_any_more_is_no_orphan() {
    let stage = AZURE.applied();
    AZURE.change(&stage, &[("\"acmefiles\"\n", "\"acmefiles\"\ncreate = false\n")]);
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("container `wandb-files`") || plan.contains("No changes:"), "{plan}");
    assert!(!plan.contains("left over"), "{plan}");
}

#[test]
fn accounts_are_listed_where_that_is_allowed() {
    let denied = || What::Error { status: 403, code: "AuthorizationFailed".to_owned(), message: "denied".to_owned() };
    let operation = "arm:storageAccounts.list".to_owned();
    // The subscription's may be denied, then the resource group's are listed.
    let stage = AZURE.applied();
    stage.faults().fault(Fault { operation: operation.clone(), nth: Nth::Number(1), at: When::Before, what: denied() });
    AZURE.is_in_sync(&stage);
    assert_eq!(stage.faults().count(&operation), 2);
    // Both may be denied: then those of a former name are not found.
    stage.faults().fault(Fault { operation: operation.clone(), nth: Nth::Every, at: When::Before, what: denied() });
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("No changes") && plan.contains("one of a former name is not found"), "{plan}");
    // Who only has rights in a shared account looks no further.
    let stage = shared();
    stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what: denied() });
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
}

/// Whoever is no application or managed identity needs its type named.
#[test]
fn wrong_type_of_identity_is_said() {
    let stage = AZURE.planned();
    let (code, message) = ("UnmatchedPrincipalType".to_owned(), "The PrincipalId has type 'User'.".to_owned());
    fault(&stage, "arm:roleAssignments.put", Nth::Every, What::Error { status: 400, code, message });
    let told = AZURE.ends(&stage, 5, &["apply", "--yes"]);
    assert!(told.contains("principal_type = \"User\""), "{told}");
}

/// The run before was killed right after it began to create the account.
#[test]
fn account_that_is_still_being_made_is_waited_for() {
    let stage = AZURE.planned();
    let (code, message) = ("StorageAccountIsNotProvisioned".to_owned(), "The state must be 'Succeeded'.".to_owned());
    fault(&stage, "arm:containers.get", Nth::Number(1), What::Error { status: 409, code, message });
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    assert_eq!((AZURE.ours)(&stage.hand()), AZURE.applied);
}

/// A least version of TLS that is higher than asked for is no drift.
#[test]
fn harder_setting_of_the_account_is_no_drift() {
    let stage = AZURE.applied();
    stage.send("PATCH", ACCOUNT, json!({"properties": {"minimumTlsVersion": "TLS1_3"}}));
    AZURE.is_in_sync(&stage);
}

/// A server without an identity signs with the account's key; one that has an identity needs none.
#[test]
fn shared_keys_that_are_off_are_drift_where_the_server_needs_them() {
    let stage = AZURE.applied();
    let off = || stage.send("PATCH", ACCOUNT, json!({"properties": {"allowSharedKeyAccess": false}}));
    off();
    AZURE.is_in_sync(&stage);
    let by_key = AZURE.plan_with(&[("[azure.access]\nprincipal_id = \"11111111-1111-1111-1111-111111111111\"\n", "")]);
    stage.write("provision.toml", &by_key);
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    off();
    let drift = AZURE.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("security.shared_keys") && drift.contains("is false, should be true"), "{drift}");
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
}

/// What is piped is read by a program, which would take a placeholder for the key.
#[test]
fn secret_that_was_not_asked_for_is_no_value() {
    let stage = AZURE.planned();
    AZURE.change(&stage, &[("[azure.access]\nprincipal_id = \"11111111-1111-1111-1111-111111111111\"\n", "")]);
    let applied = AZURE.succeed(&stage, &["apply", "--yes"]);
    let hidden = "# AZURE_STORAGE_KEY is hidden: `provision azure output provision.toml --reveal` shows it\n";
    assert!(applied.contains(hidden) && !applied.contains("redacted"), "{applied}");
    let piped = AZURE.ends(&stage, 64, &["output"]);
    assert!(piped.contains("add `--reveal` to fetch it, or `--no-secrets`"), "{piped}");
}

/// Rules that others gave the firewall of an account of ours outlive its opening.
#[test]
fn firewall_that_was_closed_is_opened_and_keeps_its_rules() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    let rules =
        json!({"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "192.0.2.1", "action": "Allow"}]});
    hand.send("PATCH", ACCOUNT, json!({"properties": {"networkAcls": rules}}));
    AZURE.ends(&stage, 2, &["drift"]);
    AZURE.apply(&stage);
    let found = hand.send("GET", ACCOUNT, Value::Null)["properties"]["networkAcls"].clone();
    assert_eq!((&found["defaultAction"], &found["bypass"]), (&json!("Allow"), &json!("None")));
    assert_eq!(found["ipRules"], rules["ipRules"]);
}

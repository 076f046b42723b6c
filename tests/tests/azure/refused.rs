//! What refuses a run whatever its rights: a provider that is not registered, policies, deny assignments; and rights on an account's
//! system topic.

use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::azure::hand::{ACCOUNT, GROUP, SUBSCRIPTION};
use crate::clouds::{AZURE, wrote_nothing};
use crate::contract::preflight::{attach, document, without};

/// The built-in policies: where resources may be, and where resource groups.
const OF_RESOURCES: &str = "e56962a6-4747-49cd-b67b-bf8b01975c4c";
const OF_GROUPS: &str = "e765b5de-1225-4ba3-bd56-1ac6695af988";

fn provider(stage: &Stage, action: &str) {
    let place = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/{action}");
    stage.send("POST", &place, Value::Null);
}

#[test]
fn storage_that_is_not_registered_is_told_before_the_first_write() {
    let stage = AZURE.planned();
    provider(&stage, "unregister");
    let planned = AZURE.ends(&stage, 0, &["plan"]);
    assert!(planned.contains("\nWould be refused: apply stops before its first write.\n"), "{planned}");
    let refused = AZURE.ends(&stage, 6, &["apply", "--yes"]);
    for printed in [&planned, &refused] {
        assert!(printed.contains("`az provider register --namespace Microsoft.Storage --wait`"), "{printed}");
    }
    let json: Value = serde_json::from_str(&AZURE.succeed(&stage, &["plan", "--json"])).unwrap();
    assert!(json["rights"]["refusals"][0]["reason"].as_str().unwrap().contains("`Microsoft.Storage`"), "{json}");
    assert!(AZURE.ends(&stage, 2, &["drift"]).contains("not applied"));
    wrote_nothing(&stage);
    provider(&stage, "register");
    stage.hastened(|| AZURE.succeed(&stage, &["apply", "--yes"]));
}

fn assign(stage: &Stage, scope: &str, name: &str, definition: &str) {
    let place = format!("{scope}/providers/Microsoft.Authorization/policyAssignments/{name}");
    let definition = format!("/providers/Microsoft.Authorization/policyDefinitions/{definition}");
    let locations = json!({"listOfAllowedLocations": {"value": ["northeurope"]}});
    stage.send("PUT", &place, json!({"properties": {"policyDefinitionId": definition, "parameters": locations}}));
}

#[test]
fn policies_that_refuse_what_is_made_are_named_before_the_first_write() {
    let stage = AZURE.planned();
    let scope = format!("/subscriptions/{SUBSCRIPTION}");
    assign(&stage, &scope, "where", OF_RESOURCES);
    assign(&stage, &scope, "where-groups", OF_GROUPS);
    let planned = AZURE.ends(&stage, 0, &["plan"]);
    let report = AZURE.succeed(&stage, &["plan", "--format", "markdown"]);
    let refused = AZURE.ends(&stage, 6, &["apply", "--yes"]);
    assert!(report.contains("**Would be refused**") && report.contains("where-groups"), "{report}");
    for printed in [&planned, &refused] {
        assert!(printed.contains("policy assignment `where` denies storage account `acmefiles`"), "{printed}");
        assert!(printed.contains("policy assignment `where-groups` denies resource group `wandb`"), "{printed}");
    }
    assert!(refused.contains(&format!("az policy assignment show --name where --scope {scope}`")), "{refused}");
    wrote_nothing(&stage);
}

/// What is there already is not made.
#[test]
fn policy_on_what_is_there_refuses_nothing() {
    let stage = AZURE.applied();
    assign(&stage, &format!("/subscriptions/{SUBSCRIPTION}"), "where", OF_RESOURCES);
    AZURE.change(&stage, AZURE.plans.update);
    let planned = AZURE.ends(&stage, 0, &["plan"]);
    assert!(!planned.contains("refused"), "{planned}");
}

#[test]
fn deny_assignment_stops_a_destroy_before_its_first_write() {
    let stage = AZURE.applied();
    let everybody = json!([{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]);
    let permissions = json!([{"actions": ["*/delete"], "notActions": []}]);
    let properties =
        json!({"denyAssignmentName": "Deny of stack", "permissions": permissions, "principals": everybody});
    let place = format!("{GROUP}/providers/Microsoft.Authorization/denyAssignments/9d3a");
    stage.send("PUT", &place, json!({"properties": properties}));
    let refused = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("cannot destroy: it would be refused, and nothing was written"), "{refused}");
    assert_eq!(refused.matches("deny assignment `Deny of stack` denies these credentials").count(), 1, "{refused}");
    wrote_nothing(&stage);
}

#[test]
fn rights_on_a_system_topic_are_asked_for_where_that_is() {
    let stage = AZURE.planned();
    (AZURE.foreign.unmarked)(&stage.hand());
    let topic = json!({"location": "westeurope",
        "properties": {"source": ACCOUNT, "topicType": "Microsoft.Storage.StorageAccounts"}});
    stage.send("PUT", &format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/theirs"), topic);
    AZURE.change(&stage, AZURE.plans.adopting);
    AZURE.apply(&stage);
    let (whole, right) =
        (document(&AZURE, &stage, "destroy"), "Microsoft.EventGrid/systemTopics/eventSubscriptions/delete");
    attach(&stage, &without(&AZURE, &whole, right));
    let refused = AZURE.ends(&stage, 1, &["destroy", "--yes"]);
    assert!(refused.contains("cannot destroy: a right is missing") && refused.contains(right), "{refused}");
    wrote_nothing(&stage);
    let unneeded = without(&AZURE, &whole, "Microsoft.EventGrid/eventSubscriptions/delete");
    attach(&stage, &unneeded);
    AZURE.succeed(&stage, &["destroy", "--yes"]);
}

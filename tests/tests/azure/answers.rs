//! Answers that say nothing.

use provision_sandbox::fault::{Nth, What};
use serde_json::json;

use crate::clouds::{AZURE, fault};

/// What is listed decides, so that one thing that cannot be read makes all of the list unknown: the call and the member are named.
#[test]
fn list_with_an_odd_item_is_unknown_and_names_its_member() {
    let stage = AZURE.applied();
    for (command, kind, member) in [
        ("drift", "storageAccounts", "tags"),
        ("drift", "eventSubscriptions", "properties.labels"),
        ("drift", "systemTopics", "properties.source"),
        ("drift", "roleAssignments", "properties.principalId"),
        ("drift", "containers", "name"),
        ("drift", "queues", "name"),
        ("destroy", "tables", "name"),
        ("destroy", "shares", "name"),
        ("destroy", "locks", "name"),
        ("destroy", "resources", "tags"),
    ] {
        let operation = format!("arm:{kind}.list");
        let item = match member.split_once('.') {
            Some((outer, inner)) => json!({"name": "odd", outer: {inner: 7}}),
            None => json!({"id": "odd", member: 7}),
        };
        let body = json!({"value": [item]}).to_string();
        fault(&stage, &operation, Nth::Every, What::Answer { status: 200, headers: Vec::new(), body });
        let told = AZURE.ends(&stage, 1, &[&[command][..], &["--yes"][..usize::from(command == "destroy")]].concat());
        let named = told.contains(&format!("`{member}` of `odd`")) || told.contains(&format!("`{member}` of `?`"));
        assert!(named && told.contains(&(AZURE.faults.says)(&operation)), "{kind}: {told}");
        assert_eq!(stage.writes(), Vec::<String>::new(), "{kind}");
        stage.faults().clear();
    }
    AZURE.is_in_sync(&stage);
}

/// A deletion that is followed by its status is not over as long as none is said.
#[test]
fn deletion_without_a_status_is_not_done() {
    let stage = AZURE.applied();
    let nothing = What::Answer { status: 200, headers: Vec::new(), body: String::new() };
    fault(&stage, "arm:operations.get", Nth::Number(1), nothing);
    let told = AZURE.ends(&stage, 5, &["destroy", "--yes"]);
    assert!(told.contains("delete event subscription") && told.contains("cannot be read"), "{told}");
    AZURE.succeed(&stage, &["destroy", "--yes"]);
}

//! What a hand does in Azure: edits of ours, things of others, and what is whose.

use provision_sandbox::azure::CLIENT;
use provision_tests::stage::Hand;
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
pub(crate) const TENANT: &str = "72f988bf-0000-4000-8000-000000000000";
pub(crate) const SERVER: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/wandb";
pub(crate) const ACCOUNT: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/wandb/providers/\
                       Microsoft.Storage/storageAccounts/acmefiles";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

pub(crate) fn container(name: &str) -> String {
    format!("{ACCOUNT}/blobServices/default/containers/{name}")
}

pub(crate) fn queue(name: &str) -> String {
    format!("{ACCOUNT}/queueServices/default/queues/{name}")
}

pub(crate) fn patch(hand: &Hand, body: Value) {
    hand.send("PATCH", ACCOUNT, body);
}

pub(crate) fn blob_service() -> String {
    format!("{ACCOUNT}/blobServices/default")
}

pub(crate) fn rules(hand: &Hand) -> Vec<Value> {
    let service = hand.ask("GET", &blob_service(), &Value::Null).1;
    list(&service["properties"]["cors"]["corsRules"])
}

pub(crate) fn set_rules(hand: &Hand, rules: &[Value]) {
    change_blob_service(hand, &json!({"cors": {"corsRules": rules}}));
}

/// What others set of the account's blobs stays.
pub(crate) fn change_blob_service(hand: &Hand, changes: &Value) {
    let mut properties = hand.send("GET", &blob_service(), Value::Null)["properties"].clone();
    properties.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    hand.send("PUT", &blob_service(), json!({"properties": properties}));
}

/// Keep deleted blobs for so many days; 0 is none.
pub(crate) fn keep_deleted(hand: &Hand, days: u32) {
    let policy = if days > 0 { json!({"enabled": true, "days": days}) } else { json!({"enabled": false}) };
    change_blob_service(hand, &json!({"deleteRetentionPolicy": policy}));
}

pub(crate) fn events(hand: &Hand) -> Vec<Value> {
    list(
        &hand.ask("GET", &format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions"), &Value::Null).1["value"],
    )
}

fn is_theirs(item: &Value) -> bool {
    item["name"].as_str().is_some_and(|name| name.starts_with("theirs"))
}

pub(crate) fn change_events(hand: &Hand, change: fn(&mut Value)) {
    for found in events(hand).iter().filter(|found| !is_theirs(found)) {
        let mut properties = found["properties"].clone();
        for key in ["topic", "provisioningState"] {
            properties.as_object_mut().unwrap().remove(key);
        }
        change(&mut properties);
        hand.send("PUT", found["id"].as_str().unwrap(), json!({"properties": properties}));
    }
}

/// What others put on one of ours: a label, how often a delivery is tried, where what cannot be delivered goes.
pub(crate) fn furnish(properties: &mut Value) {
    let mut labels = list(&properties["labels"]);
    labels.push(json!("theirs"));
    properties["labels"] = json!(labels);
    properties["retryPolicy"] = json!({"maxDeliveryAttempts": 5, "eventTimeToLiveInMinutes": 60});
    properties["deadLetterDestination"] = json!({"endpointType": "StorageBlob",
        "properties": {"resourceId": ACCOUNT, "blobContainerName": "theirs"}});
}

/// An end that somebody gave ours, which only making it again takes away, beside what others put on it.
pub(crate) fn end_events(hand: &Hand) {
    change_events(hand, |properties| {
        furnish(properties);
        properties["expirationTimeUtc"] = json!("2099-01-01T00:00:00Z");
    });
}

/// What others put on ours.
fn furnished(ours: &Value) -> Vec<Value> {
    let properties = &ours["properties"];
    let labels =
        list(&properties["labels"]).into_iter().filter(|label| !label.as_str().unwrap().starts_with("provision-"));
    let attempts = Some(&properties["retryPolicy"]["maxDeliveryAttempts"]).filter(|attempts| **attempts != 30);
    labels.chain(attempts.cloned()).chain(properties.get("deadLetterDestination").cloned()).collect()
}

pub(crate) fn delete_events(hand: &Hand) {
    for found in events(hand).iter().filter(|found| !is_theirs(found)) {
        hand.send("DELETE", found["id"].as_str().unwrap(), Value::Null);
    }
}

pub(crate) fn assignments(hand: &Hand) -> Vec<Value> {
    list(
        &hand.ask("GET", &format!("{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments"), &Value::Null).1["value"],
    )
}

pub(crate) fn is_of_server(assignment: &Value) -> bool {
    let principal = assignment["properties"]["principalId"].as_str().unwrap_or_default();
    principal != SERVER.replace('1', "3") && principal != CLIENT
}

pub(crate) fn delete_assignments(hand: &Hand) {
    for one in assignments(hand).iter().filter(|one| is_of_server(one)) {
        hand.send("DELETE", one["id"].as_str().unwrap(), Value::Null);
    }
}

pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub(crate) fn put_others(hand: &Hand) {
    let theirs = json!({"tags": {"team": "theirs"}});
    hand.send("PATCH", GROUP, merged(hand, GROUP, "/tags", &theirs["tags"], |tags| json!({"tags": tags})));
    hand.send("PATCH", ACCOUNT, merged(hand, ACCOUNT, "/tags", &theirs["tags"], |tags| json!({"tags": tags})));
    for place in [container("wandb-files"), queue("wandb-events")] {
        let body = |metadata: Value| json!({"properties": {"metadata": metadata}});
        hand.send("PATCH", &place, merged(hand, &place, "/properties/metadata", &theirs["tags"], body));
    }
    hand.send("PUT", &container("theirs"), json!({"properties": {"metadata": {"a": "b"}}}));
    hand.send("PUT", &queue("theirs"), json!({"properties": {"metadata": {"a": "b"}}}));
    let mut rules = rules(hand);
    rules.insert(
        0,
        json!({"allowedOrigins": ["https://theirs.example.com"], "allowedMethods": ["GET"],
        "allowedHeaders": ["x"], "exposedHeaders": ["y"], "maxAgeInSeconds": 7}),
    );
    rules.push(json!({"allowedOrigins": ["https://wildcard.example.com"], "allowedMethods": ["GET", "DELETE"],
        "allowedHeaders": [""], "exposedHeaders": [""], "maxAgeInSeconds": 0}));
    // What is kept of an account of ours is ours to say.
    if hand.send("GET", &blob_service(), Value::Null)["properties"]["deleteRetentionPolicy"]["enabled"] == false {
        keep_deleted(hand, 9);
    }
    change_blob_service(
        hand,
        &json!({"cors": {"corsRules": rules}, "isVersioningEnabled": true, "changeFeed": {"enabled": true},
            "containerDeleteRetentionPolicy": {"enabled": true, "days": 8},
            "lastAccessTimeTrackingPolicy": {"enable": true}}),
    );
    let target = json!({"endpointType": "StorageQueue",
        "properties": {"resourceId": ACCOUNT, "queueName": "theirs", "queueMessageTimeToLiveInSeconds": 99}});
    let filter = json!({"subjectBeginsWith": "/blobServices/default/containers/theirs/blobs/",
        "includedEventTypes": ["Microsoft.Storage.BlobCreated"]});
    let events = json!({"properties": {"destination": target.clone(), "filter": filter}});
    hand.send("PUT", &format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/theirs"), events);
    let role =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_CONTRIBUTOR}");
    let assignment = json!({"properties": {"roleDefinitionId": role, "principalId": SERVER.replace('1', "3")}});
    let id = "0a0a0a0a-0000-4000-8000-000000000001";
    hand.send("PUT", &format!("{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{id}"), assignment);
    // Of files that ours never hears of.
    let deleted = json!({"properties": {"destination": target, "filter": {"includedEventTypes": ["Microsoft.Storage.BlobDeleted"]}}});
    hand.send("PUT", &format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/theirs-too"), deleted);
}

/// The body that adds theirs to tags or metadata.
fn merged(hand: &Hand, place: &str, pointer: &str, theirs: &Value, body: fn(Value) -> Value) -> Value {
    let found = hand.send("GET", place, Value::Null);
    let mut members = found.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
    members.extend(theirs.as_object().unwrap().clone());
    body(json!(members))
}

fn is_their_rule(rule: &Value) -> bool {
    ["https://theirs.example.com", "https://wildcard.example.com"]
        .iter()
        .any(|origin| rule["allowedOrigins"][0] == *origin)
}

pub(crate) fn others(hand: &Hand) -> Value {
    let get = |place: &str| hand.send("GET", place, Value::Null);
    let without_mark = |members: &Value| {
        let mut members = members.as_object().cloned().unwrap_or_default();
        members.retain(|key, _| !key.starts_with("provision"));
        members
    };
    let metadata = |place: &str| without_mark(&get(place)["properties"]["metadata"]);
    let mut rules = rules(hand);
    rules.retain(is_their_rule);
    let mut service = get(&blob_service())["properties"].clone();
    service.as_object_mut().unwrap().remove("cors");
    let on_ours: Vec<_> = events(hand).iter().filter(|found| !is_theirs(found)).flat_map(furnished).collect();
    let events: Vec<_> = events(hand).into_iter().filter(is_theirs).map(|found| found["properties"].clone()).collect();
    let assignments: Vec<_> = assignments(hand).into_iter().filter(|one| !is_of_server(one)).collect();
    let account = get(ACCOUNT);
    json!({
        "tags": [without_mark(&get(GROUP)["tags"]), without_mark(&get(ACCOUNT)["tags"])],
        "metadata": [metadata(&container("wandb-files")), metadata(&queue("wandb-events")),
            metadata(&container("theirs")), metadata(&queue("theirs"))],
        "account": [account["properties"]["minimumTlsVersion"], account["properties"]["allowBlobPublicAccess"], account["sku"]],
        "rules": rules,
        "service": service,
        "events": events,
        "on_ours": on_ours,
        "assignments": assignments,
    })
}

/// Whatever carries our mark, event subscriptions to our queue, rules for our host, assignments of the server's.
pub(crate) fn ours(hand: &Hand) -> Vec<String> {
    let ask = |place: &str| hand.ask("GET", place, &Value::Null).1;
    let marked = |members: &Value| {
        members.as_object().is_some_and(|members| members.keys().any(|key| key.starts_with("provision")))
    };
    let mut found = Vec::new();
    found.extend(marked(&ask(GROUP)["tags"]).then(|| "group wandb".to_owned()));
    found.extend(marked(&ask(ACCOUNT)["tags"]).then(|| "account acmefiles".to_owned()));
    for (kind, place) in [("container", "blobServices/default/containers"), ("queue", "queueServices/default/queues")] {
        let items = list(&ask(&format!("{ACCOUNT}/{place}"))["value"]);
        // A list of containers has no metadata.
        let metadata = |item: &Value| {
            let name = item["name"].as_str().unwrap_or_default();
            ask(&format!("{ACCOUNT}/{place}/{name}"))["properties"]["metadata"].clone()
        };
        let items = items.iter().filter(|item| marked(&metadata(item)));
        found.extend(items.map(|item| format!("{kind} {}", item["name"].as_str().unwrap())));
    }
    let queue =
        |item: &Value| item["properties"]["destination"]["properties"]["queueName"].as_str().unwrap().to_owned();
    found.extend(events(hand).iter().filter(|found| !is_theirs(found)).map(|found| format!("entry {}", queue(found))));
    let rules = rules(hand);
    let rules = rules.iter().filter(|rule| !is_their_rule(rule));
    found.extend(rules.map(|_| "rule".to_owned()));
    found.extend(assignments(hand).iter().filter(|one| is_of_server(one)).map(|_| "assignment".to_owned()));
    found.sort();
    found
}

//! What Resource Manager answers, as it was recorded by Microsoft's own teams, without a network.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::identities::Identities;
use crate::layer::FaultLayer;
use crate::state::Store;

const GROUP: &str = "/subscriptions/5a4db0c5-0000-4000-8000-000000000001/resourceGroups/g";

struct Rig {
    world: World,
}

fn account() -> String {
    format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/acme")
}

fn container(name: &str) -> String {
    format!("{}/blobServices/default/containers/{name}", account())
}

fn queue(name: &str) -> String {
    format!("{}/queueServices/default/queues/{name}", account())
}

fn event_subscription() -> String {
    format!("{}/providers/Microsoft.EventGrid/eventSubscriptions/es1", account())
}

fn to_queue(name: &str, seconds: u32) -> Value {
    json!({"endpointType": "StorageQueue", "properties": {
        "resourceId": account(), "queueName": name, "queueMessageTimeToLiveInSeconds": seconds}})
}

impl Rig {
    /// With a group and an account that is ready.
    fn furnished(delays: &[(&str, u64)]) -> Self {
        let faults = Arc::new(FaultLayer::default());
        let rig = Self {
            world: World {
                store: Store::in_memory(),
                faults,
                clock: Clock::default(),
                identities: Identities::default(),
            },
        };
        start(&rig.world).unwrap();
        rig.ok("PUT", GROUP, &json!({"location": "westeurope"}));
        let account = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
        for (name, delay) in delays {
            rig.world.faults.set_propagation(name, Duration::from_millis(*delay));
        }
        let (_, headers, _) = rig.ask("PUT", &self::account(), &account);
        assert!(headers["location"].len() > 3_000, "{headers:?}");
        rig.pass(600);
        rig
    }

    fn pass(&self, ms: u64) {
        self.world.clock.advance(Duration::from_millis(ms));
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, HeaderMap, Value) {
        self.asked_as(CLIENT, method, path, body)
    }

    fn asked_as(&self, client: &str, method: &str, path: &str, body: &Value) -> (u16, HeaderMap, Value) {
        let claims = json!({"aud": "https://management.azure.com", "exp": u64::MAX, "nbf": 0, "oid": client, "appid": client,
            "tid": TENANT});
        self.bears(&login::sealed(&claims), method, path, body)
    }

    fn bears(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, HeaderMap, Value) {
        let link = if path.contains('?') { path.to_owned() } else { format!("{path}?api-version=2023-05-01") };
        let request = Request::builder().method(method).uri(link).header("authorization", format!("Bearer {token}"));
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = request.body(body).unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses { resource_manager: here, blob: here, queue: here };
        let call = Call::new(&request, addresses, self.world.clock.now_ms(), &self.world);
        let wire = AzureWire { endpoint: Endpoint::ResourceManager };
        let served = self.world.store.transaction(|state| resource_manager::serve(state, &call));
        let answer = served.unwrap_or_else(|refusal| refusal.phrased(wire, "arm:x"));
        let (head, body) = answer.into_parts();
        (head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, _, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        self.ok("GET", path, &Value::Null)
    }

    /// Status, code and message of a refusal.
    fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String, String) {
        let (status, _, answer) = self.ask(method, path, body);
        let text = |key: &str| answer["error"][key].as_str().unwrap_or_default().to_owned();
        (status, text("code"), text("message"))
    }

    fn names(&self, list: &str) -> Vec<String> {
        let found = self.get(list)["value"].as_array().cloned().unwrap_or_default();
        found.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// azure-cli, `test_storage_container_using_rm_main_scenario.yaml`.
#[test]
fn write_of_a_container_answers_only_what_was_sent() {
    let rig = Rig::furnished(&[]);
    let sent = json!({"properties": {"metadata": {"key1": "value1"}}});
    let made = rig.ok("PUT", &container("con1"), &sent);
    let flags = json!({"deleted": false, "remainingRetentionDays": 0, "hasImmutabilityPolicy": false, "hasLegalHold": false,
        "metadata": {"key1": "value1"}});
    assert_eq!((&made["properties"], &made["etag"]), (&flags, &Value::Null));
    assert_eq!(rig.ok("PUT", &container("con2"), &json!({})).get("properties"), None);
    assert_eq!(rig.get(&container("con1"))["properties"]["metadata"], sent["properties"]["metadata"]);
    let (status, code, message) = rig.refused("GET", &container("none"), &Value::Null);
    assert_eq!((status, code.as_str()), (404, "ContainerNotFound"));
    assert!(message.starts_with("The specified container does not exist.\nRequestId:"), "{message}");
}

/// azure-sdk-for-net, `CreateDeleteStorageQueue.json`; <https://learn.microsoft.com/rest/api/storageservices/delete-queue3#remarks>.
#[test]
fn name_of_a_deleted_queue_is_kept() {
    let rig = Rig::furnished(&[]);
    rig.ok("PUT", &queue("que1"), &json!({"properties": {}}));
    assert_eq!(rig.get(&queue("que1"))["properties"], json!({"metadata": {}, "approximateMessageCount": 0}));
    rig.ok("DELETE", &queue("que1"), &Value::Null);
    let (status, code, _) = rig.refused("PUT", &queue("que1"), &json!({}));
    assert_eq!((status, code.as_str()), (409, "QueueBeingDeleted"));
    rig.pass(30_000);
    rig.ok("PUT", &queue("que1"), &json!({}));
}

/// azure-sdk-for-net, `GetAllBlobContainers.json`; azurerm#15609.
#[test]
fn blob_service_of_a_new_account_says_little_and_is_found_late() {
    let rig = Rig::furnished(&[("blobServices", 500)]);
    let service = format!("{}/blobServices/default", account());
    let (status, code, message) = rig.refused("GET", &service, &Value::Null);
    assert_eq!((status, code.as_str()), (404, "ContainerOperationFailure"));
    assert!(message.starts_with("The specified resource does not exist.\n"), "{message}");
    assert_eq!(rig.refused("PUT", &service, &json!({"properties": {}})).0, 404);
    rig.pass(500);
    let new =
        json!({"cors": {"corsRules": []}, "deleteRetentionPolicy": {"allowPermanentDelete": false, "enabled": false}});
    assert_eq!(rig.get(&service)["properties"], new);
    let written = rig.ok("PUT", &service, &json!({"properties": new}));
    assert_eq!((&written["properties"], written.get("sku")), (&new, None));
    assert_eq!(rig.get(&account()).get("identity"), None);
}

/// <https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview>; arm-template-whatif#354.
#[test]
fn blob_service_keeps_what_is_deleted_for_days_that_there_are() {
    let rig = Rig::furnished(&[]);
    let service = format!("{}/blobServices/default", account());
    let put = |properties: Value| rig.ask("PUT", &service, &json!({"properties": properties})).0;
    let kept = |policy: Value| put(json!({"deleteRetentionPolicy": policy}));
    for refused in
        [json!({"enabled": true}), json!({"enabled": true, "days": 0}), json!({"enabled": false, "days": 366})]
    {
        assert_eq!(kept(refused.clone()), 400, "{refused}");
    }
    assert_eq!(kept(json!({"enabled": true, "days": 365})), 200);
    assert_eq!(rig.get(&service)["properties"]["deleteRetentionPolicy"], json!({"enabled": true, "days": 365}));
    let restoring = |days: u32, kept: Value| {
        json!({"restorePolicy": {"enabled": true, "days": days}, "deleteRetentionPolicy": kept, "isVersioningEnabled": true,
            "changeFeed": {"enabled": true}})
    };
    let days = |days: u32| json!({"enabled": true, "days": days});
    for refused in [restoring(7, days(7)), restoring(6, json!({"enabled": false})), restoring(0, days(7))] {
        assert_eq!(put(refused.clone()), 400, "{refused}");
    }
    let mut without_versions = restoring(6, days(7));
    without_versions["isVersioningEnabled"] = json!(false);
    assert_eq!((put(without_versions), put(restoring(6, days(7)))), (400, 200));
    let policy = rig.get(&service)["properties"]["restorePolicy"].clone();
    assert_eq!((&policy["enabled"], &policy["days"]), (&json!(true), &json!(6)));
    let mut read_only = restoring(6, days(7));
    read_only["restorePolicy"] = policy;
    assert_eq!(put(read_only), 400);
}

/// azure-cli, `test_event_subscription_with_storagequeuemessage_ttl.yaml`.
#[test]
fn event_subscription_keeps_what_a_write_leaves_out() {
    let rig = Rig::furnished(&[]);
    rig.ok("PUT", &queue("que1"), &json!({}));
    let put = |properties: Value| {
        rig.ok("PUT", &event_subscription(), &json!({"properties": properties}))["properties"].clone()
    };
    let filter = json!({"subjectBeginsWith": "/a", "subjectEndsWith": ".jpg", "isSubjectCaseSensitive": false});
    let made = put(json!({"destination": to_queue("que1", 120), "filter": filter, "labels": ["theirs"]}));
    assert_eq!(
        (&made["provisioningState"], &made["filter"]["isSubjectCaseSensitive"]),
        (&json!("Creating"), &Value::Null)
    );
    let changed = put(json!({"destination": to_queue("que1", 300), "filter": {"subjectBeginsWith": "/b"}}));
    assert_eq!(changed["provisioningState"], "Updating");
    rig.pass(300);
    let found = rig.get(&event_subscription())["properties"].clone();
    assert_eq!((&found["labels"], &found["provisioningState"]), (&json!(["theirs"]), &json!("Succeeded")));
    let filter = json!({"subjectBeginsWith": "/b", "subjectEndsWith": ".jpg",
        "includedEventTypes": ["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"]});
    assert_eq!(found["filter"], filter);
    let topic = found["topic"].as_str().unwrap();
    assert!(topic.ends_with("/resourceGroups/g/providers/microsoft.storage/storageaccounts/acme"), "{topic}");
    put(json!({"filter": {"subjectBeginsWith": "", "subjectEndsWith": ""}}));
    let found = rig.get(&event_subscription())["properties"]["filter"].clone();
    assert_eq!((&found["subjectBeginsWith"], &found["subjectEndsWith"]), (&json!(""), &json!("")));
}

#[test]
fn event_subscription_without_its_queue_fails_in_the_end() {
    let rig = Rig::furnished(&[]);
    let body = json!({"properties": {"destination": to_queue("none", 1)}});
    let (status, headers, made) = rig.ask("PUT", &event_subscription(), &body);
    assert_eq!((status, &made["properties"]["provisioningState"]), (201, &json!("Creating")));
    let status = headers["azure-asyncoperation"].to_str().unwrap().split_once("127.0.0.1:1").unwrap().1.to_owned();
    assert_eq!(rig.get(&status)["status"], "InProgress");
    rig.pass(300);
    let failed = rig.get(&status);
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("Failed"), &json!("Endpoint validation")));
    assert_eq!(rig.get(&event_subscription())["properties"]["provisioningState"], "Failed");
}

/// The topic that comes with the first event subscription goes with the last, and both are listed for a while.
#[test]
fn topic_of_the_service_s_own_comes_and_goes_with_the_subscriptions() {
    let rig = Rig::furnished(&[("resources", 1_000)]);
    let (topics, resources) =
        (format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics"), format!("{GROUP}/resources"));
    rig.ok("PUT", &queue("que1"), &json!({}));
    rig.ok("PUT", &event_subscription(), &json!({"properties": {"destination": to_queue("que1", 1)}}));
    let made = rig.names(&topics);
    assert!(made.len() == 1 && made[0].starts_with("acme-"), "{made:?}");
    assert_eq!(rig.names(&resources).len(), 2);
    let (status, headers, _) = rig.ask("DELETE", &event_subscription(), &Value::Null);
    assert_eq!((status, headers.contains_key("location"), headers.contains_key("retry-after")), (202, true, false));
    assert!(headers.contains_key("azure-asyncoperation"));
    let collection = event_subscription().replace("/es1", "");
    assert_eq!(rig.get(&collection)["value"][0]["properties"]["provisioningState"], "Deleting");
    rig.pass(300);
    assert_eq!((rig.names(&collection), rig.names(&topics)), (Vec::new(), Vec::new()));
    rig.ok("DELETE", &account(), &Value::Null);
    assert_eq!(rig.names(&resources).len(), 2);
    rig.pass(1_000);
    assert_eq!(rig.names(&resources), Vec::<String>::new());
}

/// <https://github.com/Azure/azure-cli/issues/28679>
#[test]
fn group_that_is_being_deleted_takes_no_writes() {
    let rig = Rig::furnished(&[("resourceGroups", 5_000)]);
    rig.ok("DELETE", GROUP, &Value::Null);
    assert_eq!(rig.get(GROUP)["properties"]["provisioningState"], "Deleting");
    let body = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
    for (method, path, body) in [("PUT", account(), body), ("PATCH", GROUP.to_owned(), json!({"tags": {}}))] {
        let (status, code, _) = rig.refused(method, &path, &body);
        assert_eq!((status, code.as_str()), (409, "ResourceGroupBeingDeleted"), "{method}");
    }
    rig.pass(5_000);
    assert_eq!(rig.refused("GET", GROUP, &Value::Null).1, "ResourceGroupNotFound");
    rig.ok("PUT", GROUP, &json!({"location": "westeurope"}));
    assert_eq!(rig.refused("GET", &account(), &Value::Null).0, 404);
}

/// azurerm#18268
#[test]
fn new_group_is_found_late() {
    let rig = Rig::furnished(&[("newResourceGroups", 500)]);
    let late = GROUP.replace("/g", "/late");
    let late = late.as_str();
    rig.ok("PUT", late, &json!({"location": "westeurope", "tags": {"a": "b"}}));
    assert_eq!(rig.refused("GET", late, &Value::Null).1, "ResourceGroupNotFound");
    assert_eq!(rig.ask("PUT", late, &json!({"location": "westeurope"})).0, 200);
    rig.pass(500);
    rig.get(late);
}

#[test]
fn locks_are_listed_above_and_below() {
    let rig = Rig::furnished(&[]);
    rig.ok("PUT", &container("con1"), &json!({}));
    let lock = json!({"properties": {"level": "CanNotDelete"}});
    for (scope, name) in [(GROUP.to_owned(), "above"), (account(), "at"), (container("con1"), "below")] {
        rig.ok("PUT", &format!("{scope}/providers/Microsoft.Authorization/locks/{name}"), &lock);
    }
    let mut found = rig.names(&format!("{}/providers/Microsoft.Authorization/locks", account()));
    found.sort();
    assert_eq!(found, ["above", "at", "below"]);
}

#[test]
fn what_is_gone_is_listed_for_a_while() {
    let rig = Rig::furnished(&[("lists", 1_000)]);
    for place in [container("con1"), queue("que1")] {
        let list = place.rsplit_once('/').unwrap().0;
        rig.ok("PUT", &place, &json!({}));
        rig.ok("DELETE", &place, &Value::Null);
        assert_eq!((rig.names(list).len(), rig.refused("GET", &place, &Value::Null).0), (1, 404));
        rig.pass(1_000);
        assert_eq!(rig.names(list), Vec::<String>::new());
    }
}

/// <https://learn.microsoft.com/azure/event-grid/security-authorization#permissions-for-event-subscriptions>
#[test]
fn events_go_only_to_an_account_that_one_may_write() {
    let rig = Rig::furnished(&[]);
    rig.ok("PUT", &queue("events"), &json!({}));
    let attach = |more: &str| {
        let role = json!({"Name": "r", "Actions": ["Microsoft.EventGrid/*", more], "AssignableScopes": [GROUP]});
        rig.world.identities.attach(crate::sandbox::EmulatorKind::Azure, &role.to_string());
    };
    let body = json!({"properties": {"destination": to_queue("events", 60)}});
    let send = || rig.asked_as(rights::CLIENT, "PUT", &event_subscription(), &body);
    attach("Microsoft.Storage/*/read");
    let (status, _, answer) = send();
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("LinkedAuthorizationFailed")), "{answer}");
    attach("Microsoft.Storage/storageAccounts/write");
    assert_eq!(send().0, 201);
}

//! Microsoft Azure.

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{What, When};
use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::{CloudFixture, Denied, Edit, Setting};

const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"
[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = { name = "wandb", create = true }
location = "westeurope"
[azure.account]
name = "acmefiles"
[azure.container]
name = "wandb-files"
[azure.queue]
name = "wandb-events"
[azure.access]
principal_id = "11111111-1111-1111-1111-111111111111"
"#;

pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
pub(crate) const TENANT: &str = "72f988bf-0000-4000-8000-000000000000";
pub(crate) const SERVER: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/wandb";
pub(crate) const ACCOUNT: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/wandb/providers/\
                       Microsoft.Storage/storageAccounts/acmefiles";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

pub(crate) static AZURE: CloudFixture = CloudFixture {
    name: "azure",
    sandbox: EmulatorKind::Azure,
    seed: |stage| {
        let sandbox = stage.sandbox();
        for digit in ["3", "2", "1"] {
            let principal = SERVER.replace('1', digit);
            sandbox.seed_azure(SUBSCRIPTION, TENANT, Some(&principal)).unwrap();
        }
        for (what, milliseconds) in [("storageAccounts", 200), ("eventSubscriptions", 100), ("containers", 300)] {
            sandbox.faults().set_propagation(what, std::time::Duration::from_millis(milliseconds));
        }
    },
    plan: PLAN,
    examples: [
        (include_str!("../../../plans/azure.toml"), "BUCKET=az://acmewandb/wandb-files\n"),
        (include_str!("../../../plans/azure-minimal.toml"), "BUCKET=az://acmewandbminimal/wandb-files\n"),
        (include_str!("../../../plans/azure-full.toml"), "BUCKET=az://acmewandbfull/wandb-full-files\n"),
    ],
    example_names: &[],
    outputs: &["BUCKET=az://acmefiles/wandb-files\n", "BUCKET_QUEUE=az://acmefiles/wandb-events\n"],
    edits: &[
        Edit { shows: "sku ", make: |hand| patch(hand, json!({"sku": {"name": "Standard_LRS"}})) },
        Edit {
            shows: "security.least_tls",
            make: |hand| patch(hand, json!({"properties": {"minimumTlsVersion": "TLS1_0"}})),
        },
        Edit {
            shows: "security.https_only",
            make: |hand| patch(hand, json!({"properties": {"supportsHttpsTrafficOnly": false}})),
        },
        Edit {
            shows: "security.public_blobs",
            make: |hand| patch(hand, json!({"properties": {"allowBlobPublicAccess": true}})),
        },
        Edit {
            shows: "security.public_network",
            make: |hand| patch(hand, json!({"properties": {"publicNetworkAccess": "Disabled"}})),
        },
        Edit {
            shows: "security.firewall",
            make: |hand| patch(hand, json!({"properties": {"networkAcls": {"defaultAction": "Deny"}}})),
        },
        Edit {
            shows: "public_access",
            make: |hand| {
                patch(hand, json!({"properties": {"allowBlobPublicAccess": true}}));
                hand.send("PATCH", &container("wandb-files"), json!({"properties": {"publicAccess": "Blob"}}));
            },
        },
        Edit {
            // Theirs answers before ours. Who edits ours makes it theirs: rules have no id.
            shows: "rule.behind",
            make: |hand| {
                let mut rules = rules(hand);
                rules.insert(
                    0,
                    json!({"allowedOrigins": ["*"], "allowedMethods": ["GET"], "allowedHeaders": [],
                    "exposedHeaders": [], "maxAgeInSeconds": 9}),
                );
                set_rules(hand, &rules);
            },
        },
        Edit {
            shows: "delivery.message_ttl_s",
            make: |hand| {
                change_events(hand, |properties| {
                    properties["destination"]["properties"]["queueMessageTimeToLiveInSeconds"] = json!(77);
                });
            },
        },
        Edit {
            shows: "delivery.prefix",
            make: |hand| {
                change_events(hand, |properties| properties["filter"]["subjectBeginsWith"] = json!("/blobServices/"));
            },
        },
        Edit {
            shows: "roles.",
            make: |hand| {
                let one = assignments(hand).into_iter().find(is_of_server).unwrap();
                hand.send("DELETE", one["id"].as_str().unwrap(), Value::Null);
            },
        },
    ],
    gone: &[
        Edit { shows: "azure.events", make: delete_events },
        Edit { shows: "azure.cors", make: |hand| set_rules(hand, &[]) },
        Edit { shows: "azure.access", make: delete_assignments },
        Edit { shows: "azure.queue", make: |hand| drop(hand.send("DELETE", &queue("wandb-events"), Value::Null)) },
        Edit {
            shows: "azure.container",
            make: |hand| drop(hand.send("DELETE", &container("wandb-files"), Value::Null)),
        },
        Edit { shows: "azure.account", make: |hand| drop(hand.send("DELETE", ACCOUNT, Value::Null)) },
        Edit { shows: "azure.resource_group", make: |hand| drop(hand.send("DELETE", GROUP, Value::Null)) },
    ],
    all_gone: |hand| {
        for place in [container("wandb-files"), queue("wandb-events")] {
            hand.send("DELETE", &place, Value::Null);
        }
    },
    renamed_gone: |hand| drop(hand.send("DELETE", &queue("wandb-renamed"), Value::Null)),
    settings: &[
        Setting { old: "[azure.container]", new: "sku = \"Standard_LRS\"\n[azure.container]", shows: "sku " },
        Setting {
            old: "[azure.container]",
            new: "[azure.cors]\nmax_age_s = 60\n[azure.container]",
            shows: "rule.max_age_s",
        },
        Setting { old: "https://wandb.example.com", new: "https://other.example.com", shows: "rule.origins" },
        Setting { old: "[azure]\n", new: "tags = { team = \"ml\" }\n[azure]\n", shows: "tags.team" },
        Setting {
            old: "[azure.access]",
            new: "[azure.events]\nmessage_ttl_s = 99\n[azure.access]",
            shows: "delivery.message_ttl_s",
        },
        Setting { old: SERVER, new: "22222222-2222-2222-2222-222222222222", shows: "roles." },
    ],
    both: (
        Edit {
            shows: "",
            make: |hand| {
                change_events(hand, |properties| {
                    properties["destination"]["properties"]["queueMessageTimeToLiveInSeconds"] = json!(77);
                });
            },
        },
        Setting { old: "[azure.access]", new: "[azure.events]\nmessage_ttl_s = 99\n[azure.access]", shows: "77 -> 99" },
    ),
    stale: (
        Edit { shows: "", make: |hand| patch(hand, json!({"sku": {"name": "Standard_LRS"}})) },
        Setting { old: "[azure.container]", new: "sku = \"Standard_LRS\"\n[azure.container]", shows: "" },
        &["arm:storageAccounts.patch"],
    ),
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[azure.container]", "sku = \"Standard_LRS\"\n[azure.container]"),
        ("[azure.access]", "[azure.events]\nmessage_ttl_s = 99\n[azure.access]"),
        ("[azure]\n", "tags = { team = \"ml\" }\n[azure]\n"),
        (SERVER, "22222222-2222-2222-2222-222222222222"),
    ],
    // The look at the mark of the beginning, right before that is written: a PATCH of Resource Manager's has no precondition.
    update_begins: ("arm:storageAccounts.get", 2),
    make_bucket: |hand| drop(hand.send("PUT", &container("wandb-files"), json!({}))),
    make_unmarked: |hand| {
        hand.send("PUT", GROUP, json!({"location": "westeurope"}));
        let properties = json!({"minimumTlsVersion": "TLS1_0", "allowBlobPublicAccess": true});
        let account = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"},
            "properties": properties});
        hand.send("PUT", ACCOUNT, account);
        hand.send("PUT", &container("wandb-files"), json!({"properties": {"publicAccess": "None"}}));
        hand.send("PUT", &queue("wandb-events"), json!({}));
    },
    // Groups and accounts are not adopted: one that exists is used as it is.
    unmarked_hints: &[
        "resource group `wandb`",
        "storage account `acmefiles`",
        "create = false",
        "container `wandb-files`",
        "queue `wandb-events`",
        "adopt = true",
    ],
    adopting: &[
        ("create = true", "create = false"),
        ("\"acmefiles\"\n", "\"acmefiles\"\ncreate = false\n"),
        ("\"wandb-files\"\n", "\"wandb-files\"\nadopt = true\n"),
        ("\"wandb-events\"\n", "\"wandb-events\"\nadopt = true\n"),
    ],
    put_others,
    others,
    ours,
    applied: &[
        "account acmefiles",
        "assignment",
        "assignment",
        "assignment",
        "container wandb-files",
        "entry wandb-events",
        "group wandb",
        "queue wandb-events",
        "rule",
    ],
    // Nobody adopts a group or an account: they are used.
    adopted: &[
        "assignment",
        "assignment",
        "assignment",
        "container wandb-files",
        "entry wandb-events",
        "queue wandb-events",
        "rule",
    ],
    mark: |hand, bucket| {
        let found = hand.send("GET", &container(bucket), Value::Null);
        let mut members = found["properties"]["metadata"].as_object().cloned().unwrap_or_default();
        members.retain(|key, _| key.starts_with("provision"));
        json!(members)
    },
    set_mark: |hand, bucket, mark| {
        hand.send("PATCH", &container(bucket), json!({"properties": {"metadata": mark}}));
    },
    bucket: "wandb-files",
    bucket_renamed: &[
        Setting {
            old: "\"wandb-files\"",
            new: "\"wandb-files-new\"",
            shows: "this deployment's container is `wandb-files`, and the plan file now names `wandb-files-new`",
        },
        Setting {
            old: "\"acmefiles\"",
            new: "\"acmefilesnew\"",
            shows: "this deployment's storage account is `acmefiles`, and the plan file now names `acmefilesnew`",
        },
        Setting {
            old: "name = \"wandb\"",
            new: "name = \"wandb-new\"",
            shows: "this deployment's storage account is `wandb/acmefiles`, and the plan file now names `acmefiles`",
        },
    ],
    queue_renamed: (&[("wandb-events", "wandb-renamed")], &["orphan queue `wandb-events`"]),
    alike: &[
        ("wandb-prod", "wandb-prod-b"),
        ("name = \"wandb\"", "name = \"wandb-b\""),
        ("acmefiles", "acmefilesb"),
        ("wandb-files", "wandb-files-b"),
        ("wandb-events", "wandb-events-b"),
    ],
    protect: ("[azure.container]", "protect = true\n[azure.container]"),
    upload: |hand, name| drop(hand.send("PUT", &format!("blob:/acmefiles/wandb-files/{name}"), json!("content"))),
    fill: |hand| ["a", "b", "c"].iter().for_each(|name| (AZURE.upload)(hand, name)),
    messages: |hand| {
        let answer = hand.send("GET", "queue:/acmefiles/wandb-events/messages?numofmessages=32", Value::Null);
        let text = answer.as_str().unwrap_or_default();
        let texts = text.split("<MessageText>").skip(1).filter_map(|rest| rest.split("</MessageText>").next());
        texts.map(|text| String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).unwrap()).unwrap()).collect()
    },
    emptying: ("arm:roleAssignments.delete", "blob:DeleteBlob"),
    passing: || {
        vec![
            ("arm:resourceGroups.put", What::Throttle),
            ("arm:storageAccounts.put", What::Throttle),
            ("arm:storageAccounts.put", What::Drop),
            ("arm:storageAccounts.patch", What::Conflict),
            ("arm:blobServices.put", What::Conflict),
            ("arm:containers.put", What::Drop),
            ("arm:queues.put", What::Throttle),
            ("arm:eventSubscriptions.put", What::Drop),
            ("arm:roleAssignments.put", What::Drop),
        ]
    },
    last_look: ("blob:ListBlobs", 2, When::Before),
    lost: &[
        "arm:resourceGroups.put",
        "arm:storageAccounts.put",
        "arm:blobServices.put",
        "arm:containers.put",
        "arm:queues.put",
        "arm:eventSubscriptions.put",
        "arm:roleAssignments.put",
    ],
    patient: || {
        let body = json!({"error": {"code": "TooManyRequests", "message": "The request is being throttled."}});
        let headers = vec![("retry-after".to_owned(), "2".to_owned())];
        ("arm:containers.put", What::Answer { status: 429, headers, body: body.to_string() })
    },
    ignored: || {
        let body = json!({"properties": {"cors": {"corsRules": []}}});
        ("arm:blobServices.put", What::Answer { status: 200, headers: Vec::new(), body: body.to_string() })
    },
    begins: "arm:containers.put",
    // A PUT of Resource Manager's has no precondition: what is there is seen by the look right before it.
    last_free: ("arm:containers.get", 3),
    finishes: "arm:containers.delete",
    crossed: "arm:eventSubscriptions.put",
    denied: Denied {
        operation: "arm:roleAssignments.put",
        code: "AuthorizationFailed",
        message: "The client 'ci' with object id 'x' does not have authorization to perform action \
                  'Microsoft.Authorization/roleAssignments/write' over scope '/subscriptions/s' or the scope is invalid.",
        at_once: 3,
        says: &["Microsoft.Authorization/roleAssignments/write", "azure.access"],
        // Nothing was assigned.
        unfinished: "+ create role assignments",
    },
    traced: &[
        r#""kind":"StorageV2""#,
        r#""allowedOrigins":["https://wandb.example.com"]"#,
        r#""principalId":"11111111-1111-1111-1111-111111111111""#,
        r#""queueName":"wandb-events""#,
    ],
    secrets: |hand| {
        let keys = hand.send("POST", &format!("{ACCOUNT}/listKeys"), Value::Null);
        let keys = list(&keys["keys"]).into_iter().map(|key| key["value"].as_str().unwrap().to_owned());
        keys.chain(["eyJ".to_owned(), "client_secret=sandbox".to_owned()]).collect()
    },
    credentials: (
        &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"],
        // There is no Azure CLI in an empty folder.
        &[("PATH", "/nonexistent")],
    ),
    credentials_hint: "az login",
    // Apply, with a look right before each PUT, which has no precondition: the plan; a look at the group, the group; a look at
    // the account, the account; looks at container, queue and CORS rules; those; looks at event subscriptions and role
    // assignments; those; the marks; the closing look.
    // Destroy: the look, which takes the content's list by token, the account's key and the list by key besides; the list
    // right before the container goes, the container; a look at what leads to it, then that; the queue; a look at the account,
    // the account; a look at the group, the group.
    waves: [1, 12, 18],
    denied_read: ("arm:blobServices.get", "azure.cors"),
    uncrossed: &[],
    bodiless: &[],
    always_lists: |operation| operation.ends_with(".list"),
    says: |operation| match operation.split_once(':').unwrap() {
        ("arm", name) => format!("/{}/", name.split('.').next().unwrap()),
        _ => "/blobs/".to_owned(),
    },
    refusal: || error(403, "AuthorizationFailed", "does not have authorization to perform action 'x' over scope 'y'"),
    internal: || error(500, "InternalServerError", "Encountered internal server error."),
};

fn error(status: u16, code: &str, message: &str) -> What {
    What::Error { status, code: code.to_owned(), message: message.to_owned() }
}

pub(crate) fn container(name: &str) -> String {
    format!("{ACCOUNT}/blobServices/default/containers/{name}")
}

pub(crate) fn queue(name: &str) -> String {
    format!("{ACCOUNT}/queueServices/default/queues/{name}")
}

fn patch(hand: &Hand, body: Value) {
    hand.send("PATCH", ACCOUNT, body);
}

pub(crate) fn rules(hand: &Hand) -> Vec<Value> {
    let service = hand.ask("GET", &format!("{ACCOUNT}/blobServices/default"), &Value::Null).1;
    list(&service["properties"]["cors"]["corsRules"])
}

pub(crate) fn set_rules(hand: &Hand, rules: &[Value]) {
    let body = json!({"properties": {"cors": {"corsRules": rules}}});
    hand.send("PUT", &format!("{ACCOUNT}/blobServices/default"), body);
}

pub(crate) fn events(hand: &Hand) -> Vec<Value> {
    list(
        &hand.ask("GET", &format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions"), &Value::Null).1["value"],
    )
}

fn is_theirs(item: &Value) -> bool {
    item["name"].as_str().is_some_and(|name| name.starts_with("theirs"))
}

fn change_events(hand: &Hand, change: fn(&mut Value)) {
    for found in events(hand).iter().filter(|found| !is_theirs(found)) {
        let mut properties = found["properties"].clone();
        for key in ["topic", "provisioningState"] {
            properties.as_object_mut().unwrap().remove(key);
        }
        change(&mut properties);
        hand.send("PUT", found["id"].as_str().unwrap(), json!({"properties": properties}));
    }
}

fn delete_events(hand: &Hand) {
    for found in events(hand).iter().filter(|found| !is_theirs(found)) {
        hand.send("DELETE", found["id"].as_str().unwrap(), Value::Null);
    }
}

pub(crate) fn assignments(hand: &Hand) -> Vec<Value> {
    list(
        &hand.ask("GET", &format!("{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments"), &Value::Null).1["value"],
    )
}

fn is_of_server(assignment: &Value) -> bool {
    assignment["properties"]["principalId"].as_str() != Some(&SERVER.replace('1', "3"))
}

fn delete_assignments(hand: &Hand) {
    for one in assignments(hand).iter().filter(|one| is_of_server(one)) {
        hand.send("DELETE", one["id"].as_str().unwrap(), Value::Null);
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn put_others(hand: &Hand) {
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
    let service = json!({"properties": {"cors": {"corsRules": rules},
        "deleteRetentionPolicy": {"enabled": true, "days": 9}, "isVersioningEnabled": true}});
    hand.send("PUT", &format!("{ACCOUNT}/blobServices/default"), service);
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

fn others(hand: &Hand) -> Value {
    let get = |place: &str| hand.send("GET", place, Value::Null);
    let without_mark = |members: &Value| {
        let mut members = members.as_object().cloned().unwrap_or_default();
        members.retain(|key, _| !key.starts_with("provision"));
        members
    };
    let metadata = |place: &str| without_mark(&get(place)["properties"]["metadata"]);
    let mut rules = rules(hand);
    rules.retain(is_their_rule);
    let service = get(&format!("{ACCOUNT}/blobServices/default"))["properties"].clone();
    let events: Vec<_> = events(hand).into_iter().filter(is_theirs).map(|found| found["properties"].clone()).collect();
    let assignments: Vec<_> = assignments(hand).into_iter().filter(|one| !is_of_server(one)).collect();
    let account = get(ACCOUNT);
    json!({
        "tags": [without_mark(&get(GROUP)["tags"]), without_mark(&get(ACCOUNT)["tags"])],
        "metadata": [metadata(&container("wandb-files")), metadata(&queue("wandb-events")),
            metadata(&container("theirs")), metadata(&queue("theirs"))],
        "account": [account["properties"]["minimumTlsVersion"], account["properties"]["allowBlobPublicAccess"], account["sku"]],
        "rules": rules,
        "service": [service["deleteRetentionPolicy"], service["isVersioningEnabled"]],
        "events": events,
        "assignments": assignments,
    })
}

/// Whatever carries our mark, event subscriptions to our queue, rules for our host, assignments of the server's.
fn ours(hand: &Hand) -> Vec<String> {
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

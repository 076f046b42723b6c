//! Microsoft Azure.

mod byob;
pub(crate) mod hand;
pub(crate) mod proof;
mod rights;

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{What, When};
use serde_json::{Value, json};

use self::hand::{
    ACCOUNT, GROUP, SERVER, SUBSCRIPTION, TENANT, assignments, change_events, container, delete_assignments,
    delete_events, is_of_server, keep_deleted, list, others, ours, patch, put_others, queue, rules, set_rules,
};
use super::{CloudFixture, Denied, Edit, Edits, Faults, Foreign, Plans, Setting};

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

pub(crate) static AZURE: CloudFixture = FIXTURE;

/// The same, where whoever runs the commands may work on blobs and queues too.
pub(crate) static AZURE_WITH_DATA: CloudFixture = CloudFixture {
    seed: |stage| {
        (FIXTURE.seed)(stage);
        stage.sandbox().seed_azure_data_roles(SUBSCRIPTION).unwrap();
    },
    ..FIXTURE
};

const FIXTURE: CloudFixture = CloudFixture {
    name: "azure",
    sandbox: EmulatorKind::Azure,
    seed: |stage| {
        let sandbox = stage.sandbox();
        for digit in ["9", "3", "2", "1"] {
            let principal = SERVER.replace('1', digit);
            sandbox.seed_azure(SUBSCRIPTION, TENANT, Some(&principal)).unwrap();
        }
        for (what, milliseconds) in [
            ("storageAccounts", 200),
            ("eventSubscriptions", 100),
            ("containers", 300),
            ("queues", 300),
            ("resourceGroups", 200),
            ("newResourceGroups", 150),
            ("blobServices", 150),
            ("lists", 400),
            ("resources", 2_000),
        ] {
            sandbox.faults().set_propagation(what, std::time::Duration::from_millis(milliseconds));
        }
    },
    plans: PLANS,
    edits: EDITS,
    foreign: FOREIGN,
    faults: FAULTS,
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
    upload: |hand, name| drop(hand.send("PUT", &format!("blob:/acmefiles/wandb-files/{name}"), json!("content"))),
    fill: |hand| ["a", "b", "c"].iter().for_each(|name| (AZURE.upload)(hand, name)),
    messages: |hand| {
        let answer = hand.send(
            "GET",
            "queue:/acmefiles/wandb-events/messages?numofmessages=32&visibilitytimeout=604800",
            Value::Null,
        );
        let text = answer.as_str().unwrap_or_default();
        let texts = text.split("<MessageText>").skip(1).filter_map(|rest| rest.split("</MessageText>").next());
        texts.map(|text| String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).unwrap()).unwrap()).collect()
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
        // Events in the queue begin like tokens.
        keys.chain(["eyJhbGci".to_owned(), "client_secret=sandbox".to_owned()]).collect()
    },
    credentials: (
        &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"],
        // There is no Azure CLI in an empty folder.
        &[("PATH", "/nonexistent")],
    ),
    credentials_hint: "az login",
    rights: rights::RIGHTS,
    // Apply, with a look right before each PUT, which has no precondition: the plan; a look at the group, the group; a look at
    // the account, the account; looks at container, queue and CORS rules; those; looks at event subscriptions and role
    // assignments; those; the marks; the closing look, and what is below the topic that the service made.
    // Destroy: the look, which takes the content's list by token, the account's key and the list by key besides; the list
    // right before the container goes, the container; a look at what leads to it, then that; the queue; a look at the account,
    // the account; a look at the group, the group.
    proof: Some(&proof::PROOF),
    byob: &byob::BYOB,
    waves: [1, 13, 20],
};

const PLANS: Plans = Plans {
    whole: PLAN,
    examples: [
        (include_str!("../../../plans/azure.toml"), "BUCKET=az://acmewandb/wandb-files\n"),
        (include_str!("../../../plans/azure-minimal.toml"), "BUCKET=az://acmewandbminimal/wandb-files\n"),
        (include_str!("../../../plans/azure-full.toml"), "BUCKET=az://acmewandbfull/wandb-full-files\n"),
    ],
    example_names: &[],
    imported: &[
        "azurerm_resource_group.wandb",
        "azurerm_storage_account.wandb",
        "azurerm_storage_container.files",
        "azurerm_storage_queue.events",
        "azurerm_eventgrid_event_subscription.files",
        "azurerm_role_assignment.reader",
        "azurerm_role_assignment.blobs",
        "azurerm_role_assignment.queue",
        "azurerm_role_assignment.reader_33333333_3333_3333_3333_333333333333",
        "azurerm_role_assignment.blobs_33333333_3333_3333_3333_333333333333",
    ],
    outputs: &["BUCKET=az://acmefiles/wandb-files\n", "BUCKET_QUEUE=az://acmefiles/wandb-events\n"],
    settings: &[
        Setting { old: "[azure.container]", new: "sku = \"Standard_LRS\"\n[azure.container]", shows: "sku " },
        Setting {
            old: "[azure.container]",
            new: "[azure.cors]\nmax_age_s = 60\n[azure.container]",
            shows: "rule.max_age_s",
        },
        Setting {
            old: "[azure.container]",
            new: "soft_delete_days = 30\n[azure.container]",
            shows: "soft_delete_days",
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
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[azure.container]", "sku = \"Standard_LRS\"\nsoft_delete_days = 30\n[azure.container]"),
        ("[azure.access]", "[azure.events]\nmessage_ttl_s = 99\n[azure.access]"),
        ("[azure]\n", "tags = { team = \"ml\" }\n[azure]\n"),
        (SERVER, "22222222-2222-2222-2222-222222222222"),
    ],
    adopting: &[
        ("create = true", "create = false"),
        ("\"acmefiles\"\n", "\"acmefiles\"\ncreate = false\n"),
        ("\"wandb-files\"\n", "\"wandb-files\"\nadopt = true\n"),
        ("\"wandb-events\"\n", "\"wandb-events\"\nadopt = true\n"),
    ],
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
    queue_renamed: (&[("wandb-events", "wandb-renamed")], &["left over: queue `wandb-events`"]),
    alike: &[
        ("wandb-prod", "wandb-prod-b"),
        ("name = \"wandb\"", "name = \"wandb-b\""),
        ("acmefiles", "acmefilesb"),
        ("wandb-files", "wandb-files-b"),
        ("wandb-events", "wandb-events-b"),
    ],
    brief: ("[azure.access]", "[azure.events]\nmessage_ttl_s = 3600\n[azure.access]"),
    protect: ("[azure.container]", "protect = true\n[azure.container]"),
};

const EDITS: Edits = Edits {
    facets: &[
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
        Edit { shows: "soft_delete_days", make: |hand| keep_deleted(hand, 10) },
        Edit { shows: "soft_delete_days", make: |hand| keep_deleted(hand, 0) },
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
            shows: "delivery.ends",
            make: |hand| {
                change_events(hand, |properties| properties["expirationTimeUtc"] = json!("2099-01-01T00:00:00Z"));
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
    both: (
        Edit {
            shows: "",
            make: |hand| {
                change_events(hand, |properties| {
                    properties["destination"]["properties"]["queueMessageTimeToLiveInSeconds"] = json!(77);
                });
            },
        },
        Setting {
            old: "[azure.access]",
            new: "[azure.events]\nmessage_ttl_s = 99\n[azure.access]",
            shows: "is 77, should be 99",
        },
    ),
    stale: (
        Edit { shows: "", make: |hand| patch(hand, json!({"sku": {"name": "Standard_LRS"}})) },
        Setting { old: "[azure.container]", new: "sku = \"Standard_LRS\"\n[azure.container]", shows: "" },
        &["arm:storageAccounts.patch"],
    ),
};

const FOREIGN: Foreign = Foreign {
    bucket: |hand| drop(hand.send("PUT", &container("wandb-files"), json!({}))),
    unmarked: |hand| {
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
    put: put_others,
    all: others,
};

const FAULTS: Faults = Faults {
    // The look at the mark of the beginning, right before that is written: a PATCH of Resource Manager's has no precondition.
    update_begins: ("arm:storageAccounts.get", 2),
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
        let body = json!({"id": format!("{ACCOUNT}/blobServices/default"), "properties": {"cors": {"corsRules": []}}});
        ("arm:blobServices.put", What::Answer { status: 200, headers: Vec::new(), body: body.to_string() })
    },
    denied: Denied {
        operation: "arm:roleAssignments.put",
        code: "AuthorizationFailed",
        message: "The client 'ci' with object id 'x' does not have authorization to perform action \
                  'Microsoft.Authorization/roleAssignments/write' over scope '/subscriptions/s' or the scope is invalid.",
        at_once: 3,
        says: &["Microsoft.Authorization/roleAssignments/write", "azure.access"],
        // Nothing was assigned.
        unfinished: "+ role assignments",
    },
    denied_read: ("arm:blobServices.get", "azure.cors"),
    refusal: || error(403, "AuthorizationFailed", "does not have authorization to perform action 'x' over scope 'y'"),
    internal: || error(500, "InternalServerError", "Encountered internal server error."),
    uncrossed: &[],
    // A deletion that is done may be answered with nothing.
    bodiless: &["arm:operations.get"],
    always_lists: |operation| operation.ends_with(".list"),
    throttles: |operation| match operation.starts_with("arm:") {
        true => vec![(429, "TooManyRequests"), (429, "SubscriptionRequestsThrottled"), (503, "ServerBusy")],
        false => vec![(503, "ServerBusy"), (500, "OperationTimedOut")],
    },
    says: |operation| match operation.split_once(':').unwrap() {
        // An answer of a poll is told with the write that it is about, the name of a kind with its place.
        ("arm", "operations.get") => "Microsoft.".to_owned(),
        ("arm", "storageAccounts.checkNameAvailability") => "/checkNameAvailability/".to_owned(),
        ("arm", "systemTopicEventSubscriptions.list") => "/eventSubscriptions/".to_owned(),
        ("arm", name) => format!("/{}/", name.split('.').next().unwrap()),
        _ => "/blobs/".to_owned(),
    },
    begins: "arm:containers.put",
    // A PUT of Resource Manager's has no precondition: what is there is seen by the look right before it.
    last_free: ("arm:containers.get", 3),
    finishes: "arm:containers.delete",
    last_look: ("blob:ListBlobs", 2, When::Before),
    crossed: "arm:eventSubscriptions.put",
    emptying: ("arm:roleAssignments.delete", "blob:DeleteBlob"),
};

fn error(status: u16, code: &str, message: &str) -> What {
    What::Error { status, code: code.to_owned(), message: message.to_owned() }
}

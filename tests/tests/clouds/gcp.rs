//! Google Cloud.

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{What, When};
use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::{CloudFixture, Denied, Edit, Setting};

const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"
[gcp]
project = "acme-ml"
[gcp.bucket]
name = "acme-files"
[gcp.topic]
name = "acme-events"
[gcp.subscription]
name = "acme-server"
[gcp.access]
service_account = "wandb@acme-ml.iam.gserviceaccount.com"
"#;

const PROJECT: &str = "acme-ml";
pub(crate) const SERVER: &str = "serviceAccount:wandb@acme-ml.iam.gserviceaccount.com";
/// What the members of the plan file's account, and of that it is changed to, have in common.
const SERVERS: &str = "@acme-ml.iam.gserviceaccount.com";
pub(crate) const BUCKET: &str = "/storage/v1/b/acme-files";
pub(crate) const POLICY: &str = "/storage/v1/b/acme-files/iam";
const POLICY_3: &str = "/storage/v1/b/acme-files/iam?optionsRequestedPolicyVersion=3";
pub(crate) const ENTRIES: &str = "/storage/v1/b/acme-files/notificationConfigs";
pub(crate) const TOPIC: &str = "/v1/projects/acme-ml/topics/acme-events";
pub(crate) const SUBSCRIPTION: &str = "/v1/projects/acme-ml/subscriptions/acme-server";
pub(crate) const ACCOUNT: &str = "/v1/projects/acme-ml/serviceAccounts/wandb@acme-ml.iam.gserviceaccount.com";

pub(crate) static GCP: CloudFixture = CloudFixture {
    name: "gcp",
    sandbox: EmulatorKind::Google,
    seed: |stage| {
        for name in ["wandb-full", "other", "wandb"] {
            stage.sandbox().seed_google(PROJECT, Some(&format!("{name}@acme-ml.iam.gserviceaccount.com"))).unwrap();
        }
    },
    plan: PLAN,
    examples: [
        (include_str!("../../../plans/gcp.toml"), "BUCKET=gs://acme-wandb-files\n"),
        (include_str!("../../../plans/gcp-minimal.toml"), "BUCKET=gs://acme-wandb-minimal\n"),
        (include_str!("../../../plans/gcp-full.toml"), "BUCKET=gs://acme-wandb-full\n"),
    ],
    example_names: &[],
    outputs: &["BUCKET=gs://acme-files\n", "BUCKET_QUEUE=pubsub:/acme-ml/acme-events/acme-server\n"],
    edits: &[
        Edit { shows: "storage.class", make: |hand| patch(hand, json!({"storageClass": "NEARLINE"})) },
        Edit {
            shows: "public_access.prevention",
            make: |hand| patch(hand, json!({"iamConfiguration": {"publicAccessPrevention": "inherited"}})),
        },
        Edit {
            shows: "public_access.uniform_access",
            make: |hand| {
                patch(hand, json!({"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": false}}}));
            },
        },
        Edit {
            shows: "encryption",
            make: |hand| {
                let key = "projects/acme-ml/locations/us/keyRings/r/cryptoKeys/k";
                patch(hand, json!({"encryption": {"defaultKmsKeyName": key}}));
            },
        },
        Edit { shows: "versioning ", make: |hand| patch(hand, json!({"versioning": {"enabled": true}})) },
        Edit {
            shows: "soft_delete_days",
            make: |hand| patch(hand, json!({"softDeletePolicy": {"retentionDurationSeconds": "864000"}})),
        },
        Edit {
            // Theirs answers before ours. Who edits ours makes it theirs: rules have no id.
            shows: "cors.behind",
            make: |hand| {
                let mut rules = list(&hand.send("GET", BUCKET, Value::Null)["cors"]);
                rules.insert(0, json!({"origin": ["*"], "method": ["GET"]}));
                patch(hand, json!({"cors": rules}));
            },
        },
        Edit { shows: "publisher", make: |hand| set_policy(hand, TOPIC, json!({"bindings": []})) },
        Edit {
            shows: "attributes.ack_deadline_s",
            make: |hand| update_subscription(hand, "ackDeadlineSeconds", json!(77)),
        },
        Edit {
            shows: "attributes.retention_s",
            make: |hand| update_subscription(hand, "messageRetentionDuration", json!("700s")),
        },
        Edit {
            shows: "attributes.expires",
            make: |hand| update_subscription(hand, "expirationPolicy", json!({"ttl": "2678400s"})),
        },
        Edit { shows: "access", make: |hand| set_policy(hand, SUBSCRIPTION, json!({"bindings": []})) },
        Edit { shows: "bucket_grants", make: |hand| drop(hand.send("PUT", POLICY, json!({"bindings": []}))) },
        Edit { shows: "account_grants", make: |hand| set_policy(hand, ACCOUNT, json!({"bindings": []})) },
    ],
    gone: &[
        Edit { shows: "gcp.notification", make: delete_entries },
        Edit { shows: "gcp.bucket", make: |hand| patch(hand, json!({"cors": []})) },
        Edit {
            shows: "gcp.access",
            make: |hand| {
                hand.send("PUT", POLICY, json!({"bindings": []}));
                set_policy(hand, ACCOUNT, json!({"bindings": []}));
            },
        },
        Edit { shows: "gcp.subscription", make: |hand| drop(hand.send("DELETE", SUBSCRIPTION, Value::Null)) },
        // The subscription hears of nothing any more, and is made again on the new topic.
        Edit { shows: "gcp.topic", make: |hand| drop(hand.send("DELETE", TOPIC, Value::Null)) },
        Edit { shows: "gcp.bucket", make: |hand| drop(hand.send("DELETE", BUCKET, Value::Null)) },
    ],
    all_gone: |hand| {
        for place in [SUBSCRIPTION, TOPIC, BUCKET] {
            hand.send("DELETE", place, Value::Null);
        }
    },
    renamed_gone: |hand| drop(hand.send("DELETE", &SUBSCRIPTION.replace("acme-server", "acme-other"), Value::Null)),
    settings: &[
        Setting { old: "[gcp.topic]", new: "versioning = true\n[gcp.topic]", shows: "versioning" },
        Setting { old: "[gcp.topic]", new: "soft_delete_days = 30\n[gcp.topic]", shows: "soft_delete_days" },
        Setting { old: "[gcp.topic]", new: "storage_class = \"NEARLINE\"\n[gcp.topic]", shows: "storage.class" },
        Setting { old: "[gcp.topic]", new: "cors = { max_age_s = 60 }\n[gcp.topic]", shows: "cors.max_age_s" },
        Setting { old: "https://wandb.example.com", new: "https://other.example.com", shows: "cors.origins" },
        Setting { old: "[gcp]\n", new: "tags = { team = \"ml\" }\n[gcp]\n", shows: "labels.team" },
        Setting { old: "[gcp.access]", new: "ack_deadline_s = 77\n[gcp.access]", shows: "attributes.ack_deadline_s" },
        Setting { old: "[gcp.access]", new: "retention_s = 700\n[gcp.access]", shows: "attributes.retention_s" },
        Setting { old: "\"wandb@acme", new: "\"other@acme", shows: "bucket_grants.roles/storage.objectAdmin" },
    ],
    both: (
        Edit { shows: "", make: |hand| update_subscription(hand, "ackDeadlineSeconds", json!(77)) },
        Setting { old: "[gcp.access]", new: "ack_deadline_s = 99\n[gcp.access]", shows: "77 -> 99" },
    ),
    stale: (
        Edit { shows: "", make: |hand| patch(hand, json!({"versioning": {"enabled": true}})) },
        Setting { old: "[gcp.topic]", new: "versioning = true\n[gcp.topic]", shows: "" },
        &["storage:UpdateBucket"],
    ),
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[gcp.topic]", "versioning = true\nsoft_delete_days = 30\n[gcp.topic]"),
        ("[gcp.access]", "ack_deadline_s = 99\n[gcp.access]"),
        ("[gcp]\n", "tags = { team = \"ml\" }\n[gcp]\n"),
        ("\"wandb@acme", "\"other@acme"),
    ],
    update_begins: ("storage:UpdateBucket", 1),
    make_bucket: |hand| drop(hand.send("POST", "/storage/v1/b?project=acme-ml", json!({"name": "acme-files"}))),
    make_unmarked: |hand| {
        let bucket = json!({"name": "acme-files", "versioning": {"enabled": true},
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}}});
        hand.send("POST", "/storage/v1/b?project=acme-ml", bucket);
        hand.send("PUT", TOPIC, json!({}));
        let topic = TOPIC.trim_start_matches("/v1/");
        hand.send("PUT", SUBSCRIPTION, json!({"topic": topic, "ackDeadlineSeconds": 44}));
    },
    unmarked_hints: &["bucket `acme-files`", "topic `acme-events`", "subscription `acme-server`", "adopt = true"],
    adopting: &[
        ("\"acme-files\"\n", "\"acme-files\"\nadopt = true\nprivate = true\n"),
        ("\"acme-events\"\n", "\"acme-events\"\nadopt = true\n"),
        ("\"acme-server\"\n", "\"acme-server\"\nadopt = true\n"),
    ],
    put_others,
    others,
    ours,
    applied: &[
        "bucket acme-files",
        "entry acme-events",
        "member",
        "member",
        "member",
        "member",
        "member",
        "rule",
        "subscription acme-server",
        "topic acme-events",
    ],
    adopted: &[
        "bucket acme-files",
        "entry acme-events",
        "member",
        "member",
        "member",
        "member",
        "member",
        "rule",
        "subscription acme-server",
        "topic acme-events",
    ],
    mark: |hand, bucket| {
        let bucket = hand.send("GET", &format!("/storage/v1/b/{bucket}"), Value::Null);
        let mut labels = bucket["labels"].as_object().cloned().unwrap_or_default();
        labels.retain(|key, _| key.starts_with("provision"));
        json!(labels)
    },
    set_mark: |hand, bucket, mark| {
        let mut labels = mark.clone();
        for key in (GCP.mark)(hand, bucket).as_object().unwrap().keys().filter(|key| mark.get(key.as_str()).is_none()) {
            labels[key] = Value::Null;
        }
        hand.send("PATCH", &format!("/storage/v1/b/{bucket}"), json!({"labels": labels}));
    },
    bucket: "acme-files",
    bucket_renamed: &[Setting {
        old: "\"acme-files\"",
        new: "\"acme-files-new\"",
        shows: "this deployment's bucket is `acme-files`, and the plan file now names `acme-files-new`",
    }],
    // A subscription stays with its topic, so that both get other names.
    queue_renamed: (
        &[("acme-events", "acme-renamed"), ("acme-server", "acme-other")],
        &["orphan topic `acme-events`", "orphan subscription `acme-server`"],
    ),
    alike: &[
        ("wandb-prod", "wandb-prod-b"),
        ("acme-files", "acme-files-b"),
        ("acme-events", "acme-events-b"),
        ("acme-server", "acme-server-b"),
    ],
    protect: ("[gcp.topic]", "protect = true\n[gcp.topic]"),
    upload: |hand, name| {
        let place = format!("/upload/storage/v1/b/acme-files/o?uploadType=media&name={name}");
        hand.send("POST", &place, json!("content").to_string().into());
    },
    fill: |hand| {
        patch(hand, json!({"versioning": {"enabled": true}}));
        ["a", "b", "a"].iter().for_each(|name| (GCP.upload)(hand, name));
    },
    messages: |hand| {
        let pull = json!({"maxMessages": 100, "returnImmediately": true});
        let answer = hand.send("POST", &format!("{SUBSCRIPTION}:pull"), pull);
        let messages = answer["receivedMessages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["message"]["attributes"].to_string()).collect()
    },
    emptying: ("storage:SetIamPolicy", "storage:DeleteObject"),
    passing: || {
        vec![
            ("storage:CreateBucket", What::Throttle),
            ("storage:CreateBucket", What::Drop),
            ("storage:SetIamPolicy", What::Conflict),
            ("pubsub:CreateTopic", What::Throttle),
            ("pubsub:CreateSubscription", What::Drop),
            ("pubsub:SetIamPolicy", What::Conflict),
            ("iam:SetIamPolicy", What::Conflict),
            ("storage.json:notificationConfigs.insert", What::Throttle),
            ("storage.json:notificationConfigs.insert", What::Drop),
            ("storage:UpdateBucket", What::Conflict),
        ]
    },
    last_look: ("storage:DeleteBucket", 1, When::Before),
    lost: &[
        "storage:CreateBucket",
        "storage:UpdateBucket",
        "storage:SetIamPolicy",
        "pubsub:CreateTopic",
        "pubsub:CreateSubscription",
        "pubsub:SetIamPolicy",
        "storage.json:notificationConfigs.insert",
    ],
    patient: || {
        let body = json!({"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}});
        ("pubsub:CreateTopic", answer(429, &[("retry-after", "2")], &body))
    },
    ignored: || ("iam:SetIamPolicy", answer(200, &[], &json!({"etag": "BwXhqDVKQ2U="}))),
    begins: "storage:CreateBucket",
    last_free: ("storage:CreateBucket", 1),
    finishes: "storage:DeleteBucket",
    crossed: "storage.json:notificationConfigs.insert",
    denied: Denied {
        operation: "iam:SetIamPolicy",
        code: "PERMISSION_DENIED",
        message: "Permission 'iam.serviceAccounts.setIamPolicy' denied on resource (or it may not exist).",
        at_once: 1,
        says: &["iam.serviceAccounts.setIamPolicy", "gcp.access"],
        unfinished: "an apply did not finish",
    },
    traced: &[
        r#""bucketId":"acme-files""#,
        r#""name":"projects/acme-ml/topics/acme-events""#,
        r#""ackDeadlineSeconds":30"#,
        r#""role":"roles/pubsub.publisher""#,
        r#""role":"roles/iam.serviceAccountTokenCreator""#,
        r#""payload_format":"JSON_API_V1""#,
    ],
    secrets: |_| vec!["Bearer".to_owned()],
    credentials: (
        &["STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "PROVISION_GCP_API_ENDPOINT", "PROVISION_GCS_GRPC_ENDPOINT"],
        &[("GCE_METADATA_HOST", "127.0.0.1:9")],
    ),
    credentials_hint: "gcloud auth application-default login",
    // Apply: the plan, the topic, its policy, the notification, the look for a second one, a fresh look at the bucket, whose
    // labels are written whole, the marks, the closing look.
    // Destroy: the plan, the account, which other buckets may have a say in, the bucket, the topic.
    waves: [1, 8, 14],
    denied_read: ("storage.json:notificationConfigs.list", "gcp.notification"),
    // They carry no precondition: a notification is made and deleted, never changed.
    uncrossed: &["storage.json:notificationConfigs.insert", "storage.json:notificationConfigs.delete"],
    bodiless: &[],
    always_lists: |_| false,
    says: |operation| {
        let (service, name) = operation.split_once(':').unwrap();
        let of = |noun: &str| {
            name.strip_suffix(noun).map(|verb| format!("{}s.{}", noun.to_lowercase(), verb.to_lowercase()))
        };
        match of("Bucket").or(of("Object")).or(of("Topic")).or(of("Subscription")) {
            Some(name) => format!("{service}.{name}"),
            None => name.replace("SetIamPolicy", "setIamPolicy"),
        }
    },
    refusal: || error(403, "PERMISSION_DENIED", "not authorized to perform this action"),
    internal: || error(503, "UNAVAILABLE", "try again"),
};

fn error(status: u16, code: &str, message: &str) -> What {
    What::Error { status, code: code.to_owned(), message: message.to_owned() }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> What {
    let json = [("content-type", "application/json")];
    let headers = json.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    What::Answer { status, headers, body: body.to_string() }
}

fn patch(hand: &Hand, body: Value) {
    hand.send("PATCH", BUCKET, body);
}

pub(crate) fn set_policy(hand: &Hand, place: &str, policy: Value) {
    hand.send("POST", &format!("{place}:setIamPolicy"), json!({"policy": policy}));
}

pub(crate) fn policy(hand: &Hand, place: &str) -> Value {
    match place {
        POLICY => hand.send("GET", POLICY_3, Value::Null),
        ACCOUNT => policy_of_account(hand, place),
        _ => hand.send("GET", &format!("{place}:getIamPolicy?options.requestedPolicyVersion=3"), Value::Null),
    }
}

/// It is asked for with POST.
fn policy_of_account(hand: &Hand, place: &str) -> Value {
    hand.send("POST", &format!("{place}:getIamPolicy"), json!({"options": {"requestedPolicyVersion": 3}}))
}

fn update_subscription(hand: &Hand, field: &str, value: Value) {
    let mut subscription = json!({"name": SUBSCRIPTION.trim_start_matches("/v1/")});
    subscription[field] = value;
    hand.send("PATCH", SUBSCRIPTION, json!({"subscription": subscription, "updateMask": field}));
}

fn delete_entries(hand: &Hand) {
    for entry in list(&hand.send("GET", ENTRIES, Value::Null)["items"]) {
        hand.send("DELETE", &format!("{ENTRIES}/{}", entry["id"].as_str().unwrap()), Value::Null);
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Bindings of others with our roles and with roles of their own, with a condition and without.
fn put_others(hand: &Hand) {
    hand.send("PUT", "/v1/projects/acme-ml/topics/theirs", json!({}));
    let entry = json!({"topic": "//pubsub.googleapis.com/projects/acme-ml/topics/theirs", "payload_format": "NONE",
        "event_types": ["OBJECT_DELETE"], "object_name_prefix": "logs/"});
    let agent = hand.send("GET", "/storage/v1/projects/acme-ml/serviceAccount", Value::Null)["email_address"].clone();
    let publisher = json!([{"role": "roles/pubsub.publisher",
        "members": [format!("serviceAccount:{}", agent.as_str().unwrap()), "user:theirs@example.com"]}]);
    set_policy(hand, "/v1/projects/acme-ml/topics/theirs", json!({"bindings": publisher}));
    hand.send("POST", ENTRIES, entry);
    // With attributes, of whatever happens to files that ours never hears of.
    let entry = json!({"topic": "//pubsub.googleapis.com/projects/acme-ml/topics/theirs", "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_METADATA_UPDATE", "OBJECT_ARCHIVE"], "custom_attributes": {"from": "theirs"}});
    hand.send("POST", ENTRIES, entry);
    let rule = json!({"origin": ["https://theirs.example.com"], "method": ["GET"], "maxAgeSeconds": 7});
    let mut rules = list(&hand.send("GET", BUCKET, Value::Null)["cors"]);
    rules.insert(0, rule);
    rules.push(json!({"origin": ["https://wildcard.example.com"], "method": ["*"], "responseHeader": ["x-theirs"]}));
    let key = "projects/acme-ml/locations/us/keyRings/theirs/cryptoKeys/theirs";
    patch(
        hand,
        json!({"cors": rules, "labels": {"team": "theirs", "name": "their-bucket"}, "storageClass": "NEARLINE",
            "encryption": {"defaultKmsKeyName": key}, "softDeletePolicy": {"retentionDurationSeconds": "864000"}}),
    );
    hand.send(
        "PATCH",
        TOPIC,
        json!({"topic": {"name": TOPIC.trim_start_matches("/v1/"), "labels": merged(hand, TOPIC)},
        "updateMask": "labels"}),
    );
    update_subscription(hand, "labels", merged(hand, SUBSCRIPTION));
    for (place, role) in [
        (POLICY, "roles/storage.objectAdmin"),
        (TOPIC, "roles/pubsub.publisher"),
        (SUBSCRIPTION, "roles/pubsub.subscriber"),
        (ACCOUNT, "roles/iam.serviceAccountTokenCreator"),
    ] {
        // A run that is paused elsewhere may write between the read and the write.
        while !put_members(hand, place, role) {}
    }
}

/// Gives others a role, on a condition too; whether nobody else wrote meanwhile.
fn put_members(hand: &Hand, place: &str, role: &str) -> bool {
    let mut found = policy(hand, place);
    let mut bindings = list(&found["bindings"]);
    match bindings.iter_mut().find(|binding| binding["role"] == role && binding["condition"].is_null()) {
        Some(binding) => binding["members"].as_array_mut().unwrap().push(json!("user:theirs@example.com")),
        None => bindings.push(json!({"role": role, "members": ["user:theirs@example.com"]})),
    }
    let condition = json!({"title": "one day", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"});
    bindings.push(json!({"role": role, "members": ["user:conditional@example.com"], "condition": condition}));
    found["bindings"] = json!(bindings);
    found["version"] = json!(3);
    let (status, answer) = match place {
        POLICY => hand.ask("PUT", POLICY, &found),
        place => hand.ask("POST", &format!("{place}:setIamPolicy"), &json!({"policy": found})),
    };
    assert!([200, 409, 412].contains(&status), "{place} is answered {status}: {answer}");
    status == 200
}

/// The labels of a topic or subscription with one of theirs.
fn merged(hand: &Hand, place: &str) -> Value {
    let mut labels = hand.send("GET", place, Value::Null)["labels"].as_object().cloned().unwrap_or_default();
    labels.insert("team".to_owned(), json!("theirs"));
    json!(labels)
}

fn is_their_rule(rule: &Value) -> bool {
    rule["origin"][0] == "https://theirs.example.com" || rule["origin"][0] == "https://wildcard.example.com"
}

fn others(hand: &Hand) -> Value {
    let labels = |place: &str| {
        let mut labels = hand.send("GET", place, Value::Null)["labels"].as_object().cloned().unwrap_or_default();
        labels.retain(|key, _| !key.starts_with("provision"));
        labels
    };
    let bindings = |place: &str| {
        let mut members: Vec<_> = list(&policy(hand, place)["bindings"]).iter().flat_map(members_of).collect();
        members.retain(|member| member.contains("theirs@example.com") || member.contains("conditional@example.com"));
        members.sort();
        members
    };
    let bucket = hand.send("GET", BUCKET, Value::Null);
    let mut rules = list(&bucket["cors"]);
    rules.retain(is_their_rule);
    let mut entries = list(&hand.send("GET", ENTRIES, Value::Null)["items"]);
    entries.retain(|entry| entry["topic"].as_str().unwrap().ends_with("/theirs"));
    json!({
        "labels": [labels(BUCKET), labels(TOPIC), labels(SUBSCRIPTION)],
        "bindings": [bindings(POLICY), bindings(TOPIC), bindings(SUBSCRIPTION), bindings(ACCOUNT)],
        "rules": rules,
        "entries": entries,
        "bucket": [bucket["storageClass"], bucket["encryption"], bucket["versioning"],
            bucket["softDeletePolicy"]["retentionDurationSeconds"]],
    })
}

/// Each member of a binding with its role and condition.
fn members_of(binding: &Value) -> Vec<String> {
    let text = |member: Value| format!("{} {member} {}", binding["role"], binding["condition"]);
    list(&binding["members"]).into_iter().map(text).collect()
}

/// Whatever carries our mark, entries that point to our topic, rules for our host, members of ours in policies.
fn ours(hand: &Hand) -> Vec<String> {
    let mut found = Vec::new();
    let marked = |item: &Value| item["labels"].get("provision-deployment").is_some();
    let short = |item: &Value| item["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (kind, place, key) in [
        ("bucket", "/storage/v1/b?project=acme-ml", "items"),
        ("topic", "/v1/projects/acme-ml/topics", "topics"),
        ("subscription", "/v1/projects/acme-ml/subscriptions", "subscriptions"),
    ] {
        let items = list(&hand.send("GET", place, Value::Null)[key]);
        found.extend(items.iter().filter(|item| marked(item)).map(|item| format!("{kind} {}", short(item))));
    }
    let ask = |place: &str| hand.ask("GET", place, &Value::Null).1;
    let entries = list(&ask(ENTRIES)["items"]);
    let topics = entries.iter().map(|entry| entry["topic"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
    found.extend(topics.filter(|topic| topic != "theirs").map(|topic| format!("entry {topic}")));
    let rules = list(&ask(BUCKET)["cors"]);
    found.extend(rules.iter().filter(|rule| !is_their_rule(rule)).map(|_| "rule".to_owned()));
    for (place, member) in [
        (POLICY_3.to_owned(), SERVERS),
        (format!("{TOPIC}:getIamPolicy"), "serviceAccount:service-"),
        (format!("{SUBSCRIPTION}:getIamPolicy"), SERVERS),
    ] {
        let members = list(&ask(&place)["bindings"]).iter().flat_map(members_of).collect::<Vec<_>>();
        found.extend(members.iter().filter(|text| text.contains(member)).map(|_| "member".to_owned()));
    }
    for account in [ACCOUNT.to_owned(), ACCOUNT.replace("/wandb@", "/other@")] {
        let members =
            list(&policy_of_account(hand, &account)["bindings"]).iter().flat_map(members_of).collect::<Vec<_>>();
        found.extend(members.iter().filter(|text| text.contains(SERVERS)).map(|_| "member".to_owned()));
    }
    found.sort();
    found
}

//! Google Cloud.

mod byob;
pub(crate) mod hand;
mod proof;

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use self::hand::{
    ACCOUNT, BUCKET, POLICY, PROJECT, SUBSCRIPTION, TOPIC, delete_entries, list, others, ours, patch, put_others,
    set_policy, update_subscription, update_topic,
};
use super::{CloudFixture, Denied, Edit, Edits, Faults, Foreign, Plans, Setting};
use crate::rights::{Dispensable, Rights};
use crate::sweep::clouds::{self as sweep, Scenario};

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

pub(crate) static GCP: CloudFixture = CloudFixture {
    name: "gcp",
    sandbox: EmulatorKind::Google,
    seed: |stage| {
        for name in ["wandb-full", "other", "wandb"] {
            stage.sandbox().seed_google(PROJECT, Some(&format!("{name}@acme-ml.iam.gserviceaccount.com"))).unwrap();
        }
        for (what, milliseconds) in [("pubsub.subscriptions", 300), ("pubsub.topics", 150), ("pubsub.lists", 500)] {
            stage.faults().set_propagation(what, std::time::Duration::from_millis(milliseconds));
        }
    },
    plans: PLANS,
    edits: EDITS,
    foreign: FOREIGN,
    faults: FAULTS,
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
        let ids: Vec<_> = messages.iter().map(|message| message["ackId"].clone()).collect();
        if !ids.is_empty() {
            hand.send("POST", &format!("{SUBSCRIPTION}:acknowledge"), json!({ "ackIds": ids }));
        }
        messages.iter().map(|message| message["message"]["attributes"].to_string()).collect()
    },
    traced: &[
        r#""name":"acme-files""#,
        r#""name":"projects/acme-ml/topics/acme-events""#,
        r#""ackDeadlineSeconds":30"#,
        r#""role":"roles/pubsub.publisher""#,
        r#""role":"roles/iam.serviceAccountTokenCreator""#,
        r#""payload_format":"JSON_API_V1""#,
    ],
    secrets: |_| vec!["Bearer".to_owned()],
    credentials: (
        &["STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "PROVISION_GCP_API_ENDPOINT"],
        &[("GCE_METADATA_HOST", "127.0.0.1:9")],
    ),
    credentials_hint: "gcloud auth application-default login",
    rights: RIGHTS,
    // Apply: the plan, the bucket, its policy twice (read, and written under its etag), the notification, which moves that, the look
    // for a second one, a fresh look at the bucket, whose labels are written whole, the marks, the closing look.
    // Destroy: the plan, the account, which other buckets may have a say in, the bucket, the topic.
    proof: Some(&proof::PROOF),
    byob: &byob::BYOB,
    waves: [1, 9, 14],
};

/// Why nothing may be listed.
const LEFT_OVER: &str = "what is left over is looked for beside the work: a warning names the right";

const RIGHTS: Rights = Rights {
    without: |document| {
        let of_account = document.split("--permissions=").skip(1).filter_map(|rest| rest.split_whitespace().next());
        let of_account: Vec<_> = of_account.flat_map(|list| list.split(',')).map(str::to_owned).collect();
        let of_project: Vec<_> =
            document.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect();
        let line = |permission: String| {
            let text = document.replace(&format!("- {permission}\n"), "");
            (permission, text)
        };
        let listed = |permission: String| {
            let rest: Vec<_> = of_account.iter().filter(|other| **other != permission).cloned().collect();
            let text = document.replace(&of_account.join(","), &rest.join(","));
            (permission, text)
        };
        of_project.into_iter().map(line).chain(of_account.clone().into_iter().map(listed)).collect()
    },
    more: &[("plan", &PLAN_WITHOUT_TOPIC), ("apply", &APPLY_WITHOUT_TOPIC), ("destroy", &DESTROY_WITHOUT_TOPIC)],
    dispensable: &[
        Dispensable {
            right: "storage.buckets.getIpFilter",
            commands: &["plan", "apply", "drift", "destroy", "verify"],
            why: "the service does not show a filter to whoever may not see it",
        },
        Dispensable { right: "storage.buckets.list", commands: &["apply", "drift", "verify"], why: LEFT_OVER },
        Dispensable { right: "pubsub.topics.list", commands: &["apply", "drift", "verify"], why: LEFT_OVER },
        Dispensable { right: "pubsub.subscriptions.list", commands: &["apply", "drift"], why: LEFT_OVER },
        Dispensable {
            right: "iam.serviceAccounts.getIamPolicy",
            commands: &["destroy"],
            why: "IAM does not tell an account that is gone from one that may not be looked at: a warning says so",
        },
    ],
};

/// The plan file has no topic any more: what is left over of it has rights without it.
const PLAN_WITHOUT_TOPIC: Scenario =
    Scenario { prepare: without_topic, arguments: &["plan", "--orphans"], ..sweep::PLAN };
const APPLY_WITHOUT_TOPIC: Scenario =
    Scenario { prepare: without_topic, arguments: &["apply", "--yes", "--orphans"], ..sweep::APPLY };
const DESTROY_WITHOUT_TOPIC: Scenario =
    Scenario { prepare: without_topic, arguments: &["destroy", "--yes", "--orphans"], ..sweep::DESTROY };

fn without_topic(cloud: &CloudFixture, stage: &Stage) {
    cloud.apply(stage);
    let names = [("name = \"acme-events\"", "enabled = false"), ("[gcp.subscription]\nname = \"acme-server\"\n", "")];
    cloud.change(stage, &names);
}

const PLANS: Plans = Plans {
    whole: PLAN,
    examples: [
        (include_str!("../../../plans/gcp.toml"), "BUCKET=gs://acme-wandb-files\n"),
        (include_str!("../../../plans/gcp-minimal.toml"), "BUCKET=gs://acme-wandb-minimal\n"),
        (include_str!("../../../plans/gcp-full.toml"), "BUCKET=gs://acme-wandb-full\n"),
    ],
    example_names: &[],
    imported: &[
        "google_storage_bucket.files",
        "google_storage_bucket_iam_member.group_reports_acme_example",
        "google_pubsub_topic.events",
        "google_pubsub_topic_iam_member.publisher",
        "google_pubsub_subscription.events",
        "google_pubsub_subscription_iam_member.subscriber",
        "google_pubsub_subscription_iam_member.viewer",
        "google_storage_notification.events",
        "google_storage_bucket_iam_member.server",
        "google_service_account_iam_member.server",
    ],
    outputs: &["BUCKET=gs://acme-files\n", "BUCKET_QUEUE=pubsub:/acme-ml/acme-events/acme-server\n"],
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
        Setting {
            old: "service_account =",
            new: "members = [\"group:ml@acme.example\"]\nservice_account =",
            shows: "members.group:ml@acme.example",
        },
    ],
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[gcp.topic]", "versioning = true\nsoft_delete_days = 30\n[gcp.topic]"),
        ("[gcp.access]", "ack_deadline_s = 99\n[gcp.access]"),
        ("[gcp]\n", "tags = { team = \"ml\" }\n[gcp]\n"),
        ("\"wandb@acme", "\"other@acme"),
    ],
    adopting: &[
        ("\"acme-files\"\n", "\"acme-files\"\nadopt = true\nprivate = true\n"),
        ("\"acme-events\"\n", "\"acme-events\"\nadopt = true\n"),
        ("\"acme-server\"\n", "\"acme-server\"\nadopt = true\n"),
    ],
    bucket_renamed: &[Setting {
        old: "\"acme-files\"",
        new: "\"acme-files-new\"",
        shows: "this deployment's bucket is `acme-files`, and the plan file now names `acme-files-new`",
    }],
    // A subscription stays with its topic, so that both get other names.
    queue_renamed: (
        &[("acme-events", "acme-renamed"), ("acme-server", "acme-other")],
        &["left over: topic `acme-events`", "left over: subscription `acme-server`"],
    ),
    alike: &[
        ("wandb-prod", "wandb-prod-b"),
        ("acme-files", "acme-files-b"),
        ("acme-events", "acme-events-b"),
        ("acme-server", "acme-server-b"),
    ],
    brief: ("[gcp.access]", "retention_s = 3600\n[gcp.access]"),
    protect: ("[gcp.topic]", "protect = true\n[gcp.topic]"),
};

const EDITS: Edits = Edits {
    facets: &[
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
            shows: "delivery.requester_pays",
            make: |hand| patch(hand, json!({"billing": {"requesterPays": true}})),
        },
        Edit {
            shows: "delivery.ip_filter",
            make: |hand| {
                let public = json!({"allowedIpCidrRanges": ["192.0.2.0/24"]});
                patch(hand, json!({"ipFilter": {"mode": "Enabled", "publicNetworkSource": public}}));
            },
        },
        Edit {
            shows: "delivery.schema",
            make: |hand| {
                let schema = json!({"schema": "projects/acme-ml/schemas/orders", "encoding": "JSON"});
                update_topic(hand, "schemaSettings", &schema);
            },
        },
        Edit {
            shows: "delivery.message_transforms",
            make: |hand| {
                let function = json!({"functionName": "drop", "code": "function drop(message) { return null; }"});
                update_topic(hand, "messageTransforms", &json!([{"javascriptUdf": function}]));
            },
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
    both: (
        Edit { shows: "", make: |hand| update_subscription(hand, "ackDeadlineSeconds", json!(77)) },
        Setting { old: "[gcp.access]", new: "ack_deadline_s = 99\n[gcp.access]", shows: "is 77, should be 99" },
    ),
    stale: (
        Edit { shows: "", make: |hand| patch(hand, json!({"versioning": {"enabled": true}})) },
        Setting { old: "[gcp.topic]", new: "versioning = true\n[gcp.topic]", shows: "" },
        &["storage.json:buckets.patch"],
    ),
};

const FOREIGN: Foreign = Foreign {
    bucket: |hand| drop(hand.send("POST", "/storage/v1/b?project=acme-ml", json!({"name": "acme-files"}))),
    unmarked: |hand| {
        let bucket = json!({"name": "acme-files", "versioning": {"enabled": true},
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}}});
        hand.send("POST", "/storage/v1/b?project=acme-ml", bucket);
        hand.send("PUT", TOPIC, json!({}));
        let topic = TOPIC.trim_start_matches("/v1/");
        hand.send("PUT", SUBSCRIPTION, json!({"topic": topic, "ackDeadlineSeconds": 44}));
    },
    unmarked_hints: &["bucket `acme-files`", "topic `acme-events`", "subscription `acme-server`", "adopt = true"],
    put: put_others,
    all: others,
};

const FAULTS: Faults = Faults {
    update_begins: ("storage.json:buckets.patch", 1),
    passing: || {
        vec![
            ("storage.json:buckets.insert", What::Throttle),
            ("storage.json:buckets.insert", What::Drop),
            ("storage.json:buckets.setIamPolicy", What::Conflict),
            ("pubsub:CreateTopic", What::Throttle),
            ("pubsub:CreateSubscription", What::Drop),
            ("pubsub:SetIamPolicy", What::Conflict),
            ("iam:SetIamPolicy", What::Conflict),
            ("storage.json:notificationConfigs.insert", What::Throttle),
            ("storage.json:notificationConfigs.insert", What::Drop),
            ("storage.json:buckets.patch", What::Conflict),
        ]
    },
    lost: &[
        "storage.json:buckets.insert",
        "storage.json:buckets.patch",
        "storage.json:buckets.setIamPolicy",
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
    denied: Denied {
        operation: "iam:SetIamPolicy",
        code: "PERMISSION_DENIED",
        message: "Permission 'iam.serviceAccounts.setIamPolicy' denied on resource (or it may not exist).",
        at_once: 1,
        says: &["iam.serviceAccounts.setIamPolicy", "gcp.access"],
        unfinished: "an apply did not finish",
    },
    denied_read: ("storage.json:notificationConfigs.list", "gcp.notification"),
    refusal: || error(403, "PERMISSION_DENIED", "not authorized to perform this action"),
    internal: || error(503, "UNAVAILABLE", "try again"),
    // They carry no precondition: a bucket is made once, a notification is made and deleted, never changed.
    uncrossed: &[
        "storage.json:buckets.insert",
        "storage.json:notificationConfigs.insert",
        "storage.json:notificationConfigs.delete",
    ],
    bodiless: &[],
    always_lists: |operation| operation.starts_with("storage.json:") && operation.ends_with(".list"),
    throttles: |operation| match operation.starts_with("storage.json:") {
        true => vec![(429, "rateLimitExceeded"), (429, "userRateLimitExceeded"), (503, "backendError")],
        false => vec![(429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")],
    },
    says: |operation| {
        let (service, name) = operation.split_once(':').unwrap();
        match name {
            "buckets.insert" => return "storage.buckets.create".to_owned(),
            "buckets.patch" => return "storage.buckets.update".to_owned(),
            "ListTopicSubscriptions" => return "pubsub.topics.subscriptions.list".to_owned(),
            "GetProject" => return "projects.get".to_owned(),
            "SearchProjects" => return "projects.search".to_owned(),
            _ => {}
        }
        let of = |noun: &str| {
            let verb = name.trim_end_matches('s').strip_suffix(noun)?;
            Some(format!("{}s.{}", noun.to_lowercase(), verb.to_lowercase()))
        };
        match of("Topic").or(of("Subscription")) {
            Some(name) => format!("{service}.{name}"),
            None => name.replace("SetIamPolicy", "setIamPolicy").replace("GetIamPolicy", "getIamPolicy"),
        }
    },
    begins: "storage.json:buckets.insert",
    last_free: ("storage.json:buckets.insert", 1),
    finishes: "storage.json:buckets.delete",
    last_look: ("storage.json:buckets.delete", 1, When::Before),
    crossed: "storage.json:notificationConfigs.insert",
    emptying: ("storage.json:buckets.setIamPolicy", "storage.json:objects.delete"),
};

fn error(status: u16, code: &str, message: &str) -> What {
    What::Error { status, code: code.to_owned(), message: message.to_owned() }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> What {
    let json = [("content-type", "application/json")];
    let headers = json.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    What::Answer { status, headers, body: body.to_string() }
}

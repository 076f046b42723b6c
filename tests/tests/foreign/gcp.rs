//! What deployments on Google Cloud share with others.

use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::{Document, Kind, Room, Shared};
use crate::clouds::GCP;
use crate::clouds::gcp::hand::{ACCOUNT, BUCKET, ENTRIES, POLICY, SUBSCRIPTION, TOPIC};

pub(super) static SHARED: Shared = Shared {
    cloud: &GCP,
    documents: &[
        Document { name: "rules", foreign: rule, unique: Value::clone, room: None, refused: &[], outlives: false },
        Document {
            name: "notifications",
            foreign: notification,
            unique: Value::clone,
            room: Some(Room {
                most: 10,
                read: true,
                size: |list| list.iter().filter(|entry| is_of_new(entry)).count(),
            }),
            // The server would hear of each object twice.
            refused: &[Kind::Overlap],
            outlives: false,
        },
        Document { name: "policy", ..MEMBERS },
        Document { name: "policy of the topic", ..MEMBERS },
        Document { name: "policy of the subscription", ..MEMBERS },
        Document { name: "policy of the account", outlives: true, ..MEMBERS },
        Document { name: "policy of the other account", outlives: true, ..MEMBERS },
        LABELS,
        Document { name: "labels of the topic", ..LABELS },
        Document { name: "labels of the subscription", ..LABELS },
    ],
    prepare: |hand| publish(hand, TOPIC),
    read,
    write,
};

const MEMBERS: Document =
    Document { name: "", foreign: member, unique: Value::clone, room: None, refused: &[], outlives: false };

const LABELS: Document = Document {
    name: "labels",
    foreign: label,
    unique: |label| label["key"].clone(),
    room: Some(Room { most: 64, read: true, size: <[Value]>::len }),
    refused: &[],
    outlives: false,
};

fn rule(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    Some(match kind {
        Kind::Equal => ours.clone(),
        Kind::Near => {
            json!({"origin": ours["origin"], "method": ours["method"], "responseHeader": ours["responseHeader"],
            "maxAgeSeconds": number})
        }
        Kind::Overlap => json!({"origin": ours["origin"], "method": ["PUT", "POST"]}),
        Kind::Wildcard => {
            json!({"origin": ["*"], "method": ["*"], "responseHeader": ["*"], "maxAgeSeconds": number})
        }
        Kind::Other => json!({"origin": [format!("https://{number}.example.com"), "https://a.example.com"],
            "method": ["PUT", "GET", "GET"]}),
    })
}

fn is_of_new(entry: &Value) -> bool {
    let events = entry["event_types"].as_array();
    events.is_none_or(|events| events.iter().any(|event| event == "OBJECT_FINALIZE"))
}

fn notification(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let theirs = "//pubsub.googleapis.com/projects/acme-ml/topics/theirs";
    let prefix = format!("p{number}/");
    Some(match kind {
        Kind::Equal => {
            json!({"topic": ours["topic"], "payload_format": ours["payload_format"], "event_types": ours["event_types"]})
        }
        Kind::Near => json!({"topic": ours["topic"], "payload_format": "NONE", "event_types": ["OBJECT_DELETE"]}),
        Kind::Overlap => json!({"topic": ours["topic"], "payload_format": "NONE", "event_types": ["OBJECT_FINALIZE"],
            "object_name_prefix": prefix}),
        Kind::Wildcard => json!({"topic": theirs, "payload_format": "NONE"}),
        Kind::Other => json!({"topic": theirs, "payload_format": "JSON_API_V1", "event_types": ["OBJECT_FINALIZE"],
            "object_name_prefix": prefix, "custom_attributes": {"z": "1", "a": number.to_string()}}),
    })
}

fn member(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let condition =
        json!({"title": format!("until {number}"), "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"});
    Some(match kind {
        Kind::Equal => ours.clone(),
        Kind::Near => json!({"role": "roles/viewer", "member": ours["member"]}),
        Kind::Overlap if number.is_multiple_of(2) => {
            json!({"role": ours["role"], "member": ours["member"], "condition": condition})
        }
        Kind::Overlap => json!({"role": ours["role"], "member": format!("user:{number}@example.com")}),
        Kind::Wildcard => json!({"role": "roles/viewer", "member": "domain:example.com"}),
        Kind::Other => {
            json!({"role": "roles/viewer", "member": format!("group:{number}@example.com"), "condition": condition})
        }
    })
}

fn label(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    Some(match kind {
        Kind::Equal => json!({"key": "team", "value": "ml"}),
        Kind::Near => json!({"key": format!("{}s", ours["key"].as_str().unwrap()), "value": ours["value"]}),
        Kind::Overlap => json!({"key": "team", "value": format!("theirs-{number}")}),
        Kind::Wildcard => json!({"key": "provision", "value": ""}),
        Kind::Other => json!({"key": format!("other_{number}"), "value": "a-b_c"}),
    })
}

/// Where a policy is read and written.
fn policies() -> [(&'static str, String); 5] {
    [
        ("policy", POLICY.to_owned()),
        ("policy of the topic", TOPIC.to_owned()),
        ("policy of the subscription", SUBSCRIPTION.to_owned()),
        ("policy of the account", ACCOUNT.to_owned()),
        ("policy of the other account", ACCOUNT.replace("/wandb@", "/other@")),
    ]
}

fn policy(hand: &Hand, place: &str) -> Value {
    let (method, place, body) = match place {
        POLICY => ("GET", format!("{POLICY}?optionsRequestedPolicyVersion=3"), Value::Null),
        place if place.contains("/serviceAccounts/") => {
            ("POST", format!("{place}:getIamPolicy"), json!({"options": {"requestedPolicyVersion": 3}}))
        }
        place => ("GET", format!("{place}:getIamPolicy?options.requestedPolicyVersion=3"), Value::Null),
    };
    there(hand.ask(method, &place, &body))
}

/// What is there; null where nothing is.
fn there((status, answer): (u16, Value)) -> Value {
    assert!(status == 200 || status == 404, "{answer}");
    if status == 200 { answer } else { Value::Null }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Each member of a binding by itself.
fn members(policy: &Value) -> Vec<Value> {
    let entry = |binding: &Value, member: Value| {
        let mut entry = json!({"role": binding["role"], "member": member});
        if !binding["condition"].is_null() {
            entry["condition"] = binding["condition"].clone();
        }
        entry
    };
    let of = |binding: Value| list(&binding["members"]).into_iter().map(|it| entry(&binding, it)).collect::<Vec<_>>();
    list(&policy["bindings"]).into_iter().flat_map(of).collect()
}

fn labels(resource: &Value) -> Vec<Value> {
    let labels = resource["labels"].as_object().cloned().unwrap_or_default();
    let mut labels: Vec<_> = labels.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    labels.sort_by_key(Value::to_string);
    labels
}

fn read(hand: &Hand) -> Value {
    let get = |place: &str| there(hand.ask("GET", place, &Value::Null));
    let (bucket, topic, subscription) = (get(BUCKET), get(TOPIC), get(SUBSCRIPTION));
    let mut found = json!({
        "rules": list(&bucket["cors"]),
        "notifications": list(&get(ENTRIES)["items"]),
        "labels": labels(&bucket),
        "labels of the topic": labels(&topic),
        "labels of the subscription": labels(&subscription),
    });
    for (name, place) in policies() {
        found[name] = json!(members(&policy(hand, &place)));
    }
    found
}

fn write(hand: &Hand, document: &str, entries: &[Value]) {
    match document {
        "rules" => drop(hand.send("PATCH", BUCKET, json!({"cors": entries}))),
        "notifications" => insert(hand, entries),
        "labels" => drop(hand.send("PATCH", BUCKET, json!({"labels": map(entries)}))),
        "labels of the topic" => {
            let topic = json!({"name": TOPIC.trim_start_matches("/v1/"), "labels": map(entries)});
            hand.send("PATCH", TOPIC, json!({"topic": topic, "updateMask": "labels"}));
        }
        "labels of the subscription" => {
            let subscription = json!({"name": SUBSCRIPTION.trim_start_matches("/v1/"), "labels": map(entries)});
            hand.send("PATCH", SUBSCRIPTION, json!({"subscription": subscription, "updateMask": "labels"}));
        }
        policy => set_policy(hand, policy, entries),
    }
}

fn map(labels: &[Value]) -> Value {
    labels.iter().map(|label| (label["key"].as_str().unwrap().to_owned(), label["value"].clone())).collect()
}

/// Insert those that have no id yet, if they may be published.
fn insert(hand: &Hand, entries: &[Value]) {
    hand.ask("PUT", THEIRS, &json!({}));
    publish(hand, THEIRS);
    for entry in entries.iter().filter(|entry| entry["id"].is_null()) {
        let (status, answer) = hand.ask("POST", ENTRIES, entry);
        assert!([200, 403].contains(&status), "{answer}");
    }
}

const THEIRS: &str = "/v1/projects/acme-ml/topics/theirs";

/// Let Cloud Storage publish to a topic.
fn publish(hand: &Hand, topic: &str) {
    let agent = hand.send("GET", "/storage/v1/projects/acme-ml/serviceAccount", Value::Null)["email_address"].clone();
    let member = format!("serviceAccount:{}", agent.as_str().unwrap());
    let policy = json!({"bindings": [{"role": "roles/pubsub.publisher", "members": [member]}]});
    hand.send("POST", &format!("{topic}:setIamPolicy"), json!({"policy": policy}));
}

fn set_policy(hand: &Hand, document: &str, entries: &[Value]) {
    let (_, place) = policies().into_iter().find(|(name, _)| *name == document).unwrap();
    let mut found = policy(hand, &place);
    let mut bindings: Vec<Value> = Vec::new();
    for entry in entries {
        let same =
            |binding: &&mut Value| binding["role"] == entry["role"] && binding["condition"] == entry["condition"];
        match bindings.iter_mut().find(same) {
            Some(binding) => binding["members"].as_array_mut().unwrap().push(entry["member"].clone()),
            None => {
                let mut binding = json!({"role": entry["role"], "members": [entry["member"]]});
                if !entry["condition"].is_null() {
                    binding["condition"] = entry["condition"].clone();
                }
                bindings.push(binding);
            }
        }
    }
    found["bindings"] = json!(bindings);
    found["version"] = json!(3);
    match place.as_str() {
        POLICY => hand.send("PUT", POLICY, found),
        place => hand.send("POST", &format!("{place}:setIamPolicy"), json!({"policy": found})),
    };
}

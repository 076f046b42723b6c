//! What a proof is broken by on Google Cloud, and how others read and write beside it.

use data_encoding::BASE64;
use provision_core::digest;
use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::hand::{BUCKET, ENTRIES, POLICY, PROJECT, SUBSCRIPTION, TOPIC, delete_entries, list, patch, set_policy};
use crate::clouds::{Broken, Proof, Standing};

pub(crate) static PROOF: Proof = Proof {
    broken: BROKEN,
    stands: STANDS,
    rule_of_others: |hand| set_rules(hand, |rules| rules.push(everybody())),
    rule_that_writes: |hand| set_rules(hand, |rules| rules.push(writing())),
    no_events: delete_entries,
    event: "storage.events",
    upload: "pubsub:CreateSubscription",
    hears: "pubsub:Pull",
    removing: &["storage.objects.delete"],
    put_messages,
    messages: |hand| pulled(hand).iter().filter_map(foreign).collect(),
    // The hand's own look is the first.
    seen: &["delivered once"],
    left,
    put_alike,
};

/// A rule of somebody else's, for everybody.
fn everybody() -> Value {
    json!({"origin": ["*"], "method": ["GET"], "responseHeader": ["*"]})
}

/// One by which pages of another site write.
fn writing() -> Value {
    json!({"origin": ["https://other.example"], "method": ["PUT"], "responseHeader": ["*"]})
}

fn set_rules(hand: &Hand, change: impl Fn(&mut Vec<Value>)) {
    let mut rules = list(&hand.send("GET", BUCKET, Value::Null)["cors"]);
    change(&mut rules);
    patch(hand, json!({ "cors": rules }));
}

const BROKEN: &[Broken] = &[
    Broken {
        hop: "resources",
        says: "differs in versioning",
        make: |hand| patch(hand, json!({"versioning": {"enabled": true}})),
    },
    Broken {
        hop: "rights",
        says: "differs in bucket_grants",
        make: |hand| drop(hand.send("PUT", POLICY, json!({"bindings": []}))),
    },
    Broken {
        hop: "files",
        says: "403 AccessDenied",
        make: |hand| drop(hand.send("PUT", POLICY, json!({"bindings": []}))),
    },
    Broken {
        hop: "browsers",
        says: "may not PUT",
        make: |hand| set_rules(hand, |rules| rules[0]["method"] = json!(["GET", "HEAD"])),
    },
    Broken {
        hop: "browsers",
        says: "does not allow the origin",
        make: |hand| set_rules(hand, |rules| rules[0]["origin"] = json!(["https://wandb.example.com:8443"])),
    },
    Broken {
        hop: "browsers",
        says: "does not allow the origin",
        make: |hand| set_rules(hand, |rules| rules[0]["responseHeader"] = json!(["ETag", "x-goog-*"])),
    },
    Broken { hop: "browsers", says: "may not GET", make: |hand| patch(hand, json!({"cors": []})) },
    Broken {
        hop: "browsers",
        says: "pages of anybody may GET",
        make: |hand| set_rules(hand, |rules| rules.insert(0, everybody())),
    },
    Broken {
        hop: "files",
        says: "does not let the page read its ETag",
        make: |hand| {
            set_rules(hand, |rules| {
                rules.retain(|rule| *rule != everybody());
                rules[0]["responseHeader"] = json!(["Content-Type"]);
            });
        },
    },
    Broken { hop: "event", says: "no event came", make: |hand| set_policy(hand, TOPIC, json!({"bindings": []})) },
    Broken { hop: "event", says: "no event came", make: delete_entries },
    Broken { hop: "event", says: "no event came", make: notify_others },
    Broken {
        hop: "event",
        says: "subscription `acme-server` is detached",
        make: |hand| drop(hand.send("POST", &format!("{SUBSCRIPTION}:detach"), json!({}))),
    },
    Broken {
        hop: "event",
        says: "subscription `acme-server` is not there",
        make: |hand| drop(hand.send("DELETE", SUBSCRIPTION, Value::Null)),
    },
    Broken {
        hop: "event",
        says: "topic `acme-events` is not there",
        make: |hand| drop(hand.send("DELETE", TOPIC, Value::Null)),
    },
];

const STANDS: &[Standing] = &[Standing {
    broken: Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            delete_entries(hand);
            let topic = format!("//pubsub.googleapis.com/projects/{PROJECT}/topics/acme-events");
            let entry = json!({"topic": topic, "payload_format": "JSON_API_V1", "event_types": ["OBJECT_FINALIZE"],
                "object_name_prefix": "logs/"});
            hand.send("POST", ENTRIES, entry);
        },
    },
    mend: "`gcloud storage buckets notifications delete projects/_/buckets/acme-files/notificationConfigs/",
    settle: delete_entries,
}];

/// A notification of another topic in place of ours.
fn notify_others(hand: &Hand) {
    delete_entries(hand);
    let topic = format!("projects/{PROJECT}/topics/theirs");
    hand.send("PUT", &format!("/v1/{topic}"), json!({}));
    let agent = hand.send("GET", "/storage/v1/projects/acme-ml/serviceAccount", Value::Null);
    let member = format!("serviceAccount:{}", agent["email_address"].as_str().unwrap());
    let bindings = json!([{"role": "roles/pubsub.publisher", "members": [member]}]);
    set_policy(hand, &format!("/v1/{topic}"), json!({ "bindings": bindings }));
    let entry = json!({"topic": format!("//pubsub.googleapis.com/{topic}"), "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_FINALIZE"]});
    hand.send("POST", ENTRIES, entry);
}

fn put_messages(hand: &Hand, many: usize) {
    let message = |number: usize| json!({"data": BASE64.encode(format!("foreign {number}").as_bytes())});
    let messages: Vec<_> = (0..many).map(message).collect();
    hand.send("POST", &format!("{TOPIC}:publish"), json!({ "messages": messages }));
}

/// Every message that waits for the server, in order; each is given back.
fn pulled(hand: &Hand) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let pull = json!({"maxMessages": 1000, "returnImmediately": true});
        let (status, answer) = hand.ask("POST", &format!("{SUBSCRIPTION}:pull"), &pull);
        let messages = list(&answer["receivedMessages"]);
        if status != 200 || messages.is_empty() {
            break;
        }
        found.extend(messages);
    }
    let ids: Vec<_> = found.iter().map(|message| message["ackId"].clone()).collect();
    if !ids.is_empty() {
        let back = json!({"ackIds": ids, "ackDeadlineSeconds": 0});
        hand.send("POST", &format!("{SUBSCRIPTION}:modifyAckDeadline"), back);
    }
    found
}

/// One that tells of nothing. Its receipt says how often it was delivered.
fn foreign(message: &Value) -> Option<String> {
    let data = BASE64.decode(message["message"]["data"].as_str()?.as_bytes()).ok()?;
    let text = String::from_utf8(data).ok().filter(|text| text.starts_with("foreign"))?;
    let times = match message["ackId"].as_str()?.split_once(':')?.1 {
        "1" => "once".to_owned(),
        times => format!("{times} times"),
    };
    Some(format!("{text}, delivered {times}"))
}

/// Objects, subscriptions that are not the server's, and what the server hears of other objects than probes: its copies of those
/// are its own.
fn left(hand: &Hand) -> Vec<String> {
    let listed = hand.ask("GET", &format!("{BUCKET}/o?versions=true"), &Value::Null).1;
    let objects =
        list(&listed["items"]).into_iter().map(|object| format!("object {}", object["name"].as_str().unwrap()));
    let listed = hand.send("GET", "/v1/projects/acme-ml/subscriptions", Value::Null);
    let names = list(&listed["subscriptions"]).into_iter().map(|found| found["name"].as_str().unwrap().to_owned());
    // A list may go on showing what is gone.
    let there = |name: &String| hand.ask("GET", &format!("/v1/{name}"), &Value::Null).0 == 200;
    let names = names.filter(|name| !SUBSCRIPTION.ends_with(name.as_str()) && there(name));
    let owner = owner("wandb-prod");
    let key = |message: &Value| message["message"]["attributes"]["objectId"].as_str().map(str::to_owned);
    let events = pulled(hand).into_iter().filter_map(|message| key(&message));
    let events = events.filter(|key| !key.contains(&format!("/{owner}-"))).map(|key| format!("event {key}"));
    objects.chain(names.map(|name| format!("subscription {name}"))).chain(events).collect()
}

fn owner(deployment: &str) -> String {
    digest::short(deployment, 12)
}

/// Objects that look like probes and are none of ours: of another deployment, without saying so, and one that only says so. Each by a
/// resumable upload, which takes metadata; these are numbered.
fn put_alike(hand: &Hand) -> Vec<String> {
    let (ours, theirs) = (owner("wandb-prod"), owner("wandb-prod-2"));
    let alike = [
        (format!("provision-verify/{theirs}-0123456789abcdef"), Some(&theirs)),
        (format!("provision-verify/{ours}-0123456789abcdef"), None),
        (format!("provision-verify/{ours}-1123456789abcdef"), Some(&theirs)),
        (format!("provision-verify/{ours}-x"), Some(&ours)),
        ("run/1".to_owned(), Some(&ours)),
    ];
    for ((key, says), number) in alike.into_iter().zip(1..) {
        let place = "/upload/storage/v1/b/acme-files/o?uploadType=resumable";
        let metadata = says.map_or(json!({}), |says| json!({ "provision-probe": says }));
        hand.send("POST", place, json!({ "name": key, "metadata": metadata }));
        hand.send("PUT", &format!("{place}&upload_id={number}"), json!("x"));
    }
    let listed = hand.send("GET", &format!("{BUCKET}/o?versions=true"), Value::Null);
    list(&listed["items"]).iter().map(|object| format!("object {}", object["name"].as_str().unwrap())).collect()
}

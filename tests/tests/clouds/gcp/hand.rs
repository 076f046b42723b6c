//! What a hand does in Google Cloud: edits of ours, things of others, and what is whose.

use provision_tests::stage::Hand;
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "acme-ml";
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

pub(crate) fn patch(hand: &Hand, body: Value) {
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
pub(crate) fn policy_of_account(hand: &Hand, place: &str) -> Value {
    hand.send("POST", &format!("{place}:getIamPolicy"), json!({"options": {"requestedPolicyVersion": 3}}))
}

pub(crate) fn update_subscription(hand: &Hand, field: &str, value: Value) {
    let mut subscription = json!({"name": SUBSCRIPTION.trim_start_matches("/v1/")});
    subscription[field] = value;
    hand.send("PATCH", SUBSCRIPTION, json!({"subscription": subscription, "updateMask": field}));
}

pub(crate) fn update_topic(hand: &Hand, field: &str, value: &Value) {
    let mut topic = json!({"name": TOPIC.trim_start_matches("/v1/")});
    topic[field] = value.clone();
    hand.send("PATCH", TOPIC, json!({"topic": topic, "updateMask": field}));
}

pub(crate) fn delete_entries(hand: &Hand) {
    for entry in list(&hand.send("GET", ENTRIES, Value::Null)["items"]) {
        hand.send("DELETE", &format!("{ENTRIES}/{}", entry["id"].as_str().unwrap()), Value::Null);
    }
}

pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Bindings of others with our roles and with roles of their own, with a condition and without.
pub(crate) fn put_others(hand: &Hand) {
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

pub(crate) fn others(hand: &Hand) -> Value {
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
pub(crate) fn ours(hand: &Hand) -> Vec<String> {
    let mut found = Vec::new();
    let marked = |item: &Value| item["labels"].get("provision-deployment").is_some();
    let short = |item: &Value| item["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (kind, place, key) in [
        ("bucket", "/storage/v1/b?project=acme-ml", "items"),
        ("topic", "/v1/projects/acme-ml/topics", "topics"),
        ("subscription", "/v1/projects/acme-ml/subscriptions", "subscriptions"),
    ] {
        // A list may go on showing what is gone.
        let there = |item: &Value| {
            kind == "bucket"
                || hand.ask("GET", &format!("/v1/{}", item["name"].as_str().unwrap()), &Value::Null).0 == 200
        };
        let items: Vec<_> = list(&hand.send("GET", place, Value::Null)[key]).into_iter().filter(there).collect();
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

//! Topics, subscriptions and messages.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Rig, SUBSCRIPTION, TOPIC};

#[test]
fn message_that_is_not_acknowledged_comes_again() {
    let rig = Rig::notified();
    rig.upload("a", "1");
    let first = rig.pull();
    assert_eq!((first.len(), rig.pull().len()), (1, 0));
    rig.google.world.clock.advance(Duration::from_secs(10));
    let second = rig.pull();
    assert_eq!(second.len(), 1);
    // The first delivery is over: its acknowledgement does nothing.
    rig.ok("POST", &format!("{SUBSCRIPTION}:acknowledge"), &json!({ "ackIds": [first[0]["ackId"]] }));
    let nack = json!({ "ackIds": [second[0]["ackId"]], "ackDeadlineSeconds": 0 });
    rig.ok("POST", &format!("{SUBSCRIPTION}:modifyAckDeadline"), &nack);
    assert_eq!(rig.pull().len(), 1);
    rig.google.world.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(rig.pull().len(), 0, "messages are kept for seven days");
}

#[test]
fn deleted_topic_leaves_its_subscription_behind() {
    let rig = Rig::notified();
    assert_eq!(rig.ok("DELETE", TOPIC, &json!(null)), json!({}));
    assert_eq!(rig.ok("GET", SUBSCRIPTION, &json!(null))["topic"], "_deleted-topic_");
    rig.ok("PUT", TOPIC, &json!({}));
    // The new topic has no policy, and the old subscription is not its own.
    rig.upload("a", "1");
    rig.grant_publisher();
    rig.upload("b", "2");
    assert_eq!(rig.pull().len(), 0);
    let (status, message) = rig.refused("PUT", SUBSCRIPTION, &json!({ "topic": "projects/acme-ml/topics/files" }));
    assert!(status == 409 && message.contains("already exists"), "{status} {message}");
}

#[test]
fn subscription_has_the_service_s_defaults_and_bounds() {
    let rig = Rig::furnished();
    let path = "/v1/projects/acme-ml/subscriptions/files?$alt=json;enum-encoding=int";
    let subscription = rig.ok("GET", path, &json!(null));
    assert_eq!((&subscription["ackDeadlineSeconds"], &subscription["state"]), (&json!(10), &json!(1)));
    assert_eq!(subscription["expirationPolicy"]["ttl"], "2678400s");
    let patch = |mask: &str, body: Value| json!({ "subscription": body, "updateMask": mask });
    let never = rig.ok(
        "PATCH",
        path,
        &patch("expirationPolicy,ack_deadline_seconds", json!({ "ackDeadlineSeconds": 30, "expirationPolicy": {} })),
    );
    assert_eq!((&never["expirationPolicy"], &never["ackDeadlineSeconds"]), (&json!({}), &json!(30)));
    for (mask, body) in [
        ("topic", json!({ "topic": "projects/acme-ml/topics/other" })),
        ("ackDeadlineSeconds", json!({ "ackDeadlineSeconds": 9 })),
        ("messageRetentionDuration", json!({ "messageRetentionDuration": "599s" })),
        ("labels", json!({ "labels": { "Team": "" } })),
        ("", json!({ "labels": {} })),
    ] {
        assert_eq!(rig.refused("PATCH", path, &patch(mask, body)).0, 400, "{mask}");
    }
    let filter =
        rig.refused("PUT", "/v1/projects/acme-ml/subscriptions/other", &json!({ "topic": "t", "filter": "x" }));
    assert!(filter.0 == 501 && filter.1.contains("filter"), "{filter:?}");
}

#[test]
fn subscription_that_nobody_uses_expires() {
    let rig = Rig::furnished();
    rig.google.world.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(rig.refused("GET", SUBSCRIPTION, &json!(null)).0, 404);
    assert_eq!(rig.ok("GET", "/v1/projects/acme-ml/subscriptions", &json!(null)), json!({}));
}

#[test]
fn labels_of_topics_are_seen_late_in_lists() {
    let rig = Rig::furnished();
    rig.google.world.faults.set_propagation("pubsub.labels", Duration::from_secs(5));
    rig.ok("PATCH", TOPIC, &json!({ "topic": { "labels": { "a": "1" } }, "updateMask": "labels" }));
    let listed = || rig.ok("GET", "/v1/projects/acme-ml/topics?pageSize=10", &json!(null))["topics"][0].clone();
    assert_eq!(listed().get("labels"), None);
    assert_eq!(rig.ok("GET", TOPIC, &json!(null))["labels"]["a"], "1");
    rig.google.world.clock.advance(Duration::from_secs(5));
    assert_eq!(listed()["labels"]["a"], "1");
    assert_eq!(rig.refused("GET", "/v1/projects/unknown/topics", &json!(null)).0, 404);
}

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

#[test]
fn what_is_new_is_shown_late_and_what_is_gone_is_listed_on() {
    let rig = Rig::furnished();
    for (what, seconds) in [("pubsub.topics", 1), ("pubsub.subscriptions", 2), ("pubsub.lists", 3)] {
        rig.google.world.faults.set_propagation(what, Duration::from_secs(seconds));
    }
    let (topic, subscription) = (TOPIC.replace("files", "late"), SUBSCRIPTION.replace("files", "late"));
    let body = json!({ "topic": topic.trim_start_matches("/v1/") });
    rig.ok("PUT", &topic, &json!({}));
    assert_eq!(rig.refused("PUT", &topic, &json!({})).0, 409);
    assert_eq!(rig.refused("GET", &topic, &json!(null)).0, 404);
    assert_eq!(rig.refused("PUT", &subscription, &body).0, 404);
    rig.google.world.clock.advance(Duration::from_secs(1));
    rig.ok("GET", &topic, &json!(null));
    rig.ok("PUT", &subscription, &body);
    assert_eq!(rig.refused("GET", &format!("{subscription}:getIamPolicy"), &json!(null)).0, 404);
    rig.google.world.clock.advance(Duration::from_secs(2));
    rig.ok("GET", &subscription, &json!(null));
    rig.ok("DELETE", &subscription, &json!(null));
    let listed = || rig.ok("GET", "/v1/projects/acme-ml/subscriptions", &json!(null)).to_string().contains("/late\"");
    assert_eq!((rig.refused("GET", &subscription, &json!(null)).0, listed()), (404, true));
    rig.google.world.clock.advance(Duration::from_secs(3));
    assert!(!listed());
}

#[test]
fn a_change_is_answered_with_more_than_is_read() {
    let rig = Rig::furnished();
    let patched =
        rig.ok("PATCH", SUBSCRIPTION, &json!({ "subscription": { "labels": { "a": "1" } }, "updateMask": "labels" }));
    assert_eq!(patched["pushConfig"], json!({ "attributes": { "x-goog-version": "v1" } }));
    assert_eq!(rig.ok("GET", SUBSCRIPTION, &json!(null))["pushConfig"], json!({}));
}

#[test]
fn subscriptions_that_nobody_pulls_from_and_those_that_give_up_are_what_they_say() {
    let rig = Rig::furnished();
    let of = |more: serde_json::Value| {
        let mut body = json!({ "topic": TOPIC.trim_start_matches("/v1/") });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        body
    };
    let path = |name: &str| SUBSCRIPTION.replace("files", name);
    let push = json!({ "pushConfig": { "pushEndpoint": "https://a.example" } });
    assert_eq!(rig.ok("PUT", &path("pushing"), &of(push.clone()))["pushConfig"], push["pushConfig"]);
    rig.ok("PUT", &path("filtered"), &of(json!({ "filter": "attributes.a = \"b\"" })));
    rig.ok("PUT", &path("detached"), &of(json!({})));
    rig.ok("POST", &format!("{}:detach", path("detached")), &json!({}));
    let dead =
        json!({ "deadLetterPolicy": { "deadLetterTopic": "projects/acme-ml/topics/dead", "maxDeliveryAttempts": 5 } });
    rig.ok("PUT", &TOPIC.replace("files", "dead"), &json!({}));
    rig.ok("PUT", &path("dead"), &json!({ "topic": "projects/acme-ml/topics/dead" }));
    rig.ok("PATCH", SUBSCRIPTION, &json!({ "subscription": dead, "updateMask": "dead_letter_policy" }));
    rig.ok("POST", &format!("{TOPIC}:publish"), &json!({ "messages": [{ "data": "aGk=" }] }));
    let pull = json!({ "maxMessages": 9, "returnImmediately": true });
    for name in ["pushing", "detached"] {
        assert_eq!(rig.refused("POST", &format!("{}:pull", path(name)), &pull).0, 400, "{name}");
    }
    assert_eq!(rig.ok("POST", &format!("{}:pull", path("filtered")), &pull), json!({}));
    assert_eq!(rig.ok("GET", &path("detached"), &json!(null))["detached"], true);
    for _ in 0..5 {
        assert_eq!(rig.pull().len(), 1);
        rig.google.world.clock.advance(Duration::from_secs(11));
    }
    assert_eq!(rig.pull().len(), 0);
    assert_eq!(
        rig.ok("POST", &format!("{}:pull", path("dead")), &pull)["receivedMessages"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn messages_are_pulled_over_grpc_too() {
    use super::super::pubsub::subscriber::{AcknowledgeRequest, PullRequest, PullResponse};
    let rig = Rig::notified();
    rig.upload("a", "hello");
    let subscription = SUBSCRIPTION.trim_start_matches("/v1/").to_owned();
    let pull = PullRequest { subscription: subscription.clone(), return_immediately: true, max_messages: 9 };
    let pulled: PullResponse = rig.grpc("Pull", &pull).unwrap();
    let [received] = &pulled.received_messages[..] else { panic!("{pulled:?}") };
    let message = received.message.as_ref().unwrap();
    assert_eq!(message.attributes["objectId"], "a");
    assert!(message.data.starts_with(b"{") && message.publish_time.is_some());
    let acknowledge = AcknowledgeRequest { subscription, ack_ids: vec![received.ack_id.clone()] };
    rig.grpc::<()>("Acknowledge", &acknowledge).unwrap();
    rig.google.world.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.pull().len(), 0);
    let unknown = PullRequest { subscription: "projects/acme-ml/subscriptions/no".to_owned(), ..pull };
    assert_eq!(rig.grpc::<PullResponse>("Pull", &unknown).unwrap_err().0, 5);
}

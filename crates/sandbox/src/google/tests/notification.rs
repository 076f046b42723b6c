//! Notifications of buckets, and the messages that come of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CONFIGS, Rig, SUBSCRIPTION, TOPIC, notification};

#[test]
fn notification_waits_for_the_publisher_grant_to_spread() {
    let rig = Rig::furnished();
    rig.google.world.faults.set_propagation("pubsub.iam", Duration::from_secs(60));
    let (status, message) = rig.refused("POST", CONFIGS, &notification());
    assert!(status == 403 && message.contains("does not have permission to publish messages"), "{status} {message}");
    assert!(message.contains(&rig.agent()), "{message}");
    rig.grant_publisher();
    assert_eq!(rig.refused("POST", CONFIGS, &notification()).0, 403);
    rig.google.world.clock.advance(Duration::from_secs(60));
    rig.ok("POST", CONFIGS, &notification());
}

#[test]
fn notification_moves_the_metageneration_and_may_be_there_twice() {
    let rig = Rig::notified();
    let second = rig.ok("POST", CONFIGS, &notification());
    assert_eq!((&second["id"], &rig.bucket()["metageneration"]), (&json!("2"), &json!("3")));
    let path = format!("{CONFIGS}/1");
    rig.ok("DELETE", &path, &json!(null));
    assert_eq!(rig.bucket()["metageneration"], "4");
    assert_eq!(rig.refused("DELETE", &path, &json!(null)).0, 404);
    assert_eq!(rig.ok("GET", CONFIGS, &json!(null))["items"].as_array().unwrap().len(), 1);
    rig.ok("DELETE", &format!("{CONFIGS}/2"), &json!(null));
    assert_eq!(rig.ok("GET", CONFIGS, &json!(null)).get("items"), None);
}

#[test]
fn eleventh_notification_for_an_event_is_refused() {
    let rig = Rig::notified();
    (1..10).for_each(|_| drop(rig.ok("POST", CONFIGS, &notification())));
    assert_eq!(rig.refused("POST", CONFIGS, &notification()).0, 400);
    let mut other = notification();
    other["event_types"] = json!(["OBJECT_DELETE"]);
    rig.ok("POST", CONFIGS, &other);
}

#[test]
fn upload_is_one_message_for_each_notification() {
    let rig = Rig::notified();
    let object = rig.upload("a/b", "hello");
    let messages = rig.pull();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0]["message"];
    let attributes = &message["attributes"];
    assert_eq!(attributes["eventType"], "OBJECT_FINALIZE");
    assert_eq!(attributes["payloadFormat"], "JSON_API_V1");
    assert_eq!((&attributes["bucketId"], &attributes["objectId"]), (&json!("acme-files"), &json!("a/b")));
    assert_eq!(attributes["objectGeneration"], object["generation"]);
    assert_eq!(attributes["notificationConfig"], "projects/_/buckets/acme-files/notificationConfigs/1");
    let data = data_encoding::BASE64.decode(message["data"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&data).unwrap(), object);
    let acknowledge = json!({ "ackIds": [messages[0]["ackId"]] });
    rig.ok("POST", &format!("{SUBSCRIPTION}:acknowledge"), &acknowledge);
    rig.ok("POST", CONFIGS, &notification());
    rig.upload("a/b", "again");
    let messages = rig.pull();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["message"]["attributes"]["overwroteGeneration"], object["generation"]);
}

/// <https://cloud.google.com/storage/docs/reporting-changes#required-roles>
#[test]
fn topic_that_cloud_storage_may_no_longer_publish_to_hears_nothing() {
    let rig = Rig::notified();
    rig.ok("POST", &format!("{TOPIC}:setIamPolicy"), &json!({ "policy": { "bindings": [] } }));
    rig.upload("a", "unheard");
    assert_eq!(rig.pull(), Vec::<Value>::new());
    rig.grant_publisher();
    rig.upload("a", "heard");
    assert_eq!(rig.pull().len(), 1);
}

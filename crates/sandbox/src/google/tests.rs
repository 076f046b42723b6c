use std::collections::BTreeMap;

use googleapis_tonic_google_storage_v2::google::iam::v1 as iam;
use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use prost::Message;
use prost_types::{Duration as Seconds, FieldMask};
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::emulator::Trailers;
use crate::layer::FaultLayer;
use crate::state::Store;

const SERVER: &str = "wandb@acme-ml.iam.gserviceaccount.com";
const TOPIC: &str = "/v1/projects/acme-ml/topics/files";
const SUBSCRIPTION: &str = "/v1/projects/acme-ml/subscriptions/files";
const CONFIGS: &str = "/storage/v1/b/acme-files/notificationConfigs";

struct Rig {
    google: Google,
}

/// What a call without a message ends with: status and message.
type Status = (u16, String);

impl Rig {
    fn new() -> Self {
        let faults = Arc::new(FaultLayer::default());
        let world = Arc::new(World { store: Store::in_memory(), faults, clock: Clock::default() });
        let google = Google::new(world).unwrap();
        seed(&google.world, "acme-ml", Some(SERVER)).unwrap();
        seed(&google.world, "other-team", None).unwrap();
        Self { google }
    }

    /// With a bucket, a topic and a subscription.
    fn furnished() -> Self {
        let rig = Self::new();
        rig.ok("POST", "/storage/v1/b?project=acme-ml", &json!({ "name": "acme-files", "location": "US" }));
        rig.ok("PUT", TOPIC, &json!({}));
        rig.ok("PUT", SUBSCRIPTION, &json!({ "topic": "projects/acme-ml/topics/files" }));
        rig
    }

    /// With a notification from the bucket to the topic.
    fn notified() -> Self {
        let rig = Self::furnished();
        rig.grant_publisher();
        rig.ok("POST", CONFIGS, &notification());
        rig
    }

    fn grant_publisher(&self) {
        let binding =
            json!({ "role": "roles/pubsub.publisher", "members": [format!("serviceAccount:{}", self.agent())] });
        self.ok("POST", &format!("{TOPIC}:setIamPolicy"), &json!({ "policy": { "bindings": [binding] } }));
    }

    fn agent(&self) -> String {
        let agent = self.ok("GET", "/storage/v1/projects/acme-ml/serviceAccount", &json!(null));
        agent["email_address"].as_str().unwrap().to_owned()
    }

    fn raw(&self, request: Request<Bytes>) -> Response<Bytes> {
        let route = routes::route(&request);
        self.google.answer(&Call::new(&self.google.world, route, request))
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let answer = self.raw(Request::builder().method(method).uri(path).body(body).unwrap());
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.call(method, path, body);
        (status, answer["error"]["message"].as_str().unwrap_or_default().to_owned())
    }

    fn grpc<A: Message + Default>(&self, method: &str, message: &impl Message) -> Result<A, Status> {
        let service = if method.ends_with("Policy") || method.ends_with("Permissions") {
            "google.storage.control.v2.StorageControl"
        } else {
            "google.storage.v2.Storage"
        };
        let message = message.encode_to_vec();
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        let request = Request::post(format!("/{service}/{method}")).header("content-type", "application/grpc");
        let answer = self.raw(request.body(Bytes::from(body)).unwrap());
        assert_eq!(answer.status(), 200);
        if let Some(Trailers(trailers)) = answer.extensions().get() {
            assert_eq!(trailers["grpc-status"], "0");
            return Ok(A::decode(&answer.body()[5..]).unwrap());
        }
        let text = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        Err((text("grpc-status").parse().unwrap(), text("grpc-message")))
    }

    fn bucket(&self) -> api::Bucket {
        self.grpc("GetBucket", &api::GetBucketRequest { name: name("acme-files"), ..Default::default() }).unwrap()
    }

    fn upload(&self, path: &str, content: &'static str) -> Value {
        let path = format!("/upload/storage/v1/b/acme-files/o?uploadType=media&name={path}");
        let request = Request::post(path).header("content-type", "text/plain").body(Bytes::from(content));
        serde_json::from_slice(self.raw(request.unwrap()).body()).unwrap()
    }

    fn pull(&self) -> Vec<Value> {
        let pulled = self.ok("POST", &format!("{SUBSCRIPTION}:pull"), &json!({ "maxMessages": 100 }));
        pulled["receivedMessages"].as_array().cloned().unwrap_or_default()
    }
}

fn name(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

fn notification() -> Value {
    json!({
        "topic": "//pubsub.googleapis.com/projects/acme-ml/topics/files",
        "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_FINALIZE"],
    })
}

fn update(mask: &[&str], bucket: api::Bucket) -> api::UpdateBucketRequest {
    api::UpdateBucketRequest {
        bucket: Some(api::Bucket { name: name("acme-files"), ..bucket }),
        update_mask: Some(FieldMask { paths: mask.iter().map(|path| (*path).to_owned()).collect() }),
        ..Default::default()
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn creating(bucket_id: &str, bucket: api::Bucket) -> api::CreateBucketRequest {
    let bucket = api::Bucket { project: "projects/acme-ml".to_owned(), ..bucket };
    api::CreateBucketRequest {
        parent: "projects/_".to_owned(),
        bucket_id: bucket_id.to_owned(),
        bucket: Some(bucket),
        ..Default::default()
    }
}

fn designed() -> api::Bucket {
    let uniform = api::bucket::iam_config::UniformBucketLevelAccess { enabled: true, lock_time: None };
    api::Bucket {
        location: "eu".to_owned(),
        labels: labels(&[("provision-deployment", "wandb"), ("team", "ml")]),
        cors: vec![api::bucket::Cors {
            origin: vec!["https://wandb.example.com".to_owned()],
            method: vec!["GET".to_owned(), "PUT".to_owned()],
            response_header: vec!["*".to_owned()],
            max_age_seconds: 3000,
        }],
        soft_delete_policy: Some(api::bucket::SoftDeletePolicy {
            retention_duration: Some(Seconds { seconds: 8 * 86_400, nanos: 0 }),
            effective_time: None,
        }),
        iam_config: Some(api::bucket::IamConfig {
            uniform_bucket_level_access: Some(uniform),
            public_access_prevention: "enforced".to_owned(),
        }),
        ..Default::default()
    }
}

#[test]
fn bucket_made_over_grpc_is_the_same_over_json() {
    let rig = Rig::new();
    let made: api::Bucket = rig.grpc("CreateBucket", &creating("acme-files", designed())).unwrap();
    assert_eq!((made.location.as_str(), made.metageneration), ("EU", 1));
    assert_eq!(made, rig.bucket());
    assert!(made.project.strip_prefix("projects/").unwrap().parse::<u64>().is_ok());
    let json = rig.ok("GET", "/storage/v1/b/acme-files", &json!(null));
    assert_eq!(json["labels"], json!({ "provision-deployment": "wandb", "team": "ml" }));
    assert_eq!(json["cors"][0]["maxAgeSeconds"], 3000);
    assert_eq!(json["softDeletePolicy"]["retentionDurationSeconds"], "691200");
    assert_eq!(json["iamConfiguration"]["publicAccessPrevention"], "enforced");
    assert_eq!(json["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"], true);
    assert_eq!(json["projectNumber"], made.project["projects/".len()..]);
}

#[test]
fn bucket_name_that_is_taken_has_two_texts() {
    let rig = Rig::furnished();
    let again = creating("acme-files", api::Bucket::default());
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &again).unwrap_err();
    assert!(code == 6 && message.contains("you already own it"), "{code} {message}");
    let other = rig.refused("POST", "/storage/v1/b?project=other-team", &json!({ "name": "acme-files" }));
    assert!(other.0 == 409 && other.1.contains("you already own it"), "{other:?}");
    seed_taken(&rig.google.world, "somebodys").unwrap();
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &creating("somebodys", designed())).unwrap_err();
    assert!(code == 6 && message.contains("is not available"), "{code} {message}");
    let (status, message) = rig.refused("GET", "/storage/v1/b/somebodys", &json!(null));
    assert!(status == 403 && message.contains("storage.buckets.get"), "{status} {message}");
}

#[test]
fn bucket_that_breaks_a_rule_is_not_made() {
    let rig = Rig::new();
    let soft_delete = |days: i64| api::Bucket {
        soft_delete_policy: Some(api::bucket::SoftDeletePolicy {
            retention_duration: Some(Seconds { seconds: days * 86_400, nanos: 0 }),
            effective_time: None,
        }),
        ..Default::default()
    };
    let wrong = [
        ("Acme", api::Bucket::default()),
        ("acme-files", soft_delete(6)),
        ("acme-files", soft_delete(91)),
        ("acme-files", api::Bucket { labels: labels(&[("Team", "")]), ..Default::default() }),
        ("acme-files", api::Bucket { location: "moon".to_owned(), ..Default::default() }),
        ("acme-files", api::Bucket { storage_class: "FAST".to_owned(), ..Default::default() }),
    ];
    for (name, bucket) in wrong {
        let refused = rig.grpc::<api::Bucket>("CreateBucket", &creating(name, bucket.clone()));
        assert_eq!(refused.unwrap_err().0, 3, "{name} {bucket:?}");
    }
    assert!(rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", soft_delete(0))).is_ok());
    let lifecycle = api::Bucket { lifecycle: Some(api::bucket::Lifecycle::default()), ..Default::default() };
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-more", lifecycle)).unwrap_err();
    assert!(code == 12 && message.contains("lifecycle"), "{code} {message}");
    let unknown =
        rig.refused("POST", "/storage/v1/b?project=acme-ml", &json!({ "name": "acme-more", "colour": "red" }));
    assert!(unknown.0 == 400 && unknown.1.contains("colour"), "{unknown:?}");
    let parameter = rig.refused("GET", "/storage/v1/b/acme-files?colour=red", &json!(null));
    assert!(parameter.0 == 400 && parameter.1.contains("colour"), "{parameter:?}");
    let project = rig.refused("POST", "/storage/v1/b?project=unknown", &json!({ "name": "acme-more" }));
    assert!(project.0 == 400 && project.1.contains("Unknown project id"), "{project:?}");
}

#[test]
fn update_changes_what_its_mask_names_and_nothing_else() {
    let rig = Rig::new();
    rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", designed())).unwrap();
    let mask = ["labels.team", "labels.extra"];
    let changes = api::Bucket { labels: labels(&[("extra", "1"), ("ignored", "1")]), ..Default::default() };
    let updated: api::Bucket = rig.grpc("UpdateBucket", &update(&mask, changes)).unwrap();
    assert_eq!(updated.labels, labels(&[("extra", "1"), ("provision-deployment", "wandb")]));
    assert_eq!((updated.cors.len(), updated.metageneration), (1, 2));
    let updated: api::Bucket = rig.grpc("UpdateBucket", &update(&["cors"], api::Bucket::default())).unwrap();
    assert!(updated.cors.is_empty() && updated.iam_config.unwrap().public_access_prevention == "enforced");
    let prevention = update(&["iam_config.public_access_prevention"], api::Bucket::default());
    let updated: api::Bucket = rig.grpc("UpdateBucket", &prevention).unwrap();
    let config = updated.iam_config.unwrap();
    assert_eq!(config.public_access_prevention, "inherited");
    assert!(config.uniform_bucket_level_access.unwrap().enabled);
    assert_eq!(rig.grpc::<api::Bucket>("UpdateBucket", &update(&[], api::Bucket::default())).unwrap_err().0, 3);
    assert_eq!(
        rig.grpc::<api::Bucket>("UpdateBucket", &update(&["website"], api::Bucket::default())).unwrap_err().0,
        12
    );
}

#[test]
fn patch_merges_labels_and_removes_what_is_null() {
    let rig = Rig::furnished();
    rig.ok(
        "PATCH",
        "/storage/v1/b/acme-files",
        &json!({ "labels": { "a": "1", "b": "2" }, "cors": [{ "origin": ["*"] }] }),
    );
    let patched =
        rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "labels": { "a": null, "c": "3" }, "cors": null }));
    assert_eq!((&patched["labels"], patched.get("cors")), (&json!({ "b": "2", "c": "3" }), None));
    assert_eq!(patched["metageneration"], "3");
}

#[test]
fn stale_metageneration_is_refused_over_both_protocols() {
    let rig = Rig::furnished();
    let stale = rig.call("PATCH", "/storage/v1/b/acme-files?ifMetagenerationMatch=2", &json!({}));
    assert_eq!((stale.0, &stale.1["error"]["errors"][0]["reason"]), (412, &json!("conditionNotMet")));
    let request =
        api::UpdateBucketRequest { if_metageneration_match: Some(2), ..update(&["cors"], api::Bucket::default()) };
    assert_eq!(rig.grpc::<api::Bucket>("UpdateBucket", &request).unwrap_err().0, 9);
    let delete =
        api::DeleteBucketRequest { name: name("acme-files"), if_metageneration_match: Some(2), ..Default::default() };
    assert_eq!(rig.grpc::<()>("DeleteBucket", &delete).unwrap_err().0, 9);
    assert_eq!(rig.bucket().metageneration, 1);
}

#[test]
fn bucket_that_is_not_empty_is_not_deleted() {
    let rig = Rig::furnished();
    rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "versioning": { "enabled": true } }));
    rig.upload("a", "1");
    rig.ok("DELETE", "/storage/v1/b/acme-files/o/a", &json!(null));
    // Its noncurrent version is still there.
    let (status, message) = rig.refused("DELETE", "/storage/v1/b/acme-files", &json!(null));
    assert!(status == 409 && message.contains("not empty"), "{status} {message}");
    let request = api::ListObjectsRequest { parent: name("acme-files"), versions: true, ..Default::default() };
    let listed: api::ListObjectsResponse = rig.grpc("ListObjects", &request).unwrap();
    for object in listed.objects {
        let request = api::DeleteObjectRequest {
            bucket: name("acme-files"),
            object: object.name,
            generation: object.generation,
            ..Default::default()
        };
        rig.grpc::<()>("DeleteObject", &request).unwrap();
    }
    rig.ok("DELETE", "/storage/v1/b/acme-files", &json!(null));
    let (code, _) = rig
        .grpc::<()>("DeleteBucket", &api::DeleteBucketRequest { name: name("acme-files"), ..Default::default() })
        .unwrap_err();
    assert_eq!(code, 5);
}

#[test]
fn uniform_access_is_final_after_ninety_days() {
    let rig = Rig::new();
    rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", designed())).unwrap();
    let off = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": false } } });
    let on = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": true } } });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &off);
    rig.ok("PATCH", "/storage/v1/b/acme-files", &on);
    rig.google.world.clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(rig.refused("PATCH", "/storage/v1/b/acme-files", &off).0, 412);
}

fn policy_of(rig: &Rig) -> iam::Policy {
    let options = Some(iam::GetPolicyOptions { requested_policy_version: 3 });
    rig.grpc("GetIamPolicy", &iam::GetIamPolicyRequest { resource: name("acme-files"), options }).unwrap()
}

fn setting(policy: iam::Policy) -> iam::SetIamPolicyRequest {
    iam::SetIamPolicyRequest { resource: name("acme-files"), policy: Some(policy), update_mask: None }
}

#[test]
fn policy_is_replaced_under_its_etag() {
    let rig = Rig::furnished();
    let mut policy = policy_of(&rig);
    assert_eq!(policy.bindings.len(), 2, "what project members have on every bucket");
    let member = format!("serviceAccount:{SERVER}");
    policy.bindings.push(iam::Binding {
        role: "roles/storage.objectAdmin".to_owned(),
        members: vec![member],
        condition: None,
    });
    let written: iam::Policy = rig.grpc("SetIamPolicy", &setting(policy.clone())).unwrap();
    assert_eq!(written.bindings.len(), 3);
    assert_eq!(rig.grpc::<iam::Policy>("SetIamPolicy", &setting(policy)).unwrap_err().0, 10);
    let mut stale = rig.ok("GET", "/storage/v1/b/acme-files/iam", &json!(null));
    stale["etag"] = json!("AAAAAAAAAAE=");
    assert_eq!(rig.refused("PUT", "/storage/v1/b/acme-files/iam", &stale).0, 412);
    let policy = json!({ "policy": { "etag": "AAAAAAAAAAk=" } });
    let (status, answer) = rig.call("POST", &format!("{TOPIC}:setIamPolicy"), &policy);
    assert_eq!((status, &answer["error"]["status"]), (409, &json!("ABORTED")));
    let policy = json!({ "policy": { "bindings": [{ "role": "roles/x", "members": ["serviceAccount:no@acme-ml.iam.gserviceaccount.com"] }] } });
    let (status, message) = rig.refused("POST", &format!("{TOPIC}:setIamPolicy"), &policy);
    assert!(status == 400 && message.contains("does not exist"), "{message}");
}

#[test]
fn conditions_need_version_three_and_uniform_access() {
    let rig = Rig::furnished();
    let conditional = json!({
        "role": "roles/storage.objectViewer",
        "members": ["user:a@example.com"],
        "condition": { "title": "t", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')" },
    });
    let policy = |version: i32, etag: &Value| json!({ "version": version, "bindings": [conditional], "etag": etag });
    let path = "/storage/v1/b/acme-files/iam";
    assert_eq!(rig.refused("PUT", path, &policy(3, &json!(""))).0, 412);
    let uniform = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": true } } });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &uniform);
    assert_eq!(rig.refused("PUT", path, &policy(1, &json!(""))).0, 400);
    rig.ok("PUT", path, &policy(3, &json!("")));
    let hidden = rig.ok("GET", path, &json!(null));
    assert!(hidden["bindings"][0]["role"].as_str().unwrap().contains("_withcond_"), "{hidden}");
    assert_eq!((&hidden["version"], hidden["bindings"][0].get("condition")), (&json!(1), None));
    assert_eq!(policy_of(&rig).version, 3);
    // What was read in version 1 cannot be written back under its etag: the condition would be lost.
    assert_eq!(rig.refused("PUT", path, &hidden).0, 400);
}

#[test]
fn public_members_are_refused_where_they_are_prevented() {
    let rig = Rig::new();
    rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", designed())).unwrap();
    let mut policy = policy_of(&rig);
    let members = vec!["allUsers".to_owned()];
    policy.bindings.push(iam::Binding { role: "roles/storage.objectViewer".to_owned(), members, condition: None });
    let (code, message) = rig.grpc::<iam::Policy>("SetIamPolicy", &setting(policy)).unwrap_err();
    assert!(code == 9 && message.contains("public access prevention is enforced"), "{code} {message}");
}

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
    assert_eq!((&second["id"], rig.bucket().metageneration), (&json!("2"), 3));
    let path = format!("{CONFIGS}/1");
    rig.ok("DELETE", &path, &json!(null));
    assert_eq!(rig.bucket().metageneration, 4);
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
fn account_signs_once_it_may() {
    let rig = Rig::new();
    let path = format!("/v1/projects/-/serviceAccounts/{SERVER}");
    let blob = json!({ "payload": "aGVsbG8=" });
    assert_eq!(rig.refused("POST", &format!("{path}:signBlob"), &blob).0, 403);
    let policy = rig.ok("POST", &format!("{path}:getIamPolicy?options.requestedPolicyVersion=3"), &json!(null));
    assert_eq!(policy.get("bindings"), None);
    let binding =
        json!({ "role": "roles/iam.serviceAccountTokenCreator", "members": [format!("serviceAccount:{SERVER}")] });
    let policy = json!({ "policy": { "version": 3, "bindings": [binding], "etag": policy["etag"] } });
    rig.ok("POST", &format!("{path}:setIamPolicy"), &policy);
    assert_eq!(rig.refused("POST", &format!("{path}:setIamPolicy"), &policy).0, 409);
    let signed = rig.ok("POST", &format!("{path}:signBlob"), &blob);
    assert_eq!(data_encoding::BASE64.decode(signed["signedBlob"].as_str().unwrap().as_bytes()).unwrap().len(), 256);
    assert_eq!(rig.ok("GET", &path, &json!(null))["projectId"], "acme-ml");
    assert_eq!(rig.refused("GET", "/v1/projects/acme-ml/serviceAccounts/no@x", &json!(null)).0, 404);
    assert_eq!(rig.refused("GET", "/v1/projects/-/serviceAccounts/no@x", &json!(null)).0, 403);
}

#[test]
fn project_is_found_by_id_and_by_number() {
    let rig = Rig::new();
    let project = rig.ok("GET", "/v3/projects/acme-ml?$alt=json;enum-encoding=int", &json!(null));
    let by_number = rig.ok("GET", &format!("/v3/{}", project["name"].as_str().unwrap()), &json!(null));
    assert_eq!(
        (&by_number["projectId"], &by_number["state"], &project["state"]),
        (&json!("acme-ml"), &json!("ACTIVE"), &json!(1))
    );
    assert_eq!(rig.refused("GET", "/v3/projects/unknown", &json!(null)).0, 403);
    let asked = json!({ "permissions": ["storage.buckets.create"] });
    assert_eq!(rig.ok("POST", "/v3/projects/acme-ml:testIamPermissions", &asked), asked);
}

#[test]
fn projects_are_found_page_by_page() {
    let rig = Rig::new();
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let path = format!("/v3/projects:search?query=state:ACTIVE&pageSize=1&pageToken={token}");
        let page = rig.ok("GET", &path, &json!(null));
        found.push(page["projects"][0]["projectId"].clone());
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.replace('/', "%2F"),
            None => break,
        }
    }
    assert!(found.len() > 1 && found.contains(&json!("acme-ml")), "{found:?}");
    assert_eq!(rig.refused("GET", "/v3/projects:search?query=name:x", &json!(null)).0, 501);
}

#[test]
fn what_is_not_served_is_refused_by_its_name() {
    let rig = Rig::furnished();
    let cases = [
        ("GET", "/storage/v1/b/acme-files/acl", "storage.json:bucketAccessControls.list"),
        ("GET", "/storage/v1/hmacKeys", "storage.json:GET /storage/v1/hmacKeys"),
        ("POST", "/v1/projects/acme-ml/subscriptions/files:seek", "pubsub:Seek"),
        ("GET", "/v1/projects/acme-ml/serviceAccounts", "iam:ListServiceAccounts"),
        ("POST", "/v3/projects/acme-ml:setIamPolicy", "resourcemanager:SetIamPolicy"),
    ];
    for (method, path, operation) in cases {
        let (status, message) = rig.refused(method, path, &json!(null));
        assert!(status == 501 && message.contains(operation), "{status} {message}");
    }
    let (code, message) = rig.grpc::<()>("ComposeObject", &()).unwrap_err();
    assert!(code == 12 && message.contains("storage:ComposeObject"), "{code} {message}");
}

#[test]
fn field_that_a_message_does_not_have_is_refused() {
    let rig = Rig::furnished();
    // Field 99, a number, after the name.
    let mut message = api::GetBucketRequest { name: name("acme-files"), ..Default::default() }.encode_to_vec();
    message.extend([0x98, 0x06, 0x01]);
    let mut body = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
    body.extend(message);
    let request = Request::post("/google.storage.v2.Storage/GetBucket").header("content-type", "application/grpc");
    let answer = rig.raw(request.body(Bytes::from(body)).unwrap());
    assert_eq!(answer.headers()["grpc-status"], "3");
}

#[test]
fn resumable_upload_comes_in_parts() {
    let rig = Rig::notified();
    let begin = Request::post("/upload/storage/v1/b/acme-files/o?uploadType=resumable").header("host", "127.0.0.1:1");
    let begun = rig.raw(begin.body(Bytes::from(r#"{"name": "big"}"#)).unwrap());
    let place = begun.headers()["location"].to_str().unwrap().strip_prefix("http://127.0.0.1:1").unwrap().to_owned();
    let part = |range: &str, content: &'static str| {
        rig.raw(Request::put(&place).header("content-range", range).body(Bytes::from(content)).unwrap())
    };
    let first = part("bytes 0-4/*", "01234");
    assert_eq!(
        (first.status().as_u16(), &first.headers()["range"]),
        (308, &http::HeaderValue::from_static("bytes=0-4"))
    );
    assert_eq!(part("bytes */*", "").status(), 308);
    assert_eq!(rig.pull().len(), 0);
    assert_eq!(part("bytes 5-9/10", "56789").status(), 200);
    let media = rig.raw(Request::get("/download/storage/v1/b/acme-files/o/big?alt=media").body(Bytes::new()).unwrap());
    assert_eq!(media.body().as_ref(), b"0123456789");
    assert_eq!(rig.pull().len(), 1);
}

#[test]
fn listing_has_pages_groups_and_versions() {
    let rig = Rig::furnished();
    for name in ["a", "b/1", "b/2", "b/3", "c"] {
        rig.upload(name, "");
    }
    let list = |query: &str| rig.ok("GET", &format!("/storage/v1/b/acme-files/o?{query}"), &json!(null));
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
    };
    let grouped = list("delimiter=/");
    assert_eq!((names(&grouped), &grouped["prefixes"]), (vec!["a".to_owned(), "c".to_owned()], &json!(["b/"])));
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&format!("maxResults=2&pageToken={token}"));
        seen.extend(names(&page));
        let Some(next) = page["nextPageToken"].as_str() else { break };
        next.clone_into(&mut token);
    }
    assert_eq!(seen, ["a", "b/1", "b/2", "b/3", "c"]);
    assert_eq!(names(&list("prefix=b/&startOffset=b/2")), ["b/2", "b/3"]);
    rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "versioning": { "enabled": true } }));
    rig.upload("a", "new");
    assert_eq!(names(&list("versions=True&prefix=a")), ["a", "a"]);
    assert_eq!(names(&list("prefix=a")), ["a"]);
}

/// A signed URL, by this account and good for this long.
fn signed(signer: &str, at_ms: u64, expires_s: u64) -> String {
    let date = crate::clock::date(at_ms);
    let day = format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
    let time = format!("{day}T{:02}{:02}{:02}Z", date.hour(), date.minute(), date.second());
    let signer = signer.replace('@', "%40");
    format!(
        "/acme-files/a?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={signer}%2F{day}%2Fauto%2Fstorage%2Fgoog4_request\
         &X-Goog-Date={time}&X-Goog-Expires={expires_s}&X-Goog-SignedHeaders=host&X-Goog-Signature=00"
    )
}

#[test]
fn signed_url_is_good_for_its_time_and_by_its_signer_s_roles() {
    let rig = Rig::furnished();
    let send =
        |method: &str, path: &str| rig.raw(Request::builder().method(method).uri(path).body(Bytes::from("x")).unwrap());
    let now_ms = rig.google.world.clock.now_ms();
    let url = signed(SERVER, now_ms, 60);
    assert_eq!(send("PUT", &url).status(), 403, "the account has no role yet");
    let mut policy = policy_of(&rig);
    let members = vec![format!("serviceAccount:{SERVER}")];
    policy.bindings.push(iam::Binding { role: "roles/storage.objectAdmin".to_owned(), members, condition: None });
    rig.grpc::<iam::Policy>("SetIamPolicy", &setting(policy)).unwrap();
    assert_eq!(send("PUT", &url).status(), 200);
    assert_eq!(send("GET", &url).body().as_ref(), b"x");
    assert_eq!(send("GET", &signed("no@acme-ml.iam.gserviceaccount.com", now_ms, 60)).status(), 403);
    assert_eq!(send("GET", "/acme-files/a").status(), 403, "nobody signed it");
    assert_eq!(send("GET", &signed(SERVER, now_ms, 7 * 86_400 + 1)).status(), 400);
    rig.google.world.clock.advance(Duration::from_secs(61));
    let late = send("GET", &url);
    assert_eq!(late.status(), 400);
    assert!(String::from_utf8_lossy(late.body()).contains("<Code>ExpiredToken</Code>"));
}

#[test]
fn preflight_is_answered_by_the_bucket_s_rules() {
    let rig = Rig::furnished();
    let rules = json!({ "cors": [
        { "origin": ["https://a.example"], "method": ["GET"], "responseHeader": ["ETag", "x-goog-meta-*"], "maxAgeSeconds": 60 },
        { "origin": ["*"], "method": ["PUT"], "responseHeader": ["*"] },
    ] });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &rules);
    let preflight = |origin: &str, method: &str, headers: &str| {
        let request = Request::options("/acme-files/a").header("origin", origin);
        let request =
            request.header("access-control-request-method", method).header("access-control-request-headers", headers);
        let answer = rig.raw(request.body(Bytes::new()).unwrap());
        answer.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(preflight("https://a.example", "GET", "etag, X-Goog-Meta-A").as_deref(), Some("https://a.example"));
    assert_eq!(preflight("https://a.example", "GET", "authorization"), None);
    assert_eq!(preflight("https://b.example", "GET", ""), None);
    assert_eq!(preflight("https://b.example", "PUT", "content-type").as_deref(), Some("*"));
    // The answer to a real request can be read, a refusal too.
    let request = Request::get("/acme-files/a").header("origin", "https://a.example").body(Bytes::new()).unwrap();
    let answer = rig.raw(request);
    assert_eq!(answer.headers()["access-control-expose-headers"], "ETag, x-goog-meta-*");
}

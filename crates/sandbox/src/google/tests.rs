//! The services as their clients ask them, without a network.

mod bucket;
mod notification;
mod object;
mod policy;
mod project;
mod pubsub;
mod xml;

use std::collections::BTreeMap;

use googleapis_tonic_google_storage_v2::google::iam::v1 as iam;
use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use prost::Message;
use prost_types::Duration as Seconds;
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
        let world =
            Arc::new(World { store: Store::in_memory(), faults, clock: Clock::default(), aws_secret: String::new() });
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
        let service = if ["Pull", "Acknowledge", "ModifyAckDeadline"].contains(&method) {
            "google.pubsub.v1.Subscriber"
        } else if method.ends_with("Policy") || method.ends_with("Permissions") {
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

fn policy_of(rig: &Rig) -> iam::Policy {
    let options = Some(iam::GetPolicyOptions { requested_policy_version: 3 });
    rig.grpc("GetIamPolicy", &iam::GetIamPolicyRequest { resource: name("acme-files"), options }).unwrap()
}

fn setting(policy: iam::Policy) -> iam::SetIamPolicyRequest {
    iam::SetIamPolicyRequest { resource: name("acme-files"), policy: Some(policy), update_mask: None }
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

//! The services as their clients ask them, without a network.

mod bucket;
mod callers;
mod notification;
mod object;
mod policy;
mod project;
mod pubsub;
mod xml;

use prost::Message;
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::emulator::Trailers;
use crate::identities::Identities;
use crate::layer::FaultLayer;
use crate::state::Store;

const SERVER: &str = "wandb@acme-ml.iam.gserviceaccount.com";
const TOPIC: &str = "/v1/projects/acme-ml/topics/files";
const SUBSCRIPTION: &str = "/v1/projects/acme-ml/subscriptions/files";
const BUCKETS: &str = "/storage/v1/b?project=acme-ml";
const BUCKET: &str = "/storage/v1/b/acme-files";
const POLICY: &str = "/storage/v1/b/acme-files/iam";
const CONFIGS: &str = "/storage/v1/b/acme-files/notificationConfigs";

struct Rig {
    google: Google,
}

/// What a call without a message ends with: status and message.
type Status = (u16, String);

impl Rig {
    fn new() -> Self {
        let faults = Arc::new(FaultLayer::default());
        let world = Arc::new(World {
            store: Store::in_memory(),
            faults,
            clock: Clock::default(),
            identities: Identities::default(),
        });
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

    fn framed(&self, method: &str, message: Vec<u8>) -> Response<Bytes> {
        self.raw(framed(method, message))
    }

    fn grpc<A: Message + Default>(&self, method: &str, message: &impl Message) -> Result<A, Status> {
        let answer = self.framed(method, message.encode_to_vec());
        assert_eq!(answer.status(), 200);
        if let Some(Trailers(trailers)) = answer.extensions().get() {
            assert_eq!(trailers["grpc-status"], "0");
            return Ok(A::decode(&answer.body()[5..]).unwrap());
        }
        let text = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        Err((text("grpc-status").parse().unwrap(), text("grpc-message")))
    }

    fn bucket(&self) -> Value {
        self.ok("GET", BUCKET, &json!(null))
    }

    /// The bucket's policy, conditions included.
    fn policy(&self) -> Value {
        self.ok("GET", &format!("{POLICY}?optionsRequestedPolicyVersion=3"), &json!(null))
    }

    /// The same with one more binding.
    fn policy_with(&self, binding: Value) -> Value {
        let mut policy = self.policy();
        policy["bindings"].as_array_mut().unwrap().push(binding);
        policy
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

/// A call of gRPC with these bytes as its message.
fn framed(method: &str, message: Vec<u8>) -> Request<Bytes> {
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    let path = format!("/google.pubsub.v1.Subscriber/{method}");
    Request::post(path).header("content-type", "application/grpc").body(Bytes::from(body)).unwrap()
}

fn notification() -> Value {
    json!({
        "topic": "//pubsub.googleapis.com/projects/acme-ml/topics/files",
        "payload_format": "JSON_API_V1",
        "event_types": ["OBJECT_FINALIZE"],
    })
}

/// A bucket with something in every field that is served.
fn designed() -> Value {
    json!({
        "name": "acme-files",
        "location": "eu",
        "labels": { "provision-deployment": "wandb", "team": "ml" },
        "cors": [{
            "origin": ["https://wandb.example.com"],
            "method": ["GET", "PUT"],
            "responseHeader": ["*"],
            "maxAgeSeconds": 3000,
        }],
        "encryption": { "defaultKmsKeyName": "projects/p/locations/eu/keyRings/r/cryptoKeys/k" },
        "versioning": { "enabled": true },
        "softDeletePolicy": { "retentionDurationSeconds": "691200" },
        "iamConfiguration": {
            "uniformBucketLevelAccess": { "enabled": true },
            "publicAccessPrevention": "enforced",
        },
        "billing": { "requesterPays": true },
        "ipFilter": { "mode": "Enabled", "publicNetworkSource": { "allowedIpCidrRanges": ["10.0.0.0/8"] } },
    })
}

#[test]
fn what_is_not_served_is_refused_by_its_name() {
    let rig = Rig::furnished();
    let cases = [
        ("GET", "/storage/v1/b/acme-files/acl", "storage.json:bucketAccessControls.list"),
        ("GET", "/storage/v1/hmacKeys", "storage.json:GET /storage/v1/hmacKeys"),
        ("POST", "/v1/projects/acme-ml/subscriptions/files:seek", "pubsub:Seek"),
        ("GET", "/v1/projects/acme-ml/serviceAccounts", "iam:ListServiceAccounts"),
    ];
    for (method, path, operation) in cases {
        let (status, message) = rig.refused(method, path, &json!(null));
        assert!(status == 501 && message.contains(operation), "{status} {message}");
    }
    let (code, message) = rig.grpc::<()>("Seek", &()).unwrap_err();
    assert!(code == 12 && message.contains("google.pubsub.v1.Subscriber:Seek"), "{code} {message}");
}

#[test]
fn field_that_a_message_does_not_have_is_refused() {
    let rig = Rig::furnished();
    // Field 99, a number.
    assert_eq!(rig.framed("Pull", vec![0x98, 0x06, 0x01]).headers()["grpc-status"], "3");
}

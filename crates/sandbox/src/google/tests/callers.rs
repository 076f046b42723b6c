//! Who calls, and what policies let them.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use prost::Message as _;
use serde_json::{Value, json};

use super::{BUCKET, POLICY, Rig, SERVER, SUBSCRIPTION, TOPIC, framed, seed};
use crate::google::pubsub::subscriber::PullRequest;

const OTHER: &str = "other@acme-ml.iam.gserviceaccount.com";
const OBJECTS: &str = "/storage/v1/b/acme-files/o";

impl Rig {
    /// With two accounts in its project.
    fn with_accounts() -> Self {
        let rig = Self::furnished();
        seed(&rig.google.world, "acme-ml", Some(OTHER)).unwrap();
        rig
    }

    pub(super) fn token(&self, email: &str) -> String {
        let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let scope = json!({ "scope": ["https://www.googleapis.com/auth/cloud-platform"] });
        self.ok("POST", &path, &scope)["accessToken"].as_str().unwrap().to_owned()
    }

    /// Who has a token asks; gives the status and what is said of it.
    pub(super) fn bears(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let answer = self.raw(request.body(body).unwrap());
        (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// Give an account a role on something of Pub/Sub or IAM.
    pub(super) fn grant(&self, path: &str, role: &str, email: &str) {
        let binding = json!({ "role": role, "members": [format!("serviceAccount:{email}")] });
        self.ok("POST", &format!("{path}:setIamPolicy"), &json!({ "policy": { "bindings": [binding] } }));
    }
}

#[test]
fn policy_of_a_bucket_lets_in_whom_it_names() {
    let rig = Rig::with_accounts();
    rig.upload("a", "hello");
    let (server, other) = (rig.token(SERVER), rig.token(OTHER));
    let (status, said) = rig.bears(&server, "GET", OBJECTS, &json!(null));
    let denied = format!("{SERVER} does not have storage.objects.list access");
    assert!(status == 403 && said.contains(&denied), "{status} {said}");
    let member = format!("serviceAccount:{SERVER}");
    rig.ok("PUT", POLICY, &rig.policy_with(json!({ "role": "roles/storage.objectAdmin", "members": [member] })));
    for path in [OBJECTS, "/storage/v1/b/acme-files/o/a", "/acme-files/a"] {
        assert_eq!(rig.bears(&server, "GET", path, &json!(null)).0, 200, "{path}");
        assert_eq!(rig.bears(&other, "GET", path, &json!(null)).0, 403, "{path}");
    }
    // Objects are not the bucket, and not the project.
    for (method, path) in
        [("GET", BUCKET), ("DELETE", BUCKET), ("GET", POLICY), ("GET", "/storage/v1/b?project=acme-ml")]
    {
        assert_eq!(rig.bears(&server, method, path, &json!(null)).0, 403, "{method} {path}");
    }
    let (_, found) = rig.bears(&server, "GET", "/v3/projects:search", &json!(null));
    assert_eq!(found, "{}");
}

#[test]
fn policy_of_a_bucket_is_seen_late_by_whom_it_lets_in() {
    let rig = Rig::with_accounts();
    rig.google.world.faults.set_propagation("storage.iam", Duration::from_secs(60));
    let server = rig.token(SERVER);
    let member = format!("serviceAccount:{SERVER}");
    rig.ok("PUT", POLICY, &rig.policy_with(json!({ "role": "roles/storage.objectViewer", "members": [member] })));
    assert_eq!(rig.bears(&server, "GET", OBJECTS, &json!(null)).0, 403);
    rig.google.world.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.bears(&server, "GET", OBJECTS, &json!(null)).0, 200);
}

#[test]
fn policies_of_topics_and_subscriptions_let_in_whom_they_name() {
    let rig = Rig::with_accounts();
    let (server, other) = (rig.token(SERVER), rig.token(OTHER));
    let pull = || json!({ "maxMessages": 1 });
    let publish = || json!({ "messages": [{ "data": "aGVsbG8=" }] });
    rig.grant(SUBSCRIPTION, "roles/pubsub.subscriber", SERVER);
    rig.grant(TOPIC, "roles/pubsub.publisher", OTHER);
    let (pulling, publishing) = (format!("{SUBSCRIPTION}:pull"), format!("{TOPIC}:publish"));
    assert_eq!(rig.bears(&other, "POST", &publishing, &publish()).0, 200);
    assert_eq!(rig.bears(&server, "POST", &publishing, &publish()).0, 403);
    let (status, said) = rig.bears(&other, "POST", &pulling, &pull());
    assert!(status == 403 && said.contains("Permission 'pubsub.subscriptions.consume' denied"), "{status} {said}");
    assert_eq!(rig.bears(&server, "POST", &pulling, &pull()).0, 200);
    // A subscriber is no viewer.
    assert_eq!(rig.bears(&server, "GET", SUBSCRIPTION, &json!(null)).0, 403);
    assert_eq!(rig.bears(&server, "DELETE", TOPIC, &json!(null)).0, 403);
    let over_grpc = |token: &str| {
        let request = PullRequest { subscription: SUBSCRIPTION.trim_start_matches("/v1/").to_owned(), ..pulled() };
        let mut message = framed("Pull", request.encode_to_vec());
        message.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        rig.raw(message).headers().get("grpc-status").cloned()
    };
    assert_eq!(over_grpc(&other).unwrap(), "7");
    assert_eq!(over_grpc(&server), None);
}

const fn pulled() -> PullRequest {
    PullRequest { subscription: String::new(), return_immediately: true, max_messages: 1 }
}

#[test]
fn account_signs_and_takes_tokens_as_its_policy_says() {
    let rig = Rig::with_accounts();
    let (server, other) = (rig.token(SERVER), rig.token(OTHER));
    let path = format!("/v1/projects/-/serviceAccounts/{SERVER}");
    let blob = || json!({ "payload": "aGVsbG8=" });
    let sign = |token: &str| rig.bears(token, "POST", &format!("{path}:signBlob"), &blob()).0;
    assert_eq!((sign(&server), sign(&other)), (403, 403));
    rig.grant(&path, "roles/iam.serviceAccountTokenCreator", SERVER);
    assert_eq!((sign(&server), sign(&other)), (200, 403));
    rig.grant(&path, "roles/iam.serviceAccountTokenCreator", OTHER);
    assert_eq!((sign(&server), sign(&other)), (403, 200));
    let take =
        |token: &str| rig.bears(token, "POST", &format!("{path}:generateAccessToken"), &json!({ "scope": ["x"] })).0;
    assert_eq!((take(&server), take(&other)), (403, 200));
}

#[test]
fn token_is_of_an_account_that_is_there_and_not_too_old() {
    let rig = Rig::with_accounts();
    let (server, other) = (rig.token(SERVER), rig.token(OTHER));
    let read = |token: &str| rig.bears(token, "GET", BUCKET, &json!(null)).0;
    // One of somebody else's is of whoever has the printed variables.
    assert_eq!((read(&server), read("ya29.of-elsewhere"), read(&format!("{server}0x"))), (403, 200, 401));
    rig.ok("DELETE", &format!("/v1/projects/acme-ml/serviceAccounts/{OTHER}"), &json!(null));
    assert_eq!(read(&other), 401);
    rig.google.world.clock.advance(Duration::from_secs(3600));
    let (status, said) = rig.bears(&server, "GET", TOPIC, &json!(null));
    assert!(status == 401 && said.contains("UNAUTHENTICATED"), "{status} {said}");
    let path = format!("/v1/projects/-/serviceAccounts/{SERVER}:generateAccessToken");
    for wrong in [json!({}), json!({ "scope": ["x"], "lifetime": "7200s" }), json!({ "scope": ["x"], "lifetime": "1" })]
    {
        assert_eq!(rig.refused("POST", &path, &wrong).0, 400, "{wrong}");
    }
}

/// A role that is attached is that of who shows no token; an account is another.
#[test]
fn attached_role_is_nobody_elses() {
    let rig = Rig::with_accounts();
    let server = rig.token(SERVER);
    let member = format!("serviceAccount:{SERVER}");
    rig.ok("PUT", POLICY, &rig.policy_with(json!({ "role": "roles/storage.objectViewer", "members": [member] })));
    let role = "includedPermissions:\n- storage.buckets.get\n";
    rig.google.world.identities.attach(crate::sandbox::EmulatorKind::Google, role);
    let status = |path: &str| rig.call("GET", path, &json!(null)).0;
    assert_eq!((status(BUCKET), status(OBJECTS)), (200, 403));
    assert_eq!(
        (rig.bears(&server, "GET", BUCKET, &json!(null)).0, rig.bears(&server, "GET", OBJECTS, &json!(null)).0),
        (403, 200)
    );
}

/// <https://cloud.google.com/storage/docs/get-ip-filter#required-roles>
#[test]
fn filter_of_addresses_has_rights_of_its_own() {
    let rig = Rig::furnished();
    let filter = |mode: &str| json!({ "ipFilter": { "mode": mode, "publicNetworkSource": { "allowedIpCidrRanges": ["10.0.0.0/8"] } } });
    rig.ok("PATCH", BUCKET, &filter("Enabled"));
    let attach = |permissions: &[&str]| {
        let lines: String = permissions.iter().map(|permission| format!("- storage.buckets.{permission}\n")).collect();
        let role = format!("includedPermissions:\n{lines}");
        rig.google.world.identities.attach(crate::sandbox::EmulatorKind::Google, &role);
    };
    attach(&["get", "update"]);
    assert_eq!(rig.bucket().get("ipFilter"), None);
    let (status, message) = rig.refused("PATCH", BUCKET, &filter("Disabled"));
    assert!(status == 403 && message.contains("storage.buckets.setIpFilter"), "{status} {message}");
    rig.ok("PATCH", BUCKET, &json!({ "labels": { "a": "1" } }));
    attach(&["get", "getIpFilter", "setIpFilter", "update"]);
    assert_eq!(rig.bucket()["ipFilter"]["mode"], "Enabled");
    rig.ok("PATCH", BUCKET, &filter("Disabled"));
}

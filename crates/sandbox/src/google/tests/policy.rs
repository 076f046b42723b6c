//! Policies of buckets and topics.

use googleapis_tonic_google_storage_v2::google::iam::v1 as iam;
use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use serde_json::{Value, json};

use super::{Rig, SERVER, TOPIC, creating, designed, policy_of, setting};

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

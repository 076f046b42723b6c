//! Policies of buckets and topics.

use serde_json::{Value, json};

use super::{BUCKETS, POLICY, Rig, SERVER, TOPIC, designed};

#[test]
fn policy_is_replaced_under_its_etag() {
    let rig = Rig::furnished();
    let member = format!("serviceAccount:{SERVER}");
    let policy = rig.policy_with(json!({ "role": "roles/storage.objectAdmin", "members": [member] }));
    // Two are what project members have on every bucket.
    assert_eq!(policy["bindings"].as_array().unwrap().len(), 3);
    let written = rig.ok("PUT", POLICY, &policy);
    assert_eq!(written["bindings"].as_array().unwrap().len(), 3);
    let (status, answer) = rig.call("PUT", POLICY, &policy);
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (412, &json!("conditionNotMet")));
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
    assert_eq!(rig.policy()["version"], 3);
    // What was read in version 1 cannot be written back under its etag: the condition would be lost.
    assert_eq!(rig.refused("PUT", path, &hidden).0, 400);
}

#[test]
fn public_members_are_refused_where_they_are_prevented() {
    let rig = Rig::new();
    rig.ok("POST", BUCKETS, &designed());
    let policy = rig.policy_with(json!({ "role": "roles/storage.objectViewer", "members": ["allUsers"] }));
    let (status, message) = rig.refused("PUT", POLICY, &policy);
    assert!(status == 412 && message.contains("public access prevention is enforced"), "{status} {message}");
}

#[test]
fn a_policy_that_nobody_wrote_has_the_etag_of_all_such() {
    let rig = Rig::furnished();
    let policy = rig.ok("GET", &format!("{TOPIC}:getIamPolicy"), &json!(null));
    assert_eq!(policy, json!({ "etag": "ACAB" }));
    let write = || json!({ "policy": { "etag": "ACAB", "bindings": [{ "role": "roles/viewer", "members": ["user:b@c.d", "user:a@b.c"] }] } });
    let written = rig.ok("POST", &format!("{TOPIC}:setIamPolicy"), &write());
    assert_eq!(written["bindings"][0]["members"], json!(["user:a@b.c", "user:b@c.d"]));
    assert_eq!(rig.refused("POST", &format!("{TOPIC}:setIamPolicy"), &write()).0, 409);
}

/// As recorded: the etag of both is the metageneration in a message, `CAE=` for 1.
#[test]
fn a_bucket_and_its_policy_are_one_version() {
    let rig = Rig::furnished();
    let bucket = || rig.ok("GET", "/storage/v1/b/acme-files", &json!(null));
    let policy = || rig.ok("GET", "/storage/v1/b/acme-files/iam", &json!(null));
    assert_eq!((&bucket()["etag"], &policy()["etag"]), (&json!("CAE="), &json!("CAE=")));
    let before = policy();
    rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "labels": { "a": "1" } }));
    assert_eq!(rig.refused("PUT", "/storage/v1/b/acme-files/iam", &before).0, 412);
    rig.ok("PUT", "/storage/v1/b/acme-files/iam", &policy());
    assert_eq!((&bucket()["metageneration"], &policy()["etag"]), (&json!("3"), &json!("CAM=")));
}

#[test]
fn a_deleted_account_is_denied_and_stays_in_policies_as_what_it_was() {
    let rig = Rig::furnished();
    let (account, member) =
        (format!("/v1/projects/acme-ml/serviceAccounts/{SERVER}"), format!("serviceAccount:{SERVER}"));
    let bindings = json!([{ "role": "roles/pubsub.subscriber", "members": [member] }]);
    rig.ok("POST", &format!("{TOPIC}:setIamPolicy"), &json!({ "policy": { "bindings": bindings } }));
    rig.ok("DELETE", &account, &json!(null));
    let (status, answer) = rig.call("GET", &account, &json!(null));
    assert_eq!((status, &answer["error"]["details"][0]["reason"]), (403, &json!("IAM_PERMISSION_DENIED")));
    assert_eq!(answer["error"]["details"][0]["metadata"]["permission"], "iam.serviceAccounts.get");
    let never =
        rig.call("GET", "/v1/projects/acme-ml/serviceAccounts/no@acme-ml.iam.gserviceaccount.com", &json!(null));
    assert_eq!((never.0, &never.1["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
    let policy = rig.ok("GET", &format!("{TOPIC}:getIamPolicy"), &json!(null));
    let found = policy["bindings"][0]["members"][0].as_str().unwrap();
    assert!(found.starts_with(&format!("deleted:{member}?uid=")), "{found}");
    assert_eq!(
        rig.refused("POST", &format!("{TOPIC}:setIamPolicy"), &json!({ "policy": { "bindings": bindings } })).0,
        400
    );
}

/// With uniform access they may use its objects too.
#[test]
fn project_members_have_what_uniform_access_needs() {
    let rig = Rig::new();
    let uniform = json!({ "name": "uniform", "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": true } } });
    rig.ok("POST", "/storage/v1/b?project=acme-ml", &uniform);
    let policy = rig.ok("GET", "/storage/v1/b/uniform/iam", &json!(null));
    let roles: Vec<_> = policy["bindings"].as_array().unwrap().iter().map(|binding| binding["role"].clone()).collect();
    assert!(roles.contains(&json!("roles/storage.legacyObjectOwner")) && roles.len() == 4, "{roles:?}");
}

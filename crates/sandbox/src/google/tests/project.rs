//! Projects and their service accounts.

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{Rig, SERVER, TOPIC};

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

/// A page of another site, and one that gave its own name to this machine.
#[test]
fn pages_of_other_sites_are_refused() {
    let rig = Rig::furnished();
    let asked = |name: &str, value: &str| {
        let request = Request::builder().method("GET").uri("/storage/v1/b/acme-files").header(name, value);
        rig.raw(request.body(Bytes::new()).unwrap()).status().as_u16()
    };
    assert_eq!((asked("host", "127.0.0.1:4242"), asked("host", "storage.googleapis.com")), (200, 200));
    assert_eq!((asked("host", "evil.example"), asked("origin", "https://evil.example")), (403, 403));
}

const PROJECT: &str = "/v3/projects/acme-ml";

#[test]
fn policy_of_a_project_lets_accounts_do_what_it_says_in_all_of_it() {
    let rig = Rig::furnished();
    let (server, member) = (rig.token(SERVER), format!("serviceAccount:{SERVER}"));
    let policy =
        rig.ok("POST", &format!("{PROJECT}:getIamPolicy"), &json!({ "options": { "requestedPolicyVersion": 3 } }));
    assert_eq!((policy.get("bindings"), &policy["etag"]), (None, &json!("ACAB")));
    let set = |role: &str, member: &str| {
        let policy = json!({ "bindings": [{ "role": role, "members": [member] }] });
        rig.call("POST", &format!("{PROJECT}:setIamPolicy"), &json!({ "policy": policy })).0
    };
    let status = |path: &str| rig.bears(&server, "GET", path, &json!(null)).0;
    let (bucket, list, found) = ("/storage/v1/b/acme-files", "/storage/v1/b?project=acme-ml", "/v3/projects/acme-ml");
    assert_eq!((status(bucket), status(list), status(TOPIC), status(found)), (403, 403, 403, 403));
    assert_eq!(set("roles/storage.admin", &member), 200);
    assert_eq!((status(bucket), status(list), status(TOPIC), status(found)), (200, 200, 403, 403));
    // Others' projects are not this one.
    assert_eq!(status("/storage/v1/b?project=other-team"), 403);
    // The bucket's own policy names viewers of the project, who may list its objects.
    assert_eq!(set("roles/viewer", &member), 200);
    assert_eq!((status(bucket), status(list), status(TOPIC), status(found)), (200, 200, 200, 200));
    assert_eq!(status("/storage/v1/b/acme-files/iam"), 403);
    let (_, projects) = rig.bears(&server, "GET", "/v3/projects:search", &json!(null));
    assert!(projects.contains("acme-ml") && !projects.contains("other-team"), "{projects}");
    assert_eq!(set("roles/viewer", "allUsers"), 400);
    let stale = json!({ "policy": { "bindings": [], "etag": policy["etag"] } });
    assert_eq!(rig.refused("POST", &format!("{PROJECT}:setIamPolicy"), &stale).0, 409);
    // gcloud's version of the API.
    let policy = rig.ok("POST", "/v1/projects/acme-ml:getIamPolicy", &json!({}));
    assert_eq!(policy["bindings"], json!([{ "role": "roles/viewer", "members": [member] }]));
}

#[test]
fn accounts_are_told_the_permissions_that_they_have() {
    let rig = Rig::furnished();
    let server = rig.token(SERVER);
    let asked = json!({ "permissions": ["iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.signBlob"] });
    let path = format!("/v1/projects/acme-ml/serviceAccounts/{SERVER}");
    let held = |token: Option<&str>| {
        let path = format!("{path}:testIamPermissions");
        let answer = match token {
            Some(token) => serde_json::from_str(&rig.bears(token, "POST", &path, &asked).1).unwrap(),
            None => rig.ok("POST", &path, &asked),
        };
        answer["permissions"].clone()
    };
    let (read, sign) = (json!("iam.serviceAccounts.getIamPolicy"), json!("iam.serviceAccounts.signBlob"));
    // Owning a project is no right to sign.
    assert_eq!((held(Some(&server)), held(None)), (json!(null), json!([read])));
    rig.grant(&path, "roles/iam.serviceAccountTokenCreator", SERVER);
    assert_eq!((held(Some(&server)), held(None)), (json!([sign]), json!([read, sign])));
    let on = |path: &str, permissions: &[&str]| {
        let body = json!({ "permissions": permissions });
        rig.bears(&server, "POST", &format!("{path}:testIamPermissions"), &body).1
    };
    assert_eq!((on(TOPIC, &["pubsub.topics.get"]), on(PROJECT, &["storage.buckets.list"])), ("{}".into(), "{}".into()));
    rig.grant(TOPIC, "roles/pubsub.viewer", SERVER);
    assert!(on(TOPIC, &["pubsub.topics.get", "pubsub.topics.delete"]).contains("[\"pubsub.topics.get\"]"));
    let asked = "/storage/v1/b/acme-files/iam/testPermissions?permissions=storage.objects.get";
    assert!(!rig.bears(&server, "GET", asked, &json!(null)).1.contains("storage.objects.get"));
}

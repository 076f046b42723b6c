//! Projects and their service accounts.

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{Rig, SERVER};

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

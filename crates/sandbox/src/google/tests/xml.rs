//! What browsers ask: signed URLs and preflights.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::Request;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{POLICY, Rig, SERVER};
use crate::google::project;

/// The query of a signed URL for a method and a path, by this account and good for this long.
fn signed(rig: &Rig, signer: &str, method: &str, path: &str, expires_s: u64) -> String {
    let date = crate::clock::date(rig.google.world.clock.signing_ms());
    let day = format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
    let time = format!("{day}T{:02}{:02}{:02}Z", date.hour(), date.minute(), date.second());
    let encoded = signer.replace('@', "%40");
    let query = format!(
        "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={encoded}%2F{day}%2Fauto%2Fstorage%2Fgoog4_request\
         &X-Goog-Date={time}&X-Goog-Expires={expires_s}&X-Goog-SignedHeaders=host"
    );
    let request = format!("{method}\n{path}\n{query}\nhost:127.0.0.1\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = HEXLOWER.encode(&Sha256::digest(request.as_bytes()));
    let text = format!("GOOG4-RSA-SHA256\n{time}\n{day}/auto/storage/goog4_request\n{digest}");
    let signature = rig.google.world.store.transaction(|state| project::signature(state, signer, text.as_bytes()));
    format!("{query}&X-Goog-Signature={}", HEXLOWER.encode(&signature.unwrap().unwrap_or_else(|| vec![0; 256])))
}

/// Status and code of the answer to a request.
fn send(rig: &Rig, method: &str, target: &str) -> (u16, String) {
    let answer = rig.raw(Request::builder().method(method).uri(target).body(Bytes::from("x")).unwrap());
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    let code = body.split_once("<Code>").map_or(body.as_str(), |(_, rest)| rest.split('<').next().unwrap());
    (answer.status().as_u16(), code.to_owned())
}

fn grant(rig: &Rig) {
    let members = [format!("serviceAccount:{SERVER}")];
    let policy = rig.policy_with(json!({ "role": "roles/storage.objectAdmin", "members": members }));
    rig.ok("PUT", POLICY, &policy);
}

const PATH: &str = "/acme-files/a/b%20%2B";

#[test]
fn signed_url_is_good_for_its_time_and_by_its_signer_s_roles() {
    let rig = Rig::furnished();
    let url = |method: &str, expires_s: u64| format!("{PATH}?{}", signed(&rig, SERVER, method, PATH, expires_s));
    let (put, get) = (url("PUT", 60), url("GET", 60));
    assert_eq!(send(&rig, "PUT", &put), (403, "AccessDenied".to_owned()), "the account has no role yet");
    grant(&rig);
    assert_eq!(send(&rig, "PUT", &put), (200, String::new()));
    assert_eq!(send(&rig, "GET", &get), (200, "x".to_owned()));
    assert_eq!(send(&rig, "GET", PATH).0, 403, "nobody signed it");
    assert_eq!(send(&rig, "GET", &url("GET", 7 * 86_400 + 1)).0, 400);
    rig.google.world.clock.advance(Duration::from_secs(61));
    assert_eq!(send(&rig, "GET", &get), (400, "ExpiredToken".to_owned()));
}

#[test]
fn signed_url_that_was_signed_otherwise_is_refused() {
    let rig = Rig::furnished();
    grant(&rig);
    let query = signed(&rig, SERVER, "PUT", PATH, 60);
    assert_eq!(send(&rig, "PUT", &format!("{PATH}?{query}")).0, 200);
    let nobodys = signed(&rig, "no@acme-ml.iam.gserviceaccount.com", "PUT", PATH, 60);
    for (method, path, query) in [
        ("GET", PATH, query.clone()),
        ("PUT", "/acme-files/other", query.clone()),
        ("PUT", PATH, query.replace("Expires=60", "Expires=61")),
        ("PUT", PATH, format!("{query}&x-goog-other=1")),
        ("PUT", PATH, query.replace("Signature=", "Signature=00")),
        ("PUT", PATH, nobodys),
    ] {
        let (status, code) = send(&rig, method, &format!("{path}?{query}"));
        assert_eq!((status, code.as_str()), (403, "SignatureDoesNotMatch"), "{method} {path}?{query}");
    }
    let request = Request::put(format!("{PATH}?{query}")).header("x-goog-meta-a", "b").body(Bytes::new()).unwrap();
    assert_eq!(rig.raw(request).status(), 403, "a header of the service's own was not signed");
}

#[test]
fn bucket_that_is_not_there_is_told_from_an_object_that_is_not() {
    let rig = Rig::furnished();
    for method in ["OPTIONS", "GET", "PUT"] {
        assert_eq!(send(&rig, method, "/acme-none/a"), (404, "NoSuchBucket".to_owned()), "{method}");
    }
    grant(&rig);
    let url = format!("{PATH}?{}", signed(&rig, SERVER, "GET", PATH, 60));
    assert_eq!(send(&rig, "GET", &url), (404, "NoSuchKey".to_owned()));
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
    // The first rule for the origin and the method decides, whatever others allow.
    let rule = |headers: &[&str]| json!({ "origin": ["*"], "method": ["GET"], "responseHeader": headers });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "cors": [rule(&["ETag"]), rule(&["*"])] }));
    assert_eq!(preflight("https://a.example", "GET", "x-other"), None);
    rig.ok("PATCH", "/storage/v1/b/acme-files", &rules);
    // The answer to a real request can be read, a refusal too.
    let request = Request::get("/acme-files/a").header("origin", "https://a.example").body(Bytes::new()).unwrap();
    let answer = rig.raw(request);
    assert_eq!(answer.headers()["access-control-expose-headers"], "ETag, x-goog-meta-*");
}

//! What browsers ask: signed URLs and preflights.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{POLICY, Rig, SERVER};

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
    let members = [format!("serviceAccount:{SERVER}")];
    let policy = rig.policy_with(json!({ "role": "roles/storage.objectAdmin", "members": members }));
    rig.ok("PUT", POLICY, &policy);
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

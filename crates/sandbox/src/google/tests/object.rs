//! Objects: uploads in parts, and lists.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::Rig;

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

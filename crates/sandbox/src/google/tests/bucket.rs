//! Buckets, as the JSON API has them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{BUCKET, BUCKETS, Rig, designed, seed_taken};

#[test]
fn bucket_is_shown_as_it_was_made() {
    let rig = Rig::new();
    let made = rig.ok("POST", BUCKETS, &designed());
    assert_eq!((&made["location"], &made["metageneration"]), (&json!("EU"), &json!("1")));
    assert_eq!(made, rig.bucket());
    assert!(made["projectNumber"].as_str().unwrap().parse::<u64>().is_ok());
    let designed = designed();
    for field in ["name", "labels", "cors", "encryption", "versioning", "billing", "ipFilter"] {
        assert_eq!(made[field], designed[field], "{field}");
    }
    assert_eq!(made["softDeletePolicy"]["retentionDurationSeconds"], "691200");
    assert_eq!(made["iamConfiguration"]["publicAccessPrevention"], "enforced");
    assert_eq!(made["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"], true);
}

#[test]
fn bucket_name_that_is_taken_has_two_texts() {
    let rig = Rig::furnished();
    let again = |project: &str, name: &str| {
        let (status, answer) = rig.call("POST", &format!("/storage/v1/b?project={project}"), &json!({ "name": name }));
        assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (409, &json!("conflict")));
        answer["error"]["message"].as_str().unwrap().to_owned()
    };
    for project in ["acme-ml", "other-team"] {
        assert!(again(project, "acme-files").contains("you already own it"));
    }
    seed_taken(&rig.google.world, "somebodys").unwrap();
    assert!(again("acme-ml", "somebodys").contains("is not available"));
    let (status, message) = rig.refused("GET", "/storage/v1/b/somebodys", &json!(null));
    assert!(status == 403 && message.contains("storage.buckets.get"), "{status} {message}");
}

#[test]
fn bucket_that_breaks_a_rule_is_not_made() {
    let rig = Rig::new();
    let soft_delete =
        |days: u64| json!({ "softDeletePolicy": { "retentionDurationSeconds": (days * 86_400).to_string() } });
    let refused = |name: &str, settings: Value| {
        let mut bucket = settings;
        bucket["name"] = json!(name);
        rig.refused("POST", BUCKETS, &bucket)
    };
    for (name, settings) in [
        ("Acme", json!({})),
        ("acme-files", soft_delete(6)),
        ("acme-files", soft_delete(91)),
        ("acme-files", json!({ "labels": { "Team": "" } })),
        ("acme-files", json!({ "location": "moon" })),
        ("acme-files", json!({ "storageClass": "FAST" })),
        ("acme-files", json!({ "encryption": { "defaultKmsKeyName": "k" } })),
        ("acme-files", json!({ "ipFilter": { "mode": "On" } })),
    ] {
        assert_eq!(refused(name, settings.clone()).0, 400, "{name} {settings}");
    }
    assert_eq!(refused("acme-files", soft_delete(0)).0, 200);
    let lifecycle = refused("acme-more", json!({ "lifecycle": { "rule": [{}] } }));
    assert!(lifecycle.0 == 501 && lifecycle.1.contains("lifecycle"), "{lifecycle:?}");
    let unknown = refused("acme-more", json!({ "colour": "red" }));
    assert!(unknown.0 == 400 && unknown.1.contains("colour"), "{unknown:?}");
    let parameter = rig.refused("GET", "/storage/v1/b/acme-files?colour=red", &json!(null));
    assert!(parameter.0 == 400 && parameter.1.contains("colour"), "{parameter:?}");
    let project = rig.refused("POST", "/storage/v1/b?project=unknown", &json!({ "name": "acme-more" }));
    assert!(project.0 == 400 && project.1.contains("Unknown project id"), "{project:?}");
}

#[test]
fn patch_changes_what_it_names_and_nothing_else() {
    let rig = Rig::new();
    let made = rig.ok("POST", BUCKETS, &designed());
    let fields = [
        ("cors", json!([]), Value::Null),
        ("encryption", json!({ "defaultKmsKeyName": null }), Value::Null),
        ("versioning", json!({ "enabled": false }), json!({ "enabled": false })),
        ("billing", json!({ "requesterPays": false }), Value::Null),
        ("storageClass", json!("NEARLINE"), json!("NEARLINE")),
    ];
    for (number, (field, value, shown)) in fields.iter().enumerate() {
        let before = rig.bucket();
        let patched = rig.ok("PATCH", BUCKET, &json!({ *field: value }));
        assert_eq!(patched[*field], *shown, "{field}");
        assert_eq!(patched["metageneration"], (number + 2).to_string());
        let others = made.as_object().unwrap().keys();
        for other in
            others.filter(|other| other != field && !["metageneration", "etag", "updated"].contains(&other.as_str()))
        {
            assert_eq!(patched[other], before[other], "{field}: {other}");
        }
    }
    // A part that is left out stays too.
    for part in ["versioning", "softDeletePolicy", "encryption", "iamConfiguration", "ipFilter", "billing"] {
        let before = rig.bucket();
        let patched = rig.ok("PATCH", BUCKET, &json!({ part: {} }));
        assert_eq!(patched[part], before[part], "{part}");
    }
    let patched = rig.ok("PATCH", BUCKET, &json!({ "ipFilter": { "mode": "Disabled" } }));
    assert_eq!(patched["ipFilter"]["publicNetworkSource"], made["ipFilter"]["publicNetworkSource"]);
    let patched = rig.ok("PATCH", BUCKET, &json!({ "iamConfiguration": { "publicAccessPrevention": "inherited" } }));
    assert_eq!(patched["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"], true);
    assert_eq!(rig.refused("PATCH", BUCKET, &json!({ "website": { "mainPageSuffix": "x" } })).0, 501);
    assert_eq!(rig.refused("PATCH", BUCKET, &json!({ "location": "US" })).0, 400);
}

#[test]
fn patch_merges_labels_and_removes_what_is_null() {
    let rig = Rig::furnished();
    rig.ok(
        "PATCH",
        "/storage/v1/b/acme-files",
        &json!({ "labels": { "a": "1", "b": "2" }, "cors": [{ "origin": ["*"] }] }),
    );
    let patched =
        rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "labels": { "a": null, "c": "3" }, "cors": null }));
    assert_eq!((&patched["labels"], patched.get("cors")), (&json!({ "b": "2", "c": "3" }), None));
    assert_eq!(patched["metageneration"], "3");
}

#[test]
fn stale_metageneration_is_refused() {
    let rig = Rig::furnished();
    for method in ["PATCH", "DELETE"] {
        let stale = rig.call(method, &format!("{BUCKET}?ifMetagenerationMatch=2"), &json!({}));
        assert_eq!((stale.0, &stale.1["error"]["errors"][0]["reason"]), (412, &json!("conditionNotMet")), "{method}");
    }
    assert_eq!(rig.bucket()["metageneration"], "1");
}

#[test]
fn bucket_that_is_not_empty_is_not_deleted() {
    let rig = Rig::furnished();
    rig.ok("PATCH", "/storage/v1/b/acme-files", &json!({ "versioning": { "enabled": true } }));
    rig.upload("a", "1");
    rig.ok("DELETE", "/storage/v1/b/acme-files/o/a", &json!(null));
    // Its noncurrent version is still there.
    let (status, message) = rig.refused("DELETE", "/storage/v1/b/acme-files", &json!(null));
    assert!(status == 409 && message.contains("not empty"), "{status} {message}");
    let listed = rig.ok("GET", &format!("{BUCKET}/o?versions=true"), &json!(null));
    for object in listed["items"].as_array().unwrap() {
        let generation = object["generation"].as_str().unwrap();
        rig.ok("DELETE", &format!("{BUCKET}/o/a?generation={generation}"), &json!(null));
    }
    rig.ok("DELETE", "/storage/v1/b/acme-files", &json!(null));
    let (status, answer) = rig.call("DELETE", BUCKET, &json!(null));
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
}

#[test]
fn uniform_access_is_final_after_ninety_days() {
    let rig = Rig::new();
    rig.ok("POST", BUCKETS, &designed());
    let off = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": false } } });
    let on = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": true } } });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &off);
    rig.ok("PATCH", "/storage/v1/b/acme-files", &on);
    rig.google.world.clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(rig.refused("PATCH", "/storage/v1/b/acme-files", &off).0, 412);
}

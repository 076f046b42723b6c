//! Buckets, over gRPC and JSON.

use std::time::Duration;

use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use prost_types::{Duration as Seconds, FieldMask};
use serde_json::json;

use super::{Rig, creating, designed, labels, name, seed_taken};

fn update(mask: &[&str], bucket: api::Bucket) -> api::UpdateBucketRequest {
    api::UpdateBucketRequest {
        bucket: Some(api::Bucket { name: name("acme-files"), ..bucket }),
        update_mask: Some(FieldMask { paths: mask.iter().map(|path| (*path).to_owned()).collect() }),
        ..Default::default()
    }
}

#[test]
fn bucket_made_over_grpc_is_the_same_over_json() {
    let rig = Rig::new();
    let made: api::Bucket = rig.grpc("CreateBucket", &creating("acme-files", designed())).unwrap();
    assert_eq!((made.location.as_str(), made.metageneration), ("EU", 1));
    assert_eq!(made, rig.bucket());
    assert!(made.project.strip_prefix("projects/").unwrap().parse::<u64>().is_ok());
    let json = rig.ok("GET", "/storage/v1/b/acme-files", &json!(null));
    assert_eq!(json["labels"], json!({ "provision-deployment": "wandb", "team": "ml" }));
    assert_eq!(json["cors"][0]["maxAgeSeconds"], 3000);
    assert_eq!(json["softDeletePolicy"]["retentionDurationSeconds"], "691200");
    assert_eq!(json["iamConfiguration"]["publicAccessPrevention"], "enforced");
    assert_eq!(json["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"], true);
    assert_eq!(json["projectNumber"], made.project["projects/".len()..]);
}

#[test]
fn bucket_name_that_is_taken_has_two_texts() {
    let rig = Rig::furnished();
    let again = creating("acme-files", api::Bucket::default());
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &again).unwrap_err();
    assert!(code == 6 && message.contains("you already own it"), "{code} {message}");
    let other = rig.refused("POST", "/storage/v1/b?project=other-team", &json!({ "name": "acme-files" }));
    assert!(other.0 == 409 && other.1.contains("you already own it"), "{other:?}");
    seed_taken(&rig.google.world, "somebodys").unwrap();
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &creating("somebodys", designed())).unwrap_err();
    assert!(code == 6 && message.contains("is not available"), "{code} {message}");
    let (status, message) = rig.refused("GET", "/storage/v1/b/somebodys", &json!(null));
    assert!(status == 403 && message.contains("storage.buckets.get"), "{status} {message}");
}

#[test]
fn bucket_that_breaks_a_rule_is_not_made() {
    let rig = Rig::new();
    let soft_delete = |days: i64| api::Bucket {
        soft_delete_policy: Some(api::bucket::SoftDeletePolicy {
            retention_duration: Some(Seconds { seconds: days * 86_400, nanos: 0 }),
            effective_time: None,
        }),
        ..Default::default()
    };
    let wrong = [
        ("Acme", api::Bucket::default()),
        ("acme-files", soft_delete(6)),
        ("acme-files", soft_delete(91)),
        ("acme-files", api::Bucket { labels: labels(&[("Team", "")]), ..Default::default() }),
        ("acme-files", api::Bucket { location: "moon".to_owned(), ..Default::default() }),
        ("acme-files", api::Bucket { storage_class: "FAST".to_owned(), ..Default::default() }),
    ];
    for (name, bucket) in wrong {
        let refused = rig.grpc::<api::Bucket>("CreateBucket", &creating(name, bucket.clone()));
        assert_eq!(refused.unwrap_err().0, 3, "{name} {bucket:?}");
    }
    assert!(rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", soft_delete(0))).is_ok());
    let lifecycle = api::Bucket { lifecycle: Some(api::bucket::Lifecycle::default()), ..Default::default() };
    let (code, message) = rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-more", lifecycle)).unwrap_err();
    assert!(code == 12 && message.contains("lifecycle"), "{code} {message}");
    let unknown =
        rig.refused("POST", "/storage/v1/b?project=acme-ml", &json!({ "name": "acme-more", "colour": "red" }));
    assert!(unknown.0 == 400 && unknown.1.contains("colour"), "{unknown:?}");
    let parameter = rig.refused("GET", "/storage/v1/b/acme-files?colour=red", &json!(null));
    assert!(parameter.0 == 400 && parameter.1.contains("colour"), "{parameter:?}");
    let project = rig.refused("POST", "/storage/v1/b?project=unknown", &json!({ "name": "acme-more" }));
    assert!(project.0 == 400 && project.1.contains("Unknown project id"), "{project:?}");
}

#[test]
fn update_changes_what_its_mask_names_and_nothing_else() {
    let rig = Rig::new();
    rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", designed())).unwrap();
    let mask = ["labels.team", "labels.extra"];
    let changes = api::Bucket { labels: labels(&[("extra", "1"), ("ignored", "1")]), ..Default::default() };
    let updated: api::Bucket = rig.grpc("UpdateBucket", &update(&mask, changes)).unwrap();
    assert_eq!(updated.labels, labels(&[("extra", "1"), ("provision-deployment", "wandb")]));
    assert_eq!((updated.cors.len(), updated.metageneration), (1, 2));
    let updated: api::Bucket = rig.grpc("UpdateBucket", &update(&["cors"], api::Bucket::default())).unwrap();
    assert!(updated.cors.is_empty() && updated.iam_config.unwrap().public_access_prevention == "enforced");
    let prevention = update(&["iam_config.public_access_prevention"], api::Bucket::default());
    let updated: api::Bucket = rig.grpc("UpdateBucket", &prevention).unwrap();
    let config = updated.iam_config.unwrap();
    assert_eq!(config.public_access_prevention, "inherited");
    assert!(config.uniform_bucket_level_access.unwrap().enabled);
    assert_eq!(rig.grpc::<api::Bucket>("UpdateBucket", &update(&[], api::Bucket::default())).unwrap_err().0, 3);
    assert_eq!(
        rig.grpc::<api::Bucket>("UpdateBucket", &update(&["website"], api::Bucket::default())).unwrap_err().0,
        12
    );
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
fn stale_metageneration_is_refused_over_both_protocols() {
    let rig = Rig::furnished();
    let stale = rig.call("PATCH", "/storage/v1/b/acme-files?ifMetagenerationMatch=2", &json!({}));
    assert_eq!((stale.0, &stale.1["error"]["errors"][0]["reason"]), (412, &json!("conditionNotMet")));
    let request =
        api::UpdateBucketRequest { if_metageneration_match: Some(2), ..update(&["cors"], api::Bucket::default()) };
    assert_eq!(rig.grpc::<api::Bucket>("UpdateBucket", &request).unwrap_err().0, 9);
    let delete =
        api::DeleteBucketRequest { name: name("acme-files"), if_metageneration_match: Some(2), ..Default::default() };
    assert_eq!(rig.grpc::<()>("DeleteBucket", &delete).unwrap_err().0, 9);
    assert_eq!(rig.bucket().metageneration, 1);
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
    let request = api::ListObjectsRequest { parent: name("acme-files"), versions: true, ..Default::default() };
    let listed: api::ListObjectsResponse = rig.grpc("ListObjects", &request).unwrap();
    for object in listed.objects {
        let request = api::DeleteObjectRequest {
            bucket: name("acme-files"),
            object: object.name,
            generation: object.generation,
            ..Default::default()
        };
        rig.grpc::<()>("DeleteObject", &request).unwrap();
    }
    rig.ok("DELETE", "/storage/v1/b/acme-files", &json!(null));
    let (code, _) = rig
        .grpc::<()>("DeleteBucket", &api::DeleteBucketRequest { name: name("acme-files"), ..Default::default() })
        .unwrap_err();
    assert_eq!(code, 5);
}

#[test]
fn uniform_access_is_final_after_ninety_days() {
    let rig = Rig::new();
    rig.grpc::<api::Bucket>("CreateBucket", &creating("acme-files", designed())).unwrap();
    let off = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": false } } });
    let on = json!({ "iamConfiguration": { "uniformBucketLevelAccess": { "enabled": true } } });
    rig.ok("PATCH", "/storage/v1/b/acme-files", &off);
    rig.ok("PATCH", "/storage/v1/b/acme-files", &on);
    rig.google.world.clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(rig.refused("PATCH", "/storage/v1/b/acme-files", &off).0, 412);
}

//! What Terraform would take out of what others have, as the import says it.

use super::imports;
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

/// What others have is named at the very resource that would take it out, and nowhere else.
fn imports_name_what_others_have(cloud: &CloudFixture, resources: &[&str]) {
    let stage = cloud.applied();
    cloud.edit(&stage, cloud.foreign.put);
    cloud.succeed(&stage, &["apply", "--yes"]);
    let text = imports(cloud, &stage);
    for resource in resources {
        let before = text.split(&format!("resource {resource} {{")).next().unwrap();
        let comment = before.rsplit("\n}\n").next().unwrap();
        assert!(comment.contains("# Others have a part in it") && comment.contains("their"), "{resource}: {text}");
    }
    assert_eq!(text.matches("# Others have").count(), resources.len(), "{text}");
}

#[test]
fn imports_of_aws_name_what_others_have() {
    let resources = [
        "\"aws_s3_bucket_cors_configuration\" \"files\"",
        "\"aws_s3_bucket_policy\" \"files\"",
        "\"aws_s3_bucket_notification\" \"files\"",
        "\"aws_sqs_queue_policy\" \"events\"",
    ];
    imports_name_what_others_have(&AWS, &resources);
}

#[test]
fn imports_of_gcp_name_what_others_have() {
    imports_name_what_others_have(&GCP, &["\"google_storage_bucket\" \"files\""]);
}

#[test]
fn imports_of_azure_name_what_others_have() {
    imports_name_what_others_have(&AZURE, &["\"azurerm_storage_account\" \"wandb\""]);
}

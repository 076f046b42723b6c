//! Cases that run on the sandbox alone; the list in `aws.rs` has the reason of each.

use provision_sandbox::fault::{Nth, What, When};
use provision_tests::answers::{head, query, s3, s3_with};
use provision_tests::run::signal;
use provision_tests::stage::Stage;

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{Place, fault, wrote_nothing};
use crate::contract::faults::wait_for_start;

pub(super) fn bucket_of_another_deployment_that_was_there_after_all_is_not_taken(aws: &Place) {
    let mark = "{'provision-deployment': 'theirs', 'provision-origin': 'created', 'provision-spec': 'v1-0-unfinished'}";
    is_not_taken(aws, mark);
}

pub(super) fn bucket_of_others_that_was_there_after_all_is_not_taken(aws: &Place) {
    is_not_taken(aws, "{'team': 'theirs'}");
}

/// In us-east-1, and on endpoints that others wrote, `CreateBucket` succeeds for a bucket that is there: one with these tags
/// appears right before the call.
fn is_not_taken(aws: &Place, tags: &str) {
    let stage = aws.planned();
    let make = format!(
        "east = boto3.client('s3', region_name='us-east-1', endpoint_url=s3.meta.endpoint_url, aws_access_key_id='{{a}}', aws_secret_access_key='hunter2-secret')
east.create_bucket(Bucket=b)
s3.put_bucket_tagging(Bucket=b, Tagging={{'TagSet': [{{'Key': key, 'Value': value}} for key, value in {tags}.items()]}})"
    );
    stage.hook("s3:CreateBucket", 1, When::Before, move |hand| boto(hand, &make));
    aws.change(&stage, &[("eu-west-1", "us-east-1")]);
    let ran = aws.run(&stage, &["apply", "--yes"]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let left = "print(tags(), rules(), statements(), notifications(), asked(lambda: s3.get_public_access_block(Bucket=b), 'x', None))";
    assert_eq!(python(&stage.hand(), left), format!("{tags} [] [] {{}} None"));
}

pub(super) fn saved_change_set_of_another_account_or_plan_file_is_refused(aws: &Place) {
    let stage = aws.planned();
    aws.succeed(&stage, &["plan", "--out", "set.json"]);
    let other = stage.run_with(&["aws", "apply", "set.json"], |command| {
        command.env("AWS_ACCESS_KEY_ID", "999999999999");
    });
    assert!(other.code == 3 && other.stderr.contains("999999999999"), "{}", other.stderr);
    aws.change(&stage, &[("wandb.example.com", "other.example.com")]);
    assert!(aws.ends(&stage, 3, &["apply", "set.json"]).contains("says something else now"));
}

pub(super) fn bucket_of_another_account_is_said_to_be_so(aws: &Place) {
    let stage = aws.planned();
    fault(&stage, "s3:HeadBucket", Nth::Every, head(403, &[]));
    for operation in
        ["Tagging", "Versioning", "Cors", "Policy", "Encryption", "OwnershipControls", "NotificationConfiguration"]
    {
        fault(&stage, &format!("s3:GetBucket{operation}"), Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    }
    fault(&stage, "s3:GetPublicAccessBlock", Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    let plan = aws.run(&stage, &["plan"]);
    assert!(plan.stderr.contains("belongs to somebody else"), "{}", plan.stderr);
}

pub(super) fn wrong_region_names_the_right_one(aws: &Place) {
    let region = [("x-amz-bucket-region", "us-west-2")];
    let message = "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-west-2'";
    for (status, code) in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")] {
        let stage = aws.planned();
        fault(&stage, "s3:HeadBucket", Nth::Every, head(status, &region));
        fault(&stage, "s3:GetBucketTagging", Nth::Every, s3_with(status, code, message, &region));
        assert!(aws.ends(&stage, 1, &["plan"]).contains("region = \"us-west-2\""));
    }
}

/// Variables that are taken away, those that are set, and what is said.
type Credentials = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

pub(super) fn credentials_that_do_not_serve_are_told_with_a_hint(aws: &Place) {
    const TOKEN: [(&str, &str); 2] =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nope"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/a")];
    let stage = aws.planned();
    let cases: [Credentials; 2] =
        [(&[], &[("AWS_PROFILE", "nope")], "profile `nope`"), (&["AWS_ACCESS_KEY_ID"], &TOKEN, "`/nope`")];
    for (without, with, text) in cases {
        is_told(&stage, without, with, text);
    }
    // A metadata server that accepts and never answers.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", server.local_addr().unwrap());
    let with = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str())];
    is_told(&stage, &["AWS_ACCESS_KEY_ID"], &with, "find AWS credentials");
    assert!(stage.faults().records().is_empty());
    let expired = query(403, "ExpiredToken", "The security token included in the request is expired");
    fault(&stage, "sts:GetCallerIdentity", Nth::Every, expired);
    assert!(aws.ends(&stage, 4, &["plan"]).contains("expired"));
}

fn is_told(stage: &Stage, without: &[&str], with: &[(&str, &str)], text: &str) {
    let ran = stage.run_with(&["aws", "plan"], |command| {
        for name in without {
            command.env_remove(name);
        }
        command.envs(with.iter().copied());
    });
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains(text) && ran.stderr.contains("hint"), "{}", ran.stderr);
}

pub(super) fn wrong_account_and_missing_region_stop_before_anything_is_compared(aws: &Place) {
    let stage = aws.planned();
    aws.change(&stage, &[("[aws]\n", "[aws]\naccount = \"000000000001\"\n")]);
    let ran = aws.ends(&stage, 4, &["plan"]);
    assert!(ran.contains("000000000001") && ran.contains("{a}"), "{ran}");
    aws.change(&stage, &[("region = \"eu-west-1\"", "")]);
    assert!(aws.ends(&stage, 4, &["plan"]).contains("AWS_REGION"));
}

pub(super) fn role_that_is_missing_or_anothers_is_refused_at_plan(aws: &Place) {
    let stage = aws.planned();
    aws.change(&stage, &[("\"node\"", "\"missing\"")]);
    assert!(aws.ends(&stage, 6, &["plan"]).contains("role `missing` does not exist"));
    aws.change(&stage, &[("\"node\"", "\"arn:aws:iam::999999999999:role/node\"")]);
    assert!(aws.ends(&stage, 6, &["plan"]).contains("of account 999999999999"));
    wrote_nothing(&stage);
}

pub(super) fn tags_refused_by_attribute_based_access_control_take_the_other_route(aws: &Place) {
    let stage = aws.applied();
    aws.change(&stage, &[("[aws.queue]", "versioning = true\n[aws.queue]")]);
    fault(&stage, "s3:PutBucketTagging", Nth::Every, s3(400, "InvalidRequest", "Use TagResource on this bucket"));
    let enabled = "<AbacStatus><Status>Enabled</Status></AbacStatus>".to_owned();
    fault(&stage, "s3:GetBucketAbac", Nth::Every, What::Answer { status: 200, headers: Vec::new(), body: enabled });
    aws.succeed(&stage, &["apply", "--yes"]);
    let records = stage.faults().records();
    let asked = records.iter().find(|record| record.operation == "s3:GetBucketAbac").unwrap();
    assert_eq!(stage.emptied(&asked.headers["x-amz-expected-bucket-owner"]), "{a}");
    let tagged = records.iter().find(|record| record.operation == "s3:TagResource").unwrap();
    assert_eq!(stage.emptied(&tagged.headers["x-amz-account-id"]), "{a}");
    assert!(tagged.headers["host"].starts_with("127.0.0.1"), "{:?}", tagged.headers);
    assert!(String::from_utf8_lossy(&tagged.body).contains("provision-spec"));
    stage.faults().clear();
    aws.is_in_sync(&stage);
}

pub(super) fn fault_that_never_passes_ends_within_its_budget_and_names_the_call(aws: &Place) {
    let stage = aws.planned();
    fault(&stage, "s3:PutBucketCors", Nth::Every, What::Drop);
    let ran = aws.ends(&stage, 5, &["apply", "--yes"]);
    assert!(ran.contains("s3:PutBucketCors: 4 attempts") && ran.contains("provision.toml:"), "{ran}");
    assert_eq!(stage.faults().count("s3:PutBucketCors"), 4);
    stage.faults().clear();
    aws.apply(&stage);
    aws.is_in_sync(&stage);
}

pub(super) fn answer_that_comes_too_late_fails_its_call_and_the_rerun_finishes(aws: &Place) {
    let stage = aws.planned();
    // Past the client's limit for one request: the call has its effect, and nobody hears of it.
    fault(&stage, "s3:PutBucketCors", Nth::Number(1), What::Delay(std::time::Duration::from_secs(60)));
    // Four seconds instead of twenty.
    let ran = stage.run_with(&["aws", "apply", "--yes"], |command| {
        command.env("PROVISION_TEST_LIMITS", "5");
    });
    assert!(ran.code == 5 && ran.stderr.contains("no answer in time"), "{}{}", ran.stdout, ran.stderr);
    stage.faults().clear();
    aws.apply(&stage);
    aws.is_in_sync(&stage);
}

pub(super) fn interrupted_emptying_begins_no_new_batch_and_the_rerun_finishes(aws: &Place) {
    let stage = aws.applied();
    boto(
        &stage.hand(),
        "version()
for n in range(3): s3.delete_objects(Bucket=b, Delete={'Objects': [{'Key': f'k{n}{i:03}'} for i in range(1000)]})",
    );
    stage.faults().set_latency(std::time::Duration::from_millis(400));
    stage.faults().clear();
    let child = aws.spawn(&stage, &["destroy", "--yes", "--delete-data", aws.bucket]);
    wait_for_start(&stage, "s3:DeleteObjects");
    signal(&child, "INT");
    let ran = stage.finished(child);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("stop empty bucket") && ran.stderr.contains("again: it goes on"), "{}", ran.stderr);
    stage.faults().set_latency(std::time::Duration::ZERO);
    let left = "print(len(s3.list_object_versions(Bucket=b)['DeleteMarkers']) > 0)";
    assert_eq!(python(&stage.hand(), left), "True", "it stopped half way");
    aws.succeed(&stage, &["destroy", "--yes", "--delete-data", aws.bucket]);
    assert_eq!((aws.ours)(&stage.hand()), Vec::<String>::new());
}

pub(super) fn no_queue_at_all_gives_the_internal_queue(aws: &Place) {
    let stage = aws.planned();
    let without = [("name = \"acme-{s}-events\"", "enabled = false"), ("[aws.access]\nrole = \"node\"", "")];
    aws.change(&stage, &without);
    aws.apply(&stage);
    assert_eq!(aws.succeed(&stage, &["output", "BUCKET_QUEUE"]), "internal://\n");
    assert_eq!(python(&stage.hand(), "print(notifications().get('QueueConfigurations', []))"), "[]");
    aws.is_in_sync(&stage);
}

pub(super) fn queues_open_to_everybody_and_full_grants_are_warned_about_each_time(aws: &Place) {
    let stage = aws.planned();
    aws.change(
        &stage,
        &[
            ("[aws.run_queue]", "senders = \"anyone\"\n[aws.run_queue]"),
            ("role = \"node\"", "role = \"node\"\ngrant = \"all\""),
        ],
    );
    aws.ends(&stage, 0, &["plan"]);
    aws.apply(&stage);
    for command in [&["plan"][..], &["drift"], &["verify", "--read-only"]] {
        let ran = aws.run(&stage, command);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("open to everybody") && told.contains("senders = \"anyone\""), "{command:?}: {told}");
        assert!(told.contains("grant = \"all\""), "{command:?}: {told}");
    }
}

pub(super) fn key_of_the_bucket_is_told_to_the_server(aws: &Place) {
    const KEY: &str = "arn:aws:kms:eu-west-1:{a}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let stage = aws.planned();
    let encryption = format!("encryption = {{ kms_key = \"{KEY}\" }}\n[aws.queue]");
    aws.change(&stage, &[("[aws.queue]", &encryption)]);
    aws.apply(&stage);
    assert_eq!(aws.succeed(&stage, &["output", "AWS_S3_KMS_ID"]), format!("{KEY}\n"));
    let found = "print(s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration']['Rules'][0]['ApplyServerSideEncryptionByDefault']['KMSMasterKeyID'])";
    assert_eq!(python(&stage.hand(), found), KEY);
    aws.is_in_sync(&stage);
}

//! What AWS alone has: what its client reads back, owners, regions, kinds of credentials, roles, notifications to topics and
//! functions, attribute-based access control, large buckets.

mod alone;
mod answers;
mod byob;
mod credentials;
mod late;
mod others;
mod rights;
mod verify;

use std::time::Duration;

use provision_sandbox::fault::{Nth, What};
use provision_tests::backend::Backend;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{AWS, Place, fault, wrote_nothing};
use crate::messages::screen;

aws_cases! {
    everywhere: [
        apply_makes_what_the_design_says_read_back_by_boto3,
        every_call_of_a_bucket_but_its_creation_names_the_owner,
        respelled_values_are_no_difference,
        another_role_is_pending_and_the_former_one_loses_its_policy,
        adopting_leaves_values_for_everybody_alone,
        tags_that_others_had_on_an_adopted_bucket_stay_and_are_told,
        overlapping_notification_is_refused_by_name,
        notification_without_an_id_that_overlaps_is_refused,
        content_is_counted_to_a_thousand_and_emptied_with_versions_and_uploads,
        rule_that_lost_our_name_is_drift_once_and_used_from_then_on,
    ],
    sandbox: [
        no_queue_at_all_gives_the_internal_queue = "Nothing is asked of a server.",
        queues_open_to_everybody_and_full_grants_are_warned_about_each_time = "The warnings are the binary's affair.",
        key_of_the_bucket_is_told_to_the_server = "What the server is told does not depend on who was asked.",
        bucket_of_another_deployment_that_was_there_after_all_is_not_taken = "MiniStack has no us-east-1 of its own.",
        bucket_of_others_that_was_there_after_all_is_not_taken = "MiniStack has no us-east-1 of its own.",
        saved_change_set_of_another_account_or_plan_file_is_refused = "Nothing is asked of a server but who asks.",
        bucket_of_another_account_is_said_to_be_so = "The fault layer answers in place of the service.",
        wrong_region_names_the_right_one = "The fault layer answers in place of the service.",
        credentials_that_do_not_serve_are_told_with_a_hint = "Nothing is sent.",
        wrong_account_and_missing_region_stop_before_anything_is_compared = "Nothing is compared.",
        role_that_is_missing_or_anothers_is_refused_at_plan = "MiniStack has roles like the sandbox's.",
        tags_refused_by_attribute_based_access_control_take_the_other_route = "The fault layer answers: no server has it all.",
        fault_that_never_passes_ends_within_its_budget_and_names_the_call = "The fault layer answers in place of the service.",
        answer_that_comes_too_late_fails_its_call_and_the_rerun_finishes = "The fault layer keeps the answer back.",
        interrupted_emptying_begins_no_new_batch_and_the_rerun_finishes = "The signal is the binary's affair.",
    ],
}

fn apply_makes_what_the_design_says_read_back_by_boto3(aws: &Place) {
    let stage = aws.applied();
    let text = python(
        &stage.hand(),
        "print(json.dumps({
  'block': s3.get_public_access_block(Bucket=b)['PublicAccessBlockConfiguration'],
  'ownership': s3.get_bucket_ownership_controls(Bucket=b)['OwnershipControls']['Rules'],
  'sse': s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration']['Rules'][0]['ApplyServerSideEncryptionByDefault'],
  'policy': json.loads(s3.get_bucket_policy(Bucket=b)['Policy']), 'cors': rules(), 'tags': tags(),
  'queue': sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['All'])['Attributes'],
  'notification': notifications()['QueueConfigurations'],
  'role': iam.get_role_policy(RoleName='node', PolicyName=granted('node')[0])['PolicyDocument'],
}))",
    );
    let seen: Value = serde_json::from_str(&text).unwrap();
    let block = seen["block"].as_object().unwrap();
    assert!(block.len() == 4 && block.values().all(|flag| flag == true), "{block:?}");
    assert_eq!(seen["ownership"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    assert_eq!(seen["sse"]["SSEAlgorithm"], "AES256");
    assert_eq!(seen["policy"]["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"][0], "false");
    let cors = &seen["cors"][0];
    assert_eq!(cors["AllowedOrigins"], json!(["https://wandb.example.com"]));
    assert_eq!(cors["AllowedMethods"], json!(["GET", "HEAD", "PUT"]));
    assert_eq!((&cors["ExposeHeaders"][0], &cors["MaxAgeSeconds"]), (&"ETag".into(), &3000.into()));
    assert_eq!(seen["tags"]["provision-origin"], "created");
    // A value that is too long goes on under the same key with a number. Each part has a digest of its full name.
    let keys = ["provision-parts", "provision-parts-2", "provision-parts-3"];
    let parts: String = keys.iter().filter_map(|key| seen["tags"][key].as_str()).collect();
    let parts: Vec<_> = parts.split('-').filter_map(|part| Some(part.rsplit_once('_')?.0)).collect();
    assert_eq!(parts, ["access", "bucket", "notification", "queue", "run_queue"]);
    let queue = &seen["queue"];
    assert_eq!(
        (&queue["ReceiveMessageWaitTimeSeconds"], &queue["SqsManagedSseEnabled"]),
        (&"10".into(), &"true".into())
    );
    let policy: Value = serde_json::from_str(queue["Policy"].as_str().unwrap()).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"]["Service"][0], "s3.amazonaws.com");
    assert_eq!(statement["Condition"]["ArnEquals"]["aws:SourceArn"][0], "arn:aws:s3:::acme-{s}");
    assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"][0], "{a}");
    assert_eq!(seen["notification"][0]["Events"], json!(["s3:ObjectCreated:*"]));
    let role = seen["role"].to_string();
    assert!(role.contains("arn:aws:s3:::acme-{s}/*") && role.contains("s3:GetObject*") && !role.contains("s3:*"));
}

/// The calls of S3 that this binary has beside `CreateBucket` and those for attribute-based access control, each with the header
/// that guards it. One that does not come is not tried here, and one that is new is not on the list: both fail.
const OWNED: [&str; 26] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteBucket",
    "s3:DeleteBucketCors",
    "s3:DeleteBucketPolicy",
    "s3:DeleteBucketTagging",
    "s3:DeleteObject",
    "s3:DeleteObjects",
    "s3:GetBucketCors",
    "s3:GetBucketEncryption",
    "s3:GetBucketNotificationConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetPublicAccessBlock",
    "s3:HeadBucket",
    "s3:ListMultipartUploads",
    "s3:ListObjectVersions",
    "s3:PutBucketCors",
    "s3:PutBucketEncryption",
    "s3:PutBucketNotificationConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutPublicAccessBlock",
];

/// Apply, update, adopt, release, and the emptying of what was made: a bucket of somebody else with our name is never read and
/// never written, least of all emptied.
fn every_call_of_a_bucket_but_its_creation_names_the_owner(aws: &Place) {
    let mut seen = std::collections::BTreeSet::new();
    let mut look = |stage: &Stage| {
        for record in stage.faults().records().into_iter().filter(|record| record.operation.starts_with("s3:")) {
            let agent = record.headers.get("user-agent").map(String::as_str).unwrap_or_default();
            if agent.contains("Boto3") || record.operation == "s3:CreateBucket" {
                continue;
            }
            let owner = record.headers.get("x-amz-expected-bucket-owner").map(|owner| stage.emptied(owner));
            assert_eq!(owner.as_deref(), Some("{a}"), "{}", record.operation);
            seen.insert(record.operation);
        }
    };
    let stage = aws.planned();
    aws.succeed(&stage, &["apply", "--yes"]);
    aws.change(&stage, aws.plans.update);
    aws.succeed(&stage, &["apply", "--yes"]);
    (aws.fill)(&stage.hand());
    boto(
        &stage.hand(),
        "s3.delete_public_access_block(Bucket=b); s3.delete_bucket_ownership_controls(Bucket=b); encrypt('aws:kms')",
    );
    aws.succeed(&stage, &["apply", "--yes"]);
    // A key that no document can name is deleted by itself; MiniStack's lists cannot be read with one.
    let odd = aws.backend == Backend::Sandbox;
    if odd {
        boto(&stage.hand(), "s3.put_object(Bucket=b, Key='a\\x01b', Body=b'')");
    }
    aws.ends(&stage, 6, &["destroy", "--yes"]);
    aws.succeed(&stage, &["destroy", "--yes", "--delete-data", aws.bucket]);
    look(&stage);
    // With nothing of others beside ours, what is released is taken away whole.
    let stage = aws.planned();
    boto(&stage.hand(), "make(b); sqs.create_queue(QueueName=q)");
    aws.change(&stage, aws.plans.adopting);
    aws.succeed(&stage, &["apply", "--yes"]);
    aws.succeed(&stage, &["destroy", "--yes"]);
    look(&stage);
    let tried = |operation: &&&str| odd || **operation != "s3:DeleteObject";
    let expected: std::collections::BTreeSet<_> = OWNED.iter().filter(tried).map(ToString::to_string).collect();
    assert_eq!(seen, expected);
}

fn respelled_values_are_no_difference(aws: &Place) {
    let stage = aws.applied();
    boto(
        &stage.hand(),
        "r = rules(); r[0]['AllowedMethods'].reverse(); del r[0]['ID']; set_rules(r)
p = statements(); p[0]['Action'] = 's3:*'; p[0]['Principal'] = {'AWS': '*'}; p[0]['Resource'].reverse()
s3.put_bucket_policy(Bucket=b, Policy=document(p))",
    );
    aws.is_in_sync(&stage);
}

/// The marks name the role: the policy of one that the plan file no longer names is found again and taken out.
fn another_role_is_pending_and_the_former_one_loses_its_policy(aws: &Place) {
    let stage = aws.applied();
    aws.change(&stage, &[("role = \"node\"", "role = \"other\"")]);
    assert!(aws.ends(&stage, 0, &["drift"]).contains("not applied yet"));
    let plan = aws.run(&stage, &["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{}{}", plan.stdout, plan.stderr);
    screen("plan_with_another_role", &stage, &plan);
    aws.apply(&stage);
    aws.is_in_sync(&stage);
    let granted = || python(&stage.hand(), "print(len(granted('node')), len(granted('other')))");
    assert_eq!(granted(), "0 1");
    // Back again.
    aws.change(&stage, &[]);
    assert!(aws.ends(&stage, 0, &["drift"]).contains("not applied yet"));
    aws.apply(&stage);
    aws.is_in_sync(&stage);
    assert_eq!(granted(), "1 0");
    // Nor does a section that is gone leave a policy behind.
    aws.change(&stage, &[("[aws.access]\nrole = \"node\"\n", "")]);
    aws.apply(&stage);
    assert_eq!(granted(), "0 0");
}

/// What the plan file does not set on an adopted bucket and queue: versioning, encryption, access and their attributes.
fn adopting_leaves_values_for_everybody_alone(aws: &Place) {
    let values = "print(json.dumps([s3.get_bucket_versioning(Bucket=b)['Status'], s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration'],
  asked(lambda: s3.get_public_access_block(Bucket=b), 'PublicAccessBlockConfiguration', None), asked(lambda: s3.get_bucket_ownership_controls(Bucket=b), 'OwnershipControls', None),
  statements(), sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['ReceiveMessageWaitTimeSeconds', 'VisibilityTimeout'])['Attributes']]))";
    let stage = aws.planned();
    let hand = stage.hand();
    (aws.foreign.unmarked)(&hand);
    (aws.foreign.put)(&hand);
    let before = python(&hand, values);
    stage.write("provision.toml", &aws.plan_with(aws.plans.adopting).replace("private = true\n", ""));
    aws.apply(&stage);
    assert_eq!(python(&hand, values), before, "after adopting");
    aws.is_in_sync(&stage);
    aws.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(python(&hand, values), before, "after the release");
}

fn tags_that_others_had_on_an_adopted_bucket_stay_and_are_told(aws: &Place) {
    let stage = aws.planned();
    let hand = stage.hand();
    (aws.foreign.unmarked)(&hand);
    (aws.foreign.put)(&hand);
    aws.change(&stage, &[aws.plans.adopting, &[("[aws]\n", "tags = { team = \"ml\" }\n[aws]\n")]].concat());
    let team = |hand| python(hand, "print(tags()['team'], tags()['Name'])");
    let applied = aws.succeed(&stage, &["apply", "--yes"]);
    assert!(applied.contains("kept: tag `team` = \"theirs\", where the plan file has \"ml\""), "{applied}");
    assert_eq!(team(&hand), "theirs their bucket");
    aws.is_in_sync(&stage);
    aws.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(team(&hand), "theirs their bucket");
}

/// Two notifications of one event would be ambiguous, whatever they go to.
fn overlapping_notification_is_refused_by_name(aws: &Place) {
    let others = [
        ("QueueConfigurations", "QueueArn", "arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs", "s3:ObjectCreated:Put"),
        ("TopicConfigurations", "TopicArn", "arn:aws:sns:eu-west-1:{a}:theirs", "s3:ObjectCreated:*"),
        (
            "LambdaFunctionConfigurations",
            "LambdaFunctionArn",
            "arn:aws:lambda:eu-west-1:{a}:function:theirs",
            "s3:ObjectCreated:Copy",
        ),
    ];
    for (kind, key, arn, event) in others {
        let stage = aws.applied();
        boto(
            &stage.hand(),
            &format!(
                "make_topic('theirs'); notify({{'{kind}': [{{'Id': 'theirs', '{key}': '{arn}', 'Events': ['{event}']}}]}})"
            ),
        );
        stage.faults().clear();
        let plan = aws.ends(&stage, 6, &["plan"]);
        assert!(plan.contains(&format!("notification `theirs` {event}")), "{plan}");
        aws.ends(&stage, 6, &["apply", "--yes"]);
        wrote_nothing(&stage);
    }
}

fn notification_without_an_id_that_overlaps_is_refused(aws: &Place) {
    let stage = aws.applied();
    boto(
        &stage.hand(),
        "notify({'TopicConfigurations': [{'TopicArn': 'arn:aws:sns:eu-west-1:{a}:theirs', 'Events': ['s3:ObjectCreated:*'],
  'Filter': {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': 'media/'}]}}}]})",
    );
    stage.faults().clear();
    assert!(aws.ends(&stage, 6, &["plan"]).contains("s3:ObjectCreated:*"));
    wrote_nothing(&stage);
}

fn content_is_counted_to_a_thousand_and_emptied_with_versions_and_uploads(aws: &Place) {
    let stage = aws.applied();
    boto(
        &stage.hand(),
        // Deleting what is not there leaves markers, a thousand a call.
        "version()
for i in range(3): s3.put_object(Bucket=b, Key=f'k{i}', Body=b'')
s3.delete_objects(Bucket=b, Delete={'Objects': [{'Key': f'k{i}'} for i in range(1000)]})
s3.create_multipart_upload(Bucket=b, Key='open')",
    );
    stage.faults().clear();
    let refused = aws.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("1,000+ objects and versions, 1 open upload"), "{refused}");
    wrote_nothing(&stage);
    let emptied = aws.ends(&stage, 0, &["destroy", "--yes", "--delete-data", aws.bucket]);
    assert!(emptied.contains("objects, versions and uploads deleted"), "{emptied}");
    assert_eq!((aws.ours)(&stage.hand()), Vec::<String>::new());
}

#[test]
fn plan_as_people_see_it() {
    let stage = AWS.planned();
    screen("plan_from_nothing", &stage, &AWS.run(&stage, &["plan"]));
    let json: Value = serde_json::from_str(&AWS.succeed(&stage, &["plan", "--json"])).unwrap();
    assert_eq!(json["changes"][0]["action"], "create");
}

/// A value with a line end would be two settings where they are read line by line.
#[test]
fn values_with_a_line_end_are_mistakes() {
    let stage = AWS.planned();
    AWS.change(&stage, &[("eu-west-1", "eu-west-1\\nLD_PRELOAD=/tmp/evil.so")]);
    for command in [&["output", "--format", "env"][..], &["plan"]] {
        let printed = AWS.ends(&stage, 64, command);
        assert!(!printed.lines().any(|line| line.starts_with("LD_PRELOAD")), "{printed}");
    }
}

#[test]
fn report_names_the_deployment_that_could_not_be_looked_at() {
    let stage = AWS.applied();
    let elsewhere = AWS.plan_with(&[("wandb-prod", "wandb-else"), ("[aws]\n", "[aws]\naccount = \"000000000001\"\n")]);
    stage.write("elsewhere.toml", &elsewhere);
    for format in ["text", "markdown", "junit", "sarif"] {
        let ran = AWS.run(&stage, &["drift", "provision.toml", "elsewhere.toml", "--format", format]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("wandb-else") || ran.stdout.contains("elsewhere.toml"), "{format}: {}", ran.stdout);
    }
}

/// One that does not answer keeps nothing from the reader that others answered, however the look ends.
#[test]
fn report_tells_what_was_found_before_the_time_limit() {
    let stage = AWS.applied();
    let elsewhere = AWS.plan_with(&[("wandb-prod", "wandb-else"), ("acme-{s}", "acme-else-{s}")]);
    stage.write("elsewhere.toml", elsewhere.split("[aws.access]").next().unwrap());
    fault(&stage, "iam:GetRolePolicy", Nth::Every, What::Delay(Duration::from_secs(600)));
    let ran = AWS.run(&stage, &["drift", "provision.toml", "elsewhere.toml", "--timeout", "3"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("wandb-else: ") && ran.stdout.contains("wandb-prod (aws): unknown"), "{}", ran.stdout);
    assert!(ran.stderr.contains("the time limit is over"), "{}", ran.stderr);
}

fn rule_that_lost_our_name_is_drift_once_and_used_from_then_on(aws: &Place) {
    let stage = aws.applied();
    aws.edit(&stage, |hand| boto(hand, "r = rules(); r[0]['ID'] = 'theirs'; set_rules(r)"));
    let drift = aws.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("somebody took provision's name off cors of bucket"), "{drift}");
    aws.apply(&stage);
    aws.is_in_sync(&stage);
    assert_eq!(python(&stage.hand(), "print([rule['ID'] for rule in rules()])"), "['theirs']");
}

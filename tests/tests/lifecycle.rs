//! Apply, output, drift, destroy of the example plan files, read back by another client.

use provision_tests::backend::Backend;
use provision_tests::rig::Rig;

use crate::messages::screen;
use serde_json::Value;

cases! {
    apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing,
    apply_makes_what_the_design_says_read_back_by_boto3,
    apply_makes_an_object_arrive_as_a_message,
    plan_and_drift_never_write,
    every_bucket_call_but_create_names_the_owner,
    output_prints_one_bare_value_and_json,
    no_queue_at_all_gives_the_internal_queue,
    waves_and_requests_are_as_few_as_the_services_allow,
    plan_and_apply_as_people_see_them,
}

/// A plan file with every part; `{s}` is the test's suffix.
pub(crate) const PLAN: &str = r#"
[deployment]
name = "wandb-{s}"
host = "https://wandb.example.com"
[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-{s}"
[aws.queue]
name = "acme-{s}-events"
[aws.run_queue]
name = "acme-{s}-runs"
[aws.access]
role = "node"
"#;

/// A test's world with the plan file written and its role made.
pub(crate) fn planned(backend: Backend) -> Rig {
    let rig = Rig::new(backend);
    rig.write("provision.toml", PLAN);
    rig.make_role("node");
    rig
}

/// The same, applied.
pub(crate) fn applied(backend: Backend) -> Rig {
    let rig = planned(backend);
    apply(&rig);
    rig.proxy.clear();
    rig
}

/// Apply, and expect it to succeed.
pub(crate) fn apply(rig: &Rig) {
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Write an example plan file under names of this test's own, and make its role.
fn example(rig: &Rig, text: &str) {
    let text = text.replace("acme-", "acme-{s}-").replace("123456789012}", "{a}}").replace("protect = true", "");
    rig.write("provision.toml", &text);
    ["wandb-node", "wandb-node-full"].iter().for_each(|role| rig.make_role(role));
}

fn apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing(backend: Backend) {
    let examples = [
        include_str!("../../plans/aws.toml"),
        include_str!("../../plans/aws-minimal.toml"),
        include_str!("../../plans/aws-full.toml"),
    ];
    for text in examples {
        let rig = Rig::new(backend);
        example(&rig, text);
        let first = rig.run(&["aws", "apply", "--yes"]);
        assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
        let outputs = rig.run(&["aws", "output"]);
        assert!(first.stdout.ends_with(&outputs.stdout) && outputs.stdout.contains("BUCKET=s3://acme-"));
        rig.proxy.clear();
        let second = rig.run(&["aws", "apply", "--yes"]);
        assert!(second.stdout.contains("No changes."), "{}", second.stdout);
        assert_eq!(rig.proxy.writes(), Vec::<String>::new());
        assert_eq!(rig.run(&["aws", "destroy", "--yes"]).code, 0);
        assert_eq!(rig.run(&["aws", "drift"]).code, 2, "nothing exists any more");
    }
}

fn apply_makes_what_the_design_says_read_back_by_boto3(backend: Backend) {
    let rig = applied(backend);
    let text = rig.boto3(
        "b = 'acme-{s}'
u = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']
print(json.dumps({
  'block': s3.get_public_access_block(Bucket=b)['PublicAccessBlockConfiguration'],
  'ownership': s3.get_bucket_ownership_controls(Bucket=b)['OwnershipControls']['Rules'],
  'sse': s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration']['Rules'][0]['ApplyServerSideEncryptionByDefault'],
  'policy': json.loads(s3.get_bucket_policy(Bucket=b)['Policy']),
  'cors': s3.get_bucket_cors(Bucket=b)['CORSRules'],
  'tags': {tag['Key']: tag['Value'] for tag in s3.get_bucket_tagging(Bucket=b)['TagSet']},
  'queue': sqs.get_queue_attributes(QueueUrl=u, AttributeNames=['All'])['Attributes'],
  'notification': s3.get_bucket_notification_configuration(Bucket=b)['QueueConfigurations'],
  'role': iam.get_role_policy(RoleName='node', PolicyName=iam.list_role_policies(RoleName='node')['PolicyNames'][0])['PolicyDocument'],
}))",
    );
    let seen: Value = serde_json::from_str(&text).unwrap();
    let bucket = format!("arn:aws:s3:::acme-{}", rig.suffix);
    assert!(seen["block"].as_object().unwrap().values().all(|flag| flag == true));
    assert_eq!(seen["ownership"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    assert_eq!(seen["sse"]["SSEAlgorithm"], "AES256");
    assert_eq!(seen["policy"]["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"][0], "false");
    let cors = &seen["cors"][0];
    assert_eq!(cors["AllowedOrigins"], serde_json::json!(["https://wandb.example.com"]));
    assert_eq!(cors["AllowedMethods"], serde_json::json!(["GET", "HEAD", "PUT"]));
    assert_eq!((&cors["ExposeHeaders"][0], &cors["MaxAgeSeconds"]), (&"ETag".into(), &3000.into()));
    assert_eq!(seen["tags"]["provision-origin"], "created");
    assert_eq!(seen["tags"]["provision-parts"], "access-bucket-notification-queue-run_queue");
    assert_eq!(
        (&seen["queue"]["ReceiveMessageWaitTimeSeconds"], &seen["queue"]["SqsManagedSseEnabled"]),
        (&"10".into(), &"true".into())
    );
    let policy: Value = serde_json::from_str(seen["queue"]["Policy"].as_str().unwrap()).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"]["Service"][0], "s3.amazonaws.com");
    assert_eq!(statement["Condition"]["ArnEquals"]["aws:SourceArn"][0], bucket.as_str());
    assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"][0], rig.account.as_str());
    assert_eq!(seen["notification"][0]["Events"], serde_json::json!(["s3:ObjectCreated:*"]));
    let role = seen["role"].to_string();
    assert!(role.contains(&format!("{bucket}/*")) && role.contains("s3:GetObject*") && !role.contains("s3:*"));
}

fn apply_makes_an_object_arrive_as_a_message(backend: Backend) {
    let rig = applied(backend);
    let text = rig.boto3(
        "s3.put_object(Bucket='acme-{s}', Key='run/a b.txt', Body=b'x')
u = sqs.get_queue_url(QueueName='acme-{s}-events')['QueueUrl']
bodies = [m['Body'] for _ in range(3) for m in sqs.receive_message(QueueUrl=u, MaxNumberOfMessages=10, WaitTimeSeconds=1).get('Messages', [])]
print([r['eventName'] for body in bodies for r in json.loads(body).get('Records', [])])",
    );
    assert_eq!(text, "['ObjectCreated:Put']");
}

fn plan_and_drift_never_write(backend: Backend) {
    let rig = planned(backend);
    for command in ["plan", "drift"] {
        let _ = rig.run(&["aws", command]);
    }
    apply(&rig);
    rig.proxy.clear();
    for command in ["plan", "drift"] {
        assert_eq!(rig.run(&["aws", command]).code, 0);
    }
    assert_eq!(rig.proxy.writes(), Vec::<String>::new());
}

fn every_bucket_call_but_create_names_the_owner(backend: Backend) {
    let rig = applied(backend);
    let _ = rig.run(&["aws", "destroy", "--yes", "--delete-data", &format!("acme-{}", rig.suffix)]);
    let bucket_calls = rig.proxy.records().into_iter().filter(|record| record.operation.starts_with("s3:"));
    for record in bucket_calls.filter(|record| record.operation != "s3:CreateBucket") {
        assert_eq!(record.headers.get("x-amz-expected-bucket-owner"), Some(&rig.account), "{}", record.operation);
    }
}

fn output_prints_one_bare_value_and_json(backend: Backend) {
    let rig = planned(backend);
    assert_eq!(rig.run(&["aws", "output", "BUCKET_QUEUE"]).stdout, format!("sqs://acme-{}-events\n", rig.suffix));
    let json: Value = serde_json::from_str(&rig.run(&["aws", "output", "--json"]).stdout).unwrap();
    assert_eq!(json["NOTIFICATIONS_QUEUE"], format!("sqs://acme-{}-runs", rig.suffix));
    assert_eq!((&json["AWS_REGION"], &json["HOST"]), (&"eu-west-1".into(), &"https://wandb.example.com".into()));
    assert_eq!(rig.run(&["aws", "output", "provision.toml", "NOPE"]).code, 64);
    assert!(rig.proxy.records().is_empty(), "output sends nothing");
}

fn no_queue_at_all_gives_the_internal_queue(backend: Backend) {
    let rig = Rig::new(backend);
    rig.write(
        "provision.toml",
        &PLAN.replace("name = \"acme-{s}-events\"", "enabled = false").replace("[aws.access]\nrole = \"node\"", ""),
    );
    apply(&rig);
    assert_eq!(rig.run(&["aws", "output", "BUCKET_QUEUE"]).stdout, "internal://\n");
    assert_eq!(
        rig.boto3("print(s3.get_bucket_notification_configuration(Bucket='acme-{s}').get('QueueConfigurations', []))"),
        "[]"
    );
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn waves_and_requests_are_as_few_as_the_services_allow(backend: Backend) {
    let rig = planned(backend);
    rig.proxy.set_latency(std::time::Duration::from_millis(150));
    assert_eq!(rig.run(&["aws", "plan"]).code, 0);
    assert_eq!(rig.proxy.waves(), 2);
    assert!(rig.proxy.records().len() <= 20, "{}", rig.proxy.records().len());
    rig.proxy.clear();
    apply(&rig);
    // Plan 2, creation, the mark read after it, facets and notification, last mark, the closing look.
    assert!(rig.proxy.waves() <= 7, "{}", rig.proxy.waves());
    rig.proxy.clear();
    assert_eq!(rig.run(&["aws", "destroy", "--yes"]).code, 0);
    assert!(rig.proxy.waves() <= 4, "{}", rig.proxy.waves());
}

fn plan_and_apply_as_people_see_them(backend: Backend) {
    let rig = planned(backend);
    let plan = rig.run(&["aws", "plan"]);
    screen("plan_from_nothing", &rig, &plan);
    let json: Value = serde_json::from_str(&rig.run(&["aws", "plan", "--json"]).stdout).unwrap();
    assert_eq!(json["changes"][0]["action"], "create");
}

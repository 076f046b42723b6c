//! What holds for any plan file and any edit: no panic, no difference after an apply, every edit of what is ours found and
//! repaired, every edit of what is not ours left alone.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use provision_core::deployment::Deployment;
use provision_core::plan_file::PlanFile;
use provision_tests::stage::Stage;

use crate::clouds::AWS;
use crate::clouds::aws::PLAN;
use crate::clouds::aws::hand::{boto, python};

/// How many random edits are made, some at a time.
const EDITS: usize = 100;
/// How many random plan files are read.
const READ: usize = 2_000;
/// How many random plan files are applied.
const APPLIED: usize = 15;

/// So many, or as many times more as `PROVISION_PROPERTIES` says.
fn cases(usual: usize) -> usize {
    let times = std::env::var("PROVISION_PROPERTIES").map_or(1, |times| times.parse().unwrap());
    usual * times
}

/// A line that somebody may write into a plan file: right, wrong, or of another section.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "host",
        "region",
        "account",
        "adopt",
        "versioning",
        "protect",
        "private",
        "encryption",
        "cors",
        "tags",
        "was",
        "receive_wait_s",
        "visibility_timeout_s",
        "retention_s",
        "senders",
        "enabled",
        "role",
        "grant",
        "naem",
        "project",
        "subscription",
        "location",
        "resource_group",
        "sku",
        "ack_deadline_s",
        "service_account",
        "soft_delete_days",
    ]);
    let value = prop_oneof![
        "\"[a-z][a-z0-9-]{0,50}\"",
        Just("\"https://wandb.example.com\"".to_owned()),
        Just("\"AES256\"".to_owned()),
        Just("\"123456789012\"".to_owned()),
        Just("{ create = true, name = \"wandb\" }".to_owned()),
        Just("{ origins = [\"https://a.example\"], max_age_s = 5 }".to_owned()),
        Just("\"${env:NOT_SET:-x}\"".to_owned()),
        Just("\"${env:NOT_SET}\"".to_owned()),
        "-?[0-9]{1,20}",
        "true|false",
        "\\[\\]|\\{\\}|\"\"|nan|1979-05-27",
        "\\PC{0,20}",
    ];
    let table = "\\[(deployment|aws|aws\\.bucket|aws\\.queue|aws\\.run_queue|aws\\.access|gcp|gcp\\.bucket|gcp\\.topic|azure|azure\\.account|nope)\\]";
    prop_oneof![3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")), 1 => table, 1 => "\\PC{0,30}"]
}

#[test]
fn plan_files_of_any_kind_are_read_or_refused_without_a_panic() {
    let lines = prop::collection::vec(line(), 0..30);
    let mut runner = TestRunner::new(Config {
        cases: u32::try_from(cases(READ)).unwrap(),
        failure_persistence: None,
        ..Config::default()
    });
    let read = runner.run(&lines, |lines| {
        // Half of them begin well.
        let begin = if lines.len() % 2 == 0 { PLAN.replace("{s}", "x") } else { String::new() };
        let text = format!("{begin}\n{}", lines.join("\n"));
        let Ok(file) = PlanFile::parse("x.toml", text, &|_| None).map_err(|error| error.render(false)) else {
            return Ok(());
        };
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        let _ = provision_aws::Settings::read(deployment.clone(), &file, &mut problems);
        let _ = provision_gcp::Settings::read(deployment.clone(), &file, &mut problems);
        let _ = provision_azure::Settings::read(deployment, &file, &mut problems);
        if let Err(error) = problems.finish() {
            prop_assert!(!error.render(false).is_empty());
        }
        Ok(())
    });
    read.unwrap();
}

/// Any plan file that is right: what is in it, as text.
fn settings() -> impl Strategy<Value = String> {
    let bucket = prop::sample::subsequence(
        vec![
            "versioning = true",
            "encryption = \"AES256\"",
            "cors = { methods = [\"GET\"], max_age_s = 7 }",
            "protect = false",
        ],
        0..=4,
    );
    let queue = prop::sample::subsequence(
        vec!["receive_wait_s = 3", "visibility_timeout_s = 40000", "retention_s = 60", "senders = \"anyone\""],
        0..=4,
    );
    (bucket, queue, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(bucket, queue, enabled, runs, access)| {
        let mut text =
            "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\ntags = { team = \"ml\" }\n\
                        [aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme-{s}\"\n"
                .to_owned();
        bucket.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        writeln!(text, "[aws.queue]\nenabled = {enabled}").unwrap();
        queue.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        text += if runs { "[aws.run_queue]\nname = \"acme-{s}-runs\"\n" } else { "" };
        text += if access { "[aws.access]\nrole = \"node\"\n" } else { "" };
        text
    })
}

#[test]
fn apply_of_any_plan_file_leaves_nothing_to_do_and_destroy_leaves_nothing() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..cases(APPLIED) {
        let text = settings().new_tree(&mut runner).unwrap().current();
        let stage = AWS.planned();
        stage.write("provision.toml", &text);
        AWS.apply(&stage);
        let plan = stage.run(&["aws", "plan"]);
        assert!(plan.code == 0 && plan.stdout.contains("No changes:"), "{text}\n{}", plan.stdout);
        let destroyed = stage.run(&["aws", "destroy", "--yes"]);
        assert_eq!(destroyed.code, 0, "{text}\n{}{}", destroyed.stdout, destroyed.stderr);
        assert_eq!(
            python(
                &stage.hand(),
                "print(sqs.list_queues().get('QueueUrls', []), iam.list_role_policies(RoleName='node')['PolicyNames'])"
            ),
            "[] []"
        );
    }
}

/// An edit of something that is ours: where it shows, and how it is made; `N` is a random number.
const OURS: [(&str, &str); 12] = [
    (
        "public_access.",
        "s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'][N % 4]: True})",
    ),
    (
        "ownership",
        "s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={'Rules': [{'ObjectOwnership': ['ObjectWriter', 'BucketOwnerPreferred'][N % 2]}]})",
    ),
    ("versioning", "s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})"),
    (
        "policy.",
        "p = json.loads(s3.get_bucket_policy(Bucket=b)['Policy']); p['Statement'] = [dict(x, Action='s3:Get*') if x['Sid'].startswith('Provision') else x for x in p['Statement']]; s3.put_bucket_policy(Bucket=b, Policy=json.dumps(p))",
    ),
    (
        "cors.",
        "r = s3.get_bucket_cors(Bucket=b)['CORSRules']; [x.update(MaxAgeSeconds=N) for x in r if x.get('ID', '').startswith('provision')]; s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': r})",
    ),
    (
        "cors.",
        "r = [x for x in s3.get_bucket_cors(Bucket=b)['CORSRules'] if not x.get('ID', '').startswith('provision')] + [{'ID': 'n', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://n.example.com']}]; s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': r})",
    ),
    (
        "tags.team",
        "t = [x for x in s3.get_bucket_tagging(Bucket=b)['TagSet'] if x['Key'] != 'team']; s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': t + [{'Key': 'team', 'Value': 'NN'}]})",
    ),
    (
        "attributes.visibility_timeout_s",
        "sqs.set_queue_attributes(QueueUrl=u, Attributes={'VisibilityTimeout': str(100 + N)})",
    ),
    (
        "attributes.retention_s",
        "sqs.set_queue_attributes(QueueUrl=u, Attributes={'MessageRetentionPeriod': str(100 + N)})",
    ),
    ("policy.", "sqs.set_queue_attributes(QueueUrl=u, Attributes={'Policy': ''})"),
    (
        "notification `",
        "c = s3.get_bucket_notification_configuration(Bucket=b); c.pop('ResponseMetadata'); c['QueueConfigurations'] = [x for x in c['QueueConfigurations'] if not x['Id'].startswith('provision')]; s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration=c, SkipDestinationValidation=True)",
    ),
    (
        "policy on role `",
        "[iam.put_role_policy(RoleName='node', PolicyName=n, PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:Get*', 'Resource': '*', 'Sid': 'SN'}]})) for n in iam.list_role_policies(RoleName='node')['PolicyNames'] if n.startswith('provision')]",
    ),
];

/// An edit of something that is not ours.
const THEIRS: [&str; 6] = [
    "r = [x for x in s3.get_bucket_cors(Bucket=b)['CORSRules'] if x.get('ID') != 'theirs'] + [{'ID': 'theirs', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://NN.example.com']}]; s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': r})",
    "t = [x for x in s3.get_bucket_tagging(Bucket=b)['TagSet'] if x['Key'] != 'theirs']; s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': t + [{'Key': 'theirs', 'Value': 'NN'}]})",
    "p = json.loads(s3.get_bucket_policy(Bucket=b)['Policy']); p['Statement'] = [x for x in p['Statement'] if x['Sid'] != 'theirs'] + [{'Sid': 'theirs', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutObject', 'Resource': 'arn:aws:s3:::' + b + '/NN'}]; s3.put_bucket_policy(Bucket=b, Policy=json.dumps(p))",
    "sqs.tag_queue(QueueUrl=u, Tags={'theirs': 'NN'})",
    "c = s3.get_bucket_notification_configuration(Bucket=b); c.pop('ResponseMetadata'); c['QueueConfigurations'] = [x for x in c.get('QueueConfigurations', []) if x['Id'] != 'theirs'] + [{'Id': 'theirs', 'QueueArn': 'arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs', 'Events': ['s3:ObjectRemoved:*'], 'Filter': {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': 'NN/'}]}}}]; s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration=c, SkipDestinationValidation=True)",
    "iam.put_role_policy(RoleName='node', PolicyName='theirs', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*', 'Sid': 'SN'}]}))",
];

/// Everything of others, to be compared.
const OTHERS: &str = "
print(json.dumps([[x for x in s3.get_bucket_cors(Bucket=b)['CORSRules'] if x.get('ID') == 'theirs'], [x for x in s3.get_bucket_tagging(Bucket=b)['TagSet'] if x['Key'] == 'theirs'],
  [x for x in json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement'] if x['Sid'] == 'theirs'], sqs.list_queue_tags(QueueUrl=u)['Tags'].get('theirs'),
  [x for x in s3.get_bucket_notification_configuration(Bucket=b).get('QueueConfigurations', []) if x['Id'] == 'theirs'],
  [iam.get_role_policy(RoleName='node', PolicyName=n)['PolicyDocument'] for n in iam.list_role_policies(RoleName='node')['PolicyNames'] if n == 'theirs']], sort_keys=True))";

/// The queue may send to the queue of others too, which their notification needs.
const PREPARE: &str = "
r = sqs.get_queue_url(QueueName='acme-{s}-runs')['QueueUrl']
sqs.set_queue_attributes(QueueUrl=r, Attributes={'Policy': json.dumps({'Version': '2012-10-17', 'Statement': [{'Sid': 'theirs', 'Effect': 'Allow', 'Principal': {'Service': 's3.amazonaws.com'}, 'Action': 'sqs:SendMessage', 'Resource': '*'}]})})";

#[test]
fn random_edits_are_found_if_they_are_ours_and_left_alone_if_not() {
    let tagged = PLAN.replace("[aws]\n", "tags = { team = \"ml\" }\n[aws]\n");
    let mut runner = TestRunner::deterministic();
    let edit = (any::<bool>(), 0..OURS.len(), 0..THEIRS.len(), 1_u32..40_000);
    let round = prop::collection::vec(edit, 1..8);
    let stage = AWS.planned();
    stage.write("provision.toml", &tagged);
    AWS.apply(&stage);
    boto(&stage.hand(), PREPARE);
    let (mut edits, mut rounds) = (0, 0);
    while edits < cases(EDITS) {
        let made = round.new_tree(&mut runner).unwrap().current();
        let expected = edit_all(&stage, &made);
        look_and_repair(&stage, &expected);
        (edits, rounds) = (edits + made.len(), rounds + 1);
    }
    println!("{edits} random edits in {rounds} rounds");
}

/// Make the edits of one round; gives where those of ours must show.
fn edit_all(stage: &Stage, made: &[(bool, usize, usize, u32)]) -> Vec<&'static str> {
    let mut script = "b = 'acme-{s}'; u = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']\n".to_owned();
    let mut expected = Vec::new();
    for (ours, own, others, number) in made {
        let edit = if *ours { OURS[*own].1 } else { THEIRS[*others] };
        // Two edits of one document in a round: the first may be undone by the second, and is not looked for.
        expected.extend(ours.then_some(OURS[*own].0));
        let edit = edit.replace("NN", &format!("n{number}"));
        // `N` alone is the number; names that hold an N stay.
        let edit = edit.replace("(N)", &format!("({number})")).replace("=N)", &format!("={number})"));
        let edit = edit
            .replace("+ N)", &format!("+ {number})"))
            .replace("[N %", &format!("[{number} %"))
            .replace("'SN'", &format!("'S{number}'"));
        writeln!(script, "{edit}").unwrap();
    }
    boto(&stage.hand(), &script);
    expected
}

fn look_and_repair(stage: &Stage, expected: &[&str]) {
    let others = |stage: &Stage| {
        python(
            &stage.hand(),
            &format!("b = 'acme-{{s}}'; u = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']{OTHERS}"),
        )
    };
    let before = others(stage);
    let drift = stage.run(&["aws", "drift"]);
    assert_eq!(drift.code, if expected.is_empty() { 0 } else { 2 }, "{expected:?}\n{}{}", drift.stdout, drift.stderr);
    for place in expected {
        assert!(drift.stdout.contains(place), "{place} is not in\n{}", drift.stdout);
    }
    AWS.apply(stage);
    let plan = stage.run(&["aws", "plan"]);
    assert!(plan.stdout.contains("No changes:"), "{}", plan.stdout);
    assert_eq!(others(stage), before);
}

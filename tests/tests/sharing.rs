//! Others' entries, adopting, other deployments, renaming, orphans.

use crate::lifecycle::{PLAN, applied, apply, planned};
use provision_tests::backend::Backend;

cases! {
    others_entries_survive_adopt_update_and_release,
    adopting_leaves_values_for_everybody_alone,
    overlapping_notification_is_refused_by_name,
    another_deployments_bucket_is_refused_by_name,
    deployments_with_alike_names_do_not_touch_each_other,
    renaming_the_bucket_is_refused,
    renaming_the_queue_moves_the_notification_and_leaves_an_orphan,
    renaming_the_deployment_takes_its_marks_over,
    apply_with_orphans_deletes_the_renamed_queue_and_nothing_else,
}

pub(crate) const THEIRS: &str = "
b = 'acme-{s}'; q = b + '-events'; arn = 'arn:aws:sqs:eu-west-1:{a}:theirs-{s}'
sqs.create_queue(QueueName='theirs-{s}', Attributes={'Policy': json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 's3.amazonaws.com'}, 'Action': 'sqs:SendMessage', 'Resource': arn}]})})
def entry(l): return [e for e in l if not e.get('Id', e.get('Sid', e.get('ID', ''))).lower().startswith('provision')]
def snapshot():
    u = sqs.get_queue_url(QueueName=q)['QueueUrl']
    n = s3.get_bucket_notification_configuration(Bucket=b)
    p = sqs.get_queue_attributes(QueueUrl=u, AttributeNames=['Policy'])['Attributes'].get('Policy') or '{\"Statement\": []}'
    print(json.dumps([entry(n.get('QueueConfigurations', [])), n.get('EventBridgeConfiguration'),
      entry(s3.get_bucket_cors(Bucket=b)['CORSRules']), entry(json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement']),
      entry(json.loads(p)['Statement']), sorted([t['Key'], t['Value']] for t in s3.get_bucket_tagging(Bucket=b)['TagSet'] if not t['Key'].startswith('provision')),
      sorted(t for t in sqs.list_queue_tags(QueueUrl=u).get('Tags', {}).items() if not t[0].startswith('provision'))], sort_keys=True))
";

pub(crate) const MADE: &str = "
s3.create_bucket(Bucket=b, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})
u = sqs.create_queue(QueueName=q, Attributes={'ReceiveMessageWaitTimeSeconds': '3', 'Policy': json.dumps({'Version': '2012-10-17', 'Statement': [{'Sid': 'theirs', 'Effect': 'Allow', 'Principal': {'AWS': '{a}'}, 'Action': 'sqs:ReceiveMessage', 'Resource': '*'}]})}, tags={'team': 'theirs'})['QueueUrl']
s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={'EventBridgeConfiguration': {}, 'QueueConfigurations': [{'Id': 'theirs', 'QueueArn': arn, 'Events': ['s3:ObjectRemoved:*'], 'Filter': {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': 'logs/'}]}}}]})
s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': [{'ID': 'theirs', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://theirs.example.com']}]})
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({'Version': '2012-10-17', 'Statement': [{'Sid': 'theirs', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:DeleteBucket', 'Resource': 'arn:aws:s3:::' + b}]}))
s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': [{'Key': 'team', 'Value': 'theirs'}]})
snapshot()
";

pub(crate) fn adopting() -> String {
    PLAN.replace("name = \"acme-{s}\"\n", "name = \"acme-{s}\"\nadopt = true\nprivate = true\n")
        .replace("-events\"\n", "-events\"\nadopt = true\n")
}

fn others_entries_survive_adopt_update_and_release(backend: Backend) {
    let rig = planned(backend);
    let before = rig.boto3(&format!("{THEIRS}{MADE}"));
    let now = || rig.boto3(&format!("{THEIRS}snapshot()"));
    assert_eq!(rig.run(&["aws", "apply", "--yes"]).code, 6, "not ours and not to be adopted");
    rig.write("provision.toml", &adopting());
    let adopted = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(adopted.code, 0, "{}{}", adopted.stdout, adopted.stderr);
    assert!(adopted.stdout.contains("kept: notification `theirs`"), "{}", adopted.stdout);
    assert_eq!(now(), before);
    rig.write("provision.toml", &adopting().replace("wandb.example.com", "moved.example.com"));
    apply(&rig);
    assert_eq!(now(), before);
    // The origin is in the mark: `adopt` may leave the file.
    rig.write("provision.toml", PLAN);
    assert_eq!(rig.run(&["aws", "destroy", "--yes", "--delete-data", &format!("acme-{}", rig.suffix)]).code, 6);
    let released = rig.run(&["aws", "destroy", "--yes"]);
    assert_eq!(released.code, 0, "{}{}", released.stdout, released.stderr);
    let left = rig.boto3(&format!(
        "{THEIRS}snapshot()
print(s3.get_bucket_versioning(Bucket=b)['Status'], 'provision' in str(s3.get_bucket_tagging(Bucket=b)['TagSet']).lower())
print(len(s3.get_bucket_cors(Bucket=b)['CORSRules']), len(s3.get_bucket_notification_configuration(Bucket=b)['QueueConfigurations']))"
    ));
    let lines: Vec<_> = left.lines().collect();
    assert_eq!(lines, [before.as_str(), "Enabled False", "1 1"]);
    assert_eq!(rig.run(&["aws", "destroy", "--yes"]).code, 6, "it is not ours any more");
}

fn adopting_leaves_values_for_everybody_alone(backend: Backend) {
    let rig = planned(backend);
    let _ = rig.boto3(&format!("{THEIRS}{MADE}"));
    rig.write("provision.toml", &adopting().replace("private = true\n", ""));
    apply(&rig);
    let seen = rig.boto3(
        "b = 'acme-{s}'; u = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']
print(s3.get_bucket_versioning(Bucket=b)['Status'], len(json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement']),
  sqs.get_queue_attributes(QueueUrl=u, AttributeNames=['All'])['Attributes']['ReceiveMessageWaitTimeSeconds'])",
    );
    assert_eq!(seen, "Enabled 1 3");
}

fn overlapping_notification_is_refused_by_name(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(
        "s3.put_bucket_notification_configuration(Bucket='acme-{s}', NotificationConfiguration={'QueueConfigurations': [{'Id': 'theirs', \
         'QueueArn': 'arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs', 'Events': ['s3:ObjectCreated:Put']}]}, SkipDestinationValidation=True)",
    );
    let plan = rig.run(&["aws", "plan"]);
    assert_eq!(plan.code, 6);
    assert!(plan.stderr.contains("notification `theirs` s3:ObjectCreated:Put"), "{}", plan.stderr);
}

fn another_deployments_bucket_is_refused_by_name(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("wandb-{s}", "wandb-{s}-b"));
    let plan = rig.run(&["aws", "plan"]);
    assert_eq!(plan.code, 6);
    assert!(plan.stderr.contains(&format!("belongs to deployment `wandb-{}`", rig.suffix)), "{}", plan.stderr);
}

fn deployments_with_alike_names_do_not_touch_each_other(backend: Backend) {
    let rig = applied(backend);
    rig.write("other.toml", &PLAN.replace("wandb-{s}", "wandb-{s}-b").replace("acme-{s}", "acme-{s}-b"));
    let other = rig.run(&["aws", "apply", "other.toml", "--yes"]);
    assert_eq!(other.code, 0, "{}{}", other.stdout, other.stderr);
    assert_eq!(rig.run(&["aws", "destroy", "other.toml", "--yes"]).code, 0);
    assert_eq!(rig.run(&["aws", "drift"]).stdout, format!("wandb-{}: in sync\n", rig.suffix));
}

fn renaming_the_bucket_is_refused(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("name = \"acme-{s}\"", "name = \"acme-{s}-new\""));
    let plan = rig.run(&["aws", "plan"]);
    assert_eq!(plan.code, 6);
    assert!(plan.stderr.contains(&format!("this deployment's bucket is `acme-{}`", rig.suffix)), "{}", plan.stderr);
}

fn renaming_the_queue_moves_the_notification_and_leaves_an_orphan(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("-events", "-renamed").replace("-runs", "-others"));
    let drift = rig.run(&["aws", "drift"]);
    assert_eq!(drift.code, 0, "a new name in the plan file is no drift: {}", drift.stdout);
    apply(&rig);
    let arn = rig.boto3(
        "print(s3.get_bucket_notification_configuration(Bucket='acme-{s}')['QueueConfigurations'][0]['QueueArn'])",
    );
    assert!(arn.ends_with("-renamed"));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stdout.contains(&format!("orphan queue `acme-{}-events`", rig.suffix)), "{}", plan.stdout);
    assert_eq!(rig.run(&["aws", "destroy", "--yes", "--orphans"]).code, 0);
    assert_eq!(rig.boto3("print(sqs.list_queues().get('QueueUrls', []))"), "[]");
}

fn renaming_the_deployment_takes_its_marks_over(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\"\nwas = \"wandb-{s}\""));
    apply(&rig);
    rig.write("provision.toml", &PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\""));
    assert_eq!(rig.run(&["aws", "drift"]).stdout, format!("new-{}: in sync\n", rig.suffix));
    let names = rig.boto3("print(len(iam.list_role_policies(RoleName='node')['PolicyNames']), len(s3.get_bucket_cors(Bucket='acme-{s}')['CORSRules']))");
    assert_eq!(names, "1 1");
}

fn apply_with_orphans_deletes_the_renamed_queue_and_nothing_else(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("-events", "-renamed"));
    apply(&rig);
    let ran = rig.run(&["aws", "apply", "--yes", "--orphans"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let left = rig.boto3("print(sorted(url.rsplit('/')[-1] for url in sqs.list_queues()['QueueUrls']))");
    assert_eq!(left, format!("['acme-{0}-renamed', 'acme-{0}-runs']", rig.suffix));
    assert_eq!(rig.run(&["aws", "drift"]).stdout, format!("wandb-{}: in sync\n", rig.suffix));
}

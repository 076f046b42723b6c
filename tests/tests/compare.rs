//! Every row of the compare table, for every facet.

use crate::lifecycle::{PLAN, applied, apply, planned};
use provision_tests::backend::Backend;

cases! {
    drift_of_each_facet_is_named_and_repaired,
    pending_of_each_setting_is_no_drift_and_shows_its_line,
    both_changed_is_shown_as_both,
    respelled_values_are_no_difference,
    what_is_gone_is_drift_and_comes_back,
    stale_mark_is_recorded,
    another_role_is_pending_and_what_the_former_one_keeps_is_told,
    nothing_there_at_all_is_said,
    drift_report_formats,
}

/// A facet, an edit behind our back, an edit of the plan file (what is replaced by what), the field that shows.
const FACETS: [(&str, &str, &str); 8] = [
    ("public_access", "s3.delete_public_access_block(Bucket=b)", "public_access."),
    (
        "ownership",
        "s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={'Rules': [{'ObjectOwnership': 'ObjectWriter'}]})",
        "ownership ",
    ),
    (
        "encryption",
        "s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={'Rules': [{'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms'}}]})",
        "encryption.",
    ),
    ("versioning", "s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})", "versioning "),
    ("policy", "s3.delete_bucket_policy(Bucket=b)", "policy."),
    (
        "cors",
        "r = s3.get_bucket_cors(Bucket=b)['CORSRules']; r[0]['AllowedMethods'] = ['GET']; s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': r})",
        "cors.methods",
    ),
    (
        "attributes",
        "sqs.set_queue_attributes(QueueUrl=u, Attributes={'VisibilityTimeout': '7'})",
        "attributes.visibility_timeout_s",
    ),
    ("queue policy", "sqs.set_queue_attributes(QueueUrl=u, Attributes={'Policy': ''})", "policy."),
];

const NAMES: &str = "b = 'acme-{s}'\nu = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']\n";

fn drift_of_each_facet_is_named_and_repaired(backend: Backend) {
    let rig = applied(backend);
    for (facet, edit, field) in FACETS {
        rig.boto3(&format!("{NAMES}{edit}"));
        let drift = rig.run(&["aws", "drift"]);
        assert_eq!(drift.code, 2, "{facet}: {}{}", drift.stdout, drift.stderr);
        assert!(
            drift.stdout.contains(field) && drift.stdout.contains("drift: the cloud was changed"),
            "{}",
            drift.stdout
        );
        apply(&rig);
        let drift = rig.run(&["aws", "drift"]);
        assert_eq!(drift.code, 0, "{facet}: {}", drift.stdout);
    }
}

fn pending_of_each_setting_is_no_drift_and_shows_its_line(backend: Backend) {
    let edits = [
        ("[aws.queue]", "versioning = true\n[aws.queue]", "versioning"),
        ("[aws.queue]", "cors = { max_age_s = 60 }\n[aws.queue]", "cors.max_age_s"),
        ("[aws.run_queue]", "receive_wait_s = 5\n[aws.run_queue]", "attributes.receive_wait_s"),
        ("host = \"https://wandb.example.com\"", "host = \"https://other.example.com\"", "cors.origins"),
        ("[aws]\n", "tags = { team = \"ml\" }\n[aws]\n", "tags.team"),
        ("[aws.run_queue]", "senders = \"anyone\"\n[aws.run_queue]", "policy.Action"),
        ("role = \"node\"", "role = \"node\"\ngrant = \"all\"", "policy.statements"),
    ];
    let rig = applied(backend);
    for (old, new, field) in edits {
        rig.write("provision.toml", &PLAN.replace(old, new));
        let drift = rig.run(&["aws", "drift"]);
        assert_eq!(drift.code, 0, "{}{}", drift.stdout, drift.stderr);
        let line = drift
            .stdout
            .lines()
            .find(|line| line.contains(field))
            .unwrap_or_else(|| panic!("{field}: {}", drift.stdout));
        assert!(line.contains("pending") && line.contains("provision.toml:"), "{line}");
        assert_eq!(rig.run(&["aws", "plan", "--detailed-exitcode"]).code, 2);
    }
}

fn both_changed_is_shown_as_both(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(&format!("{NAMES}sqs.set_queue_attributes(QueueUrl=u, Attributes={{'VisibilityTimeout': '7'}})"));
    rig.write("provision.toml", &PLAN.replace("[aws.run_queue]", "visibility_timeout_s = 99\n[aws.run_queue]"));
    let drift = rig.run(&["aws", "drift"]);
    assert_eq!(drift.code, 2);
    assert!(drift.stdout.contains("7 -> 99") && drift.stdout.contains("both were changed"), "{}", drift.stdout);
}

fn respelled_values_are_no_difference(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(&format!(
        "{NAMES}r = s3.get_bucket_cors(Bucket=b)['CORSRules']
r[0]['AllowedMethods'].reverse(); del r[0]['ID']
s3.put_bucket_cors(Bucket=b, CORSConfiguration={{'CORSRules': r}})
p = json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])
p['Statement'][0]['Action'] = 's3:*'; p['Statement'][0]['Principal'] = {{'AWS': '*'}}; p['Statement'][0]['Resource'].reverse()
s3.put_bucket_policy(Bucket=b, Policy=json.dumps(p))"
    ));
    let drift = rig.run(&["aws", "drift"]);
    assert_eq!((drift.code, drift.stdout.as_str()), (0, format!("wandb-{}: in sync\n", rig.suffix).as_str()));
}

fn what_is_gone_is_drift_and_comes_back(backend: Backend) {
    let gone = [
        ("aws.notification", "s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={})"),
        ("aws.bucket", "s3.delete_bucket_cors(Bucket=b)"),
        (
            "aws.access",
            "[iam.delete_role_policy(RoleName='node', PolicyName=n) for n in iam.list_role_policies(RoleName='node')['PolicyNames']]",
        ),
        ("aws.queue", "sqs.delete_queue(QueueUrl=u)"),
        ("aws.bucket", "s3.delete_bucket(Bucket=b)"),
    ];
    let rig = applied(backend);
    for (address, edit) in gone {
        rig.boto3(&format!("{NAMES}{edit}"));
        let drift = rig.run(&["aws", "drift"]);
        assert_eq!(drift.code, 2, "{address}: {}{}", drift.stdout, drift.stderr);
        assert!(drift.stdout.contains(address) && drift.stdout.contains("drift"), "{}", drift.stdout);
        apply(&rig);
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "{address}");
    }
}

fn stale_mark_is_recorded(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(&format!("{NAMES}s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={{'Status': 'Enabled'}})"));
    rig.write("provision.toml", &PLAN.replace("[aws.queue]", "versioning = true\n[aws.queue]"));
    let drift = rig.run(&["aws", "drift"]);
    assert!(drift.code == 0 && drift.stdout.contains("~ record"), "{}", drift.stdout);
    apply(&rig);
    assert!(rig.proxy.writes().iter().all(|write| write == "s3:PutBucketTagging"), "{:?}", rig.proxy.writes());
    assert!(rig.run(&["aws", "plan"]).stdout.contains("No changes."));
}

/// No mark holds a role's name: the former role is not found again, and whoever named another one is told so.
fn another_role_is_pending_and_what_the_former_one_keeps_is_told(backend: Backend) {
    let rig = applied(backend);
    rig.make_role("other");
    rig.write("provision.toml", &PLAN.replace("role = \"node\"", "role = \"other\""));
    let drift = rig.run(&["aws", "drift"]);
    assert!(drift.code == 0 && drift.stdout.contains("pending"), "{}{}", drift.stdout, drift.stderr);
    let plan = rig.run(&["aws", "plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{}{}", plan.stdout, plan.stderr);
    crate::messages::screen("plan_with_another_role", &rig, &plan);
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).stdout, format!("wandb-{}: in sync\n", rig.suffix));
    assert!(!rig.run(&["aws", "plan"]).stdout.contains("delete-role-policy"));
    let policies = "print(*(len(iam.list_role_policies(RoleName=r)['PolicyNames']) for r in ['node', 'other']))";
    assert_eq!(rig.boto3(policies), "1 1");
    // Back again: the policy is there still, and the other role keeps its own.
    rig.write("provision.toml", PLAN);
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stdout.contains("~ record") && plan.stdout.contains("delete-role-policy"), "{}", plan.stdout);
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).stdout, format!("wandb-{}: in sync\n", rig.suffix));
}

fn nothing_there_at_all_is_said(backend: Backend) {
    let rig = planned(backend);
    let drift = rig.run(&["aws", "drift"]);
    assert_eq!(drift.code, 2);
    assert!(drift.stdout.contains("not applied, or gone"), "{}", drift.stdout);
}

fn drift_report_formats(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(&format!("{NAMES}sqs.set_queue_attributes(QueueUrl=u, Attributes={{'VisibilityTimeout': '7'}})"));
    let report = |format: &str| {
        let ran = rig.run(&["aws", "drift", "--format", format]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        ran.stdout
    };
    let row = "| `aws.queue` | attributes.visibility_timeout_s: 7 -> 30 | drift: the cloud was changed |";
    assert!(report("markdown").contains(row), "{}", report("markdown"));
    let junit = report("junit");
    assert!(junit.contains("tests=\"5\"") && junit.contains("failures=\"1\""), "{junit}");
    let sarif: serde_json::Value = serde_json::from_str(&report("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "drift");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 9);
}

//! What others have on AWS that the service takes no more, or that keeps ours out: said at plan by name, and the rest goes on.

use provision_sandbox::fault::{Nth, When};
use provision_tests::answers::s3;
use provision_tests::stage::Stage;

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{AWS, fault, wrote_nothing};

/// A bucket of others whose policy lets a role in that is deleted later.
const ROLE: &str = "
role = iam.create_role(RoleName='them', AssumeRolePolicyDocument=document([{'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]))['Role']
s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'theirs', 'Effect': 'Allow', 'Principal': {'AWS': role['Arn']}, 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))
";

fn adopted() -> Stage {
    let stage = AWS.planned();
    boto(&stage.hand(), &format!("make(b); sqs.create_queue(QueueName=q){ROLE}"));
    AWS.change(&stage, AWS.plans.adopting);
    stage
}

#[test]
fn deleted_principal_is_named_at_plan() {
    let stage = adopted();
    boto(&stage.hand(), "iam.delete_role(RoleName='them')");
    stage.faults().clear();
    let plan = AWS.ends(&stage, 6, &["plan"]);
    assert!(plan.contains("statement `theirs`") && plan.contains("was deleted"), "{plan}");
    AWS.ends(&stage, 6, &["apply", "--yes"]);
    wrote_nothing(&stage);
}

#[test]
fn destroy_goes_on_with_the_rest_beside_a_deleted_principal() {
    let stage = adopted();
    AWS.apply(&stage);
    boto(&stage.hand(), "iam.delete_role(RoleName='them')");
    let destroyed = AWS.ends(&stage, 5, &["destroy", "--yes"]);
    assert!(destroyed.contains("was deleted") && destroyed.contains("remove or correct that statement"), "{destroyed}");
    let left = (AWS.ours)(&stage.hand());
    // No mark goes before everything that the marks tell of is gone.
    assert_eq!(left, ["bucket acme-{s}", "queue acme-{s}-events", "statement of the bucket"]);
    boto(
        &stage.hand(),
        "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one['Sid'] != 'theirs']))",
    );
    AWS.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
}

/// To block public access would make S3 refuse every policy with a statement for everybody.
#[test]
fn private_is_refused_beside_a_public_statement() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "make(b); sqs.create_queue(QueueName=q); s3.delete_public_access_block(Bucket=b)
s3.put_bucket_policy(Bucket=b, Policy=document([{'Sid': 'web', 'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
    );
    AWS.change(&stage, AWS.plans.adopting);
    stage.faults().clear();
    let plan = AWS.ends(&stage, 6, &["plan"]);
    assert!(plan.contains("statement `web`") && plan.contains("lets everybody in"), "{plan}");
    AWS.ends(&stage, 6, &["apply", "--yes"]);
    wrote_nothing(&stage);
    stage.write("provision.toml", &AWS.plan_with(AWS.plans.adopting).replace("private = true\n", ""));
    AWS.apply(&stage);
}

/// Whoever opened the queue to everybody is told so at each look, with what takes it out.
#[test]
fn queue_that_others_opened_to_everybody_is_warned_about() {
    let stage = AWS.applied();
    let opened = "arn = sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['QueueArn'])['Attributes']['QueueArn']
attribute(Policy=document(of_queue() + [{'Sid': 'Open', 'Effect': 'Allow', 'Principal': '*', 'Action': 'sqs:*', 'Resource': arn}]))";
    boto(&stage.hand(), opened);
    for command in ["plan", "verify"] {
        let printed = AWS.ends(&stage, 0, &[command]);
        for said in
            ["statement `Open` of its policy", "lets anyone sqs:*", "aws sqs remove-permission", "--label 'Open'"]
        {
            assert!(printed.contains(said), "{command}: {said}: {printed}");
        }
    }
    boto(&stage.hand(), "attribute(Policy=document([one for one in of_queue() if one['Sid'] != 'Open']))");
    assert!(!AWS.ends(&stage, 0, &["plan"]).contains("open to everybody"));
}

/// Whoever opened the bucket to everybody is told so at each look, unless public access is blocked. One of ours is not left so.
#[test]
fn adopted_bucket_that_is_open_to_everybody_is_warned_about() {
    const OPENED: &str = "s3.delete_public_access_block(Bucket=b)
s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'web', 'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))";
    let stage = AWS.planned();
    boto(&stage.hand(), &format!("make(b); sqs.create_queue(QueueName=q)\n{OPENED}"));
    stage.write("provision.toml", &AWS.plan_with(AWS.plans.adopting).replace("private = true\n", ""));
    let says = "bucket `acme-{s}` is open to everybody, unless the account blocks public access: statement `web` of its policy, \
                which this deployment did not write, lets anyone s3:GetObject; `aws s3api put-bucket-policy` writes";
    assert!(tells(&stage, &["plan"], says));
    AWS.apply(&stage);
    let looks: [&[&str]; 2] = [&["plan"], &["verify", "--read-only"]];
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [true; 2]);
    boto(
        &stage.hand(),
        "s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={'RestrictPublicBuckets': True})",
    );
    assert_eq!(looks.map(|look| tells(&stage, look, "open to everybody")), [false; 2]);
    let stage = AWS.applied();
    boto(&stage.hand(), OPENED);
    assert_eq!(looks.map(|look| tells(&stage, look, "open to everybody")), [false; 2]);
}

/// S3 sends events to queues of the bucket's own region alone: that is told before anything is made.
#[test]
fn adopted_bucket_of_another_region_is_told_at_once() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "sqs.create_queue(QueueName=q)
client('s3', 'eu-central-1').create_bucket(Bucket=b, CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})",
    );
    AWS.change(&stage, AWS.plans.adopting);
    stage.faults().clear();
    let says = "the bucket is in eu-central-1, and its events go to a queue of that region alone: write `region = \"eu-central-1\"`";
    for look in [&["plan"][..], &["apply", "--yes"], &["verify"]] {
        assert!(tells(&stage, look, says), "{look:?}");
    }
    wrote_nothing(&stage);
}

/// Whether a look says this, however it ends.
fn tells(stage: &Stage, look: &[&str], says: &str) -> bool {
    let ran = AWS.run(stage, look);
    format!("{}{}", ran.stdout, ran.stderr).contains(says)
}

/// A function of others that is gone holds up neither our entry nor its removal.
#[test]
fn dead_function_of_others_holds_nothing_up() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "make(b); sqs.create_queue(QueueName=q)
notify({'LambdaFunctionConfigurations': [{'Id': 'old', 'LambdaFunctionArn': 'arn:aws:lambda:us-east-1:{a}:function:gone', 'Events': ['s3:ObjectRemoved:*']}]})",
    );
    AWS.change(&stage, AWS.plans.adopting);
    AWS.apply(&stage);
    AWS.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
    assert_eq!(
        python(&stage.hand(), "print([one['Id'] for one in notifications()['LambdaFunctionConfigurations']])"),
        "['old']"
    );
}

/// Without the key in the plan file the server gets no rights on it.
#[test]
fn key_that_the_plan_file_does_not_name_is_warned_about() {
    const KEY: &str = "arn:aws:kms:eu-west-1:{a}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let stage = AWS.planned();
    boto(&stage.hand(), &format!("make(b); encrypt('aws:kms', KMSMasterKeyID='{KEY}'); sqs.create_queue(QueueName=q)"));
    AWS.change(&stage, AWS.plans.adopting);
    assert!(AWS.ends(&stage, 0, &["plan"]).contains(&format!("encrypted with {KEY}")));
    let named = format!("private = true\nencryption = {{ kms_key = \"{KEY}\" }}\n");
    stage.write("provision.toml", &AWS.plan_with(AWS.plans.adopting).replace("private = true\n", &named));
    assert!(!AWS.ends(&stage, 0, &["plan"]).contains("gets no rights"));
}

/// Keys with what XML cannot write are deleted one by one.
#[test]
fn keys_with_control_characters_are_emptied() {
    let stage = AWS.applied();
    boto(
        &stage.hand(),
        "version()
for key in ['a\\x01b', 'plain', 'a+b c%41', '\\x01']: s3.put_object(Bucket=b, Key=key, Body=b'')
s3.delete_object(Bucket=b, Key='a\\x01b')",
    );
    AWS.succeed(&stage, &["destroy", "--yes", "--delete-data", AWS.bucket]);
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
}

#[test]
fn denial_is_told_in_the_services_own_words() {
    let stage = AWS.applied();
    let message = "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:GetBucketCORS on resource: \"b\" with an explicit deny in a service control policy";
    fault(&stage, "s3:GetBucketCors", Nth::Every, s3(403, "AccessDenied", message));
    let drift = AWS.ends(&stage, 1, &["drift"]);
    assert!(drift.contains("of the organization") && !drift.contains("grant `s3:GetBucketCORS`"), "{drift}");
}

/// What several facets are read from is one read.
#[test]
fn policy_that_may_not_be_read_is_told_once() {
    let stage = AWS.applied();
    let message = "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:GetBucketPolicy on resource: \"b\"";
    fault(&stage, "s3:GetBucketPolicy", Nth::Every, s3(403, "AccessDenied", message));
    let drift = AWS.ends(&stage, 1, &["drift"]);
    assert_eq!(drift.matches("error: ").count(), 1, "{drift}");
}

/// Whoever denies everybody the queue silences the server: the statement is named, and apply does not pretend to mend it.
#[test]
fn statement_that_silences_the_queue_is_never_in_sync() {
    let stage = AWS.applied();
    boto(
        &stage.hand(),
        "attribute(Policy=document(of_queue() + [{'Sid': 'closed', 'Effect': 'Deny', 'Principal': '*', 'Action': 'sqs:Send*', 'Resource': '*'}]))",
    );
    is_told_and_not_mended(&stage, "no event gets into queue `acme-{s}-events`: statement `closed`");
}

/// The same for its files, whether all are denied or the server alone.
#[test]
fn statement_that_silences_the_bucket_is_never_in_sync() {
    for principal in ["'*'", "{'AWS': iam.get_role(RoleName='node')['Role']['Arn']}"] {
        let stage = AWS.applied();
        let closed = format!(
            "s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{{'Sid': 'closed', 'Effect': 'Deny', 'Principal': {principal}, 'Action': 's3:Put*', 'Resource': 'arn:aws:s3:::' + b + '/*'}}]))"
        );
        boto(&stage.hand(), &closed);
        is_told_and_not_mended(&stage, "the server may not use bucket `acme-{s}`: statement `closed`");
        boto(
            &stage.hand(),
            "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one['Sid'] != 'closed']))",
        );
        AWS.is_in_sync(&stage);
    }
}

/// Drift, in every form of the report; apply writes nothing, and names the statement.
fn is_told_and_not_mended(stage: &Stage, says: &str) {
    let drift = AWS.ends(stage, 2, &["drift"]);
    assert!(drift.contains(says) && drift.contains("_denied_by"), "{drift}");
    assert!(drift.contains("apply cannot mend it: remove statement `closed` of the policy of"), "{drift}");
    let junit = AWS.ends(stage, 2, &["drift", "--format", "junit"]);
    assert!(junit.contains("<failure") && !junit.contains("<error"), "{junit}");
    stage.faults().clear();
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let ran = AWS.ends(stage, 6, command);
        assert!(ran.contains(says), "{ran}");
    }
    wrote_nothing(stage);
}

/// SQS answers 200 for a queue that is there with the same attributes, and ignores the tags: one that somebody makes between our look
/// and our call is not ours.
#[test]
fn queue_of_others_that_appears_right_before_ours_is_not_taken() {
    let stage = AWS.planned();
    stage.hook("sqs:GetQueueUrl", 2, When::After, |hand| {
        boto(
            hand,
            "sqs.create_queue(QueueName='acme-{s}-runs', tags={'team': 'theirs'}, Attributes={'ReceiveMessageWaitTimeSeconds': '10', 'VisibilityTimeout': '30', 'MessageRetentionPeriod': '345600', 'SqsManagedSseEnabled': 'true'})",
        );
    });
    let ran = AWS.run(&stage, &["apply", "--yes"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!([3, 5].contains(&ran.code) && said.contains("somebody else may have made it"), "{} {said}", ran.code);
    let theirs = || python(&stage.hand(), "print(sqs.list_queue_tags(QueueUrl=u('acme-{s}-runs'))['Tags'])");
    assert_eq!(theirs(), "{'team': 'theirs'}");
    let plan = AWS.ends(&stage, 6, &["plan"]);
    assert!(plan.contains("adopt = true"), "{plan}");
    AWS.ends(&stage, 6, &["destroy", "--yes"]);
    AWS.change(&stage, &[("-runs\"\n", "-runs\"\nadopt = true\n")]);
    AWS.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(theirs(), "{'team': 'theirs'}");
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
}

/// On a queue that was adopted others' settings are warned about.
#[test]
fn what_silences_an_adopted_queue_is_warned_about() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "make(b); sqs.create_queue(QueueName=q, Attributes={'MaximumMessageSize': '1024'})
s3.put_bucket_policy(Bucket=b, Policy=document([{'Sid': 'closed', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:Get*', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
    );
    AWS.change(&stage, AWS.plans.adopting);
    let says = [
        "events may not get through queue `acme-{s}-events`: max_message_bytes 1024",
        "the server may not use bucket `acme-{s}`: statement `closed` of its policy denies it",
    ];
    let is_told = |look: &[&str]| says.iter().all(|says| tells(&stage, look, says));
    assert!(is_told(&["plan"]));
    AWS.apply(&stage);
    assert!(is_told(&["plan"]) && is_told(&["verify", "--read-only"]));
}

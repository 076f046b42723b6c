//! A bucket for a server of another account: what AWS itself makes of the statement that lets it in.

use provision_sandbox::aws::answers::s3;
use provision_sandbox::fault::Nth;
use provision_tests::stage::Stage;

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{AWS, fault};
use crate::messages::{screen, sort_progress};

/// What another account's server may do: upload, download, list, and not change the bucket.
const TRIED: &str = "
other = boto3.client('s3', region_name='eu-west-1', endpoint_url=s3.meta.endpoint_url, aws_access_key_id='111122223333', aws_secret_access_key='x')
def tried(call):
    try: call()
    except Exception as error: return error.response['Error']['Code']
    return 'done'
print(tried(lambda: other.put_object(Bucket=b, Key='k', Body=b'x')), tried(lambda: other.get_object(Bucket=b, Key='k')),
  tried(lambda: other.list_objects_v2(Bucket=b)), tried(lambda: other.delete_bucket_cors(Bucket=b)))
";

fn applied(plan: &str) -> Stage {
    let stage = AWS.planned();
    stage.write("provision.toml", plan);
    AWS.apply(&stage);
    stage
}

/// All public access is blocked all the while: a policy for named accounts is not public.
#[test]
fn server_of_another_account_uses_the_bucket_as_long_as_it_is_let_in() {
    let stage = applied(AWS.byob.plan);
    assert_eq!(python(&stage.hand(), TRIED), "done done done AccessDenied");
    let (section, _) = AWS.byob.without;
    stage.write("provision.toml", &AWS.byob.plan.replace(section, ""));
    AWS.apply(&stage);
    assert_eq!(python(&stage.hand(), TRIED), "AccessDenied AccessDenied AccessDenied AccessDenied");
}

/// Ours names a role that was deleted: nothing of ours waits for that.
#[test]
fn principal_that_was_deleted_is_drift_and_holds_up_no_destroy() {
    let stage = AWS.planned();
    boto(&stage.hand(), "make(b)");
    let role = "arn:aws:iam::{a}:role/reports";
    boto(
        &stage.hand(),
        "iam.create_role(RoleName='reports', AssumeRolePolicyDocument=document([{'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]))",
    );
    let adopted = AWS.byob.plan.replace("\"acme-{s}\"\n", "\"acme-{s}\"\nadopt = true\nprivate = true\n");
    stage.write("provision.toml", &adopted.replace("arn:aws:iam::444455556666:role/reports", role));
    AWS.apply(&stage);
    AWS.is_in_sync(&stage);
    boto(&stage.hand(), "iam.delete_role(RoleName='reports')");
    let drift = AWS.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("principals.Principal.AWS") && drift.contains("AROA"), "{drift}");
    AWS.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(python(&stage.hand(), "print(statements())"), "[]");
}

/// S3 knows who exists, and says no more than that somebody does not.
#[test]
fn principal_that_does_not_exist_is_told_with_the_plan_file_s_key() {
    let stage = AWS.planned();
    stage.write("provision.toml", AWS.byob.plan);
    fault(&stage, "s3:PutBucketPolicy", Nth::Every, s3(400, "MalformedPolicy", "Invalid principal in policy"));
    let failed = AWS.ends(&stage, 5, &["apply", "--yes"]);
    assert!(failed.contains("check `principals` under [aws.access]"), "{failed}");
}

/// A key's policy is never written: what it needs is printed.
#[test]
fn plan_and_apply_of_a_bucket_for_others_are_shown() {
    let stage = AWS.planned();
    let key = "encryption = { kms_key = \"arn:aws:kms:eu-west-1:{a}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\" }\n[aws.queue]";
    stage.write("provision.toml", &AWS.byob.plan.replace("[aws.queue]", key));
    screen("byob_plan", &stage, &AWS.run(&stage, &["plan"]));
    let mut applied = AWS.run(&stage, &["apply", "--yes"]);
    sort_progress(&mut applied);
    screen("byob_apply", &stage, &applied);
    let exchanged = AWS.byob.exchanged;
    stage.write("provision.toml", &AWS.byob.plan.replace("[aws.queue]", key).replace(exchanged.old, exchanged.new));
    screen("byob_exchanged", &stage, &AWS.run(&stage, &["plan"]));
}

/// Each where it stands, before anything is sent.
#[test]
fn principals_that_let_in_more_than_is_named_are_refused() {
    let stage = AWS.planned();
    stage.faults().clear();
    for (old, new) in [("444455556666:role/reports", "444455556666:role/*"), ("\"111122223333\"", "\"*\"")] {
        stage.write("provision.toml", &AWS.byob.plan.replace(old, new));
        let refused = AWS.ends(&stage, 64, &["plan"]);
        assert!(refused.contains("invalid principal") && refused.contains("provision.toml:12"), "{refused}");
    }
    assert!(stage.faults().records().is_empty());
}

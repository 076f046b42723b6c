//! Whose keys are let in: beside an identity with rights of its own only those that somebody made.

use super::{boto3, sandbox};

const STRANGER: &str = "
def as_(name, key, secret='any', **more):
    return client(name, aws_access_key_id=key, aws_secret_access_key=secret, **more)
def stranger(name, **more): return as_(name, 'AKIAIOSFODNN7EXAMPLE', **more)
";

const CALLS: &str = "
print(code(stranger('s3').list_buckets), code(stranger('sqs').list_queues), code(stranger('sts').get_caller_identity),
    code(stranger('iam').list_roles), code(stranger('resourcegroupstaggingapi').get_resources))
";

/// Without an identity everybody is an administrator of the account that was seeded.
#[test]
fn key_that_nobody_made_is_refused_beside_an_identity() {
    let sandbox = sandbox();
    assert_eq!(boto3(&sandbox, &format!("{STRANGER}{CALLS}")), ["OK OK OK OK OK"]);
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}"#;
    sandbox.attach(policy).unwrap();
    let script = "
def said(call, **more):
    try: call(**more)
    except ClientError as error: return error.response
answer = said(stranger('s3').list_buckets)
print(answer['Error']['Message'], answer['Error']['AWSAccessKeyId'], answer['ResponseMetadata']['HTTPStatusCode'])
answer = said(stranger('sqs').list_queues)
print(answer['Error']['Message'], answer['ResponseMetadata']['HTTPStatusCode'])
for version in ['s3v4', 's3']:
    signer = stranger('s3', config=Config(signature_version=version))
    try: urllib.request.urlopen(signer.generate_presigned_url('get_object', Params={'Bucket': 'mine', 'Key': 'k'}))
    except urllib.error.HTTPError as error: print(error.code, '<Code>InvalidAccessKeyId</Code>' in error.read().decode())
print(code(s3.list_buckets), code(s3.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE))
account = as_('s3', '123456789012', os.environ['AWS_SECRET_ACCESS_KEY'])
print(code(account.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE), code(as_('s3', '123456789012').list_buckets))
";
    let printed = boto3(&sandbox, &format!("{STRANGER}{CALLS}{script}"));
    let expected = [
        "InvalidAccessKeyId InvalidClientTokenId InvalidClientTokenId InvalidClientTokenId UnrecognizedClientException",
        "The AWS Access Key Id you provided does not exist in our records. AKIAIOSFODNN7EXAMPLE 403",
        "The security token included in the request is invalid. 403",
        "403 True",
        "403 True",
        "OK AccessDenied",
        "OK SignatureDoesNotMatch",
    ];
    assert_eq!(printed, expected);
}

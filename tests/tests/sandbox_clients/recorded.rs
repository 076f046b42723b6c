//! What the real services were seen to answer, of what set-ups like ours and clients like boto3 ask: status, code, and what is
//! named beside the message. Most was recorded by `LocalStack` (`tests/aws/services/**/*.snapshot.json`, 2024 to 2026).

use super::{boto3, sandbox};

const WORDS: &str = "
import re, socket
resolve = socket.getaddrinfo
# One client puts the account before the host; not every machine knows the names below `localhost`.
socket.getaddrinfo = lambda host, *more, **others: resolve('127.0.0.1', *more, **others)
def said(call, **more):
    try: call(**more)
    except ClientError as error:
        found, status = error.response['Error'], error.response['ResponseMetadata']['HTTPStatusCode']
        rest = [key for key in found if key not in ['Code', 'Message', 'SandboxReason', 'Type', 'QueryErrorCode', 'Detail']]
        return ' '.join([str(status), found['Code'], *[f'{key}={found[key]}' for key in sorted(rest)]])
    return 'OK'
def told_policy(action, resource):
    statement = {'Effect': 'Deny', 'Principal': '*', 'Action': action, 'Resource': resource}
    try: s3.put_bucket_policy(Bucket='mine', Policy=json.dumps({'Version': '2012-10-17', 'Statement': statement}))
    except ClientError as error: return error.response['Error']['Code'] + ' ' + error.response['Error']['Message']
    return 'OK'
def raw(method, path, body='', region='eu-west-1', **headers):
    signed = f'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=x'
    headers = {'authorization': signed, **{name.replace('_', '-'): value for name, value in headers.items()}}
    request = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + path, data=body.encode() or None, method=method, headers=headers)
    try: status, text = 200, urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error: status, text = error.code, error.read().decode()
    found = lambda name: ''.join(re.findall(f'<{name}>(.*?)</{name}>', text))
    return ' '.join(filter(None, [str(status), found('Code'), found('Method'), found('ResourceType')]))
def create(region, constraint=None, tags=None, name='more'):
    more = {**({'LocationConstraint': constraint} if constraint else {}), **({'Tags': tags} if tags else {})}
    return said(client('s3', region_name=region).create_bucket, Bucket=name, **({'CreateBucketConfiguration': more} if more else {}))
tag = lambda key, value='v': {'Key': key, 'Value': value}
s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
";

/// Each line of a script, and what it prints.
fn recorded(rows: &[(&str, &str)]) {
    let script: String = rows.iter().map(|(asked, _)| format!("print({asked})\n")).collect();
    let printed = boto3(&sandbox(), &format!("{WORDS}{script}"));
    assert_eq!(printed.len(), rows.len(), "{printed:?}");
    for ((asked, expected), found) in rows.iter().zip(&printed) {
        assert_eq!(found, expected, "{asked}");
    }
}

#[test]
fn buckets_are_made_as_recorded() {
    recorded(&[
        ("s3.create_bucket(Bucket='new', CreateBucketConfiguration=HERE)['BucketArn']", "arn:aws:s3:::new"),
        ("s3.head_bucket(Bucket='new')['BucketArn']", "arn:aws:s3:::new"),
        ("create('us-east-1', 'us-east-1')", "400 InvalidLocationConstraint LocationConstraint=us-east-1"),
        ("create('us-east-1', 'foo')", "400 InvalidLocationConstraint LocationConstraint=foo"),
        ("create('us-west-1', 'us-east-1')", "400 IllegalLocationConstraintException"),
        ("create('us-east-2')", "400 IllegalLocationConstraintException"),
        ("create('eu-west-1', 'EU', name='old')", "OK"),
        ("s3.get_bucket_location(Bucket='old')['LocationConstraint']", "EU"),
        ("create('us-east-1', name='east')", "OK"),
        ("create('us-east-1', name='east')", "OK"),
        ("create('us-east-1', tags=[tag('a')], name='east')", "409 BucketAlreadyOwnedByYou BucketName=east"),
        ("create('us-east-1', tags=[tag('a'), tag('a')])", "500 InternalError"),
        ("create('us-east-1', tags=[tag('aws:a')])", "400 InvalidTag"),
        ("create('us-east-1', tags=[tag('a', 'v,w')])", "400 InvalidTag TagKey=a TagValue=v,w"),
        (
            "raw('PUT', '/more', '<CreateBucketConfiguration><Tags><Tag><Key>k</Key></Tag></Tags></CreateBucketConfiguration>', 'us-east-1')",
            "400 MalformedXML",
        ),
        ("said(s3.get_bucket_cors, Bucket='none')", "404 NoSuchBucket BucketName=none"),
        ("said(s3.get_bucket_tagging, Bucket='mine')", "404 NoSuchTagSet BucketName=mine"),
        ("raw('GET', '/mine?cors', x_amz_expected_bucket_owner='invalid')", "400 InvalidBucketOwnerAWSAccountID"),
        ("raw('GET', '/mine?cors', x_amz_expected_bucket_owner='000000000002')", "403 AccessDenied"),
    ]);
}

#[test]
fn settings_are_taken_as_recorded() {
    recorded(&[
        (
            "raw('PUT', '/mine?versioning', '<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>')",
            "400 MalformedXML",
        ),
        (
            "raw('PUT', '/mine?versioning', '<VersioningConfiguration><Status>Disabled</Status></VersioningConfiguration>')",
            "400 MalformedXML",
        ),
        ("raw('PUT', '/mine?versioning', '<VersioningConfiguration/>')", "400 IllegalVersioningConfigurationException"),
        (
            "said(s3.put_bucket_versioning, Bucket='mine', VersioningConfiguration={'Status': 'Suspended', 'MFADelete': 'Disabled'})",
            "OK",
        ),
        (
            "s3.get_bucket_encryption(Bucket='mine')['ServerSideEncryptionConfiguration']['Rules'][0]['BlockedEncryptionTypes']",
            "{'EncryptionType': ['SSE-C']}",
        ),
        (
            "raw('PUT', '/mine?tagging', '<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>')",
            "400 MalformedXML",
        ),
        (
            "said(s3.put_bucket_tagging, Bucket='mine', Tagging={'TagSet': [tag('a'), tag('a')]})",
            "400 InvalidTag TagKey=a",
        ),
        (
            "said(s3.put_bucket_tagging, Bucket='mine', Tagging={'TagSet': [tag('aws:a')]})",
            "400 InvalidTag TagKey=aws:a",
        ),
        ("said(s3.put_bucket_policy, Bucket='mine', Policy='random string')", "400 MalformedPolicy"),
        ("said(s3.put_bucket_policy, Bucket='mine', Policy='{}')", "400 MalformedPolicy"),
        ("told_policy('s3:PutObject', 'arn:aws:s3:::*/*')", "MalformedPolicy Policy has invalid resource"),
        ("told_policy('s3:GetEverything', 'arn:aws:s3:::mine/*')", "MalformedPolicy Policy has invalid action"),
        ("raw('OPTIONS', '/none/k', origin='https://a')", "403 AccessForbidden OPTIONS BUCKET"),
        ("raw('OPTIONS', '/mine/k')", "400 BadRequest"),
        ("raw('OPTIONS', '/mine/k', origin='https://a')", "403 AccessForbidden OPTIONS BUCKET"),
        (
            "raw('OPTIONS', '/mine/k', origin='https://a', access_control_request_method='PUT')",
            "403 AccessForbidden PUT BUCKET",
        ),
        ("raw('PUT', '/mine?logging', '<x/>')", "501 NotImplemented"),
        (
            "raw('PUT', '/mine?versioning', '<VersioningConfiguration><Colour/></VersioningConfiguration>')",
            "501 NotImplemented",
        ),
    ]);
}

#[test]
fn notifications_are_validated_as_recorded() {
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:none";
    let notify = |entry: &str, more: &str| {
        format!(
            "said(s3.put_bucket_notification_configuration, Bucket='mine', NotificationConfiguration={entry}{more})"
        )
    };
    let queues = |arns: &[&str]| {
        let entries: Vec<_> = arns
            .iter()
            .enumerate()
            .map(|(number, arn)| {
                format!("{{'QueueArn': '{arn}', 'Events': ['s3:ObjectCreated:*'], 'Filter': {{'Key': {{'FilterRules': [{{'Name': 'prefix', 'Value': '{number}'}}]}}}}}}")
            })
            .collect();
        format!("{{'QueueConfigurations': [{}]}}", entries.join(", "))
    };
    let skip = ", SkipDestinationValidation=True";
    let no_arn = "400 InvalidArgument ArgumentName=Queue ArgumentValue=invalid-queue";
    let gone = "ArgumentValue1=The destination queue does not exist";
    let elsewhere = "{'LambdaFunctionConfigurations': [{'LambdaFunctionArn': 'arn:aws:lambda:us-east-1:1:function:f', 'Events': ['s3:ObjectTagging:*']}]}";
    let rows = [
        (notify(&queues(&["invalid-queue"]), ""), no_arn.to_owned()),
        (notify(&queues(&["invalid-queue"]), skip), no_arn.to_owned()),
        (notify(&queues(&[QUEUE]), ""), format!("400 InvalidArgument ArgumentName1={QUEUE} {gone}")),
        (
            notify(&queues(&[QUEUE, &format!("{QUEUE}-2")]), ""),
            format!("400 InvalidArgument ArgumentName1={QUEUE} ArgumentName2={QUEUE}-2 {gone} {}", gone.replace('1', "2")),
        ),
        (notify(&queues(&[QUEUE]), skip), "OK".to_owned()),
        (
            notify(elsewhere, ""),
            "400 InvalidArgument ArgumentName1=arn:aws:lambda:us-east-1:1:function:f ArgumentValue1=Not authorized to invoke function".to_owned(),
        ),
        (notify(elsewhere, skip), "OK".to_owned()),
        (
            "raw('PUT', '/mine?notification', '<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:e:1:q</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>')".to_owned(),
            "400 MalformedXML".to_owned(),
        ),
        (
            notify(&format!("{{'QueueConfigurations': [{{'QueueArn': '{QUEUE}', 'Events': ['s3:ObjectAcl:Put', 's3:Replication:*', 's3:LifecycleTransition', 's3:IntelligentTiering']}}]}}"), skip),
            "OK".to_owned(),
        ),
    ];
    let rows: Vec<_> = rows.iter().map(|(asked, said)| (asked.as_str(), said.as_str())).collect();
    recorded(&rows);
}

#[test]
fn objects_are_written_read_and_deleted_as_recorded() {
    recorded(&[
        ("s3.put_object(Bucket='mine', Key='empty', Body=b'')['ETag']", "\"d41d8cd98f00b204e9800998ecf8427e\""),
        ("s3.head_object(Bucket='mine', Key='empty')['ContentLength']", "0"),
        ("said(s3.put_object, Bucket='mine', Key='empty', IfMatch='*')", "501 NotImplemented Header=If-Match"),
        (
            "said(s3.delete_object, Bucket='mine', Key='empty', IfMatch='wrong')",
            "412 PreconditionFailed Condition=If-Match",
        ),
        ("s3.head_object(Bucket='mine', Key='empty')['ContentLength']", "0"),
        ("said(s3.get_object, Bucket='mine', Key='none')", "404 NoSuchKey Key=none"),
        ("s3.list_objects_v2(Bucket='mine', MaxKeys=0)['IsTruncated']", "False"),
        (
            "s3.delete_objects(Bucket='mine', Delete={'Objects': [{'Key': 'empty', 'VersionId': 'HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD'}]})['Errors'][0]['Code']",
            "NoSuchVersion",
        ),
        (
            "s3.delete_objects(Bucket='mine', Delete={'Objects': [{'Key': 'empty', 'ETag': 'x'}]})['Errors'][0]['Code']",
            "PreconditionFailed",
        ),
        ("s3.list_object_versions(Bucket='mine')['Versions'][0]['ChecksumType']", "FULL_OBJECT"),
        ("said(s3.put_bucket_versioning, Bucket='mine', VersioningConfiguration={'Status': 'Suspended'})", "OK"),
        ("s3.put_object(Bucket='mine', Key='k', Body=b'x').get('VersionId')", "None"),
        (
            "said(s3.abort_multipart_upload, Bucket='mine', Key='k', UploadId='fakeid')",
            "404 NoSuchUpload UploadId=fakeid",
        ),
        ("(upload := s3.create_multipart_upload(Bucket='mine', Key='p', ChecksumAlgorithm='SHA256')) and ''", ""),
        ("[upload['ChecksumAlgorithm'], upload['ServerSideEncryption']]", "['SHA256', 'AES256']"),
        (
            "said(s3.complete_multipart_upload, Bucket='mine', Key='p', UploadId=upload['UploadId'], MultipartUpload={'Parts': []})",
            "400 InvalidRequest",
        ),
        (
            "(part := s3.upload_part(Bucket='mine', Key='p', UploadId=upload['UploadId'], PartNumber=1, Body=b'x')['ETag']) and ''",
            "",
        ),
        (
            "(whole := {'Bucket': 'mine', 'Key': 'p', 'UploadId': upload['UploadId'], 'MultipartUpload': {'Parts': [{'PartNumber': 1, 'ETag': part}]}}) and ''",
            "",
        ),
        ("s3.complete_multipart_upload(**whole)['ETag'] == s3.complete_multipart_upload(**whole)['ETag']", "True"),
        ("s3.head_object(Bucket='mine', Key='p', PartNumber=1)['PartsCount']", "1"),
        ("s3.copy_object(Bucket='mine', Key='copy', CopySource='mine/p')['ServerSideEncryption']", "AES256"),
    ]);
}

#[test]
fn queues_and_tags_answer_as_recorded() {
    let control = |arn: &str, tags: &str| {
        format!(
            "said(client('s3control').tag_resource, AccountId='123456789012', ResourceArn='arn:aws:s3:::{arn}', Tags=[{tags}])"
        )
    };
    let rows = [
        ("said(sqs.get_queue_url, QueueName='none').split(' ')[1]".to_owned(), "AWS.SimpleQueueService.NonExistentQueue"),
        ("said(sqs.create_queue, QueueName='q')".to_owned(), "OK"),
        (
            "said(sqs.create_queue, QueueName='q', Attributes={'DelaySeconds': '5'}).split(' ')[1]".to_owned(),
            "QueueAlreadyExists",
        ),
        (
            "said(sqs.set_queue_attributes, QueueUrl=sqs.get_queue_url(QueueName='q')['QueueUrl'], Attributes={'KmsMasterKeyId': 'k', 'SqsManagedSseEnabled': 'true'})".to_owned(),
            "400 InvalidAttributeName",
        ),
        (
            "said(sqs.set_queue_attributes, QueueUrl=sqs.get_queue_url(QueueName='q')['QueueUrl'], Attributes={'FifoQueue': 'true'})".to_owned(),
            "400 InvalidAttributeName",
        ),
        (control("none", "tag('a')"), "404 NoSuchResource"),
        (control("mine", "tag('aws:a')"), "400 InvalidTag"),
        (control("mine", "tag('a'), tag('a')"), "400 InvalidTag"),
        (control("mine", "tag('a')"), "OK"),
    ];
    let rows: Vec<_> = rows.iter().map(|(asked, said)| (asked.as_str(), *said)).collect();
    recorded(&rows);
}

/// Who was deleted is shown by an id that no policy with it is taken again; a role that is there can be named.
#[test]
fn principal_that_was_deleted_is_shown_by_its_id_and_not_taken_again() {
    let printed = boto3(
        &sandbox(),
        &format!(
            "{WORDS}
role = iam.create_role(RoleName='them', AssumeRolePolicyDocument='{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Allow\", \"Principal\": {{\"Service\": \"ec2.amazonaws.com\"}}, \"Action\": \"sts:AssumeRole\"}}]}}')['Role']
def write(*who):
    statements = [{{'Effect': 'Allow', 'Principal': {{'AWS': one}}, 'Action': 's3:GetObject', 'Resource': 'arn:aws:s3:::mine/*'}} for one in who]
    return said(s3.put_bucket_policy, Bucket='mine', Policy=json.dumps({{'Version': '2012-10-17', 'Statement': statements}}))
def principals(): return [one['Principal']['AWS'] for one in json.loads(s3.get_bucket_policy(Bucket='mine')['Policy'])['Statement']]
print(write(role['Arn'], '123456789012'), principals())
iam.delete_role(RoleName='them')
print(principals()[0] == role['RoleId'], write(*principals()))"
        ),
    );
    let roots = "OK ['arn:aws:iam::123456789012:role/them', 'arn:aws:iam::123456789012:root']";
    assert_eq!(printed, [roots, "True 400 MalformedPolicy"]);
}

/// What is new is seen late, and what is gone is shown still, each as long as it is told.
#[test]
fn new_things_are_seen_late_and_gone_ones_still() {
    let sandbox = sandbox();
    let late = std::time::Duration::from_secs(30);
    for name in ["s3.bucket", "sqs.queue", "sqs.gone", "tags.gone"] {
        sandbox.faults().set_propagation(name, late);
    }
    let look = "
url = os.environ['AWS_ENDPOINT_URL'] + '/123456789012/q'
def listed(): return len(client('resourcegroupstaggingapi').get_resources()['ResourceTagMappingList'])
def look(): print(said(s3.get_bucket_cors, Bucket='new')[4:16], said(sqs.get_queue_attributes, QueueUrl=url)[:4].strip(), listed())
";
    let words = WORDS.replace("s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)\n", "");
    let script = |more: &str| boto3(&sandbox, &format!("{words}{look}{more}"));
    let make = "s3.create_bucket(Bucket='new', CreateBucketConfiguration={**HERE, 'Tags': [tag('a')]}); sqs.create_queue(QueueName='q', tags={'a': 'b'}); look()";
    assert_eq!(script(make), ["NoSuchBucket 400 2"]);
    sandbox.world().clock.advance(late);
    assert_eq!(script("look()"), ["NoSuchCORSCo OK 2"]);
    assert_eq!(script("s3.delete_bucket(Bucket='new'); sqs.delete_queue(QueueUrl=url); look()"), ["NoSuchBucket OK 2"]);
    sandbox.world().clock.advance(late);
    assert_eq!(script("look()"), ["NoSuchBucket 400 0"]);
}

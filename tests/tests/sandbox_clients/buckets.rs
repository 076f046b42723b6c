//! Buckets under boto3: names, regions, policies, versions, lists, tags.

use provision_sandbox::EmulatorKind;

use super::{ask, boto3, sandbox};

/// Deny over Allow, patterns, resources and tags, in the words of each service.
#[test]
fn identity_may_do_what_its_policy_says_and_no_more() {
    let sandbox = sandbox();
    boto3(
        &sandbox,
        "for name in ['mine', 'other']: s3.create_bucket(Bucket=name, CreateBucketConfiguration=HERE)
sqs.create_queue(QueueName='ours', tags={'team': 'ml'}); sqs.create_queue(QueueName='theirs')
open_to_identity = {'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::123456789012:user/identity'}, 'Action': 's3:GetBucketLocation', 'Resource': 'arn:aws:s3:::other'}
s3.put_bucket_policy(Bucket='other', Policy=json.dumps({'Version': '2012-10-17', 'Statement': open_to_identity}))",
    );
    let statement = |effect: &str, action: &str, resource: &str| serde_json::json!({"Effect": effect, "Action": action, "Resource": resource});
    let mut tagged = statement("Allow", "sqs:*", "arn:aws:sqs:eu-west-1:123456789012:*");
    tagged["Condition"] = serde_json::json!({"StringEquals": {"aws:ResourceTag/team": "ml"}});
    let statements = [
        statement("Allow", "s3:*", "arn:aws:s3:::mine*"),
        statement("Deny", "s3:PutBucketP*", "*"),
        statement("Allow", "iam:GetRole", "arn:aws:iam::123456789012:role/node"),
        statement("Allow", "iam:SimulatePrincipalPolicy", "arn:aws:iam::123456789012:user/identity"),
        tagged,
    ];
    let policy = |statements: &serde_json::Value| {
        serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    };
    sandbox.attach(&policy(&serde_json::json!(statements))).unwrap();
    let printed = boto3(
        &sandbox,
        "def said(call, **more):
    try: call(**more); return 'OK'
    except ClientError as error: return error.response['Error']['Code'] + ' ' + error.response['Error']['Message']
print(sts.get_caller_identity()['Arn'])
print(said(s3.put_object, Bucket='mine', Key='a'), said(s3.get_bucket_versioning, Bucket='mine'), said(s3.get_bucket_location, Bucket='other'))
print(said(s3.get_bucket_versioning, Bucket='other'))
print(said(s3.put_bucket_policy, Bucket='mine', Policy='{}'))
print(said(sqs.get_queue_url, QueueName='ours'))
print(said(sqs.get_queue_url, QueueName='theirs'))
print(said(iam.get_role, RoleName='node'))
print(said(iam.get_role, RoleName='other'))
print(said(client('resourcegroupstaggingapi').get_resources))
me, ours = 'arn:aws:iam::123456789012:user/identity', 'arn:aws:sqs:eu-west-1:123456789012:x'
def simulated(actions, resource, **more):
    found = iam.simulate_principal_policy(PolicySourceArn=me, ActionNames=actions, ResourceArns=[resource], **more)
    return [(one['EvalDecision'], *one['ResourceSpecificResults'][0]['MissingContextValues']) for one in found['EvaluationResults']]
tag = [{'ContextKeyName': 'aws:ResourceTag/team', 'ContextKeyValues': ['ml'], 'ContextKeyType': 'string'}]
print(simulated(['s3:PutObject', 's3:PutBucketPolicy', 'sqs:DeleteQueue'], 'arn:aws:s3:::mine'))
print(said(iam.simulate_principal_policy, PolicySourceArn=me.replace('identity', 'sandbox'), ActionNames=['s3:PutObject']))",
    );
    let user = "User: arn:aws:iam::123456789012:user/identity is not authorized to perform";
    let silent = |action: &str| format!("because no identity-based policy allows the {action} action");
    let simulates = "iam:SimulatePrincipalPolicy";
    let (versioning, url, role) = ("s3:GetBucketVersioning", "sqs:getqueueurl", "iam:GetRole");
    let expected = [
        "arn:aws:iam::123456789012:user/identity".to_owned(),
        "OK OK OK".to_owned(),
        format!("AccessDenied {user}: {versioning} on resource: \"arn:aws:s3:::other\" {}", silent(versioning)),
        format!(
            "AccessDenied {user}: s3:PutBucketPolicy on resource: \"arn:aws:s3:::mine\" with an explicit deny in an identity-based policy"
        ),
        "OK".to_owned(),
        format!("AccessDenied {user}: {url} on resource: arn:aws:sqs:eu-west-1:123456789012:theirs {}", silent(url)),
        "NoSuchEntity The role with name node cannot be found.".to_owned(),
        format!("AccessDenied {user}: {role} on resource: role other {}", silent(role)),
        format!("AccessDeniedException {user}: tag:GetResources {}", silent("tag:GetResources")),
        "[('allowed',), ('explicitDeny',), ('implicitDeny',)]".to_owned(),
        format!(
            "AccessDenied {user}: {simulates} on resource: arn:aws:iam::123456789012:user/sandbox {}",
            silent(simulates)
        ),
    ];
    assert_eq!(printed, expected);
}

#[test]
fn policy_that_cannot_be_judged_by_is_refused() {
    let condition = serde_json::json!({"StringEquals": {"aws:userid": "x"}});
    let unknown = serde_json::json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition});
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": unknown}).to_string();
    let refused = sandbox().attach(&policy).unwrap_err().to_string();
    assert!(refused.contains("the condition key aws:userid"), "{refused}");
}

#[test]
fn request_that_was_signed_with_another_secret_is_refused_by_every_service() {
    let sandbox = sandbox();
    let printed = boto3(
        &sandbox,
        "wrong = dict(aws_access_key_id='123456789012', aws_secret_access_key='another')
print(code(client('s3', **wrong).list_buckets), code(client('s3', **wrong).put_object, Bucket='b', Key='a b/\u{e9}+', Body=b'x'))
print(code(client('sqs', **wrong).list_queues), code(client('iam', **wrong).list_roles), code(client('sts', **wrong).get_caller_identity))
print(code(s3.list_buckets), code(sqs.list_queues), code(iam.list_roles), code(sts.get_caller_identity))
print(code(s3.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE), code(s3.put_object, Bucket='mine', Key='a b/\u{e9}+*~', Body=b'x'))
print(code(client('s3', aws_access_key_id='000000000002', aws_secret_access_key='any').list_buckets))",
    );
    let wrong = "SignatureDoesNotMatch";
    assert_eq!(printed[0], format!("{wrong} {wrong}"));
    assert_eq!(printed[1], format!("InvalidSignatureException {wrong} {wrong}"));
    assert_eq!(printed[2..], ["OK OK OK OK", "OK OK", "OK"]);
}

#[test]
fn bucket_names_are_one_for_all_accounts_and_regions() {
    let printed = boto3(
        &sandbox(),
        "other = client('s3', aws_access_key_id='000000000002', aws_secret_access_key='x')
virginia = client('s3', region_name='us-east-1')
print(code(s3.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE))
print(code(s3.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE))
print(code(other.create_bucket, Bucket='mine', CreateBucketConfiguration=HERE))
print(code(virginia.create_bucket, Bucket='virginia'), code(virginia.create_bucket, Bucket='virginia'))
print(code(virginia.create_bucket, Bucket='more', CreateBucketConfiguration={'LocationConstraint': 'us-east-1'}))
print(code(s3.create_bucket, Bucket='without-a-region'), code(s3.create_bucket, Bucket='Bad_Name', CreateBucketConfiguration=HERE))
print(code(other.head_bucket, Bucket='mine'), code(other.list_objects_v2, Bucket='mine'), code(s3.head_bucket, Bucket='none'))
print(code(s3.get_bucket_cors, Bucket='mine', ExpectedBucketOwner='000000000002'))
print(s3.get_bucket_location(Bucket='mine')['LocationConstraint'], virginia.get_bucket_location(Bucket='virginia')['LocationConstraint'])",
    );
    assert_eq!(
        printed,
        [
            "OK",
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
            "OK OK",
            "InvalidLocationConstraint",
            "IllegalLocationConstraintException InvalidBucketName",
            "403 AccessDenied 404",
            "AccessDenied",
            "eu-west-1 None",
        ]
    );
}

#[test]
fn request_to_another_region_is_told_the_right_one() {
    let sandbox = sandbox();
    boto3(&sandbox, "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)");
    let credential = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    for (method, path) in [("GET", "/mine?cors"), ("HEAD", "/mine")] {
        let answer =
            ask(sandbox.address(EmulatorKind::Aws).unwrap(), method, path, &[("authorization", credential)], "");
        assert_eq!((answer.status, answer.headers["x-amz-bucket-region"].as_str()), (301, "eu-west-1"), "{method}");
    }
}

#[test]
fn policies_are_checked_and_obeyed() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
other = client('s3', aws_access_key_id='000000000002', aws_secret_access_key='x')
s3.put_object(Bucket='mine', Key='k', Body=b'x')
def put(*statements):
    document = json.dumps({'Version': '2012-10-17', 'Statement': list(statements)})
    return code(s3.put_bucket_policy, Bucket='mine', Policy=document)
both = ['arn:aws:s3:::mine', 'arn:aws:s3:::mine/*']
tls = {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:*', 'Resource': both, 'Condition': {'Bool': {'aws:SecureTransport': 'false'}}}
public = {'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': both}
friend = dict(public, Principal={'AWS': 'arn:aws:iam::000000000002:root'})
deny = dict(tls, Action='s3:PutObject', Condition={})
print(put(dict(tls, Resource='arn:aws:s3:::other')), code(s3.put_bucket_policy, Bucket='mine', Policy='{'))
print(put(tls), code(s3.get_object, Bucket='mine', Key='k'), code(other.get_object, Bucket='mine', Key='k'))
print(put(public), put(tls, friend), code(other.get_object, Bucket='mine', Key='k'), code(other.put_object, Bucket='mine', Key='k'))
print(put(deny), code(s3.put_object, Bucket='mine', Key='k'), code(s3.get_object, Bucket='mine', Key='k'))
s3.delete_bucket_policy(Bucket='mine')
print(code(s3.put_object, Bucket='mine', Key='k'))
s3.delete_public_access_block(Bucket='mine')
print(put(public), code(other.get_object, Bucket='mine', Key='k'))",
    );
    assert_eq!(
        printed,
        [
            "MalformedPolicy MalformedPolicy",
            "OK OK AccessDenied",
            "AccessDenied OK OK AccessDenied",
            "OK AccessDenied OK",
            "OK",
            "OK OK",
        ]
    );
}

#[test]
fn versions_are_kept_until_they_are_named() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.put_object(Bucket='mine', Key='k', Body=b'one')
s3.put_bucket_versioning(Bucket='mine', VersioningConfiguration={'Status': 'Enabled'})
s3.put_object(Bucket='mine', Key='k', Body=b'two')
s3.delete_object(Bucket='mine', Key='k')
print(code(s3.get_object, Bucket='mine', Key='k'), s3.get_object(Bucket='mine', Key='k', VersionId='null')['Body'].read().decode())
found = s3.list_object_versions(Bucket='mine')
print(len(found['Versions']), len(found['DeleteMarkers']), [marker['IsLatest'] for marker in found['DeleteMarkers']])
print(code(s3.delete_bucket, Bucket='mine'))
pages = list(s3.get_paginator('list_object_versions').paginate(Bucket='mine', PaginationConfig={'PageSize': 1}))
print(len(pages), sum(len(page.get('Versions', []) + page.get('DeleteMarkers', [])) for page in pages))
all = [{'Key': v['Key'], 'VersionId': v['VersionId']} for v in found['Versions'] + found['DeleteMarkers']]
print(len(s3.delete_objects(Bucket='mine', Delete={'Objects': all})['Deleted']), code(s3.delete_bucket, Bucket='mine'))",
    );
    assert_eq!(printed, ["NoSuchKey one", "2 1 [True]", "BucketNotEmpty", "3 3", "3 OK"]);
}

#[test]
fn listings_come_in_pages_with_prefixes_and_delimiters() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
for key in ['a', 'a/1', 'a/2', 'a/b/3', 'b c+d', 'z/9', '\u{e9}']: s3.put_object(Bucket='mine', Key=key, Body=b'')
def keys(**more):
    pages = s3.get_paginator('list_objects_v2').paginate(Bucket='mine', **more)
    return [[o['Key'] for o in p.get('Contents', [])] + [c['Prefix'] for c in p.get('CommonPrefixes', [])] for p in pages]
print(keys(PaginationConfig={'PageSize': 3}))
print(keys(Delimiter='/'), keys(Delimiter='/', PaginationConfig={'PageSize': 1}))
print(keys(Prefix='a/'), keys(Prefix='a/', Delimiter='/'), keys(StartAfter='b'))",
    );
    assert_eq!(
        printed,
        [
            "[['a', 'a/1', 'a/2'], ['a/b/3', 'b c+d', 'z/9'], ['\u{e9}']]",
            "[['a', 'b c+d', '\u{e9}', 'a/', 'z/']] [['a'], ['a/'], ['b c+d'], ['z/'], ['\u{e9}']]",
            "[['a/1', 'a/2', 'a/b/3']] [['a/1', 'a/2', 'a/b/']] [['b c+d', 'z/9', '\u{e9}']]",
        ]
    );
}

#[test]
fn tags_have_their_own_calls_where_they_grant_access() {
    let printed = boto3(
        &sandbox(),
        "import socket
resolve = socket.getaddrinfo
# The client puts the account before the host; not every machine knows the names below `localhost`.
socket.getaddrinfo = lambda host, *more, **others: resolve('127.0.0.1', *more, **others)
tagging, control = client('resourcegroupstaggingapi'), client('s3control')
s3.create_bucket(Bucket='mine', CreateBucketConfiguration={**HERE, 'Tags': [{'Key': 'a', 'Value': '1'}]})
sqs.create_queue(QueueName='q', tags={'a': '2'})
of = {'AccountId': '123456789012', 'ResourceArn': 'arn:aws:s3:::mine'}
def tags(): return sorted((tag['Key'], tag['Value']) for tag in s3.get_bucket_tagging(Bucket='mine')['TagSet'])
def found(**more): return sorted(r['ResourceARN'] for r in tagging.get_resources(**more)['ResourceTagMappingList'])
s3.put_bucket_abac(Bucket='mine', AbacStatus={'Status': 'Enabled'})
print(code(s3.put_bucket_tagging, Bucket='mine', Tagging={'TagSet': []}))
control.tag_resource(**of, Tags=[{'Key': 'b', 'Value': '2'}])
print(tags(), control.list_tags_for_resource(**of)['Tags'])
control.untag_resource(**of, TagKeys=['a'])
print(tags(), code(control.tag_resource, AccountId='000000000002', ResourceArn='arn:aws:s3:::mine', Tags=[]))
print(found(TagFilters=[{'Key': 'a', 'Values': ['2']}]), found(ResourceTypeFilters=['s3']), found(TagFilters=[{'Key': 'c'}]))",
    );
    assert_eq!(
        printed,
        [
            "InvalidRequest",
            "[('a', '1'), ('b', '2')] [{'Key': 'a', 'Value': '1'}, {'Key': 'b', 'Value': '2'}]",
            "[('b', '2')] AccessDenied",
            "['arn:aws:sqs:eu-west-1:123456789012:q'] ['arn:aws:s3:::mine'] []",
        ]
    );
}

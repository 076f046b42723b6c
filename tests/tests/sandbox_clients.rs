//! The sandbox under clients that others wrote: boto3, the AWS command line, and what a browser asks.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use provision_sandbox::{EmulatorKind, Options, Sandbox};
use provision_tests::fault::{Fault, Nth, What, When};
use provision_tests::python;

const PRELUDE: &str = "
import boto3, io, json, os, sys, urllib.request, urllib.error
from botocore.config import Config
from botocore.exceptions import ClientError
def client(name, **more): return boto3.client(name, **more)
def code(call, *args, **more):
    try: call(*args, **more); return 'OK'
    except ClientError as error: return error.response['Error']['Code']
s3, sqs, iam, sts = client('s3'), client('sqs'), client('iam'), client('sts')
HERE = {'LocationConstraint': 'eu-west-1'}
def policy(queue, bucket, account='123456789012'):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sqs:SendMessage',
        'Principal': {'Service': 's3.amazonaws.com'}, 'Resource': f'arn:aws:sqs:eu-west-1:123456789012:{queue}',
        'Condition': {'ArnEquals': {'aws:SourceArn': f'arn:aws:s3:::{bucket}'},
            'StringEquals': {'aws:SourceAccount': account}}}]})
def to_queue(queue, prefix='', events=('s3:ObjectCreated:*',)):
    return {'Id': 'to-' + queue + prefix, 'QueueArn': f'arn:aws:sqs:eu-west-1:123456789012:{queue}',
        'Events': list(events), 'Filter': {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': prefix}]}}}
def notify(bucket, *entries):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={'QueueConfigurations': list(entries)})
def received(url):
    bodies = []
    while True:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get('Messages', [])
        if not found: return bodies
        for message in found:
            bodies.append(json.loads(message['Body']))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'])
";

fn sandbox() -> Sandbox {
    Sandbox::start(Options { recording: true, ..Options::default() }).unwrap()
}

/// What a script prints, one line after the other.
fn boto3(sandbox: &Sandbox, script: &str) -> Vec<String> {
    let output = python::run(&format!("{PRELUDE}{script}"), &sandbox.environment());
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn aws(sandbox: &Sandbox, folder: &Path, arguments: &str) -> String {
    let arguments: Vec<_> = arguments.split(' ').collect();
    // The command line leaves the variable aside for SQS in some regions.
    let endpoint = format!("http://{}", sandbox.address(EmulatorKind::Aws).unwrap());
    let arguments = [&arguments[..], &["--endpoint-url", &endpoint]].concat();
    let output = python::aws(&arguments, folder, &sandbox.environment());
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A request as a browser sends it: status, headers, body.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Asked {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Asked { status, headers: headers.collect(), body: body.to_owned() }
}

struct Asked {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
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
    let credential =
        "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    for (method, path) in [("GET", "/mine?cors"), ("HEAD", "/mine")] {
        let answer =
            ask(sandbox.address(EmulatorKind::Aws).unwrap(), method, path, &[("authorization", credential)], "");
        assert_eq!((answer.status, answer.headers["x-amz-bucket-region"].as_str()), (301, "eu-west-1"), "{method}");
    }
}

#[test]
fn notification_needs_a_queue_that_lets_the_bucket_send() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
print(code(notify, 'mine', to_queue('q')))
url = sqs.create_queue(QueueName='q')['QueueUrl']
print(code(notify, 'mine', to_queue('q')))
sqs.set_queue_attributes(QueueUrl=url, Attributes={'Policy': policy('q', 'other')})
print(code(notify, 'mine', to_queue('q')))
sqs.set_queue_attributes(QueueUrl=url, Attributes={'Policy': policy('q', 'mine', '000000000002')})
print(code(notify, 'mine', to_queue('q')))
sqs.set_queue_attributes(QueueUrl=url, Attributes={'Policy': policy('q', 'mine')})
print(code(notify, 'mine', to_queue('q')), [body['Event'] for body in received(url)])
print(code(notify, 'mine', to_queue('q'), to_queue('q', 'a/')), code(notify, 'mine', to_queue('q', 'a/'), to_queue('q', 'b/')))
print(len(received(url)))
sqs.set_queue_attributes(QueueUrl=url, Attributes={'Policy': ''})
print(code(notify, 'mine', to_queue('q', 'a/')))",
    );
    let unseen = "InvalidArgument";
    assert_eq!(printed, [unseen, unseen, unseen, unseen, "OK ['s3:TestEvent']", "InvalidArgument OK", "2", unseen]);
}

#[test]
fn events_come_for_every_way_of_creating_an_object() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
url = sqs.create_queue(QueueName='q', Attributes={'Policy': policy('q', 'mine')})['QueueUrl']
notify('mine', to_queue('q', 'in/', ['s3:ObjectCreated:*', 's3:ObjectRemoved:*']))
received(url)
s3.put_object(Bucket='mine', Key='in/a b+c.txt', Body=b'hello')
s3.put_object(Bucket='mine', Key='out/x', Body=b'hello')
s3.copy_object(Bucket='mine', Key='in/copy', CopySource={'Bucket': 'mine', 'Key': 'out/x'})
s3.upload_fileobj(io.BytesIO(b'z' * 9000000), 'mine', 'in/large')
s3.delete_object(Bucket='mine', Key='in/copy')
for body in received(url):
    record = body['Records'][0]
    print(record['eventName'], record['s3']['object']['key'], record['s3']['object'].get('size'), record['s3']['bucket']['name'])",
    );
    assert_eq!(
        printed,
        [
            "ObjectCreated:Put in/a+b%2Bc.txt 5 mine",
            "ObjectCreated:Copy in/copy 5 mine",
            "ObjectCreated:CompleteMultipartUpload in/large 9000000 mine",
            "ObjectRemoved:Delete in/copy None mine",
        ]
    );
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
fn presigned_urls_put_and_get_until_they_expire() {
    let sandbox = sandbox();
    let printed = boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
def fetch(url, **more):
    try: return urllib.request.urlopen(urllib.request.Request(url, **more)).read().decode()
    except urllib.error.HTTPError as error: return error.code
for version in ['s3v4', 's3']:
    signer = client('s3', config=Config(signature_version=version))
    url = lambda call: signer.generate_presigned_url(call, Params={'Bucket': 'mine', 'Key': 'run \u{e9}/x+y'}, ExpiresIn=60)
    fetch(url('put_object'), data=version.encode(), method='PUT')
    print(fetch(url('get_object')), fetch(url('get_object').split('?')[0]), url('get_object').split('/', 3)[3])",
    );
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
    sandbox.world().clock.advance(Duration::from_secs(61));
    for (line, version) in printed.iter().zip(["s3v4", "s3"]) {
        let [body, unsigned, path] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((body, unsigned), (version, "403"));
        let answer = ask(address, "GET", &format!("/{path}"), &[], "");
        assert!(answer.status == 403 && answer.body.contains("Request has expired"), "{version}: {}", answer.body);
    }
}

#[test]
fn preflights_are_answered_by_the_stored_rules() {
    let sandbox = sandbox();
    boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.create_bucket(Bucket='without', CreateBucketConfiguration=HERE)
s3.put_bucket_cors(Bucket='mine', CORSConfiguration={'CORSRules': [
    {'AllowedOrigins': ['https://wandb.example.com', 'https://*.lab.example'], 'AllowedMethods': ['GET', 'HEAD', 'PUT'],
     'AllowedHeaders': ['*'], 'ExposeHeaders': ['ETag'], 'MaxAgeSeconds': 3000},
    {'AllowedOrigins': ['*'], 'AllowedMethods': ['GET'], 'AllowedHeaders': ['x-amz-*']}]})",
    );
    let origins = [
        ("https://wandb.example.com", true),
        ("https://a.lab.example", true),
        ("https://wandb.example.com:8443", false),
        ("http://wandb.example.com", false),
        ("https://evil.example", false),
        ("null", false),
    ];
    let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"];
    let headers = ["", "content-type", "x-amz-date", "x-amz-date, Content-Type"];
    let mut allowed = 0;
    for (origin, ours) in origins {
        for method in methods {
            for header in headers {
                let answer = preflight(&sandbox, "/mine/key", origin, method, header);
                let everybody = method == "GET" && ["", "x-amz-date"].contains(&header);
                let first = ours && ["GET", "HEAD", "PUT"].contains(&method);
                let case = format!("{origin} {method} {header}");
                assert_eq!(answer.status, if first || everybody { 200 } else { 403 }, "{case}");
                let seen = answer.headers.get("access-control-allow-origin").map(String::as_str);
                let expected = if first { Some(origin) } else { everybody.then_some("*") };
                assert_eq!(seen, expected, "{case}");
                assert_eq!(answer.headers.contains_key("access-control-max-age"), first, "{case}");
                allowed += usize::from(answer.status == 200);
            }
        }
    }
    assert_eq!(allowed, 2 * 3 * 4 + 4 * 2);
    assert!(preflight(&sandbox, "/without/key", "https://x", "GET", "").body.contains("CORS is not enabled"));
    assert_eq!(preflight(&sandbox, "/none/key", "https://x", "GET", "").status, 404);
}

fn preflight(sandbox: &Sandbox, path: &str, origin: &str, method: &str, headers: &str) -> Asked {
    let mut asked = vec![("origin", origin), ("access-control-request-method", method)];
    if !headers.is_empty() {
        asked.push(("access-control-request-headers", headers));
    }
    ask(sandbox.address(EmulatorKind::Aws).unwrap(), "OPTIONS", path, &asked, "")
}

#[test]
fn answers_tell_a_page_what_it_may_see() {
    let sandbox = sandbox();
    let url = boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.put_bucket_cors(Bucket='mine', CORSConfiguration={'CORSRules': [{'AllowedOrigins': ['https://a.example'],
    'AllowedMethods': ['GET', 'PUT'], 'AllowedHeaders': ['*'], 'ExposeHeaders': ['ETag']}]})
for call in ['put_object', 'get_object']: print(s3.generate_presigned_url(call, Params={'Bucket': 'mine', 'Key': 'k'}).split('/', 3)[3])",
    );
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
    for (method, path) in [("PUT", &url[0]), ("GET", &url[1])] {
        for (origin, seen) in [("https://a.example", true), ("https://b.example", false)] {
            let answer = ask(
                address,
                method,
                &format!("/{path}"),
                &[("origin", origin)],
                if method == "PUT" { "hi" } else { "" },
            );
            assert_eq!(answer.status, 200, "{}", answer.body);
            let allowed = answer.headers.get("access-control-allow-origin").map(String::as_str);
            assert_eq!(allowed, seen.then_some(origin), "{method} {origin}");
            assert_eq!(answer.headers.contains_key("access-control-expose-headers"), seen);
        }
    }
}

#[test]
fn queues_wait_hide_and_forget() {
    let sandbox = sandbox();
    let printed = boto3(
        &sandbox,
        "url = sqs.create_queue(QueueName='q', Attributes={'VisibilityTimeout': '30'}, tags={'a': 'b'})['QueueUrl']
print(code(sqs.create_queue, QueueName='q', Attributes={'VisibilityTimeout': '30'}), code(sqs.create_queue, QueueName='q', Attributes={'VisibilityTimeout': '31'}))
print(code(sqs.create_queue, QueueName='p', Attributes={'Colour': 'red'}), code(sqs.create_queue, QueueName='p', Attributes={'DelaySeconds': '901'}), code(sqs.create_queue, QueueName='p.fifo'))
import threading, time
threading.Timer(0.3, lambda: client('sqs').send_message(QueueUrl=url, MessageBody='late')).start()
message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)['Messages'][0]
print(message['Body'], len(sqs.receive_message(QueueUrl=url).get('Messages', [])))
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'], VisibilityTimeout=0)
again = sqs.receive_message(QueueUrl=url, AttributeNames=['All'])['Messages'][0]
print(again['Attributes']['ApproximateReceiveCount'], code(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=message['ReceiptHandle'], VisibilityTimeout=9))
sqs.delete_message(QueueUrl=url, ReceiptHandle=again['ReceiptHandle'])
print(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'])['Attributes'])
print(sqs.list_queue_tags(QueueUrl=url)['Tags'], code(sqs.get_queue_url, QueueName='none'))
sqs.delete_queue(QueueUrl=url)
print(code(sqs.create_queue, QueueName='q'))",
    );
    assert_eq!(
        printed,
        [
            "OK QueueAlreadyExists",
            "InvalidAttributeName InvalidAttributeValue NotImplemented",
            "late 0",
            "2 AWS.SimpleQueueService.MessageNotInflight",
            "{'ApproximateNumberOfMessages': '0', 'ApproximateNumberOfMessagesNotVisible': '0'}",
            "{'a': 'b'} AWS.SimpleQueueService.NonExistentQueue",
            "AWS.SimpleQueueService.QueueDeletedRecently",
        ]
    );
    sandbox.world().clock.advance(Duration::from_secs(60));
    assert_eq!(boto3(&sandbox, "print(code(sqs.create_queue, QueueName='q'))"), ["OK"]);
}

#[test]
fn seeded_role_takes_policies_that_are_valid() {
    let sandbox = sandbox();
    sandbox.seed_aws("000000000007", "eu-north-1", Some("arn:aws:iam::000000000007:role/wandb-node")).unwrap();
    sandbox.seed_aws("000000000007", "eu-north-1", Some("wandb-node")).unwrap();
    let printed = boto3(
        &sandbox,
        "document = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}
print(sts.get_caller_identity()['Account'], iam.get_role(RoleName='wandb-node')['Role']['Arn'])
print(code(iam.get_role_policy, RoleName='wandb-node', PolicyName='p'), code(iam.put_role_policy, RoleName='wandb-node', PolicyName='p', PolicyDocument='{}'))
iam.put_role_policy(RoleName='wandb-node', PolicyName='p', PolicyDocument=json.dumps(document))
print(iam.get_role_policy(RoleName='wandb-node', PolicyName='p')['PolicyDocument'] == document, iam.list_role_policies(RoleName='wandb-node')['PolicyNames'])
print(code(iam.delete_role, RoleName='wandb-node'), code(iam.put_role_policy, RoleName='none', PolicyName='p', PolicyDocument=json.dumps(document)))
iam.delete_role_policy(RoleName='wandb-node', PolicyName='p')
print(code(iam.delete_role, RoleName='wandb-node'), len(iam.list_roles()['Roles']))",
    );
    assert_eq!(
        printed,
        [
            "000000000007 arn:aws:iam::000000000007:role/wandb-node",
            "NoSuchEntity MalformedPolicyDocument",
            "True ['p']",
            "DeleteConflict NoSuchEntity",
            "OK 0",
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

#[test]
fn anything_else_is_refused_by_name() {
    let sandbox = sandbox();
    boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
print(code(s3.get_bucket_website, Bucket='mine'), code(s3.put_object, Bucket='mine', Key='k', StorageClass='GLACIER'))",
    );
    let printed = boto3(
        &sandbox,
        "def said(call, **more):
    try: call(**more)
    except ClientError as error: return error.response['Error']['Message']
print(said(s3.get_bucket_website, Bucket='mine'))
print(said(s3.put_object, Bucket='mine', Key='k', Tagging='a=b'))
print(said(iam.create_user, UserName='x'))
print(said(sqs.list_dead_letter_source_queues, QueueUrl=os.environ['AWS_ENDPOINT_URL'] + '/1/q'))
print(said(sts.assume_role, RoleArn='arn:aws:iam::123456789012:role/x', RoleSessionName='xx'))",
    );
    assert_eq!(
        printed,
        [
            "the sandbox does not serve s3:GetBucketWebsite",
            "the sandbox does not serve the header x-amz-tagging of s3:PutObject",
            "the sandbox does not serve iam:CreateUser",
            "the sandbox does not serve sqs:ListDeadLetterSourceQueues",
            "the sandbox does not serve sts:AssumeRole",
        ]
    );
    let signed =
        "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    let body = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin><Colour/></CORSRule></CORSConfiguration>";
    let answer =
        ask(sandbox.address(EmulatorKind::Aws).unwrap(), "PUT", "/mine?cors", &[("authorization", signed)], body);
    assert!(answer.status == 400 && answer.body.contains("unknown field `Colour`"), "{}", answer.body);
}

#[test]
fn sandbox_misbehaves_as_it_is_told() {
    let sandbox = sandbox();
    let fault = |operation: &str, at, what| {
        sandbox.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Number(1), at, what });
    };
    fault("s3:PutBucketTagging", When::Before, What::Conflict);
    fault("s3:PutObject", When::Before, What::Throttle);
    fault("sqs:CreateQueue", When::After, What::Drop);
    let error = What::Error { status: 403, code: "AccessDenied".to_owned(), message: "no".to_owned() };
    fault("iam:ListRoles", When::Before, error);
    sandbox.faults().set_propagation("sqs.policy", Duration::from_secs(50));
    for name in ["tags", "s3.tags", "sqs.attributes"] {
        sandbox.faults().set_propagation(name, Duration::from_secs(50));
    }
    let script = "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
print(code(s3.put_bucket_tagging, Bucket='mine', Tagging={'TagSet': [{'Key': 'a', 'Value': 'b'}]}), code(s3.put_object, Bucket='mine', Key='k'))
sqs.create_queue(QueueName='q', Attributes={'Policy': policy('q', 'mine')}, tags={'a': 'b'})
print(code(iam.list_roles), code(notify, 'mine', to_queue('q')))
print(len(client('resourcegroupstaggingapi').get_resources()['ResourceTagMappingList']), code(s3.get_bucket_tagging, Bucket='mine'))
url = sqs.get_queue_url(QueueName='q')['QueueUrl']
print('Attributes' in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['Policy']), sqs.list_queue_tags(QueueUrl=url)['Tags'])";
    assert_eq!(
        boto3(&sandbox, script),
        ["OperationAborted OK", "AccessDenied InvalidArgument", "0 NoSuchTagSet", "False {'a': 'b'}"]
    );
    assert_eq!(sandbox.faults().count("s3:PutObject"), 2);
    assert_eq!(sandbox.faults().count("sqs:CreateQueue"), 2);
    sandbox.world().clock.advance(Duration::from_secs(60));
    let script = "print(code(notify, 'mine', to_queue('q')), len(client('resourcegroupstaggingapi').get_resources()['ResourceTagMappingList']))";
    assert_eq!(boto3(&sandbox, script), ["OK 1"]);
}

#[test]
fn state_is_kept_between_two_runs() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { directory: Some(folder.path().join("sandbox")), ..Options::default() };
    let sandbox = Sandbox::start(options()).unwrap();
    boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE); s3.put_object(Bucket='mine', Key='k', Body=b'kept')",
    );
    drop(sandbox);
    let sandbox = Sandbox::start(options()).unwrap();
    assert_eq!(boto3(&sandbox, "print(s3.get_object(Bucket='mine', Key='k')['Body'].read().decode())"), ["kept"]);
    drop(sandbox);
    Sandbox::reset(&folder.path().join("sandbox")).unwrap();
    assert_eq!(boto3(&Sandbox::start(options()).unwrap(), "print(len(s3.list_buckets()['Buckets']))"), ["0"]);
}

#[test]
fn command_line_makes_fills_and_removes() {
    let (sandbox, folder) = (sandbox(), tempfile::tempdir().unwrap());
    let run = |arguments: &str| aws(&sandbox, folder.path(), arguments);
    std::fs::create_dir_all(folder.path().join("tree/sub")).unwrap();
    std::fs::write(folder.path().join("tree/one"), "one").unwrap();
    std::fs::write(folder.path().join("tree/sub/two"), vec![b'x'; 9_000_000]).unwrap();
    assert_eq!(run("sts get-caller-identity --query Account --output text"), "123456789012");
    run("s3api create-bucket --bucket mine --create-bucket-configuration LocationConstraint=eu-west-1");
    run("s3 cp tree s3://mine/tree --recursive --no-progress");
    assert_eq!(
        run("s3 ls s3://mine/tree/ --recursive --summarize").lines().last().unwrap().trim(),
        "Total Size: 9000003"
    );
    run("s3 cp s3://mine/tree/sub/two s3://mine/copy --no-progress");
    run("s3 cp s3://mine/copy out --no-progress");
    assert_eq!(std::fs::metadata(folder.path().join("out")).unwrap().len(), 9_000_000);
    assert_eq!(run("s3 rm s3://mine --recursive").lines().count(), 3);
    run("s3 rb s3://mine");
    let url = run("sqs create-queue --queue-name q --tags team=ml --query QueueUrl --output text");
    run(&format!("sqs send-message --queue-url {url} --message-body hello"));
    let receive = format!("sqs receive-message --queue-url {url} --query Messages[0].Body --output text");
    assert_eq!(run(&receive), "hello");
    run(&format!("sqs delete-queue --queue-url {url}"));
    assert_eq!(run("iam list-roles --query length(Roles)"), "0");
}

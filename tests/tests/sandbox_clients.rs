//! The sandbox under clients that others wrote: boto3, the AWS command line, and what a browser asks.

mod browser;
mod buckets;
mod keys;
mod objects;
mod queues;
mod recorded;

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
    let signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    let body = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin><Colour/></CORSRule></CORSConfiguration>";
    let answer =
        ask(sandbox.address(EmulatorKind::Aws).unwrap(), "PUT", "/mine?cors", &[("authorization", signed)], body);
    assert!(answer.status == 501 && answer.body.contains("the element Colour of s3:PutBucketCors"), "{}", answer.body);
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

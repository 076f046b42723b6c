//! Amazon Web Services.

use provision_sandbox::EmulatorKind;
use provision_sandbox::aws::answers::{s3, s3_with, sqs};
use provision_sandbox::fault::{What, When};
use provision_tests::stage::Hand;
use serde_json::json;

use super::{CloudFixture, Denied, Edit, Setting};

/// A plan file with every part.
pub(crate) const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"
[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-{s}"
[aws.queue]
name = "acme-{s}-events"
[aws.run_queue]
name = "acme-{s}-runs"
[aws.access]
role = "node"
"#;

pub(crate) static AWS: CloudFixture = CloudFixture {
    name: "aws",
    sandbox: EmulatorKind::Aws,
    seed: |stage| boto(&stage.hand(), ROLES),
    plan: PLAN,
    examples: [
        (include_str!("../../../plans/aws.toml"), "BUCKET=s3://acme-{s}-wandb-files\n"),
        (include_str!("../../../plans/aws-minimal.toml"), "BUCKET=s3://acme-{s}-wandb-minimal\n"),
        (include_str!("../../../plans/aws-full.toml"), "BUCKET=s3://acme-{s}-wandb-full\n"),
    ],
    example_names: &[("acme-", "acme-{s}-"), ("123456789012", "{a}")],
    outputs: &["BUCKET=s3://acme-{s}\n", "BUCKET_QUEUE=sqs://acme-{s}-events\n", "AWS_REGION=eu-west-1\n"],
    edits: &[
        Edit { shows: "public_access.", make: |hand| boto(hand, "s3.delete_public_access_block(Bucket=b)") },
        Edit {
            shows: "ownership ",
            make: |hand| {
                boto(
                    hand,
                    "s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={'Rules': [{'ObjectOwnership': 'ObjectWriter'}]})",
                );
            },
        },
        Edit { shows: "encryption.", make: |hand| boto(hand, "encrypt('aws:kms')") },
        Edit { shows: "versioning ", make: |hand| boto(hand, "version()") },
        Edit { shows: "policy.", make: |hand| boto(hand, "s3.delete_bucket_policy(Bucket=b)") },
        Edit {
            shows: "cors.methods",
            make: |hand| boto(hand, "r = rules(); r[0]['AllowedMethods'] = ['GET']; set_rules(r)"),
        },
        Edit { shows: "attributes.visibility_timeout_s", make: |hand| boto(hand, "attribute(VisibilityTimeout='7')") },
        Edit { shows: "policy.", make: |hand| boto(hand, "attribute(Policy='')") },
        Edit { shows: "encryption ", make: |hand| boto(hand, "attribute(SqsManagedSseEnabled='false')") },
        Edit { shows: "delivery.delay_s", make: |hand| boto(hand, "attribute(DelaySeconds='900')") },
        Edit {
            shows: "entry.events",
            make: |hand| {
                boto(
                    hand,
                    "n = notifications(); n['QueueConfigurations'][0]['Events'] = ['s3:ObjectCreated:Put']; notify(n)",
                );
            },
        },
        Edit {
            shows: "policy.node/provision-",
            make: |hand| {
                boto(
                    hand,
                    "[grant('node', name, 's3:Get*') for name in granted('node') if name.startswith('provision')]",
                );
            },
        },
    ],
    gone: &[
        Edit { shows: "aws.notification", make: |hand| boto(hand, "notify({})") },
        Edit { shows: "aws.bucket", make: |hand| boto(hand, "s3.delete_bucket_cors(Bucket=b)") },
        Edit {
            shows: "aws.access",
            make: |hand| boto(hand, "[iam.delete_role_policy(RoleName='node', PolicyName=n) for n in granted('node')]"),
        },
        Edit { shows: "aws.queue", make: |hand| boto(hand, "sqs.delete_queue(QueueUrl=u())") },
        Edit { shows: "aws.bucket", make: |hand| boto(hand, "s3.delete_bucket(Bucket=b)") },
    ],
    all_gone: |hand| {
        boto(
            hand,
            "[sqs.delete_queue(QueueUrl=url) for url in sqs.list_queues()['QueueUrls']]; s3.delete_bucket(Bucket=b)",
        )
    },
    renamed_gone: |hand| boto(hand, "sqs.delete_queue(QueueUrl=u('acme-{s}-renamed'))"),
    settings: &[
        Setting { old: "[aws.queue]", new: "versioning = true\n[aws.queue]", shows: "versioning" },
        Setting { old: "[aws.queue]", new: "cors = { max_age_s = 60 }\n[aws.queue]", shows: "cors.max_age_s" },
        Setting {
            old: "[aws.run_queue]",
            new: "receive_wait_s = 5\n[aws.run_queue]",
            shows: "attributes.receive_wait_s",
        },
        Setting { old: "https://wandb.example.com", new: "https://other.example.com", shows: "cors.origins" },
        Setting { old: "[aws]\n", new: "tags = { team = \"ml\" }\n[aws]\n", shows: "tags.team" },
        Setting { old: "[aws.run_queue]", new: "senders = \"anyone\"\n[aws.run_queue]", shows: "policy.Action" },
        Setting { old: "role = \"node\"", new: "role = \"node\"\ngrant = \"all\"", shows: "policy.node/provision-" },
    ],
    both: (
        Edit { shows: "", make: |hand| boto(hand, "attribute(VisibilityTimeout='7')") },
        Setting { old: "[aws.run_queue]", new: "visibility_timeout_s = 99\n[aws.run_queue]", shows: "7 -> 99" },
    ),
    stale: (
        Edit { shows: "", make: |hand| boto(hand, "version()") },
        Setting { old: "[aws.queue]", new: "versioning = true\n[aws.queue]", shows: "" },
        &["s3:PutBucketTagging"],
    ),
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[aws.queue]", "versioning = true\n[aws.queue]"),
        ("[aws.run_queue]", "visibility_timeout_s = 99\nsenders = \"anyone\"\n[aws.run_queue]"),
        ("[aws]\n", "tags = { team = \"ml\" }\n[aws]\n"),
        ("role = \"node\"", "role = \"node\"\ngrant = \"all\""),
    ],
    update_begins: ("s3:PutBucketCors", 1),
    make_unmarked: |hand| boto(hand, MADE),
    make_bucket: |hand| boto(hand, "make(b)"),
    unmarked_hints: &["bucket `acme-{s}`", "queue `acme-{s}-events`", "adopt = true"],
    adopting: &[
        ("name = \"acme-{s}\"\n", "name = \"acme-{s}\"\nadopt = true\nprivate = true\n"),
        ("-events\"\n", "-events\"\nadopt = true\n"),
    ],
    put_others: |hand| boto(hand, PUT_OTHERS),
    others: |hand| serde_json::from_str(&python(hand, OTHERS)).unwrap(),
    ours: |hand| serde_json::from_str(&python(hand, OURS)).unwrap(),
    applied: &[
        "bucket acme-{s}",
        "entry acme-{s}-events",
        "policy node",
        "queue acme-{s}-events",
        "queue acme-{s}-runs",
        "rule",
        "statement of the bucket",
        "statement of the queue",
    ],
    adopted: &[
        "bucket acme-{s}",
        "entry acme-{s}-events",
        "policy node",
        "queue acme-{s}-events",
        "queue acme-{s}-runs",
        "rule",
        "statement of the bucket",
        "statement of the queue",
    ],
    mark: |hand, bucket| serde_json::from_str(&python(hand, &MARK.replace("BUCKET", bucket))).unwrap(),
    set_mark: |hand, bucket, mark| {
        let tags: Vec<_> =
            mark.as_object().unwrap().iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        boto(
            hand,
            &format!(
                "s3.put_bucket_tagging(Bucket='{bucket}', Tagging={{'TagSet': json.loads('''{}''')}})",
                json!(tags)
            ),
        );
    },
    bucket: "acme-{s}",
    bucket_renamed: &[Setting {
        old: "name = \"acme-{s}\"",
        new: "name = \"acme-{s}-new\"",
        shows: "this deployment's bucket is `acme-{s}`, and the plan file now names `acme-{s}-new`",
    }],
    queue_renamed: (
        &[("-events\"", "-renamed\""), ("-runs\"", "-others\"")],
        &["orphan queue `acme-{s}-events`", "orphan queue `acme-{s}-runs`"],
    ),
    alike: &[("wandb-prod", "wandb-prod-b"), ("acme-{s}", "acme-{s}-b")],
    protect: ("[aws.queue]", "protect = true\n[aws.queue]"),
    upload: |hand, name| boto(hand, &format!("s3.put_object(Bucket=b, Key='{name}', Body=b'x')")),
    fill: |hand| {
        boto(
            hand,
            "version()
for k in ['a', 'b', 'a']: s3.put_object(Bucket=b, Key=k, Body=b'')
s3.delete_object(Bucket=b, Key='a'); s3.create_multipart_upload(Bucket=b, Key='open')",
        );
    },
    messages: |hand| serde_json::from_str(&python(hand, MESSAGES)).unwrap(),
    emptying: ("iam:DeleteRolePolicy", "s3:DeleteObjects"),
    last_look: ("s3:DeleteBucket", 1, When::Before),
    passing: || {
        let destination = "Unable to validate the following destination configurations";
        vec![
            ("s3:CreateBucket", What::Throttle),
            ("s3:PutBucketCors", What::Conflict),
            ("s3:PutBucketPolicy", What::Throttle),
            ("s3:PutBucketNotificationConfiguration", s3(400, "InvalidArgument", destination)),
            ("sqs:CreateQueue", sqs(400, "QueueDeletedRecently", "You must wait 60 seconds")),
            ("sqs:CreateQueue", sqs(403, "RequestThrottled", "Rate exceeded")),
            ("iam:PutRolePolicy", What::Drop),
            ("s3:PutBucketTagging", What::Throttle),
        ]
    },
    lost: &["s3:CreateBucket", "sqs:CreateQueue", "s3:PutBucketTagging", "iam:PutRolePolicy"],
    patient: || {
        ("s3:PutBucketCors", s3_with(503, "SlowDown", "Please reduce your request rate.", &[("retry-after", "2")]))
    },
    ignored: || ("s3:PutBucketCors", What::Answer { status: 200, headers: Vec::new(), body: String::new() }),
    begins: "s3:CreateBucket",
    last_free: ("s3:CreateBucket", 1),
    finishes: "s3:DeleteBucket",
    crossed: "s3:PutBucketNotificationConfiguration",
    denied: Denied {
        operation: "s3:PutBucketCors",
        code: "AccessDenied",
        message: "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutBucketCORS",
        at_once: 1,
        says: &["grant `s3:PutBucketCORS`", "aws.bucket"],
        unfinished: "an apply did not finish",
    },
    traced: &["<AllowedOrigin>https://wandb.example.com</AllowedOrigin>", "sqs:SendMessage", "provision-deployment"],
    secrets: |_| vec!["hunter2".to_owned()],
    credentials: (&["AWS_ACCESS_KEY_ID"], &[]),
    credentials_hint: "find AWS credentials",
    // Plan: who we are, then everything. Apply: plan, creation, the mark read after it, facets and notification, last mark,
    // the closing look. Destroy: who we are and where, everything, the bucket's mark, the bucket, the marks of the queues,
    // which are read right before each goes, the queues, and that they are seen no more.
    waves: [2, 7, 7],
    denied_read: ("s3:GetBucketCors", "aws.bucket"),
    uncrossed: &[],
    bodiless: &["s3:HeadBucket"],
    always_lists: |_| false,
    says: str::to_owned,
    refusal: || s3(403, "AccessDenied", "not authorized to perform this action"),
    internal: || s3(500, "InternalError", "We encountered an internal error. Please try again."),
};

/// Run Python with boto3 and the words below.
pub(crate) fn python(hand: &Hand, script: &str) -> String {
    hand.python(&format!("{WORDS}{script}"))
}

/// The same for what prints nothing.
pub(crate) fn boto(hand: &Hand, script: &str) {
    let printed = python(hand, script);
    assert!(printed.is_empty(), "{printed}");
}

/// What scripts may say.
const WORDS: &str = "
b, q = 'acme-{s}', 'acme-{s}-events'
def u(name=q): return sqs.get_queue_url(QueueName=name)['QueueUrl']
def asked(call, key, none):
    try: return call().get(key, none)
    except Exception as error:
        if 'NoSuch' in str(error) or 'NotFound' in str(error) or 'NonExistent' in str(error) or 'does not exist' in str(error): return none
        raise
def make(name): s3.create_bucket(Bucket=name, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
def version(): s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})
def encrypt(algorithm, **more): s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={'Rules': [{'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': algorithm, **more}}]})
def rules(): return asked(lambda: s3.get_bucket_cors(Bucket=b), 'CORSRules', [])
def set_rules(rules): s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': rules})
def attribute(**values): sqs.set_queue_attributes(QueueUrl=u(), Attributes=values)
def notifications():
    found = s3.get_bucket_notification_configuration(Bucket=b)
    found.pop('ResponseMetadata')
    return found
def notify(wanted): s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration=wanted, SkipDestinationValidation=True)
def statements(): return json.loads(asked(lambda: s3.get_bucket_policy(Bucket=b), 'Policy', '{\"Statement\": []}'))['Statement']
def of_queue(): return json.loads(asked(lambda: sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['Policy']), 'Attributes', {}).get('Policy') or '{\"Statement\": []}')['Statement']
def tags(bucket=b): return {tag['Key']: tag['Value'] for tag in asked(lambda: s3.get_bucket_tagging(Bucket=bucket), 'TagSet', [])}
def document(statements): return json.dumps({'Version': '2012-10-17', 'Statement': statements})
def granted(role): return iam.list_role_policies(RoleName=role)['PolicyNames']
def grant(role, name, action): iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document([{'Effect': 'Allow', 'Action': action, 'Resource': '*'}]))
def is_ours(entry): return any(str(entry.get(key, '')).lower().startswith('provision') for key in ['Id', 'Sid', 'ID'])
def ours(entries): return [entry for entry in entries if is_ours(entry)]
def make_topic(name):
    # The sandbox has none, and believes their names.
    try: client('sns').create_topic(Name=name)
    except Exception as error:
        if 'NotImplemented' not in str(error): raise
def theirs(entries): return [entry for entry in entries if not is_ours(entry)]
";

/// Roles that servers may run as are there before `provision` comes.
const ROLES: &str = "
trust = document([{'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}])
for name in ['node', 'other', 'wandb-node', 'wandb-node-full']:
    try: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    except Exception as error:
        if 'EntityAlreadyExists' not in str(error): raise
";

/// A bucket and a queue as somebody else makes them.
const MADE: &str = "
make(b)
version()
encrypt('aws:kms', KMSMasterKeyID='arn:aws:kms:eu-west-1:{a}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0')
sqs.create_queue(QueueName=q, Attributes={'ReceiveMessageWaitTimeSeconds': '3'})
";

/// Entries of every kind and unlike ours, with a name and without; of notifications, to every kind of destination.
const PUT_OTHERS: &str = "
arn = 'arn:aws:sqs:eu-west-1:{a}:theirs-{s}'
sqs.create_queue(QueueName='theirs-{s}', Attributes={'Policy': document([{'Effect': 'Allow', 'Principal': {'Service': 's3.amazonaws.com'}, 'Action': 'sqs:SendMessage', 'Resource': arn}])})
attribute(Policy=document(ours(of_queue()) + [
  {'Sid': 'theirs', 'Effect': 'Allow', 'Principal': {'AWS': '{a}'}, 'Action': 'sqs:ReceiveMessage', 'Resource': '*'},
  {'Effect': 'Allow', 'Principal': {'AWS': '{a}'}, 'Action': 'sqs:GetQueueUrl', 'Resource': '*'}]))
sqs.tag_queue(QueueUrl=u(), Tags={'team': 'theirs'})
def under(prefix): return {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': prefix}]}}
make_topic('theirs')
notify({'EventBridgeConfiguration': {},
  'QueueConfigurations': ours(notifications().get('QueueConfigurations', [])) + [{'Id': 'theirs', 'QueueArn': arn, 'Events': ['s3:ObjectRemoved:*'], 'Filter': under('logs/')}],
  'TopicConfigurations': [{'Id': 'their-topic', 'TopicArn': 'arn:aws:sns:eu-west-1:{a}:theirs', 'Events': ['s3:ObjectRemoved:*'], 'Filter': under('old/')}],
  'LambdaFunctionConfigurations': [{'Id': 'their-function', 'LambdaFunctionArn': 'arn:aws:lambda:eu-west-1:{a}:function:theirs', 'Events': ['s3:ObjectTagging:*']}]})
set_rules(ours(rules()) + [
  {'ID': 'theirs', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://theirs.example.com'], 'MaxAgeSeconds': 7},
  {'AllowedMethods': ['GET', 'DELETE'], 'AllowedOrigins': ['https://nameless.example.com'], 'AllowedHeaders': ['x-theirs']}])
s3.put_bucket_policy(Bucket=b, Policy=document(ours(statements()) + [
  {'Sid': 'theirs', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:DeleteBucket', 'Resource': 'arn:aws:s3:::' + b},
  {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutBucketLogging', 'Resource': 'arn:aws:s3:::' + b}]))
s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': [{'Key': key, 'Value': value} for key, value in {**tags(), 'team': 'theirs', 'Name': 'their bucket'}.items()]})
grant('node', 'theirs', 's3:*')
";

/// Everything of others.
const OTHERS: &str = "
n = notifications()
print(json.dumps({
  'queues': theirs(n.get('QueueConfigurations', [])), 'topics': n.get('TopicConfigurations'), 'bridge': n.get('EventBridgeConfiguration'),
  'functions': n.get('LambdaFunctionConfigurations'), 'rules': theirs(rules()), 'statements': theirs(statements()), 'of_queue': theirs(of_queue()),
  'tags': {key: value for key, value in tags().items() if not key.startswith('provision')},
  'tags_of_queue': {key: value for key, value in sqs.list_queue_tags(QueueUrl=u()).get('Tags', {}).items() if not key.startswith('provision')},
  'versioning': s3.get_bucket_versioning(Bucket=b).get('Status'), 'wait': sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['All'])['Attributes']['ReceiveMessageWaitTimeSeconds'],
  'encryption': s3.get_bucket_encryption(Bucket=b)['ServerSideEncryptionConfiguration']['Rules'],
  'grants': [iam.get_role_policy(RoleName='node', PolicyName=name)['PolicyDocument'] for name in granted('node') if name == 'theirs']}))
";

/// Whatever carries our mark or our name, in this stage's account.
const OURS: &str = "
found, names = [], [bucket['Name'] for bucket in s3.list_buckets()['Buckets']]
found += ['bucket ' + name for name in names if '{s}' in name and 'provision-deployment' in tags(name)]
urls = sqs.list_queues().get('QueueUrls', [])
found += ['queue ' + url.rsplit('/')[-1] for url in urls if 'provision-deployment' in asked(lambda: sqs.list_queue_tags(QueueUrl=url), 'Tags', {})]
if b in names:
    found += ['entry ' + entry['QueueArn'].rsplit(':')[-1] for entry in ours(notifications().get('QueueConfigurations', []))]
    found += ['rule' for rule in ours(rules())] + ['statement of the bucket' for statement in ours(statements())]
if q in [url.rsplit('/')[-1] for url in urls]: found += ['statement of the queue' for statement in ours(of_queue())]
found += ['policy ' + role for role in ['node', 'other'] for name in granted(role) if name.startswith('provision')]
print(json.dumps(sorted(found)))
";

/// The mark of a bucket.
const MARK: &str = "
print(json.dumps({key: value for key, value in tags('BUCKET').items() if key.startswith('provision')}))
";

/// The messages that tell of objects; a first one only tells that the queue can be reached.
const MESSAGES: &str = "
bodies = [m['Body'] for _ in range(3) for m in sqs.receive_message(QueueUrl=u(), MaxNumberOfMessages=10, WaitTimeSeconds=1).get('Messages', [])]
print(json.dumps([body for body in bodies if 'Records' in json.loads(body)]))
";

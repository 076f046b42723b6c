//! What a hand does on AWS: edits of ours, things of others, and what is whose.

use provision_tests::stage::Hand;

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
pub(crate) const ROLES: &str = "
trust = document([{'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}])
for name in ['node', 'other', 'wandb-node', 'wandb-node-full']:
    try: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    except Exception as error:
        if 'EntityAlreadyExists' not in str(error): raise
";

/// A bucket and a queue as somebody else makes them.
pub(crate) const MADE: &str = "
make(b)
version()
encrypt('aws:kms', KMSMasterKeyID='arn:aws:kms:eu-west-1:{a}:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0')
sqs.create_queue(QueueName=q, Attributes={'ReceiveMessageWaitTimeSeconds': '3'})
";

/// Entries of every kind and unlike ours, with a name and without; of notifications, to every kind of destination.
pub(crate) const PUT_OTHERS: &str = "
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
pub(crate) const OTHERS: &str = "
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
pub(crate) const OURS: &str = "
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
pub(crate) const MARK: &str = "
print(json.dumps({key: value for key, value in tags('BUCKET').items() if key.startswith('provision')}))
";

/// The messages that tell of objects; a first one only tells that the queue can be reached.
pub(crate) const MESSAGES: &str = "
bodies = [m['Body'] for wait in (1, 0, 0) for m in sqs.receive_message(QueueUrl=u(), MaxNumberOfMessages=10, VisibilityTimeout=43200, WaitTimeSeconds=wait).get('Messages', [])]
print(json.dumps([body for body in bodies if 'Records' in json.loads(body)]))
";

//! What a proof is broken by on AWS, and how others read and write beside it.

use provision_tests::stage::Hand;

use super::hand::{boto, python};
use crate::clouds::{Broken, Proof, Standing};

pub(crate) static PROOF: Proof = Proof {
    broken: BROKEN,
    stands: STANDS,
    rule_of_others: |hand| boto(hand, &format!("set_rules(rules() + [{EVERYBODY}])")),
    rule_that_writes: |hand| boto(hand, &format!("set_rules(rules() + [{WRITING}])")),
    no_events: |hand| boto(hand, "notify({})"),
    event: "s3.event",
    upload: "s3:PutObject",
    hears: "sqs:ReceiveMessage",
    removing: &["s3:DeleteObject", "s3:DeleteObjectVersion"],
    put_messages,
    messages: |hand| lines(&python(hand, SEEN)),
    seen: &["seen once"],
    left: |hand| lines(&python(hand, LEFT)),
    put_alike: |hand| lines(&python(hand, PUT_ALIKE)),
};

/// A rule of somebody else's, for everybody.
const EVERYBODY: &str =
    "{'ID': 'everybody', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['*'], 'AllowedHeaders': ['*']}";

/// One by which pages of another site write.
const WRITING: &str = "{'ID': 'other', 'AllowedMethods': ['PUT'], 'AllowedOrigins': ['https://other.example']}";

const BROKEN: &[Broken] = &[
    Broken { hop: "resources", says: "differs in versioning", make: |hand| boto(hand, "version()") },
    Broken {
        hop: "rights",
        says: "is gone",
        make: |hand| boto(hand, "iam.delete_role_policy(RoleName='node', PolicyName=granted('node')[0])"),
    },
    Broken {
        hop: "browsers",
        says: "may not PUT",
        make: |hand| boto(hand, "r = rules(); r[0]['AllowedMethods'].remove('PUT'); set_rules(r)"),
    },
    Broken {
        hop: "browsers",
        says: "does not allow the origin",
        make: |hand| {
            boto(hand, "r = rules(); r[0]['AllowedOrigins'] = ['https://wandb.example.com:8443']; set_rules(r)")
        },
    },
    Broken {
        hop: "browsers",
        says: "the answer does not allow the",
        make: |hand| boto(hand, "r = rules(); r[0]['AllowedHeaders'] = ['x-amz-*']; set_rules(r)"),
    },
    Broken { hop: "browsers", says: "may not GET", make: |hand| boto(hand, "s3.delete_bucket_cors(Bucket=b)") },
    Broken {
        hop: "browsers",
        says: "pages of anybody may GET",
        make: |hand| boto(hand, &format!("set_rules([{EVERYBODY}] + rules())")),
    },
    Broken {
        hop: "files",
        says: "does not let the page read its ETag",
        make: |hand| {
            boto(hand, "r = [rule for rule in rules() if is_ours(rule)]; del r[0]['ExposeHeaders']; set_rules(r)")
        },
    },
    Broken { hop: "event", says: "no event came", make: |hand| boto(hand, "attribute(Policy='')") },
    Broken { hop: "event", says: "no event came", make: |hand| boto(hand, "notify({})") },
    Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            boto(
                hand,
                "n = notifications(); n['QueueConfigurations'][0]['Filter'] = {'Key': {'FilterRules': [{'Name': 'prefix', 'Value': 'logs/'}]}}; notify(n)",
            );
        },
    },
    Broken {
        hop: "event",
        says: "no event came",
        make: |hand| {
            boto(
                hand,
                "n = notifications(); n['QueueConfigurations'][0]['QueueArn'] = 'arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs'; notify(n)",
            );
        },
    },
    Broken { hop: "event", says: "is not there", make: |hand| boto(hand, "sqs.delete_queue(QueueUrl=u())") },
];

/// A statement of somebody else's in the policy of the queue.
const DENIES: &str = "attribute(Policy=document(of_queue() + [{'Sid': 'closed', 'Effect': 'Deny', 'Principal': WHOM, 'Action': 'sqs:VERB', 'Resource': '*'}]))";

const STANDS: &[Standing] = &[
    Standing {
        broken: Broken {
            hop: "rights",
            says: "the server may not take messages out of queue `acme-{s}-events`: statement `closed`",
            make: |hand| {
                let server = "{'AWS': iam.get_role(RoleName='node')['Role']['Arn']}";
                boto(hand, &DENIES.replace("WHOM", server).replace("VERB", "ReceiveMessage"));
            },
        },
        mend: "remove statement `closed` of the policy of queue",
        settle: open_queue,
    },
    Standing {
        broken: Broken {
            hop: "rights",
            says: "the server may not use bucket `acme-{s}`: statement `closed`",
            make: |hand| {
                boto(
                    hand,
                    "s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'closed', 'Effect': 'Deny', 'Principal': {'AWS': iam.get_role(RoleName='node')['Role']['Arn']}, 'Action': 's3:Put*', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
                );
            },
        },
        mend: "remove statement `closed` of the policy of bucket",
        settle: |hand| {
            boto(
                hand,
                "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one['Sid'] != 'closed']))",
            );
        },
    },
    Standing {
        broken: Broken {
            hop: "event",
            says: "no event gets into queue `acme-{s}-events`: statement `closed`",
            make: |hand| boto(hand, &DENIES.replace("WHOM", "'*'").replace("VERB", "Send*")),
        },
        mend: "remove statement `closed` of the policy of queue",
        settle: open_queue,
    },
    Standing {
        broken: Broken {
            hop: "event",
            says: "no event came",
            make: |hand| {
                boto(
                    hand,
                    "n = notifications(); n['QueueConfigurations'] = [{'Id': 'theirs', 'QueueArn': 'arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs', 'Events': ['s3:ObjectCreated:*']}]; notify(n)",
                );
            },
        },
        mend: "`aws s3api put-bucket-notification-configuration`",
        settle: |hand| boto(hand, "notify({})"),
    },
];

fn open_queue(hand: &Hand) {
    boto(hand, "attribute(Policy=document([one for one in of_queue() if one['Sid'] != 'closed']))");
}

fn put_messages(hand: &Hand, many: usize) {
    let script = "
url = u()
for number in range(MANY): sqs.send_message(QueueUrl=url, MessageBody='foreign %d' % number)";
    boto(hand, &script.replace("MANY", &many.to_string()));
}

fn lines(printed: &str) -> Vec<String> {
    printed.lines().map(str::to_owned).collect()
}

/// Messages that tell of nothing, in order, with how often each was seen before.
const SEEN: &str = "
url, found = u(), []
while True:
    batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43200, MessageSystemAttributeNames=['ApproximateReceiveCount']).get('Messages', [])
    if not batch: break
    found += batch
for message in found:
    if message['Body'].startswith('foreign'):
        times = int(message['Attributes']['ApproximateReceiveCount']) - 1
        print(message['Body'] + ', seen ' + ('once' if times == 1 else '%d times' % times))
for message in found: sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'], VisibilityTimeout=0)
";

/// Every object that is there, and every message that tells of one.
const LEFT: &str = "
from urllib.parse import unquote_plus
listed = s3.list_object_versions(Bucket=b)
for version in listed.get('Versions', []) + listed.get('DeleteMarkers', []): print('object ' + version['Key'])
found, url = [], asked(lambda: sqs.get_queue_url(QueueName=q), 'QueueUrl', None)
while url:
    batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43200).get('Messages', [])
    if not batch: break
    found += batch
for message in found:
    if message['Body'].startswith('{'):
        for record in json.loads(message['Body']).get('Records', []): print('event ' + unquote_plus(record['s3']['object']['key']))
for message in found: sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'], VisibilityTimeout=0)
";

/// Objects that look like probes and are none of ours: of another deployment, without saying so, and one that only says so.
const PUT_ALIKE: &str = "
import base64, hashlib
def owner(name): return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()[:12]
ours, theirs = owner('wandb-prod'), owner('wandb-prod-2')
for key, says in [('provision-verify/%s-0123456789abcdef' % theirs, theirs), ('provision-verify/%s-0123456789abcdef' % ours, None),
                  ('provision-verify/%s-1123456789abcdef' % ours, theirs), ('provision-verify/%s-x' % ours, ours), ('run/1', ours)]:
    s3.put_object(Bucket=b, Key=key, Body=b'x', **({'Metadata': {'provision-probe': says}} if says else {}))
for line in sorted(version['Key'] for version in s3.list_object_versions(Bucket=b)['Versions']): print('object ' + line)
";

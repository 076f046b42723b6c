//! What deployments on AWS share with others.

use provision_tests::stage::Hand;
use serde_json::{Value, json};

use super::{Document, Kind, Room, Shared};
use crate::clouds::AWS;
use crate::clouds::aws::hand::{boto, python};

pub(super) static SHARED: Shared = Shared {
    cloud: &AWS,
    documents: &[
        Document {
            name: "rules",
            foreign: rule,
            unique: |rule| if rule["ID"].is_null() { rule.clone() } else { rule["ID"].clone() },
            room: Some(Room { most: 100, read: true, size: <[Value]>::len }),
            refused: &[],
            outlives: false,
        },
        Document {
            name: "notifications",
            foreign: notification,
            unique: |entry| if entry["Id"].is_null() { entry.clone() } else { entry["Id"].clone() },
            room: Some(Room { most: 100, read: true, size: <[Value]>::len }),
            // Two destinations for one event are more than S3 takes.
            refused: &[Kind::Overlap, Kind::Wildcard],
            outlives: false,
        },
        Document {
            name: "policy",
            foreign: |ours, kind, number| statement("arn:aws:s3:::acme-{s}", ours, kind, number),
            unique: Value::clone,
            room: Some(Room { most: 20 * 1024, read: true, size }),
            refused: &[],
            outlives: false,
        },
        Document {
            name: "policy of the queue",
            foreign: |ours, kind, number| statement("arn:aws:sqs:eu-west-1:{a}:acme-{s}-events", ours, kind, number),
            unique: Value::clone,
            room: Some(Room {
                most: 20,
                read: true,
                size: |entries| entries.iter().filter(|entry| entry["frame"].is_null()).count(),
            }),
            refused: &[],
            outlives: false,
        },
        TAGS,
        Document { name: "tags of the queue", ..TAGS },
        Document {
            name: "policies of the role",
            foreign: policy,
            unique: |policy| policy["name"].clone(),
            room: Some(Room {
                most: 10_240,
                read: false,
                size: |policies| policies.iter().map(|it| letters(&it["document"])).sum(),
            }),
            refused: &[],
            outlives: true,
        },
    ],
    prepare: |hand| boto(hand, PREPARE),
    read: |hand| serde_json::from_str(&python(hand, READ)).unwrap(),
    write,
};

const TAGS: Document = Document {
    name: "tags",
    foreign: tag,
    unique: |tag| tag["key"].clone(),
    room: Some(Room { most: 50, read: true, size: <[Value]>::len }),
    refused: &[],
    outlives: false,
};

/// The length of the document, as it is sent.
fn size(entries: &[Value]) -> usize {
    let document = json!({"Version": "2012-10-17", "Id": "theirs", "Statement": entries});
    filled(&document).len()
}

/// The text with the names of a stage on the sandbox.
fn filled(document: &Value) -> String {
    document.to_string().replace("{s}", "zq0000").replace("{a}", "123456789012")
}

fn letters(document: &Value) -> usize {
    filled(document).chars().filter(|letter| !letter.is_whitespace()).count()
}

/// The entry without one of its members.
fn anonymous(entry: &Value, name: &str) -> Value {
    let mut entry = entry.clone();
    entry.as_object_mut().unwrap().shift_remove(name);
    entry
}

fn rule(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    Some(match kind {
        Kind::Equal => anonymous(ours, "ID"),
        Kind::Near => json!({"ID": format!("{}{number}", ours["ID"].as_str().unwrap()), "AllowedMethods": ["GET"],
            "AllowedOrigins": ours["AllowedOrigins"], "MaxAgeSeconds": number}),
        Kind::Overlap => json!({"AllowedMethods": ["PUT", "POST"], "AllowedOrigins": ours["AllowedOrigins"]}),
        Kind::Wildcard => json!({"ID": format!("all-{number}"), "AllowedHeaders": ["x-*"], "AllowedMethods": ["GET"],
            "AllowedOrigins": ["https://*.example.com", "*"]}),
        Kind::Other => {
            json!({"AllowedMethods": ["DELETE", "GET"], "AllowedOrigins": [format!("https://{number}.example.com")],
            "ExposeHeaders": ["b", "a"]})
        }
    })
}

fn notification(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let under = |prefix: String| json!({"Key": {"FilterRules": [{"Name": "Prefix", "Value": prefix}]}});
    Some(match kind {
        Kind::Equal => anonymous(ours, "Id"),
        Kind::Near => json!({"kind": "QueueConfigurations", "Id": format!("{}{number}", ours["Id"].as_str().unwrap()),
            "QueueArn": ours["QueueArn"], "Events": ["s3:ObjectRemoved:*"], "Filter": under(format!("near{number}/"))}),
        Kind::Overlap => {
            json!({"kind": "QueueConfigurations", "Id": "overlap", "QueueArn": "arn:aws:sqs:eu-west-1:{a}:theirs",
            "Events": ["s3:ObjectCreated:Put"], "Filter": under(format!("overlap{number}/"))})
        }
        Kind::Wildcard => {
            json!({"kind": "TopicConfigurations", "Id": "all", "TopicArn": "arn:aws:sns:eu-west-1:{a}:theirs",
            "Events": ["s3:ObjectCreated:*"]})
        }
        Kind::Other if number == 0 => json!({"kind": "EventBridgeConfiguration", "Id": "bridge"}),
        Kind::Other => json!({"kind": "LambdaFunctionConfigurations", "Id": format!("other-{number}"),
            "LambdaFunctionArn": "arn:aws:lambda:eu-west-1:{a}:function:theirs",
            "Events": ["s3:ObjectTagging:*"], "Filter": under(format!("other{number}/"))}),
    })
}

/// Statements of whatever a service takes: texts and numbers, scalars and lists, in no order of ours.
fn statement(resource: &str, ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let queue = resource.contains(":sqs:");
    let (one, other) =
        if queue { ("sqs:PurgeQueue", "sqs:GetQueueUrl") } else { ("s3:PutBucketLogging", "s3:DeleteBucketWebsite") };
    Some(match kind {
        Kind::Equal => anonymous(ours, "Sid"),
        Kind::Near => json!({"Sid": format!("{}{number}", ours["Sid"].as_str()?), "Effect": "Deny",
            "Principal": ours["Principal"], "Action": one, "Resource": resource}),
        Kind::Overlap => json!({"Resource": ours["Resource"], "Principal": {"AWS": ["{a}"]}, "Effect": "Allow",
            "Action": [other, one], "Sid": format!("Overlap{number}")}),
        Kind::Wildcard => json!({"Effect": "Deny", "Principal": "*", "Action": [one], "Resource": [resource],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringNotLike": {"aws:SourceAccount": [210_987_654_321_u64, 1.5, "*"]}}}),
        Kind::Other => {
            json!({"Sid": format!("Other{number}"), "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::{a}:root"},
            "Action": other, "Resource": resource, "Condition": {"StringLike": {"aws:PrincipalTag/team": "caf\u{e9} \"*\""}}})
        }
    })
}

fn tag(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let near = || format!("{}s", ours["key"].as_str().unwrap());
    Some(match kind {
        Kind::Equal => json!({"key": "team", "value": "ml"}),
        Kind::Near => json!({"key": near(), "value": ours["value"]}),
        Kind::Overlap => json!({"key": "team", "value": format!("theirs {number}")}),
        Kind::Wildcard => json!({"key": "Team", "value": ""}),
        Kind::Other => json!({"key": format!("other:{number}"), "value": "a = b/c+d@e"}),
    })
}

fn policy(ours: &Value, kind: Kind, number: usize) -> Option<Value> {
    let statement =
        json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::{number}")});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    Some(match kind {
        Kind::Equal => json!({"name": format!("equal-{number}"), "document": ours["document"]}),
        Kind::Near => json!({"name": format!("{}{number}", ours["name"].as_str().unwrap()), "document": document}),
        Kind::Overlap => json!({"name": "Provision", "document": document}),
        Kind::Wildcard => {
            json!({"name": "all", "document": {"Statement": {"Resource": "*", "Action": "*", "Effect": "Deny"}}})
        }
        Kind::Other => json!({"name": format!("other-{number}"), "document": document}),
    })
}

fn write(hand: &Hand, document: &str, entries: &[Value]) {
    let entries = json!(entries);
    boto(hand, &format!("{WRITE}\nput('{document}', json.loads(r'''{entries}'''))"));
}

/// The queue takes what the bucket sends.
const PREPARE: &str = "
attribute(Policy=document([{'Sid': 'bucket', 'Effect': 'Allow', 'Principal': '*', 'Action': 'sqs:SendMessage', 'Resource': '*', 'Condition': {'ArnLike': {'aws:SourceArn': 'arn:aws:s3:*:*:' + b}}}]))
";

/// Every document. What frames the statements of a policy comes before them.
const READ: &str = "
def notified():
    found = configured()
    return [{'kind': kind, **entry} for kind in ['TopicConfigurations', 'QueueConfigurations', 'LambdaFunctionConfigurations'] for entry in found.get(kind, [])] + (
        [{'kind': 'EventBridgeConfiguration', 'Id': 'bridge'}] if 'EventBridgeConfiguration' in found else [])
def configured():
    try: return notifications()
    except Exception as error:
        if 'NoSuchBucket' in str(error): return {}
        raise
def framed(text):
    if not text: return []
    found = json.loads(text)
    statements = found.pop('Statement')
    return [{'frame': found}] + (statements if isinstance(statements, list) else [statements])
def listed(tags): return [{'key': key, 'value': tags[key]} for key in sorted(tags)]
print(json.dumps({
  'rules': rules(), 'notifications': notified(), 'policy': framed(asked(lambda: s3.get_bucket_policy(Bucket=b), 'Policy', '')),
  'policy of the queue': framed(asked(lambda: sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['Policy']), 'Attributes', {}).get('Policy')),
  'tags': listed(tags()), 'tags of the queue': listed(asked(lambda: sqs.list_queue_tags(QueueUrl=u()), 'Tags', {})),
  'policies of the role': [{'name': name, 'document': iam.get_role_policy(RoleName='node', PolicyName=name)['PolicyDocument']} for name in sorted(granted('node'))]}))
";

const WRITE: &str = "
def text(entries):
    frames = [entry['frame'] for entry in entries if 'frame' in entry]
    frame = frames[0] if frames else [{'Version': '2008-10-17', 'Id': 'theirs'}, {}, {'Version': '2012-10-17'}][len(entries) % 3]
    return json.dumps({**frame, 'Statement': [entry for entry in entries if 'frame' not in entry]}, ensure_ascii=False, separators=(',', ':'))
def put(name, entries):
    if name == 'rules': set_rules(entries)
    elif name == 'notifications':
        found = {}
        for entry in entries:
            kind = entry.pop('kind')
            if kind == 'EventBridgeConfiguration': found[kind] = {}
            else: found.setdefault(kind, []).append(entry)
        try: notify(found)
        except Exception as error:
            if 'ambiguously defined' not in str(error): raise
    elif name == 'policy': s3.put_bucket_policy(Bucket=b, Policy=text(entries))
    elif name == 'policy of the queue': attribute(Policy=text(entries))
    elif name == 'tags': s3.put_bucket_tagging(Bucket=b, Tagging={'TagSet': [{'Key': entry['key'], 'Value': entry['value']} for entry in entries]})
    elif name == 'tags of the queue': sqs.tag_queue(QueueUrl=u(), Tags={entry['key']: entry['value'] for entry in entries})
    else: [iam.put_role_policy(RoleName='node', PolicyName=entry['name'], PolicyDocument=json.dumps(entry['document'])) for entry in entries if entry['name'] not in granted('node')]
";

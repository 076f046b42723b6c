//! A proof beside other readers of the queue: what they are to get, they get.

use provision_sandbox::aws::answers::s3;
use provision_sandbox::fault::{Nth, When};
use provision_sandbox::record::Record;
use provision_tests::backend::Backend;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{AWS, fault};
use crate::contract::preflight::{attach, document, without};
use crate::messages::screen;

/// The hop of the event in a proof that ends with a code.
fn event(stage: &Stage, code: i32, arguments: &[&str]) -> Value {
    let printed = AWS.ends(stage, code, &[&["verify", "--json", "--wait", "20"], arguments].concat());
    let line = printed.lines().find(|line| line.contains("\"type\":\"hop_done\"") && line.contains("\"id\":\"event\""));
    line.map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
}

fn left(stage: &Stage) -> Vec<String> {
    (AWS.proof.unwrap().left)(&stage.hand())
}

/// The server was faster: it holds the message while we look.
#[test]
fn event_that_another_reader_took_is_not_proven() {
    let stage = AWS.applied();
    let take = "
found = []
while not any('provision-verify' in message['Body'] for message in found):
    found = sqs.receive_message(QueueUrl=u(), MaxNumberOfMessages=10, VisibilityTimeout=43200, WaitTimeSeconds=1).get('Messages', [])
";
    stage.hook("s3:PutObject", 1, When::After, |hand| boto(hand, take));
    let hop = event(&stage, 0, &[]);
    assert_eq!(hop["verdict"], "not_proven", "{hop}");
    assert!(hop["reason"].as_str().unwrap().contains("taken by another reader"), "{hop}");
}

/// The first event of a bucket tells that the queue can be reached: whoever waits for it gets it.
#[test]
fn test_event_and_messages_of_others_are_there_afterwards() {
    let stage = AWS.applied();
    boto(&stage.hand(), "sqs.send_message(QueueUrl=u(), MessageBody='theirs')");
    stage.faults().clear();
    AWS.succeed(&stage, &["verify", "--strict"]);
    let bodies = python(
        &stage.hand(),
        "print(' '.join(m['Body'] for m in sqs.receive_message(QueueUrl=u(), MaxNumberOfMessages=10)['Messages']))",
    );
    assert!(bodies.contains("s3:TestEvent") && bodies.contains("theirs"), "{bodies}");
    assert_eq!(left(&stage), Vec::<String>::new());
}

const DEAD_LETTERS: &str = "
sqs.purge_queue(QueueUrl=u())
dead = sqs.create_queue(QueueName='dead-{s}')['QueueUrl']
attribute(RedrivePolicy=json.dumps({'deadLetterTargetArn': 'arn:aws:sqs:eu-west-1:{a}:dead-{s}', 'maxReceiveCount': MOST}))
";

fn with_dead_letters(most: u32) -> Stage {
    let stage = AWS.applied();
    boto(&stage.hand(), &DEAD_LETTERS.replace("MOST", &most.to_string()));
    stage.faults().clear();
    stage
}

/// A queue that moves a message after two receives leaves the server one: nothing is received, and so nothing uploaded.
#[test]
fn nothing_is_received_where_one_more_would_bury_a_message() {
    let stage = with_dead_letters(2);
    // That is in the way of the server too, so that a resource differs.
    let printed = AWS.ends(&stage, 2, &["verify"]);
    assert!(printed.contains("after 2 receives"), "{printed}");
    assert_eq!((stage.faults().begun("sqs:ReceiveMessage"), stage.faults().begun("s3:PutObject")), (0, 0));
    let stage = with_dead_letters(5);
    boto(&stage.hand(), "sqs.send_message(QueueUrl=u(), MessageBody='theirs')");
    stage.faults().clear();
    assert!(AWS.ends(&stage, 0, &["verify"]).contains("a message is in queue"));
    AWS.ends(&stage, 2, &["verify", "--strict"]);
    assert_eq!(stage.faults().begun("sqs:ReceiveMessage"), 0);
}

/// A queue with room, and a message that comes meanwhile: it is looked at only as often as leaves the server one time.
#[test]
fn message_that_comes_meanwhile_is_not_buried() {
    let stage = with_dead_letters(3);
    AWS.succeed(&stage, &["verify", "--strict"]);
    stage.faults().clear();
    stage.hook("s3:PutObject", 1, When::Before, |hand| {
        boto(hand, "notify({}); sqs.send_message(QueueUrl=u(), MessageBody='theirs')");
    });
    let hop = event(&stage, 0, &[]);
    assert!(hop["reason"].as_str().unwrap().contains("dead letters after 3"), "{hop}");
    let seen = "
m = sqs.receive_message(QueueUrl=u(), MessageSystemAttributeNames=['ApproximateReceiveCount'])['Messages'][0]
print(m['Body'], m['Attributes']['ApproximateReceiveCount'], len(sqs.receive_message(QueueUrl=u('dead-{s}')).get('Messages', [])))";
    assert_eq!(python(&stage.hand(), seen), "theirs 3 0");
}

/// Also what is signed for others to send; a browser's questions are not signed.
#[test]
fn every_call_of_a_proof_names_the_bucket_s_owner() {
    let stage = AWS.applied();
    AWS.succeed(&stage, &["verify"]);
    let calls = stage.calls();
    let of_bucket = |call: &&Record| call.operation.starts_with("s3:") && call.operation != "s3:PreflightRequest";
    let calls: Vec<_> = calls.iter().filter(of_bucket).collect();
    for operation in ["s3:PutObject", "s3:GetObject", "s3:HeadObject", "s3:ListObjectVersions", "s3:DeleteObject"] {
        assert!(calls.iter().any(|call| call.operation == operation), "{operation}");
    }
    for call in calls {
        assert!(call.headers.contains_key("x-amz-expected-bucket-owner"), "{call:?}");
    }
}

/// Another deployment has the queue: nothing of its is received.
#[test]
fn nothing_is_received_from_a_queue_of_somebody_else() {
    let stage = AWS.applied();
    boto(&stage.hand(), "sqs.tag_queue(QueueUrl=u(), Tags={'provision-deployment': 'somebody-else'})");
    stage.faults().clear();
    let printed = AWS.ends(&stage, 2, &["verify"]);
    assert!(printed.contains("queue `acme-{s}-events` is not this deployment's"), "{printed}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// What could not be removed again is not uploaded.
#[test]
fn nothing_is_uploaded_where_the_right_to_remove_it_is_missing() {
    let stage = AWS.applied();
    fault(&stage, "s3:ListObjectVersions", Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    let printed = AWS.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("nothing is uploaded, since it could not be removed again"), "{printed}");
    assert!(printed.contains("s3:ListBucketVersions"), "{printed}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    AWS.ends(&stage, 2, &["verify", "--strict"]);
}

/// Nor where somebody keeps everybody from it: the rights of these credentials do not tell of that.
#[test]
fn nothing_is_uploaded_where_a_statement_keeps_everybody_from_removing_it() {
    let stage = AWS.applied();
    boto(
        &stage.hand(),
        "s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'kept', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:DeleteObject*', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
    );
    stage.faults().clear();
    let printed = AWS.ends(&stage, 2, &["verify"]);
    assert!(
        printed.contains("nobody may delete from bucket `acme-{s}`: statement `kept` of its policy denies it"),
        "{printed}"
    );
    assert_eq!(stage.faults().begun("s3:PutObject"), 0);
    boto(
        &stage.hand(),
        "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one['Sid'] != 'kept']))",
    );
    AWS.succeed(&stage, &["verify", "--strict"]);
}

/// Put a statement `o` of somebody else's into the policy of the bucket, in the place of the last one.
const CLOSES: &str = "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one.get('Sid') != 'o'] + [{'Sid': 'o', 'Effect': 'Deny', WHAT, 'Resource': ['arn:aws:s3:::' + b, 'arn:aws:s3:::' + b + '/*']}]))";

/// The same of the queue.
const SILENCES: &str = "attribute(Policy=document([one for one in of_queue() if one.get('Sid') != 'o'] + [{'Sid': 'o', 'Effect': 'Deny', 'Resource': '*', WHAT}]))";

/// Whoever a statement leaves out, and whatever: the server is not, and what it does neither.
#[test]
fn statement_that_takes_a_right_from_the_server_is_named() {
    let stage = AWS.applied();
    let role = "'Principal': {'AWS': iam.get_role(RoleName='node')['Role']['Arn']}, ";
    let others = "'NotPrincipal': {'AWS': ['arn:aws:iam::{a}:user/sandbox', 'arn:aws:iam::{a}:root']}, ";
    for (whom, what) in [
        (others, "'Action': 's3:*'"),
        (role, "'NotAction': 's3:List*'"),
        (role, "'Action': 's3:?etObject'"),
        (role, "'Action': 's3:DeleteObject'"),
        (role, "'Action': 's3:ListBucket'"),
    ] {
        boto(&stage.hand(), &CLOSES.replace("WHAT", &format!("{whom}{what}")));
        let printed = AWS.ends(&stage, 2, &["verify", "--read-only"]);
        let told = printed.contains("failed      the server has its rights")
            && printed.contains("statement `o` of its policy");
        assert!(told, "{what}: {printed}");
    }
    boto(&stage.hand(), &SILENCES.replace("WHAT", &format!("{role}'Action': 'sqs:ChangeMessage*'")));
    let printed = AWS.ends(&stage, 2, &["verify", "--read-only"]);
    assert!(printed.contains("failed      the server has its rights"), "{printed}");
}

/// Whether such a statement is for S3 cannot be known, and no running server is blamed for it.
#[test]
fn statement_that_may_keep_events_out_is_named_where_none_comes() {
    let stage = AWS.applied();
    for what in [
        "'Principal': '*', 'Action': 'sqs:SendMessage', 'Condition': {'StringNotEquals': {'aws:PrincipalAccount': '{a}'}}",
        "'Principal': '*', 'Action': 'sqs:SendMessage', 'Condition': {'ArnNotLike': {'aws:SourceArn': 'arn:aws:s3:::other'}}",
        "'NotPrincipal': {'AWS': 'arn:aws:iam::{a}:root'}, 'Action': 'sqs:SendMessage'",
    ] {
        boto(&stage.hand(), &SILENCES.replace("WHAT", what));
        let hop = event(&stage, 2, &[]);
        let (reason, mend) = (hop["reason"].as_str().unwrap(), hop["mend"].as_str().unwrap());
        assert!(reason.contains("statement `o` of the policy of queue") && reason.contains("no event came"), "{hop}");
        assert!(mend.contains("let S3 through statement `o`") && !mend.contains("stop the server"), "{hop}");
    }
}

/// From outside of the VPC that a queue is closed to, no grant helps.
#[test]
fn statement_that_may_keep_messages_from_us_is_named_beside_the_grant() {
    let stage = AWS.applied();
    let outside = "'Principal': '*', 'Action': ['sqs:SendMessage', 'sqs:ReceiveMessage'], 'Condition': {'StringNotEquals': {'aws:SourceVpce': 'vpce-1'}}";
    boto(&stage.hand(), &SILENCES.replace("WHAT", outside));
    let hop = event(&stage, 0, &[]);
    let reason = hop["reason"].as_str().unwrap();
    assert!(reason.contains("sqs:ReceiveMessage") && reason.contains("statement `o` of the policy of queue"), "{hop}");
}

/// Where the policies of the caller do not give it, and the bucket's own may, it is tried.
#[test]
fn probe_is_uploaded_where_the_bucket_s_own_policy_may_give_the_right_to_remove_it() {
    let stage = AWS.applied();
    let whole = document(&AWS, &stage, "verify");
    let less = without(&AWS, &without(&AWS, &whole, "s3:DeleteObject"), "s3:DeleteObjectVersion");
    boto(
        &stage.hand(),
        "s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'ours', 'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::{a}:root'}, 'Action': 's3:DeleteObject*', 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
    );
    attach(&stage, &less);
    AWS.run(&stage, &["verify"]);
    assert_eq!(stage.faults().begun("s3:PutObject"), 1);
}

/// MiniStack, which others wrote, takes signed requests, delivers events and hides messages as AWS does. It lets pages of anybody in.
#[test]
fn files_and_events_get_through_on_ministack() {
    let stage = AWS.set(Stage::start_on(Backend::MiniStack, AWS.sandbox));
    AWS.apply(&stage);
    let printed = AWS.ends(&stage, 2, &["verify"]);
    assert!(
        printed.contains("failed      browser access") && printed.contains("pages of anybody may GET"),
        "{printed}"
    );
    for passed in [
        "passed      signed upload and download",
        "passed      event of the upload reached queue",
        "passed      probe removed",
    ] {
        assert!(printed.contains(passed), "{printed}");
    }
    assert_eq!(left(&stage), Vec::<String>::new());
}

#[test]
fn screens_of_a_proof() {
    let stage = AWS.applied();
    screen("verify", &stage, &stage.run(&["aws", "verify"]));
    screen("verify_read_only", &stage, &stage.run(&["aws", "verify", "--read-only"]));
    boto(&stage.hand(), "notify({}); s3.delete_bucket_cors(Bucket=b)");
    screen("verify_with_failures", &stage, &stage.run(&["aws", "verify", "--wait", "20"]));
    let stage = AWS.set(Stage::start(AWS.sandbox));
    screen("verify_of_nothing", &stage, &stage.run(&["aws", "verify"]));
}

/// What whoever runs it may not do says nothing of what the server may.
#[test]
fn missing_right_to_upload_is_not_proven() {
    let stage = AWS.applied();
    fault(&stage, "s3:PutObject", Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    let printed = AWS.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("not proven  signed upload and download"), "{printed}");
    assert!(printed.contains("`s3:PutObject` to the identity in use"), "{printed}");
    AWS.ends(&stage, 2, &["verify", "--strict"]);
    assert_eq!(left(&stage), Vec::<String>::new());
}

/// It says where the time goes while it waits.
#[test]
fn waiting_for_an_event_is_told() {
    let stage = AWS.applied();
    boto(&stage.hand(), "notify({})");
    let ran = stage.run_with(&["aws", "verify", "--wait", "60"], |command| {
        command.env("PROVISION_TEST_LIMITS", "10");
    });
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("waiting for the event in queue `acme-{s}-events`"), "{}", ran.stderr);
}

//! Queues under boto3, and the events that come to them.

use std::time::Duration;

use super::{boto3, sandbox};

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
fn message_that_was_received_too_often_goes_to_the_dead_letters() {
    let printed = boto3(
        &sandbox(),
        "url, dead = [sqs.create_queue(QueueName=name)['QueueUrl'] for name in ['q', 'dead']]
redrive = {'deadLetterTargetArn': 'arn:aws:sqs:eu-west-1:123456789012:dead', 'maxReceiveCount': '2'}
sqs.set_queue_attributes(QueueUrl=url, Attributes={'RedrivePolicy': json.dumps(redrive)})
sqs.send_message(QueueUrl=url, MessageBody='hello')
def counts(url): return [len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get('Messages', [])) for _ in range(3)]
print(counts(url), counts(dead))",
    );
    assert_eq!(printed, ["[1, 1, 0] [1, 1, 1]"]);
}

#[test]
fn messages_are_sent_and_deleted_in_batches() {
    let printed = boto3(
        &sandbox(),
        "url = sqs.create_queue(QueueName='q', Attributes={'MaximumMessageSize': '1024'})['QueueUrl']
def entry(id, body='hello'): return {'Id': id, 'MessageBody': body}
def sent(entries): return sqs.send_message_batch(QueueUrl=url, Entries=entries)
answer = sent([entry(str(n)) for n in range(9)] + [entry('large', 'x' * 1025)])
print([one['Id'] for one in answer['Successful']], [(one['Id'], one['Code'], one['SenderFault']) for one in answer['Failed']])
for entries in [[], [entry(str(n)) for n in range(11)], [entry('a'), entry('a')], [entry('a b')], [entry('a' * 81)], [entry(str(n), 'x' * 200000) for n in range(6)]]:
    print(code(sent, entries))
found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)['Messages']
gone = [{'Id': str(n), 'ReceiptHandle': one['ReceiptHandle']} for n, one in enumerate(found)]
answer = sqs.delete_message_batch(QueueUrl=url, Entries=gone[:8] + [{'Id': 'none', 'ReceiptHandle': 'none'}])
print(len(answer['Successful']), [(one['Id'], one['Code']) for one in answer['Failed']])
print(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['ApproximateNumberOfMessagesNotVisible'])['Attributes'])",
    );
    assert_eq!(
        printed,
        [
            "['0', '1', '2', '3', '4', '5', '6', '7', '8'] [('large', 'InvalidParameterValue', True)]",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "8 [('none', 'ReceiptHandleIsInvalid')]",
            "{'ApproximateNumberOfMessagesNotVisible': '1'}",
        ]
    );
}

#[test]
fn events_go_to_queues_of_the_bucket_s_region_alone() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
entry = {'QueueArn': 'arn:aws:sqs:us-east-1:123456789012:q', 'Events': ['s3:ObjectCreated:*']}
try: s3.put_bucket_notification_configuration(Bucket='mine', NotificationConfiguration={'QueueConfigurations': [entry]})
except Exception as error: print(error.response['Error']['Code'], error.response['Error']['Message'])",
    );
    let says = "The notification destination service region is not valid for the bucket location constraint";
    assert_eq!(printed, [format!("InvalidArgument {says}")]);
}

#[test]
fn messages_are_hidden_in_batches() {
    let printed = boto3(
        &sandbox(),
        "url = sqs.create_queue(QueueName='q')['QueueUrl']
for body in ['a', 'b']: sqs.send_message(QueueUrl=url, MessageBody=body)
def received(): return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get('Messages', [])
found = received()
def entry(id, handle, seconds): return {'Id': id, 'ReceiptHandle': handle, 'VisibilityTimeout': seconds}
def hidden(entries): return sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
first, second = [one['ReceiptHandle'] for one in found]
answer = hidden([entry('shown', first, 0), entry('long', second, 43201), entry('none', 'none', 0)])
print([one['Id'] for one in answer['Successful']], [(one['Id'], one['Code'], one['SenderFault']) for one in answer['Failed']])
print([one['Body'] for one in received()] == [found[0]['Body']], code(hidden, []), code(hidden, [entry('a', first, 0)] * 2))",
    );
    let failed = "[('long', 'InvalidParameterValue', True), ('none', 'ReceiptHandleIsInvalid', True)]";
    let codes = "AWS.SimpleQueueService.EmptyBatchRequest AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
    assert_eq!(printed, [format!("['shown'] {failed}"), format!("True {codes}")]);
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

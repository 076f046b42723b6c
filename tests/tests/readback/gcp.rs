//! `plans/gcp.toml` under Google's Python client, its command line and its emulator of Pub/Sub.

use provision_tests::google::{Google, PubsubEmulator, PubsubFront, find};
use serde_json::{Value, json};

use super::Desk;
use crate::sandbox_google_clients::skip;

const GCP_PLAN: &str = include_str!("../../../plans/gcp.toml");

/// `plans/gcp.toml`, applied.
fn google() -> (Google, Desk) {
    let google = Google::start();
    let desk = Desk::new(&google.sandbox, GCP_PLAN);
    let _ = desk.succeed(&["gcp", "apply", "--yes"]);
    (google, desk)
}

#[test]
fn bucket_and_its_notification_are_read_by_google_s_python_client() {
    let (google, desk) = google();
    let script = "
bucket = client.get_bucket('acme-wandb-files')
assert bucket.cors == [{'origin': ['https://wandb.example.com'], 'method': ['GET', 'HEAD', 'PUT'],
                        'responseHeader': ['*'], 'maxAgeSeconds': 3000}], bucket.cors
assert bucket.labels['provision-deployment'] == 'wandb-prod' and bucket.labels['provision-origin'] == 'created'
assert bucket.labels['provision-spec'].startswith('v1-') and 'unfinished' not in bucket.labels['provision-spec']
# A value that is too long goes on under the same key with a number.
keys = {key[:-2] if key[-2:] in ('-2', '-3', '-4') else key for key in bucket.labels}
assert keys == {'provision-' + key for key in ('deployment', 'origin', 'spec', 'parts', 'access')}, bucket.labels
assert (bucket.location, bucket.location_type, bucket.storage_class) == ('US', 'multi-region', 'STANDARD')
assert bucket.iam_configuration.uniform_bucket_level_access_enabled
assert bucket.iam_configuration.public_access_prevention == 'enforced'
assert bucket.soft_delete_policy.retention_duration_seconds == 7 * 86400
assert not bucket.versioning_enabled and bucket.default_kms_key_name is None

notification, = bucket.list_notifications()
assert (notification.topic_project, notification.topic_name) == (PROJECT, 'acme-wandb-events')
assert (notification.event_types, notification.payload_format) == (['OBJECT_FINALIZE'], 'JSON_API_V1')
assert notification.blob_name_prefix is None and not notification.custom_attributes

def bindings(policy):
    assert all(binding.get('condition') is None for binding in policy), policy
    return {binding['role']: sorted(binding['members']) for binding in policy}
server, agent = 'serviceAccount:' + SERVER, 'serviceAccount:' + client.get_service_account_email()
policy = bindings(bucket.get_iam_policy(requested_policy_version=3).bindings)
assert policy['roles/storage.objectAdmin'] == [server], policy
assert not any(server in members for role, members in policy.items() if role != 'roles/storage.objectAdmin'), policy
def policy_of(path):
    return bindings(pubsub('GET', path + ':getIamPolicy?options.requestedPolicyVersion=3')[1]['bindings'])
assert policy_of('topics/acme-wandb-events') == {'roles/pubsub.publisher': [agent]}
assert policy_of('subscriptions/acme-wandb-events') == {'roles/pubsub.subscriber': [server], 'roles/pubsub.viewer': [server]}
url = f\"{os.environ['PROVISION_GCP_API_ENDPOINT']}/v1/projects/{PROJECT}/serviceAccounts/{SERVER}:getIamPolicy\"
assert bindings(json.loads(http('POST', url)[2])['bindings']) == {'roles/iam.serviceAccountTokenCreator': [server]}
";
    let _ = google.python(script);
    desk.is_settled("gcp");
}

#[test]
fn topic_and_subscription_are_read_over_pubsub_s_own_protocol() {
    let (google, desk) = google();
    let script = "
topic, subscription = pubsub('GET', 'topics/acme-wandb-events')[1], pubsub('GET', 'subscriptions/acme-wandb-events')[1]
assert subscription['topic'] == topic['name'] == f'projects/{PROJECT}/topics/acme-wandb-events'
assert subscription['ackDeadlineSeconds'] == 30 and subscription['messageRetentionDuration'] == '604800s', subscription
assert subscription['expirationPolicy'] == {} and not subscription.get('pushConfig') and 'filter' not in subscription
for labels in (topic['labels'], subscription['labels']):
    assert (labels['provision-deployment'], labels['provision-origin']) == ('wandb-prod', 'created'), labels
    assert labels['provision-spec'].startswith('v1-') and 'unfinished' not in labels['provision-spec'], labels
";
    let _ = google.python(script);
    let outputs = desk.succeed(&["gcp", "output"]);
    assert!(outputs.contains("BUCKET=gs://acme-wandb-files\n"), "{outputs}");
    assert!(outputs.contains("BUCKET_QUEUE=pubsub:/acme-ml/acme-wandb-events/acme-wandb-events\n"), "{outputs}");
}

#[test]
fn object_uploaded_by_google_s_python_client_arrives_as_one_message() {
    let (google, desk) = google();
    // A second run must not make a second notification.
    let _ = desk.succeed(&["gcp", "apply", "--yes"]);
    let script = "
blob = client.bucket('acme-wandb-files').blob('run/a b.txt')
blob.metadata = {'k': 'v'}
blob.upload_from_string('hello', content_type='text/plain')
def received():
    answer = pubsub('POST', 'subscriptions/acme-wandb-events:pull', {'maxMessages': 100, 'returnImmediately': True})[1]
    return answer.get('receivedMessages', [])
first = received()
assert len(first) == 1, first
attributes = first[0]['message']['attributes']
expected = {'eventType': 'OBJECT_FINALIZE', 'payloadFormat': 'JSON_API_V1', 'bucketId': 'acme-wandb-files',
            'objectId': 'run/a b.txt', 'objectGeneration': str(blob.generation)}
assert {name: attributes.get(name) for name in expected} == expected, attributes
payload = json.loads(base64.b64decode(first[0]['message']['data']))
assert (payload['name'], payload['size'], payload['metadata']) == ('run/a b.txt', '5', {'k': 'v'}), payload
assert pubsub('POST', 'subscriptions/acme-wandb-events:acknowledge', {'ackIds': [first[0]['ackId']]}) == (200, {})
assert received() == []
";
    let _ = google.python(script);
}

#[test]
fn gcloud_and_gsutil_read_what_apply_made() {
    if find("gcloud").is_none() || find("gsutil").is_none() {
        return skip("`gcloud` and `gsutil` of the Google Cloud SDK");
    }
    let (google, _desk) = google();
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let described = google.gcloud(&["pubsub", "subscriptions", "describe", "acme-wandb-events", "--format=json"]);
    let subscription = parsed(described);
    assert_eq!(subscription["topic"], "projects/acme-ml/topics/acme-wandb-events");
    assert_eq!(
        (&subscription["ackDeadlineSeconds"], &subscription["messageRetentionDuration"]),
        (&json!(30), &json!("604800s"))
    );
    assert_eq!(subscription["expirationPolicy"], json!({}));
    assert_eq!(subscription["labels"]["provision-deployment"], "wandb-prod");

    let (tls, bucket) = (google.tls(), "gs://acme-wandb-files");
    let cors = parsed(google.gsutil(&tls, &["cors", "get", bucket]));
    let rule = json!({
        "origin": ["https://wandb.example.com"], "method": ["GET", "HEAD", "PUT"], "responseHeader": ["*"],
        "maxAgeSeconds": 3000,
    });
    assert_eq!(cors, json!([rule]));
    let notifications = google.gsutil(&tls, &["notification", "list", bucket]);
    assert_eq!(notifications.matches("/notificationConfigs/").count(), 1, "{notifications}");
    assert!(notifications.contains("projects/acme-ml/topics/acme-wandb-events"), "{notifications}");
    assert!(notifications.contains("OBJECT_FINALIZE"), "{notifications}");
    let policy = parsed(google.gsutil(&tls, &["iam", "get", bucket]));
    let admins = policy["bindings"].as_array().unwrap().iter().find(|one| one["role"] == "roles/storage.objectAdmin");
    let server = "serviceAccount:wandb@acme-ml.iam.gserviceaccount.com";
    assert_eq!(admins.unwrap()["members"], json!([server]));
}

/// The binary's own requests to Google's emulator. What it lacks (policies, changing labels) a front before it does; Cloud
/// Storage is the sandbox's, whose topic of that name takes the notification.
#[test]
fn topic_and_subscription_are_made_kept_and_deleted_on_google_s_emulator() {
    let emulator = match PubsubEmulator::start() {
        Ok(emulator) => emulator,
        Err(missing) => return skip(&missing),
    };
    let (google, front) = (Google::start(), PubsubFront::start(&emulator));
    let topic = "
pubsub('PUT', 'topics/acme-wandb-events', {})
binding = {'role': 'roles/pubsub.publisher', 'members': ['serviceAccount:' + client.get_service_account_email()]}
assert pubsub('POST', 'topics/acme-wandb-events:setIamPolicy', {'policy': {'bindings': [binding]}})[0] == 200
";
    let _ = google.python(topic);
    let mut desk = Desk::new(&google.sandbox, GCP_PLAN);
    desk.env.push(("PUBSUB_EMULATOR_HOST".to_owned(), front.address.to_string()));
    let _ = desk.succeed(&["gcp", "apply", "--yes"]);
    desk.is_settled("gcp");
    let host = format!("HOST = 'http://{}'\n", emulator.address);
    let made = "
subscription = pubsub('GET', 'subscriptions/acme-wandb-events', host=HOST)[1]
labels = subscription.pop('labels')
assert labels['provision-deployment'] == 'wandb-prod' and labels['provision-origin'] == 'created', labels
assert subscription == {
    'name': f'projects/{PROJECT}/subscriptions/acme-wandb-events', 'topic': f'projects/{PROJECT}/topics/acme-wandb-events',
    'pushConfig': {}, 'ackDeadlineSeconds': 30, 'messageRetentionDuration': '604800s', 'expirationPolicy': {}}, subscription
# The emulator has both as they were created: labels cannot be updated there, and the parts come with the last mark. A value
# that is too long goes on under the same key with a number.
topic = pubsub('GET', 'topics/acme-wandb-events', host=HOST)[1]
for found in (topic['labels'], labels):
    keys = {key.removesuffix('-2') for key in found}
    assert keys == {'provision-' + key for key in ('deployment', 'origin', 'spec', 'access')}, found
assert pubsub('POST', 'topics/acme-wandb-events:publish', {'messages': [{'data': 'aGVsbG8='}]}, HOST)[0] == 200
asked = {'maxMessages': 100, 'returnImmediately': True}
received = pubsub('POST', 'subscriptions/acme-wandb-events:pull', asked, HOST)[1]['receivedMessages']
assert [found['message']['data'] for found in received] == ['aGVsbG8='], received
";
    let _ = google.python(&format!("{host}{made}"));
    let _ = desk.succeed(&["gcp", "destroy", "--yes"]);
    let gone = "
assert pubsub('GET', 'topics', host=HOST) == pubsub('GET', 'subscriptions', host=HOST) == (200, {})
";
    let _ = google.python(&format!("{host}{gone}"));
    assert_eq!(front.gaps(), ["labels", "policies"], "the emulator learned something: take it out of the front's list");
}

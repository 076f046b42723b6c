//! Google's own clients on the sandbox: what each reads is what another wrote, and what the service would say.

use std::time::Duration;

use provision_sandbox::EmulatorKind;
use provision_tests::google::{Google, PubsubEmulator, find};
use serde_json::Value;

/// Make a bucket with all that a deployment's has.
const MADE: &str = "
made = client.bucket('acme-files')
made.labels = {'provision-deployment': 'wandb', 'team': 'ml'}
made.cors = [{'origin': ['https://wandb.example.com'], 'method': ['GET', 'HEAD', 'PUT'], 'responseHeader': ['ETag'],
              'maxAgeSeconds': 3000}]
made.iam_configuration.uniform_bucket_level_access_enabled = True
made.iam_configuration.public_access_prevention = 'enforced'
made.versioning_enabled = True
made.soft_delete_policy.retention_duration_seconds = 8 * 86400
made = client.create_bucket(made, location='EUROPE-WEST1')
other = storage.Client(project=PROJECT, credentials=AnonymousCredentials()).bucket('acme-files')
";

#[test]
fn bucket_made_by_the_python_client_is_read_by_another() {
    let google = Google::start();
    let script = "
other.reload()
bucket = other
assert bucket.labels == {'provision-deployment': 'wandb', 'team': 'ml'}, bucket.labels
assert bucket.cors == [{'origin': ['https://wandb.example.com'], 'method': ['GET', 'HEAD', 'PUT'],
                        'responseHeader': ['ETag'], 'maxAgeSeconds': 3000}], bucket.cors
assert bucket.iam_configuration.uniform_bucket_level_access_enabled
assert bucket.iam_configuration.uniform_bucket_level_access_locked_time > bucket.time_created
assert bucket.iam_configuration.public_access_prevention == 'enforced'
assert bucket.soft_delete_policy.retention_duration_seconds == 8 * 86400
assert bucket.versioning_enabled and bucket.location == 'EUROPE-WEST1' and bucket.location_type == 'region'
assert bucket.project_number == made.project_number and bucket.etag == made.etag == 'CAE='

labels = bucket.labels
del labels['team']
bucket.labels = {**labels, 'by': 'python'}
bucket.patch(if_metageneration_match=1)
made.labels = {**made.labels, 'by': 'hand'}
for stale in (lambda: made.patch(if_metageneration_match=1),
              lambda: client._connection.api_request(method='DELETE', path=made.path,
                                                     query_params={'ifMetagenerationMatch': 1})):
    try:
        stale()
        raise SystemExit('a stale metageneration was taken')
    except exceptions.PreconditionFailed:
        pass
made.reload()
assert made.labels == {'provision-deployment': 'wandb', 'by': 'python'} and len(made.cors) == 1, made.labels
made.default_kms_key_name = 'projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k'
made.requester_pays = True
made.patch()
other.reload()
assert other.default_kms_key_name.endswith('/k') and other.requester_pays and len(other.cors) == 1
made.default_kms_key_name = None
made.cors = []
made.patch(if_metageneration_match=3)
other.reload()
assert other.default_kms_key_name is None and other.cors == [] and other.requester_pays, other._properties
assert [found.name for found in client.list_buckets()] == ['acme-files']
";
    let _ = google.python(&format!("{MADE}{script}"));
}

#[test]
fn policy_written_by_one_client_is_read_by_the_other() {
    let google = Google::start();
    let script = "
bucket = made
policy = bucket.get_iam_policy(requested_policy_version=3)
policy.version = 3
policy.bindings.append({'role': 'roles/storage.objectViewer', 'members': {'user:a@example.com'},
                        'condition': {'title': 'soon', 'expression': 'request.time < timestamp(\"2030-01-01T00:00:00Z\")'}})
bucket.set_iam_policy(policy)
policy = other.get_iam_policy(requested_policy_version=3)
titles = [binding.get('condition', {}).get('title') for binding in policy.bindings]
assert policy.version == 3 and titles.count('soon') == 1, policy.bindings
stale = other.get_iam_policy(requested_policy_version=3)
policy.bindings.append({'role': 'roles/storage.objectAdmin', 'members': {'serviceAccount:' + SERVER}})
other.set_iam_policy(policy)
try:
    other.set_iam_policy(stale)
    raise SystemExit('a stale etag was taken')
except exceptions.PreconditionFailed:
    pass
bindings = bucket.get_iam_policy(requested_policy_version=3).bindings
assert [binding['role'] for binding in bindings[-2:]] == ['roles/storage.objectAdmin', 'roles/storage.objectViewer']
assert bindings[-1]['condition']['title'] == 'soon' and bindings[-2]['members'] == {'serviceAccount:' + SERVER}
assert bucket.test_iam_permissions(['storage.buckets.get']) == ['storage.buckets.get']
";
    let _ = google.python(&format!("{MADE}{script}"));
}

#[test]
fn upload_by_the_python_client_is_one_message() {
    let google = Google::start();
    let script = "
import io
bucket = client.create_bucket('acme-files')
queue()
notification = bucket.notification('files', topic_project=PROJECT, event_types=['OBJECT_FINALIZE'],
                                   payload_format='JSON_API_V1')
try:
    notification.create()
    raise SystemExit('a notification was taken before the grant')
except exceptions.Forbidden as error:
    assert 'does not have permission to publish messages' in str(error), error
grant()
notification.create()
assert notification.exists() and [found.notification_id for found in bucket.list_notifications()] == ['1']
assert client.get_bucket('acme-files').metageneration == 2

blob = bucket.blob('run/a b.txt')
blob.metadata = {'k': 'v'}
blob.upload_from_string('hello', content_type='text/plain')
received = pull()
assert len(received) == 1, received
message = received[0]['message']
assert message['attributes'] == {
    'notificationConfig': 'projects/_/buckets/acme-files/notificationConfigs/1', 'eventType': 'OBJECT_FINALIZE',
    'payloadFormat': 'JSON_API_V1', 'bucketId': 'acme-files', 'objectId': 'run/a b.txt',
    'objectGeneration': str(blob.generation), 'eventTime': message['attributes']['eventTime']}, message
payload = json.loads(base64.b64decode(message['data']))
assert (payload['name'], payload['size'], payload['metadata']) == ('run/a b.txt', '5', {'k': 'v'}), payload
assert pubsub('POST', 'subscriptions/files:acknowledge', {'ackIds': [received[0]['ackId']]}) == (200, {})

bucket.blob('parts', chunk_size=262144).upload_from_file(io.BytesIO(b'x' * 600000))
bucket.blob('large').upload_from_file(io.BytesIO(b'y' * 9000000), size=9000000)
assert [found['message']['attributes']['objectId'] for found in pull()] == ['parts', 'large']
assert bucket.blob('parts').download_as_bytes() == b'x' * 600000
assert blob.download_as_bytes(start=1, end=3) == b'ell'

notification.delete()
blob.upload_from_string('again')
assert pull() == []
try:
    bucket.delete()
    raise SystemExit('a full bucket was deleted')
except exceptions.Conflict:
    pass
bucket.delete_blobs(list(client.list_blobs('acme-files', versions=True)), preserve_generation=True)
bucket.delete()
assert client.lookup_bucket('acme-files') is None
";
    let _ = google.python(script);
}

/// Google's own client speaks gRPC alone.
#[test]
fn messages_are_pulled_and_acknowledged_by_the_python_client() {
    let google = Google::start();
    let script = "
from google.cloud import pubsub_v1
queue()
bucket = client.create_bucket('acme-files')
grant()
bucket.notification(topic_name='files', topic_project=PROJECT, event_types=['OBJECT_FINALIZE'], payload_format='JSON_API_V1').create()
bucket.blob('a').upload_from_string(b'hello')
subscriber = pubsub_v1.SubscriberClient()
path = subscriber.subscription_path(PROJECT, 'files')
received = subscriber.pull(subscription=path, max_messages=9).received_messages
assert [message.message.attributes['objectId'] for message in received] == ['a'], received
assert json.loads(received[0].message.data)['name'] == 'a' and received[0].message.publish_time
subscriber.modify_ack_deadline(subscription=path, ack_ids=[received[0].ack_id], ack_deadline_seconds=0)
again = subscriber.pull(subscription=path, max_messages=9).received_messages
subscriber.acknowledge(subscription=path, ack_ids=[again[0].ack_id])
assert pull() == []
try:
    subscriber.pull(subscription=subscriber.subscription_path(PROJECT, 'none'), max_messages=1)
    assert False
except exceptions.NotFound:
    pass
print('done')
";
    assert_eq!(google.python(script).trim(), "done");
}

#[test]
fn names_that_are_taken_or_wrong_are_refused_as_the_service_does() {
    let google = Google::start();
    google.sandbox.seed_google_taken("somebodys-files").unwrap();
    let script = "
client.create_bucket('acme-files')
for name, text in (('acme-files', 'you already own it'), ('somebodys-files', 'is not available')):
    try:
        client.create_bucket(name)
        raise SystemExit(f'{name} was made')
    except exceptions.Conflict as error:
        assert text in str(error), error
try:
    client.get_bucket('somebodys-files')
    raise SystemExit('another one\\'s bucket was read')
except exceptions.Forbidden:
    pass
bucket = client.bucket('acme-more')
bucket.labels = {'Team': 'ml'}
try:
    client.create_bucket(bucket)
    raise SystemExit('a wrong label was taken')
except exceptions.BadRequest as error:
    assert 'Team' in str(error), error
";
    let _ = google.python(script);
}

#[test]
fn browsers_are_answered_by_the_bucket_s_rules() {
    let google = Google::start();
    let script = "
bucket = client.bucket('acme-files')
bucket.cors = [{'origin': ['https://wandb.example.com'], 'method': ['GET', 'PUT'],
                'responseHeader': ['ETag', 'x-goog-meta-*'], 'maxAgeSeconds': 3000}]
client.create_bucket(bucket)
def preflight(origin, method, headers=''):
    sent = {'origin': origin, 'access-control-request-method': method, 'access-control-request-headers': headers}
    return http('OPTIONS', URL + '/acme-files/a', headers=sent)[1]
good, bad = 'https://wandb.example.com', 'https://evil.example.com'
matrix = [(good, 'GET', '', True), (good, 'PUT', 'x-goog-meta-a', True), (good, 'PUT', 'etag, X-Goog-Meta-B', True),
          (good, 'DELETE', '', False), (good, 'PUT', 'authorization', False), (bad, 'GET', '', False)]
for origin, method, headers, allowed in matrix:
    answer = preflight(origin, method, headers)
    assert answer.get('access-control-allow-origin') == (origin if allowed else None), (origin, method, headers)
assert preflight(good, 'GET')['access-control-max-age'] == '3000'
_, headers, _ = http('GET', URL + '/acme-files/none', headers={'origin': good})
assert (headers['access-control-allow-origin'], headers['access-control-expose-headers']) == (good, 'ETag, x-goog-meta-*')
_, headers, _ = http('GET', URL + '/acme-files/none', headers={'origin': bad})
assert headers.get('access-control-allow-origin') is None
";
    let _ = google.python(script);
}

#[test]
fn url_signed_by_the_python_client_is_good_for_its_time() {
    let google = Google::start();
    let script = "
import datetime
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import credentials, crypt
from google.oauth2 import service_account
ACCOUNT = URL + '/v1/projects/-/serviceAccounts/' + SERVER
class Signer(credentials.Signing):
    signer, signer_email = None, SERVER
    def sign_bytes(self, message):
        body = json.dumps({'payload': base64.b64encode(message).decode()}).encode()
        status, _, answer = http('POST', ACCOUNT + ':signBlob', body)
        assert status == 200, answer
        return base64.b64decode(json.loads(answer)['signedBlob'])
key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
stranger = service_account.Credentials(crypt.RSASigner.from_string(key.decode()), SERVER, URL)
binding = {'role': 'roles/iam.serviceAccountTokenCreator', 'members': ['serviceAccount:' + SERVER]}
assert http('POST', ACCOUNT + ':setIamPolicy', json.dumps({'policy': {'bindings': [binding]}}).encode())[0] == 200
bucket = client.create_bucket('acme-files')
def signed(method, content_type=None, signer=Signer()):
    return bucket.blob('dir/a b+c~').generate_signed_url(version='v4', expiration=datetime.timedelta(minutes=5),
        method=method, content_type=content_type, credentials=signer, api_access_endpoint=URL)
status, _, body = http('GET', signed('GET', signer=stranger))
assert status == 403 and b'SignatureDoesNotMatch' in body, (status, body)
put = signed('PUT', 'text/plain')
assert http('PUT', put, b'hello', {'content-type': 'text/plain'})[0] == 403
policy = bucket.get_iam_policy(requested_policy_version=3)
policy.bindings.append({'role': 'roles/storage.objectAdmin', 'members': {'serviceAccount:' + SERVER}})
bucket.set_iam_policy(policy)
assert http('PUT', put, b'hello', {'content-type': 'text/plain'})[0] == 200
get = signed('GET')
status, headers, body = http('GET', get)
assert (status, body, headers['content-type']) == (200, b'hello', 'text/plain'), (status, body)
assert http('GET', URL + '/acme-files/dir/a%20b%2Bc~')[0] == 403
print(get)
";
    let url = google.python(script);
    google.sandbox.world().clock.advance(Duration::from_secs(301));
    let script = format!(
        "
status, _, body = http('GET', '{}')
assert status == 400 and b'ExpiredToken' in body, (status, body)
",
        url.trim()
    );
    let _ = google.python(&script);
}

/// The same requests to a Pub/Sub server, and what it answers to each. Google's emulator gives no `state`, and has neither
/// policies nor updates of labels: they are not asked for.
const PUBSUB: &str = "
host = os.environ.get('OTHER', 'http://' + os.environ['PUBSUB_EMULATOR_HOST'])
topic, duration = f'projects/{PROJECT}/topics/files', '604800s'
def never(body):
    return {**body, 'expirationPolicy': {}}
calls = [
    ('PUT', 'topics/files', {'labels': {'team': 'ml'}}), ('PUT', 'topics/files', {}), ('GET', 'topics/files', None),
    ('PUT', 'topics/ab', {}), ('PUT', 'topics/googfiles', {}), ('PUT', 'topics/1files', {}), ('GET', 'topics/none', None),
    ('GET', 'topics', None),
    ('PUT', 'subscriptions/files', never({'topic': topic, 'ackDeadlineSeconds': 30, 'messageRetentionDuration': duration,
                                          'labels': {'team': 'ml'}})),
    ('PUT', 'subscriptions/files', {'topic': topic}), ('PUT', 'subscriptions/more', {'topic': topic + 'none'}),
    ('PUT', 'subscriptions/more', {'topic': topic, 'messageRetentionDuration': '599s'}),
    ('PUT', 'subscriptions/more', {'topic': topic, 'ackDeadlineSeconds': 601}),
    ('GET', 'subscriptions/files', None), ('GET', 'subscriptions/none', None), ('GET', 'topics/files/subscriptions', None),
    ('PATCH', 'subscriptions/files', {'subscription': {'ackDeadlineSeconds': 60}, 'updateMask': 'ackDeadlineSeconds'}),
    ('PATCH', 'subscriptions/files', {'subscription': {'topic': 'x'}, 'updateMask': 'topic'}),
    ('PATCH', 'subscriptions/files', {'subscription': {}, 'updateMask': ''}),
    ('POST', 'topics/files:publish', {'messages': [{'data': 'aGVsbG8=', 'attributes': {'k': 'v'}}]}),
    ('POST', 'topics/files:publish', {'messages': [{}]}),
    ('POST', 'topics/none:publish', {'messages': [{'data': 'aGVsbG8='}]}),
    ('POST', 'subscriptions/files:pull', {'maxMessages': 5, 'returnImmediately': True}),
    ('POST', 'subscriptions/files:pull', {'maxMessages': 5, 'returnImmediately': True}),
    ('POST', 'subscriptions/files:pull', {'maxMessages': 0}),
    ('DELETE', 'topics/files', None), ('DELETE', 'topics/files', None), ('GET', 'subscriptions/files', None),
    ('DELETE', 'subscriptions/files', None), ('DELETE', 'subscriptions/files', None),
]
known = {'name', 'topic', 'labels', 'ackDeadlineSeconds', 'messageRetentionDuration', 'expirationPolicy', 'topics',
         'subscriptions'}
for method, path, body in calls:
    status, answer = pubsub(method, path, body, host)
    if 'error' in answer:
        answer = answer['error']['status']
    elif 'receivedMessages' in answer:
        answer = [{name: found['message'].get(name) for name in ('data', 'attributes')} for found in answer['receivedMessages']]
    else:
        answer = {name: value for name, value in answer.items() if name in known}
    print(json.dumps([method, path, status, answer], sort_keys=True))
";

#[test]
fn pubsub_answers_as_google_s_emulator_does() {
    let emulator = match PubsubEmulator::start() {
        Ok(emulator) => emulator,
        Err(missing) => return skip(&missing),
    };
    let google = Google::start();
    let ours = google.python(PUBSUB);
    let theirs = google.python(&format!("os.environ['OTHER'] = 'http://{}'\n{PUBSUB}", emulator.address));
    let pairs = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
    let different: Vec<_> = pairs.map(|(ours, theirs)| format!("ours   {ours}\ntheirs {theirs}")).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[test]
fn gcloud_and_gsutil_read_what_was_made() {
    if find("gcloud").is_none() || find("gsutil").is_none() {
        return skip("`gcloud` and `gsutil` of the Google Cloud SDK");
    }
    let google = Google::start();
    let script = "
queue()
grant()
client.bucket('acme-files').notification('files', topic_project=PROJECT, event_types=['OBJECT_FINALIZE'],
                                         payload_format='JSON_API_V1').create()
";
    let _ = google.python(&format!("{MADE}{script}"));
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();

    let subscription = json(google.gcloud(&["pubsub", "subscriptions", "describe", "files", "--format=json"]));
    assert_eq!(subscription["topic"], "projects/acme-ml/topics/files");
    let _ = google.gcloud(&["pubsub", "topics", "update", "files", "--update-labels=by=gcloud"]);
    let topic = json(google.gcloud(&["pubsub", "topics", "describe", "files", "--format=json"]));
    assert_eq!(topic["labels"], serde_json::json!({ "team": "ml", "by": "gcloud" }));
    let bucket = json(google.gcloud(&["storage", "buckets", "describe", "gs://acme-files", "--raw", "--format=json"]));
    assert_eq!(bucket["iamConfiguration"]["publicAccessPrevention"], "enforced");

    let tls = google.tls();
    let cors = json(google.gsutil(&tls, &["cors", "get", "gs://acme-files"]));
    assert_eq!(cors[0]["origin"][0], "https://wandb.example.com");
    let policy = json(google.gsutil(&tls, &["iam", "get", "gs://acme-files"]));
    assert_eq!(policy["bindings"].as_array().unwrap().len(), 4);
    let notifications = google.gsutil(&tls, &["notification", "list", "gs://acme-files"]);
    assert!(notifications.contains("projects/_/buckets/acme-files/notificationConfigs/1"), "{notifications}");
    assert!(notifications.contains("projects/acme-ml/topics/files") && notifications.contains("OBJECT_FINALIZE"));
    let unserved = google.sandbox.faults().records().into_iter().find(|record| record.status == Some(501));
    assert!(unserved.is_none(), "{unserved:?}");
    assert!(google.sandbox.address(EmulatorKind::Google).unwrap().ip().is_loopback());
}

/// Say what is missing on this machine.
pub(crate) fn skip(missing: &str) {
    use std::io::Write as _;
    // To the stream itself: the test runner keeps what the macros print.
    let _ = writeln!(std::io::stderr(), "skipped: {missing} is not on this machine");
}

/// The server's account has what the policy of its bucket gives it, and nobody else has that.
#[test]
fn python_client_of_an_account_may_do_what_a_policy_says() {
    let google = Google::start();
    let script = "
from google.oauth2.credentials import Credentials

bucket = client.create_bucket('acme-files')
bucket.blob('a').upload_from_string('hello')
path = f'{URL}/v1/projects/-/serviceAccounts/{SERVER}:generateAccessToken'
token = json.loads(http('POST', path, {'scope': ['https://www.googleapis.com/auth/cloud-platform']})[2])['accessToken']
server = storage.Client(project=PROJECT, credentials=Credentials(token))
blob = server.bucket('acme-files').blob('a')
try:
    blob.download_as_bytes()
    raise SystemExit('an account without a role was let in')
except exceptions.Forbidden as error:
    assert f'{SERVER} does not have storage.objects.get access' in str(error), error
policy = bucket.get_iam_policy(requested_policy_version=3)
policy.bindings.append({'role': 'roles/storage.objectAdmin', 'members': {'serviceAccount:' + SERVER}})
bucket.set_iam_policy(policy)
assert blob.download_as_bytes() == b'hello'
blob.upload_from_string('again')
try:
    server.get_bucket('acme-files')
    raise SystemExit('the role is of objects')
except exceptions.Forbidden:
    pass
";
    let _ = google.python(script);
}

/// The key in the file that is printed beside an identity: what is signed with it is verified, and lets in to what the document says.
#[test]
fn key_of_the_identity_signs_for_tokens_and_addresses() {
    let google = Google::start();
    let script = "
from google.oauth2 import service_account
client.create_bucket('acme-files').blob('a').upload_from_string('hello')
assert 'GOOGLE_APPLICATION_CREDENTIALS' not in os.environ
";
    let _ = google.python(script);
    google.sandbox.attach("includedPermissions:\n- storage.objects.get\n").unwrap();
    google.sandbox.write_google_credentials().unwrap();
    let script = "
import datetime, stat
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
FILE = os.environ['GOOGLE_APPLICATION_CREDENTIALS']
assert stat.S_IMODE(os.stat(FILE).st_mode) == 0o600
info = json.load(open(FILE))
key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
SCOPES = ['https://www.googleapis.com/auth/cloud-platform']
def made(**other): return service_account.Credentials.from_service_account_info({**info, **other}, scopes=SCOPES)
ours, stranger = made(), made(private_key=key)
blob = lambda by: storage.Client(project=PROJECT, credentials=by).bucket('acme-files').blob('a')
for by in (ours, made().with_always_use_jwt_access(True)):
    assert blob(by).download_as_bytes() == b'hello'
    try:
        blob(by).upload_from_string('again')
        raise SystemExit('more than the document says')
    except exceptions.Forbidden as error:
        assert 'storage.objects.create' in str(error), error
assert ours.token.startswith('ya29.'), ours.token
for wrong, text in ((stranger, 'Invalid JWT Signature.'), (made(client_email='no@x.iam.gserviceaccount.com'), 'account not found')):
    try:
        wrong.refresh(Request())
        raise SystemExit('a key of nobody got a token')
    except RefreshError as error:
        assert 'invalid_grant' in str(error) and text in str(error), error
try:
    blob(made(private_key=key).with_always_use_jwt_access(True)).download_as_bytes()
    raise SystemExit('a key of nobody was let in')
except (exceptions.Unauthorized, RefreshError):
    pass
def signed(by, method='GET'):
    return client.bucket('acme-files').blob('a').generate_signed_url(version='v4', expiration=datetime.timedelta(minutes=5),
        method=method, credentials=by, api_access_endpoint=URL)
assert http('GET', signed(ours))[::2] == (200, b'hello')
status, _, body = http('GET', signed(stranger))
assert status == 403 and b'SignatureDoesNotMatch' in body, (status, body)
assert http('PUT', signed(ours, 'PUT'), b'x')[0] == 403
assert http('GET', URL + '/acme-files/a', headers={'authorization': 'Bearer ' + ours.token})[0] == 200
assert http('DELETE', URL + '/acme-files/a', headers={'authorization': 'Bearer ' + ours.token})[0] == 403
";
    let _ = google.python(script);
}

/// What is in the policy of a project holds in all of it, as gcloud writes it.
#[test]
fn python_client_of_an_account_may_do_what_the_policy_of_its_project_says() {
    let google = Google::start();
    let script = "
from google.oauth2.credentials import Credentials
client.create_bucket('acme-files')
path = f'{URL}/v1/projects/-/serviceAccounts/{SERVER}:generateAccessToken'
token = json.loads(http('POST', path, {'scope': ['https://www.googleapis.com/auth/cloud-platform']})[2])['accessToken']
server = storage.Client(project=PROJECT, credentials=Credentials(token))
def has(*permissions): return server.bucket('acme-files').test_iam_permissions(list(permissions))
assert has('storage.buckets.get', 'storage.objects.get') == []
place = f'{URL}/v1/projects/{PROJECT}'
policy = json.loads(http('POST', place + ':getIamPolicy', {'options': {'requestedPolicyVersion': 3}})[2])
policy.setdefault('bindings', []).append({'role': 'roles/storage.objectViewer', 'members': ['serviceAccount:' + SERVER]})
status, _, answer = http('POST', place + ':setIamPolicy', {'policy': policy})
assert status == 200, answer
assert has('storage.buckets.get', 'storage.objects.get') == ['storage.objects.get']
assert list(server.list_blobs('acme-files')) == []
";
    let _ = google.python(script);
}

//! What the built binary made in the sandbox's Google Cloud and Azure, read back by clients that others wrote.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Instant;

use provision_sandbox::Sandbox;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::azurite::Azurite;
use provision_tests::google::{Google, PubsubEmulator, PubsubFront, find};
use provision_tests::run::{self, Ran};
use serde_json::{Value, json};

use crate::sandbox_azure_clients::{python, sandbox};
use crate::sandbox_google_clients::skip;

/// A folder with a plan file, and the variables of a sandbox.
struct Desk {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Desk {
    fn new(sandbox: &Sandbox, plan: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("provision.toml"), plan).unwrap();
        Self { folder, env: sandbox.environment() }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(run::binary());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.envs(self.env.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        run::finished(command.spawn().unwrap(), started)
    }

    /// Run, expect success, and give what was printed.
    fn succeed(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Whether nothing is left to do.
    fn is_settled(&self, cloud: &str) {
        let plan = self.succeed(&[cloud, "plan"]);
        assert!(plan.contains("No changes."), "{plan}");
    }
}

const GCP_PLAN: &str = include_str!("../../plans/gcp.toml");

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

const AZURE_PLAN: &str = include_str!("../../plans/azure.toml");
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
const PRINCIPAL: &str = "11111111-1111-1111-1111-111111111111";

/// Azure with what `plans/azure.toml` takes for granted.
fn azure() -> Sandbox {
    let sandbox = sandbox();
    sandbox.seed_azure(SUBSCRIPTION, provision_sandbox::azure::TENANT, Some(PRINCIPAL)).unwrap();
    sandbox
}

/// What Python looks at: everything, in order, as JSON.
const LOOK: &str = "
GROUP, ACCOUNT, CONTAINER, QUEUE = 'wandb', 'acmewandb', 'wandb-files', 'wandb-events'
ID = f'/subscriptions/{subscription}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}'
def data(model): return model.as_dict()
def look():
    events = grid.event_subscriptions.list_by_resource(GROUP, 'Microsoft.Storage', 'storageAccounts', ACCOUNT)
    return {
        'group': data(groups.resource_groups.get(GROUP)),
        'account': data(storage.storage_accounts.get_properties(GROUP, ACCOUNT)),
        'cors': data(storage.blob_services.get_service_properties(GROUP, ACCOUNT))['properties'].get('cors'),
        'containers': [data(storage.blob_containers.get(GROUP, ACCOUNT, item.name)) for item in storage.blob_containers.list(GROUP, ACCOUNT)],
        'queues': [data(storage.queue.get(GROUP, ACCOUNT, item.name)) for item in storage.queue.list(GROUP, ACCOUNT)],
        'events': [data(item) for item in events],
        'roles': [data(item) for item in roles.role_assignments.list_for_scope(ID)],
    }
";

fn look(sandbox: &Sandbox) -> Value {
    let printed = python(sandbox, &format!("{LOOK}print(json.dumps(look(), default=str))"));
    serde_json::from_str(&printed[0]).unwrap()
}

/// The tags or metadata that are not the mark's.
fn without_mark(tags: &Value) -> Value {
    let others = tags.as_object().into_iter().flatten().filter(|(key, _)| !key.starts_with("provision"));
    Value::Object(others.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn values<'a>(list: &'a Value, pointer: &str) -> Vec<&'a str> {
    let items = list.as_array().into_iter().flatten();
    let mut values: Vec<_> = items.filter_map(|item| item.pointer(pointer)?.as_str()).collect();
    values.sort_unstable();
    values
}

#[test]
fn account_and_what_is_in_it_are_read_by_microsoft_s_python_clients() {
    let sandbox = azure();
    let desk = Desk::new(&sandbox, AZURE_PLAN);
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    let seen = look(&sandbox);
    let account = &seen["account"];
    assert_eq!((&account["kind"], &account["sku"]["name"]), (&json!("StorageV2"), &json!("Standard_ZRS")));
    assert_eq!((&account["location"], &seen["group"]["location"]), (&json!("westeurope"), &json!("westeurope")));
    let properties = &account["properties"];
    assert_eq!(properties["minimumTlsVersion"], "TLS1_2");
    assert_eq!(
        (&properties["allowBlobPublicAccess"], &properties["supportsHttpsTrafficOnly"]),
        (&json!(false), &json!(true))
    );
    for tags in [&seen["group"]["tags"], &account["tags"]] {
        assert_eq!(
            (&tags["provision-deployment"], &tags["provision-origin"]),
            (&json!("wandb-prod"), &json!("created"))
        );
        assert_eq!(without_mark(tags), json!({}));
    }
    let rule = json!({
        "allowedOrigins": ["https://wandb.example.com"], "allowedMethods": ["GET", "HEAD", "PUT"],
        "allowedHeaders": ["*"], "exposedHeaders": ["*"], "maxAgeInSeconds": 3000,
    });
    assert_eq!(seen["cors"]["corsRules"], json!([rule]));
    for (kind, name) in [("containers", "wandb-files"), ("queues", "wandb-events")] {
        let metadata = &seen[kind][0]["properties"]["metadata"];
        assert_eq!((seen[kind].as_array().unwrap().len(), &seen[kind][0]["name"]), (1, &json!(name)));
        assert_eq!(
            (&metadata["provisiondeployment"], &metadata["provisionorigin"]),
            (&json!("wandb-prod"), &json!("created"))
        );
    }
    assert_eq!(seen["containers"][0]["properties"]["publicAccess"], "None");
    desk.is_settled("azure");
}

#[test]
fn events_and_roles_are_read_by_microsoft_s_python_clients() {
    let sandbox = azure();
    let desk = Desk::new(&sandbox, AZURE_PLAN);
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    let seen = look(&sandbox);
    let account = seen["account"]["id"].as_str().unwrap();
    let events = seen["events"].as_array().unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let destination = json!({
        "endpoint_type": "StorageQueue", "resource_id": account, "queue_name": "wandb-events",
        "queue_message_time_to_live_in_seconds": -1,
    });
    let filter = json!({
        "subject_begins_with": "/blobServices/default/containers/wandb-files/blobs/",
        "included_event_types": ["Microsoft.Storage.BlobCreated"],
        // Nothing else narrows it, whatever was there before.
        "subject_ends_with": "", "advanced_filters": [],
    });
    assert_eq!((&event["destination"], &event["filter"]), (&destination, &filter));
    assert_eq!(
        (&event["event_delivery_schema"], &event["provisioning_state"]),
        (&json!("EventGridSchema"), &json!("Succeeded"))
    );
    let queue = format!("{account}/queueServices/default/queues/wandb-events");
    assert_eq!(values(&seen["roles"], "/scope"), [account, account, &queue]);
    let roles = [
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    ];
    let definition =
        |role| format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    assert_eq!(values(&seen["roles"], "/role_definition_id"), roles.map(definition));
    assert_eq!(values(&seen["roles"], "/principal_id"), [PRINCIPAL; 3]);
    assert_eq!(values(&seen["roles"], "/principal_type"), ["ServicePrincipal"; 3]);
}

#[test]
fn blob_uploaded_by_microsoft_s_python_client_arrives_as_one_message() {
    let sandbox = azure();
    let desk = Desk::new(&sandbox, AZURE_PLAN);
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    // A second run must not make a second subscription.
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    let script = "
by = storage.storage_accounts.list_keys(GROUP, ACCOUNT).keys_property[0].value
blobs(ACCOUNT, by).get_blob_client(CONTAINER, 'run 1/ü.txt').upload_blob(b'hello', metadata={'run': '1'})
queue = queues(ACCOUNT, by).get_queue_client(QUEUE)
messages = list(queue.receive_messages())
event = json.loads(base64.b64decode(messages[0].content))
print(len(messages), event['eventType'], event['subject'], event['data']['api'], event['data']['contentLength'])
print(messages[0].expires_on.year, event['topic'] == ID)
queue.delete_message(messages[0])
print(len(queue.peek_messages(max_messages=32)))
print(by)
";
    let printed = python(&sandbox, &format!("{LOOK}{script}"));
    let subject = "/blobServices/default/containers/wandb-files/blobs/run 1/ü.txt";
    assert_eq!(printed[0], format!("1 Microsoft.Storage.BlobCreated {subject} PutBlob 5"));
    assert_eq!(printed[1..3], ["9999 True", "0"]);
    assert_eq!(desk.succeed(&["azure", "output", "AZURE_STORAGE_KEY", "--reveal"]).trim(), printed[3]);
}

/// The same as `plans/azure.toml`, all of it there already and others' in the account.
const ADOPTING: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"
[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = { name = "wandb" }
location = "westeurope"
[azure.account]
name = "acmewandb"
create = false
[azure.container]
name = "wandb-files"
adopt = true
[azure.queue]
name = "wandb-events"
adopt = true
[azure.events]
name = "wandb-blobs"
[azure.access]
principal_id = "11111111-1111-1111-1111-111111111111"
"#;

const MADE_BY_PYTHON: &str = "
import uuid
groups.resource_groups.create_or_update(GROUP, {'location': 'westeurope', 'tags': {'team': 'ml'}})
storage.storage_accounts.begin_create(GROUP, ACCOUNT, {'location': 'westeurope', 'kind': 'StorageV2',
    'sku': {'name': 'Standard_LRS'}, 'tags': {'team': 'ml'}, 'properties': {'minimumTlsVersion': 'TLS1_2',
    'supportsHttpsTrafficOnly': True, 'allowBlobPublicAccess': False}}).result()
storage.blob_services.set_service_properties(GROUP, ACCOUNT, {'properties': {'cors': {'corsRules': [
    rule('https://other.example.com'), rule()]}}})
for name in (CONTAINER, 'others'):
    storage.blob_containers.create(GROUP, ACCOUNT, name, {'properties': {'publicAccess': 'None', 'metadata': {'by': 'python'}}})
for name in (QUEUE, 'others'):
    storage.queue.create(GROUP, ACCOUNT, name, {'properties': {'metadata': {'by': 'python'}}})
def subscribe_to(container, name):
    grid.event_subscriptions.begin_create_or_update(ID, name, {'properties': {
        'destination': {'endpointType': 'StorageQueue', 'properties': {'resourceId': ID,
            'queueName': QUEUE if container == CONTAINER else container, 'queueMessageTimeToLiveInSeconds': -1}},
        'filter': {'subjectBeginsWith': f'/blobServices/default/containers/{container}/blobs/',
            'includedEventTypes': ['Microsoft.Storage.BlobCreated']}, 'eventDeliverySchema': 'EventGridSchema'}}).result()
subscribe_to(CONTAINER, 'wandb-blobs')
subscribe_to('others', 'others')
READER, BLOBS, QUEUES = 'acdd72a7-3385-48ef-bd42-f606fba81ae7', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe', '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
for scope, role in ((ID, READER), (ID, BLOBS), (f'{ID}/queueServices/default/queues/{QUEUE}', QUEUES)):
    roles.role_assignments.create(scope, str(uuid.uuid4()), {'properties': {'principalType': 'ServicePrincipal',
        'principalId': '11111111-1111-1111-1111-111111111111',
        'roleDefinitionId': f'/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}'}})
";

#[test]
fn what_microsoft_s_python_clients_made_is_adopted_and_left_as_it_is() {
    let sandbox = azure();
    let _ = python(&sandbox, &format!("{LOOK}{MADE_BY_PYTHON}"));
    let mut before = look(&sandbox);
    sandbox.faults().clear();
    let desk = Desk::new(&sandbox, ADOPTING);
    let plan = desk.succeed(&["azure", "plan"]);
    let steps: Vec<_> = plan.lines().filter(|line| line.starts_with(['+', '~', '-', '!'])).collect();
    assert!(steps.len() == 2 && steps[0].starts_with("~ adopt container"), "{plan}");
    assert!(steps[1].starts_with("~ adopt queue") && !plan.contains(" -> "), "{plan}");
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    desk.is_settled("azure");
    assert_eq!(desk.run(&["azure", "drift"]).code, 0);
    let written: BTreeSet<_> = sandbox.faults().writes().into_iter().collect();
    let marked = ["arm:containers.patch", "arm:queues.patch"].map(str::to_owned);
    assert_eq!(written, BTreeSet::from(marked), "nothing but the mark was written");
    let mut after = look(&sandbox);
    let containers = after["containers"].as_array().unwrap();
    let container = containers.iter().find(|found| found["name"] == "wandb-files").unwrap();
    assert_eq!(container["properties"]["metadata"]["provisionorigin"], "adopted");
    let _ = desk.succeed(&["azure", "destroy", "--yes"]);
    let mut released = look(&sandbox);
    for seen in [&mut before, &mut after, &mut released] {
        for kind in ["containers", "queues"] {
            seen[kind].as_array_mut().into_iter().flatten().for_each(unwritten);
        }
    }
    assert_eq!(before, after);
    assert_eq!(before, released, "destroy leaves everything that was there before");
}

/// Without what every write changes, and without the mark.
fn unwritten(found: &mut Value) {
    found["etag"] = Value::Null;
    found["properties"]["lastModifiedTime"] = Value::Null;
    found["properties"]["metadata"] = without_mark(&found["properties"]["metadata"]);
}

/// What is in the container of `plans/azure.toml` is on Azurite, everything else in the sandbox: its Resource Manager says
/// that the account's blobs are there. Over plain HTTP the account's key signs.
#[test]
fn container_on_azurite_is_counted_emptied_and_proven_empty() {
    let sandbox = azure();
    let desk = Desk::new(&sandbox, AZURE_PLAN);
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    let key = desk.succeed(&["azure", "output", "AZURE_STORAGE_KEY", "--reveal"]).trim().to_owned();
    let azurite = match Azurite::start("acmewandb", &key) {
        Ok(azurite) => azurite,
        Err(missing) => return skip(&missing),
    };
    let mut account = look(&sandbox)["account"].take();
    account["properties"]["primaryEndpoints"]["blob"] = azurite.endpoint().into();
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let what = What::Answer { status: 200, headers, body: account.to_string() };
    let operation = "arm:storageAccounts.get".to_owned();
    sandbox.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what });
    // Azurite knows the services' versions up to its own release.
    let there = format!(
        "
from concurrent.futures import ThreadPoolExecutor
service = BlobServiceClient('{}', credential='{key}', api_version='2025-05-05')
container = service.get_container_client('wandb-files')
",
        azurite.endpoint()
    );
    let filled = "
container.create_container()
with ThreadPoolExecutor(8) as pool: list(pool.map(lambda number: container.upload_blob(f'run {number}/ü.txt', b'x'), range(1001)))
container.get_blob_client('run 1/ü.txt').create_snapshot()
container.get_blob_client('begun').stage_block('MQ==', b'x')
service.create_container('others').upload_blob('theirs', b'x')
";
    let _ = python(&sandbox, &format!("{there}{filled}"));

    let refused = desk.run(&["azure", "destroy", "--yes"]);
    assert_eq!(refused.code, 6, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("container `wandb-files` is not empty: 1,000+ objects"), "{}", refused.stderr);
    let emptied = desk.run(&["azure", "destroy", "--yes", "--delete-data", "wandb-files"]);
    assert_eq!(emptied.code, 0, "{}{}", emptied.stdout, emptied.stderr);
    let left = "
print([blob.name for blob in container.list_blobs(include=['snapshots'])])
print([blob.name for blob in service.get_container_client('others').list_blobs()])
";
    assert_eq!(python(&sandbox, &format!("{there}{left}")), ["[]", "['theirs']"]);
    assert!(!sandbox.faults().writes().iter().any(|operation| operation.starts_with("blob:")));
}

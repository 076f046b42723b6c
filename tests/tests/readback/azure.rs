//! `plans/azure.toml` under Microsoft's Python clients and on Azurite.

use std::collections::BTreeSet;

use provision_core::probe::{PREFIX, Probes};
use provision_sandbox::Sandbox;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::azurite::Azurite;
use serde_json::{Value, json};

use super::Desk;
use crate::sandbox_azure_clients::{python, sandbox};
use crate::sandbox_google_clients::skip;

const AZURE_PLAN: &str = include_str!("../../../plans/azure.toml");
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
        'blobs': data(storage.blob_services.get_service_properties(GROUP, ACCOUNT))['properties'],
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
    assert_eq!(seen["blobs"]["cors"]["corsRules"], json!([rule]));
    assert_eq!(
        seen["blobs"]["deleteRetentionPolicy"],
        json!({"enabled": true, "days": 7, "allowPermanentDelete": false})
    );
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

/// The same with what a proof sends: Azurite judges what the account's key signs, and answers browsers; the event of a probe that
/// a run left is found in its queue and taken out of it, past a message of others.
#[test]
fn proof_on_azurite_signs_asks_and_takes_its_event() {
    let sandbox = azure();
    let desk = Desk::new(&sandbox, AZURE_PLAN);
    let _ = desk.succeed(&["azure", "apply", "--yes"]);
    let key = desk.succeed(&["azure", "output", "AZURE_STORAGE_KEY", "--reveal"]).trim().to_owned();
    let azurite = match Azurite::start("acmewandb", &key) {
        Ok(azurite) => azurite,
        Err(missing) => return skip(&missing),
    };
    let mut account = look(&sandbox)["account"].take();
    account["properties"]["primaryEndpoints"] = json!({"blob": azurite.endpoint(), "queue": azurite.queue_endpoint()});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let what = What::Answer { status: 200, headers, body: account.to_string() };
    let operation = "arm:storageAccounts.get".to_owned();
    sandbox.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what });
    let probes = Probes::new(PREFIX, "wandb-prod");
    let left = probes.another().key;
    let there = format!(
        "
import base64
from azure.storage.blob import CorsRule
from azure.storage.queue import QueueServiceClient
service = BlobServiceClient('{}', credential='{key}', api_version='2025-05-05')
container = service.get_container_client('wandb-files')
queue = QueueServiceClient('{}', credential='{key}', api_version='2025-05-05').get_queue_client('wandb-events')
",
        azurite.endpoint(),
        azurite.queue_endpoint()
    );
    let event = json!({"topic": account["id"], "eventType": "Microsoft.Storage.BlobCreated",
        "subject": format!("/blobServices/default/containers/wandb-files/blobs/{left}")});
    let filled = format!(
        "
service.set_service_properties(cors=[CorsRule(['https://wandb.example.com'], ['GET', 'HEAD', 'PUT'], allowed_headers=['*'], exposed_headers=['*'], max_age_in_seconds=3000)])
container.create_container()
container.upload_blob('{left}', b'x', metadata={{'provisionprobe': '{}'}})
container.upload_blob('theirs', b'x')
queue.create_queue()
queue.send_message('theirs <&>')
queue.send_message(base64.b64encode(b'''{event}''').decode())
",
        probes.owner
    );
    let _ = python(&sandbox, &format!("{there}{filled}"));
    let proven = desk.run(&["azure", "verify", "--wait", "1"]);
    assert_eq!(proven.code, 2, "{}{}", proven.stdout, proven.stderr);
    for told in [
        "passed      browser access",
        "passed      signed upload and download",
        "no event came within 1 s",
        "1 of earlier runs",
    ] {
        assert!(proven.stdout.contains(told), "{told}: {}{}", proven.stdout, proven.stderr);
    }
    let found = "
print([blob.name for blob in container.list_blobs()])
print([(message.content, message.dequeue_count) for message in queue.peek_messages(32)])
";
    assert_eq!(python(&sandbox, &format!("{there}{found}")), ["['theirs']", "[('theirs <&>', 1)]"]);
}

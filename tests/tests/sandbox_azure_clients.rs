//! Azure in the sandbox under Microsoft's Python clients.

mod identities;
mod signatures;

use std::time::Duration;

use provision_sandbox::azure::CLIENT;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::{EmulatorKind, Options, Sandbox};
use provision_tests::python;

/// Clients of every service; whatever is not this machine is refused. A `code` is what an error answer says.
const PRELUDE: &str = "
import base64, json, os, sys, urllib.request, urllib.error, ssl
def loopback(event, arguments):
    if event == 'socket.connect' and arguments[1][0] != '127.0.0.1': raise RuntimeError(f'{arguments[1]} is not this machine')
sys.addaudithook(loopback)
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobBlock, BlobServiceClient
from azure.storage.queue import QueueServiceClient
E = os.environ
tenant, subscription = E['AZURE_TENANT_ID'], E['AZURE_SUBSCRIPTION_ID']
credential = ClientSecretCredential(tenant, E['AZURE_CLIENT_ID'], E['AZURE_CLIENT_SECRET'],
    authority=E['AZURE_AUTHORITY_HOST'], disable_instance_discovery=True)
manager = dict(base_url=E['AZURE_RESOURCE_MANAGER_ENDPOINT'], credential_scopes=['https://management.azure.com/.default'])
groups = ResourceManagementClient(credential, subscription, **manager)
storage = StorageManagementClient(credential, subscription, **manager)
grid = EventGridManagementClient(credential, subscription, **manager)
roles = AuthorizationManagementClient(credential, subscription, **manager)
def code(call, *args, **more):
    try:
        result = call(*args, **more)
        if hasattr(result, 'result'): result = result.result()
        if hasattr(result, '__next__'): list(result)
        return 'OK'
    except HttpResponseError as error:
        return f'{error.status_code} {getattr(error, \"error_code\", None) or error.error.code}'
GROUP, ACCOUNT = 'rg-wandb', 'wandbfiles01'
def make_account(name=ACCOUNT, **properties):
    groups.resource_groups.create_or_update(GROUP, {'location': 'westeurope', 'tags': {'team': 'ml'}})
    return storage.storage_accounts.begin_create(GROUP, name, {'location': 'westeurope', 'kind': 'StorageV2',
        'sku': {'name': 'Standard_LRS'}, 'tags': {'team': 'ml'}, 'properties': {'minimumTlsVersion': 'TLS1_2',
        'supportsHttpsTrafficOnly': True, 'allowBlobPublicAccess': False, 'allowSharedKeyAccess': True, **properties}}).result()
def key(name=ACCOUNT): return storage.storage_accounts.list_keys(GROUP, name).keys_property[0].value
def blobs(name=ACCOUNT, by=None):
    return BlobServiceClient(f\"{E['AZURE_STORAGE_BLOB_ENDPOINT']}/{name}\", credential=by or key(name), retry_total=0)
def queues(name=ACCOUNT, by=None):
    return QueueServiceClient(f\"{E['AZURE_STORAGE_QUEUE_ENDPOINT']}/{name}\", credential=by or key(name), retry_total=0)
def rule(origin='https://wandb.example.com', methods=('GET', 'HEAD', 'PUT')):
    return {'allowedOrigins': [origin], 'allowedMethods': list(methods), 'allowedHeaders': ['*'],
        'exposedHeaders': ['*'], 'maxAgeInSeconds': 3000}
def set_cors(*rules):
    return storage.blob_services.set_service_properties(GROUP, ACCOUNT, {'properties': {'cors': {'corsRules': list(rules)}}})
def subscribe(container='wandb-files', queue='wandb-events', name='wandb-blobs'):
    account = storage.storage_accounts.get_properties(GROUP, ACCOUNT).id
    return grid.event_subscriptions.begin_create_or_update(account, name, {'properties': {
        'destination': {'endpointType': 'StorageQueue', 'properties': {'resourceId': account, 'queueName': queue,
            'queueMessageTimeToLiveInSeconds': -1}},
        'filter': {'subjectBeginsWith': f'/blobServices/default/containers/{container}/blobs/',
            'includedEventTypes': ['Microsoft.Storage.BlobCreated']}, 'eventDeliverySchema': 'EventGridSchema'}})
";

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::start(Options { clouds: vec![EmulatorKind::Azure], recording: true, ..Options::default() }).unwrap()
}

/// What a script prints, one line after the other.
pub(crate) fn python(sandbox: &Sandbox, script: &str) -> Vec<String> {
    let output = python::AZURE.run(&format!("{PRELUDE}{script}"), &sandbox.environment());
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn account_container_queue_and_cors_are_read_back_as_made() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
print(groups.providers.get('Microsoft.EventGrid').registration_state)
print(storage.storage_accounts.check_name_availability({'name': ACCOUNT, 'type': 'Microsoft.Storage/storageAccounts'}).name_available)
made = make_account()
read = storage.storage_accounts.get_properties(GROUP, ACCOUNT)
print(read.provisioning_state.value, read.minimum_tls_version.value, read.allow_shared_key_access, read.sku.name.value, read.tags)
print(read.primary_endpoints.blob == f\"{E['AZURE_STORAGE_BLOB_ENDPOINT']}/{ACCOUNT}/\")
set_cors(rule())
print([json.dumps(rule.as_dict(), sort_keys=True) for rule in
    storage.blob_services.get_service_properties(GROUP, ACCOUNT).cors.cors_rules])
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {'properties': {'publicAccess': 'None', 'metadata': {'managedby': 'x'}}})
container = storage.blob_containers.get(GROUP, ACCOUNT, 'wandb-files')
print(container.public_access.value, container.metadata, bool(container.etag))
storage.queue.create(GROUP, ACCOUNT, 'wandb-events', {'properties': {'metadata': {'managedby': 'x'}}})
print(storage.queue.get(GROUP, ACCOUNT, 'wandb-events').metadata)
print([item.name for item in storage.blob_containers.list(GROUP, ACCOUNT)], [item.name for item in storage.queue.list(GROUP, ACCOUNT)])
print([item.name for item in groups.resources.list_by_resource_group(GROUP)])
print(storage.storage_accounts.check_name_availability({'name': ACCOUNT, 'type': 'Microsoft.Storage/storageAccounts'}).reason.value)
",
    );
    let cors = "['{\"allowedHeaders\": [\"*\"], \"allowedMethods\": [\"GET\", \"HEAD\", \"PUT\"], \"allowedOrigins\": \
                [\"https://wandb.example.com\"], \"exposedHeaders\": [\"*\"], \"maxAgeInSeconds\": 3000}']";
    let expected = [
        "Registered",
        "True",
        "Succeeded TLS1_2 True Standard_LRS {'team': 'ml'}",
        "True",
        cors,
        "None {'managedby': 'x'} True",
        "{'managedby': 'x'}",
        "['wandb-files'] ['wandb-events']",
        "['wandbfiles01']",
        "AlreadyExists",
    ];
    assert_eq!(printed, expected);
    assert!(sandbox.faults().count("arm:operations.get") >= 1, "the account is waited for");
}

#[test]
fn blob_that_is_uploaded_arrives_as_one_message() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
make_account()
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {})
storage.blob_containers.create(GROUP, ACCOUNT, 'other', {})
print(code(subscribe, name='early'))
storage.queue.create(GROUP, ACCOUNT, 'wandb-events', {})
made = subscribe().result()
print(made.provisioning_state, made.destination.queue_message_time_to_live_in_seconds)
print([item.name for item in grid.event_subscriptions.list_by_resource(GROUP, 'Microsoft.Storage', 'storageAccounts', ACCOUNT)])
service = blobs()
service.get_blob_client('other', 'a').upload_blob(b'elsewhere')
blob = service.get_blob_client('wandb-files', 'run 1/ü.txt')
blob.upload_blob(b'hello', metadata={'run': '1'})
queue = queues().get_queue_client('wandb-events')
messages = list(queue.receive_messages())
event = json.loads(base64.b64decode(messages[0].content))
print(len(messages), event['eventType'], event['subject'], event['data']['api'], event['data']['contentLength'])
print(messages[0].expires_on.year)
queue.delete_message(messages[0])
blob.delete_blob()
print(len(queue.peek_messages(max_messages=32)))
large = service.get_blob_client('wandb-files', 'large')
large.upload_blob(b'x' * 3_000_000, max_concurrency=2)
large.stage_block(base64.b64encode(b'1').decode(), b'one')
large.stage_block(base64.b64encode(b'2').decode(), b'two')
large.commit_block_list([BlobBlock(base64.b64encode(b'1').decode()), BlobBlock(base64.b64encode(b'2').decode())])
print(large.download_blob().readall(), [json.loads(base64.b64decode(m.content))['data']['api'] for m in queue.peek_messages(max_messages=32)])
",
    );
    let expected = [
        "200 Endpoint validation",
        "Succeeded -1",
        "['early', 'wandb-blobs']",
        "1 Microsoft.Storage.BlobCreated /blobServices/default/containers/wandb-files/blobs/run 1/ü.txt PutBlob 5",
        "9999",
        "0",
        "b'onetwo' ['PutBlob', 'PutBlockList']",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn blobs_are_listed_with_pages_folders_snapshots_and_versions() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
make_account()
container = blobs().get_container_client('wandb-files')
container.create_container(metadata={'managedby': 'x'})
print(container.get_container_properties().metadata)
for name in ['a/1', 'a/2', 'b', 'c & d']: container.upload_blob(name, name.encode())
print([blob.name for blob in container.list_blobs(results_per_page=1)])
print([item.name for item in container.walk_blobs()])
print([blob.name for blob in container.list_blobs(name_starts_with='a/')])
blob = container.get_blob_client('b')
print(blob.get_blob_properties().size, blob.download_blob(offset=0, length=1).readall(), blob.exists(), container.get_blob_client('x').exists())
blob.create_snapshot()
print(code(blob.delete_blob), len(list(container.list_blobs(include=['snapshots']))))
blob.delete_blob(delete_snapshots='include')
storage.blob_services.set_service_properties(GROUP, ACCOUNT, {'properties': {'isVersioningEnabled': True}})
blob.upload_blob(b'1'); blob.upload_blob(b'2', overwrite=True); blob.delete_blob()
versions = [(item.name, item.is_current_version, item.version_id) for item in container.list_blobs(include=['versions'], name_starts_with='b')]
print(len(versions), [item.name for item in container.list_blobs(name_starts_with='b')])
for name, _, version in versions: container.delete_blob(name, version_id=version)
print(len(list(container.list_blobs(include=['versions'], name_starts_with='b'))))
print(code(blob.upload_blob, b'3'), code(blob.upload_blob, b'3'))
",
    );
    let expected = [
        "{'managedby': 'x'}",
        "['a/1', 'a/2', 'b', 'c & d']",
        "['a/', 'b', 'c & d']",
        "['a/1', 'a/2']",
        "1 b'b' True False",
        "409 SnapshotsPresent 5",
        "2 []",
        "0",
        "OK 409 BlobAlreadyExists",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn role_is_assigned_read_back_and_has_its_effect() {
    let sandbox = sandbox();
    sandbox.world().faults.set_propagation("principals", Duration::from_secs(60));
    let principal = "11111111-1111-4111-8111-111111111111";
    sandbox
        .seed_azure("5a4db0c5-0000-4000-8000-000000000001", "5a4db0c5-0000-4000-8000-0000000000aa", Some(principal))
        .unwrap();
    let assign = format!(
        "
import uuid
def assign(scope, role, principal, name=None):
    return roles.role_assignments.create(scope, name or str(uuid.uuid4()), {{'properties': {{'principalType': 'ServicePrincipal',
        'roleDefinitionId': f'/subscriptions/{{subscription}}/providers/Microsoft.Authorization/roleDefinitions/{{role}}', 'principalId': principal}}}})
NEW, MINE = '{principal}', '{CLIENT}'
DATA = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
"
    );
    let printed = python(
        &sandbox,
        &format!(
            "{assign}
account = make_account().id
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {{}})
mine = blobs(by=credential).get_container_client('wandb-files')
print(code(mine.upload_blob, 'a', b'a'))
print(code(assign, account, DATA, NEW), code(assign, account, DATA, str(uuid.uuid4())))
made = assign(account, DATA, MINE)
print(code(mine.upload_blob, 'a', b'a'), [blob.name for blob in mine.list_blobs()])
print(code(assign, account, DATA, MINE), code(assign, account, DATA, MINE, made.name))
print([item.name == made.name for item in roles.role_assignments.list_for_scope(account)])
print(roles.role_assignments.get(account, made.name).principal_id == MINE)
print([role.role_name for role in roles.role_definitions.list(account, filter=\"roleName eq 'Reader'\")])
"
        ),
    );
    let expected = [
        "403 AuthorizationPermissionMismatch",
        "400 PrincipalNotFound 400 PrincipalNotFound",
        "OK ['a']",
        "409 RoleAssignmentExists OK",
        "[True]",
        "True",
        "['Reader']",
    ];
    assert_eq!(printed, expected);
    sandbox.world().clock.advance(Duration::from_secs(61));
    let script = format!(
        "{assign}\naccount = storage.storage_accounts.get_properties(GROUP, ACCOUNT).id\nprint(code(assign, account, DATA, NEW))"
    );
    assert_eq!(python(&sandbox, &script), ["OK"]);
}

#[test]
fn what_the_service_refuses_is_refused() {
    let sandbox = sandbox();
    sandbox.seed_azure_taken("wandbtaken").unwrap();
    let printed = python(
        &sandbox,
        "
account = make_account().id
print(code(make_account, 'wandbtaken'), code(make_account, 'Wandb_01'), code(make_account, 'ab'))
print(code(storage.storage_accounts.begin_create, 'nowhere', 'wandb02', {'location': 'x', 'kind': 'StorageV2', 'sku': {'name': 'Standard_LRS'}}))
set_cors(*[rule(f'https://{number}.example.com') for number in range(5)])
print(code(set_cors, *[rule(f'https://{number}.example.com') for number in range(6)]))
print(len(storage.blob_services.get_service_properties(GROUP, ACCOUNT).cors.cors_rules))
print(code(storage.blob_containers.create, GROUP, ACCOUNT, 'a--b', {}), code(storage.queue.create, GROUP, ACCOUNT, 'Wandb', {}))
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {})
storage.blob_containers.delete(GROUP, ACCOUNT, 'wandb-files')
print(code(storage.blob_containers.create, GROUP, ACCOUNT, 'wandb-files', {}), code(blobs().create_container, 'wandb-files'))
print(code(storage.blob_containers.delete, GROUP, ACCOUNT, 'wandb-files'))
",
    );
    let expected = [
        "409 StorageAccountAlreadyTaken 400 AccountNameInvalid 400 AccountNameInvalid",
        "404 ResourceGroupNotFound",
        "400 InvalidValuesForRequestParameters",
        "5",
        "400 InvalidResourceName 400 InvalidResourceName",
        "409 ContainerOperationFailure 409 ContainerBeingDeleted",
        "OK",
    ];
    assert_eq!(printed, expected);
    sandbox.world().clock.advance(Duration::from_secs(30));
    let again = "print(code(storage.blob_containers.create, GROUP, ACCOUNT, 'wandb-files', {}))";
    assert_eq!(python(&sandbox, again), ["OK"]);
}

#[test]
fn leases_keep_what_they_are_on() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
make_account()
place = (GROUP, ACCOUNT, 'wandb-files')
storage.blob_containers.create(*place, {})
blob = blobs().get_blob_client('wandb-files', 'a')
blob.upload_blob(b'x')
lease = blob.acquire_lease()
print(code(blob.delete_blob), code(blob.upload_blob, b'y', overwrite=True), code(blob.acquire_lease), blob.get_blob_properties().lease.state)
blob.upload_blob(b'y', overwrite=True, lease=lease)
lease.break_lease()
print(blob.get_blob_properties().lease.state, code(blob.delete_blob))
held = storage.blob_containers.lease(*place, {'action': 'Acquire', 'leaseDuration': -1})
print(code(storage.blob_containers.delete, *place), storage.blob_containers.get(*place).lease_state, code(blobs().delete_container, 'wandb-files'))
storage.blob_containers.lease(*place, {'action': 'Release', 'leaseId': held.lease_id})
print(code(storage.blob_containers.delete, *place))
",
    );
    let expected = [
        "412 StorageErrorCode.LEASE_ID_MISSING 412 StorageErrorCode.LEASE_ID_MISSING 409 LeaseAlreadyPresent leased",
        "broken OK",
        "412 LeaseIdMissing LeaseState.LEASED 412 StorageErrorCode.LEASE_ID_MISSING",
        "OK",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn locks_shared_keys_and_registration_stop_what_they_stop() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
account = make_account().id
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {})
storage.queue.create(GROUP, ACCOUNT, 'wandb-events', {})
subscribe().result()
from azure.mgmt.core import ARMPipelineClient
from azure.core.rest import HttpRequest
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
client = ARMPipelineClient(manager['base_url'], policies=[BearerTokenCredentialPolicy(credential, *manager['credential_scopes'])])
def call(method, path, body=None, version='2016-09-01'):
    answer = client.send_request(HttpRequest(method, f'{manager[\"base_url\"]}{path}?api-version={version}', json=body))
    return answer.status_code, answer.json() if answer.content else None
lock = f'{account}/providers/Microsoft.Authorization/locks/keep'
print(call('PUT', lock, {'properties': {'level': 'CanNotDelete'}})[0], call('GET', f'{account}/providers/Microsoft.Authorization/locks')[1]['value'][0]['name'])
print(code(storage.storage_accounts.delete, GROUP, ACCOUNT), code(storage.queue.delete, GROUP, ACCOUNT, 'wandb-events'),
    code(groups.resource_groups.begin_delete, GROUP))
print(call('DELETE', lock)[0], call('DELETE', lock)[0])
print(code(grid.event_subscriptions.begin_delete, account, 'wandb-blobs'), code(grid.event_subscriptions.begin_delete, account, 'wandb-blobs'))
with_key = blobs()
storage.storage_accounts.update(GROUP, ACCOUNT, {'properties': {'allowSharedKeyAccess': False}})
print(code(with_key.get_container_client('wandb-files').list_blobs), len(storage.storage_accounts.list_keys(GROUP, ACCOUNT).keys_property))
groups.providers.unregister('Microsoft.EventGrid')
status, body = call('GET', f'{account}/providers/Microsoft.EventGrid/eventSubscriptions', version='2022-06-15')
print(status, body['error']['code'], groups.providers.get('Microsoft.EventGrid').registration_state)
print(groups.providers.register('Microsoft.EventGrid').registration_state)
print(call('GET', account, version='')[1]['error']['code'], call('GET', f'{account}/managementPolicies/default')[0])
print(code(storage.storage_accounts.delete, GROUP, ACCOUNT), code(storage.storage_accounts.delete, GROUP, ACCOUNT))
print(code(groups.resource_groups.begin_delete, GROUP), groups.resource_groups.check_existence(GROUP))
",
    );
    let expected = [
        "201 keep",
        "409 ScopeLocked 409 ScopeLocked 409 ScopeLocked",
        "200 204",
        "OK OK",
        "403 KeyBasedAuthenticationNotPermitted 2",
        "409 MissingSubscriptionRegistration NotRegistered",
        "Registering",
        "MissingApiVersionParameter 501",
        "OK OK",
        "OK False",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn browsers_are_answered_by_the_stored_rules() {
    let sandbox = sandbox();
    let printed = python(
        &sandbox,
        "
make_account()
set_cors(rule(), {**rule('https://*.example.org', ['GET']), 'allowedHeaders': ['x-ms-*'], 'exposedHeaders': ['ETag']})
context = ssl.create_default_context()
container = blobs().get_container_client('wandb-files')
container.create_container()
container.upload_blob('a', b'a')
url = f\"{E['AZURE_STORAGE_BLOB_ENDPOINT']}/{ACCOUNT}/wandb-files/a\"
def ask(method, origin, **headers):
    headers = {'Origin': origin, **{name.replace('_', '-'): value for name, value in headers.items()}}
    try: answer = urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), context=context)
    except urllib.error.HTTPError as error: answer = error
    found = {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith('access-control') or name.lower() == 'vary'}
    return answer.status, found.get('access-control-allow-origin'), found.get('access-control-allow-methods'), found.get('access-control-max-age')
def preflight(origin, method, headers=None):
    more = {'Access_Control_Request_Headers': headers} if headers else {}
    return ask('OPTIONS', origin, Access_Control_Request_Method=method, **more)
print(preflight('https://wandb.example.com', 'PUT', 'content-type,x-ms-blob-type'))
print(preflight('https://wandb.example.com', 'DELETE'))
print(preflight('https://other.example.com', 'PUT'))
print(preflight('https://a.example.org', 'GET', 'x-ms-version'))
print(preflight('https://a.example.org', 'GET', 'authorization'))
print(ask('GET', 'https://wandb.example.com'))
print(ask('GET', 'https://other.example.com'))
from azure.storage.blob import generate_blob_sas, BlobSasPermissions
from datetime import datetime, timedelta, timezone
sas = generate_blob_sas(ACCOUNT, 'wandb-files', 'a', account_key=key(), permission=BlobSasPermissions(read=True), expiry=datetime.now(timezone.utc) + timedelta(hours=1))
url = f'{url}?{sas}'
print(ask('GET', 'https://wandb.example.com'), ask('GET', 'https://other.example.com'))
print(ask('DELETE', 'https://wandb.example.com')[0])
set_cors()
print(preflight('https://wandb.example.com', 'PUT'))
",
    );
    let expected = [
        "(200, 'https://wandb.example.com', 'PUT', '3000')",
        "(403, None, None, None)",
        "(403, None, None, None)",
        "(200, 'https://a.example.org', 'GET', '3000')",
        "(403, None, None, None)",
        "(401, 'https://wandb.example.com', None, None)",
        "(401, None, None, None)",
        "(200, 'https://wandb.example.com', None, None) (200, None, None, None)",
        "403",
        "(403, None, None, None)",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn throttled_and_repeated_creations_end_well() {
    let sandbox = sandbox();
    let fault =
        |operation: &str, at| Fault { operation: operation.to_owned(), nth: Nth::Number(1), at, what: What::Throttle };
    sandbox.faults().fault(fault("arm:containers.put", When::Before));
    let printed = python(
        &sandbox,
        "
make_account()
print(code(storage.blob_containers.create, GROUP, ACCOUNT, 'wandb-files', {}))
print(code(make_account))
",
    );
    assert_eq!(printed, ["OK", "OK"]);
    // The first answer is lost: the client asks again while the account is being made.
    sandbox.faults().clear();
    sandbox.faults().fault(fault("arm:storageAccounts.put", When::After));
    sandbox.faults().set_propagation("storageAccounts", Duration::from_secs(5));
    assert_eq!(python(&sandbox, "print(code(make_account, 'wandbagain'))"), ["409 StorageAccountOperationInProgress"]);
}

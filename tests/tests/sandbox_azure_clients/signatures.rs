//! What Microsoft's Python clients sign, with an account's key and with a user's.

use super::{python, sandbox};

/// Blobs and queues by signed addresses.
const SIGNED: &str = "
from datetime import datetime, timedelta, timezone
from azure.storage.blob import BlobClient, ContainerClient, generate_blob_sas, generate_container_sas, generate_account_sas
from azure.storage.queue import QueueClient, generate_queue_sas
def code(call, *args, **more):
    try:
        result = call(*args, **more)
        if hasattr(result, '__next__'): list(result)
        return 'OK'
    except HttpResponseError as error: return f'{error.status_code} {getattr(error.error_code, \"value\", error.error_code)}'
def at(hours): return datetime.now(timezone.utc) + timedelta(hours=hours)
base = f\"{E['AZURE_STORAGE_BLOB_ENDPOINT']}/{ACCOUNT}\"
OTHER = base64.b64encode(b'other').decode()
def sas(permission, blob='a', hours=1, **by):
    by = by or {'account_key': key()}
    return generate_blob_sas(ACCOUNT, 'wandb-files', blob, permission=permission, expiry=at(hours), **by)
def blob(signature, name='a'): return BlobClient.from_blob_url(f'{base}/wandb-files/{name}?{signature}', retry_total=0)
def read(*what): return code(blob(*what).download_blob)
def write(*what): return code(blob(*what).upload_blob, b'x', overwrite=True)
def delegated(hours=1): return blobs(by=credential).get_user_delegation_key(at(-1), at(hours))
";

#[test]
fn signatures_of_an_account_s_key_are_verified() {
    let script = "
make_account()
container = blobs().get_container_client('wandb-files')
container.create_container()
container.upload_blob('a', b'a')
print(read(sas('r')), write(sas('r')), write(sas('cw', 'odd key+é'), 'odd%20key+é'))
print(read(sas('r'), 'b'), read(sas('r').replace('sp=r', 'sp=rw')), read(sas('r', hours=-1)), read(sas('r', account_key=OTHER)))
try: urllib.request.urlopen(f\"{base}/wandb-files/a?{sas('r', account_key=OTHER)}\", context=ssl.create_default_context())
except urllib.error.HTTPError as error: print('Signature did not match. String to sign used was r\\n\\n' in error.read().decode())
print(code(blobs(by=OTHER).get_container_client('wandb-files').list_blobs))
print(code(BlobClient.from_blob_url(f'{base}/wandb-files/a', retry_total=0).download_blob))
whole = generate_container_sas(ACCOUNT, 'wandb-files', account_key=key(), permission='rl', expiry=at(1))
print(read(whole), code(ContainerClient.from_container_url(f'{base}/wandb-files?{whole}', retry_total=0).list_blobs))
every = generate_account_sas(ACCOUNT, key(), 'sco', 'rl', at(1))
print(read(every), read(every.replace('sp=rl', 'sp=rwl')))
print(code(blobs().get_user_delegation_key, at(-1), at(1)))
queues().create_queue('events').send_message('m')
def queue(permission, by):
    signature = generate_queue_sas(ACCOUNT, 'events', by, permission=permission, expiry=at(1))
    return QueueClient.from_queue_url(f\"{E['AZURE_STORAGE_QUEUE_ENDPOINT']}/{ACCOUNT}/events?{signature}\", retry_total=0)
print(code(queue('r', key()).peek_messages), code(queue('r', key()).send_message, 'x'), code(queue('r', OTHER).peek_messages))
";
    let printed = python(&sandbox(), &format!("{SIGNED}{script}"));
    let denied = "403 AuthenticationFailed";
    let expected = [
        "OK 403 AuthorizationPermissionMismatch OK".to_owned(),
        format!("{denied} {denied} {denied} {denied}"),
        "True".to_owned(),
        denied.to_owned(),
        "401 NoAuthenticationInformation".to_owned(),
        "OK OK".to_owned(),
        format!("OK {denied}"),
        denied.to_owned(),
        format!("OK 403 AuthorizationPermissionMismatch {denied}"),
    ];
    assert_eq!(printed, expected);
}

#[test]
fn user_s_signature_is_worth_what_the_user_may() {
    let sandbox = sandbox();
    let script = "
make_account(allowSharedKeyAccess=False)
storage.blob_containers.create(GROUP, ACCOUNT, 'wandb-files', {})
print(code(delegated))
print(code(blobs().get_user_delegation_key, at(-1), at(1)))
";
    let printed = python(&sandbox, &format!("{SIGNED}{script}"));
    assert_eq!(printed, ["403 AuthorizationPermissionMismatch", "403 KeyBasedAuthenticationNotPermitted"]);
    sandbox.seed_azure_data_roles(provision_sandbox::azure::SUBSCRIPTION).unwrap();
    let script = "
by = {'user_delegation_key': delegated()}
print(write(sas('cw', **by)), read(sas('r', **by)), write(sas('r', **by)))
print(read(sas('r', **by), 'b'), read(sas('r', **by).replace('sp=r', 'sp=rw')), code(delegated, 24 * 8))
account = storage.storage_accounts.get_properties(GROUP, ACCOUNT).id
for one in roles.role_assignments.list_for_scope(account):
    if 'Blob' in roles.role_definitions.get_by_id(one.role_definition_id).role_name: roles.role_assignments.delete_by_id(one.id)
print(read(sas('r', **by)))
";
    let printed = python(&sandbox, &format!("{SIGNED}{script}"));
    let expected = [
        "OK OK 403 AuthorizationPermissionMismatch",
        "403 AuthenticationFailed 403 AuthenticationFailed 400 InvalidXmlNodeValue",
        "403 AuthorizationPermissionMismatch",
    ];
    assert_eq!(printed, expected);
}

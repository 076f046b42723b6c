//! Who is let in, and what he may do there, once there is an identity with rights of its own.

use provision_sandbox::azure::{CLIENT, SUBSCRIPTION, TENANT};

use super::{python, sandbox};

const SERVER: &str = "11111111-1111-4111-8111-111111111111";

/// Clients of anybody.
const OTHERS: &str = "
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
def as_(client, secret='sandbox'):
    return ClientSecretCredential(tenant, client, secret, authority=E['AZURE_AUTHORITY_HOST'], disable_instance_discovery=True)
def account(by): return StorageManagementClient(by, subscription, **manager).storage_accounts
def refused(by):
    try: by.get_token('https://management.azure.com/.default')
    except ClientAuthenticationError as error: return str(error).split('AADSTS')[1].split('.')[0]
    return 'OK'
class Forged:
    def get_token(self, *scopes, **more):
        head, claims, _ = as_(SERVER).get_token(*scopes).token.split('.')
        claims = json.loads(base64.urlsafe_b64decode(claims + '=='))
        forged = base64.urlsafe_b64encode(json.dumps({**claims, 'oid': ADMINISTRATOR}).encode()).decode().rstrip('=')
        return AccessToken(f'{head}.{forged}.{_}', claims['exp'])
";

#[test]
fn application_that_nobody_made_is_refused_beside_an_identity() {
    let sandbox = sandbox();
    sandbox.seed_azure(SUBSCRIPTION, TENANT, Some(SERVER)).unwrap();
    let names = format!("SERVER, ADMINISTRATOR = '{SERVER}', '{CLIENT}'\n{OTHERS}");
    let stranger = "stranger = as_('22222222-2222-4222-8222-222222222222', 'any')\n";
    let script =
        format!("{names}{stranger}account = make_account().id\nprint(refused(stranger), refused(as_(SERVER, 'any')))");
    assert_eq!(python(&sandbox, &script), ["OK OK"]);
    let role = format!(
        r#"{{"Name": "r", "Actions": ["Microsoft.Storage/storageAccounts/read"], "AssignableScopes": ["/subscriptions/{SUBSCRIPTION}"]}}"#
    );
    sandbox.attach(&role).unwrap();
    let script = format!(
        "{names}{stranger}
print(refused(stranger))
print(refused(as_(SERVER, 'wrong')))
print(refused(as_(SERVER)), refused(as_(ADMINISTRATOR)), refused(credential))
for by in (credential, as_(ADMINISTRATOR)):
    print(code(account(by).get_properties, GROUP, ACCOUNT), code(account(by).list_keys, GROUP, ACCOUNT))
"
    );
    let expected = [
        "700016: Application with identifier '22222222-2222-4222-8222-222222222222' was not found in the directory \
         '5a4db0c5-0000-4000-8000-0000000000aa'",
        "7000215: Invalid client secret provided",
        "OK OK OK",
        "OK 403 AuthorizationFailed",
        "OK OK",
    ];
    assert_eq!(python(&sandbox, &script), expected);
}

/// With and without an identity: the server's own has the roles that are assigned to it.
#[test]
fn principal_that_was_seeded_may_do_what_its_roles_say() {
    let sandbox = sandbox();
    sandbox.seed_azure(SUBSCRIPTION, TENANT, Some(SERVER)).unwrap();
    let script = format!(
        "SERVER, ADMINISTRATOR = '{SERVER}', '{CLIENT}'\n{OTHERS}
import uuid
READER, WRITER = 'acdd72a7-3385-48ef-bd42-f606fba81ae7', '17d1049b-9a84-46fb-8f53-869881c3d3ab'
def assign(role):
    roles.role_assignments.create(made, str(uuid.uuid4()), {{'properties': {{'principalType': 'ServicePrincipal', 'principalId': SERVER,
        'roleDefinitionId': f'/subscriptions/{{subscription}}/providers/Microsoft.Authorization/roleDefinitions/{{role}}'}}}})
made = make_account().id
def tries(by): return code(account(by).get_properties, GROUP, ACCOUNT), code(account(by).list_keys, GROUP, ACCOUNT)
print(tries(as_(SERVER)))
assign(READER)
print(tries(as_(SERVER)), code(account(as_(SERVER)).get_properties, 'other', ACCOUNT))
assign(WRITER)
print(tries(as_(SERVER)), tries(Forged()))
"
    );
    let denied = "'403 AuthorizationFailed'";
    let expected = [
        format!("({denied}, {denied})"),
        format!("('OK', {denied}) 403 AuthorizationFailed"),
        "('OK', 'OK') ('401 InvalidAuthenticationToken', '401 InvalidAuthenticationToken')".to_owned(),
    ];
    assert_eq!(python(&sandbox, &script), expected);
}

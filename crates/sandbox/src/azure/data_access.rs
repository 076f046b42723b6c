//! Who is let in to blobs and queues: with a key of the account, a shared access signature, or a token and a role
//! <https://learn.microsoft.com/azure/storage/common/authorize-data-access>.

use percent_encoding::percent_decode_str;

use crate::azure::accounts::{self, Account};
use crate::azure::call::Call;
use crate::azure::refusal::Refusal;
use crate::azure::signatures::{self, unauthenticated};
use crate::azure::{authorization, login, rights};
use crate::state::Transaction;

/// What a path of the storage services names, the account first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) account: String,
    /// Container or queue.
    pub(super) container: String,
    /// Blob, or `messages` and what follows.
    pub(super) name: String,
}

impl Place {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let path = call.request.uri().path().trim_start_matches('/');
        let mut parts = path.splitn(3, '/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
        let mut next = || parts.next().unwrap_or_default();
        Self { account: next(), container: next(), name: next() }
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// Of the queue service, not the blob service.
    pub(super) queue: bool,
    /// A letter of a shared access signature.
    pub(super) permission: char,
    /// Everybody may do this.
    pub(super) public: bool,
}

/// Let a request in, or not. Gives the account.
pub(super) fn permit(state: &Transaction<'_>, call: &Call<'_>, place: &Place, need: Need) -> Result<Account, Refusal> {
    let account = reached(state, call, &place.account)?;
    match call.header("authorization").map(|value| value.split_once(' ').unwrap_or((value, ""))) {
        Some(("SharedKey", signed)) => shared_key(call, &account, signed)?,
        Some(("SharedKeyLite", _)) => return Err(Refusal::not_served("SharedKeyLite")),
        Some(("Bearer", _)) => token(state, call, &account, place, need)?,
        Some((scheme, _)) => return Err(unauthenticated(&format!("The scheme {scheme} is not known."))),
        None if call.field("sig").is_some() => signature(state, call, &account, place, need)?,
        None if need.public => {}
        None => {
            let message = "Server failed to authenticate the request. Please refer to the information in the \
                           www-authenticate header.";
            let header = format!("Bearer authorization_uri=https://{}", call.addresses.resource_manager);
            return Err(Refusal::new(401, "NoAuthenticationInformation", message).with("www-authenticate", header));
        }
    }
    Ok(account)
}

/// The account of an address: in the cloud, one that is not there has no address.
fn reached(state: &Transaction<'_>, call: &Call<'_>, name: &str) -> Result<Account, Refusal> {
    let Some(account) = accounts::named(state, name)? else {
        return Err(Refusal::not_found("ResourceNotFound", "The specified resource does not exist."));
    };
    if !account.is_ready(call.now_ms) {
        let message = "The specified account is in the process of being created.";
        return Err(Refusal::conflict("AccountBeingCreated", message));
    }
    if !account.is_reachable() {
        return Err(Refusal::unreachable());
    }
    Ok(account)
}

fn shared_key(call: &Call<'_>, account: &Account, signed: &str) -> Result<(), Refusal> {
    if call.header("x-ms-version").is_none() {
        let message = "An HTTP header that's mandatory for this request is not specified: x-ms-version.";
        return Err(Refusal::bad_request("MissingRequiredHeader", message));
    }
    signatures::shared_key(call, account, signed)?;
    keys_allowed(account)
}

/// <https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent>
fn keys_allowed(account: &Account) -> Result<(), Refusal> {
    if account.allows("allowSharedKeyAccess") {
        return Ok(());
    }
    let message = "Key based authentication is not permitted on this storage account.";
    Err(Refusal::new(403, "KeyBasedAuthenticationNotPermitted", message))
}

/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory>
fn token(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    need: Need,
) -> Result<(), Refusal> {
    if call.header("x-ms-version").is_none_or(|version| version < "2017-11-09") {
        return Err(unauthenticated("A token needs x-ms-version 2017-11-09 or later."));
    }
    let service = if need.queue { "queue" } else { "blob" };
    let claims = login::claims(call, &login::of_storage(&account.name, service))?;
    permitted(state, call, account, place, need, &claims.oid)
}

/// By a role.
fn permitted(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    need: Need,
    principal: &str,
) -> Result<(), Refusal> {
    let collection = if need.queue { "queueServices/default/queues" } else { "blobServices/default/containers" };
    let id = if place.container.is_empty() {
        account.id.clone()
    } else {
        format!("{}/{collection}/{}", account.id, place.container)
    };
    let by_role = rights::permits_data(call, principal, need.queue, need.permission, &id);
    let permitted = match by_role {
        Some(permitted) => permitted,
        None => authorization::permits(state, call, principal, &id, need.queue, need.permission)?,
    };
    if permitted {
        return Ok(());
    }
    let message = "This request is not authorized to perform this operation using this permission.";
    Err(Refusal::new(403, "AuthorizationPermissionMismatch", message))
}

/// What a user signed, the user must be permitted besides
/// <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas#assign-permissions-with-azure-rbac>.
fn signature(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &Account,
    place: &Place,
    need: Need,
) -> Result<(), Refusal> {
    match signatures::address(call, account, place, need)? {
        Some(user) => permitted(state, call, account, place, need, &user),
        None => keys_allowed(account),
    }
}

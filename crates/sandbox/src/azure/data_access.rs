//! Who is let in to blobs and queues: with a key of the account, a shared access signature, or a token and a role
//! <https://learn.microsoft.com/azure/storage/common/authorize-data-access>.

use percent_encoding::percent_decode_str;

use crate::azure::accounts::{self, Account};
use crate::azure::call::{Call, milliseconds};
use crate::azure::refusal::Refusal;
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
        Some(("SharedKey" | "SharedKeyLite", signed)) => shared_key(call, &account, signed)?,
        Some(("Bearer", _)) => token(state, call, &account, place, need)?,
        Some((scheme, _)) => return Err(unauthenticated(&format!("the scheme {scheme} is not known"))),
        None if call.field("sig").is_some() => signature(call, &account, need)?,
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
        return Err(Refusal::new(
            403,
            "AuthorizationFailure",
            "This request is not authorized to perform this operation.",
        ));
    }
    Ok(account)
}

/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
fn shared_key(call: &Call<'_>, account: &Account, signed: &str) -> Result<(), Refusal> {
    let named = signed.split_once(':').is_some_and(|(name, signature)| name == account.name && !signature.is_empty());
    if !named || call.header("x-ms-date").or(call.header("date")).is_none() {
        return Err(unauthenticated("the Authorization header names another account, or the request has no date"));
    }
    if call.header("x-ms-version").is_none() {
        let message = "An HTTP header that's mandatory for this request is not specified: x-ms-version.";
        return Err(Refusal::bad_request("MissingRequiredHeader", message));
    }
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
        return Err(unauthenticated("a token needs x-ms-version 2017-11-09 or later"));
    }
    let (service, collection) = if need.queue {
        ("queue", "queueServices/default/queues")
    } else {
        ("blob", "blobServices/default/containers")
    };
    let own = format!("https://{}.{service}.core.windows.net", account.name);
    let claims = login::claims(call, &["https://storage.azure.com", &own])?;
    let id = if place.container.is_empty() {
        account.id.clone()
    } else {
        format!("{}/{collection}/{}", account.id, place.container)
    };
    let by_role = rights::permits_data(call, &claims.oid, need.queue, need.permission, &id);
    let permitted = match by_role {
        Some(permitted) => permitted,
        None => authorization::permits(state, call, &claims.oid, &id, need.queue, need.permission)?,
    };
    if permitted {
        return Ok(());
    }
    let message = "This request is not authorized to perform this operation using this permission.";
    Err(Refusal::new(403, "AuthorizationPermissionMismatch", message))
}

/// <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>
fn signature(call: &Call<'_>, account: &Account, need: Need) -> Result<(), Refusal> {
    // Signed with a key of a user's instead of the account's.
    if call.field("skoid").is_none() {
        keys_allowed(account)?;
    }
    let expires =
        call.field("se").and_then(|date| milliseconds(date).or_else(|| milliseconds(&format!("{date}T00:00:00Z"))));
    if expires.is_none_or(|expires| expires <= call.now_ms) {
        return Err(unauthenticated("the signature has expired"));
    }
    // A new blob may be created by one that may only create.
    let creates = need.permission == 'w' && call.field("sp").unwrap_or_default().contains('c');
    if creates || call.field("sp").unwrap_or_default().contains(need.permission) {
        return Ok(());
    }
    let message = "This request is not authorized to perform this operation using this permission.";
    Err(Refusal::new(403, "AuthorizationPermissionMismatch", message))
}

fn unauthenticated(reason: &str) -> Refusal {
    let message = format!(
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly \
         including the signature: {reason}."
    );
    Refusal::new(403, "AuthenticationFailed", message)
}

//! Microsoft Azure: Resource Manager with Storage, Event Grid and Authorization, and the Blob and Queue services.
//!
//! Three servers over TLS. Resource Manager's gives its own tokens, so that what a client does to be let in is what
//! runs; those of blobs and queues have the account first in the path, as Microsoft's clients expect of an address on
//! this machine. An account's `primaryEndpoints` are there.
//!
//! How long something takes, in milliseconds, by name in the fault file; without one, what makes a client wait once:
//!
//! | name | what | usually |
//! |---|---|---|
//! | `storageAccounts` | a new account is ready | 600 |
//! | `eventSubscriptions` | a new event subscription delivers, a deleted one is gone | 300 |
//! | `providers` | a resource provider is registered | 600 |
//! | `resourceGroups` | a deleted group is gone | 300 |
//! | `newResourceGroups` | a new group is found | 0 |
//! | `blobServices` | the Blob service of a new account is found | 0 |
//! | `containers` | a deleted container's name is free | 30,000 |
//! | `queues` | a deleted queue's name is free | 30,000 |
//! | `lists` | a deleted container or queue leaves the list | 0 |
//! | `assignments` | a deleted role assignment leaves the list | 0 |
//! | `resources` | what was deleted leaves the list of its group | 0 |
//! | `principals` | a new principal is found by Authorization | 0 |
//! | `roleAssignments` | a new role has its effect on blobs and queues | 0 |
//! | `cors` | new CORS rules have their effect | 0 |
//! | `events` | an event is in the queue | 0 |
//!
//! Tokens are those of the sandbox's own login server; signatures with a key are verified by the time of whoever signs. A principal that
//! was seeded may do what the roles let it that are assigned to it, and an identity with a role of its own what that says. Whoever else
//! is let in may do everything on Resource Manager, and beside such an identity nobody else is, but [`CLIENT`].

mod account_properties;
mod accounts;
mod authorization;
mod blob;
mod blob_services;
mod call;
mod containers;
mod cors;
mod data_access;
mod denials;
mod event_subscriptions;
mod events;
mod guid;
mod late;
mod leases;
mod locks;
mod login;
mod names;
mod operations;
mod policies;
mod properties;
mod queue;
mod queues;
mod refusal;
mod resource_groups;
mod resource_manager;
mod resources;
mod rights;
mod shares_and_tables;
mod signatures;
mod subscriptions;
mod system_topics;
mod target;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::emulator::{Answer, Emulator, Wire};
use crate::sandbox::EmulatorKind;
use crate::world::World;
use call::Call;

pub use call::Addresses;
pub(crate) use rights::check as check_identity;
pub use wire::{AzureWire, Endpoint};

/// The tenant that is there from the start.
pub const TENANT: &str = "5a4db0c5-0000-4000-8000-0000000000aa";

/// The subscription that is there from the start.
pub const SUBSCRIPTION: &str = "5a4db0c5-0000-4000-8000-000000000001";

/// The application that clients are let in as, and its principal.
pub const CLIENT: &str = "5a4db0c5-0000-4000-8000-0000000000cc";

/// One of the servers.
#[derive(Debug)]
pub struct Azure {
    world: Arc<World>,
    wire: AzureWire,
    addresses: Addresses,
    /// The file with the certificate that clients are to trust.
    authority: String,
}

impl Azure {
    /// A server on this state, one of those at these addresses.
    #[must_use]
    pub fn new(world: Arc<World>, endpoint: Endpoint, addresses: Addresses, authority: &Path) -> Self {
        let authority = authority.to_string_lossy().into_owned();
        Self { world, wire: AzureWire { endpoint }, addresses, authority }
    }
}

#[async_trait::async_trait]
impl Emulator for Azure {
    fn wire(&self) -> &dyn Wire {
        &self.wire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let operation = self.wire.operation(&request);
        let call = Call::new(&request, self.addresses, self.world.clock.now_ms(), &self.world);
        let name = operation.split_once(':').map_or("", |(_, name)| name);
        let served = self.world.store.transaction(|state| match self.wire.endpoint {
            _ if operation.starts_with("login:") => login::serve(state, &call, name),
            Endpoint::ResourceManager => resource_manager::serve(state, &call),
            Endpoint::Blob => blob::serve(state, &call, name),
            Endpoint::Queue => queue::serve(state, &call, name),
        });
        let answer = served.unwrap_or_else(|refusal| refusal.phrased(self.wire, &operation));
        // A refusal has them too: without them a browser's script sees no reason.
        Ok(if self.wire.endpoint == Endpoint::Blob { cors::headed(&self.world.store, &call, answer) } else { answer })
    }

    fn environment(&self, _: SocketAddr) -> Vec<(String, String)> {
        let url = |address: SocketAddr| format!("https://{address}");
        let told = self.world.store.transaction(|state| state.get::<Told>(TOLD)).ok().flatten();
        let told = told.unwrap_or(Told { subscription: SUBSCRIPTION.to_owned(), tenant: TENANT.to_owned() });
        let attached = self.world.identities.document(EmulatorKind::Azure);
        let client = attached.map_or(CLIENT, |_| rights::CLIENT);
        let variables = [
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", url(self.addresses.resource_manager)),
            ("AZURE_AUTHORITY_HOST", url(self.addresses.resource_manager)),
            ("AZURE_STORAGE_BLOB_ENDPOINT", url(self.addresses.blob)),
            ("AZURE_STORAGE_QUEUE_ENDPOINT", url(self.addresses.queue)),
            ("SSL_CERT_FILE", self.authority.clone()),
            ("REQUESTS_CA_BUNDLE", self.authority.clone()),
            ("AZURE_TENANT_ID", told.tenant),
            ("AZURE_CLIENT_ID", client.to_owned()),
            ("AZURE_CLIENT_SECRET", login::SECRET.to_owned()),
            ("AZURE_SUBSCRIPTION_ID", told.subscription),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

/// The subscription and tenant that clients are told of.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    subscription: String,
    tenant: String,
}

/// Make what is there from the start, unless it is there.
pub(crate) fn start(world: &World) -> Result<(), Error> {
    let told = world.store.transaction(|state| Ok::<_, Error>(state.has(TOLD)))?;
    if told { Ok(()) } else { seed(world, SUBSCRIPTION, TENANT, Some(CLIENT)) }
}

/// Make a subscription and a principal, unless they are there, and name the subscription to clients.
pub(crate) fn seed(world: &World, subscription: &str, tenant: &str, principal: Option<&str>) -> Result<(), Error> {
    let seen_from_ms = world.clock.now_ms().saturating_add(world.faults.propagation_ms("principals"));
    world.store.transaction(|state| {
        let tenant = subscriptions::seed(state, subscription, tenant)?;
        if let Some(principal) = principal {
            authorization::seed(state, principal, seen_from_ms)?;
        }
        state.put(TOLD, &Told { subscription: subscription.to_owned(), tenant })
    })
}

/// Make a resource group, and an account in it, unless they are there.
pub(crate) fn seed_group(
    world: &World,
    subscription: &str,
    group: &str,
    account: Option<&str>,
    location: &str,
) -> Result<(), Error> {
    world.store.transaction(|state| {
        let group = resource_groups::seed(state, subscription, group, location)?;
        match account {
            Some(account) => accounts::seed(state, &group, account, location, world.clock.now_ms()),
            None => Ok(()),
        }
    })
}

/// Sign a text with the first key of an account; `None` where there is no such account.
pub(crate) fn sign(world: &World, account: &str, text: &str) -> Option<String> {
    world.store.transaction(|state| accounts::named(state, account)).ok()??.sign(text)
}

/// Let a principal do everything to the data of a subscription, as the roles for blobs and queues do.
pub(crate) fn seed_data_roles(world: &World, subscription: &str, principal: &str) -> Result<(), Error> {
    world.store.transaction(|state| authorization::seed_data_roles(state, subscription, principal))
}

/// Give an account's name to somebody else.
pub(crate) fn seed_taken(world: &World, account: &str) -> Result<(), Error> {
    world.store.transaction(|state| accounts::seed_taken(state, account))
}

const TOLD: &str = "azure/told";

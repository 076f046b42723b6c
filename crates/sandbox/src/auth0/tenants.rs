//! The tenants, and what each was seeded with.

use data_encoding::BASE64;

use super::defaults;
use super::limit::BURST;
use crate::Error;
use crate::state::Transaction;
use crate::world::World;

/// How many requests tenants take at once.
const BURST_KEY: &str = "auth0/burst";
/// The public key of the machine-to-machine application, in base64.
const PUBLIC_KEY: &str = "auth0/key";
/// The tenant that was seeded last.
const LAST: &str = "auth0/last";

fn tenant_key(domain: &str) -> String {
    format!("auth0/tenant/{domain}")
}

/// Where the clients of a tenant are kept.
pub(super) fn client_key(tenant: &str, id: &str) -> String {
    format!("auth0/client/{tenant}/{id}")
}

/// Make a tenant with what every tenant has, if it is not there.
pub(super) fn seed(world: &World, domain: &str, burst: Option<u64>) -> Result<(), Error> {
    world.store.transaction(|state| {
        if let Some(burst) = burst {
            state.put(BURST_KEY, &burst)?;
        }
        state.put(LAST, &domain)?;
        if state.has(&tenant_key(domain)) {
            return Ok(());
        }
        state.put(&tenant_key(domain), &domain)?;
        let (id, global) = defaults::global(domain);
        state.put(&client_key(domain, &id), &global)
    })
}

/// Let the machine-to-machine application sign.
pub(super) fn seed_key(world: &World, public: &[u8]) -> Result<(), Error> {
    world.store.transaction(|state| state.put(PUBLIC_KEY, &BASE64.encode(public)))
}

pub(super) fn burst(state: &Transaction<'_>) -> Result<u64, Error> {
    Ok(state.get(BURST_KEY)?.unwrap_or(BURST))
}

pub(super) fn public_key(state: &Transaction<'_>) -> Result<Option<Vec<u8>>, Error> {
    let key: Option<String> = state.get(PUBLIC_KEY)?;
    Ok(key.and_then(|key| BASE64.decode(key.as_bytes()).ok()))
}

/// The tenant that an audience is of: by its own domain. The sandbox's own address is that of the tenant that was seeded last.
pub(super) fn of_audience(state: &Transaction<'_>, audience: &str, host: &str) -> Result<Option<String>, Error> {
    let domain = audience.strip_prefix("https://").and_then(|rest| rest.strip_suffix("/api/v2/"));
    match domain {
        Some(domain) if domain == host => state.get(LAST),
        Some(domain) if state.has(&tenant_key(domain)) => Ok(Some(domain.to_owned())),
        _ => Ok(None),
    }
}

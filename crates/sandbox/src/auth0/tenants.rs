//! The tenants, and what each was seeded with.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::Error;
use crate::state::Transaction;
use crate::world::World;

/// What tenants pay for, which decides how much they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plan {
    /// Nothing: two requests at once and in a second, ten clients.
    Free,
    /// A small plan.
    #[default]
    SelfService,
    /// A large one, whose requests are hardly limited.
    Enterprise,
}

impl Plan {
    /// How many requests it takes at once, and as many in a second
    /// <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations>.
    pub(super) const fn burst(self) -> u64 {
        match self {
            Self::Free => 2,
            Self::SelfService => 50,
            Self::Enterprise => 10_000,
        }
    }

    /// How many clients it has at most
    /// <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy>.
    pub(super) const fn most_clients(self) -> usize {
        match self {
            Self::Free => 10,
            Self::SelfService => 100,
            Self::Enterprise => 100_000,
        }
    }
}

/// What tenants pay for.
const PLAN: &str = "auth0/plan";
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
pub(super) fn seed(world: &World, domain: &str, plan: Option<Plan>) -> Result<(), Error> {
    world.store.transaction(|state| {
        if let Some(plan) = plan {
            state.put(PLAN, &plan)?;
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

pub(super) fn plan(state: &Transaction<'_>) -> Result<Plan, Error> {
    Ok(state.get(PLAN)?.unwrap_or_default())
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

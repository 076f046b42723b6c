//! Auth0: the token endpoint and the Management API's clients, for every tenant at one address. A token says which tenant's.
//!
//! Tenants are there once they are seeded: [`Sandbox::seed_auth0`](crate::Sandbox::seed_auth0). [`Auth0Wire`] says how operations are
//! named. Callers are told apart by their token, whose scopes are all that there are of clients, or those of a list that was
//! attached. Limits are those of a small plan, unless tenants are seeded with another ([`Plan`]).
//!
//! Delays by name: `auth0.clients` (lists show what is made, changed and deleted late).
//!
//! Answers are as tenants were recorded to give them: the recordings of Auth0's Terraform provider
//! (<https://github.com/auth0/terraform-provider-auth0/tree/main/test/data/recordings>), its API description
//! (<https://auth0.com/docs/api/management/v2>).

mod call;
mod clients;
mod defaults;
mod fields;
mod limit;
mod refusal;
mod tenants;
mod key;
#[cfg(test)]
mod tests;
mod token;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::Error;
use crate::emulator::{Answer, Emulator, Wire};
use crate::google::is_here;
use crate::state::Transaction;
use crate::world::World;
use call::Call;
use refusal::Refusal;

pub use tenants::Plan;
pub(crate) use token::{check_identity, holds_scopes};
pub use wire::Auth0Wire;

/// The machine-to-machine application that [`Emulator::environment`] names.
pub const CLIENT_ID: &str = "sandboxManagementApplication0001";

/// Its secret.
pub const CLIENT_SECRET: &str = "sandbox-secret-of-the-management-application";

/// The tenants on one address.
#[derive(Debug)]
pub struct Auth0 {
    world: Arc<World>,
    limit: limit::Limit,
}

impl Auth0 {
    /// The tenants of this state.
    #[must_use]
    pub fn new(world: Arc<World>) -> Self {
        Self { world, limit: limit::Limit::default() }
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let call = Call::new(&self.world, request);
        if call.operation == wire::TOKEN {
            let answered = self.world.store.transaction(|state| token::issue(state, &call));
            return answered.unwrap_or_else(|refusal| refusal.answer(&call.operation));
        }
        let plan = self.world.store.transaction(|state| tenants::plan(state)).unwrap_or_default();
        let (allowed, headers) = self.limit.take(plan.burst(), call.now_ms);
        let answer = match allowed {
            false => Auth0Wire.throttled(&call.operation),
            true => {
                let answered = self.world.store.transaction(|state| served(state, &call));
                answered.unwrap_or_else(|refusal| refusal.answer(&call.operation))
            }
        };
        headers.on(answer)
    }
}

fn served(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    call.is_of_this_machine(is_here)?;
    let tenant = token::permit(state, call)?;
    clients::answer(state, call, &tenant)
}

/// Make a tenant, if it is not there; `plan` is what all of them pay for from now on.
pub(crate) fn seed(world: &World, domain: &str, plan: Option<Plan>) -> Result<(), Error> {
    tenants::seed(world, domain, plan)
}

/// Make a key for the machine-to-machine application to sign with; gives it in PEM.
pub(crate) fn make_key(world: &World) -> Result<String, Error> {
    key::make(world)
}

/// Let the machine-to-machine application sign with the key of this public one, in DER.
pub(crate) fn seed_key(world: &World, public: &[u8]) -> Result<(), Error> {
    tenants::seed_key(world, public)
}

#[async_trait::async_trait]
impl Emulator for Auth0 {
    fn wire(&self) -> &dyn Wire {
        &Auth0Wire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        Ok(self.answer(&request))
    }

    fn environment(&self, address: SocketAddr) -> Vec<(String, String)> {
        let variables = [
            ("PROVISION_AUTH0_ENDPOINT", format!("http://{address}")),
            ("AUTH0_CLIENT_ID", CLIENT_ID.to_owned()),
            ("AUTH0_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

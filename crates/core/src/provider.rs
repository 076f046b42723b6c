//! What a cloud's crate offers to the core and the command line. One provider is one cloud with one plan file's settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::deployment::Deployment;
use crate::error::Error;
use crate::executor::Watch;
use crate::mark::Origin;
use crate::operation::Operation;
use crate::output::Output;
use crate::resource::{Observation, Orphan, Refusal, Resource, Want};
use crate::survey::Contents;
use crate::trace::TraceSink;

/// Stands among [`Identity::endpoints`] for a sandbox, whose address is another one each time.
pub const SANDBOX: &str = "sandbox";

/// How a cloud is reached.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The variables of a sandbox. They stand in for the environment: real credentials and endpoints are not looked at.
    pub sandbox: Option<BTreeMap<String, String>>,
    /// Where each request and answer is written down.
    pub trace: Option<Arc<dyn TraceSink>>,
}

/// A cloud's part of a plan file, checked: what commands need to know before anything is sent, and the way to the cloud.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The deployment.
    fn deployment(&self) -> &Deployment;

    /// The name of what holds the data, which `destroy --delete-data` must repeat.
    fn data_name(&self) -> &str;

    /// Whether `destroy` is refused.
    fn protect(&self) -> bool;

    /// The settings as a saved change set carries them. They hold no secret.
    fn to_json(&self) -> Value;

    /// What the plan file takes for granted, by name: an account, a role, a project. A sandbox makes it.
    fn given(&self) -> BTreeMap<&'static str, String>;

    /// A provider that can only read.
    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error>;

    /// A provider that can write.
    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error>;

    /// The settings for the server, from the plan file alone: nothing is sent, and secrets stay sealed.
    async fn outputs(&self, connection: &Connection) -> Result<Vec<Output>, Error>;

    /// The same with secrets, which are fetched where there are any.
    async fn reveal(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        self.outputs(connection).await
    }
}

/// Who we are and where: what a change set is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The account, project or subscription.
    pub account: String,
    /// The principal, as the cloud names it.
    pub principal: String,
    /// The region or location.
    pub region: String,
    /// Endpoints that are not the cloud's own, `NAME=value`; empty on the real cloud.
    pub endpoints: Vec<String>,
}

/// The reading half of a cloud: all that `plan`, `drift` and `output` can get.
///
/// # Behavior
///
/// - `resources` and `want` are pure: the same plan file gives the same answer.
/// - `observe` never changes anything; an absent resource is [`Observation::Absent`], never an error.
/// - Values are normalised: a respelling by the service is no difference.
#[async_trait]
pub trait Observer: Send + Sync {
    /// The cloud's name: the first word of its addresses.
    fn cloud(&self) -> &'static str;

    /// What the plan file asks for, in the order in which people read it.
    fn resources(&self) -> Vec<Resource>;

    /// The facets wanted of a resource. On an adopted one, facets that hold one value for everybody are wanted only where
    /// the plan file sets them.
    fn want(&self, address: &Address, origin: Origin) -> Vec<Want>;

    /// Whether a facet is an entry of ours in a shared document, which a release takes out; other facets stay as they are.
    fn is_entry(&self, address: &Address, facet: &str) -> bool;

    /// The settings for the server.
    fn outputs(&self) -> Vec<Output>;

    /// The plan file's table whose `protect` keeps the data, where it is not the data's own.
    fn protected_by(&self) -> Option<&'static str> {
        None
    }

    /// What to do about a resource that exists without our mark, where it cannot be adopted.
    fn instead_of_adopting(&self, _address: &Address) -> Option<String> {
        None
    }

    /// What stays where it was once the plan file names another place for a resource, with what to do about it: for one
    /// that is found only where the plan file says, since its record does not hold the place.
    fn stays_behind(&self, _address: &Address) -> Option<String> {
        None
    }

    /// Open choices of the plan file that deserve a warning each time.
    fn warnings(&self) -> Vec<String>;

    /// What is left to the user after an apply, with the text to use: the rights of a server whose identity the plan file
    /// does not name.
    fn handover(&self) -> Option<String>;

    /// Who we are; the error tells how to get credentials.
    async fn identity(&self) -> Result<Identity, Error>;

    /// Look at one resource.
    async fn observe(&self, address: &Address) -> Result<Observation, Error>;

    /// Everything that carries the mark of one of these deployments.
    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error>;

    /// What is in a resource that holds data, counted up to a cap.
    async fn contents(&self, address: &Address) -> Result<Contents, Error>;

    /// Why a resource of ours cannot be deleted with this deployment: things of others in it, a lock. Looked at before a
    /// destroy only.
    async fn in_the_way(&self, _address: &Address) -> Result<Option<Refusal>, Error> {
        Ok(None)
    }
}

/// The writing half, which only `apply` and `destroy` build.
///
/// # Behavior
///
/// - `execute` is idempotent: what is done already succeeds, and deleting what is gone succeeds.
/// - A shared document is read right before it is written; others' entries keep their meaning to the bit.
/// - What always takes turns ([`crate::resource::Turns::Always`]) waits for its turn before it writes, and before it reads what
///   it merges into.
#[async_trait]
pub trait Provisioner: Observer {
    /// Carry out one operation.
    async fn execute(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error>;
}

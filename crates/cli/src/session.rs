//! What every command needs: a connection to the cloud, or to a sandbox where the flags ask for one.

use std::sync::Arc;

use provision_core::Error;
use provision_core::event::EventSink;
use provision_core::keeper::Keeper;
use provision_core::listing::Listings;
use provision_core::provider::{Connection, Observer, Prover, Provisioner};
use provision_core::survey::announced;
use provision_sandbox::Sandbox;

use crate::arguments::Global;
use crate::plan_files::Checked;
use crate::providers::{Prerequisites, ProviderId};
use crate::signals::Signals;
use crate::view::View;
use crate::{proxies, sandbox, telemetry, trace};

/// What a command is run with that goes on for a while.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) global: &'a Global,
    pub(crate) signals: &'a Signals,
    pub(crate) view: &'a dyn View,
}

/// A connection, and the sandbox that ends with it.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    _sandbox: Option<Sandbox>,
}

impl Session {
    /// Open it for these plan files.
    ///
    /// # Errors
    ///
    /// Among others, a proxy is named that cannot be used: nothing goes past it.
    pub(crate) fn open(checked: &[&Checked], global: &Global, view: &dyn View) -> Result<Self, Error> {
        if global.sandbox.is_none() {
            proxies::usable()?;
        }
        Self::open_to_examine(checked, global, view)
    }

    /// The same, whatever is wrong with this machine's proxies: `doctor` tells it.
    pub(crate) fn open_to_examine(checked: &[&Checked], global: &Global, view: &dyn View) -> Result<Self, Error> {
        let given: Vec<_> = checked.iter().map(|checked| (checked.cloud, checked.settings.prerequisites())).collect();
        Self::open_with(&given, global, view)
    }

    /// Open it for a provider, without a plan file.
    pub(crate) fn open_for(provider: ProviderId, global: &Global, view: &dyn View) -> Result<Self, Error> {
        if global.sandbox.is_none() {
            proxies::usable()?;
        }
        Self::open_with(&[(provider, Prerequisites::new())], global, view)
    }

    fn open_with(given: &[(ProviderId, Prerequisites)], global: &Global, view: &dyn View) -> Result<Self, Error> {
        let file = global.trace.as_deref().map(trace::open).transpose()?;
        let trace = trace::both(file, telemetry::sink());
        let start = |folder| sandbox::start(folder, given, view);
        let sandbox = global.sandbox.as_deref().map(start).transpose()?;
        let variables = sandbox.as_ref().map(|sandbox| sandbox.environment().into_iter().collect());
        Ok(Self {
            connection: Connection { sandbox: variables, trace, keeper: None, listings: None },
            _sandbox: sandbox,
        })
    }

    /// The same with somebody who keeps what is given once.
    pub(crate) fn keeping(mut self, keeper: Arc<dyn Keeper>) -> Self {
        self.connection.keeper = Some(keeper);
        self
    }

    /// The same for many deployments that are looked at: what carries marks is listed once for all of them.
    pub(crate) fn listing_once(mut self) -> Self {
        self.connection.listings = Some(Listings::default());
        self
    }

    /// What can only look at a deployment. Credentials may take their time, which is told.
    pub(crate) async fn observer(&self, checked: &Checked, events: &dyn EventSink) -> Result<Box<dyn Observer>, Error> {
        announced(checked.settings.observer(&self.connection), events).await
    }

    /// What can write it too.
    pub(crate) async fn provisioner(
        &self,
        checked: &Checked,
        events: &dyn EventSink,
    ) -> Result<Box<dyn Provisioner>, Error> {
        announced(checked.settings.provisioner(&self.connection), events).await
    }

    /// What can prove that it works.
    pub(crate) async fn prover(&self, checked: &Checked, events: &dyn EventSink) -> Result<Box<dyn Prover>, Error> {
        announced(checked.settings.prover(&self.connection), events).await
    }
}

//! The two traits of the core, each method a few lines that lead to the application.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use provision_core::contents::Contents;
use provision_core::context::OperationContext;
use provision_core::deployment::Deployment;
use provision_core::facet::{Desired, Facets, Words};
use provision_core::identity::Identity;
use provision_core::mark::{Mark, Origin, TagChanges, Tags};
use provision_core::operation::{FacetWrite, Operation};
use provision_core::output::{Output, OutputSource};
use provision_core::provider::{Connection, Created, Observer, ProviderConfig, Provisioner, Write};
use provision_core::reach::{CredentialSource, Endpoint};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::terraform::Managed;
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::clients::Application;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::credential::{self, Session};
use crate::doctor;
use crate::finding::{Found, find};
use crate::names::{Part, region};
use crate::resources::{application, settings};
use crate::{outputs, terraform};

/// One plan file's settings on one client. With a [`Reader`] it can only observe.
#[derive(Debug)]
struct Provider<C> {
    settings: Settings,
    session: Session,
    client: C,
    known: Mutex<Known>,
}

/// What the looks so far told.
#[derive(Debug, Default)]
struct Known {
    /// The application's client id.
    id: Option<String>,
    /// Why the server cannot use it.
    unfit: Option<String>,
    /// The look is a destroy's.
    removing: bool,
    /// What was read for the write that comes right after.
    read: Option<Application>,
}

#[async_trait]
impl ProviderConfig for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_resource_name(&self) -> &str {
        self.application_name()
    }

    fn protect(&self) -> bool {
        false
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn account(&self) -> String {
        self.auth0.domain.clone()
    }

    fn prerequisites(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("domain", self.auth0.domain.clone())])
    }

    fn in_words(&self, address: &Address, facet: &str, value: &Value) -> Vec<Words> {
        let words = || match Part::of(address).ok()? {
            Part::Application => application::in_words(Facets::of(facet).ok()?, value),
        };
        words().into_iter().collect()
    }

    async fn endpoints(&self, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
        doctor::endpoints(self, connection)
    }

    async fn credential_source(&self, connection: &Connection) -> Result<CredentialSource, Error> {
        doctor::credential_source(self, connection).await
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, session) = credential::connect(connection, &self.auth0.domain).await?;
        // What only looks needs no scope that writes.
        let session = Session { lacks: Vec::new(), ..session };
        Ok(Box::new(Provider::new(self.clone(), session, Reader::new(clients))))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, session) = credential::connect(connection, &self.auth0.domain).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    fn asked_settings(&self) -> Option<&'static [&'static str]> {
        Some(&outputs::NAMES)
    }

    /// The client id is Auth0's: the tenant is asked for it.
    async fn outputs(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        let (clients, session) = credential::connect(connection, &self.auth0.domain).await?;
        let provider = Provider::new(self.clone(), session, Reader::new(clients));
        let applied = |found: &Mark| found.deployment == self.deployment.name;
        match provider.look().await? {
            Found::One(found) if Mark::from_tags(&found.tags()).as_ref().is_some_and(applied) => {
                Ok(outputs::outputs(self, Some(&found.client_id)))
            }
            Found::Unclear(refusal) => {
                let error = Error::new(ErrorKind::Refused, "cannot tell which application is the deployment's");
                Err(error.with_message(refusal.reason).with_hint(refusal.hint))
            }
            Found::Nothing | Found::One(_) => {
                let tried = format!("find the application of deployment `{}`", self.deployment.name);
                Err(Error::new(ErrorKind::NotFound, tried).with_hint("run `provision auth0 apply` first"))
            }
        }
    }
}

impl<C> Provider<C> {
    fn new(settings: Settings, session: Session, client: C) -> Self {
        Self { settings, session, client, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: AsRef<Reader>> Provider<C> {
    /// A look at all applications of the tenant.
    async fn look(&self) -> Result<Found, Error> {
        let all = self.client.as_ref().list_clients().await?;
        let found = find(&self.settings, &all, self.known().removing);
        let one = match &found {
            Found::One(found) => Some(found.as_ref()),
            Found::Nothing | Found::Unclear(_) => None,
        };
        let mark = one.and_then(|found| Mark::from_tags(&found.tags()));
        let made = mark.is_some_and(|mark| mark.origin == Origin::Created);
        let mut known = self.known();
        known.id = one.map(|found| found.client_id.clone());
        known.unfit = one.filter(|_| !made).and_then(settings::unfit);
        drop(known);
        Ok(found)
    }

    /// The client id; a look tells it where none did yet.
    async fn id(&self) -> Result<Option<String>, Error> {
        let known = self.known().id.clone();
        match known {
            Some(id) => Ok(Some(id)),
            None => {
                self.look().await?;
                Ok(self.known().id.clone())
            }
        }
    }
}

impl Provider<Writer> {
    /// The client id of what was seen.
    async fn seen(&self) -> Result<String, Error> {
        self.id().await?.ok_or_else(|| application::gone_error(self.settings.application_name()))
    }
}

#[async_trait]
impl<C: AsRef<Reader> + Send + Sync> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "auth0"
    }

    fn resources(&self) -> Vec<Resource> {
        vec![application::resource(&self.settings)]
    }

    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired> {
        match Part::of(address) {
            Ok(Part::Application) => application::desired(&self.settings, origin),
            Err(_) => Vec::new(),
        }
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.settings, self.known().id.as_deref())
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        outputs::sources(&self.settings)
    }

    fn adoption_alternative(&self, _address: &Address) -> Option<String> {
        let id = self.known().id.clone()?;
        Some(format!(
            "to use it and keep what is in it, set `adopt = \"{id}\"` under [auth0]; for one of its own, choose another `name`"
        ))
    }

    fn warnings(&self) -> Vec<String> {
        outputs::lacking(&self.session.lacks).into_iter().chain(self.known().unfit.clone()).collect()
    }

    fn next_steps(&self) -> Option<String> {
        None
    }

    async fn identity(&self) -> Result<Identity, Error> {
        let Session { principal, endpoints, .. } = self.session.clone();
        let domain = &self.settings.auth0.domain;
        Ok(Identity { account: domain.clone(), principal, region: region(domain).to_owned(), endpoints })
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        match Part::of(address)? {
            Part::Application => Ok(application::observe(&self.look().await?)),
        }
    }

    /// A deployment has one application, which is found whatever it is called: nothing can be left over.
    async fn marked(&self, _deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        Ok(Vec::new())
    }

    async fn terraform(&self, _address: &Address, origin: Origin) -> Result<Vec<Managed>, Error> {
        let Some(id) = self.id().await? else { return Ok(Vec::new()) };
        let found = self.client.as_ref().get_client(&id).await?;
        Ok(found.map(|found| terraform::managed(&self.settings, &found, origin)).unwrap_or_default())
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        Ok(Contents::default())
    }

    async fn deletion_blockers(&self, _address: &Address) -> Result<Option<Refusal>, Error> {
        self.known().removing = true;
        Ok(None)
    }
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, _operation: &Operation) -> Result<Option<Tags>, Error> {
        let Some(id) = self.id().await? else { return Ok(None) };
        let read = self.client.reader().get_client(&id).await?;
        let tags = read.as_ref().map(Application::tags);
        self.known().read = read;
        Ok(tags)
    }

    async fn update_tags(&self, _operation: &Operation, _found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        application::update_tags(&self.client, &self.seen().await?, changes).await
    }

    async fn update(
        &self,
        _operation: &Operation,
        _found: &Tags,
        changes: &TagChanges,
        facets: &[FacetWrite],
        _context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        let read = self.known().read.take();
        let read = read.ok_or_else(|| Error::bug("an application is written that was not read"))?;
        application::update(&self.client, read, changes, facets).await
    }

    async fn create(
        &self,
        _operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _context: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        let (created, found) = application::create(&self.client, &self.settings, tags, facets).await?;
        self.known().id = Some(found.client_id);
        Ok(created)
    }

    async fn write(
        &self,
        _operation: &Operation,
        _write: &Write<'_>,
        _context: &OperationContext<'_>,
    ) -> Result<(), Error> {
        Err(Error::bug("an application is written as a whole"))
    }

    async fn empty(&self, _operation: &Operation, _context: &OperationContext<'_>) -> Result<(), Error> {
        Err(Error::bug("an application holds no data"))
    }

    async fn delete(&self, _operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        application::delete(&self.client, &self.seen().await?, context).await
    }
}

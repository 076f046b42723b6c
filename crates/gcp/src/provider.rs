//! The traits of the core, what looks first: each method a few lines that lead to a resource.

mod provisioner;
mod prover;

use std::collections::BTreeMap;

use async_trait::async_trait;
use provision_core::change_set::ChangeSet;
use provision_core::contents::Contents;
use provision_core::deployment::Deployment;
use provision_core::facet::{Desired, Facets, Words};
use provision_core::identity::{Caller, Identity};
use provision_core::listing::Listings;
use provision_core::mark::Origin;
use provision_core::operation::Operation;
use provision_core::output::{Output, OutputSource};
use provision_core::permissions::{Document, Repository, Syntax, Task};
use provision_core::provider::{BrowserAccess, Connection, Observer, Prover, ProviderConfig, Provisioner};
use provision_core::reach::{CredentialSource, Endpoint};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::rights::{Answer, Right};
use provision_core::terraform::Managed;
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::claims::Claims;
use crate::client::pubsub::Topic;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::credential::{self, Session};
use crate::doctor;
use crate::error::lacks_permission;
use crate::names::{Names, Part, pubsub_identity};
use crate::permissions::document;
use crate::preflight::{self, Inquiry};
use crate::resources::{access, bucket, cors, delivery, notification, subscription, topic};
use crate::{contents, orphans, outputs, terraform};

/// One plan file's settings on one set of clients. With a [`Reader`] it can only observe.
#[derive(Debug)]
struct Provider<C> {
    settings: Settings,
    session: Session,
    client: C,
    /// What carries marks, where many deployments are looked at.
    listings: Option<Listings>,
    /// The project's number.
    number: OnceCell<Result<String, Error>>,
    /// The service agent that publishes for the project's buckets.
    agent: OnceCell<Result<String, Error>>,
    /// Whom access was given to before, and who else relies on it.
    claims: Claims,
    /// What the caller may do.
    inquiry: Inquiry,
}

#[async_trait]
impl ProviderConfig for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_resource_name(&self) -> &str {
        &self.gcp.bucket.name
    }

    fn protect(&self) -> bool {
        self.gcp.bucket.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn account(&self) -> String {
        self.gcp.project.clone()
    }

    fn prerequisites(&self) -> BTreeMap<&'static str, String> {
        let account = self.service_account().map(|account| ("service_account", account.to_owned()));
        let members = (!self.members().is_empty()).then(|| ("members", self.members().join(" ")));
        std::iter::once(("project", self.gcp.project.clone())).chain(account).chain(members).collect()
    }

    fn in_words(&self, address: &Address, facet: &str, value: &Value) -> Vec<Words> {
        let words = || match Part::of(address).ok()? {
            Part::Bucket => bucket::in_words(self, Facets::of(facet).ok()?, value),
            Part::Topic => topic::in_words(Facets::of(facet).ok()?, value),
            Part::Subscription => subscription::in_words(Facets::of(facet).ok()?, value),
            Part::Notification => notification::in_words(Facets::of(facet).ok()?, value),
            Part::Access => access::in_words(Facets::of(facet).ok()?, value),
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
        let (clients, session) = credential::connect(connection).await?;
        let provider = Provider::new(self.clone(), session, Reader::new(clients));
        Ok(Box::new(Provider { listings: connection.listings.clone(), ..provider }))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, session) = credential::connect(connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn prover(&self, connection: &Connection) -> Result<Box<dyn Prover>, Error> {
        let (clients, session) = credential::connect(connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn permissions(&self, task: Task, syntax: Syntax, _connection: &Connection) -> Result<Document, Error> {
        let names = Names::of(self, None);
        Ok(match task {
            Task::Server => {
                document::of_server(self, &names, &access::commands(&names, self.service_account()), syntax)
            }
            Task::RotateKey => return Err(no_keys()),
            command => document::of_command(self, &names, command, syntax),
        })
    }

    async fn trust(
        &self,
        repository: &Repository,
        syntax: Syntax,
        _connection: &Connection,
    ) -> Result<Document, Error> {
        Ok(document::of_repository(self, &Names::of(self, None), repository, syntax))
    }

    async fn outputs(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::outputs(self))
    }
}

/// Nothing that the server gets lasts until somebody changes it.
fn no_keys() -> Error {
    Error::new(ErrorKind::Unsupported, "print rights for `rotate-key`")
        .with_message("Google Cloud gives the server no key")
}

impl<C> Provider<C> {
    fn new(settings: Settings, session: Session, client: C) -> Self {
        let deployment = &settings.deployment;
        let deployments = std::iter::once(deployment.name.clone()).chain(deployment.was.clone()).collect();
        let claims = Claims::new(&settings.gcp.project, deployments);
        let (number, agent, inquiry) = (OnceCell::new(), OnceCell::new(), Inquiry::default());
        Self { settings, session, client, listings: None, number, agent, claims, inquiry }
    }

    fn names(&self) -> Names {
        Names::of(&self.settings, self.agent.get().and_then(|agent| agent.as_ref().ok()).cloned())
    }

    fn resource(&self, part: Part) -> Option<Resource> {
        let (settings, names) = (&self.settings, self.names());
        match part {
            Part::Bucket => Some(bucket::resource(settings, &names)),
            Part::Topic => topic::resource(settings, &names),
            Part::Subscription => subscription::resource(settings, &names),
            Part::Notification => Some(notification::resource(&names)),
            Part::Access => access::resource(settings, &self.claims),
        }
    }
}

impl<C: AsRef<Reader>> Provider<C> {
    async fn number(&self) -> Result<String, Error> {
        let look = || async {
            let (project, principal) = (&self.settings.gcp.project, self.session.principal.clone());
            let ask = async {
                let found = self.client.as_ref().get_project(project).await;
                let account = found.map_err(|error| wrong_project(error, &principal))?;
                Ok(Caller { account, principal })
            };
            let caller = match &self.listings {
                Some(listings) => listings.caller(&format!("gcp {project}"), ask).await?,
                None => ask.await?,
            };
            self.claims.set_number(&caller.account);
            Ok(caller.account)
        };
        self.number.get_or_init(look).await.clone()
    }

    async fn agent(&self) -> Result<String, Error> {
        let look = || async {
            let project = &self.settings.gcp.project;
            let ask = self.client.as_ref().get_service_agent(project);
            match &self.listings {
                Some(listings) => listings.said(&format!("agent of gcp {project}"), ask).await,
                None => ask.await,
            }
        };
        self.agent.get_or_init(look).await.clone()
    }

    async fn observe_bucket(&self) -> Result<Observation, Error> {
        let found =
            bucket::observe(self.client.as_ref(), &self.settings, &self.names(), self.number(), &self.claims).await?;
        self.claims.set_elsewhere(matches!(found, Observation::TakenElsewhere { .. }));
        Ok(found)
    }

    async fn observe_subscription(&self) -> Result<Observation, Error> {
        let (names, with_access) = (self.names(), self.settings.service_account().is_some());
        let name = names.subscription.as_deref().unwrap_or_default();
        let spare = self.claims.look_at_spare();
        let found = subscription::observe(self.client.as_ref(), &names, name, with_access, &self.claims).await?;
        let identity = pubsub_identity(&names.subscription_name(name));
        self.claims.looked_at(identity, !matches!(found, Observation::Absent));
        Ok(subscription::with_spare(found, spare.as_deref()))
    }
}

/// A project that does not exist, and one that may not be seen, are answered alike.
fn wrong_project(error: Error, principal: &str) -> Error {
    if !lacks_permission(&error) && error.kind() != ErrorKind::NotFound {
        return error;
    }
    error.with_hint(format!(
        "check `project` under [gcp] (`gcloud projects list` shows those that you can see); if it is right, grant \
         `resourcemanager.projects.get` on it to {principal}"
    ))
}

#[async_trait]
impl<C: AsRef<Reader> + Send + Sync> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "gcp"
    }

    fn resources(&self) -> Vec<Resource> {
        Part::ALL.into_iter().filter_map(|part| self.resource(part)).collect()
    }

    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired> {
        let (settings, names) = (&self.settings, self.names());
        let Ok(part) = Part::of(address) else { return Vec::new() };
        match part {
            Part::Bucket => bucket::desired(settings, origin),
            Part::Topic => topic::desired(settings, &names, origin),
            Part::Subscription => subscription::desired(settings, &names, origin),
            Part::Notification => notification::desired(&names),
            Part::Access => access::desired(settings),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let more = self.claims.recall(self.settings.service_account(), access);
        let names = self.names();
        let topic = names.topic.as_ref().map(|topic| pubsub_identity(&names.topic_name(topic)));
        let subscription = names.subscription.as_ref().map(|name| pubsub_identity(&names.subscription_name(name)));
        let came = |identity: Option<String>| identity.is_some_and(|identity| self.claims.came_since(&identity));
        let recalled = [
            (Part::Access, more),
            (Part::Topic, came(topic)),
            (Part::Subscription, self.claims.recalls_spare() || came(subscription)),
        ];
        recalled.into_iter().filter(|(_, more)| *more).map(|(part, _)| part.address()).collect()
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        outputs::sources(&self.settings)
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.settings)
    }

    fn warnings(&self) -> Vec<String> {
        [self.claims.notes(), outputs::warnings(&self.settings)].concat()
    }

    fn grants(&self) -> &'static [&'static str] {
        &["members"]
    }

    fn next_steps(&self) -> Option<String> {
        outputs::next_steps(&self.settings, &self.names())
    }

    async fn identity(&self) -> Result<Identity, Error> {
        let number = self.number().await?;
        let Session { principal, endpoints, .. } = self.session.clone();
        let account = format!("{} ({number})", self.settings.gcp.project);
        Ok(Identity { account, principal, region: self.settings.gcp.bucket.location(), endpoints })
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, names, look) =
            (self.client.as_ref(), self.names(), self.claims.look(self.settings.service_account()));
        let topic = names.topic_name(names.topic.as_deref().unwrap_or_default());
        match Part::of(address)? {
            Part::Bucket => self.observe_bucket().await,
            Part::Topic => {
                let apart = |topic: &Topic| delivery::apart(topic, &self.settings);
                let look_closer = |topic: &Topic| apart(topic).into_iter().for_each(|note| self.claims.note(note));
                let found = topic::observe(reader, &topic, self.agent(), &self.claims, look_closer).await?;
                self.claims.looked_at(pubsub_identity(&topic), !matches!(found, Observation::Absent));
                Ok(found)
            }
            Part::Subscription => self.observe_subscription().await,
            Part::Notification => notification::observe(reader, &names).await,
            Part::Access => Ok(access::observe(reader, &names, &look, &self.claims).await),
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let (reader, names) = (self.client.as_ref(), self.names());
        orphans::marked(reader, &names, deployments, self.listings.as_ref(), &self.claims).await
    }

    async fn observe_orphan(&self, orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        orphans::observe(self.client.as_ref(), &self.names(), orphan, self.agent(), &self.claims).await
    }

    async fn browser_access(&self, key: &str) -> Result<Option<BrowserAccess>, Error> {
        let bucket = &self.settings.gcp.bucket.name;
        let url = self.client.as_ref().get_object_url(bucket, key);
        let (rule, facet) = (cors::rule(&self.settings), (Part::Bucket.address(), "cors"));
        let by_hand = format!(
            "`gcloud storage buckets describe gs://{bucket} --format='default(cors_config)'` shows it, `gcloud storage buckets \
             update gs://{bucket} --cors-file=FILE` writes those that stay"
        );
        Ok(Some(BrowserAccess { url, rule, headers: &["content-type"], table: "gcp.bucket.cors", facet, by_hand }))
    }

    async fn terraform(&self, address: &Address, origin: Origin) -> Result<Vec<Managed>, Error> {
        let (part, names) = (Part::of(address)?, self.names());
        let notifications = match part {
            Part::Notification => self.client.as_ref().list_notifications(&names.bucket).await?,
            _ => Vec::new(),
        };
        Ok(terraform::managed(&self.settings, &names, part, &self.desired(address, origin), &notifications))
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        // What is released stays with all that is in it; a full bucket of ours the service refuses to delete.
        if self.settings.gcp.bucket.adopt {
            return Ok(Contents::default());
        }
        contents::contents(self.client.as_ref(), &self.names().bucket).await
    }

    async fn deletion_blockers(&self, address: &Address) -> Result<Option<Refusal>, Error> {
        self.claims.set_removing();
        let names = self.names();
        let topic = names.topic_name(names.topic.as_deref().unwrap_or_default());
        match Part::of(address)? {
            // One that is released stays; should it be ours after all, its deletion looks too.
            Part::Topic if !self.settings.gcp.topic.adopt => {
                topic::deletion_blockers(self.client.as_ref(), &names, &topic, &self.claims.deployments()).await
            }
            Part::Topic | Part::Bucket | Part::Subscription | Part::Notification | Part::Access => Ok(None),
        }
    }

    async fn inquire(&self, task: Task) {
        self.inquiry.make(self.client.as_ref(), &self.settings, &self.names(), task).await;
    }

    async fn inquire_about(&self, rights: &[Right]) {
        self.inquiry.make_more(self.client.as_ref(), rights).await;
    }

    fn rights(&self, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
        preflight::rights(&self.names(), operation, set)
    }

    fn held(&self, right: &Right) -> Answer {
        self.inquiry.held(right)
    }

    fn refusals(&self, set: &ChangeSet) -> Vec<Refusal> {
        self.inquiry.refusals(&self.settings, set)
    }
}

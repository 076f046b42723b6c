//! The traits of the core, what looks first: each method a few lines that lead to a resource.

mod provisioner;
mod prover;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use provision_core::change_set::ChangeSet;
use provision_core::contents::Contents;
use provision_core::deployment::Deployment;
use provision_core::facet::{Desired, Facets, Words};
use provision_core::hop::Obstacle;
use provision_core::identity::{Caller, Identity};
use provision_core::listing::Listings;
use provision_core::mark::Origin;
use provision_core::operation::Operation;
use provision_core::output::{Output, OutputSource, Setting};
use provision_core::permissions::{Document, Repository, Syntax, Task};
use provision_core::provider::{BrowserAccess, Connection, Observer, Prover, ProviderConfig, Provisioner};
use provision_core::reach::{CredentialSource, Endpoint};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::rights::{Answer, Right};
use provision_core::terraform::Managed;
use provision_core::{Address, Error};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::models::BlobService;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::contents::{self, Content, Opened};
use crate::credential::{self, Session};
use crate::data_access::{self, DataAccess};
use crate::doctor;
use crate::marks::Looking;
use crate::names::{Names, Part};
use crate::permissions::document;
use crate::preflight::{self, Found, Inquiry};
use crate::resources::access::Principals;
use crate::resources::blob_service::{self, Edits};
use crate::resources::events::registration::Registration;
use crate::resources::events::{LeftSpare, Place};
use crate::resources::shared_account::FoundAccount;
use crate::resources::{access, account, container, cors, events, queue, resource_group};
use crate::{blockers, orphans, outputs, terraform};

/// One plan file's settings on one set of clients. With a [`Reader`] it can only observe.
#[derive(Debug)]
struct Provider<C> {
    settings: Settings,
    session: Session,
    client: C,
    /// What carries marks, where many deployments are looked at.
    listings: Option<Listings>,
    identity: OnceCell<Result<Identity, Error>>,
    /// Whether the look found Event Grid registered.
    registration: Registration,
    /// What the look at the account found.
    found_account: FoundAccount,
    /// The containers whose content was looked at, opened with the credentials that the Blob service took.
    opened: Opened,
    /// How the account's data is reached to prove it.
    data_access: OnceCell<Result<DataAccess, Error>>,
    /// The looks at the marks in the account that are under way.
    looking: Looking,
    /// Those at its Blob service's properties.
    blob_service: Looking<Option<BlobService>>,
    /// What is to be written into those.
    edits: Edits,
    /// Those at its locks.
    locks: Looking<Option<Refusal>>,
    /// To whom the marks say that access was given, beside the plan file's identities.
    recalled: Mutex<Vec<String>>,
    /// The spare of an event subscription that a stopped run left.
    left_spare: LeftSpare,
    /// Where event subscriptions are written.
    place: Place,
    /// Whether a shared account carries a mark of ours, from when it was not.
    leftover_mark: AtomicBool,
    /// Whether storage accounts may not be listed, so that those of another name are not found.
    unlisted: AtomicBool,
    /// Whether this run made something, which the service may not show everywhere yet.
    created: AtomicBool,
    /// What the caller's roles let it do.
    inquiry: Inquiry,
}

#[async_trait]
impl ProviderConfig for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_resource_name(&self) -> &str {
        &self.azure.container.name
    }

    fn protect(&self) -> bool {
        self.azure.account.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn account(&self) -> String {
        self.azure.subscription.clone()
    }

    fn prerequisites(&self) -> BTreeMap<&'static str, String> {
        let azure = &self.azure;
        let given = [
            ("subscription", Some(azure.subscription.clone())),
            ("principals", Some(self.principals().join(" ")).filter(|principals| !principals.is_empty())),
            ("location", Some(self.location()).filter(|location| !location.is_empty())),
            // Who makes neither uses what is there.
            ("resource_group", (!azure.resource_group.create).then(|| azure.resource_group.name.clone())),
            ("account", (!azure.account.create).then(|| azure.account.name.clone())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn in_words(&self, address: &Address, facet: &str, value: &Value) -> Vec<Words> {
        let words = || {
            Some(match Part::of(address).ok()? {
                Part::ResourceGroup => Vec::from_iter(resource_group::in_words(Facets::of(facet).ok()?, value)),
                Part::Account => Vec::from_iter(account::in_words(Facets::of(facet).ok()?, value)),
                Part::Container => Vec::from_iter(container::in_words(Facets::of(facet).ok()?, value)),
                Part::Cors => Vec::from_iter(cors::in_words(self, Facets::of(facet).ok()?, value)),
                Part::Queue => Vec::from_iter(queue::in_words(Facets::of(facet).ok()?)),
                Part::Events => events::in_words(Facets::of(facet).ok()?, value),
                Part::Access => Vec::from_iter(access::in_words(Facets::of(facet).ok()?, value)),
            })
        };
        words().unwrap_or_default()
    }

    async fn endpoints(&self, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
        doctor::endpoints(self, connection)
    }

    async fn credential_source(&self, connection: &Connection) -> Result<CredentialSource, Error> {
        doctor::credential_source(self, connection).await
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, session) = credential::connect(&self.azure, connection).await?;
        let provider = Provider::new(self.clone(), session, Reader::new(clients));
        let listings = connection.listings.clone();
        Ok(Box::new(Provider { registration: Registration::shared(listings.clone()), listings, ..provider }))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, session) = credential::connect(&self.azure, connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn prover(&self, connection: &Connection) -> Result<Box<dyn Prover>, Error> {
        let (clients, session) = credential::connect(&self.azure, connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn permissions(&self, task: Task, syntax: Syntax, _connection: &Connection) -> Result<Document, Error> {
        let names = Names::of(self);
        Ok(match task {
            Task::Server => {
                let assigned = access::assigned(self, &names);
                document::of_server(self, &assigned, &access::commands(&assigned), syntax)
            }
            command => document::of_command(self, &names, command, syntax),
        })
    }

    async fn trust(
        &self,
        repository: &Repository,
        syntax: Syntax,
        _connection: &Connection,
    ) -> Result<Document, Error> {
        Ok(document::of_repository(self, repository, syntax))
    }

    async fn outputs(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::outputs(self, Setting::Sealed))
    }

    async fn reveal(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        if self.is_hosted_elsewhere() {
            return self.outputs(connection).await;
        }
        let (clients, _) = credential::connect(&self.azure, connection).await?;
        let key = outputs::key(&Reader::new(clients), self, &Names::of(self)).await?;
        Ok(outputs::outputs(self, key))
    }
}

impl<C> Provider<C> {
    fn new(settings: Settings, session: Session, client: C) -> Self {
        Self {
            settings,
            session,
            client,
            listings: None,
            identity: OnceCell::new(),
            registration: Registration::default(),
            found_account: FoundAccount::default(),
            opened: Opened::default(),
            data_access: OnceCell::new(),
            looking: Looking::default(),
            blob_service: Looking::default(),
            edits: Edits::default(),
            locks: Looking::default(),
            recalled: Mutex::default(),
            left_spare: LeftSpare::default(),
            place: Place::default(),
            leftover_mark: AtomicBool::default(),
            unlisted: AtomicBool::default(),
            created: AtomicBool::default(),
            inquiry: Inquiry::default(),
        }
    }

    fn names(&self) -> Names {
        Names::of(&self.settings)
    }

    /// The identities whose roles are looked at.
    fn principals(&self) -> Principals {
        Principals::of(&self.settings, &self.recalled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn content<'a>(&'a self, names: &'a Names, container: &'a str) -> Content<'a> {
        Content { settings: &self.settings, names, container, opened: &self.opened }
    }

    fn resource(&self, part: Part) -> Option<Resource> {
        let (settings, names) = (&self.settings, self.names());
        match part {
            Part::ResourceGroup => resource_group::resource(settings, &names),
            Part::Account => account::resource(settings, &names),
            Part::Container => Some(container::resource(settings, &names)),
            Part::Cors => Some(cors::resource(&names)),
            Part::Queue => queue::resource(settings, &names),
            Part::Events => Some(events::resource(&names)),
            Part::Access => access::resource(&self.principals()),
        }
    }
}

impl<C: AsRef<Reader>> Provider<C> {
    async fn caller(&self) -> Result<&Identity, Error> {
        let look = || async {
            let Session { endpoints, principal, .. } = self.session.clone();
            let (names, account) = (self.names(), self.settings.azure.subscription.clone());
            let ask = async {
                self.client.as_ref().get_subscription(&names.subscription).await?;
                Ok(Caller { account, principal })
            };
            let Caller { account, principal } = match &self.listings {
                Some(listings) => listings.caller(&format!("azure {}", names.subscription), ask).await?,
                None => ask.await?,
            };
            let region = Some(self.settings.location()).filter(|region| !region.is_empty());
            Ok(Identity { account, principal, region: region.unwrap_or_else(|| "-".to_owned()), endpoints })
        };
        self.identity.get_or_init(look).await.as_ref().map_err(Clone::clone)
    }
}

#[async_trait]
impl<C: AsRef<Reader> + Send + Sync> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "azure"
    }

    fn resources(&self) -> Vec<Resource> {
        Part::ALL.into_iter().filter_map(|part| self.resource(part)).collect()
    }

    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired> {
        let (settings, names) = (&self.settings, self.names());
        let Ok(part) = Part::of(address) else { return Vec::new() };
        match part {
            Part::ResourceGroup => resource_group::desired(settings),
            Part::Account => account::desired(settings),
            Part::Container => container::desired(settings, origin),
            Part::Cors => cors::desired(settings),
            Part::Queue => queue::desired(settings),
            Part::Events => events::desired(settings, &names),
            Part::Access => access::desired(settings, &names),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let known = self.principals();
        let unknown: Vec<_> = access.iter().filter(|reference| !known.knows(reference)).cloned().collect();
        let look_again = !unknown.is_empty();
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).extend(unknown);
        look_again.then(|| Part::Access.address()).into_iter().collect()
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        outputs::sources(&self.settings)
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.settings, Setting::Sealed)
    }

    fn protection_path(&self) -> Option<&'static str> {
        Some("azure.account")
    }

    fn adoption_alternative(&self, address: &Address) -> Option<String> {
        match Part::of(address).ok()? {
            Part::ResourceGroup => Some(adoption_alternative("into `resource_group` under [azure]")),
            Part::Account => Some(adoption_alternative("under [azure.account]")),
            Part::Container | Part::Cors | Part::Queue | Part::Events | Part::Access => None,
        }
    }

    fn warnings(&self) -> Vec<String> {
        let leftover = self.leftover_mark.load(Ordering::Relaxed);
        let unlisted = self.unlisted.load(Ordering::Relaxed);
        let warnings = outputs::warnings(&self.settings, self.registration.is_missing(), leftover, unlisted);
        let left = self.left_spare.warning().into_iter().collect();
        [warnings, left, self.found_account.warnings(&self.settings)].concat()
    }

    fn obstacles(&self) -> Vec<Obstacle> {
        self.found_account.obstacles(&self.settings)
    }

    fn next_steps(&self) -> Option<String> {
        outputs::next_steps(&self.settings, &self.names())
    }

    async fn identity(&self) -> Result<Identity, Error> {
        self.caller().await.cloned()
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, settings, names) = (self.client.as_ref(), &self.settings, self.names());
        let (looking, registration, account) = (&self.looking, &self.registration, &self.found_account);
        let service = blob_service::look(reader, &names, &self.blob_service);
        match Part::of(address)? {
            Part::ResourceGroup => resource_group::observe(reader, settings, &names).await,
            Part::Account => account::observe(reader, settings, &names, service, account).await,
            Part::Container => container::observe(reader, settings, &names, account).await,
            Part::Cors => cors::observe(reader, settings, &names, looking, service, account).await,
            Part::Queue => queue::observe(reader, &names).await,
            Part::Events => {
                let left = (&self.left_spare, &self.place);
                events::observe(reader, settings, &names, looking, registration, account, left).await
            }
            Part::Access => access::observe(reader, &names, &self.principals(), looking).await,
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let (reader, names) = (self.client.as_ref(), self.names());
        let marks = async { self.looking.marks(reader, &names).await };
        let listings = self.listings.as_ref();
        let found = orphans::marked(reader, &names, deployments, listings, &self.looking, &self.unlisted);
        let (found, marks) = futures::join!(found, marks);
        let leftover = marks.is_ok_and(|marks| marks.is_account_ours(&names));
        self.leftover_mark.store(leftover, Ordering::Relaxed);
        found
    }

    async fn browser_access(&self, key: &str) -> Result<Option<BrowserAccess>, Error> {
        data_access::browser_access(self.client.as_ref(), &self.settings, &self.names(), key).await
    }

    async fn terraform(&self, address: &Address, _origin: Origin) -> Result<Vec<Managed>, Error> {
        let (part, names) = (Part::of(address)?, self.names());
        let events = match part {
            Part::Events => events::id(self.client.as_ref(), &names).await?,
            _ => None,
        };
        Ok(terraform::managed(&self.settings, &names, part, events.as_deref()))
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        let names = self.names();
        // What was adopted stays with all that is in it.
        if self.settings.azure.container.adopt {
            let marks = self.looking.marks(self.client.as_ref(), &names).await?;
            if marks.is_adopted(&names.container) {
                return Ok(Contents::default());
            }
        }
        contents::contents(self.client.as_ref(), &self.content(&names, &names.container)).await
    }

    async fn deletion_blockers(&self, address: &Address) -> Result<Option<Refusal>, Error> {
        let (reader, names) = (self.client.as_ref(), self.names());
        match Part::of(address)? {
            Part::ResourceGroup => resource_group::deletion_blockers(reader, &names, !names.account_is_shared).await,
            Part::Account => account::deletion_blockers(reader, &names).await,
            Part::Container => {
                let locked = self.locks.once(blockers::locked(reader, &names));
                let (locked, held) = futures::join!(locked, container::held(reader, &names));
                Ok(locked?.or(held?))
            }
            // An account of ours says so itself.
            Part::Queue | Part::Events | Part::Access if names.account_is_shared => {
                self.locks.once(blockers::locked(reader, &names)).await
            }
            Part::Cors | Part::Queue | Part::Events | Part::Access => Ok(None),
        }
    }

    async fn inquire(&self, task: Task) {
        self.inquiry.make(self.client.as_ref(), &self.settings, &self.names(), task).await;
    }

    async fn inquire_about(&self, rights: &[Right]) {
        self.inquiry.make_more(self.client.as_ref(), rights).await;
    }

    fn rights(&self, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
        let found = Found { unregistered: self.registration.is_missing(), place: &self.place };
        preflight::rights(&self.names(), found, operation, set)
    }

    fn held(&self, right: &Right) -> Answer {
        self.inquiry.held(right, self.session.object_id.as_deref())
    }

    fn refusals(&self, set: &ChangeSet) -> Vec<Refusal> {
        self.inquiry.refusals(&self.names(), set)
    }
}

fn adoption_alternative(key: &str) -> String {
    format!("to use it as it is, unmarked and never deleted, write `create = false` {key}")
}

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
use provision_core::facet::{Desired, Words};
use provision_core::hop::Obstacle;
use provision_core::identity::Identity;
use provision_core::listing::Listings;
use provision_core::mark::Origin;
use provision_core::operation::Operation;
use provision_core::output::{Output, OutputSource};
use provision_core::permissions::{Document, Repository, Syntax, Task};
use provision_core::provider::{BrowserAccess, Connection, Observer, Prover, ProviderConfig, Provisioner};
use provision_core::reach::{CredentialSource, Endpoint};
use provision_core::resource::{Observation, Orphan, Resource};
use provision_core::rights::{Answer, Right};
use provision_core::terraform::Managed;
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::credential::{self, Session};
use crate::doctor;
use crate::names::{Account, Names, Part};
use crate::permissions::document;
use crate::preflight::{self, Inquiry};
use crate::resources::access::{self, Recalled};
use crate::resources::bucket_policy::Turn;
use crate::resources::delivery::{self, Holder};
use crate::resources::{Facets, bucket, cors, notification, queue, run_queue};
use crate::{contents, orphans, outputs, terraform};

/// One plan file's settings on one set of clients. With a [`Reader`] it can only observe.
#[derive(Debug)]
struct Provider<C> {
    settings: Settings,
    session: Session,
    client: C,
    /// What carries marks, where many deployments are looked at.
    listings: Option<Listings>,
    identity: OnceCell<Result<Identity, Error>>,
    /// Whom the marks say that access was given to.
    recalled: Mutex<Recalled>,
    /// The last look at access found what stands in its way.
    access_obstructed: AtomicBool,
    /// The turn to write the bucket's policy.
    bucket_policy: Turn,
    /// What the last look at each part found that deserves a warning.
    found: Mutex<BTreeMap<&'static str, Vec<String>>>,
    /// What it found that stands in the way of a proof.
    obstacles: Mutex<BTreeMap<&'static str, Vec<Obstacle>>>,
    /// What the caller's policies say.
    inquiry: Inquiry,
}

#[async_trait]
impl ProviderConfig for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_resource_name(&self) -> &str {
        &self.aws.bucket.name
    }

    fn protect(&self) -> bool {
        self.aws.bucket.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn account(&self) -> String {
        let of = |value: &Option<String>| value.clone().unwrap_or_default();
        format!("{} {}", of(&self.aws.account), of(&self.aws.region))
    }

    fn prerequisites(&self) -> BTreeMap<&'static str, String> {
        let role = self.role_name().map(str::to_owned);
        let given = [("account", self.aws.account.clone()), ("region", self.aws.region.clone()), ("role", role)];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn in_words(&self, address: &Address, facet: &str, value: &Value) -> Vec<Words> {
        let words = || {
            Some(match Part::of(address).ok()? {
                Part::Bucket => Vec::from_iter(bucket::in_words(self, Facets::of(facet).ok()?, value)),
                Part::Queue | Part::RunQueue => Vec::from_iter(queue::in_words(self, Facets::of(facet).ok()?, value)),
                Part::Notification => Vec::from_iter(notification::in_words(Facets::of(facet).ok()?, value)),
                Part::Access => access::in_words(self, Facets::of(facet).ok()?, value),
            })
        };
        words().unwrap_or_default()
    }

    async fn endpoints(&self, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
        doctor::endpoints(self, connection).await
    }

    async fn credential_source(&self, connection: &Connection) -> Result<CredentialSource, Error> {
        doctor::credential_source(self, connection).await
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, session) = credential::connect(self.aws.region.as_deref(), connection).await?;
        let provider = Provider::new(self.clone(), session, Reader::new(clients));
        Ok(Box::new(Provider { listings: connection.listings.clone(), ..provider }))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, session) = credential::connect(self.aws.region.as_deref(), connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn prover(&self, connection: &Connection) -> Result<Box<dyn Prover>, Error> {
        let (clients, session) = credential::connect(self.aws.region.as_deref(), connection).await?;
        Ok(Box::new(Provider::new(self.clone(), session, Writer::new(clients))))
    }

    async fn outputs(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::outputs(self, &credential::region(self.aws.region.as_deref(), connection).await?))
    }

    async fn permissions(&self, task: Task, syntax: Syntax, connection: &Connection) -> Result<Document, Error> {
        let names = names_of_rights(self, connection).await;
        Ok(match task {
            Task::Server => document::of_server(self, &names, syntax, &access::server_policy(self, &names)),
            Task::RotateKey => return Err(no_keys()),
            command => document::of_command(self, &names, command, syntax),
        })
    }

    async fn trust(&self, repository: &Repository, syntax: Syntax, connection: &Connection) -> Result<Document, Error> {
        Ok(document::of_repository(self, &names_of_rights(self, connection).await, repository, syntax))
    }
}

/// Nothing that the server gets lasts until somebody changes it.
fn no_keys() -> Error {
    Error::new(ErrorKind::Unsupported, "print rights for `rotate-key`").with_message("AWS gives the server no key")
}

/// The names as far as they are known without asking.
async fn names_of_rights(settings: &Settings, connection: &Connection) -> Names {
    let region = credential::region(settings.aws.region.as_deref(), connection).await;
    let region = region.unwrap_or_else(|_| document::ANY.to_owned());
    let account = settings.aws.account.as_deref().unwrap_or(document::ANY);
    Names::of(settings, &Account { id: Some(account), region: &region, ..Account::default() })
}

impl<C> Provider<C> {
    fn new(settings: Settings, session: Session, client: C) -> Self {
        Self {
            settings,
            session,
            client,
            listings: None,
            identity: OnceCell::new(),
            recalled: Mutex::default(),
            access_obstructed: AtomicBool::default(),
            bucket_policy: Turn::default(),
            found: Mutex::default(),
            obstacles: Mutex::default(),
            inquiry: Inquiry::default(),
        }
    }

    fn names(&self) -> Names {
        let account = Account {
            id: self.stated_account(),
            region: &self.session.region,
            endpoint_overridden: self.session.is_overridden(),
            caller: self.identity.get().and_then(|identity| identity.as_ref().ok()),
        };
        Names::of(&self.settings, &account)
    }

    /// The account that the plan file names, or the one that the credentials say.
    fn stated_account(&self) -> Option<&str> {
        self.settings.aws.account.as_deref().or(self.session.account.as_deref())
    }

    /// What is the same for all its deployments: the credentials of a process are of one account.
    fn place(&self) -> String {
        format!("aws {}", self.session.region)
    }

    fn recalled(&self) -> Recalled {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn resource(&self, part: Part) -> Option<Resource> {
        let (settings, names) = (&self.settings, self.names());
        match part {
            Part::Bucket => Some(bucket::resource(settings, &names)),
            Part::Queue => queue::resource(settings, &names),
            Part::Notification => Some(notification::resource(&names)),
            Part::RunQueue => run_queue::resource(settings, &names),
            Part::Access => access::resource(settings, &names, &self.recalled()),
        }
    }
}

impl<C: AsRef<Reader>> Provider<C> {
    async fn caller(&self) -> Result<&Identity, Error> {
        let look = || async {
            let ask = self.client.as_ref().get_caller_identity();
            let caller = match &self.listings {
                Some(listings) => listings.caller(&self.place(), ask).await?,
                None => ask.await?,
            };
            if let Some(expected) = self.stated_account().filter(|expected| *expected != caller.account) {
                let hint = wrong_account(self.settings.aws.account.is_some());
                let error = Error::new(ErrorKind::Unauthenticated, format!("use account {expected}")).with_hint(hint);
                return Err(error
                    .with_message(format!("the credentials are {} of account {}", caller.principal, caller.account)));
            }
            let Session { region, endpoints, .. } = self.session.clone();
            Ok(Identity { account: caller.account, principal: caller.principal, region, endpoints })
        };
        self.identity.get_or_init(look).await.as_ref().map_err(Clone::clone)
    }

    /// The names, with the account known. Only where neither the plan file nor the credentials say it, everything has to wait
    /// until the service was asked; that they are right is found out beside the other reads.
    async fn names_in_account(&self) -> Result<Names, Error> {
        if self.stated_account().is_none() {
            self.caller().await?;
        }
        Ok(self.names())
    }

    fn note(&self, part: &'static str, warnings: Vec<String>, obstacles: Vec<Obstacle>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(part, warnings);
        self.obstacles.lock().unwrap_or_else(PoisonError::into_inner).insert(part, obstacles);
    }

    async fn observe_access(&self) -> Result<Observation, Error> {
        let names = match self
            .settings
            .aws
            .access
            .as_ref()
            .is_some_and(|access| access.role.as_ref().is_some_and(|role| role.contains(':')))
        {
            // Whose role it is can only be told once the account is known.
            true => self.names_in_account().await?,
            false => self.names(),
        };
        let found = access::observe(self.client.as_ref(), &self.settings, &names, &self.recalled()).await;
        let blocked = matches!(&found, Ok(Observation::Present(found)) if !found.blockers.is_empty());
        self.access_obstructed.store(blocked, Ordering::Relaxed);
        found
    }
}

const fn wrong_account(named_by_plan_file: bool) -> &'static str {
    if named_by_plan_file {
        "use credentials of the plan file's account, or correct `account` under [aws]"
    } else {
        "correct AWS_ACCOUNT_ID, or the profile's `aws_account_id`: it is not the account of these credentials"
    }
}

#[async_trait]
impl<C: AsRef<Reader> + Send + Sync> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "aws"
    }

    fn resources(&self) -> Vec<Resource> {
        Part::ALL.into_iter().filter_map(|part| self.resource(part)).collect()
    }

    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired> {
        let (settings, names) = (&self.settings, self.names());
        let Ok(part) = Part::of(address) else { return Vec::new() };
        match part {
            Part::Bucket => bucket::desired(settings, &names, origin),
            Part::Queue => queue::desired(settings, &names, origin),
            Part::Notification => notification::desired(&names),
            Part::RunQueue => run_queue::desired(settings, origin),
            Part::Access => access::desired(settings, &names),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let (settings, names) = (&self.settings, self.names());
        let mut recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recalled.clone();
        recalled.extend(access.iter().filter(|reference| reference.contains('/')).cloned());
        let more = access::places(settings, &names, &before) != access::places(settings, &names, &recalled);
        // What we gave access to before, and is not there, is no blocker but drift.
        let other = self.access_obstructed.load(Ordering::Relaxed) && *recalled != before;
        if more || other { vec![Part::Access.address()] } else { Vec::new() }
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        outputs::sources(&self.settings)
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.settings, &self.session.region)
    }

    fn warnings(&self) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        outputs::warnings(&self.settings).into_iter().chain(found.values().flatten().cloned()).collect()
    }

    fn obstacles(&self) -> Vec<Obstacle> {
        let found = self.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        found.values().flatten().cloned().collect()
    }

    fn grants(&self) -> &'static [&'static str] {
        &["principals"]
    }

    fn next_steps(&self) -> Option<String> {
        outputs::next_steps(&self.settings, &self.names())
    }

    async fn identity(&self) -> Result<Identity, Error> {
        self.caller().await.cloned()
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, settings, names) = (self.client.as_ref(), &self.settings, self.names());
        match Part::of(address)? {
            Part::Bucket => {
                let names = self.names_in_account().await?;
                let (found, (warnings, obstacles)) = bucket::observe(reader, settings, &names).await?;
                self.note("bucket", warnings, obstacles);
                Ok(found)
            }
            Part::Queue => {
                let queue = names.queue.as_deref().unwrap_or_default();
                let senders = queue::senders(settings, &names.at_full_length(), queue);
                let (found, (opened, denied)) = queue::observe(reader, &names, queue, &senders).await?;
                let warning = queue::warning(queue, &found, settings.aws.queue.adopt);
                let obstacles = delivery::obstacles(Holder::Queue(queue), &found);
                self.note(
                    "queue",
                    warning.into_iter().chain(opened).collect(),
                    obstacles.into_iter().chain(denied).collect(),
                );
                Ok(found)
            }
            Part::Notification => notification::observe(reader, &self.names_in_account().await?).await,
            Part::RunQueue => {
                let queue = names.run_queue.as_deref().unwrap_or_default();
                let (found, (opened, _)) = queue::observe(reader, &names, queue, &Value::Null).await?;
                self.note("run_queue", opened, Vec::new());
                Ok(found)
            }
            Part::Access => self.observe_access().await,
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let reader = self.client.as_ref();
        let listed = match &self.listings {
            Some(listings) => listings.marked(&self.place(), deployments, orphans::listed(reader, &[])).await?,
            None => orphans::listed(reader, deployments).await?,
        };
        if listed.iter().all(|orphan| orphans::is_planned(orphan, &self.names())) {
            return Ok(listed);
        }
        let names = self.names_in_account().await?;
        orphans::confirmed(self.client.as_ref(), &names, deployments, listed).await
    }

    async fn observe_orphan(&self, orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        orphans::observe(self.client.as_ref(), &self.names(), orphan).await
    }

    async fn terraform(&self, address: &Address, origin: Origin) -> Result<Vec<Managed>, Error> {
        let (part, names) = (Part::of(address)?, self.names_in_account().await?);
        Ok(terraform::managed(&self.settings, &names, part, &self.desired(address, origin)))
    }

    async fn browser_access(&self, key: &str) -> Result<Option<BrowserAccess>, Error> {
        let bucket = &self.settings.aws.bucket.name;
        let url = self.client.as_ref().get_object_url(bucket, key).await?;
        let rule = cors::rule(&self.settings);
        let facet = (Part::Bucket.address(), "cors");
        let by_hand = format!(
            "`aws s3api get-bucket-cors --bucket {bucket}` shows it, `aws s3api put-bucket-cors` writes those that stay"
        );
        Ok(Some(BrowserAccess { url, rule, headers: &["content-type"], table: "aws.bucket.cors", facet, by_hand }))
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        let names = self.names_in_account().await?;
        contents::contents(self.client.as_ref(), &names.bucket, &names.account).await
    }

    async fn inquire(&self, task: Task) {
        let reader = self.client.as_ref();
        let (caller, ()) = futures::join!(self.caller(), self.inquiry.find_role(reader, &self.settings));
        if let Ok(caller) = caller {
            self.inquiry.make(reader, &self.settings, &self.names(), caller, task).await;
        }
    }

    async fn inquire_about(&self, rights: &[Right]) {
        if let Ok(caller) = self.caller().await {
            self.inquiry.make_more(self.client.as_ref(), &self.settings, caller, rights).await;
        }
    }

    fn rights(&self, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
        preflight::rights(&self.settings, &self.names(), operation, set)
    }

    fn held(&self, right: &Right) -> Answer {
        self.inquiry.held(right)
    }
}

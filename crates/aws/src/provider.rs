//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use provision_core::deployment::Deployment;
use provision_core::executor::Watch;
use provision_core::mark::{Origin, Tags};
use provision_core::operation::Operation;
use provision_core::output::Output;
use provision_core::provider::{Cloud, Connection, Created, Identity, Observer, Provisioner, TagChanges};
use provision_core::resource::{Observation, Orphan, Resource, Want};
use provision_core::survey::Contents;
use provision_core::{Address, Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::client::{Read, Reader, Writer};
use crate::config::Settings;
use crate::credential::{self, Place};
use crate::names::{ACCESS, BUCKET, NOTIFICATION, Names, QUEUE, RUN_QUEUE};
use crate::resources::access::{self, Recalled};
use crate::resources::bucket::{self, Write};
use crate::resources::{notification, ours, queue};
use crate::{contents, orphans, outputs};

/// One plan file's settings on one set of clients. With a [`crate::client::Reader`] it can only observe.
#[derive(Debug)]
pub struct Provider<C> {
    settings: Settings,
    place: Place,
    client: C,
    identity: OnceCell<Result<Identity, Error>>,
    /// Whom the marks say that access was given to.
    recalled: Mutex<Recalled>,
    /// The last look at access found what stands in its way.
    access_obstructed: AtomicBool,
}

#[async_trait]
impl Cloud for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_name(&self) -> &str {
        &self.aws.bucket.name
    }

    fn protect(&self) -> bool {
        self.aws.bucket.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn given(&self) -> BTreeMap<&'static str, String> {
        let role = self.role_name().map(str::to_owned);
        let given = [("account", self.aws.account.clone()), ("region", self.aws.region.clone()), ("role", role)];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, place) = credential::connect(self.aws.region.as_deref(), connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Reader::new(clients))))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, place) = credential::connect(self.aws.region.as_deref(), connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Writer::new(clients))))
    }

    async fn outputs(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs::outputs(self, &credential::region(self.aws.region.as_deref(), connection).await?))
    }
}

impl<C> Provider<C> {
    fn names(&self) -> Names {
        let caller = self.identity.get().and_then(|identity| identity.as_ref().ok());
        Names::new(&self.settings, &self.place, caller)
    }

    fn recalled(&self) -> Recalled {
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<C: Read> Provider<C> {
    /// A provider of these settings.
    #[must_use]
    pub fn new(settings: Settings, place: Place, client: C) -> Self {
        Self {
            settings,
            place,
            client,
            identity: OnceCell::new(),
            recalled: Mutex::default(),
            access_obstructed: AtomicBool::default(),
        }
    }

    async fn caller(&self) -> Result<&Identity, Error> {
        let look = || async {
            let caller = self.client.reader().get_caller_identity().await?;
            let expected = self.settings.aws.account.as_ref().or(self.place.account.as_ref());
            if let Some(expected) = expected.filter(|expected| **expected != caller.account) {
                let hint = wrong_account(self.settings.aws.account.is_some());
                let error = Error::new(ErrorKind::Unauthenticated, format!("use account {expected}")).hint(hint);
                return Err(error.message(format!("the credentials are {} of account {}", caller.arn, caller.account)));
            }
            let Place { region, endpoints, .. } = self.place.clone();
            Ok(Identity { account: caller.account, principal: caller.arn, region, endpoints })
        };
        self.identity.get_or_init(look).await.as_ref().map_err(Clone::clone)
    }

    /// The account: the plan file's, or the one that the credentials say. Only where neither does, everything has to wait
    /// until the service was asked; that they are right is found out beside the other reads.
    async fn account(&self) -> Result<String, Error> {
        match self.settings.aws.account.as_ref().or(self.place.account.as_ref()) {
            Some(account) => Ok(account.clone()),
            None => Ok(self.caller().await?.account.clone()),
        }
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
impl<C: Read> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "aws"
    }

    fn resources(&self) -> Vec<Resource> {
        let (settings, names) = (&self.settings, self.names());
        let parts = [
            Some(bucket::resource(settings, &names)),
            queue::resource(settings, &names),
            Some(notification::resource(&names)),
            queue::run_resource(settings, &names),
            access::resource(settings, &names, &self.recalled()),
        ];
        parts.into_iter().flatten().collect()
    }

    fn want(&self, address: &Address, origin: Origin) -> Vec<Want> {
        let (settings, names) = (&self.settings, self.names());
        match address {
            address if *address == BUCKET => bucket::want(settings, &names, origin),
            address if *address == QUEUE => queue::want(settings, &names, origin),
            address if *address == NOTIFICATION => notification::want(&names),
            address if *address == RUN_QUEUE => queue::want_run(settings, origin),
            address if *address == ACCESS => access::want(settings, &names),
            _ => Vec::new(),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let (settings, names) = (&self.settings, self.names());
        let mut recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recalled.clone();
        recalled.extend(access.iter().filter(|reference| reference.contains('/')).cloned());
        let more = access::places(settings, &names, &before) != access::places(settings, &names, &recalled);
        // What we gave access to before, and is not there, is no obstacle but drift.
        let other = self.access_obstructed.load(Ordering::Relaxed) && *recalled != before;
        if more || other { vec![ACCESS] } else { Vec::new() }
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::outputs(&self.settings, &self.place.region)
    }

    fn warnings(&self) -> Vec<String> {
        outputs::warnings(&self.settings)
    }

    fn handover(&self) -> Option<String> {
        outputs::handover(&self.settings, &self.names())
    }

    async fn identity(&self) -> Result<Identity, Error> {
        self.caller().await.cloned()
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, settings) = (self.client.reader(), &self.settings);
        let named = |name: Option<String>| name.unwrap_or_default();
        match address {
            address if *address == BUCKET => {
                let owner = self.account().await?;
                bucket::observe(reader, settings, &self.names(), &owner).await
            }
            address if *address == QUEUE => {
                let (names, queue) = (self.names(), named(self.names().queue));
                queue::observe(reader, &names, &queue, &queue::senders(settings, &names, &queue)).await
            }
            address if *address == NOTIFICATION => {
                let owner = self.account().await?;
                notification::observe(reader, &self.names(), &owner).await
            }
            address if *address == RUN_QUEUE => {
                queue::observe(reader, &self.names(), &named(self.names().run_queue), &Value::Null).await
            }
            _ => {
                // Whose role it is can only be told once the account is known.
                if settings.aws.access.as_ref().is_some_and(|access| access.role.contains(':')) {
                    self.account().await?;
                }
                let found = access::observe(reader, settings, &self.names(), &self.recalled()).await;
                let obstructed = matches!(&found, Ok(Observation::Present(found)) if !found.obstacles.is_empty());
                self.access_obstructed.store(obstructed, Ordering::Relaxed);
                found
            }
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        orphans::marked(self.client.reader(), deployments).await
    }

    async fn observe_orphan(&self, orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        orphans::observe(self.client.reader(), &self.names(), orphan).await
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        let owner = self.account().await?;
        contents::contents(self.client.reader(), &self.names().bucket, &owner).await
    }
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let reader = self.client.reader();
        if operation.address != BUCKET {
            return queue::tags(reader, &operation.name).await;
        }
        let tags = reader.get_bucket_tagging(&operation.name, &self.account().await?).await;
        if bucket::is_gone(&tags) { Ok(None) } else { tags.map(Some) }
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        if operation.address != BUCKET {
            return queue::update_tags(&self.client, &operation.name, changes).await;
        }
        let (owner, names) = (self.account().await?, self.names().of(&operation.name));
        bucket::update_tags(&self.client, &names, &owner, found, changes).await
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _watch: &Watch<'_>,
    ) -> Result<Created, Error> {
        if operation.address != BUCKET {
            return queue::create(&self.client, &operation.name, tags, facets).await;
        }
        bucket::create(&self.client, &self.names(), &self.account().await?, tags, facets).await
    }

    async fn write(
        &self,
        operation: &Operation,
        facet: &str,
        before: &Value,
        value: &Value,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (client, names, owner) = (&self.client, self.names(), self.account().await?);
        let write = Write { facet, before, value, just_created: watch.just_created() };
        let written = match &operation.address {
            address if *address == BUCKET => bucket::write(client, &names, &owner, &write).await,
            address if *address == NOTIFICATION => notification::write(client, &names, &owner, &write).await,
            address if *address == ACCESS => access::write(client, &write).await,
            _ => queue::write(client, &names, &operation.name, &write).await,
        };
        written.map_err(|error| if write.just_created { error } else { is_gone(error) })
    }

    async fn empty(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        contents::empty(&self.client, &operation.name, &self.account().await?, watch).await
    }

    async fn delete(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        watch.still_ours().await?;
        match &operation.address {
            address if *address == BUCKET => {
                bucket::delete(&self.client, &operation.name, &self.account().await?).await
            }
            address if *address == QUEUE || *address == RUN_QUEUE => queue::delete(&self.client, &operation.name).await,
            other => Err(ours(&format!("{other} is deleted as a whole"))),
        }
    }
}

/// Only a bucket that this run made can be one that S3 does not see yet; any other is gone.
fn is_gone(error: Error) -> Error {
    if error.code() == Some("NoSuchBucket") { error.retry(RetryClass::Final) } else { error }
}

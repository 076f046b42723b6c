//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use provision_core::contents::Contents;
use provision_core::context::Watch;
use provision_core::deployment::Deployment;
use provision_core::facet::Want;
use provision_core::identity::Identity;
use provision_core::mark::{Mark, Origin, TagChanges, Tags};
use provision_core::operation::Operation;
use provision_core::output::{Output, Setting};
use provision_core::provider::{Cloud, Connection, Created, Observer, Provisioner};
use provision_core::refusal::Refusal;
use provision_core::resource::{Carrier, Lane, Observation, OnRecord, Orphan, Resource, Turns};
use provision_core::{Address, Error, ErrorKind, digest};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::client::{Read, Reader, Writer};
use crate::config::Settings;
use crate::credential;
use crate::error::ACCOUNT_NOT_READY;
use crate::marks::Looking;
use crate::orphan;
use crate::resources::container::Opened;
use crate::resources::{access, account, container, cors, events, queue, resource_group};
use crate::tags::{changed, metadata, tags, to_metadata};

const GROUP: Address = Address::new("azure.resource_group");
pub(crate) const ACCOUNT: Address = Address::new("azure.account");
pub(crate) const CONTAINER: Address = Address::new("azure.container");
const CORS: Address = Address::new("azure.cors");
pub(crate) const QUEUE: Address = Address::new("azure.queue");
const EVENTS: Address = Address::new("azure.events");
const ACCESS: Address = Address::new("azure.access");

/// Writes to the account itself go one at a time: the service answers two at once with
/// `StorageAccountOperationInProgress`, or with throttling although it carries them out
/// (<https://github.com/Azure/azure-cli/issues/31148>). The Blob service's properties are such a write, and a new event
/// subscription makes one.
const ACCOUNT_LANE: Lane = Lane { name: "account", turns: Turns::Always };

/// What is in the account is a thing of its own, with metadata of its own: containers and queues are made and marked at the
/// same time. Should the service say `StorageAccountOperationInProgress` all the same, that is a conflict like any other, and
/// from then on they take turns with everything else in the lane.
const CONTENT_LANE: Lane = Lane { turns: Turns::AfterConflict, ..ACCOUNT_LANE };

/// The provider that event subscriptions need registered in the subscription.
pub(crate) const EVENT_GRID: &str = "Microsoft.EventGrid";

/// Where calls go, and who sends them.
#[derive(Clone, Debug)]
pub struct Place {
    /// Endpoints that are not Azure's own, `NAME=value`.
    pub endpoints: Vec<String>,
    /// The identity in use, by its token.
    pub principal: String,
}

/// One plan file's settings on one set of clients. With a [`crate::client::Reader`] it can only observe.
#[derive(Debug)]
pub struct Provider<C> {
    settings: Settings,
    place: Place,
    client: C,
    identity: OnceCell<Result<Identity, Error>>,
    /// Whether the look found Event Grid registered.
    registered: OnceCell<bool>,
    /// The containers whose content was looked at, opened with the credentials that the Blob service took.
    opened: Opened,
    /// The looks at the marks in the account that are under way.
    looking: Looking,
    /// To whom the marks say that access was given, beside the plan file's identity.
    recalled: Mutex<Vec<String>>,
    /// Whether a shared account carries a mark of ours, from when it was not.
    leftover_mark: AtomicBool,
    /// Whether this run made something, which the service may not show everywhere yet.
    created: AtomicBool,
}

/// Every name and id.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// The subscription's path.
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) account: String,
    pub(crate) container: String,
    pub(crate) queue: Option<String>,
    /// The deployment's name, then its former one.
    pub(crate) deployments: Vec<String>,
    /// The event subscription's name in the plan file.
    pub(crate) events: String,
    /// Our identity among entries of others, the current one first: event subscription names and their labels.
    pub(crate) ids: Vec<String>,
    /// Whether the account is shared: never marked.
    pub(crate) shared: bool,
}

impl Names {
    pub(crate) fn of(settings: &Settings) -> Self {
        let (azure, deployment) = (&settings.azure, &settings.deployment);
        let deployments: Vec<_> = std::iter::once(&deployment.name).chain(&deployment.was).cloned().collect();
        let ids: Vec<_> = deployments.iter().map(|name| format!("provision-{}", digest::short(name, 12))).collect();
        Self {
            subscription: format!("/subscriptions/{}", azure.subscription),
            group: azure.resource_group.name.clone(),
            account: azure.account.name.clone(),
            container: azure.container.name.clone(),
            queue: azure.queue.enabled.then(|| settings.queue_name()),
            deployments,
            events: azure.events.name.clone().unwrap_or_else(|| ids[0].clone()),
            ids,
            shared: !azure.account.create,
        }
    }

    /// Whether the mark among these tags says that this deployment made what has the id.
    pub(crate) fn made(&self, tags: &Tags, id: &str) -> bool {
        let mark = Mark::from_tags(tags).filter(|mark| mark.origin == Origin::Created);
        mark.is_some_and(|mark| self.deployments.contains(&mark.deployment) && mark.is_for(&identity_of(id)))
    }

    pub(crate) fn group_id(&self) -> String {
        format!("{}/resourceGroups/{}", self.subscription, self.group)
    }

    pub(crate) fn account_id(&self) -> String {
        format!("{}/providers/Microsoft.Storage/storageAccounts/{}", self.group_id(), self.account)
    }

    pub(crate) fn container_id(&self, container: &str) -> String {
        format!("{}/blobServices/default/containers/{container}", self.account_id())
    }

    pub(crate) fn queue_id(&self, queue: &str) -> String {
        format!("{}/queueServices/default/queues/{queue}", self.account_id())
    }

    /// Where the account's event subscriptions are, unless it has a system topic of its own.
    pub(crate) fn event_subscriptions(&self) -> String {
        format!("{}/providers/{EVENT_GRID}/eventSubscriptions", self.account_id())
    }
}

/// The full name whose hash stands in the mark: the service compares ids without regard to case.
pub(crate) fn identity_of(id: &str) -> String {
    id.to_ascii_lowercase()
}

#[async_trait]
impl Cloud for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_name(&self) -> &str {
        &self.azure.container.name
    }

    fn protect(&self) -> bool {
        self.azure.account.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn given(&self) -> BTreeMap<&'static str, String> {
        let principal = self.azure.access.as_ref().map(|access| access.principal_id.clone());
        let principal = principal.map(|principal| ("principal_id", principal));
        std::iter::once(("subscription", self.azure.subscription.clone())).chain(principal).collect()
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, place) = credential::connect(&self.azure, connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Reader::new(clients))))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, place) = credential::connect(&self.azure, connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Writer::new(clients))))
    }

    async fn outputs(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs(self, Setting::Sealed))
    }

    async fn reveal(&self, connection: &Connection) -> Result<Vec<Output>, Error> {
        let (clients, _) = credential::connect(&self.azure, connection).await?;
        let key = account::key(&Reader::new(clients), self, &Names::of(self)).await?;
        Ok(outputs(self, key))
    }
}

/// The settings for the server.
fn outputs(settings: &Settings, key: Setting) -> Vec<Output> {
    let azure = &settings.azure;
    let account = &azure.account.name;
    let queue = match azure.queue.enabled {
        true => format!("az://{account}/{}", settings.queue_name()),
        false => "internal://".to_owned(),
    };
    vec![
        Output::new("HOST", &settings.deployment.host),
        Output::new("BUCKET", format!("az://{account}/{}", azure.container.name)),
        Output::new("BUCKET_QUEUE", queue),
        Output { name: "AZURE_STORAGE_KEY".to_owned(), value: key },
    ]
}

impl<C> Provider<C> {
    fn names(&self) -> Names {
        Names::of(&self.settings)
    }
}

impl<C: Read> Provider<C> {
    /// A provider of these settings.
    #[must_use]
    pub fn new(settings: Settings, place: Place, client: C) -> Self {
        let (identity, registered) = (OnceCell::new(), OnceCell::new());
        let (opened, looking, recalled) = (Opened::default(), Looking::default(), Mutex::default());
        let (leftover_mark, created) = (AtomicBool::default(), AtomicBool::default());
        Self { settings, place, client, identity, registered, opened, looking, recalled, leftover_mark, created }
    }

    async fn caller(&self) -> Result<&Identity, Error> {
        let look = || async {
            self.client.reader().get_subscription(&self.names().subscription).await?;
            let Place { endpoints, principal } = self.place.clone();
            let account = self.settings.azure.subscription.clone();
            let region = Some(self.settings.location()).filter(|region| !region.is_empty());
            Ok(Identity { account, principal, region: region.unwrap_or_else(|| "-".to_owned()), endpoints })
        };
        self.identity.get_or_init(look).await.as_ref().map_err(Clone::clone)
    }

    /// The identities whose roles are looked at: the plan file's, then those that had them last.
    fn principals(&self) -> Vec<String> {
        let named = self.settings.azure.access.as_ref().map(|access| identity_of(&access.principal_id));
        let recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        named.into_iter().chain(recalled.iter().cloned()).collect()
    }

    /// Look at everything that carries the mark, and whether a shared account does from former times.
    async fn look_at_marks(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let (reader, names) = (self.client.reader(), self.names());
        let marks = async { self.looking.marks(reader, &names).await };
        let (found, marks) = futures::join!(orphan::marked(reader, &names, deployments, &self.looking), marks);
        let leftover = marks.is_ok_and(|marks| marks.is_account_ours(&names));
        self.leftover_mark.store(leftover, Ordering::Relaxed);
        found
    }

    /// Look whether Event Grid is registered, beside the other looks; apply registers it. Who may not look is told when it
    /// matters.
    async fn look_at_registration(&self) {
        let look = || async {
            let state = self.client.reader().get_provider(&self.names().subscription, EVENT_GRID).await;
            state.map_or(true, |state| state == "Registered")
        };
        if self.settings.azure.queue.enabled {
            self.registered.get_or_init(look).await;
        }
    }
}

#[async_trait]
impl<C: Read> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "azure"
    }

    fn resources(&self) -> Vec<Resource> {
        let (names, azure) = (self.names(), &self.settings.azure);
        let mut resources = Vec::new();
        if azure.resource_group.create {
            resources.push(Resource {
                identity: identity_of(&names.group_id()),
                deleted_after: vec![ACCOUNT],
                ..Resource::new(GROUP, "resource group", &names.group, resource_group::FACETS)
            });
        }
        if azure.account.create {
            resources.push(Resource {
                identity: identity_of(&names.account_id()),
                most_tags: account::MOST_TAGS,
                needs: vec![GROUP],
                deleted_after: vec![CONTAINER, CORS, QUEUE, EVENTS, ACCESS],
                lane: Some(ACCOUNT_LANE),
                ..Resource::new(ACCOUNT, "storage account", &names.account, account::FACETS)
            });
        }
        resources.push(Resource {
            identity: identity_of(&names.container_id(&names.container)),
            adopt: azure.container.adopt,
            holds_data: true,
            needs: vec![ACCOUNT],
            // On a shared account our CORS rule is known by the marks alone.
            deleted_after: if names.shared { vec![CORS] } else { Vec::new() },
            lane: Some(CONTENT_LANE),
            ..Resource::new(CONTAINER, "container", &names.container, container::FACETS)
        });
        let carrier = if names.shared { CONTAINER } else { ACCOUNT };
        resources.push(Resource {
            carrier: Carrier::Of(carrier.clone()),
            on_record: OnRecord::EveryMark,
            contained: !names.shared,
            needs: vec![carrier],
            lane: Some(ACCOUNT_LANE),
            ..Resource::new(CORS, "CORS rule", &names.account, cors::FACETS)
        });
        if let Some(queue) = &names.queue {
            resources.push(Resource {
                identity: identity_of(&names.queue_id(queue)),
                adopt: azure.queue.adopt,
                needs: vec![ACCOUNT],
                deleted_after: vec![CONTAINER, EVENTS, ACCESS],
                lane: Some(CONTENT_LANE),
                ..Resource::new(QUEUE, "queue", queue, queue::FACETS)
            });
        }
        resources.push(Resource {
            carrier: Carrier::Of(CONTAINER),
            on_record: OnRecord::EveryMark,
            needs: vec![CONTAINER, QUEUE],
            deleted_after: vec![CONTAINER],
            lane: Some(ACCOUNT_LANE),
            ..Resource::new(EVENTS, "event subscription", &names.events, events::FACETS)
        });
        if let Some(principal) = self.principals().first() {
            resources.push(Resource {
                carrier: Carrier::Of(CONTAINER),
                on_record: OnRecord::EveryMark,
                reference: Some(principal.clone()),
                grants_access: true,
                needs: vec![ACCOUNT, CONTAINER, QUEUE],
                deleted_after: vec![CONTAINER],
                ..Resource::new(ACCESS, "role assignments", principal, access::FACETS)
            });
        }
        resources
    }

    fn want(&self, address: &Address, origin: Origin) -> Vec<Want> {
        let (settings, names) = (&self.settings, self.names());
        match address {
            address if *address == GROUP => resource_group::want(settings),
            address if *address == ACCOUNT => account::want(settings),
            address if *address == CONTAINER => container::want(settings, origin),
            address if *address == CORS => cors::want(settings),
            address if *address == QUEUE => queue::want(settings),
            address if *address == EVENTS => events::want(settings, &names),
            address if *address == ACCESS => access::want(settings, &names),
            _ => Vec::new(),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let known = self.principals();
        let former: Vec<_> = access.iter().map(|principal| identity_of(principal)).collect();
        let unseen: Vec<_> = former.into_iter().filter(|principal| !known.contains(principal)).collect();
        let again = !unseen.is_empty();
        self.recalled.lock().unwrap_or_else(PoisonError::into_inner).extend(unseen);
        again.then_some(ACCESS).into_iter().collect()
    }

    fn outputs(&self) -> Vec<Output> {
        outputs(&self.settings, Setting::Sealed)
    }

    fn protected_by(&self) -> Option<&'static str> {
        Some("azure.account")
    }

    fn instead_of_adopting(&self, address: &Address) -> Option<String> {
        let exists =
            |key: &str| format!("to use it as it is, unmarked and never deleted, write `create = false` {key}");
        match address {
            address if *address == GROUP => Some(exists("into `resource_group` under [azure]")),
            address if *address == ACCOUNT => Some(exists("under [azure.account]")),
            _ => None,
        }
    }

    fn warnings(&self) -> Vec<String> {
        let unregistered = (self.registered.get() == Some(&false)).then(|| {
            format!(
                "{EVENT_GRID} is not registered in this subscription: apply registers it, which takes minutes and needs \
                 `{EVENT_GRID}/register/action`"
            )
        });
        let leftover = self.leftover_mark.load(Ordering::Relaxed).then(|| {
            format!(
                "storage account `{}` carries this deployment's mark of an earlier `create = true`: with `create = false` it \
                 is used, never deleted, and the mark is left alone; with `create = true` it is this deployment's again",
                self.settings.azure.account.name
            )
        });
        unregistered.into_iter().chain(leftover).collect()
    }

    fn handover(&self) -> Option<String> {
        self.settings.azure.access.is_none().then(|| access::handover(&self.names()))
    }

    async fn identity(&self) -> Result<Identity, Error> {
        self.caller().await.cloned()
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, settings, names) = (self.client.reader(), &self.settings, self.names());
        match address {
            address if *address == GROUP => resource_group::observe(reader, settings, &names).await,
            address if *address == ACCOUNT => account::observe(reader, settings, &names).await,
            address if *address == CONTAINER => container::observe(reader, &names).await,
            address if *address == CORS => cors::observe(reader, settings, &names, &self.looking).await,
            address if *address == QUEUE => queue::observe(reader, &names).await,
            address if *address == EVENTS => {
                let (observed, ()) = futures::join!(
                    events::observe(reader, settings, &names, &self.looking),
                    self.look_at_registration()
                );
                observed
            }
            _ => access::observe(reader, &names, &self.principals(), &self.looking).await,
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        self.look_at_marks(deployments).await
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        let names = self.names();
        container::contents(self.client.reader(), &self.settings, &names, &names.container, &self.opened).await
    }

    async fn in_the_way(&self, address: &Address) -> Result<Option<Refusal>, Error> {
        let (reader, names) = (self.client.reader(), self.names());
        match address {
            address if *address == GROUP => resource_group::in_the_way(reader, &names, !names.shared).await,
            address if *address == ACCOUNT => account::in_the_way(reader, &names).await,
            address if *address == CONTAINER => account::locked(reader, &names).await,
            _ => Ok(None),
        }
    }
}

/// A facet that no version of ours ever had.
pub(crate) fn unknown_facet(facet: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("facet `{facet}` is unknown: this is a bug in provision"))
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let (reader, (names, name)) = (self.client.reader(), self.names().located(&operation.address, &operation.name));
        let tagged = |found: &Value| tags(found, self.settings.tags());
        let found = match &operation.address {
            address if *address == GROUP => reader.get_group(&names.group_id()).await?.as_ref().map(tagged),
            address if *address == ACCOUNT => reader.get_account(&names.account_id()).await?.as_ref().map(tagged),
            address if *address == CONTAINER => {
                reader.get_container(&names.container_id(name)).await?.as_ref().map(metadata)
            }
            _ => reader.get_queue(&names.queue_id(name)).await?.as_ref().map(metadata),
        };
        Ok(found)
    }

    /// All tags at once: each of these calls replaces them.
    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        let (writer, (names, name)) = (&self.client, self.names().located(&operation.address, &operation.name));
        let tags = changed(found, changes);
        let metadata = || json!({"properties": {"metadata": to_metadata(&tags)}});
        match &operation.address {
            address if *address == GROUP => writer.patch_group(&names.group_id(), &json!({"tags": tags})).await,
            address if *address == ACCOUNT => writer.patch_account(&names.account_id(), &json!({"tags": tags})).await,
            address if *address == CONTAINER => writer.patch_container(&names.container_id(name), &metadata()).await,
            _ => writer.patch_queue(&names.queue_id(name), &metadata()).await,
        }
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        watch: &Watch<'_>,
    ) -> Result<Created, Error> {
        let _turn = watch.turn().await;
        let (writer, names, name) = (&self.client, self.names(), operation.name.as_str());
        let created = match &operation.address {
            address if *address == GROUP => resource_group::create(writer, &names, tags, facets).await,
            address if *address == ACCOUNT => account::create(writer, &names, tags, facets).await,
            address if *address == CONTAINER => container::create(writer, &names, name, tags).await,
            _ => queue::create(writer, &names, name, tags).await,
        };
        let created = created.map_err(|error| self.not_seen_yet(error))?;
        self.created.fetch_or(created == Created::Made, Ordering::Relaxed);
        Ok(created)
    }

    async fn write(
        &self,
        operation: &Operation,
        facet: &str,
        before: &Value,
        value: &Value,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        // An event subscription is looked for before its turn.
        let _turn = if operation.address == EVENTS { None } else { watch.turn().await };
        let written = self.write_facet(operation, facet, before, value, watch).await;
        written.map_err(|error| self.not_seen_yet(error))
    }

    async fn empty(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let (names, name) = (self.names(), &operation.name);
        container::empty(&self.client, &self.settings, &names, name, &self.opened, watch).await
    }

    async fn delete(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        // The subscription of an account that goes too waits for its own turn.
        let planned = self.names();
        let (names, name) = planned.located(&operation.address, &operation.name);
        let writer = &self.client;
        if operation.address == ACCOUNT && names.account_id() != planned.account_id() {
            return orphan::delete_account(writer, &names, watch).await;
        }
        let _turn = watch.turn().await;
        match &operation.address {
            address if *address == GROUP => resource_group::delete(writer, &names, watch).await,
            address if *address == ACCOUNT => account::delete(writer, &names, watch).await,
            address if *address == CONTAINER => {
                container::delete(writer, &self.settings, &names, name, &self.opened, watch).await
            }
            _ => {
                watch.still_ours().await?;
                writer.delete_queue(&names.queue_id(name)).await
            }
        }
    }
}

impl Provider<Writer> {
    async fn write_facet(
        &self,
        operation: &Operation,
        facet: &str,
        before: &Value,
        value: &Value,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (writer, names, settings) = (&self.client, self.names(), &self.settings);
        match &operation.address {
            address if *address == ACCOUNT => account::write(writer, &names, facet, value).await,
            address if *address == CONTAINER => container::write(writer, &names, facet).await,
            address if *address == CORS => cors::write(writer, &names, before, value).await,
            address if *address == EVENTS => {
                if !value.is_null() && self.registered.get() != Some(&true) {
                    events::registered(writer, &names).await?;
                }
                events::write(writer, &names, before, value, watch).await
            }
            address if *address == ACCESS => {
                access::write(writer, settings, &names, &self.principals(), before, value).await
            }
            _ => Err(unknown_facet(facet)),
        }
    }

    /// What this run made, and what is in it, is not found everywhere at once
    /// (<https://github.com/hashicorp/terraform-provider-azurerm/issues/15609>).
    fn not_seen_yet(&self, error: Error) -> Error {
        let made = self.created.load(Ordering::Relaxed);
        if made && error.kind() == ErrorKind::NotFound && error.retry_class().settling().is_none() {
            return error.retry(ACCOUNT_NOT_READY);
        }
        error
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn names() -> Names {
        Names {
            subscription: "/subscriptions/s".to_owned(),
            group: "g".to_owned(),
            account: "acme".to_owned(),
            container: "files".to_owned(),
            queue: Some("events".to_owned()),
            deployments: vec!["wandb-prod".to_owned()],
            events: "provision-abc".to_owned(),
            ids: vec!["provision-abc".to_owned()],
            shared: false,
        }
    }
}

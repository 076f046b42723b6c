//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use provision_core::deployment::Deployment;
use provision_core::executor::Watch;
use provision_core::mark::{KEYS, Mark, Origin, may_be_written};
use provision_core::operation::{Operation, Verb};
use provision_core::output::{Output, Setting};
use provision_core::provider::{Cloud, Connection, Identity, Observer, Provisioner};
use provision_core::resource::{Carrier, Lane, Observation, Orphan, Refusal, Resource, Turns, Want};
use provision_core::survey::Contents;
use provision_core::{Address, Error, ErrorKind, digest};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::client::{Read, Reader, Tags, Writer};
use crate::config::Settings;
use crate::credential;
use crate::orphan;
use crate::resources::container::Opened;
use crate::resources::{access, account, container, cors, events, queue, resource_group};

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
    /// Tags read beside the other writes of this run, for the last write.
    tags_read: Mutex<BTreeMap<String, Tags>>,
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
        let (opened, tags_read) = (Opened::default(), Mutex::default());
        Self { settings, place, client, identity, registered, opened, tags_read }
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

    /// What most of our resources have in common.
    fn resource(address: Address, kind: &'static str, name: &str, path: &str) -> Resource {
        Resource {
            address,
            kind,
            name: name.to_owned(),
            identity: name.to_owned(),
            path: path.to_owned(),
            carrier: Carrier::Itself,
            adopt: false,
            holds_data: false,
            grants_access: false,
            contained: false,
            needs: Vec::new(),
            deleted_after: Vec::new(),
            lane: Some(ACCOUNT_LANE),
        }
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
                lane: None,
                ..Self::resource(GROUP, "resource group", &names.group, "azure.resource_group")
            });
        }
        if azure.account.create {
            resources.push(Resource {
                identity: identity_of(&names.account_id()),
                needs: vec![GROUP],
                deleted_after: vec![CONTAINER, CORS, QUEUE, EVENTS, ACCESS],
                ..Self::resource(ACCOUNT, "storage account", &names.account, "azure.account")
            });
        }
        resources.push(Resource {
            identity: identity_of(&names.container_id(&names.container)),
            adopt: azure.container.adopt,
            holds_data: true,
            needs: vec![ACCOUNT],
            // On a shared account our CORS rule is known by the digest on the container alone.
            deleted_after: if names.shared { vec![CORS] } else { Vec::new() },
            lane: Some(CONTENT_LANE),
            ..Self::resource(CONTAINER, "container", &names.container, "azure.container")
        });
        resources.push(Resource {
            carrier: Carrier::Of(if names.shared { CONTAINER } else { ACCOUNT }),
            contained: !names.shared,
            needs: vec![if names.shared { CONTAINER } else { ACCOUNT }],
            ..Self::resource(CORS, "CORS rule", &names.account, "azure.cors")
        });
        if let Some(queue) = &names.queue {
            resources.push(Resource {
                identity: identity_of(&names.queue_id(queue)),
                adopt: azure.queue.adopt,
                needs: vec![ACCOUNT],
                deleted_after: vec![CONTAINER, EVENTS, ACCESS],
                lane: Some(CONTENT_LANE),
                ..Self::resource(QUEUE, "queue", queue, "azure.queue")
            });
        }
        resources.push(Resource {
            carrier: Carrier::Of(CONTAINER),
            needs: vec![CONTAINER, QUEUE],
            deleted_after: vec![CONTAINER],
            ..Self::resource(EVENTS, "event subscription", &names.events, "azure.events")
        });
        if let Some(access) = &azure.access {
            resources.push(Resource {
                carrier: Carrier::Of(CONTAINER),
                grants_access: true,
                needs: vec![ACCOUNT, CONTAINER, QUEUE],
                deleted_after: vec![CONTAINER],
                lane: None,
                ..Self::resource(ACCESS, "role assignments", &access.principal_id, "azure.access")
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
            address if *address == ACCESS => access::want(settings),
            _ => Vec::new(),
        }
    }

    fn is_entry(&self, address: &Address, _facet: &str) -> bool {
        [CORS, EVENTS, ACCESS].contains(address)
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
        let unregistered = self.registered.get() == Some(&false);
        let text = format!(
            "{EVENT_GRID} is not registered in this subscription: apply registers it, which takes minutes and needs \
             `{EVENT_GRID}/register/action`"
        );
        unregistered.then_some(text).into_iter().collect()
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
            address if *address == CORS => cors::observe(reader, settings, &names).await,
            address if *address == QUEUE => queue::observe(reader, &names).await,
            address if *address == EVENTS => {
                let (observed, ()) =
                    futures::join!(events::observe(reader, settings, &names), self.look_at_registration());
                observed
            }
            _ => access::observe(reader, settings, &names).await,
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        orphan::marked(self.client.reader(), &self.names(), deployments).await
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

/// Metadata takes identifiers as names (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#metadata-names>):
/// the mark's keys lose their `-` there.
fn metadata_key(key: &str) -> String {
    key.replace('-', "")
}

/// The metadata of a container or queue, the mark's under the tags' names.
pub(crate) fn metadata(found: &Value) -> Tags {
    let members = found.pointer("/properties/metadata").and_then(Value::as_object).into_iter().flatten();
    let tag = |(key, value): (&String, &Value)| {
        // The service may answer in another case than was written.
        let known = KEYS.into_iter().find(|known| metadata_key(known).eq_ignore_ascii_case(key));
        (known.map_or_else(|| key.clone(), str::to_owned), value.as_str().unwrap_or_default().to_owned())
    };
    members.map(tag).collect()
}

/// Tags as metadata.
pub(crate) fn to_metadata(tags: &Tags) -> Map<String, Value> {
    let key = |key: &String| if KEYS.contains(&key.as_str()) { metadata_key(key) } else { key.clone() };
    tags.iter().map(|(name, value)| (key(name), Value::from(value.as_str()))).collect()
}

/// The tags of a group or account.
pub(crate) fn tags(found: &Value) -> Tags {
    let members = found["tags"].as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Tags that are not the mark's.
pub(crate) fn others_tags(tags: &Tags) -> Tags {
    let others = tags.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Something of this name that was not there a moment ago, and is not ours.
pub(crate) fn appeared(kind: &str, name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("{kind} `{name}` was made by somebody else in the meantime"));
    error.hint("run `provision azure plan` to see whose it is")
}

/// A facet that no version of ours ever had.
pub(crate) fn unknown_facet(facet: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("facet `{facet}` is unknown: this is a bug in provision"))
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn execute(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        // An event subscription is looked for before its turn.
        let _turn = if operation.address == EVENTS { None } else { watch.turn().await };
        match &operation.verb {
            Verb::Create { mark, facets } => self.create(operation, facets, mark).await,
            Verb::Adopt { mark } => {
                let mut found = self.read_tags(operation).await?;
                found.extend(mark.to_tags());
                self.put_tags(operation, &found).await
            }
            Verb::Write { facet, value, fresh } => self.write(operation, facet, value, *fresh, watch).await,
            Verb::ReadMark => {
                let tags = self.read_tags(operation).await?;
                self.kept().insert(operation.address.to_string(), tags);
                Ok(())
            }
            Verb::Record { before, mark } => self.record(operation, before.as_ref(), mark).await,
            Verb::Empty => {
                let (names, opened) = (self.names(), &self.opened);
                container::empty(&self.client, &self.settings, &names, &operation.name, opened, watch).await
            }
            Verb::Delete => self.delete(operation, watch).await,
            Verb::Unmark => {
                let found = self.read_tags(operation).await?;
                self.put_tags(operation, &others_tags(&found)).await
            }
        }
    }
}

impl Provider<Writer> {
    async fn create(&self, operation: &Operation, facets: &Map<String, Value>, mark: &Mark) -> Result<(), Error> {
        let (writer, names, name) = (&self.client, self.names(), operation.name.as_str());
        match &operation.address {
            address if *address == GROUP => resource_group::create(writer, &names, facets, mark).await,
            address if *address == ACCOUNT => account::create(writer, &self.settings, &names, facets, mark).await,
            address if *address == CONTAINER => container::create(writer, &names, name, mark).await,
            address if *address == QUEUE => queue::create(writer, &names, name, mark).await,
            _ => Ok(()),
        }
    }

    async fn write(
        &self,
        operation: &Operation,
        facet: &str,
        value: &Value,
        fresh: bool,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (writer, names, settings) = (&self.client, self.names(), &self.settings);
        match &operation.address {
            address if *address == GROUP => resource_group::write(writer, &names, facet, value).await,
            address if *address == ACCOUNT => account::write(writer, &names, facet, value).await,
            address if *address == CONTAINER => container::write(writer, &names, facet).await,
            address if *address == CORS => cors::write(writer, settings, &names, value, fresh).await,
            address if *address == EVENTS => {
                if !value.is_null() && self.registered.get() != Some(&true) {
                    events::registered(writer, &names).await?;
                }
                events::write(writer, settings, &names, value, watch).await
            }
            address if *address == ACCESS => access::write(writer, settings, &names, value).await,
            _ => Err(unknown_facet(facet)),
        }
    }

    async fn delete(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let (writer, planned) = (&self.client, self.names());
        let (names, name) = planned.located(&operation.address, &operation.name);
        match &operation.address {
            address if *address == GROUP => resource_group::delete(writer, &names).await,
            address if *address == ACCOUNT && names.account_id() != planned.account_id() => {
                orphan::delete_account(writer, &self.settings, &names, watch).await
            }
            address if *address == ACCOUNT => account::delete(writer, &names).await,
            address if *address == CONTAINER => {
                container::delete(writer, &self.settings, &names, name, &self.opened).await
            }
            address if *address == QUEUE => writer.delete_queue(&names.queue_id(name)).await,
            _ => Ok(()),
        }
    }

    /// Write the mark; stops if somebody else's hand is on it.
    async fn record(&self, operation: &Operation, before: Option<&Mark>, mark: &Mark) -> Result<(), Error> {
        let read = self.kept().remove(operation.address.as_str());
        let mut found = match read {
            Some(found) => found,
            None => self.read_tags(operation).await?,
        };
        may_be_written(
            "azure",
            &format!("{} `{}`", operation.kind, operation.name),
            Mark::from_tags(&found).as_ref(),
            before,
            mark,
        )?;
        found.extend(mark.to_tags());
        self.put_tags(operation, &found).await
    }

    /// The tags or metadata of what carries a mark.
    async fn read_tags(&self, operation: &Operation) -> Result<Tags, Error> {
        let (reader, (names, name)) = (self.client.reader(), self.names().located(&operation.address, &operation.name));
        let found = match &operation.address {
            address if *address == GROUP => reader.get_group(&names.group_id()).await?.map(|found| tags(&found)),
            address if *address == ACCOUNT => reader.get_account(&names.account_id()).await?.map(|found| tags(&found)),
            address if *address == CONTAINER => {
                reader.get_container(&names.container_id(name)).await?.map(|found| metadata(&found))
            }
            _ => reader.get_queue(&names.queue_id(name)).await?.map(|found| metadata(&found)),
        };
        found.ok_or_else(|| gone(operation))
    }

    /// All tags at once: each of these calls replaces them.
    async fn put_tags(&self, operation: &Operation, tags: &Tags) -> Result<(), Error> {
        let (writer, (names, name)) = (&self.client, self.names().located(&operation.address, &operation.name));
        let metadata = || json!({"properties": {"metadata": to_metadata(tags)}});
        match &operation.address {
            address if *address == GROUP => writer.patch_group(&names.group_id(), &json!({"tags": tags})).await,
            address if *address == ACCOUNT => writer.patch_account(&names.account_id(), &json!({"tags": tags})).await,
            address if *address == CONTAINER => writer.patch_container(&names.container_id(name), &metadata()).await,
            _ => writer.patch_queue(&names.queue_id(name), &metadata()).await,
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Tags>> {
        self.tags_read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that was there when the change set was made.
fn gone(operation: &Operation) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("{} `{}` is gone", operation.kind, operation.name));
    error.hint("somebody deleted it during this run: run the same command again")
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

    #[test]
    fn mark_survives_metadata() {
        let mark = Mark::unfinished("wandb-prod", Origin::Created, "/subscriptions/s");
        let mut tags = mark.to_tags();
        tags.insert("theirs".to_owned(), "x".to_owned());
        let written = to_metadata(&tags);
        assert!(written.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{written:?}");
        assert_eq!(written["provisiondeployment"], "wandb-prod");
        let answered: Map<String, Value> =
            written.into_iter().map(|(key, value)| (key.to_ascii_uppercase(), value)).collect();
        let read = metadata(&json!({"properties": {"metadata": answered}}));
        assert_eq!(Mark::from_tags(&read), Some(mark));
        assert_eq!(others_tags(&read).len(), 1);
    }
}

//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::contents::Contents;
use provision_core::context::Watch;
use provision_core::deployment::Deployment;
use provision_core::emptying::Emptying;
use provision_core::facet::Want;
use provision_core::identity::Identity;
use provision_core::mark::{DEPLOYMENT_KEY, Mark, Origin, TagChanges, Tags};
use provision_core::operation::Operation;
use provision_core::output::Output;
use provision_core::provider::{Cloud, Connection, Created, Observer, Provisioner};
use provision_core::refusal::Refusal;
use provision_core::resource::{Carrier, Lane, Observation, OnRecord, Orphan, Resource, Turns};
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, OnceCell};

use crate::claims::Claims;
use crate::client::{Read, Reader, Version, Writer, bucket_name, labels_of, short};
use crate::config::Settings;
use crate::credential;
use crate::error::lacks_permission;
use crate::resources::{access, bucket, notification, subscription, topic};

const BUCKET: Address = Address::new("gcp.bucket");
const TOPIC: Address = Address::new("gcp.topic");
const SUBSCRIPTION: Address = Address::new("gcp.subscription");
const NOTIFICATION: Address = Address::new("gcp.notification");
const ACCESS: Address = Address::new("gcp.access");

/// The most labels of a resource (<https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>,
/// <https://cloud.google.com/pubsub/docs/create-topic-subscription-labels>).
const MOST_LABELS: usize = 64;

/// Writes to one bucket take turns: its settings, its policy and its notifications share one metageneration, which each moves under
/// the others (<https://cloud.google.com/storage/docs/metadata#generation-number>).
const BUCKET_LANE: Lane = Lane { name: "bucket", turns: Turns::Always };

/// Writes to one subscription take turns: one that lost its topic is made again first.
const SUBSCRIPTION_LANE: Lane = Lane { name: "subscription", turns: Turns::Always };

/// Where calls go, and as whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// The identity of the credentials, as far as they say it.
    pub principal: String,
    /// Endpoints that are not Google's own, `NAME=value`.
    pub endpoints: Vec<String>,
}

/// One plan file's settings on one set of clients. With a [`crate::client::Reader`] it can only observe.
#[derive(Debug)]
pub struct Provider<C> {
    settings: Settings,
    place: Place,
    client: C,
    /// The project's number.
    number: OnceCell<Result<String, Error>>,
    /// The service agent that publishes for the project's buckets.
    agent: OnceCell<Result<String, Error>>,
    /// Whom access was given to before, and who else relies on it.
    claims: Claims,
    /// The subscription while it is made again.
    held: Mutex<Option<subscription::Held>>,
}

/// Every name, known from the plan file alone but for the service agent.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) project: String,
    pub(crate) bucket: String,
    pub(crate) topic: Option<String>,
    pub(crate) subscription: Option<String>,
    pub(crate) agent: Option<String>,
}

impl Names {
    pub(crate) fn bucket_identity(&self) -> String {
        bucket_identity(&self.bucket)
    }

    pub(crate) fn topic_name(&self, topic: &str) -> String {
        format!("projects/{}/topics/{topic}", self.project)
    }

    pub(crate) fn topic_identity(&self, topic: &str) -> String {
        topic::identity(&self.topic_name(topic))
    }

    pub(crate) fn subscription_name(&self, subscription: &str) -> String {
        format!("projects/{}/subscriptions/{subscription}", self.project)
    }

    pub(crate) fn subscription_identity(&self, subscription: &str) -> String {
        topic::identity(&self.subscription_name(subscription))
    }
}

/// The full name in which marks and orphans know a bucket
/// (<https://cloud.google.com/asset-inventory/docs/asset-names>).
pub(crate) fn bucket_identity(bucket: &str) -> String {
    format!("//storage.googleapis.com/{}", bucket_name(bucket))
}

#[async_trait]
impl Cloud for Settings {
    fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn data_name(&self) -> &str {
        &self.gcp.bucket.name
    }

    fn protect(&self) -> bool {
        self.gcp.bucket.protect
    }

    fn to_json(&self) -> Value {
        json!(self)
    }

    fn given(&self) -> BTreeMap<&'static str, String> {
        let account = self.service_account().map(|account| ("service_account", account.to_owned()));
        std::iter::once(("project", self.gcp.project.clone())).chain(account).collect()
    }

    async fn observer(&self, connection: &Connection) -> Result<Box<dyn Observer>, Error> {
        let (clients, place) = credential::connect(connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Reader::new(clients))))
    }

    async fn provisioner(&self, connection: &Connection) -> Result<Box<dyn Provisioner>, Error> {
        let (clients, place) = credential::connect(connection).await?;
        Ok(Box::new(Provider::new(self.clone(), place, Writer::new(clients))))
    }

    async fn outputs(&self, _connection: &Connection) -> Result<Vec<Output>, Error> {
        Ok(outputs(self))
    }
}

/// The settings for the server, from the plan file alone. The queue has one slash and short names: what the server reads
/// (<https://docs.wandb.ai/platform/hosting/self-managed/gcp-tf>).
fn outputs(settings: &Settings) -> Vec<Output> {
    let gcp = &settings.gcp;
    let queue = match gcp.topic.enabled {
        true => format!("pubsub:/{}/{}/{}", gcp.project, settings.topic_name(), settings.subscription_name()),
        false => "internal://".to_owned(),
    };
    vec![
        Output::new("HOST", &settings.deployment.host),
        Output::new("BUCKET", format!("gs://{}", gcp.bucket.name)),
        Output::new("BUCKET_QUEUE", queue),
    ]
}

impl<C> Provider<C> {
    fn names(&self) -> Names {
        let gcp = &self.settings.gcp;
        Names {
            project: gcp.project.clone(),
            bucket: gcp.bucket.name.clone(),
            topic: gcp.topic.enabled.then(|| self.settings.topic_name()),
            subscription: gcp.topic.enabled.then(|| self.settings.subscription_name()),
            agent: self.agent.get().and_then(|agent| agent.as_ref().ok()).cloned(),
        }
    }
}

impl<C: Read> Provider<C> {
    /// A provider of these settings.
    #[must_use]
    pub fn new(settings: Settings, place: Place, client: C) -> Self {
        let deployment = &settings.deployment;
        let deployments = std::iter::once(deployment.name.clone()).chain(deployment.was.clone()).collect();
        let claims = Claims::new(&settings.gcp.project, deployments);
        let (number, agent) = (OnceCell::new(), OnceCell::new());
        Self { settings, place, client, number, agent, claims, held: Mutex::default() }
    }

    async fn number(&self) -> Result<String, Error> {
        let look = || async {
            let found = self.client.reader().get_project(&self.settings.gcp.project).await;
            found
                .inspect(|number| self.claims.set_number(number))
                .map_err(|error| wrong_project(error, &self.place.principal))
        };
        self.number.get_or_init(look).await.clone()
    }

    async fn agent(&self) -> Result<String, Error> {
        let look = || self.client.reader().get_service_agent(&self.settings.gcp.project);
        self.agent.get_or_init(look).await.clone()
    }

    fn bucket_resource(&self) -> Resource {
        let (names, bucket) = (self.names(), &self.settings.gcp.bucket);
        Resource {
            identity: names.bucket_identity(),
            adopt: bucket.adopt,
            holds_data: true,
            // Where no other mark is left that has the grants on record, they go before the bucket.
            deleted_after: if names.topic.is_some() { Vec::new() } else { vec![ACCESS] },
            most_tags: MOST_LABELS,
            lane: Some(BUCKET_LANE),
            ..Resource::new(BUCKET, "bucket", &names.bucket, &bucket::FACETS)
        }
    }

    fn queue_resources(&self) -> Vec<Resource> {
        let (names, gcp) = (self.names(), &self.settings.gcp);
        let (Some(topic), Some(subscription)) = (&names.topic, &names.subscription) else { return Vec::new() };
        // The last mark goes after what is on record in every mark.
        let deleted_after = vec![BUCKET, NOTIFICATION, ACCESS];
        vec![
            Resource {
                identity: names.topic_identity(topic),
                adopt: gcp.topic.adopt,
                deleted_after: deleted_after.clone(),
                most_tags: MOST_LABELS,
                ..Resource::new(TOPIC, "topic", topic, &topic::FACETS)
            },
            Resource {
                identity: names.subscription_identity(subscription),
                adopt: gcp.subscription.adopt,
                needs: vec![TOPIC],
                deleted_after,
                most_tags: MOST_LABELS,
                lane: Some(SUBSCRIPTION_LANE),
                ..Resource::new(SUBSCRIPTION, "subscription", subscription, &subscription::FACETS)
            },
        ]
    }

    fn notification_resource(&self) -> Resource {
        Resource {
            path: "gcp.topic".to_owned(),
            carrier: Carrier::Of(BUCKET),
            contained: true,
            needs: vec![BUCKET, TOPIC],
            lane: Some(BUCKET_LANE),
            ..Resource::new(NOTIFICATION, "notification", &self.settings.gcp.bucket.name, &notification::FACETS)
        }
    }

    /// The access of the account that the plan file names, or else of the one that it named before.
    fn access_resource(&self) -> Option<Resource> {
        let look = self.claims.look(self.settings.service_account());
        let email = look.server.or_else(|| look.former.first().cloned())?;
        Some(Resource {
            carrier: Carrier::Of(BUCKET),
            on_record: OnRecord::EveryMark,
            reference: Some(email.clone()),
            grants_access: true,
            needs: vec![BUCKET],
            deleted_after: if self.settings.gcp.topic.enabled { vec![BUCKET] } else { Vec::new() },
            lane: Some(BUCKET_LANE),
            ..Resource::new(ACCESS, "service account access", &email, &access::FACETS)
        })
    }

    async fn observe_bucket(&self) -> Result<Observation, Error> {
        let found = bucket::observe(self.client.reader(), &self.settings, &self.names(), self.number()).await?;
        self.claims.set_elsewhere(matches!(found, Observation::TakenElsewhere { .. }));
        Ok(found)
    }

    /// What a list has; without the right to it nothing can be left over that this run knows of, which is told. A destroy must
    /// know.
    fn listed<T>(&self, what: &str, list: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
        match list {
            Err(error) if lacks_permission(&error) && !self.claims.is_removing() => {
                let hint = error.advice().map(|hint| format!(": {hint}")).unwrap_or_default();
                self.claims.note(format!(
                    "{what} of this deployment that the plan file does not name any more were not looked for{hint}"
                ));
                Ok(Vec::new())
            }
            list => list,
        }
    }
}

/// A project that does not exist, and one that may not be seen, are answered alike.
fn wrong_project(error: Error, principal: &str) -> Error {
    if !lacks_permission(&error) && error.kind() != ErrorKind::NotFound {
        return error;
    }
    error.hint(format!(
        "check `project` under [gcp] (`gcloud projects list` shows those that you can see); if it is right, grant \
         `resourcemanager.projects.get` on it to {principal}"
    ))
}

#[async_trait]
impl<C: Read> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "gcp"
    }

    fn resources(&self) -> Vec<Resource> {
        let queue = self.queue_resources();
        let entries = std::iter::once(self.notification_resource()).chain(self.access_resource());
        std::iter::once(self.bucket_resource()).chain(queue).chain(entries).collect()
    }

    fn want(&self, address: &Address, origin: Origin) -> Vec<Want> {
        let (settings, names) = (&self.settings, self.names());
        match address {
            address if *address == BUCKET => bucket::want(settings, origin),
            address if *address == TOPIC => topic::want(settings, &names),
            address if *address == SUBSCRIPTION => subscription::want(settings, &names, origin),
            address if *address == NOTIFICATION => notification::want(&names),
            address if *address == ACCESS => access::want(settings),
            _ => Vec::new(),
        }
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let more = self.claims.recall(self.settings.service_account(), access);
        if more { vec![ACCESS] } else { Vec::new() }
    }

    fn outputs(&self) -> Vec<Output> {
        outputs(&self.settings)
    }

    fn warnings(&self) -> Vec<String> {
        let bucket = &self.settings.gcp.bucket;
        let mut warnings = self.claims.notes();
        if bucket.cors.origins.iter().flatten().any(|origin| origin == "*") {
            warnings.push(format!("pages of every site may use bucket `{}` (`origins = [\"*\"]`)", bucket.name));
        }
        if bucket.soft_delete_days == Some(0) {
            warnings.push(format!(
                "what is deleted from bucket `{}` cannot be restored, and W&B's own check asks for soft deletion \
                 (`soft_delete_days = 0`)",
                bucket.name
            ));
        }
        warnings
    }

    fn handover(&self) -> Option<String> {
        let commands = || {
            let commands = access::commands(&self.names());
            format!("The server's service account needs these roles ([gcp.access] would grant them):\n{commands}")
        };
        self.settings.gcp.access.is_none().then(commands)
    }

    async fn identity(&self) -> Result<Identity, Error> {
        let number = self.number().await?;
        let Place { principal, endpoints } = self.place.clone();
        let account = format!("{} ({number})", self.settings.gcp.project);
        Ok(Identity { account, principal, region: self.settings.gcp.bucket.location(), endpoints })
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let (reader, names) = (self.client.reader(), self.names());
        match address {
            address if *address == BUCKET => self.observe_bucket().await,
            address if *address == TOPIC => {
                let topic = names.topic_name(names.topic.as_deref().unwrap_or_default());
                topic::observe(reader, &topic, self.agent()).await
            }
            address if *address == SUBSCRIPTION => {
                let subscription = names.subscription.clone().unwrap_or_default();
                let shared = self.settings.service_account().is_some();
                subscription::observe(reader, &names, &subscription, shared, &self.claims).await
            }
            address if *address == ACCESS => {
                let look = self.claims.look(self.settings.service_account());
                Ok(access::observe(reader, &names, &look, &self.claims).await)
            }
            _ => notification::observe(reader, &names).await,
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let (reader, project) = (self.client.reader(), self.settings.gcp.project.as_str());
        let (buckets, topics, subscriptions) = futures::join!(
            reader.list_buckets(project),
            reader.list_topics(project),
            reader.list_subscriptions(project)
        );
        let buckets = self.listed("buckets", buckets)?;
        let topics = self.listed("topics", topics)?;
        let subscriptions = self.listed("subscriptions", subscriptions)?;
        let buckets =
            buckets.iter().map(|found| (BUCKET, "bucket", bucket_identity(short(&found.name)), &found.labels));
        let topics = topics.iter().map(|found| (TOPIC, "topic", topic::identity(&found.name), &found.labels));
        let subscriptions = subscriptions
            .iter()
            .map(|found| (SUBSCRIPTION, "subscription", topic::identity(&found.name), &found.labels));
        // A subscription goes before its topic.
        let all = buckets.chain(subscriptions).chain(topics);
        Ok(all
            .filter_map(|(address, kind, identity, labels)| {
                orphan(address, kind, identity, &labels_of(labels), deployments)
            })
            .collect())
    }

    /// A topic or a subscription; buckets are never left behind, since another name for one is refused.
    async fn observe_orphan(&self, orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        let (reader, names) = (self.client.reader(), self.names());
        let (kind, facets, found) = match &orphan.address {
            address if *address == TOPIC => {
                let found = topic::observe(reader, &names.topic_name(&orphan.name), self.agent()).await;
                ("topic", &topic::FACETS[..], found)
            }
            address if *address == SUBSCRIPTION => {
                let found = subscription::observe(reader, &names, &orphan.name, true, &self.claims).await;
                ("subscription", &subscription::FACETS[..], found)
            }
            _ => return None,
        };
        let resource = Resource::new(orphan.address.clone(), kind, &orphan.name, facets);
        Some((Resource { identity: orphan.identity.clone(), ..resource }, found))
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        contents(self.client.reader(), &self.names().bucket).await
    }

    async fn in_the_way(&self, address: &Address) -> Result<Option<Refusal>, Error> {
        self.claims.set_removing();
        let names = self.names();
        match &names.topic {
            Some(topic) if *address == TOPIC => {
                let name = names.topic_name(topic);
                topic::in_the_way(self.client.reader(), &names, &name, &self.claims.deployments()).await
            }
            _ => Ok(None),
        }
    }
}

fn orphan(address: Address, kind: &str, identity: String, labels: &Tags, deployments: &[String]) -> Option<Orphan> {
    labels.get(DEPLOYMENT_KEY).filter(|deployment| deployments.contains(deployment))?;
    let (holds_data, name) = (address == BUCKET, short(&identity).to_owned());
    Some(Orphan { holds_data, ..Orphan::new(address, kind, &name, identity, Mark::from_tags(labels)?) })
}

/// One page: enough to say that it is not empty, and roughly by how much. Unfinished uploads are not counted: they go with
/// the bucket, "the request succeeds if the bucket only contains incomplete uploads, such as ongoing XML API multipart
/// uploads" (<https://cloud.google.com/storage/docs/xml-api/delete-bucket>).
pub(crate) async fn contents(reader: &Reader, bucket: &str) -> Result<Contents, Error> {
    let page = reader.list_versions(bucket, "").await?;
    Ok(page.map_or_else(Contents::default, |page| Contents {
        objects: u64::try_from(page.versions.len()).unwrap_or(u64::MAX),
        uploads: 0,
        more: !page.next.is_empty(),
    }))
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let (reader, names) = (self.client.reader(), self.names());
        match operation.address.part() {
            "bucket" => bucket::tags(reader, &operation.name).await,
            "topic" => topic::tags(reader, &names.topic_name(&operation.name)).await,
            _ => subscription::tags(reader, &names.subscription_name(&operation.name)).await,
        }
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names());
        if operation.address == BUCKET {
            return bucket::update_tags(writer, &operation.name, found, changes).await;
        }
        // Pub/Sub replaces all labels and knows no precondition: what others set since the last look is read once more.
        let now = self.tags(operation).await?.unwrap_or_else(|| found.clone());
        bucket::unmoved(&operation.kind, &operation.name, found, &now, changes)?;
        if operation.address == TOPIC {
            return topic::update_tags(writer, &names.topic_name(&operation.name), &now, changes).await;
        }
        subscription::update_tags(writer, &names.subscription_name(&operation.name), &now, changes).await
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _watch: &Watch<'_>,
    ) -> Result<Created, Error> {
        let (writer, names) = (&self.client, self.names());
        match operation.address.part() {
            "bucket" => bucket::create(writer, &names, tags, facets).await,
            "topic" => topic::create(writer, &names.topic_name(&operation.name), tags).await,
            _ => subscription::create(writer, &names, &operation.name, tags, facets).await,
        }
    }

    async fn write(
        &self,
        operation: &Operation,
        facet: &str,
        before: &Value,
        value: &Value,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (writer, names, fresh) = (&self.client, self.names(), watch.just_created());
        let _turn = if needs_turn(&operation.address, facet, fresh) { watch.turn().await } else { None };
        match operation.address.part() {
            "bucket" => bucket::write(writer, &names, facet, before, value).await,
            "topic" => topic::write(writer, &names.topic_name(&operation.name), facet, before, value, fresh).await,
            "subscription" => {
                let name = names.subscription_name(&operation.name);
                match facet {
                    "topic" => self.attach_again(&name, value).await,
                    _ => subscription::write(writer, &name, facet, before, value, fresh).await,
                }
            }
            "notification" => notification::write(writer, &names, before, value, fresh).await,
            _ => access::write(writer, &names, facet, before, value, &self.claims).await,
        }
    }

    async fn empty(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        empty(&self.client, &operation.name, watch).await
    }

    async fn delete(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names());
        match operation.address.part() {
            "bucket" => bucket::delete(writer, &operation.name, watch).await,
            "topic" => {
                let name = names.topic_name(&operation.name);
                topic::delete(writer, &names, &name, &self.claims.deployments(), watch).await
            }
            _ => {
                watch.still_ours().await?;
                writer.delete_subscription(&names.subscription_name(&operation.name)).await
            }
        }
    }
}

impl Provider<Writer> {
    async fn attach_again(&self, name: &str, topic: &Value) -> Result<(), Error> {
        let mut held = self.held.lock().await;
        subscription::attach_again(&self.client, name, topic.as_str().unwrap_or_default(), &mut held).await
    }
}

/// What is written under a precondition, or moves that of others. An account's policy is no part of the bucket, and in what this
/// run made there is nobody else.
fn needs_turn(address: &Address, facet: &str, fresh: bool) -> bool {
    let of_account = *address == ACCESS && facet == access::ON_ACCOUNT.name;
    !of_account && (!fresh || *address == ACCESS)
}

/// Delete every generation, until a look finds nothing: somebody may still be writing. Unfinished uploads need no look of
/// their own, see [`contents`].
async fn empty(writer: &Writer, bucket: &str, watch: &Watch<'_>) -> Result<(), Error> {
    let mut emptying = Emptying::new(watch, "objects and versions");
    loop {
        let delete = |versions| delete_page(writer, bucket, versions);
        let found = emptying.pages(versions(writer.reader(), bucket), delete).await?;
        emptying.go_on(&format!("bucket `{bucket}`"))?;
        if found == 0 {
            return Ok(());
        }
    }
}

/// Pages of generations.
fn versions(reader: &Reader, bucket: &str) -> impl Stream<Item = Result<Vec<Version>, Error>> {
    stream::try_unfold(Some(String::new()), move |from| async move {
        let Some(from) = from else { return Ok(None) };
        let Some(page) = reader.list_versions(bucket, &from).await? else { return Ok(None) };
        Ok(Some((page.versions, Some(page.next).filter(|next| !next.is_empty()))))
    })
}

/// Objects of one page that are deleted at the same time: there is no call for several, and one connection carries many.
const DELETES_AT_ONCE: usize = 16;

async fn delete_page(writer: &Writer, bucket: &str, versions: Vec<Version>) -> Result<u64, Error> {
    let count = versions.len();
    let delete = |version: Version| async move { writer.delete_version(bucket, &version).await };
    let deleted = stream::iter(versions).map(delete).buffer_unordered(DELETES_AT_ONCE).try_collect::<()>().await;
    deleted.map_err(held)?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// <https://cloud.google.com/storage/docs/object-holds>, <https://cloud.google.com/storage/docs/bucket-lock>
fn held(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::PermissionDenied => error.hint(
            "a hold, a retention policy or a missing `storage.objects.delete` keeps it: change that, then run the same \
             command again",
        ),
        _ => error,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provision_core::plan_file::PlanFile;

    fn settings_of(text: &str) -> Settings {
        let file = PlanFile::parse("x", text.to_owned(), &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        problems.finish().unwrap();
        settings.unwrap()
    }

    /// The least a deployment needs.
    pub(crate) fn settings() -> Settings {
        settings_of(
            "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n[gcp]\nproject = \"acme-ml\"\n\
             [gcp.bucket]\nname = \"acme-wandb\"",
        )
    }

    /// Every setting, none at its default.
    pub(crate) fn full_settings() -> Settings {
        settings_of(include_str!("../../../plans/gcp-full.toml"))
    }

    /// The names of [`settings`], with a service agent.
    pub(crate) fn names() -> Names {
        Names {
            project: "acme-ml".to_owned(),
            bucket: "acme-wandb".to_owned(),
            topic: Some("acme-wandb-events".to_owned()),
            subscription: Some("acme-wandb-events".to_owned()),
            agent: Some("service-42@gs-project-accounts.iam.gserviceaccount.com".to_owned()),
        }
    }

    #[test]
    fn outputs_are_what_the_server_reads() {
        let text = |settings: &Settings| -> Vec<_> {
            outputs(settings)
                .into_iter()
                .map(|output| format!("{}={}", output.name, output.known().unwrap_or_default()))
                .collect()
        };
        let expected = [
            "HOST=https://wandb.example.com",
            "BUCKET=gs://acme-wandb",
            "BUCKET_QUEUE=pubsub:/acme-ml/acme-wandb-events/acme-wandb-events",
        ];
        assert_eq!(text(&settings()), expected);
        let mut internal = settings();
        internal.gcp.topic.enabled = false;
        assert_eq!(text(&internal)[2], "BUCKET_QUEUE=internal://");
    }

    #[test]
    fn keys_of_facets_are_unique_in_the_ledger_that_has_them() {
        let on_bucket = [&bucket::FACETS[..], &notification::FACETS[..]].concat();
        let ledgers = [on_bucket, topic::FACETS.to_vec(), subscription::FACETS.to_vec(), access::FACETS.to_vec()];
        for facets in ledgers {
            let mut keys: Vec<_> = facets.iter().map(|facet| facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), facets.len());
        }
    }

    #[test]
    fn every_facet_wanted_is_one_that_its_kind_can_have() {
        let (settings, names) = (full_settings(), names());
        let of = |facets: &[&'static provision_core::facet::Facet], wants: Vec<Want>| {
            assert!(wants.iter().all(|want| facets.contains(&want.facet)));
        };
        of(&bucket::FACETS, bucket::want(&settings, Origin::Created));
        of(&topic::FACETS, topic::want(&settings, &names));
        of(&subscription::FACETS, subscription::want(&settings, &names, Origin::Created));
        of(&notification::FACETS, notification::want(&names));
        of(&access::FACETS, access::want(&settings));
    }

    #[test]
    fn orphans_are_known_by_their_label_alone() {
        let mark = Mark::unfinished("ab", Origin::Created, "//pubsub.googleapis.com/projects/p/topics/t");
        let of = |deployments: &[&str]| {
            let deployments: Vec<_> = deployments.iter().map(|name| (*name).to_owned()).collect();
            let identity = "//pubsub.googleapis.com/projects/p/topics/t".to_owned();
            orphan(TOPIC, "topic", identity, &mark.to_tags(), &deployments)
        };
        assert_eq!(of(&["ab", "old"]).map(|orphan| orphan.name), Some("t".to_owned()));
        assert!(of(&["a"]).is_none());
    }
}

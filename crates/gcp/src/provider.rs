//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::deployment::Deployment;
use provision_core::emptying::Emptying;
use provision_core::executor::Watch;
use provision_core::mark::{DEPLOYMENT_KEY, Mark, Origin};
use provision_core::operation::{Operation, Verb};
use provision_core::output::Output;
use provision_core::provider::{Cloud, Connection, Identity, Observer, Provisioner};
use provision_core::resource::{Carrier, Lane, Observation, Orphan, Resource, Turns, Want};
use provision_core::survey::Contents;
use provision_core::{Address, Error, ErrorKind};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Labels, Read, Reader, Version, Writer, bucket_name, labels_of, short};
use crate::config::Settings;
use crate::credential;
use crate::error::lacks_permission;
use crate::resources::{access, bucket, notification, subscription, topic};

const BUCKET: Address = Address::new("gcp.bucket");
const TOPIC: Address = Address::new("gcp.topic");
const SUBSCRIPTION: Address = Address::new("gcp.subscription");
const NOTIFICATION: Address = Address::new("gcp.notification");
const ACCESS: Address = Address::new("gcp.access");

/// Writes to one bucket share a lane: each moves the metageneration under the others.
const BUCKET_LANE: Lane = Lane { name: "bucket", turns: Turns::AfterConflict };

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
    /// Labels read beside the other writes of this run, for the last write.
    labels_read: Mutex<BTreeMap<String, Labels>>,
    /// Settings of the bucket are changed under its metageneration, and so one at a time.
    bucket_turn: tokio::sync::Mutex<()>,
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
    /// The full name in which mark and orphans know a bucket
    /// (<https://cloud.google.com/asset-inventory/docs/asset-names>).
    pub(crate) fn bucket_identity(&self) -> String {
        format!("//storage.googleapis.com/{}", bucket_name(&self.bucket))
    }

    pub(crate) fn topic_name(&self, topic: &str) -> String {
        format!("projects/{}/topics/{topic}", self.project)
    }

    pub(crate) fn topic_identity(&self, topic: &str) -> String {
        format!("//pubsub.googleapis.com/{}", self.topic_name(topic))
    }

    pub(crate) fn subscription_name(&self, subscription: &str) -> String {
        format!("projects/{}/subscriptions/{subscription}", self.project)
    }

    pub(crate) fn subscription_identity(&self, subscription: &str) -> String {
        format!("//pubsub.googleapis.com/{}", self.subscription_name(subscription))
    }

    /// The same deployment's names, for a bucket that the plan file no longer names.
    fn of(&self, bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), ..self.clone() }
    }
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
        Self {
            settings,
            place,
            client,
            number: OnceCell::new(),
            agent: OnceCell::new(),
            labels_read: Mutex::default(),
            bucket_turn: tokio::sync::Mutex::default(),
        }
    }

    async fn number(&self) -> Result<String, Error> {
        let look = || async {
            let found = self.client.reader().get_project(&self.settings.gcp.project).await;
            found.map_err(|error| wrong_project(error, &self.place.principal))
        };
        self.number.get_or_init(look).await.clone()
    }

    async fn agent(&self) -> Result<String, Error> {
        let look = || self.client.reader().get_service_agent(&self.settings.gcp.project);
        self.agent.get_or_init(look).await.clone()
    }

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
            lane: None,
        }
    }

    fn queue_resources(&self) -> Vec<Resource> {
        let (names, gcp) = (self.names(), &self.settings.gcp);
        let (Some(topic), Some(subscription)) = (&names.topic, &names.subscription) else { return Vec::new() };
        let deleted_after = vec![BUCKET, NOTIFICATION];
        vec![
            Resource {
                identity: names.topic_identity(topic),
                adopt: gcp.topic.adopt,
                deleted_after: deleted_after.clone(),
                ..Self::resource(TOPIC, "topic", topic, "gcp.topic")
            },
            Resource {
                identity: names.subscription_identity(subscription),
                adopt: gcp.subscription.adopt,
                needs: vec![TOPIC],
                deleted_after,
                ..Self::resource(SUBSCRIPTION, "subscription", subscription, "gcp.subscription")
            },
        ]
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
        let (names, gcp) = (self.names(), &self.settings.gcp);
        let mut resources = vec![Resource {
            identity: names.bucket_identity(),
            adopt: gcp.bucket.adopt,
            holds_data: true,
            // Its mark tells which grants are ours.
            deleted_after: vec![ACCESS],
            lane: Some(BUCKET_LANE),
            ..Self::resource(BUCKET, "bucket", &names.bucket, "gcp.bucket")
        }];
        resources.extend(self.queue_resources());
        resources.push(Resource {
            carrier: Carrier::Of(BUCKET),
            contained: true,
            needs: vec![BUCKET, TOPIC],
            lane: Some(BUCKET_LANE),
            ..Self::resource(NOTIFICATION, "notification", &names.bucket, "gcp.topic")
        });
        if let Some(account) = self.settings.service_account() {
            resources.push(Resource {
                carrier: Carrier::Of(BUCKET),
                grants_access: true,
                needs: vec![BUCKET],
                ..Self::resource(ACCESS, "service account access", account, "gcp.access")
            });
        }
        resources
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

    fn is_entry(&self, address: &Address, facet: &str) -> bool {
        match address {
            address if *address == BUCKET => bucket::ENTRIES.contains(&facet),
            address if *address == TOPIC => topic::ENTRIES.contains(&facet),
            address if *address == SUBSCRIPTION => subscription::ENTRIES.contains(&facet),
            _ => true,
        }
    }

    fn outputs(&self) -> Vec<Output> {
        outputs(&self.settings)
    }

    fn warnings(&self) -> Vec<String> {
        let bucket = &self.settings.gcp.bucket;
        let mut warnings = Vec::new();
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
            address if *address == BUCKET => bucket::observe(reader, &self.settings, &names, self.number()).await,
            address if *address == TOPIC => {
                let topic = names.topic_name(names.topic.as_deref().unwrap_or_default());
                topic::observe(reader, &topic, self.agent()).await
            }
            address if *address == SUBSCRIPTION => {
                let subscription = names.subscription.clone().unwrap_or_default();
                subscription::observe(reader, &self.settings, &names, &subscription).await
            }
            address if *address == ACCESS => access::observe(reader, &self.settings, &names).await,
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
        let (buckets, topics, subscriptions) = (buckets?, topics?, subscriptions?);
        let buckets = buckets.iter().map(|found| {
            let name = bucket_name(short(&found.name));
            (BUCKET, "bucket", format!("//storage.googleapis.com/{name}"), &found.labels)
        });
        let topics = topics
            .iter()
            .map(|found| (TOPIC, "topic", format!("//pubsub.googleapis.com/{}", found.name), &found.labels));
        let subscriptions = subscriptions.iter().map(|found| {
            (SUBSCRIPTION, "subscription", format!("//pubsub.googleapis.com/{}", found.name), &found.labels)
        });
        let all = buckets.chain(topics).chain(subscriptions);
        Ok(all
            .filter_map(|(address, kind, identity, labels)| {
                orphan(address, kind, identity, &labels_of(labels), deployments)
            })
            .collect())
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        contents(self.client.reader(), &self.names().bucket).await
    }
}

fn orphan(address: Address, kind: &str, identity: String, labels: &Labels, deployments: &[String]) -> Option<Orphan> {
    labels.get(DEPLOYMENT_KEY).filter(|deployment| deployments.contains(deployment))?;
    Some(Orphan {
        holds_data: address == BUCKET,
        address,
        kind: kind.to_owned(),
        name: short(&identity).to_owned(),
        mark: Mark::from_tags(labels)?,
        identity,
    })
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
    async fn execute(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        match operation.address.part() {
            "bucket" => self.bucket(operation, watch).await,
            "topic" => self.topic(operation).await,
            "subscription" => self.subscription(operation).await,
            _ => self.entry(operation).await,
        }
    }
}

impl Provider<Writer> {
    async fn bucket(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names().of(&operation.name));
        match &operation.verb {
            Verb::Create { mark, facets } => bucket::create(writer, &names, facets, mark).await,
            Verb::Adopt { mark } => bucket::merge_labels(writer, &names, &mark.to_tags()).await,
            Verb::Write { facet, value, .. } => {
                let _turn = self.bucket_turn.lock().await;
                bucket::write(writer, &self.settings, &names, facet, value).await
            }
            Verb::ReadMark => {
                let labels = bucket::labels(writer.reader(), &names.bucket).await?;
                self.keep_labels(operation, labels);
                Ok(())
            }
            Verb::Record { before, mark } => {
                bucket::record(writer, &names, self.take_labels(operation), before.as_ref(), mark).await
            }
            Verb::Empty => empty(writer, &names.bucket, watch).await,
            Verb::Delete => bucket::delete(writer, &names.bucket).await,
            Verb::Unmark => bucket::unmark(writer, &names).await,
        }
    }

    async fn topic(&self, operation: &Operation) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names());
        let name = names.topic_name(&operation.name);
        match &operation.verb {
            Verb::Create { mark, facets } => {
                topic::create(writer, &name, &names.topic_identity(&operation.name), facets, mark).await
            }
            Verb::Adopt { mark } => topic::merge_labels(writer, &name, &mark.to_tags()).await,
            Verb::Write { facet, value, fresh } => {
                let agent = self.agent().await?;
                topic::write(writer, &name, &agent, facet, value, *fresh).await
            }
            Verb::ReadMark => {
                let labels = topic::labels(writer.reader(), &name).await?;
                self.keep_labels(operation, labels);
                Ok(())
            }
            Verb::Record { before, mark } => {
                topic::record(writer, &name, self.take_labels(operation), before.as_ref(), mark).await
            }
            Verb::Delete => writer.delete_topic(&name).await,
            Verb::Unmark => topic::unmark(writer, &name, &self.agent().await?).await,
            Verb::Empty => Ok(()),
        }
    }

    async fn subscription(&self, operation: &Operation) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names());
        let name = names.subscription_name(&operation.name);
        match &operation.verb {
            Verb::Create { mark, facets } => subscription::create(writer, &names, &operation.name, facets, mark).await,
            Verb::Adopt { mark } => subscription::merge_labels(writer, &name, &mark.to_tags()).await,
            Verb::Write { facet, value, fresh } => {
                subscription::write(writer, &self.settings, &name, facet, value, *fresh).await
            }
            Verb::ReadMark => {
                let labels = subscription::labels(writer.reader(), &name).await?;
                self.keep_labels(operation, labels);
                Ok(())
            }
            Verb::Record { before, mark } => {
                subscription::record(writer, &name, self.take_labels(operation), before.as_ref(), mark).await
            }
            Verb::Delete => writer.delete_subscription(&name).await,
            Verb::Unmark => subscription::unmark(writer, &self.settings, &name).await,
            Verb::Empty => Ok(()),
        }
    }

    async fn entry(&self, operation: &Operation) -> Result<(), Error> {
        let Verb::Write { facet, value, fresh } = &operation.verb else { return Ok(()) };
        let (writer, names) = (&self.client, self.names());
        if operation.address == NOTIFICATION {
            return notification::write(writer, &names, value, *fresh).await;
        }
        access::write(writer, &self.settings, &names, facet, value).await
    }

    /// A topic and a subscription may have one name: the address tells them apart.
    fn keep_labels(&self, operation: &Operation, labels: Labels) {
        let key = format!("{} {}", operation.address, operation.name);
        self.labels_read.lock().unwrap_or_else(PoisonError::into_inner).insert(key, labels);
    }

    fn take_labels(&self, operation: &Operation) -> Option<Labels> {
        let key = format!("{} {}", operation.address, operation.name);
        self.labels_read.lock().unwrap_or_else(PoisonError::into_inner).remove(&key)
    }
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
        let deployment = file.deployment(&mut problems);
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
    fn keys_of_facets_are_unique_in_the_mark_that_carries_them() {
        let (settings, names) = (full_settings(), names());
        let mut on_bucket = bucket::want(&settings, Origin::Created);
        on_bucket.extend(notification::want(&names));
        on_bucket.extend(access::want(&settings));
        let carried =
            [on_bucket, topic::want(&settings, &names), subscription::want(&settings, &names, Origin::Created)];
        for wants in carried {
            let mut keys: Vec<_> = wants.iter().map(|want| want.facet.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), wants.len());
            assert!(keys.len() <= 10, "a label holds ten digests");
        }
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

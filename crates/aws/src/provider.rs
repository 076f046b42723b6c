//! The two traits of the core, each method a few lines that lead to a resource.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::types::ObjectIdentifier;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::deployment::Deployment;
use provision_core::emptying::Emptying;
use provision_core::executor::Watch;
use provision_core::mark::{DEPLOYMENT_KEY, Mark, Origin, Recorded};
use provision_core::operation::{Operation, Verb};
use provision_core::output::Output;
use provision_core::provider::{Cloud, Connection, Identity, Observer, Provisioner};
use provision_core::resource::{Carrier, Lane, Observation, Orphan, Resource, Turns, Want};
use provision_core::survey::Contents;
use provision_core::{Address, Error, ErrorKind, RetryClass, assess, digest};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Read, Reader, Tags, Writer};
use crate::config::{Encryption, Grant, Senders, Settings};
use crate::credential;
use crate::resources::{access, bucket, notification, queue};

const BUCKET: Address = Address::new("aws.bucket");
const QUEUE: Address = Address::new("aws.queue");
const NOTIFICATION: Address = Address::new("aws.notification");
const RUN_QUEUE: Address = Address::new("aws.run_queue");
const ACCESS: Address = Address::new("aws.access");

/// Writes to one bucket share a lane: S3 may answer `OperationAborted` to two at once.
const BUCKET_LANE: Lane = Lane { name: "bucket", turns: Turns::AfterConflict };

/// Where a region's calls go.
#[derive(Clone, Debug)]
pub struct Place {
    /// The region.
    pub region: String,
    /// Endpoints that are not AWS's own, `NAME=value`.
    pub endpoints: Vec<String>,
}

/// One plan file's settings on one set of clients. With a [`crate::client::Reader`] it can only observe.
#[derive(Debug)]
pub struct Provider<C> {
    settings: Settings,
    place: Place,
    client: C,
    identity: OnceCell<Result<Identity, Error>>,
    /// Tags read beside the other writes of this run, for the last write.
    tags_read: Mutex<BTreeMap<String, Tags>>,
}

/// Every name and ARN, known as soon as the account is.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) endpoint_overridden: bool,
    pub(crate) bucket: String,
    pub(crate) queue: Option<String>,
    /// Our identity among entries of others, the current one first: notification id, CORS rule id, inline policy.
    pub(crate) ids: Vec<String>,
    /// The same for statements of policies, which take letters and digits only.
    pub(crate) sids: Vec<String>,
}

impl Names {
    fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    pub(crate) fn bucket_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition(), self.bucket)
    }

    pub(crate) fn queue_arn(&self, queue: &str) -> String {
        format!("arn:{}:sqs:{}:{}:{queue}", self.partition(), self.region, self.account)
    }

    /// The same deployment's names, for a bucket or queue that the plan file no longer names.
    fn of(&self, name: &str) -> Self {
        Self { bucket: name.to_owned(), ..self.clone() }
    }
}

/// The hash of a deployment's name: of fixed length, so that `a` and `a-b` never match each other's entries.
fn entry_digest(deployment: &str) -> String {
    digest::short(deployment, 12)
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
        Ok(outputs(self, &credential::region(self.aws.region.as_deref(), connection).await?))
    }
}

/// The settings for the server, from the plan file and the region alone.
fn outputs(settings: &Settings, region: &str) -> Vec<Output> {
    let aws = &settings.aws;
    let queue = if aws.queue.enabled { format!("sqs://{}", settings.queue_name()) } else { "internal://".to_owned() };
    let mut outputs = vec![
        Output::new("HOST", &settings.deployment.host),
        Output::new("BUCKET", format!("s3://{}", aws.bucket.name)),
        Output::new("BUCKET_QUEUE", queue),
        Output::new("AWS_REGION", region),
    ];
    if let Some(run_queue) = &aws.run_queue {
        outputs.push(Output::new("NOTIFICATIONS_QUEUE", format!("sqs://{}", run_queue.name)));
    }
    if let Some(Encryption::Key(key)) = &aws.bucket.encryption {
        outputs.push(Output::new("AWS_S3_KMS_ID", &key.kms_key));
    }
    outputs
}

impl<C> Provider<C> {
    fn names(&self) -> Names {
        let known = self.identity.get().and_then(|identity| identity.as_ref().ok());
        let account = self.settings.aws.account.clone().or_else(|| known.map(|identity| identity.account.clone()));
        let deployment = &self.settings.deployment;
        let deployments = || std::iter::once(&deployment.name).chain(&deployment.was);
        Names {
            account: account.unwrap_or_default(),
            region: self.place.region.clone(),
            endpoint_overridden: !self.place.endpoints.is_empty(),
            bucket: self.settings.aws.bucket.name.clone(),
            queue: self.settings.aws.queue.enabled.then(|| self.settings.queue_name()),
            ids: deployments().map(|name| format!("provision-{}", entry_digest(name))).collect(),
            sids: deployments().map(|name| format!("Provision{}", entry_digest(name))).collect(),
        }
    }
}

impl<C: Read> Provider<C> {
    /// A provider of these settings.
    #[must_use]
    pub fn new(settings: Settings, place: Place, client: C) -> Self {
        Self { settings, place, client, identity: OnceCell::new(), tags_read: Mutex::default() }
    }

    async fn caller(&self) -> Result<&Identity, Error> {
        let look = || async {
            let caller = self.client.reader().get_caller_identity().await?;
            if let Some(expected) = self.settings.aws.account.as_ref().filter(|expected| **expected != caller.account) {
                return Err(wrong_account(expected, &caller.account, &caller.arn));
            }
            let Place { region, endpoints } = self.place.clone();
            Ok(Identity { account: caller.account, principal: caller.arn, region, endpoints })
        };
        self.identity.get_or_init(look).await.as_ref().map_err(Clone::clone)
    }

    /// The plan file's account, or else the one we are asked to find out.
    async fn account(&self) -> Result<String, Error> {
        match &self.settings.aws.account {
            Some(account) => Ok(account.clone()),
            None => Ok(self.caller().await?.account.clone()),
        }
    }

    fn queue_resource(&self, address: Address, name: &str, path: &str, adopt: bool) -> Resource {
        Resource {
            address,
            kind: "queue",
            name: name.to_owned(),
            identity: self.names().queue_arn(name),
            path: path.to_owned(),
            carrier: Carrier::Itself,
            adopt,
            holds_data: false,
            grants_access: false,
            contained: false,
            needs: Vec::new(),
            deleted_after: vec![BUCKET, NOTIFICATION],
            lane: None,
        }
    }

    fn entry_resource(address: Address, kind: &'static str, name: String, path: &str) -> Resource {
        Resource {
            address,
            kind,
            identity: name.clone(),
            name,
            path: path.to_owned(),
            carrier: Carrier::Of(BUCKET),
            adopt: false,
            holds_data: false,
            grants_access: false,
            contained: false,
            needs: Vec::new(),
            deleted_after: Vec::new(),
            lane: None,
        }
    }
}

fn wrong_account(expected: &str, actual: &str, principal: &str) -> Error {
    let tried = format!("use account {expected}");
    let error = Error::new(ErrorKind::Unauthenticated, tried);
    error
        .message(format!("the credentials are {principal} of account {actual}"))
        .hint("use credentials of the plan file's account, or correct `account` under [aws]")
}

#[async_trait]
impl<C: Read> Observer for Provider<C> {
    fn cloud(&self) -> &'static str {
        "aws"
    }

    fn resources(&self) -> Vec<Resource> {
        let (names, aws) = (self.names(), &self.settings.aws);
        let entry = |address, kind, name: &str, path| Self::entry_resource(address, kind, name.to_owned(), path);
        let mut resources = vec![Resource {
            carrier: Carrier::Itself,
            identity: names.bucket_arn(),
            adopt: aws.bucket.adopt,
            holds_data: true,
            lane: Some(BUCKET_LANE),
            ..entry(BUCKET, "bucket", &names.bucket, "aws.bucket")
        }];
        if let Some(queue) = &names.queue {
            resources.push(self.queue_resource(QUEUE, queue, "aws.queue", aws.queue.adopt));
        }
        resources.push(Resource {
            contained: true,
            needs: vec![BUCKET, QUEUE],
            lane: Some(BUCKET_LANE),
            ..entry(NOTIFICATION, "notification", &names.ids[0], "aws.queue")
        });
        if let Some(run_queue) = &aws.run_queue {
            resources.push(self.queue_resource(RUN_QUEUE, &run_queue.name, "aws.run_queue", run_queue.adopt));
        }
        if let Some(role) = self.settings.role_name() {
            resources.push(Resource {
                grants_access: true,
                deleted_after: vec![BUCKET],
                ..entry(ACCESS, "role policy", role, "aws.access")
            });
        }
        resources
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

    fn is_entry(&self, address: &Address, facet: &str) -> bool {
        match address {
            address if *address == BUCKET => bucket::ENTRIES.contains(&facet),
            address if *address == QUEUE || *address == RUN_QUEUE => queue::ENTRIES.contains(&facet),
            _ => true,
        }
    }

    fn outputs(&self) -> Vec<Output> {
        outputs(&self.settings, &self.place.region)
    }

    fn stays_behind(&self, address: &Address) -> Option<String> {
        let policy = || access::stays_behind(&self.settings, &self.names());
        (*address == ACCESS).then(policy).flatten()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let aws = &self.settings.aws;
        if aws.queue.enabled && aws.queue.senders == Senders::Anyone {
            let queue = self.settings.queue_name();
            warnings.push(format!(
                "queue `{queue}` is open to everybody: anyone may read, send and delete (`senders = \"anyone\"`)"
            ));
        }
        if let Some(access) = aws.access.as_ref().filter(|access| access.grant == Grant::All) {
            let role = &access.role;
            warnings.push(format!("role `{role}` gets every S3 and SQS action on this deployment (`grant = \"all\"`)"));
        }
        warnings
    }

    fn handover(&self) -> Option<String> {
        let policy = || {
            let policy = access::server_policy(&self.settings, &self.names());
            format!("The server's role needs this policy ([aws.access] would attach it):\n{policy}")
        };
        self.settings.aws.access.is_none().then(policy)
    }

    async fn identity(&self) -> Result<Identity, Error> {
        self.caller().await.cloned()
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let reader = self.client.reader();
        let named = |name: Option<String>| name.unwrap_or_default();
        match address {
            address if *address == QUEUE => queue::observe(reader, &self.names(), &named(self.names().queue)).await,
            address if *address == RUN_QUEUE => {
                let run_queue = self.settings.aws.run_queue.as_ref().map(|queue| queue.name.clone());
                queue::observe(reader, &self.names(), &named(run_queue)).await
            }
            address if *address == ACCESS => {
                // Whose role it is can only be told once the account is known.
                if self.settings.aws.access.as_ref().is_some_and(|access| access.role.contains(':')) {
                    self.account().await?;
                }
                access::observe(reader, &self.settings, &self.names()).await
            }
            address => {
                let owner = self.account().await?;
                let names = self.names();
                if *address == BUCKET {
                    return bucket::observe(reader, &self.settings, &names, &owner).await;
                }
                notification::observe(reader, &names, &owner).await
            }
        }
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let found = self.client.reader().get_resources(DEPLOYMENT_KEY, deployments).await?;
        Ok(found.into_iter().filter_map(|(arn, tags)| orphan(&arn, &tags)).collect())
    }

    async fn contents(&self, _address: &Address) -> Result<Contents, Error> {
        let owner = self.account().await?;
        contents(self.client.reader(), &self.names().bucket, &owner).await
    }
}

fn orphan(arn: &str, tags: &Tags) -> Option<Orphan> {
    let fields: Vec<_> = arn.splitn(6, ':').collect();
    let mark = Mark::from_tags(tags)?;
    let (address, kind, holds_data) = match *fields.get(2)? {
        "s3" => (BUCKET, "bucket", true),
        // Only the event queue ever had a policy of ours.
        "sqs" if mark.recorded(queue::POLICY.key) == Recorded::Never => (RUN_QUEUE, "queue", false),
        "sqs" => (QUEUE, "queue", false),
        _ => return None,
    };
    Some(Orphan {
        address,
        kind: kind.to_owned(),
        name: (*fields.get(5)?).to_owned(),
        identity: arn.to_owned(),
        mark,
        holds_data,
    })
}

/// One page of each list: enough to say that it is not empty, and roughly by how much.
async fn contents(reader: &Reader, bucket: &str, owner: &str) -> Result<Contents, Error> {
    let (versions, uploads) = futures::join!(
        reader.list_object_versions(bucket, owner, (None, None)),
        reader.list_multipart_uploads(bucket, owner),
    );
    let (versions, uploads) = (versions?, uploads?);
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Ok(versions.map_or_else(Contents::default, |page| Contents {
        objects: count(page.objects.len()),
        uploads: count(uploads.len()),
        more: page.truncated,
    }))
}

#[async_trait]
impl Provisioner for Provider<Writer> {
    async fn execute(&self, operation: &Operation, watch: &Watch<'_>) -> Result<(), Error> {
        let owner = self.account().await?;
        let result = match operation.address.part() {
            "bucket" => self.bucket(operation, &owner, watch).await,
            "queue" | "run_queue" => self.queue(operation).await,
            _ => self.entry(operation, &owner).await,
        };
        // Only a bucket that this run made can be one that S3 does not see yet.
        let fresh = matches!(operation.verb, Verb::Write { fresh: true, .. } | Verb::Create { .. } | Verb::ReadMark);
        result.map_err(|error| match error.code() {
            Some("NoSuchBucket") if !fresh => error.retry(RetryClass::Final),
            _ => error,
        })
    }
}

impl Provider<Writer> {
    async fn bucket(&self, operation: &Operation, owner: &str, watch: &Watch<'_>) -> Result<(), Error> {
        let (writer, names) = (&self.client, self.names().of(&operation.name));
        match &operation.verb {
            Verb::Create { mark, facets } => bucket::create(writer, &names, owner, facets, mark).await,
            Verb::Adopt { mark } => bucket::merge_tags(writer, &names, owner, &mark.to_tags()).await,
            Verb::Write { facet, value, fresh } => {
                bucket::write(writer, &self.settings, &names, owner, facet, value, *fresh).await
            }
            Verb::ReadMark => {
                let tags = writer.reader().get_bucket_tagging(&names.bucket, owner).await?;
                self.keep_tags(&operation.name, tags);
                Ok(())
            }
            Verb::Record { before, mark } => {
                let read = self.take_tags(&operation.name);
                bucket::record(writer, &names, owner, read, before.as_ref(), mark).await
            }
            Verb::Empty => empty(writer, &names.bucket, owner, watch).await,
            Verb::Delete => delete_bucket(writer, &names.bucket, owner).await,
            Verb::Unmark => bucket::unmark(writer, &names, owner).await,
        }
    }

    async fn queue(&self, operation: &Operation) -> Result<(), Error> {
        let (writer, names, name) = (&self.client, self.names(), operation.name.as_str());
        match &operation.verb {
            Verb::Create { mark, facets } => queue::create(writer, name, facets, mark).await,
            Verb::Adopt { mark } => queue::tag(writer, name, &mark.to_tags()).await,
            Verb::Write { facet, value, .. } => queue::write(writer, &names, name, facet, value).await,
            Verb::ReadMark => {
                let tags = queue::tags(writer.reader(), name).await?;
                self.keep_tags(name, tags);
                Ok(())
            }
            Verb::Record { before, mark } => {
                queue::record(writer, name, self.take_tags(name), before.as_ref(), mark).await
            }
            Verb::Delete => queue::delete(writer, name).await,
            Verb::Unmark => queue::unmark(writer, &names, name).await,
            Verb::Empty => Ok(()),
        }
    }

    async fn entry(&self, operation: &Operation, owner: &str) -> Result<(), Error> {
        let Verb::Write { value, fresh, .. } = &operation.verb else { return Ok(()) };
        let (writer, names) = (&self.client, self.names());
        if operation.address == NOTIFICATION {
            return notification::write(writer, &names, owner, value, *fresh).await;
        }
        access::write(writer, &self.settings, &names, value).await
    }

    fn keep_tags(&self, name: &str, tags: Tags) {
        self.tags_read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), tags);
    }

    fn take_tags(&self, name: &str) -> Option<Tags> {
        self.tags_read.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }
}

/// The service itself refuses a full bucket; then the counts say why.
async fn delete_bucket(writer: &Writer, bucket: &str, owner: &str) -> Result<(), Error> {
    match writer.delete_bucket(bucket, owner).await {
        Err(error) if error.code() == Some("BucketNotEmpty") => {
            let contents = contents(writer.reader(), bucket, owner).await?;
            Err(assess::not_empty_error("bucket", bucket, &contents.describe()))
        }
        deleted => deleted,
    }
}

/// Delete every version, delete marker and open upload, until a look finds nothing: somebody may still be writing.
async fn empty(writer: &Writer, bucket: &str, owner: &str, watch: &Watch<'_>) -> Result<(), Error> {
    let mut emptying = Emptying::new(watch, "objects and versions");
    loop {
        let delete = |objects| delete_batch(writer, bucket, owner, objects);
        let versions = emptying.pages(versions(writer.reader(), bucket, owner), delete).await?;
        emptying.go_on(&format!("bucket `{bucket}`"))?;
        let uploads = writer.reader().list_multipart_uploads(bucket, owner).await?;
        let found = versions > 0 || !uploads.is_empty();
        abort_uploads(writer, bucket, owner, uploads).await?;
        if !found {
            return Ok(());
        }
    }
}

type VersionMarker = (Option<String>, Option<String>);

/// Pages of versions and delete markers.
fn versions(reader: &Reader, bucket: &str, owner: &str) -> impl Stream<Item = Result<Vec<ObjectIdentifier>, Error>> {
    stream::try_unfold(Some(VersionMarker::default()), move |from| async move {
        let Some(from) = from else { return Ok(None) };
        let Some(page) = reader.list_object_versions(bucket, owner, from).await? else { return Ok(None) };
        Ok(Some((page.objects, page.truncated.then_some(page.next))))
    })
}

/// Uploads that are aborted at the same time.
const ABORTS_AT_ONCE: usize = 8;

async fn abort_uploads(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    uploads: Vec<(String, String)>,
) -> Result<(), Error> {
    let abort =
        |(key, id): (String, String)| async move { writer.abort_multipart_upload(bucket, owner, &key, &id).await };
    stream::iter(uploads).map(abort).buffer_unordered(ABORTS_AT_ONCE).try_collect().await
}

async fn delete_batch(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    objects: Vec<ObjectIdentifier>,
) -> Result<u64, Error> {
    let count = objects.len();
    let errors = writer.delete_objects(bucket, owner, objects).await?;
    if let Some(first) = errors.first() {
        let error =
            Error::new(ErrorKind::PermissionDenied, format!("delete {} objects of bucket `{bucket}`", errors.len()));
        return Err(error.operation("s3:DeleteObjects").message(format!("the first is {first}")).hint(
            "object lock, MFA delete or a bucket policy keeps them: remove that, then run the same command again",
        ));
    }
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

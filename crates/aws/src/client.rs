//! One function for each API operation: request, response, no decisions. The only file that calls the SDK's operations.
//!
//! [`Reader`] has the reads and nothing else, so that `plan` and `drift` cannot write.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_resourcegroupstagging::types::TagFilter;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CorsConfiguration, CorsRule, CreateBucketConfiguration, Delete,
    NotificationConfiguration, ObjectIdentifier, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use provision_core::{Error, ErrorKind, retry};

use crate::error::{absent, from_sdk, unreadable};

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// Send one call through the one retry policy, with its error mapped.
macro_rules! send {
    ($operation:literal, $tried:expr, $request:expr) => {{
        let tried: String = $tried.into();
        retry::call(|| async { $request.send().await.map_err(|error| from_sdk($operation, &tried, &error)) }).await
    }};
}

/// The clients, all on one connection pool and one set of credentials.
#[derive(Clone, Debug)]
pub struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) s3control: aws_sdk_s3control::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) tagging: aws_sdk_resourcegroupstagging::Client,
}

/// The reads.
#[derive(Clone, Debug)]
pub struct Reader {
    clients: Clients,
    /// Addresses of queues, which never change in a queue's life: each is asked for once.
    queue_urls: Arc<Mutex<BTreeMap<String, String>>>,
}

/// The reads and the writes.
#[derive(Clone, Debug)]
pub struct Writer {
    reader: Reader,
}

/// Whoever can read.
pub trait Read: Send + Sync {
    /// The reads.
    fn reader(&self) -> &Reader;
}

impl Read for Reader {
    fn reader(&self) -> &Reader {
        self
    }
}

impl Read for Writer {
    fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// Who the credentials belong to.
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// A page of object versions and delete markers.
pub(crate) struct VersionPage {
    pub(crate) objects: Vec<ObjectIdentifier>,
    pub(crate) truncated: bool,
    pub(crate) next: (Option<String>, Option<String>),
}

/// Why one key of a batch was not deleted.
pub(crate) struct KeyError {
    pub(crate) key: String,
    pub(crate) code: String,
}

impl Reader {
    /// A reader on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { clients, queue_urls: Arc::default() }
    }

    /// Who the credentials belong to <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.
    pub(crate) async fn get_caller_identity(&self) -> Result<Caller, Error> {
        let (operation, tried) = ("sts:GetCallerIdentity", "find out whose credentials these are");
        let answer = send!("sts:GetCallerIdentity", tried, self.clients.sts.get_caller_identity())?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Caller { account, arn }),
            _ => Err(unreadable(operation, tried)),
        }
    }

    /// Whether the bucket exists <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>.
    pub(crate) async fn head_bucket(&self, bucket: &str, owner: &str) -> Result<Option<()>, Error> {
        let request = || self.clients.s3.head_bucket().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:HeadBucket", format!("look at bucket `{bucket}`"), request());
        match answer {
            Ok(_) => Ok(Some(())),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
    pub(crate) async fn get_bucket_tagging(&self, bucket: &str, owner: &str) -> Result<Tags, Error> {
        let request = || self.clients.s3.get_bucket_tagging().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketTagging", format!("read the tags of bucket `{bucket}`"), request());
        let tags = absent(answer, &["NoSuchTagSet"])?.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>
    pub(crate) async fn get_public_access_block(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<Option<PublicAccessBlockConfiguration>, Error> {
        let request = || self.clients.s3.get_public_access_block().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetPublicAccessBlock", format!("read public access of bucket `{bucket}`"), request());
        let answer = absent(answer, &["NoSuchPublicAccessBlockConfiguration"])?;
        Ok(answer.and_then(|answer| answer.public_access_block_configuration))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>
    pub(crate) async fn get_bucket_ownership_controls(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<Option<String>, Error> {
        let request = || self.clients.s3.get_bucket_ownership_controls().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketOwnershipControls", format!("read ownership of bucket `{bucket}`"), request());
        let controls =
            absent(answer, &["OwnershipControlsNotFoundError"])?.and_then(|answer| answer.ownership_controls);
        let rule = controls.and_then(|controls| controls.rules.into_iter().next());
        Ok(rule.map(|rule| rule.object_ownership.as_str().to_owned()))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>
    pub(crate) async fn get_bucket_encryption(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<Option<ServerSideEncryptionRule>, Error> {
        let request = || self.clients.s3.get_bucket_encryption().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketEncryption", format!("read encryption of bucket `{bucket}`"), request());
        let answer = absent(answer, &["ServerSideEncryptionConfigurationNotFoundError"])?;
        Ok(answer.and_then(|answer| answer.server_side_encryption_configuration?.rules.into_iter().next()))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
    pub(crate) async fn get_bucket_versioning(&self, bucket: &str, owner: &str) -> Result<bool, Error> {
        let request = || self.clients.s3.get_bucket_versioning().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketVersioning", format!("read versioning of bucket `{bucket}`"), request())?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
    pub(crate) async fn get_bucket_policy(&self, bucket: &str, owner: &str) -> Result<Option<String>, Error> {
        let request = || self.clients.s3.get_bucket_policy().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketPolicy", format!("read the policy of bucket `{bucket}`"), request());
        // A success without a body is no answer; it must not pass for a bucket without a policy.
        Ok(absent(answer, &["NoSuchBucketPolicy"])?.map(|answer| answer.policy.unwrap_or_default()))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>
    pub(crate) async fn get_bucket_cors(&self, bucket: &str, owner: &str) -> Result<Vec<CorsRule>, Error> {
        let request = || self.clients.s3.get_bucket_cors().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketCors", format!("read CORS of bucket `{bucket}`"), request());
        let rules = absent(answer, &["NoSuchCORSConfiguration"])?.and_then(|answer| answer.cors_rules);
        Ok(rules.unwrap_or_default())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html>
    pub(crate) async fn get_bucket_notification(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<NotificationConfiguration, Error> {
        let request =
            || self.clients.s3.get_bucket_notification_configuration().bucket(bucket).expected_bucket_owner(owner);
        let tried = format!("read the notifications of bucket `{bucket}`");
        let answer = send!("s3:GetBucketNotificationConfiguration", tried, request())?;
        Ok(NotificationConfiguration::builder()
            .set_queue_configurations(answer.queue_configurations)
            .set_topic_configurations(answer.topic_configurations)
            .set_lambda_function_configurations(answer.lambda_function_configurations)
            // Left out, this would turn EventBridge off.
            .set_event_bridge_configuration(answer.event_bridge_configuration)
            .build())
    }

    /// Whether tags of the bucket grant access, in which case `PutBucketTagging` is refused
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAbac.html>.
    pub(crate) async fn get_bucket_abac(&self, bucket: &str, owner: &str) -> Result<bool, Error> {
        let request = || self.clients.s3.get_bucket_abac().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:GetBucketAbac", format!("read the access control of bucket `{bucket}`"), request())?;
        let status = answer.abac_status.and_then(|status| status.status);
        Ok(status.is_some_and(|status| status.as_str() == "Enabled"))
    }

    /// One page, at most 1,000 <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>.
    pub(crate) async fn list_object_versions(
        &self,
        bucket: &str,
        owner: &str,
        from: (Option<String>, Option<String>),
    ) -> Result<Option<VersionPage>, Error> {
        let request = || {
            let request = self.clients.s3.list_object_versions().bucket(bucket).expected_bucket_owner(owner);
            request.set_key_marker(from.0.clone()).set_version_id_marker(from.1.clone())
        };
        let answer = send!("s3:ListObjectVersions", format!("list the content of bucket `{bucket}`"), request());
        let Some(answer) = absent(answer, &["NoSuchBucket"])? else { return Ok(None) };
        let versions = answer.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
        let markers =
            answer.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
        let identifier = |(key, version): (Option<String>, Option<String>)| {
            ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
        };
        Ok(Some(VersionPage {
            objects: versions.chain(markers).filter_map(identifier).collect(),
            truncated: answer.is_truncated.unwrap_or_default(),
            next: (answer.next_key_marker, answer.next_version_id_marker),
        }))
    }

    /// Keys and ids of open uploads, at most 1,000 <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.
    pub(crate) async fn list_multipart_uploads(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let request = || self.clients.s3.list_multipart_uploads().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:ListMultipartUploads", format!("list the uploads of bucket `{bucket}`"), request());
        let uploads = absent(answer, &["NoSuchBucket"])?.and_then(|answer| answer.uploads).unwrap_or_default();
        Ok(uploads.into_iter().filter_map(|upload| Some((upload.key?, upload.upload_id?))).collect())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>
    pub(crate) async fn get_queue_url(&self, queue: &str) -> Result<Option<String>, Error> {
        if let Some(url) = self.urls().get(queue) {
            return Ok(Some(url.clone()));
        }
        let request = || self.clients.sqs.get_queue_url().queue_name(queue);
        let tried = format!("look up queue `{queue}`");
        let answer = send!("sqs:GetQueueUrl", &tried, request());
        let Some(answer) = absent(answer, &NO_QUEUE)? else { return Ok(None) };
        let url = answer.queue_url.ok_or_else(|| unreadable("sqs:GetQueueUrl", &tried))?;
        self.urls().insert(queue.to_owned(), url.clone());
        Ok(Some(url))
    }

    fn urls(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.queue_urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every attribute <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>.
    pub(crate) async fn get_queue_attributes(&self, queue: &str, url: &str) -> Result<Option<Tags>, Error> {
        let request =
            || self.clients.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let tried = format!("read the attributes of queue `{queue}`");
        let answer = send!("sqs:GetQueueAttributes", &tried, request());
        let Some(answer) = absent(answer, &NO_QUEUE)? else { return Ok(None) };
        // Every queue has some.
        let attributes = answer.attributes.ok_or_else(|| unreadable("sqs:GetQueueAttributes", &tried))?.into_iter();
        Ok(Some(attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect()))
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>
    pub(crate) async fn list_queue_tags(&self, queue: &str, url: &str) -> Result<Option<Tags>, Error> {
        let request = || self.clients.sqs.list_queue_tags().queue_url(url);
        let answer = send!("sqs:ListQueueTags", format!("read the tags of queue `{queue}`"), request());
        let answer = absent(answer, &NO_QUEUE)?;
        Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    }

    /// The document, decoded: IAM gives it URL-encoded. The error tells a missing role from a missing policy
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>.
    pub(crate) async fn get_role_policy(&self, role: &str, policy: &str) -> Result<String, Error> {
        let request = || self.clients.iam.get_role_policy().role_name(role).policy_name(policy);
        let answer = send!("iam:GetRolePolicy", format!("read policy `{policy}` of role `{role}`"), request())?;
        let document = answer.policy_document();
        Ok(percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned())
    }

    /// ARNs and tags of what carries one of these values
    /// <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.
    pub(crate) async fn get_resources(&self, key: &str, values: &[String]) -> Result<Vec<(String, Tags)>, Error> {
        let filter = TagFilter::builder().key(key).set_values(Some(values.to_vec())).build();
        let mut found = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let request = || {
                let request = self.clients.tagging.get_resources().tag_filters(filter.clone());
                let request = request.resource_type_filters("s3").resource_type_filters("sqs");
                request.set_pagination_token(page.clone())
            };
            let tried = "list what carries this deployment's mark";
            let answer = send!("tag:GetResources", tried, request())?;
            let mappings = answer.resource_tag_mapping_list.ok_or_else(|| unreadable("tag:GetResources", tried))?;
            for mapping in mappings {
                let tags = mapping.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
                found.extend(mapping.resource_arn.map(|arn| (arn, tags)));
            }
            page = answer.pagination_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(found);
            }
        }
    }
}

/// How SQS says that a queue is not there, by protocol.
const NO_QUEUE: [&str; 2] = ["NonExistentQueue", "QueueDoesNotExist"];

impl Writer {
    /// A writer on these clients.
    #[must_use]
    pub fn new(clients: Clients) -> Self {
        Self { reader: Reader::new(clients) }
    }

    fn clients(&self) -> &Clients {
        &self.reader.clients
    }

    /// With tags and ownership in the same call; `us-east-1` takes no location constraint
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>.
    pub(crate) async fn create_bucket(
        &self,
        bucket: &str,
        region: &str,
        ownership: Option<&str>,
        tags: &Tags,
    ) -> Result<(), Error> {
        let location = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(location)
            .set_tags(Some(s3_tags(tags)?))
            .build();
        let request = || {
            let request = self.clients().s3.create_bucket().bucket(bucket);
            let request = request.create_bucket_configuration(configuration.clone());
            request.set_object_ownership(ownership.map(ObjectOwnership::from))
        };
        send!("s3:CreateBucket", format!("create bucket `{bucket}`"), request()).map(|_| ())
    }

    /// The whole tag set <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>.
    pub(crate) async fn put_bucket_tagging(&self, bucket: &str, owner: &str, tags: &Tags) -> Result<(), Error> {
        let tagging = Tagging::builder().set_tag_set(Some(s3_tags(tags)?)).build().map_err(ours)?;
        let request = || {
            let request = self.clients().s3.put_bucket_tagging().bucket(bucket).expected_bucket_owner(owner);
            request.tagging(tagging.clone())
        };
        send!("s3:PutBucketTagging", format!("write the tags of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
    pub(crate) async fn delete_bucket_tagging(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        let request = || self.clients().s3.delete_bucket_tagging().bucket(bucket).expected_bucket_owner(owner);
        send!("s3:DeleteBucketTagging", format!("remove the tags of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// Adds to the tags there are <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>.
    pub(crate) async fn tag_resource(&self, arn: &str, account: &str, tags: &Tags) -> Result<(), Error> {
        let tag = |(key, value): (&String, &String)| {
            aws_sdk_s3control::types::Tag::builder().key(key).value(value).build().map_err(ours)
        };
        let tags: Vec<_> = tags.iter().map(tag).collect::<Result<_, _>>()?;
        let request = || {
            let request = self.clients().s3control.tag_resource().account_id(account).resource_arn(arn);
            request.set_tags(Some(tags.clone()))
        };
        send!("s3:TagResource", format!("write the tags of `{arn}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_UntagResource.html>
    pub(crate) async fn untag_resource(&self, arn: &str, account: &str, keys: &[&str]) -> Result<(), Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = || {
            let request = self.clients().s3control.untag_resource().account_id(account).resource_arn(arn);
            request.set_tag_keys(Some(keys.clone()))
        };
        send!("s3:UntagResource", format!("remove our tags of `{arn}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
    pub(crate) async fn put_public_access_block(
        &self,
        bucket: &str,
        owner: &str,
        configuration: PublicAccessBlockConfiguration,
    ) -> Result<(), Error> {
        let request = || {
            let request = self.clients().s3.put_public_access_block().bucket(bucket).expected_bucket_owner(owner);
            request.public_access_block_configuration(configuration.clone())
        };
        send!("s3:PutPublicAccessBlock", format!("block public access to bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
    pub(crate) async fn put_bucket_ownership_controls(
        &self,
        bucket: &str,
        owner: &str,
        ownership: &str,
    ) -> Result<(), Error> {
        let rule = OwnershipControlsRule::builder().object_ownership(ownership.into()).build().map_err(ours)?;
        let controls = OwnershipControls::builder().rules(rule).build().map_err(ours)?;
        let request = || {
            let request = self.clients().s3.put_bucket_ownership_controls().bucket(bucket);
            request.expected_bucket_owner(owner).ownership_controls(controls.clone())
        };
        send!("s3:PutBucketOwnershipControls", format!("write ownership of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>
    pub(crate) async fn put_bucket_encryption(
        &self,
        bucket: &str,
        owner: &str,
        rule: ServerSideEncryptionRule,
    ) -> Result<(), Error> {
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(ours)?;
        let request = || {
            let request = self.clients().s3.put_bucket_encryption().bucket(bucket).expected_bucket_owner(owner);
            request.server_side_encryption_configuration(configuration.clone())
        };
        send!("s3:PutBucketEncryption", format!("write encryption of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
    pub(crate) async fn put_bucket_versioning(&self, bucket: &str, owner: &str, enabled: bool) -> Result<(), Error> {
        let status = if enabled { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
        let configuration = VersioningConfiguration::builder().status(status).build();
        let request = || {
            let request = self.clients().s3.put_bucket_versioning().bucket(bucket).expected_bucket_owner(owner);
            request.versioning_configuration(configuration.clone())
        };
        send!("s3:PutBucketVersioning", format!("write versioning of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
    pub(crate) async fn put_bucket_policy(&self, bucket: &str, owner: &str, policy: &str) -> Result<(), Error> {
        let request =
            || self.clients().s3.put_bucket_policy().bucket(bucket).expected_bucket_owner(owner).policy(policy);
        send!("s3:PutBucketPolicy", format!("write the policy of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
    pub(crate) async fn delete_bucket_policy(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        let request = || self.clients().s3.delete_bucket_policy().bucket(bucket).expected_bucket_owner(owner);
        send!("s3:DeleteBucketPolicy", format!("remove the policy of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// The whole rule list; at least one <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>.
    pub(crate) async fn put_bucket_cors(&self, bucket: &str, owner: &str, rules: Vec<CorsRule>) -> Result<(), Error> {
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(ours)?;
        let request = || {
            let request = self.clients().s3.put_bucket_cors().bucket(bucket).expected_bucket_owner(owner);
            request.cors_configuration(configuration.clone())
        };
        send!("s3:PutBucketCors", format!("write CORS of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html>
    pub(crate) async fn delete_bucket_cors(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        let request = || self.clients().s3.delete_bucket_cors().bucket(bucket).expected_bucket_owner(owner);
        send!("s3:DeleteBucketCors", format!("remove CORS of bucket `{bucket}`"), request()).map(|_| ())
    }

    /// The whole configuration; each accepted one sends an `s3:TestEvent` into the queue. All destinations in it are
    /// validated, those of others too, unless that is skipped
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>.
    pub(crate) async fn put_bucket_notification(
        &self,
        bucket: &str,
        owner: &str,
        configuration: NotificationConfiguration,
        skip_destination_validation: bool,
    ) -> Result<(), Error> {
        let skip = skip_destination_validation.then_some(true);
        let request = || {
            let request = self.clients().s3.put_bucket_notification_configuration().bucket(bucket);
            let request = request.set_skip_destination_validation(skip);
            request.expected_bucket_owner(owner).notification_configuration(configuration.clone())
        };
        let tried = format!("write the notifications of bucket `{bucket}`");
        send!("s3:PutBucketNotificationConfiguration", tried, request()).map(|_| ())
    }

    /// At most 1,000; gives the keys that could not be deleted
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
    pub(crate) async fn delete_objects(
        &self,
        bucket: &str,
        owner: &str,
        objects: Vec<ObjectIdentifier>,
    ) -> Result<Vec<KeyError>, Error> {
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(ours)?;
        let request = || {
            let request = self.clients().s3.delete_objects().bucket(bucket).expected_bucket_owner(owner);
            request.delete(delete.clone())
        };
        let answer = send!("s3:DeleteObjects", format!("delete objects of bucket `{bucket}`"), request())?;
        let errors = answer.errors.unwrap_or_default().into_iter();
        let error = |error: aws_sdk_s3::types::Error| KeyError {
            key: error.key.unwrap_or_default(),
            code: error.code.unwrap_or_default(),
        };
        Ok(errors.map(error).collect())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
    pub(crate) async fn abort_multipart_upload(
        &self,
        bucket: &str,
        owner: &str,
        key: &str,
        id: &str,
    ) -> Result<(), Error> {
        let request = || {
            let request = self.clients().s3.abort_multipart_upload().bucket(bucket).expected_bucket_owner(owner);
            request.key(key).upload_id(id)
        };
        let answer = send!("s3:AbortMultipartUpload", format!("abort an upload to bucket `{bucket}`"), request());
        absent(answer, &["NoSuchUpload"]).map(|_| ())
    }

    /// Refused by the service unless empty <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>.
    pub(crate) async fn delete_bucket(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        let request = || self.clients().s3.delete_bucket().bucket(bucket).expected_bucket_owner(owner);
        let answer = send!("s3:DeleteBucket", format!("delete bucket `{bucket}`"), request());
        absent(answer, &["NoSuchBucket"]).map(|_| ())
    }

    /// With attributes, policy and tags in the one call
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.
    pub(crate) async fn create_queue(&self, queue: &str, attributes: &Tags, tags: &Tags) -> Result<(), Error> {
        let tags: HashMap<_, _> = tags.clone().into_iter().collect();
        let request = || {
            let request = self.clients().sqs.create_queue().queue_name(queue);
            request.set_attributes(Some(attribute_names(attributes))).set_tags(Some(tags.clone()))
        };
        let answer = send!("sqs:CreateQueue", format!("create queue `{queue}`"), request())?;
        self.reader.urls().extend(answer.queue_url.map(|url| (queue.to_owned(), url)));
        Ok(())
    }

    /// Only the attributes named <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.
    pub(crate) async fn set_queue_attributes(&self, queue: &str, url: &str, attributes: &Tags) -> Result<(), Error> {
        let request = || {
            let request = self.clients().sqs.set_queue_attributes().queue_url(url);
            request.set_attributes(Some(attribute_names(attributes)))
        };
        send!("sqs:SetQueueAttributes", format!("write the attributes of queue `{queue}`"), request()).map(|_| ())
    }

    /// Adds to the tags there are <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>.
    pub(crate) async fn tag_queue(&self, queue: &str, url: &str, tags: &Tags) -> Result<(), Error> {
        let tags: HashMap<_, _> = tags.clone().into_iter().collect();
        let request = || self.clients().sqs.tag_queue().queue_url(url).set_tags(Some(tags.clone()));
        send!("sqs:TagQueue", format!("write the tags of queue `{queue}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>
    pub(crate) async fn untag_queue(&self, queue: &str, url: &str, keys: &[&str]) -> Result<(), Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = || self.clients().sqs.untag_queue().queue_url(url).set_tag_keys(Some(keys.clone()));
        send!("sqs:UntagQueue", format!("remove our tags of queue `{queue}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
    pub(crate) async fn delete_queue(&self, queue: &str, url: &str) -> Result<(), Error> {
        let request = || self.clients().sqs.delete_queue().queue_url(url);
        let answer = send!("sqs:DeleteQueue", format!("delete queue `{queue}`"), request());
        self.reader.urls().remove(queue);
        absent(answer, &NO_QUEUE).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
    pub(crate) async fn put_role_policy(&self, role: &str, policy: &str, document: &str) -> Result<(), Error> {
        let request = || {
            let request = self.clients().iam.put_role_policy().role_name(role).policy_name(policy);
            request.policy_document(document)
        };
        send!("iam:PutRolePolicy", format!("write policy `{policy}` of role `{role}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>
    pub(crate) async fn delete_role_policy(&self, role: &str, policy: &str) -> Result<(), Error> {
        let request = || self.clients().iam.delete_role_policy().role_name(role).policy_name(policy);
        let answer = send!("iam:DeleteRolePolicy", format!("delete policy `{policy}` of role `{role}`"), request());
        absent(answer, &["NoSuchEntity"]).map(|_| ())
    }
}

fn attribute_names(attributes: &Tags) -> HashMap<QueueAttributeName, String> {
    attributes.iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone())).collect()
}

fn s3_tags(tags: &Tags) -> Result<Vec<Tag>, Error> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(ours)).collect()
}

/// A request we could not build: our mistake.
fn ours(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::new(ErrorKind::Unexpected, "a request could not be built: this is a bug in provision")
        .message(error.to_string())
}

#[cfg(test)]
mod tests {
    /// `plan` and `drift` get a [`super::Reader`]: none of its calls may be a write.
    #[test]
    fn reader_only_reads() {
        let source = include_str!("client.rs");
        let (_, reader) = source.split_once("impl Reader {").unwrap();
        let (reader, _) = reader.split_once("\nimpl Writer {").unwrap();
        let calls: Vec<&str> =
            reader.lines().filter_map(|line| line.trim().strip_prefix("pub(crate) async fn ")).collect();
        assert!(calls.len() > 15, "{calls:?}");
        for call in calls {
            assert!(["get_", "list_", "head_"].iter().any(|prefix| call.starts_with(prefix)), "{call}");
        }
    }
}

//! Calls of S3 <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>.

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CorsConfiguration, CorsRule, CreateBucketConfiguration, Delete,
    EncodingType, NotificationConfiguration, ObjectIdentifier, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, VersioningConfiguration,
};
use provision_core::Error;
use provision_core::mark::Tags;

use crate::client::{Reader, Writer, unbuilt};
use crate::error::{absent, unreadable};

/// A page of object versions and delete markers.
pub(crate) struct VersionPage {
    pub(crate) objects: Vec<ObjectIdentifier>,
    /// The size of all of them.
    pub(crate) bytes: u64,
    pub(crate) truncated: bool,
    pub(crate) next: (Option<String>, Option<String>),
}

/// A page of open uploads.
#[derive(Default)]
pub(crate) struct UploadPage {
    /// Keys and ids.
    pub(crate) uploads: Vec<(String, String)>,
    pub(crate) truncated: bool,
    pub(crate) next: (Option<String>, Option<String>),
}

/// Why one key of a batch was not deleted.
pub(crate) struct KeyError {
    pub(crate) key: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Reader {
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
        let tried = format!("read public access of bucket `{bucket}`");
        let answer = send!("s3:GetPublicAccessBlock", tried, request());
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
        let tried = format!("read ownership of bucket `{bucket}`");
        let answer = send!("s3:GetBucketOwnershipControls", &tried, request());
        let Some(answer) = absent(answer, &["OwnershipControlsNotFoundError"])? else { return Ok(None) };
        let rule = answer.ownership_controls.and_then(|controls| controls.rules.into_iter().next());
        let rule = rule.ok_or_else(|| unreadable("s3:GetBucketOwnershipControls", &tried))?;
        Ok(Some(rule.object_ownership.as_str().to_owned()))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>
    pub(crate) async fn get_bucket_encryption(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<Option<ServerSideEncryptionRule>, Error> {
        let request = || self.clients.s3.get_bucket_encryption().bucket(bucket).expected_bucket_owner(owner);
        let tried = format!("read encryption of bucket `{bucket}`");
        let answer = send!("s3:GetBucketEncryption", &tried, request());
        let Some(answer) = absent(answer, &["ServerSideEncryptionConfigurationNotFoundError"])? else {
            return Ok(None);
        };
        let configuration = answer.server_side_encryption_configuration;
        let rule = configuration.and_then(|configuration| configuration.rules.into_iter().next());
        Ok(Some(rule.ok_or_else(|| unreadable("s3:GetBucketEncryption", &tried))?))
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

    /// One page, at most 1,000. Keys are asked for in URL encoding: XML cannot have all that a key can
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>.
    pub(crate) async fn list_object_versions(
        &self,
        bucket: &str,
        owner: &str,
        prefix: Option<&str>,
        from: (Option<String>, Option<String>),
    ) -> Result<Option<VersionPage>, Error> {
        let request = || {
            let request = self.clients.s3.list_object_versions().bucket(bucket).expected_bucket_owner(owner);
            let request = request.encoding_type(EncodingType::Url).set_prefix(prefix.map(str::to_owned));
            request.set_key_marker(from.0.clone()).set_version_id_marker(from.1.clone())
        };
        let tried = format!("list the content of bucket `{bucket}`");
        let answer = send!("s3:ListObjectVersions", &tried, request());
        let Some(answer) = absent(answer, &["NoSuchBucket"])? else { return Ok(None) };
        let truncated = answer.is_truncated.ok_or_else(|| unreadable("s3:ListObjectVersions", &tried))?;
        let encoded = answer.encoding_type == Some(EncodingType::Url);
        let next = (answer.next_key_marker.map(|key| decoded(key, encoded)), answer.next_version_id_marker);
        // A page that leads nowhere, or back to itself, would be read for ever.
        if truncated && (next.0.is_none() || next == from || next.0 < from.0) {
            return Err(unreadable("s3:ListObjectVersions", &tried));
        }
        let versions = answer.versions.unwrap_or_default();
        let bytes =
            versions.iter().filter_map(|version| u64::try_from(version.size?).ok()).fold(0, u64::saturating_add);
        let versions = versions.into_iter().map(|version| (version.key, version.version_id));
        let markers =
            answer.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
        let identifier = |(key, version): (Option<String>, Option<String>)| {
            ObjectIdentifier::builder().key(decoded(key?, encoded)).set_version_id(version).build().ok()
        };
        let objects = versions.chain(markers).filter_map(identifier).collect();
        Ok(Some(VersionPage { objects, bytes, truncated, next }))
    }

    /// One page of keys and ids of open uploads, at most 1,000 <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.
    pub(crate) async fn list_multipart_uploads(
        &self,
        bucket: &str,
        owner: &str,
        from: (Option<String>, Option<String>),
    ) -> Result<UploadPage, Error> {
        let request = || {
            let request = self.clients.s3.list_multipart_uploads().bucket(bucket).expected_bucket_owner(owner);
            let request = request.encoding_type(EncodingType::Url);
            request.set_key_marker(from.0.clone()).set_upload_id_marker(from.1.clone())
        };
        let tried = format!("list the uploads of bucket `{bucket}`");
        let answer = send!("s3:ListMultipartUploads", &tried, request());
        let Some(answer) = absent(answer, &["NoSuchBucket"])? else { return Ok(UploadPage::default()) };
        let truncated = answer.is_truncated.ok_or_else(|| unreadable("s3:ListMultipartUploads", &tried))?;
        let encoded = answer.encoding_type == Some(EncodingType::Url);
        let next = (answer.next_key_marker.map(|key| decoded(key, encoded)), answer.next_upload_id_marker);
        // A page that leads nowhere, or back to itself, would be read for ever.
        if truncated && (next.0.is_none() || next == from || next.0 < from.0) {
            return Err(unreadable("s3:ListMultipartUploads", &tried));
        }
        let uploads = answer.uploads.unwrap_or_default().into_iter();
        let uploads = uploads.filter_map(|upload| Some((decoded(upload.key?, encoded), upload.upload_id?))).collect();
        Ok(UploadPage { uploads, truncated, next })
    }
}

impl Writer {
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
        let tried = format!("create bucket `{bucket}`");
        send!("s3:CreateBucket", tried, request()).map(|_| ())
    }

    /// The whole tag set <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>.
    pub(crate) async fn put_bucket_tagging(&self, bucket: &str, owner: &str, tags: &Tags) -> Result<(), Error> {
        let tagging = Tagging::builder().set_tag_set(Some(s3_tags(tags)?)).build().map_err(unbuilt)?;
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
        let tried = format!("block public access to bucket `{bucket}`");
        send!("s3:PutPublicAccessBlock", tried, request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
    pub(crate) async fn put_bucket_ownership_controls(
        &self,
        bucket: &str,
        owner: &str,
        ownership: &str,
    ) -> Result<(), Error> {
        let rule = OwnershipControlsRule::builder().object_ownership(ownership.into()).build().map_err(unbuilt)?;
        let controls = OwnershipControls::builder().rules(rule).build().map_err(unbuilt)?;
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
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(unbuilt)?;
        let request = || {
            let request = self.clients().s3.put_bucket_encryption().bucket(bucket).expected_bucket_owner(owner);
            request.server_side_encryption_configuration(configuration.clone())
        };
        let tried = format!("write encryption of bucket `{bucket}`");
        send!("s3:PutBucketEncryption", tried, request()).map(|_| ())
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
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(unbuilt)?;
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
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(unbuilt)?;
        let request = || {
            let request = self.clients().s3.delete_objects().bucket(bucket).expected_bucket_owner(owner);
            request.delete(delete.clone())
        };
        let tried = format!("delete objects of bucket `{bucket}`");
        let answer = send!("s3:DeleteObjects", tried, request())?;
        let errors = answer.errors.unwrap_or_default().into_iter();
        let error = |error: aws_sdk_s3::types::Error| KeyError {
            key: error.key.unwrap_or_default(),
            code: error.code.unwrap_or_default(),
            message: error.message.unwrap_or_default(),
        };
        Ok(errors.map(error).collect())
    }

    /// One version; one that is not there is deleted <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>.
    pub(crate) async fn delete_object(
        &self,
        bucket: &str,
        owner: &str,
        object: &ObjectIdentifier,
    ) -> Result<(), Error> {
        let request = || {
            let request = self.clients().s3.delete_object().bucket(bucket).expected_bucket_owner(owner);
            request.key(&object.key).set_version_id(object.version_id.clone())
        };
        let tried = format!("delete an object of bucket `{bucket}`");
        let answer = send!("s3:DeleteObject", tried, request());
        absent(answer, &["NoSuchKey", "NoSuchVersion"]).map(|_| ())
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
}

/// A key as it is, where the list has it in URL encoding.
fn decoded(key: String, encoded: bool) -> String {
    if !encoded {
        return key;
    }
    let spaced = key.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn s3_tags(tags: &Tags) -> Result<Vec<Tag>, Error> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build().map_err(unbuilt)).collect()
}

//! The operations that are served, and what each takes.

use super::{On, bucket, cors, delete, listing, multipart, notification, object, policy, settings, tagging};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::state::Transaction;

/// An operation.
pub(super) struct Operation {
    name: &'static str,
    /// What a policy allows or denies; empty where the operation decides for itself.
    pub(super) action: &'static str,
    /// Query fields, but for those that every request may have.
    query: &'static [&'static str],
    /// Headers that begin with `x-amz-`, but for those that every request may have.
    headers: &'static [&'static str],
    pub(super) run: Run,
}

/// What serves it.
pub(super) enum Run {
    /// Without a bucket that must exist.
    Service(fn(&mut Transaction<'_>, &Call<'_>) -> Reply),
    /// On a bucket or an object of it.
    Bucket(fn(&mut Transaction<'_>, &On<'_>) -> Reply),
}

/// Query fields of signatures, and the name that newer SDKs add.
const QUERY: [&str; 12] = [
    "x-id",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Content-Sha256",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "Expires",
];

const HEADERS: [&str; 9] = [
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amz-expected-bucket-owner",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-account-id",
];

/// Headers that describe an object which is being written.
const WRITTEN: [&str; 5] = [
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
];

/// Query fields of a download, of which the last six set headers of the answer
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax>).
pub(in crate::aws) const READ: &[&str] = &[
    "versionId",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

const fn service(
    name: &'static str,
    query: &'static [&'static str],
    run: fn(&mut Transaction<'_>, &Call<'_>) -> Reply,
) -> Operation {
    Operation { name, action: "", query, headers: &[], run: Run::Service(run) }
}

const fn facet(
    name: &'static str,
    action: &'static str,
    query: &'static [&'static str],
    run: fn(&mut Transaction<'_>, &On<'_>) -> Reply,
) -> Operation {
    Operation { name, action, query, headers: &[], run: Run::Bucket(run) }
}

const fn with(mut operation: Operation, headers: &'static [&'static str]) -> Operation {
    operation.headers = headers;
    operation
}

/// Actions <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
static OPERATIONS: [Operation; 47] = [
    service("ListBuckets", &["prefix", "bucket-region"], bucket::list_buckets),
    with(service("CreateBucket", &[], bucket::create_bucket), &["x-amz-acl", "x-amz-object-ownership"]),
    facet("HeadBucket", "s3:ListBucket", &[], bucket::head_bucket),
    facet("DeleteBucket", "s3:DeleteBucket", &[], bucket::delete_bucket),
    facet("GetBucketLocation", "s3:GetBucketLocation", &["location"], bucket::get_bucket_location),
    facet(
        "GetPublicAccessBlock",
        "s3:GetBucketPublicAccessBlock",
        &["publicAccessBlock"],
        settings::get_public_access_block,
    ),
    facet(
        "PutPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        &["publicAccessBlock"],
        settings::put_public_access_block,
    ),
    facet(
        "DeletePublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
        &["publicAccessBlock"],
        settings::delete_public_access_block,
    ),
    facet(
        "GetBucketOwnershipControls",
        "s3:GetBucketOwnershipControls",
        &["ownershipControls"],
        settings::get_ownership,
    ),
    facet(
        "PutBucketOwnershipControls",
        "s3:PutBucketOwnershipControls",
        &["ownershipControls"],
        settings::put_ownership,
    ),
    facet(
        "DeleteBucketOwnershipControls",
        "s3:PutBucketOwnershipControls",
        &["ownershipControls"],
        settings::delete_ownership,
    ),
    facet("GetBucketEncryption", "s3:GetEncryptionConfiguration", &["encryption"], settings::get_encryption),
    facet("PutBucketEncryption", "s3:PutEncryptionConfiguration", &["encryption"], settings::put_encryption),
    facet("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", &["encryption"], settings::delete_encryption),
    facet("GetBucketVersioning", "s3:GetBucketVersioning", &["versioning"], settings::get_versioning),
    facet("PutBucketVersioning", "s3:PutBucketVersioning", &["versioning"], settings::put_versioning),
    facet("GetBucketPolicy", "s3:GetBucketPolicy", &["policy"], policy::get_bucket_policy),
    with(
        facet("PutBucketPolicy", "s3:PutBucketPolicy", &["policy"], policy::put_bucket_policy),
        &["x-amz-confirm-remove-self-bucket-access"],
    ),
    facet("DeleteBucketPolicy", "s3:DeleteBucketPolicy", &["policy"], policy::delete_bucket_policy),
    facet("GetBucketCors", "s3:GetBucketCORS", &["cors"], cors::get_bucket_cors),
    facet("PutBucketCors", "s3:PutBucketCORS", &["cors"], cors::put_bucket_cors),
    facet("DeleteBucketCors", "s3:PutBucketCORS", &["cors"], cors::delete_bucket_cors),
    facet("GetBucketTagging", "s3:GetBucketTagging", &["tagging"], tagging::get_bucket_tagging),
    facet("PutBucketTagging", "s3:PutBucketTagging", &["tagging"], tagging::put_bucket_tagging),
    facet("DeleteBucketTagging", "s3:PutBucketTagging", &["tagging"], tagging::delete_bucket_tagging),
    facet("GetBucketAbac", "s3:GetBucketAbac", &["abac"], tagging::get_bucket_abac),
    facet("PutBucketAbac", "s3:PutBucketAbac", &["abac"], tagging::put_bucket_abac),
    service("ListTagsForResource", &[], tagging::list_tags_for_resource),
    service("TagResource", &[], tagging::tag_resource),
    service("UntagResource", &["tagKeys"], tagging::untag_resource),
    facet("GetBucketNotificationConfiguration", "s3:GetBucketNotification", &["notification"], notification::get),
    with(
        facet("PutBucketNotificationConfiguration", "s3:PutBucketNotification", &["notification"], notification::put),
        &["x-amz-skip-destination-validation"],
    ),
    facet(
        "ListObjectsV2",
        "s3:ListBucket",
        &[
            "list-type",
            "prefix",
            "delimiter",
            "max-keys",
            "continuation-token",
            "start-after",
            "encoding-type",
            "fetch-owner",
        ],
        listing::list_objects_v2,
    ),
    facet(
        "ListObjectVersions",
        "s3:ListBucketVersions",
        &["versions", "prefix", "delimiter", "max-keys", "key-marker", "version-id-marker", "encoding-type"],
        listing::list_object_versions,
    ),
    facet("DeleteObjects", "", &["delete"], delete::delete_objects),
    with(
        facet(
            "PutObject",
            "s3:PutObject",
            &["x-amz-sdk-checksum-algorithm", "x-amz-checksum-crc32"],
            object::put_object,
        ),
        &WRITTEN,
    ),
    with(
        facet("CopyObject", "s3:PutObject", &[], object::copy_object),
        &[
            "x-amz-acl",
            "x-amz-storage-class",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-bucket-key-enabled",
            "x-amz-copy-source",
            "x-amz-copy-source-if-match",
            "x-amz-metadata-directive",
            "x-amz-checksum-algorithm",
            "x-amz-source-expected-bucket-owner",
        ],
    ),
    with(facet("GetObject", "s3:GetObject", READ, object::get_object), &["x-amz-checksum-mode"]),
    with(facet("HeadObject", "s3:GetObject", READ, object::get_object), &["x-amz-checksum-mode"]),
    facet("DeleteObject", "s3:DeleteObject", &["versionId"], delete::delete_object),
    with(
        facet("CreateMultipartUpload", "s3:PutObject", &["uploads"], multipart::create),
        &[
            "x-amz-acl",
            "x-amz-storage-class",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-bucket-key-enabled",
            "x-amz-checksum-algorithm",
            "x-amz-checksum-type",
        ],
    ),
    facet("UploadPart", "s3:PutObject", &["partNumber", "uploadId"], multipart::upload_part),
    with(
        facet("UploadPartCopy", "s3:PutObject", &["partNumber", "uploadId"], multipart::upload_part_copy),
        &[
            "x-amz-copy-source",
            "x-amz-copy-source-range",
            "x-amz-copy-source-if-match",
            "x-amz-source-expected-bucket-owner",
        ],
    ),
    with(
        facet("CompleteMultipartUpload", "s3:PutObject", &["uploadId"], multipart::complete),
        &["x-amz-mp-object-size"],
    ),
    facet("AbortMultipartUpload", "s3:AbortMultipartUpload", &["uploadId"], multipart::abort),
    facet(
        "ListParts",
        "s3:ListMultipartUploadParts",
        &["uploadId", "max-parts", "part-number-marker"],
        multipart::list_parts,
    ),
    facet(
        "ListMultipartUploads",
        "s3:ListBucketMultipartUploads",
        &["uploads", "prefix", "max-uploads", "key-marker", "upload-id-marker", "encoding-type"],
        multipart::list_uploads,
    ),
];

impl Operation {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// Refuse what would be ignored.
    pub(super) fn check(&self, call: &Call<'_>) -> Result<(), Error> {
        let query = |name: &&String| !QUERY.contains(&name.as_str()) && !self.query.contains(&name.as_str());
        if let Some(name) = call.query.iter().map(|(name, _)| name).find(query) {
            return Err(Error::unserved(format_args!("the query field {name} of {}", call.operation)));
        }
        let header = |name: &&str| name.starts_with("x-amz-") && !self.takes(name);
        if let Some(name) = call.headers.keys().map(|name| name.as_str()).find(header) {
            return Err(Error::unserved(format_args!("the header {name} of {}", call.operation)));
        }
        Ok(())
    }

    fn takes(&self, header: &str) -> bool {
        let described = ["PutObject", "CopyObject", "CreateMultipartUpload"].contains(&self.name);
        HEADERS.contains(&header)
            || self.headers.contains(&header)
            || (header.starts_with("x-amz-checksum-") && !self.name.starts_with("Get"))
            || (header.starts_with("x-amz-meta-") && described)
    }
}

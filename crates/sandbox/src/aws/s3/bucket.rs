//! Buckets.

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};

use super::cors::CorsRule;
use super::notification::NotificationConfiguration;
use super::settings::{Encryption, PublicAccessBlock};
use super::tagging::TagSet;
use super::{On, multipart, name, version, xml};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::tags::{self, Tags};
use crate::propagation::Propagating;
use crate::state::Transaction;

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) owner: String,
    pub(super) region: String,
    pub(super) created_ms: u64,
    pub(super) ownership: Option<String>,
    pub(super) public_access_block: Option<PublicAccessBlock>,
    pub(super) encryption: Encryption,
    pub(super) versioning: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) cors: Vec<CorsRule>,
    pub(super) tags: Propagating<Tags>,
    pub(super) abac: bool,
    pub(super) notification: NotificationConfiguration,
}

/// Where a bucket is kept.
pub(super) fn key(name: &str) -> String {
    format!("s3/bucket/{name}")
}

impl Bucket {
    /// A new one: private, without ACLs, encrypted
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html>.
    fn new(owner: &str, region: &str, now_ms: u64) -> Self {
        Self {
            owner: owner.to_owned(),
            region: region.to_owned(),
            created_ms: now_ms,
            ownership: Some("BucketOwnerEnforced".to_owned()),
            public_access_block: Some(PublicAccessBlock::all()),
            encryption: Encryption::default(),
            versioning: None,
            policy: None,
            cors: Vec::new(),
            tags: Propagating::new(Tags::new()),
            abac: false,
            notification: NotificationConfiguration::default(),
        }
    }

    pub(super) fn read(state: &Transaction<'_>, name: &str) -> Result<Self, Error> {
        state.get(&key(name))?.ok_or_else(|| Error::new(404, "NoSuchBucket", "The specified bucket does not exist"))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateBucketConfiguration {
    #[serde(rename = "@xmlns")]
    _xmlns: Option<String>,
    location_constraint: Option<String>,
    tags: Option<TagSet>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) fn create_bucket(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let (bucket_name, _) = super::taken_apart(&call.path);
    let (account, region) = (call.caller.account()?, call.caller.region());
    if !name::is_valid(bucket_name) {
        return Err(Error::new(400, "InvalidBucketName", "The specified bucket is not valid."));
    }
    let configuration = match call.body.is_empty() {
        true => CreateBucketConfiguration::default(),
        false => xml::input(call, "CreateBucketConfiguration")?,
    };
    check_location(region, configuration.location_constraint.as_deref())?;
    let mut bucket = Bucket::new(account, region, call.now_ms);
    if let Some(ownership) = call.header("x-amz-object-ownership") {
        bucket.ownership = Some(super::settings::ownership(ownership)?);
    }
    super::object::check_acl(call, &bucket)?;
    let tags = tags::checked(configuration.tags.unwrap_or_default().into_pairs())?;
    let is_tagged = !tags.is_empty();
    bucket.tags.write(tags, call.now_ms, call.longest_delay_ms());
    if let Some(existing) = state.get::<Bucket>(&key(bucket_name))? {
        taken(&existing, account, region, is_tagged)?;
    } else {
        state.put(&key(bucket_name), &bucket)?;
    }
    let answer = Response::builder().header("location", format!("/{bucket_name}"));
    Ok(answer.body(Bytes::new()).unwrap_or_default())
}

/// A name is one bucket's in all accounts and regions. In `us-east-1` only, making one's own again succeeds, and changes
/// nothing; with tags it is refused there too (recorded from S3 by LocalStack's `test_s3_api.py`, 2026-02).
fn taken(existing: &Bucket, account: &str, region: &str, is_tagged: bool) -> Result<(), Error> {
    if existing.owner != account {
        let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                       system. Please select a different name and try again.";
        return Err(Error::new(409, "BucketAlreadyExists", message));
    }
    if existing.region == "us-east-1" && region == "us-east-1" && !is_tagged {
        return Ok(());
    }
    let message = "Your previous request to create the named bucket succeeded and you already own it.";
    Err(Error::new(409, "BucketAlreadyOwnedByYou", message))
}

/// The region's own name, `EU` for `eu-west-1`, and none in `us-east-1`
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>.
fn check_location(region: &str, constraint: Option<&str>) -> Result<(), Error> {
    match constraint.filter(|constraint| !constraint.is_empty()) {
        None if region == "us-east-1" => Ok(()),
        None => Err(illegal_location("unspecified")),
        Some("us-east-1") => {
            Err(Error::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid"))
        }
        Some("EU") if region == "eu-west-1" => Ok(()),
        Some(constraint) if constraint == region => Ok(()),
        Some(constraint) => Err(illegal_location(constraint)),
    }
}

fn illegal_location(constraint: &str) -> Error {
    let message = format!(
        "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
    );
    Error::new(400, "IllegalLocationConstraintException", message)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) fn head_bucket(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let answer = Response::builder().header("x-amz-bucket-region", &on.bucket.region);
    Ok(answer.header("x-amz-access-point-alias", "false").body(Bytes::new()).unwrap_or_default())
}

/// Refused unless empty of versions and delete markers; open uploads go with it
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>.
pub(super) fn delete_bucket(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    if !version::is_empty(state, &on.name) {
        let message = match on.bucket.versioning {
            Some(_) => "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            None => "The bucket you tried to delete is not empty",
        };
        return Err(Error::new(409, "BucketNotEmpty", message));
    }
    multipart::delete_all(state, &on.name);
    state.delete(&key(&on.name));
    xml::nothing(204)
}

#[derive(Debug, Serialize)]
struct Location {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "$text")]
    region: String,
}

/// Nothing for `us-east-1` <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>.
pub(super) fn get_bucket_location(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let region = if on.bucket.region == "us-east-1" { String::new() } else { on.bucket.region.clone() };
    xml::answer("LocationConstraint", &Location { xmlns: xml::NAMESPACE, region })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAllMyBucketsResult {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    owner: Owner,
    buckets: Buckets,
}

/// Who owns something.
#[derive(Debug, Serialize)]
pub(super) struct Owner {
    #[serde(rename = "ID")]
    pub(super) id: String,
}

#[derive(Debug, Serialize)]
struct Buckets {
    #[serde(rename = "Bucket")]
    buckets: Vec<Listed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    name: String,
    creation_date: String,
    bucket_region: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub(super) fn list_buckets(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let account = call.caller.account()?;
    let buckets = state.scan::<Bucket>(&key(call.field("prefix").unwrap_or_default()))?.into_iter();
    let region = call.field("bucket-region");
    let mine =
        |(_, bucket): &(String, Bucket)| bucket.owner == account && region.is_none_or(|region| region == bucket.region);
    let listed = |(key, bucket): (String, Bucket)| Listed {
        name: key.rsplit('/').next().unwrap_or_default().to_owned(),
        creation_date: super::moment::document(bucket.created_ms),
        bucket_region: bucket.region,
    };
    let buckets = Buckets { buckets: buckets.filter(mine).map(listed).collect() };
    let owner = Owner { id: account.to_owned() };
    xml::answer("ListAllMyBucketsResult", &ListAllMyBucketsResult { xmlns: xml::NAMESPACE, owner, buckets })
}

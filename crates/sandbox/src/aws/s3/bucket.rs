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
use crate::aws::rights;
use crate::aws::tagging;
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
    /// The older name of its region, with which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
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
            location: None,
        }
    }

    pub(super) fn read(state: &Transaction<'_>, name: &str) -> Result<Self, Error> {
        state.get(&key(name))?.ok_or_else(no_bucket)
    }

    /// The bucket as those see it who did not make it just now: `s3.bucket` says how much later.
    pub(super) fn seen(state: &Transaction<'_>, call: &Call<'_>, name: &str) -> Result<Self, Error> {
        let bucket = Self::read(state, name)?;
        let is_seen = bucket.created_ms.saturating_add(call.delay_ms("s3.bucket")) <= call.now_ms;
        if is_seen { Ok(bucket) } else { Err(no_bucket()) }
    }
}

fn no_bucket() -> Error {
    Error::new(404, "NoSuchBucket", "The specified bucket does not exist")
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
    let (account, endpoint) = (call.caller.account()?, call.caller.region());
    if !name::is_valid(bucket_name) {
        return Err(Error::new(400, "InvalidBucketName", "The specified bucket is not valid."));
    }
    let configuration = match call.body.is_empty() {
        true => CreateBucketConfiguration::default(),
        false => xml::input(call, "CreateBucketConfiguration")?,
    };
    let location = configuration.location_constraint.filter(|location| !location.is_empty());
    let region = located(endpoint, location.as_deref())?;
    let mut bucket = Bucket::new(account, region, call.now_ms);
    bucket.location = location.clone().filter(|location| location != region);
    if let Some(ownership) = call.header("x-amz-object-ownership") {
        bucket.ownership = Some(super::settings::ownership(ownership)?);
    }
    super::object::check_acl(call, &bucket)?;
    let tags = tags::checked(configuration.tags.unwrap_or_default().into_pairs()).map_err(reworded)?;
    let is_tagged = !tags.is_empty();
    for (needed, action) in [
        (true, "s3:CreateBucket"),
        // "If your request includes tags, you must have s3:TagResource", "the x-amz-object-ownership header,
        // s3:PutBucketOwnershipControls": the same page.
        (is_tagged, "s3:TagResource"),
        (call.header("x-amz-object-ownership").is_some(), "s3:PutBucketOwnershipControls"),
    ] {
        if needed {
            rights::need(call, action, &super::arn(bucket_name, ""))?;
        }
    }
    bucket.tags.write(tags, call.now_ms, call.longest_delay_ms());
    if let Some(existing) = state.get::<Bucket>(&key(bucket_name))? {
        taken(&existing, account, region, is_tagged)?;
    } else {
        state.put(&key(bucket_name), &bucket)?;
    }
    let answer = Response::builder().header("location", format!("/{bucket_name}"));
    let answer = answer.header("x-amz-bucket-arn", super::arn(bucket_name, ""));
    Ok(answer.body(Bytes::new()).unwrap_or_default())
}

/// What is wrong with tags in the words of this call (recorded from S3 by LocalStack's `test_s3_api.py`, 2026-02).
fn reworded(error: Error) -> Error {
    match error.message.as_str() {
        tags::TWICE => Error::new(500, "InternalError", "We encountered an internal error. Please try again."),
        tags::SYSTEM => Error::new(400, "InvalidTag", tags::RESERVED),
        _ => error,
    }
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

/// Where a bucket is to be: the endpoint's region by its own name, `EU` for `eu-west-1`; at the endpoint of `us-east-1` none,
/// or any other <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>.
fn located<'a>(endpoint: &'a str, constraint: Option<&'a str>) -> Result<&'a str, Error> {
    match constraint {
        None if endpoint == "us-east-1" => Ok(endpoint),
        None => Err(illegal_location("unspecified")),
        Some("EU") if endpoint == "eu-west-1" => Ok(endpoint),
        Some(constraint) if endpoint == "us-east-1" => match constraint {
            "EU" => Ok("eu-west-1"),
            "us-east-1" => Err(invalid_location(constraint)),
            region if is_region(region) => Ok(region),
            _ => Err(invalid_location(constraint)),
        },
        Some(constraint) if constraint == endpoint => Ok(endpoint),
        Some(constraint) => Err(illegal_location(constraint)),
    }
}

/// `eu-west-1`
fn is_region(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let number = |part: &&str| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() >= 3 && parts[..parts.len() - 1].iter().all(letters) && parts.last().is_some_and(number)
}

fn invalid_location(constraint: &str) -> Error {
    let error = Error::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid");
    error.with_detail("LocationConstraint", constraint)
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
    let answer = answer.header("x-amz-bucket-arn", super::arn(&on.name, ""));
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
    let tags = on.bucket.tags.written();
    tagging::leave(state, on.call, &on.bucket.owner, &on.bucket.region, &super::arn(&on.name, ""), tags)?;
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

/// Nothing for `us-east-1`; the older name, if it was made with that <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>.
pub(super) fn get_bucket_location(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let region = match &on.bucket.location {
        Some(location) => location.clone(),
        None if on.bucket.region == "us-east-1" => String::new(),
        None => on.bucket.region.clone(),
    };
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
    rights::need(call, "s3:ListAllMyBuckets", "*")?;
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

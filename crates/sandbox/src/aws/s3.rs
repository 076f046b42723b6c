//! Simple Storage Service, path style.

mod bucket;
mod checksum;
mod cors;
mod delete;
mod encryption;
mod event;
mod listing;
mod moment;
mod multipart;
mod name;
mod notification;
mod object;
mod operations;
mod payload;
mod policy;
mod settings;
mod tagging;
mod version;
mod xml;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::call::Call;
use super::error::{Error, Reply};
use super::policy::{Attempt, Decision, Policy, Principal};
use super::rights;
use super::tags::Tags;
use super::wire::REQUEST;
use crate::propagation::Propagating;
use crate::state::Transaction;
use bucket::Bucket;
use operations::{Operation, Run};

pub(super) use operations::READ;

/// A request to a bucket that exists, is in this region, and lets the caller in.
struct On<'a> {
    call: &'a Call<'a>,
    name: String,
    key: String,
    bucket: Bucket,
}

pub(super) fn serve(call: &Call<'_>) -> Reply {
    if call.name() == "PreflightRequest" {
        return call.world.store.transaction(|state| cors::preflight(state, call));
    }
    let operation = Operation::named(call.name()).ok_or_else(|| Error::unserved(&call.operation))?;
    operation.check(call)?;
    let reply = call.world.store.transaction(|state| match operation.run {
        Run::Service(run) => run(state, call),
        Run::Bucket(run) => run(state, &On::find(state, call, operation.action)?),
    });
    let mut response = reply.unwrap_or_else(|error| described(error, call).answer(&call.operation));
    response.headers_mut().insert("x-amz-request-id", HeaderValue::from_static(REQUEST));
    response.headers_mut().insert("x-amz-id-2", HeaderValue::from_static("sandbox"));
    call.world.store.transaction(|state| cors::expose(state, call, &mut response))?;
    Ok(response)
}

/// What S3 names beside the message: the bucket, the key, the version, the upload.
fn described(error: Error, call: &Call<'_>) -> Error {
    let (bucket, key) = taken_apart(&call.path);
    let version = call.field("versionId").unwrap_or_default();
    let details: &[(&str, &str)] = match error.code.as_ref() {
        "NoSuchBucket"
        | "BucketAlreadyOwnedByYou"
        | "BucketAlreadyExists"
        | "BucketNotEmpty"
        | "NoSuchTagSet"
        | "NoSuchCORSConfiguration"
        | "NoSuchBucketPolicy"
        | "OwnershipControlsNotFoundError"
        | "NoSuchPublicAccessBlockConfiguration"
        | "InvalidBucketName" => &[("BucketName", bucket)],
        "NoSuchKey" => &[("Key", key)],
        "NoSuchVersion" => &[("Key", key), ("VersionId", version)],
        "NoSuchUpload" => &[("UploadId", call.field("uploadId").unwrap_or_default())],
        "MethodNotAllowed" => &[("Method", call.method.as_str()), ("ResourceType", "DeleteMarker")],
        _ => &[],
    };
    let missing = |error: &Error, name: &str| !error.has_detail(name);
    details.iter().fold(error, |error, (name, value)| match missing(&error, name) {
        true => error.with_detail(*name, *value),
        false => error,
    })
}

/// What of a bucket an index has: the whole of it takes long to read where there are many.
#[derive(Deserialize)]
struct Tagged {
    owner: String,
    region: String,
    tags: Propagating<Tags>,
}

/// Buckets and their tags as others see them.
pub(super) fn tagged(
    state: &Transaction<'_>,
    call: &Call<'_>,
    account: &str,
    may_fit: impl Fn(&Value) -> bool,
) -> Result<Vec<(String, Tags)>, Error> {
    let (region, delay_ms) = (call.caller.region(), call.delay_ms("tags"));
    let buckets = state.scan_where::<Tagged>(&bucket::key(""), may_fit)?.into_iter();
    let buckets = buckets.filter(|(_, bucket)| bucket.owner == account && bucket.region == region);
    let tagged = |(key, bucket): (String, Tagged)| {
        let name = key.rsplit('/').next().unwrap_or_default();
        (arn(name, ""), bucket.tags.seen_after(call.now_ms, delay_ms).clone())
    };
    Ok(buckets.map(tagged).collect())
}

/// A role was deleted: policies that name it have its id from then on.
pub(super) fn forget(state: &mut Transaction<'_>, arn: &str, id: &str) -> Result<(), Error> {
    for (key, bucket) in state.scan::<Bucket>(&bucket::key(""))? {
        let Some(policy) = bucket.policy.as_ref().filter(|policy| policy.contains(arn)) else { continue };
        let policy = Some(policy.replace(&format!("\"{arn}\""), &format!("\"{id}\"")));
        state.put(&key, &Bucket { policy, ..bucket })?;
    }
    Ok(())
}

/// Bucket and key of a path.
fn taken_apart(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').unwrap_or((path, ""))
}

fn arn(bucket: &str, key: &str) -> String {
    if key.is_empty() { format!("arn:aws:s3:::{bucket}") } else { format!("arn:aws:s3:::{bucket}/{key}") }
}

impl<'a> On<'a> {
    fn find(state: &Transaction<'_>, call: &'a Call<'a>, action: &str) -> Result<Self, Error> {
        let (name, key) = taken_apart(&call.path);
        let bucket = Bucket::seen(state, call, name)?;
        let on = Self { call, name: name.to_owned(), key: key.to_owned(), bucket };
        on.check_region()?;
        on.check_owner("x-amz-expected-bucket-owner")?;
        if !action.is_empty() {
            let action = if call.field("versionId").is_some() { versioned(action) } else { action };
            on.authorize(action, key)?;
        }
        Ok(on)
    }

    /// A bucket is served by its own region
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility>.
    fn check_region(&self) -> Result<(), Error> {
        let elsewhere = self.call.caller.region.as_ref().is_some_and(|region| *region != self.bucket.region);
        if !elsewhere || self.call.name() == "GetBucketLocation" {
            return Ok(());
        }
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send \
                       all future requests to this endpoint.";
        Err(Error::new(301, "PermanentRedirect", message).with_header("x-amz-bucket-region", &self.bucket.region))
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
    fn check_owner(&self, header: &str) -> Result<(), Error> {
        let Some(owner) = self.call.header(header) else { return Ok(()) };
        if owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
            let message =
                format!("The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]");
            return Err(Error::new(400, "InvalidBucketOwnerAWSAccountID", message));
        }
        if owner == self.bucket.owner { Ok(()) } else { Err(denied()) }
    }

    /// The owner may do everything but what the policy denies, others only what it allows
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html>.
    fn authorize(&self, action: &str, key: &str) -> Result<(), Error> {
        let caller = &self.call.caller;
        let user = caller.user();
        let mut context = rights::context(caller, &user);
        context.extend(self.call.field("prefix").map(|prefix| ("s3:prefix", prefix)));
        let resource = arn(&self.name, key);
        let attempt = Attempt { principal: caller.principal(), action, resource: &resource, context };
        let owns = caller.account.as_ref() == Some(&self.bucket.owner);
        rights::decide(self.call, &attempt, self.decided(&attempt), owns)
    }

    /// "To delete an object from a bucket, you must always specify the s3:DeleteObject permission", also for a version
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
    fn may_delete(&self, key: &str) -> Result<(), Error> {
        rights::need(self.call, "s3:DeleteObject", &arn(&self.name, key))
    }

    fn decided(&self, attempt: &Attempt<'_>) -> Decision {
        let policy = self.bucket.policy.as_deref().and_then(Policy::attached);
        let Some(policy) = policy else { return Decision::Silent };
        let decision = policy.decide(attempt);
        let owner = self.bucket.owner.as_str();
        let outsider = ![Principal::Account(owner), Principal::Identity(owner)].contains(&attempt.principal);
        // "Restrict public buckets": <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>.
        let restricted = self.bucket.public_access_block.is_some_and(|block| block.restrict_public_buckets);
        if outsider && restricted && policy.is_public() && decision == Decision::Allow {
            return Decision::Silent;
        }
        decision
    }

    fn save(&self, state: &mut Transaction<'_>, bucket: &Bucket) -> Result<(), Error> {
        Ok(state.put(&bucket::key(&self.name), bucket)?)
    }
}

/// Actions on a version that is named have names of their own
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>.
fn versioned(action: &str) -> &str {
    match action {
        "s3:GetObject" => "s3:GetObjectVersion",
        "s3:DeleteObject" => "s3:DeleteObjectVersion",
        other => other,
    }
}

fn denied() -> Error {
    Error::new(403, "AccessDenied", "Access Denied")
}

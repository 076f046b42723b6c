//! The bucket's policy.

use bytes::Bytes;
use http::Response;

use super::bucket::Bucket;
use super::{On, arn, xml};
use crate::aws::error::{Error, Reply};
use crate::aws::policy::{Kind, Policy, with_roots};
use crate::state::Transaction;

/// A policy has 20 KB at most <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>.
const LIMIT: usize = 20 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
pub(super) fn get_bucket_policy(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let absent = || Error::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    let policy = on.bucket.policy.clone().ok_or_else(absent)?;
    Ok(Response::builder().header("content-type", "application/json").body(Bytes::from(policy)).unwrap_or_default())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
pub(super) fn put_bucket_policy(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let text = std::str::from_utf8(&on.call.body).unwrap_or_default();
    if text.len() > LIMIT {
        return Err(Error::new(400, "PolicyTooLarge", "Policy exceeds the maximum allowed document size."));
    }
    let policy = Policy::parse(text, Kind::Bucket(&on.name)).map_err(|problem| problem.answer("MalformedPolicy"))?;
    if policy.is_public() && on.bucket.public_access_block.is_some_and(|block| block.block_public_policy) {
        return Err(public_policy(on));
    }
    on.save(state, &Bucket { policy: Some(with_roots(text)), ..on.bucket.clone() })?;
    xml::nothing(204)
}

fn public_policy(on: &On<'_>) -> Error {
    let user = on.call.caller.user();
    let message = format!(
        "User: {user} is not authorized to perform: s3:PutBucketPolicy on resource: \"{}\" because public policies are \
         prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
        arn(&on.name, "")
    );
    Error::new(403, "AccessDenied", message)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
pub(super) fn delete_bucket_policy(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    on.save(state, &Bucket { policy: None, ..on.bucket.clone() })?;
    xml::nothing(204)
}

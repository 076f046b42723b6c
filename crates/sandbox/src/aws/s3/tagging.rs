//! Tags of buckets, by S3's own calls and by S3 Control's, and whether tags grant access.

use serde::{Deserialize, Serialize};

use super::bucket::{self, Bucket};
use super::{On, xml};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::tags::{self, Tags};
use crate::state::Transaction;

/// Tags in a document.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl TagSet {
    pub(super) fn into_pairs(self) -> impl Iterator<Item = (String, String)> {
        self.tags.into_iter().map(|tag| (tag.key, tag.value))
    }

    fn of(tags: &Tags) -> Self {
        let tag = |(key, value): (&String, &String)| Tag { key: key.clone(), value: value.clone() };
        Self { tags: tags.iter().map(tag).collect() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tagging {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    tag_set: TagSet,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
pub(super) fn get_bucket_tagging(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let tags = on.bucket.tags.seen_after(on.call.now_ms, on.call.delay_ms("s3.tags"));
    if tags.is_empty() {
        return Err(Error::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    }
    xml::answer("Tagging", &Tagging { xmlns: Some(xml::NAMESPACE.to_owned()), tag_set: TagSet::of(tags) })
}

/// The whole set <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>.
pub(super) fn put_bucket_tagging(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    refuse_with_abac(on)?;
    let input: Tagging = xml::input(on.call, "Tagging")?;
    write(state, on.call, &on.name, on.bucket.clone(), tags::checked(input.tag_set.into_pairs())?)?;
    xml::nothing(204)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
pub(super) fn delete_bucket_tagging(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    refuse_with_abac(on)?;
    write(state, on.call, &on.name, on.bucket.clone(), Tags::new())?;
    xml::nothing(204)
}

/// Where tags grant access, only S3 Control's calls write them
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html>.
fn refuse_with_abac(on: &On<'_>) -> Result<(), Error> {
    if !on.bucket.abac {
        return Ok(());
    }
    let message = "This operation is not supported on buckets with attribute-based access control. Use TagResource and \
                   UntagResource instead.";
    Err(Error::new(400, "InvalidRequest", message))
}

fn write(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    name: &str,
    mut bucket: Bucket,
    tags: Tags,
) -> Result<(), Error> {
    bucket.tags.write(tags::within_limit(tags)?, call.now_ms, call.longest_delay_ms());
    Ok(state.put(&bucket::key(name), &bucket)?)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct AbacStatus {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    status: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAbac.html>
pub(super) fn get_bucket_abac(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let status = if on.bucket.abac { "Enabled" } else { "Disabled" };
    xml::answer("AbacStatus", &AbacStatus { xmlns: Some(xml::NAMESPACE.to_owned()), status: status.to_owned() })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAbac.html>
pub(super) fn put_bucket_abac(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: AbacStatus = xml::input(on.call, "AbacStatus")?;
    let abac = match input.status.as_str() {
        "Enabled" => true,
        "Disabled" => false,
        _ => return Err(xml::malformed("an unknown status")),
    };
    on.save(state, &Bucket { abac, ..on.bucket.clone() })?;
    xml::nothing(200)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct TagResourceRequest {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    tags: TagSet,
}

/// Adds to the tags there are <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>.
pub(super) fn tag_resource(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: TagResourceRequest = xml::input(call, "TagResourceRequest")?;
    let (name, bucket) = resource(state, call, "s3:TagResource")?;
    let mut tags = bucket.tags.written().clone();
    tags.extend(tags::checked(input.tags.into_pairs()).map_err(|error| reworded(&error))?);
    write(state, call, &name, bucket, tags)?;
    xml::nothing(204)
}

/// S3 Control's own words for what is wrong with tags (recorded by LocalStack's `test_s3control.py`).
fn reworded(error: &Error) -> Error {
    let message = match error.message.as_str() {
        tags::TWICE => "There are duplicate tag keys in your request. Remove the duplicate tag keys and try again.",
        tags::SYSTEM => tags::RESERVED,
        _ => {
            "This request contains a tag key or value that isn't valid. Valid characters include the following: \
             [a-zA-Z+-=._:/]. Tag keys can contain up to 128 characters. Tag values can contain up to 256 characters."
        }
    };
    Error::new(400, "InvalidTag", message)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_UntagResource.html>
pub(super) fn untag_resource(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let (name, bucket) = resource(state, call, "s3:UntagResource")?;
    let mut tags = bucket.tags.written().clone();
    tags.retain(|key, _| !call.query.iter().any(|(field, value)| field == "tagKeys" && value == key));
    write(state, call, &name, bucket, tags)?;
    xml::nothing(204)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListTagsForResource.html>
pub(super) fn list_tags_for_resource(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let (_, bucket) = resource(state, call, "s3:ListTagsForResource")?;
    let tags = TagSet::of(bucket.tags.written());
    let xmlns = Some("http://awss3control.amazonaws.com/doc/2018-08-20/".to_owned());
    xml::answer("ListTagsForResourceResult", &TagResourceRequest { xmlns, tags })
}

/// The bucket of an ARN in the path, of the account in the header.
fn resource(state: &Transaction<'_>, call: &Call<'_>, action: &str) -> Result<(String, Bucket), Error> {
    let arn = call.path.strip_prefix("/v20180820/tags/").unwrap_or_default();
    let name = arn.strip_prefix("arn:aws:s3:::").filter(|name| !name.contains('/'));
    let name = name.ok_or_else(|| Error::unserved(format_args!("tags of {arn}")))?;
    let bucket = Bucket::seen(state, call, name);
    let bucket = bucket.map_err(|_| Error::new(404, "NoSuchResource", "The specified resource doesn't exist."))?;
    let on = On { call, name: name.to_owned(), key: String::new(), bucket };
    on.check_owner("x-amz-account-id")?;
    on.authorize(action, "")?;
    Ok((on.name, on.bucket))
}

//! Public access, ownership, encryption, versioning.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::{On, xml};
use crate::aws::error::{Error, Reply};
use crate::state::Transaction;

/// What is public in spite of policies and ACLs
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct PublicAccessBlock {
    block_public_acls: bool,
    ignore_public_acls: bool,
    pub(super) block_public_policy: bool,
    pub(super) restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    pub(super) const fn all() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
struct PublicAccessBlockInput {
    #[serde(rename = "@xmlns")]
    _xmlns: Option<String>,
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>
pub(super) fn get_public_access_block(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let absent = || {
        let message = "The public access block configuration was not found";
        Error::new(404, "NoSuchPublicAccessBlockConfiguration", message)
    };
    xml::answer("PublicAccessBlockConfiguration", &on.bucket.public_access_block.ok_or_else(absent)?)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
pub(super) fn put_public_access_block(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: PublicAccessBlockInput = xml::input(on.call, "PublicAccessBlockConfiguration")?;
    let block = PublicAccessBlock {
        block_public_acls: input.block_public_acls,
        ignore_public_acls: input.ignore_public_acls,
        block_public_policy: input.block_public_policy,
        restrict_public_buckets: input.restrict_public_buckets,
    };
    on.save(state, &Bucket { public_access_block: Some(block), ..on.bucket.clone() })?;
    xml::nothing(200)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html>
pub(super) fn delete_public_access_block(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    on.save(state, &Bucket { public_access_block: None, ..on.bucket.clone() })?;
    xml::nothing(204)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnershipControls {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    #[serde(rename = "Rule")]
    rules: Vec<OwnershipRule>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct OwnershipRule {
    object_ownership: String,
}

/// A kind of ownership <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>.
pub(super) fn ownership(name: &str) -> Result<String, Error> {
    if ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"].contains(&name) {
        return Ok(name.to_owned());
    }
    let error = Error::new(400, "InvalidArgument", format!("Invalid x-amz-object-ownership header: {name}"));
    Err(error.with_detail("ArgumentName", "x-amz-object-ownership"))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>
pub(super) fn get_ownership(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let absent = || Error::new(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
    let object_ownership = on.bucket.ownership.clone().ok_or_else(absent)?;
    let rules = vec![OwnershipRule { object_ownership }];
    xml::answer("OwnershipControls", &OwnershipControls { xmlns: Some(xml::NAMESPACE.to_owned()), rules })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
pub(super) fn put_ownership(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: OwnershipControls = xml::input(on.call, "OwnershipControls")?;
    let [rule] = input.rules.as_slice() else { return Err(xml::malformed("one rule is needed")) };
    let ownership = ownership(&rule.object_ownership).map_err(|error| xml::malformed(&error.message))?;
    on.save(state, &Bucket { ownership: Some(ownership), ..on.bucket.clone() })?;
    xml::nothing(200)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>
pub(super) fn delete_ownership(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    on.save(state, &Bucket { ownership: None, ..on.bucket.clone() })?;
    xml::nothing(204)
}

/// How objects are encrypted that do not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Encryption {
    #[serde(rename = "ApplyServerSideEncryptionByDefault")]
    #[serde(default)]
    pub(super) default: DefaultEncryption,
    #[serde(default)]
    pub(super) bucket_key_enabled: bool,
    #[serde(rename = "BlockedEncryptionTypes", default, skip_serializing_if = "Option::is_none")]
    blocked: Option<Blocked>,
}

/// Kinds of encryption that objects may not ask for
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_BlockedEncryptionTypes.html>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blocked {
    #[serde(rename = "EncryptionType", default)]
    kinds: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultEncryption {
    #[serde(rename = "SSEAlgorithm")]
    pub(super) algorithm: String,
    #[serde(rename = "KMSMasterKeyID", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

impl Default for DefaultEncryption {
    fn default() -> Self {
        Self { algorithm: "AES256".to_owned(), key: None }
    }
}

/// Keys of a customer's own are blocked on new buckets since April 2026
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html>.
impl Default for Encryption {
    fn default() -> Self {
        let blocked = Some(Blocked { kinds: vec!["SSE-C".to_owned()] });
        Self { default: DefaultEncryption::default(), bucket_key_enabled: false, blocked }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptionConfiguration {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    #[serde(rename = "Rule")]
    rules: Vec<Encryption>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>
pub(super) fn get_encryption(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let rules = vec![on.bucket.encryption.clone()];
    let configuration = EncryptionConfiguration { xmlns: Some(xml::NAMESPACE.to_owned()), rules };
    xml::answer("ServerSideEncryptionConfiguration", &configuration)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>
pub(super) fn put_encryption(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: EncryptionConfiguration = xml::input(on.call, "ServerSideEncryptionConfiguration")?;
    let [encryption] = input.rules.as_slice() else { return Err(xml::malformed("one rule is needed")) };
    let default = &encryption.default;
    if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&default.algorithm.as_str()) {
        return Err(xml::malformed("an unknown algorithm"));
    }
    if default.algorithm == "AES256" && default.key.is_some() {
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        let error = Error::new(400, "InvalidArgument", message);
        return Err(error.with_detail("ArgumentName", "ApplyServerSideEncryptionByDefault"));
    }
    let kinds = encryption.blocked.iter().flat_map(|blocked| &blocked.kinds);
    if !kinds.clone().all(|kind| ["SSE-C", "NONE"].contains(&kind.as_str())) {
        return Err(xml::malformed("an unknown kind of encryption"));
    }
    on.save(state, &Bucket { encryption: encryption.clone(), ..on.bucket.clone() })?;
    xml::nothing(200)
}

/// Back to the keys that S3 manages: a bucket is never without encryption
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html>.
pub(super) fn delete_encryption(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    on.save(state, &Bucket { encryption: Encryption::default(), ..on.bucket.clone() })?;
    xml::nothing(204)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct VersioningConfiguration {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing)]
    mfa_delete: Option<String>,
}

/// Nothing, if it never was on <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>.
pub(super) fn get_versioning(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let (xmlns, status) = (Some(xml::NAMESPACE.to_owned()), on.bucket.versioning.clone());
    xml::answer("VersioningConfiguration", &VersioningConfiguration { xmlns, status, mfa_delete: None })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub(super) fn put_versioning(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: VersioningConfiguration = xml::input(on.call, "VersioningConfiguration")?;
    match input.mfa_delete.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled") => return Err(Error::unserved("MfaDelete of s3:PutBucketVersioning")),
        Some(_) => return Err(xml::malformed("an unknown state of MfaDelete")),
    }
    match input.status.as_deref() {
        Some("Enabled" | "Suspended") => {
            on.save(state, &Bucket { versioning: input.status, ..on.bucket.clone() })?;
            xml::nothing(200)
        }
        Some(_) => Err(xml::malformed("an unknown status")),
        None => {
            let message = "The Versioning element must be specified";
            Err(Error::new(400, "IllegalVersioningConfigurationException", message))
        }
    }
}

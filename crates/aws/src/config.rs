//! The `[aws]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeMap;

use provision_core::cors::CorsSection;
use provision_core::deployment::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod checks;

/// The actions that W&B documents for the server on its bucket
/// (<https://docs.wandb.ai/platform/hosting/data-security/secure-storage-connector>).
pub(crate) const SERVER_BUCKET_ACTIONS: [&str; 11] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetBucketCORS",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetObject*",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:PutObject",
];

/// What the server does with its event queue.
pub(crate) const SERVER_QUEUE_ACTIONS: [&str; 6] = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// What the server does with the queue on which it publishes run events.
pub(crate) const SERVER_RUN_QUEUE_ACTIONS: [&str; 2] = ["sqs:GetQueueUrl", "sqs:SendMessage"];

/// What the server does with the bucket's key.
pub(crate) const SERVER_KEY_ACTIONS: [&str; 5] =
    ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"];

/// Amazon Web Services.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsSection {
    /// The region of the bucket and the queues. Without it, that of the environment or the profile.
    pub region: Option<String>,
    /// Stop if the credentials are not of this account (twelve digits).
    pub account: Option<String>,
    /// The server's file store.
    pub bucket: BucketSection,
    /// Where the server hears of new files.
    #[serde(default)]
    pub queue: QueueSection,
    /// Where the server publishes run events (`NOTIFICATIONS_QUEUE`).
    pub run_queue: Option<RunQueueSection>,
    /// The role that the server runs as, or who else's server uses the bucket.
    pub access: Option<AccessSection>,
}

/// The server's file store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSection {
    /// The bucket's name: 3-63 lower-case letters, digits and `-`.
    pub name: String,
    /// Take over a bucket that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// Encryption at rest: `"AES256"`, or `{ kms_key = "arn:aws:kms:..." }`.
    pub encryption: Option<Encryption>,
    /// Keep old versions of objects.
    pub versioning: Option<bool>,
    /// Also manage public access, ownership and the TLS-only policy of an adopted bucket.
    #[serde(default)]
    pub private: bool,
    /// `destroy` refuses while this is true.
    #[serde(default)]
    pub protect: bool,
    /// Which pages may use the bucket. Default: the server's host.
    #[serde(default)]
    pub cors: CorsSection,
}

/// Encryption at rest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Encryption {
    /// Keys that S3 manages.
    Managed(ManagedEncryption),
    /// A key of the account's.
    Key(KeyEncryption),
}

/// Keys that S3 manages.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub enum ManagedEncryption {
    /// SSE-S3.
    #[serde(rename = "AES256")]
    Aes256,
}

/// A key of the account's.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEncryption {
    /// The ARN of an existing KMS key.
    pub kms_key: String,
}

/// Where the server hears of new files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSection {
    /// The queue's name. Default: `<bucket>-events`.
    pub name: Option<String>,
    /// Take over a queue that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// How long a poll waits for a message, in seconds. Default: 10.
    #[schemars(range(min = 0, max = 20))]
    pub receive_wait_s: Option<u32>,
    /// How long a received message is hidden from others, in seconds. Default: 30.
    #[schemars(range(min = 0, max = 43200))]
    pub visibility_timeout_s: Option<u32>,
    /// How long a message is kept, in seconds. Default: 345600 (four days).
    #[schemars(range(min = 60, max = 1_209_600))]
    pub retention_s: Option<u32>,
    /// Who may send: `"bucket"` (this bucket only), or `"anyone"` (the documentation's policy, open to everybody).
    #[serde(default)]
    pub senders: Senders,
    /// `false`: no queue and no notification; the server uses its internal queue.
    #[serde(default = "provision_core::plan_file::on")]
    pub enabled: bool,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self {
            name: None,
            adopt: false,
            receive_wait_s: None,
            visibility_timeout_s: None,
            retention_s: None,
            senders: Senders::default(),
            enabled: true,
        }
    }
}

/// Who may send to the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Senders {
    /// This bucket of this account.
    #[default]
    Bucket,
    /// All principals, with the documentation's five actions.
    Anyone,
}

/// Where the server publishes run events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunQueueSection {
    /// The queue's name.
    pub name: String,
    /// Take over a queue that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
}

/// The role that the server runs as, or who else's server uses the bucket.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessSection {
    /// The name or ARN of an existing role of this account.
    pub role: Option<String>,
    /// What the role gets: `"least"` (the documented actions), or `"all"` (`s3:*` and `sqs:*` on these resources).
    #[serde(default)]
    pub grant: Grant,
    /// Who may use the bucket from other accounts, with the documented actions: account ids, or ARNs of roles, users and accounts.
    #[serde(default)]
    pub principals: Vec<String>,
}

/// What the server's role gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// The documented actions.
    #[default]
    Least,
    /// `s3:*` and `sqs:*` on the bucket, its objects and the queue.
    All,
}

/// The plan file as meant: the deployment and its `[aws]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub aws: AwsSection,
}

impl Settings {
    /// The name of the event queue.
    #[must_use]
    pub fn queue_name(&self) -> String {
        self.aws.queue.name.clone().unwrap_or_else(|| format!("{}-events", self.aws.bucket.name))
    }

    /// The role's name, without the rest of its ARN.
    #[must_use]
    pub fn role_name(&self) -> Option<&str> {
        let role = self.aws.access.as_ref()?.role.as_ref()?;
        Some(role.rsplit('/').next().unwrap_or(role))
    }

    /// Who may use the bucket from other accounts.
    #[must_use]
    pub fn principals(&self) -> &[String] {
        self.aws.access.as_ref().map(|access| access.principals.as_slice()).unwrap_or_default()
    }

    /// Whether the server is somebody else's, as W&B's hosted ones are: it is given the bucket, and nothing else.
    #[must_use]
    pub fn is_hosted_elsewhere(&self) -> bool {
        self.role_name().is_none() && !self.principals().is_empty()
    }

    /// The deployment's tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.deployment.tags
    }
}

/// The partition that a region's name tells
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
pub(crate) fn partition_of(region: &str) -> &'static str {
    const REGIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
    ];
    REGIONS.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| *partition)
}

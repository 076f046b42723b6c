//! The `[gcp]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeMap;

use provision_core::cors::CorsSection;
use provision_core::deployment::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod checks;

/// What the server does with objects: read, write, list, delete
/// (<https://cloud.google.com/storage/docs/access-control/iam-roles>; W&B's module grants the same).
pub(crate) const SERVER_BUCKET_ROLES: [&str; 1] = ["roles/storage.objectAdmin"];

/// What W&B documents for servers of its own that use a bucket of somebody else's: it reads the bucket's settings too, "to check the
/// bucket's CORS configuration and attributes"
/// (<https://docs.wandb.ai/platform/hosting/data-security/secure-storage-connector>).
pub(crate) const MEMBER_ROLE: &str = "roles/storage.admin";

/// What the server does with its subscription: pull and acknowledge, and see that it exists
/// (<https://cloud.google.com/pubsub/docs/access-control#roles>).
pub(crate) const SERVER_SUBSCRIPTION_ROLES: [&str; 2] = ["roles/pubsub.subscriber", "roles/pubsub.viewer"];

/// On itself, for `signBlob`: signed URLs are the only way in which browsers reach objects
/// (<https://cloud.google.com/iam/docs/service-account-permissions#token-creator-role>).
pub(crate) const SERVER_ACCOUNT_ROLES: [&str; 1] = ["roles/iam.serviceAccountTokenCreator"];

/// Days for which deleted objects can be restored, where the plan file does not say
/// (<https://cloud.google.com/storage/docs/soft-delete>).
const SOFT_DELETE_DAYS: u32 = 7;

/// Google Cloud.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcpSection {
    /// The project's id. Every call names it, so credentials of another project change nothing.
    pub project: String,
    /// The server's file store.
    pub bucket: BucketSection,
    /// Where the bucket publishes new files.
    #[serde(default)]
    pub topic: TopicSection,
    /// Where the server hears of new files.
    #[serde(default)]
    pub subscription: SubscriptionSection,
    /// The service account that the server runs as, or who else's server uses the bucket.
    pub access: Option<AccessSection>,
}

/// The server's file store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSection {
    /// The bucket's name: 3-63 lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Take over a bucket that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// Where the data is kept: a region or a multi-region. Cannot be changed later. Default: `US`.
    pub location: Option<String>,
    /// How objects are kept where they do not say themselves. Default: `STANDARD`.
    pub storage_class: Option<StorageClass>,
    /// Encryption at rest: `{ kms_key = "projects/.../cryptoKeys/..." }`. Default: keys that Google manages.
    pub encryption: Option<KeyEncryption>,
    /// Keep old versions of objects.
    pub versioning: Option<bool>,
    /// Days for which deleted objects can be restored: 7-90, or 0 for none. Default: 7.
    #[schemars(range(min = 0, max = 90))]
    pub soft_delete_days: Option<u32>,
    /// Also manage uniform access and public access prevention of an adopted bucket.
    #[serde(default)]
    pub private: bool,
    /// `destroy` refuses while this is true.
    #[serde(default)]
    pub protect: bool,
    /// Which pages may use the bucket. Default: the server's host.
    #[serde(default)]
    pub cors: CorsSection,
}

/// How objects are kept <https://cloud.google.com/storage/docs/storage-classes>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StorageClass {
    /// Used often.
    #[default]
    Standard,
    /// Used less than once a month.
    Nearline,
    /// Used less than once a quarter.
    Coldline,
    /// Used less than once a year.
    Archive,
}

impl StorageClass {
    /// As the service spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Nearline => "NEARLINE",
            Self::Coldline => "COLDLINE",
            Self::Archive => "ARCHIVE",
        }
    }
}

/// A key of the project's.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEncryption {
    /// The full name of an existing key: `projects/P/locations/L/keyRings/R/cryptoKeys/K`.
    pub kms_key: String,
}

/// Where the bucket publishes new files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicSection {
    /// The topic's name. Default: `<bucket>-events`.
    pub name: Option<String>,
    /// Take over a topic that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// `false`: no topic, subscription and notification; the server uses its internal queue.
    #[serde(default = "provision_core::plan_file::on")]
    pub enabled: bool,
}

impl Default for TopicSection {
    fn default() -> Self {
        Self { name: None, adopt: false, enabled: true }
    }
}

/// Where the server hears of new files. It never expires.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSection {
    /// The subscription's name. Default: the topic's.
    pub name: Option<String>,
    /// Take over a subscription that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// How long a pulled message is hidden from others, in seconds. Default: 30.
    #[schemars(range(min = 10, max = 600))]
    pub ack_deadline_s: Option<u32>,
    /// How long a message is kept, in seconds. Default: 604800 (seven days).
    #[schemars(range(min = 600, max = 2_678_400))]
    pub retention_s: Option<u32>,
}

/// The service account that the server runs as, or who else's server uses the bucket.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessSection {
    /// The email address of an existing service account.
    pub service_account: Option<String>,
    /// Whose server uses the bucket from elsewhere, with the documented role: `serviceAccount:...`, `group:...`, `principal://...`.
    #[serde(default)]
    pub members: Vec<String>,
}

/// The plan file as meant: the deployment and its `[gcp]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub gcp: GcpSection,
}

impl Settings {
    /// The name of the topic.
    #[must_use]
    pub fn topic_name(&self) -> String {
        self.gcp.topic_name()
    }

    /// The name of the subscription.
    #[must_use]
    pub fn subscription_name(&self) -> String {
        self.gcp.subscription.name.clone().unwrap_or_else(|| self.topic_name())
    }

    /// The server's identity.
    #[must_use]
    pub fn service_account(&self) -> Option<&str> {
        self.gcp.access.as_ref()?.service_account.as_deref()
    }

    /// Whose server uses the bucket from elsewhere.
    #[must_use]
    pub fn members(&self) -> &[String] {
        self.gcp.access.as_ref().map(|access| access.members.as_slice()).unwrap_or_default()
    }

    /// Whether the server is somebody else's, as W&B's hosted ones are: it is given the bucket, and nothing else.
    #[must_use]
    pub fn is_hosted_elsewhere(&self) -> bool {
        self.service_account().is_none() && !self.members().is_empty()
    }

    /// The deployment's tags, which Google calls labels.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.deployment.tags
    }
}

impl GcpSection {
    fn topic_name(&self) -> String {
        self.topic.name.clone().unwrap_or_else(|| format!("{}-events", self.bucket.name))
    }
}

impl BucketSection {
    /// Where the data is kept.
    pub(crate) fn location(&self) -> String {
        self.location.as_deref().unwrap_or("US").to_uppercase()
    }

    /// Days for which deleted objects can be restored.
    pub(crate) fn soft_delete_days(&self) -> u32 {
        self.soft_delete_days.unwrap_or(SOFT_DELETE_DAYS)
    }
}

/// Where the keys of a bucket's location are: the multi-region `EU` is `europe` there
/// <https://cloud.google.com/kms/docs/locations>.
pub(crate) fn location_of_keys(location: &str) -> String {
    match location {
        "EU" => "europe".to_owned(),
        other => other.to_lowercase(),
    }
}

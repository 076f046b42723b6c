//! The `[azure]` section of a plan file, and what it means once defaults are filled in.

use std::collections::BTreeMap;

use provision_core::cors::CorsSection;
use provision_core::deployment::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod checks;

/// Days for which deleted blobs can be restored, where the plan file does not say: what the portal turns on for a new account
/// (<https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-enable>).
const SOFT_DELETE_DAYS: u32 = 7;

/// All rules of an account together, in characters: "must not exceed 2 KiB".
pub(crate) const LARGEST_RULES: usize = 2048;

/// Microsoft Azure.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureSection {
    /// The subscription's id.
    pub subscription: String,
    /// The group of the storage account.
    pub resource_group: ResourceGroupSection,
    /// Where what is created is placed: `westeurope`. Needed unless group and account exist.
    pub location: Option<String>,
    /// Whose data centres.
    #[serde(default)]
    pub cloud: AzureEnvironment,
    /// The storage account.
    pub account: AccountSection,
    /// Which pages may use the account's blobs. Default: the server's host.
    #[serde(default)]
    pub cors: CorsSection,
    /// The server's file store.
    pub container: ContainerSection,
    /// Where the server hears of new files.
    #[serde(default)]
    pub queue: QueueSection,
    /// The event subscription from the container to the queue.
    #[serde(default)]
    pub events: EventsSection,
    /// The identity that the server runs as, or those of somebody else's server.
    pub access: Option<AccessSection>,
}

/// The group of the storage account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceGroupSection {
    /// The group's name.
    pub name: String,
    /// Create it. One that exists is only used.
    #[serde(default)]
    pub create: bool,
}

/// Whose data centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AzureEnvironment {
    /// The public cloud.
    #[default]
    Public,
    /// Azure for the US Government.
    UsGov,
    /// Azure in China, operated by 21Vianet.
    China,
}

/// The storage account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSection {
    /// The account's name, shared by all of Azure: 3-24 lower-case letters and digits.
    pub name: String,
    /// `false`: the account exists and is shared; it is used and never marked.
    #[serde(default = "provision_core::plan_file::on")]
    pub create: bool,
    /// How the data is replicated.
    #[serde(default)]
    pub sku: Sku,
    /// Days for which deleted blobs can be restored: 1-365, or 0 for none. Default: 7.
    #[schemars(range(min = 0, max = 365))]
    pub soft_delete_days: Option<u32>,
    /// Which of the two keys `AZURE_STORAGE_KEY` is.
    #[serde(default)]
    pub key: KeyName,
    /// `destroy` refuses while this is true.
    #[serde(default)]
    pub protect: bool,
}

impl AccountSection {
    /// Days for which deleted blobs can be restored.
    pub(crate) fn soft_delete_days(&self) -> u32 {
        self.soft_delete_days.unwrap_or(SOFT_DELETE_DAYS)
    }
}

/// How the data is replicated <https://learn.microsoft.com/azure/storage/common/storage-redundancy>. Premium accounts
/// have neither queues nor CORS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sku {
    /// Three copies in one data centre.
    #[serde(rename = "Standard_LRS")]
    Lrs,
    /// Copies in three zones.
    #[default]
    #[serde(rename = "Standard_ZRS")]
    Zrs,
    /// Three copies here, three in the paired region.
    #[serde(rename = "Standard_GRS")]
    Grs,
    /// The same, readable there.
    #[serde(rename = "Standard_RAGRS")]
    Ragrs,
    /// Copies in three zones here, three in the paired region.
    #[serde(rename = "Standard_GZRS")]
    Gzrs,
    /// The same, readable there.
    #[serde(rename = "Standard_RAGZRS")]
    Ragzrs,
}

/// One of an account's two keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyName {
    /// The first.
    #[default]
    Key1,
    /// The second.
    Key2,
}

impl KeyName {
    /// As the service spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key1 => "key1",
            Self::Key2 => "key2",
        }
    }

    /// The other one of the two.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Key1 => Self::Key2,
            Self::Key2 => Self::Key1,
        }
    }
}

/// The server's file store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerSection {
    /// The container's name: 3-63 lower-case letters, digits and single `-`.
    pub name: String,
    /// Take over a container that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// Also close an adopted container to the public.
    #[serde(default)]
    pub private: bool,
}

/// Where the server hears of new files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSection {
    /// The queue's name. Default: `<container>-events`.
    pub name: Option<String>,
    /// Take over a queue that exists without our mark.
    #[serde(default)]
    pub adopt: bool,
    /// `false`: no queue and no event subscription; the server uses its internal queue.
    #[serde(default = "provision_core::plan_file::on")]
    pub enabled: bool,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self { name: None, adopt: false, enabled: true }
    }
}

/// The event subscription from the container to the queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsSection {
    /// The event subscription's name. Default: one made of the deployment's name.
    pub name: Option<String>,
    /// How long a message waits in the queue, in seconds; -1 for ever. Default: -1. Without it the service drops messages
    /// after seven days.
    #[schemars(range(min = -1))]
    pub message_ttl_s: Option<i32>,
}

/// The identity that the server runs as, or those of somebody else's server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessSection {
    /// The object id of the identity; of a managed identity the principal id, not the client id.
    pub principal_id: Option<String>,
    /// What it is.
    #[serde(default)]
    pub principal_type: PrincipalType,
    /// Whose server uses the container, which is somebody else's, with the documented roles: object ids.
    #[serde(default)]
    pub identities: Vec<String>,
    /// Who signs in as the identities from elsewhere, where the server is somebody else's.
    pub federation: Option<FederationSection>,
}

/// Who signs in as the identities from elsewhere, as W&B's hosted servers do. Apply makes neither identities nor their federated
/// credentials: it prints the commands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FederationSection {
    /// The URL of who signs the server's tokens, which its operator tells.
    pub issuer: String,
    /// Whom those tokens are about: `system:serviceaccount:<namespace>:<name>`.
    pub subjects: Vec<String>,
}

/// What an identity is. If the type is given, the service skips the directory lookup, so that a new identity works at once
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrincipalType {
    /// An application or a managed identity.
    #[default]
    ServicePrincipal,
    /// A person.
    User,
    /// A group.
    Group,
}

/// The plan file as meant: the deployment and its `[azure]` section, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The deployment.
    pub deployment: Deployment,
    /// The section.
    pub azure: AzureSection,
}

impl Settings {
    /// The name of the event queue.
    #[must_use]
    pub fn queue_name(&self) -> String {
        self.azure.queue.name.clone().unwrap_or_else(|| default_queue(&self.azure))
    }

    /// Where what is created is placed, as the service spells it.
    #[must_use]
    pub fn location(&self) -> String {
        normal_location(self.azure.location.as_deref().unwrap_or_default())
    }

    /// The server's identity.
    #[must_use]
    pub fn principal_id(&self) -> Option<&str> {
        self.azure.access.as_ref()?.principal_id.as_deref()
    }

    /// What an identity is, where the plan file says it.
    #[must_use]
    pub fn principal_type(&self, principal: &str) -> Option<PrincipalType> {
        let is_server = self.principal_id().is_some_and(|named| named.eq_ignore_ascii_case(principal));
        self.azure.access.as_ref().filter(|_| is_server).map(|access| access.principal_type)
    }

    /// Whose server uses the container, which is somebody else's.
    #[must_use]
    pub fn identities(&self) -> &[String] {
        self.azure.access.as_ref().map(|access| access.identities.as_slice()).unwrap_or_default()
    }

    /// Everybody who is named.
    pub(crate) fn principals(&self) -> Vec<&str> {
        self.principal_id().into_iter().chain(self.identities().iter().map(String::as_str)).collect()
    }

    /// Whether the server is somebody else's, as W&B's hosted ones are: it is given the container, and nothing else.
    #[must_use]
    pub fn is_hosted_elsewhere(&self) -> bool {
        let elsewhere = |access: &AccessSection| access.federation.is_some() || access.principal_id.is_none();
        self.azure.access.as_ref().is_some_and(elsewhere)
    }

    /// The deployment's tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.deployment.tags
    }
}

fn default_queue(section: &AzureSection) -> String {
    format!("{}-events", section.container.name)
}

/// `West Europe` and `westeurope` are the same place.
pub(crate) fn normal_location(location: &str) -> String {
    location.replace(' ', "").to_ascii_lowercase()
}

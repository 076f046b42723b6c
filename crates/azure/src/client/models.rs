//! Documents of Resource Manager, as far as they are used: a member that is left out, or null, is `None`. What goes back to the
//! service keeps its other members.

use azure_core::http::Url;
use provision_core::mark::Tags;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something in a list, by its name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) name: String,
}

/// <https://learn.microsoft.com/rest/api/resources/resource-groups/get#resourcegroup>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResourceGroup {
    #[serde(default)]
    pub(crate) location: String,
    pub(crate) tags: Option<Tags>,
    properties: Option<Provisioned>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provisioned {
    provisioning_state: Option<String>,
}

impl ResourceGroup {
    /// What the service is doing with it.
    pub(crate) fn state(&self) -> Option<&str> {
        self.properties.as_ref()?.provisioning_state.as_deref()
    }
}

/// Something in a resource group <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group#genericresourceexpanded>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GroupResource {
    pub(crate) id: String,
    pub(crate) tags: Option<Tags>,
}

/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/get#systemtopic>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SystemTopic {
    pub(crate) id: String,
    properties: Option<SystemTopicProperties>,
}

#[derive(Clone, Debug, Deserialize)]
struct SystemTopicProperties {
    source: Option<String>,
}

impl SystemTopic {
    /// Whose events it has.
    pub(crate) fn source(&self) -> Option<&str> {
        self.properties.as_ref()?.source.as_deref()
    }
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties#storageaccount>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StorageAccount {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) kind: String,
    sku: Option<Sku>,
    pub(crate) tags: Option<Tags>,
    #[serde(default)]
    pub(crate) properties: AccountProperties,
}

#[derive(Clone, Debug, Deserialize)]
struct Sku {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountProperties {
    pub(crate) provisioning_state: Option<String>,
    pub(crate) supports_https_traffic_only: Option<bool>,
    pub(crate) minimum_tls_version: Option<String>,
    pub(crate) allow_blob_public_access: Option<bool>,
    pub(crate) allow_shared_key_access: Option<bool>,
    pub(crate) public_network_access: Option<String>,
    pub(crate) network_acls: Option<NetworkRules>,
    primary_endpoints: Option<Endpoints>,
}

/// The account's firewall <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create#networkruleset>.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkRules {
    pub(crate) default_action: Option<String>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoints {
    blob: Option<String>,
}

impl AccountProperties {
    /// Whether it can be reached from outside; an account that does not say so can.
    pub(crate) fn public_network(&self) -> &str {
        self.public_network_access.as_deref().unwrap_or("Enabled")
    }

    /// What becomes of requests that no rule of the firewall lets in.
    pub(crate) fn firewall(&self) -> &str {
        self.network_acls.as_ref().and_then(|rules| rules.default_action.as_deref()).unwrap_or("Allow")
    }
}

impl StorageAccount {
    /// How the data is replicated.
    pub(crate) fn sku(&self) -> Option<&str> {
        self.sku.as_ref().map(|sku| sku.name.as_str())
    }

    /// Whether requests may be signed with the account's keys; an account that does not say so takes them.
    pub(crate) fn allows_shared_keys(&self) -> bool {
        self.properties.allow_shared_key_access != Some(false)
    }

    /// Its kind; with what is out of the ordinary about it.
    pub(crate) fn described_kind(&self) -> String {
        match self.sku().filter(|sku| sku.starts_with("Premium")) {
            Some(sku) => format!("{} ({sku})", self.kind),
            None => self.kind.clone(),
        }
    }

    /// Where its blobs are.
    pub(crate) fn blob_endpoint(&self) -> Option<Url> {
        Url::parse(self.properties.primary_endpoints.as_ref()?.blob.as_deref()?).ok()
    }
}

/// A container <https://learn.microsoft.com/rest/api/storagerp/blob-containers/get#blobcontainer>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Container {
    properties: Option<ContainerProperties>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerProperties {
    public_access: Option<String>,
    metadata: Option<Tags>,
}

impl Container {
    /// What the public may read of it; `None` is nothing.
    pub(crate) fn public_access(&self) -> Option<&str> {
        self.properties.as_ref()?.public_access.as_deref()
    }

    /// Its metadata.
    pub(crate) fn metadata(&self) -> Option<&Tags> {
        self.properties.as_ref()?.metadata.as_ref()
    }
}

/// A queue <https://learn.microsoft.com/rest/api/storagerp/queue/get#storagequeue>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Queue {
    properties: Option<QueueProperties>,
}

#[derive(Clone, Debug, Deserialize)]
struct QueueProperties {
    metadata: Option<Tags>,
}

impl Queue {
    /// Its metadata.
    pub(crate) fn metadata(&self) -> Option<&Tags> {
        self.properties.as_ref()?.metadata.as_ref()
    }
}

/// The Blob service of an account
/// <https://learn.microsoft.com/rest/api/storagerp/blob-services/get-service-properties#blobserviceproperties>.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobService {
    pub(crate) properties: BlobServiceProperties,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlobServiceProperties {
    pub(crate) cors: Option<CorsRules>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsRules {
    pub(crate) cors_rules: Option<Vec<CorsRule>>,
}

/// One rule; what it leaves out is left out when it goes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exposed_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_in_seconds: Option<i64>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl BlobService {
    /// The CORS rules, in the order in which the service looks at them.
    pub(crate) fn rules(&self) -> &[CorsRule] {
        let rules = self.properties.cors.as_ref().and_then(|cors| cors.cors_rules.as_deref());
        rules.unwrap_or_default()
    }
}

/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/get#eventsubscription>
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventSubscription {
    #[serde(skip_serializing)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) properties: EventSubscriptionProperties,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventSubscriptionProperties {
    #[serde(skip_serializing)]
    pub(crate) provisioning_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<Destination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_with_resource_identity: Option<IdentityDelivery>,
    pub(crate) filter: Option<EventFilter>,
    pub(crate) event_delivery_schema: Option<String>,
    pub(crate) labels: Option<Vec<String>>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Where events go to; the members that a queue has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination {
    pub(crate) endpoint_type: Option<String>,
    pub(crate) properties: Option<QueueTarget>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueTarget {
    pub(crate) resource_id: Option<String>,
    pub(crate) queue_name: Option<String>,
    pub(crate) queue_message_time_to_live_in_seconds: Option<i64>,
}

/// A delivery for which the subscription has an identity of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IdentityDelivery {
    pub(crate) destination: Option<Destination>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventFilter {
    pub(crate) subject_begins_with: Option<String>,
    pub(crate) subject_ends_with: Option<String>,
    pub(crate) included_event_types: Option<Vec<String>>,
    pub(crate) advanced_filters: Option<Vec<Value>>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl EventSubscription {
    /// Where its events go to: with an identity for the delivery, that is said there.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        let properties = &self.properties;
        let delivery = properties.delivery_with_resource_identity.as_ref();
        delivery.and_then(|delivery| delivery.destination.as_ref()).or(properties.destination.as_ref())
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> &[String] {
        self.properties.labels.as_deref().unwrap_or_default()
    }
}

/// <https://learn.microsoft.com/rest/api/authorization/role-assignments/get#roleassignment>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RoleAssignment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) properties: RoleAssignmentProperties,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleAssignmentProperties {
    pub(crate) scope: String,
    pub(crate) role_definition_id: String,
    pub(crate) principal_id: String,
}

//! Documents of Resource Manager, as far as they are used: a member that is left out, or null, is `None`. What goes back to the
//! service keeps its other members.

mod container;

use azure_core::http::Url;
use provision_core::mark::Tags;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::container::{Container, Held, Keeping};

/// Tags or metadata. One of somebody else's that is no text says nothing about the rest of a list.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tags>, D::Error> {
    let text = |value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let found = Option::<Map<String, Value>>::deserialize(deserializer)?;
    Ok(found.map(|found| found.into_iter().map(|(name, value)| (name, text(value))).collect()))
}

/// A text of one thing in a list, which is empty where there is none: it is nobody's then that we know.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Something in a list, by its name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) name: String,
}

/// <https://learn.microsoft.com/rest/api/resources/management-locks/list-by-scope#managementlockobject>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lock {
    #[serde(default)]
    id: String,
    #[serde(default)]
    pub(crate) name: String,
}

impl Lock {
    /// Whether it holds for something, by its full name: what is locked, and what is in that.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let (own, id) = (self.id.to_ascii_lowercase(), id.to_ascii_lowercase());
        let scope = own.split("/providers/microsoft.authorization/locks/").next().unwrap_or_default();
        id.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What one role lets the caller do
/// <https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource#permission>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Permission {
    pub(crate) actions: Vec<String>,
    pub(crate) not_actions: Vec<String>,
    pub(crate) data_actions: Vec<String>,
    pub(crate) not_data_actions: Vec<String>,
    /// In a deny assignment, what else must hold.
    pub(crate) condition: Option<String>,
}

/// <https://learn.microsoft.com/rest/api/resources/resource-groups/get#resourcegroup>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResourceGroup {
    #[serde(default)]
    pub(crate) location: String,
    #[serde(default, deserialize_with = "texts")]
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

/// <https://learn.microsoft.com/rest/api/resources/providers/get#provider>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provider {
    pub(super) registration_state: String,
}

/// Something in a resource group <https://learn.microsoft.com/rest/api/resources/resources/list-by-resource-group#genericresourceexpanded>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GroupResource {
    #[serde(default, deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(default, deserialize_with = "texts")]
    pub(crate) tags: Option<Tags>,
}

/// <https://learn.microsoft.com/rest/api/eventgrid/controlplane/system-topics/get#systemtopic>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SystemTopic {
    #[serde(default, deserialize_with = "text")]
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
    #[serde(default, deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) location: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) kind: String,
    sku: Option<Sku>,
    #[serde(default, deserialize_with = "texts")]
    pub(crate) tags: Option<Tags>,
    #[serde(default)]
    pub(crate) properties: AccountProperties,
}

#[derive(Clone, Debug, Deserialize)]
struct Sku {
    #[serde(default, deserialize_with = "text")]
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
    pub(crate) key_creation_time: Option<KeyTimes>,
    primary_endpoints: Option<Endpoints>,
}

/// When each key was made; nothing where that was before the service kept it
/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties#keycreationtime>.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct KeyTimes {
    pub(crate) key1: Option<String>,
    pub(crate) key2: Option<String>,
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability#checknameavailabilityresult>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NameAvailability {
    pub(super) name_available: bool,
    pub(super) message: Option<String>,
}

/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys#storageaccountlistkeysresult>
#[derive(Deserialize)]
pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    pub(super) key_name: String,
    pub(super) value: String,
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
    queue: Option<String>,
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

    /// Where its queues are.
    pub(crate) fn queue_endpoint(&self) -> Option<Url> {
        Url::parse(self.properties.primary_endpoints.as_ref()?.queue.as_deref()?).ok()
    }
}

/// A queue <https://learn.microsoft.com/rest/api/storagerp/queue/get#storagequeue>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Queue {
    properties: QueueProperties,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueProperties {
    approximate_message_count: Option<u64>,
    #[serde(default, deserialize_with = "texts")]
    metadata: Option<Tags>,
}

impl Queue {
    /// About how many messages there are, hidden ones too.
    pub(crate) const fn messages(&self) -> Option<u64> {
        self.properties.approximate_message_count
    }

    /// Its metadata.
    pub(crate) const fn metadata(&self) -> Option<&Tags> {
        self.properties.metadata.as_ref()
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

/// One rule, which goes back as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CorsRule(pub(crate) Map<String, Value>);

impl CorsRule {
    /// The texts of one of its lists.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// How long browsers keep the answer.
    pub(crate) fn max_age_s(&self) -> i64 {
        self.0.get("maxAgeInSeconds").and_then(Value::as_i64).unwrap_or_default()
    }
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
    #[serde(skip_serializing, default, deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(skip_serializing, default, deserialize_with = "text")]
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
    #[serde(default, deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) properties: RoleAssignmentProperties,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RoleAssignmentProperties {
    #[serde(deserialize_with = "text")]
    pub(crate) scope: String,
    #[serde(deserialize_with = "text")]
    pub(crate) role_definition_id: String,
    #[serde(deserialize_with = "text")]
    pub(crate) principal_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is odd about one thing of somebody else's hides no other in the list.
    #[test]
    fn odd_things_of_others_are_read() {
        let read = |value: Value| serde_json::from_value::<RoleAssignment>(value).map(|found| found.properties.scope);
        assert_eq!(read(json!({"id": null, "properties": {"scope": "/s", "principalId": null}})).unwrap(), "/s");
        assert_eq!(read(json!({})).unwrap(), "");
        let account: StorageAccount =
            serde_json::from_value(json!({"sku": {"name": null}, "kind": null, "tags": {"a": 1, "b": null, "c": "d"}}))
                .unwrap();
        let tags = [("a", "1"), ("b", ""), ("c", "d")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!((account.tags, account.kind.as_str()), (Some(tags.into()), ""));
        for other in [json!("text"), json!(1), Value::Null] {
            serde_json::from_value::<RoleAssignment>(other.clone()).unwrap_err();
            serde_json::from_value::<StorageAccount>(other.clone()).unwrap_err();
            serde_json::from_value::<Named>(other).unwrap_err();
        }
    }

    /// A container that does not say what it is like is not known to have no metadata.
    #[test]
    fn half_a_document_is_none() {
        serde_json::from_value::<Container>(json!({"id": "/c"})).unwrap_err();
        serde_json::from_value::<Queue>(json!({"id": "/q", "properties": {"metadata": []}})).unwrap_err();
    }
}

//! How an account of ours, its blobs and its queues are reached.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::models::{AccountProperties, NetworkRules};

/// The least version that is desired; later ones sort after it.
const LEAST_TLS: &str = "TLS1_2";

/// How the account and its blobs are reached.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Security {
    https_only: bool,
    least_tls: String,
    public_blobs: bool,
    /// Whether the account's keys are good for anything; only where the server signs with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_keys: Option<bool>,
    /// Whether the account is on the public network, where browsers and Event Grid come from.
    public_network: String,
    /// What becomes of requests that no rule of the account's lets in.
    firewall: String,
}

impl Security {
    pub(super) fn desired(by_key: bool) -> Self {
        Self {
            https_only: true,
            least_tls: LEAST_TLS.to_owned(),
            public_blobs: false,
            shared_keys: by_key.then_some(true),
            public_network: "Enabled".to_owned(),
            firewall: "Allow".to_owned(),
        }
    }

    /// Properties that an old account does not answer stand for what they were before there was such a setting
    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties>.
    pub(super) fn of(by_key: bool, found: &AccountProperties) -> Self {
        let tls = found.minimum_tls_version.as_deref().unwrap_or("TLS1_0");
        Self {
            https_only: found.supports_https_traffic_only.unwrap_or(false),
            // It is the least that is desired: a harder setting is as good.
            least_tls: if tls > LEAST_TLS { LEAST_TLS } else { tls }.to_owned(),
            public_blobs: found.allow_blob_public_access.unwrap_or(true),
            shared_keys: by_key.then(|| found.allow_shared_key_access != Some(false)),
            public_network: found.public_network().to_owned(),
            firewall: found.firewall().to_owned(),
        }
    }

    /// What is closed, and whether the server's key is good for anything.
    pub(super) fn in_words(&self) -> String {
        let public = if self.public_blobs { "public blobs" } else { "no public blobs" };
        let https = if self.https_only { "HTTPS only" } else { "HTTP too" };
        let keys = self.shared_keys.map(|on| if on { "account keys on" } else { "account keys off" });
        let tls = format!("{} or later", self.least_tls.replace("TLS", "TLS ").replace('_', "."));
        [Some(public), Some(https), Some(tls.as_str()), keys].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// As the service spells it: a harder least version of TLS and the firewall's other rules stay as they were found, and a
    /// network that is as desired is not written at all. Nothing is found of an account that is to be made.
    pub(super) fn properties(&self, found: Option<&AccountProperties>) -> Value {
        let tls = found.and_then(|found| found.minimum_tls_version.as_ref());
        let harder = tls.filter(|tls| tls.as_str() > LEAST_TLS);
        let mut properties = json!({
            "supportsHttpsTrafficOnly": self.https_only,
            "minimumTlsVersion": harder.unwrap_or(&self.least_tls),
            "allowBlobPublicAccess": self.public_blobs,
        });
        if found.is_none_or(|found| found.public_network() != self.public_network) {
            properties["publicNetworkAccess"] = json!(self.public_network);
        }
        if found.is_none_or(|found| found.firewall() != self.firewall) {
            let rules = found.and_then(|found| found.network_acls.clone()).unwrap_or_default();
            properties["networkAcls"] = json!(NetworkRules { default_action: Some(self.firewall.clone()), ..rules });
        }
        if let Some(shared_keys) = self.shared_keys {
            properties["allowSharedKeyAccess"] = json!(shared_keys);
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties#storageaccountgetproperties>
    #[test]
    fn security_survives_the_spelling_of_the_service() {
        let nothing = AccountProperties::default();
        for by_key in [true, false] {
            let desired = Security::desired(by_key);
            let answered = serde_json::from_value(desired.properties(None)).unwrap();
            assert_eq!(Security::of(by_key, &answered), desired);
            let old = Security { https_only: false, least_tls: "TLS1_0".to_owned(), public_blobs: true, ..desired };
            assert_eq!(Security::of(by_key, &nothing), old);
        }
    }

    #[test]
    fn rules_of_the_firewall_stay_when_it_is_opened() {
        let rules = json!({"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "192.0.2.1"}]});
        let found = serde_json::from_value(json!({"minimumTlsVersion": "TLS1_3", "networkAcls": rules})).unwrap();
        let written = Security::desired(true).properties(Some(&found));
        let expected = json!({"defaultAction": "Allow", "bypass": "None", "ipRules": [{"value": "192.0.2.1"}]});
        assert_eq!((&written["networkAcls"], &written["minimumTlsVersion"]), (&expected, &json!("TLS1_3")));
    }
}

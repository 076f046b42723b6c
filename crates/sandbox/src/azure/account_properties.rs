//! The properties of a storage account: how it and what is in it are reached.

use serde_json::{Map, Value, json};

use crate::azure::refusal::Refusal;

/// Properties that are kept and given back
/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create#request-body>.
const PROPERTIES: [&str; 20] = [
    "accessTier",
    "allowBlobPublicAccess",
    "allowCrossTenantReplication",
    "allowSharedKeyAccess",
    "allowedCopyScope",
    "azureFilesIdentityBasedAuthentication",
    "defaultToOAuthAuthentication",
    "dnsEndpointType",
    "encryption",
    "isHnsEnabled",
    "isLocalUserEnabled",
    "isNfsV3Enabled",
    "isSftpEnabled",
    "keyPolicy",
    "largeFileSharesState",
    "minimumTlsVersion",
    "networkAcls",
    "publicNetworkAccess",
    "sasPolicy",
    "supportsHttpsTrafficOnly",
];

/// Those of them that make an account of a kind that is not served.
const NOT_SERVED: [&str; 3] = ["isHnsEnabled", "isNfsV3Enabled", "isSftpEnabled"];

/// What a new account is, where nothing else is said.
pub(super) fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "accessTier": "Hot",
        "allowBlobPublicAccess": false,
        "encryption": {
            "keySource": "Microsoft.Storage",
            "services": {
                "blob": { "enabled": true, "keyType": "Account" }, "file": { "enabled": true, "keyType": "Account" },
            },
        },
        "minimumTlsVersion": "TLS1_2",
        "networkAcls": { "bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": [] },
        "supportsHttpsTrafficOnly": true,
    });
    defaults.as_object().cloned().unwrap_or_default()
}

/// Put what is written over what there is.
pub(super) fn merge(properties: &mut Map<String, Value>, wanted: Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in wanted {
        if !PROPERTIES.contains(&name.as_str()) {
            let message = format!("Could not find member '{name}' on object of type 'StorageAccountProperties'.");
            return Err(Refusal::bad_request("InvalidRequestContent", message));
        }
        if NOT_SERVED.contains(&name.as_str()) && value == Value::Bool(true) {
            return Err(Refusal::not_served(&format!("accounts with {name}")));
        }
        if name.starts_with("allow") && name != "allowedCopyScope" && !(value.is_boolean() || value.is_null()) {
            let message = format!("The value of '{name}' must be true or false.");
            return Err(Refusal::bad_request("InvalidRequestContent", message));
        }
        let value = match name.as_str() {
            "networkAcls" | "publicNetworkAccess" if value.is_null() => continue,
            "networkAcls" => network(properties.get(&name), &value)?,
            "publicNetworkAccess" => one_of(&name, value, &["Enabled", "Disabled", "SecuredByPerimeter"])?,
            _ => value,
        };
        properties.insert(name, value);
    }
    Ok(())
}

/// The firewall; of its members only `defaultAction` must be said
/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create#networkruleset>.
fn network(before: Option<&Value>, wanted: &Value) -> Result<Value, Refusal> {
    let mut rules = before.and_then(Value::as_object).cloned().unwrap_or_default();
    one_of("networkAcls.defaultAction", wanted["defaultAction"].clone(), &["Allow", "Deny"])?;
    rules.extend(wanted.as_object().cloned().unwrap_or_default());
    Ok(Value::Object(rules))
}

fn one_of(what: &str, value: Value, known: &[&str]) -> Result<Value, Refusal> {
    if value.as_str().is_some_and(|text| known.contains(&text)) {
        return Ok(value);
    }
    let message = format!("Values for request parameters are invalid: {what} {value}; one of {}.", known.join(", "));
    Err(Refusal::bad_request("InvalidValuesForRequestParameters", message))
}

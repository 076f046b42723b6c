//! Answers of the real service, as the recordings of Microsoft's own teams have them, under names of ours: each is read as
//! what it says.

use azure_core::http::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::ServiceResponse;
use super::models::{
    BlobService, Container, EventSubscription, Named, Queue, ResourceGroup, RoleAssignment, StorageAccount,
};
use super::polling::{Following, Step};

fn read<T: DeserializeOwned>(document: Value) -> T {
    serde_json::from_value(document).unwrap()
}

/// azure-sdk-for-net, `GetAllBlobContainers.json`, 2022: without `etag` and `identity`, with what an old default says.
#[test]
fn account_made_without_settings() {
    let account: StorageAccount = read(json!({
        "sku": {"name": "Standard_GRS", "tier": "Standard"}, "kind": "Storage", "id": "/a", "name": "acme",
        "type": "Microsoft.Storage/storageAccounts", "location": "eastus2", "tags": {"key1": "value1"},
        "properties": {
            "keyCreationTime": {"key1": "2022-11-17T08:28:16.3075083Z", "key2": "2022-11-17T08:28:16.3075083Z"},
            "privateEndpointConnections": [], "minimumTlsVersion": "TLS1_0", "allowBlobPublicAccess": true,
            "networkAcls": {"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"},
            "supportsHttpsTrafficOnly": true, "provisioningState": "Succeeded",
            "encryption": {"services": {"blob": {"keyType": "Account", "enabled": true}}, "keySource": "Microsoft.Storage"},
            "primaryEndpoints": {"blob": "https://acme.blob.core.windows.net/", "file": "https://acme.file.core.windows.net/"},
            "primaryLocation": "eastus2", "statusOfPrimary": "available", "secondaryLocation": "centralus",
        },
    }));
    assert_eq!(
        (account.sku(), account.kind.as_str(), account.location.as_str()),
        (Some("Standard_GRS"), "Storage", "eastus2")
    );
    let properties = &account.properties;
    assert_eq!(
        (properties.minimum_tls_version.as_deref(), properties.allow_blob_public_access),
        (Some("TLS1_0"), Some(true))
    );
    assert_eq!((properties.public_network(), properties.firewall()), ("Enabled", "Allow"));
    assert_eq!(account.blob_endpoint(), Url::parse("https://acme.blob.core.windows.net/").ok());
    assert!(account.allows_shared_keys());
}

/// The same recording: a new account's; azure-sdk-for-net, `BlobServiceCors.json`: the answer to a write, without `sku`.
#[test]
fn blob_services() {
    let retention = json!({"allowPermanentDelete": false, "enabled": false});
    let new = json!({"sku": {"name": "Standard_GRS"}, "id": "/b", "name": "default",
        "properties": {"cors": {"corsRules": []}, "deleteRetentionPolicy": retention}});
    let new: BlobService = read(new);
    assert!(new.rules().is_empty());
    assert_eq!(json!(new)["properties"]["deleteRetentionPolicy"], retention);
    let rule = json!({"allowedOrigins": ["http://www.contoso.com", "http://www.fabrikam.com"], "allowedMethods": ["GET", "PUT"],
        "maxAgeInSeconds": 100, "exposedHeaders": ["x-ms-meta-*"], "allowedHeaders": ["x-ms-meta-abc", "x-ms-meta-data*"]});
    let written: BlobService =
        read(json!({"id": "/b", "name": "default", "properties": {"cors": {"corsRules": [rule]},
        "defaultServiceVersion": "2017-04-17", "deleteRetentionPolicy": {"enabled": true, "days": 300}}}));
    assert_eq!(json!(written.rules()), json!([rule]));
    assert_eq!(written.rules()[0].texts("allowedOrigins").len(), 2);
}

/// azure-cli, `test_storage_container_using_rm_main_scenario.yaml`: one has its metadata, in a list none has.
#[test]
fn containers() {
    let one: Container = read(json!({"id": "/c1", "name": "c1", "etag": "\"0x8D903277B6E015F\"", "properties": {
        "deleted": false, "remainingRetentionDays": 0, "defaultEncryptionScope": "scope1", "denyEncryptionScopeOverride": false,
        "metadata": {"key2": "value2"}, "publicAccess": "Container", "leaseStatus": "Unlocked", "leaseState": "Available",
        "legalHold": {"hasLegalHold": false, "tags": []}, "hasImmutabilityPolicy": false, "hasLegalHold": false}}));
    assert_eq!((one.public_access(), one.metadata().map(|found| found.len())), (Some("Container"), Some(1)));
    let listed: Named = read(json!({"id": "/c1", "name": "c1", "etag": "\"0x8D903277D0C1E2C\"", "properties": {
        "immutableStorageWithVersioning": {"enabled": false}, "deleted": false, "publicAccess": "None"}}));
    assert_eq!(listed.name, "c1");
}

/// azure-sdk-for-net, `CreateDeleteStorageQueue.json`.
#[test]
fn queue_of_no_metadata() {
    let queue: Queue =
        read(json!({"id": "/q1", "name": "q1", "type": "Microsoft.Storage/storageAccounts/queueServices/queues",
        "properties": {"metadata": {}, "approximateMessageCount": 0}}));
    assert_eq!(queue.metadata().map(|found| found.len()), Some(0));
}

/// azure-cli, `test_event_subscription_with_storagequeuemessage_ttl.yaml`: what was not said is an empty text, or null.
#[test]
fn event_subscription_with_nothing_said() {
    let found: EventSubscription =
        read(json!({"id": "/es1", "name": "es1", "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": {
            "topic": "/subscriptions/s/resourceGroups/g/providers/microsoft.storage/storageaccounts/acme",
            "provisioningState": "Succeeded",
            "destination": {"endpointType": "StorageQueue", "properties": {
                "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acme",
                "queueName": "q1", "queueMessageTimeToLiveInSeconds": 120}},
            "filter": {"subjectBeginsWith": "", "subjectEndsWith": "",
                "includedEventTypes": ["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"]},
            "labels": null, "eventDeliverySchema": "CloudEventSchemaV1_0",
            "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}}}));
    let target = found.destination().and_then(|destination| destination.properties.clone()).unwrap();
    assert_eq!((target.queue_name.as_deref(), target.queue_message_time_to_live_in_seconds), (Some("q1"), Some(120)));
    assert!(found.labels().is_empty());
    assert_eq!(found.properties.event_delivery_schema.as_deref(), Some("CloudEventSchemaV1_0"));
}

/// azure-service-operator, `Test_Authorization_RoleAssignment_OnStorageAccount_CRUD.yaml`, 2025.
#[test]
fn role_assignment_and_group() {
    let found: RoleAssignment = read(
        json!({"id": "/ra", "name": "aab463b4", "type": "Microsoft.Authorization/roleAssignments",
        "properties": {"roleDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/b24988ac",
            "principalId": "1f0eb340", "principalType": "ServicePrincipal", "scope": "/a", "condition": null,
            "conditionVersion": null, "createdBy": null, "description": null, "delegatedManagedIdentityResourceId": null}}),
    );
    assert_eq!((found.properties.scope.as_str(), found.properties.principal_id.as_str()), ("/a", "1f0eb340"));
    let group: ResourceGroup = read(json!({"id": "/g", "name": "g", "type": "Microsoft.Resources/resourceGroups",
        "location": "westus2", "tags": {"k": "v"}, "properties": {"provisioningState": "Succeeded"}}));
    assert_eq!((group.location.as_str(), group.state()), ("westus2", Some("Succeeded")));
}

/// How each write was answered, and what that says: `Look` with the address that is looked at next.
#[test]
fn writes_are_followed() {
    let endpoint = Url::parse("https://management.azure.com/").unwrap();
    let resource = endpoint.join("resource").unwrap();
    let at = |path: &str| format!("https://management.azure.com{path}");
    let document = json!({"id": "/r", "properties": {}});
    let step = |deletes: bool, answer: ServiceResponse| {
        Following::default().step(&answer, &endpoint, Some(&resource).filter(|_| !deletes)).unwrap()
    };
    let answer = |status, body: &Value| ServiceResponse { status, body: body.clone(), ..ServiceResponse::default() };
    let look = |path: &str| Step::Look(endpoint.join(path).unwrap());
    // A new account: 202, an address that is signed and over 3,000 characters long, no Azure-AsyncOperation.
    let signed = format!("/asyncoperations/1?monitor=true&c={}", "x".repeat(3_000));
    let location = |path: &str| Some(if path.starts_with('/') { at(path) } else { path.to_owned() });
    let accepted = ServiceResponse { location: location(&signed), ..answer(202, &Value::Null) };
    assert_eq!(step(false, accepted), look(&signed));
    // An event subscription: 201 while it is made, with the port in the address.
    let link = Some("https://management.azure.com:443/operationsStatus/2?api-version=1".to_owned());
    let made = ServiceResponse { async_operation: link.clone(), ..answer(201, &document) };
    assert_eq!(step(false, made), look("/operationsStatus/2?api-version=1"));
    // Its deletion: 202 with both addresses; a group's with one; an account's 200, a container's 200, a queue's 204.
    let both = ServiceResponse {
        async_operation: link,
        location: location("/operationResults/2"),
        ..answer(202, &Value::Null)
    };
    assert_eq!(step(true, both), look("/operationsStatus/2?api-version=1"));
    let group = ServiceResponse { location: location("/operationresults/3"), ..answer(202, &Value::Null) };
    assert_eq!(step(true, group), look("/operationresults/3"));
    for done in [answer(200, &Value::Null), answer(200, &document), answer(204, &Value::Null)] {
        assert_eq!(step(true, done), Step::Done);
    }
    // A container: 201 and only what was sent, of an empty body not even `properties`; a queue: 200 for a new one.
    for done in [answer(201, &json!({"id": "/c2", "name": "c2"})), answer(200, &document)] {
        assert_eq!(step(false, done), Step::Done);
    }
    // A final 201 may have an address that leads nowhere.
    let relative = ServiceResponse { location: Some("/subscriptions/relative".to_owned()), ..answer(201, &document) };
    assert_eq!(step(false, relative), Step::Done);
}

//! Which API operation a request is: one table for the operations' names and for who answers them.

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::percent_decode_str;

/// A request's operation and the variables of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// `storage.json:buckets.get`.
    pub operation: String,
    /// What stands for each `*` of the path, decoded.
    pub names: Vec<String>,
}

/// Paths with variables, in the order in which they are tried. What the sandbox names and does not serve is here too.
const ROUTES: &[(&str, &str, &str)] = &[
    // Cloud Storage, <https://cloud.google.com/storage/docs/json_api/v1>.
    ("POST", "/storage/v1/b", "storage.json:buckets.insert"),
    ("GET", "/storage/v1/b", "storage.json:buckets.list"),
    ("GET", "/storage/v1/b/*", "storage.json:buckets.get"),
    ("PATCH", "/storage/v1/b/*", "storage.json:buckets.patch"),
    ("PUT", "/storage/v1/b/*", "storage.json:buckets.update"),
    ("DELETE", "/storage/v1/b/*", "storage.json:buckets.delete"),
    ("GET", "/storage/v1/b/*/iam", "storage.json:buckets.getIamPolicy"),
    ("PUT", "/storage/v1/b/*/iam", "storage.json:buckets.setIamPolicy"),
    ("GET", "/storage/v1/b/*/iam/testPermissions", "storage.json:buckets.testIamPermissions"),
    ("GET", "/storage/v1/b/*/storageLayout", "storage.json:buckets.getStorageLayout"),
    ("GET", "/storage/v1/b/*/managedFolders", "storage.json:managedFolders.list"),
    ("POST", "/storage/v1/b/*/lockRetentionPolicy", "storage.json:buckets.lockRetentionPolicy"),
    ("POST", "/storage/v1/b/*/notificationConfigs", "storage.json:notificationConfigs.insert"),
    ("GET", "/storage/v1/b/*/notificationConfigs", "storage.json:notificationConfigs.list"),
    ("GET", "/storage/v1/b/*/notificationConfigs/*", "storage.json:notificationConfigs.get"),
    ("DELETE", "/storage/v1/b/*/notificationConfigs/*", "storage.json:notificationConfigs.delete"),
    ("GET", "/storage/v1/projects/*/serviceAccount", "storage.json:projects.serviceAccount.get"),
    ("GET", "/storage/v1/b/*/o", "storage.json:objects.list"),
    ("POST", "/storage/v1/b/*/o", "storage.json:objects.insert"),
    ("GET", "/storage/v1/b/*/o/*", "storage.json:objects.get"),
    ("PATCH", "/storage/v1/b/*/o/*", "storage.json:objects.patch"),
    ("PUT", "/storage/v1/b/*/o/*", "storage.json:objects.update"),
    ("DELETE", "/storage/v1/b/*/o/*", "storage.json:objects.delete"),
    ("POST", "/storage/v1/b/*/o/*/compose", "storage.json:objects.compose"),
    ("POST", "/storage/v1/b/*/o/*/restore", "storage.json:objects.restore"),
    ("POST", "/storage/v1/b/*/o/*/copyTo/b/*/o/*", "storage.json:objects.copy"),
    ("POST", "/storage/v1/b/*/o/*/rewriteTo/b/*/o/*", "storage.json:objects.rewrite"),
    ("GET", "/storage/v1/b/*/acl", "storage.json:bucketAccessControls.list"),
    ("POST", "/storage/v1/b/*/acl", "storage.json:bucketAccessControls.insert"),
    ("GET", "/storage/v1/b/*/defaultObjectAcl", "storage.json:defaultObjectAccessControls.list"),
    ("POST", "/storage/v1/b/*/defaultObjectAcl", "storage.json:defaultObjectAccessControls.insert"),
    ("GET", "/storage/v1/b/*/o/*/acl", "storage.json:objectAccessControls.list"),
    ("POST", "/storage/v1/b/*/o/*/acl", "storage.json:objectAccessControls.insert"),
    ("POST", "/upload/storage/v1/b/*/o", "storage.json:objects.insert"),
    ("PUT", "/upload/storage/v1/b/*/o", "storage.json:objects.insert"),
    ("POST", "/resumable/upload/storage/v1/b/*/o", "storage.json:objects.insert"),
    ("PUT", "/resumable/upload/storage/v1/b/*/o", "storage.json:objects.insert"),
    ("GET", "/download/storage/v1/b/*/o/*", "storage.json:objects.get"),
    ("POST", "/batch/storage/v1", "storage.json:batch"),
    // Pub/Sub, <https://cloud.google.com/pubsub/docs/reference/rest>.
    ("GET", "/v1/projects/*/topics", "pubsub:ListTopics"),
    ("PUT", "/v1/projects/*/topics/*", "pubsub:CreateTopic"),
    ("GET", "/v1/projects/*/topics/*:getIamPolicy", "pubsub:GetIamPolicy"),
    ("POST", "/v1/projects/*/topics/*:setIamPolicy", "pubsub:SetIamPolicy"),
    ("POST", "/v1/projects/*/topics/*:testIamPermissions", "pubsub:TestIamPermissions"),
    ("POST", "/v1/projects/*/topics/*:publish", "pubsub:Publish"),
    ("GET", "/v1/projects/*/topics/*", "pubsub:GetTopic"),
    ("PATCH", "/v1/projects/*/topics/*", "pubsub:UpdateTopic"),
    ("DELETE", "/v1/projects/*/topics/*", "pubsub:DeleteTopic"),
    ("GET", "/v1/projects/*/topics/*/subscriptions", "pubsub:ListTopicSubscriptions"),
    ("GET", "/v1/projects/*/topics/*/snapshots", "pubsub:ListTopicSnapshots"),
    ("GET", "/v1/projects/*/subscriptions", "pubsub:ListSubscriptions"),
    ("PUT", "/v1/projects/*/subscriptions/*", "pubsub:CreateSubscription"),
    ("GET", "/v1/projects/*/subscriptions/*:getIamPolicy", "pubsub:GetIamPolicy"),
    ("POST", "/v1/projects/*/subscriptions/*:setIamPolicy", "pubsub:SetIamPolicy"),
    ("POST", "/v1/projects/*/subscriptions/*:testIamPermissions", "pubsub:TestIamPermissions"),
    ("POST", "/v1/projects/*/subscriptions/*:pull", "pubsub:Pull"),
    ("POST", "/v1/projects/*/subscriptions/*:acknowledge", "pubsub:Acknowledge"),
    ("POST", "/v1/projects/*/subscriptions/*:modifyAckDeadline", "pubsub:ModifyAckDeadline"),
    ("POST", "/v1/projects/*/subscriptions/*:modifyPushConfig", "pubsub:ModifyPushConfig"),
    ("POST", "/v1/projects/*/subscriptions/*:detach", "pubsub:DetachSubscription"),
    ("POST", "/v1/projects/*/subscriptions/*:seek", "pubsub:Seek"),
    ("GET", "/v1/projects/*/subscriptions/*", "pubsub:GetSubscription"),
    ("PATCH", "/v1/projects/*/subscriptions/*", "pubsub:UpdateSubscription"),
    ("DELETE", "/v1/projects/*/subscriptions/*", "pubsub:DeleteSubscription"),
    ("GET", "/v1/projects/*/snapshots", "pubsub:ListSnapshots"),
    ("GET", "/v1/projects/*/schemas", "pubsub:ListSchemas"),
    // IAM, <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>.
    ("GET", "/v1/projects/*/serviceAccounts", "iam:ListServiceAccounts"),
    ("POST", "/v1/projects/*/serviceAccounts", "iam:CreateServiceAccount"),
    ("POST", "/v1/projects/*/serviceAccounts/*:getIamPolicy", "iam:GetIamPolicy"),
    ("POST", "/v1/projects/*/serviceAccounts/*:setIamPolicy", "iam:SetIamPolicy"),
    ("POST", "/v1/projects/*/serviceAccounts/*:testIamPermissions", "iam:TestIamPermissions"),
    ("POST", "/v1/projects/*/serviceAccounts/*:signBlob", "iam:SignBlob"),
    ("POST", "/v1/projects/*/serviceAccounts/*:signJwt", "iam:SignJwt"),
    ("POST", "/v1/projects/*/serviceAccounts/*:generateAccessToken", "iam:GenerateAccessToken"),
    ("GET", "/v1/projects/*/serviceAccounts/*", "iam:GetServiceAccount"),
    ("DELETE", "/v1/projects/*/serviceAccounts/*", "iam:DeleteServiceAccount"),
    // Tokens, <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>.
    ("POST", "/token", "oauth2:GetToken"),
    // Resource Manager, <https://cloud.google.com/resource-manager/reference/rest/v3/projects>.
    ("POST", "/v3/projects/*:testIamPermissions", "resourcemanager:TestIamPermissions"),
    ("POST", "/v3/projects/*:getIamPolicy", "resourcemanager:GetIamPolicy"),
    ("POST", "/v3/projects/*:setIamPolicy", "resourcemanager:SetIamPolicy"),
    // gcloud's version of the same <https://cloud.google.com/resource-manager/reference/rest/v1/projects>.
    ("POST", "/v1/projects/*:testIamPermissions", "resourcemanager:TestIamPermissions"),
    ("POST", "/v1/projects/*:getIamPolicy", "resourcemanager:GetIamPolicy"),
    ("POST", "/v1/projects/*:setIamPolicy", "resourcemanager:SetIamPolicy"),
    ("GET", "/v3/projects/*", "resourcemanager:GetProject"),
    // Policies of the organization, <https://cloud.google.com/resource-manager/reference/rest/v1/projects>.
    ("POST", "/v1/projects/*:getEffectiveOrgPolicy", "resourcemanager:GetEffectiveOrgPolicy"),
    ("POST", "/v1/projects/*:setOrgPolicy", "resourcemanager:SetOrgPolicy"),
    ("GET", "/v3/projects:search", "resourcemanager:SearchProjects"),
];

/// A request's operation. What is in no table has a name too, of its method and path.
pub(super) fn route(request: &Request<Bytes>) -> Route {
    let (method, path) = (request.method(), request.uri().path());
    if let Some((service, method)) = grpc(request) {
        return Route { operation: format!("{service}:{method}"), names: Vec::new() };
    }
    let listed = ROUTES.iter().filter(|(verb, _, _)| method == verb).find_map(|(_, pattern, operation)| {
        let names = variables(pattern, path)?;
        Some(Route { operation: (*operation).to_owned(), names })
    });
    listed.unwrap_or_else(|| match service(path) {
        Some(service) => Route { operation: format!("{service}:{method} {path}"), names: Vec::new() },
        None => object(method, path),
    })
}

/// Service and method of a gRPC call <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
pub(super) fn grpc(request: &Request<Bytes>) -> Option<(&str, &str)> {
    let kind = request.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    let called = kind.starts_with("application/grpc").then(|| request.uri().path().strip_prefix('/'))??;
    called.split_once('/')
}

fn service(path: &str) -> Option<&'static str> {
    let prefixes = [
        ("/storage/v1/", "storage.json"),
        ("/upload/storage/v1/", "storage.json"),
        ("/resumable/upload/storage/v1/", "storage.json"),
        ("/download/storage/v1/", "storage.json"),
        ("/v3/", "resourcemanager"),
    ];
    if path.starts_with("/v1/") {
        return Some(if path.contains("/serviceAccounts") { "iam" } else { "pubsub" });
    }
    prefixes.iter().find(|(prefix, _)| path.starts_with(prefix)).map(|(_, service)| *service)
}

/// An operation of the XML API, `/<bucket>/<object>`: <https://cloud.google.com/storage/docs/xml-api/overview>.
fn object(method: &Method, path: &str) -> Route {
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let name = match (method.as_str(), key.is_empty()) {
        ("OPTIONS", _) => "PreflightRequest".to_owned(),
        ("GET", false) => "GetObject".to_owned(),
        ("HEAD", false) => "HeadObject".to_owned(),
        ("PUT", false) => "PutObject".to_owned(),
        ("DELETE", false) => "DeleteObject".to_owned(),
        (method, object) => format!("{method} {}", if object { "bucket" } else { "object" }),
    };
    Route { operation: format!("storage.xml:{name}"), names: vec![decoded(bucket), decoded(key)] }
}

/// The variables of a path that a pattern describes.
fn variables(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    if pattern.clone().count() != path.clone().count() {
        return None;
    }
    let mut names = Vec::new();
    for (expected, found) in pattern.zip(path) {
        match expected.strip_prefix('*') {
            Some(verb) => {
                let name = found.strip_suffix(verb).filter(|name| !name.is_empty())?;
                names.push(decoded(name));
            }
            None if expected == found => {}
            None => return None,
        }
    }
    Some(names)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &str, path: &str) -> (String, Vec<String>) {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        let route = route(&request);
        (route.operation, route.names)
    }

    #[test]
    fn requests_have_the_names_of_their_operations() {
        let cases: [(&str, &str, &str, &[&str]); 15] = [
            ("POST", "/storage/v1/b?project=p", "storage.json:buckets.insert", &[]),
            ("GET", "/storage/v1/b/b1/iam", "storage.json:buckets.getIamPolicy", &["b1"]),
            (
                "DELETE",
                "/storage/v1/b/b1/notificationConfigs/3",
                "storage.json:notificationConfigs.delete",
                &["b1", "3"],
            ),
            ("GET", "/download/storage/v1/b/b1/o/a%2Fb%20c?alt=media", "storage.json:objects.get", &["b1", "a/b c"]),
            ("POST", "/upload/storage/v1/b/b1/o?uploadType=media", "storage.json:objects.insert", &["b1"]),
            ("PATCH", "/storage/v1/hmacKeys", "storage.json:PATCH /storage/v1/hmacKeys", &[]),
            ("PUT", "/v1/projects/p/topics/t", "pubsub:CreateTopic", &["p", "t"]),
            ("GET", "/v1/projects/p/topics/t:getIamPolicy?x=1", "pubsub:GetIamPolicy", &["p", "t"]),
            ("POST", "/v1/projects/p/subscriptions/s:pull", "pubsub:Pull", &["p", "s"]),
            ("POST", "/v1/projects/-/serviceAccounts/a%40b:signBlob", "iam:SignBlob", &["-", "a@b"]),
            ("GET", "/v3/projects/p", "resourcemanager:GetProject", &["p"]),
            ("GET", "/v3/projects:search?query=state:ACTIVE", "resourcemanager:SearchProjects", &[]),
            ("GET", "/b1/a/b%20c?X-Goog-Date=1", "storage.xml:GetObject", &["b1", "a/b c"]),
            ("OPTIONS", "/b1/a", "storage.xml:PreflightRequest", &["b1", "a"]),
            ("GET", "/b1", "storage.xml:GET bucket", &["b1", ""]),
        ];
        for (method, path, operation, names) in cases {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(routed(method, path), (operation.to_owned(), names), "{method} {path}");
        }
    }

    #[test]
    fn calls_over_grpc_have_the_name_of_their_service() {
        let called = |path: &str| {
            let request = Request::post(path).header("content-type", "application/grpc");
            route(&request.body(Bytes::new()).unwrap()).operation
        };
        assert_eq!(called("/google.storage.v2.Storage/GetBucket"), "google.storage.v2.Storage:GetBucket");
        assert_eq!(called("/google.pubsub.v1.Subscriber/Pull"), "google.pubsub.v1.Subscriber:Pull");
    }
}

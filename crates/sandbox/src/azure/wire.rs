//! How Azure names its requests and phrases its errors.
//!
//! Names are `arm:<type>.<verb>` (`arm:storageAccounts.put`, `.get`, `.list`, `.patch`, `.delete`, `.head`, or an
//! action: `arm:storageAccounts.listKeys`), `login:<document>`, and the names of the Blob and Queue services' own
//! reference: `blob:PutBlob` <https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api>,
//! `queue:PutMessage` <https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>.

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::azure::target::Target;
use crate::emulator::Wire;

/// Which of Azure's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Resource Manager, and the login server that gives its tokens.
    ResourceManager,
    /// Blobs of all accounts, the account first in the path.
    Blob,
    /// Queues of all accounts, the account first in the path.
    Queue,
}

/// The forms of Azure: JSON of Resource Manager, XML of the storage services.
#[derive(Clone, Copy, Debug)]
pub struct AzureWire {
    /// The server whose forms these are.
    pub endpoint: Endpoint,
}

/// Actions that are asked for by POST and change nothing.
const READING_ACTIONS: [&str; 4] = ["listKeys", "checkNameAvailability", "checkPolicyRestrictions", "getFullUrl"];

impl Wire for AzureWire {
    fn operation(&self, request: &Request<Bytes>) -> String {
        match self.endpoint {
            Endpoint::ResourceManager => resource_manager(request),
            Endpoint::Blob => format!("blob:{}", blob(request)),
            Endpoint::Queue => format!("queue:{}", queue(request)),
        }
    }

    fn reads(&self, operation: &str) -> bool {
        let (service, name) = operation.split_once(':').unwrap_or_default();
        match service {
            "login" => true,
            "arm" => {
                let verb = name.rsplit('.').next().unwrap_or_default();
                ["get", "list", "head"].contains(&verb) || READING_ACTIONS.contains(&verb)
            }
            // Taking messages hides them from others.
            _ if name == "GetMessages" => false,
            _ => ["Get", "List", "Peek", "Preflight", "Find"].iter().any(|verb| name.starts_with(verb)),
        }
    }

    fn polls(&self, operation: &str) -> bool {
        operation == "arm:operations.get"
    }

    fn error(&self, operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
        match operation.split(':').next().unwrap_or_default() {
            "login" => login_error(status, code, message),
            "arm" => resource_manager_error(status, code, message),
            _ => storage_error(operation, status, code, message),
        }
    }

    fn throttled(&self, operation: &str) -> Response<Bytes> {
        let mut response = if operation.starts_with("arm:") || operation.starts_with("login:") {
            // <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
            let message = "The request is being throttled as the limit has been reached for operation type - Write.";
            self.error(operation, 429, "TooManyRequests", message)
        } else {
            // <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>
            self.error(
                operation,
                503,
                "ServerBusy",
                "The server is currently unable to receive requests. Please retry your request.",
            )
        };
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
        response
    }

    fn conflict(&self, operation: &str) -> Response<Bytes> {
        let (status, code, message) = match operation.split(':').next().unwrap_or_default() {
            // <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>
            "blob" => (412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."),
            "queue" => (409, "QueueBeingDeleted", "The specified queue is being deleted."),
            _ => (409, "StorageAccountOperationInProgress", IN_PROGRESS),
        };
        self.error(operation, status, code, message)
    }
}

/// What Resource Manager says of a change that crosses another.
pub(super) const IN_PROGRESS: &str =
    "An operation is currently performing on this storage account that requires exclusive access.";

fn resource_manager(request: &Request<Bytes>) -> String {
    let path = request.uri().path();
    if path.ends_with("/oauth2/v2.0/token") {
        return "login:GetToken".to_owned();
    }
    if path == crate::azure::login::MANAGED_IDENTITY {
        return "login:GetManagedIdentityToken".to_owned();
    }
    if path.ends_with("/.well-known/openid-configuration") {
        return "login:GetOpenIdConfiguration".to_owned();
    }
    if path.ends_with("/discovery/instance") {
        return "login:GetInstanceDiscovery".to_owned();
    }
    format!("arm:{}", Target::parse(request.method(), path).operation(request.method()))
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "Get",
        Method::DELETE => "Delete",
        Method::POST => "Post",
        _ => "Set",
    }
}

/// The path after the account, and the query's `restype` and `comp`.
fn parts(request: &Request<Bytes>) -> (usize, String, String) {
    let path = request.uri().path().trim_start_matches('/');
    let rest = path.split_once('/').map_or("", |(_, rest)| rest).trim_end_matches('/');
    let depth = if rest.is_empty() { 0 } else { rest.split('/').count() };
    let query = request.uri().query().unwrap_or_default();
    let value = |name: &str| {
        let pair = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key.eq_ignore_ascii_case(name));
        pair.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default()
    };
    (depth, value("restype"), value("comp"))
}

fn blob(request: &Request<Bytes>) -> String {
    if request.method() == Method::OPTIONS {
        return "PreflightBlobRequest".to_owned();
    }
    let (depth, restype, comp) = parts(request);
    match depth {
        0 => blob_service(request.method(), &restype, &comp),
        1 if restype == "container" => container(request.method(), &comp),
        _ => one_blob(request, &comp),
    }
}

fn blob_service(method: &Method, restype: &str, comp: &str) -> String {
    match (method, restype, comp) {
        (&Method::GET, "", "list") => "ListContainers".to_owned(),
        (&Method::GET, "", "blobs") => "FindBlobsByTags".to_owned(),
        (&Method::POST, _, "batch") => "BlobBatch".to_owned(),
        (_, "service", "userdelegationkey") => "GetUserDelegationKey".to_owned(),
        (_, "service", "properties") => format!("{}BlobServiceProperties", verb(method)),
        (_, "service", "stats") => "GetBlobServiceStats".to_owned(),
        (_, "account", _) => "GetAccountInformation".to_owned(),
        _ => format!("{}BlobService{comp}", verb(method)),
    }
}

fn container(method: &Method, comp: &str) -> String {
    match (method, comp) {
        (&Method::PUT, "") => "CreateContainer".to_owned(),
        (&Method::DELETE, "") => "DeleteContainer".to_owned(),
        (_, "") => "GetContainerProperties".to_owned(),
        (_, "list") => "ListBlobs".to_owned(),
        (_, "metadata") => format!("{}ContainerMetadata", verb(method)),
        (_, "acl") => format!("{}ContainerACL", verb(method)),
        (_, "lease") => "LeaseContainer".to_owned(),
        (_, "undelete") => "RestoreContainer".to_owned(),
        (_, "batch") => "BlobBatch".to_owned(),
        _ => format!("{}Container{comp}", verb(method)),
    }
}

fn one_blob(request: &Request<Bytes>, comp: &str) -> String {
    let copies = request.headers().contains_key("x-ms-copy-source");
    let name = match (request.method(), comp) {
        (&Method::PUT, "") if copies && request.headers().contains_key("x-ms-blob-type") => "PutBlobFromURL",
        (&Method::PUT, "") if copies => "CopyBlob",
        (&Method::PUT, "") => "PutBlob",
        (&Method::HEAD, "") => "GetBlobProperties",
        (&Method::DELETE, "") => "DeleteBlob",
        (_, "") => "GetBlob",
        (_, "block") if copies => "PutBlockFromURL",
        (_, "block") => "PutBlock",
        (&Method::GET, "blocklist") => "GetBlockList",
        (_, "blocklist") => "PutBlockList",
        (_, "properties") => "SetBlobProperties",
        (_, "snapshot") => "SnapshotBlob",
        (_, "lease") => "LeaseBlob",
        (_, "tier") => "SetBlobTier",
        (_, "undelete") => "UndeleteBlob",
        (method, "metadata") => return format!("{}BlobMetadata", verb(method)),
        (method, "tags") => return format!("{}BlobTags", verb(method)),
        (method, comp) => return format!("{}Blob{comp}", verb(method)),
    };
    name.to_owned()
}

fn queue(request: &Request<Bytes>) -> String {
    let method = request.method();
    if method == Method::OPTIONS {
        return "PreflightQueueRequest".to_owned();
    }
    let (depth, restype, comp) = parts(request);
    let peeks = request.uri().query().unwrap_or_default().contains("peekonly=true");
    let name = match (depth, method, comp.as_str()) {
        (0, &Method::GET, "list") => "ListQueues",
        (0, _, "properties") if restype == "service" => return format!("{}QueueServiceProperties", verb(method)),
        (1, &Method::PUT, "") => "CreateQueue",
        (1, &Method::DELETE, "") => "DeleteQueue",
        (1, _, "metadata") => return format!("{}QueueMetadata", verb(method)),
        (1, _, "acl") => return format!("{}QueueACL", verb(method)),
        (2, &Method::POST, "") => "PutMessage",
        (2, &Method::GET, "") if peeks => "PeekMessages",
        (2, &Method::GET, "") => "GetMessages",
        (2, &Method::DELETE, "") => "ClearMessages",
        (3, &Method::DELETE, "") => "DeleteMessage",
        (3, &Method::PUT, "") => "UpdateMessage",
        _ => return format!("{}Queue{comp}", verb(method)),
    };
    name.to_owned()
}

/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>
fn resource_manager_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "error": { "code": code, "message": message } }).to_string();
    answer(status, &[("content-type", "application/json; charset=utf-8"), ("x-ms-failure-cause", "gateway")], body)
}

/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn login_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "error": code, "error_description": message }).to_string();
    answer(status, &[("content-type", "application/json; charset=utf-8")], body)
}

/// <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>
fn storage_error(operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}\nRequestId:{REQUEST}</Message>\
         </Error>",
        quick_xml::escape::escape(message)
    );
    // The answer to HEAD has no body.
    let body = if operation == "blob:GetBlobProperties" { String::new() } else { body };
    answer(status, &[("content-type", "application/xml"), ("x-ms-error-code", code)], body)
}

/// The same of a signature, with what is told of it
/// <https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2>.
pub(super) fn unauthenticated(status: u16, code: &str, message: &str, detail: &str) -> Response<Bytes> {
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}\nRequestId:{REQUEST}</Message>\
         <AuthenticationErrorDetail>{}</AuthenticationErrorDetail></Error>",
        escape(message),
        escape(detail)
    );
    answer(status, &[("content-type", "application/xml"), ("x-ms-error-code", code)], body)
}

/// The id of every request: nobody can look one up.
pub(super) const REQUEST: &str = "5a4db0c5-0000-4000-8000-5a4db0c5a4db";

fn answer(status: u16, headers: &[(&str, &str)], body: String) -> Response<Bytes> {
    let mut response = Response::builder().status(status).header("x-ms-request-id", REQUEST);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::from(body)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(endpoint: Endpoint, method: &str, path: &str) -> String {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        AzureWire { endpoint }.operation(&request)
    }

    #[test]
    fn requests_of_the_storage_services_have_the_names_of_their_operations() {
        let cases = [
            (Endpoint::Blob, "GET", "/a?comp=list", "blob:ListContainers"),
            (Endpoint::Blob, "GET", "/a/?restype=service&comp=properties", "blob:GetBlobServiceProperties"),
            (Endpoint::Blob, "PUT", "/a/c?restype=container", "blob:CreateContainer"),
            (Endpoint::Blob, "GET", "/a/c?restype=container&comp=list", "blob:ListBlobs"),
            (Endpoint::Blob, "PUT", "/a/c?restype=container&comp=metadata", "blob:SetContainerMetadata"),
            (Endpoint::Blob, "PUT", "/a/c/d/e", "blob:PutBlob"),
            (Endpoint::Blob, "PUT", "/a/c/d?comp=block&blockid=x", "blob:PutBlock"),
            (Endpoint::Blob, "HEAD", "/a/c/d", "blob:GetBlobProperties"),
            (Endpoint::Blob, "OPTIONS", "/a/c/d", "blob:PreflightBlobRequest"),
            (Endpoint::Blob, "PUT", "/a/c/d?comp=lease", "blob:LeaseBlob"),
            (Endpoint::Queue, "PUT", "/a/q", "queue:CreateQueue"),
            (Endpoint::Queue, "GET", "/a/q/messages?peekonly=true", "queue:PeekMessages"),
            (Endpoint::Queue, "GET", "/a/q/messages", "queue:GetMessages"),
            (Endpoint::Queue, "DELETE", "/a/q/messages/m?popreceipt=p", "queue:DeleteMessage"),
            (Endpoint::ResourceManager, "POST", "/t/oauth2/v2.0/token", "login:GetToken"),
            (Endpoint::ResourceManager, "GET", "/subscriptions/s/resourceGroups", "arm:resourceGroups.list"),
        ];
        for (endpoint, method, path, name) in cases {
            assert_eq!(named(endpoint, method, path), name, "{method} {path}");
        }
    }

    #[test]
    fn what_changes_nothing_is_a_read() {
        let wire = AzureWire { endpoint: Endpoint::ResourceManager };
        for read in ["arm:storageAccounts.listKeys", "arm:locks.list", "blob:ListBlobs", "queue:PeekMessages"] {
            assert!(wire.reads(read), "{read}");
        }
        for write in
            ["arm:storageAccounts.regenerateKey", "arm:providers.register", "blob:PutBlob", "queue:GetMessages"]
        {
            assert!(!wire.reads(write), "{write}");
        }
    }

    #[test]
    fn throttled_answers_say_when_to_come_again() {
        for (endpoint, operation, status) in
            [(Endpoint::ResourceManager, "arm:queues.put", 429), (Endpoint::Blob, "blob:PutBlob", 503)]
        {
            let answer = AzureWire { endpoint }.throttled(operation);
            assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (status, &"1".parse().unwrap()));
        }
    }
}

//! How AWS names its requests and phrases its errors.

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::emulator::Wire;

/// The forms of AWS: S3 over XML, SQS and tags over JSON, STS and IAM over the query protocol.
#[derive(Clone, Copy, Debug)]
pub struct AwsWire;

/// Sub-resources of a bucket, by the query that names them.
const BUCKET: [(&str, &str); 23] = [
    ("cors", "BucketCors"),
    ("tagging", "BucketTagging"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("encryption", "BucketEncryption"),
    ("versioning", "BucketVersioning"),
    ("policyStatus", "BucketPolicyStatus"),
    ("policy", "BucketPolicy"),
    ("notification", "BucketNotificationConfiguration"),
    ("abac", "BucketAbac"),
    ("location", "BucketLocation"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("acl", "BucketAcl"),
    ("logging", "BucketLogging"),
    ("website", "BucketWebsite"),
    ("replication", "BucketReplication"),
    ("requestPayment", "BucketRequestPayment"),
    ("accelerate", "BucketAccelerateConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("inventory", "BucketInventoryConfiguration"),
    ("analytics", "BucketAnalyticsConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("intelligent-tiering", "BucketIntelligentTieringConfiguration"),
];

/// Sub-resources of an object, by the query that names them.
const OBJECT: [(&str, &str); 7] = [
    ("tagging", "ObjectTagging"),
    ("acl", "ObjectAcl"),
    ("retention", "ObjectRetention"),
    ("legal-hold", "ObjectLegalHold"),
    ("attributes", "ObjectAttributes"),
    ("torrent", "ObjectTorrent"),
    ("restore", "ObjectRestore"),
];

impl Wire for AwsWire {
    fn operation(&self, request: &Request<Bytes>) -> String {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some((service, operation)) = header("x-amz-target").and_then(|target| target.rsplit_once('.')) {
            let service = if service.starts_with("AmazonSQS") { "sqs" } else { "tag" };
            return format!("{service}:{operation}");
        }
        if header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
            && let Some(action) = action(request.body())
        {
            return action;
        }
        format!("s3:{}", s3(request))
    }

    fn reads(&self, operation: &str) -> bool {
        let name = operation.split(':').nth(1).unwrap_or_default();
        ["Get", "List", "Head", "Preflight", "Simulate"].iter().any(|verb| name.starts_with(verb))
    }

    fn error(&self, operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
        match operation.split(':').next().unwrap_or_default() {
            "sqs" => json_error(status, "com.amazonaws.sqs#", code, message),
            "tag" => json_error(status, "", code, message),
            "sts" | "iam" => query_error(status, code, message),
            // S3 Control wraps its errors as the query protocol does (<https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html#operation-error-serialization>).
            _ if CONTROL.contains(&operation) => query_error(status, code, message),
            _ => s3_error(status, code, message),
        }
    }

    fn throttled(&self, operation: &str) -> Response<Bytes> {
        if operation.starts_with("s3:") {
            // <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
            return self.error(operation, 503, "SlowDown", "Please reduce your request rate.");
        }
        // Each by its own name: <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.
        let code = match operation.split(':').next() {
            Some("sqs") => "RequestThrottled",
            Some("tag") => "ThrottledException",
            _ => "Throttling",
        };
        self.error(operation, 400, code, "Rate exceeded")
    }

    fn conflict(&self, operation: &str) -> Response<Bytes> {
        if operation.starts_with("iam:") {
            // <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
            let message = "The request was rejected because multiple requests to change this object were submitted \
                           simultaneously.";
            return self.error(operation, 409, "ConcurrentModification", message);
        }
        let message = "A conflicting conditional operation is currently in progress against this resource. Please try \
                       again.";
        self.error(operation, 409, "OperationAborted", message)
    }
}

/// What S3 Control serves of what we call.
const CONTROL: [&str; 3] = ["s3:ListTagsForResource", "s3:TagResource", "s3:UntagResource"];

/// The operation of the query protocol; the version tells the services apart.
fn action(body: &[u8]) -> Option<String> {
    let field = |name: &str| url::form_urlencoded::parse(body).find(|(field, _)| field == name).map(|(_, value)| value);
    let action = field("Action")?;
    let service = match field("Version").as_deref() {
        Some("2011-06-15") => "sts",
        Some("2012-11-05") => "sqs",
        _ => "iam",
    };
    Some(format!("{service}:{action}"))
}

fn s3(request: &Request<Bytes>) -> String {
    let (method, path) = (request.method(), request.uri().path());
    let verb = match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::POST => "Post",
        Method::OPTIONS => return "PreflightRequest".to_owned(),
        _ => "Delete",
    };
    if path.starts_with("/v20180820/tags/") {
        let name = match *method {
            Method::GET => "ListTagsForResource",
            Method::DELETE => "UntagResource",
            _ => "TagResource",
        };
        return name.to_owned();
    }
    let query = request.uri().query().unwrap_or_default();
    let keys: Vec<_> = query.split('&').map(|field| field.split('=').next().unwrap_or_default()).collect();
    match path.trim_start_matches('/').split_once('/') {
        None | Some(("", "")) if path.trim_start_matches('/').is_empty() => "ListBuckets".to_owned(),
        Some((_, key)) if !key.is_empty() => object(request, verb, &keys),
        _ => bucket(method, verb, &keys),
    }
}

fn bucket(method: &Method, verb: &str, keys: &[&str]) -> String {
    let part = BUCKET.iter().find(|(key, _)| keys.contains(key)).map(|(_, part)| *part);
    match part {
        Some(part) => format!("{verb}{part}"),
        None if keys.contains(&"versions") => "ListObjectVersions".to_owned(),
        None if keys.contains(&"uploads") => "ListMultipartUploads".to_owned(),
        None if keys.contains(&"delete") => "DeleteObjects".to_owned(),
        None if method == Method::PUT => "CreateBucket".to_owned(),
        None if method == Method::GET && keys.contains(&"list-type") => "ListObjectsV2".to_owned(),
        None if method == Method::GET => "ListObjects".to_owned(),
        None if method == Method::POST => "PostObject".to_owned(),
        None => format!("{verb}Bucket"),
    }
}

fn object(request: &Request<Bytes>, verb: &str, keys: &[&str]) -> String {
    let copies = request.headers().contains_key("x-amz-copy-source");
    let upload = keys.contains(&"uploadId");
    let name = match *request.method() {
        Method::POST if keys.contains(&"uploads") => "CreateMultipartUpload",
        Method::POST if upload => "CompleteMultipartUpload",
        Method::PUT if upload && copies => "UploadPartCopy",
        Method::PUT if upload => "UploadPart",
        Method::DELETE if upload => "AbortMultipartUpload",
        Method::GET if upload => "ListParts",
        _ => match OBJECT.iter().find(|(key, _)| keys.contains(key)) {
            Some((_, part)) => return format!("{verb}{part}"),
            None if copies => "CopyObject",
            None => return format!("{verb}Object"),
        },
    };
    name.to_owned()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn s3_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{}</Message>\
         <RequestId>{REQUEST}</RequestId><HostId>sandbox</HostId></Error>",
        quick_xml::escape::escape(message)
    );
    answer(status, &[("content-type", "application/xml"), ("x-amz-request-id", REQUEST)], body)
}

/// Errors of SQS whose name in JSON is not the code of the query protocol, which many clients look for
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html>.
const SQS: [(&str, &str, &str); 12] = [
    ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidClientTokenId"),
    ("NonExistentQueue", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("QueueDeletedRecently", "QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
    ("QueueAlreadyExists", "QueueNameExists", "QueueAlreadyExists"),
    ("PurgeQueueInProgress", "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
    ("MessageNotInflight", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
    ("RequestThrottled", "RequestThrottled", "RequestThrottled"),
    ("EmptyBatchRequest", "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
    (
        "TooManyEntriesInBatchRequest",
        "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    ),
    ("BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("InvalidBatchEntryId", "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("BatchRequestTooLong", "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
];

fn json_error(status: u16, namespace: &str, code: &str, message: &str) -> Response<Bytes> {
    let (_, name, query) = SQS.iter().find(|(known, _, _)| *known == code).copied().unwrap_or((code, code, code));
    let body = serde_json::json!({ "__type": format!("{namespace}{name}"), "message": message }).to_string();
    let query = format!("{query};{}", if status < 500 { "Sender" } else { "Receiver" });
    let mut headers = vec![("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", REQUEST)];
    if !namespace.is_empty() {
        headers.push(("x-amzn-query-error", &query));
    }
    answer(status, &headers, body)
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
fn query_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let side = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse><Error><Type>{side}</Type><Code>{code}</Code><Message>{}</Message></Error>\
         <RequestId>{REQUEST}</RequestId></ErrorResponse>",
        quick_xml::escape::escape(message)
    );
    answer(status, &[("content-type", "text/xml"), ("x-amzn-requestid", REQUEST)], body)
}

/// The id of every request: nobody can look one up.
pub(super) const REQUEST: &str = "5A4DB0C5A4DB0C00";

fn answer(status: u16, headers: &[(&str, &str)], body: String) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::from(body)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(method: &str, path: &str, headers: &[(&str, &str)], body: &'static str) -> String {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        AwsWire.operation(&request.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn requests_have_the_names_of_their_operations() {
        let cases = [
            ("GET", "/", "s3:ListBuckets"),
            ("PUT", "/b", "s3:CreateBucket"),
            ("PUT", "/b/", "s3:CreateBucket"),
            ("HEAD", "/b", "s3:HeadBucket"),
            ("DELETE", "/b", "s3:DeleteBucket"),
            ("PUT", "/b?cors", "s3:PutBucketCors"),
            ("GET", "/b?notification=", "s3:GetBucketNotificationConfiguration"),
            ("GET", "/b?acl", "s3:GetBucketAcl"),
            ("GET", "/b?list-type=2&prefix=x", "s3:ListObjectsV2"),
            ("GET", "/b?versions", "s3:ListObjectVersions"),
            ("POST", "/b?delete", "s3:DeleteObjects"),
            ("GET", "/b/k", "s3:GetObject"),
            ("POST", "/b/k?uploads", "s3:CreateMultipartUpload"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", "s3:UploadPart"),
            ("DELETE", "/b/k?uploadId=u", "s3:AbortMultipartUpload"),
            ("OPTIONS", "/b/k", "s3:PreflightRequest"),
            ("POST", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab", "s3:TagResource"),
        ];
        for (method, path, name) in cases {
            assert_eq!(named(method, path, &[], ""), name, "{method} {path}");
        }
        assert_eq!(named("POST", "/", &[("x-amz-target", "AmazonSQS.CreateQueue")], "{}"), "sqs:CreateQueue");
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        assert_eq!(named("POST", "/", &form, "Action=GetRole&Version=2010-05-08"), "iam:GetRole");
        assert_eq!(named("POST", "/", &form, "Action=GetCallerIdentity&Version=2011-06-15"), "sts:GetCallerIdentity");
        assert_eq!(named("PUT", "/b/k", &[("x-amz-copy-source", "b/j")], ""), "s3:CopyObject");
    }
}

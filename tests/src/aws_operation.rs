//! Names a request by the API operation it is: `s3:PutBucketCors`.

/// Sub-resources of a bucket, by the query that names them.
const BUCKET: [(&str, &str); 12] = [
    ("cors", "BucketCors"),
    ("tagging", "BucketTagging"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("encryption", "BucketEncryption"),
    ("versioning", "BucketVersioning"),
    ("policy", "BucketPolicy"),
    ("notification", "BucketNotificationConfiguration"),
    ("abac", "BucketAbac"),
    ("versions", "ObjectVersions"),
    ("uploads", "MultipartUploads"),
    ("delete", "Objects"),
];

/// The operation of a request.
#[must_use]
pub fn name(method: &str, path: &str, query: &str, target: Option<&str>, body: &str) -> String {
    if let Some(target) = target {
        let service = if target.starts_with("AmazonSQS") { "sqs" } else { "tag" };
        return format!("{service}:{}", target.rsplit('.').next().unwrap_or_default());
    }
    if let Some(action) = body.split('&').find_map(|field| field.strip_prefix("Action=")) {
        let service = if action == "GetCallerIdentity" { "sts" } else { "iam" };
        return format!("{service}:{action}");
    }
    s3(method, path, query)
}

fn s3(method: &str, path: &str, query: &str) -> String {
    let verb = match method {
        "GET" => "Get",
        "HEAD" => "Head",
        "PUT" => "Put",
        "POST" => "Post",
        _ => "Delete",
    };
    if path.starts_with("/v20180820/tags/") {
        return match method {
            "GET" => "s3:ListTagsForResource",
            "DELETE" => "s3:UntagResource",
            _ => "s3:TagResource",
        }
        .to_owned();
    }
    let keys: Vec<_> = query.split('&').map(|field| field.split('=').next().unwrap_or_default()).collect();
    let object = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let part = BUCKET.iter().find(|(key, _)| keys.contains(key)).map(|(_, part)| *part);
    let name = match (object, part) {
        (false, Some(part @ ("ObjectVersions" | "MultipartUploads"))) => format!("List{part}"),
        (false, Some("Objects")) => "DeleteObjects".to_owned(),
        (false, Some(part)) => format!("{verb}{part}"),
        (false, None) if method == "PUT" => "CreateBucket".to_owned(),
        (false, None) => format!("{verb}Bucket"),
        (true, _) if keys.contains(&"uploadId") && method == "DELETE" => "AbortMultipartUpload".to_owned(),
        (true, _) => format!("{verb}Object"),
    };
    format!("s3:{name}")
}

/// Whether an operation changes nothing; what is unknown counts as a write.
#[must_use]
pub fn reads(operation: &str) -> bool {
    let name = operation.split(':').nth(1).unwrap_or_default();
    ["Get", "List", "Head"].iter().any(|verb| name.starts_with(verb))
}

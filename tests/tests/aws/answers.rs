//! Answers as the real AWS gives them, of each kind that the client can meet: none is read as drift that is none, or as nothing
//! there. Recorded by `LocalStack` (`tests/aws/services/**/*.snapshot.json`, 2024 to 2026) or in the vendor's pages and issues.

use provision_sandbox::fault::{Nth, What};
use provision_tests::answers::{query, s3, sqs};

use crate::clouds::aws::hand::boto;
use crate::clouds::{AWS, fault};

/// What a run does with an answer in the place of its own: the command, the call, the answer, the exit code, what is said.
struct Row {
    command: &'static [&'static str],
    operation: &'static str,
    nth: Nth,
    answer: What,
    code: i32,
    says: &'static str,
}

const DRIFT: &[&str] = &["drift"];
const PLAN: &[&str] = &["plan"];

fn document(kind: &str, body: &str) -> What {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    What::Answer { status: 200, headers, body: body.to_owned() }
}

fn xml(body: &str) -> What {
    document("application/xml", &format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

fn json(status: u16, body: &str) -> What {
    let headers = vec![("content-type".to_owned(), "application/x-amz-json-1.1".to_owned())];
    What::Answer { status, headers, body: body.to_owned() }
}

fn drift(operation: &'static str, answer: What, code: i32, says: &'static str) -> Row {
    Row { command: DRIFT, operation, nth: Nth::Every, answer, code, says }
}

fn rows_of_a_bucket() -> Vec<Row> {
    const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
    let encryption = |rule: &str| {
        xml(&format!(
            "<ServerSideEncryptionConfiguration {NAMESPACE}><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>"
        ))
    };
    let by_default =
        "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>";
    let blocked = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>";
    let key_enabled = "<BucketKeyEnabled>false</BucketKeyEnabled>";
    vec![
        // A new bucket of today.
        drift("s3:GetBucketEncryption", encryption(&format!("{by_default}{blocked}{key_enabled}")), 0, "in sync"),
        drift("s3:GetBucketEncryption", encryption(&format!("{by_default}{key_enabled}")), 0, "in sync"),
        // No algorithm at all, which a put may leave out.
        drift("s3:GetBucketEncryption", encryption(blocked), 2, "encryption"),
        drift("s3:GetBucketVersioning", xml(&format!("<VersioningConfiguration {NAMESPACE}/>")), 0, "in sync"),
        drift(
            "s3:GetBucketVersioning",
            xml(&format!("<VersioningConfiguration {NAMESPACE}><Status>Suspended</Status></VersioningConfiguration>")),
            0,
            "in sync",
        ),
        drift(
            "s3:GetPublicAccessBlock",
            s3(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
            2,
            "public_access",
        ),
        drift(
            "s3:GetBucketOwnershipControls",
            s3(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
            2,
            "ownership",
        ),
        drift(
            "s3:GetBucketCors",
            s3(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
            2,
            "cors",
        ),
        drift(
            "s3:GetBucketCors",
            xml(&format!(
                "<CORSConfiguration {NAMESPACE}><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin></AllowedOrigin></CORSRule></CORSConfiguration>"
            )),
            2,
            "cors",
        ),
        drift("s3:GetBucketPolicy", s3(404, "NoSuchBucketPolicy", "The bucket policy does not exist"), 2, "policy"),
        // A filter with an empty value filters nothing, and the names come back in capitals.
        drift(
            "s3:GetBucketNotificationConfiguration",
            xml(&format!(
                "<NotificationConfiguration {NAMESPACE}><QueueConfiguration><Id>theirs</Id><Queue>arn:aws:sqs:eu-west-1:123456789012:acme-zq0000-events</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Suffix</Name><Value></Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>"
            )),
            2,
            "somebody",
        ),
    ]
}

fn rows_of_the_rest() -> Vec<Row> {
    let no_queue = sqs(400, "NonExistentQueue", "The specified queue does not exist.");
    vec![
        drift("sqs:GetQueueUrl", no_queue, 2, "queue `acme-"),
        drift("sqs:ListQueueTags", json(200, "{}"), 2, "tags"),
        drift("tag:GetResources", json(200, "{\"PaginationToken\":\"\",\"ResourceTagMappingList\":[]}"), 0, "in sync"),
        Row {
            nth: Nth::Number(1),
            ..drift(
                "tag:GetResources",
                json(400, "{\"__type\":\"ThrottledException\",\"message\":\"Rate exceeded\"}"),
                0,
                "in sync",
            )
        },
        drift(
            "iam:GetRolePolicy",
            query(404, "NoSuchEntity", "The role policy with name provision-x cannot be found."),
            2,
            "policy on role `",
        ),
        drift(
            "iam:GetRolePolicy",
            query(404, "NoSuchEntity", "The role with name node cannot be found."),
            2,
            "policy on role `",
        ),
        drift(
            "sts:GetCallerIdentity",
            query(403, "ExpiredToken", "The security token included in the request is expired"),
            4,
            "renew the variables AWS_ACCESS_KEY_ID",
        ),
        Row {
            command: PLAN,
            ..drift(
                "s3:GetBucketTagging",
                s3(
                    400,
                    "AuthorizationHeaderMalformed",
                    "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-west-2'",
                ),
                1,
                "region = \"us-west-2\"",
            )
        },
        // A page that leads back to itself.
        drift(
            "tag:GetResources",
            json(200, "{\"PaginationToken\":\"again\",\"ResourceTagMappingList\":[]}"),
            1,
            "tag:GetResources",
        ),
    ]
}

#[test]
fn answers_of_the_real_service_are_read_as_what_they_say() {
    let rows: Vec<_> = rows_of_a_bucket().into_iter().chain(rows_of_the_rest()).collect();
    std::thread::scope(|scope| {
        for rows in rows.chunks(rows.len().div_ceil(2)) {
            scope.spawn(move || {
                let stage = AWS.applied();
                for row in rows {
                    stage.faults().clear();
                    fault(&stage, row.operation, row.nth, row.answer.clone());
                    let ran = AWS.run(&stage, row.command);
                    let said = format!("{}{}", ran.stdout, ran.stderr);
                    let point = format!("{} {:?}\n{said}", row.operation, row.answer);
                    assert!(
                        ran.code == row.code && said.contains(row.says),
                        "exit {}, not {}: {point}",
                        ran.code,
                        row.code
                    );
                }
            });
        }
    });
}

/// What S3 says of single keys of a batch: passing faults are tried again, what is gone is gone, what is kept is told.
#[test]
fn errors_of_single_keys_are_told_apart() {
    let failed = |code: &str| {
        xml(&format!("<DeleteResult><Error><Key>k</Key><Code>{code}</Code><Message>m</Message></Error></DeleteResult>"))
    };
    for (code, ends) in [("InternalError", 0), ("SlowDown", 0), ("NoSuchVersion", 0), ("AccessDenied", 5)] {
        let stage = AWS.applied();
        (AWS.upload)(&stage.hand(), "k");
        fault(&stage, "s3:DeleteObjects", Nth::Number(1), failed(code));
        let ran = AWS.ends(&stage, ends, &["destroy", "--yes", "--delete-data", AWS.bucket]);
        assert_eq!(ran.contains("object lock"), ends != 0, "{code}: {ran}");
    }
}

/// One pass over everything takes all open uploads, however many pages they are, and another finds nothing.
#[test]
fn open_uploads_are_aborted_page_by_page() {
    let stage = AWS.applied();
    boto(
        &stage.hand(),
        "from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool: list(pool.map(lambda i: s3.create_multipart_upload(Bucket=b, Key=f'k{i}'), range(1001)))",
    );
    stage.faults().clear();
    let ran = AWS.ends(&stage, 0, &["destroy", "--yes", "--delete-data", AWS.bucket]);
    assert!(ran.contains("1,001 objects, versions and uploads deleted"), "{ran}");
    // The look before it, and two passes.
    assert_eq!(stage.faults().count("s3:ListObjectVersions"), 3);
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
}

/// A service that deletes nothing and says that it does: there is an end to that.
#[test]
fn emptying_without_progress_ends() {
    let stage = AWS.applied();
    (AWS.upload)(&stage.hand(), "k");
    fault(&stage, "s3:DeleteObjects", Nth::Every, xml("<DeleteResult/>"));
    let ran = AWS.ends(&stage, 5, &["destroy", "--yes", "--delete-data", AWS.bucket]);
    assert!(ran.contains("it holds something still"), "{ran}");
}

//! Which rights each call of `client` needs, and when: what error hints name, and what `permissions` prints.
//!
//! Actions: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>, and the same of SQS, IAM
//! and Resource Groups Tagging.

pub(crate) mod document;

use provision_core::permissions::{ALWAYS, APPLYING, COUNTING, DESTROYING, PROVING, Row, Task, WRITING};

use crate::config::Settings;

/// What rights are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    /// What has no resource of its own.
    Everything,
    /// The bucket.
    Bucket,
    /// What is in it.
    Objects,
    /// The queue of the bucket's events.
    EventQueue,
    /// The queues that the plan file names.
    Queues,
    /// The address of any queue: what is listed may be gone, and what is not there has no tag to be known by.
    AnyQueue,
    /// Queues with this deployment's mark, whatever their names.
    MarkedQueues,
    /// The role that the server runs as.
    Role,
}

/// The plan files with which a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// The bucket may be somebody else's, with all that it has.
    Adopting,
    /// The bucket may be somebody else's, and its privacy ours no more.
    NotPrivate,
    /// The deployment had another name.
    Renamed,
    /// Principals of other accounts are let in.
    Principals,
}

impl When {
    fn holds(self, settings: &Settings) -> bool {
        let aws = &settings.aws;
        match self {
            Self::Always => true,
            Self::Adopting => aws.bucket.adopt,
            Self::NotPrivate => aws.bucket.adopt && !aws.bucket.private,
            Self::Renamed => settings.deployment.was.is_some(),
            Self::Principals => !settings.principals().is_empty(),
        }
    }
}

type Operation = Row<On, When>;

const fn row(
    operation: &'static str,
    permissions: &'static [&'static str],
    on: &'static [On],
    tasks: &'static [Task],
    when: When,
) -> Operation {
    Row { operation, permissions, on, tasks, when }
}

const fn always(
    operation: &'static str,
    permissions: &'static [&'static str],
    on: &'static [On],
    tasks: &'static [Task],
) -> Operation {
    row(operation, permissions, on, tasks, When::Always)
}

const QUEUES: &[On] = &[On::Queues, On::MarkedQueues];

/// The table. A call that is sent with some plan files more often than with others has a row for each.
static OPERATIONS: &[Operation] = &[
    // Nothing is needed: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.
    always("sts:GetCallerIdentity", &[], &[On::Everything], ALWAYS),
    always("tag:GetResources", &["tag:GetResources"], &[On::Everything], ALWAYS),
    always("s3:HeadBucket", &["s3:ListBucket"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketTagging", &["s3:GetBucketTagging"], &[On::Bucket], ALWAYS),
    always("s3:GetPublicAccessBlock", &["s3:GetBucketPublicAccessBlock"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketOwnershipControls", &["s3:GetBucketOwnershipControls"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketEncryption", &["s3:GetEncryptionConfiguration"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketVersioning", &["s3:GetBucketVersioning"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketPolicy", &["s3:GetBucketPolicy"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketCors", &["s3:GetBucketCORS"], &[On::Bucket], ALWAYS),
    always("s3:GetBucketNotificationConfiguration", &["s3:GetBucketNotification"], &[On::Bucket], ALWAYS),
    row("s3:GetBucketAbac", &["s3:GetBucketAbac"], &[On::Bucket], WRITING, When::Adopting),
    always("s3:ListObjectVersions", &["s3:ListBucketVersions"], &[On::Bucket], COUNTING),
    always("s3:ListObjectVersions", &["s3:ListBucketVersions"], &[On::Bucket], PROVING),
    always("s3:ListMultipartUploads", &["s3:ListBucketMultipartUploads"], &[On::Bucket], COUNTING),
    // The tags and the ownership that come with it have rights of their own:
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>.
    always(
        "s3:CreateBucket",
        &["s3:CreateBucket", "s3:TagResource", "s3:PutBucketOwnershipControls"],
        &[On::Bucket],
        APPLYING,
    ),
    always("s3:PutBucketTagging", &["s3:PutBucketTagging"], &[On::Bucket], APPLYING),
    row("s3:PutBucketTagging", &["s3:PutBucketTagging"], &[On::Bucket], DESTROYING, When::Adopting),
    row("s3:DeleteBucketTagging", &["s3:PutBucketTagging"], &[On::Bucket], WRITING, When::Adopting),
    always("s3:PutPublicAccessBlock", &["s3:PutBucketPublicAccessBlock"], &[On::Bucket], APPLYING),
    always("s3:PutBucketOwnershipControls", &["s3:PutBucketOwnershipControls"], &[On::Bucket], APPLYING),
    always("s3:PutBucketEncryption", &["s3:PutEncryptionConfiguration"], &[On::Bucket], APPLYING),
    always("s3:PutBucketVersioning", &["s3:PutBucketVersioning"], &[On::Bucket], APPLYING),
    always("s3:PutBucketPolicy", &["s3:PutBucketPolicy"], &[On::Bucket], APPLYING),
    row("s3:PutBucketPolicy", &["s3:PutBucketPolicy"], &[On::Bucket], DESTROYING, When::Adopting),
    row("s3:PutBucketPolicy", &["s3:PutBucketPolicy"], &[On::Bucket], DESTROYING, When::Principals),
    row("s3:DeleteBucketPolicy", &["s3:DeleteBucketPolicy"], &[On::Bucket], APPLYING, When::NotPrivate),
    row("s3:DeleteBucketPolicy", &["s3:DeleteBucketPolicy"], &[On::Bucket], DESTROYING, When::Adopting),
    always("s3:PutBucketCors", &["s3:PutBucketCORS"], &[On::Bucket], APPLYING),
    row("s3:PutBucketCors", &["s3:PutBucketCORS"], &[On::Bucket], DESTROYING, When::Adopting),
    row("s3:DeleteBucketCors", &["s3:PutBucketCORS"], &[On::Bucket], WRITING, When::Adopting),
    always("s3:PutBucketNotificationConfiguration", &["s3:PutBucketNotification"], &[On::Bucket], WRITING),
    row("s3:TagResource", &["s3:TagResource"], &[On::Bucket], APPLYING, When::Adopting),
    row("s3:UntagResource", &["s3:UntagResource"], &[On::Bucket], WRITING, When::Adopting),
    // "To delete an object from a bucket, you must always specify the s3:DeleteObject permission":
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
    always("s3:DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"], &[On::Objects], DESTROYING),
    always("s3:DeleteObject", &["s3:DeleteObject", "s3:DeleteObjectVersion"], &[On::Objects], DESTROYING),
    always("s3:DeleteObject", &["s3:DeleteObject", "s3:DeleteObjectVersion"], &[On::Objects], PROVING),
    always("s3:PutObject", &["s3:PutObject"], &[On::Objects], PROVING),
    always("s3:GetObject", &["s3:GetObject"], &[On::Objects], PROVING),
    always("s3:HeadObject", &["s3:GetObject", "s3:GetObjectVersion"], &[On::Objects], PROVING),
    always("s3:AbortMultipartUpload", &["s3:AbortMultipartUpload"], &[On::Objects], DESTROYING),
    always("s3:DeleteBucket", &["s3:DeleteBucket"], &[On::Bucket], DESTROYING),
    always("sqs:GetQueueUrl", &["sqs:GetQueueUrl"], &[On::AnyQueue], ALWAYS),
    always("sqs:GetQueueAttributes", &["sqs:GetQueueAttributes"], QUEUES, ALWAYS),
    always("sqs:ListQueueTags", &["sqs:ListQueueTags"], QUEUES, ALWAYS),
    always("sqs:CreateQueue", &["sqs:CreateQueue", "sqs:TagQueue"], &[On::Queues], APPLYING),
    always("sqs:SetQueueAttributes", &["sqs:SetQueueAttributes"], QUEUES, WRITING),
    always("sqs:TagQueue", &["sqs:TagQueue"], QUEUES, WRITING),
    always("sqs:UntagQueue", &["sqs:UntagQueue"], QUEUES, WRITING),
    always("sqs:DeleteQueue", &["sqs:DeleteQueue"], &[On::MarkedQueues], WRITING),
    always("sqs:ReceiveMessage", &["sqs:ReceiveMessage"], &[On::EventQueue], PROVING),
    always("sqs:ChangeMessageVisibility", &["sqs:ChangeMessageVisibility"], &[On::EventQueue], PROVING),
    always("sqs:DeleteMessage", &["sqs:DeleteMessage"], &[On::EventQueue], PROVING),
    // It is in no document: without it nothing is told before, and whoever has it for a role sees what that may do.
    always("iam:SimulatePrincipalPolicy", &["iam:SimulatePrincipalPolicy"], &[On::Everything], &[]),
    // Nor is this, which tells the path of a role.
    always("iam:GetRole", &["iam:GetRole"], &[On::Role], &[]),
    always("iam:GetRolePolicy", &["iam:GetRolePolicy"], &[On::Role], ALWAYS),
    always("iam:PutRolePolicy", &["iam:PutRolePolicy"], &[On::Role], APPLYING),
    row("iam:DeleteRolePolicy", &["iam:DeleteRolePolicy"], &[On::Role], APPLYING, When::Renamed),
    always("iam:DeleteRolePolicy", &["iam:DeleteRolePolicy"], &[On::Role], DESTROYING),
];

/// The rights that an operation needs.
pub(crate) fn of(operation: &str) -> &'static [&'static str] {
    OPERATIONS.iter().find(|row| row.operation == operation).map_or(&[], |row| row.permissions)
}

/// What a command needs with these settings: rights, and what they are on.
pub(crate) fn needed(settings: &Settings, task: Task) -> impl Iterator<Item = (On, &'static str)> {
    let rows = OPERATIONS.iter().filter(move |row| row.tasks.contains(&task) && row.when.holds(settings));
    rows.flat_map(|row| row.on.iter().flat_map(|on| row.permissions.iter().map(|permission| (*on, *permission))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::names::tests::settings;

    const CLIENT: [&str; 6] = [
        include_str!("client/iam.rs"),
        include_str!("client/objects.rs"),
        include_str!("client/s3.rs"),
        include_str!("client/sqs.rs"),
        include_str!("client/sts.rs"),
        include_str!("client/tagging.rs"),
    ];

    #[test]
    fn every_operation_has_a_row_and_every_row_an_operation() {
        let of = |call: &'static str| CLIENT.iter().flat_map(move |file| file.split(call).skip(1));
        // What is only signed is sent as a browser sends it.
        let sent = of("send!(\"").chain(of("signed(\""));
        let sent: BTreeSet<_> = sent.filter_map(|rest| rest.split('"').next()).collect();
        let known: BTreeSet<_> = OPERATIONS.iter().map(|row| row.operation).collect();
        assert_eq!(sent, known);
    }

    #[test]
    fn what_only_looks_needs_no_write() {
        let settings =
            settings("was = \"old\"", "[aws.bucket]\nname = \"acme\"\nadopt = true\n[aws.access]\nrole = \"node\"");
        for task in [Task::Plan, Task::Drift] {
            for (_, permission) in needed(&settings, task) {
                let (_, name) = permission.split_once(':').unwrap();
                assert!(name.starts_with("Get") || name.starts_with("List"), "{permission}");
            }
        }
    }

    #[test]
    fn rows_of_one_operation_need_the_same() {
        for row in OPERATIONS {
            assert_eq!(of(row.operation), row.permissions, "{}", row.operation);
        }
    }
}

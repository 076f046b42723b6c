//! Amazon Web Services.

mod byob;
pub(crate) mod hand;
mod proof;

use provision_sandbox::EmulatorKind;
use provision_sandbox::aws::answers::{s3, s3_with, sqs};
use provision_sandbox::fault::{What, When};
use serde_json::{Value, json};

use self::hand::{MADE, MARK, MESSAGES, OTHERS, OURS, PUT_OTHERS, ROLES, boto, python};
use super::{CloudFixture, Denied, Edit, Edits, Faults, Foreign, Plans, Setting};
use crate::rights::Rights;
use crate::sweep::clouds::{self as sweep, Scenario};

/// A plan file with every part.
pub(crate) const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"
[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-{s}"
[aws.queue]
name = "acme-{s}-events"
[aws.run_queue]
name = "acme-{s}-runs"
[aws.access]
role = "node"
"#;

pub(crate) static AWS: CloudFixture = CloudFixture {
    name: "aws",
    sandbox: EmulatorKind::Aws,
    seed: |stage| boto(&stage.hand(), ROLES),
    plans: PLANS,
    edits: EDITS,
    foreign: FOREIGN,
    faults: FAULTS,
    ours: |hand| serde_json::from_str(&python(hand, OURS)).unwrap(),
    applied: &[
        "bucket acme-{s}",
        "entry acme-{s}-events",
        "policy node",
        "queue acme-{s}-events",
        "queue acme-{s}-runs",
        "rule",
        "statement of the bucket",
        "statement of the queue",
    ],
    adopted: &[
        "bucket acme-{s}",
        "entry acme-{s}-events",
        "policy node",
        "queue acme-{s}-events",
        "queue acme-{s}-runs",
        "rule",
        "statement of the bucket",
        "statement of the queue",
    ],
    mark: |hand, bucket| serde_json::from_str(&python(hand, &MARK.replace("BUCKET", bucket))).unwrap(),
    set_mark: |hand, bucket, mark| {
        let tags: Vec<_> =
            mark.as_object().unwrap().iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        boto(
            hand,
            &format!(
                "s3.put_bucket_tagging(Bucket='{bucket}', Tagging={{'TagSet': json.loads('''{}''')}})",
                json!(tags)
            ),
        );
    },
    bucket: "acme-{s}",
    upload: |hand, name| boto(hand, &format!("s3.put_object(Bucket=b, Key='{name}', Body=b'x')")),
    fill: |hand| {
        boto(
            hand,
            "version()
for k in ['a', 'b', 'a']: s3.put_object(Bucket=b, Key=k, Body=b'')
s3.delete_object(Bucket=b, Key='a'); s3.create_multipart_upload(Bucket=b, Key='open')",
        );
    },
    messages: |hand| serde_json::from_str(&python(hand, MESSAGES)).unwrap(),
    traced: &["<AllowedOrigin>https://wandb.example.com</AllowedOrigin>", "sqs:SendMessage", "provision-deployment"],
    secrets: |_| vec!["hunter2".to_owned()],
    credentials: (&["AWS_ACCESS_KEY_ID"], &[]),
    credentials_hint: "find AWS credentials",
    rights: RIGHTS,
    // Plan: who we are, then everything. Apply: plan, creation, the mark read after it, facets and notification, last mark,
    // the closing look. Destroy: who we are and where, everything, the bucket's mark, the bucket, the marks of the queues,
    // which are read right before each goes, the queues, and that they are seen no more.
    proof: Some(&proof::PROOF),
    byob: &byob::BYOB,
    waves: [2, 7, 7],
};

const RIGHTS: Rights = Rights {
    without: |document| {
        let policy: Value = serde_json::from_str(document).unwrap();
        let actions = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap());
        let actions: std::collections::BTreeSet<_> =
            actions.map(|action| action.as_str().unwrap().to_owned()).collect();
        // One that several statements give is taken out of each.
        let without = |action: String| {
            let mut policy = policy.clone();
            let statements = policy["Statement"].as_array_mut().unwrap();
            statements
                .iter_mut()
                .for_each(|statement| statement["Action"].as_array_mut().unwrap().retain(|known| *known != *action));
            statements.retain(|statement| statement["Action"] != json!([]));
            (action, policy.to_string())
        };
        actions.into_iter().map(without).collect()
    },
    more: &[("apply", &ABAC), ("apply", &NOT_PRIVATE), ("destroy", &RELEASE_WITH_ABAC), ("destroy", &LEAVING_ORPHANS)],
    dispensable: &[],
};

/// Tags of the bucket grant access.
const ABAC: Scenario = Scenario {
    prepare: |cloud, stage| {
        (sweep::ADOPT.prepare)(cloud, stage);
        boto(&stage.hand(), "s3.put_bucket_abac(Bucket=b, AbacStatus={'Status': 'Enabled'})");
        cloud.change(stage, &[cloud.plans.adopting, &[("[aws]\n", "tags = { cost = \"ml\" }\n[aws]\n")]].concat());
        cloud.apply(stage);
        cloud.change(stage, cloud.plans.adopting);
    },
    ..sweep::APPLY
};

const RELEASE_WITH_ABAC: Scenario = Scenario {
    prepare: |cloud, stage| {
        (sweep::RELEASE.prepare)(cloud, stage);
        boto(&stage.hand(), "s3.put_bucket_abac(Bucket=b, AbacStatus={'Status': 'Enabled'})");
    },
    ..sweep::DESTROY
};

/// What is left over stays, and its mark says that what else there was is gone.
const LEAVING_ORPHANS: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        cloud.change(stage, cloud.plans.queue_renamed.0);
    },
    ..sweep::DESTROY
};

/// The privacy of an adopted bucket is its owner's again.
const NOT_PRIVATE: Scenario = Scenario {
    prepare: |cloud, stage| {
        (cloud.foreign.unmarked)(&stage.hand());
        cloud.change(stage, cloud.plans.adopting);
        cloud.apply(stage);
        let adopting = cloud.plan_with(cloud.plans.adopting);
        stage.write("provision.toml", &adopting.replace("private = true\n", ""));
    },
    ..sweep::APPLY
};

const PLANS: Plans = Plans {
    whole: PLAN,
    examples: [
        (include_str!("../../../plans/aws.toml"), "BUCKET=s3://acme-{s}-wandb-files\n"),
        (include_str!("../../../plans/aws-minimal.toml"), "BUCKET=s3://acme-{s}-wandb-minimal\n"),
        (include_str!("../../../plans/aws-full.toml"), "BUCKET=s3://acme-{s}-wandb-full\n"),
    ],
    example_names: &[("acme-", "acme-{s}-"), ("123456789012", "{a}")],
    imported: &[
        "aws_s3_bucket.files",
        "aws_s3_bucket_ownership_controls.files",
        "aws_s3_bucket_public_access_block.files",
        "aws_s3_bucket_server_side_encryption_configuration.files",
        "aws_s3_bucket_versioning.files",
        "aws_s3_bucket_cors_configuration.files",
        "aws_s3_bucket_policy.files",
        "aws_sqs_queue.events",
        "aws_sqs_queue_policy.events",
        "aws_s3_bucket_notification.files",
        "aws_sqs_queue.runs",
        "aws_iam_role_policy.server",
    ],
    outputs: &["BUCKET=s3://acme-{s}\n", "BUCKET_QUEUE=sqs://acme-{s}-events\n", "AWS_REGION=eu-west-1\n"],
    settings: &[
        Setting { old: "[aws.queue]", new: "versioning = true\n[aws.queue]", shows: "versioning" },
        Setting { old: "[aws.queue]", new: "cors = { max_age_s = 60 }\n[aws.queue]", shows: "cors.max_age_s" },
        Setting {
            old: "[aws.run_queue]",
            new: "receive_wait_s = 5\n[aws.run_queue]",
            shows: "attributes.receive_wait_s",
        },
        Setting { old: "https://wandb.example.com", new: "https://other.example.com", shows: "cors.origins" },
        Setting { old: "[aws]\n", new: "tags = { team = \"ml\" }\n[aws]\n", shows: "tags.team" },
        Setting { old: "[aws.run_queue]", new: "senders = \"anyone\"\n[aws.run_queue]", shows: "policy.Action" },
        Setting { old: "role = \"node\"", new: "role = \"node\"\ngrant = \"all\"", shows: "policy.node/provision-" },
        Setting {
            old: "role = \"node\"",
            new: "role = \"node\"\nprincipals = [\"111122223333\"]",
            shows: "principals.Principal",
        },
    ],
    update: &[
        ("wandb.example.com", "moved.example.com"),
        ("[aws.queue]", "versioning = true\n[aws.queue]"),
        ("[aws.run_queue]", "visibility_timeout_s = 99\nsenders = \"anyone\"\n[aws.run_queue]"),
        ("[aws]\n", "tags = { team = \"ml\" }\n[aws]\n"),
        ("role = \"node\"", "role = \"node\"\ngrant = \"all\""),
    ],
    adopting: &[
        ("name = \"acme-{s}\"\n", "name = \"acme-{s}\"\nadopt = true\nprivate = true\n"),
        ("-events\"\n", "-events\"\nadopt = true\n"),
    ],
    bucket_renamed: &[Setting {
        old: "name = \"acme-{s}\"",
        new: "name = \"acme-{s}-new\"",
        shows: "this deployment's bucket is `acme-{s}`, and the plan file now names `acme-{s}-new`",
    }],
    queue_renamed: (
        &[("-events\"", "-renamed\""), ("-runs\"", "-others\"")],
        &["left over: queue `acme-{s}-events`", "left over: queue `acme-{s}-runs`"],
    ),
    alike: &[("wandb-prod", "wandb-prod-b"), ("acme-{s}", "acme-{s}-b")],
    brief: ("[aws.run_queue]", "retention_s = 3600\n[aws.run_queue]"),
    protect: ("[aws.queue]", "protect = true\n[aws.queue]"),
};

const EDITS: Edits = Edits {
    facets: &[
        Edit { shows: "public_access.", make: |hand| boto(hand, "s3.delete_public_access_block(Bucket=b)") },
        Edit {
            shows: "ownership ",
            make: |hand| {
                boto(
                    hand,
                    "s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={'Rules': [{'ObjectOwnership': 'ObjectWriter'}]})",
                );
            },
        },
        Edit { shows: "encryption.", make: |hand| boto(hand, "encrypt('aws:kms')") },
        Edit { shows: "versioning ", make: |hand| boto(hand, "version()") },
        Edit { shows: "policy.", make: |hand| boto(hand, "s3.delete_bucket_policy(Bucket=b)") },
        Edit {
            shows: "cors.methods",
            make: |hand| boto(hand, "r = rules(); r[0]['AllowedMethods'] = ['GET']; set_rules(r)"),
        },
        Edit { shows: "attributes.visibility_timeout_s", make: |hand| boto(hand, "attribute(VisibilityTimeout='7')") },
        Edit { shows: "policy.", make: |hand| boto(hand, "attribute(Policy='')") },
        Edit { shows: "encryption ", make: |hand| boto(hand, "attribute(SqsManagedSseEnabled='false')") },
        Edit { shows: "delivery.delay_s", make: |hand| boto(hand, "attribute(DelaySeconds='900')") },
        Edit {
            shows: "entry.events",
            make: |hand| {
                boto(
                    hand,
                    "n = notifications(); n['QueueConfigurations'][0]['Events'] = ['s3:ObjectCreated:Put']; notify(n)",
                );
            },
        },
        Edit {
            shows: "policy.node/provision-",
            make: |hand| {
                boto(
                    hand,
                    "[grant('node', name, 's3:Get*') for name in granted('node') if name.startswith('provision')]",
                );
            },
        },
    ],
    gone: &[
        Edit { shows: "aws.notification", make: |hand| boto(hand, "notify({})") },
        Edit { shows: "aws.bucket", make: |hand| boto(hand, "s3.delete_bucket_cors(Bucket=b)") },
        Edit {
            shows: "aws.access",
            make: |hand| boto(hand, "[iam.delete_role_policy(RoleName='node', PolicyName=n) for n in granted('node')]"),
        },
        Edit { shows: "aws.queue", make: |hand| boto(hand, "sqs.delete_queue(QueueUrl=u())") },
        Edit { shows: "aws.bucket", make: |hand| boto(hand, "s3.delete_bucket(Bucket=b)") },
    ],
    all_gone: |hand| {
        boto(
            hand,
            "[sqs.delete_queue(QueueUrl=url) for url in sqs.list_queues()['QueueUrls']]; s3.delete_bucket(Bucket=b)",
        )
    },
    renamed_gone: |hand| boto(hand, "sqs.delete_queue(QueueUrl=u('acme-{s}-renamed'))"),
    both: (
        Edit { shows: "", make: |hand| boto(hand, "attribute(VisibilityTimeout='7')") },
        Setting {
            old: "[aws.run_queue]",
            new: "visibility_timeout_s = 99\n[aws.run_queue]",
            shows: "is 7, should be 99",
        },
    ),
    stale: (
        Edit { shows: "", make: |hand| boto(hand, "version()") },
        Setting { old: "[aws.queue]", new: "versioning = true\n[aws.queue]", shows: "" },
        &["s3:PutBucketTagging"],
    ),
};

const FOREIGN: Foreign = Foreign {
    bucket: |hand| boto(hand, "make(b)"),
    unmarked: |hand| boto(hand, MADE),
    unmarked_hints: &["bucket `acme-{s}`", "queue `acme-{s}-events`", "adopt = true"],
    put: |hand| boto(hand, PUT_OTHERS),
    all: |hand| serde_json::from_str(&python(hand, OTHERS)).unwrap(),
};

const FAULTS: Faults = Faults {
    update_begins: ("s3:PutBucketCors", 1),
    passing: || {
        let destination = "Unable to validate the following destination configurations";
        vec![
            ("s3:CreateBucket", What::Throttle),
            ("s3:PutBucketCors", What::Conflict),
            ("s3:PutBucketPolicy", What::Throttle),
            ("s3:PutBucketNotificationConfiguration", s3(400, "InvalidArgument", destination)),
            ("sqs:CreateQueue", sqs(400, "QueueDeletedRecently", "You must wait 60 seconds")),
            ("sqs:CreateQueue", sqs(403, "RequestThrottled", "Rate exceeded")),
            ("iam:PutRolePolicy", What::Drop),
            ("s3:PutBucketTagging", What::Throttle),
        ]
    },
    lost: &["s3:CreateBucket", "sqs:CreateQueue", "s3:PutBucketTagging", "iam:PutRolePolicy"],
    patient: || {
        ("s3:PutBucketCors", s3_with(503, "SlowDown", "Please reduce your request rate.", &[("retry-after", "2")]))
    },
    ignored: || ("s3:PutBucketCors", What::Answer { status: 200, headers: Vec::new(), body: String::new() }),
    denied: Denied {
        operation: "s3:PutBucketCors",
        code: "AccessDenied",
        message: "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutBucketCORS",
        at_once: 1,
        says: &["grant `s3:PutBucketCORS`", "aws.bucket"],
        unfinished: "an apply did not finish",
    },
    denied_read: ("s3:GetBucketCors", "aws.bucket"),
    bodiless: &["s3:HeadBucket"],
    always_lists: |_| false,
    throttles: |operation| match operation.split(':').next() {
        Some("s3") => vec![(503, "SlowDown"), (503, "Throttling"), (503, "RequestThrottled")],
        _ => THROTTLING.iter().map(|code| (400, *code)).collect(),
    },
    refusal: || s3(403, "AccessDenied", "not authorized to perform this action"),
    internal: || s3(500, "InternalError", "We encountered an internal error. Please try again."),
    uncrossed: &[],
    says: str::to_owned,
    begins: "s3:CreateBucket",
    last_free: ("s3:CreateBucket", 1),
    finishes: "s3:DeleteBucket",
    last_look: ("s3:DeleteBucket", 1, When::Before),
    crossed: "s3:PutBucketNotificationConfiguration",
    emptying: ("iam:DeleteRolePolicy", "s3:DeleteObjects"),
};

/// What the services' clients know as "slow down": <https://docs.rs/aws-runtime/latest/aws_runtime/retries/classifiers/>.
const THROTTLING: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

//! A bucket for a server of another account.

use super::hand::{boto, python};
use crate::clouds::{Byob, Edit, Setting};

const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.ai"
[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-{s}"
[aws.queue]
enabled = false
[aws.access]
principals = ["111122223333", "arn:aws:iam::444455556666:role/reports"]
"#;

/// Whom statements let in, and whose those are.
const LET_IN: &str = "
def listed(one): return one if isinstance(one, list) else [one]
print(json.dumps(sorted(('' if is_ours(one) else 'theirs ') + who for one in statements() if one['Effect'] == 'Allow' for who in listed(one['Principal']['AWS']))))
";

/// The same statement as ours, as W&B's page has it.
const THEIRS: &str = "
make(b)
actions = ['GetObject*', 'GetEncryptionConfiguration', 'ListBucket', 'ListBucketMultipartUploads', 'ListBucketVersions', 'AbortMultipartUpload',
  'DeleteObject', 'PutObject', 'GetBucketCORS', 'GetBucketLocation', 'GetBucketVersioning']
s3.put_bucket_policy(Bucket=b, Policy=document([{'Sid': 'WAndBAccountAccess', 'Effect': 'Allow',
  'Principal': {'AWS': ['arn:aws:iam::111122223333:root', 'arn:aws:iam::444455556666:role/reports']},
  'Action': ['s3:' + action for action in actions], 'Resource': ['arn:aws:s3:::' + b, 'arn:aws:s3:::' + b + '/*']}]))
";

pub(crate) const BYOB: Byob = Byob {
    plan: PLAN,
    exchanged: Setting { old: "role/reports", new: "role/papers", shows: "principals.Principal.AWS" },
    without: ("[aws.access]\nprincipals = [\"111122223333\", \"arn:aws:iam::444455556666:role/reports\"]\n", ""),
    adopting: &[("\"acme-{s}\"\n", "\"acme-{s}\"\nadopt = true\n")],
    let_in: |hand| serde_json::from_str(&python(hand, LET_IN)).unwrap(),
    applied: &["bucket acme-{s}", "rule", "statement of the bucket", "statement of the bucket"],
    granted: &["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:role/reports"],
    granted_then: &["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:role/papers"],
    let_in_by_others: |hand| boto(hand, THEIRS),
    joins: (
        |hand| {
            boto(
                hand,
                "s3.put_bucket_policy(Bucket=b, Policy=document(statements() + [{'Sid': 'Theirs', 'Effect': 'Allow', \
                 'Principal': {'AWS': 'arn:aws:iam::111122223333:root'}, 'Action': 's3:GetObject', \
                 'Resource': 'arn:aws:s3:::' + b + '/*'}]))",
            );
        },
        "theirs arn:aws:iam::111122223333:root",
    ),
    granted_beside: &[
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::444455556666:role/reports",
        "theirs arn:aws:iam::111122223333:root",
        "theirs arn:aws:iam::444455556666:role/reports",
    ],
    imported: &[
        "aws_s3_bucket.files",
        "aws_s3_bucket_ownership_controls.files",
        "aws_s3_bucket_public_access_block.files",
        "aws_s3_bucket_server_side_encryption_configuration.files",
        "aws_s3_bucket_versioning.files",
        "aws_s3_bucket_cors_configuration.files",
        "aws_s3_bucket_policy.files",
    ],
    shut_out: Edit {
        shows: "principals",
        make: |hand| {
            boto(
                hand,
                "s3.put_bucket_policy(Bucket=b, Policy=document([one for one in statements() if one['Effect'] != 'Allow']))",
            );
        },
    },
    emptying: ("s3:PutBucketPolicy", "s3:DeleteObjects"),
};

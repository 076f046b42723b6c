//! The settings for the server, what deserves a warning each time, and what is left to the user.

use provision_core::output::{Output, OutputSource};
use provision_core::retention;
use serde_json::json;

use crate::config::{Encryption, Grant, SERVER_KEY_ACTIONS, Senders, Settings};
use crate::names::{Names, Part};
use crate::resources::bucket::BucketFacet;
use crate::resources::{Facets as _, access};

/// The settings for the server, from the plan file and the region alone.
pub(crate) fn outputs(settings: &Settings, region: &str) -> Vec<Output> {
    let aws = &settings.aws;
    let queue = if aws.queue.enabled { format!("sqs://{}", settings.queue_name()) } else { "internal://".to_owned() };
    let mut outputs = vec![
        Output::new("HOST", &settings.deployment.host),
        Output::new("BUCKET", format!("s3://{}", aws.bucket.name)),
        Output::new("BUCKET_QUEUE", queue),
        Output::new("AWS_REGION", region),
    ];
    if settings.is_hosted_elsewhere() {
        outputs.retain(|output| !["HOST", "BUCKET_QUEUE"].contains(&output.name.as_str()));
    }
    if let Some(run_queue) = &aws.run_queue {
        outputs.push(Output::new("NOTIFICATIONS_QUEUE", format!("sqs://{}", run_queue.name)));
    }
    if let Some(Encryption::Key(key)) = &aws.bucket.encryption {
        outputs.push(Output::new("AWS_S3_KMS_ID", &key.kms_key));
    }
    outputs
}

/// What decides each. The host is known by the CORS rule alone, and not where that has origins of its own.
pub(crate) fn sources(settings: &Settings) -> Vec<(&'static str, OutputSource)> {
    let field =
        |facet: BucketFacet, field| OutputSource::Field { address: Part::Bucket.address(), facet: facet.name(), field };
    let host = settings.aws.bucket.cors.origins.is_none().then(|| ("HOST", field(BucketFacet::Cors, "origins")));
    let part = |part: Part| OutputSource::Part(part.address());
    let others = [
        ("BUCKET", part(Part::Bucket)),
        ("BUCKET_QUEUE", part(Part::Queue)),
        ("NOTIFICATIONS_QUEUE", part(Part::RunQueue)),
        ("AWS_S3_KMS_ID", field(BucketFacet::Encryption, "kms_key")),
    ];
    host.into_iter().chain(others).collect()
}

/// Open choices of the plan file.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let aws = &settings.aws;
    if aws.queue.enabled && aws.queue.senders == Senders::Anyone {
        let queue = settings.queue_name();
        warnings.push(format!(
            "queue `{queue}` is open to everybody: anyone may read, send and delete (`senders = \"anyone\"`)"
        ));
    }
    let all = aws.access.as_ref().filter(|access| access.grant == Grant::All);
    if let Some(role) = all.and_then(|access| access.role.as_ref()) {
        warnings.push(format!("role `{role}` gets every S3 and SQS action on this deployment (`grant = \"all\"`)"));
    }
    if aws.queue.enabled && settings.is_hosted_elsewhere() {
        warnings.push(format!(
            "queue `{}` is read by nobody: the server of another account uses a queue of its own (`enabled = false` under \
             [aws.queue])",
            settings.queue_name()
        ));
    }
    if aws.queue.enabled {
        let queue = format!("queue `{}`", settings.queue_name());
        warnings.extend(retention::warning(&queue, "retention_s", aws.queue.retention_s));
    }
    warnings
}

/// The server's policy, where the plan file names no role that it would be attached to; and what principals of other accounts
/// need on the key, whose policy is never written here.
pub(crate) fn next_steps(settings: &Settings, names: &Names) -> Option<String> {
    let policy = || {
        let policy = access::server_policy(settings, names);
        format!("The server's role needs this policy ([aws.access] would attach it):\n{policy:#}")
    };
    let key = match &settings.aws.bucket.encryption {
        Some(Encryption::Key(key)) if !names.principals.is_empty() => Some(key_statement(&key.kms_key, names)),
        _ => None,
    };
    settings.aws.access.is_none().then(policy).or(key)
}

/// "the key policy in the other account must give the external principal access":
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>.
fn key_statement(key: &str, names: &Names) -> String {
    let statement = json!({
        "Sid": "WandbAccess",
        "Effect": "Allow",
        "Principal": {"AWS": names.principals},
        "Action": SERVER_KEY_ACTIONS,
        "Resource": "*",
    });
    format!("The policy of key {key} needs this statement too (no key's policy is ever written here):\n{statement:#}")
}

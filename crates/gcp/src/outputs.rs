//! The settings for the server, what deserves a warning each time, and what is left to the user.

use provision_core::output::{Output, OutputSource};
use provision_core::retention;

use crate::config::Settings;
use crate::names::{Names, Part};
use crate::resources::bucket::BucketFacet;
use crate::resources::{Facets as _, access};

/// The settings for the server, from the plan file alone. The queue has one slash and short names: what the server reads
/// (<https://docs.wandb.ai/platform/hosting/self-managed/gcp-tf>).
pub(crate) fn outputs(settings: &Settings) -> Vec<Output> {
    let gcp = &settings.gcp;
    let queue = match gcp.topic.enabled {
        true => format!("pubsub:/{}/{}/{}", gcp.project, settings.topic_name(), settings.subscription_name()),
        false => "internal://".to_owned(),
    };
    let bucket = Output::new("BUCKET", format!("gs://{}", gcp.bucket.name));
    if settings.is_hosted_elsewhere() {
        return vec![bucket];
    }
    vec![Output::new("HOST", &settings.deployment.host), bucket, Output::new("BUCKET_QUEUE", queue)]
}

/// What decides each. The host is known by the CORS rule alone, and not where that has origins of its own.
pub(crate) fn sources(settings: &Settings) -> Vec<(&'static str, OutputSource)> {
    let address = Part::Bucket.address();
    let origins = || OutputSource::Field { address, facet: BucketFacet::Cors.name(), field: "origins" };
    let host = settings.gcp.bucket.cors.origins.is_none().then(|| ("HOST", origins()));
    let part = |part: Part| OutputSource::Part(part.address());
    let others = [
        ("BUCKET", part(Part::Bucket)),
        ("BUCKET_QUEUE", part(Part::Topic)),
        ("BUCKET_QUEUE", part(Part::Subscription)),
    ];
    host.into_iter().chain(others).collect()
}

/// Open choices of the plan file.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let bucket = &settings.gcp.bucket;
    if bucket.cors.origins.iter().flatten().any(|origin| origin == "*") {
        warnings.push(format!("pages of every site may use bucket `{}` (`origins = [\"*\"]`)", bucket.name));
    }
    if bucket.soft_delete_days == Some(0) {
        warnings.push(format!(
            "what is deleted from bucket `{}` cannot be restored, and W&B's own check asks for soft deletion \
             (`soft_delete_days = 0`)",
            bucket.name
        ));
    }
    if settings.gcp.topic.enabled && settings.is_hosted_elsewhere() {
        warnings.push(format!(
            "subscription `{}` is read by nobody: the server of somebody else uses a queue of its own (`enabled = false` under \
             [gcp.topic])",
            settings.subscription_name()
        ));
    }
    if settings.gcp.topic.enabled {
        let subscription = format!("subscription `{}`", settings.subscription_name());
        warnings.extend(retention::warning(&subscription, "retention_s", settings.gcp.subscription.retention_s));
    }
    warnings
}

/// The roles of the server, where the plan file names no account that would get them.
pub(crate) fn next_steps(settings: &Settings, names: &Names) -> Option<String> {
    let commands = || {
        let commands = access::commands(names, None);
        format!("The server's service account needs these roles ([gcp.access] would grant them):\n{commands}")
    };
    settings.gcp.access.is_none().then(commands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings;

    #[test]
    fn outputs_are_what_the_server_reads() {
        let text = |settings: &Settings| -> Vec<_> {
            outputs(settings)
                .into_iter()
                .map(|output| format!("{}={}", output.name, output.known().unwrap_or_default()))
                .collect()
        };
        let expected = [
            "HOST=https://wandb.example.com",
            "BUCKET=gs://acme-wandb",
            "BUCKET_QUEUE=pubsub:/acme-ml/acme-wandb-events/acme-wandb-events",
        ];
        assert_eq!(text(&settings()), expected);
        let mut internal = settings();
        internal.gcp.topic.enabled = false;
        assert_eq!(text(&internal)[2], "BUCKET_QUEUE=internal://");
    }
}

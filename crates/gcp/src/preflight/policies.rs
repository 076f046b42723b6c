//! Policies of the organization that would refuse a bucket or a topic, whatever the permissions
//! (<https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>).
//!
//! Only what they plainly say is told: which locations are in a group of locations they do not.

use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use provision_core::change_set::ChangeSet;
use provision_core::refusal::Refusal;

use crate::client::Reader;
use crate::client::projects::ListPolicy;
use crate::config::Settings;
use crate::names::Part;

/// Where things may be (<https://cloud.google.com/resource-manager/docs/organization-policy/defining-locations>).
const LOCATIONS: &str = "gcp.resourceLocations";

/// Services whose things need a key of the customer's
/// (<https://cloud.google.com/kms/docs/cmek-org-policy>).
const KEYS: &str = "gcp.restrictNonCmekServices";

/// How long deleted objects may be kept (<https://cloud.google.com/storage/docs/org-policy-constraints#soft-delete-durations>).
const SOFT_DELETE: &str = "storage.softDeletePolicySeconds";

/// How long objects must be kept, by each new bucket (<https://cloud.google.com/storage/docs/org-policy-constraints#retention-durations>).
const RETENTION: &str = "storage.retentionPolicySeconds";

const SECONDS_A_DAY: u32 = 86_400;

/// The policies in force, as far as they could be asked for.
#[derive(Debug, Default)]
pub(super) struct Policies(Mutex<Vec<(&'static str, ListPolicy)>>);

impl Policies {
    /// Ask for those that what is made could hit. Who may not ask is told by the creation.
    pub(super) async fn ask(&self, reader: &Reader, settings: &Settings) {
        let asks = [LOCATIONS, KEYS, SOFT_DELETE, RETENTION].map(async |constraint| {
            let policy = reader.get_effective_org_policy(&settings.gcp.project, constraint).await;
            policy.ok().map(|policy| (constraint, policy))
        });
        let found = join_all(asks).await.into_iter().flatten();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// What would refuse the creations of a set.
    pub(super) fn refusals(&self, settings: &Settings, set: &ChangeSet) -> Vec<Refusal> {
        let policies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (bucket, topic) = (set.creates(&Part::Bucket.address()), set.creates(&Part::Topic.address()));
        let found = policies.iter().filter_map(|(constraint, policy)| {
            let bucket = bucket.then(|| of_bucket(settings, constraint, policy)).flatten();
            let topic = topic.then(|| of_topic(constraint, policy)).flatten();
            let refused: Vec<_> = bucket.into_iter().chain(topic).collect();
            (!refused.is_empty()).then(|| refusal(settings, constraint, &refused.join(" and ")))
        });
        found.collect()
    }
}

/// What of the bucket a policy does not allow.
fn of_bucket(settings: &Settings, constraint: &str, policy: &ListPolicy) -> Option<String> {
    let (section, name) = (&settings.gcp.bucket, &settings.gcp.bucket.name);
    match constraint {
        LOCATIONS => {
            let location = section.location();
            refuses(policy, &location).then(|| format!("bucket `{name}` in {location}"))
        }
        KEYS => {
            let refused = section.encryption.is_none() && refuses(policy, "storage.googleapis.com");
            refused.then(|| format!("bucket `{name}` without a `kms_key`"))
        }
        SOFT_DELETE => {
            let days = section.soft_delete_days;
            let refused = days.is_some_and(|days| refuses(policy, &(days * SECONDS_A_DAY).to_string()));
            refused.then(|| format!("bucket `{name}` with `soft_delete_days = {}`", section.soft_delete_days()))
        }
        RETENTION => policy.is_list().then(|| format!("bucket `{name}` without a retention policy")),
        _ => None,
    }
}

fn of_topic(constraint: &str, policy: &ListPolicy) -> Option<String> {
    let refused = constraint == KEYS && refuses(policy, "pubsub.googleapis.com");
    refused.then(|| "a topic without a key of its own".to_owned())
}

fn refusal(settings: &Settings, constraint: &str, refused: &str) -> Refusal {
    let project = &settings.gcp.project;
    Refusal {
        reason: format!("the organization's `constraints/{constraint}` does not allow {refused}"),
        hint: format!(
            "`gcloud resource-manager org-policies describe {constraint} --project={project} --effective` shows what is allowed: change \
             the plan file, or ask for an exception"
        ),
    }
}

/// Whether a policy is sure to refuse a value (<https://cloud.google.com/resource-manager/reference/rest/v1/Policy#listpolicy>).
fn refuses(policy: &ListPolicy, value: &str) -> bool {
    let is_value = |listed: &String| listed.trim_start_matches("is:").eq_ignore_ascii_case(value);
    let is_plain = |listed: &String| !listed.starts_with("in:") && !listed.starts_with("under:");
    let unlisted = || !policy.allowed.is_empty() && policy.allowed.iter().all(|one| is_plain(one) && !is_value(one));
    policy.all == "DENY" || policy.denied.iter().any(is_value) || unlisted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plainly_listed_is_sure_to_be_refused() {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let policy = |allowed: &[&str], denied: &[&str]| ListPolicy {
            allowed: list(allowed),
            denied: list(denied),
            ..ListPolicy::default()
        };
        assert!(!refuses(&ListPolicy::default(), "US"));
        assert!(refuses(&ListPolicy { all: "DENY".to_owned(), ..ListPolicy::default() }, "US"));
        assert!(refuses(&policy(&["is:eu", "europe-west1"], &[]), "US") && refuses(&policy(&[], &["us"]), "US"));
        assert!(!refuses(&policy(&["us"], &[]), "US"));
        assert!(
            !refuses(&policy(&["in:eu-locations"], &[]), "US") && !refuses(&policy(&[], &["in:us-locations"]), "US")
        );
    }
}

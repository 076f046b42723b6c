//! The parts of a deployment, and every name of theirs, known from the plan file alone but for the service agent.

use provision_core::mark::Tags;
use provision_core::probe::{METADATA, Probes};

use crate::config::Settings;

/// What the names of the subscriptions begin with in which runs of `verify` hear.
pub(crate) const LISTENING: &str = "provision-verify-";

provision_core::parts! {
    /// A part of a deployment.
    pub(crate) enum Part {
        /// The bucket.
        Bucket = ("gcp.bucket", "bucket"),
        /// The topic that the bucket publishes to.
        Topic = ("gcp.topic", "topic"),
        /// The subscription that the server hears from.
        Subscription = ("gcp.subscription", "subscription"),
        /// The bucket's notification to the topic.
        Notification = ("gcp.notification", "notification"),
        /// The rights of the server.
        Access = ("gcp.access", "service account access"),
    }
}

/// Every name of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) project: String,
    pub(crate) bucket: String,
    pub(crate) topic: Option<String>,
    pub(crate) subscription: Option<String>,
    /// The service agent that publishes for the project's buckets.
    pub(crate) agent: Option<String>,
}

impl Names {
    /// The names of these settings, with the service agent, once it is known.
    pub(crate) fn of(settings: &Settings, agent: Option<String>) -> Self {
        let gcp = &settings.gcp;
        Self {
            project: gcp.project.clone(),
            bucket: gcp.bucket.name.clone(),
            topic: gcp.topic.enabled.then(|| settings.topic_name()),
            subscription: gcp.topic.enabled.then(|| settings.subscription_name()),
            agent,
        }
    }

    pub(crate) fn topic_name(&self, topic: &str) -> String {
        format!("projects/{}/topics/{topic}", self.project)
    }

    pub(crate) fn subscription_name(&self, subscription: &str) -> String {
        format!("projects/{}/subscriptions/{subscription}", self.project)
    }
}

/// The full name in which marks and orphans know a bucket
/// (<https://cloud.google.com/asset-inventory/docs/asset-names>).
pub(crate) fn bucket_identity(bucket: &str) -> String {
    format!("//storage.googleapis.com/{}", bucket_name(bucket))
}

/// The full name in which marks know something of Pub/Sub's.
pub(crate) fn pubsub_identity(name: &str) -> String {
    format!("//pubsub.googleapis.com/{name}")
}

/// The full name of a bucket; the project is left open, since names are unique among all
/// (<https://cloud.google.com/storage/docs/json_api/v1/buckets>).
pub(crate) fn bucket_name(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

/// The full name of a service account. Its project is named wherever the email tells it: with `-` the service says "denied" of
/// an account that does not exist
/// (<https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/getIamPolicy>).
pub(crate) fn account_name(email: &str) -> String {
    let project = project_of(email).unwrap_or_else(|| "-".to_owned());
    format!("projects/{project}/serviceAccounts/{email}")
}

/// The project of a service account, by id or number (<https://cloud.google.com/iam/docs/service-account-types>).
pub(crate) fn project_of(email: &str) -> Option<String> {
    let (name, domain) = email.split_once('@')?;
    if let Some(project) = domain.strip_suffix(".iam.gserviceaccount.com") {
        // The project `example.com:acme` has accounts of `acme.example.com`.
        return Some(match project.split_once('.') {
            Some((id, organization)) => format!("{organization}:{id}"),
            None => project.to_owned(),
        });
    }
    match domain {
        "appspot.gserviceaccount.com" => Some(name.to_owned()),
        "developer.gserviceaccount.com" => name.strip_suffix("-compute").map(str::to_owned),
        _ => None,
    }
}

/// Whether a subscription is one in which a run of `verify` hears. They are told as probes are: by a name that is matched whole,
/// and by what they say of themselves.
pub(crate) fn is_listening(name: &str, labels: &Tags, all: &Probes) -> bool {
    all.has(short(name)) && labels.get(METADATA) == Some(&all.owner)
}

/// The last word of a full name.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provision_core::plan_file::PlanFile;

    fn settings_of(text: &str) -> Settings {
        let file = PlanFile::parse("x", text.to_owned(), &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = provision_core::deployment::Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        problems.finish().unwrap();
        settings.unwrap()
    }

    /// The least a deployment needs.
    pub(crate) fn settings() -> Settings {
        settings_of(
            "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n[gcp]\nproject = \"acme-ml\"\n\
             [gcp.bucket]\nname = \"acme-wandb\"",
        )
    }

    /// Every setting, none at its default.
    pub(crate) fn full_settings() -> Settings {
        settings_of(include_str!("../../../plans/gcp-full.toml"))
    }

    /// The names of [`settings`], with a service agent.
    pub(crate) fn names() -> Names {
        Names {
            project: "acme-ml".to_owned(),
            bucket: "acme-wandb".to_owned(),
            topic: Some("acme-wandb-events".to_owned()),
            subscription: Some("acme-wandb-events".to_owned()),
            agent: Some("service-42@gs-project-accounts.iam.gserviceaccount.com".to_owned()),
        }
    }

    #[test]
    fn parts_are_known_by_their_address() {
        assert!(Part::ALL.iter().all(|part| Part::of(&part.address()).is_ok_and(|found| found == *part)));
        assert!(Part::of(&provision_core::Address::new("gcp.queue")).is_err());
    }

    #[test]
    fn a_subscription_that_hears_is_told_by_its_name_and_its_label() {
        let all = Probes::new(LISTENING, "wandb-prod");
        let (name, label) = (all.another().key, |owner: &str| Tags::from([(METADATA.to_owned(), owner.to_owned())]));
        assert!(is_listening(&format!("projects/p/subscriptions/{name}"), &label(&all.owner), &all));
        assert!(!is_listening(&name, &label("other"), &all) && !is_listening(&name, &Tags::new(), &all));
        assert!(!is_listening("acme-server", &label(&all.owner), &all));
        assert!(!is_listening(&name, &label(&all.owner), &Probes::new(LISTENING, "wandb-prod-2")));
    }

    #[test]
    fn the_project_of_a_service_account_stands_in_its_email() {
        for (email, project) in [
            ("wandb@acme-ml.iam.gserviceaccount.com", Some("acme-ml")),
            ("wandb@acme.example.com.iam.gserviceaccount.com", Some("example.com:acme")),
            ("acme-ml@appspot.gserviceaccount.com", Some("acme-ml")),
            ("42-compute@developer.gserviceaccount.com", Some("42")),
            ("wandb@example.com", None),
        ] {
            assert_eq!(project_of(email).as_deref(), project, "{email}");
        }
    }
}

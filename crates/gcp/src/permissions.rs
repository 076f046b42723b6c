//! Which permissions each call of `client` needs, and when: what error hints name, and what `permissions` prints.
//!
//! <https://cloud.google.com/storage/docs/access-control/iam-json>, <https://cloud.google.com/pubsub/docs/access-control>,
//! <https://cloud.google.com/iam/docs/roles-permissions/iam>.

pub(crate) mod document;

use provision_core::permissions::{ALWAYS, APPLYING, COUNTING, DESTROYING, PROVING, Row, Task, WRITING};

use crate::config::Settings;

/// Where a permission is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// On the project: what is listed and made there, and what Pub/Sub has, which takes no conditions.
    Project,
    /// On the project, for this bucket alone.
    Bucket,
    /// On the service account that the server runs as.
    Account,
}

/// The plan files with which a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// The bucket may be somebody else's.
    Adopting,
    /// There is a topic, with a subscription and the bucket's notification.
    Events,
    /// The server's account is named.
    Access,
    /// It is not: our own key signs.
    OwnKey,
    /// Members are let in whose server is somebody else's.
    Members,
}

impl When {
    fn holds(self, settings: &Settings) -> bool {
        let gcp = &settings.gcp;
        match self {
            Self::Always => true,
            Self::Adopting => gcp.bucket.adopt,
            Self::Events => gcp.topic.enabled,
            Self::Access => settings.service_account().is_some(),
            Self::OwnKey => settings.service_account().is_none(),
            Self::Members => !settings.members().is_empty(),
        }
    }
}

type Operation = Row<On, When>;

/// A row; the permission is called as the operation, or is named.
macro_rules! row {
    ($operation:literal, $on:ident, $tasks:expr, $when:ident) => {
        row!($operation needs [$operation], $on, $tasks, $when)
    };
    ($operation:literal needs [$($permission:literal),*], $on:ident, $tasks:expr, $when:ident) => {
        Row { operation: $operation, permissions: &[$($permission),*], on: &[On::$on], tasks: $tasks, when: When::$when }
    };
}

/// The table. A call that is sent with some plan files more often than with others has a row for each; what is left over of a topic
/// that the plan file has no more is taken down too.
static OPERATIONS: &[Operation] = &[
    row!("resourcemanager.projects.get", Project, ALWAYS, Always),
    row!("resourcemanager.projects.search" needs ["resourcemanager.projects.get"], Project, ALWAYS, Access),
    // Whoever asks what he may do may ask: <https://cloud.google.com/iam/docs/testing-permissions>.
    row!("resourcemanager.projects.testIamPermissions" needs [], Project, &[], Always),
    row!("storage.buckets.testIamPermissions" needs [], Bucket, &[], Always),
    row!("pubsub.topics.testIamPermissions" needs [], Project, &[], Always),
    row!("pubsub.subscriptions.testIamPermissions" needs [], Project, &[], Always),
    row!("iam.serviceAccounts.testIamPermissions" needs [], Account, &[], Always),
    // It is in no role: without it nothing is told before.
    row!("resourcemanager.projects.getEffectiveOrgPolicy" needs ["orgpolicy.policy.get"], Project, &[], Always),
    row!("storage.projects.serviceAccount.get" needs ["resourcemanager.projects.get"], Project, ALWAYS, Events),
    row!("storage.buckets.list", Project, ALWAYS, Always),
    row!("storage.buckets.create", Project, APPLYING, Always),
    // Reading and updating a bucket "alone" does not read and update its IP filter:
    // <https://cloud.google.com/storage/docs/access-control/iam-permissions#buckets>.
    row!("storage.buckets.get" needs ["storage.buckets.get", "storage.buckets.getIpFilter"], Bucket, ALWAYS, Always),
    row!("storage.buckets.update", Bucket, APPLYING, Always),
    row!("storage.buckets.update", Bucket, DESTROYING, Adopting),
    // An update that takes out the filter, and no other one: <https://cloud.google.com/storage/docs/update-ip-filter#required-roles>.
    row!(
        "storage.buckets.update.ipFilter" needs ["storage.buckets.update", "storage.buckets.setIpFilter"],
        Bucket, APPLYING, Always
    ),
    row!("storage.buckets.delete", Bucket, DESTROYING, Always),
    row!("storage.buckets.getIamPolicy", Bucket, ALWAYS, Always),
    row!("storage.buckets.setIamPolicy", Bucket, WRITING, Access),
    row!("storage.buckets.setIamPolicy", Bucket, DESTROYING, Members),
    // Public access prevention takes it beside the update:
    // <https://cloud.google.com/storage/docs/using-public-access-prevention#required-roles>.
    row!("storage.buckets.setIamPolicy", Bucket, APPLYING, Always),
    row!("storage.objects.list", Bucket, COUNTING, Always),
    row!("storage.objects.list", Bucket, PROVING, Always),
    row!("storage.objects.delete", Bucket, DESTROYING, Always),
    row!("storage.objects.delete", Bucket, PROVING, Always),
    row!("storage.objects.create", Bucket, PROVING, OwnKey),
    row!("storage.objects.get", Bucket, PROVING, OwnKey),
    row!("storage.notificationConfigs.list" needs ["storage.buckets.get"], Bucket, ALWAYS, Events),
    row!("storage.notificationConfigs.list" needs ["storage.buckets.get"], Bucket, WRITING, Always),
    row!("storage.notificationConfigs.insert" needs ["storage.buckets.update"], Bucket, APPLYING, Events),
    row!("storage.notificationConfigs.delete" needs ["storage.buckets.update"], Bucket, WRITING, Always),
    row!("pubsub.topics.list", Project, ALWAYS, Always),
    row!("pubsub.topics.get", Project, ALWAYS, Events),
    row!("pubsub.topics.get", Project, WRITING, Always),
    row!("pubsub.topics.create", Project, APPLYING, Events),
    row!("pubsub.topics.update", Project, WRITING, Always),
    row!("pubsub.topics.delete", Project, WRITING, Always),
    row!("pubsub.topics.getIamPolicy", Project, ALWAYS, Events),
    row!("pubsub.topics.setIamPolicy", Project, WRITING, Events),
    row!("pubsub.topics.subscriptions.list" needs ["pubsub.topics.get"], Project, WRITING, Always),
    row!("pubsub.subscriptions.list", Project, ALWAYS, Always),
    row!("pubsub.subscriptions.get", Project, ALWAYS, Events),
    row!("pubsub.subscriptions.get", Project, WRITING, Always),
    row!(
        "pubsub.subscriptions.create" needs ["pubsub.subscriptions.create", "pubsub.topics.attachSubscription"],
        Project, APPLYING, Events
    ),
    row!(
        "pubsub.subscriptions.create" needs ["pubsub.subscriptions.create", "pubsub.topics.attachSubscription"],
        Project, PROVING, Events
    ),
    row!("pubsub.subscriptions.pull" needs ["pubsub.subscriptions.consume"], Project, PROVING, Events),
    row!("pubsub.subscriptions.acknowledge" needs ["pubsub.subscriptions.consume"], Project, PROVING, Events),
    row!("pubsub.subscriptions.update", Project, WRITING, Always),
    row!("pubsub.subscriptions.delete", Project, WRITING, Always),
    row!("pubsub.subscriptions.delete", Project, PROVING, Events),
    row!("pubsub.subscriptions.getIamPolicy", Project, ALWAYS, Events),
    row!("pubsub.subscriptions.setIamPolicy", Project, WRITING, Access),
    row!("iam.serviceAccounts.getIamPolicy", Account, ALWAYS, Access),
    row!("iam.serviceAccounts.setIamPolicy", Account, WRITING, Access),
    row!("iam.serviceAccounts.signBlob", Account, PROVING, Access),
];

/// The permissions that an operation needs.
pub(crate) fn of(operation: &str) -> &'static [&'static str] {
    OPERATIONS.iter().find(|row| row.operation == operation).map_or(&[], |row| row.permissions)
}

/// What a command needs with these settings: permissions, and where they are granted.
pub(crate) fn needed(settings: &Settings, task: Task) -> impl Iterator<Item = (On, &'static str)> {
    let rows = OPERATIONS.iter().filter(move |row| row.tasks.contains(&task) && row.when.holds(settings));
    rows.flat_map(|row| row.on.iter().flat_map(|on| row.permissions.iter().map(|permission| (*on, *permission))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_operation_has_a_row_and_every_row_an_operation() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let files: Vec<_> =
            files.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()).collect();
        let services = ["resourcemanager.", "storage.", "pubsub.", "iam."];
        let quoted = files.iter().flat_map(|file| file.split('"'));
        let is_operation = |text: &&str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.');
            plain
                && !text.contains("googleapis")
                && services.iter().any(|service| text.starts_with(service))
                && text.split('.').count() >= 3
        };
        let sent: BTreeSet<_> = quoted.filter(is_operation).collect();
        let known: BTreeSet<_> = OPERATIONS.iter().map(|row| row.operation).collect();
        assert_eq!(sent, known);
    }

    #[test]
    fn what_only_looks_needs_no_write() {
        for row in OPERATIONS.iter().filter(|row| row.tasks.contains(&Task::Plan) || row.tasks.contains(&Task::Drift)) {
            for permission in row.permissions {
                let verb = permission.rsplit('.').next().unwrap();
                assert!(verb.starts_with("get") || verb == "list", "{permission}");
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

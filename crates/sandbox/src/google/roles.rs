//! The predefined roles that can be given on what the sandbox has, or on a project, as far as calls are judged by them
//! <https://cloud.google.com/iam/docs/roles-permissions>.

/// Roles and their permissions; a star stands for the rest of a name.
const ROLES: &[(&str, &[&str])] = &[
    // <https://cloud.google.com/storage/docs/access-control/iam-roles>
    ("roles/storage.admin", &["storage.*"]),
    ("roles/storage.objectAdmin", &["storage.objects.*"]),
    (
        "roles/storage.objectUser",
        &[
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.get",
            "storage.objects.list",
            "storage.objects.update",
        ],
    ),
    ("roles/storage.objectCreator", &["storage.objects.create"]),
    ("roles/storage.objectViewer", &["storage.objects.get", "storage.objects.list"]),
    ("roles/storage.legacyObjectReader", &["storage.objects.get"]),
    (
        "roles/storage.legacyObjectOwner",
        &[
            "storage.objects.get",
            "storage.objects.update",
            "storage.objects.getIamPolicy",
            "storage.objects.setIamPolicy",
        ],
    ),
    ("roles/storage.legacyBucketReader", &["storage.buckets.get", "storage.objects.list"]),
    (
        "roles/storage.legacyBucketWriter",
        &["storage.buckets.get", "storage.objects.create", "storage.objects.delete", "storage.objects.list"],
    ),
    (
        "roles/storage.legacyBucketOwner",
        &[
            "storage.buckets.get",
            "storage.buckets.getIamPolicy",
            "storage.buckets.setIamPolicy",
            "storage.buckets.update",
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.list",
        ],
    ),
    // <https://cloud.google.com/pubsub/docs/access-control#roles>
    ("roles/pubsub.admin", &["pubsub.*"]),
    ("roles/pubsub.editor", EDITOR),
    ("roles/pubsub.publisher", &["pubsub.topics.publish"]),
    ("roles/pubsub.subscriber", &["pubsub.subscriptions.consume", "pubsub.topics.attachSubscription"]),
    ("roles/pubsub.viewer", VIEWER),
    // Basic roles can be given on topics and subscriptions too. What they have of buckets besides, the buckets' own policies give them
    // <https://cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-intrinsic>.
    ("roles/owner", &["pubsub.*"]),
    ("roles/owner", &["resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"]),
    ("roles/owner", &["storage.buckets.create", "storage.buckets.delete", "storage.buckets.list"]),
    ("roles/owner", &["resourcemanager.projects.get"]),
    ("roles/owner", ACCOUNT_ADMIN),
    ("roles/editor", EDITOR),
    ("roles/editor", &["storage.buckets.create", "storage.buckets.delete", "storage.buckets.list"]),
    ("roles/editor", &["resourcemanager.projects.get"]),
    ("roles/viewer", VIEWER),
    ("roles/viewer", &["resourcemanager.projects.get", "storage.buckets.list"]),
    // <https://cloud.google.com/iam/docs/roles-permissions/resourcemanager>
    ("roles/browser", &["resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"]),
    (
        "roles/resourcemanager.projectIamAdmin",
        &[
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
            "resourcemanager.projects.setIamPolicy",
        ],
    ),
    // <https://cloud.google.com/iam/docs/service-account-permissions>
    ("roles/iam.serviceAccountTokenCreator", &["iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.signBlob"]),
    ("roles/iam.serviceAccountUser", &["iam.serviceAccounts.get", "iam.serviceAccounts.list"]),
    ("roles/iam.serviceAccountAdmin", ACCOUNT_ADMIN),
];

const ACCOUNT_ADMIN: &[&str] = &[
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.list",
    "iam.serviceAccounts.setIamPolicy",
];

const EDITOR: &[&str] = &[
    "pubsub.subscriptions.consume",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.list",
    "pubsub.subscriptions.update",
    "pubsub.topics.attachSubscription",
    "pubsub.topics.create",
    "pubsub.topics.delete",
    "pubsub.topics.get",
    "pubsub.topics.list",
    "pubsub.topics.publish",
    "pubsub.topics.update",
];

const VIEWER: &[&str] =
    &["pubsub.subscriptions.get", "pubsub.subscriptions.list", "pubsub.topics.get", "pubsub.topics.list"];

/// Whether a role has a permission. What is in no role here is in none.
pub(super) fn include(role: &str, permission: &str) -> bool {
    let named = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => permission.starts_with(start),
        None => permission == *pattern,
    };
    ROLES.iter().any(|(known, permissions)| *known == role && permissions.iter().any(named))
}

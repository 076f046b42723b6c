//! Which rights each call of `client` needs, and when: what error hints name, and what `permissions` prints.
//!
//! Actions: <https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations>.

pub(crate) mod document;

use provision_core::permissions::{ALWAYS, APPLYING, COUNTING, DESTROYING, PROVING, ROTATING, Row, Task, WRITING};

use crate::config::Settings;

/// What rights are on: Resource Manager's own, or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The subscription, where the role is assigned there: nobody else can have these rights, and who has them not is told
    /// where they are missed.
    Subscription,
    /// Resources.
    Resources,
    /// What is in a container.
    Data,
}

/// The plan files with which a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// The group is made.
    Group,
    /// The account is made.
    Account,
    /// The account is there, and others use it.
    Shared,
    /// There is a queue, with an event subscription to it.
    Events,
    /// The server's identity is named.
    Access,
    /// It is not: the server has the account's key.
    Key,
    /// The server's identity is named, and there is a queue.
    Hearing,
}

impl When {
    fn holds(self, settings: &Settings) -> bool {
        let azure = &settings.azure;
        match self {
            Self::Always => true,
            Self::Group => azure.resource_group.create,
            Self::Account => azure.account.create,
            Self::Shared => !azure.account.create,
            Self::Events => azure.queue.enabled,
            Self::Access => azure.access.is_some(),
            Self::Key => azure.access.is_none(),
            Self::Hearing => azure.access.is_some() && azure.queue.enabled,
        }
    }
}

type Operation = Row<On, When>;

const fn row(
    operation: &'static str,
    permissions: &'static [&'static str],
    on: On,
    tasks: &'static [Task],
    when: When,
) -> Operation {
    let on: &[On] = match on {
        On::Subscription => &[On::Subscription],
        On::Resources => &[On::Resources],
        On::Data => &[On::Data],
    };
    Row { operation, permissions, on, tasks, when }
}

/// A call whose operation is called as the right that it needs.
macro_rules! own {
    ($operation:literal, $on:ident, $tasks:expr, $when:ident) => {
        row($operation, &[$operation], On::$on, $tasks, When::$when)
    };
}

/// An earlier version has a right of its own
/// (<https://learn.microsoft.com/rest/api/storageservices/delete-blob#permissions>).
const DELETE_BLOB: &[&str] = &[
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action",
];

/// The table. A call that is sent with some plan files more often than with others has a row for each.
static OPERATIONS: &[Operation] = &[
    // Who has any role in a subscription sees it: <https://learn.microsoft.com/azure/role-based-access-control/elevate-access-global-admin>.
    row("Microsoft.Resources/subscriptions/read", &[], On::Subscription, ALWAYS, When::Always),
    own!("Microsoft.Resources/subscriptions/providers/read", Subscription, ALWAYS, Events),
    own!("Microsoft.EventGrid/register/action", Subscription, APPLYING, Events),
    own!("Microsoft.Resources/subscriptions/resourceGroups/read", Resources, ALWAYS, Group),
    own!("Microsoft.Resources/subscriptions/resourceGroups/write", Resources, APPLYING, Group),
    own!("Microsoft.Resources/subscriptions/resourceGroups/delete", Resources, DESTROYING, Group),
    own!("Microsoft.Resources/subscriptions/resourceGroups/resources/read", Resources, COUNTING, Group),
    own!("Microsoft.Storage/checkNameAvailability/read", Subscription, ALWAYS, Account),
    own!("Microsoft.Storage/storageAccounts/read", Resources, ALWAYS, Always),
    own!("Microsoft.Storage/storageAccounts/read", Resources, ROTATING, Always),
    own!("Microsoft.Storage/storageAccounts/write", Resources, APPLYING, Account),
    own!("Microsoft.Storage/storageAccounts/delete", Resources, DESTROYING, Account),
    // `output --reveal` needs it, and what opens containers with the account's key, for want of a right on data.
    // `verify` works as the server does, with the key where that has it.
    own!("Microsoft.Storage/storageAccounts/listKeys/action", Resources, PROVING, Key),
    own!("Microsoft.Storage/storageAccounts/listKeys/action", Resources, ROTATING, Always),
    own!("Microsoft.Storage/storageAccounts/regenerateKey/action", Resources, ROTATING, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/read", Resources, ALWAYS, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/write", Resources, APPLYING, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/write", Resources, DESTROYING, Shared),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/read", Resources, ALWAYS, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/write", Resources, APPLYING, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/write", Resources, DESTROYING, Shared),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/delete", Resources, DESTROYING, Always),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/read", Resources, ALWAYS, Always),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/write", Resources, APPLYING, Events),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/write", Resources, DESTROYING, Shared),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/delete", Resources, WRITING, Always),
    own!("Microsoft.Storage/storageAccounts/tableServices/tables/read", Resources, COUNTING, Account),
    own!("Microsoft.Storage/storageAccounts/fileServices/shares/read", Resources, COUNTING, Account),
    own!("Microsoft.EventGrid/eventSubscriptions/read", Resources, ALWAYS, Always),
    // Events go only to where one may write: "If you're using an event handler that isn't a WebHook (such as an event hub or queue
    // storage), you need write access to that resource". A request names the account
    // (<https://learn.microsoft.com/azure/event-grid/security-authorization#permissions-for-event-subscriptions>).
    row(
        "Microsoft.EventGrid/eventSubscriptions/write",
        &["Microsoft.EventGrid/eventSubscriptions/write", "Microsoft.Storage/storageAccounts/write"],
        On::Resources,
        APPLYING,
        When::Events,
    ),
    own!("Microsoft.EventGrid/eventSubscriptions/delete", Resources, WRITING, Always),
    own!("Microsoft.EventGrid/systemTopics/read", Resources, ALWAYS, Always),
    own!("Microsoft.EventGrid/systemTopics/eventSubscriptions/read", Resources, ALWAYS, Always),
    row(
        "Microsoft.EventGrid/systemTopics/eventSubscriptions/write",
        &["Microsoft.EventGrid/systemTopics/eventSubscriptions/write", "Microsoft.Storage/storageAccounts/write"],
        On::Resources,
        APPLYING,
        When::Events,
    ),
    own!("Microsoft.EventGrid/systemTopics/eventSubscriptions/delete", Resources, WRITING, Always),
    own!("Microsoft.Authorization/locks/read", Resources, COUNTING, Always),
    // They are in no role: without them nothing is told before.
    own!("Microsoft.Authorization/permissions/read", Resources, &[], Always),
    own!("Microsoft.Authorization/denyAssignments/read", Resources, &[], Always),
    own!("Microsoft.PolicyInsights/checkPolicyRestrictions/read", Resources, &[], Always),
    own!("Microsoft.Authorization/roleAssignments/read", Resources, ALWAYS, Access),
    own!("Microsoft.Authorization/roleAssignments/write", Resources, APPLYING, Access),
    own!("Microsoft.Authorization/roleAssignments/delete", Resources, WRITING, Access),
    own!("Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action", Resources, PROVING, Access),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", Data, COUNTING, Always),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", Data, PROVING, Access),
    own!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", Data, PROVING, Access),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/messages/read", Data, PROVING, Hearing),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action", Data, PROVING, Hearing),
    own!("Microsoft.Storage/storageAccounts/queueServices/queues/messages/write", Data, PROVING, Hearing),
    row(
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
        DELETE_BLOB,
        On::Data,
        DESTROYING,
        When::Always,
    ),
    row(
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
        DELETE_BLOB,
        On::Data,
        PROVING,
        When::Access,
    ),
];

/// The rights that an operation needs.
pub(crate) fn of(operation: &str) -> &'static [&'static str] {
    OPERATIONS.iter().find(|row| row.operation.eq_ignore_ascii_case(operation)).map_or(&[], |row| row.permissions)
}

/// Whether a right is on what is in a container or a queue.
pub(crate) fn is_of_data(right: &str) -> bool {
    OPERATIONS.iter().any(|row| row.on == [On::Data] && row.permissions.contains(&right))
}

/// What a command needs with these settings: rights, and what they are on.
fn needed(settings: &Settings, task: Task) -> impl Iterator<Item = (On, &'static str)> {
    let rows = OPERATIONS.iter().filter(move |row| row.tasks.contains(&task) && row.when.holds(settings));
    let placed = rows.filter(|row| settings.azure.resource_group.create || row.on != [On::Subscription]);
    placed.flat_map(|row| row.on.iter().flat_map(|on| row.permissions.iter().map(|permission| (*on, *permission))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const CLIENT: [&str; 8] = [
        include_str!("client/authorization.rs"),
        include_str!("client/blobs.rs"),
        include_str!("client/event_grid.rs"),
        include_str!("client/queues.rs"),
        include_str!("client/refusals.rs"),
        include_str!("client/resources.rs"),
        include_str!("client/signed.rs"),
        include_str!("client/storage.rs"),
    ];

    /// The operation of each call, without `Microsoft.`; two where it is sent to a system topic too.
    const CALLS: &[(&str, &[&str])] = &[
        ("check_account_name", &["Storage/checkNameAvailability/read"]),
        ("check_policy_restrictions", &["PolicyInsights/checkPolicyRestrictions/read"]),
        ("delete_account", &["Storage/storageAccounts/delete"]),
        ("delete_blob", &["Storage/storageAccounts/blobServices/containers/blobs/delete"]),
        ("delete_blob_as_listed", &["Storage/storageAccounts/blobServices/containers/blobs/delete"]),
        ("delete_container", &["Storage/storageAccounts/blobServices/containers/delete"]),
        (
            "delete_event_subscription",
            &["EventGrid/eventSubscriptions/delete", "EventGrid/systemTopics/eventSubscriptions/delete"],
        ),
        ("delete_group", &["Resources/subscriptions/resourceGroups/delete"]),
        ("delete_message", &["Storage/storageAccounts/queueServices/queues/messages/process/action"]),
        ("delete_queue", &["Storage/storageAccounts/queueServices/queues/delete"]),
        ("delete_role_assignment", &["Authorization/roleAssignments/delete"]),
        ("get_account", &["Storage/storageAccounts/read"]),
        ("get_blob_service", &["Storage/storageAccounts/blobServices/read"]),
        ("get_container", &["Storage/storageAccounts/blobServices/containers/read"]),
        (
            "get_event_subscription",
            &["EventGrid/eventSubscriptions/read", "EventGrid/systemTopics/eventSubscriptions/read"],
        ),
        ("get_group", &["Resources/subscriptions/resourceGroups/read"]),
        ("get_provider", &["Resources/subscriptions/providers/read"]),
        ("get_queue", &["Storage/storageAccounts/queueServices/queues/read"]),
        ("get_role_assignment", &["Authorization/roleAssignments/read"]),
        ("get_subscription", &["Resources/subscriptions/read"]),
        ("get_system_topic", &["EventGrid/systemTopics/read"]),
        ("get_user_delegation_key", &["Storage/storageAccounts/blobServices/generateUserDelegationKey/action"]),
        ("list_accounts", &["Storage/storageAccounts/read"]),
        ("list_blobs", &["Storage/storageAccounts/blobServices/containers/blobs/read"]),
        ("list_blobs_below", &["Storage/storageAccounts/blobServices/containers/blobs/read"]),
        ("list_containers", &["Storage/storageAccounts/blobServices/containers/read"]),
        (
            "list_event_subscriptions",
            &["EventGrid/eventSubscriptions/read", "EventGrid/systemTopics/eventSubscriptions/read"],
        ),
        ("list_deny_assignments", &["Authorization/denyAssignments/read"]),
        ("list_group_resources", &["Resources/subscriptions/resourceGroups/resources/read"]),
        ("list_keys", &["Storage/storageAccounts/listKeys/action"]),
        ("list_locks", &["Authorization/locks/read"]),
        ("list_permissions", &["Authorization/permissions/read"]),
        ("list_queues", &["Storage/storageAccounts/queueServices/queues/read"]),
        ("list_role_assignments", &["Authorization/roleAssignments/read"]),
        ("list_shares", &["Storage/storageAccounts/fileServices/shares/read"]),
        ("list_system_topics", &["EventGrid/systemTopics/read"]),
        ("list_tables", &["Storage/storageAccounts/tableServices/tables/read"]),
        ("patch_account", &["Storage/storageAccounts/write"]),
        ("patch_container", &["Storage/storageAccounts/blobServices/containers/write"]),
        ("patch_group", &["Resources/subscriptions/resourceGroups/write"]),
        ("patch_queue", &["Storage/storageAccounts/queueServices/queues/write"]),
        ("peek_messages", &["Storage/storageAccounts/queueServices/queues/messages/read"]),
        ("put_account", &["Storage/storageAccounts/write"]),
        ("put_blob_service", &["Storage/storageAccounts/blobServices/write"]),
        ("put_container", &["Storage/storageAccounts/blobServices/containers/write"]),
        (
            "put_event_subscription",
            &["EventGrid/eventSubscriptions/write", "EventGrid/systemTopics/eventSubscriptions/write"],
        ),
        ("put_group", &["Resources/subscriptions/resourceGroups/write"]),
        ("put_queue", &["Storage/storageAccounts/queueServices/queues/write"]),
        ("put_role_assignment", &["Authorization/roleAssignments/write"]),
        ("receive_messages", &["Storage/storageAccounts/queueServices/queues/messages/process/action"]),
        ("regenerate_key", &["Storage/storageAccounts/regenerateKey/action"]),
        ("register_provider", &["EventGrid/register/action"]),
        ("sign_get_blob", &["Storage/storageAccounts/blobServices/containers/blobs/read"]),
        ("sign_put_blob", &["Storage/storageAccounts/blobServices/containers/blobs/write"]),
        ("update_message", &["Storage/storageAccounts/queueServices/queues/messages/write"]),
    ];

    #[test]
    fn every_operation_has_a_row_and_every_row_an_operation() {
        let of = |what: &'static str| CLIENT.iter().flat_map(move |file| file.split(what).skip(1));
        let calls = of("pub(crate) async fn ").filter_map(|rest| rest.split('(').next()).map(str::to_owned);
        // What is only signed is sent as a browser sends it.
        let signed = of("pub(crate) fn sign_").filter_map(|rest| rest.split('(').next());
        let sent: BTreeSet<_> = calls.chain(signed.map(|name| format!("sign_{name}"))).collect();
        assert_eq!(sent, CALLS.iter().map(|(call, _)| (*call).to_owned()).collect());
        let operations = CALLS.iter().flat_map(|(_, operations)| operations.iter());
        let operations: BTreeSet<_> = operations.map(|operation| format!("Microsoft.{operation}")).collect();
        let known: BTreeSet<_> = OPERATIONS.iter().map(|row| row.operation.to_owned()).collect();
        assert_eq!(operations, known);
    }

    #[test]
    fn what_only_looks_needs_no_write() {
        for row in OPERATIONS.iter().filter(|row| row.tasks.contains(&Task::Plan) || row.tasks.contains(&Task::Drift)) {
            assert!(row.permissions.iter().all(|permission| permission.ends_with("/read")), "{}", row.operation);
        }
    }

    #[test]
    fn rows_of_one_operation_need_the_same() {
        for row in OPERATIONS {
            assert_eq!(of(row.operation), row.permissions, "{}", row.operation);
        }
    }
}

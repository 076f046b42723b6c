//! The roles that the server needs, and their assignments as the service has them.

use sha2::{Digest as _, Sha256};

use crate::client::models::{RoleAssignment, RoleAssignmentProperties};
use crate::names::{Names, identity_of, last};

/// A built-in role, and where the server needs it.
pub(super) struct Role {
    pub(super) name: &'static str,
    /// The role's id, the same in every subscription
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
    pub(super) id: &'static str,
    /// In one word.
    pub(super) short: &'static str,
    pub(super) on_queue: bool,
}

/// W&B documents Reader and Storage Blob Data Contributor on the account
/// (<https://docs.wandb.ai/platform/hosting/data-security/secure-storage-connector>): the key that signs URLs is given out
/// for the account as a whole. Reading the queue without the account's key needs the third.
pub(super) const WANTED: [Role; 3] = [
    Role { name: "Reader", id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", short: "reader", on_queue: false },
    Role {
        name: "Storage Blob Data Contributor",
        id: "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        short: "blobs",
        on_queue: false,
    },
    Role {
        name: "Storage Queue Data Contributor",
        id: "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        short: "queue",
        on_queue: true,
    },
];

impl Role {
    /// Where it is assigned; `None` where there is no queue.
    pub(super) fn scope(&self, names: &Names) -> Option<String> {
        match self.on_queue {
            true => names.queue.as_deref().map(|queue| names.queue_id(queue)),
            false => Some(names.account_id()),
        }
    }

    /// Who has it, and of which queue: another queue is another value.
    pub(super) fn holder_text(&self, principal: &str, scope: &str) -> String {
        if self.on_queue { format!("{principal} on {}", last(&identity_of(scope))) } else { principal.to_owned() }
    }

    /// In a map of several identities, the one that has it.
    pub(super) fn member_of(&self, principal: &str) -> String {
        format!("{} of {principal}", self.name)
    }

    /// The role of a member: its name, or what [`Role::member_of`] makes of it.
    pub(super) fn of_member(member: &str) -> Option<&'static Self> {
        WANTED.iter().find(|role| member.split(" of ").next() == Some(role.name))
    }

    /// Where the one is of whom [`Role::holder_text`] says this.
    pub(super) fn scope_of(held: &str, names: &Names) -> String {
        match held.split_once(" on ") {
            Some((_, queue)) => names.queue_id(queue),
            None => names.account_id(),
        }
    }

    /// Whether it is assigned in such a place: on the account, or on any of its queues.
    fn is_at(&self, scope: &str, names: &Names) -> bool {
        match self.on_queue {
            true => scope.starts_with(&identity_of(&names.queue_id(""))),
            false => scope == identity_of(&names.account_id()),
        }
    }
}

/// The id of an assignment: the service takes one of a role to an identity at a scope, so it is made of these alone, whichever
/// deployment asks for it, under whatever name. A UUID of version 8, whose bits are the maker's own
/// (<https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8>).
pub(super) fn assignment_id(scope: &str, role: &str, principal: &str) -> String {
    let text = [scope, role, principal].map(str::to_ascii_lowercase).join("\n");
    let hash = Sha256::digest(format!("provision\n{text}").as_bytes());
    let mut bytes: Vec<u8> = hash.iter().take(16).copied().collect();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}

/// One role assignment of the account or of what is in it.
#[derive(Debug, PartialEq)]
pub(super) struct Assignment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) role: String,
    pub(super) principal: String,
}

impl Assignment {
    /// In normal form.
    pub(super) fn of(found: RoleAssignment) -> Self {
        let RoleAssignmentProperties { scope, role_definition_id, principal_id } = found.properties;
        Self {
            id: found.id,
            name: identity_of(&found.name),
            scope: identity_of(&scope),
            role: identity_of(last(&role_definition_id)),
            principal: identity_of(&principal_id),
        }
    }

    /// One of the roles that the server needs, where it needs it.
    pub(super) fn role(&self, names: &Names) -> Option<&'static Role> {
        WANTED.iter().find(|role| role.id == self.role && role.is_at(&self.scope, names))
    }

    pub(super) fn has_our_id(&self) -> bool {
        self.name == assignment_id(&self.scope, &self.role, &self.principal)
    }

    /// Whether it is the assignment of a role to the one of whom [`Role::holder_text`] says this.
    pub(super) fn is_as(&self, role: &Role, held: &str, names: &Names) -> bool {
        self.role(names).is_some_and(|own| own.id == role.id) && held == role.holder_text(&self.principal, &self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A golden vector: an id that moves makes every assignment look like somebody else's.
    #[test]
    fn assignment_ids_are_stable_and_case_insensitive() {
        let id = assignment_id("/subscriptions/S", "role", "principal");
        assert_eq!(id, assignment_id("/subscriptions/s", "ROLE", "Principal"));
        assert_ne!(id, assignment_id("/subscriptions/s", "role", "principal2"));
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], "89ab".contains(&id[19..20])), ("8", true));
        assert_eq!(id, "3089aae3-3372-8941-b7a3-5139375cc94d");
    }
}

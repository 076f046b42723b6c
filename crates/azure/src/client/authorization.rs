//! Microsoft.Authorization: role assignments, permissions and locks.

use provision_core::Error;
use serde_json::Value;

use super::models::{Lock, Permission, RoleAssignment};
use super::{Reader, Writer};
use crate::names::last;

/// <https://learn.microsoft.com/rest/api/authorization/role-assignments>
const VERSION: &str = "2022-04-01";

/// <https://learn.microsoft.com/rest/api/resources/management-locks>
const LOCKS: &str = "2016-09-01";

impl Reader {
    /// Role assignments at, above and below a scope
    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope>.
    pub(crate) async fn list_role_assignments(&self, scope: &str) -> Result<Option<Vec<RoleAssignment>>, Error> {
        let text = format!("list the role assignments on `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), VERSION, &text).await
    }

    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/get>
    pub(crate) async fn get_role_assignment(&self, id: &str) -> Result<Option<RoleAssignment>, Error> {
        self.get(id, VERSION, &format!("look at role assignment `{}`", last(id))).await
    }

    /// What each of the caller's roles at and above a scope lets him do there
    /// <https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource>.
    pub(crate) async fn list_permissions(&self, scope: &str) -> Result<Option<Vec<Permission>>, Error> {
        let text = format!("list what these credentials may do with `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/permissions"), VERSION, &text).await
    }

    /// Locks on a scope, above and below it <https://learn.microsoft.com/rest/api/resources/management-locks/list-by-scope>.
    pub(crate) async fn list_locks(&self, scope: &str) -> Result<Option<Vec<Lock>>, Error> {
        let text = format!("list the locks on `{}`", last(scope));
        self.list(&format!("{scope}/providers/Microsoft.Authorization/locks"), LOCKS, &text).await
    }
}

impl Writer {
    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/create>
    pub(crate) async fn put_role_assignment(&self, id: &str, body: &Value, role: &str) -> Result<(), Error> {
        self.put(id, VERSION, body, &format!("assign role {role}")).await
    }

    /// <https://learn.microsoft.com/rest/api/authorization/role-assignments/delete>
    pub(crate) async fn delete_role_assignment(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION, &format!("delete role assignment `{}`", last(id))).await
    }
}

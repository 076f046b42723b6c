//! What the patterns of roles and deny assignments name.

use crate::client::models::Permission;
use crate::permissions::is_of_data;

/// Whether a role lets its holder do something: what it names, less what it excepts; what is done to data it names apart
/// (<https://learn.microsoft.com/azure/role-based-access-control/role-definitions#notactions>).
pub(super) fn permits(permission: &Permission, action: &str) -> bool {
    let (named, excepted) = match is_of_data(action) {
        true => (&permission.data_actions, &permission.not_data_actions),
        false => (&permission.actions, &permission.not_actions),
    };
    let names = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    names(named) && !names(excepted)
}

/// Letters have no case; a star stands for any text.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == action };
    let Some(mut left) = action.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "Microsoft.Storage/storageAccounts/write";

    #[test]
    fn stars_stand_for_any_text() {
        for pattern in
            ["*", "*/write", "Microsoft.Storage/*", "microsoft.storage/*/WRITE", "Microsoft.*/storage*/write"]
        {
            assert!(matches(pattern, WRITE), "{pattern}");
        }
        for pattern in ["", "*/read", "Microsoft.Storage", "Microsoft.Storage/storageAccounts", "*/delete/*", "a*e"] {
            assert!(!matches(pattern, WRITE), "{pattern}");
        }
        assert!(!matches("abc*bc", "abc") && matches("a*c*c", "abcc") && !matches("a*b*c", "acb"));
    }
}

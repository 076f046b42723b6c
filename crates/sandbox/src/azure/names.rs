//! What names may be <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.

use crate::azure::refusal::Refusal;

/// Account: 3-24 lowercase letters and digits
/// <https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name>.
pub(super) fn account_refusal(name: &str) -> Option<String> {
    let fits = (3..=24).contains(&name.len());
    let fits = fits && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (!fits).then(|| {
        format!(
            "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in \
             length and use numbers and lower-case letters only."
        )
    })
}

/// Container and queue: 3-63 lowercase letters, digits and single dashes, a letter or digit at both ends
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#container-names>,
/// <https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata#queue-names>.
pub(super) fn is_container_or_queue(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let inside = name.bytes().all(|byte| plain(byte) || byte == b'-') && !name.contains("--");
    (3..=63).contains(&name.len()) && ends && inside
}

/// A container's name for Resource Manager.
pub(super) fn container(name: &str) -> Result<(), Refusal> {
    named("container", name, is_container_or_queue(name))
}

/// A queue's name for Resource Manager.
pub(super) fn queue(name: &str) -> Result<(), Refusal> {
    named("queue", name, is_container_or_queue(name))
}

/// The storage services' answer to the same; the length has a code of its own
/// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>.
pub(super) fn stored(name: &str) -> Result<(), Refusal> {
    if !(3..=63).contains(&name.len()) {
        let message = "The specified resource name length is not within the permissible limits.";
        return Err(Refusal::bad_request("OutOfRangeInput", message));
    }
    if !is_container_or_queue(name) {
        let message = "The specified resource name contains invalid characters.";
        return Err(Refusal::bad_request("InvalidResourceName", message));
    }
    Ok(())
}

/// Event subscription: 3-64 letters, digits and dashes
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsofteventgrid>.
pub(super) fn event_subscription(name: &str) -> Result<(), Refusal> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if (3..=64).contains(&name.len()) && fits {
        return Ok(());
    }
    let message = format!(
        "Event subscription name '{name}' is invalid: it must be 3-64 characters long and hold only letters, digits and \
         dashes."
    );
    Err(Refusal::bad_request("InvalidRequest", message))
}

/// Resource group: 1-90 letters, digits, underscores, parentheses, dashes and periods, no period at its end.
pub(super) fn resource_group(name: &str) -> Result<(), Refusal> {
    let fits = name.chars().all(|letter| letter.is_alphanumeric() || "_()-.".contains(letter));
    if (1..=90).contains(&name.chars().count()) && fits && !name.ends_with('.') {
        return Ok(());
    }
    let message = format!(
        "The provided resource group name '{name}' has these invalid characters or length. The name can only be a letter, \
         digit, '-', '.', '(', ')' or '_' and has at most 90 characters."
    );
    Err(Refusal::bad_request("InvalidResourceGroup", message))
}

fn named(what: &str, name: &str, fits: bool) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    let message = format!(
        "The specified {what} name '{name}' is invalid: 3-63 lowercase letters, digits and single dashes, with a letter or \
         digit at both ends."
    );
    Err(Refusal::bad_request("InvalidResourceName", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_the_vendors_rules() {
        for name in ["abc", "wandb01", &"a".repeat(24)] {
            assert_eq!(account_refusal(name), None, "{name}");
        }
        for name in ["ab", "Wandb", "wandb-01", &"a".repeat(25)] {
            assert!(account_refusal(name).is_some(), "{name}");
        }
        for name in ["wandb-files", "a1b", &"a".repeat(63)] {
            assert!(is_container_or_queue(name), "{name}");
        }
        for name in ["ab", "-ab", "ab-", "a--b", "Abc", "a_b", &"a".repeat(64)] {
            assert!(!is_container_or_queue(name), "{name}");
        }
        assert!(event_subscription("wandb-Events-1").is_ok() && event_subscription("a_b").is_err());
        assert!(resource_group("rg_(1).x").is_ok() && resource_group("rg.").is_err());
    }
}

//! What values may be, wherever they occur.

use std::collections::BTreeMap;

use crate::azure::refusal::Refusal;

/// Metadata of a container or queue.
pub(super) type Metadata = BTreeMap<String, String>;

/// Beginnings of tags that Azure keeps for itself <https://learn.microsoft.com/rest/api/resources/tags/create-or-update>.
const RESERVED: [&str; 3] = ["microsoft", "azure", "windows"];

/// Tags: so many, names to 128 characters, values to 256, and none of `<>%&\?/` in a name
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>; 15 on an account
/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create>.
pub(super) fn tags(tags: &BTreeMap<String, String>, most: usize) -> Result<(), Refusal> {
    if tags.len() > most {
        let message = format!("The resource has {} tags, which is more than the allowed {most}.", tags.len());
        return Err(Refusal::bad_request("InvalidTagsCount", message));
    }
    let wrong = tags.iter().find(|(name, value)| {
        name.is_empty() || name.len() > 128 || value.len() > 256 || name.contains(|letter| "<>%&\\?/".contains(letter))
    });
    let reserved = |name: &str| RESERVED.iter().any(|word| name.to_ascii_lowercase().starts_with(word));
    if let Some(name) = tags.keys().find(|name| reserved(name)) {
        let message = format!("The tag name '{name}' is reserved: its prefix is one of {}.", RESERVED.join(", "));
        return Err(Refusal::bad_request("InvalidTagNameValue", message));
    }
    match wrong {
        Some((name, _)) => {
            let message = format!(
                "The tag '{name}' is not valid: a name has 1-128 characters and none of <>%&\\?/, a value at most 256."
            );
            Err(Refusal::bad_request("InvalidTagNameValue", message))
        }
        None => Ok(()),
    }
}

/// Metadata names are C# identifiers
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#metadata-names>.
pub(super) fn metadata(metadata: &Metadata) -> Result<(), Refusal> {
    let identifier = |name: &str| {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match metadata.keys().find(|name| !identifier(name)) {
        Some(name) => {
            let message = format!("The metadata name '{name}' is not valid: it must be a C# identifier.");
            Err(Refusal::bad_request("InvalidMetadata", message))
        }
        None => Ok(()),
    }
}

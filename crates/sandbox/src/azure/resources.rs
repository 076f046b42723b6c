//! What Resource Manager keeps: each resource under its id in lower case, since ids are case-insensitive
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::azure::refusal::Refusal;
use crate::state::Transaction;

const PREFIX: &str = "azure/resource";

/// The resource with an id.
pub(super) fn get<T: DeserializeOwned>(state: &Transaction<'_>, id: &str) -> Result<Option<T>, Error> {
    state.get(&key(id))
}

/// Whether there is one.
pub(super) fn has(state: &Transaction<'_>, id: &str) -> bool {
    state.has(&key(id))
}

/// Keep one.
pub(super) fn put<T: Serialize>(state: &mut Transaction<'_>, id: &str, value: &T) -> Result<(), Error> {
    state.put(&key(id), value)
}

/// Remove one, and everything under it. Gives whether there was one.
pub(super) fn delete(state: &mut Transaction<'_>, id: &str) -> bool {
    for id in under(state, id) {
        state.delete(&key(&id));
    }
    state.delete(&key(id))
}

/// The ids, in lower case, of everything under an id.
pub(super) fn under(state: &Transaction<'_>, id: &str) -> Vec<String> {
    let prefix = format!("{}/", key(id));
    state.keys(&prefix, None).map(|key| key[PREFIX.len()..].to_owned()).collect()
}

/// The resources of a collection, in order of their names.
pub(super) fn list<T: DeserializeOwned>(state: &Transaction<'_>, collection: &str) -> Result<Vec<T>, Error> {
    let start = collection.len() + 1;
    let direct = under(state, collection).into_iter().filter(|id| !id[start..].contains('/'));
    direct.map(|id| get(state, &id)).filter_map(Result::transpose).collect()
}

/// The answer where there is none
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found>.
pub(super) fn not_found(id: &str) -> Refusal {
    let (scope, resource) = id.rsplit_once("/providers/").unwrap_or(("", id));
    let group = scope.split('/').nth(4).unwrap_or_default();
    Refusal::not_found(
        "ResourceNotFound",
        format!(
            "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to \
             https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// The id, and those it is under, from the subscription on.
pub(super) fn lineage(id: &str) -> Vec<String> {
    let id = id.to_ascii_lowercase();
    let ends = id.char_indices().skip(1).filter(|(_, letter)| *letter == '/').map(|(end, _)| end);
    ends.chain([id.len()]).map(|end| id[..end].to_owned()).collect()
}

fn key(id: &str) -> String {
    format!("{PREFIX}{}", id.trim_end_matches('/').to_ascii_lowercase())
}

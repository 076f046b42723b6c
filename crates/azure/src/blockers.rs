//! Why something cannot be written or deleted: what others have in it, locks, what is missing or cannot be moved.

use provision_core::refusal::Refusal;
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use crate::client::Reader;
use crate::client::models::{Lock, SystemTopic};
use crate::error::allowed;
use crate::names::{Names, identity_of, last};

/// Why what is in the account, or attached to it, cannot be deleted: a lock on the account holds for that too, one on what
/// others have in it does not.
pub(crate) async fn locked(reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
    let queue = names.queue.as_ref().map(|queue| names.queue_id(queue));
    let ours: Vec<_> = [names.container_id(&names.container)].into_iter().chain(queue).collect();
    let found = allowed(reader.list_locks(&names.account_id()).await)?.flatten().unwrap_or_default();
    Ok(refusal(&names.account, found.into_iter().filter(|lock| ours.iter().any(|id| lock.holds(id)))))
}

/// The locks that forbid deleting <https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources>. Who
/// may not list them is told by the deletion itself.
pub(crate) async fn locks(reader: &Reader, scope: &str) -> Result<Option<Refusal>, Error> {
    let found = allowed(reader.list_locks(scope).await)?.flatten().unwrap_or_default();
    Ok(refusal(last(scope), found.into_iter()))
}

fn refusal(name: &str, locks: impl Iterator<Item = Lock>) -> Option<Refusal> {
    let names: Vec<_> = locks.map(|lock| format!("`{}`", lock.name)).collect();
    (!names.is_empty()).then(|| Refusal {
        reason: format!("`{name}` is locked: {}", names.join(", ")),
        hint: "`az lock list` shows the lock; remove it if it is yours to remove, then run the same command again"
            .to_owned(),
    })
}

/// The refusal to delete what holds things of others, of which the first few are named.
pub(crate) fn deletion_refusal(kind: &str, name: &str, others: &[String], path: &str) -> Option<Refusal> {
    const NAMED: usize = 5;
    if others.is_empty() {
        return None;
    }
    let more = if others.len() > NAMED { format!(" and {} more", others.len() - NAMED) } else { String::new() };
    let named = others[..others.len().min(NAMED)].join(", ");
    // As the plan file has it: a group is a table on one line.
    let kept = match path {
        "azure.resource_group" => format!("`resource_group = {{ name = \"{name}\", create = false }}` under [azure]"),
        path => format!("`create = false` under [{path}]"),
    };
    Some(Refusal {
        reason: format!("{kind} `{name}` holds what is not this deployment's: {named}{more}"),
        hint: format!("remove that first; or write {kept}, then the {kind} is left as it is"),
    })
}

/// The same as an error, for what arrived after the look.
pub(crate) fn refusal_error(kind: &str, name: &str, refusal: Refusal) -> Error {
    let error = Error::new(ErrorKind::Refused, format!("refused to delete {kind} `{name}`"));
    error.with_message(refusal.reason).with_hint(refusal.hint)
}

/// Whether a system topic is that of the account.
pub(crate) fn is_source(topic: &SystemTopic, account: &str) -> bool {
    topic.source().is_some_and(|source| identity_of(source) == account)
}

/// What was placed stays there.
pub(crate) fn immovable(kind: &str, name: &str, location: &str) -> Refusal {
    Refusal {
        reason: format!("{kind} `{name}` is in {location}, and cannot be moved"),
        hint: format!("write `location = \"{location}\"` under [azure], or choose another name"),
    }
}

/// The account that everything else is in is not there.
pub(crate) fn missing(names: &Names) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("use storage account `{}`", names.account));
    error.with_message(format!("it does not exist in resource group `{}`", names.group)).with_hint(
        "correct `name` under [azure.account] or `resource_group` under [azure]; to have apply make the account, set `create = true` under \
         [azure.account]",
    )
}

/// A write that does not find the account: what is to be taken out of it is gone with it.
pub(crate) fn not_there(names: &Names, value: &Value) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::NotFound, format!("use storage account `{}`", names.account));
    Err(error
        .with_message("the service does not find it")
        .with_hint("run `provision azure plan` to see what is there now"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_the_first_few() {
        assert_eq!(deletion_refusal("storage account", "acme", &[], "azure.account"), None);
        let others: Vec<_> = (0..7).map(|number| format!("queue `q{number}`")).collect();
        let refusal = deletion_refusal("storage account", "acme", &others, "azure.account").unwrap();
        assert!(refusal.reason.ends_with("queue `q4` and 2 more"), "{}", refusal.reason);
    }
}

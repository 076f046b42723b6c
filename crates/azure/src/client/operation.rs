//! The names of operations, which are those of permissions.

use azure_core::http::{Method, Url};

/// The operation of a request as permissions spell it, `Microsoft.Storage/storageAccounts/write`
/// <https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations>.
pub(crate) fn operation(method: Method, url: &Url) -> String {
    let segments: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let provider = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let (namespace, rest) = match provider {
        Some(index) if segments.len() > index + 2 => (segments[index + 1], &segments[index + 2..]),
        Some(_) => return "Microsoft.Resources/subscriptions/providers/read".to_owned(),
        None if segments.first() == Some(&"subscriptions") => ("Microsoft.Resources", &segments[..]),
        None if segments.last() == Some(&"token") => return "oauth2/token".to_owned(),
        None => return data_operation(method, url),
    };
    let types: Vec<&str> = rest.iter().step_by(2).copied().collect();
    let verb = match method {
        Method::Get | Method::Head => "read",
        Method::Delete => "delete",
        Method::Post if types.last().is_some_and(|last| last.starts_with("check")) => "read",
        Method::Post => "action",
        _ => "write",
    };
    // A POST names its action last, at an odd place where the resource before it has a name.
    let last = (method == Method::Post && rest.len() % 2 == 1).then(|| rest.last()).flatten();
    let types = match last {
        Some(last) if types.last() != Some(last) => [types, vec![*last]].concat(),
        _ => types,
    };
    format!("{namespace}/{}/{verb}", types.join("/"))
}

fn data_operation(method: Method, url: &Url) -> String {
    let has = |field: &str| url.query_pairs().any(|(name, _)| name == field);
    if has("numofmessages") || has("popreceipt") {
        let verb = match method {
            Method::Get if has("peekonly") => "read",
            Method::Put => "write",
            _ => "process/action",
        };
        return format!("Microsoft.Storage/storageAccounts/queueServices/queues/messages/{verb}");
    }
    match url.query().is_some_and(|query| query.contains("comp=userdelegationkey")) {
        true => "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action".to_owned(),
        false => blob_operation(method, url),
    }
}

fn blob_operation(method: Method, url: &Url) -> String {
    let listing = url.query().is_some_and(|query| query.contains("comp=list"));
    let verb = match method {
        _ if listing => "read",
        Method::Delete => "delete",
        Method::Get | Method::Head => "read",
        _ => "write",
    };
    format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_is_spelled_as_its_permission() {
        let arm = "https://management.azure.com/subscriptions/s";
        let account = format!("{arm}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a");
        let named = |method, url: &str| operation(method, &Url::parse(url).unwrap());
        for (method, url, name) in [
            (Method::Put, account.clone(), "Microsoft.Storage/storageAccounts/write"),
            (Method::Post, format!("{account}/listKeys"), "Microsoft.Storage/storageAccounts/listKeys/action"),
            (
                Method::Get,
                format!("{account}/blobServices/default/containers/c?api-version=1"),
                "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            ),
            (
                Method::Delete,
                format!("{account}/providers/Microsoft.EventGrid/eventSubscriptions/e"),
                "Microsoft.EventGrid/eventSubscriptions/delete",
            ),
            (Method::Get, format!("{arm}/resourceGroups/g"), "Microsoft.Resources/subscriptions/resourceGroups/read"),
            (
                Method::Get,
                format!("{arm}/providers/Microsoft.EventGrid"),
                "Microsoft.Resources/subscriptions/providers/read",
            ),
            (
                Method::Post,
                format!("{arm}/providers/Microsoft.EventGrid/register"),
                "Microsoft.EventGrid/register/action",
            ),
            (
                Method::Post,
                format!("{arm}/providers/Microsoft.Storage/checkNameAvailability"),
                "Microsoft.Storage/checkNameAvailability/read",
            ),
            (Method::Post, "https://login.example/t/oauth2/v2.0/token".to_owned(), "oauth2/token"),
            (
                Method::Delete,
                "https://a.queue.core.windows.net/q/messages/m?popreceipt=r".to_owned(),
                "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
            ),
            (
                Method::Get,
                "https://a.queue.core.windows.net/q/messages?numofmessages=32&peekonly=true".to_owned(),
                "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
            ),
            (
                Method::Post,
                "https://a.blob.core.windows.net/?restype=service&comp=userdelegationkey".to_owned(),
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ),
            (
                Method::Get,
                "https://a.blob.core.windows.net/c?restype=container&comp=list".to_owned(),
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            ),
        ] {
            assert_eq!(named(method, &url), name, "{url}");
        }
    }
}

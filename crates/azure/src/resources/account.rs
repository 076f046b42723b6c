//! `azure.account`: the storage account, over TLS 1.2 only and without public blobs. A shared one is used, never marked.

use std::time::Duration;

use provision_core::context::Watch;
use provision_core::facet::{Extent, Facet, Seen, Want};
use provision_core::mark::{Mark, Tags, without_mark};
use provision_core::output::Setting;
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer, last};
use crate::config::{Settings, normal_location};
use crate::error::ACCOUNT_NOT_READY;
use crate::marks;
use crate::provider::{Names, unknown_facet};
use crate::resources::events;
use crate::resources::resource_group::{immovable, included, wanted_tags};
use crate::tags::tags;

static LOCATION: Facet = included("location", 'l', Extent::Whole);
static SKU: Facet = included("sku", 's', Extent::Whole);
static SECURITY: Facet = included("security", 't', Extent::Whole);
static TAGS: Facet = included("tags", 'g', Extent::Tags);
pub(crate) static FACETS: &[&Facet] = &[&LOCATION, &SKU, &SECURITY, &TAGS];

/// "A maximum of 15 tags can be provided for a resource"
/// (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create#request-body>).
pub(crate) const MOST_TAGS: usize = 15;

/// What is wanted. An account is never adopted, so it is all ours.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    let want = |facet, value, path: &str| Want { facet, value, path: path.to_owned() };
    let mut wants = vec![
        want(&LOCATION, json!(settings.location()), "azure.location"),
        want(&SKU, json!(settings.azure.account.sku), "azure.account.sku"),
        want(&SECURITY, security(true, "TLS1_2", false), "azure.account"),
    ];
    wants.extend(wanted_tags(&TAGS, settings));
    wants
}

fn security(https_only: bool, least_tls: &str, public_blobs: bool) -> Value {
    json!({"https_only": https_only, "least_tls": least_tls, "public_blobs": public_blobs})
}

/// The least version that is wanted; later ones sort after it.
const LEAST_TLS: &str = "TLS1_2";

/// Properties that an old account does not answer stand for what they were before there was such a setting
/// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties>.
fn seen_security(found: &Value) -> Value {
    let properties = &found["properties"];
    let flag = |key: &str, default| properties[key].as_bool().unwrap_or(default);
    let tls = properties["minimumTlsVersion"].as_str().unwrap_or("TLS1_0");
    // It is the least that is wanted: a harder setting is as good.
    let tls = if tls > LEAST_TLS { LEAST_TLS } else { tls };
    security(flag("supportsHttpsTrafficOnly", false), tls, flag("allowBlobPublicAccess", true))
}

/// As the service spells it.
fn security_properties(value: &Value) -> Map<String, Value> {
    let members = [
        ("supportsHttpsTrafficOnly", &value["https_only"]),
        ("minimumTlsVersion", &value["least_tls"]),
        ("allowBlobPublicAccess", &value["public_blobs"]),
    ];
    members.map(|(key, value)| (key.to_owned(), value.clone())).into_iter().collect()
}

/// The account, and at the same time whether its name is free: it is shared by all of Azure.
pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let id = names.account_id();
    let (found, taken) =
        futures::join!(reader.get_account(&id), reader.check_account_name(&names.subscription, &names.account));
    // Who may not ask is told when the account is created.
    let taken = taken.ok().flatten();
    let found = match found {
        // Made between the two looks, the name is taken by what is asked for.
        Ok(None) if taken.is_some() => reader.get_account(&id).await,
        found => found,
    };
    let Some(found) = found.map_err(|error| explained(error, settings))? else {
        return Ok(taken.map_or(Observation::Absent, |detail| Observation::TakenElsewhere { detail }));
    };
    let tags = tags(&found, settings.tags());
    let location = normal_location(found["location"].as_str().unwrap_or_default());
    let moved = (location != settings.location()).then(|| immovable("storage account", &names.account, &location));
    let seen = vec![
        (LOCATION.name, Seen::Value(json!(location))),
        (SKU.name, Seen::Value(found["sku"]["name"].clone())),
        (SECURITY.name, Seen::Value(seen_security(&found))),
        (TAGS.name, Seen::Value(json!(without_mark(&tags)))),
    ];
    let mut obstacles: Vec<_> = moved.map(|refusal| (LOCATION.name, refusal)).into_iter().collect();
    if found["kind"] != json!("StorageV2") {
        obstacles.push((SECURITY.name, wrong_kind(names, &found)));
    }
    Ok(Observation::Present(Box::new(Present { mark: Mark::from_tags(&tags), seen, obstacles, ..Present::default() })))
}

fn explained(error: Error, settings: &Settings) -> Error {
    let group = &settings.azure.resource_group;
    match error.code() {
        Some("ResourceGroupNotFound") if !group.create => missing_group(error),
        _ => error,
    }
}

fn missing_group(error: Error) -> Error {
    error.hint("write `create = true` into `resource_group` under [azure], or name a group that exists")
}

/// Only these kinds emit events
/// (<https://learn.microsoft.com/azure/storage/blobs/storage-blob-event-overview>).
fn wrong_kind(names: &Names, found: &Value) -> Refusal {
    Refusal {
        reason: format!("storage account `{}` is of kind {}, not StorageV2", names.account, found["kind"]),
        hint: "upgrade it (`az storage account update --set kind=StorageV2`), or choose another name".to_owned(),
    }
}

/// The account that everything else is in is not there.
pub(crate) fn missing(names: &Names) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("use storage account `{}`", names.account));
    error.message(format!("it does not exist in resource group `{}`", names.group)).hint(
        "correct `name` under [azure.account] and `resource_group`, or write `create = true` under [azure.account]",
    )
}

/// A write that does not find the account: what is to be taken out of it is gone with it.
pub(crate) fn not_there(names: &Names, value: &Value) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::NotFound, format!("use storage account `{}`", names.account));
    Err(error.message("the service does not find it").hint("run `provision azure plan` to see what is there now"))
}

/// Create the account with its tags. The call would replace those of one that exists, so it is looked for right before. A
/// creation that was answered with throttling may have succeeded all the same
/// (<https://github.com/Azure/azure-cli/issues/31148>), so a conflict is looked at again.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let id = names.account_id();
    if let Some(found) = writer.reader().get_account(&id).await? {
        return existed(names, &found);
    }
    let wanted = |facet: &Facet| facets.get(facet.name).cloned().unwrap_or_default();
    let mut properties = security_properties(&wanted(&SECURITY));
    properties.insert("allowSharedKeyAccess".to_owned(), json!(true));
    let body = json!({
        "location": wanted(&LOCATION),
        "kind": "StorageV2",
        "sku": {"name": wanted(&SKU)},
        "tags": tags,
        "properties": properties,
    });
    match writer.put_account(&id, &body).await {
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict) => {
            match writer.reader().get_account(&id).await? {
                Some(found) => existed(names, &found),
                None => Err(error),
            }
        }
        created => created,
    }
}

/// One that is there already is used once it is ready.
fn existed(names: &Names, found: &Value) -> Result<Created, Error> {
    match found.pointer("/properties/provisioningState").and_then(Value::as_str) {
        None | Some("Succeeded") => Ok(Created::Existed),
        Some(state) => {
            let error = Error::new(ErrorKind::Conflict, format!("use storage account `{}`", names.account));
            Err(error
                .message(format!("its state is {state}"))
                .hint("run the same command again")
                .retry(ACCOUNT_NOT_READY))
        }
    }
}

/// Write one facet.
pub(crate) async fn write(writer: &Writer, names: &Names, facet: &str, value: &Value) -> Result<(), Error> {
    let body = match facet {
        "sku" => json!({"sku": {"name": value}}),
        "security" => {
            let mut properties = security_properties(value);
            let found = writer.reader().get_account(&names.account_id()).await?.unwrap_or_default();
            if let Some(harder) = found["properties"]["minimumTlsVersion"].as_str().filter(|tls| *tls > LEAST_TLS) {
                properties.insert("minimumTlsVersion".to_owned(), json!(harder));
            }
            json!({"properties": properties})
        }
        other => return Err(unknown_facet(other)),
    };
    writer.patch_account(&names.account_id(), &body).await
}

/// Something in the account.
struct Held {
    /// What it is, for people.
    text: String,
    /// Whether this deployment made it, and so takes it away before the account.
    ours: bool,
}

/// Why the account cannot go: a lock, or things in it that this deployment did not make.
pub(crate) async fn in_the_way(reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
    let (held, lock) = futures::join!(held(reader, names), locked(reader, names));
    match lock? {
        Some(refusal) => Ok(Some(refusal)),
        None => Ok(others(names, &held?)),
    }
}

fn others(names: &Names, held: &[Held]) -> Option<Refusal> {
    let others: Vec<_> = held.iter().filter(|held| !held.ours).map(|held| held.text.clone()).collect();
    refused("storage account", &names.account, &others, "azure.account")
}

/// Everything that is lost with the account. Only what we created goes; what we adopted stays, and keeps the account.
async fn held(reader: &Reader, names: &Names) -> Result<Vec<Held>, Error> {
    let id = names.account_id();
    let (inside, tables, shares, events) = futures::join!(
        marks::inside(reader, names),
        reader.list_tables(&id),
        reader.list_shares(&id),
        events::on_account(reader, names),
    );
    let inside = inside?.unwrap_or_default().into_iter().map(|item| {
        let ours = names.made(&item.tags, &item.id);
        Held { text: format!("{} `{}`", item.kind, item.name), ours }
    });
    let mut held: Vec<_> = inside.collect();
    let mut add = |kind: &str, listed: Option<Vec<Value>>| {
        let listed = listed.unwrap_or_default();
        let named = listed.iter().map(|item| item["name"].as_str().unwrap_or_default());
        let counted = named.filter(|name| !is_metrics(kind, name));
        held.extend(counted.map(|name| Held { text: format!("{kind} `{name}`"), ours: false }));
    };
    add("table", tables?);
    add("file share", shares?);
    held.extend(events?.into_iter().map(|(text, ours)| Held { text, ours }));
    Ok(held)
}

/// Tables that the account makes by itself
/// (<https://learn.microsoft.com/azure/storage/common/storage-analytics-metrics#how-metrics-are-stored>).
fn is_metrics(kind: &str, name: &str) -> bool {
    kind == "table" && name.starts_with("$Metrics")
}

/// Why a container of the account cannot be deleted: a lock on the account holds for what is in it.
pub(crate) async fn locked(reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
    Ok(locks(reader, &names.account_id()).await)
}

/// The locks that forbid deleting <https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources>. Who
/// may not list them is told by the deletion itself.
pub(crate) async fn locks(reader: &Reader, scope: &str) -> Option<Refusal> {
    let found = reader.list_locks(scope).await.ok().flatten().unwrap_or_default();
    let names: Vec<_> = found.iter().filter_map(|lock| lock["name"].as_str()).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| Refusal {
        reason: format!("`{}` is locked: {}", last(scope), names.join(", ")),
        hint: "`az lock list` shows the lock; remove it if it is yours to remove, then run the same command again"
            .to_owned(),
    })
}

/// The refusal to delete what holds things of others, of which the first few are named.
pub(crate) fn refused(kind: &str, name: &str, others: &[String], path: &str) -> Option<Refusal> {
    const NAMED: usize = 5;
    if others.is_empty() {
        return None;
    }
    let more = if others.len() > NAMED { format!(" and {} more", others.len() - NAMED) } else { String::new() };
    let named = others[..others.len().min(NAMED)].join(", ");
    Some(Refusal {
        reason: format!("{kind} `{name}` holds what is not this deployment's: {named}{more}"),
        hint: format!("remove that first; or write `create = false` under [{path}], then the {kind} is left as it is"),
    })
}

/// The same as an error, for what arrived after the look.
pub(crate) fn refusal_error(kind: &str, name: &str, refusal: Refusal) -> Error {
    let error = Error::new(ErrorKind::Refused, format!("refused to delete {kind} `{name}`"));
    error.message(refusal.reason).hint(refusal.hint)
}

/// Resource Manager deletes a full account without asking: look right before.
pub(crate) async fn delete(writer: &Writer, names: &Names, watch: &Watch<'_>) -> Result<(), Error> {
    let held = held(writer.reader(), names).await?;
    if let Some(refusal) = others(names, &held) {
        return Err(refusal_error("storage account", &names.account, refusal));
    }
    match held.first() {
        None => {
            watch.still_ours().await?;
            writer.delete_account(&names.account_id()).await
        }
        Some(ours) => Err(still_held(names, &ours.text)),
    }
}

/// What this run deleted, and a list still shows.
fn still_held(names: &Names, what: &str) -> Error {
    let reason = "what was in the storage account is still being deleted";
    let error = Error::new(ErrorKind::Refused, format!("refused to delete storage account `{}`", names.account));
    error
        .message(format!("{what} is still there"))
        .hint("run the same command again")
        .retry(RetryClass::Settling { reason, budget: Duration::from_secs(60) })
}

/// The key that the plan file picks; none where shared keys are disabled, since a request signed with one is refused then
/// (<https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent>).
pub(crate) async fn key(reader: &Reader, settings: &Settings, names: &Names) -> Result<Setting, Error> {
    let id = names.account_id();
    let found = reader.get_account(&id).await?.ok_or_else(|| missing(names))?;
    if !shared_keys(&found) {
        let reason = format!(
            "shared keys are disabled on storage account `{}`; give the server an identity ([azure.access]) instead",
            names.account
        );
        return Ok(Setting::Unavailable(reason));
    }
    let name = settings.azure.account.key.as_str();
    let key = reader.list_keys(&id, name).await?;
    Ok(key.map_or_else(|| Setting::Unavailable(format!("the account has no key `{name}`")), Setting::Revealed))
}

/// Whether requests may be signed with the account's keys; an account that does not say so takes them.
pub(crate) fn shared_keys(found: &Value) -> bool {
    found.pointer("/properties/allowSharedKeyAccess") != Some(&json!(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties#storageaccountgetproperties>
    #[test]
    fn security_survives_the_spelling_of_the_service() {
        let wanted = security(true, "TLS1_2", false);
        let answered = json!({"properties": security_properties(&wanted)});
        assert_eq!(seen_security(&answered), wanted);
        assert_eq!(seen_security(&json!({"properties": {}})), security(false, "TLS1_0", true));
    }

    #[test]
    fn refusal_names_the_first_few() {
        assert_eq!(refused("storage account", "acme", &[], "azure.account"), None);
        let others: Vec<_> = (0..7).map(|number| format!("queue `q{number}`")).collect();
        let refusal = refused("storage account", "acme", &others, "azure.account").unwrap();
        assert!(refusal.reason.ends_with("queue `q4` and 2 more"), "{}", refusal.reason);
    }
}

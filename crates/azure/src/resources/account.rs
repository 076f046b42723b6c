//! `azure.account`: the storage account, over TLS 1.2 only and without public blobs. A shared one is used, never marked.

mod security;
mod soft_delete;

use std::time::Duration;

use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words, tags_in_words};
use provision_core::mark::{Mark, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use self::security::Security;
use crate::blockers::{deletion_refusal, immovable, locks, refusal_error};
use crate::client::models::{BlobService, Named, StorageAccount};
use crate::client::{Reader, Writer};
use crate::config::{Settings, normal_location};
use crate::error::{ACCOUNT_NOT_READY, absent, allowed};
use crate::marks;
use crate::names::{Names, Part, identity_of};
use crate::resources::blob_service::{Edits, set_soft_delete_days, soft_delete_days};
use crate::resources::events;
use crate::resources::shared_account::{FoundAccount, is_by_key, wrong_kind};
use crate::resources::{ACCOUNT_LANE, Facets, Write, typed, wanted_tags};
use crate::tags;

provision_core::facets! {
    /// Facets of the account.
    pub(crate) enum AccountFacet {
        Location = ("location", 'l', Whole, Exclusive, SameCall),
        Sku = ("sku", 's', Whole, Exclusive, SameCall),
        Security = ("security", 't', Whole, Exclusive, SameCall),
        SoftDelete = ("soft_delete_days", 'd', Whole, Exclusive, OwnCall),
        Tags = ("tags", 'g', Tags, Exclusive, SameCall),
    }
}

/// "A maximum of 15 tags can be provided for a resource"
/// (<https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create#request-body>).
const MOST_TAGS: usize = 15;

/// The account, where it is not a shared one.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    settings.azure.account.create.then(|| Resource {
        identity: identity_of(&names.account_id()),
        most_tags: MOST_TAGS,
        needs: vec![Part::ResourceGroup.address()],
        deleted_after: [Part::Container, Part::Cors, Part::Queue, Part::Events, Part::Access].map(Part::address).into(),
        lane: Some(ACCOUNT_LANE),
        ..Part::Account.resource(&names.account, AccountFacet::ALL)
    })
}

/// The desired facets. An account is never adopted, so it is all ours.
pub(crate) fn desired(settings: &Settings) -> Vec<Desired> {
    AccountFacet::all_desired(|facet| match facet {
        AccountFacet::Location => Some(facet.desired(settings.location(), "azure.location")),
        AccountFacet::Sku => Some(facet.desired(settings.azure.account.sku, "azure.account.sku")),
        AccountFacet::Security => Some(facet.desired(Security::desired(is_by_key(settings)), "azure.account")),
        AccountFacet::SoftDelete => {
            Some(facet.desired(settings.azure.account.soft_delete_days(), "azure.account.soft_delete_days"))
        }
        AccountFacet::Tags => wanted_tags(facet, settings),
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: AccountFacet, value: &Value) -> Option<Words> {
    match facet {
        AccountFacet::Location | AccountFacet::Sku => Some(("storage", value.as_str()?.to_owned())),
        AccountFacet::Security => Some(("private", typed::<Security>(value).ok()?.in_words())),
        AccountFacet::SoftDelete => Some(("soft delete", soft_delete::in_words(value.as_u64()?))),
        AccountFacet::Tags => Some(("tags", tags_in_words(value))),
    }
}

/// The account with what its Blob service keeps, and at the same time whether its name is free: it is shared by all of Azure.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    service: impl Future<Output = Result<Option<BlobService>, Error>>,
    seen: &FoundAccount,
) -> Result<Observation, Error> {
    let id = names.account_id();
    let taken = reader.check_account_name(&names.subscription, &names.account);
    let (found, taken, service) = futures::join!(reader.get_account(&id), taken, service);
    // A missing permission to ask is reported by the creation.
    let taken = absent(allowed(taken).map(Option::flatten))?.flatten();
    let found = match found {
        // Made between the two looks, the name is taken by what is asked for.
        Ok(None) if taken.is_some() => reader.get_account(&id).await,
        found => found,
    };
    let Some(found) = found.map_err(|error| explained(error, settings))? else {
        return Ok(taken.map_or(Observation::Absent, |detail| Observation::TakenElsewhere { detail }));
    };
    let tags = tags::tags(found.tags.as_ref(), settings.tags());
    let location = normal_location(&found.location);
    let moved = (location != settings.location()).then(|| immovable("storage account", &names.account, &location));
    let observed = AccountFacet::all_observed(|facet| match facet {
        AccountFacet::Location => facet.observed(Ok(&location)),
        AccountFacet::Sku => facet.observed(Ok(found.sku())),
        AccountFacet::Security => facet.observed(Ok(Security::of(is_by_key(settings), &found.properties))),
        // Of a new account it is not found at once.
        AccountFacet::SoftDelete => {
            facet.observed(service.as_ref().map(|found| found.as_ref().map(soft_delete_days)).map_err(Error::clone))
        }
        AccountFacet::Tags => facet.observed(Ok(without_mark(&tags))),
    });
    let restored = service.ok().flatten().and_then(|service| soft_delete::refusal(names, settings, &service));
    let wrong_kind = wrong_kind(names, &found).map(|refusal| (AccountFacet::Security.name(), refusal));
    seen.note(Some(found));
    let mut blockers: Vec<_> = moved.map(|refusal| (AccountFacet::Location.name(), refusal)).into_iter().collect();
    blockers.extend(wrong_kind);
    blockers.extend(restored.map(|refusal| (AccountFacet::SoftDelete.name(), refusal)));
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&tags),
        observed,
        blockers,
        ..Present::default()
    })))
}

fn explained(error: Error, settings: &Settings) -> Error {
    let group = &settings.azure.resource_group;
    match error.code() {
        Some("ResourceGroupNotFound") if !group.create => missing_group(error),
        _ => error,
    }
}

fn missing_group(error: Error) -> Error {
    error.with_hint("name a resource group that exists as `resource_group` under [azure], or set `create = true` in it, and apply makes the group")
}

/// Create the account with its tags. The call would replace those of one that exists, so it is looked for right before. A
/// creation that was answered with throttling may have succeeded all the same
/// (<https://github.com/Azure/azure-cli/issues/31148>), so a conflict is looked at again.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
    context: &OperationContext<'_>,
) -> Result<Created, Error> {
    let _lane = context.acquire_lane().await;
    let id = names.account_id();
    if let Some(found) = writer.reader().get_account(&id).await? {
        return existed(names, &found);
    }
    match writer.put_account(&id, &body(facets, tags)?).await {
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict) => {
            match writer.reader().get_account(&id).await? {
                Some(found) => existed(names, &found),
                None => Err(error),
            }
        }
        created => created,
    }
}

fn body(facets: &Map<String, Value>, tags: &Tags) -> Result<Value, Error> {
    let desired = |facet: AccountFacet| facets.get(facet.name()).cloned().unwrap_or_default();
    let properties = typed::<Security>(&desired(AccountFacet::Security))?.properties(None);
    Ok(json!({
        "location": desired(AccountFacet::Location),
        "kind": "StorageV2",
        "sku": {"name": desired(AccountFacet::Sku)},
        "tags": tags,
        "properties": properties,
    }))
}

/// The account that the plan file asks to create, without provision's tags.
pub(crate) fn planned(settings: &Settings) -> Result<Value, Error> {
    let facets = desired(settings).into_iter().map(|desired| (desired.facet.name.to_owned(), desired.value));
    body(&facets.collect(), settings.tags())
}

/// One that is there already is used once it is ready.
fn existed(names: &Names, found: &StorageAccount) -> Result<Created, Error> {
    match found.properties.provisioning_state.as_deref() {
        None | Some("Succeeded") => Ok(Created::Existed),
        Some(state) => {
            let error = Error::new(ErrorKind::Conflict, format!("use storage account `{}`", names.account));
            Err(error
                .with_message(format!("its state is {state}"))
                .with_hint("run the same command again")
                .with_retry(ACCOUNT_NOT_READY))
        }
    }
}

/// Its tags; `None` if it is not there.
pub(crate) async fn tags(reader: &Reader, settings: &Settings, names: &Names) -> Result<Option<Tags>, Error> {
    let found = reader.get_account(&names.account_id()).await?;
    Ok(found.map(|found| tags::tags(found.tags.as_ref(), settings.tags())))
}

/// All tags at once: the call replaces them.
pub(crate) async fn replace_tags(writer: &Writer, names: &Names, tags: &Tags) -> Result<(), Error> {
    writer.patch_account(&names.account_id(), &json!({"tags": tags})).await
}

/// Write one facet.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    edits: &Edits,
    write: &Write<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let facet = AccountFacet::of(write.facet)?;
    if facet == AccountFacet::SoftDelete {
        let days: u64 = typed(write.value)?;
        let edit = Box::new(move |service: &mut BlobService| {
            set_soft_delete_days(service, days);
            Ok(())
        });
        return edits.write(writer, names, write.value, edit, context).await;
    }
    let _lane = context.acquire_lane().await;
    let body = match facet {
        AccountFacet::Sku => json!({"sku": {"name": write.value}}),
        AccountFacet::Security => {
            let security: Security = typed(write.value)?;
            let found = writer.reader().get_account(&names.account_id()).await?;
            json!({"properties": security.properties(found.map(|found| found.properties).as_ref())})
        }
        AccountFacet::Location | AccountFacet::SoftDelete | AccountFacet::Tags => {
            return Err(Error::bug(&format!("`{}` of an account is not written by itself", write.facet)));
        }
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
pub(crate) async fn deletion_blockers(reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
    let id = names.account_id();
    let (held, lock) = futures::join!(all_in_account(reader, names), locks(reader, &id));
    match lock? {
        Some(refusal) => Ok(Some(refusal)),
        None => Ok(others(names, &held?)),
    }
}

fn others(names: &Names, held: &[Held]) -> Option<Refusal> {
    let others: Vec<_> = held.iter().filter(|held| !held.ours).map(|held| held.text.clone()).collect();
    deletion_refusal("storage account", &names.account, &others, "azure.account")
}

/// Everything that is lost with the account. Only what we created goes; what we adopted stays, and keeps the account.
async fn all_in_account(reader: &Reader, names: &Names) -> Result<Vec<Held>, Error> {
    let id = names.account_id();
    let (inside, tables, shares, events) = futures::join!(
        marks::inside(reader, names),
        reader.list_tables(&id),
        reader.list_shares(&id),
        events::on_account(reader, names),
    );
    let inside = inside?.unwrap_or_default().into_iter().map(|item| {
        let ours = names.is_made_by_us(&item.tags, &item.id);
        Held { text: format!("{} `{}`", item.part.kind(), item.name), ours }
    });
    let mut held: Vec<_> = inside.collect();
    let mut add = |kind: &str, listed: Option<Vec<Named>>| {
        let counted = listed.into_iter().flatten().filter(|item| !is_metrics(kind, &item.name));
        held.extend(counted.map(|item| Held { text: format!("{kind} `{}`", item.name), ours: false }));
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

/// Resource Manager deletes a full account without asking: look right before.
pub(crate) async fn delete(writer: &Writer, names: &Names, context: &OperationContext<'_>) -> Result<(), Error> {
    let _lane = context.acquire_lane().await;
    let held = all_in_account(writer.reader(), names).await?;
    if let Some(refusal) = others(names, &held) {
        return Err(refusal_error("storage account", &names.account, refusal));
    }
    match held.first() {
        None => {
            context.still_ours().await?;
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
        .with_message(format!("{what} is still there"))
        .with_hint("run the same command again")
        .with_retry(RetryClass::Settling { reason, budget: Duration::from_secs(60) })
}

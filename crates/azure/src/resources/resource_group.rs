//! `azure.resource_group`: the group of the storage account, where the plan file asks to create it.

use futures::future::try_join_all;
use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words, tags_in_words};
use provision_core::mark::{Mark, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::blockers::{deletion_refusal, immovable, is_source, locks, refusal_error};
use crate::client::models::{GroupResource, ResourceGroup, SystemTopic};
use crate::client::{Reader, Writer};
use crate::config::{Settings, normal_location};
use crate::error::{GROUP_BEING_DELETED, allowed};
use crate::names::{Names, Part, identity_of, last};
use crate::resources::{Facets, wanted_tags};
use crate::tags;

provision_core::facets! {
    /// Facets of the group.
    pub(crate) enum GroupFacet {
        Location = ("location", 'l', Whole, Exclusive, SameCall),
        Tags = ("tags", 'g', Tags, Exclusive, SameCall),
    }
}

/// The group, where the plan file asks to create it.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    settings.azure.resource_group.create.then(|| Resource {
        identity: identity_of(&names.group_id()),
        deleted_after: vec![Part::Account.address()],
        ..Part::ResourceGroup.resource(&names.group, GroupFacet::ALL)
    })
}

/// The desired facets. A group is never adopted, so it is all ours.
pub(crate) fn desired(settings: &Settings) -> Vec<Desired> {
    GroupFacet::all_desired(|facet| match facet {
        GroupFacet::Location => Some(facet.desired(settings.location(), "azure.location")),
        GroupFacet::Tags => wanted_tags(facet, settings),
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: GroupFacet, value: &Value) -> Option<Words> {
    match facet {
        GroupFacet::Location => Some(("location", value.as_str()?.to_owned())),
        GroupFacet::Tags => Some(("tags", tags_in_words(value))),
    }
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(found) = existing(reader, names).await? else { return Ok(Observation::Absent) };
    let tags = tags::tags(found.tags.as_ref(), settings.tags());
    let location = normal_location(&found.location);
    let moved = (location != settings.location()).then(|| immovable("resource group", &names.group, &location));
    let observed = GroupFacet::all_observed(|facet| match facet {
        GroupFacet::Location => facet.observed(Ok(&location)),
        GroupFacet::Tags => facet.observed(Ok(without_mark(&tags))),
    });
    Ok(Observation::Present(Box::new(Present {
        mark: Mark::from_tags(&tags),
        observed,
        blockers: moved.map(|refusal| (GroupFacet::Location.name(), refusal)).into_iter().collect(),
        ..Present::default()
    })))
}

/// The group. While it is being deleted it answers all the same, and takes no writes
/// (<https://github.com/Azure/azure-cli/issues/28679>).
async fn existing(reader: &Reader, names: &Names) -> Result<Option<ResourceGroup>, Error> {
    let found = reader.get_group(&names.group_id()).await?;
    if found.as_ref().and_then(ResourceGroup::state) != Some("Deleting") {
        return Ok(found);
    }
    let error = Error::new(ErrorKind::Conflict, format!("use resource group `{}`", names.group));
    Err(error
        .with_message("it is being deleted")
        .with_hint("wait until it is gone, then run the same command again")
        .with_retry(GROUP_BEING_DELETED))
}

/// Create the group with its tags. The call would replace those of one that exists, so it is looked for right before.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    if existing(writer.reader(), names).await?.is_some() {
        return Ok(Created::Existed);
    }
    writer
        .put_group(&names.group_id(), &json!({"location": facets.get(GroupFacet::Location.name()), "tags": tags}))
        .await
}

/// Its tags; `None` if it is not there.
pub(crate) async fn tags(reader: &Reader, settings: &Settings, names: &Names) -> Result<Option<Tags>, Error> {
    let found = reader.get_group(&names.group_id()).await?;
    Ok(found.map(|found| tags::tags(found.tags.as_ref(), settings.tags())))
}

/// All tags at once: the call replaces them.
pub(crate) async fn replace_tags(writer: &Writer, names: &Names, tags: &Tags) -> Result<(), Error> {
    writer.patch_group(&names.group_id(), &json!({"tags": tags})).await
}

/// What else is in the group. `with_account` leaves the account out, which goes before the group.
pub(crate) async fn deletion_blockers(
    reader: &Reader,
    names: &Names,
    with_account: bool,
) -> Result<Option<Refusal>, Error> {
    let group = names.group_id();
    let (resources, topics, lock) =
        futures::join!(reader.list_group_resources(&group), topics_in(reader, &group), locks(reader, &group));
    if let Some(refusal) = lock? {
        return Ok(Some(refusal));
    }
    let found = resources?.unwrap_or_default();
    let account = identity_of(&names.account_id());
    // An account of ours under another name is told as what it is, an orphan.
    let ours = |resource: &&GroupResource| {
        names.is_made_by_us(&tags::tags(resource.tags.as_ref(), &Tags::new()), &resource.id)
    };
    let orphans = found.iter().filter(|_| with_account).filter(ours).map(|resource| identity_of(&resource.id));
    let accounts: Vec<_> = orphans.chain([account.clone()]).collect();
    let topics = topics?;
    // The service makes a system topic with the first event subscription, and deletes it with the last.
    let hidden = topics.iter().filter(|topic| accounts.iter().any(|account| is_source(topic, account)));
    let mut goes: Vec<_> = hidden.map(|topic| identity_of(&topic.id)).collect();
    goes.extend(accounts.into_iter().filter(|one| with_account || *one != account));
    let ids = found.iter().map(|resource| identity_of(&resource.id));
    let listed: Vec<String> = ids.filter(|id| !goes.contains(id)).collect();
    let there = try_join_all(listed.iter().map(|id| is_there(reader, id))).await?;
    let others = listed.iter().zip(there).filter(|(_, there)| *there);
    let others: Vec<String> = others.map(|(id, _)| format!("`{}`", last(id))).collect();
    Ok(deletion_refusal("resource group", &names.group, &others, "azure.resource_group"))
}

/// The system topics of the group; none where there cannot be any, or where they may not be listed.
async fn topics_in(reader: &Reader, group: &str) -> Result<Vec<SystemTopic>, Error> {
    match reader.list_system_topics(group).await {
        Err(error) if error.kind() == ErrorKind::Refused => Ok(Vec::new()),
        found => Ok(allowed(found)?.flatten().unwrap_or_default()),
    }
}

/// Whether what is listed is there, as far as it can be asked for: the list goes on showing for minutes what was deleted
/// (<https://github.com/hashicorp/terraform-provider-azurerm/issues/16069>).
async fn is_there(reader: &Reader, id: &str) -> Result<bool, Error> {
    let kind = id.rsplit('/').skip(1).take(2).collect::<Vec<_>>();
    Ok(match kind.as_slice() {
        ["storageaccounts", "microsoft.storage"] => reader.get_account(id).await?.is_some(),
        ["systemtopics", "microsoft.eventgrid"] => reader.get_system_topic(id).await?.is_some(),
        _ => true,
    })
}

/// Resource Manager deletes a full group without asking: look right before.
pub(crate) async fn delete(writer: &Writer, names: &Names, context: &OperationContext<'_>) -> Result<(), Error> {
    match deletion_blockers(writer.reader(), names, false).await? {
        Some(refusal) => Err(refusal_error("resource group", &names.group, refusal)),
        None => {
            context.still_ours().await?;
            writer.delete_group(&names.group_id()).await
        }
    }
}

//! `azure.container`: the private blob container, which on a shared account carries the mark of everything else.

use provision_core::Error;
use provision_core::contents::not_empty_error;
use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Words};
use provision_core::mark::{Mark, Origin, Tags};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present, Resource};
use serde_json::{Value, json};

use crate::blockers::missing;
use crate::client::models::Held;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::contents::{self, Content};
use crate::names::{Names, Part, identity_of};
use crate::resources::shared_account::FoundAccount;
use crate::resources::{CONTENT_LANE, Facets, Write};
use crate::tags::{metadata, to_metadata};

provision_core::facets! {
    /// Facets of the container.
    pub(crate) enum ContainerFacet {
        Account = ("account", 'a', Whole, Exclusive, SameCall),
        PublicAccess = ("public_access", 'p', Whole, Exclusive, SameCall),
    }
}

/// The container.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Resource {
    Resource {
        identity: identity_of(&names.container_id(&names.container)),
        adopt: settings.azure.container.adopt,
        holds_data: true,
        needs: vec![Part::Account.address()],
        // On a shared account our CORS rule is known by the marks alone.
        deleted_after: if names.account_is_shared { vec![Part::Cors.address()] } else { Vec::new() },
        lane: Some(CONTENT_LANE),
        ..Part::Container.resource(&names.container, ContainerFacet::ALL)
    }
}

/// The desired facets. On an adopted container, public access only where the plan file sets it.
pub(crate) fn desired(settings: &Settings, origin: Origin) -> Vec<Desired> {
    let azure = &settings.azure;
    let private = origin == Origin::Created || azure.container.private;
    ContainerFacet::all_desired(|facet| match facet {
        ContainerFacet::Account => Some(facet.desired(&azure.account.name, "azure.account.name")),
        ContainerFacet::PublicAccess => private.then(|| facet.desired("None", "azure.container")),
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: ContainerFacet, value: &Value) -> Option<Words> {
    match facet {
        ContainerFacet::Account => None,
        ContainerFacet::PublicAccess => {
            let text = if value == "None" { "no public access" } else { "public" };
            Some(("private", text.to_owned()))
        }
    }
}

pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    account: &FoundAccount,
) -> Result<Observation, Error> {
    let id = names.container_id(&names.container);
    let Some(found) = reader.get_container(&id).await? else {
        account.look_at_container(None, None);
        if names.account_is_shared && reader.get_account(&names.account_id()).await?.is_none() {
            return Err(missing(names));
        }
        return Ok(Observation::Absent);
    };
    let public = found.public_access().unwrap_or("None");
    let mark = Mark::from_tags(&metadata(found.metadata()));
    let section = &settings.azure.container;
    let adopted = mark.as_ref().map_or(section.adopt, |mark| mark.origin == Origin::Adopted);
    account.look_at_container((adopted && !section.private).then_some(public), found.keeping());
    Ok(Observation::Present(Box::new(Present {
        mark,
        observed: ContainerFacet::all_observed(|facet| match facet {
            ContainerFacet::Account => facet.observed(Ok(&names.account)),
            ContainerFacet::PublicAccess => facet.observed(Ok(public)),
        }),
        ..Present::default()
    })))
}

/// Create the container with its mark. The call would replace the metadata of one that exists, so it is looked for right
/// before.
pub(crate) async fn create(writer: &Writer, names: &Names, container: &str, tags: &Tags) -> Result<Created, Error> {
    let id = names.container_id(container);
    if writer.reader().get_container(&id).await?.is_some() {
        return Ok(Created::Existed);
    }
    let body = json!({"properties": {"publicAccess": "None", "metadata": to_metadata(tags)}});
    writer.put_container(&id, &body).await
}

/// Its metadata; `None` if it is not there.
pub(crate) async fn tags(reader: &Reader, names: &Names, container: &str) -> Result<Option<Tags>, Error> {
    let found = reader.get_container(&names.container_id(container)).await?;
    Ok(found.map(|found| metadata(found.metadata())))
}

/// All metadata at once: the call replaces it.
pub(crate) async fn replace_tags(writer: &Writer, names: &Names, container: &str, tags: &Tags) -> Result<(), Error> {
    let body = json!({"properties": {"metadata": to_metadata(tags)}});
    writer.patch_container(&names.container_id(container), &body).await
}

/// Write one facet.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let body = match ContainerFacet::of(write.facet)? {
        ContainerFacet::PublicAccess => json!({"properties": {"publicAccess": "None"}}),
        ContainerFacet::Account => return Err(Error::bug("a container is not moved to another account")),
    };
    writer.patch_container(&names.container_id(&names.container), &body).await
}

/// Why the container cannot be deleted, by its own word.
pub(crate) async fn held(reader: &Reader, names: &Names) -> Result<Option<Refusal>, Error> {
    let (id, name) = (names.container_id(&names.container), &names.container);
    let held = reader.get_container(&id).await?.and_then(|found| found.held());
    Ok(held.map(|held| match held {
        Held::Legally => Refusal {
            reason: format!("container `{name}` has a legal hold"),
            hint: "`az storage container legal-hold show` shows it; clear it if it is yours to clear, then run the same command \
                   again"
                .to_owned(),
        },
        Held::Leased => Refusal {
            reason: format!("container `{name}` is leased"),
            hint: "break the lease (`az storage container lease break`), then run the same command again".to_owned(),
        },
    }))
}

/// Resource Manager deletes a full container without asking: prove that it is empty right before.
pub(crate) async fn delete(
    writer: &Writer,
    content: &Content<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let contents = contents::readable(writer.reader(), content).await?;
    let Some(contents) = contents else { return context.still_ours().await };
    if !contents.is_empty() {
        return Err(not_empty_error("container", content.container, &contents.describe()));
    }
    context.still_ours().await?;
    writer.delete_container(&content.names.container_id(content.container)).await
}

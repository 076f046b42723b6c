//! Where calls go and whose credentials they carry, for `doctor`.

use provision_core::Error;
use provision_core::provider::Connection;
use provision_core::reach::{CredentialSource, Endpoint};

use crate::config::Settings;
use crate::credential;

/// Where calls go: an account's own addresses are not there before it is, and are asked without credentials.
pub(crate) fn endpoints(settings: &Settings, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
    let (manager, directory) = credential::destinations(&settings.azure, connection)?;
    // <https://learn.microsoft.com/rest/api/resources/subscriptions/list>
    let asked = "/subscriptions?api-version=2022-12-01";
    let manager = Endpoint::new("Resource Manager", manager.url, manager.set_by, asked);
    // <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#find-your-apps-openid-configuration-document-uri>
    let directory = directory.map(|(place, tenant)| {
        let asked = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        Endpoint::new("Entra ID", place.url, place.set_by, asked).signing_in()
    });
    // <https://learn.microsoft.com/rest/api/storageservices/list-containers2>, and the same of queues
    let section = &settings.azure;
    let data = credential::data_destinations(section.cloud, &section.account.name, connection)?
        .into_iter()
        .map(|(service, place)| Endpoint::new(service, place.url, place.set_by, "/?comp=list").made_later());
    Ok(std::iter::once(manager).chain(directory).chain(data).collect())
}

/// Where credentials come from.
pub(crate) async fn credential_source(settings: &Settings, connection: &Connection) -> Result<CredentialSource, Error> {
    credential::source_of_tokens(&settings.azure, connection).await
}

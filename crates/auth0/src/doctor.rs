//! Where calls go and whose credentials they carry, for `doctor`.

use provision_core::Error;
use provision_core::provider::Connection;
use provision_core::reach::{CredentialSource, Endpoint};

use crate::config::Settings;
use crate::credential;

/// Where calls go: tokens are had there too.
pub(crate) fn endpoints(settings: &Settings, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
    let (url, set_by) = credential::destination(connection, &settings.auth0.domain)?;
    // <https://auth0.com/docs/api/management/v2/clients/get-clients>
    Ok(vec![Endpoint::new("Auth0", url, set_by, "/api/v2/clients").signing_in()])
}

/// Where credentials come from.
pub(crate) async fn credential_source(settings: &Settings, connection: &Connection) -> Result<CredentialSource, Error> {
    credential::source(connection, &settings.auth0.domain).await
}

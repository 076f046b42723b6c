//! Where calls go and whose credentials they carry, for `doctor`.

use provision_core::Error;
use provision_core::provider::Connection;
use provision_core::reach::{CredentialSource, Endpoint};

use crate::config::Settings;
use crate::credential;

/// Where calls go.
pub(crate) fn endpoints(_settings: &Settings, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
    let (url, set_by) = credential::destination(connection)?;
    // <https://docs.slack.dev/reference/methods/api.test>
    Ok(vec![Endpoint::new("Slack", url, set_by, "/api.test")])
}

/// Where credentials come from: a token says neither whose it is nor how long it is good.
pub(crate) fn credential_source(_settings: &Settings, connection: &Connection) -> Result<CredentialSource, Error> {
    credential::connect(connection)?;
    Ok(match connection.sandbox {
        Some(_) => CredentialSource::sandbox(),
        None => CredentialSource::new(credential::TOKEN),
    })
}

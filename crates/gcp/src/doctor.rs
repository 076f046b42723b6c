//! Where calls go and whose credentials they carry, for `doctor`.

use provision_core::Error;
use provision_core::provider::Connection;
use provision_core::reach::{Answers, CredentialSource, Endpoint};

use crate::config::Settings;
use crate::credential::{self, Destination};

/// Where calls go.
pub(crate) fn endpoints(settings: &Settings, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
    Ok(credential::destinations(connection)?.iter().map(|destination| endpoint(settings, destination)).collect())
}

/// Each is asked for what exists in the API, so that it answers with a document: a path that does not is answered with a page.
fn endpoint(settings: &Settings, destination: &Destination) -> Endpoint {
    let project = &settings.gcp.project;
    let asked = match destination.service {
        "Cloud Storage" => format!("/storage/v1/b/{}", settings.gcp.bucket.name),
        "Pub/Sub" => format!("/v1/projects/{project}/topics"),
        "IAM" => format!("/v1/projects/{project}/serviceAccounts"),
        "Resource Manager" => format!("/v1/projects/{project}"),
        // <https://developers.google.com/discovery/v1/reference/apis/getRest>
        "IAM Credentials" => "/$discovery/rest?version=v1".to_owned(),
        _ => String::new(),
    };
    let endpoint = Endpoint::new(destination.service, &destination.url, destination.set_by, asked);
    match destination.service {
        credential::TOKENS => Endpoint { answers: Answers::Anything, ..endpoint.signing_in() },
        _ => endpoint,
    }
}

/// Where credentials come from.
pub(crate) async fn credential_source(
    _settings: &Settings,
    connection: &Connection,
) -> Result<CredentialSource, Error> {
    credential::source(connection).await
}

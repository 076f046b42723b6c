//! Where calls go and whose credentials they carry, for `doctor`.

use provision_core::Error;
use provision_core::provider::Connection;
use provision_core::reach::{CredentialSource, Endpoint};

use crate::config::Settings;
use crate::credential::{self, Destination};

/// It has a long name.
const TAGGING: &str = "Resource Groups Tagging API";

/// Where calls go; S3 Control, whose hosts begin with the account, is reached as S3 is.
pub(crate) async fn endpoints(settings: &Settings, connection: &Connection) -> Result<Vec<Endpoint>, Error> {
    let destinations = credential::destinations(settings.aws.region.as_deref(), connection).await?;
    Ok(destinations.iter().filter_map(|destination| endpoint(settings, destination)).collect())
}

fn endpoint(settings: &Settings, destination: &Destination) -> Option<Endpoint> {
    let asked = match destination.service {
        // Without credentials: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>.
        "S3" => format!("/{}?location", settings.aws.bucket.name),
        "SQS" => "/?Action=ListQueues&Version=2012-11-05".to_owned(),
        "IAM" => "/?Action=GetUser&Version=2010-05-08".to_owned(),
        "STS" => "/?Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
        TAGGING => "/".to_owned(),
        _ => return None,
    };
    let name = if destination.service == TAGGING { "Tagging" } else { destination.service };
    Some(Endpoint::new(name, &destination.url, destination.set_by.as_deref(), asked))
}

/// Where credentials come from.
pub(crate) async fn credential_source(settings: &Settings, connection: &Connection) -> Result<CredentialSource, Error> {
    credential::source(settings.aws.region.as_deref(), connection).await
}

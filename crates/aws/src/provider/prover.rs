//! What a proof uploads, hears and removes, as the server would.

use async_trait::async_trait;
use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::probe::{METADATA, Probe, Probes};
use provision_core::provider::{Hearing, Prover};
use provision_core::rights::Right;
use provision_core::web::Request;

use super::Provider;
use crate::client::Writer;
use crate::{hearing, preflight, probes};

/// What the probe is said to be: a text, as a page would.
const CONTENT_TYPE: &str = "text/plain";

#[async_trait]
impl Prover for Provider<Writer> {
    async fn signed_upload(&self, probe: &Probe) -> Result<Request, Error> {
        let names = self.names_in_account().await?;
        let metadata = (METADATA, probe.owner.as_str());
        self.client.sign_put_object(&names.bucket, &names.account, &probe.key, CONTENT_TYPE, metadata).await
    }

    async fn signed_download(&self, probe: &Probe) -> Result<Request, Error> {
        let names = self.names_in_account().await?;
        self.client.sign_get_object(&names.bucket, &names.account, &probe.key).await
    }

    async fn remains(&self, probes: &Probes) -> Result<Vec<String>, Error> {
        let names = self.names_in_account().await?;
        probes::remains(self.client.reader(), &names.bucket, &names.account, probes).await
    }

    fn rights_to_remove(&self, probes: &Probes, set: &ChangeSet) -> Vec<Right> {
        preflight::rights_to_remove(&self.names(), probes, set)
    }

    async fn remove(&self, probes: &Probes, key: &str) -> Result<(), Error> {
        let names = self.names_in_account().await?;
        probes::remove(&self.client, &names.bucket, &names.account, probes, key).await
    }

    async fn listen(&self, _probes: &Probes) -> Result<Hearing, Error> {
        let names = self.names();
        match &names.queue {
            Some(queue) => hearing::listen(&self.client, queue, &names).await,
            None => Ok(Hearing::Off(
                "this plan file makes no queue: it says `enabled = false` under [aws.queue]".to_owned(),
            )),
        }
    }
}

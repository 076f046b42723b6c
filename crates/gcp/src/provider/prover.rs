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
use crate::client::objects::Signer;
use crate::{hearing, preflight, probes};

/// What the probe is said to be: a text, as a page would.
const CONTENT_TYPE: &str = "text/plain";

#[async_trait]
impl Prover for Provider<Writer> {
    async fn signed_upload(&self, probe: &Probe) -> Result<Request, Error> {
        let (signer, bucket) = (self.signer()?, &self.settings.gcp.bucket.name);
        let metadata = (METADATA, probe.owner.as_str());
        let signed = self.client.sign_put_object(&signer, bucket, &probe.key, CONTENT_TYPE, metadata).await;
        signed.map_err(|error| probes::explain_signing(error, &signer))
    }

    async fn signed_download(&self, probe: &Probe) -> Result<Request, Error> {
        let signer = self.signer()?;
        let signed = self.client.sign_get_object(&signer, &self.names().bucket, &probe.key).await;
        signed.map_err(|error| probes::explain_signing(error, &signer))
    }

    async fn remains(&self, probes: &Probes) -> Result<Vec<String>, Error> {
        probes::remains(self.client.reader(), &self.names().bucket, probes).await
    }

    fn rights_to_remove(&self, _probes: &Probes, _set: &ChangeSet) -> Vec<Right> {
        preflight::rights_to_remove(&self.names())
    }

    async fn remove(&self, probes: &Probes, key: &str) -> Result<(), Error> {
        probes::remove(&self.client, &self.names().bucket, probes, key).await
    }

    async fn listen(&self, probes: &Probes) -> Result<Hearing, Error> {
        let names = self.names();
        match names.topic.as_ref().zip(names.subscription.as_ref()) {
            Some((topic, subscription)) => hearing::listen(&self.client, &names, topic, subscription, probes).await,
            None => Ok(Hearing::Off(
                "this plan file makes no queue: it says `enabled = false` under [gcp.topic]".to_owned(),
            )),
        }
    }
}

impl Provider<Writer> {
    /// Who signs: the server's account, as it will do itself, or else our own.
    fn signer(&self) -> Result<Signer, Error> {
        let account = self.settings.service_account().map(|email| Signer::Account(email.to_owned()));
        account.or_else(|| self.session.key().map(Signer::Key)).ok_or_else(probes::nobody_signs)
    }
}

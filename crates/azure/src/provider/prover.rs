//! What a proof uploads, hears and removes, as the server would.

use async_trait::async_trait;
use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::probe::{Probe, Probes};
use provision_core::provider::{Hearing, Prover};
use provision_core::rights::Right;
use provision_core::web::Request;

use super::Provider;
use crate::client::Writer;
use crate::client::signed::{sign_get_blob, sign_put_blob};
use crate::data_access::DataAccess;
use crate::resources::shared_account::is_by_key;
use crate::{hearing, preflight, probes};

#[async_trait]
impl Prover for Provider<Writer> {
    async fn signed_upload(&self, probe: &Probe) -> Result<Request, Error> {
        let (access, names) = (self.data_access().await?, self.names());
        let signer = access.signer(self.client.reader()).await?;
        sign_put_blob(signer, access.blob(&names, &probe.key), probe, probes::CONTENT_TYPE, &probes::metadata())
    }

    async fn signed_download(&self, probe: &Probe) -> Result<Request, Error> {
        let (access, names) = (self.data_access().await?, self.names());
        sign_get_blob(access.signer(self.client.reader()).await?, access.blob(&names, &probe.key))
    }

    async fn remains(&self, probes: &Probes) -> Result<Vec<String>, Error> {
        probes::remains(self.client.reader(), &self.data_access().await?.blobs, probes).await
    }

    fn rights_to_remove(&self, _probes: &Probes, _set: &ChangeSet) -> Vec<Right> {
        match is_by_key(&self.settings) || self.found_account.takes_no_token() {
            true => Vec::new(),
            false => preflight::rights_to_remove(&self.names(), self.found_account.keeps_versions()),
        }
    }

    async fn remove(&self, probes: &Probes, key: &str) -> Result<(), Error> {
        probes::remove(&self.client, &self.data_access().await?.blobs, probes, key).await
    }

    async fn listen(&self, probes: &Probes) -> Result<Hearing, Error> {
        match &self.data_access().await?.queue {
            Some(queue) => hearing::listen(&self.client, queue, &self.names(), probes).await,
            None => Ok(Hearing::Off(
                "this plan file makes no queue: it says `enabled = false` under [azure.queue]".to_owned(),
            )),
        }
    }
}

impl Provider<Writer> {
    async fn data_access(&self) -> Result<&DataAccess, Error> {
        let open = || async { DataAccess::open(self.client.reader(), &self.settings, &self.names()).await };
        self.data_access.get_or_init(open).await.as_ref().map_err(Clone::clone)
    }
}

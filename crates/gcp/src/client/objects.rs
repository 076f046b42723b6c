//! Signed addresses of single objects <https://cloud.google.com/storage/docs/access-control/signed-urls>, of the XML API, which
//! alone follows the bucket's CORS rules (<https://cloud.google.com/storage/docs/cross-origin>).

use google_cloud_auth::signer;
use provision_core::web::Request;
use provision_core::{Error, ErrorKind};
use time::OffsetDateTime;

use crate::client::signature::{Draft, object_path};
use crate::client::{Reader, Writer};
use crate::permissions;

/// Who signs.
pub(crate) enum Signer {
    /// A service account, by IAM.
    Account(String),
    /// The key in our own credentials.
    Key(signer::Signer),
}

impl Reader {
    /// Where an object is reached by pages, without a signature: nothing is sent.
    pub(crate) fn get_object_url(&self, bucket: &str, key: &str) -> String {
        format!("{}{}", self.clients.storage.endpoint, object_path(bucket, key))
    }
}

impl Writer {
    /// The request that uploads an object with this metadata, signed
    /// <https://cloud.google.com/storage/docs/xml-api/put-object-upload>.
    pub(crate) async fn sign_put_object(
        &self,
        signer: &Signer,
        bucket: &str,
        key: &str,
        content_type: &str,
        metadata: (&str, &str),
    ) -> Result<Request, Error> {
        let metadata = (format!("x-goog-meta-{}", metadata.0), metadata.1.to_owned());
        let headers = vec![("content-type".to_owned(), content_type.to_owned()), metadata];
        let request = Request { operation: "storage.objects.create", method: "PUT", headers, ..Request::default() };
        self.signed(signer, request, &object_path(bucket, key)).await
    }

    /// The request that downloads it, signed <https://cloud.google.com/storage/docs/xml-api/get-object-download>.
    pub(crate) async fn sign_get_object(&self, signer: &Signer, bucket: &str, key: &str) -> Result<Request, Error> {
        let request = Request { operation: "storage.objects.get", method: "GET", ..Request::default() };
        self.signed(signer, request, &object_path(bucket, key)).await
    }

    async fn signed(&self, signer: &Signer, request: Request, path: &str) -> Result<Request, Error> {
        let endpoint = &self.clients().storage.endpoint;
        let email = match signer {
            Signer::Account(email) => email.clone(),
            Signer::Key(key) => key.client_email().await.map_err(unusable)?,
        };
        let draft = Draft::new(request.method, endpoint, path, &request.headers, &email, OffsetDateTime::now_utc())?;
        let (signature, needs) = match signer {
            // What the account may do is not ours to be given.
            Signer::Account(email) => (self.sign_blob(email, draft.text()).await?, &[][..]),
            Signer::Key(key) => {
                (key.sign(draft.text()).await.map_err(unusable)?.to_vec(), permissions::of(request.operation))
            }
        };
        Ok(Request { url: draft.signed(&signature), needs, ..request })
    }
}

fn unusable(error: signer::SigningError) -> Error {
    Error::new(ErrorKind::Unauthenticated, "sign with the key in the credentials").with_message(error.to_string())
}

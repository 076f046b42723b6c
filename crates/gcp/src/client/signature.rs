//! Signed addresses of Cloud Storage, version 4: what is signed, and what comes of it
//! <https://cloud.google.com/storage/docs/authentication/signatures>,
//! <https://cloud.google.com/storage/docs/authentication/canonical-requests>.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use provision_core::Error;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::client::json::encoded;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";
/// Where the bucket is says nothing <https://cloud.google.com/storage/docs/authentication/signatures#credential-scope>.
const SCOPE: &str = "auto/storage/goog4_request";

/// How long a signed address is good, in seconds: long enough for the requests of one run, of the seven days that are allowed
/// <https://cloud.google.com/storage/docs/access-control/signed-urls>.
const GOOD_FOR_S: u32 = 15 * 60;

/// Where an object is reached by its bucket and its name, as the server has it: by path.
pub(super) fn object_path(bucket: &str, key: &str) -> String {
    let words: Vec<_> = key.split('/').map(encoded).collect();
    format!("/{}/{}", encoded(bucket), words.join("/"))
}

/// A request whose address is to be signed.
pub(super) struct Draft {
    /// Without what follows the path.
    address: String,
    /// All that follows it but the signature.
    query: String,
    /// What is signed.
    text: String,
}

impl Draft {
    /// One by this account, of this moment. Whoever sends it has to send these headers too.
    pub(super) fn new(
        method: &str,
        endpoint: &str,
        path: &str,
        headers: &[(String, String)],
        signer: &str,
        at: OffsetDateTime,
    ) -> Result<Self, Error> {
        let unusable = |_| Error::bug("a moment cannot be written");
        let date = at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).map_err(unusable)?;
        let scope = format!("{}/{SCOPE}", &date[..8]);
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: BTreeMap<_, _> = std::iter::once(("host", host)).chain(headers).collect();
        let names = headers.keys().copied().collect::<Vec<_>>().join(";");
        let query = format!(
            "X-Goog-Algorithm={ALGORITHM}&X-Goog-Credential={}&X-Goog-Date={date}&X-Goog-Expires={GOOD_FOR_S}&\
             X-Goog-SignedHeaders={}",
            encoded(&format!("{signer}/{scope}")),
            encoded(&names)
        );
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let request = [method, path, &query, &lines, &names, "UNSIGNED-PAYLOAD"].join("\n");
        let digest = HEXLOWER.encode(&Sha256::digest(request.as_bytes()));
        let text = [ALGORITHM, &date, &scope, &digest].join("\n");
        Ok(Self { address: format!("{endpoint}{path}"), query, text })
    }

    /// What is signed.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The address with the signature of [`Draft::text`].
    pub(super) fn signed(&self, signature: &[u8]) -> String {
        format!("{}?{}&X-Goog-Signature={}", self.address, self.query, HEXLOWER.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is signed is made of these lines; their digest was computed with `sha256sum`.
    #[test]
    fn what_is_signed_is_the_request_as_it_will_be_sent() {
        let at = OffsetDateTime::from_unix_timestamp(1_750_075_445).unwrap();
        let path = object_path("acme-files", "a b/\u{e9}+~.c");
        assert_eq!(path, "/acme-files/a%20b/%C3%A9%2B~.c");
        let headers = [("x-goog-meta-a", "b"), ("content-type", "text/plain")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (endpoint, signer) = ("https://storage.googleapis.com", "wandb@acme-ml.iam.gserviceaccount.com");
        let draft = Draft::new("PUT", endpoint, &path, &headers, signer, at).unwrap();
        let query = "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=wandb%40acme-ml.iam.gserviceaccount.com%2F20250616%2F\
                     auto%2Fstorage%2Fgoog4_request&X-Goog-Date=20250616T120405Z&X-Goog-Expires=900&\
                     X-Goog-SignedHeaders=content-type%3Bhost%3Bx-goog-meta-a";
        assert_eq!(draft.query, query);
        let digest = "a2eec7d38d62a0dcd2ab43a45f36df4e522530d8a4187395f03d760b5ecdfecb";
        let text = format!("GOOG4-RSA-SHA256\n20250616T120405Z\n20250616/auto/storage/goog4_request\n{digest}");
        assert_eq!(draft.text, text);
        assert_eq!(draft.signed(&[1, 0xab]), format!("{endpoint}{path}?{query}&X-Goog-Signature=01ab"));
    }
}

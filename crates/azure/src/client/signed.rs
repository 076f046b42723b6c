//! Shared access signatures: addresses with which whoever has them may do one thing to one blob, for a while.

use std::time::Duration;

use azure_core::credentials;
use azure_core::hmac::hmac_sha256;
use azure_core::http::{Method, Url};
use azure_core::time::{OffsetDateTime, to_rfc3339};
use azure_core::xml::from_xml;
use provision_core::output::Secret;
use provision_core::probe::Probe;
use provision_core::web::Request;
use provision_core::{Error, ErrorKind};
use serde::Deserialize;

use super::Reader;
use super::answer::blob_operation;
use super::data::{DataService, VERSION, below};
use super::operation::operation;
use crate::error::{CallContext, unreadable};
use crate::permissions;

/// How long an address is good: long enough for the requests of one run.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a user's key is good, of the seven days that it may be
/// (<https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>); from when on, so that clocks may differ.
const KEY_GOOD_FOR: Duration = Duration::from_secs(3_600);
const KEY_BEFORE: Duration = Duration::from_secs(15 * 60);

/// A signature for one blob <https://learn.microsoft.com/rest/api/storageservices/create-service-sas#specify-the-signed-resource-field>.
const RESOURCE: &str = "b";

/// Whose key signs.
#[derive(Debug)]
pub(crate) enum Signer {
    /// The account's.
    Account(Secret),
    /// One that the identity in use was given.
    User(UserKey),
}

/// A key that an identity signs with for a while.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UserKey {
    signed_oid: String,
    signed_tid: String,
    signed_start: String,
    signed_expiry: String,
    signed_service: String,
    signed_version: String,
    value: Value,
}

/// The key itself.
#[derive(Deserialize)]
struct Value(String);

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// A blob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobPlace<'a> {
    pub(crate) endpoint: &'a Url,
    pub(crate) account: &'a str,
    pub(crate) container: &'a str,
    pub(crate) name: &'a str,
}

impl Reader {
    /// A key for the identity in use <https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>.
    pub(crate) async fn get_user_delegation_key(&self, blobs: &DataService) -> Result<UserKey, Error> {
        let mut url = blobs.url(&[""])?;
        url.query_pairs_mut().append_pair("restype", "service").append_pair("comp", "userdelegationkey");
        let now = OffsetDateTime::now_utc();
        let (start, expiry) = (moment(now - KEY_BEFORE), moment(now + KEY_GOOD_FOR));
        let body = format!("<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>");
        let text = "get a key to sign with";
        let answer = blobs.send(Method::Post, &url, &body, text).await?;
        let call = CallContext { operation: &operation(Method::Post, &url), text };
        let body: &[u8] = answer.body();
        from_xml(body).map_err(|_| unreadable(call))
    }
}

impl BlobPlace<'_> {
    /// Its address, without a signature.
    pub(crate) fn url(&self) -> Result<Url, Error> {
        below(self.endpoint, std::iter::once(self.container).chain(self.name.split('/')))
    }
}

/// The request that uploads a probe <https://learn.microsoft.com/rest/api/storageservices/put-blob>.
pub(crate) fn sign_put_blob(
    signer: &Signer,
    blob: BlobPlace<'_>,
    probe: &Probe,
    content_type: &str,
    metadata: &str,
) -> Result<Request, Error> {
    let request = signed(signer, blob, "cw", "PUT")?;
    let request = request.with_header("content-type", content_type).with_header("x-ms-blob-type", "BlockBlob");
    Ok(request.with_header(&format!("x-ms-meta-{metadata}"), &probe.owner))
}

/// The request that downloads it <https://learn.microsoft.com/rest/api/storageservices/get-blob>.
pub(crate) fn sign_get_blob(signer: &Signer, blob: BlobPlace<'_>) -> Result<Request, Error> {
    signed(signer, blob, "r", "GET")
}

fn signed(signer: &Signer, blob: BlobPlace<'_>, permissions: &str, method: &'static str) -> Result<Request, Error> {
    let (operation, verb) = match method {
        "GET" => (GET_BLOB, "read"),
        _ => (PUT_BLOB, "write"),
    };
    let mut url = blob.url()?;
    let signing = Signing {
        permissions,
        expiry: &moment(OffsetDateTime::now_utc() + GOOD_FOR),
        resource: &format!("/blob/{}/{}/{}", blob.account, blob.container, blob.name),
        // Only an emulator speaks plain HTTP.
        protocol: if url.scheme() == "https" { "https" } else { "https,http" },
    };
    let signature = signer.sign(&signing.text(signer))?;
    url.query_pairs_mut().extend_pairs(signing.fields(signer)).append_pair("sig", &signature);
    let needs = match signer {
        Signer::Account(_) => &[],
        Signer::User(_) => permissions::of(&blob_operation(verb)),
    };
    Ok(Request { operation, needs, method, url: url.into(), ..Request::default() })
}

const PUT_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
const GET_BLOB: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";

/// What an address says of itself.
struct Signing<'a> {
    permissions: &'a str,
    expiry: &'a str,
    /// As signatures name it, which is not encoded.
    resource: &'a str,
    protocol: &'a str,
}

impl Signing<'_> {
    /// Everything that a signature covers, in the order of the documentation: of an account's key
    /// <https://learn.microsoft.com/rest/api/storageservices/create-service-sas#version-2020-12-06-and-later>, of a user's
    /// <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas#version-2020-12-06-and-later>.
    fn text(&self, signer: &Signer) -> String {
        let key = match signer {
            // A stored access policy, of which there is none.
            Signer::Account(_) => vec![""],
            // Then who else may use it, and a number for the records of both sides.
            Signer::User(key) => [&key.named().map(|(_, value)| value)[..], &["", "", ""]].concat(),
        };
        // Addresses, a snapshot, an encryption scope, and headers of the answer are not narrowed or set.
        let end = ["", self.protocol, VERSION, RESOURCE, "", "", "", "", "", "", ""];
        let begin = [self.permissions, "", self.expiry, self.resource];
        [&begin[..], &key, &end].concat().join("\n")
    }

    fn fields(&self, signer: &Signer) -> Vec<(&'static str, String)> {
        let own =
            [("sv", VERSION), ("sr", RESOURCE), ("sp", self.permissions), ("se", self.expiry), ("spr", self.protocol)];
        let key = match signer {
            Signer::Account(_) => Vec::new(),
            Signer::User(key) => key.named().to_vec(),
        };
        own.into_iter().chain(key).map(|(name, value)| (name, value.to_owned())).collect()
    }
}

impl Signer {
    fn sign(&self, text: &str) -> Result<String, Error> {
        let key = match self {
            Self::Account(key) => key.reveal(),
            Self::User(key) => &key.value.0,
        };
        let key = credentials::Secret::new(key.to_owned());
        // What the error says may hold the key.
        hmac_sha256(text, &key).map_err(|_| Error::new(ErrorKind::Unexpected, "sign with a key that is no key"))
    }
}

impl UserKey {
    /// What an address says of it.
    fn named(&self) -> [(&'static str, &str); 6] {
        [
            ("skoid", &self.signed_oid),
            ("sktid", &self.signed_tid),
            ("skt", &self.signed_start),
            ("ske", &self.signed_expiry),
            ("sks", &self.signed_service),
            ("skv", &self.signed_version),
        ]
    }
}

/// To the second, as addresses have it.
fn moment(at: OffsetDateTime) -> String {
    let text = to_rfc3339(&at);
    format!("{}Z", &text[..text.len().min(19)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNING: Signing<'_> = Signing {
        permissions: "cw",
        expiry: "2026-11-26T12:00:00Z",
        resource: "/blob/acme/files/odd key+é",
        protocol: "https",
    };

    fn user_key() -> UserKey {
        let text = "<UserDelegationKey><SignedOid>o</SignedOid><SignedTid>t</SignedTid><SignedStart>s</SignedStart>\
                    <SignedExpiry>e</SignedExpiry><SignedService>b</SignedService><SignedVersion>v</SignedVersion>\
                    <Value>a2V5</Value></UserDelegationKey>";
        from_xml(text.as_bytes()).unwrap()
    }

    #[test]
    fn account_s_key_signs_what_the_documentation_lists() {
        let signer = Signer::Account(Secret::new("a2V5".to_owned()));
        let text = SIGNING.text(&signer);
        assert_eq!(
            text,
            "cw\n\n2026-11-26T12:00:00Z\n/blob/acme/files/odd key+é\n\n\nhttps\n2021-12-02\nb\n\n\n\n\n\n\n"
        );
        assert_eq!(text.split('\n').count(), 16);
        // As Python's hmac has it.
        assert_eq!(signer.sign("text").unwrap(), "avqQRqlXnK0UOjhMG1ZLmiUNJ9b2pj+fIL86dZTJ4sY=");
    }

    #[test]
    fn user_s_key_is_named_in_what_it_signs() {
        let signer = Signer::User(user_key());
        let text = SIGNING.text(&signer);
        assert_eq!(
            text,
            "cw\n\n2026-11-26T12:00:00Z\n/blob/acme/files/odd key+é\no\nt\ns\ne\nb\nv\n\n\n\n\nhttps\n2021-12-02\nb\n\n\n\n\n\n\n"
        );
        assert_eq!(text.split('\n').count(), 24);
        assert!(!format!("{signer:?}").contains("a2V5"));
    }

    #[test]
    fn address_is_encoded_and_shows_no_signature() {
        let endpoint = Url::parse("https://acme.blob.core.windows.net/").unwrap();
        let blob = BlobPlace { endpoint: &endpoint, account: "acme", container: "files", name: "odd key+é/1" };
        let request = sign_get_blob(&Signer::User(user_key()), blob).unwrap();
        assert!(
            request.url.starts_with("https://acme.blob.core.windows.net/files/odd%20key+%C3%A9/1?sv=2021-12-02&sr=b")
        );
        assert!(request.url.contains("&sig=") && !request.shown().contains("sig"), "{}", request.url);
        assert_eq!(request.needs, [GET_BLOB]);
    }
}

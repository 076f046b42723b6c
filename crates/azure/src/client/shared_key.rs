//! Requests signed with an account's key.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::hmac::hmac_sha256;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use provision_core::output::Secret;

/// Signs requests with an account's key: the SDK itself only knows tokens
/// (<https://github.com/Azure/azure-sdk-for-rust/issues/2975>; this can go when it does).
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
#[derive(Debug)]
pub(super) struct SharedKey {
    pub(super) account: String,
    pub(super) key: Secret,
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let signature = hmac_sha256(
            &string_to_sign(&self.account, request),
            &azure_core::credentials::Secret::new(self.key.reveal().to_owned()),
        )?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        next[0].send(context, request, &next[1..]).await
    }
}

/// Everything that a signature covers, in the order of the documentation.
fn string_to_sign(account: &str, request: &Request) -> String {
    const SIGNED: [&str; 11] = [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ];
    let mut headers = BTreeMap::new();
    for (name, value) in request.headers().iter() {
        headers.insert(name.as_str().to_ascii_lowercase(), value.as_str().trim().to_owned());
    }
    let lines = SIGNED.map(|name| headers.get(name).filter(|value| *value != "0").cloned().unwrap_or_default());
    let own = headers.iter().filter(|(name, _)| name.starts_with("x-ms-"));
    let own: String = own.map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url().query_pairs() {
        query.entry(name.to_ascii_lowercase()).or_default().push(value.into_owned());
    }
    let query = query.into_iter().map(|(name, mut values)| {
        values.sort();
        format!("\n{name}:{}", values.join(","))
    });
    let query: String = query.collect();
    format!("{}\n{}\n{own}/{account}{}{query}", request.method().as_ref(), lines.join("\n"), request.url().path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::{Method, Url};

    /// The layout of <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key#constructing-the-canonicalized-resource-string>.
    #[test]
    fn signature_covers_headers_and_sorted_parameters() {
        let address = "http://127.0.0.1:10000/acme/files?restype=container&comp=list&include=versions,snapshots";
        let mut request = Request::new(Url::parse(address).unwrap(), Method::Get);
        request.insert_header("x-ms-version", "2026-04-06");
        request.insert_header("x-ms-date", "Mon, 23 Nov 2026 00:00:00 GMT");
        assert_eq!(
            string_to_sign("acme", &request),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Mon, 23 Nov 2026 00:00:00 GMT\nx-ms-version:2026-04-06\n\
             /acme/acme/files\ncomp:list\ninclude:versions,snapshots\nrestype:container"
        );
    }
}

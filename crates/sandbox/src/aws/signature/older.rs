//! Presigned URLs in the older form, which boto3 still makes in some regions
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html#RESTAuthenticationQueryStringAuth>.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use http::request::Parts;
use sha1::Sha1;

use super::{fields, header, hmac_of, mismatch};
use crate::aws::error::Error;
use crate::aws::s3::READ;

/// Parameters that are signed, with their values, beside those of a download
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html#ConstructingTheCanonicalizedResourceElement>.
const SIGNED: [&str; 5] = ["acl", "tagging", "torrent", "uploadId", "uploads"];

/// Refuse a URL that was not signed with this secret. A request that is signed in no form is not looked at.
pub(super) fn verify(parts: &Parts, secret: &str) -> Result<(), Error> {
    let fields = fields(parts.uri.query().unwrap_or_default());
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if field("AWSAccessKeyId").is_empty() {
        return Ok(());
    }
    let text = text(parts, &fields, field("Expires"));
    let fits = BASE64.encode(&hmac_of::<Sha1>(secret.as_bytes(), &text)) == field("Signature");
    if fits { Ok(()) } else { Err(mismatch(&["", "", "s3"].map(str::to_owned))) }
}

fn is_signed(parameter: &str) -> bool {
    SIGNED.contains(&parameter) || READ.contains(&parameter)
}

/// What is signed of a request.
fn text(parts: &Parts, fields: &[(String, String)], expires: &str) -> String {
    let own: BTreeMap<_, _> = parts.headers.keys().map(|name| (name.as_str(), header(parts, name.as_str()))).collect();
    let own = own.iter().filter(|(name, _)| name.starts_with("x-amz-"));
    let own: String = own.map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut signed: Vec<_> = fields.iter().filter(|(name, _)| is_signed(name)).collect();
    signed.sort();
    let pair = |(name, value): &&(String, String)| match value.as_str() {
        "" => name.clone(),
        value => format!("{name}={value}"),
    };
    let query = signed.iter().map(pair).collect::<Vec<_>>().join("&");
    let resource =
        [parts.uri.path(), &query].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("?");
    let of_body = ["content-md5", "content-type"].map(|name| header(parts, name));
    format!("{}\n{}\n{expires}\n{own}{resource}", parts.method, of_body.join("\n"))
}

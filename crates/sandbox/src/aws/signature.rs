//! The signature of a presigned URL, made again and compared
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.

use data_encoding::HEXLOWER;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::error::Error;

/// What is written with a percent sign: all but letters, digits and four signs.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same in a path, where slashes stay.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Refuse a presigned request that is not signed with this secret. What carries no such signature is not looked at.
pub(super) fn check(request: &Parts, secret: &str) -> Result<(), Error> {
    let query = fields(request.uri.query().unwrap_or_default());
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let given = field("X-Amz-Signature");
    if given.is_empty() {
        return Ok(());
    }
    if field("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" {
        let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
        return Err(Error::new(400, "AuthorizationQueryParametersError", message));
    }
    let scope: Vec<_> = field("X-Amz-Credential").split('/').skip(1).collect();
    let signed = field("X-Amz-SignedHeaders");
    let canonical = canonical_request(request, &query, signed);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        field("X-Amz-Date"),
        scope.join("/"),
        HEXLOWER.encode(&Sha256::digest(canonical.as_bytes()))
    );
    let key = scope.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    if HEXLOWER.encode(&hmac(&key, to_sign.as_bytes())) == given {
        return Ok(());
    }
    let message = "The request signature we calculated does not match the signature you provided. Check your key and signing \
                   method.";
    Err(Error::new(403, "SignatureDoesNotMatch", message)
        .with_detail("SignatureProvided", given)
        .with_detail("StringToSign", to_sign)
        .with_detail("CanonicalRequest", canonical))
}

/// Names and values, decoded; a plus sign is one.
fn fields(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|field| !field.is_empty()).map(field).collect()
}

fn canonical_request(request: &Parts, query: &[(String, String)], signed: &str) -> String {
    let path = percent_decode_str(request.uri.path()).decode_utf8_lossy().into_owned();
    let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let mut query: Vec<_> = query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    query.sort();
    let header = |name: &str| {
        let values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(",")
    };
    let headers: String = signed.split(';').map(|name| format!("{name}:{}\n", header(name))).collect();
    let hashed = if signed.split(';').any(|name| name == "x-amz-content-sha256") {
        header("x-amz-content-sha256")
    } else {
        "UNSIGNED-PAYLOAD".to_owned()
    };
    let path = utf8_percent_encode(&path, PATH);
    format!("{}\n{path}\n{}\n{headers}\n{signed}\n{hashed}", request.method, query.join("&"))
}

/// <https://datatracker.ietf.org/doc/html/rfc2104>
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let padded = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Sha256::digest([&padded(0x36), message].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3\
                         %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
                         X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    fn code(path: &str, query: &str, secret: &str) -> Option<String> {
        let request = http::Request::get(format!("{path}?{query}")).header("host", "examplebucket.s3.amazonaws.com");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, secret).err().map(|error| error.code.into_owned())
    }

    #[test]
    fn signature_is_that_of_the_documentation_and_no_other_is_taken() {
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        const WRONG: Option<&str> = Some("SignatureDoesNotMatch");
        assert_eq!(code("/test.txt", QUERY, SECRET), None);
        assert_eq!(code("/other.txt", QUERY, SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", QUERY, "another").as_deref(), WRONG);
        assert_eq!(code("/test.txt", &QUERY.replace("86400", "86401"), SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", &QUERY.replace("404", "405"), SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", "x-id=GetObject", SECRET), None);
    }
}

//! Signatures of requests (version 4), verified with the secret of the key
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use data_encoding::HEXLOWER;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::error::Error;

/// What is not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The fields of an `Authorization` header.
struct Signed<'a> {
    /// Date, region, service and the end of the credential.
    scope: Vec<&'a str>,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let scope: Vec<_> = field("Credential")?.split('/').skip(1).collect();
        Some(Self { scope, headers: field("SignedHeaders")?.split(';').collect(), signature: field("Signature")? })
    }
}

/// Refuse a request whose `Authorization` header was not made with this secret.
pub(super) fn verify(parts: &Parts, body: &[u8], secret: &str) -> Result<(), Error> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(signed) = Signed::read(header("authorization")) else { return Ok(()) };
    let date = header("x-amz-date");
    let payload = match header("x-amz-content-sha256") {
        "" => HEXLOWER.encode(&Sha256::digest(body)),
        stated => stated.to_owned(),
    };
    let path = parts.uri.path();
    // S3 encodes a path once, every other service what is encoded already.
    let once = path.split('/').map(|part| encoded(&decoded(part))).collect::<Vec<_>>().join("/");
    let twice = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    let fits = [once, twice].iter().any(|path| {
        let canonical = [
            parts.method.as_str(),
            path,
            &query(parts.uri.query().unwrap_or_default()),
            &headers(parts, &signed.headers),
            &signed.headers.join(";"),
            &payload,
        ];
        let request = HEXLOWER.encode(&Sha256::digest(canonical.join("\n").as_bytes()));
        let text = ["AWS4-HMAC-SHA256", date, &signed.scope.join("/"), &request].join("\n");
        let key = signed.scope.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part).to_vec());
        HEXLOWER.encode(&hmac(&key, &text)) == signed.signature
    });
    if fits { Ok(()) } else { Err(mismatch(&signed.scope)) }
}

/// Services that speak JSON have a name of their own for it.
fn mismatch(scope: &[&str]) -> Error {
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                   Access Key and signing method. Consult the service documentation for details.";
    match scope.get(2) {
        Some(&("sqs" | "tagging")) => Error::new(403, "InvalidSignatureException", message),
        Some(&"s3") => Error::new(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
        ),
        _ => Error::new(403, "SignatureDoesNotMatch", message),
    }
}

/// Sorted by name and value, each encoded.
fn query(text: &str) -> String {
    let fields = text.split('&').filter(|field| !field.is_empty());
    let pair = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (encoded(&decoded(name)), encoded(&decoded(value)))
    };
    let mut pairs: Vec<_> = fields.map(pair).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Each with its values, white space as one blank.
fn headers(parts: &Parts, names: &[&str]) -> String {
    let line = |name: &&str| {
        let values = parts.headers.get_all(*name).iter().map(|value| text(value.as_bytes()));
        let value = |value: String| value.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{name}:{}\n", values.map(value).collect::<Vec<_>>().join(","))
    };
    names.iter().map(line).collect()
}

/// What is no UTF-8 is Latin-1, as clients send it that sign the text.
fn text(bytes: &[u8]) -> String {
    let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// <https://www.rfc-editor.org/rfc/rfc2104#section-2>
fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text.as_bytes()).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vendor's own example
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: GET of a bucket's lifecycle.
    fn request(signature: &str) -> Parts {
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={signature}"
        );
        let request = http::Request::get("/?lifecycle").header("host", "examplebucket.s3.amazonaws.com");
        let request = request.header("x-amz-date", "20130524T000000Z").header("x-amz-content-sha256", EMPTY);
        request.header("authorization", authorization).body(()).unwrap().into_parts().0
    }

    #[test]
    fn signature_of_the_vendors_example_fits_and_no_other() {
        let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        assert!(verify(&request(signature), b"", secret).is_ok());
        let code = |refused: Result<(), Error>| refused.unwrap_err().code.into_owned();
        assert_eq!(code(verify(&request(signature), b"", "another")), "SignatureDoesNotMatch");
        assert_eq!(code(verify(&request(&signature.replace('f', "0")), b"", secret)), "SignatureDoesNotMatch");
    }
}

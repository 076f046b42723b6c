//! Signatures of requests (version 4), verified with the secret of the key: of a header
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, and of a presigned URL
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>; and of one in the older form.

mod older;

use data_encoding::HEXLOWER;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::digest::Output;
use sha2::{Digest, Sha256};

use super::error::Error;

/// What is not encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A field of a presigned URL that is not signed itself.
const SIGNATURE: &str = "X-Amz-Signature";

/// What a signature says of itself.
struct Signed {
    date: String,
    /// Date, region, service and the end of the credential.
    scope: Vec<String>,
    headers: Vec<String>,
    /// The digest of the body, where it is stated or needs none.
    payload: Option<String>,
    signature: String,
}

impl Signed {
    /// That of the header, else that of the URL; `None` where neither has one of this version.
    fn read(parts: &Parts) -> Result<Option<Self>, Error> {
        let of_header = Self::of_header(header(parts, "authorization"), parts);
        if of_header.is_some() { Ok(of_header) } else { Self::of_url(parts) }
    }

    fn of_header(authorization: &str, parts: &Parts) -> Option<Self> {
        let fields = authorization.strip_prefix(ALGORITHM)?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let stated = header(parts, "x-amz-content-sha256");
        Some(Self {
            date: header(parts, "x-amz-date").to_owned(),
            scope: scope(field("Credential")?),
            headers: names(field("SignedHeaders")?),
            payload: (!stated.is_empty()).then(|| stated.to_owned()),
            signature: field("Signature")?.to_owned(),
        })
    }

    fn of_url(parts: &Parts) -> Result<Option<Self>, Error> {
        let fields = fields(parts.uri.query().unwrap_or_default());
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        if field(SIGNATURE).is_empty() {
            return Ok(None);
        }
        if field("X-Amz-Algorithm") != ALGORITHM {
            let message = "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"";
            return Err(Error::new(400, "AuthorizationQueryParametersError", message));
        }
        let headers = names(field("X-Amz-SignedHeaders"));
        let stated = headers.iter().any(|name| name == "x-amz-content-sha256");
        let payload = if stated { header(parts, "x-amz-content-sha256") } else { "UNSIGNED-PAYLOAD" };
        Ok(Some(Self {
            date: field("X-Amz-Date").to_owned(),
            scope: scope(field("X-Amz-Credential")),
            headers,
            payload: Some(payload.to_owned()),
            signature: field(SIGNATURE).to_owned(),
        }))
    }

    /// What is signed of a request, with its path in this form.
    fn text(&self, parts: &Parts, body: &[u8], path: &str) -> String {
        let payload = self.payload.clone().unwrap_or_else(|| HEXLOWER.encode(&Sha256::digest(body)));
        let canonical = [
            parts.method.as_str(),
            path,
            &query(parts.uri.query().unwrap_or_default()),
            &headers(parts, &self.headers),
            &self.headers.join(";"),
            &payload,
        ];
        let request = HEXLOWER.encode(&Sha256::digest(canonical.join("\n").as_bytes()));
        [ALGORITHM, &self.date, &self.scope.join("/"), &request].join("\n")
    }

    fn is_of(&self, text: &str, secret: &str) -> bool {
        let key = self.scope.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part).to_vec());
        HEXLOWER.encode(&hmac(&key, text)) == self.signature
    }
}

/// Refuse a request whose signature was not made with this secret.
pub(super) fn verify(parts: &Parts, body: &[u8], secret: &str) -> Result<(), Error> {
    let Some(signed) = Signed::read(parts)? else { return older::verify(parts, secret) };
    let path = parts.uri.path();
    // S3 encodes a path once, every other service what is encoded already.
    let once = path.split('/').map(|part| encoded(&decoded(part))).collect::<Vec<_>>().join("/");
    let twice = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    let fits = [once, twice].iter().any(|path| signed.is_of(&signed.text(parts, body, path), secret));
    if fits { Ok(()) } else { Err(mismatch(&signed.scope)) }
}

/// Services that speak JSON have a name of their own for it.
fn mismatch(scope: &[String]) -> Error {
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                   Access Key and signing method. Consult the service documentation for details.";
    match scope.get(2).map(String::as_str) {
        Some("sqs" | "tagging") => Error::new(403, "InvalidSignatureException", message),
        Some("s3") => Error::new(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
        ),
        _ => Error::new(403, "SignatureDoesNotMatch", message),
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A credential without its key.
fn scope(credential: &str) -> Vec<String> {
    credential.split('/').skip(1).map(str::to_owned).collect()
}

fn names(list: &str) -> Vec<String> {
    list.split(';').map(str::to_owned).collect()
}

/// Names and values, decoded; a plus sign is one.
fn fields(query: &str) -> Vec<(String, String)> {
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|field| !field.is_empty()).map(field).collect()
}

/// Sorted by name and value, each encoded.
fn query(text: &str) -> String {
    let fields = fields(text).into_iter().filter(|(name, _)| name != SIGNATURE);
    let mut pairs: Vec<_> = fields.map(|(name, value)| (encoded(&name), encoded(&value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Each with its values, white space as one blank.
fn headers(parts: &Parts, names: &[String]) -> String {
    let line = |name: &String| {
        let values = parts.headers.get_all(name).iter().map(|value| text(value.as_bytes()));
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
pub(crate) fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    hmac_of::<Sha256>(key, text).into()
}

/// The same with another digest of blocks of 64 bytes.
fn hmac_of<D: Digest>(key: &[u8], text: &str) -> Output<D> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        let digest = D::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = D::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text.as_bytes()).finalize();
    D::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the vendor's own examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const WRONG: Option<&str> = Some("SignatureDoesNotMatch");

    fn code(request: http::request::Builder, secret: &str) -> Option<String> {
        let parts = request.header("host", "examplebucket.s3.amazonaws.com").body(()).unwrap().into_parts().0;
        verify(&parts, b"", secret).err().map(|error| error.code.into_owned())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: GET of a bucket's lifecycle.
    #[test]
    fn signature_of_the_vendors_header_fits_and_no_other() {
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        const SIGNATURE: &str = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        let code = |signature: &str, secret: &str| {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={signature}"
            );
            let request = http::Request::get("/?lifecycle").header("x-amz-date", "20130524T000000Z");
            code(request.header("x-amz-content-sha256", EMPTY).header("authorization", authorization), secret)
        };
        assert_eq!(code(SIGNATURE, SECRET), None);
        assert_eq!(code(SIGNATURE, "another").as_deref(), WRONG);
        assert_eq!(code(&SIGNATURE.replace('f', "0"), SECRET).as_deref(), WRONG);
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
    #[test]
    fn signature_of_the_vendors_url_fits_and_no_other() {
        const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524\
                             %2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&\
                             X-Amz-SignedHeaders=host&\
                             X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let code = |path: &str, query: &str, secret: &str| code(http::Request::get(format!("{path}?{query}")), secret);
        assert_eq!(code("/test.txt", QUERY, SECRET), None);
        assert_eq!(code("/other.txt", QUERY, SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", QUERY, "another").as_deref(), WRONG);
        assert_eq!(code("/test.txt", &QUERY.replace("86400", "86401"), SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", &QUERY.replace("404", "405"), SECRET).as_deref(), WRONG);
        assert_eq!(code("/test.txt", "x-id=GetObject", SECRET), None);
    }
}

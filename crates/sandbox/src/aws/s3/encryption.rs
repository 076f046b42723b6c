//! How an object that is written is encrypted.

use std::collections::BTreeMap;

use super::On;
use crate::aws::error::Error;

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// The headers that say so, to be kept with the object: as the request asks, else as the bucket does at that moment
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>.
pub(super) fn of(on: &On<'_>) -> Result<BTreeMap<String, String>, Error> {
    let asked = |name: &str| on.call.header(name).map(str::to_owned);
    check(asked(ALGORITHM).as_deref(), asked(KEY).as_deref())?;
    let bucket = &on.bucket.encryption;
    let (algorithm, key) = match asked(ALGORITHM) {
        Some(algorithm) => (algorithm, asked(KEY)),
        None => (bucket.default.algorithm.clone(), bucket.default.key.clone()),
    };
    let bucket_key = asked(BUCKET_KEY).unwrap_or_else(|| bucket.bucket_key_enabled.to_string());
    let bucket_key = Some(bucket_key).filter(|enabled| enabled == "true" && algorithm == "aws:kms");
    let headers = [(ALGORITHM, Some(algorithm)), (KEY, key), (BUCKET_KEY, bucket_key)];
    Ok(headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// Whether a request asks for an encryption that there is.
fn check(algorithm: Option<&str>, key: Option<&str>) -> Result<(), Error> {
    let invalid = |message: &str, name: &str, value: Option<&str>| {
        let error = Error::new(400, "InvalidArgument", message).with_detail("ArgumentName", name);
        Err(error.with_detail("ArgumentValue", value.unwrap_or("null")))
    };
    match (algorithm, key) {
        (None | Some("AES256"), Some(_)) => invalid(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ALGORITHM,
            algorithm,
        ),
        (None | Some("AES256" | "aws:kms" | "aws:kms:dsse"), _) => Ok(()),
        (Some(_), _) => invalid("The encryption method specified is not supported", ALGORITHM, algorithm),
    }
}

/// Whether a request asks for one of its own.
pub(super) fn is_asked(on: &On<'_>) -> bool {
    on.call.header(ALGORITHM).is_some()
}

/// Whether a header is about it.
pub(super) fn is_header(name: &str) -> bool {
    name.starts_with(ALGORITHM)
}

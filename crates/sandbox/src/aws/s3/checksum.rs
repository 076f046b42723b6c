//! Checksums of objects <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.

use crc_fast::{CrcAlgorithm, checksum};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::aws::call::Call;
use crate::aws::error::Error;

/// The one that S3 makes itself where none is sent.
pub(super) const DEFAULT: &str = "x-amz-checksum-crc64nvme";

/// The checksum of a header's kind; `None` if the header is of no kind.
pub(super) fn digest(header: &str, body: &[u8]) -> Option<String> {
    let short = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or_default().to_be_bytes().to_vec();
    let bytes = match header {
        "x-amz-checksum-crc32" => short(checksum(CrcAlgorithm::Crc32IsoHdlc, body)),
        "x-amz-checksum-crc32c" => short(checksum(CrcAlgorithm::Crc32Iscsi, body)),
        "x-amz-checksum-crc64nvme" => checksum(CrcAlgorithm::Crc64Nvme, body).to_be_bytes().to_vec(),
        "x-amz-checksum-sha1" => Sha1::digest(body).to_vec(),
        "x-amz-checksum-sha256" => Sha256::digest(body).to_vec(),
        _ => return None,
    };
    Some(BASE64.encode(&bytes))
}

/// The header of the algorithm that a request names.
pub(super) fn asked(call: &Call<'_>) -> Result<Option<String>, Error> {
    let Some(algorithm) = call.header("x-amz-checksum-algorithm") else { return Ok(None) };
    let header = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
    match digest(&header, b"") {
        Some(_) => Ok(Some(header)),
        None => Err(Error::unserved(format_args!("the checksum algorithm {algorithm}"))),
    }
}

/// Of the whole object, or of the checksums of its parts: such a one ends with how many they are.
pub(super) fn kind(checksum: &str) -> &'static str {
    if checksum.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// How the checksum of an object is made that comes in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OfParts {
    header: String,
    composite: bool,
}

impl Default for OfParts {
    fn default() -> Self {
        Self { header: DEFAULT.to_owned(), composite: false }
    }
}

impl OfParts {
    /// As the request asks that begins an upload
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>.
    pub(super) fn asked(call: &Call<'_>) -> Result<Self, Error> {
        let header = asked(call)?.unwrap_or_else(|| DEFAULT.to_owned());
        let composite = match call.header("x-amz-checksum-type") {
            None => header != DEFAULT,
            Some("COMPOSITE") if header != DEFAULT => true,
            Some("FULL_OBJECT") if header.contains("crc") => false,
            Some(kind) => {
                let algorithm = header.trim_start_matches("x-amz-checksum-");
                let message =
                    format!("The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.");
                return Err(Error::new(400, "InvalidRequest", message));
            }
        };
        Ok(Self { header, composite })
    }

    /// Header and value.
    pub(super) fn made(&self, parts: &[Vec<u8>]) -> Option<(String, String)> {
        let digest = |body: &[u8]| digest(&self.header, body);
        if !self.composite {
            return Some((self.header.clone(), digest(&parts.concat())?));
        }
        let digests = parts.iter().map(|part| BASE64.decode(digest(part)?.as_bytes()).ok());
        let digests: Vec<_> = digests.collect::<Option<_>>()?;
        Some((self.header.clone(), format!("{}-{}", digest(&digests.concat())?, parts.len())))
    }
}

/// The request that ends an upload may say what the object's checksum is
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.
pub(super) fn check_whole(call: &Call<'_>, made: Option<&(String, String)>) -> Result<(), Error> {
    let said = call.headers.iter().filter(|(name, _)| digest(name.as_str(), b"").is_some());
    let mut said = said.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    let differs = |said: &(&str, &str)| made.is_none_or(|(name, value)| *said != (name.as_str(), value.as_str()));
    match said.find(differs) {
        Some((name, _)) => Err(Error::new(400, "BadDigest", format!("Value for {name} header is invalid."))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_service() {
        // Of the text `hello`, by boto3 and sha256sum.
        assert_eq!(digest("x-amz-checksum-crc32", b"hello").unwrap(), "NhCmhg==");
        assert_eq!(digest("x-amz-checksum-crc32c", b"hello").unwrap(), "mnG7TA==");
        assert_eq!(digest("x-amz-checksum-sha1", b"hello").unwrap(), "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
        assert_eq!(digest("x-amz-checksum-mode", b"hello"), None);
    }

    #[test]
    fn parts_are_one_object_or_a_list_of_checksums() {
        let (parts, header) = ([b"hel".to_vec(), b"lo".to_vec()], "x-amz-checksum-crc32".to_owned());
        let made = |composite| OfParts { header: header.clone(), composite }.made(&parts).unwrap().1;
        assert_eq!((made(false).as_str(), kind(&made(false))), ("NhCmhg==", "FULL_OBJECT"));
        assert!(made(true).ends_with("-2") && kind(&made(true)) == "COMPOSITE", "{}", made(true));
    }
}

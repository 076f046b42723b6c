//! How a bucket encrypts objects that do not say themselves.

use aws_sdk_s3::types::{ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionRule};
use provision_core::Error;
use serde::{Deserialize, Serialize};

use crate::client::Writer;
use crate::config::{Encryption, Settings};
use crate::names::Names;
use crate::resources::{Write, typed};

/// How objects are encrypted that do not say themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultEncryption {
    algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key: Option<String>,
}

/// The key of an adopted bucket that the plan file does not name: the server may then neither read nor write.
pub(crate) fn unnamed_key(settings: &Settings, key: &str) -> Option<String> {
    let bucket = &settings.aws.bucket;
    (bucket.encryption.is_none() && bucket.adopt).then(|| {
        format!(
            "bucket `{}` is encrypted with {key}, for which the server gets no rights: write `encryption = {{ kms_key = \"...\" }}` \
             under [aws.bucket]",
            bucket.name
        )
    })
}

/// The rule has more than algorithm and key: that is read, and written back as it was.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    // "Amazon S3 applies server-side encryption with S3 managed keys (SSE-S3) as the base level of encryption for every
    // bucket" <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>.
    let desired: DefaultEncryption = typed(write.value)?;
    if write.just_created && !names.endpoint_overridden && desired == DefaultEncryption::desired(None) {
        return Ok(());
    }
    let found = writer.reader().get_bucket_encryption(&names.bucket, &names.account).await?;
    let rule = encrypted(found.as_ref(), desired)?;
    if found.as_ref() == Some(&rule) {
        return Ok(());
    }
    writer.put_bucket_encryption(&names.bucket, &names.account, rule).await
}

/// The rule with another algorithm and key. Without the bucket key each object asks KMS for one of its own.
fn encrypted(
    found: Option<&ServerSideEncryptionRule>,
    desired: DefaultEncryption,
) -> Result<ServerSideEncryptionRule, Error> {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(desired.algorithm.as_str()))
        .set_kms_master_key_id(desired.kms_key)
        .build();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default.map_err(|error| Error::bug(&error.to_string()))?)
        .set_bucket_key_enabled(found.and_then(|found| found.bucket_key_enabled))
        .set_blocked_encryption_types(found.and_then(|found| found.blocked_encryption_types.clone()));
    Ok(rule.build())
}

impl DefaultEncryption {
    pub(crate) fn desired(encryption: Option<&Encryption>) -> Self {
        match encryption {
            None | Some(Encryption::Managed(_)) => Self { algorithm: "AES256".to_owned(), kms_key: None },
            Some(Encryption::Key(key)) => Self { algorithm: "aws:kms".to_owned(), kms_key: Some(key.kms_key.clone()) },
        }
    }

    /// The algorithm, or the key.
    pub(crate) fn in_words(self) -> String {
        self.kms_key.map_or(self.algorithm, |key| format!("with key {key}"))
    }

    pub(crate) fn observed(rule: &ServerSideEncryptionRule) -> Option<Self> {
        let default = rule.apply_server_side_encryption_by_default.as_ref()?;
        Some(Self { algorithm: default.sse_algorithm.as_str().to_owned(), kms_key: default.kms_master_key_id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{BlockedEncryptionTypes, EncryptionType};

    #[test]
    fn encryption_keeps_what_it_does_not_manage() {
        let blocked = BlockedEncryptionTypes::builder().encryption_type(EncryptionType::from("SSE-C")).build();
        let mut found = encrypted(None, DefaultEncryption::desired(None)).unwrap();
        (found.bucket_key_enabled, found.blocked_encryption_types) = (Some(true), Some(blocked.clone()));
        let key = "arn:aws:kms:e:1:key/x".to_owned();
        let desired = DefaultEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some(key) };
        let rule = encrypted(Some(&found), desired.clone()).unwrap();
        assert_eq!(DefaultEncryption::observed(&rule), Some(desired));
        assert_eq!((rule.bucket_key_enabled, rule.blocked_encryption_types), (Some(true), Some(blocked)));
        assert_eq!(encrypted(Some(&found), DefaultEncryption::desired(None)).unwrap(), found);
    }
}

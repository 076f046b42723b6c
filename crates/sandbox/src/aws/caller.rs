//! Who calls, by what a signature says.

use std::sync::Arc;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::error::Error;
use super::policy::{Principal, identity_arn, user_arn};

/// The account of callers whose key id is none.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// The region of callers who name none.
pub const DEFAULT_REGION: &str = "eu-west-1";

/// Who calls, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// `None`: nobody signed.
    pub(super) account: Option<String>,
    /// The region that the signature is for, which is the endpoint's.
    pub(super) region: Option<String>,
    /// The id of the key it signed with.
    pub(super) key: Option<String>,
    /// What it may do, where that is not everything.
    pub(super) policy: Option<Arc<str>>,
}

impl Caller {
    /// Read a request's signature.
    ///
    /// A key id of twelve digits is the account; others are of the account that was seeded.
    pub(super) fn of(
        authorization: Option<&str>,
        query: &[(String, String)],
        seeded: &str,
        now_ms: u64,
    ) -> Result<Self, Error> {
        let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (authorization, field("X-Amz-Credential"), field("AWSAccessKeyId")) {
            (Some(header), _, _) => Self::scoped(credential(header)?, seeded),
            (None, Some(credential), _) => {
                presigned(field("X-Amz-Date"), field("X-Amz-Expires"), field("X-Amz-Signature"), now_ms)?;
                Self::scoped(credential, seeded)
            }
            (None, None, Some(key)) => {
                // The older form of presigned URLs, which boto3 still makes in some regions.
                let expires = field("Expires").and_then(|expires| expires.parse::<u64>().ok());
                not_expired(expires.map(|seconds| seconds * 1000), now_ms)?;
                Ok(Self::with_key(key, seeded, None))
            }
            (None, None, None) => Ok(Self { account: None, region: None, key: None, policy: None }),
        }
    }

    /// `<key id>/<date>/<region>/<service>/aws4_request`
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
    fn scoped(credential: &str, seeded: &str) -> Result<Self, Error> {
        let fields: Vec<_> = credential.split('/').collect();
        let [key, date, region, _, "aws4_request"] = fields.as_slice() else { return Err(malformed()) };
        if date.len() != 8 || region.is_empty() {
            return Err(malformed());
        }
        Ok(Self::with_key(key, seeded, Some((*region).to_owned())))
    }

    fn with_key(key: &str, seeded: &str, region: Option<String>) -> Self {
        Self { account: Some(account(key, seeded)), region, key: Some(key.to_owned()), policy: None }
    }

    /// The ARN of the caller; empty if nobody signed.
    pub(super) fn user(&self) -> String {
        match (&self.account, &self.policy) {
            (None, _) => String::new(),
            (Some(account), None) => user_arn(account),
            (Some(account), Some(_)) => identity_arn(account),
        }
    }

    /// Whom policies of resources may name.
    pub(super) fn principal(&self) -> Principal<'_> {
        match (self.account.as_deref(), &self.policy) {
            (None, _) => Principal::Anonymous,
            (Some(account), None) => Principal::Account(account),
            (Some(account), Some(_)) => Principal::Identity(account),
        }
    }

    pub(super) fn account(&self) -> Result<&str, Error> {
        let nobody = || Error::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
        self.account.as_deref().ok_or_else(nobody)
    }

    pub(super) fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(DEFAULT_REGION)
    }
}

fn account(key: &str, seeded: &str) -> String {
    if names_account(key) { key.to_owned() } else { seeded.to_owned() }
}

/// Whether a key's id is its account.
pub(super) fn names_account(key: &str) -> bool {
    key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// The credential of an `Authorization` header, if the header is whole. The older signature is of no use to newer buckets
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingAWSSDK.html#UsingAWSSDK-sig2-deprecation>.
fn credential(header: &str) -> Result<&str, Error> {
    if header.starts_with("AWS ") {
        let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        return Err(Error::new(400, "InvalidRequest", message));
    }
    let fields = header.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(malformed)?;
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    match (field("Credential"), field("SignedHeaders"), field("Signature")) {
        (Some(credential), Some(_), Some(_)) => Ok(credential),
        _ => Err(malformed()),
    }
}

/// A presigned URL holds for as long as it says, a week at most
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
fn presigned(date: Option<&str>, expires: Option<&str>, signature: Option<&str>, now_ms: u64) -> Result<(), Error> {
    const WEEK: u64 = 604_800;
    let parameters = |message: &str| Error::new(400, "AuthorizationQueryParametersError", message);
    let signed = date.and_then(moment_ms).filter(|_| signature.is_some());
    let signed = signed.ok_or_else(|| parameters("Query-string authentication version 4 requires X-Amz-Date"))?;
    let expires = expires.and_then(|expires| expires.parse::<u64>().ok());
    let expires = expires.ok_or_else(|| parameters("X-Amz-Expires should be a number"))?;
    if expires > WEEK {
        return Err(parameters(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
                               must be less than 604800 seconds",
        ));
    }
    not_expired(Some(signed + expires * 1000), now_ms)
}

fn not_expired(until_ms: Option<u64>, now_ms: u64) -> Result<(), Error> {
    if until_ms.is_some_and(|until| until >= now_ms) {
        return Ok(());
    }
    Err(Error::new(403, "AccessDenied", "Request has expired"))
}

/// `20261124T120000Z`
fn moment_ms(date: &str) -> Option<u64> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let moment: OffsetDateTime = PrimitiveDateTime::parse(date, format).ok()?.assume_utc();
    u64::try_from(moment.unix_timestamp()).ok().map(|seconds| seconds * 1000)
}

fn malformed() -> Error {
    Error::new(400, "AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_521_600_000; // 2026-11-24T12:00:00Z

    fn called(authorization: Option<&str>, query: &[(&str, &str)]) -> Result<Caller, String> {
        let query: Vec<_> = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Caller::of(authorization, &query, "999999999999", NOW).map_err(|error| error.message)
    }

    #[test]
    fn signature_gives_account_and_region() {
        let header = "AWS4-HMAC-SHA256 Credential=000000000007/20261124/eu-west-1/s3/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=abc";
        let caller = called(Some(header), &[]).unwrap();
        assert_eq!((caller.account().unwrap(), caller.region()), ("000000000007", "eu-west-1"));
        let real = header.replace("000000000007", "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(called(Some(&real), &[]).unwrap().account().unwrap(), "999999999999");
        assert!(called(Some("Bearer x"), &[]).is_err());
        let older = called(Some("AWS key:signature"), &[]).unwrap_err();
        assert!(older.ends_with("Please use AWS4-HMAC-SHA256."), "{older}");
        assert!(called(Some(&header.replace("aws4_request", "x")), &[]).is_err());
        assert_eq!(called(None, &[]).unwrap().account, None);
    }

    #[test]
    fn presigned_url_expires() {
        let query = |date, expires| {
            let credential = "000000000007/20261124/eu-west-1/s3/aws4_request";
            let fields = [("X-Amz-Credential", credential), ("X-Amz-Date", date), ("X-Amz-Expires", expires)];
            called(None, &[&fields[..], &[("X-Amz-Signature", "abc")]].concat())
        };
        assert!(query("20261124T115900Z", "60").is_ok());
        assert_eq!(query("20261124T115859Z", "60").unwrap_err(), "Request has expired");
        assert!(query("20261124T115900Z", "604801").is_err());
        assert!(query("yesterday", "60").is_err());
    }
}

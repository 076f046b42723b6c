//! Calls of S3 on single objects, and their signed addresses
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>.

use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use provision_core::error::absent_if;
use provision_core::mark::Tags;
use provision_core::web::{Request, without_query};
use provision_core::{Error, ErrorKind};

use crate::client::{Reader, Writer};
use crate::error::from_sdk;

/// How long a signed address is good: long enough for the requests of one run, of the seven days that S3 allows
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

impl Reader {
    /// Where an object is reached by pages, without a signature: nothing is sent.
    pub(crate) async fn get_object_url(&self, bucket: &str, key: &str) -> Result<String, Error> {
        let request = self.clients.s3.get_object().bucket(bucket).key(key);
        let tried = format!("sign for bucket `{bucket}`");
        let presigned = request.presigned(good_for()?).await;
        let presigned = presigned.map_err(|error| from_sdk("s3:GetObject", &tried, &error))?;
        Ok(without_query(presigned.uri()).to_owned())
    }

    /// The metadata of a version; `None` if there is none of it, or it is a delete marker
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.
    pub(crate) async fn head_object(
        &self,
        bucket: &str,
        owner: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<Tags>, Error> {
        let request = || {
            let request = self.clients.s3.head_object().bucket(bucket).expected_bucket_owner(owner).key(key);
            request.set_version_id(version.map(str::to_owned))
        };
        let tried = format!("look at {key} in bucket `{bucket}`");
        let answer = send!("s3:HeadObject", tried, request());
        let answer = absent_if(answer, |error| matches!(error.status(), Some(404 | 405)))?;
        Ok(answer.map(|answer| answer.metadata.unwrap_or_default().into_iter().collect()))
    }
}

impl Writer {
    /// The request that uploads an object with this metadata, signed.
    pub(crate) async fn sign_put_object(
        &self,
        bucket: &str,
        owner: &str,
        key: &str,
        content_type: &str,
        metadata: (&str, &str),
    ) -> Result<Request, Error> {
        let request = self.clients().s3.put_object().bucket(bucket).expected_bucket_owner(owner).key(key);
        let request = request.content_type(content_type).metadata(metadata.0, metadata.1);
        // A checksum would be that of no body: it is sent later.
        let settings =
            aws_sdk_s3::Config::builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let presigned = request.customize().config_override(settings).presigned(good_for()?).await;
        let tried = format!("sign an upload to bucket `{bucket}`");
        let presigned = presigned.map_err(|error| from_sdk("s3:PutObject", &tried, &error))?;
        Ok(signed("s3:PutObject", "PUT", &presigned))
    }

    /// The request that downloads it, signed.
    pub(crate) async fn sign_get_object(&self, bucket: &str, owner: &str, key: &str) -> Result<Request, Error> {
        let request = self.clients().s3.get_object().bucket(bucket).expected_bucket_owner(owner).key(key);
        let tried = format!("sign a download from bucket `{bucket}`");
        let presigned = request.presigned(good_for()?).await;
        let presigned = presigned.map_err(|error| from_sdk("s3:GetObject", &tried, &error))?;
        Ok(signed("s3:GetObject", "GET", &presigned))
    }
}

fn good_for() -> Result<PresigningConfig, Error> {
    let unusable = |error: aws_sdk_s3::presigning::PresigningConfigError| {
        Error::new(ErrorKind::Unexpected, "sign a request").with_message(error.to_string())
    };
    PresigningConfig::expires_in(GOOD_FOR).map_err(unusable)
}

/// Whoever sends it has to send the headers that were signed too.
fn signed(operation: &'static str, method: &'static str, presigned: &PresignedRequest) -> Request {
    let headers = presigned.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let needs = crate::permissions::of(operation);
    Request { operation, needs, method, url: presigned.uri().to_owned(), headers, body: Vec::new() }
}

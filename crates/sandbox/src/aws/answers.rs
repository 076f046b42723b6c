//! Answers of AWS that no emulator gives, in the service's own form.

use crate::fault::What;

/// An S3 error <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[must_use]
pub fn s3(status: u16, code: &str, message: &str) -> What {
    s3_with(status, code, message, &[])
}

/// The same with more headers.
#[must_use]
pub fn s3_with(status: u16, code: &str, message: &str, headers: &[(&str, &str)]) -> What {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>4442587FB7D0A2F9</RequestId><HostId>host</HostId></Error>"
    );
    let mut all = vec![("content-type", "application/xml"), ("x-amz-request-id", "4442587FB7D0A2F9")];
    all.extend(headers);
    answer(status, &all, body)
}

/// A `HEAD` answer: no body.
#[must_use]
pub fn head(status: u16, headers: &[(&str, &str)]) -> What {
    answer(status, headers, String::new())
}

/// An SQS error in its JSON protocol, with the code that older clients read.
#[must_use]
pub fn sqs(status: u16, code: &str, message: &str) -> What {
    let query = format!("AWS.SimpleQueueService.{code};Sender");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-query-error", query.as_str())];
    answer(status, &headers, format!("{{\"__type\":\"com.amazonaws.sqs#{code}\",\"message\":\"{message}\"}}"))
}

/// An error in the query protocol of STS and IAM.
#[must_use]
pub fn query(status: u16, code: &str, message: &str) -> What {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>"
    );
    answer(status, &[("content-type", "text/xml")], body)
}

fn answer(status: u16, headers: &[(&str, &str)], body: String) -> What {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    What::Answer { status, headers, body }
}

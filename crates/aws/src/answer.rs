//! What the body of an answer must be before its document is believed: not endless, whole, and no page of somebody else's.
//!
//! The SDK reads a document as far as it goes, and takes no body for an empty document
//! (<https://github.com/smithy-lang/smithy-rs>, `aws_smithy_xml::decode`): what was cut off would pass for all there is.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::Limited;

/// The longest body that is read, in bytes. The longest documents, pages of a thousand versions, have about two million.
const LONGEST: usize = 16 << 20;

/// Looks at the body of every answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "whole answers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let endless = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(endless, LONGEST));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        let believed = match bag.load::<Metadata>() {
            Some(operation) if response.status().is_success() => {
                is_document(operation.service(), operation.name(), body)
                    && is_deletion(operation.service(), operation.name(), response.status().as_u16())
            }
            _ => !is_cut_off(body),
        };
        if believed { Ok(()) } else { Err("this is no whole document of the service".into()) }
    }
}

/// Whether a status can be that of a deletion, where it is one of S3's: "no content"
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>).
fn is_deletion(service: &str, operation: &str, status: u16) -> bool {
    let deletes = service == "S3" && operation.starts_with("Delete") && operation != "DeleteObjects";
    !deletes || status == 204
}

/// Whether a body can be what an operation of a service answers with.
fn is_document(service: &str, operation: &str, body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let text = text.trim_start_matches('\u{feff}').trim();
    // The query protocol, JSON, and S3's XML.
    match service {
        "IAM" | "STS" => whole_root(text).is_some_and(|root| root == format!("{operation}Response")),
        "SQS" | "Resource Groups Tagging API" => {
            (text.is_empty() && !reads(operation)) || (text.starts_with('{') && text.ends_with('}'))
        }
        _ if operation.starts_with("Head") => true,
        _ if operation == "GetBucketPolicy" => text.starts_with('{') && text.ends_with('}'),
        _ if text.is_empty() => !reads(operation),
        _ if text.starts_with('{') => false,
        _ => whole_root(text).is_some_and(|root| !root.eq_ignore_ascii_case("html")),
    }
}

/// Whether an error's document has no end: what it says may be half of it.
fn is_cut_off(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let xml = ["<?xml", "<Error"].iter().any(|start| text.starts_with(start));
    (xml && whole_root(text).is_none()) || (text.starts_with('{') && !text.ends_with('}'))
}

/// Whether an operation is answered with a document, and not with a status alone.
fn reads(operation: &str) -> bool {
    operation.starts_with("Get") || operation.starts_with("List")
}

/// The name of the root element, if the document goes on to its end.
fn whole_root(text: &str) -> Option<&str> {
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => text,
    };
    let start = text.strip_prefix('<')?;
    let name = start.split(|letter: char| letter.is_whitespace() || letter == '/' || letter == '>').next()?;
    let ends = text.ends_with(&format!("</{name}>")) || (text.ends_with("/>") && !start.contains('<'));
    (ends && name.starts_with(|letter: char| letter.is_ascii_alphabetic())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_that_is_cut_off_is_none() {
        const ERROR: &str = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code></Error>";
        assert!(!is_cut_off(ERROR.as_bytes()) && !is_cut_off(b"") && !is_cut_off(b"<html><body>Bad Gateway"));
        assert!(is_cut_off(&ERROR.as_bytes()[..50]) && is_cut_off(b"{\"__type\":\"com.amazonaws.sqs#Que"));
    }

    #[test]
    fn documents_are_told_from_what_stands_in_their_place() {
        const CORS: &str = "<?xml version=\"1.0\"?>\n<CORSConfiguration xmlns=\"x\"><CORSRule/></CORSConfiguration>\n";
        for (service, operation, body) in [
            ("S3", "GetBucketCors", CORS),
            ("S3", "GetBucketVersioning", "<VersioningConfiguration xmlns=\"x\"/>"),
            ("S3", "GetBucketPolicy", "{\"Statement\": []}"),
            ("S3", "HeadBucket", ""),
            ("S3", "PutBucketCors", ""),
            ("SQS", "ListQueueTags", "{}"),
            ("SQS", "DeleteQueue", ""),
            ("IAM", "GetRolePolicy", "<GetRolePolicyResponse><a/></GetRolePolicyResponse>"),
        ] {
            assert!(is_document(service, operation, body.as_bytes()), "{operation}: {body}");
        }
        for (service, operation, body) in [
            ("S3", "GetBucketCors", ""),
            ("S3", "GetBucketCors", &CORS[..60]),
            ("S3", "GetBucketCors", "<CORSConfiguration><CORSRule/>"),
            ("S3", "GetBucketPolicy", "{\"Statement\": ["),
            ("S3", "GetBucketPolicy", "<Unexpected/>"),
            ("S3", "PutBucketCors", "<!DOCTYPE html><html></html>"),
            ("S3", "PutBucketCors", "<html></html>"),
            ("SQS", "ListQueueTags", ""),
            ("SQS", "ListQueueTags", "{\"Tags\": {"),
            ("SQS", "DeleteQueue", "<html></html>"),
            ("Resource Groups Tagging API", "GetResources", "[]"),
            ("IAM", "PutRolePolicy", ""),
            ("IAM", "PutRolePolicy", "<html></html>"),
        ] {
            assert!(!is_document(service, operation, body.as_bytes()), "{operation}: {body}");
        }
    }
}

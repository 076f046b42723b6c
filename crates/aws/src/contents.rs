//! What is in the bucket: counting it, and emptying it on request only.

use aws_sdk_s3::types::ObjectIdentifier;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::contents::Contents;
use provision_core::context::OperationContext;
use provision_core::emptying::Emptying;
use provision_core::{Error, ErrorKind, RetryClass, retry};

use crate::client::s3::KeyError;
use crate::client::{Reader, Writer};
use crate::error;

/// One page of each list: enough to say that it is not empty, and roughly by how much.
pub(crate) async fn contents(reader: &Reader, bucket: &str, owner: &str) -> Result<Contents, Error> {
    let (versions, uploads) = futures::join!(
        reader.list_object_versions(bucket, owner, None, (None, None)),
        reader.list_multipart_uploads(bucket, owner, (None, None)),
    );
    let (versions, uploads) = (versions?, uploads?);
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Ok(versions.map_or_else(Contents::default, |page| Contents {
        objects: count(page.objects.len()),
        bytes: page.bytes,
        uploads: count(uploads.uploads.len()),
        more: page.truncated,
        restorable_days: None,
    }))
}

/// Delete every version, delete marker and open upload, until a look finds nothing: somebody may still be writing.
pub(crate) async fn empty(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let mut emptying = Emptying::new(context, "objects, versions and uploads");
    loop {
        let delete = |objects| delete_batch(writer, bucket, owner, objects);
        let abort = |uploads| abort_uploads(writer, bucket, owner, uploads);
        let versions = emptying.pages(versions(writer.reader(), bucket, owner), delete).await?;
        let uploads = emptying.pages(uploads(writer.reader(), bucket, owner), abort).await?;
        emptying.go_on(&format!("bucket `{bucket}`"))?;
        if versions + uploads == 0 {
            return Ok(());
        }
    }
}

/// Where the next page begins: a key, and the version or upload of it.
type Marker = (Option<String>, Option<String>);

/// Pages of versions and delete markers.
fn versions(reader: &Reader, bucket: &str, owner: &str) -> impl Stream<Item = Result<Vec<ObjectIdentifier>, Error>> {
    stream::try_unfold(Some(Marker::default()), move |from| async move {
        let Some(from) = from else { return Ok(None) };
        let Some(page) = reader.list_object_versions(bucket, owner, None, from).await? else { return Ok(None) };
        Ok(Some((page.objects, page.truncated.then_some(page.next))))
    })
}

/// Pages of open uploads.
fn uploads(reader: &Reader, bucket: &str, owner: &str) -> impl Stream<Item = Result<Vec<(String, String)>, Error>> {
    stream::try_unfold(Some(Marker::default()), move |from| async move {
        let Some(from) = from else { return Ok(None) };
        let page = reader.list_multipart_uploads(bucket, owner, from).await?;
        Ok(Some((page.uploads, page.truncated.then_some(page.next))))
    })
}

/// Uploads that are aborted at the same time.
const ABORTS_AT_ONCE: usize = 8;

async fn abort_uploads(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    uploads: Vec<(String, String)>,
) -> Result<u64, Error> {
    let count = uploads.len();
    let abort =
        |(key, id): (String, String)| async move { writer.abort_multipart_upload(bucket, owner, &key, &id).await };
    stream::iter(uploads).map(abort).buffer_unordered(ABORTS_AT_ONCE).try_collect::<()>().await?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

async fn delete_batch(
    writer: &Writer,
    bucket: &str,
    owner: &str,
    objects: Vec<ObjectIdentifier>,
) -> Result<u64, Error> {
    let count = objects.len();
    let (plain, odd): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| is_xml(&object.key));
    for object in &odd {
        writer.delete_object(bucket, owner, object).await?;
    }
    let mut errors = match plain.is_empty() {
        true => Vec::new(),
        false => writer.delete_objects(bucket, owner, plain).await?,
    };
    // What is gone is deleted.
    errors.retain(|error| !matches!(error.code.as_str(), "NoSuchKey" | "NoSuchVersion"));
    match not_deleted(bucket, &errors) {
        Some(error) => Err(error),
        None => Ok(u64::try_from(count).unwrap_or(u64::MAX)),
    }
}

/// Whether a document can name a key: XML has no way to write most control characters
/// (<https://www.w3.org/TR/xml/#charsets>), which a key may have.
fn is_xml(key: &str) -> bool {
    let control = |letter: char| letter < ' ' && !matches!(letter, '\t' | '\n' | '\r');
    !key.chars().any(|letter| control(letter) || matches!(letter, '\u{fffe}' | '\u{ffff}'))
}

/// Emptying goes on with what is left.
const TRIED_AGAIN: RetryClass =
    RetryClass::Settling { reason: "S3 did not delete some objects yet", budget: retry::SERVICE_BUDGET };

/// The answer is a success and holds an error for each key that was not deleted. A large bucket meets passing ones, and S3
/// asks to try those again (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorBestPractices.html>).
fn not_deleted(bucket: &str, errors: &[KeyError]) -> Option<Error> {
    let first = errors.iter().find(|error| !error::is_passing(&error.code)).or(errors.first())?;
    let tried = format!("delete {} objects of bucket `{bucket}`", errors.len());
    let said = [first.code.as_str(), &first.message];
    let said: Vec<_> = said.into_iter().filter(|text| !text.is_empty()).collect();
    let message = format!("the first is {}: {}", first.key, said.join(": "));
    let error = |kind| Error::new(kind, tried).with_operation("s3:DeleteObjects").with_message(message);
    if error::is_passing(&first.code) {
        return Some(
            error(ErrorKind::Unavailable).with_retry(TRIED_AGAIN).with_hint("run the same command again: it goes on"),
        );
    }
    if first.message.contains("not authorized to perform") {
        return Some(error(ErrorKind::PermissionDenied).with_hint(error::denial("s3:DeleteObjects", &first.message)));
    }
    Some(error(ErrorKind::PermissionDenied).with_hint(
        "object lock, MFA delete or a bucket policy keeps them: remove that, then run the same command again",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_document_can_name_are_told() {
        assert!(is_xml("a\tb\r\n<&>\"\u{e9}") && !is_xml("a\u{1}b") && !is_xml("\u{ffff}"));
    }

    #[test]
    fn passing_errors_of_single_keys_are_tried_again() {
        let error = |code: &str| KeyError { key: "k".to_owned(), code: code.to_owned(), message: String::new() };
        let class = |errors: &[KeyError]| not_deleted("b", errors).map(|error| error.retry().clone());
        assert_eq!(class(&[]), None);
        assert_eq!(class(&[error("InternalError"), error("SlowDown")]), Some(TRIED_AGAIN));
        assert_eq!(class(&[error("InternalError"), error("AccessDenied")]), Some(RetryClass::Final));
    }
}

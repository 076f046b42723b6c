//! What is in the bucket: counting it, and emptying it on request only.

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use provision_core::contents::Contents;
use provision_core::context::OperationContext;
use provision_core::emptying::Emptying;
use provision_core::{Error, ErrorKind};

use crate::client::json::Int64;
use crate::client::storage::{Bucket, Version};
use crate::client::{Pages, Reader, Writer};

const SECONDS_A_DAY: u64 = 86_400;

/// One page: enough to say that it is not empty, and roughly by how much. Unfinished uploads are not counted: they go with
/// the bucket, "the request succeeds if the bucket only contains incomplete uploads, such as ongoing XML API multipart
/// uploads" (<https://cloud.google.com/storage/docs/xml-api/delete-bucket>).
pub(crate) async fn contents(reader: &Reader, bucket: &str) -> Result<Contents, Error> {
    let mut pages = Pages::default();
    let (page, found) = futures::join!(reader.list_versions(bucket, None, &mut pages), reader.get_bucket(bucket));
    let restorable_days = unless_denied(found)?.as_ref().and_then(restorable_days);
    Ok(page?.map_or_else(Contents::default, |page| Contents {
        objects: u64::try_from(page.versions.len()).unwrap_or(u64::MAX),
        bytes: page.bytes,
        uploads: 0,
        more: page.more,
        restorable_days,
    }))
}

/// The listing is what counts; whoever may not look at the bucket is told by the look at it.
fn unless_denied(found: Result<Option<Bucket>, Error>) -> Result<Option<Bucket>, Error> {
    match found {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        found => found,
    }
}

/// For how many days what is deleted can be restored, a day that has begun counting as one
/// <https://cloud.google.com/storage/docs/soft-delete>.
fn restorable_days(bucket: &Bucket) -> Option<u64> {
    let Int64(kept) = bucket.soft_delete_policy.as_ref()?.retention_duration_seconds;
    u64::try_from(kept).ok().filter(|seconds| *seconds > 0).map(|seconds| seconds.div_ceil(SECONDS_A_DAY))
}

/// Delete every generation, until a look finds nothing: somebody may still be writing. Unfinished uploads need no look of
/// their own, see [`contents`].
pub(crate) async fn empty(writer: &Writer, bucket: &str, context: &OperationContext<'_>) -> Result<(), Error> {
    let mut emptying = Emptying::new(context, "objects and versions");
    loop {
        let delete = |versions| delete_page(writer, bucket, versions);
        let found = emptying.pages(versions(writer.reader(), bucket), delete).await?;
        emptying.go_on(&format!("bucket `{bucket}`"))?;
        if found == 0 {
            return Ok(());
        }
    }
}

/// Pages of generations.
fn versions(reader: &Reader, bucket: &str) -> impl Stream<Item = Result<Vec<Version>, Error>> {
    stream::try_unfold(Some(Pages::default()), move |pages| async move {
        let Some(mut pages) = pages else { return Ok(None) };
        let Some(page) = reader.list_versions(bucket, None, &mut pages).await? else { return Ok(None) };
        Ok(Some((page.versions, page.more.then_some(pages))))
    })
}

/// Objects of one page that are deleted at the same time: there is no call for several.
const DELETES_AT_ONCE: usize = 16;

async fn delete_page(writer: &Writer, bucket: &str, versions: Vec<Version>) -> Result<u64, Error> {
    let count = versions.len();
    let delete = |version: Version| async move { writer.delete_version(bucket, &version).await };
    let deleted = stream::iter(versions).map(delete).buffer_unordered(DELETES_AT_ONCE).try_collect::<()>().await;
    deleted.map_err(explain_held)?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// <https://cloud.google.com/storage/docs/object-holds>, <https://cloud.google.com/storage/docs/bucket-lock>
fn explain_held(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::PermissionDenied => error.with_hint(
            "a hold, a retention policy or a missing `storage.objects.delete` keeps it: change that, then run the same \
             command again",
        ),
        _ => error,
    }
}

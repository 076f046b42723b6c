//! Objects over gRPC: what emptying a bucket needs
//! <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2>.

use bytes::Bytes;
use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use http::Response;

use super::bucket_grpc::{name_of, timestamp};
use super::object::{self, Expected, Listing, Object};
use super::object_json::{decoded_token, encoded_token};
use crate::google::call::Call;
use crate::google::grpc;
use crate::google::refusal::Refusal;
use crate::state::Transaction;

const PAGE: usize = 1000;

/// Requests for objects.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    match call.verb() {
        "ListObjects" => list(state, grpc::message(&call.body)?),
        "GetObject" => get(state, grpc::message(&call.body)?),
        _ => delete(state, call, grpc::message(&call.body)?),
    }
}

fn list(state: &Transaction<'_>, request: api::ListObjectsRequest) -> Result<Response<Bytes>, Refusal> {
    let api::ListObjectsRequest {
        parent,
        page_size,
        page_token,
        delimiter,
        prefix,
        versions,
        lexicographic_start,
        lexicographic_end,
        soft_deleted,
        match_glob,
        filter,
        include_trailing_delimiter,
        include_folders_as_prefixes,
        // The whole of an object is answered.
        read_mask: _,
    } = request;
    let unserved = [
        ("soft_deleted", soft_deleted),
        ("match_glob", !match_glob.is_empty()),
        ("filter", !filter.is_empty()),
        ("include_trailing_delimiter", include_trailing_delimiter),
        ("include_folders_as_prefixes", include_folders_as_prefixes),
    ];
    if let Some((field, _)) = unserved.iter().find(|(_, there)| *there) {
        return Err(Refusal::unserved(format!("the field `{field}` of ListObjects")));
    }
    let listing = Listing {
        prefix,
        delimiter,
        versions,
        token: decoded_token(&page_token)?,
        start: lexicographic_start,
        end: lexicographic_end,
        size: usize::try_from(page_size).ok().filter(|size| *size > 0).map_or(PAGE, |size| size.min(PAGE)),
    };
    let page = object::list(state, name_of(&parent)?, &listing)?;
    Ok(grpc::answer(&api::ListObjectsResponse {
        objects: page.objects.iter().map(described).collect(),
        prefixes: page.prefixes.into_iter().collect(),
        next_page_token: page.next.map(|next| encoded_token(&next)).unwrap_or_default(),
    }))
}

fn get(state: &Transaction<'_>, request: api::GetObjectRequest) -> Result<Response<Bytes>, Refusal> {
    if request.soft_deleted == Some(true) || request.common_object_request_params.is_some() {
        return Err(Refusal::unserved("soft-deleted objects and customer-supplied keys of GetObject"));
    }
    let expected = Expected {
        generation: request.if_generation_match,
        not_generation: request.if_generation_not_match,
        metageneration: request.if_metageneration_match,
        not_metageneration: request.if_metageneration_not_match,
    };
    let object = object::get(state, name_of(&request.bucket)?, &request.object, chosen(request.generation), expected)?;
    Ok(grpc::answer(&described(&object)))
}

fn delete(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    request: api::DeleteObjectRequest,
) -> Result<Response<Bytes>, Refusal> {
    if request.common_object_request_params.is_some() {
        return Err(Refusal::unserved("the field `common_object_request_params` of DeleteObject"));
    }
    let expected = Expected {
        generation: request.if_generation_match,
        not_generation: request.if_generation_not_match,
        metageneration: request.if_metageneration_match,
        not_metageneration: request.if_metageneration_not_match,
    };
    let bucket = name_of(&request.bucket)?;
    object::delete(state, bucket, &request.object, chosen(request.generation), expected, call)?;
    Ok(grpc::answer(&()))
}

/// 0 is the live version.
fn chosen(generation: i64) -> Option<u64> {
    u64::try_from(generation).ok().filter(|generation| *generation > 0)
}

fn described(object: &Object) -> api::Object {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    api::Object {
        name: object.name.clone(),
        bucket: format!("projects/_/buckets/{}", object.bucket),
        etag: object.etag(),
        generation: object.generation.cast_signed(),
        metageneration: object.metageneration,
        storage_class: object.storage_class.clone(),
        size: i64::try_from(object.size).unwrap_or_default(),
        content_encoding: text(&object.fields.content_encoding),
        content_disposition: text(&object.fields.content_disposition),
        cache_control: text(&object.fields.cache_control),
        content_language: text(&object.fields.content_language),
        content_type: text(&object.fields.content_type),
        delete_time: object.deleted_ms.map(timestamp),
        finalize_time: Some(timestamp(object.created_ms)),
        create_time: Some(timestamp(object.created_ms)),
        update_time: Some(timestamp(object.created_ms)),
        checksums: Some(api::ObjectChecksums {
            crc32c: Some(object.crc32c),
            md5_hash: data_encoding::BASE64.decode(object.md5.as_bytes()).unwrap_or_default(),
        }),
        kms_key: object.kms_key.clone(),
        metadata: object.fields.metadata.clone(),
        ..api::Object::default()
    }
}

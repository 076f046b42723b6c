//! Buckets over gRPC <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2>.

use std::collections::BTreeMap;

use bytes::Bytes;
use googleapis_tonic_google_storage_v2::google::iam::v1 as iam;
use googleapis_tonic_google_storage_v2::google::storage::v2 as api;
use googleapis_tonic_google_storage_v2::google::r#type::Expr;
use http::Response;
use prost_types::{Duration, FieldMask, Timestamp};

use super::bucket::{self, Bucket, Change, Expected, LabelChange};
use super::bucket_json::moment;
use super::cors::Cors;
use super::reach::ReachChange;
use crate::google::call::{self, Call};
use crate::google::grpc;
use crate::google::policy::{Binding, Condition, Policy, check_mask};
use crate::google::refusal::Refusal;
use crate::state::Transaction;

const PAGE: usize = 1000;

/// Requests for buckets and their policies.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    let body = &call.body;
    match call.verb() {
        "CreateBucket" => create(state, call, grpc::message(body)?),
        "GetBucket" => get(state, grpc::message(body)?),
        "UpdateBucket" => update(state, call, grpc::message(body)?),
        "DeleteBucket" => delete(state, grpc::message(body)?),
        "ListBuckets" => list(state, call, grpc::message(body)?),
        "GetIamPolicy" => get_policy(state, grpc::message(body)?),
        "SetIamPolicy" => set_policy(state, call, grpc::message(body)?),
        _ => test_permissions(state, grpc::message(body)?),
    }
}

/// A bucket's name of `projects/_/buckets/<name>`.
pub(super) fn name_of(resource: &str) -> Result<&str, Refusal> {
    let name = resource.strip_prefix("projects/_/buckets/").filter(|name| !name.is_empty() && !name.contains('/'));
    name.ok_or_else(|| Refusal::invalid(format!("Invalid bucket resource name: '{resource}'")))
}

/// A moment as a message.
pub(super) fn timestamp(ms: u64) -> Timestamp {
    let nanos = i32::try_from(ms % 1000).unwrap_or_default() * 1_000_000;
    Timestamp { seconds: (ms / 1000).cast_signed(), nanos }
}

/// The parent is `projects/_`, and the bucket names its project; or the other way round.
fn create(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    request: api::CreateBucketRequest,
) -> Result<Response<Bytes>, Refusal> {
    let api::CreateBucketRequest {
        parent,
        bucket,
        bucket_id,
        predefined_acl,
        predefined_default_object_acl,
        enable_object_retention,
    } = request;
    if !predefined_acl.is_empty() || !predefined_default_object_acl.is_empty() || enable_object_retention {
        return Err(Refusal::unserved("access control lists and object retention of CreateBucket"));
    }
    let bucket = bucket.unwrap_or_default();
    let project = if ["", "projects/_"].contains(&parent.as_str()) { &bucket.project } else { &parent };
    let project = project.strip_prefix("projects/").filter(|project| !project.is_empty());
    let project = project.ok_or_else(|| Refusal::invalid("The project of the bucket is missing."))?.to_owned();
    let labels = bucket.labels.clone();
    let mut change = change(bucket, &present)?;
    change.labels = Some(LabelChange::Replace(labels));
    let bucket = bucket::create(state, &project, &bucket_id, change, moment(call))?;
    Ok(grpc::answer(&described(&bucket)))
}

fn get(state: &Transaction<'_>, request: api::GetBucketRequest) -> Result<Response<Bytes>, Refusal> {
    let bucket = bucket::get(state, name_of(&request.name)?)?;
    let expected =
        Expected { matching: request.if_metageneration_match, not_matching: request.if_metageneration_not_match };
    expected.check(bucket.metageneration)?;
    Ok(grpc::answer(&described(&bucket)))
}

fn delete(state: &mut Transaction<'_>, request: api::DeleteBucketRequest) -> Result<Response<Bytes>, Refusal> {
    let expected =
        Expected { matching: request.if_metageneration_match, not_matching: request.if_metageneration_not_match };
    bucket::delete(state, name_of(&request.name)?, expected)?;
    Ok(grpc::answer(&()))
}

fn list(
    state: &Transaction<'_>,
    call: &Call<'_>,
    request: api::ListBucketsRequest,
) -> Result<Response<Bytes>, Refusal> {
    let project = request.parent.strip_prefix("projects/").unwrap_or_default();
    let buckets = bucket::list(state, project, &request.prefix, call.now_ms)?;
    let size = usize::try_from(request.page_size).ok().filter(|size| *size > 0).map_or(PAGE, |size| size.min(PAGE));
    let (buckets, next) = call::page(buckets, &request.page_token, size);
    Ok(grpc::answer(&api::ListBucketsResponse {
        buckets: buckets.iter().map(described).collect(),
        next_page_token: next.unwrap_or_default(),
        unreachable: Vec::new(),
    }))
}

fn update(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    request: api::UpdateBucketRequest,
) -> Result<Response<Bytes>, Refusal> {
    let api::UpdateBucketRequest {
        bucket,
        if_metageneration_match: matching,
        if_metageneration_not_match: not_matching,
        predefined_acl,
        predefined_default_object_acl,
        update_mask,
    } = request;
    if !predefined_acl.is_empty() || !predefined_default_object_acl.is_empty() {
        return Err(Refusal::unserved("access control lists of UpdateBucket"));
    }
    let bucket = bucket.ok_or_else(|| Refusal::invalid("The bucket is missing."))?;
    let mask = update_mask.filter(|mask| !mask.paths.is_empty());
    let mask = mask.ok_or_else(|| Refusal::invalid("The update mask must name at least one field."))?;
    let name = name_of(&bucket.name)?.to_owned();
    let change = masked(bucket, &mask)?;
    let bucket = bucket::update(state, &name, Expected { matching, not_matching }, change, moment(call))?;
    Ok(grpc::answer(&described(&bucket)))
}

/// The change of the fields that a mask names <https://google.aip.dev/161>. `labels` is all labels, `labels.<key>` one.
fn masked(bucket: api::Bucket, mask: &FieldMask) -> Result<Change, Refusal> {
    const KNOWN: [&str; 19] = [
        "storage_class",
        "labels",
        "cors",
        "versioning",
        "versioning.enabled",
        "soft_delete_policy",
        "soft_delete_policy.retention_duration",
        "encryption",
        "encryption.default_kms_key",
        "iam_config",
        "iam_config.uniform_bucket_level_access",
        "iam_config.uniform_bucket_level_access.enabled",
        "iam_config.public_access_prevention",
        "location",
        "billing",
        "billing.requester_pays",
        "ip_filter",
        "ip_filter.mode",
        "ip_filter.public_network_source",
    ];
    let unknown = |path: &&String| !KNOWN.contains(&path.as_str()) && !path.starts_with("labels.");
    if let Some(path) = mask.paths.iter().find(unknown) {
        return Err(Refusal::unserved(format!("`{path}` in the update mask of a bucket")));
    }
    let labels = bucket.labels.clone();
    let named = |field: &str, _: bool| {
        mask.paths.iter().any(|path| {
            path == field
                || field.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'))
                || path.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let mut change = change(bucket, &named)?;
    change.labels = label_change(labels, mask);
    Ok(change)
}

fn label_change(labels: BTreeMap<String, String>, mask: &FieldMask) -> Option<LabelChange> {
    if mask.paths.iter().any(|path| path == "labels") {
        return Some(LabelChange::Replace(labels));
    }
    let keys = mask.paths.iter().filter_map(|path| path.strip_prefix("labels."));
    let changes: BTreeMap<_, _> = keys
        // A key that is no identifier can be quoted.
        .map(|key| key.trim_matches('`'))
        .map(|key| (key.to_owned(), labels.get(key).cloned()))
        .collect();
    (!changes.is_empty()).then_some(LabelChange::Merge(changes))
}

/// In a create, a field counts if it is there.
fn present(_: &str, there: bool) -> bool {
    there
}

/// The first field in a request's bucket that this copy does not serve. Every field is named, so that a new one is not let
/// through unseen.
fn unserved(bucket: &api::Bucket) -> Option<&'static str> {
    let api::Bucket {
        rpo,
        acl,
        default_object_acl,
        lifecycle,
        default_event_based_hold,
        website,
        logging,
        retention_policy,
        custom_placement_config,
        autoclass,
        hierarchical_namespace,
        object_retention,
        // Served.
        location: _,
        storage_class: _,
        labels: _,
        cors: _,
        versioning: _,
        encryption: _,
        iam_config: _,
        soft_delete_policy: _,
        billing: _,
        ip_filter,
        // Set by the service alone.
        name: _,
        bucket_id: _,
        etag: _,
        project: _,
        metageneration: _,
        location_type: _,
        create_time: _,
        update_time: _,
        owner: _,
        satisfies_pzs: _,
    } = bucket;
    let fields = [
        ("rpo", !rpo.is_empty()),
        ("acl", !acl.is_empty()),
        ("default_object_acl", !default_object_acl.is_empty()),
        ("lifecycle", lifecycle.is_some()),
        ("default_event_based_hold", *default_event_based_hold),
        ("website", website.is_some()),
        ("logging", logging.is_some()),
        ("retention_policy", retention_policy.is_some()),
        ("custom_placement_config", custom_placement_config.is_some()),
        ("autoclass", autoclass.is_some()),
        ("hierarchical_namespace", hierarchical_namespace.is_some()),
        ("object_retention", object_retention.is_some()),
        (
            "vpc_network_sources of ip_filter",
            ip_filter.as_ref().is_some_and(|filter| !filter.vpc_network_sources.is_empty()),
        ),
    ];
    fields.into_iter().find(|(_, there)| *there).map(|(field, _)| field)
}

/// What a bucket in a request sets, of the fields that count: `counts` is asked with a field's path and whether it is
/// there. The labels' change depends on more than that.
fn change(bucket: api::Bucket, counts: &dyn Fn(&str, bool) -> bool) -> Result<Change, Refusal> {
    if let Some(field) = unserved(&bucket) {
        return Err(Refusal::unserved(format!("the field `{field}` of a bucket")));
    }
    let reach = reach_change(&bucket, counts);
    let api::Bucket { location, storage_class, cors, versioning, encryption, iam_config, soft_delete_policy, .. } =
        bucket;
    let iam = iam_config.unwrap_or_default();
    let uniform = iam.uniform_bucket_level_access;
    let prevention = iam.public_access_prevention;
    Ok(Change {
        location: counts("location", !location.is_empty()).then_some(location),
        storage_class: counts("storage_class", !storage_class.is_empty()).then_some(storage_class),
        labels: None,
        cors: counts("cors", !cors.is_empty()).then(|| cors.into_iter().map(rule).collect()),
        versioning: counts("versioning", versioning.is_some())
            .then(|| versioning.is_some_and(|versioning| versioning.enabled)),
        soft_delete_s: counts("soft_delete_policy", soft_delete_policy.is_some()).then(|| {
            soft_delete_policy.and_then(|policy| policy.retention_duration).map_or(0, |duration| duration.seconds)
        }),
        kms_key: counts("encryption", encryption.is_some()).then(|| encryption.unwrap_or_default().default_kms_key),
        uniform: counts("iam_config.uniform_bucket_level_access", uniform.is_some())
            .then(|| uniform.is_some_and(|uniform| uniform.enabled)),
        prevention: counts("iam_config.public_access_prevention", !prevention.is_empty()).then_some(prevention),
        reach,
    })
}

fn reach_change(bucket: &api::Bucket, counts: &dyn Fn(&str, bool) -> bool) -> ReachChange {
    let filter = bucket.ip_filter.clone().unwrap_or_default();
    let public = filter.public_network_source;
    let (mode, ranges) = ("ip_filter.mode", "ip_filter.public_network_source");
    ReachChange {
        requester_pays: counts("billing", bucket.billing.is_some())
            .then(|| bucket.billing.is_some_and(|billing| billing.requester_pays)),
        filter_mode: counts(mode, filter.mode.is_some()).then(|| filter.mode.unwrap_or_default()),
        ranges: counts(ranges, public.is_some()).then(|| public.unwrap_or_default().allowed_ip_cidr_ranges),
    }
}

fn rule(rule: api::bucket::Cors) -> Cors {
    let api::bucket::Cors { origin, method, response_header, max_age_seconds } = rule;
    Cors { origin, method, response_header, max_age_seconds: (max_age_seconds != 0).then_some(max_age_seconds) }
}

fn described(bucket: &Bucket) -> api::Bucket {
    let uniform = api::bucket::iam_config::UniformBucketLevelAccess {
        enabled: bucket.uniform,
        lock_time: bucket.uniform_lock_ms().map(timestamp),
    };
    let soft_delete = api::bucket::SoftDeletePolicy {
        retention_duration: Some(Duration { seconds: bucket.soft_delete_s, nanos: 0 }),
        effective_time: (bucket.soft_delete_s > 0).then(|| timestamp(bucket.soft_delete_from_ms)),
    };
    let encryption =
        || api::bucket::Encryption { default_kms_key: bucket.kms_key.clone(), ..api::bucket::Encryption::default() };
    let public = || api::bucket::ip_filter::PublicNetworkSource { allowed_ip_cidr_ranges: bucket.reach.ranges.clone() };
    let filter = || api::bucket::IpFilter {
        mode: Some(bucket.reach.filter_mode.clone()),
        public_network_source: Some(public()),
        ..api::bucket::IpFilter::default()
    };
    api::Bucket {
        name: format!("projects/_/buckets/{}", bucket.name),
        bucket_id: bucket.name.clone(),
        etag: bucket.etag(),
        project: format!("projects/{}", bucket.project),
        metageneration: bucket.metageneration,
        location: bucket.location.clone(),
        location_type: bucket.location_type().to_owned(),
        storage_class: bucket.storage_class.clone(),
        rpo: if bucket.location_type() == "multi-region" { "DEFAULT".to_owned() } else { String::new() },
        create_time: Some(timestamp(bucket.created_ms)),
        update_time: Some(timestamp(bucket.updated_ms)),
        cors: bucket.cors.iter().map(described_rule).collect(),
        labels: bucket.labels.written().clone(),
        versioning: bucket.versioning.map(|enabled| api::bucket::Versioning { enabled }),
        encryption: (!bucket.kms_key.is_empty()).then(encryption),
        iam_config: Some(api::bucket::IamConfig {
            uniform_bucket_level_access: Some(uniform),
            public_access_prevention: bucket.prevention.text().to_owned(),
        }),
        soft_delete_policy: Some(soft_delete),
        billing: bucket.reach.requester_pays.then_some(api::bucket::Billing { requester_pays: true }),
        ip_filter: (!bucket.reach.filter_mode.is_empty()).then(filter),
        ..api::Bucket::default()
    }
}

fn described_rule(rule: &Cors) -> api::bucket::Cors {
    api::bucket::Cors {
        origin: rule.origin.clone(),
        method: rule.method.clone(),
        response_header: rule.response_header.clone(),
        max_age_seconds: rule.max_age_seconds.unwrap_or_default(),
    }
}

fn get_policy(state: &Transaction<'_>, request: iam::GetIamPolicyRequest) -> Result<Response<Bytes>, Refusal> {
    let bucket = bucket::get(state, name_of(&request.resource)?)?;
    let version = request.options.map_or(0, |options| options.requested_policy_version);
    described_policy(bucket.policy(version)?)
}

fn set_policy(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    request: iam::SetIamPolicyRequest,
) -> Result<Response<Bytes>, Refusal> {
    let policy = request.policy.ok_or_else(|| Refusal::invalid("The policy is missing."))?;
    if !policy.audit_configs.is_empty() {
        return Err(Refusal::unserved("the field `audit_configs` of a policy"));
    }
    let mask = request.update_mask.unwrap_or_default();
    check_mask(mask.paths.iter().map(String::as_str))?;
    // Over gRPC an etag is bytes; what is stored is their form in JSON.
    let etag = data_encoding::BASE64.encode(&policy.etag);
    let policy = Policy::new(policy.version, policy.bindings.into_iter().map(binding).collect(), etag);
    let name = name_of(&request.resource)?;
    let bucket = bucket::set_policy(state, name, policy, call.now_ms, call.delay("storage.iam"))?;
    described_policy(bucket.policy(3)?)
}

fn binding(binding: iam::Binding) -> Binding {
    let condition = binding.condition.map(|Expr { expression, title, description, location }| Condition {
        title,
        description,
        expression,
        location,
    });
    Binding { role: binding.role, members: binding.members, condition }
}

fn described_policy(policy: Policy) -> Result<Response<Bytes>, Refusal> {
    let etag = data_encoding::BASE64.decode(policy.etag.as_bytes());
    let etag = etag.map_err(|error| Refusal::invalid(error.to_string()))?;
    let bindings = policy.bindings.into_iter().map(|binding| iam::Binding {
        role: binding.role,
        members: binding.members,
        condition: binding.condition.map(|condition| Expr {
            expression: condition.expression,
            title: condition.title,
            description: condition.description,
            location: condition.location,
        }),
    });
    let policy = iam::Policy { version: policy.version, bindings: bindings.collect(), audit_configs: Vec::new(), etag };
    Ok(grpc::answer(&policy))
}

fn test_permissions(
    state: &Transaction<'_>,
    request: iam::TestIamPermissionsRequest,
) -> Result<Response<Bytes>, Refusal> {
    bucket::get(state, name_of(&request.resource)?)?;
    Ok(grpc::answer(&iam::TestIamPermissionsResponse { permissions: request.permissions }))
}

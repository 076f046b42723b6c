//! Buckets over the JSON API <https://cloud.google.com/storage/docs/json_api/v1/buckets>.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::super::organization;
use super::bucket::{self, Bucket, Change, Expected, LabelChange, Moment};
use super::cors::Cors;
use super::reach::ReachChange;
use crate::google::call::{self, Call};
use crate::google::policy::Policy;
use crate::google::project::{self, timestamp};
use crate::google::refusal::Refusal;
use crate::google::rights;
use crate::state::Transaction;

/// Buckets in one page of a listing <https://cloud.google.com/storage/docs/json_api/v1/buckets/list#parameters>.
const PAGE: usize = 1000;

/// A bucket as a request writes it. A patch removes what it sets to null.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Body {
    name: Option<String>,
    location: Option<String>,
    storage_class: Option<String>,
    labels: Field<BTreeMap<String, Option<String>>>,
    cors: Field<Vec<Cors>>,
    versioning: Field<Versioning>,
    soft_delete_policy: Field<SoftDelete>,
    encryption: Field<Encryption>,
    iam_configuration: Option<IamConfiguration>,
    billing: Field<Billing>,
    ip_filter: Field<IpFilter>,
    // What the sandbox does not serve, by name.
    acl: Option<Value>,
    default_object_acl: Option<Value>,
    lifecycle: Option<Value>,
    website: Option<Value>,
    logging: Option<Value>,
    retention_policy: Option<Value>,
    default_event_based_hold: Option<Value>,
    rpo: Option<Value>,
    autoclass: Option<Value>,
    hierarchical_namespace: Option<Value>,
    custom_placement_config: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Versioning {
    enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Billing {
    requester_pays: Option<bool>,
}

/// The networks of the project's own that a filter may name are not served.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct IpFilter {
    mode: Option<String>,
    public_network_source: Option<PublicNetwork>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PublicNetwork {
    allowed_ip_cidr_ranges: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SoftDelete {
    retention_duration_seconds: Option<Integer>,
    #[serde(rename = "effectiveTime")]
    _effective_time: Option<String>,
}

/// 64-bit integers are text in JSON, and numbers are taken too
/// <https://protobuf.dev/programming-guides/json/>.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Text(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Encryption {
    default_kms_key_name: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct IamConfiguration {
    uniform_bucket_level_access: Option<Uniform>,
    /// The same under its former name.
    bucket_policy_only: Option<Uniform>,
    public_access_prevention: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Uniform {
    enabled: Option<bool>,
    #[serde(rename = "lockedTime")]
    _locked_time: Option<String>,
}

/// A field of a patch: null is not the same as being left out.
#[derive(Debug, Default)]
enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    /// What is set: a value, or what null stands for.
    fn set<U>(self, value: impl FnOnce(T) -> U, null: U) -> Option<U> {
        match self {
            Self::Absent => None,
            Self::Null => Some(null),
            Self::Value(given) => Some(value(given)),
        }
    }

    /// The same of a part of it, which may be left out too.
    fn set_part<U>(self, part: impl FnOnce(T) -> Option<U>, null: U) -> Option<U> {
        match self {
            Self::Absent => None,
            Self::Null => Some(null),
            Self::Value(given) => part(given),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(field)?.map_or(Self::Null, Self::Value))
    }
}

impl Integer {
    fn value(self) -> Result<i64, Refusal> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| Refusal::invalid(format!("Invalid integer: {text}"))),
        }
    }
}

impl Body {
    /// The fields that are not served, and are there.
    fn unserved(&self) -> Option<&'static str> {
        let fields = [
            ("acl", &self.acl),
            ("defaultObjectAcl", &self.default_object_acl),
            ("lifecycle", &self.lifecycle),
            ("website", &self.website),
            ("logging", &self.logging),
            ("retentionPolicy", &self.retention_policy),
            ("defaultEventBasedHold", &self.default_event_based_hold),
            ("rpo", &self.rpo),
            ("autoclass", &self.autoclass),
            ("hierarchicalNamespace", &self.hierarchical_namespace),
            ("customPlacementConfig", &self.custom_placement_config),
        ];
        let says_nothing = |value: &Value| match value {
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            // What every bucket in more than one region has.
            Value::String(text) => text == "DEFAULT",
            value => value.is_null(),
        };
        fields.iter().find(|(_, value)| value.as_ref().is_some_and(|value| !says_nothing(value))).map(|(name, _)| *name)
    }

    fn change(self) -> Result<Change, Refusal> {
        if let Some(field) = self.unserved() {
            return Err(Refusal::unserved(format!("the field `{field}` of a bucket")));
        }
        let iam = self.iam_configuration.unwrap_or_default();
        let uniform = iam.uniform_bucket_level_access.or(iam.bucket_policy_only);
        let soft_delete = |policy: SoftDelete| policy.retention_duration_seconds.map(Integer::value);
        let key = |encryption: Encryption| encryption.default_kms_key_name.set(|key| key, String::new());
        let (filter_mode, ranges) = match self.ip_filter {
            Field::Absent => (None, None),
            Field::Null => (Some(String::new()), Some(Vec::new())),
            Field::Value(filter) => {
                (filter.mode, filter.public_network_source.map(|public| public.allowed_ip_cidr_ranges))
            }
        };
        let requester_pays = self.billing.set_part(|billing| billing.requester_pays, false);
        Ok(Change {
            location: self.location,
            storage_class: self.storage_class,
            labels: self.labels.set(LabelChange::Merge, LabelChange::Replace(BTreeMap::new())),
            cors: self.cors.set(|cors| cors, Vec::new()),
            versioning: self.versioning.set_part(|versioning| versioning.enabled, false),
            soft_delete_s: self.soft_delete_policy.set_part(soft_delete, Ok(0)).transpose()?,
            kms_key: self.encryption.set_part(key, String::new()),
            uniform: uniform.and_then(|uniform| uniform.enabled),
            prevention: iam.public_access_prevention,
            reach: ReachChange { requester_pays, filter_mode, ranges },
        })
    }
}

/// Requests for buckets and their policies.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.verb() {
        "buckets.insert" => insert(state, call),
        "buckets.list" => list(state, call),
        "buckets.get" => get(state, call),
        "buckets.patch" => patch(state, call),
        "buckets.delete" => {
            call.takes(&["ifMetagenerationMatch", "ifMetagenerationNotMatch"])?;
            bucket::delete(state, call.name(0), expected(call)?).map(|()| Value::Null)
        }
        "buckets.getStorageLayout" => layout(state, call),
        // There are none, and none can be made.
        "managedFolders.list" => bucket::get(state, call.name(0)).map(|_| json!({ "kind": "storage#managedFolders" })),
        "buckets.getIamPolicy" => get_policy(state, call),
        "buckets.setIamPolicy" => set_policy(state, call),
        "buckets.testIamPermissions" => test_permissions(state, call),
        "projects.serviceAccount.get" => service_account(state, call),
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

/// When a request's changes happen.
pub(in crate::google) fn moment(call: &Call<'_>) -> Moment {
    Moment { now_ms: call.now_ms, labels_delay_ms: call.delay("storage.labels") }
}

fn expected(call: &Call<'_>) -> Result<Expected, Refusal> {
    Ok(Expected {
        matching: call.number("ifMetagenerationMatch")?,
        not_matching: call.number("ifMetagenerationNotMatch")?,
    })
}

/// The body, without what only the service sets: clients send back what they read.
fn body(call: &Call<'_>) -> Result<Body, Refusal> {
    const OUTPUT: [&str; 14] = [
        "kind",
        "id",
        "selfLink",
        "projectNumber",
        "timeCreated",
        "updated",
        "metageneration",
        "generation",
        "etag",
        "locationType",
        "owner",
        "softDeleteTime",
        "hardDeleteTime",
        "satisfiesPZS",
    ];
    let mut fields: Map<String, Value> = call.json()?;
    fields.retain(|name, _| !OUTPUT.contains(&name.as_str()));
    call::json(Value::Object(fields).to_string().as_bytes())
}

fn insert(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["project", "enableObjectRetention"])?;
    let project = call.parameter("project").ok_or_else(|| Refusal::invalid("Required parameter: project"))?;
    organization::permit_bucket(state, project, &call.json()?)?;
    let mut body = body(call)?;
    let name = body.name.take().ok_or_else(|| Refusal::invalid("Required"))?;
    let bucket = bucket::create(state, project, &name, body.change()?, moment(call))?;
    shown(state, &bucket, call)
}

fn get(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["ifMetagenerationMatch", "ifMetagenerationNotMatch"])?;
    let bucket = bucket::get(state, call.name(0))?;
    expected(call)?.check(bucket.metageneration)?;
    shown(state, &bucket, call)
}

fn patch(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["ifMetagenerationMatch", "ifMetagenerationNotMatch"])?;
    let mut body = body(call)?;
    if body.name.take().is_some_and(|name| name != call.name(0)) {
        return Err(Refusal::invalid("The name of a bucket cannot be changed."));
    }
    let bucket = bucket::update(state, call.name(0), expected(call)?, body.change()?, moment(call))?;
    shown(state, &bucket, call)
}

fn list(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["project", "prefix", "pageToken", "maxResults", "returnPartialSuccess", "softDeleted"])?;
    let project = call.parameter("project").ok_or_else(|| Refusal::invalid("Required parameter: project"))?;
    let buckets = bucket::list(state, project, call.parameter("prefix").unwrap_or_default(), call.now_ms)?;
    let size = call.number("maxResults")?.unwrap_or(PAGE).clamp(1, PAGE);
    let (buckets, next) = call::page(buckets, call.parameter("pageToken").unwrap_or_default(), size);
    let items = buckets.iter().map(|bucket| shown(state, bucket, call)).collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({ "kind": "storage#buckets", "items": items });
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}

/// A bucket as its caller may see it: reading the bucket "alone does not allow you to read IAM policies or IP filtering rules"
/// <https://cloud.google.com/storage/docs/access-control/iam-permissions#buckets>.
fn shown(state: &Transaction<'_>, bucket: &Bucket, call: &Call<'_>) -> Result<Value, Refusal> {
    let mut described = described(bucket, call);
    if !rights::holds(state, call, "storage.buckets.getIpFilter")?
        && let Some(fields) = described.as_object_mut()
    {
        fields.remove("ipFilter");
    }
    Ok(described)
}

/// A bucket <https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>. Empty fields are absent.
fn described(bucket: &Bucket, call: &Call<'_>) -> Value {
    let mut described = json!({
        "kind": "storage#bucket",
        "id": bucket.name,
        "name": bucket.name,
        "selfLink": format!("{}/storage/v1/b/{}", call.address, bucket.name),
        "projectNumber": bucket.project.to_string(),
        "generation": bucket.generation.to_string(),
        "metageneration": bucket.metageneration.to_string(),
        "etag": bucket.etag(),
        "location": bucket.location,
        "locationType": bucket.location_type(),
        "storageClass": bucket.storage_class,
        "timeCreated": timestamp(bucket.created_ms),
        "updated": timestamp(bucket.updated_ms),
        "softDeletePolicy": soft_delete(bucket),
        "iamConfiguration": iam_configuration(bucket),
    });
    if !bucket.labels.written().is_empty() {
        described["labels"] = json!(bucket.labels.written());
    }
    if !bucket.cors.is_empty() {
        described["cors"] = json!(bucket.cors);
    }
    if let Some(enabled) = bucket.versioning {
        described["versioning"] = json!({ "enabled": enabled });
    }
    if !bucket.kms_key.is_empty() {
        described["encryption"] = json!({ "defaultKmsKeyName": bucket.kms_key });
    }
    if bucket.reach.requester_pays {
        described["billing"] = json!({ "requesterPays": true });
    }
    if !bucket.reach.filter_mode.is_empty() {
        let public = json!({ "allowedIpCidrRanges": bucket.reach.ranges });
        described["ipFilter"] = json!({ "mode": bucket.reach.filter_mode, "publicNetworkSource": public });
    }
    if bucket.location_type() == "multi-region" {
        described["rpo"] = json!("DEFAULT");
    }
    described
}

fn soft_delete(bucket: &Bucket) -> Value {
    if bucket.soft_delete_s == 0 {
        return json!({ "retentionDurationSeconds": "0" });
    }
    let effective = timestamp(bucket.soft_delete_from_ms);
    json!({ "retentionDurationSeconds": bucket.soft_delete_s.to_string(), "effectiveTime": effective })
}

fn iam_configuration(bucket: &Bucket) -> Value {
    let mut uniform = json!({ "enabled": bucket.uniform });
    if let Some(lock_ms) = bucket.uniform_lock_ms() {
        uniform["lockedTime"] = json!(timestamp(lock_ms));
    }
    json!({
        "uniformBucketLevelAccess": uniform,
        "bucketPolicyOnly": uniform,
        "publicAccessPrevention": bucket.prevention.text(),
    })
}

/// Where a bucket is, and that its objects are in no folders
/// <https://cloud.google.com/storage/docs/json_api/v1/buckets/getStorageLayout>.
fn layout(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["prefix"])?;
    let bucket = bucket::get(state, call.name(0))?;
    Ok(json!({
        "kind": "storage#storageLayout",
        "bucket": bucket.name,
        "location": bucket.location,
        "locationType": bucket.location_type(),
        "hierarchicalNamespace": { "enabled": false },
    }))
}

fn get_policy(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["optionsRequestedPolicyVersion"])?;
    let bucket = bucket::get(state, call.name(0))?;
    let policy = bucket.policy(call.number("optionsRequestedPolicyVersion")?.unwrap_or(1))?;
    Ok(policy_of(&bucket.name, policy))
}

fn policy_of(bucket: &str, policy: Policy) -> Value {
    let mut described = json!(policy);
    described["kind"] = json!("storage#policy");
    described["resourceId"] = json!(format!("projects/_/buckets/{bucket}"));
    described
}

fn set_policy(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let policy: Policy = call.json()?;
    let bucket = bucket::set_policy(state, call.name(0), policy, call.now_ms, call.delay("storage.iam"))?;
    Ok(policy_of(&bucket.name, bucket.policy(3)?))
}

/// Of what is asked for, what the caller has.
fn test_permissions(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&["permissions"])?;
    bucket::get(state, call.name(0))?;
    let asked = call.query.iter().filter(|(name, _)| name == "permissions").map(|(_, value)| value.clone());
    let mut answer = json!({ "kind": "storage#testIamPermissionsResponse" });
    let held = rights::held(state, call, asked.collect())?;
    if !held.is_empty() {
        answer["permissions"] = json!(held);
    }
    Ok(answer)
}

/// <https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get>
fn service_account(state: &Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    call.takes(&[])?;
    let unknown = || Refusal::invalid(format!("Unknown project id: {}", call.name(0)));
    let project = project::find(state, call.name(0))?.ok_or_else(unknown)?;
    Ok(json!({ "kind": "storage#serviceAccount", "email_address": project::storage_agent(project.number) }))
}

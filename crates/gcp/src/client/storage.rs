//! Calls of Cloud Storage for buckets and what is in them <https://cloud.google.com/storage/docs/json_api/v1>.

use provision_core::Error;
use provision_core::mark::{TagChanges, Tags};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::expected::{Listed, Named, Page, named, nothing, page, permissions};
use crate::client::iam::Policy;
use crate::client::json::{Int64, encoded, page_parameter};
use crate::client::{PAGE, POLICY_VERSION, Pages, Reader, Writer};
use crate::error::{Call, absent, conditional};

/// A bucket <https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) project_number: String,
    pub(crate) metageneration: Int64,
    pub(crate) location: String,
    pub(crate) storage_class: String,
    pub(crate) labels: Tags,
    pub(crate) cors: Vec<Cors>,
    pub(crate) versioning: Option<Versioning>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) iam_configuration: IamConfiguration,
    pub(crate) soft_delete_policy: Option<SoftDeletePolicy>,
    pub(crate) billing: Option<Billing>,
    pub(crate) ip_filter: Option<IpFilter>,
}

/// What is written of a bucket: what is left out stays as it is, and what is `null` is taken off
/// <https://cloud.google.com/storage/docs/json_api#patch>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BucketChanges {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    #[serde(skip_serializing_if = "TagChanges::is_empty")]
    pub(crate) labels: TagChanges,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cors: Option<Vec<Cors>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) versioning: Option<Versioning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<Encryption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iam_configuration: Option<IamConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) soft_delete_policy: Option<SoftDeletePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) billing: Option<Billing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip_filter: Option<IpFilter>,
}

/// A rule <https://cloud.google.com/storage/docs/json_api/v1/buckets#cors>. One of others is written as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Cors {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) origin: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) method: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) response_header: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_seconds: Option<i64>,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// <https://cloud.google.com/storage/docs/object-versioning>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Versioning {
    pub(crate) enabled: bool,
}

/// <https://cloud.google.com/storage/docs/encryption/customer-managed-keys>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Encryption {
    /// `null` is how it is taken off.
    pub(crate) default_kms_key_name: Option<String>,
}

/// Who can be let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IamConfiguration {
    /// <https://cloud.google.com/storage/docs/uniform-bucket-level-access>
    pub(crate) uniform_bucket_level_access: UniformBucketLevelAccess,
    /// <https://cloud.google.com/storage/docs/public-access-prevention>
    pub(crate) public_access_prevention: String,
}

/// Whether policies alone say who may what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UniformBucketLevelAccess {
    pub(crate) enabled: bool,
}

/// <https://cloud.google.com/storage/docs/soft-delete>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SoftDeletePolicy {
    pub(crate) retention_duration_seconds: Int64,
}

/// <https://cloud.google.com/storage/docs/requester-pays>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Billing {
    pub(crate) requester_pays: bool,
}

/// <https://cloud.google.com/storage/docs/ip-filtering-overview>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct IpFilter {
    pub(crate) mode: String,
}

/// A generation of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Version {
    #[serde(rename = "name")]
    pub(crate) object: String,
    pub(crate) generation: Int64,
    /// In bytes.
    pub(crate) size: Int64,
    /// What its writer said of it; only where it is asked for.
    pub(crate) metadata: Tags,
}

/// A page of generations.
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<Version>,
    /// The size of all of them.
    pub(crate) bytes: u64,
    pub(crate) more: bool,
}

/// Without its metageneration it could be written over what others write meanwhile.
impl Named for Bucket {
    fn name(&self) -> &str {
        if self.metageneration == Int64::default() { "" } else { &self.name }
    }
}

impl Listed for Bucket {
    const ITEMS: &'static str = "items";
    const KIND: Option<&'static str> = Some("storage#buckets");

    fn id(&self) -> &str {
        &self.name
    }
}

/// Of one without its generation another one would be deleted.
impl Listed for Version {
    const ITEMS: &'static str = "items";
    const KIND: Option<&'static str> = Some("storage#objects");

    fn id(&self) -> &str {
        if self.generation == Int64::default() { "" } else { &self.object }
    }
}

/// The path of a bucket.
pub(super) fn bucket_path(bucket: &str) -> String {
    format!("/storage/v1/b/{}", encoded(bucket))
}

impl Reader {
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/get>
    pub(crate) async fn get_bucket(&self, bucket: &str) -> Result<Option<Bucket>, Error> {
        let call = Call::new("GET", "storage.buckets.get", bucket_path(bucket), format!("look at bucket `{bucket}`"));
        absent(self.clients.send(&self.clients.storage, &call, |answer| named(answer, bucket)).await)
    }

    /// Names and labels of every bucket of a project <https://cloud.google.com/storage/docs/json_api/v1/buckets/list>.
    pub(crate) async fn list_buckets(&self, project: &str) -> Result<Vec<Bucket>, Error> {
        let call = |pages: &Pages| {
            let (project, page) = (encoded(project), page_parameter(&pages.token));
            let fields = "fields=kind,nextPageToken,items(name,labels)";
            let path = format!("/storage/v1/b?project={project}&maxResults={PAGE}&{fields}{page}");
            Call::new("GET", "storage.buckets.list", path, "list the project's buckets".to_owned())
        };
        self.clients.list(&self.clients.storage, call).await
    }

    /// The next page of generations, live and noncurrent, of objects whose names begin so; with what their writers say of them
    /// where not all are asked for <https://cloud.google.com/storage/docs/json_api/v1/objects/list>.
    pub(crate) async fn list_versions(
        &self,
        bucket: &str,
        prefix: Option<&str>,
        pages: &mut Pages,
    ) -> Result<Option<VersionPage>, Error> {
        let (place, next) = (bucket_path(bucket), page_parameter(&pages.token));
        let (said, prefix) = match prefix {
            Some(prefix) => (",metadata", format!("&prefix={}", encoded(prefix))),
            None => ("", String::new()),
        };
        let fields = format!("fields=kind,nextPageToken,items(name,generation,size{said})");
        let path = format!("{place}/o?versions=true&maxResults={PAGE}&{fields}{prefix}{next}");
        let call = Call::new("GET", "storage.objects.list", path, format!("list the content of bucket `{bucket}`"));
        let found = absent(self.clients.send(&self.clients.storage, &call, page::<Version>).await)?;
        let Some(Page { items, next }) = found else { return Ok(None) };
        let more = pages.turn(&call, next)?;
        let sizes = items.iter().filter_map(|Version { size: Int64(size), .. }| u64::try_from(*size).ok());
        let bytes = sizes.fold(0, u64::saturating_add);
        Ok(Some(VersionPage { versions: items, bytes, more }))
    }

    /// Which of these permissions the caller has
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/testIamPermissions>.
    pub(crate) async fn check_bucket_permissions(&self, bucket: &str, asked: &[&str]) -> Result<Vec<String>, Error> {
        const KIND: Option<&str> = Some("storage#testIamPermissionsResponse");
        let query: Vec<_> = asked.iter().map(|permission| format!("permissions={permission}")).collect();
        let path = format!("{}/iam/testPermissions?{}", bucket_path(bucket), query.join("&"));
        let tried = format!("ask what these credentials may do with bucket `{bucket}`");
        let call = Call::new("GET", "storage.buckets.testIamPermissions", path, tried);
        self.clients.send(&self.clients.storage, &call, |answer| permissions(answer, KIND)).await
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>
    pub(crate) async fn get_bucket_policy(&self, bucket: &str) -> Result<Policy, Error> {
        let path = format!("{}/iam?optionsRequestedPolicyVersion={POLICY_VERSION}", bucket_path(bucket));
        let tried = format!("read the policy of bucket `{bucket}`");
        let call = Call::new("GET", "storage.buckets.getIamPolicy", path, tried);
        self.clients.send(&self.clients.storage, &call, Policy::of).await
    }
}

impl Writer {
    /// With labels and every setting in the same call <https://cloud.google.com/storage/docs/json_api/v1/buckets/insert>.
    pub(crate) async fn create_bucket(
        &self,
        project: &str,
        bucket: &str,
        settings: &BucketChanges,
    ) -> Result<(), Error> {
        let mut body = json!(settings);
        body["name"] = json!(bucket);
        let path = format!("/storage/v1/b?project={}", encoded(project));
        let call =
            Call::new("POST", "storage.buckets.create", path, format!("create bucket `{bucket}`")).with_body(body);
        let read = |answer| named::<Bucket>(answer, bucket);
        self.clients().send(&self.clients().storage, &call, read).await.map(|_| ())
    }

    /// If the metageneration is still the bucket's; access lists, which an answer has by default, take a right of their own
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/patch>.
    pub(crate) async fn update_bucket(
        &self,
        bucket: &str,
        changes: &BucketChanges,
        Int64(metageneration): Int64,
    ) -> Result<(), Error> {
        let path = format!("{}?ifMetagenerationMatch={metageneration}&projection=noAcl", bucket_path(bucket));
        let tried = format!("write settings of bucket `{bucket}`");
        let operation = match changes.ip_filter {
            Some(_) => "storage.buckets.update.ipFilter",
            None => "storage.buckets.update",
        };
        let call = Call::new("PATCH", operation, path, tried).with_body(json!(changes));
        let read = |answer| named::<Bucket>(answer, bucket);
        conditional(self.clients().send(&self.clients().storage, &call, read).await).map(|_| ())
    }

    /// If the metageneration is still the bucket's <https://cloud.google.com/storage/docs/json_api/v1/buckets/delete>.
    pub(crate) async fn delete_bucket(&self, bucket: &str, Int64(metageneration): Int64) -> Result<(), Error> {
        let path = format!("{}?ifMetagenerationMatch={metageneration}", bucket_path(bucket));
        let call = Call::new("DELETE", "storage.buckets.delete", path, format!("delete bucket `{bucket}`"));
        absent(self.clients().send(&self.clients().storage, &call, nothing).await).map(|_| ())
    }

    /// One generation <https://cloud.google.com/storage/docs/json_api/v1/objects/delete>.
    pub(crate) async fn delete_version(&self, bucket: &str, version: &Version) -> Result<(), Error> {
        let Version { object, generation: Int64(generation), .. } = version;
        let path = format!("{}/o/{}?generation={generation}", bucket_path(bucket), encoded(object));
        let tried = format!("delete object `{object}` of bucket `{bucket}`");
        let call = Call::new("DELETE", "storage.objects.delete", path, tried);
        absent(self.clients().send(&self.clients().storage, &call, nothing).await).map(|_| ())
    }

    /// The whole policy, if its etag is still the bucket's
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.
    pub(crate) async fn set_bucket_policy(&self, bucket: &str, policy: &Policy) -> Result<(), Error> {
        let path = format!("{}/iam", bucket_path(bucket));
        let tried = format!("write the policy of bucket `{bucket}`");
        let call = Call::new("PUT", "storage.buckets.setIamPolicy", path, tried).with_body(json!(policy));
        conditional(self.clients().send(&self.clients().storage, &call, Policy::of).await).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_without_its_metageneration_is_none() {
        let read = |answer: Value| named::<Bucket>(answer, "b").is_ok();
        assert!(read(json!({"name": "b", "metageneration": "1"})));
        assert!(!read(json!({"name": "b"})) && !read(json!({"name": "c", "metageneration": "1"})) && !read(json!({})));
    }

    #[test]
    fn only_what_is_said_is_written_and_what_is_taken_off_is_null() {
        let labels = TagChanges::from([("a".to_owned(), Some("b".to_owned())), ("gone".to_owned(), None)]);
        let changes = BucketChanges { labels, encryption: Some(Encryption::default()), ..BucketChanges::default() };
        let written = json!({"labels": {"a": "b", "gone": null}, "encryption": {"defaultKmsKeyName": null}});
        assert_eq!(json!(changes), written);
        assert_eq!(json!(BucketChanges { cors: Some(Vec::new()), ..BucketChanges::default() }), json!({"cors": []}));
        assert_eq!(json!(BucketChanges::default()), json!({}));
    }

    #[test]
    fn rules_of_others_are_written_as_they_were_read() {
        let rule = json!({"origin": ["*"], "method": ["GET", "GET"], "maxAgeSeconds": 0, "newer": [1]});
        assert_eq!(json!(serde_json::from_value::<Cors>(rule.clone()).unwrap()), rule);
    }
}

//! Calls of Cloud Storage over gRPC <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2>.

use google_cloud_iam_v1::model::{Policy, SetIamPolicyRequest};
pub(crate) use google_cloud_storage::model::Bucket;
pub(crate) use google_cloud_storage::model::bucket::iam_config::UniformBucketLevelAccess;
pub(crate) use google_cloud_storage::model::bucket::{
    Billing, Cors, Encryption, IamConfig, IpFilter, SoftDeletePolicy, Versioning,
};
use google_cloud_storage::model::{
    CreateBucketRequest, DeleteBucketRequest, DeleteObjectRequest, GetBucketRequest, ListBucketsRequest,
    ListObjectsRequest, Object, UpdateBucketRequest,
};
use google_cloud_wkt::FieldMask;
use provision_core::Error;

use crate::client::{PAGE, Pages, Reader, Writer, policy_request};
use crate::error::{Call, absent, conditional};
use crate::names::bucket_name;

/// A generation of an object.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) object: String,
    pub(crate) generation: i64,
}

/// A page of generations.
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<Version>,
    /// The size of all of them.
    pub(crate) bytes: u64,
    pub(crate) more: bool,
}

impl Reader {
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#getbucketrequest>
    pub(crate) async fn get_bucket(&self, bucket: &str) -> Result<Option<Bucket>, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.get", &name, format!("look at bucket `{bucket}`"));
        let request = GetBucketRequest::new().set_name(&name);
        let send = |request| self.clients.storage.get_bucket().with_request(request).send();
        absent(self.clients.send(&call, request, send).await)
    }

    /// Every bucket of a project <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#listbucketsrequest>.
    pub(crate) async fn list_buckets(&self, project: &str) -> Result<Vec<Bucket>, Error> {
        let (parent, mut pages, mut found) = (format!("projects/{project}"), Pages::default(), Vec::new());
        loop {
            let call = Call::grpc("storage.buckets.list", &parent, "list the project's buckets".to_owned());
            let request =
                ListBucketsRequest::new().set_parent(&parent).set_page_size(PAGE).set_page_token(&pages.token);
            let send = |request| self.clients.storage.list_buckets().with_request(request).send();
            let page = self.clients.send(&call, request, send).await?;
            found.extend(page.buckets);
            if !pages.turn(&call, page.next_page_token)? {
                return Ok(found);
            }
        }
    }

    /// The next page of generations, live and noncurrent
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#listobjectsrequest>.
    pub(crate) async fn list_versions(&self, bucket: &str, pages: &mut Pages) -> Result<Option<VersionPage>, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.objects.list", &name, format!("list the content of bucket `{bucket}`"));
        let request = ListObjectsRequest::new().set_parent(&name).set_versions(true).set_page_size(PAGE);
        let request = request.set_page_token(&pages.token);
        let send = |request| self.clients.storage.list_objects().with_request(request).send();
        let Some(page) = absent(self.clients.send(&call, request, send).await)? else { return Ok(None) };
        let more = pages.turn(&call, page.next_page_token)?;
        let sizes = page.objects.iter().filter_map(|object| u64::try_from(object.size).ok());
        let bytes = sizes.fold(0, u64::saturating_add);
        let version = |object: Object| Version { object: object.name, generation: object.generation };
        Ok(Some(VersionPage { versions: page.objects.into_iter().map(version).collect(), bytes, more }))
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy>, over the control service
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.control.v2>.
    pub(crate) async fn get_bucket_policy(&self, bucket: &str) -> Result<Policy, Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.getIamPolicy", &name, format!("read the policy of bucket `{bucket}`"));
        let send = |request| self.clients.storage.get_iam_policy().with_request(request).send();
        self.clients.send(&call, policy_request(&name), send).await
    }
}

impl Writer {
    /// With labels and every setting in the same call
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#createbucketrequest>.
    pub(crate) async fn create_bucket(&self, bucket: &str, settings: &Bucket) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.create", &name, format!("create bucket `{bucket}`"));
        let request = CreateBucketRequest::new().set_parent("projects/_").set_bucket_id(bucket);
        let request = request.set_bucket(settings.clone());
        let send = |request| self.clients().storage.create_bucket().with_request(request).send();
        self.clients().send(&call, request, send).await.map(|_| ())
    }

    /// Only what the mask names, if the metageneration is still the bucket's
    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#updatebucketrequest>.
    pub(crate) async fn update_bucket(
        &self,
        bucket: &str,
        settings: Bucket,
        mask: &[String],
        metageneration: i64,
    ) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let settings = settings.set_name(&name);
        let call = Call::grpc("storage.buckets.update", &name, format!("write settings of bucket `{bucket}`"));
        let request = UpdateBucketRequest::new()
            .set_bucket(settings)
            .set_update_mask(FieldMask::default().set_paths(mask))
            .set_if_metageneration_match(metageneration);
        let send = |request| self.clients().storage.update_bucket().with_request(request).send();
        conditional(self.clients().send(&call, request, send).await).map(|_| ())
    }

    /// <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#deletebucketrequest>
    pub(crate) async fn delete_bucket(&self, bucket: &str, metageneration: i64) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.delete", &name, format!("delete bucket `{bucket}`"));
        let request = DeleteBucketRequest::new().set_name(&name).set_if_metageneration_match(metageneration);
        let send = |request| self.clients().storage.delete_bucket().with_request(request).send();
        absent(self.clients().send(&call, request, send).await).map(|_| ())
    }

    /// One generation <https://cloud.google.com/storage/docs/reference/rpc/google.storage.v2#deleteobjectrequest>.
    pub(crate) async fn delete_version(&self, bucket: &str, version: &Version) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let Version { object, generation } = version;
        let tried = format!("delete object `{object}` of bucket `{bucket}`");
        let call = Call::grpc("storage.objects.delete", &name, tried);
        let request = DeleteObjectRequest::new().set_bucket(&name).set_object(object).set_generation(*generation);
        let send = |request| self.clients().storage.delete_object().with_request(request).send();
        absent(self.clients().send(&call, request, send).await).map(|_| ())
    }

    /// The whole policy, if its etag is still the bucket's
    /// <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.
    pub(crate) async fn set_bucket_policy(&self, bucket: &str, policy: &Policy) -> Result<(), Error> {
        let name = bucket_name(bucket);
        let call = Call::grpc("storage.buckets.setIamPolicy", &name, format!("write the policy of bucket `{bucket}`"));
        let request = SetIamPolicyRequest::new().set_resource(&name).set_policy(policy.clone());
        let send = |request| self.clients().storage.set_iam_policy().with_request(request).send();
        conditional(self.clients().send(&call, request, send).await).map(|_| ())
    }
}

//! `gcp.bucket`: the Cloud Storage bucket, private, encrypted, with the CORS rule of the server's host.

use provision_core::contents::not_empty_error;
use provision_core::context::OperationContext;
use provision_core::facet::Desired;
use provision_core::mark::TagChanges;
use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Lane, LaneMode, Observation, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::storage::{self, Bucket, Versioning};
use crate::client::{Reader, Writer};
use crate::config::{Settings, location_of_keys};
use crate::contents;
use crate::error::{is_denied, lacks_permission};
use crate::names::{Names, Part, bucket_identity, short};
use crate::policy::public_bindings;
use crate::resources::bucket_settings::{Encryption, PublicAccess, SoftDelete, Storage};
use crate::resources::{Facets, MOST_LABELS, Write, cors, delivery, typed};
use crate::tags::{labels_of, unmoved};

provision_core::facets! {
    /// Facets of the bucket.
    pub(crate) enum BucketFacet {
        Storage = ("storage", 's', NamedKeys, Exclusive, SameCall),
        PublicAccess = ("public_access", 'p', Whole, Exclusive, SameCall),
        Encryption = ("encryption", 'e', Whole, Exclusive, SameCall),
        Versioning = ("versioning", 'v', Whole, Exclusive, SameCall),
        SoftDelete = ("soft_delete_days", 'd', Whole, Exclusive, SameCall),
        Delivery = ("delivery", 'r', Whole, Exclusive, SameCall),
        Cors = ("cors", 'c', Whole, Anonymous, SameCall),
        Labels = ("labels", 'g', Tags, Exclusive, SameCall),
    }
}

/// Writes to one bucket take turns: its settings, its policy and its notifications share one metageneration, which each moves under
/// the others (<https://cloud.google.com/storage/docs/metadata#generation-number>).
pub(crate) const LANE: Lane = Lane { name: "bucket", mode: LaneMode::Always };

pub(crate) fn resource(settings: &Settings, names: &Names) -> Resource {
    Resource {
        identity: bucket_identity(&names.bucket),
        adopt: settings.gcp.bucket.adopt,
        holds_data: true,
        // Where no other mark is left that has the grants on record, they go before the bucket.
        deleted_after: if names.topic.is_some() { Vec::new() } else { vec![Part::Access.address()] },
        most_tags: MOST_LABELS,
        lane: Some(LANE),
        ..Part::Bucket.resource(&names.bucket, BucketFacet::ALL)
    }
}

/// The desired facets. On an adopted bucket, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, origin: Origin) -> Vec<Desired> {
    let bucket = &settings.gcp.bucket;
    let created = origin == Origin::Created;
    let storage = Storage::desired(bucket, created);
    BucketFacet::all_desired(|facet| match facet {
        BucketFacet::Storage => (storage != Storage::default()).then(|| facet.desired(&storage, "gcp.bucket.location")),
        BucketFacet::PublicAccess => {
            (created || bucket.private).then(|| facet.desired(PublicAccess::prevented(), "gcp.bucket"))
        }
        BucketFacet::Encryption => {
            let key = bucket.encryption.as_ref().map(|encryption| encryption.kms_key.clone());
            (created || key.is_some()).then(|| facet.desired(Encryption::of(key), "gcp.bucket.encryption"))
        }
        BucketFacet::Versioning => {
            let desired = bucket.versioning.unwrap_or_default();
            (created || bucket.versioning.is_some()).then(|| facet.desired(desired, "gcp.bucket.versioning"))
        }
        BucketFacet::SoftDelete => {
            let desired = SoftDelete::Days(bucket.soft_delete_days().into());
            (created || bucket.soft_delete_days.is_some())
                .then(|| facet.desired(desired, "gcp.bucket.soft_delete_days"))
        }
        // Nothing is to be in the way.
        BucketFacet::Delivery => created.then(|| facet.desired(json!({}), "gcp.bucket")),
        BucketFacet::Cors => Some(facet.desired(cors::rule(settings), "gcp.bucket.cors")),
        BucketFacet::Labels => {
            (!settings.labels().is_empty()).then(|| facet.desired(settings.labels(), "deployment.tags"))
        }
    })
}

/// One read, beside that of the project whose bucket it must be.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    number: impl Future<Output = Result<String, Error>>,
) -> Result<Observation, Error> {
    let open = bindings_in_the_way(reader, settings);
    let (found, number, open) = futures::join!(reader.get_bucket(&names.bucket), number, open);
    match found {
        Ok(None) => Ok(Observation::Absent),
        // Names are unique among all projects: what may not even be looked at is most likely another's. What the project lists is
        // its own, and only the right to look at it is missing.
        Err(error) if is_denied(&error, "storage.buckets.get") => match is_listed(reader, names).await {
            true => Err(error),
            false => Ok(elsewhere(&error)),
        },
        Err(error) => Err(error),
        Ok(Some(bucket)) => {
            let number = number?;
            Ok(match is_of(&bucket, &names.project, &number) {
                true => Observation::Present(Box::new(present(&bucket, settings, &open?))),
                false => Observation::TakenElsewhere { detail: format!("it is of {}", bucket.project) },
            })
        }
    }
}

/// Whether the project has a bucket of this name, as far as it may be asked.
async fn is_listed(reader: &Reader, names: &Names) -> bool {
    let found = reader.list_buckets(&names.project).await;
    found.is_ok_and(|buckets| buckets.iter().any(|bucket| short(&bucket.name) == names.bucket))
}

/// Who is let in by a policy that the plan file would have prevented. One that may not be read is not looked at.
async fn bindings_in_the_way(reader: &Reader, settings: &Settings) -> Result<Vec<String>, Error> {
    if !settings.gcp.bucket.private {
        return Ok(Vec::new());
    }
    match reader.get_bucket_policy(&settings.gcp.bucket.name).await {
        Ok(policy) => Ok(public_bindings(&policy)),
        Err(error) if error.kind() == ErrorKind::NotFound || lacks_permission(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// While everybody is kept out, no policy is written that lets everybody in
/// (<https://cloud.google.com/storage/docs/public-access-prevention>).
fn open_to_all(settings: &Settings, open: &[String]) -> Option<Refusal> {
    let bucket = &settings.gcp.bucket;
    (bucket.private && !open.is_empty()).then(|| Refusal {
        reason: format!("`private = true` shuts out whom bucket `{}` lets in: {}", bucket.name, open.join(", ")),
        hint: "take those bindings out first, or leave `private` out".to_owned(),
    })
}

/// The service's own words say more than the code: it refuses for other reasons too.
fn elsewhere(error: &Error) -> Observation {
    let said = error.message().map(|reason| format!(": {reason}")).unwrap_or_default();
    let detail = format!("{}{said}", error.call().unwrap_or_default());
    Observation::TakenElsewhere { detail: format!("{detail}; or these credentials lack `storage.buckets.get` on it") }
}

/// The service gives the project's number, whatever it was given.
fn is_of(bucket: &Bucket, project: &str, number: &str) -> bool {
    let owner = bucket.project.trim_start_matches("projects/");
    owner.is_empty() || owner == number || owner == project
}

fn present(bucket: &Bucket, settings: &Settings, open: &[String]) -> Present {
    let labels = labels_of(&bucket.labels);
    let mark = Mark::from_tags(&labels);
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let moved = location_refusal(bucket, settings, created).map(|refusal| (BucketFacet::Storage.spec().name, refusal));
    let key = key_elsewhere(bucket, settings).map(|refusal| (BucketFacet::Encryption.spec().name, refusal));
    let public = open_to_all(settings, open).map(|refusal| (BucketFacet::PublicAccess.spec().name, refusal));
    let closed = delivery::closed(bucket).filter(|_| !created);
    let closed = closed.map(|refusal| (BucketFacet::Cors.spec().name, refusal));
    let observed = BucketFacet::all_observed(|facet| match facet {
        BucketFacet::Storage => facet.observed(Ok(Storage::observed(bucket))),
        BucketFacet::PublicAccess => facet.observed(Ok(PublicAccess::observed(bucket.iam_config.as_ref()))),
        BucketFacet::Encryption => facet.observed(Ok(Encryption::observed(bucket))),
        BucketFacet::Versioning => {
            facet.observed(Ok(bucket.versioning.as_ref().is_some_and(|versioning| versioning.enabled)))
        }
        BucketFacet::SoftDelete => facet.observed(Ok(SoftDelete::observed(bucket))),
        BucketFacet::Delivery => facet.observed(Ok(delivery::of_bucket(bucket))),
        BucketFacet::Cors => facet.entries(Ok(cors::entries(&bucket.cors, settings))),
        BucketFacet::Labels => facet.observed(Ok(without_mark(&labels))),
    });
    let blockers = moved.into_iter().chain(key).chain(public).chain(closed).collect();
    Present { mark, observed, blockers, ..Present::default() }
}

/// Data is never moved (<https://cloud.google.com/storage/docs/moving-buckets>).
fn location_refusal(bucket: &Bucket, settings: &Settings, created: bool) -> Option<Refusal> {
    let desired = Storage::desired(&settings.gcp.bucket, created).location?;
    let observed = bucket.location.to_uppercase();
    (desired != observed).then(|| Refusal {
        reason: format!(
            "the bucket is in {observed}, the plan file says {desired}, and a bucket's location cannot be changed"
        ),
        hint: format!("write `location = \"{observed}\"`, or give the new bucket a deployment of its own"),
    })
}

/// "You must create the Cloud KMS key in the same location as the data you intend to encrypt"
/// (<https://cloud.google.com/storage/docs/encryption/customer-managed-keys#restrictions>).
fn key_elsewhere(bucket: &Bucket, settings: &Settings) -> Option<Refusal> {
    let key = &settings.gcp.bucket.encryption.as_ref()?.kms_key;
    let (location, needed) = (bucket.location.to_uppercase(), location_of_keys(&bucket.location.to_uppercase()));
    let found = key.split('/').nth(3).unwrap_or_default();
    (!found.eq_ignore_ascii_case(&needed)).then(|| Refusal {
        reason: format!(
            "the bucket is in {location} and takes keys in `{needed}` only, and the plan file's is in `{found}`"
        ),
        hint: format!("name a key in `{needed}` under [gcp.bucket]"),
    })
}

/// Create the bucket with its tags and every facet. A name that is taken has two meanings.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let mut bucket = Bucket::new().set_project(format!("projects/{}", names.project)).set_labels(tags.clone());
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        bucket = with_facet(bucket, BucketFacet::of(facet)?, value)?;
    }
    let error = match writer.create_bucket(&names.bucket, &bucket).await {
        Ok(()) => return Ok(Created::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => error,
        Err(error) => return Err(explain(error)),
    };
    // Another attempt of this run, or another run of this plan file, may have made it.
    match writer.reader().get_bucket(&names.bucket).await {
        Ok(Some(_)) => Ok(Created::Existed),
        Ok(None) => Err(name_taken(error)),
        Err(denied) if lacks_permission(&denied) => Err(name_taken(error)),
        Err(unknown) => Err(unknown),
    }
}

fn name_taken(error: Error) -> Error {
    error.with_hint(
        "bucket names are shared by all projects, and one that was deleted is free only some time later: choose another \
         `name` under [gcp.bucket]",
    )
}

/// A key is used by the service agent, not by us (<https://cloud.google.com/storage/docs/encryption/using-customer-managed-keys>).
fn explain(error: Error) -> Error {
    let about_key = error.message().is_some_and(|reason| reason.contains("KMS"));
    match about_key {
        true => error.with_hint(
            "grant `roles/cloudkms.cryptoKeyEncrypterDecrypter` on the key to the Cloud Storage service agent \
             (`gcloud storage service-agent`); the key must be in the bucket's location",
        ),
        false => error,
    }
}

/// A facet's value on a bucket's settings.
fn with_facet(bucket: Bucket, facet: BucketFacet, value: &Value) -> Result<Bucket, Error> {
    Ok(match facet {
        BucketFacet::Storage => {
            let storage: Storage = typed(value)?;
            bucket
                .set_location(storage.location.unwrap_or_default())
                .set_storage_class(storage.class.unwrap_or_default())
        }
        BucketFacet::PublicAccess => bucket.set_iam_config(typed::<PublicAccess>(value)?.into_config()),
        BucketFacet::Encryption => match typed(value)? {
            Encryption::Key(key) => bucket.set_encryption(storage::Encryption::new().set_default_kms_key(key)),
            Encryption::Google => bucket,
        },
        BucketFacet::Versioning => bucket.set_versioning(Versioning::new().set_enabled(typed::<bool>(value)?)),
        BucketFacet::SoftDelete => bucket.set_soft_delete_policy(typed::<SoftDelete>(value)?.into_policy()),
        // A new bucket has nothing in the way.
        BucketFacet::Delivery => bucket,
        BucketFacet::Cors => bucket.set_cors([cors::rule_of(value)?]),
        BucketFacet::Labels => return Err(Error::bug("labels are written with the mark")),
    })
}

/// The fields of a facet that can be changed, where they are always the same (<https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>).
fn mask(facet: BucketFacet) -> &'static [&'static str] {
    match facet {
        BucketFacet::Storage => &["storage_class"],
        BucketFacet::PublicAccess => {
            &["iam_config.uniform_bucket_level_access.enabled", "iam_config.public_access_prevention"]
        }
        BucketFacet::Encryption => &["encryption"],
        BucketFacet::Versioning => &["versioning"],
        BucketFacet::SoftDelete => &["soft_delete_policy"],
        BucketFacet::Delivery => &[],
        BucketFacet::Cors => &["cors"],
        BucketFacet::Labels => &["labels"],
    }
}

/// The labels there are; `None` where there is no bucket.
pub(crate) async fn tags(reader: &Reader, bucket: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_bucket(bucket).await?.map(|bucket| labels_of(&bucket.labels)))
}

/// Only these keys: the service itself leaves the others alone. The mark must still be the one that was found.
pub(crate) async fn update_tags(
    writer: &Writer,
    bucket: &str,
    found: &Tags,
    changes: &TagChanges,
) -> Result<(), Error> {
    let now = writer.reader().get_bucket(bucket).await?.ok_or_else(|| gone_error(bucket))?;
    unmoved("bucket", bucket, found, &labels_of(&now.labels), changes)?;
    // A key that the mask names and the map lacks is removed.
    let mask: Vec<_> = changes.keys().map(|key| format!("labels.{key}")).collect();
    let labels = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
    writer.update_bucket(bucket, Bucket::new().set_labels(labels), &mask, now.metageneration).await
}

/// Put `value` in place of `before` in one facet. Read right before, and written only if nothing moved since.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let Write { before, value, .. } = *write;
    let facet = BucketFacet::of(write.facet)?;
    let found = match writer.reader().get_bucket(&names.bucket).await? {
        Some(found) => found,
        // With the bucket the rule is gone.
        None if value.is_null() => return Ok(()),
        None => return Err(gone_error(&names.bucket)),
    };
    let (edited, mask) = match facet {
        BucketFacet::Cors => {
            let rules = cors::merged(&found.cors, before, value)?;
            if rules == found.cors {
                return Ok(());
            }
            (Bucket::new().set_cors(rules), mask(facet).to_vec())
        }
        BucketFacet::Delivery => delivery::opened(&found),
        facet => (with_facet(Bucket::new(), facet, value)?, mask(facet).to_vec()),
    };
    if mask.is_empty() {
        return Ok(());
    }
    let mask: Vec<_> = mask.into_iter().map(str::to_owned).collect();
    let written = writer.update_bucket(&names.bucket, edited, &mask, found.metageneration).await;
    written.map_err(explain)
}

/// What was there at the plan is not there any more.
fn gone_error(bucket: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("bucket `{bucket}` is gone"));
    error.with_hint("run `provision gcp plan` to see what is there now")
}

/// Delete it; one that is gone is deleted. The service itself refuses a full bucket, with codes that differ
/// (<https://cloud.google.com/storage/docs/deleting-buckets>); then the counts say why.
pub(crate) async fn delete(writer: &Writer, bucket: &str, context: &OperationContext<'_>) -> Result<(), Error> {
    let found = writer.reader().get_bucket(bucket).await?;
    context.still_ours().await?;
    let Some(found) = found else { return Ok(()) };
    let error = match writer.delete_bucket(bucket, found.metageneration).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::InvalidInput) {
        return Err(error);
    }
    let contents = contents::contents(writer.reader(), bucket).await?;
    match contents.is_empty() {
        false => Err(not_empty_error("bucket", bucket, &contents.describe())),
        true if error.kind() == ErrorKind::Conflict => Err(error.with_retry(RetryClass::Conflict)),
        true => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::compare::same;
    use provision_core::facet::{Extent, Observed};

    use crate::client::storage::{Cors, IamConfig, UniformBucketLevelAccess};
    use crate::names::tests::{full_settings, settings};

    fn names_of(desired: &[Desired]) -> Vec<&'static str> {
        desired.iter().map(|desired| desired.facet.name).collect()
    }

    /// The bucket that a creation with these settings gives, as the service shows it.
    fn created(settings: &Settings) -> Bucket {
        let mut bucket = Bucket::new();
        for desired in desired(settings, Origin::Created).iter().filter(|desired| desired.facet.extent != Extent::Tags)
        {
            bucket = with_facet(bucket, BucketFacet::of(desired.facet.name).unwrap(), &desired.value).unwrap();
        }
        bucket.set_labels(settings.labels().clone())
    }

    fn is_observed(present: &Present, desired: &Desired) -> bool {
        let (_, observed) = present.observed.iter().find(|(name, _)| *name == desired.facet.name).unwrap();
        match observed {
            Observed::Value(observed) => same(observed, &desired.value),
            Observed::Entries(entries) => entries.list.iter().any(|entry| same(&entry.value, &desired.value)),
            Observed::Unknown(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        for settings in [settings(), full_settings()] {
            let present = present(&created(&settings), &settings, &[]);
            for desired in desired(&settings, Origin::Created) {
                assert!(is_observed(&present, &desired), "{}", desired.facet.name);
            }
        }
    }

    #[test]
    fn spellings_of_the_service_are_no_difference() {
        let settings = settings();
        let bucket = created(&settings).set_location("us").set_storage_class("standard");
        let config = IamConfig::new()
            .set_uniform_bucket_level_access(UniformBucketLevelAccess::new().set_enabled(true))
            .set_public_access_prevention("ENFORCED");
        let bucket = bucket.set_iam_config(config);
        let rule = Cors::new()
            .set_origin(["https://wandb.example.com"])
            .set_method(["PUT", "GET", "HEAD", "GET"])
            .set_response_header(["*"])
            .set_max_age_seconds(3000);
        let present = present(&bucket.set_cors([rule]), &settings, &[]);
        for desired in desired(&settings, Origin::Created) {
            assert!(is_observed(&present, &desired), "{}", desired.facet.name);
        }
        assert!(present.blockers.is_empty());
    }

    #[test]
    fn adopted_buckets_keep_values_for_everybody_that_the_plan_file_does_not_set() {
        assert_eq!(names_of(&desired(&settings(), Origin::Adopted)), ["cors"]);
        let mut given = settings();
        given.gcp.bucket.versioning = Some(true);
        given.gcp.bucket.storage_class = Some(crate::config::StorageClass::Nearline);
        let desired = desired(&given, Origin::Adopted);
        assert_eq!(names_of(&desired), ["storage", "versioning", "cors"]);
        assert_eq!(desired[0].value, json!({"class": "NEARLINE"}));
    }

    #[test]
    fn a_bucket_is_not_moved() {
        let settings = settings();
        let bucket = created(&settings).set_location("EU");
        assert!(location_refusal(&bucket, &settings, true).unwrap().reason.contains("EU"));
        assert!(location_refusal(&bucket, &settings, false).is_none());
    }

    #[test]
    fn what_lets_everybody_in_is_in_the_way_of_private() {
        let mut settings = settings();
        let open = ["roles/storage.objectViewer for allUsers".to_owned()];
        assert_eq!(open_to_all(&settings, &open), None);
        settings.gcp.bucket.private = true;
        assert!(open_to_all(&settings, &open).unwrap().reason.contains(&open[0]));
        assert_eq!(open_to_all(&settings, &[]), None);
    }

    #[test]
    fn a_key_is_where_the_bucket_is() {
        let settings = full_settings();
        let bucket = |location: &str| key_elsewhere(&Bucket::new().set_location(location), &settings);
        assert_eq!(bucket(&settings.gcp.bucket.location().to_lowercase()), None);
        assert!(bucket("asia").unwrap().reason.contains("`asia`"));
    }

    #[test]
    fn whose_bucket_it_is_is_told_by_the_projects_number() {
        let of = |project: &str| is_of(&Bucket::new().set_project(project), "acme-ml", "42");
        assert!(of("projects/42") && of("projects/acme-ml") && of(""));
        assert!(!of("projects/43"));
    }
}

//! `gcp.bucket`: the Cloud Storage bucket, private, encrypted, with the CORS rule of the server's host.

use provision_core::contents::not_empty_error;
use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Entries, Words, tags_in_words};
use provision_core::mark::TagChanges;
use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Lane, LaneMode, Observation, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::client::storage::{Bucket, BucketChanges, Versioning};
use crate::client::{Reader, Writer};
use crate::config::{Settings, location_of_keys};
use crate::contents;
use crate::error::{is_denied, lacks_permission};
use crate::names::{Names, Part, bucket_identity, short};
use crate::resources::bucket_settings::{Encryption, PublicAccess, SoftDelete, Storage};
use crate::resources::{Facets, MOST_LABELS, Write, bucket_policy, cors, delivery, typed};
use crate::tags::unmoved;

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
        Members = ("members", 'm', NamedKeys, Anonymous, OwnCall),
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
        BucketFacet::Cors => {
            let decided_elsewhere = bucket.cors.decided_elsewhere();
            Some(facet.desired(cors::rule(settings), "gcp.bucket.cors").with_field_at(decided_elsewhere))
        }
        BucketFacet::Members => {
            let members = Some(bucket_policy::members(settings)).filter(Value::is_object);
            members.map(|members| facet.desired(members, "gcp.access.members"))
        }
        BucketFacet::Labels => {
            (!settings.labels().is_empty()).then(|| facet.desired(settings.labels(), "deployment.tags"))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(settings: &Settings, facet: BucketFacet, value: &Value) -> Option<Words> {
    let bucket = &settings.gcp.bucket;
    match facet {
        BucketFacet::Storage => Some(("storage", typed::<Storage>(value).ok()?.in_words())),
        BucketFacet::PublicAccess => Some(("private", "public access prevented, uniform access".to_owned())),
        BucketFacet::Encryption => Some(("encryption", typed::<Encryption>(value).ok()?.in_words())),
        BucketFacet::Versioning => {
            let text = if value == true { "on" } else { "off" };
            (value == true || bucket.versioning.is_some()).then(|| ("versioning", text.to_owned()))
        }
        BucketFacet::SoftDelete => Some(("soft delete", typed::<SoftDelete>(value).ok()?.in_words())),
        BucketFacet::Delivery => None,
        BucketFacet::Cors => bucket.cors.in_words(value),
        BucketFacet::Members => bucket_policy::members_in_words(value),
        BucketFacet::Labels => Some(("labels", tags_in_words(value))),
    }
}

/// One read, beside that of the project whose bucket it must be.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    number: impl Future<Output = Result<String, Error>>,
    claims: &Claims,
) -> Result<Observation, Error> {
    let asked_for = bucket_policy::is_asked_for(settings) || settings.gcp.bucket.adopt;
    let policy = bucket_policy::read(reader, &names.bucket, asked_for);
    let (found, number, policy) = futures::join!(reader.get_bucket(&names.bucket), number, policy);
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
            if !is_of(&bucket, &number?) {
                let detail = format!("it is of projects/{}", bucket.project_number);
                return Ok(Observation::TakenElsewhere { detail });
            }
            let policy =
                bucket_policy::look(reader, settings, &bucket, BucketFacet::Members.spec(), policy, claims).await;
            let open = bucket_policy::bindings_in_the_way(settings, &policy)?;
            let members = policy.map(|policy| bucket_policy::entries(policy.as_ref()));
            forgetful(&bucket, settings).into_iter().for_each(|note| claims.note(note));
            Ok(Observation::Present(Box::new(present(&bucket, settings, &open, &members))))
        }
    }
}

/// Whether the project has a bucket of this name, as far as it may be asked.
async fn is_listed(reader: &Reader, names: &Names) -> bool {
    let found = reader.list_buckets(&names.project).await;
    found.is_ok_and(|buckets| buckets.iter().any(|bucket| short(&bucket.name) == names.bucket))
}

/// The service's own words say more than the code: it refuses for other reasons too.
fn elsewhere(error: &Error) -> Observation {
    let said = error.message().map(|reason| format!(": {reason}")).unwrap_or_default();
    let detail = format!("{}{said}", error.call().unwrap_or_default());
    Observation::TakenElsewhere { detail: format!("{detail}; or these credentials lack `storage.buckets.get` on it") }
}

/// Its project is known by its number.
fn is_of(bucket: &Bucket, number: &str) -> bool {
    let owner = &bucket.project_number;
    owner.is_empty() || owner == number
}

fn present(bucket: &Bucket, settings: &Settings, open: &[String], members: &Result<Entries, Error>) -> Present {
    let labels = &bucket.labels;
    let mark = Mark::from_tags(labels);
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let moved = location_refusal(bucket, settings, created).map(|refusal| (BucketFacet::Storage.spec().name, refusal));
    let key = key_elsewhere(bucket, settings).map(|refusal| (BucketFacet::Encryption.spec().name, refusal));
    let public =
        bucket_policy::open_to_all(settings, open).map(|refusal| (BucketFacet::PublicAccess.spec().name, refusal));
    let closed = delivery::closed(bucket).filter(|_| !created);
    let closed = closed.map(|refusal| (BucketFacet::Cors.spec().name, refusal));
    let observed = BucketFacet::all_observed(|facet| match facet {
        BucketFacet::Storage => facet.observed(Ok(Storage::observed(bucket))),
        BucketFacet::PublicAccess => facet.observed(Ok(PublicAccess::observed(&bucket.iam_configuration))),
        BucketFacet::Encryption => facet.observed(Ok(Encryption::observed(bucket))),
        BucketFacet::Versioning => facet.observed(Ok(bucket.versioning.is_some_and(|versioning| versioning.enabled))),
        BucketFacet::SoftDelete => facet.observed(Ok(SoftDelete::observed(bucket))),
        BucketFacet::Delivery => facet.observed(Ok(delivery::of_bucket(bucket))),
        BucketFacet::Cors => facet.entries(Ok(cors::entries(&bucket.cors, settings))),
        BucketFacet::Members => facet.entries(members.clone()),
        BucketFacet::Labels => facet.observed(Ok(without_mark(labels))),
    });
    let blockers = moved.into_iter().chain(key).chain(public).chain(closed).collect();
    Present { mark, observed, blockers, ..Present::default() }
}

/// What is lost on a bucket of others, of which the plan file does not say it; on one of ours it is what the plan file says.
fn forgetful(bucket: &Bucket, settings: &Settings) -> Option<String> {
    let ours = Mark::from_tags(&bucket.labels).is_some_and(|mark| mark.origin == Origin::Created);
    let off = json!(SoftDelete::observed(bucket)) == json!(SoftDelete::Days(0));
    let name = &bucket.name;
    (off && !ours && settings.gcp.bucket.soft_delete_days.is_none()).then(|| {
        format!(
            "what is deleted from bucket `{name}` cannot be restored, since its soft delete is off; `soft_delete_days = 7` under \
             [gcp.bucket], or `gcloud storage buckets update gs://{name} --soft-delete-duration=7d`, turns it on"
        )
    })
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
    let labels = tags.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    let settings = settings(BucketChanges { labels, ..BucketChanges::default() }, facets)?;
    let error = match writer.create_bucket(&names.project, &names.bucket, &settings).await {
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

/// The settings of a new bucket with these facets. It has nothing that could be taken off.
fn settings(mut settings: BucketChanges, facets: &Map<String, Value>) -> Result<BucketChanges, Error> {
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        settings = with_facet(settings, BucketFacet::of(facet)?, value)?;
    }
    let encryption = settings.encryption.take().filter(|encryption| encryption.default_kms_key_name.is_some());
    Ok(BucketChanges { encryption, ..settings })
}

/// A facet's value among what is written of a bucket.
fn with_facet(changes: BucketChanges, facet: BucketFacet, value: &Value) -> Result<BucketChanges, Error> {
    Ok(match facet {
        BucketFacet::Storage => {
            let Storage { location, class } = typed(value)?;
            BucketChanges { location, storage_class: class, ..changes }
        }
        BucketFacet::PublicAccess => {
            let configuration = typed::<PublicAccess>(value)?.into_configuration();
            BucketChanges { iam_configuration: Some(configuration), ..changes }
        }
        BucketFacet::Encryption => {
            BucketChanges { encryption: Some(typed::<Encryption>(value)?.into_setting()), ..changes }
        }
        BucketFacet::Versioning => BucketChanges { versioning: Some(Versioning { enabled: typed(value)? }), ..changes },
        BucketFacet::SoftDelete => {
            BucketChanges { soft_delete_policy: Some(typed::<SoftDelete>(value)?.into_policy()), ..changes }
        }
        // A new bucket has nothing in the way, and a policy is written by itself.
        BucketFacet::Delivery | BucketFacet::Members => changes,
        BucketFacet::Cors => BucketChanges { cors: Some(vec![cors::rule_of(value)?]), ..changes },
        BucketFacet::Labels => return Err(Error::bug("labels are written with the mark")),
    })
}

/// The labels there are; `None` where there is no bucket.
pub(crate) async fn tags(reader: &Reader, bucket: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_bucket(bucket).await?.map(|bucket| bucket.labels))
}

/// Only these keys: the service itself leaves the others alone. The mark must still be the one that was found.
pub(crate) async fn update_tags(
    writer: &Writer,
    bucket: &str,
    found: &Tags,
    changes: &TagChanges,
) -> Result<(), Error> {
    let now = writer.reader().get_bucket(bucket).await?.ok_or_else(|| gone_error(bucket))?;
    unmoved("bucket", bucket, found, &now.labels, changes)?;
    let labels = BucketChanges { labels: changes.clone(), ..BucketChanges::default() };
    writer.update_bucket(bucket, &labels, now.metageneration).await
}

/// Put `value` in place of `before` in one facet. Read right before, and written only if nothing moved since.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let Write { before, value, .. } = *write;
    let facet = BucketFacet::of(write.facet)?;
    if facet == BucketFacet::Members {
        return bucket_policy::write(writer, names, write).await;
    }
    let found = match writer.reader().get_bucket(&names.bucket).await? {
        Some(found) => found,
        // With the bucket the rule is gone.
        None if value.is_null() => return Ok(()),
        None => return Err(gone_error(&names.bucket)),
    };
    let changes = changes(&found, facet, before, value)?;
    if changes == BucketChanges::default() {
        return Ok(());
    }
    writer.update_bucket(&names.bucket, &changes, found.metageneration).await.map_err(explain)
}

/// Whether a facet is in the bucket's policy.
pub(crate) fn is_in_policy(facet: &str) -> bool {
    BucketFacet::of(facet).is_ok_and(|facet| facet == BucketFacet::Members)
}

/// What is written of a bucket to have `value` in place of `before` in one facet.
fn changes(found: &Bucket, facet: BucketFacet, before: &Value, value: &Value) -> Result<BucketChanges, Error> {
    let none = BucketChanges::default();
    Ok(match facet {
        BucketFacet::Cors => {
            let rules = cors::merged(&found.cors, before, value)?;
            BucketChanges { cors: (rules != found.cors).then_some(rules), ..none }
        }
        BucketFacet::Delivery => delivery::opened(found),
        // Where it is is never changed.
        BucketFacet::Storage => BucketChanges { location: None, ..with_facet(none, facet, value)? },
        facet => with_facet(none, facet, value)?,
    })
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

    use crate::client::iam::{Binding, Policy};
    use crate::config::MEMBER_ROLE;
    use crate::names::tests::{full_settings, settings};

    fn names_of(desired: &[Desired]) -> Vec<&'static str> {
        desired.iter().map(|desired| desired.facet.name).collect()
    }

    /// The bucket that a creation with these settings gives, as the service shows it.
    fn created(settings: &Settings) -> Bucket {
        let desired = desired(settings, Origin::Created).into_iter();
        let facets = desired.filter(|desired| desired.facet.extent != Extent::Tags);
        let facets = facets.map(|desired| (desired.facet.name.to_owned(), desired.value)).collect();
        let written = json!(super::settings(BucketChanges::default(), &facets).unwrap());
        Bucket { labels: settings.labels().clone(), ..serde_json::from_value(written).unwrap() }
    }

    /// The members that were let in after it was made.
    fn members(settings: &Settings) -> Result<Entries, Error> {
        let bindings = vec![Binding::new(MEMBER_ROLE, settings.members().iter().map(String::as_str))];
        Ok(bucket_policy::entries(Some(&Policy { bindings, ..Policy::default() })))
    }

    fn is_observed(present: &Present, desired: &Desired) -> bool {
        let (_, observed) = present.observed.iter().find(|(name, _)| *name == desired.facet.name).unwrap();
        match observed {
            Observed::Value(observed) => same(observed, &desired.value),
            Observed::Entries(entries) => entries.list.iter().any(|entry| match &entry.member {
                Some(member) => same(&entry.value, &desired.value[member]),
                None => same(&entry.value, &desired.value),
            }),
            Observed::Unknown(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        for settings in [settings(), full_settings()] {
            let present = present(&created(&settings), &settings, &[], &members(&settings));
            for desired in desired(&settings, Origin::Created) {
                assert!(is_observed(&present, &desired), "{}", desired.facet.name);
            }
        }
    }

    #[test]
    fn one_facet_is_written_and_the_rest_is_left_out() {
        let found = created(&full_settings());
        let of = |facet, value: Value| json!(changes(&found, facet, &Value::Null, &value).unwrap());
        let storage = json!({"location": "US", "class": "NEARLINE"});
        assert_eq!(of(BucketFacet::Storage, storage), json!({"storageClass": "NEARLINE"}));
        let key = json!({"encryption": {"defaultKmsKeyName": null}});
        assert_eq!(of(BucketFacet::Encryption, json!("google-managed")), key);
        let none = json!({"softDeletePolicy": {"retentionDurationSeconds": "0"}});
        assert_eq!(of(BucketFacet::SoftDelete, json!(0)), none);
        assert_eq!(of(BucketFacet::Versioning, json!(false)), json!({"versioning": {"enabled": false}}));
        assert_eq!(of(BucketFacet::Delivery, json!({})), json!({}));
        let rule = cors::rule(&full_settings()).to_value();
        let taken_out = changes(&found, BucketFacet::Cors, &rule, &Value::Null).unwrap();
        assert_eq!(json!(taken_out), json!({"cors": []}));
    }

    #[test]
    fn spellings_of_the_service_are_no_difference() {
        let settings = settings();
        let rule = json!({"origin": ["https://wandb.example.com"], "method": ["PUT", "GET", "HEAD", "GET"],
            "responseHeader": ["*"], "maxAgeSeconds": 3000});
        let shown = json!({"location": "us", "storageClass": "standard", "cors": [rule],
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "ENFORCED"},
            "softDeletePolicy": {"retentionDurationSeconds": 604_800}});
        let shown: Bucket = serde_json::from_value(shown).unwrap();
        let present = present(&shown, &settings, &[], &Ok(Entries::default()));
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
        let bucket = Bucket { location: "EU".to_owned(), ..created(&settings) };
        assert!(location_refusal(&bucket, &settings, true).unwrap().reason.contains("EU"));
        assert!(location_refusal(&bucket, &settings, false).is_none());
    }

    #[test]
    fn a_key_is_where_the_bucket_is() {
        let settings = full_settings();
        let bucket =
            |location: &str| key_elsewhere(&Bucket { location: location.to_owned(), ..Bucket::default() }, &settings);
        assert_eq!(bucket(&settings.gcp.bucket.location().to_lowercase()), None);
        assert!(bucket("asia").unwrap().reason.contains("`asia`"));
    }

    #[test]
    fn whose_bucket_it_is_is_told_by_the_projects_number() {
        let of = |number: &str| is_of(&Bucket { project_number: number.to_owned(), ..Bucket::default() }, "42");
        assert!(of("42") && of(""));
        assert!(!of("43"));
    }
}

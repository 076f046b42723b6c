//! `gcp.bucket`: the Cloud Storage bucket, private, encrypted, with the CORS rule of the server's host.

use provision_core::context::Watch;
use provision_core::cors::{self, CorsRule, Listed};
use provision_core::facet::{Creation, Entries, Extent, Facet, Seen, Sharing, Want};
use provision_core::mark::{Mark, Origin, TagChanges, Tags, is_key, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::{
    Bucket, Cors, Duration, Encryption, IamConfig, Read as _, Reader, SoftDeletePolicy, UniformBucketLevelAccess,
    Versioning, Writer, labels_of,
};
use crate::config::{Settings, location_of_keys};
use crate::error::lacks_permission;
use crate::provider::{Names, contents};

const fn facet(name: &'static str, key: char, extent: Extent, sharing: Sharing) -> Facet {
    Facet { name, key, extent, sharing, creation: Creation::SameCall }
}

static STORAGE: Facet = facet("storage", 's', Extent::NamedKeys, Sharing::Exclusive);
static PUBLIC_ACCESS: Facet = facet("public_access", 'p', Extent::Whole, Sharing::Exclusive);
static ENCRYPTION: Facet = facet("encryption", 'e', Extent::Whole, Sharing::Exclusive);
static VERSIONING: Facet = facet("versioning", 'v', Extent::Whole, Sharing::Exclusive);
static SOFT_DELETE: Facet = facet("soft_delete_days", 'd', Extent::Whole, Sharing::Exclusive);
static CORS: Facet = facet("cors", 'c', Extent::Whole, Sharing::Anonymous);
static LABELS: Facet = facet("labels", 'g', Extent::Tags, Sharing::Exclusive);

/// Every facet of a bucket.
pub(crate) static FACETS: [&Facet; 7] =
    [&STORAGE, &PUBLIC_ACCESS, &ENCRYPTION, &VERSIONING, &SOFT_DELETE, &CORS, &LABELS];

const SECONDS_A_DAY: i64 = 86_400;

/// What is wanted. On an adopted bucket, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, origin: Origin) -> Vec<Want> {
    let bucket = &settings.gcp.bucket;
    let created = origin == Origin::Created;
    let want = |facet, value, key: &str| Want { facet, value, path: format!("gcp.bucket{key}") };
    let mut wants = Vec::new();
    let storage = storage(settings, created);
    if !storage.is_empty() {
        wants.push(want(&STORAGE, Value::Object(storage), ".location"));
    }
    if created || bucket.private {
        wants.push(want(&PUBLIC_ACCESS, public_access(true, "enforced"), ""));
    }
    if created || bucket.encryption.is_some() {
        let key = bucket.encryption.as_ref().map(|encryption| encryption.kms_key.as_str());
        wants.push(want(&ENCRYPTION, encryption(key), ".encryption"));
    }
    if created || bucket.versioning.is_some() {
        wants.push(want(&VERSIONING, json!(bucket.versioning.unwrap_or_default()), ".versioning"));
    }
    if created || bucket.soft_delete_days.is_some() {
        wants.push(want(&SOFT_DELETE, json!(bucket.soft_delete_days()), ".soft_delete_days"));
    }
    wants.push(want(&CORS, rule(settings).to_value(), ".cors"));
    if !settings.labels().is_empty() {
        wants.push(Want { facet: &LABELS, value: json!(settings.labels()), path: "deployment.tags".to_owned() });
    }
    wants
}

fn storage(settings: &Settings, created: bool) -> Map<String, Value> {
    let bucket = &settings.gcp.bucket;
    let location = (created || bucket.location.is_some()).then(|| json!(bucket.location()));
    let class =
        (created || bucket.storage_class.is_some()).then(|| json!(bucket.storage_class.unwrap_or_default().name()));
    let members = [("location", location), ("class", class)];
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn public_access(uniform: bool, prevention: &str) -> Value {
    json!({"uniform_access": uniform, "prevention": prevention})
}

fn encryption(key: Option<&str>) -> Value {
    key.map_or_else(|| json!("google-managed"), |key| json!({"kms_key": key}))
}

/// Cloud Storage has one list for the headers that pages send and read, our `expose`
/// (<https://cloud.google.com/storage/docs/cross-origin#cors-components>).
fn rule(settings: &Settings) -> CorsRule {
    settings.gcp.bucket.cors.rule(&settings.deployment.host, "*")
}

/// A rule has no id here.
fn listed(found: &Cors) -> Listed {
    let rule = CorsRule {
        origins: found.origin.clone(),
        methods: found.method.clone(),
        headers: vec!["*".to_owned()],
        expose: found.response_header.clone(),
        max_age_s: i64::from(found.max_age_seconds),
    };
    Listed { rule: rule.normal(), id: None }
}

fn made(value: &Value) -> Result<Cors, Error> {
    let rule: CorsRule = serde_json::from_value(value.clone()).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "a CORS rule cannot be read: this is a bug in provision")
            .message(error.to_string())
    })?;
    let age = i32::try_from(rule.max_age_s).unwrap_or(i32::MAX);
    let made = Cors::new().set_origin(rule.origins).set_method(rule.methods);
    Ok(made.set_response_header(rule.expose).set_max_age_seconds(age))
}

/// One read, beside that of the project whose bucket it must be.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    number: impl Future<Output = Result<String, Error>>,
) -> Result<Observation, Error> {
    let (found, number) = futures::join!(reader.get_bucket(&names.bucket), number);
    match found {
        Ok(None) => Ok(Observation::Absent),
        // Names are unique among all projects: what may not even be looked at is most likely another's.
        Err(error) if lacks_permission(&error) => Ok(elsewhere(&error)),
        Err(error) => Err(error),
        Ok(Some(bucket)) => {
            let number = number?;
            Ok(match is_of(&bucket, &names.project, &number) {
                true => Observation::Present(Box::new(present(&bucket, settings))),
                false => Observation::TakenElsewhere { detail: format!("it is of {}", bucket.project) },
            })
        }
    }
}

/// The service's own words say more than the code: it refuses for other reasons too.
fn elsewhere(error: &Error) -> Observation {
    let said = error.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
    let detail = format!("{}{said}", error.call().unwrap_or_default());
    Observation::TakenElsewhere { detail: format!("{detail}; or these credentials lack `storage.buckets.get` on it") }
}

/// The service gives the project's number, whatever it was given.
fn is_of(bucket: &Bucket, project: &str, number: &str) -> bool {
    let owner = bucket.project.trim_start_matches("projects/");
    owner.is_empty() || owner == number || owner == project
}

fn present(bucket: &Bucket, settings: &Settings) -> Present {
    let labels = labels_of(&bucket.labels);
    let mark = Mark::from_tags(&labels);
    let values = [
        (
            STORAGE.name,
            json!({"location": bucket.location.to_uppercase(), "class": bucket.storage_class.to_uppercase()}),
        ),
        (PUBLIC_ACCESS.name, seen_public_access(bucket.iam_config.as_ref())),
        (ENCRYPTION.name, seen_encryption(bucket)),
        (VERSIONING.name, json!(bucket.versioning.as_ref().is_some_and(|versioning| versioning.enabled))),
        (SOFT_DELETE.name, seen_soft_delete(bucket)),
        (LABELS.name, json!(without_mark(&labels))),
    ];
    let rules: Vec<_> = bucket.cors.iter().map(listed).collect();
    let rules = Entries { list: cors::entries(&rules, &[], &rule(settings)), limit: None };
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let moved = moved(bucket, settings, created).map(|refusal| (STORAGE.name, refusal));
    let key = key_elsewhere(bucket, settings).map(|refusal| (ENCRYPTION.name, refusal));
    let obstacles = moved.into_iter().chain(key).collect();
    let seen = values.map(|(name, value)| (name, Seen::Value(value)));
    let seen = seen.into_iter().chain([(CORS.name, Seen::Entries(rules))]).collect();
    Present { mark, seen, obstacles, ..Present::default() }
}

/// Data is never moved (<https://cloud.google.com/storage/docs/moving-buckets>).
fn moved(bucket: &Bucket, settings: &Settings, created: bool) -> Option<Refusal> {
    let want = storage(settings, created).get("location")?.as_str()?.to_owned();
    let seen = bucket.location.to_uppercase();
    (want != seen).then(|| Refusal {
        reason: format!(
            "the bucket is in {seen}, the plan file says {want}, and a bucket's location cannot be changed"
        ),
        hint: format!("write `location = \"{seen}\"`, or give the new bucket a deployment of its own"),
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

/// Spellings of "nobody prevents it": <https://cloud.google.com/storage/docs/public-access-prevention>.
fn seen_public_access(config: Option<&IamConfig>) -> Value {
    let uniform =
        config.and_then(|config| config.uniform_bucket_level_access.as_ref()).is_some_and(|access| access.enabled);
    let prevention = config.map(|config| config.public_access_prevention.to_ascii_lowercase()).unwrap_or_default();
    public_access(uniform, if prevention == "enforced" { "enforced" } else { "inherited" })
}

fn seen_encryption(bucket: &Bucket) -> Value {
    let key = bucket.encryption.as_ref().map(|encryption| encryption.default_kms_key.as_str());
    encryption(key.filter(|key| !key.is_empty()))
}

fn seen_soft_delete(bucket: &Bucket) -> Value {
    let duration = bucket.soft_delete_policy.as_ref().and_then(|policy| policy.retention_duration.as_ref());
    let seconds = duration.map_or(0, Duration::seconds);
    match seconds % SECONDS_A_DAY {
        0 => json!(seconds / SECONDS_A_DAY),
        _ => json!({"seconds": seconds}),
    }
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
        bucket = with_facet(bucket, facet, value)?;
    }
    let error = match writer.create_bucket(&names.bucket, &bucket).await {
        Ok(()) => return Ok(Created::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => error,
        Err(error) => return Err(explain(error)),
    };
    // Another attempt of this run, or another run of this plan file, may have made it.
    match writer.reader().get_bucket(&names.bucket).await {
        Ok(Some(_)) => Ok(Created::Existed),
        Ok(None) | Err(_) => Err(name_taken(error)),
    }
}

fn name_taken(error: Error) -> Error {
    error.hint(
        "bucket names are shared by all projects, and one that was deleted is free only some time later: choose another \
         `name` under [gcp.bucket]",
    )
}

/// A key is used by the service agent, not by us (<https://cloud.google.com/storage/docs/encryption/using-customer-managed-keys>).
fn explain(error: Error) -> Error {
    let about_key = error.reason().is_some_and(|reason| reason.contains("KMS"));
    match about_key {
        true => error.hint(
            "grant `roles/cloudkms.cryptoKeyEncrypterDecrypter` on the key to the Cloud Storage service agent \
             (`gcloud storage service-agent`); the key must be in the bucket's location",
        ),
        false => error,
    }
}

/// A facet's value on a bucket's settings.
fn with_facet(bucket: Bucket, facet: &str, value: &Value) -> Result<Bucket, Error> {
    Ok(match facet {
        "storage" => {
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            bucket.set_location(text("location")).set_storage_class(text("class"))
        }
        "public_access" => bucket.set_iam_config(access_of(value)),
        "encryption" => match value["kms_key"].as_str() {
            Some(key) => bucket.set_encryption(Encryption::new().set_default_kms_key(key)),
            None => bucket,
        },
        "versioning" => bucket.set_versioning(Versioning::new().set_enabled(value == &json!(true))),
        "soft_delete_days" => bucket.set_soft_delete_policy(soft_delete_of(value)),
        "cors" => bucket.set_cors([made(value)?]),
        other => return Err(unknown_facet(other)),
    })
}

fn access_of(value: &Value) -> IamConfig {
    let uniform = value["uniform_access"].as_bool().unwrap_or_default();
    IamConfig::new()
        .set_uniform_bucket_level_access(UniformBucketLevelAccess::new().set_enabled(uniform))
        .set_public_access_prevention(value["prevention"].as_str().unwrap_or_default())
}

fn soft_delete_of(value: &Value) -> SoftDeletePolicy {
    let days = value.as_i64().unwrap_or_default();
    SoftDeletePolicy::new().set_retention_duration(Duration::clamp(days * SECONDS_A_DAY, 0))
}

/// A facet that no version of ours ever had.
pub(crate) fn unknown_facet(facet: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("facet `{facet}` is unknown: this is a bug in provision"))
}

/// The fields of a facet that can be changed (<https://cloud.google.com/storage/docs/json_api/v1/buckets#resource>).
fn mask(facet: &str) -> &'static [&'static str] {
    match facet {
        "storage" => &["storage_class"],
        "public_access" => &["iam_config.uniform_bucket_level_access.enabled", "iam_config.public_access_prevention"],
        "encryption" => &["encryption"],
        "versioning" => &["versioning"],
        "soft_delete_days" => &["soft_delete_policy"],
        _ => &["cors"],
    }
}

/// Put `value` in place of `before` in one facet. Read right before, and written only if nothing moved since.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    facet: &str,
    before: &Value,
    value: &Value,
) -> Result<(), Error> {
    let found = match writer.reader().get_bucket(&names.bucket).await? {
        Some(found) => found,
        // With the bucket the rule is gone.
        None if value.is_null() => return Ok(()),
        None => return Err(gone(&names.bucket)),
    };
    let edited = match facet {
        "cors" => {
            let rules = cors::merge(&found.cors, listed, &[], before, value, made)?;
            if rules == found.cors {
                return Ok(());
            }
            Bucket::new().set_cors(rules)
        }
        facet => with_facet(Bucket::new(), facet, value)?,
    };
    let mask: Vec<_> = mask(facet).iter().map(|path| (*path).to_owned()).collect();
    let written = writer.update_bucket(&names.bucket, edited, &mask, found.metageneration).await;
    written.map_err(explain)
}

/// What was there at the plan is not there any more.
fn gone(bucket: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("bucket `{bucket}` is gone"));
    error.hint("run `provision gcp plan` to see what is there now")
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
    let now = writer.reader().get_bucket(bucket).await?.ok_or_else(|| gone(bucket))?;
    unmoved("bucket", bucket, found, &labels_of(&now.labels), changes)?;
    // A key that the mask names and the map lacks is removed.
    let mask: Vec<_> = changes.keys().map(|key| format!("labels.{key}")).collect();
    let labels = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
    writer.update_bucket(bucket, Bucket::new().set_labels(labels), &mask, now.metageneration).await
}

/// Stop, to look again, where a label of a mark, or one that is written, is not as it was found.
pub(crate) fn unmoved(kind: &str, name: &str, found: &Tags, now: &Tags, changes: &TagChanges) -> Result<(), Error> {
    if !moved_on(found, now, changes) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Conflict, format!("the labels of {kind} `{name}` were changed meanwhile"));
    Err(error.retry(RetryClass::Conflict))
}

/// Whether a label of a mark, or one that is written, is not as it was found.
fn moved_on(found: &Tags, now: &Tags, changes: &TagChanges) -> bool {
    let mut keys = found.keys().chain(now.keys()).chain(changes.keys());
    keys.any(|key| (is_key(key) || changes.contains_key(key)) && found.get(key) != now.get(key))
}

/// Delete it; one that is gone is deleted. The service itself refuses a full bucket, with codes that differ
/// (<https://cloud.google.com/storage/docs/deleting-buckets>); then the counts say why.
pub(crate) async fn delete(writer: &Writer, bucket: &str, watch: &Watch<'_>) -> Result<(), Error> {
    let found = writer.reader().get_bucket(bucket).await?;
    watch.still_ours().await?;
    let Some(found) = found else { return Ok(()) };
    let error = match writer.delete_bucket(bucket, found.metageneration).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::InvalidInput) {
        return Err(error);
    }
    let contents = contents(writer.reader(), bucket).await?;
    match contents.is_empty() {
        false => Err(provision_core::contents::not_empty_error("bucket", bucket, &contents.describe())),
        true if error.kind() == ErrorKind::Conflict => Err(error.retry(RetryClass::Conflict)),
        true => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::{full_settings, settings};
    use provision_core::compare::same;

    fn names_of(wants: &[Want]) -> Vec<&'static str> {
        wants.iter().map(|want| want.facet.name).collect()
    }

    /// The bucket that a creation with these settings gives, as the service shows it.
    fn created(settings: &Settings) -> Bucket {
        let mut bucket = Bucket::new();
        for want in want(settings, Origin::Created).iter().filter(|want| want.facet.extent != Extent::Tags) {
            bucket = with_facet(bucket, want.facet.name, &want.value).unwrap();
        }
        bucket.set_labels(settings.labels().clone())
    }

    fn is_seen(present: &Present, want: &Want) -> bool {
        let (_, seen) = present.seen.iter().find(|(name, _)| *name == want.facet.name).unwrap();
        match seen {
            Seen::Value(seen) => same(seen, &want.value),
            Seen::Entries(entries) => entries.list.iter().any(|entry| same(&entry.value, &want.value)),
            Seen::Unknown(error) => panic!("{error}"),
        }
    }

    #[test]
    fn every_facet_is_seen() {
        let present = present(&Bucket::new(), &settings());
        let seen: Vec<_> = present.seen.iter().map(|(name, _)| *name).collect();
        assert!(FACETS.iter().all(|facet| seen.contains(&facet.name)) && seen.len() == FACETS.len());
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        for settings in [settings(), full_settings()] {
            let present = present(&created(&settings), &settings);
            for want in want(&settings, Origin::Created) {
                assert!(is_seen(&present, &want), "{}", want.facet.name);
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
        let present = present(&bucket.set_cors([rule]), &settings);
        for want in want(&settings, Origin::Created) {
            assert!(is_seen(&present, &want), "{}", want.facet.name);
        }
        assert!(present.obstacles.is_empty());
    }

    #[test]
    fn adopted_buckets_keep_values_for_everybody_that_the_plan_file_does_not_set() {
        assert_eq!(names_of(&want(&settings(), Origin::Adopted)), ["cors"]);
        let mut given = settings();
        given.gcp.bucket.versioning = Some(true);
        given.gcp.bucket.storage_class = Some(crate::config::StorageClass::Nearline);
        let wants = want(&given, Origin::Adopted);
        assert_eq!(names_of(&wants), ["storage", "versioning", "cors"]);
        assert_eq!(wants[0].value, json!({"class": "NEARLINE"}));
    }

    #[test]
    fn ours_goes_first_and_others_survive_to_the_bit() {
        let want = rule(&settings()).to_value();
        let other = Cors::new().set_origin(["https://other.example"]).set_method(["PUT", "GET", "GET"]);
        let merged = |rules: &[Cors], before: &Value, value: &Value| {
            cors::merge(rules, listed, &[], before, value, made).unwrap()
        };
        let with = merged(std::slice::from_ref(&other), &Value::Null, &want);
        assert_eq!(with, [made(&want).unwrap(), other.clone()]);
        assert_eq!(merged(&with, &want, &want), with);
        assert_eq!(merged(&with, &want, &Value::Null), [other]);
    }

    #[test]
    fn labels_that_somebody_else_changes_meanwhile_stop_a_write_only_where_they_are_written() {
        let tags = |list: &[(&str, &str)]| -> Tags {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let found = tags(&[("provision-deployment", "ab"), ("team", "x")]);
        let changes = TagChanges::from([("cost".to_owned(), Some("1".to_owned()))]);
        let of = |now: &[(&str, &str)]| moved_on(&found, &tags(now), &changes);
        assert!(!of(&[("provision-deployment", "ab"), ("team", "y"), ("other", "z")]));
        assert!(of(&[("provision-deployment", "cd"), ("team", "x")]) && of(&[("team", "x")]));
        assert!(of(&[("provision-deployment", "ab"), ("cost", "2")]));
    }

    #[test]
    fn a_bucket_is_not_moved() {
        let settings = settings();
        let bucket = created(&settings).set_location("EU");
        assert!(moved(&bucket, &settings, true).unwrap().reason.contains("EU"));
        assert!(moved(&bucket, &settings, false).is_none());
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

    #[test]
    fn soft_delete_is_counted_in_days_where_it_is_days() {
        let of = |seconds| {
            let policy = SoftDeletePolicy::new().set_retention_duration(Duration::clamp(seconds, 0));
            seen_soft_delete(&Bucket::new().set_soft_delete_policy(policy))
        };
        assert_eq!(of(604_800), json!(7));
        assert_eq!(of(604_801), json!({"seconds": 604_801}));
        assert_eq!(seen_soft_delete(&Bucket::new()), json!(0));
    }
}

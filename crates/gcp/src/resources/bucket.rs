//! `gcp.bucket`: the Cloud Storage bucket, private, encrypted, with the CORS rule of the server's host.

use provision_core::mark::{KEYS, Mark, Origin, may_be_written};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::{
    Bucket, Cors, Duration, Encryption, IamConfig, Labels, Reader, SoftDeletePolicy, UniformBucketLevelAccess,
    Versioning, Writer, labels_of,
};
use crate::config::Settings;
use crate::error::lacks_permission;
use crate::provider::{Names, contents};

const fn facet(name: &'static str, key: char, shape: Shape) -> Facet {
    Facet { name, key, shape, at_creation: AtCreation::Included }
}

static STORAGE: Facet = facet("storage", 's', Shape::Keys);
static PUBLIC_ACCESS: Facet = facet("public_access", 'p', Shape::Whole);
static ENCRYPTION: Facet = facet("encryption", 'e', Shape::Whole);
static VERSIONING: Facet = facet("versioning", 'v', Shape::Whole);
static SOFT_DELETE: Facet = facet("soft_delete_days", 'd', Shape::Whole);
static CORS: Facet = facet("cors", 'c', Shape::Whole);
static LABELS: Facet = facet("labels", 'g', Shape::Keys);

/// Facets of which only an entry is ours.
pub(crate) const ENTRIES: [&str; 1] = ["cors"];

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
    wants.push(want(&CORS, cors(settings), ".cors"));
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

fn cors(settings: &Settings) -> Value {
    let cors = &settings.gcp.bucket.cors;
    let list = |given: &Option<Vec<String>>, default: &[&str]| {
        given.clone().unwrap_or_else(|| default.iter().map(|item| (*item).to_owned()).collect())
    };
    rule_value(
        &list(&cors.origins, &[&settings.deployment.host]),
        &list(&cors.methods, &["GET", "HEAD", "PUT"]),
        &list(&cors.expose, &["*"]),
        i64::from(cors.max_age_s.unwrap_or(3000)),
    )
}

/// A rule in normal form: the order within its lists means nothing.
fn rule_value(origins: &[String], methods: &[String], headers: &[String], max_age_s: i64) -> Value {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    json!({
        "origins": sorted(origins),
        "methods": sorted(methods),
        "headers": sorted(headers),
        "max_age_s": max_age_s,
    })
}

fn seen_rule(rule: &Cors) -> Value {
    rule_value(&rule.origin, &rule.method, &rule.response_header, i64::from(rule.max_age_seconds))
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

fn elsewhere(error: &Error) -> Observation {
    let detail = error.call().unwrap_or_default();
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
    let ours = find_rule(&bucket.cors, mark.as_ref(), &cors(settings));
    let others = bucket.cors.iter().enumerate().filter(|(place, _)| Some(*place) != ours);
    let seen = [
        (
            STORAGE.name,
            json!({"location": bucket.location.to_uppercase(), "class": bucket.storage_class.to_uppercase()}),
        ),
        (PUBLIC_ACCESS.name, seen_public_access(bucket.iam_config.as_ref())),
        (ENCRYPTION.name, seen_encryption(bucket)),
        (VERSIONING.name, json!(bucket.versioning.as_ref().is_some_and(|versioning| versioning.enabled))),
        (SOFT_DELETE.name, seen_soft_delete(bucket)),
        (CORS.name, ours.map_or(Value::Null, |place| seen_rule(&bucket.cors[place]))),
        (LABELS.name, json!(others_labels(&labels))),
    ];
    let kept = others.map(|(_, rule)| Kept { facet: "cors".to_owned(), entry: describe_rule(rule) }).collect();
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let obstacles = moved(bucket, settings, created).map(|refusal| (STORAGE.name, refusal)).into_iter().collect();
    let seen = seen.map(|(name, value)| (name, Seen::Value(value))).to_vec();
    Present { mark, seen, nameless: vec![CORS.name], kept, obstacles, ..Present::default() }
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

/// Labels that are not the mark's.
pub(crate) fn others_labels(labels: &Labels) -> Labels {
    let others = labels.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Our rule, which has no id here: by the digest on record as written, else by its set of origins.
fn find_rule(rules: &[Cors], mark: Option<&Mark>, want: &Value) -> Option<usize> {
    let written = mark.filter(|mark| mark.wrote(CORS.key));
    let by_digest = |rule: &Cors| written.is_some_and(|mark| mark.recorded(CORS.key).is(&seen_rule(rule)));
    let by_origins = |rule: &Cors| seen_rule(rule)["origins"] == want["origins"];
    rules.iter().position(by_digest).or_else(|| rules.iter().position(by_origins))
}

fn describe_rule(rule: &Cors) -> String {
    format!("CORS rule for {}: {}", rule.origin.join(", "), rule.method.join(", "))
}

/// Create the bucket with its mark and every facet. A name that is taken has two meanings.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    facets: &Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    use crate::client::Read as _;
    let mut bucket = Bucket::new().set_project(format!("projects/{}", names.project));
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        bucket = with_facet(bucket, facet, value)?;
    }
    bucket.labels.extend(mark.to_tags());
    let error = match writer.create_bucket(&names.bucket, &bucket).await {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => error,
        Err(error) => return Err(explain(error)),
    };
    // Another attempt of this run, or another run of this plan file, may have made it.
    match writer.reader().get_bucket(&names.bucket).await {
        Ok(Some(found)) if is_made_by(&labels_of(&found.labels), mark, &names.bucket_identity()) => Ok(()),
        Ok(Some(_)) => Err(appeared("bucket", &names.bucket)),
        Ok(None) | Err(_) => Err(name_taken(error)),
    }
}

/// Whether labels hold a mark of the same deployment, for this resource.
pub(crate) fn is_made_by(labels: &Labels, mark: &Mark, identity: &str) -> bool {
    Mark::from_tags(labels).is_some_and(|found| found.deployment == mark.deployment && found.is_for(identity))
}

fn name_taken(error: Error) -> Error {
    error.hint(
        "bucket names are shared by all projects, and one that was deleted is free only some time later: choose another \
         `name` under [gcp.bucket]",
    )
}

/// Somebody was quicker.
pub(crate) fn appeared(kind: &str, name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("{kind} `{name}` was made by somebody else in the meantime"));
    error.hint("run `provision gcp plan` to see whose it is")
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
        "cors" => bucket.set_cors([rule_of(value)]),
        "labels" => bucket.set_labels(labels_in(value)),
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

fn rule_of(value: &Value) -> Cors {
    let list = |key: &str| {
        let items = value[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let max_age_s = value["max_age_s"].as_i64().and_then(|age| i32::try_from(age).ok());
    Cors::new()
        .set_origin(list("origins"))
        .set_method(list("methods"))
        .set_response_header(list("headers"))
        .set_max_age_seconds(max_age_s.unwrap_or_default())
}

/// A value of ours as labels.
pub(crate) fn labels_in(value: &Value) -> Labels {
    let members = value.as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
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

/// Write one facet; `null` takes our entry out. Read right before, and written only if nothing moved since.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    facet: &str,
    value: &Value,
) -> Result<(), Error> {
    if facet == LABELS.name {
        return merge_labels(writer, names, &labels_in(value)).await;
    }
    let found = existing(writer, names).await?;
    let edited = match facet {
        "cors" => match merged_rules(&found, &cors(settings), value) {
            Some(rules) => Bucket::new().set_cors(rules),
            None => return Ok(()),
        },
        facet => with_facet(Bucket::new(), facet, value)?,
    };
    let mask: Vec<_> = mask(facet).iter().map(|path| (*path).to_owned()).collect();
    let written = writer.update_bucket(&names.bucket, edited, &mask, Some(found.metageneration)).await;
    written.map_err(explain)
}

async fn existing(writer: &Writer, names: &Names) -> Result<Bucket, Error> {
    use crate::client::Read as _;
    writer.reader().get_bucket(&names.bucket).await?.ok_or_else(|| gone("bucket", &names.bucket))
}

/// What was there at the plan is not there any more.
pub(crate) fn gone(kind: &str, name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("{kind} `{name}` is gone"));
    error.hint("run `provision gcp plan` to see what is there now")
}

/// The rules with ours set or taken out, others as they are; `None` if nothing changes.
fn merged_rules(bucket: &Bucket, want: &Value, value: &Value) -> Option<Vec<Cors>> {
    let mut rules = bucket.cors.clone();
    let mark = Mark::from_tags(&labels_of(&bucket.labels));
    let place = find_rule(&rules, mark.as_ref(), want);
    match (place, value.is_null()) {
        (Some(place), true) => drop(rules.remove(place)),
        (Some(place), false) => rules[place] = rule_of(value),
        (None, true) => {}
        (None, false) => rules.push(rule_of(value)),
    }
    (rules != bucket.cors).then_some(rules)
}

/// Put labels beside those there are.
pub(crate) async fn merge_labels(writer: &Writer, names: &Names, ours: &Labels) -> Result<(), Error> {
    let found = existing(writer, names).await?;
    put_labels(writer, names, ours, Some(found.metageneration)).await
}

/// Only these keys: the service itself leaves the others alone.
async fn put_labels(writer: &Writer, names: &Names, ours: &Labels, metageneration: Option<i64>) -> Result<(), Error> {
    let mask: Vec<_> = ours.keys().map(|key| format!("labels.{key}")).collect();
    writer.update_bucket(&names.bucket, Bucket::new().set_labels(ours.clone()), &mask, metageneration).await
}

/// The labels there are.
pub(crate) async fn labels(reader: &Reader, bucket: &str) -> Result<Labels, Error> {
    Ok(reader.get_bucket(bucket).await?.map(|bucket| labels_of(&bucket.labels)).unwrap_or_default())
}

/// Write the mark; stops if somebody else's hand is on it. `read` are the labels read beside the other writes of the run
/// that made the bucket; those writes (notification, policy) have moved its metageneration since.
pub(crate) async fn record(
    writer: &Writer,
    names: &Names,
    read: Option<Labels>,
    before: Option<&Mark>,
    mark: &Mark,
) -> Result<(), Error> {
    let (found, metageneration) = match read {
        Some(labels) => (labels, None),
        None => {
            let bucket = existing(writer, names).await?;
            (labels_of(&bucket.labels), Some(bucket.metageneration))
        }
    };
    may_be_written("gcp", &format!("bucket `{}`", names.bucket), Mark::from_tags(&found).as_ref(), before, mark)?;
    put_labels(writer, names, &mark.to_tags(), metageneration).await
}

/// Take our mark off, and leave every other label.
pub(crate) async fn unmark(writer: &Writer, names: &Names) -> Result<(), Error> {
    use crate::client::Read as _;
    let Some(found) = writer.reader().get_bucket(&names.bucket).await? else { return Ok(()) };
    // A key that the mask names and the map lacks is removed.
    let mask: Vec<_> =
        KEYS.iter().filter(|key| found.labels.contains_key(**key)).map(|key| format!("labels.{key}")).collect();
    if mask.is_empty() {
        return Ok(());
    }
    writer.update_bucket(&names.bucket, Bucket::new(), &mask, Some(found.metageneration)).await
}

/// Delete it; one that is gone is deleted. The service itself refuses a full bucket, with codes that differ
/// (<https://cloud.google.com/storage/docs/deleting-buckets>); then the counts say why.
pub(crate) async fn delete(writer: &Writer, bucket: &str) -> Result<(), Error> {
    use crate::client::Read as _;
    let Some(found) = writer.reader().get_bucket(bucket).await? else { return Ok(()) };
    let error = match writer.delete_bucket(bucket, found.metageneration).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::InvalidInput) {
        return Err(error);
    }
    let contents = contents(writer.reader(), bucket).await?;
    match contents.is_empty() {
        false => Err(provision_core::assess::not_empty_error("bucket", bucket, &contents.describe())),
        true if error.kind() == ErrorKind::Conflict => Err(error.retry(RetryClass::Conflict)),
        true => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::{full_settings, settings};
    use provision_core::digest::of_value;
    use provision_core::mark::Spec;

    fn names_of(wants: &[Want]) -> Vec<&'static str> {
        wants.iter().map(|want| want.facet.name).collect()
    }

    /// The bucket that a creation with these settings gives, as the service shows it.
    fn created(settings: &Settings) -> Bucket {
        let mut bucket = Bucket::new();
        for want in want(settings, Origin::Created) {
            bucket = with_facet(bucket, want.facet.name, &want.value).unwrap();
        }
        bucket
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        for settings in [settings(), full_settings()] {
            let present = present(&created(&settings), &settings);
            for want in want(&settings, Origin::Created) {
                let seen = present.seen.iter().find(|(name, _)| *name == want.facet.name).map(|(_, seen)| seen);
                let Some(Seen::Value(seen)) = seen else { panic!("{} is not seen", want.facet.name) };
                assert_eq!(*seen, want.value, "{}", want.facet.name);
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
        let wants = want(&settings, Origin::Created);
        for (name, seen) in &present.seen {
            let want = wants.iter().find(|want| want.facet.name == *name);
            let Some(want) = want else { continue };
            assert!(matches!(seen, Seen::Value(seen) if *seen == want.value), "{name}");
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
    fn our_rule_is_found_and_others_survive() {
        let settings = settings();
        let other = Cors::new().set_origin(["https://other.example"]).set_method(["GET"]);
        let bucket = Bucket::new().set_cors([other.clone()]);
        let want = cors(&settings);
        let with = merged_rules(&bucket, &want, &want).unwrap();
        assert_eq!(with, [other.clone(), rule_of(&want)]);
        let bucket = bucket.set_cors(with);
        assert_eq!(merged_rules(&bucket, &want, &want), None);
        assert_eq!(merged_rules(&bucket, &want, &Value::Null), Some(vec![other]));
    }

    #[test]
    fn our_rule_is_known_by_its_digest_when_its_origins_change() {
        let old = rule_value(&["https://old.example".to_owned()], &["GET".to_owned()], &[], 60);
        let digests = [(CORS.key, of_value(&old))].into();
        let mark = Mark { spec: Spec::Written(digests), ..Mark::unfinished("ab", Origin::Created, "x") };
        let rules = [rule_of(&cors(&settings())), rule_of(&old)];
        assert_eq!(find_rule(&rules, Some(&mark), &cors(&settings())), Some(1));
        assert_eq!(find_rule(&rules, None, &cors(&settings())), Some(0));
    }

    #[test]
    fn a_bucket_is_not_moved() {
        let settings = settings();
        let bucket = created(&settings).set_location("EU");
        assert!(moved(&bucket, &settings, true).unwrap().reason.contains("EU"));
        assert!(moved(&bucket, &settings, false).is_none());
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

//! `aws.bucket`: the S3 bucket, private, encrypted, TLS only, with the CORS rule of the server's host.

use aws_sdk_s3::types::{
    CorsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
};
use provision_core::mark::{KEYS, Mark, Origin, may_be_written};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Seen, Shape, Want};
use provision_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::client::{Reader, Tags, Writer};
use crate::config::{Encryption, Settings};
use crate::policy::Document;
use crate::provider::Names;

const fn facet(name: &'static str, key: char, shape: Shape, at_creation: AtCreation) -> Facet {
    Facet { name, key, shape, at_creation }
}

static OWNERSHIP: Facet = facet("ownership", 'o', Shape::Whole, AtCreation::Included);
static PUBLIC_ACCESS: Facet = facet("public_access", 'p', Shape::Whole, AtCreation::Written);
static ENCRYPTION: Facet = facet("encryption", 'e', Shape::Whole, AtCreation::Written);
static VERSIONING: Facet = facet("versioning", 'v', Shape::Whole, AtCreation::Written);
static POLICY: Facet = facet("policy", 't', Shape::Whole, AtCreation::Written);
static CORS: Facet = facet("cors", 'c', Shape::Whole, AtCreation::Written);
static TAGS: Facet = facet("tags", 'g', Shape::Keys, AtCreation::Included);

/// Facets of which only an entry is ours.
pub(crate) const ENTRIES: [&str; 2] = ["policy", "cors"];

/// What is wanted. On an adopted bucket, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, names: &Names, origin: Origin) -> Vec<Want> {
    let bucket = &settings.aws.bucket;
    let created = origin == Origin::Created;
    let private = created || bucket.private;
    let want = |facet, value, key: &str| Want { facet, value, path: format!("aws.bucket{key}") };
    let mut wants = Vec::new();
    if private {
        wants.push(want(&OWNERSHIP, json!("BucketOwnerEnforced"), ""));
        wants.push(want(&PUBLIC_ACCESS, public_access(true, true, true, true), ""));
    }
    if created || bucket.encryption.is_some() {
        wants.push(want(&ENCRYPTION, encryption(bucket.encryption.as_ref()), ".encryption"));
    }
    if created || bucket.versioning.is_some() {
        wants.push(want(&VERSIONING, json!(bucket.versioning.unwrap_or_default()), ".versioning"));
    }
    if private {
        wants.push(want(&POLICY, tls_only(names), ""));
    }
    wants.push(want(&CORS, cors(settings), ".cors"));
    if !settings.tags().is_empty() {
        wants.push(Want { facet: &TAGS, value: json!(settings.tags()), path: "deployment.tags".to_owned() });
    }
    wants
}

fn public_access(block_acls: bool, ignore_acls: bool, block_policy: bool, restrict: bool) -> Value {
    json!({
        "block_public_acls": block_acls,
        "ignore_public_acls": ignore_acls,
        "block_public_policy": block_policy,
        "restrict_public_buckets": restrict,
    })
}

fn encryption(encryption: Option<&Encryption>) -> Value {
    match encryption {
        None | Some(Encryption::Managed(_)) => json!({"algorithm": "AES256"}),
        Some(Encryption::Key(key)) => json!({"algorithm": "aws:kms", "kms_key": key.kms_key}),
    }
}

/// Deny everything that does not come over TLS
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit>).
fn tls_only(names: &Names) -> Value {
    let statement = json!({
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [names.bucket_arn(), format!("{}/*", names.bucket_arn())],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    crate::policy::with_sid(&statement, &names.sids[0])
}

fn cors(settings: &Settings) -> Value {
    let cors = &settings.aws.bucket.cors;
    let list = |given: &Option<Vec<String>>, default: &[&str]| {
        given.clone().unwrap_or_else(|| default.iter().map(|item| (*item).to_owned()).collect())
    };
    rule_value(
        &list(&cors.origins, &[&settings.deployment.host]),
        &list(&cors.methods, &["GET", "HEAD", "PUT"]),
        &["*".to_owned()],
        &list(&cors.expose, &["ETag"]),
        i64::from(cors.max_age_s.unwrap_or(3000)),
    )
}

/// A rule in normal form: the order within its lists means nothing.
fn rule_value(origins: &[String], methods: &[String], headers: &[String], expose: &[String], max_age_s: i64) -> Value {
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
        "expose": sorted(expose),
        "max_age_s": max_age_s,
    })
}

fn seen_rule(rule: &CorsRule) -> Value {
    let max_age_s = i64::from(rule.max_age_seconds.unwrap_or_default());
    let (headers, expose) = (rule.allowed_headers(), rule.expose_headers());
    rule_value(rule.allowed_origins(), rule.allowed_methods(), headers, expose, max_age_s)
}

/// All reads at once.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    owner: &str,
) -> Result<Observation, Error> {
    let bucket = names.bucket.as_str();
    let (head, tags, ownership, public, encryption, versioning, policy, cors) = futures::join!(
        reader.head_bucket(bucket, owner),
        reader.get_bucket_tagging(bucket, owner),
        reader.get_bucket_ownership_controls(bucket, owner),
        reader.get_public_access_block(bucket, owner),
        reader.get_bucket_encryption(bucket, owner),
        reader.get_bucket_versioning(bucket, owner),
        reader.get_bucket_policy(bucket, owner),
        reader.get_bucket_cors(bucket, owner),
    );
    match head {
        Ok(None) => return Ok(Observation::Absent),
        // Another account's bucket answers 403 to everything, without the sentence that IAM gives its own callers.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && all_denied(&tags, &versioning, &cors) => {
            return Ok(elsewhere(&error, tags.err()));
        }
        Err(error) => return Err(with_region(error, tags.err())),
        Ok(Some(())) => {}
    }
    // Without its tags nobody knows whose it is. It may have been deleted since the other read.
    let tags = match tags {
        Err(error) if error.code() == Some("NoSuchBucket") => return Ok(Observation::Absent),
        tags => tags?,
    };
    let mark = Mark::from_tags(&tags);
    let mut kept = Vec::new();
    let mut seen = vec![
        (OWNERSHIP.name, value(ownership, |ownership| json!(ownership))),
        (PUBLIC_ACCESS.name, value(public, |public| public.map_or(Value::Null, |public| seen_public_access(&public)))),
        (
            ENCRYPTION.name,
            value(encryption, |default| default.map_or(Value::Null, |default| seen_encryption(&default))),
        ),
        (VERSIONING.name, value(versioning, Value::from)),
    ];
    seen.push((
        POLICY.name,
        value(policy, |text| {
            let document = text.and_then(|text| Document::parse(&text)).unwrap_or_default();
            kept.extend(
                document.others(&names.sids).into_iter().map(|entry| Kept { facet: "policy".to_owned(), entry }),
            );
            document.ours(&names.sids)
        }),
    ));
    let recorded = mark.clone();
    seen.push((
        CORS.name,
        value(cors, |rules| {
            let ours = find_rule(&rules, names, recorded.as_ref(), &self::cors(settings));
            let others = rules.iter().enumerate().filter(|(place, _)| Some(*place) != ours);
            kept.extend(others.map(|(_, rule)| Kept { facet: "cors".to_owned(), entry: describe_rule(rule) }));
            ours.map_or(Value::Null, |place| seen_rule(&rules[place]))
        }),
    ));
    seen.push((TAGS.name, Seen::Value(json!(others_tags(&tags)))));
    Ok(Observation::Present(Box::new(Present { mark, seen, kept, ..Present::default() })))
}

fn all_denied<A, B, C>(tags: &Result<A, Error>, versioning: &Result<B, Error>, cors: &Result<C, Error>) -> bool {
    let denied = |error: Option<&Error>| {
        error.is_some_and(|error| {
            let explained = error.reason().is_some_and(|reason| reason.contains("is not authorized to perform"));
            error.kind() == ErrorKind::PermissionDenied && !explained
        })
    };
    denied(tags.as_ref().err()) && denied(versioning.as_ref().err()) && denied(cors.as_ref().err())
}

fn elsewhere(head: &Error, tags: Option<Error>) -> Observation {
    let detail = tags.as_ref().or(Some(head)).and_then(Error::call).unwrap_or_default();
    Observation::TakenElsewhere { detail: format!("{detail}; or these credentials may read nothing of it") }
}

/// `HEAD` has no body: another read says more about the same refusal.
fn with_region(head: Error, other: Option<Error>) -> Error {
    other.filter(|other| other.advice().is_some() || other.code().is_some()).unwrap_or(head)
}

fn value<T>(read: Result<T, Error>, normalize: impl FnOnce(T) -> Value) -> Seen {
    match read {
        Ok(value) => Seen::Value(normalize(value)),
        Err(error) => Seen::Unknown(error),
    }
}

fn seen_public_access(seen: &PublicAccessBlockConfiguration) -> Value {
    let is = |flag: Option<bool>| flag.unwrap_or_default();
    public_access(
        is(seen.block_public_acls),
        is(seen.ignore_public_acls),
        is(seen.block_public_policy),
        is(seen.restrict_public_buckets),
    )
}

fn seen_encryption(seen: &ServerSideEncryptionByDefault) -> Value {
    match &seen.kms_master_key_id {
        Some(key) => json!({"algorithm": seen.sse_algorithm.as_str(), "kms_key": key}),
        None => json!({"algorithm": seen.sse_algorithm.as_str()}),
    }
}

/// Tags that are not the mark's.
pub(crate) fn others_tags(tags: &Tags) -> Tags {
    tags.iter()
        .filter(|(key, _)| !KEYS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Our rule: by its id, else by the digest on record, else by its set of origins.
fn find_rule(rules: &[CorsRule], names: &Names, mark: Option<&Mark>, want: &Value) -> Option<usize> {
    let by_id = |rule: &CorsRule| rule.id.as_ref().is_some_and(|id| names.ids.contains(id));
    let by_digest = |rule: &CorsRule| mark.is_some_and(|mark| mark.recorded(CORS.key).is(&seen_rule(rule)));
    let by_origins = |rule: &CorsRule| rule.id.is_none() && seen_rule(rule)["origins"] == want["origins"];
    let place = |is: &dyn Fn(&CorsRule) -> bool| rules.iter().position(is);
    place(&by_id).or_else(|| place(&by_digest)).or_else(|| place(&by_origins))
}

fn describe_rule(rule: &CorsRule) -> String {
    let id = rule.id.as_ref().map_or_else(String::new, |id| format!("`{id}` "));
    format!("CORS rule {id}for {}: {}", rule.allowed_origins().join(", "), rule.allowed_methods().join(", "))
}

/// Write one facet; `null` takes our entry out.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    owner: &str,
    facet: &str,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    let bucket = names.bucket.as_str();
    match facet {
        "ownership" => {
            let ownership = value.as_str().unwrap_or_default();
            writer.put_bucket_ownership_controls(bucket, owner, ownership).await
        }
        "public_access" => writer.put_public_access_block(bucket, owner, block_of(value)).await,
        "encryption" => writer.put_bucket_encryption(bucket, owner, encryption_of(value)?).await,
        "versioning" => writer.put_bucket_versioning(bucket, owner, value == &json!(true)).await,
        "policy" => write_policy(writer, names, owner, value, fresh).await,
        "cors" => write_cors(writer, settings, names, owner, value, fresh).await,
        "tags" => merge_tags(writer, names, owner, &tags_of(value)).await,
        other => Err(unknown_facet(other)),
    }
}

/// A facet that no version of ours ever had.
pub(crate) fn unknown_facet(facet: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("facet `{facet}` is unknown: this is a bug in provision"))
}

fn block_of(value: &Value) -> PublicAccessBlockConfiguration {
    let flag = |key: &str| value[key].as_bool();
    PublicAccessBlockConfiguration::builder()
        .set_block_public_acls(flag("block_public_acls"))
        .set_ignore_public_acls(flag("ignore_public_acls"))
        .set_block_public_policy(flag("block_public_policy"))
        .set_restrict_public_buckets(flag("restrict_public_buckets"))
        .build()
}

fn encryption_of(value: &Value) -> Result<ServerSideEncryptionByDefault, Error> {
    let algorithm = ServerSideEncryption::from(value["algorithm"].as_str().unwrap_or("AES256"));
    let key = value["kms_key"].as_str().map(str::to_owned);
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).set_kms_master_key_id(key).build();
    default.map_err(|error| unknown_facet(&error.to_string()))
}

/// A value of ours as tags.
pub(crate) fn tags_of(value: &Value) -> Tags {
    let members = value.as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

async fn write_policy(writer: &Writer, names: &Names, owner: &str, value: &Value, fresh: bool) -> Result<(), Error> {
    use crate::client::Read as _;
    let bucket = names.bucket.as_str();
    let text = if fresh { None } else { writer.reader().get_bucket_policy(bucket, owner).await? };
    let document = text.as_deref().and_then(Document::parse).unwrap_or_default();
    let document = document.with_ours(&names.sids, value);
    if document.is_empty() {
        return writer.delete_bucket_policy(bucket, owner).await;
    }
    writer.put_bucket_policy(bucket, owner, &document.to_text()).await
}

async fn write_cors(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    owner: &str,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    use crate::client::Read as _;
    let bucket = names.bucket.as_str();
    let (mut rules, mark) = if fresh {
        (Vec::new(), None)
    } else {
        let reader = writer.reader();
        let (rules, tags) =
            futures::join!(reader.get_bucket_cors(bucket, owner), reader.get_bucket_tagging(bucket, owner));
        (rules?, Mark::from_tags(&tags?))
    };
    let place = find_rule(&rules, names, mark.as_ref(), &cors(settings));
    match (place, value.is_null()) {
        (Some(place), true) => drop(rules.remove(place)),
        (Some(place), false) => rules[place] = rule_of(value, &names.ids[0])?,
        (None, true) => {}
        (None, false) => rules.push(rule_of(value, &names.ids[0])?),
    }
    if rules.is_empty() {
        return writer.delete_bucket_cors(bucket, owner).await;
    }
    writer.put_bucket_cors(bucket, owner, rules).await
}

fn rule_of(value: &Value, id: &str) -> Result<CorsRule, Error> {
    let list = |key: &str| {
        let items = value[key].as_array().into_iter().flatten();
        Some(items.filter_map(|item| item.as_str().map(str::to_owned)).collect())
    };
    let max_age_s = value["max_age_s"].as_i64().and_then(|age| i32::try_from(age).ok());
    let rule = CorsRule::builder()
        .id(id)
        .set_allowed_origins(list("origins"))
        .set_allowed_methods(list("methods"))
        .set_allowed_headers(list("headers"))
        .set_expose_headers(list("expose"))
        .set_max_age_seconds(max_age_s)
        .build();
    rule.map_err(|error| unknown_facet(&error.to_string()))
}

/// Create the bucket with its mark. Where an existing one may answer as if it had just been made, the mark is read before
/// anything else is written.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    owner: &str,
    facets: &serde_json::Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    use crate::client::Read as _;
    let bucket = names.bucket.as_str();
    let mut tags = facets.get(TAGS.name).map(tags_of).unwrap_or_default();
    tags.extend(mark.to_tags());
    let ownership = facets.get(OWNERSHIP.name).and_then(Value::as_str);
    let created = match writer.create_bucket(bucket, &names.region, ownership, &tags).await {
        Ok(()) => true,
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => false,
        Err(error) if error.code() == Some("BucketAlreadyExists") => return Err(name_taken(error)),
        Err(error) => return Err(error),
    };
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>: in us-east-1, 200 for a bucket one owns.
    if created && names.region != "us-east-1" && !names.endpoint_overridden {
        return Ok(());
    }
    let found = writer.reader().get_bucket_tagging(bucket, owner).await?;
    match Mark::from_tags(&found) {
        Some(found) if found.deployment == mark.deployment && found.is_for(&names.bucket_arn()) => Ok(()),
        // An endpoint that is not S3 itself may drop the tags of a creation.
        None if created && names.endpoint_overridden => writer.put_bucket_tagging(bucket, owner, &tags).await,
        _ => Err(appeared(bucket)),
    }
}

fn name_taken(error: Error) -> Error {
    error.hint("bucket names are shared by all accounts: choose another `name` under [aws.bucket]")
}

fn appeared(bucket: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("bucket `{bucket}` was made by somebody else in the meantime"));
    error.hint("run `provision aws plan` to see whose it is")
}

/// Merge tags into those there are.
pub(crate) async fn merge_tags(writer: &Writer, names: &Names, owner: &str, ours: &Tags) -> Result<(), Error> {
    use crate::client::Read as _;
    let found = writer.reader().get_bucket_tagging(&names.bucket, owner).await?;
    put_merged(writer, names, owner, found, ours).await
}

async fn put_merged(writer: &Writer, names: &Names, owner: &str, found: Tags, ours: &Tags) -> Result<(), Error> {
    let mut merged = found;
    merged.extend(ours.clone());
    let result = writer.put_bucket_tagging(&names.bucket, owner, &merged).await;
    match result {
        Err(error) if refused_by_abac(writer, names, owner, &error).await => {
            writer.tag_resource(&names.bucket_arn(), owner, ours).await
        }
        result => result,
    }
}

/// On a bucket whose tags grant access, `PutBucketTagging` is refused
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html>).
async fn refused_by_abac(writer: &Writer, names: &Names, owner: &str, error: &Error) -> bool {
    use crate::client::Read as _;
    let refused = matches!(error.status(), Some(400 | 403 | 405 | 409)) && error.code() != Some("OperationAborted");
    refused && writer.reader().get_bucket_abac(&names.bucket, owner).await.unwrap_or_default()
}

/// Write the mark; stops if somebody else's hand is on it. `read` are the tags read beside the other writes of this run.
pub(crate) async fn record(
    writer: &Writer,
    names: &Names,
    owner: &str,
    read: Option<Tags>,
    before: Option<&Mark>,
    mark: &Mark,
) -> Result<(), Error> {
    use crate::client::Read as _;
    let found = match read {
        Some(found) => found,
        None => writer.reader().get_bucket_tagging(&names.bucket, owner).await?,
    };
    may_be_written("aws", &format!("bucket `{}`", names.bucket), Mark::from_tags(&found).as_ref(), before, mark)?;
    put_merged(writer, names, owner, found, &mark.to_tags()).await
}

/// Take our mark off, and leave every other tag.
pub(crate) async fn unmark(writer: &Writer, names: &Names, owner: &str) -> Result<(), Error> {
    use crate::client::Read as _;
    let mut found = writer.reader().get_bucket_tagging(&names.bucket, owner).await?;
    found.retain(|key, _| !KEYS.contains(&key.as_str()));
    let result = match found.is_empty() {
        true => writer.delete_bucket_tagging(&names.bucket, owner).await,
        false => writer.put_bucket_tagging(&names.bucket, owner, &found).await,
    };
    match result {
        Err(error) if refused_by_abac(writer, names, owner, &error).await => {
            writer.untag_resource(&names.bucket_arn(), owner, &KEYS).await
        }
        result => result,
    }
}

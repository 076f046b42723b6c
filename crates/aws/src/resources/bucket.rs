//! `aws.bucket`: the S3 bucket, private, encrypted, TLS only, with the CORS rule of the server's host.

use aws_sdk_s3::types::{
    CorsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionRule,
};
use provision_core::cors::{self, Listed};
use provision_core::mark::{self, Mark, Origin};
use provision_core::provider::{Created, TagChanges, with_changes};
use provision_core::resource::{
    Creation, Entries, Extent, Facet, Kept, Lane, Observation, Present, Refusal, Resource, Seen, Sharing, Turns, Want,
};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Tags, Writer};
use crate::config::{Encryption, Settings};
use crate::contents;
use crate::names::{BUCKET, Names};
use crate::policy::{Document, Quota, with_sid};
use crate::resources::ours;

const fn facet(name: &'static str, key: char, sharing: Sharing, creation: Creation) -> Facet {
    Facet { name, key, extent: Extent::Whole, sharing, creation }
}

static OWNERSHIP: Facet = facet("ownership", 'o', Sharing::Exclusive, Creation::SameCall);
static PUBLIC_ACCESS: Facet = facet("public_access", 'p', Sharing::Exclusive, Creation::OwnCall);
static ENCRYPTION: Facet = facet("encryption", 'e', Sharing::Exclusive, Creation::OwnCall);
static VERSIONING: Facet = facet("versioning", 'v', Sharing::Exclusive, Creation::OwnCall);
static POLICY: Facet = facet("policy", 't', Sharing::Named, Creation::OwnCall);
static CORS: Facet = facet("cors", 'c', Sharing::Named, Creation::OwnCall);
static TAGS: Facet = Facet { extent: Extent::Tags, ..facet("tags", 'g', Sharing::Exclusive, Creation::SameCall) };

/// Every one that a bucket can have, in the order people read.
static FACETS: [&Facet; 7] = [&OWNERSHIP, &PUBLIC_ACCESS, &ENCRYPTION, &VERSIONING, &POLICY, &CORS, &TAGS];

/// Writes to one bucket share a lane: S3 may answer `OperationAborted` to two at once.
pub(crate) const LANE: Lane = Lane { name: "bucket", turns: Turns::AfterConflict };

/// Rules of a document <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>.
const MOST_CORS_RULES: usize = 100;

/// What a policy may have: 20 KB <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>.
const POLICY_QUOTA: Quota = Quota { bytes: 20 * 1024, statements: None };

pub(crate) fn resource(settings: &Settings, names: &Names) -> Resource {
    Resource {
        identity: names.bucket_arn(),
        adopt: settings.aws.bucket.adopt,
        holds_data: true,
        lane: Some(LANE),
        ..Resource::new(BUCKET, "bucket", &names.bucket, &FACETS)
    }
}

/// What is wanted. On an adopted bucket, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, names: &Names, origin: Origin) -> Vec<Want> {
    let bucket = &settings.aws.bucket;
    let created = origin == Origin::Created;
    let private = created || bucket.private;
    let want = |facet, value, key: &str| Want { facet, value, path: format!("aws.bucket{key}") };
    let mut wants = Vec::new();
    if private {
        wants.push(want(&OWNERSHIP, json!("BucketOwnerEnforced"), ""));
        wants.push(want(&PUBLIC_ACCESS, public_access([true; 4]), ""));
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
    wants.push(want(&CORS, rule(settings).to_value(), ".cors"));
    if !settings.tags().is_empty() {
        wants.push(Want { facet: &TAGS, value: json!(settings.tags()), path: "deployment.tags".to_owned() });
    }
    wants
}

/// Block ACLs, ignore them, block policies, restrict access.
fn public_access([block_acls, ignore_acls, block_policy, restrict]: [bool; 4]) -> Value {
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
    with_sid(&statement, &names.sids[0])
}

fn rule(settings: &Settings) -> cors::CorsRule {
    settings.aws.bucket.cors.rule(&settings.deployment.host, "ETag")
}

/// The answers of all reads, which are sent at once.
struct Reads {
    head: Result<Option<()>, Error>,
    tags: Result<Tags, Error>,
    ownership: Result<Option<String>, Error>,
    public_access: Result<Option<PublicAccessBlockConfiguration>, Error>,
    encryption: Result<Option<ServerSideEncryptionRule>, Error>,
    versioning: Result<bool, Error>,
    policy: Result<Option<String>, Error>,
    cors: Result<Vec<CorsRule>, Error>,
}

/// Look at everything at once.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    owner: &str,
) -> Result<Observation, Error> {
    let mut reads = Reads::send(reader, &names.bucket, owner).await;
    if let Some(instead) = reads.instead() {
        return instead;
    }
    // Without its tags nobody knows whose it is.
    let tags = std::mem::replace(&mut reads.tags, Ok(Tags::new()))?;
    Ok(Observation::Present(Box::new(reads.present(settings, names, &tags))))
}

impl Reads {
    async fn send(reader: &Reader, bucket: &str, owner: &str) -> Self {
        let (head, tags, ownership, public_access, encryption, versioning, policy, cors) = futures::join!(
            reader.head_bucket(bucket, owner),
            reader.get_bucket_tagging(bucket, owner),
            reader.get_bucket_ownership_controls(bucket, owner),
            reader.get_public_access_block(bucket, owner),
            reader.get_bucket_encryption(bucket, owner),
            reader.get_bucket_versioning(bucket, owner),
            reader.get_bucket_policy(bucket, owner),
            reader.get_bucket_cors(bucket, owner),
        );
        Self { head, tags, ownership, public_access, encryption, versioning, policy, cors }
    }

    /// What there is in place of a bucket that can be looked at.
    fn instead(&self) -> Option<Result<Observation, Error>> {
        match &self.head {
            Ok(None) => Some(Ok(Observation::Absent)),
            // Another account's bucket answers 403 to everything, without the sentence that IAM gives its own callers.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && self.all_denied() => {
                Some(Ok(elsewhere(error, self.tags.as_ref().err())))
            }
            Err(error) => Some(Err(with_region(error, self.tags.as_ref().err()).clone())),
            // It may have been deleted since.
            Ok(Some(())) => self.is_gone().then_some(Ok(Observation::Absent)),
        }
    }

    fn is_gone(&self) -> bool {
        let settings = is_gone(&self.ownership) || is_gone(&self.public_access) || is_gone(&self.encryption);
        let documents = is_gone(&self.policy) || is_gone(&self.cors);
        settings || documents || is_gone(&self.versioning) || is_gone(&self.tags)
    }

    fn all_denied(&self) -> bool {
        denied(&self.tags) && denied(&self.versioning) && denied(&self.cors)
    }

    fn present(self, settings: &Settings, names: &Names, tags: &Tags) -> Present {
        let policy = self.policy.and_then(|text| document(text.as_deref(), &names.bucket));
        let others = policy.iter().flat_map(|policy| policy.others(&names.sids));
        let kept = others.map(|entry| Kept { facet: POLICY.name.to_owned(), entry }).collect();
        let seen = vec![
            (OWNERSHIP.name, value(self.ownership, |ownership| json!(ownership))),
            (PUBLIC_ACCESS.name, value(self.public_access, |block| json!(block.as_ref().map(seen_public_access)))),
            (ENCRYPTION.name, value(self.encryption, |rule| rule.as_ref().map_or(Value::Null, seen_encryption))),
            (VERSIONING.name, value(self.versioning, Value::from)),
            (POLICY.name, policy.map_or_else(Seen::Unknown, |policy| Seen::Entries(statements(&policy, names)))),
            (CORS.name, self.cors.map_or_else(Seen::Unknown, |rules| Seen::Entries(entries(&rules, settings, names)))),
            (TAGS.name, Seen::Value(json!(mark::without_mark(tags)))),
        ];
        Present { mark: Mark::from_tags(tags), seen, kept, ..Present::default() }
    }
}

/// Whether a call said that there is no such bucket.
pub(crate) fn is_gone<T>(read: &Result<T, Error>) -> bool {
    read.as_ref().is_err_and(|error| error.code() == Some("NoSuchBucket"))
}

fn denied<T>(read: &Result<T, Error>) -> bool {
    read.as_ref().is_err_and(|error| {
        let explained = error.reason().is_some_and(|reason| reason.contains("is not authorized to perform"));
        error.kind() == ErrorKind::PermissionDenied && !explained
    })
}

fn elsewhere(head: &Error, tags: Option<&Error>) -> Observation {
    let detail = tags.or(Some(head)).and_then(Error::call).unwrap_or_default();
    Observation::TakenElsewhere { detail: format!("{detail}; or these credentials may read nothing of it") }
}

/// `HEAD` has no body: another read says more about the same refusal.
fn with_region<'a>(head: &'a Error, other: Option<&'a Error>) -> &'a Error {
    other.filter(|other| other.advice().is_some() || other.code().is_some()).unwrap_or(head)
}

fn value<T>(read: Result<T, Error>, normalize: impl FnOnce(T) -> Value) -> Seen {
    read.map_or_else(Seen::Unknown, |read| Seen::Value(normalize(read)))
}

fn document(text: Option<&str>, bucket: &str) -> Result<Document, Error> {
    Document::read(text, "s3:GetBucketPolicy", &format!("read the policy of bucket `{bucket}`"))
}

fn statements(policy: &Document, names: &Names) -> Entries {
    policy.entries(&names.sids, &tls_only(names), POLICY_QUOTA, &format!("bucket `{}`", names.bucket))
}

fn seen_public_access(seen: &PublicAccessBlockConfiguration) -> Value {
    let flags =
        [seen.block_public_acls, seen.ignore_public_acls, seen.block_public_policy, seen.restrict_public_buckets];
    public_access(flags.map(Option::unwrap_or_default))
}

fn seen_encryption(rule: &ServerSideEncryptionRule) -> Value {
    match &rule.apply_server_side_encryption_by_default {
        None => Value::Null,
        Some(default) => match &default.kms_master_key_id {
            Some(key) => json!({"algorithm": default.sse_algorithm.as_str(), "kms_key": key}),
            None => json!({"algorithm": default.sse_algorithm.as_str()}),
        },
    }
}

fn entries(rules: &[CorsRule], settings: &Settings, names: &Names) -> Entries {
    let rules: Vec<_> = rules.iter().map(listed).collect();
    let full = Refusal {
        reason: format!(
            "bucket `{}` has {MOST_CORS_RULES} CORS rules already, which is all that S3 takes",
            names.bucket
        ),
        hint: "remove one that nobody needs".to_owned(),
    };
    Entries { list: cors::entries(&rules, &names.ids, &rule(settings)), limit: Some((MOST_CORS_RULES, full)) }
}

fn listed(rule: &CorsRule) -> Listed {
    let normal = cors::CorsRule {
        origins: rule.allowed_origins().to_vec(),
        methods: rule.allowed_methods().to_vec(),
        headers: rule.allowed_headers().to_vec(),
        expose: rule.expose_headers().to_vec(),
        max_age_s: i64::from(rule.max_age_seconds.unwrap_or_default()),
    };
    Listed { rule: normal.normal(), id: rule.id.clone() }
}

/// Create the bucket with its tags, the mark among them.
///
/// AWS answers 409 for a bucket that is there, in `us-east-1` too: its 200 for a bucket of one's own
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>) is only given to a call without tags. So 200
/// means that this call made it; what is not AWS itself is asked.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    owner: &str,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let ownership = facets.get(OWNERSHIP.name).and_then(Value::as_str);
    match writer.create_bucket(&names.bucket, &names.region, ownership, tags).await {
        Ok(()) if names.endpoint_overridden => confirm(writer, names, owner, tags).await,
        Ok(()) => Ok(Created::Made),
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(Created::Existed),
        Err(error) if error.code() == Some("BucketAlreadyExists") => Err(name_taken(error)),
        Err(error) => Err(error),
    }
}

/// What 200 of another endpoint means: some answer so for a bucket that was there, and some drop the tags of a creation.
async fn confirm(writer: &Writer, names: &Names, owner: &str, tags: &Tags) -> Result<Created, Error> {
    let found = writer.reader().get_bucket_tagging(&names.bucket, owner).await?;
    if found == *tags {
        return Ok(Created::Made);
    }
    if found.is_empty() {
        writer.put_bucket_tagging(&names.bucket, owner, tags).await?;
    }
    Ok(Created::Existed)
}

fn name_taken(error: Error) -> Error {
    error.hint("bucket names are shared by all accounts: choose another `name` under [aws.bucket]")
}

/// Change tags: the whole set is written, and where tags grant access each one by itself.
pub(crate) async fn update_tags(
    writer: &Writer,
    names: &Names,
    owner: &str,
    found: &Tags,
    changes: &TagChanges,
) -> Result<(), Error> {
    let tags = with_changes(found, changes);
    let written = match tags.is_empty() {
        true => writer.delete_bucket_tagging(&names.bucket, owner).await,
        false => writer.put_bucket_tagging(&names.bucket, owner, &tags).await,
    };
    match written {
        Err(error) if refused_by_abac(writer, names, owner, &error).await => {
            update_single_tags(writer, names, owner, changes).await
        }
        written => written,
    }
}

/// On a bucket whose tags grant access, `PutBucketTagging` is refused
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html>).
async fn refused_by_abac(writer: &Writer, names: &Names, owner: &str, error: &Error) -> bool {
    let refused = matches!(error.status(), Some(400 | 403 | 405 | 409)) && error.code() != Some("OperationAborted");
    refused && writer.reader().get_bucket_abac(&names.bucket, owner).await.unwrap_or_default()
}

async fn update_single_tags(writer: &Writer, names: &Names, account: &str, changes: &TagChanges) -> Result<(), Error> {
    let (set, removed) = set_and_removed(changes);
    if !set.is_empty() {
        writer.tag_resource(&names.bucket_arn(), account, &set).await?;
    }
    if !removed.is_empty() {
        writer.untag_resource(&names.bucket_arn(), account, &removed).await?;
    }
    Ok(())
}

/// Changes for calls that add tags, and take some off. Those that add go first: a mark that is half written says too much
/// and not too little.
pub(crate) fn set_and_removed(changes: &TagChanges) -> (Tags, Vec<&str>) {
    let set = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    let removed = changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
    (set, removed)
}

/// What a write is about.
pub(crate) struct Write<'a> {
    pub(crate) facet: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
    /// This run made what is written to.
    pub(crate) just_created: bool,
}

/// Write one facet; `null` takes our entry out.
pub(crate) async fn write(writer: &Writer, names: &Names, owner: &str, write: &Write<'_>) -> Result<(), Error> {
    let (bucket, value) = (names.bucket.as_str(), write.value);
    match write.facet {
        "ownership" => {
            let ownership = value.as_str().unwrap_or_default();
            writer.put_bucket_ownership_controls(bucket, owner, ownership).await
        }
        "public_access" => writer.put_public_access_block(bucket, owner, block_of(value)).await,
        "encryption" => write_encryption(writer, names, owner, write).await,
        "versioning" => writer.put_bucket_versioning(bucket, owner, value == &json!(true)).await,
        "policy" => write_policy(writer, names, owner, write).await,
        "cors" => write_cors(writer, names, owner, write).await,
        other => Err(ours(&format!("facet `{other}` of a bucket is unknown"))),
    }
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

/// The rule has more than algorithm and key: that is read, and written back as it was.
async fn write_encryption(writer: &Writer, names: &Names, owner: &str, write: &Write<'_>) -> Result<(), Error> {
    // "Amazon S3 applies server-side encryption with S3 managed keys (SSE-S3) as the base level of encryption for every
    // bucket" <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>.
    if write.just_created && !names.endpoint_overridden && *write.value == encryption(None) {
        return Ok(());
    }
    let found = writer.reader().get_bucket_encryption(&names.bucket, owner).await?;
    let rule = encrypted(found.as_ref(), write.value)?;
    if found.as_ref() == Some(&rule) {
        return Ok(());
    }
    writer.put_bucket_encryption(&names.bucket, owner, rule).await
}

/// The rule with another algorithm and key. Without the bucket key each object asks KMS for one of its own.
fn encrypted(found: Option<&ServerSideEncryptionRule>, value: &Value) -> Result<ServerSideEncryptionRule, Error> {
    let algorithm = ServerSideEncryption::from(value["algorithm"].as_str().unwrap_or("AES256"));
    let key = value["kms_key"].as_str().map(str::to_owned);
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).set_kms_master_key_id(key).build();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default.map_err(|error| ours(&error.to_string()))?)
        .set_bucket_key_enabled(found.and_then(|found| found.bucket_key_enabled))
        .set_blocked_encryption_types(found.and_then(|found| found.blocked_encryption_types.clone()));
    Ok(rule.build())
}

async fn write_policy(writer: &Writer, names: &Names, owner: &str, write: &Write<'_>) -> Result<(), Error> {
    let bucket = names.bucket.as_str();
    let text = if write.just_created { None } else { writer.reader().get_bucket_policy(bucket, owner).await? };
    match document(text.as_deref(), bucket)?.with_ours(&names.sids, write.value) {
        None => Ok(()),
        Some(merged) if merged.is_empty() => writer.delete_bucket_policy(bucket, owner).await,
        Some(merged) => writer.put_bucket_policy(bucket, owner, &merged.to_text()).await,
    }
}

async fn write_cors(writer: &Writer, names: &Names, owner: &str, write: &Write<'_>) -> Result<(), Error> {
    let bucket = names.bucket.as_str();
    let rules = if write.just_created { Vec::new() } else { writer.reader().get_bucket_cors(bucket, owner).await? };
    let merged = merged_cors(&rules, &names.ids, write.before, write.value)?;
    match merged.is_empty() {
        _ if merged == rules => Ok(()),
        true => writer.delete_bucket_cors(bucket, owner).await,
        false => writer.put_bucket_cors(bucket, owner, merged).await,
    }
}

fn merged_cors(rules: &[CorsRule], ids: &[String], before: &Value, value: &Value) -> Result<Vec<CorsRule>, Error> {
    cors::merge(rules, listed, ids, before, value, |value| rule_of(value, &ids[0]))
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
    rule.map_err(|error| ours(&error.to_string()))
}

/// Delete it. The service itself refuses a full bucket; then the counts say why.
pub(crate) async fn delete(writer: &Writer, bucket: &str, owner: &str) -> Result<(), Error> {
    match writer.delete_bucket(bucket, owner).await {
        Err(error) if error.code() == Some("BucketNotEmpty") => {
            let contents = contents::contents(writer.reader(), bucket, owner).await?;
            Err(provision_core::assess::not_empty_error("bucket", bucket, &contents.describe()))
        }
        deleted => deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{BlockedEncryptionTypes, EncryptionType};
    use provision_core::resource::EntryId;

    use crate::names::tests::{names, settings};
    use crate::resources::notification;

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"";

    fn cors_rule(id: Option<&str>, origin: &str, methods: &[&str]) -> CorsRule {
        let rule = CorsRule::builder().set_id(id.map(str::to_owned)).allowed_origins(origin);
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        rule.set_allowed_methods(Some(methods)).expose_headers("ETag").max_age_seconds(3000).build().unwrap()
    }

    /// A rule as the plan file wants it, in the service's order and not in ours.
    fn as_wanted(id: Option<&str>) -> CorsRule {
        let mut rule = cors_rule(id, "https://w.example", &["PUT", "HEAD", "GET"]);
        rule.allowed_headers = Some(vec!["*".to_owned()]);
        rule
    }

    #[test]
    fn facets_have_keys_of_their_own() {
        let mut keys: Vec<char> = FACETS.iter().map(|facet| facet.key).collect();
        keys.push(notification::ENTRY.key);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), FACETS.len() + 1);
    }

    #[test]
    fn values_for_everybody_are_wanted_of_an_adopted_bucket_only_where_the_plan_file_sets_them() {
        let wanted = |plan: &str, origin| {
            let settings = settings("tags = { team = \"ml\" }", plan);
            let wants = want(&settings, &names(&settings), origin);
            wants.iter().map(|want| want.facet.key).collect::<String>()
        };
        assert_eq!(wanted(PLAN, Origin::Created), "opevtcg");
        assert_eq!(wanted(PLAN, Origin::Adopted), "cg");
        let full = format!("{PLAN}\nprivate = true\nversioning = false\nencryption = \"AES256\"");
        assert_eq!(wanted(&full, Origin::Adopted), "opevtcg");
    }

    #[test]
    fn cors_rule_survives_the_services_spelling() {
        let settings = settings("", PLAN);
        let names = names(&settings);
        let found = entries(&[as_wanted(Some(&names.ids[0])), as_wanted(None)], &settings, &names);
        let wanted = rule(&settings).to_value();
        assert_eq!((&found.list[0].value, found.list[0].id), (&wanted, EntryId::Ours));
        assert_eq!((&found.list[1].value, found.list[1].id), (&wanted, EntryId::Nobodys));
        assert_eq!(listed(&rule_of(&wanted, "x").unwrap()).rule.to_value(), wanted);
    }

    #[test]
    fn cors_of_others_are_kept_to_the_bit_and_ours_goes_first() {
        let settings = settings("", PLAN);
        let (names, wanted) = (names(&settings), rule(&settings).to_value());
        let others = [cors_rule(Some("b"), "https://b.example", &["GET", "PUT"]), cors_rule(None, "*", &["GET"])];
        let merged = merged_cors(&others, &names.ids, &Value::Null, &wanted).unwrap();
        assert_eq!(merged[0].id.as_ref(), Some(&names.ids[0]));
        assert_eq!(merged[1..], others);
        assert_eq!(merged_cors(&merged, &names.ids, &wanted, &wanted).unwrap(), merged);
        assert_eq!(merged_cors(&merged, &names.ids, &wanted, &Value::Null).unwrap(), others);
    }

    #[test]
    fn encryption_keeps_what_it_does_not_manage() {
        let blocked = BlockedEncryptionTypes::builder().encryption_type(EncryptionType::from("SSE-C")).build();
        let mut found = encrypted(None, &encryption(None)).unwrap();
        (found.bucket_key_enabled, found.blocked_encryption_types) = (Some(true), Some(blocked.clone()));
        let wanted = json!({"algorithm": "aws:kms", "kms_key": "arn:aws:kms:e:1:key/x"});
        let rule = encrypted(Some(&found), &wanted).unwrap();
        assert_eq!(seen_encryption(&rule), wanted);
        assert_eq!((rule.bucket_key_enabled, rule.blocked_encryption_types), (Some(true), Some(blocked)));
        assert_eq!(encrypted(Some(&found), &encryption(None)).unwrap(), found);
    }

    #[test]
    fn public_access_survives_its_request() {
        for flags in [[true; 4], [true, false, true, false]] {
            assert_eq!(seen_public_access(&block_of(&public_access(flags))), public_access(flags));
        }
    }

    #[test]
    fn tags_are_set_and_removed_one_by_one() {
        let changes: TagChanges =
            [("a", Some("1")), ("b", None)].map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).into();
        let (set, removed) = set_and_removed(&changes);
        assert_eq!((set, removed), (Tags::from([("a".to_owned(), "1".to_owned())]), vec!["b"]));
    }
}

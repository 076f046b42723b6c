//! `aws.bucket`: the S3 bucket, private, encrypted, TLS only, with the CORS rule of the server's host.

use aws_sdk_s3::types::{CorsRule, PublicAccessBlockConfiguration, ServerSideEncryptionRule};
use provision_core::contents::not_empty_error;
use provision_core::facet::{Desired, Words, tags_in_words};
use provision_core::hop::Obstacle;
use provision_core::mark::{Mark, Origin, Tags, without_mark};
use provision_core::mark::{TagChanges, with_changes};
use provision_core::provider::Created;
use provision_core::resource::{Lane, LaneMode, Observation, Present, Resource, Unmanaged};
use provision_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::contents;
use crate::names::{Names, Part};
use crate::policy::Document;
use crate::resources::bucket_policy::{self, Own, Turn};
use crate::resources::delivery::Holder;
use crate::resources::encryption::{self, DefaultEncryption};
use crate::resources::{Facets, Write, cors, delivery, typed};
use crate::tags::set_and_removed;

provision_core::facets! {
    /// Facets of the bucket.
    pub(crate) enum BucketFacet {
        Ownership = ("ownership", 'o', Whole, Exclusive, SameCall),
        PublicAccess = ("public_access", 'p', Whole, Exclusive, OwnCall),
        Encryption = ("encryption", 'e', Whole, Exclusive, OwnCall),
        Versioning = ("versioning", 'v', Whole, Exclusive, OwnCall),
        Policy = ("policy", 't', Whole, Named, OwnCall),
        Principals = ("principals", 'r', Whole, Named, OwnCall),
        Delivery = ("delivery", 'd', Whole, Exclusive, SameCall),
        Cors = ("cors", 'c', Whole, Named, OwnCall),
        Tags = ("tags", 'g', Tags, Exclusive, SameCall),
    }
}

/// What of public access is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PublicAccess {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

/// Writes to one bucket share a lane: S3 may answer `OperationAborted` to two at once.
pub(crate) const LANE: Lane = Lane { name: "bucket", mode: LaneMode::AfterConflict };

pub(crate) fn resource(settings: &Settings, names: &Names) -> Resource {
    Resource {
        identity: names.bucket_arn(),
        adopt: settings.aws.bucket.adopt,
        holds_data: true,
        lane: Some(LANE),
        ..Part::Bucket.resource(&names.bucket, BucketFacet::ALL)
    }
}

/// The desired facets. On an adopted bucket, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, names: &Names, origin: Origin) -> Vec<Desired> {
    let bucket = &settings.aws.bucket;
    let created = origin == Origin::Created;
    let private = created || bucket.private;
    BucketFacet::all_desired(|facet| match facet {
        BucketFacet::Ownership => private.then(|| facet.desired("BucketOwnerEnforced", "aws.bucket")),
        BucketFacet::PublicAccess => private.then(|| facet.desired(PublicAccess::BLOCKED, "aws.bucket")),
        BucketFacet::Encryption => {
            let desired = DefaultEncryption::desired(bucket.encryption.as_ref());
            (created || bucket.encryption.is_some()).then(|| facet.desired(desired, "aws.bucket.encryption"))
        }
        BucketFacet::Versioning => {
            let desired = bucket.versioning.unwrap_or_default();
            (created || bucket.versioning.is_some()).then(|| facet.desired(desired, "aws.bucket.versioning"))
        }
        BucketFacet::Policy => private.then(|| facet.desired(bucket_policy::tls_only(names), "aws.bucket")),
        BucketFacet::Principals => {
            let statement = Some(bucket_policy::principals(names)).filter(Value::is_object);
            statement.map(|statement| facet.desired(statement, "aws.access.principals"))
        }
        // Nothing is to be in the way.
        BucketFacet::Delivery => created.then(|| facet.desired(json!({}), "aws.bucket")),
        BucketFacet::Cors => {
            let decided_elsewhere = bucket.cors.decided_elsewhere();
            Some(facet.desired(cors::rule(settings), "aws.bucket.cors").with_field_at(decided_elsewhere))
        }
        BucketFacet::Tags => (!settings.tags().is_empty()).then(|| facet.desired(settings.tags(), "deployment.tags")),
    })
}

/// A facet in words.
pub(crate) fn in_words(settings: &Settings, facet: BucketFacet, value: &Value) -> Option<Words> {
    let bucket = &settings.aws.bucket;
    match facet {
        BucketFacet::Ownership => Some(("private", "ACLs off".to_owned())),
        BucketFacet::PublicAccess => Some(("private", "public access blocked".to_owned())),
        BucketFacet::Encryption => Some(("encryption", typed::<DefaultEncryption>(value).ok()?.in_words())),
        BucketFacet::Versioning => {
            let text = if value == true { "on" } else { "off" };
            (value == true || bucket.versioning.is_some()).then(|| ("versioning", text.to_owned()))
        }
        BucketFacet::Policy => Some(("private", "TLS only".to_owned())),
        BucketFacet::Principals => bucket_policy::principals_in_words(value),
        BucketFacet::Delivery => None,
        BucketFacet::Cors => bucket.cors.in_words(value),
        BucketFacet::Tags => Some(("tags", tags_in_words(value))),
    }
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

/// What a look found beside the bucket itself: what deserves a warning, and what stands in the way of a proof.
pub(crate) type Noted = (Vec<String>, Vec<Obstacle>);

/// Look at everything at once.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
) -> Result<(Observation, Noted), Error> {
    let mut reads = Reads::send(reader, &names.bucket, &names.account).await;
    if let Some(instead) = reads.instead() {
        return instead.map(|found| (found, Noted::default()));
    }
    let unnamed_key = reads.unnamed_key(settings);
    // Without its tags nobody knows whose it is.
    let tags = std::mem::replace(&mut reads.tags, Ok(Tags::new()))?;
    let opened = reads.opened(settings, names, &tags);
    let policy = reads.whole_policy(names);
    let undeletable = policy.as_ref().and_then(|policy| delivery::undeletable(policy, names));
    let denied_right = policy.as_ref().and_then(|policy| delivery::bucket_rights_denied(policy, names));
    let present = reads.present(settings, names, &tags);
    let denied = delivery::on_adopted(&present, settings.aws.bucket.adopt);
    let denied = denied.and_then(|observed| delivery::refusal(Holder::Bucket(&names.bucket), observed));
    let warnings = unnamed_key.into_iter().chain(denied.map(|refusal| refusal.reason)).chain(opened).collect();
    let found = Observation::Present(Box::new(present));
    let obstacles = delivery::obstacles(Holder::Bucket(&names.bucket), &found);
    Ok((found, (warnings, obstacles.into_iter().chain(denied_right).chain(undeletable).collect())))
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
            // A status alone does not outweigh a document: what has tags is there.
            Ok(None) if self.tags.is_ok() => self.is_gone().then_some(Ok(Observation::Absent)),
            Ok(None) => Some(self.disagreeing().map_or(Ok(Observation::Absent), |error| Err(error.clone()))),
            // Another account's bucket answers 403 to everything, without the sentence that IAM gives its own callers.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && self.all_denied() => {
                Some(Ok(elsewhere(error, self.tags.as_ref().err())))
            }
            Err(error) => Some(Err(with_region(error, self.tags.as_ref().err()).clone())),
            // It may have been deleted since.
            Ok(Some(())) => self.is_gone().then_some(Ok(Observation::Absent)),
        }
    }

    /// What another read says, if it is neither that there is no bucket nor that it may not be read.
    fn disagreeing(&self) -> Option<&Error> {
        let errors = [
            self.tags.as_ref().err(),
            self.ownership.as_ref().err(),
            self.public_access.as_ref().err(),
            self.encryption.as_ref().err(),
            self.versioning.as_ref().err(),
            self.policy.as_ref().err(),
            self.cors.as_ref().err(),
        ];
        let agrees =
            |error: &Error| error.code() == Some("NoSuchBucket") || error.kind() == ErrorKind::PermissionDenied;
        errors.into_iter().flatten().find(|error| !agrees(error))
    }

    fn is_gone(&self) -> bool {
        let settings = is_gone(&self.ownership) || is_gone(&self.public_access) || is_gone(&self.encryption);
        let documents = is_gone(&self.policy) || is_gone(&self.cors);
        settings || documents || is_gone(&self.versioning) || is_gone(&self.tags)
    }

    fn all_denied(&self) -> bool {
        is_denied_unexplained(&self.tags)
            && is_denied_unexplained(&self.versioning)
            && is_denied_unexplained(&self.cors)
    }

    /// A key that the plan file does not name keeps the server from its files.
    fn unnamed_key(&self, settings: &Settings) -> Option<String> {
        let rule = self.encryption.as_ref().ok().and_then(Option::as_ref);
        let key = rule.and_then(DefaultEncryption::observed).and_then(|encryption| encryption.kms_key);
        key.and_then(|key| encryption::unnamed_key(settings, &key))
    }

    fn whole_policy(&self, names: &Names) -> Option<Document> {
        let text = self.policy.as_ref().ok()?;
        bucket_policy::document(text.as_deref(), &names.bucket).ok()
    }

    /// What others let everybody do with a bucket that was adopted. One that is to be private is written so.
    fn opened(&self, settings: &Settings, names: &Names, tags: &Tags) -> Vec<String> {
        let bucket = &settings.aws.bucket;
        let adopted = Mark::from_tags(tags).map_or(bucket.adopt, |mark| mark.origin == Origin::Adopted);
        let block = self.public_access.as_ref().ok().and_then(Option::as_ref).map(PublicAccess::observed);
        let shut = self.public_access.is_err() || block.is_some_and(|block| block.restrict_public_buckets);
        let policy = self.whole_policy(names).filter(|_| adopted && !bucket.private && !shut);
        policy.map(|policy| delivery::opened(Holder::Bucket(&names.bucket), &policy, names)).unwrap_or_default()
    }

    fn present(self, settings: &Settings, names: &Names, tags: &Tags) -> Present {
        let Self { ownership, public_access, encryption, versioning, policy, cors, .. } = self;
        let policy = policy.and_then(|text| bucket_policy::document(text.as_deref(), &names.bucket));
        let others = policy.iter().flat_map(|policy| bucket_policy::others(policy, names));
        let unmanaged =
            others.map(|entry| Unmanaged { facet: BucketFacet::Policy.spec().name.to_owned(), entry }).collect();
        let observed = BucketFacet::all_observed(|facet| match facet {
            BucketFacet::Ownership => facet.observed(ownership.clone()),
            BucketFacet::PublicAccess => {
                facet.observed(public_access.clone().map(|block| block.as_ref().map(PublicAccess::observed)))
            }
            BucketFacet::Encryption => {
                facet.observed(encryption.clone().map(|rule| rule.as_ref().and_then(DefaultEncryption::observed)))
            }
            BucketFacet::Versioning => facet.observed(versioning.clone()),
            BucketFacet::Policy => {
                facet.entries(policy.as_ref().map(|policy| Own::TlsOnly.entries(policy, names)).map_err(Clone::clone))
            }
            BucketFacet::Principals => facet
                .entries(policy.as_ref().map(|policy| Own::Principals.entries(policy, names)).map_err(Clone::clone)),
            BucketFacet::Delivery => {
                facet.observed(policy.as_ref().map(|policy| delivery::of_bucket(policy, names)).map_err(Clone::clone))
            }
            BucketFacet::Cors => facet.entries(cors.clone().map(|rules| cors::entries(&rules, settings, names))),
            BucketFacet::Tags => facet.observed(Ok(without_mark(tags))),
        });
        let refused = policy.iter().find_map(|policy| bucket_policy::refused(policy, names));
        let refused = refused.map(|refusal| (BucketFacet::Policy.spec().name, refusal));
        let dead = policy.iter().find_map(|policy| bucket_policy::dead(policy, names));
        let dead = dead.map(|refusal| (BucketFacet::Principals.spec().name, refusal));
        let denied = policy.iter().map(|policy| delivery::of_bucket(policy, names));
        let denied = denied.filter_map(|observed| delivery::refusal(Holder::Bucket(&names.bucket), &observed));
        let denied = denied.map(|refusal| (BucketFacet::Delivery.spec().name, refusal));
        let blockers = refused.into_iter().chain(dead).chain(denied).collect();
        Present { mark: Mark::from_tags(tags), observed, unmanaged, blockers, ..Present::default() }
    }
}

/// Whether a call said that there is no such bucket.
pub(crate) fn is_gone<T>(read: &Result<T, Error>) -> bool {
    read.as_ref().is_err_and(|error| error.code() == Some("NoSuchBucket"))
}

/// Whether a call was denied without the sentence that IAM gives its own callers: the bucket is another account's.
pub(crate) fn is_denied_unexplained<T>(read: &Result<T, Error>) -> bool {
    read.as_ref().is_err_and(|error| {
        let explained = error.message().is_some_and(|reason| reason.contains("is not authorized to perform"));
        error.kind() == ErrorKind::PermissionDenied && !explained
    })
}

fn elsewhere(head: &Error, tags: Option<&Error>) -> Observation {
    let error = tags.unwrap_or(head);
    let said = [error.call(), error.message().map(str::to_owned)];
    let said = said.into_iter().flatten().collect::<Vec<_>>().join(": ");
    Observation::TakenElsewhere { detail: format!("{said}; or these credentials may read nothing of it") }
}

/// `HEAD` has no body: another read says more about the same refusal.
fn with_region<'a>(head: &'a Error, other: Option<&'a Error>) -> &'a Error {
    other.filter(|other| other.hint().is_some() || other.code().is_some()).unwrap_or(head)
}

/// Create the bucket with its tags, the mark among them.
///
/// AWS answers 409 for a bucket that is there, in `us-east-1` too: its 200 for a bucket of one's own
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>) is only given to a call without tags. So 200
/// means that this call made it; what is not AWS itself is asked.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let mut ownership = None;
    for (facet, value) in facets {
        match BucketFacet::of(facet)? {
            BucketFacet::Ownership => ownership = typed::<Option<String>>(value)?,
            // By calls of their own, with the tags, or not at all.
            BucketFacet::PublicAccess
            | BucketFacet::Encryption
            | BucketFacet::Versioning
            | BucketFacet::Policy
            | BucketFacet::Principals
            | BucketFacet::Delivery
            | BucketFacet::Cors
            | BucketFacet::Tags => {}
        }
    }
    match writer.create_bucket(&names.bucket, &names.region, ownership.as_deref(), tags).await {
        Ok(()) if names.endpoint_overridden => confirm(writer, names, tags).await,
        Ok(()) => Ok(Created::Made),
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(Created::Existed),
        Err(error) if error.code() == Some("BucketAlreadyExists") => Err(name_taken(error)),
        Err(error) => Err(error),
    }
}

/// What 200 of another endpoint means: some answer so for a bucket that was there, and some drop the tags of a creation.
async fn confirm(writer: &Writer, names: &Names, tags: &Tags) -> Result<Created, Error> {
    let found = writer.reader().get_bucket_tagging(&names.bucket, &names.account).await?;
    if found == *tags {
        return Ok(Created::Made);
    }
    if found.is_empty() {
        writer.put_bucket_tagging(&names.bucket, &names.account, tags).await?;
    }
    Ok(Created::Existed)
}

fn name_taken(error: Error) -> Error {
    error.with_hint("bucket names are shared by all accounts: choose another `name` under [aws.bucket]")
}

/// The tags; `None` if there is no such bucket.
pub(crate) async fn tags(reader: &Reader, bucket: &str, owner: &str) -> Result<Option<Tags>, Error> {
    let tags = reader.get_bucket_tagging(bucket, owner).await;
    if is_gone(&tags) { Ok(None) } else { tags.map(Some) }
}

/// Change tags: the whole set is written, and where tags grant access each one by itself.
pub(crate) async fn update_tags(
    writer: &Writer,
    names: &Names,
    found: &Tags,
    changes: &TagChanges,
) -> Result<(), Error> {
    let tags = with_changes(found, changes);
    let written = match tags.is_empty() {
        true => writer.delete_bucket_tagging(&names.bucket, &names.account).await,
        false => writer.put_bucket_tagging(&names.bucket, &names.account, &tags).await,
    };
    match written {
        Err(error) if refused_by_abac(writer, names, &error).await? => update_single_tags(writer, names, changes).await,
        written => written,
    }
}

/// On a bucket whose tags grant access, `PutBucketTagging` is refused
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html>).
async fn refused_by_abac(writer: &Writer, names: &Names, error: &Error) -> Result<bool, Error> {
    let refused = matches!(error.status(), Some(400 | 403 | 405 | 409)) && error.code() != Some("OperationAborted");
    if !refused {
        return Ok(false);
    }
    match writer.reader().get_bucket_abac(&names.bucket, &names.account).await {
        // Who may not ask either is told what was refused first.
        Err(_) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        found => found,
    }
}

async fn update_single_tags(writer: &Writer, names: &Names, changes: &TagChanges) -> Result<(), Error> {
    let (set, removed) = set_and_removed(changes);
    if !set.is_empty() {
        writer.tag_resource(&names.bucket_arn(), &names.account, &set).await?;
    }
    if !removed.is_empty() {
        writer.untag_resource(&names.bucket_arn(), &names.account, &removed).await?;
    }
    Ok(())
}

/// Write one facet; `null` takes our entry out.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>, turn: &Turn) -> Result<(), Error> {
    let (bucket, owner, value) = (names.bucket.as_str(), names.account.as_str(), write.value);
    match BucketFacet::of(write.facet)? {
        BucketFacet::Ownership => writer.put_bucket_ownership_controls(bucket, owner, &typed::<String>(value)?).await,
        BucketFacet::PublicAccess => {
            writer.put_public_access_block(bucket, owner, typed::<PublicAccess>(value)?.to_block()).await
        }
        BucketFacet::Encryption => encryption::write(writer, names, write).await,
        BucketFacet::Versioning => writer.put_bucket_versioning(bucket, owner, typed(value)?).await,
        BucketFacet::Policy => turn.write(writer, names, Own::TlsOnly, write).await,
        BucketFacet::Principals => turn.write(writer, names, Own::Principals, write).await,
        // Statements of others are theirs: none is ever taken out.
        BucketFacet::Delivery => Ok(()),
        BucketFacet::Cors => cors::write(writer, names, write).await,
        BucketFacet::Tags => Err(Error::bug("tags are written with the mark")),
    }
}

/// Delete it. The service itself refuses a full bucket; then the counts say why.
pub(crate) async fn delete(writer: &Writer, bucket: &str, owner: &str) -> Result<(), Error> {
    match writer.delete_bucket(bucket, owner).await {
        Err(error) if error.code() == Some("BucketNotEmpty") => {
            let contents = contents::contents(writer.reader(), bucket, owner).await?;
            Err(not_empty_error("bucket", bucket, &contents.describe()))
        }
        deleted => deleted,
    }
}

impl PublicAccess {
    const BLOCKED: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    fn observed(block: &PublicAccessBlockConfiguration) -> Self {
        Self {
            block_public_acls: block.block_public_acls.unwrap_or_default(),
            ignore_public_acls: block.ignore_public_acls.unwrap_or_default(),
            block_public_policy: block.block_public_policy.unwrap_or_default(),
            restrict_public_buckets: block.restrict_public_buckets.unwrap_or_default(),
        }
    }

    fn to_block(self) -> PublicAccessBlockConfiguration {
        PublicAccessBlockConfiguration::builder()
            .block_public_acls(self.block_public_acls)
            .ignore_public_acls(self.ignore_public_acls)
            .block_public_policy(self.block_public_policy)
            .restrict_public_buckets(self.restrict_public_buckets)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"";

    #[test]
    fn values_for_everybody_are_wanted_of_an_adopted_bucket_only_where_the_plan_file_sets_them() {
        let desired = |plan: &str, origin| {
            let settings = settings("tags = { team = \"ml\" }", plan);
            let desired = desired(&settings, &names(&settings), origin);
            desired.iter().map(|desired| desired.facet.key).collect::<String>()
        };
        assert_eq!(desired(PLAN, Origin::Created), "opevtdcg");
        assert_eq!(desired(PLAN, Origin::Adopted), "cg");
        let full = format!("{PLAN}\nprivate = true\nversioning = false\nencryption = \"AES256\"");
        assert_eq!(desired(&full, Origin::Adopted), "opevtcg");
    }

    #[test]
    fn public_access_survives_its_request() {
        let some = PublicAccess { ignore_public_acls: false, restrict_public_buckets: false, ..PublicAccess::BLOCKED };
        for access in [PublicAccess::BLOCKED, some] {
            assert_eq!(PublicAccess::observed(&access.to_block()), access);
        }
    }

    /// Change sets and marks have values in this form: it must not change.
    #[test]
    fn values_are_spelled_as_in_change_sets() {
        let access = json!({"block_public_acls": true, "ignore_public_acls": true, "block_public_policy": true,
            "restrict_public_buckets": true});
        assert_eq!(json!(PublicAccess::BLOCKED), access);
        assert_eq!(json!(DefaultEncryption::desired(None)), json!({"algorithm": "AES256"}));
    }
}

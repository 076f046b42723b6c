//! Buckets: what they hold and the rules for changing it, whichever protocol asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cors::Cors;
use super::reach::{Reach, ReachChange};
use crate::google::names::{self, Labels};
use crate::google::policy::{Binding, Policy, Stored};
use crate::google::project::{self, Project};
use crate::google::refusal::{Kind, Refusal};
use crate::propagation::Propagating;
use crate::state::Transaction;

const DAY_MS: u64 = 86_400_000;

/// Uniform access can be turned off for 90 days
/// <https://cloud.google.com/storage/docs/uniform-bucket-level-access#should-you-use>.
const UNIFORM_LOCK_MS: u64 = 90 * DAY_MS;

/// Deleted objects are kept for 7 days where nothing else is asked for
/// <https://cloud.google.com/storage/docs/soft-delete#default>.
const SOFT_DELETE_DEFAULT_S: i64 = 7 * 86_400;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::google) struct Bucket {
    pub name: String,
    pub project: u64,
    pub location: String,
    pub storage_class: String,
    pub labels: Propagating<Labels>,
    pub cors: Vec<Cors>,
    pub versioning: Option<bool>,
    pub soft_delete_s: i64,
    pub soft_delete_from_ms: u64,
    pub kms_key: String,
    pub uniform: bool,
    /// When uniform access was turned on.
    pub uniform_from_ms: u64,
    pub prevention: Prevention,
    #[serde(default)]
    pub reach: Reach,
    pub created_ms: u64,
    pub updated_ms: u64,
    pub generation: u64,
    pub metageneration: i64,
    pub policy: Stored,
}

/// What an etag holds.
#[derive(Clone, PartialEq, prost::Message)]
struct MetagenerationTag {
    #[prost(int64, tag = "1")]
    metageneration: i64,
}

/// Whether anybody can be given access <https://cloud.google.com/storage/docs/public-access-prevention>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::google) enum Prevention {
    /// As the organization has it: here it has no rule.
    #[default]
    Inherited,
    Enforced,
}

/// What a request changes. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub(in crate::google) struct Change {
    pub location: Option<String>,
    pub storage_class: Option<String>,
    pub labels: Option<LabelChange>,
    pub cors: Option<Vec<Cors>>,
    pub versioning: Option<bool>,
    pub soft_delete_s: Option<i64>,
    pub kms_key: Option<String>,
    pub uniform: Option<bool>,
    pub prevention: Option<String>,
    pub reach: ReachChange,
}

/// A change of labels.
#[derive(Clone, Debug)]
pub(in crate::google) enum LabelChange {
    Replace(Labels),
    /// Set these, and remove those without a value.
    Merge(BTreeMap<String, Option<String>>),
}

/// What a request wants the metageneration to be <https://cloud.google.com/storage/docs/request-preconditions>.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::google) struct Expected {
    pub matching: Option<i64>,
    pub not_matching: Option<i64>,
}

/// When a write happens, and how much later others see labels.
#[derive(Clone, Copy, Debug)]
pub(in crate::google) struct Moment {
    pub now_ms: u64,
    pub labels_delay_ms: u64,
}

impl Expected {
    pub(in crate::google) fn check(self, metageneration: i64) -> Result<(), Refusal> {
        let meets = self.matching.is_none_or(|wanted| wanted == metageneration)
            && self.not_matching.is_none_or(|unwanted| unwanted != metageneration);
        if meets {
            return Ok(());
        }
        Err(Refusal::new(Kind::Stale, "At least one of the pre-conditions you specified did not hold."))
    }
}

impl Prevention {
    pub(in crate::google) const fn text(self) -> &'static str {
        match self {
            Self::Inherited => "inherited",
            Self::Enforced => "enforced",
        }
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text.to_ascii_lowercase().as_str() {
            "" | "inherited" | "unspecified" => Ok(Self::Inherited),
            "enforced" => Ok(Self::Enforced),
            _ => Err(Refusal::invalid(format!("Invalid value for public access prevention: {text}"))),
        }
    }
}

impl Bucket {
    fn new(name: &str, project: &Project, location: String, now_ms: u64, generation: u64) -> Self {
        Self {
            name: name.to_owned(),
            project: project.number,
            location,
            storage_class: "STANDARD".to_owned(),
            labels: Propagating::new(Labels::new()),
            cors: Vec::new(),
            versioning: None,
            soft_delete_s: SOFT_DELETE_DEFAULT_S,
            soft_delete_from_ms: now_ms,
            kms_key: String::new(),
            uniform: false,
            uniform_from_ms: 0,
            prevention: Prevention::Inherited,
            reach: Reach::default(),
            created_ms: now_ms,
            updated_ms: now_ms,
            generation,
            metageneration: 1,
            policy: Stored::new(Vec::new()),
        }
    }

    /// When uniform access can no longer be turned off.
    pub(in crate::google) fn uniform_lock_ms(&self) -> Option<u64> {
        self.uniform.then_some(self.uniform_from_ms + UNIFORM_LOCK_MS)
    }

    pub(in crate::google) fn location_type(&self) -> &'static str {
        match self.location.as_str() {
            "US" | "EU" | "ASIA" => "multi-region",
            location if location.contains('-') => "region",
            _ => "dual-region",
        }
    }

    /// The metageneration as a message's only field: of the bucket and of its policy, which are one thing
    /// <https://cloud.google.com/storage/docs/metadata#generation-number>.
    pub(in crate::google) fn etag(&self) -> String {
        let message = MetagenerationTag { metageneration: self.metageneration };
        data_encoding::BASE64.encode(&prost::Message::encode_to_vec(&message))
    }

    /// Its policy in the version that was asked for.
    pub(in crate::google) fn policy(&self, requested: i32) -> Result<Policy, Refusal> {
        self.policy.read_with(requested, self.etag())
    }

    pub(in crate::google) fn versions(&self) -> bool {
        self.versioning == Some(true)
    }

    fn apply(&mut self, change: Change, moment: Moment) -> Result<(), Refusal> {
        let Change {
            location,
            storage_class,
            labels,
            cors,
            versioning,
            soft_delete_s,
            kms_key,
            uniform,
            prevention,
            reach,
        } = change;
        self.reach.apply(reach)?;
        if location.is_some_and(|location| !location.eq_ignore_ascii_case(&self.location)) {
            return Err(Refusal::invalid("The location of a bucket cannot be changed."));
        }
        if let Some(class) = storage_class {
            self.storage_class = checked_class(class)?;
        }
        if let Some(labels) = labels {
            let labels = labels.applied(self.labels.written());
            names::check_labels(&labels)?;
            self.labels.write(labels, moment.now_ms, moment.labels_delay_ms);
        }
        if let Some(cors) = cors {
            cors.iter().try_for_each(Cors::check)?;
            self.cors = cors;
        }
        self.versioning = versioning.or(self.versioning);
        if let Some(key) = kms_key {
            self.kms_key = checked_key(key)?;
        }
        soft_delete_s.map_or(Ok(()), |seconds| self.set_soft_delete(seconds, moment.now_ms))?;
        uniform.map_or(Ok(()), |uniform| self.set_uniform(uniform, moment.now_ms))?;
        prevention.map_or(Ok(()), |prevention| self.set_prevention(&prevention))
    }

    /// 0 turns it off; else 7 to 90 days <https://cloud.google.com/storage/docs/soft-delete#retention-duration>.
    fn set_soft_delete(&mut self, seconds: i64, now_ms: u64) -> Result<(), Refusal> {
        if seconds != 0 && !(7 * 86_400..=90 * 86_400).contains(&seconds) {
            return Err(Refusal::invalid(format!(
                "Soft delete policies must have a retention duration of 0, or between 7 and 90 days; {seconds} s is not."
            )));
        }
        if seconds != self.soft_delete_s {
            self.soft_delete_from_ms = now_ms;
        }
        self.soft_delete_s = seconds;
        Ok(())
    }

    fn set_uniform(&mut self, uniform: bool, now_ms: u64) -> Result<(), Refusal> {
        if !uniform && self.uniform_lock_ms().is_some_and(|lock_ms| now_ms >= lock_ms) {
            return Err(Refusal::new(
                Kind::Precondition,
                "Cannot disable uniform bucket-level access: the 90-day period in which it can be disabled has passed.",
            ));
        }
        if !uniform && self.policy.bindings().iter().any(|binding| binding.condition.is_some()) {
            return Err(Refusal::new(
                Kind::Precondition,
                "Cannot disable uniform bucket-level access while the policy has conditions.",
            ));
        }
        if uniform && !self.uniform {
            self.uniform_from_ms = now_ms;
        }
        self.uniform = uniform;
        Ok(())
    }

    fn set_prevention(&mut self, prevention: &str) -> Result<(), Refusal> {
        self.prevention = Prevention::parse(prevention)?;
        Ok(())
    }
}

impl LabelChange {
    fn applied(self, before: &Labels) -> Labels {
        match self {
            Self::Replace(labels) => labels,
            Self::Merge(changes) => {
                let mut labels = before.clone();
                for (key, value) in changes {
                    match value {
                        Some(value) => labels.insert(key, value),
                        None => labels.remove(&key),
                    };
                }
                labels
            }
        }
    }
}

/// What project members have on every new bucket, with uniform access on its objects too
/// <https://cloud.google.com/storage/docs/access-control/iam#convenience-values>.
fn legacy_bindings(project: &str, uniform: bool) -> Vec<Binding> {
    let members = |kinds: &[&str]| kinds.iter().map(|kind| format!("{kind}:{project}")).collect::<Vec<_>>();
    let (owners, viewers) = (members(&["projectEditor", "projectOwner"]), members(&["projectViewer"]));
    let of = |what: &str| {
        [("Owner", &owners), ("Reader", &viewers)]
            .map(|(role, members)| Binding::new(&format!("roles/storage.legacy{what}{role}"), members))
    };
    let objects = uniform.then(|| of("Object"));
    of("Bucket").into_iter().chain(objects.into_iter().flatten()).collect()
}

/// <https://cloud.google.com/storage/docs/storage-classes>
fn checked_class(class: String) -> Result<String, Refusal> {
    const CLASSES: [&str; 7] =
        ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY"];
    let class = class.to_ascii_uppercase();
    if class.is_empty() {
        return Ok("STANDARD".to_owned());
    }
    if CLASSES.contains(&class.as_str()) {
        return Ok(class);
    }
    Err(Refusal::invalid(format!("Invalid storage class: {class}")))
}

/// Multi-regions, predefined dual-regions, and names of the form of a region
/// <https://cloud.google.com/storage/docs/locations>.
fn checked_location(location: Option<String>) -> Result<String, Refusal> {
    let location = location
        .filter(|location| !location.is_empty())
        .map_or_else(|| "US".to_owned(), |text| text.to_ascii_uppercase());
    let region = |text: &str| {
        let parts: Vec<_> = text.split('-').collect();
        let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase());
        parts.len() == 2 && letters(&parts[0]) && parts[1].ends_with(|last: char| last.is_ascii_digit())
    };
    let known = ["US", "EU", "ASIA", "NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"];
    if known.contains(&location.as_str()) || region(&location) {
        return Ok(location);
    }
    Err(Refusal::invalid("The specified location constraint is not valid."))
}

/// A key's name; the sandbox has no Key Management Service, and takes every key for one that the service agent may use
/// <https://cloud.google.com/storage/docs/encryption/customer-managed-keys#key-resources>.
fn checked_key(key: String) -> Result<String, Refusal> {
    let parts: Vec<_> = key.split('/').collect();
    let named = matches!(parts.as_slice(), ["projects", _, "locations", _, "keyRings", _, "cryptoKeys", _]);
    if key.is_empty() || named {
        return Ok(key);
    }
    Err(Refusal::invalid(format!("Malformed Cloud KMS crypto key: {key}")))
}

fn key(name: &str) -> String {
    format!("google/bucket/{name}")
}

/// A bucket that is there. One of somebody else's is denied, as is what it holds.
pub(in crate::google) fn get(state: &Transaction<'_>, name: &str) -> Result<Bucket, Refusal> {
    if project::is_taken(state, name) {
        return Err(Refusal::denied(format!(
            "The caller does not have storage.buckets.get access to the Google Cloud Storage bucket. Permission \
             'storage.buckets.get' denied on resource '//storage.googleapis.com/projects/_/buckets/{name}' (or it may not \
             exist)."
        )));
    }
    state.get(&key(name))?.ok_or_else(|| Refusal::new(Kind::NoBucket, "The specified bucket does not exist."))
}

pub(in crate::google) fn put(state: &mut Transaction<'_>, bucket: &Bucket) -> Result<(), Refusal> {
    Ok(state.put(&key(&bucket.name), bucket)?)
}

/// Create a bucket <https://cloud.google.com/storage/docs/json_api/v1/buckets/insert>.
///
/// A name is one bucket's in the whole world. That it is taken has two texts: for a bucket that the caller owns, in
/// whichever of the projects, and for another's <https://cloud.google.com/storage/docs/json_api/v1/status-codes#409-conflict>.
pub(in crate::google) fn create(
    state: &mut Transaction<'_>,
    project: &str,
    name: &str,
    mut change: Change,
    moment: Moment,
) -> Result<Bucket, Refusal> {
    let unknown = || Refusal::invalid(format!("Unknown project id: {project}"));
    let project = project::find(state, project)?.ok_or_else(unknown)?;
    names::check_bucket(name)?;
    if project::is_taken(state, name) {
        let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                       system. Please select a different name and try again.";
        return Err(Refusal::new(Kind::Exists, message));
    }
    if state.has(&key(name)) {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Refusal::new(Kind::Exists, message));
    }
    let generation = super::object::next_generation(state, moment.now_ms)?;
    let location = checked_location(change.location.take())?;
    let mut bucket = Bucket::new(name, &project, location, moment.now_ms, generation);
    // Nobody has seen it before: its first labels are not late.
    bucket.apply(change, Moment { labels_delay_ms: 0, ..moment })?;
    bucket.policy = Stored::new(legacy_bindings(&project.id, bucket.uniform));
    put(state, &bucket)?;
    Ok(bucket)
}

/// Change a bucket <https://cloud.google.com/storage/docs/json_api/v1/buckets/patch>. Its metageneration moves even if
/// nothing differs.
pub(in crate::google) fn update(
    state: &mut Transaction<'_>,
    name: &str,
    expected: Expected,
    change: Change,
    moment: Moment,
) -> Result<Bucket, Refusal> {
    let mut bucket = get(state, name)?;
    expected.check(bucket.metageneration)?;
    bucket.apply(change, moment)?;
    touch(state, &mut bucket, moment.now_ms)?;
    Ok(bucket)
}

/// Move a bucket's metageneration. A notification does so too
/// <https://cloud.google.com/storage/docs/pubsub-notifications#overview>.
pub(in crate::google) fn touch(state: &mut Transaction<'_>, bucket: &mut Bucket, now_ms: u64) -> Result<(), Refusal> {
    bucket.metageneration += 1;
    bucket.updated_ms = now_ms;
    put(state, bucket)
}

/// Delete a bucket. One with objects in it, noncurrent ones too, is refused
/// <https://cloud.google.com/storage/docs/json_api/v1/buckets/delete>.
pub(in crate::google) fn delete(state: &mut Transaction<'_>, name: &str, expected: Expected) -> Result<(), Refusal> {
    let bucket = get(state, name)?;
    expected.check(bucket.metageneration)?;
    if super::object::any(state, name) {
        return Err(Refusal::new(Kind::NotEmpty, "The bucket you tried to delete is not empty."));
    }
    super::notification::delete_all(state, name);
    state.delete(&key(name));
    Ok(())
}

/// The buckets of a project, by name. Labels are as others see them: `storage.labels` delays them.
pub(in crate::google) fn list(
    state: &Transaction<'_>,
    project: &str,
    prefix: &str,
    now_ms: u64,
) -> Result<Vec<(String, Bucket)>, Refusal> {
    let unknown = || Refusal::invalid(format!("Unknown project id: {project}"));
    let number = project::find(state, project)?.ok_or_else(unknown)?.number;
    let buckets = state.scan::<Bucket>(&key(prefix))?.into_iter().filter(|(_, bucket)| bucket.project == number);
    let listed = buckets.map(|(_, mut bucket)| {
        bucket.labels = Propagating::new(bucket.labels.seen(now_ms).clone());
        (bucket.name.clone(), bucket)
    });
    Ok(listed.collect())
}

/// Replace a bucket's policy <https://cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy>.
///
/// - It moves the bucket's metageneration, and every change of the bucket makes its etag stale.
/// - Conditions need uniform access <https://cloud.google.com/storage/docs/access-control/iam#conditions>.
/// - Public members are refused where they are prevented <https://cloud.google.com/storage/docs/public-access-prevention>.
pub(in crate::google) fn set_policy(
    state: &mut Transaction<'_>,
    name: &str,
    policy: Policy,
    now_ms: u64,
    delay_ms: u64,
) -> Result<Bucket, Refusal> {
    let mut bucket = get(state, name)?;
    if !bucket.uniform && policy.bindings.iter().any(|binding| binding.condition.is_some()) {
        let message = "Conditions are only allowed on buckets with uniform bucket-level access enabled.";
        return Err(Refusal::new(Kind::Precondition, message));
    }
    let public = |member: &String| ["allUsers", "allAuthenticatedUsers"].contains(&member.as_str());
    if bucket.prevention == Prevention::Enforced
        && policy.bindings.iter().flat_map(|binding| &binding.members).any(public)
    {
        let message = "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access \
                       prevention is enforced.";
        return Err(Refusal::new(Kind::Precondition, message));
    }
    bucket.policy.write_over(&bucket.etag(), state, policy, now_ms, delay_ms)?;
    touch(state, &mut bucket, now_ms)?;
    Ok(bucket)
}

/// Put another member in the place of one, in every bucket's policy.
pub(in crate::google) fn rename_member(
    state: &mut Transaction<'_>,
    member: &str,
    other: &str,
    now_ms: u64,
) -> Result<(), Refusal> {
    for (_, mut bucket) in state.scan::<Bucket>(&key(""))? {
        if bucket.policy.rename(member, other) {
            touch(state, &mut bucket, now_ms)?;
        }
    }
    Ok(())
}

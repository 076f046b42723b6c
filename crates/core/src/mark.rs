//! The mark: our tags on a resource, which stand in for a state file.
//!
//! It says whose the resource is, how it became ours, what we last wrote into each facet, and which parts the deployment
//! has had applied. Its values keep to the narrowest grammar of the clouds, Google's labels (`[a-z0-9_-]`, at most 63
//! characters, <https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>); a carrier with another spelling of
//! keys (Azure metadata) translates them at its edge.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{self, FACET_DIGEST_LENGTH, NAME_DIGEST_LENGTH};
use crate::error::{Error, ErrorKind, RetryClass};

/// Whose the resource is: the deployment's name.
pub const DEPLOYMENT_KEY: &str = "provision-deployment";
/// How it became ours: `created` or `adopted`.
pub const ORIGIN_KEY: &str = "provision-origin";
/// What we last wrote: format version, hash of the full name, a digest for each facet.
pub const SPEC_KEY: &str = "provision-spec";
/// The parts of the deployment that have been applied.
pub const PARTS_KEY: &str = "provision-parts";
/// Every key of the mark.
pub const KEYS: [&str; 4] = [DEPLOYMENT_KEY, ORIGIN_KEY, SPEC_KEY, PARTS_KEY];

/// Version of the mark's format. A newer one is never written over.
const VERSION: &str = "v1";
/// How long a service may take to show the mark that went on with a creation.
const NOT_SEEN_BUDGET: Duration = Duration::from_secs(20);
/// Stands for the digests from creation until the last write.
const UNFINISHED: &str = "unfinished";

/// How a resource became ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made by us: `destroy` deletes it.
    Created,
    /// Taken over: `destroy` only takes our entries and marks off it.
    Adopted,
}

/// What we last wrote, as the mark holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// Created or adopted, and the last write has not been made yet.
    Unfinished,
    /// A digest for each facet we wrote, under the facet's key. A key that is absent was never written by us.
    Written(BTreeMap<char, String>),
    /// Written by a newer version of the program: nothing may be written.
    Newer(String),
}

/// Our tags on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The deployment's name.
    pub deployment: String,
    /// How the resource became ours; a missing tag reads as adopted, which is never deleted.
    pub origin: Origin,
    /// Hash of the resource's full name; a tag copied from another resource does not match.
    pub name_digest: String,
    /// What we last wrote.
    pub spec: Spec,
    /// Entries that others had made as wanted before us, by facet: relied on, never written by us, and so never taken out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<char, String>,
    /// The parts this deployment has had applied.
    pub parts: BTreeSet<String>,
}

impl Mark {
    /// The mark that goes onto a resource with its creation or adoption, before any facet is written.
    #[must_use]
    pub fn unfinished(deployment: &str, origin: Origin, identity: &str) -> Self {
        Self {
            deployment: deployment.to_owned(),
            origin,
            name_digest: digest::short(identity, NAME_DIGEST_LENGTH),
            spec: Spec::Unfinished,
            found: BTreeMap::new(),
            parts: BTreeSet::new(),
        }
    }

    /// Read the mark from a resource's tags; `None` if there is none of ours.
    #[must_use]
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Self> {
        let deployment = tags.get(DEPLOYMENT_KEY)?.clone();
        let origin = match tags.get(ORIGIN_KEY).map(String::as_str) {
            Some("created") => Origin::Created,
            _ => Origin::Adopted,
        };
        let (name_digest, spec, found) = parse_spec(tags.get(SPEC_KEY).map_or("", String::as_str));
        let parts = tags.get(PARTS_KEY).map(String::as_str).unwrap_or_default();
        let parts = parts.split('-').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Some(Self { deployment, origin, name_digest, spec, found, parts })
    }

    /// The tags that hold this mark. An unfinished mark carries no parts yet.
    #[must_use]
    pub fn to_tags(&self) -> BTreeMap<String, String> {
        let origin = match self.origin {
            Origin::Created => "created",
            Origin::Adopted => "adopted",
        };
        let mut tags = BTreeMap::from([
            (DEPLOYMENT_KEY.to_owned(), self.deployment.clone()),
            (ORIGIN_KEY.to_owned(), origin.to_owned()),
            (SPEC_KEY.to_owned(), format_spec(&self.name_digest, &self.spec, &self.found)),
        ]);
        if !self.parts.is_empty() {
            let parts: Vec<_> = self.parts.iter().map(String::as_str).collect();
            tags.insert(PARTS_KEY.to_owned(), parts.join("-"));
        }
        tags
    }

    /// Whether this mark was written for the resource of that full name.
    #[must_use]
    pub fn is_for(&self, identity: &str) -> bool {
        self.name_digest == digest::short(identity, NAME_DIGEST_LENGTH)
    }

    /// Whether the last write of an apply has been made.
    #[must_use]
    pub const fn is_written(&self) -> bool {
        matches!(self.spec, Spec::Written(_))
    }

    /// Whether a facet's entry is one that we wrote, or that a run which did not finish may have written.
    #[must_use]
    pub fn wrote(&self, key: char) -> bool {
        match &self.spec {
            Spec::Written(digests) => digests.contains_key(&key),
            Spec::Unfinished | Spec::Newer(_) => !self.found.contains_key(&key),
        }
    }

    /// What is on record for a facet.
    #[must_use]
    pub fn recorded(&self, key: char) -> Recorded<'_> {
        if let Some(digest) = self.found.get(&key) {
            return Recorded::Digest(digest);
        }
        match &self.spec {
            Spec::Written(digests) => digests.get(&key).map_or(Recorded::Never, |digest| Recorded::Digest(digest)),
            Spec::Unfinished | Spec::Newer(_) => Recorded::Unfinished,
        }
    }
}

/// Whether the mark on a resource is one that this run may write over: the one it was planned from, its own, or the same as
/// it is about to write (two runs of one plan file). `resource` names it for people: "bucket `acme`".
///
/// # Errors
///
/// Somebody else wrote the mark during this run, or there is none: the service does not show it yet, or what was "created"
/// is something that somebody else had made a moment before.
pub fn may_be_written(
    cloud: &str,
    resource: &str,
    found: Option<&Mark>,
    before: Option<&Mark>,
    target: &Mark,
) -> Result<(), Error> {
    let Some(found) = found else { return Err(not_seen(cloud, resource)) };
    let begun = found.spec == Spec::Unfinished && found.deployment == target.deployment;
    if Some(found) == before || found == target || begun {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Stale, format!("the mark of {resource} changed during this run"));
    let plan = format!("provision {cloud} plan");
    Err(error.hint(format!("somebody else applied at the same time: run `{plan}` to see the result of both")))
}

fn not_seen(cloud: &str, resource: &str) -> Error {
    let reason = "the service does not show the mark of the creation yet";
    let error = Error::new(ErrorKind::Stale, format!("{resource} does not carry the mark it was created with"));
    let plan = format!("provision {cloud} plan");
    let error = error.hint(format!("somebody else may have made it at the same time: run `{plan}` to see whose it is"));
    error.retry(RetryClass::Settling { reason, budget: NOT_SEEN_BUDGET })
}

/// What the mark has on record for one facet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    /// We never wrote this facet.
    Never,
    /// The digest of what we last wrote.
    Digest(&'a str),
    /// An apply began and did not finish.
    Unfinished,
}

impl Recorded<'_> {
    /// Whether the value is the one on record.
    #[must_use]
    pub fn is(self, value: &Value) -> bool {
        matches!(self, Recorded::Digest(recorded) if recorded == digest::of_value(value))
    }
}

/// `v1-<name digest>-<digests>`, where digests are `unfinished` or fields of a fixed length: a facet's key, its digest. The
/// digests of what was found as wanted follow after another `-`.
fn format_spec(name_digest: &str, spec: &Spec, found: &BTreeMap<char, String>) -> String {
    let fields =
        |digests: &BTreeMap<char, String>| digests.iter().map(|(key, digest)| format!("{key}{digest}")).collect();
    let rest: String = match spec {
        Spec::Unfinished => UNFINISHED.to_owned(),
        Spec::Written(digests) => fields(digests),
        Spec::Newer(text) => return text.clone(),
    };
    let found: String = fields(found);
    let separator = if found.is_empty() { "" } else { "-" };
    format!("{VERSION}-{name_digest}-{rest}{separator}{found}")
}

/// The reverse of [`format_spec`]. A text that is not of our grammar matches no resource's name.
fn parse_spec(text: &str) -> (String, Spec, BTreeMap<char, String>) {
    let mut fields = text.splitn(4, '-');
    let (version, name, rest) = (fields.next(), fields.next(), fields.next());
    let name = name.unwrap_or_default().to_owned();
    let found = fields.next().map(parse_digests).unwrap_or_default();
    let spec = match (version, rest) {
        (Some(VERSION), Some(UNFINISHED)) => Spec::Unfinished,
        (Some(VERSION), Some(digests)) => Spec::Written(parse_digests(digests)),
        (Some(version), _) if is_version(version) && version != VERSION => Spec::Newer(text.to_owned()),
        _ => Spec::Written(BTreeMap::new()),
    };
    (name, spec, found)
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

fn parse_digests(text: &str) -> BTreeMap<char, String> {
    let characters: Vec<char> = text.chars().collect();
    let fields = characters.chunks_exact(1 + FACET_DIGEST_LENGTH);
    fields.map(|field| (field[0], field[1..].iter().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(digests: &[(char, &str)]) -> Mark {
        Mark {
            spec: Spec::Written(digests.iter().map(|(key, digest)| (*key, (*digest).to_owned())).collect()),
            parts: ["bucket", "run_queue"].map(str::to_owned).into(),
            ..Mark::unfinished("wandb-prod", Origin::Created, "arn:aws:s3:::acme-wandb-files")
        }
    }

    #[test]
    fn mark_survives_its_tags() {
        for mark in
            [written(&[('a', "abcd"), ('c', "2345")]), written(&[]), Mark::unfinished("a", Origin::Adopted, "x")]
        {
            assert_eq!(Mark::from_tags(&mark.to_tags()), Some(mark));
        }
    }

    #[test]
    fn mark_tells_what_was_found_from_what_was_written() {
        let found: BTreeMap<_, _> = [('c', "2345".to_owned())].into();
        for mark in [written(&[('a', "abcd")]), Mark::unfinished("a", Origin::Adopted, "x")] {
            let mark = Mark { found: found.clone(), ..mark };
            assert_eq!(Mark::from_tags(&mark.to_tags()), Some(mark.clone()));
            assert_eq!(mark.recorded('c'), Recorded::Digest("2345"));
            assert!(mark.wrote('a') && !mark.wrote('c'));
        }
    }

    #[test]
    fn mark_keeps_to_the_label_grammar_with_ten_facets_and_the_longest_name() {
        let digests: Vec<(char, &str)> = ('a'..='j').map(|key| (key, "abcd")).collect();
        let mut mark = written(&digests[1..]);
        mark.deployment = "a".repeat(40);
        mark.found = [('a', "abcd".to_owned())].into();
        for (key, value) in mark.to_tags() {
            for text in [&key, &value] {
                assert!(text.len() <= 63, "{text}");
                assert!(
                    text.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
                );
            }
        }
    }

    #[test]
    fn mark_of_a_newer_version_is_known_as_such_and_written_back_as_it_was() {
        let mut tags = written(&[]).to_tags();
        tags.insert(SPEC_KEY.to_owned(), "v2-abc-def".to_owned());
        let mark = Mark::from_tags(&tags).unwrap();
        assert_eq!(mark.spec, Spec::Newer("v2-abc-def".to_owned()));
        assert_eq!(mark.to_tags()[SPEC_KEY], "v2-abc-def");
    }

    #[test]
    fn mark_without_an_origin_reads_as_adopted() {
        let mut tags = written(&[]).to_tags();
        tags.remove(ORIGIN_KEY);
        assert_eq!(Mark::from_tags(&tags).unwrap().origin, Origin::Adopted);
    }

    #[test]
    fn mark_copied_to_another_resource_is_not_for_it() {
        let mark = written(&[]);
        assert!(mark.is_for("arn:aws:s3:::acme-wandb-files"));
        assert!(!mark.is_for("arn:aws:s3:::acme-wandb-other"));
    }

    #[test]
    fn mark_that_changed_under_us_stops_the_run() {
        let target = Mark { spec: Spec::Written(BTreeMap::new()), ..Mark::unfinished("ab", Origin::Created, "x") };
        let begun = Mark::unfinished("ab", Origin::Created, "x");
        let others = Mark { deployment: "cd".to_owned(), ..target.clone() };
        let may =
            |found: Option<&Mark>, before: Option<&Mark>| may_be_written("cloud", "bucket `b`", found, before, &target);
        assert!(may(Some(&begun), None).is_ok() && may(Some(&target), None).is_ok());
        assert!(may(Some(&others), Some(&others)).is_ok());
        assert_eq!(may(Some(&others), Some(&begun)).unwrap_err().kind(), ErrorKind::Stale);
        assert!(matches!(may(None, None).unwrap_err().retry_class(), RetryClass::Settling { .. }));
    }

    proptest! {
        #[test]
        fn mark_reads_any_tags_without_a_panic(spec in ".{0,80}", parts in ".{0,80}") {
            let tags = [(DEPLOYMENT_KEY, "a"), (SPEC_KEY, &spec), (PARTS_KEY, &parts)];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let _ = Mark::from_tags(&tags);
        }
    }
}

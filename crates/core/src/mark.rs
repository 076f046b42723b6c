//! The mark: our tags on a resource, which stand in for a state file.
//!
//! It says whose the resource is, how it became ours, what we wrote and have not taken back, and which parts the
//! deployment has had applied under which names. What is not of one resource alone (parts, entries that stand outside of
//! any, who was given access) is the same on every mark of the deployment, so that it outlives the deletion of any of them.
//! Values keep to the narrowest grammar of the clouds, Google's labels (`[a-z0-9_-]`, at most 63 characters,
//! <https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>); a text that is longer goes on under the same
//! key with a number. A mark holder with another spelling of keys (Azure metadata) translates them at its edge.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{self, FACET_DIGEST_LENGTH, NAME_DIGEST_LENGTH};
use crate::ledger::{Ledger, Record};

/// Tags, labels or metadata of one resource.
pub type Tags = BTreeMap<String, String>;

/// Changes of tags: what they are set to; `None` takes one off.
pub type TagChanges = BTreeMap<String, Option<String>>;

/// Tags with changes made.
#[must_use]
pub fn with_changes(found: &Tags, changes: &TagChanges) -> Tags {
    let mut tags = found.clone();
    for (key, value) in changes {
        match value {
            Some(value) => drop(tags.insert(key.clone(), value.clone())),
            None => drop(tags.remove(key)),
        }
    }
    tags
}

/// Whose the resource is: the deployment's name.
pub const DEPLOYMENT_KEY: &str = "provision-deployment";
/// How it became ours: `created` or `adopted`.
pub const ORIGIN_KEY: &str = "provision-origin";
/// What we wrote: format version, hash of the full name, the ledgers.
pub const SPEC_KEY: &str = "provision-spec";
/// The parts of the deployment that have been applied, and under which names.
pub const PARTS_KEY: &str = "provision-parts";
/// Who was given access, where that is no part of a name of ours.
pub const ACCESS_KEY: &str = "provision-access";
/// Every key of the mark; the last three may go on under `-2`, `-3`.
const KEYS: [&str; 5] = [DEPLOYMENT_KEY, ORIGIN_KEY, SPEC_KEY, PARTS_KEY, ACCESS_KEY];

/// The most characters of a label's value on Google Cloud, the narrowest of all.
const MOST_CHARACTERS: usize = 63;
/// Version of the mark's format. A newer one is never written over.
const VERSION: &str = "v1";
/// Stands for the resource's own ledger from creation until the last write.
const UNFINISHED: &str = "unfinished";

/// How a resource became ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made by us: `destroy` deletes it.
    Created,
    /// Taken over: `destroy` only takes our entries and marks off it.
    Adopted,
}

/// How far the last run came that wrote the mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Created or adopted, and the last write has not been made yet.
    Unfinished,
    /// Everything on record was written.
    Written,
    /// Some of its tags are gone: it is ours, and how it became so other marks tell.
    Damaged,
    /// Written by a newer version of the program: nothing may be written.
    Newer(String),
}

/// A part that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartRecord {
    /// How it became ours, where it carries a mark.
    pub origin: Option<Origin>,
    /// Hash of the full name that it was applied under.
    pub name: String,
}

impl PartRecord {
    /// The record of a part of that full name.
    #[must_use]
    pub fn new(origin: Option<Origin>, identity: &str) -> Self {
        Self { origin, name: digest::short(identity, FACET_DIGEST_LENGTH) }
    }

    /// Whether the part was applied under that full name.
    #[must_use]
    pub fn is_of(&self, identity: &str) -> bool {
        self.name == digest::short(identity, FACET_DIGEST_LENGTH)
    }
}

/// Our tags on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The deployment's name.
    pub deployment: String,
    /// How the resource became ours; of a damaged mark, what its own parts say, or else adopted, which is
    /// never deleted.
    pub origin: Origin,
    /// Hash of the resource's full name; a tag copied from another resource does not match.
    pub name_digest: String,
    /// How far the last run came.
    pub state: State,
    /// Facets of the resource, and of the entries inside it.
    pub own: Ledger,
    /// Entries of the deployment that stand outside of any resource of ours.
    pub outside: Ledger,
    /// The parts that have been applied, by name.
    pub parts: BTreeMap<String, PartRecord>,
    /// Who was given access, as the cloud's crate finds it again; several while one takes the place of another.
    #[serde(default)]
    pub access: BTreeSet<String>,
}

impl Mark {
    /// The mark that goes onto a resource with its creation or adoption, before any facet is written.
    #[must_use]
    pub fn unfinished(deployment: &str, origin: Origin, identity: &str) -> Self {
        Self {
            deployment: deployment.to_owned(),
            origin,
            name_digest: digest::short(identity, NAME_DIGEST_LENGTH),
            state: State::Unfinished,
            own: Ledger::default(),
            outside: Ledger::default(),
            parts: BTreeMap::new(),
            access: BTreeSet::new(),
        }
    }

    /// Read the mark from a resource's tags; `None` if there is none of ours.
    #[must_use]
    pub fn from_tags(tags: &Tags) -> Option<Self> {
        let deployment = tags.get(DEPLOYMENT_KEY)?.clone();
        let origin = match tags.get(ORIGIN_KEY).map(String::as_str) {
            Some("created") => Some(Origin::Created),
            Some("adopted") => Some(Origin::Adopted),
            _ => None,
        };
        let (name_digest, mut state, own, outside) = parse_spec(&joined(tags, SPEC_KEY));
        let parts = joined(tags, PARTS_KEY);
        let parts: BTreeMap<String, PartRecord> = parts.split('-').filter_map(parse_part).collect();
        // What was written has its own part on record, under the beginning of the same digest.
        let itself = parts.values().find(|part| !part.name.is_empty() && name_digest.starts_with(&part.name));
        if matches!((&state, origin), (State::Written | State::Unfinished, None))
            || (state == State::Written && itself.is_none())
        {
            state = State::Damaged;
        }
        let origin = origin.or(itself.and_then(|part| part.origin)).unwrap_or(Origin::Adopted);
        let access = decoded(&joined(tags, ACCESS_KEY));
        let access = access.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Some(Self { deployment, origin, name_digest, state, own, outside, parts, access })
    }

    /// The tags that hold this mark.
    #[must_use]
    pub fn to_tags(&self) -> Tags {
        let origin = match self.origin {
            Origin::Created => "created",
            Origin::Adopted => "adopted",
        };
        let mut tags = Tags::from([
            (DEPLOYMENT_KEY.to_owned(), self.deployment.clone()),
            (ORIGIN_KEY.to_owned(), origin.to_owned()),
        ]);
        let parts: Vec<_> = self.parts.iter().map(|(part, record)| format_part(part, record)).collect();
        put(&mut tags, SPEC_KEY, &self.format_spec());
        put(&mut tags, PARTS_KEY, &parts.join("-"));
        let access: Vec<_> = self.access.iter().map(String::as_str).collect();
        put(&mut tags, ACCESS_KEY, &encoded(&access.join("\n")));
        tags
    }

    /// The same without what is of the deployment as a whole.
    #[must_use]
    pub fn of_itself_alone(&self) -> Self {
        let itself = |part: &PartRecord| self.name_digest.starts_with(&part.name);
        let parts = self.parts.iter().filter(|(_, part)| itself(part));
        let parts = parts.map(|(name, part)| (name.clone(), part.clone())).collect();
        Self { outside: Ledger::default(), access: BTreeSet::new(), parts, ..self.clone() }
    }

    /// Whether this mark was written for the resource of that full name.
    #[must_use]
    pub fn is_for(&self, identity: &str) -> bool {
        self.name_digest == digest::short(identity, NAME_DIGEST_LENGTH)
    }

    /// Whether it lost what was written, and for which resource; the parts may still say that.
    #[must_use]
    pub fn has_lost_spec(&self) -> bool {
        self.state == State::Damaged && self.name_digest.is_empty()
    }

    /// What is said of the key that a damaged mark lost: which one it is, and what is not known without it.
    #[must_use]
    pub fn lost_key(&self) -> Option<(&'static str, &'static str)> {
        match self.state {
            State::Damaged if self.has_lost_spec() => Some((SPEC_KEY, "what provision wrote last")),
            State::Damaged if self.parts.is_empty() => Some((PARTS_KEY, "which parts have been applied")),
            State::Damaged => Some((ORIGIN_KEY, "whether provision made it or took it over")),
            State::Unfinished | State::Written | State::Newer(_) => None,
        }
    }

    /// Whether the last write of an apply has been made.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.state == State::Written
    }

    /// The version that wrote it, if that is one we do not know.
    #[must_use]
    pub fn newer_version(&self) -> Option<&str> {
        match &self.state {
            State::Newer(text) => Some(text),
            State::Unfinished | State::Written | State::Damaged => None,
        }
    }

    /// What is on record of a facet of the resource, or of an entry inside it.
    #[must_use]
    pub fn recorded(&self, key: char) -> Recorded<'_> {
        self.or_unfinished(self.own.facet(key))
    }

    /// The same of one member of a facet that is a map.
    #[must_use]
    pub fn recorded_member(&self, key: char, name: &str) -> Recorded<'_> {
        self.or_unfinished(self.own.member(key, name))
    }

    fn or_unfinished<'a>(&self, record: Option<&'a Record>) -> Recorded<'a> {
        match (record, &self.state) {
            (Some(record), _) => Recorded::from(record),
            (None, State::Written) => Recorded::Never,
            (None, State::Unfinished | State::Damaged | State::Newer(_)) => Recorded::Unfinished,
        }
    }

    /// `v1-<name digest>-<own>-<own, preexisting>-<outside>-<outside, preexisting>`, where each is fields of a fixed length
    /// ([`Ledger`]), and `own` begins with `unfinished` until the last write; empty ends are left out.
    fn format_spec(&self) -> String {
        let [own, preexisting] = self.own.to_texts();
        let own = match &self.state {
            State::Newer(text) => return text.clone(),
            State::Unfinished => format!("{UNFINISHED}{own}"),
            State::Written | State::Damaged => own,
        };
        let [outside, outside_preexisting] = self.outside.to_texts();
        let fields = [VERSION, &self.name_digest, &own, &preexisting, &outside, &outside_preexisting];
        let text = fields.join("-");
        match &self.state {
            // The third field says that it is ours.
            State::Written if own.is_empty() && text.trim_end_matches('-').split('-').count() < 3 => {
                format!("{VERSION}-{}-", self.name_digest)
            }
            _ => text.trim_end_matches('-').to_owned(),
        }
    }
}

/// The reverse of [`Mark::format_spec`]. A text that is not of our grammar matches no resource's name.
fn parse_spec(text: &str) -> (String, State, Ledger, Ledger) {
    let fields: Vec<&str> = text.splitn(6, '-').collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or_default();
    let (version, name, own) = (field(0), field(1).to_owned(), field(2));
    if version != VERSION {
        let newer = version.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
        let state = if newer { State::Newer(text.to_owned()) } else { State::Written };
        return (name, state, Ledger::default(), Ledger::default());
    }
    let (state, own) = match own.strip_prefix(UNFINISHED) {
        Some(begun) => (State::Unfinished, begun),
        None => (State::Written, own),
    };
    (name, state, Ledger::from_texts(own, field(3)), Ledger::from_texts(field(4), field(5)))
}

/// `<part>_<origin><digest>`: `bucket_cabcd`.
fn format_part(part: &str, record: &PartRecord) -> String {
    let origin = match record.origin {
        Some(Origin::Created) => 'c',
        Some(Origin::Adopted) => 'a',
        None => 'e',
    };
    format!("{part}_{origin}{}", record.name)
}

fn parse_part(text: &str) -> Option<(String, PartRecord)> {
    let (part, record) = text.rsplit_once('_')?;
    let mut letters = record.chars();
    let origin = match letters.next()? {
        'c' => Some(Origin::Created),
        'a' => Some(Origin::Adopted),
        _ => None,
    };
    Some((part.to_owned(), PartRecord { origin, name: letters.as_str().to_owned() }))
}

/// Put a text under a key, and what does not fit under the same with a number.
fn put(tags: &mut Tags, key: &str, text: &str) {
    let characters: Vec<char> = text.chars().collect();
    for (index, chunk) in characters.chunks(MOST_CHARACTERS).enumerate() {
        tags.insert(numbered(key, index), chunk.iter().collect());
    }
}

/// The text under a key of the mark, with what of it goes on under the same with a number.
#[must_use]
pub fn joined(tags: &Tags, key: &str) -> String {
    (0..).map_while(|index| tags.get(&numbered(key, index))).map(String::as_str).collect()
}

fn numbered(key: &str, index: usize) -> String {
    if index == 0 { key.to_owned() } else { format!("{key}-{}", index + 1) }
}

/// Whether a tag is one of a mark's.
#[must_use]
pub fn is_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let numbered = |name: &&str| key.strip_prefix(*name).and_then(|rest| rest.strip_prefix('-'));
    KEYS.contains(&key.as_str())
        || KEYS.iter().filter_map(numbered).any(|number| number.parse::<u8>().is_ok_and(|number| number > 1))
}

/// The tags that are no mark's.
#[must_use]
pub fn without_mark(tags: &Tags) -> Tags {
    tags.iter().filter(|(key, _)| !is_key(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Any text in letters of a label: what is none is `_` and its bytes in hexadecimal.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        other => format!("_{other:02x}"),
    };
    text.bytes().map(byte).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut letters) = (Vec::new(), text.bytes());
    while let Some(byte) = letters.next() {
        let digits: Vec<u8> = if byte == b'_' { letters.by_ref().take(2).collect() } else { Vec::new() };
        let digits = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(digits.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is on record for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    /// We never wrote it.
    Never,
    /// The digest of what we last wrote.
    Digest(&'a str),
    /// Others had made it as desired; the digest of what it was.
    Preexisting(&'a str),
    /// An apply began to write a value of this digest and did not finish.
    Begun(&'a str),
    /// An apply began and did not finish.
    Unfinished,
}

impl<'a> From<&'a Record> for Recorded<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Written(digest) => Self::Digest(digest),
            Record::Preexisting(digest) => Self::Preexisting(digest),
        }
    }
}

impl Recorded<'_> {
    /// Whether the value is the one on record.
    #[must_use]
    pub fn is(self, value: &Value) -> bool {
        match self {
            Self::Digest(recorded) | Self::Preexisting(recorded) | Self::Begun(recorded) => {
                recorded == digest::of_value(value)
            }
            Self::Never | Self::Unfinished => false,
        }
    }

    /// Whether it says that a value may be ours.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Digest(_) | Self::Begun(_) | Self::Unfinished)
    }
}

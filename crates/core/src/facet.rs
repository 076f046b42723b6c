//! Facets: the parts of a resource that are read and written by calls of their own, what is desired of them, and what there is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Error;
use crate::refusal::Refusal;

/// A part of a resource that is read and written by its own call.
#[derive(Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its name in messages and change sets.
    pub name: &'static str,
    /// Its key in the mark: one letter, unique among the facets of a cloud that one mark has on record.
    pub key: char,
    /// How much of the value is ours.
    pub extent: Extent,
    /// Whose its values are.
    pub sharing: Sharing,
    /// When a resource is made, how the facet gets its value.
    pub creation: Creation,
}

/// How much of a facet's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole value.
    Whole,
    /// A map, of which each member is compared and on record by itself.
    NamedKeys,
    /// The deployment's tags: a map that is written with the mark, by the core.
    Tags,
}

/// Whose the values of a facet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One value for everybody. A release leaves it as it is.
    Exclusive,
    /// Entries in a document of everybody's, of which ours carry our id. A release takes them out.
    Named,
    /// The same without an id: whose an entry is stands in the mark alone ([`crate::entries`]).
    Anonymous,
}

/// How a facet gets its value when its resource is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// By the call that creates the resource.
    SameCall,
    /// By its own call, after the creation.
    OwnCall,
}

/// The value that the plan file asks for in one facet.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The facet.
    pub facet: &'static Facet,
    /// The normalised value; `null` where nothing of ours is desired.
    pub value: Value,
    /// The plan file's key that decides it, dotted; where it is absent, the nearest table is shown.
    pub path: String,
    /// A field that another key decides, and that key.
    pub decided_elsewhere: Option<(&'static str, &'static str)>,
}

impl Desired {
    /// The same with a field that another key of the plan file decides.
    #[must_use]
    pub fn with_field_at(self, decided_elsewhere: Option<(&'static str, &'static str)>) -> Self {
        Self { decided_elsewhere, ..self }
    }

    /// The plan file's key that decides a field.
    #[must_use]
    pub fn path_of(&self, field: &str) -> String {
        let elsewhere = self.decided_elsewhere.filter(|(decided, _)| *decided == field);
        elsewhere.map_or_else(|| format!("{}.{field}", self.path), |(_, path)| path.to_owned())
    }
}

/// What a facet comes to in the field's words: a label, and what there is to say under it. Facets of one label are said on one
/// line: `private: public access blocked, TLS only`.
pub type Words = (&'static str, String);

/// Seconds as people say them: `4 days`, `90 s`.
#[must_use]
pub fn duration_in_words(seconds: u64) -> String {
    const SECONDS_A_DAY: u64 = 86_400;
    match seconds / SECONDS_A_DAY {
        1 if seconds == SECONDS_A_DAY => "1 day".to_owned(),
        days if days > 0 && seconds.is_multiple_of(SECONDS_A_DAY) => format!("{days} days"),
        _ => format!("{seconds} s"),
    }
}

/// A map of tags as people write it: `team=ml, cost-center=42`.
#[must_use]
pub fn tags_in_words(tags: &Value) -> String {
    let tags = tags.as_object().into_iter().flatten();
    tags.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(", ")
}

/// The observed value of one facet.
#[derive(Clone, Debug)]
pub enum Observed {
    /// It was read.
    Value(Value),
    /// Entries of everybody, of which [`crate::entries`] tells ours.
    Entries(Entries),
    /// It could not be read.
    Unknown(Error),
}

/// The entries that a shared document has.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Each of them, in the document's order.
    pub list: Vec<Entry>,
    /// How many the document takes, with what is said where one more would be too many.
    pub limit: Option<(usize, Refusal)>,
}

/// One entry of a shared document.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In a facet that is a map, the member that it is a value of.
    pub member: Option<String>,
    /// Its normalised value.
    pub value: Value,
    /// Whose its id says that it is.
    pub id: EntryId,
    /// Another deployment has it on record too: it stays as long as one of them wants it.
    pub co_owned: bool,
    /// What it is, for people.
    pub text: String,
    /// Why ours cannot stand beside it, if it is somebody else's.
    pub conflict: Option<Refusal>,
    /// An entry before it that answers in its place.
    pub behind: Option<String>,
    /// What it lets others do that people should know of, if it is somebody else's.
    pub alert: Option<String>,
}

/// What the id of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryId {
    /// It has none.
    Nobodys,
    /// It is ours.
    Ours,
    /// It is somebody else's.
    Others,
}

impl Entry {
    /// An entry without an id.
    #[must_use]
    pub fn new(value: Value, text: String) -> Self {
        let (member, conflict, behind, alert) = (None, None, None, None);
        Self { member, value, id: EntryId::Nobodys, co_owned: false, text, conflict, behind, alert }
    }
}

/// The facets of one kind of resource, in the order in which people read them: name, key in the mark, extent, whose, and how
/// it is made. A `match` on them has no `_`: a new one stops the build in each function that has to answer for it.
#[macro_export]
macro_rules! facets {
    ($(#[$doc:meta])* $visibility:vis enum $kind:ident {
        $($facet:ident = ($name:literal, $key:expr, $extent:ident, $sharing:ident, $creation:ident),)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $kind {
            $($facet,)+
        }

        impl $crate::facet::Facets for $kind {
            const EACH: &'static [Self] = &[$(Self::$facet,)+];

            const ALL: &'static [&'static $crate::facet::Facet] = &[$(
                &$crate::facet::Facet {
                    name: $name,
                    key: $key,
                    extent: $crate::facet::Extent::$extent,
                    sharing: $crate::facet::Sharing::$sharing,
                    creation: $crate::facet::Creation::$creation,
                },
            )+];

            fn spec(self) -> &'static $crate::facet::Facet {
                Self::ALL[self as usize]
            }
        }

        const _: () = $crate::facet::assert_distinct_keys(&[<$kind as $crate::facet::Facets>::ALL]);
    };
}

/// What [`facets!`](crate::facets) makes.
pub trait Facets: Copy + 'static {
    /// Every one that the kind can have.
    const EACH: &'static [Self];

    /// The same, as the core knows them.
    const ALL: &'static [&'static Facet];

    /// As the core knows it.
    fn spec(self) -> &'static Facet;

    /// Its name in messages and change sets.
    fn name(self) -> &'static str {
        self.spec().name
    }

    /// The facet of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    fn of(name: &str) -> Result<Self, Error> {
        let found = Self::EACH.iter().copied().find(|facet| facet.name() == name);
        found.ok_or_else(|| Error::bug(&format!("facet `{name}` is unknown")))
    }

    /// A desired value; `path` is the plan file's key that decides it.
    fn desired(self, value: impl Serialize, path: &str) -> Desired {
        Desired { facet: self.spec(), value: json!(value), path: path.to_owned(), decided_elsewhere: None }
    }

    /// What is desired of each, if anything is.
    fn all_desired(desired: impl Fn(Self) -> Option<Desired>) -> Vec<Desired> {
        Self::EACH.iter().filter_map(|facet| desired(*facet)).collect()
    }

    /// A value that was read, or not.
    fn observed(self, read: Result<impl Serialize, Error>) -> (&'static str, Observed) {
        (self.name(), read.map_or_else(Observed::Unknown, |value| Observed::Value(json!(value))))
    }

    /// Entries of everybody that were read, or not.
    fn entries(self, read: Result<Entries, Error>) -> (&'static str, Observed) {
        (self.name(), read.map_or_else(Observed::Unknown, Observed::Entries))
    }

    /// What is observed of each, by [`Facets::observed`] or [`Facets::entries`].
    fn all_observed(look: impl Fn(Self) -> (&'static str, Observed)) -> Vec<(&'static str, Observed)> {
        Self::EACH.iter().copied().map(look).collect()
    }
}

/// Stop the build where two facets that one mark has on record have the same key.
///
/// # Panics
///
/// Two have the same, or one has none of ASCII.
pub const fn assert_distinct_keys(kinds: &[&[&Facet]]) {
    let (mut seen, mut kind) = (0_u128, 0);
    while kind < kinds.len() {
        let mut index = 0;
        while index < kinds[kind].len() {
            let key = kinds[kind][index].key;
            assert!(key.is_ascii(), "the key of a facet is no letter");
            assert!(seen & (1 << key as u32) == 0, "two facets on record in one mark have the same key");
            seen |= 1 << key as u32;
            index += 1;
        }
        kind += 1;
    }
}

/// A value as its facet has it.
///
/// # Errors
///
/// It is of another form, which no version of ours ever sends.
pub fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| Error::bug(&format!("a value cannot be read ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    facets! {
        enum Bucket {
            Cors = ("cors", 'c', Whole, Named, OwnCall),
            Policy = ("policy", 'p', Whole, Named, OwnCall),
        }
    }

    facets! {
        enum Notification {
            Entry = ("entry", 'p', Whole, Named, OwnCall),
        }
    }

    #[test]
    fn field_that_another_key_decides_is_placed_there() {
        let desired =
            Bucket::Cors.desired(json!({}), "aws.bucket.cors").with_field_at(Some(("origins", "deployment.host")));
        assert_eq!(
            (desired.path_of("origins").as_str(), desired.path_of("methods").as_str()),
            ("deployment.host", "aws.bucket.cors.methods")
        );
    }

    #[test]
    fn durations_are_said_in_days_where_they_are_days() {
        assert_eq!([30, 86_400, 90_000, 345_600].map(duration_in_words), ["30 s", "1 day", "90000 s", "4 days"]);
        assert_eq!(tags_in_words(&json!({"team": "ml", "a": "b"})), "team=ml, a=b");
    }

    #[test]
    #[should_panic(expected = "two facets on record in one mark have the same key")]
    fn facets_on_record_in_one_mark_have_keys_of_their_own() {
        assert_distinct_keys(&[Bucket::ALL, Notification::ALL]);
    }
}

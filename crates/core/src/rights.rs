//! The rights that a change set needs, and what the cloud says of them before anything is written.

use crate::refusal::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A right on something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// As the cloud calls it.
    pub name: &'static str,
    /// What it is on, in full.
    pub on: String,
    /// What the cloud is asked about: the same, or where it will be.
    pub asked_of: String,
    /// What may give it although the answer is no, where something may: "unless ...".
    pub unless: Option<&'static str>,
}

/// What the cloud says of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is there.
    Held,
    /// It is not, for that reason where one is told.
    Missing(Option<String>),
    /// The cloud says no, and may say yes to the call itself: why.
    Doubtful(String),
    /// It is there, and does not help.
    Refused(Refusal),
    /// It cannot be asked: why.
    Unknown(String),
    /// It was not asked about, or nothing was answered in time.
    Unasked,
}

/// Why a right is not known of which nothing was said.
const UNANSWERED: &str = "the cloud did not answer to all that was asked";

/// What the cloud says of all rights that a change set needs. Nothing where nothing is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// How many are needed, of those that could be asked about.
    pub needed: usize,
    /// Those that are missing.
    pub missing: Vec<MissingRight>,
    /// Those that are not known, by why.
    pub unknown: Vec<UnknownRights>,
    /// What stands in the way of a write, whoever has the right to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
}

/// Rights of which the cloud did not say whether they are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnknownRights {
    /// As the cloud calls them.
    pub rights: Vec<String>,
    /// Why they could not be asked about.
    pub reason: String,
}

/// A right that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingRight {
    /// As the cloud calls it.
    pub right: String,
    /// What it is on, in full.
    pub on: String,
    /// What needs it.
    pub needed_to: Vec<String>,
    /// Whether the call itself is sure to be refused. Apply and destroy stop for these alone.
    pub certain: bool,
    /// Why it is missing, or may be there after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Rights {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.refusals.is_empty()
    }

    /// Whether none of those that are needed is there: these credentials are for looking.
    #[must_use]
    pub fn has_none(&self) -> bool {
        !self.missing.is_empty() && self.missing.len() == self.needed
    }

    /// Those that are missing; what reads the same of two things is told once.
    #[must_use]
    pub fn told(&self) -> Vec<&MissingRight> {
        let mut told: Vec<&MissingRight> = Vec::new();
        for missing in &self.missing {
            if told.iter().all(|known| known.describe() != missing.describe()) {
                told.push(missing);
            }
        }
        told
    }

    /// Those of them whose calls are sure to be refused.
    pub fn certain(&self) -> impl Iterator<Item = &MissingRight> {
        self.told().into_iter().filter(|missing| missing.certain)
    }

    /// Put down the answer to a right that is needed to do this.
    pub fn note(&mut self, right: &Right, needed_to: Vec<String>, answer: Answer) {
        let said = match answer {
            Answer::Unknown(why) => return self.note_unknown(right, why),
            Answer::Unasked => return self.note_unknown(right, UNANSWERED.to_owned()),
            Answer::Held => None,
            Answer::Refused(refusal) => {
                if !self.refusals.contains(&refusal) {
                    self.refusals.push(refusal);
                }
                None
            }
            Answer::Missing(reason) => Some((true, reason)),
            Answer::Doubtful(why) => Some((false, Some(why))),
        };
        self.needed += 1;
        let Some((certain, reason)) = said else { return };
        let (right, on) = (right.name.to_owned(), right.on.clone());
        self.missing.push(MissingRight { right, on, needed_to, certain, reason });
    }

    fn note_unknown(&mut self, right: &Right, reason: String) {
        let name = right.name.to_owned();
        match self.unknown.iter_mut().find(|unknown| unknown.reason == reason) {
            Some(unknown) if unknown.rights.contains(&name) => {}
            Some(unknown) => unknown.rights.push(name),
            None => self.unknown.push(UnknownRights { rights: vec![name], reason }),
        }
    }
}

impl UnknownRights {
    /// They and why, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let named: Vec<_> = self.rights.iter().map(|right| format!("`{right}`")).collect();
        format!("{}, because {}", few(&named), self.reason)
    }
}

/// The first of a list, and how many more there are.
fn few(all: &[String]) -> String {
    match all {
        [first, second, rest @ ..] if !rest.is_empty() => format!("{first}, {second} and {} more", rest.len()),
        all => all.join(", "),
    }
}

impl MissingRight {
    /// What needs it, in a few words.
    #[must_use]
    pub fn needed_to_text(&self) -> String {
        few(&self.needed_to)
    }

    /// It and what needs it, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("`{}` to {}{reason}", self.right, self.needed_to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_needs_it() {
        let right = |name| Right { name, on: "b".to_owned(), asked_of: "b".to_owned(), unless: None };
        let (mut rights, to) = (Rights::default(), |count| vec!["write it".to_owned(); count]);
        rights.note(&right("a:Get"), to(1), Answer::Held);
        assert!(rights.is_silent() && !rights.has_none());
        rights.note(&right("a:Put"), to(3), Answer::Missing(None));
        rights.note(&right("a:Tag"), to(1), Answer::Doubtful("by chance".to_owned()));
        rights.note(&right("a:List"), to(1), Answer::Unknown("not asked".to_owned()));
        rights.note(&right("a:Drop"), to(1), Answer::Unknown("not asked".to_owned()));
        let told: Vec<_> = rights.missing.iter().map(MissingRight::describe).collect();
        assert_eq!(told, ["`a:Put` to write it, write it and 1 more", "`a:Tag` to write it (by chance)"]);
        assert_eq!(rights.certain().map(|missing| missing.right.as_str()).collect::<Vec<_>>(), ["a:Put"]);
        assert_eq!((rights.needed, rights.has_none()), (3, false));
        let elsewhere = Right { on: "c".to_owned(), ..right("a:Put") };
        rights.note(&elsewhere, to(3), Answer::Missing(None));
        assert_eq!((rights.missing.len(), rights.certain().count()), (3, 1));
        let refusal = Refusal { reason: "denied".to_owned(), hint: "ask".to_owned() };
        rights.note(&right("a:Put"), to(1), Answer::Refused(refusal.clone()));
        rights.note(&right("a:Tag"), to(1), Answer::Refused(refusal.clone()));
        assert_eq!(rights.refusals, [refusal]);
        rights.note(&right("a:Drop"), to(1), Answer::Unknown("not asked".to_owned()));
        rights.note(&right("a:Move"), to(1), Answer::Unknown("not asked".to_owned()));
        rights.note(&right("a:Turn"), to(1), Answer::Unasked);
        let told: Vec<_> = rights.unknown.iter().map(UnknownRights::describe).collect();
        let unanswered = format!("`a:Turn`, because {UNANSWERED}");
        assert_eq!(told, ["`a:List`, `a:Drop` and 1 more, because not asked", &unanswered]);
    }
}

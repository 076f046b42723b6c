//! The hops of a proof: what was sent, what came, and what that says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::refusal::Refusal;

/// What helps where nothing is known to be wrong but that it failed this time.
pub(crate) const AGAIN: &str = "run the same command again";

/// A step of the way from a browser to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HopId {
    /// What there is, is what the plan file asks for.
    Resources,
    /// The server may use it.
    Rights,
    /// Pages of the server may use the bucket, others may not.
    Browsers,
    /// A signed upload, and a signed download of the same.
    Files,
    /// The event of the upload.
    Event,
    /// Nothing is left.
    Cleanup,
}

impl HopId {
    /// As programs know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Rights => "rights",
            Self::Browsers => "browsers",
            Self::Files => "files",
            Self::Event => "event",
            Self::Cleanup => "cleanup",
        }
    }
}

/// What came of a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Passed,
    /// It does not.
    Failed {
        /// Why.
        reason: String,
    },
    /// It may work: nothing that was seen says that it does not. `--strict` fails then.
    NotProven {
        /// Why.
        reason: String,
    },
    /// It was not tried, and was not to be.
    Skipped {
        /// Which setting says so, or what there is nothing of.
        reason: String,
    },
}

impl Verdict {
    /// The word for it, for people.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::NotProven { .. } => "not proven",
            Self::Skipped { .. } => "skipped",
        }
    }
}

/// What somebody else set that stands in the way of a hop.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// The hops that it stands in the way of.
    pub stops: &'static [HopId],
    /// Why, and what takes it away.
    pub refusal: Refusal,
    /// Whether apply takes it away, and nothing is to be done by hand.
    pub by_apply: bool,
}

impl Obstacle {
    /// The first of them that stands in the way of a hop.
    #[must_use]
    pub fn of(obstacles: &[Self], hop: HopId) -> Option<&Refusal> {
        obstacles.iter().find(|obstacle| obstacle.stops.contains(&hop)).map(|obstacle| &obstacle.refusal)
    }
}

/// A hop that was gone.
#[derive(Clone, Debug, Serialize)]
#[serde(into = "Record")]
pub struct Hop {
    /// Which one.
    pub id: HopId,
    /// What it shows, for people: `signed upload and download`.
    pub text: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was sent, without secrets.
    pub sent: Vec<String>,
    /// What came of each.
    pub came: Vec<String>,
    /// What mends it: a command, or what to write into the plan file.
    pub mend: Option<String>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// A step of the way from a browser to the server, and what came of it.
#[derive(Serialize, JsonSchema)]
struct Record {
    /// Which one.
    id: HopId,
    /// What it shows, for people.
    text: String,
    /// What came of it.
    verdict: Word,
    /// Why it has not passed.
    reason: Option<String>,
    /// What was sent, without secrets.
    sent: Vec<String>,
    /// What came of each.
    came: Vec<String>,
    /// What mends it: a command, or what to write into the plan file.
    mend: Option<String>,
    /// How long it took.
    elapsed_ms: u64,
}

impl JsonSchema for Hop {
    fn schema_name() -> Cow<'static, str> {
        "Hop".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Record::json_schema(generator)
    }
}

/// A verdict in a word.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// It works.
    Passed,
    /// It does not.
    Failed,
    /// It may work: nothing that was seen says that it does not, as where a right is missing. `--strict` fails then.
    NotProven,
    /// It was not tried, and was not to be.
    Skipped,
}

impl From<Hop> for Record {
    fn from(hop: Hop) -> Self {
        let verdict = match &hop.verdict {
            Verdict::Passed => Word::Passed,
            Verdict::Failed { .. } => Word::Failed,
            Verdict::NotProven { .. } => Word::NotProven,
            Verdict::Skipped { .. } => Word::Skipped,
        };
        let reason = hop.reason().map(str::to_owned);
        let Hop { id, text, sent, came, mend, elapsed_ms, .. } = hop;
        Self { id, text, verdict, reason, sent, came, mend, elapsed_ms }
    }
}

impl Hop {
    /// One that passed so far.
    #[must_use]
    pub fn new(id: HopId, text: impl Into<String>) -> Self {
        let (sent, came) = (Vec::new(), Vec::new());
        Self { id, text: text.into(), verdict: Verdict::Passed, sent, came, mend: None, elapsed_ms: 0 }
    }

    /// The same, failed; the first reason stays.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<String>, mend: Option<String>) -> Self {
        if !self.has_failed() {
            self.verdict = Verdict::Failed { reason: reason.into() };
            self.mend = mend;
        }
        self
    }

    /// The same, not proven.
    #[must_use]
    pub fn not_proven(mut self, reason: impl Into<String>) -> Self {
        self.verdict = Verdict::NotProven { reason: reason.into() };
        self
    }

    /// The same, not tried because of a setting.
    #[must_use]
    pub fn skipped(mut self, reason: impl Into<String>) -> Self {
        self.verdict = Verdict::Skipped { reason: reason.into() };
        self
    }

    /// The same, with what mends it.
    #[must_use]
    pub fn mended_by(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// The same, of which nothing is known, since it could not be looked at.
    #[must_use]
    pub fn unknown(self, error: &Error) -> Self {
        let reason = error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"));
        self.not_proven(reason)
    }

    /// The same, ended by an error: where a right is missing, nothing is known of what it would show.
    #[must_use]
    pub fn ended_by(self, error: &Error) -> Self {
        if error.kind() == ErrorKind::PermissionDenied {
            return self.unknown(error);
        }
        self.failed(error.to_string(), Some(error.hint().unwrap_or(AGAIN).to_owned()))
    }

    /// Note what was sent and what came.
    pub fn exchange(&mut self, sent: impl Into<String>, came: impl Into<String>) {
        self.sent.push(sent.into());
        self.came.push(came.into());
    }

    /// Why it has not passed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Passed => None,
            Verdict::Failed { reason } | Verdict::NotProven { reason } | Verdict::Skipped { reason } => Some(reason),
        }
    }

    /// Whether it failed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. })
    }

    /// Whether it is open if it works, though it was to be proven.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.verdict, Verdict::NotProven { .. })
    }
}

/// How many of the hops failed.
#[must_use]
pub fn failures(hops: &[Hop]) -> usize {
    hops.iter().filter(|hop| hop.has_failed()).count()
}

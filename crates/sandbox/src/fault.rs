//! Misbehaviour on demand: the n-th call of an operation fails in a chosen way. Knows no cloud.
//!
//! A file of faults is TOML (or JSON, if its name ends so), to rehearse with `provision sandbox serve --faults FILE`:
//!
//! ```toml
//! latency_ms = 50                       # every answer comes this much later
//!
//! [propagation_ms]                      # what is written is seen by others this much later
//! "sqs.policy" = 2000
//! tags = 500
//!
//! [[fault]]
//! operation = "s3:PutBucketCors"        # `*` at the end stands for anything
//! nth = 1                               # from 1; "every", or { from = 3 } for the third and all that follow
//! at = "after"                          # the call has its effect first; "before" if left out
//! what = "drop"                         # the connection ends without an answer
//!
//! [[fault]]
//! operation = "sqs:*"
//! what = "throttle"                     # or "conflict", each as the cloud phrases it; or "truncate"
//!
//! [[fault]]
//! operation = "s3:PutObject"
//! what = { delay_ms = 60000 }
//!
//! [[fault]]
//! operation = "iam:PutRolePolicy"
//! nth = "every"
//! what = { error = { status = 403, code = "AccessDenied", message = "not authorized" } }
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What a file of faults says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Every answer comes this much later, in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
    /// How much later others see what was written, in milliseconds, by what it is. Each cloud's docs name what it delays.
    #[serde(default)]
    pub propagation_ms: BTreeMap<String, u64>,
    /// The faults.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation, as the cloud names it: `s3:PutBucketCors`. A `*` at the end stands for anything.
    pub operation: String,
    /// Which calls.
    #[serde(default)]
    pub nth: Nth,
    /// Whether the call has its effect first.
    #[serde(default)]
    pub at: When,
    /// What the caller gets.
    pub what: What,
}

/// Which calls of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Nth {
    /// This one, from 1.
    Number(usize),
    /// All of them.
    #[serde(with = "every")]
    Every,
    /// This one and all that follow.
    From {
        /// From 1.
        from: usize,
    },
}

/// Whether a failing call has its effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The call does not reach the service.
    #[default]
    Before,
    /// The call has its effect, and the answer is replaced.
    After,
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// This answer.
    Answer {
        /// Status.
        status: u16,
        /// Headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Body.
        #[serde(default)]
        body: String,
    },
    /// An error as the cloud phrases it.
    Error {
        /// Status.
        status: u16,
        /// The cloud's code.
        code: String,
        /// What it says.
        #[serde(default)]
        message: String,
    },
    /// The cloud's answer to too many requests.
    Throttle,
    /// The cloud's answer to a change that crosses another.
    Conflict,
    /// The connection ends without an answer.
    Drop,
    /// Half of the answer's body. The call has its effect, whenever it is said to fail.
    Truncate,
    /// The answer comes this much later. The call has its effect, whenever it is said to fail.
    #[serde(rename = "delay_ms", with = "milliseconds")]
    Delay(Duration),
}

impl Faults {
    /// Read a file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or has a key or value that is not known.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let found = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if !found.is_file() {
            // A pipe or a device may never end.
            return Err(Error::Faults { path: path.to_owned(), reason: "it is not a regular file".to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let json = path.extension().is_some_and(|extension| extension == "json");
        let read = if json {
            serde_json::from_str(&text).map_err(|error| error.to_string())
        } else {
            toml::from_str(&text).map_err(|error| error.to_string())
        };
        read.map_err(|reason| Error::Faults { path: path.to_owned(), reason })
    }
}

impl What {
    /// Whether the call has its effect, whenever it is said to fail: it changes the answer that there is.
    #[must_use]
    pub fn needs_answer(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Truncate)
    }
}

impl Fault {
    /// Whether calls of an operation are meant.
    #[must_use]
    pub fn names(&self, operation: &str) -> bool {
        match self.operation.strip_suffix('*') {
            Some(beginning) => operation.starts_with(beginning),
            None => self.operation == operation,
        }
    }
}

impl Nth {
    /// Whether the n-th call is meant.
    #[must_use]
    pub fn is(self, call: usize) -> bool {
        match self {
            Self::Number(number) => number == call,
            Self::Every => true,
            Self::From { from } => call >= from,
        }
    }
}

impl Default for Nth {
    fn default() -> Self {
        Self::Number(1)
    }
}

mod every {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("every")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "every" { Ok(()) } else { Err(D::Error::custom("a number from 1, \"every\", or { from = 1 }")) }
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_faults_reads_as_documented() {
        let faults: Faults = toml::from_str(
            "latency_ms = 50\n[propagation_ms]\n'sqs.policy' = 2000\n\
             [[fault]]\noperation = 's3:PutBucketCors'\nat = 'after'\nwhat = 'drop'\n\
             [[fault]]\noperation = 'sqs:*'\nnth = 'every'\nwhat = 'throttle'\n\
             [[fault]]\noperation = 's3:PutObject'\nnth = 3\nwhat = { delay_ms = 60 }\n\
             [[fault]]\noperation = '*'\nnth = { from = 3 }\nwhat = 'drop'\n\
             [[fault]]\noperation = 'x'\nwhat = { error = { status = 403, code = 'AccessDenied' } }\n",
        )
        .unwrap();
        let [first, second, third, late, last] = faults.faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!((first.nth, first.at, &first.what), (Nth::Number(1), When::After, &What::Drop));
        assert!(second.names("sqs:CreateQueue") && !second.names("s3:PutObject") && second.nth == Nth::Every);
        assert_eq!(third.what, What::Delay(Duration::from_millis(60)));
        assert_eq!([2, 3, 4].map(|call| late.nth.is(call)), [false, true, true]);
        assert!(matches!(&last.what, What::Error { status: 403, .. }));
        let again: Faults = serde_json::from_value(serde_json::to_value(&faults).unwrap()).unwrap();
        assert_eq!(again, faults);
    }

    #[test]
    fn file_of_faults_with_an_unknown_key_is_refused() {
        assert!(toml::from_str::<Faults>("latency = 50").is_err());
        assert!(toml::from_str::<Faults>("[[fault]]\noperation = 'x'\nwhat = 'explode'").is_err());
    }
}

//! Misbehaviour on demand: the n-th call of an operation fails in a chosen way. Knows no cloud.

use std::time::Duration;

/// A fault to inject.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation, as the proxy names it: `s3:PutBucketCors`.
    pub operation: String,
    /// Which calls.
    pub nth: Nth,
    /// Whether the call has its effect first.
    pub at: When,
    /// What the caller gets.
    pub what: What,
}

/// Which calls of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// This one, from 1.
    Number(usize),
    /// All of them.
    Every,
}

/// Whether a failing call has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call does not reach the service.
    Before,
    /// The call has its effect, and the answer is replaced.
    After,
}

/// What the caller gets.
#[derive(Clone, Debug)]
pub enum What {
    /// This answer.
    Answer {
        /// Status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// The connection ends without an answer.
    Drop,
    /// The answer comes this much later.
    Delay(Duration),
}

impl Nth {
    /// Whether the n-th call is meant.
    #[must_use]
    pub fn is(self, call: usize) -> bool {
        match self {
            Self::Number(number) => number == call,
            Self::Every => true,
        }
    }
}

//! What was asked, by whom and when.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Record {
    /// `s3:PutBucketCors`.
    pub operation: String,
    /// Whether it may change something.
    pub write: bool,
    /// Whether it only asks how far a change is that goes on after its answer: how often is the service's affair.
    pub poll: bool,
    /// `PUT`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
    /// Body of the request.
    pub body: Bytes,
    /// The answer's status; `None` if the connection was dropped.
    pub status: Option<u16>,
    /// When it came.
    pub start: Instant,
    /// When it was answered.
    pub end: Instant,
}

/// The longest chain of requests in which each starts after the former was answered, without those that only poll.
#[must_use]
pub fn waves(records: &[Record]) -> usize {
    let mut records: Vec<_> = records.iter().filter(|record| !record.poll).collect();
    records.sort_by_key(|record| record.start);
    let mut chains: Vec<(Instant, usize)> = Vec::new();
    for record in records {
        let before = chains.iter().filter(|(end, _)| *end <= record.start).map(|(_, length)| *length).max();
        chains.push((record.end, before.unwrap_or_default() + 1));
    }
    chains.into_iter().map(|(_, length)| length).max().unwrap_or_default()
}

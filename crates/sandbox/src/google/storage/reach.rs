//! Whose requests a bucket answers, and who pays for them. The sandbox's callers are owners, who may leave the paying to the
//! bucket's own project, and come from no network: both are kept and shown, and keep nobody out.

use serde::{Deserialize, Serialize};

use crate::google::refusal::Refusal;

/// What is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::google) struct Reach {
    /// <https://cloud.google.com/storage/docs/requester-pays>
    pub requester_pays: bool,
    /// `Enabled` or `Disabled`; empty where there is no filter
    /// <https://cloud.google.com/storage/docs/ip-filtering-overview>.
    pub filter_mode: String,
    pub ranges: Vec<String>,
}

/// What a request changes. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub(in crate::google) struct ReachChange {
    pub requester_pays: Option<bool>,
    pub filter_mode: Option<String>,
    pub ranges: Option<Vec<String>>,
}

impl Reach {
    pub(super) fn apply(&mut self, change: ReachChange) -> Result<(), Refusal> {
        let ReachChange { requester_pays, filter_mode, ranges } = change;
        if let Some(mode) = &filter_mode
            && !["", "Enabled", "Disabled"].contains(&mode.as_str())
        {
            return Err(Refusal::invalid(format!("Invalid mode of an IP filter: {mode}")));
        }
        self.requester_pays = requester_pays.unwrap_or(self.requester_pays);
        self.filter_mode = filter_mode.unwrap_or_else(|| self.filter_mode.clone());
        self.ranges = ranges.unwrap_or_else(|| self.ranges.clone());
        Ok(())
    }
}

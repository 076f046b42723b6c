//! Since when a finding is there: the cloud does not say, but the page before this one does.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use provision_core::change_set::ChangeSet;

use super::super::{Row, rows};

/// What stands before the data and after it.
const BEGIN: &str = "<script type=\"application/json\" id=\"since\">";
const END: &str = "</script>";

/// When each finding was first seen, by what it says.
pub(super) struct Since {
    seen: BTreeMap<String, String>,
    now: String,
}

impl Since {
    /// Of these deployments, as the former page has it; what that does not have is new.
    pub(super) fn new(sets: &[ChangeSet], former: &str, now: &str) -> Self {
        let known = read(former);
        let keys = sets.iter().flat_map(|set| rows(set).iter().map(|row| key(set, row)).collect::<Vec<_>>());
        let first = |key: &String| known.get(key).map_or(now, String::as_str).to_owned();
        let seen = keys.map(|key| (first(&key), key)).map(|(first, key)| (key, first)).collect();
        Self { seen, now: now.to_owned() }
    }

    /// When this was first seen.
    pub(super) fn of(&self, set: &ChangeSet, row: &Row<'_>) -> &str {
        self.seen.get(&key(set, row)).unwrap_or(&self.now)
    }

    /// All of it, for the next page. Nothing in it ends the element.
    pub(super) fn data(&self) -> Markup {
        let text = serde_json::to_string(&self.seen).unwrap_or_default().replace('<', "\\u003c");
        html! { (PreEscaped(BEGIN)) (PreEscaped(text)) (PreEscaped(END)) }
    }
}

fn key(set: &ChangeSet, row: &Row<'_>) -> String {
    format!("{} {} {} {}", set.cloud, set.deployment, row.address, row.text())
}

/// What a page has; something else than one of ours has nothing.
fn read(page: &str) -> BTreeMap<String, String> {
    let data = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    data.and_then(|(data, _)| serde_json::from_str(data).ok()).unwrap_or_default()
}

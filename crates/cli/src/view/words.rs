//! Words for what was found, the same in every view.

use provision_core::change_set::ChangeSet;
use provision_core::compare::Finding;
use serde_json::Value;

use crate::clouds::CloudId;

/// What a set comes to, in one word.
pub(crate) fn verdict(set: &ChangeSet) -> &'static str {
    match (set.unknowns().is_empty(), set.nothing_exists(), set.has_drift(), set.has_changes()) {
        (false, ..) => "unknown",
        (_, true, ..) => "not applied, or gone",
        (_, _, true, _) => "drift",
        (_, _, _, true) => "pending",
        _ => "in sync",
    }
}

/// What the compare found, in the words of the documentation.
pub(crate) fn label(finding: Finding) -> &'static str {
    match finding {
        Finding::Pending => "  pending: the plan file changed",
        Finding::Drift => "  drift: the cloud was changed",
        Finding::Both => "  drift and pending: both were changed",
        Finding::Unfinished => "  an apply did not finish",
        Finding::InSync | Finding::StaleMark | Finding::Unknown => "",
    }
}

/// A value on one line; what is absent shows as `-`.
pub(crate) fn short(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// What a cloud calls that which pays, and where its things are.
pub(crate) fn nouns(cloud: &str) -> (&'static str, &'static str) {
    CloudId::named(cloud).map_or(("account", "region"), CloudId::nouns)
}

/// A look at the cloud lasts.
pub(crate) fn looking(elapsed_ms: u64) -> String {
    format!("{} s, looking at the cloud", elapsed_ms / 1000)
}

/// The cloud is looked at again.
pub(crate) fn settling(reason: &str) -> String {
    format!("{reason}: looking again")
}

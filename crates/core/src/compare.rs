//! The three-way compare of one facet: what the plan file wants, what the cloud has, what the mark says we last wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::canonical;
use crate::mark::Recorded;

/// What comparing one facet found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Desired, observed and mark agree.
    InSync,
    /// Desired and observed agree, the mark does not: apply writes the mark.
    StaleMark,
    /// The plan file changed and is not applied yet.
    Pending,
    /// The cloud was changed by somebody else.
    Drift,
    /// The plan file changed and the cloud was changed too.
    Both,
    /// An apply began and did not finish.
    Unfinished,
    /// The facet could not be read.
    Unknown,
}

impl Finding {
    /// Whether the facet itself must be written.
    #[must_use]
    pub const fn differs(self) -> bool {
        matches!(self, Self::Pending | Self::Drift | Self::Both | Self::Unfinished)
    }

    /// Whether somebody changed the cloud: what makes `drift` exit with 2.
    #[must_use]
    pub const fn is_drift(self) -> bool {
        matches!(self, Self::Drift | Self::Both)
    }
}

/// Compare one facet. `desired` and `observed` are normalised by the cloud; `null` stands for absent.
///
/// | desired = observed | observed = mark | desired = mark | finding |
/// |---|---|---|---|
/// | yes | | yes | in sync |
/// | yes | | no | stale mark |
/// | no | yes | no | pending |
/// | no | no | yes | drift |
/// | no | no | no | both, or unfinished |
///
/// A facet we never wrote is pending; while an apply is unfinished the mark says nothing about who changed what.
#[must_use]
pub fn compare(desired: &Value, observed: &Value, recorded: Recorded<'_>) -> Finding {
    if same(desired, observed) {
        // Nothing is desired and nothing is there: there is nothing to have on record.
        let begun = matches!(recorded, Recorded::Begun(_));
        let settled = (recorded.is(desired) && !begun) || (desired.is_null() && recorded == Recorded::Never);
        return if settled { Finding::InSync } else { Finding::StaleMark };
    }
    match recorded {
        Recorded::Unfinished | Recorded::Begun(_) => Finding::Unfinished,
        Recorded::Never => Finding::Pending,
        Recorded::Digest(_) | Recorded::Preexisting(_) if recorded.is(observed) => Finding::Pending,
        Recorded::Digest(_) | Recorded::Preexisting(_) if recorded.is(desired) => Finding::Drift,
        Recorded::Digest(_) | Recorded::Preexisting(_) => Finding::Both,
    }
}

/// Whether two normalised values mean the same.
#[must_use]
pub fn same(left: &Value, right: &Value) -> bool {
    canonical(left) == canonical(right)
}

/// `observed` reduced to the members that `desired` names: for facets of which we manage single keys (tags, attributes).
#[must_use]
pub fn project(observed: &Value, desired: &Value) -> Value {
    let (Value::Object(observed), Value::Object(desired)) = (observed, desired) else { return observed.clone() };
    let managed = observed.iter().filter(|(key, _)| desired.contains_key(*key));
    Value::Object(managed.map(|(key, member)| (key.clone(), member.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::of_value;
    use serde_json::json;

    /// Every row of the table, with the values `a`, `b`, `c` in every place.
    #[test]
    fn compare_every_row_of_the_table() {
        let (a, b, c) = (json!("a"), json!("b"), json!("c"));
        let digest = |value: &Value| of_value(value);
        let find = |desired: &Value, observed: &Value, mark: &Value| {
            compare(desired, observed, Recorded::Digest(&digest(mark)))
        };
        assert_eq!(find(&a, &a, &a), Finding::InSync);
        assert_eq!(find(&a, &a, &b), Finding::StaleMark);
        assert_eq!(find(&a, &b, &b), Finding::Pending);
        assert_eq!(find(&a, &b, &a), Finding::Drift);
        assert_eq!(find(&a, &b, &c), Finding::Both);
    }

    #[test]
    fn compare_unfinished_blames_nobody() {
        assert_eq!(compare(&json!(1), &json!(2), Recorded::Unfinished), Finding::Unfinished);
        assert_eq!(compare(&json!(1), &json!(1), Recorded::Unfinished), Finding::StaleMark);
    }

    #[test]
    fn compare_never_written_is_pending() {
        assert_eq!(compare(&json!(1), &json!(null), Recorded::Never), Finding::Pending);
        assert_eq!(compare(&json!(null), &json!(null), Recorded::Never), Finding::InSync);
    }

    #[test]
    fn compare_entry_that_vanished_is_drift() {
        let desired = json!({"id": "x"});
        assert_eq!(compare(&desired, &json!(null), Recorded::Digest(&of_value(&desired))), Finding::Drift);
    }

    #[test]
    fn project_keeps_managed_keys_only() {
        assert_eq!(project(&json!({"a": 1, "b": 2}), &json!({"a": 5, "c": 6})), json!({"a": 1}));
        assert_eq!(project(&json!(null), &json!({"a": 5})), json!(null));
    }
}

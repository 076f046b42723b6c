//! How many resources change, for GitLab's merge requests
//! (<https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsterraform>).

use provision_core::change_set::{Action, ChangeSet};
use provision_core::{Error, printable};
use serde_json::json;

use super::planned::goes;

/// The counts. Where a plan cannot be executed it holds the errors in their place, which GitLab shows as a report that failed.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let errors: Vec<_> = errors.iter().cloned().chain(sets.iter().flat_map(ChangeSet::blockers)).collect();
    if !errors.is_empty() {
        let errors: Vec<_> = errors.iter().map(|error| error.to_string()).collect();
        return printable::in_json(&format!("{:#}\n", json!({"errors": errors})));
    }
    let count = |actions: &[Action]| -> usize {
        sets.iter().flat_map(|set| actions.iter().map(|action| set.count(*action))).sum()
    };
    let left_over = sets.iter().flat_map(|set| set.orphans.iter().filter(|orphan| goes(set, orphan))).count();
    format!(
        "{:#}\n",
        json!({
            "create": count(&[Action::Create]),
            "update": count(&[Action::Adopt, Action::Update, Action::Restore]),
            "delete": count(&[Action::Delete, Action::Release]) + left_over,
        })
    )
}

//! Words for what was found, the same in every view.

use provision_core::Error;
use provision_core::change_set::{Action, Change, ChangeSet};
use provision_core::compare::Finding;
use provision_core::printable::on_one_line;
use serde_json::Value;

use crate::arguments::quoted;
use crate::providers::ProviderId;

/// What a set comes to.
pub(crate) fn verdict(set: &ChangeSet) -> &'static str {
    match (set.unknowns().is_empty(), set.nothing_exists(), set.has_drift(), set.has_changes()) {
        (false, ..) if set.unreadable.is_empty() => "refused",
        (false, ..) => "unknown",
        (_, true, ..) => "nothing of it exists (never applied, or deleted)",
        (_, _, true, _) => "drift",
        (_, _, _, true) => "not applied yet",
        _ => "in sync",
    }
}

/// Whether a plan file has other sections that were looked at too.
pub(crate) fn one_of_several(set: &ChangeSet, sets: &[ChangeSet]) -> bool {
    sets.iter().filter(|other| other.plan_file == set.plan_file).count() > 1
}

/// The deployment; with its section where that is one of several.
pub(crate) fn named(set: &ChangeSet, is_one_of_several: bool) -> String {
    let section = if is_one_of_several { format!(" ({})", set.cloud) } else { String::new() };
    format!("{}{section}", set.deployment)
}

/// How resources that meet an action are counted, before it and after it.
const COUNTED: [(Action, &str, &str); 7] = [
    (Action::Create, "to create", "created"),
    (Action::Adopt, "to adopt", "adopted"),
    (Action::Update, "to update", "updated"),
    (Action::Restore, "to restore", "restored"),
    (Action::Delete, "to delete", "deleted"),
    (Action::Release, "to release", "released"),
    (Action::Refuse, "refused", "refused"),
];

/// How many resources meet each action: `2 to create`, and once it is `done`: `2 created`.
pub(crate) fn counts(set: &ChangeSet, done: bool) -> Vec<String> {
    let counted = COUNTED.iter().map(|(action, before, after)| (set.count(*action), if done { after } else { before }));
    counted.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect()
}

/// Where several things that were applied are gone, and nothing else differs, the other command that may be meant: a destroy that was
/// broken off leaves the same.
pub(crate) fn finish_destroy(set: &ChangeSet, flags: &str) -> Option<String> {
    let missing = set.changes.iter().filter(|change| change.missing).count();
    let otherwise = set.changes.iter().any(|change| !change.missing && change.finding.differs());
    let is_left = missing > 1 && !otherwise;
    let (cloud, file) = (&set.cloud, quoted(&set.plan_file.name));
    is_left.then(|| format!("If a destroy was broken off, finish it: provision {cloud} destroy {file}{flags}"))
}

/// What becomes of others' entries on a thing: they stay, or go with what is deleted. Nothing where it is refused, or where it is not
/// known of each of them.
pub(crate) fn fate_of_others(set: &ChangeSet, change: &Change) -> Option<&'static str> {
    let deleted = |change: &Change| change.action == Action::Delete;
    let holds = |kinds: &[&str], change: &Change| kinds.contains(&change.kind.as_str());
    let holder_goes = set.changes.iter().any(|change| deleted(change) && holds(&["bucket", "storage account"], change));
    let inside = holder_goes && holds(&["notification", "event subscription", "CORS rule"], change);
    match (change.refusal.is_some(), deleted(change)) {
        (true, _) => None,
        (_, true) if change.mark.is_some() || inside => Some("goes with it"),
        (_, true) if holder_goes => None,
        _ => Some("kept"),
    }
}

/// What the compare found.
pub(crate) fn label(finding: Finding) -> &'static str {
    match finding {
        Finding::Pending => "not applied yet",
        Finding::Drift => "changed outside provision",
        Finding::Both => "changed outside provision, and in the plan file",
        Finding::Unfinished => "an apply did not finish",
        Finding::InSync | Finding::StaleMark | Finding::Unknown => "",
    }
}

/// A thing that was applied and is gone.
pub(crate) const MISSING: &str = "missing: it was applied and is gone";
/// The tags that tell whose something is are gone.
pub(crate) const UNTAGGED: &str = "somebody removed provision's tags";

/// Only what is on record differs.
pub(crate) const BOOKKEEPING: &str = "only provision's own tags change";

/// A value as people write it, on one line: texts without quotes, lists with commas between; what is absent shows as `-`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => on_one_line(text),
        Value::Array(list) if !list.is_empty() => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => on_one_line(&other.to_string()),
    }
}

/// How a field stands and how it should: what is read after its name.
pub(crate) fn standing(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Null, after) => format!("is missing, should be {}", plain(after)),
        (before, Value::Null) => format!("is {}, should not be there", plain(before)),
        (Value::Array(old), Value::Array(new)) => {
            let (lacking, besides) = (without(new, old), without(old, new));
            let lacking = (!lacking.is_empty()).then(|| format!("lacks {}", plain(&Value::Array(lacking))));
            let besides = (!besides.is_empty()).then(|| format!("should not have {}", plain(&Value::Array(besides))));
            lacking.into_iter().chain(besides).collect::<Vec<_>>().join(", ")
        }
        (before, after) => format!("is {}, should be {}", plain(before), plain(after)),
    }
}

/// The elements of a list that another one does not have.
pub(crate) fn without(list: &[Value], other: &[Value]) -> Vec<Value> {
    list.iter().filter(|element| !other.contains(element)).cloned().collect()
}

/// What could not be looked at: a section of a deployment, or the plan file where it is no section.
pub(crate) fn unknown(error: &Error) -> String {
    match error.section() {
        Some((deployment, section)) => format!("{deployment} ({section})"),
        None => error.plan_file().map_or_else(|| "-".to_owned(), on_one_line),
    }
}

/// What people call a cloud.
pub(crate) fn title(cloud: &str) -> &str {
    match ProviderId::named(cloud) {
        Some(cloud) => cloud.title(),
        None => cloud,
    }
}

/// What a cloud calls that which pays, and where its things are.
pub(crate) fn nouns(cloud: &str) -> (&'static str, &'static str) {
    ProviderId::named(cloud).map_or(("account", "region"), ProviderId::nouns)
}

/// What is looked at and written in a cloud.
pub(crate) fn whole(cloud: &str) -> &'static str {
    ProviderId::named(cloud).map_or("the cloud", ProviderId::whole)
}

/// What was done, of what an operation does: its verb comes first.
pub(crate) fn past(operation: &str) -> String {
    let (verb, rest) = operation.split_once(' ').unwrap_or((operation, ""));
    let verb = match verb {
        "write" => "wrote",
        "read" => "read",
        "empty" => "emptied",
        "create" | "remove" | "delete" | "release" => return format!("{verb}d {rest}"),
        "adopt" => return format!("adopted {rest}"),
        _ => return format!("done {operation}"),
    };
    format!("{verb} {rest}")
}

/// A look at the cloud lasts.
pub(crate) fn looking(elapsed_ms: u64) -> String {
    format!("{} s, looking at the cloud", elapsed_ms / 1000)
}

/// The cloud is looked at again.
pub(crate) fn settling(reason: &str) -> String {
    format!("{reason}: looking again")
}

//! A plan as a table, for a pull request: a row for each resource.

use provision_core::Error;
use provision_core::change_set::{Action, Change, ChangeSet, FacetChange, Purpose};
use provision_core::compare::Finding;
use provision_core::diff::{self, FieldDiff};
use provision_core::mark::Origin;
use provision_core::output::OutputChange;
use provision_core::refusal::Refusal;
use provision_core::resource::Orphan;
use provision_core::rights::{MissingRight, UnknownRights};
use serde_json::Value;

use super::markdown::{Section, by_verdict, code, failure, fitted, identity, plan_files, unlooked};
use crate::view::words::{
    BOOKKEEPING, MISSING, UNTAGGED, fate_of_others, label, named, one_of_several, plain, whole, without,
};

/// The whole of each set, and why others could not be looked at.
pub(crate) fn text(sets: &[ChangeSet], errors: &[Error]) -> String {
    let planned = sets.iter().map(|set| {
        let (rank, verdict) = standing(set);
        (rank, verdict, sections(set, one_of_several(set, sets)))
    });
    let unreadable = errors.iter().map(|error| (2, "unknown", vec![unlooked(error)]));
    let sections = by_verdict(planned.chain(unreadable).collect(), plan_files(sets, errors));
    let commands: Vec<_> = sets.iter().map(|set| code(&set.plan_command())).collect();
    fitted(&sections, &format!("{} shows all of them", commands.join(", ")))
}

/// How much it asks of the reader, the most first, and what it comes to.
fn standing(set: &ChangeSet) -> (usize, &'static str) {
    match (set.blockers().is_empty(), set.has_changes()) {
        (false, _) => (0, "refused or incomplete"),
        (true, true) => (1, "with changes"),
        (true, false) => (3, "without changes"),
    }
}

fn sections(set: &ChangeSet, is_one_of_several: bool) -> Vec<Section> {
    let shown = |change: &&Change| {
        change.finding == Finding::Unknown || !matches!(change.action, Action::NoOp | Action::Record)
    };
    let rows: Vec<_> = set.changes.iter().filter(shown).map(|change| row(set, change)).collect();
    let table = if rows.is_empty() { "" } else { "\n| | resource | changes |\n|---|---|---|\n" };
    let head = format!("### {}: {}\n\n{}\n{table}", code(&named(set, is_one_of_several)), summary(set), identity(set));
    let list = |title: &str, items: Vec<String>| {
        let items = items.into_iter().map(|item| format!("- {item}\n")).collect();
        Section { head: format!("**{title}**\n\n"), items }
    };
    let warnings = set.warnings.iter().map(|warning| code(warning)).collect();
    let unread = set.unreadable.iter().map(|unread| failure(&unread.0).trim_end().to_owned()).collect();
    let lists = [
        list("Left over", set.orphans.iter().map(|orphan| left_over(set, orphan)).collect()),
        list("Only provision's own tags", recorded(set)),
        list("Settings for the server that change", set.output_changes.iter().map(setting).collect()),
        list("Missing rights", set.rights.told().into_iter().map(missing).collect()),
        list("Would be refused", set.rights.refusals.iter().map(refused).collect()),
        list("Rights not known", set.rights.unknown.iter().map(unknown).collect()),
        list("Could not be read", unread),
        list("Warnings", warnings),
    ];
    let lists = lists.into_iter().filter(|list| !list.items.is_empty());
    std::iter::once(Section { head, items: rows }).chain(lists).collect()
}

/// A right, and what needs it.
fn missing(missing: &MissingRight) -> String {
    let certain = if missing.certain { "" } else { "perhaps " };
    let reason = missing.reason.as_ref().map(|reason| format!(" ({})", code(reason))).unwrap_or_default();
    format!("{certain}{} to {}{reason}", code(&missing.right), code(&missing.needed_to_text()))
}

/// What would refuse it, and what to do.
fn refused(refusal: &Refusal) -> String {
    format!("{}: {}", code(&refusal.reason), code(&refusal.hint))
}

/// Rights that could not be asked about, and why.
fn unknown(unknown: &UnknownRights) -> String {
    let rights: Vec<_> = unknown.rights.iter().map(|right| code(right)).collect();
    format!("{}: {}", rights.join(", "), code(&unknown.reason))
}

/// What it comes to.
pub(super) fn summary(set: &ChangeSet) -> String {
    match (set.unreadable.len(), set.has_changes(), &set.purpose) {
        (1, ..) => "incomplete, 1 resource could not be read".to_owned(),
        (2.., ..) => format!("incomplete, {} resources could not be read", set.unreadable.len()),
        (0, true, _) => to_do(set),
        (0, false, Purpose::Apply) => format!("no changes, {} matches the plan file", whole(&set.cloud)),
        (0, false, Purpose::Destroy { .. }) => "nothing to destroy".to_owned(),
    }
}

/// What is to be done, counted.
fn to_do(set: &ChangeSet) -> String {
    let done = [Action::Create, Action::Adopt, Action::Update, Action::Restore, Action::Delete, Action::Release];
    let done = done.into_iter().map(|action| (set.count(action), format!("to {}", action.verb())));
    let left_over = set.orphans.iter().filter(|orphan| goes(set, orphan)).count();
    let others = [(set.count(Action::Refuse), "refused"), (left_over, "left over to delete")];
    let all = done.chain(others.map(|(count, words)| (count, words.to_owned()))).filter(|(count, _)| *count > 0);
    let all: Vec<_> = all.map(|(count, words)| format!("{count} {words}")).collect();
    if all.is_empty() { BOOKKEEPING.to_owned() } else { all.join(", ") }
}

/// Whether an orphan is taken down: with apply nothing that holds data.
pub(super) fn goes(set: &ChangeSet, orphan: &Orphan) -> bool {
    set.with_orphans && !(orphan.holds_data && set.purpose == Purpose::Apply)
}

/// A setting with its new value, where one may be shown.
fn setting(change: &OutputChange) -> String {
    code(&change.value.as_ref().map_or_else(|| change.name.clone(), |value| format!("{}={value}", change.name)))
}

fn row(set: &ChangeSet, change: &Change) -> String {
    let (symbol, verb) = match change.finding {
        Finding::Unknown => ('?', "cannot read"),
        _ => (change.action.symbol(), change.action.verb()),
    };
    let line = change.line.map(|line| format!(", {}", code(&format!("{}:{line}", set.plan_file.name))));
    let (name, line) = (code(&change.name), line.unwrap_or_default());
    let details = details(set, change).join("<br>");
    format!("| `{symbol}` {verb} | {} {name} ({}){line} | {details} |\n", change.kind, code(change.address.as_str()))
}

/// What there is to say of a change.
fn details(set: &ChangeSet, change: &Change) -> Vec<String> {
    let refusal = change.refusal.iter().flat_map(|refusal| {
        let Refusal { reason, hint } = refusal;
        let cannot = if change.has_drifted() { "apply cannot mend it: " } else { "" };
        [code(reason), format!("{cannot}{}", code(hint))]
    });
    let fields = change.facets.iter().filter(|facet| is_shown(change, facet)).flat_map(|facet| fields(change, facet));
    let beside = fate_of_others(set, change).map(|word| {
        let entries = change.unmanaged.iter().map(|unmanaged| format!("{word}: {}", code(&unmanaged.entry)));
        entries.collect::<Vec<_>>()
    });
    cause(change).into_iter().chain(refusal).chain(fields).chain(beside.unwrap_or_default()).collect()
}

fn cause(change: &Change) -> Option<String> {
    let words = match (change.action, change.missing) {
        (_, true) => MISSING,
        (Action::Restore, _) => UNTAGGED,
        (Action::Release, _) => "provision's entries and tags are removed, everything else stays",
        (Action::Delete, _) => {
            let contents = change.contents?;
            let afterlife = contents.afterlife().unwrap_or_else(|| "for good".to_owned());
            return Some(format!("and everything in it: {} ({afterlife})", contents.describe()));
        }
        _ => return None,
    };
    Some(words.to_owned())
}

fn is_shown(change: &Change, facet: &FacetChange) -> bool {
    match change.action {
        Action::Create => !facet.after.is_null(),
        Action::Delete | Action::NoOp | Action::Record => false,
        Action::Release => facet.write,
        Action::Refuse => facet.finding.is_drift() && !change.missing,
        _ => facet.finding.differs(),
    }
}

/// Each field that a facet changes: its name, its values, and why.
fn fields(change: &Change, facet: &FacetChange) -> Vec<String> {
    let is_new = matches!(change.action, Action::Create | Action::Adopt);
    let why = if is_new { "" } else { label(facet.finding) };
    let line = facet.line.filter(|line| !why.is_empty() && Some(*line) != change.line);
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(" ({why}{line})") };
    let field = |diff: FieldDiff| {
        let path = diff.path(&facet.facet);
        code(format!("{path} {}", value(change.action, &diff)).trim_end()) + &why
    };
    diff::fields(&facet.before, &facet.after).into_iter().map(field).collect()
}

/// The value of a field; of a list the elements that come or go.
fn value(action: Action, diff: &FieldDiff) -> String {
    match (action, &diff.before, &diff.after) {
        (Action::Create, _, after) => plain(after),
        (_, Value::Array(old), Value::Array(new)) => {
            let comes = without(new, old).into_iter().map(|element| format!("+ {}", plain(&element)));
            let goes = without(old, new).into_iter().map(|element| format!("- {}", plain(&element)));
            comes.chain(goes).collect::<Vec<_>>().join("  ")
        }
        (_, before, after) => format!("{} -> {}", plain(before), plain(after)),
    }
}

/// What is written for provision's own sake.
fn recorded(set: &ChangeSet) -> Vec<String> {
    let recorded = set.changes.iter().filter(|change| change.action == Action::Record);
    let recorded = recorded.map(|change| format!("{} {}", change.kind, code(&change.name)));
    let rewritten = set.rewritten_orphans();
    let rewritten = rewritten.iter().map(|(orphan, _)| format!("{} {}", orphan.kind, code(&orphan.name)));
    recorded.chain(rewritten).collect()
}

fn left_over(set: &ChangeSet, orphan: &Orphan) -> String {
    let fate = match (goes(set, orphan), orphan.mark.origin) {
        (true, Origin::Created) => "`-` delete",
        (true, Origin::Adopted) => "`-` release",
        _ => "`?`",
    };
    let refusal =
        orphan.refusal.as_ref().map(|refusal| format!(": {}; {}", code(&refusal.reason), code(&refusal.hint)));
    let what = format!("{fate} {} {}, no longer in the plan file", orphan.kind, code(&orphan.name));
    let how = match (set.with_orphans, orphan.holds_data && set.purpose == Purpose::Apply) {
        (true, false) => "",
        (_, true) => "; `destroy --orphans` deletes it",
        (false, false) => "; `--orphans` deletes it",
    };
    what + how + &refusal.unwrap_or_default()
}

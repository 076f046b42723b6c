//! A change set as people see it.

use anstyle::{AnsiColor, Style};
use provision_core::change_set::{Action, Change, ChangeSet, FacetChange, Purpose};
use provision_core::compare::Finding;
use provision_core::diff::{self, FieldDiff};
use provision_core::mark::Origin;
use provision_core::printable::{harmless, on_one_line};
use provision_core::refusal::Refusal;
use provision_core::resource::Orphan;
use serde_json::Value;

use super::layout::{Line, block, fitted};
use crate::view::error;
use crate::view::words::{BOOKKEEPING, MISSING, UNTAGGED, label, nouns, plain, without};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What changes.
    Changes,
    /// What is in sync too.
    Everything,
}

/// The whole set: identity, changes, orphans, summary.
pub(crate) fn text(set: &ChangeSet, detail: Detail) -> String {
    let shown = |change: &&Change| match change.action {
        Action::NoOp => detail == Detail::Everything || change.finding == Finding::Unknown,
        Action::Record => detail == Detail::Everything,
        _ => true,
    };
    let blocks = set.changes.iter().filter(shown).map(|change| fitted(&self::change(set, change)));
    let bookkeeping = if detail == Detail::Everything { None } else { bookkeeping(set) };
    let warnings = warnings(set);
    let parts = blocks.chain([orphans(set), bookkeeping.unwrap_or_default()]).filter(|part| !part.is_empty());
    let parts: String = parts.map(|part| part + "\n").collect();
    format!("{}\n{parts}{warnings}{}\n", identity(set), summary(set))
}

/// Whose cloud was observed.
pub(crate) fn identity(set: &ChangeSet) -> String {
    let who = &set.identity;
    let (account, region) = nouns(&set.cloud);
    let who_and_where = format!("{} {account} {} {region} {} as {}", set.cloud, who.account, who.region, who.principal);
    let endpoints = who.endpoints.iter().map(|endpoint| format!("  custom endpoint: {endpoint}"));
    let lines = [who_and_where].into_iter().chain(endpoints).map(|text| Line { text, hang: 4 });
    fitted(&lines.collect::<Vec<_>>())
}

/// What the user should know.
pub(crate) fn warnings(set: &ChangeSet) -> String {
    // They hold commands to copy, and are left for the terminal to break.
    set.warnings.iter().map(|warning| error::warning(warning)).collect()
}

/// Where the plan file says so.
pub(crate) fn place(set: &ChangeSet, line: Option<usize>) -> String {
    line.map(|line| format!("  {DIM}{}:{line}{DIM:#}", set.plan_file.name)).unwrap_or_default()
}

/// A text in its colour.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn color(action: Action) -> Style {
    match action {
        Action::Create => AnsiColor::Green.on_default(),
        Action::Adopt | Action::Update | Action::Record | Action::Restore => AnsiColor::Yellow.on_default(),
        Action::Delete | Action::Release => AnsiColor::Red.on_default(),
        Action::Refuse => AnsiColor::Red.on_default().bold(),
        Action::NoOp => Style::new(),
    }
}

fn change(set: &ChangeSet, change: &Change) -> Vec<Line> {
    let (symbol, verb) = match change.finding {
        Finding::Unknown => ('?', "cannot read"),
        _ => (change.action.symbol(), change.action.verb()),
    };
    let name = styled(color(change.action), &format!("{symbol} {verb} {} `{}`", change.kind, change.name));
    let cause = cause(change).map(|words| format!("  {words}")).unwrap_or_default();
    let text = format!("{name} ({}){cause}{}", change.address, place(set, change.line));
    let mut lines = vec![Line { text, hang: 4 }];
    if let Some(refusal) = &change.refusal {
        lines.extend(self::refusal(change, refusal));
    }
    let shown = change.facets.iter().filter(|facet| is_shown(change, facet));
    let entries: Vec<_> = shown.flat_map(|facet| entries(set, change, facet)).collect();
    lines.extend(block(4, &entries));
    if change.refusal.is_none() && stays(set, change) {
        let kept =
            change.unmanaged.iter().map(|unmanaged| styled(DIM, &format!("kept: {}", on_one_line(&unmanaged.entry))));
        lines.extend(kept.map(|text| Line { text: format!("    {text}"), hang: 10 }));
    }
    lines
}

/// Whether what others have on it stays: not where that goes on which it is.
fn stays(set: &ChangeSet, change: &Change) -> bool {
    let holds_entries = |change: &&Change| ["bucket", "storage account"].contains(&change.kind.as_str());
    let mut deleted = set.changes.iter().filter(|change| change.action == Action::Delete);
    change.action != Action::Delete || !deleted.any(|deleted| holds_entries(&deleted))
}

/// Why it cannot be done, and what to do where that is all that is said.
fn refusal(change: &Change, refusal: &Refusal) -> Vec<Line> {
    let line = |text: String| Line { text: format!("    {text}"), hang: 6 };
    let reason = on_one_line(&refusal.reason);
    match change.has_drifted() {
        true => vec![
            line(styled(color(Action::Refuse), &reason)),
            line(format!("apply cannot mend it: {}", on_one_line(&refusal.hint))),
        ],
        false => vec![line(reason)],
    }
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

fn cause(change: &Change) -> Option<String> {
    let words = match (change.action, change.missing) {
        (_, true) => MISSING.to_owned(),
        (Action::Record, _) => BOOKKEEPING.to_owned(),
        (Action::Restore, _) => UNTAGGED.to_owned(),
        (Action::Release, _) => "provision's entries and tags are removed, everything else stays".to_owned(),
        (Action::Delete, _) => {
            let lost = format!("and everything in it, for good: {}", change.contents?.describe());
            styled(color(Action::Refuse), &lost)
        }
        _ => return None,
    };
    Some(words)
}

/// What there is to say of each field that a facet changes: its name, and its values.
fn entries(set: &ChangeSet, change: &Change, facet: &FacetChange) -> Vec<(String, String)> {
    let is_new = matches!(change.action, Action::Create | Action::Adopt);
    let why = if is_new { "" } else { label(facet.finding) };
    let line = place(set, facet.line.filter(|line| !why.is_empty() && Some(*line) != change.line));
    let why = if why.is_empty() { String::new() } else { format!("  {DIM}{why}{DIM:#}{line}") };
    let of_field = |diff: FieldDiff| {
        let path = diff.path(&facet.facet);
        let mut values = values(change.action, &diff).into_iter();
        let first = values.next().map(|value| (path, value + &why));
        first.into_iter().chain(values.map(|value| (String::new(), value))).collect::<Vec<_>>()
    };
    diff::fields(&facet.before, &facet.after).into_iter().flat_map(of_field).collect()
}

/// The values of a field: one line, but for a list of which elements come or go.
fn values(action: Action, diff: &FieldDiff) -> Vec<String> {
    match (action, &diff.before, &diff.after) {
        (Action::Create, _, after) => vec![plain(after)],
        (_, Value::Array(old), Value::Array(new)) => {
            let comes = without(new, old).into_iter().map(|element| format!("+ {}", plain(&element)));
            let goes = without(old, new).into_iter().map(|element| format!("- {}", plain(&element)));
            comes.chain(goes).collect()
        }
        (_, before, after) => vec![format!("{} -> {}", plain(before), plain(after))],
    }
}

/// What is written for provision's own sake.
fn bookkeeping(set: &ChangeSet) -> Option<String> {
    let recorded = set.changes.iter().filter(|change| change.action == Action::Record);
    let recorded = recorded.map(|change| format!("{} `{}`", change.kind, change.name));
    let rewritten = set.rewritten_orphans();
    let rewritten = rewritten.iter().map(|(orphan, _)| format!("{} `{}`", orphan.kind, harmless(&orphan.name)));
    let names: Vec<_> = recorded.chain(rewritten).collect();
    let text = styled(DIM, &format!("also: provision's own tags of {}", names.join(", ")));
    (!names.is_empty()).then(|| fitted(&[Line { text, hang: 4 }]))
}

fn orphans(set: &ChangeSet) -> String {
    let orphan = |orphan: &Orphan| {
        let fate = match (goes(set, orphan), orphan.mark.origin) {
            (true, Origin::Created) => "- delete left over:",
            (true, Origin::Adopted) => "- release left over:",
            _ => "? left over:",
        };
        let name = harmless(&orphan.name);
        let text =
            format!("{fate} {} `{name}` belongs to this deployment but is no longer in the plan file", orphan.kind);
        Line { text, hang: 4 }
    };
    let mut lines: Vec<_> = set.orphans.iter().map(orphan).collect();
    if !lines.is_empty() && !set.with_orphans {
        let data = set.orphans.iter().any(|orphan| orphan.holds_data);
        let text = match data && set.purpose == Purpose::Apply {
            true => "  `apply --orphans` deletes them, except those that hold data; `destroy --orphans` deletes all",
            false => "  `--orphans` deletes them",
        };
        lines.push(Line { text: text.to_owned(), hang: 2 });
    }
    fitted(&lines)
}

/// Whether an orphan is taken down: with apply nothing that holds data.
fn goes(set: &ChangeSet, orphan: &Orphan) -> bool {
    set.with_orphans && !(orphan.holds_data && set.purpose == Purpose::Apply)
}

/// The last line.
fn summary(set: &ChangeSet) -> String {
    if !set.unreadable.is_empty() {
        let count = set.unreadable.len();
        let things = if count == 1 { "1 resource" } else { &format!("{count} resources") };
        return format!("{BOLD}Incomplete:{BOLD:#} {things} could not be read.");
    }
    if !set.has_changes() {
        return match set.purpose {
            Purpose::Apply => format!("{BOLD}No changes:{BOLD:#} the cloud matches the plan file."),
            Purpose::Destroy { .. } => format!("{BOLD}Nothing to destroy.{BOLD:#}"),
        };
    }
    let words = [
        (Action::Create, "to create"),
        (Action::Adopt, "to adopt"),
        (Action::Update, "to update"),
        (Action::Restore, "to restore"),
        (Action::Delete, "to delete"),
        (Action::Release, "to release"),
        (Action::Refuse, "refused"),
    ];
    let counts = words.iter().map(|(action, word)| (set.count(*action), word)).filter(|(count, _)| *count > 0);
    let mut parts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    let orphans = set.orphans.iter().filter(|orphan| goes(set, orphan)).count();
    if orphans > 0 {
        parts.push(format!("{orphans} left over to delete"));
    }
    if parts.is_empty() {
        parts.push("provision's own tags alone".to_owned());
    }
    format!("{BOLD}Changes:{BOLD:#} {}.", parts.join(", "))
}
